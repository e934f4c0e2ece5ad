# pyright: strict
"""An op-amp's netlist, characterised."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import resources
from ..devices.curve import NOMINAL_TEMP_C
from ..engines.ngspice import Runner, find_ngspice
from ..errors import NetlistError, SettingsError
from ..files import near
from ..intervals import FEWEST_FOR_SPREAD, spread
from ..numerals import read_number
from ..objects import as_path, check_flags, require_type
from ..opamps.deck import Load, Setup
from ..opamps.libraries import Include, resolve
from ..opamps.result import OpAmpFigures, figures_of, require_replaceable
from ..opamps.runs import draw_offsets, measure
from ..opamps.source import OpAmpFile, check_models, read_opamp
from ..settings import require
from . import given
from .given import AnyPath
from .progress import shown_progress

FOLDER = "netlists/opamps"
"""Of the op-amps that ship."""
LOADS = (
    *((20e3, 1e-12), (100e3, 1e-12), (4e3, 1e-12), (1e3, 1e-12)),
    *((20e3, 5e-12), (20e3, 10e-12)),
)
"""Ohms and farads, by default."""
SUPPLY = 2.5
"""Volts, plus and minus, where neither call nor file says."""
MOST_VOLTS, MOST_DRAWS, MOST_SEED = 100.0, 100_000, 100_000


def characterise(
    opamp: AnyPath,
    *,
    subckt: str | None = None,
    vdd: float | None = None,
    vss: float | None = None,
    include: Sequence[str] = (),
    load: Sequence[Sequence[float]] = LOADS,
    temps: str | Sequence[float] = (NOMINAL_TEMP_C,),
    corners: Sequence[str] = (),
    mismatch: Sequence[str] = (),
    draws: int = 0,
    seed: int = 0,
    out: AnyPath | None = None,
    progress: bool = True,
) -> OpAmpFigures:
    """Figures of an op-amp's netlist by ngspice, and the preset that stands for it.

    What is left out is taken from the file, whose lines ``* characterise: KEY VALUE`` may say
    ``vdd``, ``vss``, ``include`` and ``mismatch``.

    Parameters
    ----------
    opamp
        Its file, or the name of a shipped one. Pins are ``inp inn out vdd vss``.
    subckt
        Which subcircuit, where the file has several.
    vdd, vss
        Volts of its supplies, by default 2.5 and -2.5.
    include
        Files of models, ``FILE`` or ``FILE:SECTION``, or a library's, ``gf180mcu:typical``.
    load
        (ohms, farads) that it drives to ground; the first is that of the preset.
    temps
        Degrees Celsius, or ``LO:HI:STEP``; the preset is of the one nearest to 26.85.
    corners
        Sections in the place of the one included, each a condition; the preset is of the first.
    mismatch
        ``NAME=VALUE``, the ``.param`` that turns the library's mismatch on.
    draws, seed
        So many op-amps are drawn by it, for sigma and interval of the offset; 10 or more.
    out
        A folder for figures, preset and picture.
    progress
        Show a bar in a notebook or on a terminal, elsewhere a line a minute on stderr.

    Raises
    ------
    NetlistError
        If the file is no op-amp's, or has what a cell may not have.
    SettingsError
        If something given is out of its range, or a library is not installed.
    SimulationError
        If ngspice is missing or does not deliver, a supply floats, the gain is too low, or the
        op-amp is unstable as a follower of the first load.
    CompileError
        If anything but an op-amp's figures is in the way of ``out``.

    Examples
    --------
    >>> found = ak.characterise("two_stage_level1", load=[(20e3, 1e-12)])
    >>> round(found.summary["conditions"][0]["loads"][0]["gain_db"], 1)
    82.2
    """
    check_flags(progress=progress)
    given.check_whole(draws=draws, seed=seed)
    given.check_numbers(vdd=vdd, vss=vss)
    for name, texts in (("include", include), ("corners", corners), ("mismatch", mismatch)):
        require_type(texts, (list, tuple), name, "a list of texts")
    folder = given.optional_path(out, "out")
    if folder is not None:
        require_replaceable(folder)
    require(
        draws == 0 or FEWEST_FOR_SPREAD <= draws <= MOST_DRAWS,
        "draws",
        draws,
        f"0 (none), or {FEWEST_FOR_SPREAD} to {MOST_DRAWS:,}",
    )
    require(0 <= seed <= MOST_SEED, "seed", seed, f"0 to {MOST_SEED:,}")
    own = [one for text in include for one in resolve(text, Path.cwd())]
    file = read_opamp(shipped_or(opamp), subckt, [one.path.parent for one in own])
    setup = _setup(file, own, vdd, vss, load)
    places = [setup.at(temp_c, corner) for corner in (corners or ("",)) for temp_c in _temps(temps)]
    if corners and not any(one.corner for one in setup.includes):
        raise SettingsError(
            f"corners {', '.join(corners)} stand in the place of an included section, and there is "
            "none: include FILE:SECTION"
        )
    program = find_ngspice()
    runner = Runner(program)
    switches = list(mismatch) or file.values("mismatch")
    with shown_progress(progress) as on_progress:
        measured = [measure(places[0], runner)]
        for k, place in enumerate(places[1:], 1):
            on_progress("conditions", k, len(places))
            measured.append(measure(place, runner))
        nominal = _nominal(places)
        offsets = np.zeros(0)
        if draws:
            offsets = draw_offsets(places[nominal], switches, draws, seed, runner, on_progress)
    about = {
        "opamp": file.name, "file": str(file.path), "ngspice": program.version,
        "include": list(dict.fromkeys(one.said for one in setup.includes)),
    }  # fmt: skip
    drawn = _mismatch(offsets, switches, seed) if draws else None
    found = figures_of(measured, nominal, drawn, offsets, about)
    if folder is not None:
        found.write(folder)
    return found


def shipped_or(opamp: AnyPath, folder: str = FOLDER) -> Path:
    """The file of a shipped cell of that name, by default an op-amp, or the file itself.

    Raises
    ------
    NetlistError
        If there is neither.
    """
    path = as_path(opamp, "opamp", "a file with a .subckt, or the name of a shipped op-amp")
    shipped = {file.stem: file for file in resources.path(folder).glob("*.lib")}
    if path.exists():
        return path
    if str(path) not in shipped:
        raise NetlistError(
            f"cannot read {path}: no such file{near(path, shipped) or '.'} Those that ship: "
            f"{', '.join(sorted(shipped))}"
        )
    return shipped[str(path)]


def _setup(
    file: OpAmpFile,
    own: list[Include],
    vdd: float | None,
    vss: float | None,
    loads: Sequence[Sequence[float]],
) -> Setup:
    includes = own or [
        one for text in file.values("include") for one in resolve(text, file.path.parent)
    ]
    check_models(includes)
    said = supplies_of(file)
    high = float(vdd) if vdd is not None else said[0]
    low = float(vss) if vss is not None else -said[1]
    require(0 < high <= MOST_VOLTS, "vdd", high, f"above 0, at most {MOST_VOLTS:g} V")
    require(
        -MOST_VOLTS <= low < 0, "vss", low,
        f"-{MOST_VOLTS:g} V or above, and below 0: its inputs rest at ground",
    )  # fmt: skip
    return Setup(
        opamp=file,
        includes=tuple(includes),
        vdd=high,
        vss=low,
        loads=tuple(_load(one) for one in loads),
        temp_c=NOMINAL_TEMP_C,
    )


def supplies_of(file: OpAmpFile) -> tuple[float, float]:
    """Volts above and below ground at which a file says that it is characterised."""
    return _volts(file, "vdd", SUPPLY), -_volts(file, "vss", -SUPPLY)


def _volts(file: OpAmpFile, key: str, default: float) -> float:
    said = file.values(key)
    if not said:
        return default
    try:
        return read_number(said[-1])
    except ValueError:
        raise SettingsError(f"{file.path}: 'characterise: {key} {said[-1]}' is no number") from None


def _load(value: Sequence[float]) -> Load:
    try:
        ohms, farads = (float(x) for x in value)
    except (TypeError, ValueError):
        raise SettingsError(f"load {value!r} is not ohms and farads, such as 20e3,1e-12") from None
    require(1e-3 <= ohms <= 1e15, "load", ohms, "1e-3 to 1e15 ohm")
    require(0 <= farads <= 1, "load", farads, "0 to 1 F")
    return Load(ohms=ohms, farads=farads)


def _temps(temps: str | Sequence[float]) -> list[float]:
    found = given.temperatures(temps)
    for temp_c in found:
        require(-273 < temp_c <= 1000 and math.isfinite(temp_c), "temps", temp_c, "-273 to 1000")
    return found


def _nominal(places: Iterable[Setup]) -> int:
    """The first corner at the temperature nearest to that of designs."""
    places = list(places)
    return min(
        (k for k, place in enumerate(places) if place.corner == places[0].corner),
        key=lambda k: abs(places[k].temp_c - NOMINAL_TEMP_C),
    )


def _mismatch(offsets: Any, switches: list[str], seed: int) -> dict[str, Any]:
    return {
        "switches": switches, "n": len(offsets), "seed": seed, "mean": float(offsets.mean()),
        "sigma": float(offsets.std(ddof=1)), "sigma_interval": list(spread(offsets) or ()),
        "least": float(offsets.min()), "most": float(offsets.max()),
    }  # fmt: skip
