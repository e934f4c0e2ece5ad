"""Sections: where a network is cut into circuits between which its values are held.

A section is a run of layers that is one circuit, or a layer whose outputs are shared out to several
(tile groups); a convolution's section is run at each of its P positions. What is held is the volts
that drive the next diodes, and between sections it is gathered, never computed.

Axes: N calibration images, W held values, I inputs, O outputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..network.encoding import Encoding
from ..network.patches import Patches
from ..network.spec import LayerSpec, NetworkSpec
from ..network.targets import Targets

MOST_RESISTORS = 1_500_000
"""Crossbar resistors in one circuit, unless told otherwise; ngspice takes 1.8 kB each."""
CALIBRATION_POINTS = 2048
"""Of a convolution's positions and images that size the gains of its section."""
HELD_RANGE = 10.0
"""Volts either way that a held input may be said to have, where nothing was calibrated."""


@dataclass(frozen=True)
class Section:
    """Layers ``first`` to ``last`` of a network, as circuits that share the last one's outputs.

    Attributes
    ----------
    number
        In the order of the signal.
    first, last
        Layers, both of them in it; the same one if outputs are shared out.
    patches
        What its positions see, if it is a convolution.
    outputs
        From and to, of each circuit.
    """

    number: int
    first: int
    last: int
    patches: Patches | None
    outputs: tuple[tuple[int, int], ...]

    @property
    def positions(self) -> int:
        """How often it is run for an image."""
        return 1 if self.patches is None else self.patches.count

    def names(self) -> list[str]:
        """Of its circuits: ``s0``, or ``s0_00``, ``s0_01`` and so on."""
        if len(self.outputs) == 1:
            return [f"s{self.number}"]
        width = len(str(len(self.outputs) - 1))
        return [f"s{self.number}_{k:0{width}d}" for k in range(len(self.outputs))]

    def points(self, held: np.ndarray) -> np.ndarray:
        """Inputs (B P, I) of its circuits for held values (B, W)."""
        if self.patches is None:
            return held
        return self.patches.gather(held).reshape(-1, self.patches.size)

    def numbers(self, index: np.ndarray) -> np.ndarray:
        """Numbers (B P,) of its points for images ``index`` (B,)."""
        return (index[:, None] * self.positions + np.arange(self.positions)).ravel()


def whole(spec: NetworkSpec) -> tuple[Section, ...]:
    """The one section of a network that is one deck."""
    return (Section(0, 0, len(spec.layers) - 1, None, ((0, spec.sizes[-1]),)),)


def divide(spec: NetworkSpec, most: int = MOST_RESISTORS) -> tuple[Section, ...]:
    """Sections of ``spec``, folded, with at most ``most`` crossbar resistors a circuit if it can
    be: an output is not divided, and bias rows are not counted."""
    found: list[Section] = []
    run: list[int] = []

    def close() -> None:
        if run:
            outputs = spec.layers[run[-1]].theta.shape[1]
            found.append(Section(len(found), run[0], run[-1], None, ((0, outputs),)))
            run.clear()

    for k, layer in enumerate(spec.layers):
        share = max(1, most // (2 * layer.theta[:, 0].size))  # outputs
        fits = layer.patches is None and layer.theta.shape[1] <= share
        if fits and sum(2 * spec.layers[j].theta.size for j in (*run, k)) <= most:
            run.append(k)
            continue
        close()
        if fits:
            run.append(k)
            continue
        width = layer.theta.shape[1]
        count = -(-width // share)
        ends = [width * j // count for j in range(count + 1)]
        slices = tuple(itertools.pairwise(ends))
        found.append(Section(len(found), k, k, layer.patches, slices))
    close()
    return tuple(found)


def circuits(spec: NetworkSpec, sections: tuple[Section, ...]) -> Iterator[tuple[str, NetworkSpec]]:
    """Name and network of every circuit of ``spec``, folded and cut into ``sections``."""
    held: list[np.ndarray] = []
    if spec.calibration is not None and len(spec.calibration):
        volts = spec.dac_volts(spec.calibration)
        held = [volts, *spec.layer_outputs(volts)]
    for section in sections:
        points = section.points(held[section.first]) if held else None
        for name, (start, stop) in zip(section.names(), section.outputs, strict=True):
            layers = [replace(layer, patches=None) for layer in spec.layers[section.first :]]
            layers = layers[: section.last - section.first + 1]
            layers[-1] = _outputs(layers[-1], start, stop)
            part = _circuit(spec, section, tuple(layers), points, f"{spec.name} {name}")
            yield name, replace(part, targets=targets_of(spec, section, start, stop))


def targets_of(spec: NetworkSpec, section: Section, start: int, stop: int) -> Targets | None:
    """What outputs ``start`` to ``stop`` of a section stand for: nothing inside the network."""
    inside = section.last + 1 < len(spec.layers)
    return None if spec.targets is None or inside else spec.targets.part(start, stop)


def _outputs(layer: LayerSpec, start: int, stop: int) -> LayerSpec:
    """``layer`` with outputs ``start`` to ``stop`` alone."""
    return replace(layer, theta=layer.theta[:, start:stop], bias=layer.bias[start:stop])


def _circuit(
    spec: NetworkSpec,
    section: Section,
    layers: tuple[LayerSpec, ...],
    points: np.ndarray | None,
    name: str,
) -> NetworkSpec:
    if section.first == 0 and section.patches is None:
        return replace(spec, name=name, layers=layers, targets=None)
    if section.first == 0:
        lo, hi = min(spec.encoding.v_lo, 0.0), max(spec.encoding.v_hi, 0.0)  # and ground
    else:
        reach = HELD_RANGE if points is None else max(1.0, 2 * float(np.abs(points).max()))
        lo, hi = -reach, reach
    if points is not None and len(points) > CALIBRATION_POINTS:
        chosen = np.linspace(0, len(points) - 1, CALIBRATION_POINTS).astype(int)
        points = points[chosen]
    shape = (layers[0].theta.shape[0],)
    return NetworkSpec(
        name=name,
        layers=layers,
        encoding=Encoding(x_lo=lo, x_hi=hi, v_lo=lo, v_hi=hi, shape=shape),
        dataset=spec.dataset,
        calibration=points,
        held=section.first > 0,
    )
