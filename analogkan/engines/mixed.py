"""The twin in mixed precision: float32 where a bound proves the class, float64 where it does not.

A chip's first product is most of its work: it is summed in float32, in compiled loops, over the
inputs that are not at their most frequent code. What rounding can do to an output is bounded for
the chip, by its own weights and tables; images whose two largest outputs are nearer than that are
evaluated once more by the twin, in float64. So every class is float64's.

Axes: I inputs, D diodes, O outputs, B images, U codes, R rows, K points of a row's table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from . import kernels
from .twin import Known, Maps, Twin
from .twin_inputs import Inputs

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
EVALUATION = 16
"""Roundings of a row's value, generously counted."""
BUCKETS = ((64, 1), (256, 1), (256, 2), (1024, 2), (1024, 4))
"""Into how many a table is cut, for how many kinks each: the first that has room for its own."""
FAR = 1e30
"""Volts that no bound may come to: float32 would have no such numbers."""
Array = np.ndarray


def growth(terms: int, dtype: np.dtype) -> float:
    """Share of a sum of magnitudes that rounding takes away at most, however it is ordered: N. J.
    Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1."""
    unit = terms * float(np.finfo(dtype).eps) / 2
    return unit / (1 - unit)


@dataclass(frozen=True, eq=False)
class Moving:
    """The inputs of B images that are not at their most frequent code, image by image.

    Attributes
    ----------
    rest
        (I,) the most frequent codes.
    begins
        (B + 1,) where an image's inputs begin in the others.
    inputs, places
        Which input, and where its code is among the codes of all inputs, one after the other.
    most
        Of an image, at most.
    """

    rest: Array
    begins: Array
    inputs: Array
    places: Array
    most: int

    @staticmethod
    def of(coded: Inputs) -> Moving:
        """Those of ``coded``."""
        index = coded.index.numpy()
        n_codes = coded.codes.shape[-1]
        rest = np.array([np.bincount(of_input, minlength=n_codes).argmax() for of_input in index])
        moves = np.ascontiguousarray((index != rest[:, None]).T)
        begins = np.concatenate([[0], np.cumsum(moves.sum(axis=1))])
        images, inputs = np.nonzero(moves)
        places = inputs * n_codes + index.T[images, inputs]
        most = int(np.diff(begins).max(initial=0))
        return Moving(rest, begins, inputs.astype(np.uint32), places.astype(np.uint32), most)


@dataclass(frozen=True, eq=False)
class Tables:
    """The rows of a stage, cut into buckets.

    Attributes
    ----------
    ends, pieces
        See ``kernels.buckets``.
    steepest, curved
        (I, D) largest slope of a row, and of its kinks' sums, volts per volt.
    largest
        (I, D) volts that a row gives, at most.
    reach
        (I, D) volts of the farthest kink.
    """

    ends: Array
    pieces: Array
    steepest: Array
    curved: Array
    largest: Array
    reach: Array

    @staticmethod
    def of(x: Array, r: Array) -> Tables | None:
        """Those of (I, D, K) volts; None: no bucket has room for the kinks of one."""
        for number, kinks in BUCKETS:
            ends, pieces, most = kernels.buckets(x, r, number, kinks)
            if most <= kinks:
                first, more = pieces[..., 1], pieces[..., 3::2]
                steepest = np.maximum(
                    np.abs(first), np.abs(first[..., None] + np.cumsum(more, -1)).max(-1)
                )
                curved = np.abs(first) + np.abs(more).sum(axis=-1)
                sizes = (np.abs(points).max(axis=2) for points in (r, x))
                return Tables(ends, pieces, steepest.max(axis=2), curved.max(axis=2), *sizes)
        return None

    def passed_on(self, off: Array, extent: Array, dtype: np.dtype) -> Array:
        """Volts (I, D) that rows are off, worked out in ``dtype``, where their diodes' volts (I,),
        at most ``extent``, are ``off``."""
        size = self.largest + self.curved * (extent[:, None] + self.reach)
        return self.steepest * off[:, None] + growth(EVALUATION, dtype) * size


class Mixed:
    """One chip whose classes are those of ``twin``.

    Parameters
    ----------
    twin
        Of one chip, whose amplifiers have no rails, whose cells are resistors without read noise,
        and whose stages have neither squash nor norm.
    """

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    @staticmethod
    def of(twin: Twin) -> Mixed | None:
        """That of ``twin``; None: there is something about it for which no bound is known."""
        plain = all(
            stage.bent is None and stage.front.norm is None and stage.front.squash.kind == "none"
            for stage in twin.stages
        )
        noisy = any(noise is not None for of_chip in twin.noise for noise in of_chip)
        return Mixed(twin) if plain and not noisy and not twin.hardware.rails else None

    def logits(self, coded: Inputs, moving: Moving, index: Array) -> Array | None:
        """Logits (B, O) of ``coded``, of which ``moving`` is made; ``index`` as for the twin. None:
        the chip's numbers are such that nothing is proved, or two outputs are so equal that it is
        the twin's own rounding, other in other blocks, that says which is larger."""
        found = self._outputs(coded, moving)
        if found is None:
            return None
        volts, bound, own, rows, maps = found
        near = kernels.close(volts, 2 * bound)
        logits = np.ascontiguousarray((volts / self._twin.v_per_logit).T)
        if near.size:
            known = Known(torch.from_numpy(rows.transpose(0, 2, 1))[None], maps)
            with torch.no_grad():
                again = self._twin.run(coded.block(near), index[near], known).outputs[-1][0]
            if kernels.close(again.numpy(), 4 * own).size:
                return None
            logits[near] = (again / self._twin.v_per_logit).numpy().T
        return logits

    def _outputs(
        self, coded: Inputs, moving: Moving
    ) -> tuple[Array, float, float, Array, Maps] | None:
        """Outputs (O, B) volts; how far the farthest may be from float64's, and float64's from what
        no rounding would give; and what the twin need not work out again: volts (I, U, D) of the
        first rows, and its ``folded`` stages."""
        maps = {k: self._twin.folded(stage) for k, stage in enumerate(self._twin.stages)}
        first, *others = self._twin.stages
        codes = np.atleast_2d(coded.codes.numpy())
        apart, still, largest = kernels.code_volts(
            first.x[0].numpy(), first.r[0].numpy(), codes, moving.rest
        )
        weights, constant = _of_chip(*maps[0])
        of_rows = np.abs(weights) @ np.abs(first.r[0].numpy()).max(axis=2).ravel()
        own = growth(weights.shape[1] + 2 * EVALUATION, DOUBLE) * (np.abs(constant) + of_rows)
        constant = constant + weights @ still.ravel()
        dtype = SINGLE if others else DOUBLE
        extent = np.abs(constant) + np.abs(weights) @ largest.ravel()
        # Pairs of diodes, a run of inputs at a time; what comes of a pair is added to the outputs.
        n_dev, run = first.x.shape[2], min(moving.most, kernels.RUN)
        share = growth(2 * run + n_dev + 4, dtype) + growth(moving.most * n_dev, DOUBLE)
        error = share * extent
        volts = _sum(moving, apart, weights, constant, dtype)
        for k, stage in enumerate(others, 1):
            dtype = DOUBLE if stage is others[-1] else SINGLE
            tables = Tables.of(stage.x[0].numpy(), stage.r[0].numpy())
            if tables is None or not _known(extent):
                return None
            weights, constant = _of_chip(*maps[k])
            volts = _through(volts, tables, weights, constant, dtype)
            before, extent = extent, np.abs(constant) + np.abs(weights) @ tables.largest.ravel()
            error, own = (
                growth(weights.shape[1] + 4, kind) * extent
                + np.abs(weights) @ tables.passed_on(off, before, kind).ravel()
                for off, kind in ((error, dtype), (own, DOUBLE))
            )
        if not _known(error):
            return None
        far = float((error + own).max())
        return volts, far, float(own.max()), apart + still[:, None], maps


def _of_chip(weights: torch.Tensor, constant: torch.Tensor) -> tuple[Array, Array]:
    """Of the only chip of a stage that is ``folded``: (O, I D), (O,)."""
    return weights[0].numpy(), constant[0, :, 0].numpy()


def _known(volts: Array) -> bool:
    """Whether these are numbers, and such as float32 has."""
    return bool((volts < FAR).all())


def _sum(moving: Moving, apart: Array, weights: Array, constant: Array, dtype: np.dtype) -> Array:
    """Outputs (O, B) of a first stage, in ``dtype``: its rows (I, U, D) are so far ``apart`` from
    those at rest."""
    n_in, n_codes, n_dev = apart.shape
    n_out, lanes = len(constant), kernels.LANES
    found = _filled(constant, len(moving.begins) - 1, dtype)
    by_row = weights.T.reshape(n_in, n_dev, n_out)
    for d in range(0, n_dev, 2):
        pair = np.zeros((n_in * n_codes, 2), dtype)
        pair[:, : n_dev - d] = apart[..., d : d + 2].reshape(n_in * n_codes, -1)
        for o in range(0, n_out, lanes):
            part = _on_lines((n_in, 2, lanes), dtype)
            part[:, : n_dev - d, : n_out - o] = by_row[:, d : d + 2, o : o + lanes]
            kernels.sum_codes(
                moving.begins, moving.inputs, moving.places, pair, part.reshape(n_in, -1),
                found[o : o + lanes],
            )  # fmt: skip
    return found


def _through(
    volts: Array, tables: Tables, weights: Array, constant: Array, dtype: np.dtype
) -> Array:
    """Outputs (O, B) of a stage for ``volts`` (I, B) at its diodes, in ``dtype``."""
    found = _filled(constant, volts.shape[1], dtype)
    by_row = np.ascontiguousarray(weights.T).reshape(*tables.reach.shape, -1)
    parts = (part.astype(dtype, copy=False) for part in (tables.ends, tables.pieces, by_row))
    kernels.through_rows(volts, *parts, found)
    return found


def _filled(constant: Array, images: int, dtype: np.dtype) -> Array:
    return np.repeat(constant.astype(dtype)[:, None], images, axis=1)


def _on_lines(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Zeros that begin where a processor loads them at once."""
    size = math.prod(shape) * dtype.itemsize
    raw = np.zeros(size + kernels.LINE, np.uint8)
    begin = -raw.ctypes.data % kernels.LINE
    return raw[begin : begin + size].view(dtype).reshape(shape)
