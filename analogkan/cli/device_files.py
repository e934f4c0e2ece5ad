"""``analogkan devices import`` and ``devices fit``: from measured sweeps to device files."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import numpy as np

from ..devices.columns import I_UNITS, V_UNITS, ColumnChoice, plain_unit
from ..devices.falling import SIGMA
from ..devices.interpolate import METHODS
from ..devices.knots import FEW, TOLERANCE
from ..devices.sweep import BRANCHES, Sweep
from ..limits import USUAL_PEAK, USUAL_VOLTS, doubt_of_current
from ..ours import require_marked
from ..text import percent
from . import common, complete
from .cell_files import import_memory, memory_options, require_curve

POOR_FIT = 0.05
"""Rms residual, as a share of the peak, from which on a note says so."""
FAR_POINT = 0.1
"""Largest residual, as a share of the peak, from which on a note says so and where."""
FLAT_POINTS = 3
"""Neighbouring points at one largest current from which on a note asks for the limit; assumed."""
FILE = click.Path(path_type=Path)


class Unit(common.Choice):
    """One of some units, with u or µ for micro."""

    def convert(self, value, param, ctx):
        return super().convert(plain_unit(value), param, ctx)


@click.command("import", short_help="Make a device of measured sweeps (CSV).")
@click.argument("files", nargs=-1, type=FILE, metavar="FILE.csv...")
@click.option("-o", "out", required=True, type=FILE, help="The device file to write, a .toml.")
@memory_options
@click.option(
    "--at",
    multiple=True,
    type=(common.AnyNumber(), FILE),
    metavar="TEMP_C FILE",
    help="A sweep at another temperature than 26.85 degC (300 K). Repeatable.",
)
@click.option("--v-col", metavar="NAME|NUMBER", help="Column of the voltage, counted from 1.")
@click.option("--i-col", metavar="NAME|NUMBER", help="Column of the current.")
@click.option("--v-unit", type=Unit(list(V_UNITS)), help="Where the header does not say.")
@click.option("--i-unit", type=Unit(list(I_UNITS)), help="Where the header does not say.")
@click.option("--skip", type=common.Whole(0), default=0, help="Lines at the top to leave out.")
@click.option("--negate", is_flag=True, help="Turn both signs: measured the other way round.")
@click.option("--sweep", type=common.Choice(BRANCHES), help="What to take of a loop.")
@click.option(
    "--tolerance",
    type=common.AnyNumber(),
    default=TOLERANCE,
    show_default=True,
    help="What the table may be off the sweeps' mean, as a share of the peak.",
)
@click.option(
    "--step",
    type=common.AnyNumber(),
    help="Volts between the table's knots, even ones in place of few that follow the curve.",
)
@click.option(
    "--static",
    is_flag=True,
    help="Leave out what is a tester's load line, and reconstruct the falling part.",
)
@click.option(
    "--g-d",
    type=common.AnyNumber(),
    metavar="SIEMENS",
    help="Steepest slope of the reconstructed part. By default peak current over peak voltage.",
)
@click.option(
    "--g-d-sigma",
    type=common.Share(),
    default=SIGMA,
    show_default=True,
    help="Its relative standard uncertainty.",
)
@click.option(
    "--plot", type=FILE, help="Draw the points, the table and the residual: PNG, SVG or PDF."
)
@click.option("--name", help="Of the device. By default the stem of -o, made safe.")
@click.option("--source", default="", help="Where the figures come from. By default the files.")
@click.option("--force", is_flag=True, help="Replace an earlier device file.")
@common.json_option
@common.guarded
def import_device(
    files, out, kind, first_read, at, sweep, step, tolerance, static, g_d, g_d_sigma, plot, name,
    source, force, as_json, **choice,
) -> None:  # fmt: skip
    """Make a device file from measured I-V sweeps, one sweep a file.

    Encoding, separator, table and units are found, and what was found is said. A loop is
    averaged, or refused if up and down differ by more than 1 % of the peak: then choose with
    --sweep. Several files are several devices of one type: the device is their mean, and their
    spreads go beside it into a .variation.toml. Points along a tester's load line are no curve
    of the device: the command says so, and --static leaves them out.

    With --kind memory one file has the statistics of memory cells, which --set cells=mine.toml
    gives to chips: columns state (uS) and sigma (uS), and drift and drift_sigma or neither.

    \b
    Example:
      analogkan devices import d1.csv d2.csv d3.csv -o mine.toml
      analogkan devices import room.csv --at 85 hot.csv -o mine.toml
      analogkan devices import cells.csv --kind memory --first-read 20 -o mine.toml
    """
    if kind == "memory":
        import_memory(files, out, first_read, name, source, force, as_json)
        return
    require_curve(first_read)
    from ..devices import measured

    made = measured.import_device(
        files,
        measured.safe_name(out.stem) if name is None else name,
        at=at,
        choice=ColumnChoice(**choice),
        branch=sweep,
        step=step,
        tolerance=tolerance,
        static=static,
        g_d=g_d,
        g_d_sigma=g_d_sigma,
        source=source,
    )
    if plot is not None:
        from ..report import figures

        require_marked(plot, give="--plot")
        measured.check_targets(made, out, force=force)
        figures.save(figures.sweeps_figure(made), plot)
    written = measured.write_measured(made, out, force=force)
    stale = measured.variation_path(out)
    notes = _import_notes(made, stale if stale.exists() and stale not in written else None)
    if as_json:
        common.print_json(_import_facts(made, written) | {"notes": notes})
        return
    curve = made.curve
    common.out.print(
        f"{out}: device {curve.name}, {curve.v.size} points from {curve.v[0]:g} to "
        f"{curve.v[-1]:g} V, largest current {curve.i_peak:.4g} A at {curve.v_peak:.3f} V",
    )
    for s in made.sweeps:
        how = (
            s.branch
            if s.hysteresis is None
            else f"{s.branch}, hysteresis {100 * s.hysteresis:.1f} %"
        )
        remarks = f"; {s.remarks}" if s.remarks else ""
        common.out.print(f"  {s.file}: {s.v.size} points ({how}); {s.columns}{remarks}")
    common.out.print(f"  {curve.notes}")
    if len(written) > 1:
        _print_variation(made, written[1])
    for note in notes:
        common.out.print(f"note: {note}")
    if plot is not None:
        common.out.print(str(plot))
    common.print_next(f"analogkan devices plot {shlex.quote(str(out))}")


CARRIES_NOTHING = 0.005
"""Share of the peak current at 0 V from which on a note says so; assumed."""


def _import_notes(made, stale: Path | None) -> list[str]:
    """What a user should know of a device just imported."""
    notes = []
    for k, (sweep, line) in enumerate(zip(made.sweeps, made.load_lines, strict=True)):
        notes += _sweep_notes(sweep)
        if line is None:
            continue
        what = "--static keeps what is static and reconstructs the falling part"
        if made.falling is not None:
            peak = made.falling.peaks[k]
            what = f"left out, from the peak on, {sweep.i[peak]:.4g} A at {sweep.v[peak]:.3f} V"
        notes.append(f"{sweep.file}: {line.sentence}: {what}")
    doubt = doubt_of_current(made.curve.i_peak)
    if doubt:
        unit = "mA or uA" if made.curve.i_peak > USUAL_PEAK[1] else "a larger unit"
        notes.append(
            f"{doubt}: is the column in {unit}? Give --i-unit, or correct the header if it says "
            "otherwise"
        )
    highest = float(np.abs(made.curve.v).max())
    if highest > USUAL_VOLTS:
        notes.append(
            f"largest voltage {highest:.4g} V: is the column in mV? Give --v-unit, or correct the "
            "header if it says otherwise"
        )
    worst = max(fit.rms_residual for fit in made.fits.values())
    if worst > POOR_FIT:
        notes.append(
            f"the table is {percent(worst)} of the peak (rms) off the points: noise, "
            "spread, or a curve that a smaller --tolerance or --step follows better"
        )
    far = max(made.fits.values(), key=lambda fit: fit.max_residual)
    if far.max_residual > FAR_POINT:
        notes.append(
            f"the table is up to {percent(far.max_residual)} of the peak off a point, at "
            f"{far.v_worst:.3f} V: a jump, a stray reading, or devices that differ there"
        )
    if made.curve.i.min() < 0:
        lowest = percent(made.curve.i.min() / made.curve.i_peak)
        notes.append(f"the table goes negative, to {lowest} of the peak: noise or offset; kept")
    curve = made.curve
    at_zero = float(curve.current(0.0)) / curve.i_peak if curve.v[0] <= 0 else 0.0
    if abs(at_zero) > CARRIES_NOTHING:
        notes.append(
            f"the table has {percent(at_zero)} of the peak at 0 V, where a passive device "
            "carries nothing: an offset of the sweeps, or a curve that a smaller --tolerance or "
            "--step follows better"
        )
    if stale is not None:
        notes.append(f"{stale} is of an earlier import and does not describe this device")
    return notes


def _sweep_notes(sweep: Sweep) -> list[str]:
    """What a sweep's points have that a device's seldom have."""
    return [f"{sweep.file}: {note}" for note in (*_flat_top(sweep), *_stray(sweep))]


def _flat_top(sweep: Sweep) -> list[str]:
    """That the largest current is reached again and again, as it is at an instrument's limit."""
    top = np.concatenate([[0], sweep.i == sweep.i.max(), [0]])
    runs = np.flatnonzero(np.diff(top)).reshape(-1, 2)  # from one point to before another
    first, beyond = runs[np.diff(runs).argmax()]
    if beyond - first < FLAT_POINTS:
        return []
    return [
        f"{beyond - first} points at one largest current, {sweep.i.max():.4g} A, "
        f"from {sweep.v[first]:g} to {sweep.v[beyond - 1]:g} V: a compliance limit? Then cut them "
        "off, or measure with a higher one"
    ]


def _stray(sweep: Sweep) -> list[str]:
    """That one point of many lies far above or below both its neighbours: the table follows it."""
    if sweep.v.size <= FEW:
        return []
    steps = np.diff(sweep.i) / sweep.i.max()
    both = np.minimum(np.abs(steps[:-1]), np.abs(steps[1:]))
    alone = np.where(steps[:-1] * steps[1:] < 0, both, 0.0)
    worst = int(alone.argmax())
    if alone[worst] <= FAR_POINT:
        return []
    return [
        f"one point at {sweep.v[worst + 1]:.3f} V is {percent(alone[worst])} of the peak or more "
        "off both its neighbours: if it is a stray reading, remove it"
    ]


def _import_facts(made, written: list[Path]) -> dict:
    curve, spread = made.curve, made.spread
    facts = {
        "name": curve.name,
        "files": written,
        "points": curve.v.size,
        "i_peak": curve.i_peak,
        "v_peak": curve.v_peak,
        "temps_c": curve.temps_c,
        "source": curve.source,
        "fits": [
            {"temp_c": t}
            | {key: getattr(fit, key) for key in ("rms_residual", "max_residual", "v_worst")}
            for t, fit in made.fits.items()
        ],
        "sweeps": [
            {key: getattr(s, key) for key in ("file", "branch", "hysteresis", "columns", "found")}
            | {"points": s.v.size, "load_line": line and _line_facts(line)}
            for s, line in zip(made.sweeps, made.load_lines, strict=True)
        ],
        "spread": None,
        "reconstructed": made.falling and _falling_facts(made.falling),
    }
    if spread is not None:
        facts["spread"] = {
            "temp_c": spread.temp_c,
            "factors": dict(zip(spread.files, spread.factors, strict=True)),
        } | {
            name: {"sigma": sigma, "ci95": interval, "fit_error": error}
            for name, sigma, interval, error in spread.rows()
        }
    return facts


def _falling_facts(falling) -> dict:
    keys = ("span", "g_d", "g_d_sigma", "given", "shape", "g_plain", "voltage_sigma")
    return {key: getattr(falling, key) for key in keys}


def _line_facts(line) -> dict:
    keys = ("r_load", "r_error", "v_step", "v_off", "v_jumps")
    return {key: getattr(line, key) for key in keys}


def _print_variation(made, path: Path) -> None:
    """The spread, and what nobody knows of the falling part."""
    rows, of = [], "uncertainty"
    if made.spread is not None:
        rows, of = made.spread.rows(), f"spread of {len(made.spread.files)} devices"
    shown = common.table(f"{path}: {of}", "", "sigma", "95 %", "error")
    for name, sigma, (lo, hi), error in rows:
        shown.add_row(name, f"{sigma:.3g}", f"{lo:.2g} to {hi:.2g}", f"{error:.1g}")
    if made.falling is not None:
        shown.add_row("die_sigma_voltage", f"{made.falling.voltage_sigma:.3g}", "assumed", "")
    common.out.print(shown)


@click.command("fit", short_help="Fit a device's points by another method.")
@click.argument("name", metavar="NAME|FILE.toml", shell_complete=complete.device)
@click.option("--method", required=True, type=common.Choice(METHODS))
@click.option("--order", type=int, help="Segments of pwl, degree of poly.")
@click.option(
    "--tolerance",
    type=common.AnyNumber(),
    default=1e-3,
    show_default=True,
    help="Of the table of a pchip or poly, as a share of the peak.",
)
@click.option("-o", "out", type=FILE, help="Write the fitted device, a .toml.")
@click.option("--plot", type=FILE, help="Draw points, fit and residual: PNG, SVG or PDF.")
@click.option("--name", "new_name", help="Of the fitted device. By default such as A21_poly9.")
@click.option("--force", is_flag=True, help="Replace an earlier device file.")
@common.json_option
@common.guarded
def fit_device(name, method, order, tolerance, out, plot, new_name, force, as_json) -> None:
    """Fit a device's points by straight segments, monotone cubics or a polynomial.

    Whatever the method, the result is a piecewise-linear table, denser for pchip and poly; its
    distance from the points is stated.

    \b
    Example:
      analogkan devices fit A21 --method poly --order 9 --plot poly9.png
      analogkan devices fit mine.toml --method pwl --order 8 -o mine8.toml
    """
    from ..devices import get
    from ..devices.interpolate import refit
    from ..devices.library import check_replaceable, save

    curve = get(name)
    fit = refit(curve, method, order=order, tolerance=tolerance, name=new_name)
    if out is not None:
        check_replaceable(out, force=force)  # before anything is drawn
    if plot is not None:
        from ..report import figures

        require_marked(plot, give="--plot")
        figures.save(figures.fit_figure(curve, [fit.curve]), plot)
    if out is not None:
        save(fit.curve, out)
    notes = _fit_notes(curve, fit)
    if as_json:
        keys = ("method", "order", "rms_residual", "max_residual", "table_error")
        facts = {"name": fit.curve.name, "points": fit.curve.v.size}
        facts |= {key: getattr(fit, key) for key in (*keys, "lowest", "v_lowest")}
        common.print_json(facts | {"notes": notes, "file": out, "plot": plot})
        return
    common.out.print(
        f"{fit.curve.name}: {fit.curve.v.size} table points; residual at the {curve.v.size} points "
        f"of {curve.name}: rms {percent(fit.rms_residual, 3)}, max "
        f"{percent(fit.max_residual, 3)} of the peak; table within "
        f"{percent(fit.table_error, 3)} of the function's peak",
    )
    for note in notes:
        common.out.print(f"note: {note}")
    for written in filter(None, (out, plot)):
        common.out.print(str(written))


def _fit_notes(curve, fit) -> list[str]:
    notes = []
    if fit.lowest < 0:
        notes.append(
            f"the fit goes negative above 0 V: {percent(fit.lowest)} of the peak at "
            f"{fit.v_lowest:.3f} V, where {curve.name} does not"
        )
    if len(curve.temps_c) > 1:
        notes.append(
            f"only the table nearest to 26.85 degC is fitted; {curve.name} has others at other "
            "temperatures"
        )
    return notes
