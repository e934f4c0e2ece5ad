"""A network's circuits in the order of the signal, with held values between; one, if it is a deck.

Axes: B images, W held values, P positions, I inputs and O outputs of a circuit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..network.spec import NetworkSpec
from .design import CrossbarStage, Design, map_design
from .hardware import Hardware
from .holds import Held, hold
from .sections import Section

Evaluate = Callable[["Link", np.ndarray, np.ndarray], np.ndarray]
"""Called with a circuit, inputs (B P, I) in volts and their numbers (B P,): outputs (B P, O)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Link:
    """One deck of a circuit.

    Attributes
    ----------
    section
        The layers that it is of, and its positions.
    share
        Which of the decks that share the section's outputs out.
    spec
        The software that it stands for.
    design
        Its arrays, or one chip's.
    """

    section: Section
    share: int
    spec: NetworkSpec
    design: Design


@dataclass(frozen=True, eq=False)
class Circuit:
    """All circuits of a network, or of one chip of it.

    Attributes
    ----------
    links
        In the order of the signal.
    """

    links: tuple[Link, ...]

    @property
    def hardware(self) -> Hardware:
        """What all circuits were built from."""
        return self.links[0].design.hardware

    @property
    def stages(self) -> tuple[CrossbarStage, ...]:
        """Of all circuits."""
        return tuple(stage for link in self.links for stage in link.design.stages)

    @property
    def cells(self) -> int:
        """Crossbar resistors of all circuits."""
        return sum(int(np.count_nonzero(stage.g)) for stage in self.stages)

    @property
    def convolutional(self) -> bool:
        """Whether a circuit is run at several positions."""
        return any(link.section.patches is not None for link in self.links)

    def sections(self) -> list[tuple[Section, list[Link]]]:
        """Sections in the order of the signal, each with its circuits."""
        by_section = itertools.groupby(self.links, key=lambda link: link.section)
        return [(section, list(links)) for section, links in by_section]

    def mapped(self, hardware: Hardware) -> Circuit:
        """The same circuits, built for other ``hardware``.

        Raises
        ------
        CompileError
            As ``map_design``.
        """
        return Circuit(
            tuple(replace(link, design=map_design(link.spec, hardware)) for link in self.links)
        )

    def run(
        self, volts: np.ndarray, index: np.ndarray, evaluate: Evaluate, temp_c: float
    ) -> np.ndarray:
        """What the last circuits give (B, O) for ``volts`` (B, W) that the first inputs' DACs are
        to give, at ``temp_c`` degrees Celsius.

        Point p of image ``index[b]`` has the number ``index[b] * P + p``.
        """
        held, last = Held(values=volts), self.links[-1].section
        for section, links in self.sections():
            points, numbers = held.points(section), section.numbers(index)
            parts = [evaluate(link, points, numbers) for link in links]
            outputs = np.concatenate(parts, axis=1)
            if section != last:
                held = hold(section, links, outputs, index, temp_c)
        return outputs.reshape(len(volts), -1)
