"""The files of a board: written together or not at all, replaced only if they are ours."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.build import Build
from ..data.sources import named_in
from ..errors import CompileError, SettingsError
from ..files import atomic_folder, brief, read_json, write_text
from ..network.measures import distance, format_value, unit_of
from ..network.record import read_reached
from ..ours import MARK
from ..results import Fact, Figure, Listing, Result
from ..tables import Table, table_of
from .amplifiers import BoardOpAmp
from .band import SHARE, Prediction
from .instructions import expected_rows, format_bench
from .kicad import format_netlist
from .nodes import node_comments, node_rows, node_volts
from .parasitics import Parasitics
from .parts import DRIVER, Part, bill, board_parts, only_design, require_board
from .stability import BoardStability
from .tolerances import bought, tolerance_sentences

SUMMARY, FORMAT = "board.json", "analogkan-board-1"
BOM = ("references", "kind", "value", "tolerance", "count", "about")
FILES = (
    SUMMARY, "bom.csv", "board.net", "expected.csv", "expected.png", "nodes.csv", "bench.md"
)  # fmt: skip
NOT_OPENED = "board.net was not opened in KiCad: a parser of such files reads it back"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Board(Result):
    """A network as a board.

    Attributes
    ----------
    summary
        The figures: ``parts``, ``bom``, ``opamp``, ``stability``, ``rmse_boards`` (mean RMSE of the
        boards against software, at each temperature), ``software`` (what software itself reaches on
        the test part, as the checkpoint keeps it, or None), ``assumed`` (inputs that drive a diode
        into the reconstructed part of its curve), ``folder``, ``files``.
    parts
        Every part.
    prediction
        The expected curve.
    """

    heading = "A board"
    parts: Sequence[Part]
    stability: BoardStability
    prediction: Prediction
    build: Build

    def title(self) -> str:
        s = self.summary
        return f"{s['build']} as a board: {s['count']} parts"

    def headline(self) -> list[Fact]:
        s = self.summary
        return [Fact(kind, str(count)) for kind, count in s["parts"].items() if kind != "connector"]

    def facts(self) -> Listing:
        """The bill of materials."""
        rows = [[str(line[key]) for key in ("count", "kind", "value", "tolerance", "about")]
                for line in self.summary["bom"]]  # fmt: skip
        return Listing(["count", "kind", "value", "tolerance", "what"], rows)

    def sentences(self) -> list[str]:
        s = self.summary
        told = [*self.stability.sentences(), *self._drivers()]
        for row in self.stability.rows:
            told.append(
                f"layer {row.layer}, {row.device}: c_f {1e12 * row.c_f:.4g} pF, stays put up to "
                f"{row.slope_margin:.3g} |g_d|"
                + (f", .tran: {1e3 * row.swing:.2g} mVpp at the diode" if row.swings else "")
            )
        for temp_c, rmse in zip(s["temps_c"], s["rmse_boards"], strict=True):
            told.append(
                f"{s['samples']} boards at {temp_c:g} degC: RMSE against software "
                f"{format_value(rmse, s['unit'])} in the mean"
            )
        told.append(self._truth())
        series = only_design(self.build).hardware.series
        told += tolerance_sentences(series, self.prediction.boards.variation)
        told.append(f"assumed: {assumed_said(s)}")
        return [*told, NOT_OPENED]

    def _drivers(self) -> list[str]:
        """Why there are more op-amps than the deck has."""
        opamps = [part for part in self.parts if part.kind == "op-amp"]
        drivers = sum(part.about.startswith(DRIVER) for part in opamps)
        said = (
            f"{len(opamps)} op-amps: the {len(opamps) - drivers} of the deck, and {drivers} that "
            "drive what a deck has as sources, the DACs' voltages and the bias rows'"
        )
        return [said] if drivers else []

    def _truth(self) -> str:
        """What boards' distance from software is not."""
        found = read_reached(self.summary["software"], "software")
        own = "software's own error, which this BUILD does not keep, comes on top"
        if found is not None:
            own = f"software's own error, {found.said} ({found.images}), comes on top"
        spec, model = self.build.spec, self.build.summary["model"]
        data = shlex.quote(named_in(model, spec.dataset))
        preset = shlex.quote(self.prediction.boards.preset)
        command = f"analogkan montecarlo {self.summary['build']} --preset {preset} --dataset {data}"
        return (
            f"{own}, as the root of the sum of squares where the two are independent: `{command}` "
            "measures boards against the data"
        )

    def closing(self) -> list[str]:
        return [f"{self.summary['folder']}: {', '.join(self.summary['files'])}"]

    def figures(self) -> list[Figure]:
        from ..report.functions import board_figure

        p, targets = self.prediction, self.build.spec.targets
        assert targets is not None
        at = p.nominal
        shaded = np.array([bool(rows) for rows in p.assumed])
        draw = partial(
            board_figure,
            p.x,
            p.circuit[at],
            p.band[:, at],
            targets,
            assumed=shaded,
            temp_c=p.temps_c[at],
        )
        caption = f"What {SHARE} % of {p.boards.samples} boards give at {p.temps_c[at]:g} degC."
        return [Figure("expected", caption, draw), *self.stability.figures()]

    def table(self) -> Table:
        """A row a part."""
        return table_of([vars(part) | {"nets": " ".join(part.nets)} for part in self.parts])


def assumed_said(summary: Mapping[str, Any]) -> str:
    """How much of what boards do rests on curves that nobody could measure."""
    return (
        f"{summary['assumed']} of {summary['points']} inputs drive a diode into the part of its "
        "curve that was reconstructed, not measured"
    )


def folder_of(build: Build) -> Path:
    """Where its board is written, unless told otherwise."""
    return Path(f"{build.folder.name.removesuffix('.build')}.board")


def opamp_of(folder: Path, build: Build) -> BoardOpAmp | None:
    """The op-amp of the board of ``build`` in ``folder``; None if there is none of it.

    Raises
    ------
    SettingsError
        If the board's file is damaged.
    """
    path = folder / SUMMARY
    if not path.is_file():
        return None
    try:
        found = read_json(path)
        if found["format"] != FORMAT or Path(found["build"]).name != build.folder.name:
            return None
        return BoardOpAmp(**found["stability"]["opamp"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path}, which has the board's op-amp, is damaged ({brief(error)}): write the board "
            "again, or give --opamp"
        ) from error


def require_replaceable(folder: Path) -> None:
    """CompileError if ``folder`` is a file, or holds anything but an earlier board's files."""
    if folder.exists() and not folder.is_dir():
        raise CompileError(f"{folder} is a file: give another folder with -o")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        ours = read_json(folder / SUMMARY).get("format") == FORMAT
    except ValueError:
        ours = False
    foreign = sorted(p.name for p in folder.iterdir() if not ours or p.name not in FILES)
    if foreign:
        raise CompileError(
            f"{folder} holds {foreign[0]}, which no board command wrote, so it is not replaced: "
            "give another folder with -o"
        )


def make_board(
    build: Build,
    folder: Path,
    opamp: BoardOpAmp,
    stability: BoardStability,
    prediction: Prediction,
    *,
    parasitics: Parasitics,
    command: str = "",
) -> Board:
    """Write the files of the board into ``folder``.

    Raises
    ------
    CompileError
        If ``build`` cannot be a board, or something else is in the way of the folder.
    """
    require_board(build)
    require_replaceable(folder)
    series, variation = only_design(build).hardware.series, prediction.boards.variation
    parts = [
        replace(part, tolerance=bought(part.tolerance, series, variation))
        if part.kind == "resistor"
        else part
        for part in board_parts(build, opamp, stability, parasitics)
    ]
    summary = _summary(build, folder, parts, stability, prediction) | {"command": command}
    board = Board(
        summary=summary, parts=parts, stability=stability, prediction=prediction, build=build
    )
    head, rows = expected_rows(prediction, parts, build)
    told = [
        f"{MARK}: {build.spec.name}, {prediction.boards.samples} boards ({prediction.boards.said}, "
        f"seed {prediction.boards.seed}); low and high are the ends of {SHARE} % of them",
        "assumed: diodes that this input drives into the part of their curve that was "
        "reconstructed, not measured",
    ]
    nodes = node_volts(build, prediction)
    from ..report.figures import save

    with atomic_folder(folder) as partial_folder:
        write_text(
            partial_folder / "bom.csv",
            _csv(BOM, [[line[key] for key in BOM] for line in bill(parts)]),
        )
        title = f"{build.spec.name}, {MARK}; not opened in KiCad"
        write_text(partial_folder / "board.net", format_netlist(parts, title))
        write_text(partial_folder / "expected.csv", _told_csv(told, head, rows))
        above = [f"{MARK}: {build.spec.name}", *node_comments(nodes, prediction, build)]
        text = _told_csv(above, *node_rows(nodes, parts))
        write_text(partial_folder / "nodes.csv", text)
        save(board.figures()[0].draw(), partial_folder / "expected.png")
        bench = format_bench(build, parts, stability, parasitics, prediction, nodes)
        write_text(partial_folder / "bench.md", bench)
        write_text(partial_folder / SUMMARY, json.dumps(summary, indent=2) + "\n")
    return board


def _summary(
    build: Build,
    folder: Path,
    parts: Sequence[Part],
    stability: BoardStability,
    prediction: Prediction,
) -> dict[str, Any]:
    targets = build.spec.targets
    assert targets is not None
    kinds = [part.kind for part in parts]
    boards = prediction.boards
    rmse = [
        float(np.mean([distance(targets, prediction.software, y, ci95=False).rmse for y in at]))
        for at in prediction.each
    ]
    return {
        "format": FORMAT,
        "build": str(build.folder),
        "design": build.facts()["design"],
        "folder": str(folder),
        "files": list(FILES),
        "count": len(parts),
        "parts": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        "bom": bill(parts),
        "stability": stability.to_document(),
        "unit": unit_of(targets),
        "samples": boards.samples,
        "seed": boards.seed,
        "boards": boards.said,
        "variation": boards.variation.document(),
        "temps_c": list(prediction.temps_c),
        "rmse_boards": rmse,
        "software": build.summary["model"].get("card"),
        "points": len(prediction.x),
        "assumed": sum(map(bool, prediction.assumed)),
        "judge": prediction.judge,
    }


def _told_csv(told: Iterable[str], head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table below what is said of it."""
    return "".join(f"# {line}\n" for line in told) + _csv(head, rows)


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[f"{x:.6g}" if isinstance(x, float) else x for x in row] for row in rows])
    return stream.getvalue()
