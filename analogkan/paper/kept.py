"""Results that are kept: a JSON file each, with the plan that it was made by, and its own hash."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import StudyError
from ..files import SEAL, json_hash, read_json, sealed, write_text
from ..network.spec import NetworkSpec


def write_kept(path: Path, plan: dict[str, Any], found: dict[str, Any]) -> None:
    """Keep ``found``, made by ``plan``."""
    write_text(path, json.dumps(sealed(found | {"plan": plan}), indent=2) + "\n")


def read_kept(
    path: Path, plan: dict[str, Any] | None, keys: Sequence[str], *, refuse: bool = True
) -> dict[str, Any] | None:
    """What is kept in ``path``, which has ``keys``; None if nothing is.

    What was made by another plan is refused, or nothing; any plan is right if ``plan`` is None.

    Raises
    ------
    StudyError
        If the file is damaged or edited, or what it keeps was made by another plan.
    """
    if not path.is_file():
        return None
    try:
        found = read_json(path)
        told, then = found.pop(SEAL), dict(found["plan"])
        missing = [key for key in keys if key not in found]
    except (ValueError, TypeError, KeyError) as error:
        raise StudyError(f"{path} is damaged: remove it, and run the same command again") from error
    if missing:
        raise StudyError(f"{path} lacks {missing[0]}: remove it, and run the same command again")
    if json_hash(found) != told:
        raise StudyError(f"{path} was edited: remove it, and run the same command again")
    now = {} if plan is None else json.loads(json.dumps(plan))
    changed = [key for key in now if key not in then or now[key] != then[key]]
    if changed and refuse:
        key = changed[0]
        raise StudyError(
            f"{path} was made with {key} = {then.get(key)}, now it is {now[key]}: remove the file, "
            "or give another --out"
        )
    return None if changed else found


def kept_network(
    path: Path, load: Callable[[Path], NetworkSpec], fingerprint: str | None
) -> NetworkSpec:
    """The network in ``path``, of which the result beside it keeps the ``fingerprint``.

    Raises
    ------
    StudyError
        If the file is not there, or is another network.
    """
    spec = load(path) if path.is_file() else None
    if spec is None or spec.fingerprint() != fingerprint:
        what = "is missing" if spec is None else "is another network"
        raise StudyError(
            f"{path} {what}: remove {path.with_suffix('.json').name} beside it, and run the same "
            "command again, which trains it anew"
        )
    return spec
