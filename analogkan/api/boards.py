# pyright: strict
"""A network as a board, and a board beside what was predicted of it."""

from __future__ import annotations

from collections.abc import Sequence

from ..board.amplifiers import BoardOpAmp, load_opamp
from ..board.band import Boards, boards_of_preset, boards_of_run, grid_of, predict
from ..board.comparison import Comparison, compare_points, read_measured
from ..board.parasitics import Parasitics
from ..board.parts import only_design, require_board
from ..board.stability import check_rows
from ..board.write import Board, folder_of, make_board, opamp_of, require_replaceable
from ..compiler.build import Build
from ..devices.curve import NOMINAL_TEMP_C
from ..errors import SettingsError
from ..objects import as_path, check_flags
from . import given
from .given import AnyBuild, AnyPath
from .progress import shown_progress

OPAMP, PRESET, SAMPLES, TEMPS = "50mhz-30ohm", "board", 1000, "0,25,50"
"""By default."""


def write_board(
    build: AnyBuild,
    out: AnyPath | None = None,
    *,
    opamp: AnyPath | BoardOpAmp = OPAMP,
    preset: AnyPath | None = None,
    samples: int | None = None,
    seed: int | None = None,
    band: AnyPath | None = None,
    temps: str | Sequence[float] = TEMPS,
    shunt: float = 0.0,
    progress: bool = True,
) -> Board:
    """Write a BUILD as a board: bill of materials, KiCad netlist, expected curve, instructions.

    Every diode is checked to stay put with op-amps of the class, by the poles of its node and by
    ngspice's ``.tran``; the netlist was not opened in KiCad.

    Parameters
    ----------
    build
        A BUILD of a regression or its folder, compiled with standard values (preset ``board``).
    out
        The folder; by default ``./NAME.board``. An earlier board is replaced,
        anything else is not.
    opamp
        A class by its name, the path of a TOML file, or a ``BoardOpAmp``.
    preset
        What boards differ in, by default ``board``; offsets are the op-amp's.
    samples, seed
        How many boards, by default 1,000, and of what they are drawn.
    band
        In place of these three a RUN of ``montecarlo``, whose boards are taken.
    temps
        Degrees Celsius, or ``LO:HI:STEP``.
    shunt
        Ohms across each diode, with which it was measured, imported and trained on; 0: none.
    progress
        Show a bar in a notebook or on a terminal, elsewhere a line a minute on stderr.

    Raises
    ------
    CompileError
        If the BUILD cannot be a board, the op-amp cannot hold a diode, or something else is in the
        way of the folder; nothing is written then.
    SettingsError, StudyError, SimulationError
        If a setting or the RUN cannot be used, ngspice is missing, or it differs from the twin.

    Examples
    --------
    >>> board = ak.write_board("sensor.build", samples=200)  # doctest: +SKIP
    >>> board.summary["parts"]["op-amp"]  # doctest: +SKIP
    28
    """
    given.check_whole(samples=samples, seed=seed)
    given.check_numbers(shunt=shunt)
    return run_board(
        build, out, opamp=opamp, preset=preset, samples=samples, seed=seed, band=band, temps=temps,
        shunt=shunt, progress=progress,
    )  # fmt: skip


def run_board(
    build: AnyBuild,
    out: AnyPath | None = None,
    *,
    opamp: AnyPath | BoardOpAmp,
    preset: AnyPath | None,
    samples: int | None,
    seed: int | None,
    band: AnyPath | None,
    temps: str | Sequence[float],
    shunt: float,
    progress: bool,
    command: str = "",
) -> Board:
    """``write_board``; ``command`` is what ``board.json`` says made it."""
    check_flags(progress=progress)
    circuit = given.circuit(build)
    design = require_board(circuit)
    folder = given.optional_path(out, "out") or folder_of(circuit)
    require_replaceable(folder)
    which = _opamp(opamp)
    boards = _boards(circuit, which, preset, samples, seed, band)
    at = given.temperatures(temps, "[0, 25, 50]")
    parasitics = Parasitics(shunt=shunt)
    stability = check_rows(design, which, parasitics)
    with shown_progress(progress) as on_progress:
        prediction = predict(circuit, grid_of(circuit.spec), boards, at, on_progress)
    return make_board(
        circuit, folder, which, stability, prediction, parasitics=parasitics, command=command
    )


def compare(
    build: AnyBuild,
    measured: AnyPath,
    *,
    opamp: AnyPath | BoardOpAmp | None = None,
    preset: AnyPath | None = None,
    samples: int | None = None,
    seed: int | None = None,
    band: AnyPath | None = None,
    temp: float = NOMINAL_TEMP_C,
    progress: bool = True,
) -> Comparison:
    """A board's measured points beside software, circuit and the band of boards.

    Parameters
    ----------
    build
        A BUILD of a regression in one circuit, or its folder.
    measured
        A CSV: the inputs, then the targets, their units in the first line; a target in V or mV is
        the voltage of its output.
    opamp
        Whose offsets the boards have: as for ``write_board``, or None, which is that of the board
        of this BUILD in ``./NAME.board``. If there is none, they are the preset's.
    preset, samples, seed, band
        As for ``write_board``; the boards of a RUN have its offsets.
    temp
        Degrees Celsius at which it was measured.
    progress
        Show a bar in a notebook or on a terminal, elsewhere a line a minute on stderr.

    Raises
    ------
    DataError
        If the file's width, units, values or ranges are not the network's.
    CompileError, SettingsError, StudyError, SimulationError
        As for ``write_board``.

    Examples
    --------
    >>> found = ak.compare("sensor.build", "measured.csv")  # doctest: +SKIP
    >>> found.summary["outside"], found.summary["n"]  # doctest: +SKIP
    (0, 14)
    """
    check_flags(progress=progress)
    circuit = given.circuit(build)
    given.check_whole(samples=samples, seed=seed)
    given.check_numbers(temp=temp)
    only_design(circuit)
    if circuit.spec.targets is None:
        raise SettingsError(
            f"{circuit.folder} tells classes: what is compared are values of a regression"
        )
    path = as_path(measured, "measured")
    x, y = read_measured(path, circuit)
    if band is not None and opamp is not None:
        raise SettingsError(
            "a RUN of boards (band) has offsets of its own: leave the op-amp (opamp) out"
        )
    which = opamp_of(folder_of(circuit), circuit) if opamp is band is None else _opamp(opamp)
    boards = _boards(circuit, which, preset, samples, seed, band)
    with shown_progress(progress) as on_progress:
        prediction = predict(circuit, x, boards, [temp], on_progress)
    return compare_points(circuit, y, prediction, str(path))


def _opamp(opamp: AnyPath | BoardOpAmp | None) -> BoardOpAmp | None:
    if opamp is None or isinstance(opamp, BoardOpAmp):
        return opamp
    return load_opamp(str(as_path(opamp, "opamp")))


def _boards(
    build: Build,
    opamp: BoardOpAmp | None,
    preset: AnyPath | None,
    samples: int | None,
    seed: int | None,
    band: AnyPath | None,
) -> Boards:
    if band is None:
        name = str(as_path(PRESET if preset is None else preset, "preset"))
        return boards_of_preset(name, opamp, SAMPLES if samples is None else samples, seed or 0)
    if not preset is samples is seed is None:
        raise SettingsError(
            "a RUN of boards (band) has its preset, samples and seed: leave those out"
        )
    return boards_of_run(build, as_path(band, "band"))
