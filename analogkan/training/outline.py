"""What a recipe makes of a training set before the first epoch: input range and network."""

from __future__ import annotations

import math

import numpy as np

from ..data import ImageSet
from ..devices import resolve
from ..errors import CheckpointError, DataError, SettingsError
from ..network.config import TDKANConfig
from ..network.encoding import Encoding
from ..network.patches import Patches
from ..network.squash import Squash
from .recipe import Recipe

MAX_INPUT = 1e30
"""Training is in float32."""


def config_of(recipe: Recipe, shape: tuple[int, ...], n_out: int, *, taps: int = 1) -> TDKANConfig:
    """A recipe's network for inputs of ``shape``: (height, width[, channels]), or any if dense.

    With ``taps`` DACs an input.

    Raises
    ------
    SettingsError, DataError, CheckpointError
        If the squash leaves a device's range, or the convolutions do not fit the inputs, the squash
        or the norm.
    """
    squash, curves = Squash(), resolve(recipe.devices)
    if recipe.squash != "none":
        squash = Squash(
            kind=recipe.squash, v_lo=recipe.range_lo, v_hi=recipe.range_hi, slope=recipe.slope
        )
    beyond = squash.beyond(curves)
    if beyond and not recipe.beyond_measured:
        raise SettingsError(f"{beyond}: change range_lo, range_hi, or say beyond_measured = true")
    if recipe.convolutions and taps > 1:
        raise SettingsError("taps with convolutions: a map has one DAC a value; leave taps out")
    if recipe.convolutions and len(shape) not in (2, 3):
        raise DataError(f"inputs of shape {shape} are no images for the recipe's convolutions")
    sizes, patches = [math.prod(shape) * taps], []
    height, width, channels = (*shape, 1)[:3] if recipe.convolutions else (1, 1, 1)
    for outputs, kernel, stride, padding in recipe.convolutions:
        try:
            seen = Patches(
                height=height, width=width, channels=channels,
                kernel=kernel, stride=stride, padding=padding,
            )  # fmt: skip
        except CheckpointError as error:
            raise SettingsError(f"convolution {len(patches)} of the recipe: {error}") from error
        height, width, channels = seen.rows, seen.columns, outputs
        sizes.append(seen.count * outputs)
        patches.append(seen)
    return TDKANConfig(
        sizes=(*sizes, *recipe.hidden, n_out), curves=curves, squash=squash, norm=recipe.norm,
        patches=tuple(patches),
    )  # fmt: skip


def input_encoding(images: ImageSet, recipe: Recipe) -> Encoding:
    """From the training set's values to the recipe's volts; DataError if they are all equal."""
    ranges: tuple[tuple[float, float], ...] = ()
    if images.x.dtype == np.uint8:
        x_lo, x_hi = 0.0, 255.0
    else:
        x_lo, x_hi = float(images.x.min()), float(images.x.max())
        if x_lo == x_hi:
            raise DataError(f"every input value of {images.name} is {x_lo:g}: nothing to learn")
        if max(-x_lo, x_hi) > MAX_INPUT:
            raise DataError(
                f"input values reach {max(-x_lo, x_hi):g}, above {MAX_INPUT:g}: rescale them"
            )
        if recipe.each_range:
            ranges = _ranges(images)
    shape = tuple(recipe.resize or images.x.shape[1:])
    taps = tuple((float(low), float(high)) for low, high in recipe.taps)
    volts = [v for tap in taps for v in tap] or [recipe.v_lo, recipe.v_hi]
    return Encoding(
        x_lo=x_lo, x_hi=x_hi, v_lo=min(volts), v_hi=max(volts), shape=shape, ranges=ranges,
        taps=taps,
    )  # fmt: skip


def _ranges(images: ImageSet) -> tuple[tuple[float, float], ...]:
    """The range of every input; DataError if one is the same everywhere."""
    x = images.x.reshape(len(images), -1).astype(np.float64)
    flat = np.flatnonzero(np.ptp(x, axis=0) == 0)
    if flat.size:
        k = int(flat[0])
        name = images.inputs[k][0] if images.inputs else str(k)
        raise DataError(
            f"input {name} of {images.name} is {x[0, k]:g} at every training point: leave it out"
        )
    return tuple(zip(map(float, x.min(axis=0)), map(float, x.max(axis=0)), strict=True))
