"""Distilling: a TD-KAN that does what another network does, edge by edge, then end to end.

Axes: B points, I inputs, H hidden nodes of the teacher, T taps, O outputs, D diodes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data import ImageSet
from ..data.images import checked
from ..devices import IVCurve, resolve
from ..errors import DataError
from ..files import sha256
from ..network import checkpoint
from ..network.config import TDKANConfig
from ..network.encoding import Encoding
from ..network.measures import Distance, distance, unit_of
from ..network.model import TDKAN
from ..network.spec import NetworkSpec
from ..network.targets import Targets
from ..network.teachers import Teacher, read_teacher
from .fit import Epoch, train
from .goals import targets_of
from .recipe import load_recipe

SHAPE, FINISH = "function-d2", "function-finetune"
"""Recipes: whose taps the student has, and how it is trained end to end."""
POINTS, TESTED = 2500, 500
"""Drawn from the range of the teacher's knots, to train on and to judge by."""
RIDGE = 1e-6
"""Of the fit of an edge, as a share of its basis' mean square: what no data tell stays small."""
SPARE = 0.05
"""Share of a node's range that is left free at both ends."""


def distil(
    source: Path,
    out: Path,
    *,
    devices: Any,
    recipe: str | None = None,
    inputs: np.ndarray | None = None,
    seed: int = 0,
    command: str = "",
    dataset: str = "",
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> dict[str, Any]:
    """Fit a TD-KAN to the KAN of B-splines in ``source`` and write its checkpoint; the report.

    Each of the teacher's inputs has the DACs of recipe ``function-d2``, and each of its hidden
    nodes as many copies, on as many ranges of volts. Every edge is fitted by least squares where
    the data are; then all is trained together on the teacher's answers.

    Parameters
    ----------
    source
        A state dictionary of efficient-kan or pykan.
    devices
        As for ``resolve``.
    recipe
        How it is trained end to end; by default ``function-finetune``.
    inputs
        (B, I) to learn on, of which a fifth judges; by default 2,500 and 500 drawn evenly from the
        range of the teacher's knots.
    seed
        Of those, and of the training.

    Raises
    ------
    CheckpointError, DataError, DeviceError, SettingsError
        If the file, the inputs, a device or the recipe cannot be used; nothing is written then.
    """
    checkpoint.require_replaceable(out)
    teacher, curves = read_teacher(source), resolve(devices)
    plan = load_recipe(recipe or FINISH)
    x = _inputs(teacher, inputs, np.random.default_rng(seed))
    every = checked(source.stem, x, teacher.nodes(x)[-1], str(source), task="regression")
    tested = TESTED if inputs is None else max(1, len(x) // 5)
    learned, judged = every.take(np.arange(len(x) - tested)), every.take(
        np.arange(len(x) - tested, len(x))
    )  # fmt: skip
    targets = targets_of(learned)
    encoding = _encoding(learned.x, load_recipe(SHAPE).taps)
    model, edges = fitted(teacher, learned.x, encoding, targets, curves)
    facts: dict[str, Any] = {"name": out.stem, "dataset": dataset or source.stem}
    about: dict[str, Any] = facts | {"targets": targets}
    spec = model.to_spec(encoding, **about, calibration=learned.x)
    done = train(learned, plan, seed=seed, start=(model, spec), on_epoch=on_epoch)
    final = done.model.to_spec(encoding, **about, calibration=done.calibration)
    origin = {"command": command, "source": source.name, "sha256": sha256(source)}
    checkpoint.save(
        done.model, out, encoding=encoding, **about, calibration=done.calibration, training=origin
    )
    return {
        "model": out,
        **origin,
        "teacher": teacher.kind,
        "teacher_sizes": list(teacher.sizes),
        "sizes": list(final.sizes),
        "parameters": sum(p.numel() for p in done.model.parameters()),
        "unit": unit_of(targets),
        "n": tested,
        "edge_rms": edges,
        "edge_by_edge": _apart(spec, judged).document(),
        "end_to_end": _apart(final, judged).document(),
    }


def _inputs(teacher: Teacher, given: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """(B, I) inputs, those to judge by at the end."""
    width = teacher.sizes[0]
    if given is None:
        return rng.uniform(*teacher.layers[0].ends, (POINTS + TESTED, width))
    x = given.reshape(len(given), -1).astype(np.float64)
    if x.shape[1] != width or len(x) < 10:
        raise DataError(
            f"inputs of shape {given.shape} for a network that takes {width}: give at least ten "
            f"points (n, {width})"
        )
    return x[rng.permutation(len(x))]


def _encoding(x: np.ndarray, taps: Any) -> Encoding:
    """Each input on its own range, and the recipe's taps."""
    lo, hi = x.min(axis=0), x.max(axis=0)
    if (lo == hi).any():
        raise DataError(
            f"input {int(np.argmax(lo == hi))} is the same at every point: leave it out"
        )
    volts = [float(v) for tap in taps for v in tap]
    return Encoding(
        x_lo=float(lo.min()), x_hi=float(hi.max()), v_lo=min(volts), v_hi=max(volts),
        shape=(x.shape[1],), ranges=tuple(zip(map(float, lo), map(float, hi), strict=True)),
        taps=tuple((float(a), float(b)) for a, b in taps),
    )  # fmt: skip


def fitted(
    teacher: Teacher,
    x: np.ndarray,
    encoding: Encoding,
    targets: Targets,
    curves: tuple[IVCurve, ...],
) -> tuple[TDKAN, dict[str, float]]:
    """The student with every edge fitted on ``x`` (B, I), in float64; and how well edges fit.

    That is the rms of what an edge misses as a share of its own rms about its mean: median and
    largest, over edges of at least a hundredth of their layer's largest.
    """
    taps = np.array(encoding.taps)
    inner = [width * len(taps) for width in teacher.sizes[1:-1]]
    sizes = (encoding.width, *inner, teacher.sizes[-1])
    model = TDKAN(TDKANConfig(sizes=sizes, curves=curves, norm="none")).double().eval()
    nodes = [x, *teacher.nodes(x)]
    volts, missed = encoding.volts(x), []
    for k, (layer, made) in enumerate(zip(teacher.layers, model.layers, strict=True)):
        wanted, y = layer.edges(nodes[k]), nodes[k + 1]
        phi = made.basis.values(torch.from_numpy(volts)).numpy()
        theta, offset, shares = _edges(phi, wanted, len(taps))
        missed += shares
        bias = layer.shift + offset
        lo, hi = y.min(axis=0), y.max(axis=0)
        room = SPARE * np.where(hi > lo, hi - lo, 1.0)
        lo, hi = lo - room, hi + room
        if k + 1 < len(teacher.layers):  # node h becomes its copies, one a tap
            scale = ((taps[:, 1] - taps[:, 0]) / (hi - lo)[:, None]).ravel()
            shift = (taps[:, 0] - lo[:, None] * scale.reshape(len(lo), -1)).ravel()
            theta, bias = theta.repeat(len(taps), axis=1), bias.repeat(len(taps))
            volts = y.repeat(len(taps), axis=1) * scale + shift
        else:
            scale = 2 / targets.span
            shift = -1 - np.array(targets.low) * scale
        with torch.no_grad():
            made.theta.copy_(torch.from_numpy(theta * scale[None, :, None]))
            made.bias.copy_(torch.from_numpy(bias * scale + shift))
    return model, {"median": float(np.median(missed)), "largest": float(np.max(missed))}


def _edges(
    phi: np.ndarray, wanted: np.ndarray, taps: int
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """theta (I T, O, D) and offsets (O,) that make edges ``wanted`` (B, I, O) of ``phi``
    (B, I T, D); and what each misses, as a share of its rms."""
    n, wide, n_dev = phi.shape
    sources, outputs = wanted.shape[1:]
    theta, offset, shares = np.zeros((wide, outputs, n_dev)), np.zeros(outputs), []
    for i in range(sources):
        basis = phi[:, i * taps : (i + 1) * taps].reshape(n, -1)
        middle, mean = basis.mean(axis=0), wanted[:, i].mean(axis=0)
        a, b = basis - middle, wanted[:, i] - mean
        gram = a.T @ a / n
        gram += RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
        found = np.linalg.solve(gram, a.T @ b / n)
        theta[i * taps : (i + 1) * taps] = found.reshape(taps, n_dev, outputs).transpose(0, 2, 1)
        offset += mean - middle @ found
        own, left = b.std(axis=0), (b - a @ found).std(axis=0)
        shares.append((own, left))
    own, left = (np.array(part) for part in zip(*shares, strict=True))
    counted = own >= own.max() / 100
    return theta, offset, list(left[counted] / np.maximum(own[counted], 1e-300))


def _apart(spec: NetworkSpec, images: ImageSet) -> Distance:
    """How far the student is from the teacher."""
    assert spec.targets is not None
    return distance(spec.targets, images.y, spec.targets.values(spec.logits(images.x)))
