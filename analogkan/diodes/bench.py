# pyright: strict
"""ngspice's answers to benches of a diode's model: its current, its capacitance.

Axes: P points of a sweep, T temperatures, K voltages at which capacitance is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cells import Library
from ..devices.curve import NOMINAL_TEMP_C
from ..dialects import NGSPICE
from ..dialects.words import format_number as say
from ..engines.ngspice import Runner
from ..engines.scratch import room_in, scratch
from ..errors import DeviceError, SimulationError
from ..files import write_text
from ..text import engineering, percent

Values = npt.NDArray[Any]
OPTIONS = ".option reltol=1e-6 vntol=1e-9 abstol=1e-15 gmin=1e-18"
POINTS = 2001
"""Of a sweep."""
PLACES = 61
"""Voltages at which capacitance is asked for."""
FREQUENCY = 1e6
"""Hertz, of capacitance; assumed."""
SAME = 1e-3
"""Share of the peak that a sweep up may differ from one down; assumed."""
LEAST_FARADS = 1e-21
"""What is less is no capacitance, but the last digits of a current; assumed."""
UNKNOWN = ": is the module called so? Name it in the .model of a netlist, and give this with --osdi"
TIMEOUT = 300.0
"""Seconds for one deck."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Swept:
    """What ngspice says of a diode.

    Attributes
    ----------
    v
        (P,) volts across it.
    i_at
        (T, P) amperes.
    temps_c
        (T,) degrees Celsius, rising.
    places
        (K,) volts.
    farads
        (K,) at ``FREQUENCY``, of the temperature nearest to 26.85 degC.
    """

    v: Values
    i_at: Values
    temps_c: tuple[float, ...]
    places: Values
    farads: Values

    @property
    def nominal(self) -> int:
        """Which temperature is nearest to 26.85 degC."""
        return int(np.abs(np.array(self.temps_c) - NOMINAL_TEMP_C).argmin())

    @property
    def i(self) -> Values:
        """(P,) amperes at that temperature."""
        return np.asarray(self.i_at[self.nominal])


def sweep(
    model: Library, span: tuple[float, float], temps_c: Sequence[float], runner: Runner
) -> Swept:
    """Current of ``model`` over ``span``, volts, at temperatures, and its capacitance.

    Raises
    ------
    SimulationError
        If ngspice does not deliver.
    DeviceError
        If the current at a voltage depends on where the sweep comes from, or what enters at the
        anode does not leave at the cathode.
    """
    temps = tuple(sorted(temps_c))
    with scratch() as folder, room_in(folder):
        write_text(folder / model.deck_file, model.text)
        for name, content in model.loaded.items():
            (folder / name).write_bytes(content)

        def run(name: str, lines: Sequence[str]) -> Mapping[str, Values]:
            cir, raw = folder / f"{name}.cir", folder / f"{name}.raw"
            cir.write_text("\n".join([*lines, ".end\n"]), encoding="utf-8", newline="\n")
            try:
                runner.run(cir, raw, timeout=TIMEOUT)
                return NGSPICE.read(raw, points=None)
            except SimulationError as error:
                unknown = model.osdi and "Unable to find definition of model" in str(error)
                hint = UNKNOWN if unknown else ""
                raise type(error)(
                    f"{model.file}: {error}{hint}",
                    exit_code=error.exit_code,
                    stderr_tail=error.stderr_tail,
                ) from error

        currents = [_current(model, span, temp_c, run) for temp_c in temps]
        places = np.linspace(*span, PLACES)
        nominal = min(temps, key=lambda temp_c: abs(temp_c - NOMINAL_TEMP_C))
        farads = _farads(model, places, nominal, run)
    return Swept(
        v=np.linspace(*span, POINTS),
        i_at=np.array(currents),
        temps_c=temps,
        places=places,
        farads=farads,
    )


def _current(model: Library, span: tuple[float, float], temp_c: float, run: Any) -> Values:
    """Amperes (P,) at one temperature; DeviceError if up and down differ."""
    low, high = span
    found: list[Values] = []
    left: list[Values] = []
    for way, (start, stop) in (("up", span), ("down", (high, low))):
        step = (stop - start) / (POINTS - 1)
        lines = [*_head(model, temp_c), f"v_x x 0 dc {say(start)}", _diode(model, "x", "x", "y")]
        lines += ["v_y y 0 dc 0", ".save i(v_x) i(v_y)"]
        # half a step more, or the last point may be lost to rounding
        ends = f"{say(start)} {say(stop + step / 2)} {say(step)}"
        swept = run(f"{way}", [*lines, f".dc v_x {ends}"])
        found.append(0.0 - swept["i(v_x)"][:POINTS])
        left.append(swept["i(v_y)"][:POINTS])
    up, down = found[0], found[1][::-1]
    off, most = np.abs(up - down), np.abs(up).max()
    worst = int(off.argmax())
    if off[worst] > SAME * most:
        volts = low + worst * (high - low) / (POINTS - 1)
        raise DeviceError(
            f"{model.file} at {temp_c:g} degC has {engineering(up[worst], 'A')} at {volts:.3f} V "
            f"when swept up and {engineering(down[worst], 'A')} when swept down, "
            f"{percent(off[worst] / most)} of its largest current apart: it has several solutions, "
            "as with a series resistance above 1/|g_d|, and a node that holds its voltage has no "
            "unique current: lower that resistance"
        )
    lost = np.abs(up - left[0])
    worst = int(lost.argmax())
    if lost[worst] > SAME * most:
        volts = low + worst * (high - low) / (POINTS - 1)
        raise DeviceError(
            f"{model.file} at {temp_c:g} degC takes {engineering(up[worst], 'A')} at its anode at "
            f"{volts:.3f} V, and {engineering(left[0][worst], 'A')} leave at its cathode: the rest "
            "goes to ground inside, past the row that adds currents up: let all of it leave at c"
        )
    return up


def _farads(model: Library, places: Values, temp_c: float, run: Any) -> Values:
    """Farads (K,) at ``places``: a diode each, of which the current that leads is asked for."""
    lines = _head(model, temp_c)
    for k, volts in enumerate(places):
        lines += [f"v_{k} n_{k} 0 dc {say(float(volts))} ac 1", _diode(model, str(k), f"n_{k}")]
    saved = [f"i(v_{k})" for k in range(len(places))]
    lines += [*(f".save {one}" for one in saved), f".ac lin 1 {say(FREQUENCY)} {say(FREQUENCY)}"]
    found = run("small", lines)
    farads = np.array([-found[one][0].imag for one in saved]) / (2 * np.pi * FREQUENCY)
    return np.where(np.abs(farads) < LEAST_FARADS, 0.0, farads)


def _head(model: Library, temp_c: float) -> list[str]:
    return [
        f"* {model.subckt}",
        NGSPICE.include(model.deck_file),
        f".option temp={say(temp_c)} tnom={say(NOMINAL_TEMP_C)}",
        OPTIONS,
    ]


def _diode(model: Library, name: str, anode: str, cathode: str = "0") -> str:
    nets = {"a": anode, "c": cathode}
    return " ".join([f"x_{name}", *(nets[pin] for pin in model.pins), model.subckt])
