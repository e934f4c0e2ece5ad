"""The card beside a model: what it is, the command that made it, what it reaches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import ImageSet
from ..data.images import REGRESSION, check_answers
from ..files import sha256, write_text
from ..intervals import wilson
from ..network.measures import Distance, distance, format_value, line_said, straight_line, unit_of
from ..network.record import Reached
from ..network.spec import NetworkSpec
from ..text import percent


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One reading of a test set by the float64 software model.

    Attributes
    ----------
    what, n
        Which it was, and how many images.
    accuracy, ci95
        Shares of them; None of a regression.
    apart, unit
        Of a regression: how far it is from the targets, in that unit.
    line
        Of a regression: RMSE of a straight line through the training points, on the same images.
    out_of_range
        Share of hidden diode voltages outside the range of any device.
    hidden_volts
        Their extremes.
    """

    what: str
    n: int
    accuracy: float | None = None
    ci95: tuple[float, float] | None = None
    apart: Distance | None = None
    unit: str = ""
    line: float | None = None
    out_of_range: float
    hidden_volts: tuple[float, float]

    def reached(self, images: ImageSet) -> Reached:
        """What checkpoint and BUILD keep of it; it is of ``images``."""
        return Reached(
            accuracy=self.accuracy, rmse=None if self.apart is None else self.apart.rmse,
            line=self.line, unit=self.unit, n=self.n, images=images.said, dataset=images.name,
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        """For JSON: what a classifier or a regression reaches."""
        if self.apart is None:
            return {"accuracy": self.accuracy, "ci95": self.ci95}
        return {
            "task": REGRESSION,
            "rmse": self.apart.rmse,
            "ci95": self.apart.rmse_ci95,
            "max_abs": self.apart.max_abs,
            "r2": self.apart.r2,
            "share_of_span": self.apart.share,
            "unit": self.unit,
            "rmse_line": self.line,
        }

    @property
    def said(self) -> str:
        """The figure with its interval, in Markdown."""
        images = f"{self.n:,} {'images' if self.apart is None else 'points'} ({self.what})"
        if self.apart is None:
            assert self.accuracy is not None and self.ci95 is not None
            low, high = (100 * end for end in self.ci95)
            return (
                f"**{100 * self.accuracy:.2f} %** on {images}, 95 % interval {low:.2f} to "
                f"{high:.2f} (Wilson)"
            )
        pair = self.apart.rmse_ci95
        within = ""
        if pair is not None:
            low, high = (format_value(end, self.unit) for end in pair)
            within = f", 95 % interval {low} to {high} (bootstrap)"
        return (
            f"RMSE **{format_value(self.apart.rmse, self.unit)}** "
            f"({percent(self.apart.share, 3)} of span) on {images}{within}"
            f"{line_said(self.line, self.unit)}; largest error "
            f"{format_value(self.apart.max_abs, self.unit)}"
        )


def evaluate(
    spec: NetworkSpec, images: ImageSet, what: str, known: ImageSet | None = None
) -> Evaluation:
    """How right ``spec`` is on ``images``, which ``what`` names; of a regression also a straight
    line through the points of ``known``.

    Raises
    ------
    DataError
        If labels or targets are not what the network gives, or it classifies by one output.
    """
    check_answers(images, spec)
    volts = spec.dac_volts(images.flat(spec.encoding.shape))
    outputs = spec.layer_outputs(volts)
    hidden = [
        layer.diode_volts(z) for layer, z in zip(spec.layers[1:], outputs[:-1], strict=True)
    ] or [volts]
    found: dict[str, Any] = {}
    if spec.targets is None:
        correct = int((outputs[-1].argmax(axis=1) == images.y).sum())
        found = {"accuracy": correct / len(images), "ci95": wilson(correct, len(images))}
    else:
        apart = distance(spec.targets, images.y, spec.targets.values(outputs[-1]))
        found = {"apart": apart, "unit": unit_of(spec.targets)}
        if known is not None:
            given, asked = (one.x.reshape(len(one), -1) for one in (known, images))
            line = straight_line(given, asked, known.y)
            found["line"] = distance(spec.targets, images.y, line, ci95=False).rmse
    return Evaluation(
        what=what,
        n=len(images),
        **found,
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
        **({"command": f"`{command}`"} if command else {"made by": "a Python program"}),
        **({} if spec.targets is None else {"gives": spec.targets.said}),
        **facts,
        "accuracy" if spec.targets is None else "error": found.said,
        "hidden voltages": f"{found.hidden_volts[0]:.2f} to {found.hidden_volts[1]:.2f} V; "
        f"{100 * found.out_of_range:.2f} % outside a device's range, on {found.what}",
        "largest coefficient": f"{theta.max():.4g} (folded)",
        "sha256": f"`{sha256(model)}`",
    }
    lines = [f"# {model.stem}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in rows.items()]
    write_text(path, "\n".join(lines) + "\n")
