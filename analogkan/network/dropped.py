"""A network without the rows that hardly move its outputs: each becomes what it is on average.

Axes: N calibration inputs, I inputs, O outputs, D diodes per input.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from ..errors import CompileError
from .layer import LayerSpec
from .spec import NetworkSpec


@lru_cache(maxsize=8)  # a study asks for that of one network once a chip
def without_rows(spec: NetworkSpec, share: float) -> tuple[NetworkSpec, tuple[float, ...]]:
    """``spec``, folded, without the least rows of its layers, and what share of the variance that
    each layer's rows give to its outputs went with them.

    A row gives sum_o theta^2 var(phi), over the calibration inputs, behind layers without theirs.
    The smallest go first, as long as together they give at most ``share`` of the layer's sum. What
    a row that goes gives on average is added to the biases: no constant is nearer to it.

    Raises
    ------
    CompileError
        If ``share`` is not 0, and the network has no calibration inputs.
    """
    spec = spec.folded()
    if not share:
        return spec, (0.0,) * len(spec.layers)
    if spec.calibration is None or not len(spec.calibration):
        raise CompileError(
            f"drop_rows = {share:g} needs calibration inputs, to see which rows move, and "
            f"{spec.name} carries none: give them with --calibrate FILE.npz, or set drop_rows=0"
        )
    v = spec.dac_volts(spec.calibration)
    layers: list[LayerSpec] = []
    gone: list[float] = []
    for k, layer in enumerate(spec.layers):
        v = layer.diode_volts(v) if k or spec.held else v
        made, lost = _without(layer, layer.phi(v), share)
        layers.append(made)
        gone.append(lost)
        v = made.respond(v)
    return replace(spec, layers=tuple(layers)), tuple(gone)


def _without(layer: LayerSpec, phi: np.ndarray, share: float) -> tuple[LayerSpec, float]:
    """``layer`` without its least rows, and what share they gave, for ``phi`` (N, I, D)."""
    given = (layer.theta**2).sum(axis=1) * phi.var(axis=0)  # (I, D)
    if not given.any():
        return layer, 0.0
    order = np.argsort(given, axis=None, kind="stable")
    together = np.cumsum(given.ravel()[order]) / given.sum()
    count = int((together <= share).sum())
    if not count:
        return layer, 0.0
    row = np.zeros(given.size, bool)
    row[order[:count]] = True
    row = row.reshape(given.shape)[:, None, :]
    mean = np.where(row, layer.theta, 0.0) * phi.mean(axis=0)[:, None, :]
    bias = layer.bias + mean.sum(axis=(0, 2))
    made = replace(layer, theta=np.where(row, 0.0, layer.theta), bias=bias)
    return made, float(together[count - 1])
