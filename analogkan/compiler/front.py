"""Front: what stands between the outputs of one stage and the diodes of the next, as a circuit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ..devices.formulas import BOLTZMANN_OVER_CHARGE
from ..network.squash import Norm, Squash
from .hardware import Hardware

THERMAL_VOLTS = 300.0 * BOLTZMANN_OVER_CHARGE
"""k T / q at 300 K: the constant in the attenuators before the transistor pairs."""


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
        (I,) volts between a pair's bases per volt at its input; empty without such cells.
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

    def normed(self, v: np.ndarray) -> np.ndarray:
        """Volts after the norm for ``v`` (B, I) volts at the outputs of the stage before."""
        return v if self.norm is None else self.norm(v)

    def squashed(self, x: np.ndarray) -> np.ndarray:
        """Diode volts for ``x`` (B, I) volts after the norm."""
        if not self.squash.bends:
            return self.squash(x)
        span = self.squash.v_hi - self.squash.v_lo
        return self.squash.v_lo + span * expit(x * self.attenuation / THERMAL_VOLTS)


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
    # The collector of the cell's pair is 1 V above its bases: the Early effect raises beta by that.
    beta = hardware.npn_bf * (1 + 1.0 / hardware.npn_vaf)
    swing = squash.v_hi - squash.v_lo
    if squash.kind == "tanh":  # both collectors count
        swing /= 2
    return Front(
        squash=squash,
        norm=in_volts,
        attenuation=squash.pair_slope * THERMAL_VOLTS / unit,
        r_load=swing * (1 + 1 / beta) / hardware.i_tail,
    )
