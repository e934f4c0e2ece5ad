"""Decks in dialects other than ngspice's: what is read back of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..dialects import DIALECTS, NGSPICE, Dialect
from ..files import sha256
from .deck import ARRAYS, Deck, write_files
from .lines import deck_bytes
from .verification import Verification


def written_note(dialect: str) -> str:
    """What is said of files in a dialect that nothing here reads."""
    return (
        f"{dialect}'s files are not read back: ngspice's of the same design are, and these are "
        "what the compiler writes of it"
    )


def _run(path: Path, say: Dialect) -> list[bytes]:
    """Lines of a file, but for comments: a design does not keep where its curves are from."""
    here = (say.top or say) if path.name == "network.cir" else say
    mark = here.comment.encode()
    return [line for line in deck_bytes(path).splitlines() if not line.startswith(mark)]


def verify_respelled(deck: Deck, verify: Callable[[Deck], Verification]) -> Verification:
    """Read ngspice's deck of the same network and design back, and compare the files of ``deck``,
    line by line, with what is written of them in its dialect."""
    say = DIALECTS.find(deck.dialect)
    with tempfile.TemporaryDirectory() as place:
        judged, spelled = Path(place, "judged"), Path(place, "spelled")
        for folder, dialect in ((judged, NGSPICE), (spelled, say)):
            folder.mkdir()
            write_files(deck, folder, dialect)
        for name in ARRAYS:
            shutil.copyfile(deck.folder / name, judged / name)
        files = {path.name: sha256(path) for path in judged.iterdir()}
        summary = deck.summary | {"dialect": NGSPICE.name, "files": files}
        found = verify(replace(deck, folder=judged, summary=summary))
        found.add([f"{name} was edited after it was compiled" for name in deck.edited_files()])
        found.add(
            [
                f"{name} is not what the design is in dialect {say.name}"
                for name in deck.deck_files()
                if _run(deck.folder / name, say) != _run(spelled / name, say)
            ]
        )
    found.notes.append(written_note(say.name))
    return found
