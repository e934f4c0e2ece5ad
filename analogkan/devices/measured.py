"""From sweeps to a device: one table, tables at other temperatures, and the spread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DeviceError, SettingsError
from ..files import atomic_file
from ..kinds import mistaken
from ..limits import require_physical
from ..objects import Described, Facts
from ..ours import require_ours
from .columns import ColumnChoice
from .curve import NOMINAL_TEMP_C, IVCurve, nearest_to_nominal
from .falling import SIGMA, Falling, reconstruct
from .fit import PWLFit
from .knots import TOLERANCE
from .library import check_replaceable, format_device, read_entries
from .load_line import LoadLine, find_load_line
from .pooling import SAME_VOLTS, pool
from .spread import Spread, common_curve, format_variation, measure_spread
from .sweep import Sweep, read_sweep

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
    load_lines
        The load line of each sweep; None of those without.
    falling
        What was reconstructed; None if nothing was.
    """

    curve: IVCurve
    fits: dict[float, PWLFit]
    spread: Spread | None
    sweeps: tuple[Sweep, ...]
    load_lines: tuple[LoadLine | None, ...]
    falling: Falling | None

    @property
    def varies(self) -> bool:
        """Whether there is something for a variation file."""
        return self.spread is not None or self.falling is not None

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
    **options: Any,
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
    **options
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
    return device_from_sweeps(sweeps, name, **options)


def device_from_sweeps(
    sweeps: Sequence[tuple[float, Sweep]],
    name: str,
    *,
    step: float | None = None,
    tolerance: float = TOLERANCE,
    static: bool = False,
    g_d: float | None = None,
    g_d_sigma: float = SIGMA,
    source: str = "",
) -> Measured:
    """One device from sweeps, each with the temperature in degrees Celsius it was measured at.

    Sweeps of one temperature are of several devices of the type: the table is fitted to their
    mean. The table covers the voltages that all sweeps share. The spread is of the sweeps,
    whatever the table.

    Parameters
    ----------
    sweeps
        Degrees Celsius and a sweep each.
    name
        Of the device.
    step
        None: few knots that follow the curve; sweeps of the same, at most 50 voltages keep their
        points, averaged. Else knots every ``step`` volts, and closer where the curve bends; such
        sweeps keep their points if they have less than two a step.
    tolerance
        Share of the peak that the table may be off the sweeps' mean, noise apart.
    static
        Take only what is no tester's load line, and reconstruct the falling part.
    g_d, g_d_sigma
        Its steepest slope ``|g_d|`` in siemens (None: I_p / V_p), and its relative uncertainty.
    source
        Where the figures come from; by default the files.

    Raises
    ------
    SettingsError
        If there is no sweep, or an option is out of range.
    DeviceError
        If the name or a sweep cannot be used, or the sweeps are not of one device type.
    """
    _check_options(len(sweeps), step, tolerance)
    measured = sorted(sweeps, key=lambda entry: entry[0])
    for temp_c in {temp_c for temp_c, _ in measured}:
        _check_peaks([sweep for at, sweep in measured if at == temp_c])
    every = [sweep for _, sweep in measured]
    lines = [find_load_line(sweep) for sweep in every]
    falling = None
    if static:
        every, falling = reconstruct(every, lines, g_d, g_d_sigma)
    elif g_d is not None or g_d_sigma != SIGMA:
        option = f"--g-d-sigma {g_d_sigma:g}" if g_d is None else f"--g-d {g_d:g}"
        raise SettingsError(
            f"{option} is of a falling part that is reconstructed, and without --static none is: "
            "give --static, or leave it out"
        )
    groups: dict[float, list[Sweep]] = {}
    for (temp_c, _), sweep in zip(measured, every, strict=True):
        groups.setdefault(temp_c, []).append(sweep)
    lo, hi = _shared(every)
    fits, how, kept = pool(groups, lo, hi, step=step, tolerance=tolerance)
    base = nearest_to_nominal(fits)
    known = any(temp_c != NOMINAL_TEMP_C for temp_c in fits)
    curve = IVCurve(
        name,
        fits[base].v,
        fits[base].i,
        source or ", ".join(sweep.file for sweep in every),
        _notes(measured, fits, how, (lo, hi), falling, lines),
        tuple((t, fit.i) for t, fit in fits.items()) if known else (),
        None if falling is None else falling.span,
    )
    spread = None
    most = max(groups, key=lambda t: (len(groups[t]), t == base))
    if len(groups[most]) > 1:
        table = fits[most]
        common = (table.v, table.i) if kept else common_curve(groups[most])
        spread = measure_spread(*common, groups[most], most)
    return Measured(
        curve=curve,
        fits=fits,
        spread=spread,
        sweeps=tuple(sweep for _, sweep in measured),
        load_lines=tuple(lines),
        falling=falling,
    )


def variation_path(path: Path) -> Path:
    """Where the spreads go that belong to the device file ``path``."""
    return path.with_suffix(".variation.toml")


def check_targets(measured: Measured, path: Path, *, force: bool) -> None:
    """Raise DeviceError unless ``write_measured`` may write to ``path``.

    No file may be in the way that is none of this kind, or is one unless ``force`` is given.
    """
    check_replaceable(path, force=force)
    if measured.varies:
        _check_variation(variation_path(path), force)


def write_measured(measured: Measured, path: Path, *, force: bool = False) -> list[Path]:
    """Write the device file and, of a spread or a falling part, the variation file: both or none.

    Returns the files written.

    Raises
    ------
    DeviceError
        As ``check_targets``.
    """
    check_targets(measured, path, force=force)
    texts = {path: format_device(measured.curve)}
    if measured.varies:
        texts[variation_path(path)] = format_variation(measured.spread, measured.falling)
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


def _notes(
    sweeps: Sequence[tuple[float, Sweep]],
    fits: dict[float, PWLFit],
    how: str,
    span: tuple[float, float],
    falling: Falling | None,
    lines: Sequence[LoadLine | None],
) -> str:
    """How the table was made, and how far it is from the points."""
    parts = []
    over = "" if falling is None else " over the static points"
    for temp_c, fit in fits.items():
        group = [sweep for at, sweep in sweeps if at == temp_c]
        parts.append(
            f"{temp_c:g} degC: {len(group)} sweep(s) ({', '.join(s.branch for s in group)}), "
            f"{sum(s.v.size for s in group)} points; table: {how}; residual{over} rms "
            f"{fit.rms_residual:.1e}, max {fit.max_residual:.1e} of the peak current"
        )
    if falling is not None:
        behind = ", ".join(f"{line.r_load:.1f}" for line in lines if line is not None)
        parts.append(f"Left out: load lines of {behind} ohm. {falling.sentence}")
    lo, hi = min(s.v[0] for _, s in sweeps), max(s.v[-1] for _, s in sweeps)
    if max(span[0] - lo, hi - span[1]) > SAME_VOLTS:
        parts.append(f"cut to {span[0]:g} to {span[1]:g} V, which all sweeps cover")
    return ". ".join(parts) + "."


def _check_options(count: int, step: float | None, tolerance: float) -> None:
    """Raise SettingsError for no sweep, or a step or share out of range."""
    if not count:
        raise SettingsError("no sweep given: name at least one CSV file")
    if step is not None and not 1e-6 <= step <= 10:
        raise SettingsError(f"a step of {step:g} V is out of range: 1e-6 to 10 V")
    if not 1e-4 <= tolerance <= 0.1:
        raise SettingsError(
            f"a tolerance of {tolerance:g} of the peak is out of range: 1e-4 to 0.1"
        )
    if step is not None and tolerance != TOLERANCE:
        raise SettingsError(
            f"a tolerance of {tolerance:g} is of knots that follow the curve, and a step of "
            f"{step:g} V makes even ones: give one of them"
        )
