"""Front: what stands between the outputs of one stage and the diodes of the next, as a circuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cells import NUMPY
from ..devices.curve import NOMINAL_TEMP_C
from ..errors import SimulationError
from ..network.squash import Norm, Squash
from .chip import SquashErrors
from .hardware import Hardware


@dataclass(frozen=True, eq=False, kw_only=True)
class Front:
    """LayerNorm and squash cells of one stage, in volts at their nets.

    Attributes
    ----------
    squash
        The cell at each diode node.
    norm
        A LayerNorm in volts (its eps is in square volts), or None.
    attenuation
        (I,) what a squash cell with a slope multiplies the volts at its input by; empty without
        such cells.
    r_load
        Ohms, what turns a pair's collector current into diode volts; 0 without such cells.
    """

    squash: Squash
    norm: Norm | None
    attenuation: np.ndarray
    r_load: float

    @property
    def kind(self) -> str:
        """``none``, or what kind of cell drives the diodes."""
        if self.squash.kind != "none":
            return self.squash.kind
        return "none" if self.norm is None else "layernorm"

    @property
    def flat(self) -> bool:
        """Whether its squash cells are limiters in a flat deck."""
        return self.squash.kind != "none" and self.squash.cell.flat

    def normed(self, v: np.ndarray) -> np.ndarray:
        """Volts after the norm for ``v`` (B, I) volts at the outputs of the stage before."""
        return v if self.norm is None else self.norm(v)

    def squashed(self, x: np.ndarray) -> np.ndarray:
        """Diode volts for ``x`` (B, I) volts after the norm."""
        if not self.squash.bends:
            return self.squash(x)
        cell = self.squash.cell
        return cell.curve(x * self.attenuation / cell.drive_volts, self.squash, NUMPY)

    def solved(self, x: np.ndarray, hardware: Hardware, temp_c: float) -> np.ndarray:
        """Diode volts for ``x`` (B, I) volts after the norm, as the squash cells' circuits give
        them; there must be a closed form."""
        if self.squash.kind == "none":
            return x
        cell = self.squash.cell
        assert cell.closed_form is not None, "require_closed_form says so"
        params = self.params(self.attenuation if cell.sloped else 1.0, hardware)
        return cell.closed_form(x, params, hardware, temp_c, NUMPY)

    def params(self, attenuation: Any, hardware: Hardware) -> dict[str, Any]:
        """Parameters of the squash cells, those with ``attenuation``, a number or an array."""
        return self.squash.cell.settings(self.squash, attenuation, self.r_load, hardware)


@dataclass(frozen=True, eq=False, kw_only=True)
class RealSquash:
    """A chip's squash cells at one temperature.

    Attributes
    ----------
    before, after
        (I,) volts in series with their inputs and with their outputs.
    params
        Those of their parameters that are not the design's, (I,) each.
    """

    before: np.ndarray
    after: np.ndarray
    params: dict[str, np.ndarray]


def real_squash(
    front: Front, errors: SquashErrors, hardware: Hardware, temp_c: float
) -> RealSquash:
    """The squash cells that ``errors`` make of those of ``front``.

    What stands between a pair's bases is referred to the cell's input, which is exact: where the
    attenuator limits, the curve is flat.

    Raises
    ------
    SimulationError
        If a temperature coefficient makes a load or a tail current nothing or less.
    """
    kind, dt = front.squash.cell, temp_c - NOMINAL_TEMP_C
    times = {name: 1 + getattr(errors, name) * dt for name in ("load_tc1", "tail_tc1")}
    for name, factor in times.items():
        if factor <= 0:
            raise SimulationError(
                f"at {temp_c:g} degC {name} makes the {kind.label}s' {name[:4]}s {factor:.3g} "
                "times as large, which must stay above 0: choose a smaller one, or another "
                "temperature"
            )
    params: dict[str, np.ndarray] = {}
    if kind.varied is not None:
        scale = front.attenuation if kind.sloped else 1.0
        loads = [*(errors.loads * times["load_tc1"]).T]
        made = front.params(scale, hardware)
        params = kind.varied(made, loads, errors.tail * times["tail_tc1"], hardware)
    before = np.zeros_like(errors.pair)
    if "npn" in kind.models:
        before = errors.pair * (temp_c + 273.15) / (NOMINAL_TEMP_C + 273.15) / front.attenuation
    return RealSquash(before=before, after=errors.offset + errors.drift * dt, params=params)


def dac_front() -> Front:
    """The first stage's, which has no cells: its squash is computed before the DACs."""
    return Front(squash=Squash(), norm=None, attenuation=np.zeros(0), r_load=0.0)


def build_front(squash: Squash, norm: Norm | None, unit: np.ndarray, hardware: Hardware) -> Front:
    """The cells after outputs of ``unit`` (I,) volts per unit of y."""
    in_volts = None
    if norm is not None:
        # (g y - mean(g y)) / sqrt(var(g y) + g^2 eps) is what it is for y, if g is one number.
        in_volts = Norm(
            kind="layer", scale=norm.scale, shift=norm.shift, eps=norm.eps * float(unit[0]) ** 2
        )
        unit = np.ones_like(unit)
    if not squash.bends:
        return Front(squash=squash, norm=in_volts, attenuation=np.zeros(0), r_load=0.0)
    cell = squash.cell
    return Front(
        squash=squash,
        norm=in_volts,
        attenuation=squash.steepness * cell.drive_volts / unit,
        r_load=cell.load(squash, hardware) if cell.load else 0.0,
    )
