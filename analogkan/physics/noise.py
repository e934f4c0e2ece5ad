# pyright: strict
"""Noise of a whole circuit: the full covariance of its outputs at each image, by the twin.

Axes: B images, L layers, K blocks, O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.design import Design
from ..compiler.hardware import Hardware
from ..compiler.spice_cells import TEMPERATURE_C
from ..errors import ConvergenceError, SimulationError
from .assumptions import Assumptions
from .blocks import NOISY
from .capacitors import capacitors_of
from .deck import dynamic_design
from .noise_front import driven_slopes
from .noise_loops import loops_of
from .noise_paths import Linear, trace_back
from .noise_point import Point, points_of
from .noise_sources import Node, diode_noise, nodes_of, thermal_energy

Values = npt.NDArray[Any]
PER_DECADE = 40
"""Frequencies a decade: rows ring, and fewer miss it (10 of them by 2 % of the rms)."""
MOST_PER_DECADE = 1280
FEWER = 4
"""Times fewer for what only says how close a kink is, and what would be on its other side."""
MOVES = 0.005
"""Share of an output's rms by which twice as many frequencies may move it."""
ENTRIES = 100_000
"""Of the matrices of the images that are worked out at once."""
BEYOND = 10.0
"""Times the gain-bandwidth product: from there on an op-amp's gain is far below 1, and what it
gives falls as 1/f^2."""
BELOW = 10.0
"""Times below the lowest pole: from there down nothing changes but 1/f."""


DC = Node(f=0.0, width=0.0, coarse=0.0, e_n=0.0, i_n=0.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Noise:
    """Noise at the outputs of a circuit, for each of B images.

    Attributes
    ----------
    volts
        (B, O) the outputs themselves.
    covariance
        (B, O, O) V^2.
    shares
        (B, K, L, O) V^2 of each block of each layer: they add up to the variances.
    transfer
        (B, O, I) volts at the outputs per volt at the inputs, slowly.
    blocks
        Names of the K blocks.
    hidden
        Of each layer but the last the noise (B, O) at its outputs, volts rms.
    at_kinks
        (B,) diodes within three standard deviations of a kink of their curve.
    other
        (B, O) volts rms at the outputs if each of these were on the kink's other side.
    moved
        Share of an rms by which the last doubling of frequencies moved it, at most.
    per_decade
        Frequencies a decade.
    """

    volts: Values
    covariance: Values
    shares: Values
    transfer: Values
    blocks: tuple[str, ...] = NOISY
    hidden: tuple[Values, ...]
    at_kinks: Values
    other: Values
    moved: float
    per_decade: int

    @property
    def rms(self) -> Values:
        """(B, O) volts."""
        return np.sqrt(np.einsum("boo->bo", self.covariance))


def noise_of_design(
    design: Design, volts: Values, assumed: Assumptions, *, temp_c: float = TEMPERATURE_C
) -> Noise:
    """The noise of one deck's circuit, or of one chip of it, for ``volts`` (B, I) at its inputs.

    Its op-amps are taken to have one pole, at the ``gbw`` of its stages, and ``capacitors_of`` it.

    Raises
    ------
    SimulationError
        If its op-amps are ideal or unknown, or an amplifier oscillates.
    ConvergenceError
        If no number of frequencies suffices.
    """
    dynamic_design(design)  # which has no ideal op-amps
    per_decade = PER_DECADE
    together = max(
        1, ENTRIES // (design.stages[-1].gain.size * max(s.r_f.size for s in design.stages))
    )
    while True:
        parts = [
            _noise(design, volts[k : k + together], assumed, temp_c, per_decade)
            for k in range(0, len(volts), together)
        ]
        found = joined(parts)
        if found.moved < MOVES:
            return found
        per_decade *= 2
        if per_decade > MOST_PER_DECADE:
            raise ConvergenceError(
                f"noise: {MOST_PER_DECADE} frequencies a decade still move an output's rms by "
                f"{100 * found.moved:.2g} %, more than {100 * MOVES:g} %: an amplifier is close to "
                "oscillating, raise zeta or c_f"
            )


def joined(parts: Sequence[Noise]) -> Noise:
    """Images one after the other."""
    names = ("volts", "covariance", "shares", "transfer", "at_kinks", "other")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    hidden = zip(*(part.hidden for part in parts), strict=True)
    return replace(
        parts[0],
        **joined,
        hidden=tuple(np.concatenate(layer) for layer in hidden),
        moved=max(part.moved for part in parts),
    )


def _noise(
    design: Design, volts: Values, assumed: Assumptions, temp_c: float, per_decade: int
) -> Noise:
    points = points_of(design, volts, temp_c)
    stages = _linear(design, points, assumed, temp_c)
    hardware = design.hardware
    highest = BEYOND * largest_gbw(design)
    nodes = _nodes(stages, highest, assumed, per_decade)
    found = Sum(len(volts), len(stages), points[-1].outputs.shape[1], full=True)
    for node in nodes:
        found.add(stages, node, hardware, temp_c)
    few = _nodes(stages, highest, assumed, per_decade // FEWER)
    hidden: list[Values] = []
    for k in range(1, len(stages)):
        before = Sum(len(volts), k, points[k - 1].outputs.shape[1], full=False)
        for node in few:
            before.add(stages[:k], node, hardware, temp_c)
        hidden.append(np.sqrt(before.variance))
    near = [
        (point.kinks < 3 * _at_diodes(stage, few, temp_c, None if k == 0 else hidden[k - 1]))
        & (point.others != point.slopes)
        for k, (point, stage) in enumerate(zip(points, stages, strict=True))
    ]
    moved = [
        replace(point, slopes=np.where(here, point.others, point.slopes))
        for point, here in zip(points, near, strict=True)
    ]
    other = Sum(len(volts), len(stages), points[-1].outputs.shape[1], full=False)
    crossed = _linear(design, moved, assumed, temp_c)
    for node in few:
        other.add(crossed, node, hardware, temp_c)
    return Noise(
        volts=points[-1].outputs,
        covariance=found.covariance,
        shares=found.shares,
        transfer=np.real(trace_back(stages, DC, hardware, temp_c, _ignore)),
        hidden=tuple(hidden),
        at_kinks=np.sum([here.sum(axis=(1, 2)) for here in near], axis=0),
        other=np.sqrt(other.variance),
        moved=found.moved(),
        per_decade=per_decade,
    )


def _ignore(layer: int, x: Values, powers: Mapping[str, Values]) -> None:
    """No source is looked at."""


def _linear(
    design: Design, points: Sequence[Point], assumed: Assumptions, temp_c: float
) -> list[Linear]:
    found: list[Linear] = []
    for stage, point in zip(design.stages, points, strict=True):
        capacitors = capacitors_of(stage, design.hardware, assumed)
        loops = loops_of(stage, point, capacitors, design.hardware)
        shot = diode_noise(point.volts, point.currents, point.slopes, point.rests, assumed, temp_c)
        found.append(Linear(point=point, loops=loops, shot=shot))
    return found


def flat_below(design: Design, volts: Values, assumed: Assumptions, temp_c: float) -> float:
    """Hertz below which no amplifier's noise changes but by 1/f, at ``volts`` (B, I)."""
    return _lowest(_linear(design, points_of(design, volts, temp_c), assumed, temp_c)) / BELOW


def largest_gbw(design: Design) -> float:
    """Hertz: the largest gain-bandwidth product of any op-amp, squash cells' among them."""
    return max(design.hardware.gbw, *(float(stage.gbw.max()) for stage in design.stages))


def _nodes(
    stages: Sequence[Linear], highest: float, assumed: Assumptions, per_decade: int
) -> list[Node]:
    if assumed.f_low >= highest:
        raise SimulationError(
            f"noise from f_low = {assumed.f_low:g} Hz on: the amplifiers, of gbw = "
            f"{highest / BEYOND:g} Hz, pass none above {highest:g} Hz; lower f_low"
        )
    return nodes_of(_lowest(stages) / BELOW, highest, per_decade, assumed)


def _lowest(stages: Sequence[Linear]) -> float:
    """Hertz of the slowest pole."""
    # Of rows without their diodes: which images are worked out together makes no difference.
    loops = [
        loop for s in stages for loop in (replace(s.loops.rows, g=np.zeros(())), *s.loops.linear)
    ]
    return min(float(np.nanmin(np.abs(loop.poles()))) for loop in loops) / (2 * np.pi)


def _at_diodes(
    stage: Linear, nodes: Sequence[Node], temp_c: float, before: Values | None
) -> Values:
    """Noise across each diode (B, I, D), volts rms: of what drives it, and of its summing node.

    ``before`` (B, I) volts rms is that of the outputs of the stage before; None: of DACs, none.
    """
    point, row = stage.point, stage.loops.rows
    variance = np.zeros(point.slopes.shape)
    for node in nodes:
        siemens, z = row.siemens(node.s), row.inverse(node.s)
        amperes = stage.shot + 4 * thermal_energy(temp_c) / row.r + node.i_n
        own = np.abs(row.feedback(node.s)) ** 2 * node.e_n + np.abs(z) ** 2 * amperes
        variance += node.width * own / np.abs(siemens) ** 2
    if before is not None:
        variance += (before * driven_slopes(point))[..., None] ** 2
    return np.sqrt(variance)


class Sum:
    """Noise of ``outputs`` of ``images``, summed over frequencies and sources.

    Parameters
    ----------
    full
        Whether the covariance is summed, not the variances alone.
    """

    def __init__(self, images: int, layers: int, outputs: int, *, full: bool) -> None:
        self.covariance = np.zeros((images, outputs, outputs) if full else (images, 0, 0))
        self.variance = np.zeros((images, outputs))
        self.shares = np.zeros((images, len(NOISY), layers, outputs))
        self._coarse = np.zeros((images, outputs))

    def add(self, stages: Sequence[Linear], node: Node, hardware: Hardware, temp_c: float) -> None:
        """What a frequency stands for."""

        def take(layer: int, x: Values, powers: Mapping[str, Values]) -> None:
            squares = np.real(x) ** 2 + np.imag(x) ** 2
            for block, power in powers.items():
                density = node.width * (squares @ power[..., None])[..., 0]
                self.variance += density
                self._coarse += node.coarse / node.width * density
                self.shares[:, NOISY.index(block), layer] += density
            if self.covariance.size:
                power = node.width * np.repeat(sum(powers.values()), 2, axis=-1)
                parts = np.ascontiguousarray(x).view(float)
                self.covariance += (parts * power[:, None, :]) @ parts.swapaxes(1, 2)

        trace_back(stages, node, hardware, temp_c, take)

    def moved(self) -> float:
        """Share of an rms by which twice as many frequencies moved it, at most."""
        return float(np.abs(np.sqrt(self._coarse / self.variance) - 1).max())
