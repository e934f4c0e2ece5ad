"""The card beside a model: what it is, the command that made it, what it reaches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import ImageSet
from ..data.images import check_labels
from ..files import sha256, write_text
from ..intervals import wilson
from ..network.record import Reached
from ..network.spec import NetworkSpec


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One reading of a test set by the float64 software model.

    ``accuracy`` and ``ci95`` are shares of ``n`` images; ``out_of_range`` is the share of hidden
    diode voltages outside the range of any device; ``hidden_volts`` their extremes.
    """

    what: str
    n: int
    accuracy: float
    ci95: tuple[float, float]
    out_of_range: float
    hidden_volts: tuple[float, float]

    def reached(self, images: ImageSet) -> Reached:
        """What checkpoint and BUILD keep of it; it is of ``images``."""
        return Reached(accuracy=self.accuracy, n=self.n, images=images.said, dataset=images.name)


def evaluate(spec: NetworkSpec, images: ImageSet, what: str) -> Evaluation:
    """Accuracy of ``spec`` on ``images``, which ``what`` names.

    Raises
    ------
    DataError
        If a label is none of the network's outputs, or there is one output only.
    """
    check_labels(images, spec.sizes[-1], spec.name)
    volts = spec.dac_volts(images.flat(spec.encoding.shape))
    outputs = spec.layer_outputs(volts)
    correct = int((outputs[-1].argmax(axis=1) == images.y).sum())
    hidden = [
        layer.diode_volts(z) for layer, z in zip(spec.layers[1:], outputs[:-1], strict=True)
    ] or [volts]
    return Evaluation(
        what=what,
        n=len(images),
        accuracy=correct / len(images),
        ci95=wilson(correct, len(images)),
        out_of_range=spec.out_of_range(volts),
        hidden_volts=(min(float(z.min()) for z in hidden), max(float(z.max()) for z in hidden)),
    )


def parameter_count(spec: NetworkSpec) -> int:
    """Parameters: theta, biases, and two a normed hidden node."""
    pairs = itertools.pairwise(spec.layers)  # a convolution's channels are normed
    norms = sum(2 * before.theta.shape[1] for before, layer in pairs if layer.norm is not None)
    return norms + sum(layer.theta.size + layer.bias.size for layer in spec.layers)


def is_card(path: Path) -> bool:
    """Whether ``write_card`` wrote it."""
    return path.is_file() and "| sha256 |" in path.read_text(encoding="utf-8", errors="replace")


def write_card(
    path: Path,
    spec: NetworkSpec,
    found: Evaluation,
    *,
    model: Path,
    command: str,
    facts: dict,
    parameters: int,
) -> None:
    """Write a Markdown card for the checkpoint ``model``; ``facts`` become further rows."""
    devices = ", ".join(curve.name for curve in spec.layers[0].curves)
    theta = np.concatenate([np.abs(layer.theta).ravel() for layer in spec.folded().layers])
    rows = {
        "network": f"TD-KAN {spec.widths}, devices {devices}",
        "parameters": f"{parameters:,}",
        "command": f"`{command}`",
        **facts,
        "accuracy": f"**{100 * found.accuracy:.2f} %** on {found.n:,} images ({found.what}), "
        f"95 % interval {100 * found.ci95[0]:.2f} to {100 * found.ci95[1]:.2f} (Wilson)",
        "hidden voltages": f"{found.hidden_volts[0]:.2f} to {found.hidden_volts[1]:.2f} V; "
        f"{100 * found.out_of_range:.2f} % outside a device's range",
        "largest coefficient": f"{theta.max():.4g} (folded)",
        "sha256": f"`{sha256(model)}`",
    }
    lines = [f"# {model.stem}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in rows.items()]
    write_text(path, "\n".join(lines) + "\n")
