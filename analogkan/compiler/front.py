"""Front: what stands between the outputs of one stage and the diodes of the next, as a circuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cells import NUMPY
from ..network.squash import Norm, Squash
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

    def params(self, attenuation: Any, hardware: Hardware) -> dict[str, Any]:
        """Parameters of the squash cells, those with ``attenuation``, a number or an array."""
        return self.squash.cell.settings(self.squash, attenuation, self.r_load, hardware)


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
