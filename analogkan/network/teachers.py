"""KANs of B-splines that others trained: efficient-kan's and pykan's state dictionaries.

An edge is w silu(x) + sum_c coef_c B_c(x), B-splines of order k on knots that differ from input to
input (arXiv 2404.19756, equations 2.10 to 2.12); outside the knots the sum is 0. The keys are:

    layers.0.base_weight (O, I), .spline_weight (O, I, G + k), .spline_scaler (O, I; may be left
    out), .grid (I, G + 2 k + 1)                                                 efficient-kan
    act_fun.0.coef (I, O, G + k), .grid, .scale_base, .scale_sp, .mask (I, O); symbolic_fun.0.mask
    (O, I), subnode_scale_0, subnode_bias_0, node_scale_0, node_bias_0 (O,)      pykan

Neither says what the function beside the splines is: silu is the default of both.

Axes: B batch, I inputs, O outputs, C splines of an edge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..errors import CheckpointError
from .torchfile import read_torch, walk

KEY = re.compile(r"(.*?)(layers|act_fun)\.(\d{1,4})\.(spline_weight|coef)")
SAVE = "save the model's state_dict() with torch.save"


@dataclass(frozen=True, eq=False, kw_only=True)
class SplineLayer:
    """A layer of a KAN of B-splines.

    Attributes
    ----------
    grid
        (I, C + k + 1) knots, rising.
    coef
        (I, O, C) of the splines.
    base
        (I, O) of silu.
    scale, shift
        (O,) of an affine map behind the sum.
    """

    grid: np.ndarray
    coef: np.ndarray
    base: np.ndarray
    scale: np.ndarray
    shift: np.ndarray

    @property
    def order(self) -> int:
        """k: 3 is cubic."""
        return self.grid.shape[1] - self.coef.shape[2] - 1

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest input (I,) at which all splines that there could be are there."""
        return self.grid[:, self.order], self.grid[:, -1 - self.order]

    def edges(self, x: np.ndarray) -> np.ndarray:
        """What each input ``x`` (B, I) gives to each output, (B, I, O)."""
        silu = x / (1 + np.exp(-np.clip(x, -500, 500)))
        splines = np.einsum("bic,ioc->bio", self._splines(x), self.coef)
        return (silu[:, :, None] * self.base + splines) * self.scale

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Outputs (B, O)."""
        return self.edges(x).sum(axis=1) + self.shift

    def _splines(self, x: np.ndarray) -> np.ndarray:
        """(B, I, C) by the recurrence of Cox and de Boor; a stretch of no length counts nothing."""
        t, at = self.grid, x[:, :, None]
        found = ((at >= t[:, :-1]) & (at < t[:, 1:])).astype(np.float64)
        for k in range(1, self.order + 1):
            left, right = t[:, k:-1] - t[:, : -k - 1], t[:, k + 1 :] - t[:, 1:-k]
            up = np.divide(
                at - t[:, : -k - 1], left, out=np.zeros_like(found[:, :, 1:]), where=left > 0
            )
            down = np.divide(t[:, k + 1 :] - at, right, out=np.zeros_like(up), where=right > 0)
            found = up * found[:, :, :-1] + down * found[:, :, 1:]
        return found


@dataclass(frozen=True, eq=False, kw_only=True)
class Teacher:
    """A whole KAN; ``kind`` is whose."""

    kind: str
    layers: tuple[SplineLayer, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths from input to output."""
        return (len(self.layers[0].grid), *(layer.base.shape[1] for layer in self.layers))

    def nodes(self, x: np.ndarray) -> list[np.ndarray]:
        """Every layer's outputs (B, O) for inputs ``x`` (B, I)."""
        found = []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found


def read_teacher(path: Path) -> Teacher:
    """The KAN in ``path``: its state dictionary, bare or under an entry of a training checkpoint.

    Raises
    ------
    CheckpointError
        If it holds no such state, an array is missing or of another shape, or edges are symbolic.
    """
    content = read_torch(path, missing=SAVE, unsafe=SAVE, kind="a torch file").content
    states = [
        inner
        for _, inner in walk(content)
        if isinstance(inner, dict) and any(KEY.fullmatch(str(key)) for key in inner)
    ]
    if len(states) != 1:
        raise CheckpointError(
            f"{path} holds {len(states)} states of efficient-kan or pykan, and one is wanted "
            f"(layers.0.spline_weight or act_fun.0.coef): {SAVE}"
        )
    try:
        return _teacher(states[0])
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _teacher(state: Mapping[Any, Any]) -> Teacher:
    matches = [match for key in state if (match := KEY.fullmatch(str(key)))]
    prefix, kind = matches[0][1], matches[0][2]
    read = _Arrays(state, prefix)
    made = _efficient if kind == "layers" else _pykan
    layers = tuple(made(read, k) for k in range(len(matches)))
    for k, (before, after) in enumerate(pairwise(layers)):
        if before.base.shape[1] != len(after.grid):
            raise CheckpointError(
                f"layer {k} has {before.base.shape[1]} outputs and the next one {len(after.grid)} "
                "inputs: multiplication nodes are not read"
            )
    return Teacher(kind="efficient-kan" if kind == "layers" else "pykan", layers=layers)


class _Arrays:
    """Arrays of a state by their keys, float64."""

    def __init__(self, state: Mapping[Any, Any], prefix: str) -> None:
        self.state, self.prefix = state, prefix

    def find(self, key: str, shape: tuple[int | None, ...]) -> np.ndarray | None:
        """What is under ``key``, of that ``shape`` (None is any number); None if nothing is."""
        value = self.state.get(self.prefix + key)
        if value is None:
            return None
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        if not isinstance(value, Tensor) or value.ndim != len(shape):
            raise CheckpointError(f"{key} is no array of shape ({wanted})")
        array = value.detach().double().numpy()
        if any(n not in (None, have) for n, have in zip(shape, array.shape, strict=True)):
            raise CheckpointError(f"{key} has shape {array.shape}; it must be ({wanted})")
        if not np.isfinite(array).all():
            raise CheckpointError(f"{key} holds NaN or infinity")
        return array

    def get(self, key: str, shape: tuple[int | None, ...]) -> np.ndarray:
        found = self.find(key, shape)
        if found is None:
            raise CheckpointError(f"the state lacks {key}")
        return found


def _efficient(read: _Arrays, k: int) -> SplineLayer:
    name = f"layers.{k}."
    weight = read.get(name + "spline_weight", (None, None, None))
    n_out, n_in, _ = weight.shape
    scaler = read.find(name + "spline_scaler", (n_out, n_in))
    coef = weight if scaler is None else weight * scaler[:, :, None]
    base = read.get(name + "base_weight", (n_out, n_in)).T
    return _layer(read, name, coef.transpose(1, 0, 2), base, np.ones(n_out), np.zeros(n_out))


def _pykan(read: _Arrays, k: int) -> SplineLayer:
    name = f"act_fun.{k}."
    coef = read.get(name + "coef", (None, None, None))
    n_in, n_out, _ = coef.shape
    symbolic = read.find(f"symbolic_fun.{k}.mask", (None, None))
    if symbolic is not None and symbolic.any():
        raise CheckpointError(
            f"layer {k} has {int((symbolic != 0).sum())} symbolic edges, which are not read: give "
            "the network's answers instead, an npz file with x and y"
        )
    mask, base, spline = (
        read.get(name + key, (n_in, n_out)) for key in ("mask", "scale_base", "scale_sp")
    )
    scale, shift = np.ones(n_out), np.zeros(n_out)
    for which in ("subnode", "node"):
        own = read.find(f"{which}_scale_{k}", (n_out,))
        offset = read.find(f"{which}_bias_{k}", (n_out,))
        own = np.ones(n_out) if own is None else own
        scale, shift = scale * own, shift * own + (0.0 if offset is None else offset)
    return _layer(read, name, coef * (mask * spline)[:, :, None], base * mask, scale, shift)


def _layer(
    read: _Arrays,
    name: str,
    coef: np.ndarray,
    base: np.ndarray,
    scale: np.ndarray,
    shift: np.ndarray,
) -> SplineLayer:
    grid = read.get(name + "grid", (len(coef), None))
    if not 0 <= grid.shape[1] - coef.shape[2] - 1 < coef.shape[2] or (np.diff(grid) < 0).any():
        raise CheckpointError(
            f"{name}grid has {grid.shape[1]} knots for {coef.shape[2]} splines, or they do not "
            "rise: G + 2 k + 1 for G + k are wanted"
        )
    return SplineLayer(grid=grid, coef=coef, base=base, scale=scale, shift=shift)
