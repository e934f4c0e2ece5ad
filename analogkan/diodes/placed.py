# pyright: strict
"""A diode's model in the place of a device of a network: how far it is from the device's table, and
whether a circuit that is sized for the table has one stable state with the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cells import DIODE, Library
from ..compiler.hardware import Hardware
from ..compiler.stability import driven_range, smallest_c_f, stabilise, steepest_fall
from ..devices import IVCurve
from ..devices.curve import NOMINAL_TEMP_C
from ..engines.ngspice import Runner
from ..errors import CompileError, SettingsError
from ..network.spec import NetworkSpec
from ..text import engineering, nearest, percent
from .bench import Swept, sweep
from .result import difference, said

Values = npt.NDArray[Any]
MOST = 0.05
"""Share of the peak by which a model may differ from the table, at any voltage in use; assumed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """A model where a device was.

    Attributes
    ----------
    curve
        The device, by its table.
    library
        The model.
    swept
        What ngspice says of it, over the voltages in use.
    """

    curve: IVCurve
    library: Library
    swept: Swept

    def differences(self) -> dict[float, dict[str, float]]:
        """From the table, by temperature."""
        tables = dict(self.curve.temperatures) or {self.swept.temps_c[0]: self.curve.i}
        return {
            temp_c: difference(replace(self.curve, i=tables[temp_c], temperatures=()), v, i)
            for v, temp_c, i in ((self.swept.v, *one) for one in self._at())
        }

    def _at(self) -> list[tuple[float, Values]]:
        return list(zip(self.swept.temps_c, self.swept.i_at, strict=True))

    def own(self, name: str) -> IVCurve:
        """The model as a device that is as steep as it is, and called as the table is."""
        return IVCurve(name, self.swept.v, self.swept.i)


def place(
    models: Mapping[str, Library], spec: NetworkSpec, hardware: Hardware, runner: Runner
) -> tuple[dict[str, Any], list[str]]:
    """What is found of ``models``, by places such as ``diode_A21``, in a network's circuit, and
    notes.

    Raises
    ------
    SettingsError
        If the network has no such device.
    DeviceError, SimulationError
        As for ``bench.sweep``.
    CompileError
        If a model is too far from the table, or a node or an amplifier is not stable with it.
    """
    placed = {where: _placed(where, one, spec, runner) for where, one in models.items()}
    for one in placed.values():
        _require_near(one)
    by_name = {one.curve.name: one for one in placed.values()}
    damping = _require_stable(by_name, spec, hardware)
    told: dict[str, Any] = {}
    notes: list[str] = []
    for one in placed.values():
        name, most = one.curve.name, float(one.swept.farads.max())
        found = one.differences()
        told[name] = {
            "file": one.library.file,
            "differences": {f"{temp_c:g}": values for temp_c, values in found.items()},
            "farads": most,
            "damping": damping[name],
        }
        worst = max(found.values(), key=lambda values: values["largest"])
        notes.append(f"{name} is {one.library.file}: from its table {said(worst)}")
        if most:
            notes.append(
                f"{name} has up to {engineering(most, 'F')}, with which its row amplifiers have a "
                f"damping of {damping[name]:.3g}: datasheet --set c_diode={most:.3g} counts it"
            )
        if len(one.curve.temperatures) < 2:
            notes.append(
                f"{name} follows temperature as its model does in ngspice, and by diode_law = "
                f"{hardware.diode_law} in the twin: analogkan devices tabulate --temps makes a "
                "device of it for both"
            )
    return told, notes


def _placed(where: str, model: Library, spec: NetworkSpec, runner: Runner) -> Placed:
    curves = {c.name.lower(): c for layer in spec.layers for c in layer.curves}
    wanted = where.removeprefix(DIODE).lower()
    if wanted not in curves:
        known = [f"{DIODE}{curve.name}" for curve in curves.values()]
        raise SettingsError(
            f"{spec.name} has no device for the cell {where}{nearest(where, known)} "
            f"It has {', '.join(known)}"
        )
    curve = curves[wanted]
    temps = curve.temps_c or (NOMINAL_TEMP_C,)
    return Placed(
        curve=curve, library=model, swept=sweep(model, _in_use(curve, spec), temps, runner)
    )


def _in_use(curve: IVCurve, spec: NetworkSpec) -> tuple[float, float]:
    """Volts from which to which a device is driven: the DAC's, a squash's, else those of the
    calibration images, or without any its table's."""
    volts = None
    if spec.calibration is not None and len(spec.calibration):
        outputs = spec.layer_outputs(spec.dac_volts(spec.calibration))
        volts = [
            layer.diode_volts(y) for layer, y in zip(spec.layers[1:], outputs[:-1], strict=True)
        ]
    low, high = math.inf, -math.inf
    for k, layer in enumerate(spec.layers):
        if curve not in layer.curves:
            continue
        first, last = driven_range(layer.squash, None if k or spec.held else spec.dac_range())
        if not math.isfinite(first + last):
            seen = curve.v if volts is None or not k else volts[k - 1]
            first, last = float(seen.min()), float(seen.max())
        low, high = min(low, first), max(high, last)
    return (low, high) if high > low else (float(curve.v[0]), float(curve.v[-1]))


def _require_near(one: Placed) -> None:
    name = one.curve.name
    for temp_c, found in one.differences().items():
        if found["largest"] <= MOST:
            continue
        low, high, v = found["from"], found["to"], one.curve.v
        hint = ""
        if not v[0] <= found["volts"] <= v[-1]:
            hint = (
                f"; the table ends at {v[0]:g} and {v[-1]:g} V: a recipe with squash = clamp keeps "
                "hidden nodes in it"
            )
        raise CompileError(
            f"{one.library.file} at {temp_c:g} degC is not the {name} that the network was "
            f"trained with, from whose table it is {said(found)}; {percent(MOST, 0)} is the "
            f"most: make a device of it, `analogkan devices tabulate {one.library.file} "
            f"--range {low:.4g}:{high:.4g} -o {name.lower()}.toml`, and train with that{hint}"
        )


def _require_stable(
    placed: Mapping[str, Placed], spec: NetworkSpec, hardware: Hardware
) -> dict[str, float]:
    """Damping of the row amplifiers behind each model, the least of all layers; CompileError if one
    or a node is unstable."""
    damping = dict.fromkeys(placed, math.inf)
    for k, layer in enumerate(spec.layers):
        if not any(curve.name in placed for curve in layer.curves):
            continue
        reach = driven_range(layer.squash, None if k or spec.held else spec.dac_range())
        tabled = stabilise(layer.curves, reach, hardware, k, hardware.gbw)
        real = tuple(
            placed[curve.name].own(curve.name) if curve.name in placed else curve
            for curve in layer.curves
        )
        stabilise(real, reach, replace(hardware, c_f=0.0), k, hardware.gbw)
        for d, curve in enumerate(layer.curves):
            if curve.name not in placed:
                continue
            fall, r_f = steepest_fall(real[d], *reach), hardware.v_fs / curve.i_peak
            file = placed[curve.name].library.file
            if hardware.amplifier.gain and fall * r_f >= 1 + hardware.opamp_gain_used:
                raise CompileError(
                    f"layer {k}: a row of {file}, which falls by {fall:.3g} S, has several "
                    f"operating points: opamp_gain = {hardware.opamp_gain_used:g} is too small, "
                    "raise it"
                )
            needed, has = smallest_c_f(fall, r_f, hardware.gbw), float(tabled.c_f[d])
            if has < needed:
                raise CompileError(
                    f"layer {k}: behind {file}, which falls by {fall:.3g} S, a row amplifier needs "
                    f"{needed:.3g} F not to oscillate, and is given {has:.3g} F for the table of "
                    f"{curve.name}: set c_f"
                )
            farads, w = float(placed[curve.name].swept.farads.max()), 2 * np.pi * hardware.gbw
            zeta = (1 / r_f - fall + w * has) / (2 * math.sqrt(w / r_f * (farads + has)))
            damping[curve.name] = min(damping[curve.name], float(zeta))
    return damping
