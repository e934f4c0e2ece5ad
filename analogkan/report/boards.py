"""A section of a report on a board: its parts, its op-amp, and the band of boards."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..board.write import FORMAT, SUMMARY, assumed_said
from ..compiler.build import Build
from ..devices.curve import NOMINAL_TEMP_C
from ..errors import StudyError
from ..files import brief, read_json
from ..network.measures import format_value
from ..results import Listing
from ..text import engineering
from .exhibits import Exhibit, Section
from .functions import board_figure
from .runs import Run


def parted(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """RUNs, and boards; each board once."""
    boards = {one.resolve(): one for one in folders if (one / SUMMARY).is_file()}
    return [one for one in folders if one.resolve() not in boards], [*boards.values()]


def board_sections(boards: Sequence[Path], runs: Sequence[Run], build: Build | None) -> list[Any]:
    """A section a board.

    Raises
    ------
    StudyError
        If a board is damaged, or of another circuit than the RUNs.
    """
    return [_section(one, k, runs[0], build) for k, one in enumerate(boards)]


def _section(folder: Path, k: int, run: Run, build: Build | None) -> Section:
    try:
        s = read_json(folder / SUMMARY)
        if s["format"] != FORMAT or "design" not in s:
            raise ValueError("it does not say of which circuit it is")
        if s["design"] != run.summary["design"]:
            raise StudyError(
                f"{folder} is a board of another circuit ({s['build']}) than {run.folder} "
                f"({run.summary['build']}): a report is about one"
            )
        at = int(np.abs(np.array(s["temps_c"]) - NOMINAL_TEMP_C).argmin())
        drawn = [] if build is None else _band(folder, s["temps_c"][at], build)
        return Section(
            name="board" if not k else f"board-{k + 1}",
            title="Board",
            words=[
                f"{s['samples']:,} boards, {s['boards']}, in the twin; {assumed_said(s)}.",
                f"What to do with it is in {folder / 'bench.md'}.",
            ],
            table=_facts(s),
            exhibits=[Exhibit(name=f"board-{k + 1}-{one.name}", caption=one.caption,
                              figure=one.figure) for one in drawn],
            source=f"board {folder}",
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise StudyError(
            f"{folder} is a board that is damaged, or of an earlier version ({brief(error)}): "
            "write it again with `analogkan board`"
        ) from error


def _facts(s: Mapping[str, Any]) -> Listing:
    """Parts, op-amp, shunt, and how far boards are from software."""
    opamp, shunt = s["stability"]["opamp"], s["stability"]["parasitics"]["shunt"]
    parts = ", ".join(f"{count} {kind}s" for kind, count in s["parts"].items())
    rows = [
        ["parts", f"{s['count']}", parts],
        ["op-amps", opamp["name"], opamp["about"]],
        [
            "shunt",
            engineering(shunt, "ohm") if shunt else "none",
            "across each diode" if shunt else "",
        ],
    ]
    for temp_c, rmse in zip(s["temps_c"], s["rmse_boards"], strict=True):
        said = "mean RMSE of boards against software"
        rows.append([f"at {temp_c:g} degC", format_value(rmse, s["unit"]), said])
    return Listing(["", "value", ""], rows)


def _band(folder: Path, temp_c: float, build: Build) -> list[Exhibit]:
    """The expected curve and its band, as the board's own table has them."""
    targets = build.spec.targets
    assert targets is not None
    text = (folder / "expected.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(x for x in text.splitlines() if not x.startswith("#")))
    inputs = [*lines[0]][: build.spec.encoding.inputs]

    def column(start: str) -> list[float]:
        named = next(name for name in lines[0] if name.startswith(f"{start} at {temp_c:g} degC"))
        return [float(line[named]) for line in lines]

    ends = [[column(f"{what} {name}") for name in targets.names]
            for what in ("low", "circuit", "high")]  # fmt: skip
    band = np.array(ends).transpose(0, 2, 1)
    x = np.array([[float(line[name]) for name in inputs] for line in lines])
    shaded = np.array([bool(line["assumed"]) for line in lines])
    figure = board_figure(x, band[1], band, targets, assumed=shaded, temp_c=temp_c)
    caption = f"The circuit, and what 95 % of the boards give at {temp_c:g} degC."
    return [Exhibit(name="band", caption=caption, figure=figure)]
