"""What a network has learned: its edges by importance, checked by taking some away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compiler.names import padded
from ..data import ImageSet
from ..data.images import check_answers
from ..errors import SettingsError
from ..network.edges import (
    LayerEdges,
    inputs_of,
    output_scale,
    output_unit,
    ranked,
    states,
    weigh,
    without,
)
from ..network.measures import distance
from ..network.spec import NetworkSpec
from ..settings import require

Array = np.ndarray[Any, np.dtype[Any]]
MOST_INPUTS = 256
"""Points of a data set on which edges are weighed where a network has no calibration inputs."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Explained:
    """A network's edges.

    Attributes
    ----------
    spec
        The network, folded.
    x
        (B, I) the inputs they were weighed on.
    layers
        What every edge is worth.
    order
        (layer, place of the source, output) of those that are not zero, most important first.
    summary
        The figures, and the first edges.
    """

    spec: NetworkSpec
    x: Array
    layers: tuple[LayerEdges, ...]
    order: list[tuple[int, int, int]]
    summary: dict[str, Any]


def explain(
    spec: NetworkSpec, *, images: ImageSet | None = None, top: int = 20, ablate: int = 0
) -> Explained:
    """Weigh every edge of ``spec``, describe the ``top`` first ones, and replace each of the first
    ``ablate`` by its mean to see what that changes.

    Parameters
    ----------
    spec
        The network; its calibration inputs are what edges are weighed on.
    images
        With labels or targets: what the loss of an ablation is measured on. Also what edges are
        weighed on, the first 256, where the network has no calibration inputs.

    Raises
    ------
    CheckpointError, DataError
        If the network has convolutions, or no inputs to weigh its edges on, or ``images`` are not
        what it answers to.
    SettingsError
        If ``images`` are of no use: nothing is ablated, and the network has calibration inputs.
    """
    require(top >= 0, "top", top, "0 or more")
    require(ablate >= 0, "ablate", ablate, "0 or more")
    if images is not None:
        check_answers(images, spec)
        if not ablate and spec.calibration is not None and len(spec.calibration):
            raise SettingsError(
                f"ablate = 0, and {images.name} is what the loss of an ablation is measured on: "
                "say how many edges (--ablate 10), or leave it out"
            )
    given = None if images is None else images.flat(spec.encoding.shape)[:MOST_INPUTS]
    x = inputs_of(spec, given)
    layers, folded = weigh(spec, x), spec.folded()
    order = ranked(layers)
    edges = [_told(folded, layers, at) for at in order[: max(top, ablate)]]
    summary: dict[str, Any] = {
        "model": spec.name,
        "task": spec.task,
        "unit": output_unit(spec),
        "n": len(x),
        "edges": sum(one.zero.size for one in layers),
        "zero": sum(int(one.zero.sum()) for one in layers),
        "layers": [
            {"inputs": len(one.rows), "rows": len(one.by_row), "outputs": one.zero.shape[1],
             "edges": one.zero.size, "zero": int(one.zero.sum())}
            for one in layers
        ],
        "diodes": _diodes(folded, layers),
    }  # fmt: skip
    if ablate:
        summary["ablation"] = _ablate(folded, layers, order[:ablate], edges, x, images)
    summary["top"] = edges[: max(top, ablate)]
    return Explained(spec=folded, x=x, layers=layers, order=order, summary=summary)


def source_name(spec: NetworkSpec, layer: int, number: int) -> str:
    """``input 3``, or the net of a hidden node, such as ``l0_y03``."""
    if not layer:
        return f"input {number}"
    return f"l{layer - 1}_y{padded(spec.sizes[layer])[number]}"


def target_name(spec: NetworkSpec, layer: int, output: int) -> str:
    """The net of a hidden node; of the last layer a target's name, or the net of a logit."""
    if layer + 1 < len(spec.layers):
        return f"l{layer}_y{padded(spec.sizes[layer + 1])[output]}"
    if spec.targets is not None:
        return spec.targets.names[output]
    return f"logit_{padded(spec.sizes[-1])[output]}"


def _told(spec: NetworkSpec, layers: tuple[LayerEdges, ...], at: tuple[int, int, int]) -> Any:
    k, s, o = at
    one = layers[k]
    parts = one.by_diode[s, o]
    shares = parts / parts.sum() if parts.sum() else parts
    return {
        "layer": k,
        "from": source_name(spec, k, int(one.sources[s])),
        "to": target_name(spec, k, o),
        "source": int(one.sources[s]),
        "output": o,
        "rows": one.rows[s].tolist(),
        "importance": float(one.importance[s, o]),
        "rms": float(one.rms[s, o]),
        "rms_of_rows": one.by_row[one.rows[s], o].tolist(),
        "diodes": _named(spec.layers[k], shares),
    }


def _named(layer: Any, shares: Array) -> dict[str, float]:
    return {c.name: float(share) for c, share in zip(layer.curves, shares, strict=True)}


def _diodes(spec: NetworkSpec, layers: Iterable[LayerEdges]) -> dict[str, float]:
    """Share of each diode type: the mean over edges, weighted by their importance."""
    found: dict[str, float] = {}
    total = 0.0
    for layer, one in zip(spec.layers, layers, strict=True):
        whole = one.by_diode.sum(axis=2)
        weight = np.divide(one.importance, whole, out=np.zeros_like(whole), where=whole > 0)
        total += float(one.importance[whole > 0].sum())
        for name, share in _named(layer, np.einsum("so,sod->d", weight, one.by_diode)).items():
            found[name] = found.get(name, 0.0) + share
    return {name: share / total if total else 0.0 for name, share in found.items()}


def _ablate(
    spec: NetworkSpec,
    layers: tuple[LayerEdges, ...],
    order: list[tuple[int, int, int]],
    edges: list[dict[str, Any]],
    x: Array,
    images: ImageSet | None,
) -> dict[str, Any]:
    """Write into ``edges`` what the outputs, and the loss on ``images``, change without them."""
    run, scale = states(spec, x), output_scale(spec)
    judged = None if images is None else states(spec, images.flat(spec.encoding.shape))
    whole = None if images is None or judged is None else _loss(spec, judged[-1][1], images)
    for (k, s, o), edge in zip(order, edges, strict=False):
        place = (k, o, layers[k].rows[s])
        moved = (without(spec, run, place) - run[-1][1]) * scale
        edge["output_rms"] = float(np.sqrt((moved**2).sum(axis=1).mean()))
        if images is not None and judged is not None and whole is not None:
            edge["loss"] = _loss(spec, without(spec, judged, place), images) - whole
    pairs = [(edge["importance"], edge["output_rms"]) for edge in edges[: len(order)]]
    found: dict[str, Any] = {"n": len(order), "rank_correlation": _rank_correlation(pairs)}
    if images is not None:
        unit = "points" if spec.targets is None else output_unit(spec)
        found |= {"images": images.facts(), "loss_unit": unit, "before": whole}
    return found


def _loss(spec: NetworkSpec, outputs: Array, images: ImageSet) -> float:
    """Points of accuracy that are missing, or the RMSE in the unit of a regression."""
    if spec.targets is None:
        return 100 * float((outputs.argmax(axis=1) != images.y).mean())
    return distance(spec.targets, images.y, spec.targets.values(outputs)).rmse


def _rank_correlation(pairs: list[tuple[float, float]]) -> float | None:
    """Spearman's; None of fewer than three."""
    if len(pairs) < 3:
        return None
    ranks = np.argsort(np.argsort(np.array(pairs), axis=0), axis=0)
    return float(np.asarray(np.corrcoef(ranks.T))[0, 1])


def edge_curve(
    found: Explained, at: tuple[int, int, int], n: int = 201
) -> tuple[Array, Array, Array, Array]:
    """An edge over what its source shows on the inputs at hand.

    Returns
    -------
    abscissa, parts, used, mean
        (n,) input values or diode volts; (D, n) what each diode type gives, in the unit of theta;
        (B,) where the inputs are; and () the mean of the edge over them.
    """
    spec, (k, s, o) = found.spec, at
    layer, one = spec.layers[k], found.layers[k]
    rows, source = one.rows[s], int(one.sources[s])
    v = states(spec, found.x)[k][0]
    if k:
        used = v[:, source]
        over = np.linspace(used.min(), used.max(), n)
        volts = np.repeat(over[:, None], 1, axis=1)
    else:
        used = found.x[:, source].astype(np.float64)
        lo, hi = (np.broadcast_to(end, spec.encoding.inputs) for end in spec.encoding.ends)
        over = np.linspace(max(used.min(), lo[source]), min(used.max(), hi[source]), n)
        x = np.repeat(lo[None].astype(np.float64), n, axis=0)
        x[:, source] = over
        volts = spec.layers[0].squash(spec.encoding.applied(x))[:, rows]
    theta = layer.theta[rows, o]
    parts = np.einsum("nrd,rd->dn", layer.phi(volts), theta)
    mean = np.einsum("nrd,rd->n", layer.phi(v[:, rows]), theta).mean()
    return over, parts, used, mean
