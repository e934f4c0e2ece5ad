"""TDKANConfig: what a TDKAN is made of, whether torch makes one of it or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..devices import IVCurve
from ..errors import CheckpointError
from .layer import LayerSpec
from .patches import Patches
from .squash import NORMS, Norm, Squash


@dataclass(frozen=True, kw_only=True)
class TDKANConfig:
    """What a TDKAN is made of.

    Attributes
    ----------
    sizes
        Widths from input to output, such as (196, 64, 10).
    curves
        The D devices of every input of every layer.
    squash
        Between a hidden node and its diodes.
    norm
        ``batch``, ``layer`` or ``none``, on hidden nodes; after a convolution on its channels.
    patches
        Of the first layers, which are convolutions.

    Examples
    --------
    >>> ak.TDKANConfig(sizes=(196, 64, 10), curves=ak.devices.resolve("A21,Z21")).norm
    'batch'
    """

    sizes: tuple[int, ...]
    curves: tuple[IVCurve, ...]
    squash: Squash = Squash()
    norm: str = "batch"
    patches: tuple[Patches, ...] = ()

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise CheckpointError(f"sizes {self.sizes}: at least an input and an output, all >= 1")
        if self.norm not in NORMS:
            raise CheckpointError(f"norm {self.norm!r} is unknown: one of {', '.join(NORMS)}")
        if len(self.patches) >= len(self.sizes):
            raise CheckpointError(f"{len(self.patches)} convolutions, {len(self.sizes) - 1} layers")
        for k, patches in enumerate(self.patches):
            if patches.values != self.sizes[k] or self.sizes[k + 1] % patches.count:
                raise CheckpointError(
                    f"convolution {k} takes {patches.values} values to {patches.count} positions, "
                    f"which sizes {self.sizes} do not have"
                )
        if self.patches and (self.squash.kind != "none" or self.norm == "layer"):
            raise CheckpointError(
                f"convolutions with squash {self.squash.kind} and norm {self.norm}: their inputs "
                "are held voltages, which drive the diodes as they are; use squash none, and norm "
                "batch or none"
            )

    def shapes(self) -> list[tuple[int, int]]:
        """(I, O) of every layer; of a convolution, of one position."""
        found = list(zip(self.sizes[:-1], self.sizes[1:], strict=True))
        for k, patches in enumerate(self.patches):
            found[k] = (patches.size, self.sizes[k + 1] // patches.count)
        return found

    def layers(
        self,
        coefficients: Iterable[tuple[np.ndarray, np.ndarray, tuple[IVCurve, ...]]],
        norms: Sequence[Norm],
    ) -> tuple[LayerSpec, ...]:
        """Its layers as arrays.

        Parameters
        ----------
        coefficients
            Of each layer theta (I, O, D), bias (O,) and the D devices.
        norms
            Of the layers after the first, (O,) of the layer before; a convolution's has the same
            at all its positions. None with norm ``none``.
        """
        made = []
        for k, (theta, bias, curves) in enumerate(coefficients):
            norm = norms[k - 1] if k and norms else None
            if norm is not None and k <= len(self.patches):
                positions = self.patches[k - 1].count
                scale, shift = np.tile(norm.scale, positions), np.tile(norm.shift, positions)
                norm = replace(norm, scale=scale, shift=shift)
            patches = self.patches[k] if k < len(self.patches) else None
            made.append(
                LayerSpec(
                    theta=theta, bias=bias, curves=curves, squash=self.squash, norm=norm,
                    patches=patches,
                )
            )  # fmt: skip
        return tuple(made)
