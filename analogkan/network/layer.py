"""LayerSpec: one layer of a TD-KAN as arrays.

Axes: B batch, I inputs, O outputs, D diodes per input; P positions and W values of a convolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..devices import IVCurve
from ..errors import CheckpointError
from .patches import Patches
from .squash import Norm, Squash

MOST_VALUES = 3_000_000
"""Basis values that a layer evaluates at once, to bound memory."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerSpec:
    """One layer: y = sum_i sum_d theta[i, o, d] phi_d(squash(norm(x)_i)) + bias_o.

    A convolution does that at each of P positions of the map of W values before it, with the same
    coefficients; its outputs are the P O values of a map, channel fastest.

    Attributes
    ----------
    theta
        (I, O, D), volts per unit phi (the last layer's unit is the logit).
    bias
        (O,), the same unit.
    curves
        The D devices of every input.
    squash
        At the diodes.
    norm
        Before the squash, or None; of W values in a convolution.
    patches
        What the positions of a convolution see; None in a dense layer.
    """

    theta: np.ndarray
    bias: np.ndarray
    curves: tuple[IVCurve, ...]
    squash: Squash = Squash()
    norm: Norm | None = None
    patches: Patches | None = None

    def __post_init__(self) -> None:
        if self.theta.ndim != 3:
            raise CheckpointError(f"theta has shape {self.theta.shape}; it must be (I, O, D)")
        i, o, d = self.theta.shape
        if 0 in (i, o, d):
            raise CheckpointError(f"theta has shape {self.theta.shape}: no axis may be empty")
        if d != len(self.curves):
            raise CheckpointError(f"theta has {d} diodes per input but {len(self.curves)} devices")
        if self.patches is not None and i != self.patches.size:
            raise CheckpointError(
                f"theta has {i} inputs, but a position of the convolution sees {self.patches.size}"
            )
        if self.patches is not None and self.squash.kind != "none":
            raise CheckpointError(
                f"a convolution with squash {self.squash.kind}: its inputs are held voltages, "
                "which drive its diodes as they are; use squash none"
            )
        if self.patches is not None and self.norm is not None and self.norm.kind == "layer":
            raise CheckpointError("a LayerNorm before a convolution has no circuit: use batch")
        arrays = {"theta": (self.theta, (i, o, d)), "bias": (self.bias, (o,))}
        if self.norm is not None:
            w = (self.n_in,)
            arrays |= {"norm scale": (self.norm.scale, w), "norm shift": (self.norm.shift, w)}
        for name, (array, shape) in arrays.items():
            if array.shape != shape:
                raise CheckpointError(f"{name} has shape {array.shape}; it must be {shape}")
            if not np.isfinite(array).all():
                raise CheckpointError(f"{name} holds {int((~np.isfinite(array)).sum())} NaN or inf")

    @property
    def n_in(self) -> int:
        """Inputs: I, or W of a convolution."""
        return self.theta.shape[0] if self.patches is None else self.patches.values

    @property
    def n_out(self) -> int:
        """Outputs: O, or P O of a convolution."""
        return self.theta.shape[1] * (1 if self.patches is None else self.patches.count)

    def diode_volts(self, x: np.ndarray) -> np.ndarray:
        """Voltages at the diodes for layer inputs ``x`` (B, I or W); the same shape, volts."""
        return self.squash(x if self.norm is None else self.norm(x))

    def phi(self, v: np.ndarray) -> np.ndarray:
        """Basis functions at diode voltages ``v`` (B, I); (B, I, D)."""
        return np.stack([curve.phi(v) for curve in self.curves], axis=-1)

    def respond(self, v: np.ndarray) -> np.ndarray:
        """Outputs for diode voltages ``v`` (B, I or W); (B, O or P O)."""
        if self.patches is None:
            return self.summed(self.phi(v).reshape(len(v), -1))
        ground = self.phi(np.zeros((1, 1)))[0]
        at_once = max(1, MOST_VALUES // (self.patches.count * self.theta[:, 0].size))
        answers = np.empty((len(v), self.n_out))
        for start in range(0, len(v), at_once):
            phi = self.patches.gather(self.phi(v[start : start + at_once]), ground)
            y = self.summed(phi.reshape(len(phi) * self.patches.count, -1))
            answers[start : start + at_once] = y.reshape(-1, self.n_out)
        return answers

    def summed(self, phi: np.ndarray) -> np.ndarray:
        """Outputs (N, O) for basis values ``phi`` (N, I D), d fastest."""
        return phi @ self.theta.transpose(0, 2, 1).reshape(phi.shape[1], -1) + self.bias
