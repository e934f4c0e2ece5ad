# pyright: strict
"""Edges of a network: what each function from an input to an output contributes, and is worth.

An edge is what one source gives to one output of a layer, sum over its diodes of theta phi; a
source is a hidden node, or an input of the network with all of its DACs.

Axes: B batch, S sources, O outputs, D diodes of a row, G rows of one source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CheckpointError, DataError
from .encoding import Encoding
from .measures import span_of, unit_of
from .spec import LayerSpec, NetworkSpec

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerEdges:
    """The edges of one layer.

    Attributes
    ----------
    rows
        Of each of S sources: its inputs of the layer (G,), several where an input has several DACs.
    sources
        (S,) numbers: of the network's inputs, or of hidden nodes.
    rms
        (S, O) root mean square of the edge's contribution about its mean, in the unit of theta.
    importance
        (S, O) what of that reaches the network's outputs, in their unit; see ``weigh``.
    by_row
        (I, O) ``rms`` of each input of the layer alone.
    by_diode
        (S, O, D) ``rms`` of each diode type alone.
    zero
        (S, O) whether every coefficient is exactly zero: the edge was pruned.
    """

    rows: tuple[Array, ...]
    sources: Array
    rms: Array
    importance: Array
    by_row: Array
    by_diode: Array
    zero: Array


def sources_of(
    encoding: Encoding, layer: LayerSpec, together: bool
) -> tuple[Array, tuple[Array, ...]]:
    """Sources (S,) of a layer, and the rows of each; an input's DACs ``together``."""
    of = encoding.input_of_dacs if together else np.arange(layer.n_in)
    found = np.unique(of)
    return found, tuple(np.flatnonzero(of == s) for s in found)


def require_dense(spec: NetworkSpec) -> None:
    """Raise CheckpointError if ``spec`` has convolutions."""
    if spec.convolutional:
        raise CheckpointError(
            f"{spec.name} has convolutions, whose kernels stand for many edges at once: edges are "
            "explained and pruned in networks of dense layers"
        )


def inputs_of(spec: NetworkSpec, given: Array | None = None) -> Array:
    """Calibration inputs (B, I) in input units; ``given`` where the network has none."""
    x = spec.calibration if spec.calibration is not None and len(spec.calibration) else given
    if x is None or len(x) < 2:
        raise DataError(
            f"{spec.name} has no calibration inputs to weigh its edges on: give data of at least "
            "two points (--dataset)"
        )
    return x


def weigh(spec: NetworkSpec, x: Array, *, each_dac: bool = False) -> tuple[LayerEdges, ...]:
    """What every edge contributes on inputs ``x`` (B, I) in input units; with ``each_dac`` every
    DAC is a source.

    In the last layer an edge's importance is its rms, in logits, or in the target's unit (several
    targets: as shares of their spans). Before that, a node's share of its outputs is handed on to
    its own edges in proportion to their rms over the rms of the node: sums of squares, so that
    the squares of a node's edges add up to its own if they vary independently.

    Raises
    ------
    CheckpointError
        If the network has convolutions.
    """
    require_dense(spec)
    spec = spec.folded()
    run = states(spec, x)
    found: list[LayerEdges] = []
    handed, worth = output_scale(spec), np.zeros(0)
    for k in reversed(range(len(spec.layers))):
        layer, (v, y) = spec.layers[k], run[k]
        sources, rows = sources_of(spec.encoding, layer, k == 0 and not each_dac)
        phi = layer.phi(v)
        phi = phi - phi.mean(axis=0)
        rms = np.stack([_rms(_given(phi, layer.theta, own)) for own in rows])
        node = _rms(y - y.mean(axis=0))
        if found:
            handed = np.divide(worth, node, out=np.zeros_like(node), where=node > 0)
        importance = rms * handed
        one_by_one = range(layer.theta.shape[2])
        found.append(
            LayerEdges(
                rows=rows,
                sources=sources,
                rms=rms,
                importance=importance,
                by_row=np.stack([_rms(_given(phi, layer.theta, [i])) for i in range(layer.n_in)]),
                by_diode=np.stack(
                    [
                        np.stack([_rms(phi[:, own, d] @ layer.theta[own, :, d]) for own in rows])
                        for d in one_by_one
                    ],
                    axis=-1,
                ),
                zero=np.stack([(layer.theta[own] == 0).all(axis=(0, 2)) for own in rows]),
            )
        )
        worth = np.sqrt((importance**2).sum(axis=1))
    return tuple(reversed(found))


def states(spec: NetworkSpec, x: Array) -> list[tuple[Array, Array]]:
    """Of every layer, diode voltages (B, I) and outputs (B, O), for inputs ``x``."""
    v = spec.dac_volts(x)
    found: list[tuple[Array, Array]] = []
    for k, layer in enumerate(spec.layers):
        v = layer.diode_volts(v) if k or spec.held else v
        y = layer.respond(v)
        found.append((v, y))
        v = y
    return found


def output_scale(spec: NetworkSpec) -> Array:
    """(O,) what one unit of each output is in ``output_unit``."""
    if spec.targets is None:
        return np.ones(spec.sizes[-1])
    return spec.targets.span / 2 * span_of(spec.targets) / spec.targets.span


def output_unit(spec: NetworkSpec) -> str:
    """``logit``, or the unit of a regression's measures."""
    return "logit" if spec.targets is None else unit_of(spec.targets)


def ranked(layers: Sequence[LayerEdges]) -> list[tuple[int, int, int]]:
    """Every edge that is not zero as (layer, place of the source, output), most important first."""
    places = [
        (float(one.importance[s, o]), k, int(s), int(o))
        for k, one in enumerate(layers)
        for s, o in np.argwhere(~one.zero)
    ]
    places.sort(key=lambda place: (-place[0], *place[1:]))
    return [place[1:] for place in places]


def without(
    spec: NetworkSpec, run: Sequence[tuple[Array, Array]], edge: tuple[int, int, Array]
) -> Array:
    """Outputs (B, O) with one edge (layer, output, rows) replaced by its mean, after ``run``."""
    k, o, rows = edge
    layer, (v, y) = spec.layers[k], run[k]
    given = _given(layer.phi(v), layer.theta[:, o : o + 1], rows)[:, 0]
    y = y.copy()
    y[:, o] -= given - given.mean()
    for after in spec.layers[k + 1 :]:
        y = after.respond(after.diode_volts(y))
    return y


def _given(phi: Array, theta: Array, rows: Any) -> Array:
    """What ``rows`` of a layer give to its outputs, (B, O), for ``phi`` (B, I, D)."""
    weights = theta[rows].transpose(0, 2, 1).reshape(-1, theta.shape[1])
    return phi[:, rows].reshape(len(phi), -1) @ weights


def _rms(values: Array) -> Array:
    """Over the batch, of values (B, ...)."""
    return np.sqrt((values**2).mean(axis=0))
