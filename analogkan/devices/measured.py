"""From sweeps to a device: one table, tables at other temperatures, and the spread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DeviceError, SettingsError
from ..files import atomic_file
from ..kinds import mistaken
from ..limits import require_physical
from ..objects import Described, Facts
from ..ours import require_ours
from .columns import ColumnChoice
from .curve import MAX_POINTS, NOMINAL_TEMP_C, IVCurve, nearest_to_nominal
from .fit import (
    PWLFit,
    fit_knots,
    following_knots,
    measured_fit,
    round_significant,
    uniform_knots,
)
from .library import check_replaceable, format_device, read_entries
from .spread import Spread, common_curve, format_variation, measure_spread
from .sweep import Sweep, read_sweep

STEP = 0.05
"""Volts between the knots of a fitted table, at most."""
FOLLOWS = 0.02
"""Share of the peak that the sweeps' mean may be off a chord before the table gets another knot."""
SAME_VOLTS = 1e-9
"""Volts within which two sweeps' points count as the same."""
MAX_PEAK_RATIO = 10.0
"""Between sweeps of one device type at one temperature; more is taken for a wrong unit."""
MIN_SHARED = 0.5
"""Share of the widest sweep that all sweeps must cover."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Measured(Described):
    """A device made of sweeps.

    Attributes
    ----------
    curve
        The device.
    fits
        Temperature in degrees Celsius to its table and the table's distance from the points.
    spread
        Of the temperature with most sweeps; None if no temperature has two.
    sweeps
        What it was made of, coldest first.
    """

    curve: IVCurve
    fits: dict[float, PWLFit]
    spread: Spread | None
    sweeps: tuple[Sweep, ...]

    def _described(self) -> tuple[str, Facts]:
        name, facts = self.curve._described()
        spread = [] if self.spread is None else [
            (row[0], f"{row[1]:.3g}, a standard deviation") for row in self.spread.rows()
        ]  # fmt: skip
        return name, [*facts, ("sweeps", str(len(self.sweeps))), *spread]


def import_device(
    files: Sequence[Path],
    name: str,
    *,
    at: Sequence[tuple[float, Path]] = (),
    choice: ColumnChoice = ColumnChoice(),
    branch: str | None = None,
    step: float = STEP,
    source: str = "",
) -> Measured:
    """A device from CSV files, one sweep each.

    Parameters
    ----------
    files
        Measured at 26.85 degrees Celsius (300 K); several are of several devices of one type.
    name
        Of the device: letters, digits and underscores, a letter first; at most 32.
    at
        More files, each with its temperature in degrees Celsius.
    choice, branch
        As for ``read_sweep``, of every file.
    step, source
        As for ``device_from_sweeps``.

    Raises
    ------
    DeviceError
        As ``read_sweep`` and ``device_from_sweeps``; or if a file is named twice.
    """
    IVCurve(name, np.array([0.0, 1.0]), np.array([0.0, 1.0]))  # refuse a name before all else
    every = [(NOMINAL_TEMP_C, path) for path in files] + list(at)
    paths = [path.resolve() for _, path in every]
    for (_, path), resolved in zip(every, paths, strict=True):
        if paths.count(resolved) > 1:
            raise DeviceError(f"{path} is named twice: each file is the sweep of one device")
        wrong = mistaken(path, "sweep")
        if wrong:
            raise DeviceError(wrong)
    sweeps = [(temp_c, read_sweep(path, choice=choice, branch=branch)) for temp_c, path in every]
    return device_from_sweeps(sweeps, name, step=step, source=source)


def device_from_sweeps(
    sweeps: Sequence[tuple[float, Sweep]], name: str, *, step: float = STEP, source: str = ""
) -> Measured:
    """One device from sweeps, each with the temperature in degrees Celsius it was measured at.

    Sweeps of one temperature are of several devices of the type: the table is fitted to all their
    points. Knots lie every ``step`` volts, and closer where the curve bends; sweeps of the same
    voltages with less than two points a step keep their points, averaged. The table covers the
    voltages that all sweeps share. The spread is of the sweeps, whatever the table.

    Raises
    ------
    SettingsError
        If there is no sweep, or the step is out of range.
    DeviceError
        If the name or a sweep cannot be used, or the sweeps are not of one device type.
    """
    if not sweeps:
        raise SettingsError("no sweep given: name at least one CSV file")
    if not 1e-6 <= step <= 10:
        raise SettingsError(f"a step of {step:g} V is out of range: 1e-6 to 10 V")
    groups: dict[float, list[Sweep]] = {}
    for temp_c, sweep in sorted(sweeps, key=lambda entry: entry[0]):
        groups.setdefault(temp_c, []).append(sweep)
    for group in groups.values():
        _check_peaks(group)
    every = [sweep for group in groups.values() for sweep in group]
    lo, hi = _shared(every)
    every_v = [_within(sweep, lo, hi)[0] for sweep in every]
    for sweep, volts in zip(every, every_v, strict=True):
        if volts.size < 2:
            raise DeviceError(
                f"{sweep.file} has {volts.size} point(s) from {lo:g} to {hi:g} V, which all sweeps "
                "cover: a table needs at least 2 of each"
            )
    knots, fitted = _knots(every_v, lo, hi, step)
    fits = _fits(groups, knots, fitted, step)
    base = nearest_to_nominal(fits)
    knots = fits[base].v
    known = any(temp_c != NOMINAL_TEMP_C for temp_c in fits)
    curve = IVCurve(
        name,
        knots,
        fits[base].i,
        source or ", ".join(sweep.file for sweep in every),
        _notes(groups, fits, step if fitted else None, (lo, hi)),
        tuple((t, fit.i) for t, fit in fits.items()) if known else (),
    )
    spread = None
    most = max(groups, key=lambda t: (len(groups[t]), t == base))
    if len(groups[most]) > 1:
        common = common_curve(groups[most]) if fitted else (knots, fits[most].i)
        spread = measure_spread(*common, groups[most], most)
    return Measured(curve=curve, fits=fits, spread=spread, sweeps=tuple(every))


def variation_path(path: Path) -> Path:
    """Where the spreads go that belong to the device file ``path``."""
    return path.with_suffix(".variation.toml")


def write_measured(measured: Measured, path: Path, *, force: bool = False) -> list[Path]:
    """Write the device file and, if there are spreads, the variation file: both or neither.

    Returns the files written.

    Raises
    ------
    DeviceError
        If a file is in the way that is none of this kind, or is one and ``force`` is not given.
    """
    texts = {path: format_device(measured.curve)}
    check_replaceable(path, force=force)
    if measured.spread is not None:
        beside = variation_path(path)
        texts[beside] = format_variation(measured.spread)
        _check_variation(beside, force)
    with ExitStack() as stack:
        for target, text in texts.items():
            partial = stack.enter_context(atomic_file(target))
            partial.write_text(text, encoding="utf-8", newline="\n")
    return list(texts)


def safe_name(text: str) -> str:
    """``text`` as a device's name: other signs become underscores, a letter comes first."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return (name if name[:1].isalpha() else f"D{name}")[:32]


def _is_variation(path: Path) -> bool:
    try:
        return list(read_entries(path, "variation file")) == ["variation"]
    except DeviceError:
        return False


def _check_variation(path: Path, force: bool) -> None:
    """Raise DeviceError if ``path`` is there and no variation file, or one and not ``force``."""
    require_ours(path, "variation file", _is_variation, give="-o", error=DeviceError)
    if path.exists() and not force:
        raise DeviceError(f"{path} is there already: --force replaces it")


def _check_peaks(sweeps: Sequence[Sweep]) -> None:
    """Raise DeviceError if a sweep has no peak or its peak is of another size altogether."""
    for sweep in sweeps:
        if sweep.i.max() <= 0:
            if sweep.v[-1] <= 0 and sweep.i.min() < 0:
                raise DeviceError(
                    f"{sweep.file}: its voltages and its currents are all negative: it was "
                    "measured the other way round; --negate turns both signs"
                )
            raise DeviceError(
                f"{sweep.file} has no positive current, so it has no peak: check its columns"
            )
        require_physical(sweep.i.max(), "peak current", sweep.file)
    low, high = min(sweeps, key=_peak), max(sweeps, key=_peak)
    if _peak(high) > MAX_PEAK_RATIO * _peak(low):
        raise DeviceError(
            f"{high.file} peaks at {_peak(high):.3g} A and {low.file} at {_peak(low):.3g} A: "
            f"more than {MAX_PEAK_RATIO:g} times apart, they are not one device type; "
            "check --i-unit, or import them apart"
        )


def _peak(sweep: Sweep) -> float:
    return float(sweep.i.max())


def _shared(sweeps: Sequence[Sweep]) -> tuple[float, float]:
    """The voltages all sweeps cover; DeviceError if that is less than half of the widest."""
    lo, hi = max(s.v[0] for s in sweeps), min(s.v[-1] for s in sweeps)
    widest = max(sweeps, key=lambda s: s.v[-1] - s.v[0])
    if hi - lo < MIN_SHARED * (widest.v[-1] - widest.v[0]):
        odd = min(sweeps, key=lambda s: min(s.v[-1], widest.v[-1]) - max(s.v[0], widest.v[0]))
        raise DeviceError(
            f"{widest.file} covers {widest.v[0]:g} to {widest.v[-1]:g} V and {odd.file} "
            f"{odd.v[0]:g} to {odd.v[-1]:g} V: they share less than half, so they make no common "
            "table; check --v-unit, or import them apart"
        )
    return float(lo), float(hi)


def _within(sweep: Sweep, lo: float, hi: float) -> tuple[np.ndarray, np.ndarray]:
    inside = (sweep.v >= lo - SAME_VOLTS) & (sweep.v <= hi + SAME_VOLTS)
    return sweep.v[inside], sweep.i[inside]


def _knots(volts: list[np.ndarray], lo: float, hi: float, step: float) -> tuple[np.ndarray, bool]:
    """The table's voltages (N,), and whether they are for a fit or the points themselves."""
    first = volts[0]
    same = all(
        v.size == first.size and np.abs(v - first).max(initial=0) <= SAME_VOLTS for v in volts
    )
    if same and first.size > 1 and (hi - lo) / (first.size - 1) > step / 2:
        return round_significant(first, 12), False
    if (hi - lo) / step > MAX_POINTS:
        raise DeviceError(
            f"knots every {step:g} V from {lo:g} to {hi:g} V are more than {MAX_POINTS:,}: give a "
            "larger --step"
        )
    return uniform_knots(lo, hi, step), True


def _fits(
    groups: dict[float, list[Sweep]], knots: np.ndarray, fitted: bool, step: float
) -> dict[float, PWLFit]:
    """The table at each temperature, with further knots where the points support them."""
    finer = knots
    for group in groups.values() if fitted else ():
        points = [_within(sweep, knots[0], knots[-1]) for sweep in group]
        finer = following_knots(finer, points, FOLLOWS)
    try:
        return {t: _fit(group, finer, fitted, step) for t, group in groups.items()}
    except DeviceError:
        if finer.size == knots.size:
            raise
    return {t: _fit(group, knots, fitted, step) for t, group in groups.items()}


def _fit(sweeps: Sequence[Sweep], knots: np.ndarray, fitted: bool, step: float) -> PWLFit:
    """The table of sweeps of one temperature."""
    points = [_within(sweep, knots[0], knots[-1]) for sweep in sweeps]
    v, i = (np.concatenate(part) for part in zip(*points, strict=True))
    if not fitted:
        mean = round_significant(np.mean([i for _, i in points], axis=0), 12)
        return measured_fit(knots, mean, v, i)
    try:
        return fit_knots(knots, v, i, spaced=f"every {step:g} V")
    except DeviceError as error:
        files = ", ".join(sweep.file for sweep in sweeps)
        raise DeviceError(f"{files}: {error}. Give a larger --step") from error


def _notes(
    groups: dict[float, list[Sweep]],
    fits: dict[float, PWLFit],
    step: float | None,
    span: tuple[float, float],
) -> str:
    """How the table was made, and how far it is from the points."""
    parts = []
    how = "the measured points"
    if step is not None:
        v = next(iter(fits.values())).v
        more = v.size - uniform_knots(v[0], v[-1], step).size
        how = f"least-squares fit, knots every {step:g} V" + (
            f" and {more} more where it bends" if more else ""
        )
    for temp_c, group in groups.items():
        points, fit = sum(s.v.size for s in group), fits[temp_c]
        parts.append(
            f"{temp_c:g} degC: {len(group)} sweep(s) ({', '.join(s.branch for s in group)}), "
            f"{points} points; table: {how}; residual rms {fit.rms_residual:.1e}, "
            f"max {fit.max_residual:.1e} of the peak current"
        )
    every = [sweep for group in groups.values() for sweep in group]
    beyond = max(span[0] - min(s.v[0] for s in every), max(s.v[-1] for s in every) - span[1])
    if beyond > SAME_VOLTS:
        parts.append(f"cut to {span[0]:g} to {span[1]:g} V, which all sweeps cover")
    return ". ".join(parts) + "."
