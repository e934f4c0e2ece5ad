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
from ..compiler.converters import rounded
from ..compiler.design import Design
from ..compiler.sections import Section
from ..compiler.spice_cells import TEMPERATURE_C
from ..data import ImageSet
from .blocks import AMPLIFIERS, CROSSBAR, DELIVERED, DISSIPATED
from .power_stage import DeckPower, StagePower

Values = npt.NDArray[Any]
BLOCK = 256
"""Points that are solved at once, to bound memory."""
FLOOR = 1e-6
"""Share of an image's power below which a block's is not compared with itself but with this."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PowerResult:
    """Where power goes, where it comes from, and what a model of the supplies needs.

    A convolution's is the sum over its positions: of so many copies side by side, or of one that
    takes so many times as long.

    Attributes
    ----------
    dissipated
        Watts (M, K, n) by block, see ``blocks.DISSIPATED``. ngspice tells those of a reduced
        crossbar together, as ``crossbar``.
    delivered
        Watts (M, K, n) by block whose sources give them, see ``blocks.DELIVERED``.
    currents
        Amperes (M, K, n) by block of ``delivered``: the absolute currents out of each amplifier,
        or source, added up.
    sourced
        Amperes (M, K, n): the part of them that flows out, and comes from the positive supply; the
        others flow in, and into the negative one.
    peaks
        Amperes (M, k) by block, a layer each: the largest of every one of them over all images.
    gbw
        Hertz (k,) by block of ``blocks.AMPLIFIERS``, a layer each: gain-bandwidth products.
    through
        Amperes (M, K, n) that transistor pairs take from supply to supply.
    positions
        How often each layer is there, or used, for an image.
    rows, lines
        Watts (M, n, R) of each row's diode, feedback and cells, and (M, n, 2 O) of each line's
        cells and feedback, a layer each; empty if they were not asked for. Circuits that share a
        layer's outputs out follow each other.
    """

    dissipated: dict[str, Values]
    delivered: dict[str, Values]
    currents: dict[str, Values]
    sourced: dict[str, Values]
    peaks: dict[str, tuple[Values, ...]]
    gbw: dict[str, tuple[Values, ...]]
    through: Values
    positions: tuple[int, ...]
    rows: tuple[Values, ...] = ()
    lines: tuple[Values, ...] = ()

    @property
    def total(self) -> Values:
        """Watts (M, n) that are dissipated."""
        return _all(self.dissipated)

    @property
    def tellegen(self) -> Values:
        """What is delivered without being dissipated, or the other way, as a share; (M, n)."""
        delivered = _all(self.delivered)
        return np.abs(delivered - self.total) / np.abs(delivered)


def _all(blocks: dict[str, Values]) -> Values:
    """(M, n) of (M, K, n) by block."""
    return np.sum(list(blocks.values()), axis=(0, 2))


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
        If a cell has no closed form or tells no power, or op-amps are a black box.
    """
    volts = volts_of(build, images)
    return joined([_of_one(build, chip, volts, temp_c, maps) for chip in chips or (None,)])


def volts_of(build: Build, images: ImageSet | Values) -> Values:
    """Volts (n, W) at the first inputs."""
    if not isinstance(images, ImageSet):
        return images
    volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape))
    return rounded(build.spec, build.hardware, volts)


def compared(one: PowerResult, judge: PowerResult) -> dict[str, float]:
    """The largest relative difference of every block's watts and currents, over layers and images.

    What is below ``FLOOR`` of its image's sum is compared with that.
    """
    found: dict[str, float] = {}
    for what in ("dissipated", "delivered", "currents", "sourced"):
        own, other = getattr(one, what), getattr(judge, what)
        if "crossbar" in other:
            together = np.sum([own[block] for block in CROSSBAR], axis=0)
            own = {k: v for k, v in own.items() if k not in CROSSBAR} | {"crossbar": together}
        floor = FLOOR * _all(other)[:, None]
        for block in own.keys() | other.keys():
            scale = np.maximum(np.abs(other[block]), floor)
            far = np.abs(own[block] - other[block]) / scale
            found[f"{what} {block}"] = float(far.max())
    return found


def _of_one(build: Build, chip: Circuit | None, volts: Values, temp_c: float, maps: bool) -> Sums:
    found, held = Sums(build, len(volts)), volts
    for section, designs in designs_of(build, chip):
        p = section.positions
        images, outputs = max(1, BLOCK // p), []
        for design in designs:
            deck, parts, given = DeckPower(design, temp_c, maps=maps), [], []
            for k in range(0, len(volts), images):
                stages, out = deck.at(section.points(held[k : k + images]))
                parts.append([by_image(stage, p) for stage in stages])
                given.append(out / design.v_per_logit)  # what is held is volts a unit
            found.add(section, parts, design)
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


# ---- points to images, decks to circuits, circuits to chips


@dataclass(frozen=True, eq=False)
class Part:
    """A block of images of a stage: arrays (b,), the peaks (k,), the maps (b, R) and (b, 2 O)."""

    dissipated: dict[str, Values]
    delivered: dict[str, Values]
    currents: dict[str, Values]
    sourced: dict[str, Values]
    peaks: dict[str, Values]
    through: Values
    rows: Values
    lines: Values


def by_image(stage: StagePower, positions: int) -> Part:
    """What ``stage`` has at points, added up over the ``positions`` of each image."""

    def added(values: Values) -> Values:
        shape = len(values) // positions, positions, *values.shape[1:]
        return values.reshape(shape).sum(axis=1)

    def each(blocks: dict[str, Values]) -> dict[str, Values]:
        return {block: added(watts) for block, watts in blocks.items()}

    return Part(
        dissipated=each(stage.dissipated),
        delivered=each(stage.delivered),
        currents={block: added(np.abs(i).sum(axis=1)) for block, i in stage.currents.items()},
        sourced={block: added(i.clip(0).sum(axis=1)) for block, i in stage.currents.items()},
        peaks={block: np.abs(i).max(axis=0) for block, i in stage.currents.items()},
        through=added(stage.through),
        rows=added(stage.rows),
        lines=added(stage.lines),
    )


class Sums:
    """What is added up over the decks of one circuit, for ``n`` images: arrays (K, n)."""

    def __init__(self, build: Build, n: int) -> None:
        layers = sum(section.last - section.first + 1 for section in build.sections)

        def empty(blocks: Iterable[str]) -> dict[str, Values]:
            return {block: np.zeros((layers, n)) for block in blocks}

        self.dissipated, self.delivered = empty(DISSIPATED), empty(DELIVERED)
        self.currents, self.sourced = empty(DELIVERED), empty(DELIVERED)
        self.through = np.zeros((layers, n))
        self.peaks = {block: [np.zeros(0)] * layers for block in DELIVERED}
        self.gbw = {block: [np.zeros(0)] * layers for block in AMPLIFIERS}
        self.positions = [1] * layers
        self.rows, self.lines = [np.zeros((n, 0))] * layers, [np.zeros((n, 0))] * layers

    def add(self, section: Section, parts: Sequence[Sequence[Part]], design: Design) -> None:
        """Add a deck of ``section``, of that ``design``: blocks of images, each with its stages."""
        for k, of_stage in enumerate(zip(*parts, strict=True)):
            layer = section.first + k
            self.positions[layer] = section.positions
            self._add(layer, of_stage)
            own = (*design.stages[k].gbw, design.hardware.gbw)
            for block, gbw in zip(AMPLIFIERS, own, strict=True):
                if block in of_stage[0].peaks:
                    more = np.full(of_stage[0].peaks[block].shape, gbw)
                    self.gbw[block][layer] = np.concatenate([self.gbw[block][layer], more])

    def _add(self, layer: int, parts: Sequence[Part]) -> None:
        for name in ("dissipated", "delivered", "currents", "sourced"):
            for block in getattr(parts[0], name):
                together = np.concatenate([getattr(part, name)[block] for part in parts])
                getattr(self, name)[block][layer] += together
        for block in parts[0].peaks:
            largest = np.max([part.peaks[block] for part in parts], axis=0)
            self.peaks[block][layer] = np.concatenate([self.peaks[block][layer], largest])
        self.through[layer] += np.concatenate([part.through for part in parts])
        for maps, name in ((self.rows, "rows"), (self.lines, "lines")):
            together = np.concatenate([getattr(part, name) for part in parts])
            maps[layer] = np.concatenate([maps[layer], together], axis=1)


def joined(chips: Sequence[Sums]) -> PowerResult:
    """The chips of a study, stacked."""

    def stacked(name: str) -> dict[str, Values]:
        return {
            block: np.stack([getattr(chip, name)[block] for chip in chips])
            for block in getattr(chips[0], name)
        }

    def by_layer(lists: Sequence[Sequence[Values]]) -> tuple[Values, ...]:
        return tuple(np.stack(of_layer) for of_layer in zip(*lists, strict=True))

    return PowerResult(
        dissipated=stacked("dissipated"),
        delivered=stacked("delivered"),
        currents=stacked("currents"),
        sourced=stacked("sourced"),
        peaks={block: by_layer([chip.peaks[block] for chip in chips]) for block in DELIVERED},
        gbw={block: tuple(chips[0].gbw[block]) for block in AMPLIFIERS},
        through=np.stack([chip.through for chip in chips]),
        positions=tuple(chips[0].positions),
        rows=by_layer([chip.rows for chip in chips]),
        lines=by_layer([chip.lines for chip in chips]),
    )
