"""Power of a circuit by block, layer and image, from its solved DC voltages.

Axes: M chips, K layers, n images; B points of a deck, P positions of a convolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.build import Build
from ..compiler.circuit import Circuit
from ..compiler.design import Design
from ..compiler.sections import Section
from ..compiler.spice_cells import TEMPERATURE_C
from ..data import ImageSet
from .stage_power import CROSSBAR, DELIVERED, DISSIPATED, DeckPower, StagePower

Values = npt.NDArray[Any]
BLOCK = 256
"""Points that are solved at once, to bound memory."""
FLOOR = 1e-6
"""Share of an image's power below which a block's is not compared with itself but with this."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockPower:
    """Where power goes, and where it comes from.

    A convolution's is the sum over its positions: of so many copies side by side, or of one that
    takes so many times as long.

    Attributes
    ----------
    dissipated
        Watts (M, K, n) by block; ``stage_power.DISSIPATED``.
    delivered
        Watts (M, K, n) by block whose sources give them; ``stage_power.DELIVERED``.
    """

    dissipated: dict[str, Values]
    delivered: dict[str, Values]

    @property
    def total(self) -> Values:
        """Watts (M, n) that are dissipated."""
        return sum(self.dissipated.values(), np.zeros(())).sum(axis=1)

    @property
    def tellegen(self) -> Values:
        """|delivered - dissipated| / delivered, (M, n)."""
        delivered = sum(self.delivered.values(), np.zeros(())).sum(axis=1)
        return np.abs(delivered - self.total) / np.abs(delivered)


@dataclass(frozen=True, eq=False, kw_only=True)
class PowerResult(BlockPower):
    """The same in closed form, with what a model of the supplies needs, and maps.

    Attributes
    ----------
    currents
        Amperes (M, K, n) by block of ``delivered``: the sum of |current| out of its sources.
    peaks
        Amperes (M, k) by block, a layer each: the largest of every source over all images.
    through
        Amperes (M, K, n) that transistor pairs take from supply to supply.
    positions
        How often each layer is there, or used, for an image.
    rows, lines
        Watts (M, n, R) of each row's diode, feedback and cells, and (M, n, 2 O) of each line's
        cells and feedback, a layer each; empty if they were not asked for. Circuits that share a
        layer's outputs out follow each other.
    """

    currents: dict[str, Values]
    peaks: dict[str, tuple[Values, ...]]
    through: Values
    positions: tuple[int, ...]
    rows: tuple[Values, ...] = ()
    lines: tuple[Values, ...] = ()


def power_of(
    build: Build,
    images: ImageSet | Values,
    *,
    temp_c: float = TEMPERATURE_C,
    chips: Sequence[Circuit] = (),
    maps: bool = False,
) -> PowerResult:
    """Power of a build's circuit, or of ``chips`` of it, in closed form.

    Parameters
    ----------
    build
        One deck or several; what is held between them flows as their closed form gives it.
    images
        Images, or volts (n, W) at the first inputs.
    temp_c
        Degrees Celsius.
    chips
        Circuits of the build's shape; without them its own.
    maps
        Whether ``rows`` and ``lines`` are wanted, which are as large as images times rows.

    Raises
    ------
    SimulationError
        If a cell has no closed form, or tells no power.
    """
    volts = volts_of(build, images)
    found = [_of_one(build, chip, volts, temp_c, maps) for chip in chips or (None,)]
    first = found[0]
    layers = range(len(first.positions))
    return PowerResult(
        dissipated=_stacked([one.dissipated for one in found]),
        delivered=_stacked([one.delivered for one in found]),
        currents=_stacked([one.currents for one in found]),
        peaks={
            block: tuple(np.stack([one.peaks[block][k] for one in found]) for k in layers)
            for block in DELIVERED
        },
        through=np.stack([one.through for one in found]),
        positions=tuple(first.positions),
        rows=tuple(np.stack([one.rows[k] for one in found]) for k in layers) if maps else (),
        lines=tuple(np.stack([one.lines[k] for one in found]) for k in layers) if maps else (),
    )


def volts_of(build: Build, images: ImageSet | Values) -> Values:
    """Volts (n, W) at the first inputs."""
    if not isinstance(images, ImageSet):
        return images
    return build.spec.dac_volts(images.flat(build.spec.encoding.shape))


def compared(one: BlockPower, judge: BlockPower) -> dict[str, float]:
    """The largest relative difference of every block's watts, over layers and images.

    The judge may tell what a crossbar dissipates together, as ``crossbar``. What is below ``FLOOR``
    of its image's power is compared with that.
    """
    floor = FLOOR * judge.total[:, None]
    found = {}
    for what in ("dissipated", "delivered"):
        own, other = getattr(one, what), getattr(judge, what)
        if "crossbar" in other:
            together = sum(own[block] for block in CROSSBAR)
            own = {k: v for k, v in own.items() if k not in CROSSBAR} | {"crossbar": together}
        for block in own.keys() | other.keys():
            near, far = own[block], other[block]
            scale = np.maximum(np.abs(far), floor)
            found[f"{block} {what}"] = float((np.abs(near - far) / scale).max())
    return found


def _stacked(parts: Sequence[dict[str, Values]]) -> dict[str, Values]:
    return {block: np.stack([part[block] for part in parts]) for block in parts[0]}


def _of_one(build: Build, chip: Circuit | None, volts: Values, temp_c: float, maps: bool) -> _Sums:
    found = _Sums(sum(s.last - s.first + 1 for s in build.sections), len(volts))
    held = volts
    for section, designs in designs_of(build, chip):
        p = section.positions
        images, outputs = max(1, BLOCK // p), []
        for design in designs:
            deck, parts, given = DeckPower(design, temp_c), [], []
            for k in range(0, len(volts), images):
                stages, out = deck.at(section.points(held[k : k + images]))
                parts.append([_by_image(stage, p, maps) for stage in stages])
                given.append(out / design.v_per_logit)  # what is held is volts a unit
            for k, of_stage in enumerate(zip(*parts, strict=True)):
                found.add(section.first + k, p, of_stage)
            outputs.append(np.concatenate(given))
        held = np.concatenate(outputs, axis=1).reshape(len(volts), -1)
    return found


def designs_of(build: Build, chip: Circuit | None) -> Iterator[tuple[Section, Iterator[Design]]]:
    """Sections in the order of the signal, each with its circuits' designs: one at a time, or a
    chip's."""
    if chip is None:
        for section in build.sections:
            yield section, (deck.design for deck in build.decks(section))
        return
    for section, links in chip.sections():
        yield section, (link.design for link in links)


@dataclass(frozen=True, eq=False)
class _Part:
    """A block of images of a stage: arrays (b,), the peaks (k,), the maps (b, R) and (b, 2 O)."""

    dissipated: dict[str, Values]
    delivered: dict[str, Values]
    currents: dict[str, Values]
    peaks: dict[str, Values]
    through: Values
    rows: Values
    lines: Values


def _by_image(stage: StagePower, positions: int, maps: bool) -> _Part:
    def added(values: Values) -> Values:
        return values.reshape(-1, positions, *values.shape[1:]).sum(axis=1)

    def each(blocks: dict[str, Values]) -> dict[str, Values]:
        return {block: added(watts) for block, watts in blocks.items()}

    nothing = np.zeros((0, 0))
    return _Part(
        dissipated=each(stage.dissipated),
        delivered=each(stage.delivered),
        currents={block: added(i.sum(axis=1)) for block, i in stage.currents.items()},
        peaks={block: i.max(axis=0) for block, i in stage.currents.items()},
        through=added(stage.through),
        rows=added(stage.rows) if maps else nothing,
        lines=added(stage.lines) if maps else nothing,
    )


class _Sums:
    """What is added up over the decks of one circuit, arrays (K, n)."""

    def __init__(self, layers: int, n: int) -> None:
        def empty(blocks: Iterable[str]) -> dict[str, Values]:
            return {block: np.zeros((layers, n)) for block in blocks}

        self.dissipated, self.delivered = empty(DISSIPATED), empty(DELIVERED)
        self.currents = empty(DELIVERED)
        self.through = np.zeros((layers, n))
        self.peaks = {block: [np.zeros(0)] * layers for block in DELIVERED}
        self.positions = [1] * layers
        self.rows, self.lines = [np.zeros((n, 0))] * layers, [np.zeros((n, 0))] * layers

    def add(self, layer: int, positions: int, parts: Sequence[_Part]) -> None:
        """Add a stage of a deck, whose images are in ``parts``."""
        self.positions[layer] = positions
        for name in ("dissipated", "delivered", "currents"):
            for block in getattr(parts[0], name):
                together = np.concatenate([getattr(part, name)[block] for part in parts])
                getattr(self, name)[block][layer] += together
        for block in parts[0].peaks:
            largest = np.max([part.peaks[block] for part in parts], axis=0)
            self.peaks[block][layer] = np.concatenate([self.peaks[block][layer], largest])
        self.through[layer] += np.concatenate([part.through for part in parts])
        for maps, name in ((self.rows, "rows"), (self.lines, "lines")):
            joined = np.concatenate([getattr(part, name) for part in parts])
            if joined.size:
                maps[layer] = np.concatenate([maps[layer], joined], axis=1)
