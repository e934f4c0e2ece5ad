# pyright: strict
"""A diode's model, swept, and made a device of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from .. import resources
from ..devices import IVCurve
from ..devices.curve import NOMINAL_TEMP_C
from ..devices.knots import TOLERANCE
from ..devices.library import check_replaceable, save
from ..devices.measured import safe_name
from ..devices.public import load
from ..diodes.bench import sweep
from ..diodes.result import DiodeFigures, curve_of, figures_of
from ..diodes.source import read_diode
from ..engines.ngspice import Runner, find_ngspice
from ..errors import SettingsError
from ..objects import as_path, check_flags
from ..settings import require
from . import given
from .given import AnyPath

FOLDER = "netlists/devices"
"""Of the models that ship."""
LEAST_SPAN, MOST_VOLTS = 1e-3, 100.0


def tabulate(
    model: AnyPath,
    out: AnyPath | None = None,
    *,
    osdi: AnyPath | None = None,
    subckt: str | None = None,
    span: Sequence[float] | None = None,
    temps: str | Sequence[float] = (NOMINAL_TEMP_C,),
    tolerance: float = TOLERANCE,
    against: AnyPath | IVCurve | None = None,
    name: str | None = None,
    force: bool = False,
) -> DiodeFigures:
    """Figures of a diode's model by ngspice, and the device that is its table.

    Parameters
    ----------
    model
        Verilog-A of a module of two terminals (``.va``), what is compiled of it (``.osdi``), or a
        netlist with a ``.subckt`` of the pins ``a`` and ``c``; or ``esaki``, which ships.
    out
        The device file to write, a ``.toml``.
    osdi
        What a netlist's models are of, ``.va`` or ``.osdi``.
    subckt
        Which subcircuit, where the netlist has several.
    span
        Volts from and to which it is swept; by default those of ``against``.
    temps
        Degrees Celsius, or ``LO:HI:STEP``; the device has a table at each.
    tolerance
        Share of the peak that a table may be off the model.
    against
        A device beside which it is shown.
    name
        Of the device; by default the stem of ``out``, else of ``model``.
    force
        Replace an earlier device file.

    Raises
    ------
    NetlistError
        If the model is no diode's, or has what a cell may not have.
    SettingsError
        If something given is out of its range.
    SimulationError
        If ngspice or OpenVAF are missing or do not deliver.
    DeviceError
        If its current is not unique, is nowhere positive, or ``out`` is in the way.

    Examples
    --------
    >>> curve = ak.tabulate("esaki", span=(0, 1)).curve  # doctest: +SKIP
    """
    check_flags(force=force)
    given.check_numbers(tolerance=tolerance)
    require(1e-4 <= tolerance <= 0.1, "tolerance", tolerance, "1e-4 to 0.1")
    target, compiled = given.optional_path(out, "out"), given.optional_path(osdi, "osdi")
    if target is not None:
        check_replaceable(target, force=force)
    source = found_file(as_path(model, "model", "a .va, .osdi or netlist file"))
    beside = None if against is None else load(against)
    low, high = _span(span, beside)
    places = given.temperatures(temps)
    found = read_diode(source, osdi=compiled, subckt=subckt)
    program = find_ngspice()
    swept = sweep(found, (low, high), places, Runner(program))
    told = f"{found.file}, swept by analogkan devices tabulate"
    called = safe_name((target or source).stem) if name is None else name
    curve = curve_of(swept, called, tolerance, told)
    result = figures_of(found, swept, curve, beside, {"ngspice": program.version})
    if target is not None:
        save(curve, target)
    return result


def found_file(path: Path) -> Path:
    """A file, or the shipped model of that name."""
    shipped = {file.stem: file for file in resources.path(FOLDER).glob("*.va")}
    return path if path.exists() else shipped.get(str(path), path)


def _span(span: Sequence[float] | None, beside: IVCurve | None) -> tuple[float, float]:
    if span is None:
        if beside is None:
            raise SettingsError(
                "nothing says from which voltage to which the model is used: give --range LO:HI, "
                "or --against a device whose range is taken"
            )
        return float(beside.v[0]), float(beside.v[-1])
    try:
        low, high = (float(volts) for volts in span)
    except (TypeError, ValueError):
        raise SettingsError(f"range {span!r} is not two voltages, such as 0:1") from None
    require(
        all(map(math.isfinite, (low, high))) and high - low >= LEAST_SPAN,
        "range", f"{low:g}:{high:g}", f"two voltages, the lower first, {LEAST_SPAN:g} V apart",
    )  # fmt: skip
    require(max(-low, high) <= MOST_VOLTS, "range", f"{low:g}:{high:g}", f"up to {MOST_VOLTS:g} V")
    return low, high
