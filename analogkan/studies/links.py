"""A circuit's decks, one after the other: what one gives is held, and drives the next."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..compiler.build import Build
from ..compiler.deck import Deck
from ..compiler.sections import Section
from ..engines.batch import distinct
from ..engines.chunked import BatchOptions
from ..engines.ideal import saturating
from ..engines.ngspice import Ngspice
from ..errors import NetlistError
from .chunks import Answers, run_deck
from .store import StudyStore, array_hash

FOLDER = "circuits"
"""In the RUN: a folder a circuit, with its finished chunks."""


def run_circuit(
    build: Build,
    program: Ngspice,
    volts: np.ndarray,
    index: np.ndarray,
    options: BatchOptions,
    store: StudyStore,
    on_progress: Callable[[int, int], None],
    why_not: str = "",
) -> tuple[Answers, list[dict[str, Any]], np.ndarray]:
    """Every deck of ``build`` in ngspice for ``volts`` (n, W) at the first inputs, of the images
    ``index`` (n,).

    Each is judged on the inputs that it was given, so that what is held is no circuit's fault but
    the one's that gave it; with ``why_not``, see ``run_deck``, none is.

    Returns
    -------
    Answers, list, numpy.ndarray
        Hidden values are what was held; a dictionary a section: its layers, circuits, positions an
        image, distinct sweep points, seconds; and (n,) on which images an amplifier, or what holds
        a value, would leave its supplies.

    Raises
    ------
    SimulationError
        As ``run_deck``.
    NetlistError
        If a circuit has not the inputs and outputs of its place.
    """
    n, progress = len(volts), _Weighted(build, len(volts), on_progress)
    held, hidden, told, found = volts, {}, [], []
    seconds = 0.0
    beyond = np.zeros(n, bool)
    for section in build.sections:
        points, first, of = _distinct(section, held)
        outputs, spent = [], 0.0
        for (start, stop), part in zip(section.outputs, build.decks(section), strict=True):
            if (part.spec.sizes[0], part.spec.sizes[-1]) != (points.shape[1], stop - start):
                raise NetlistError(
                    f"{part.folder} takes {part.spec.sizes[0]} values to {part.spec.sizes[-1]}, in "
                    f"its place {points.shape[1]} become {stop - start}: `analogkan verify "
                    f"{build.folder}` says more; compile the model again"
                )
            numbers = index[first // section.positions]
            with _folder_of(part, build, store, points, numbers) as own:
                answers = run_deck(
                    part,
                    program,
                    points,
                    numbers,
                    options,
                    own,
                    progress.of(section),
                    layer=section.first,
                    column=start,
                    logits=section is build.sections[-1],
                    why_not=why_not,
                    temp_c=build.temp_c,
                )
            progress.finish(section)
            over = saturating(part.design, points)[of]
            beyond |= over.reshape(n, -1).any(axis=1)
            outputs.append(answers.logits)
            found.append(answers)
            spent += answers.seconds
            hidden |= {section.first + k: values for k, values in answers.hidden.items()}
        held = np.concatenate(outputs, axis=1)[of].reshape(n, -1)
        hidden[section.last] = held
        if section is not build.sections[-1]:
            beyond |= (np.abs(held) > part.design.hardware.v_rail).any(axis=1)
        seconds += spent
        told.append(
            {
                "layers": [section.first, section.last],
                "circuits": len(section.outputs),
                "positions": section.positions,
                "points": len(points),
                "seconds": spent,
            }
        )
    logits = hidden.pop(build.sections[-1].last)
    together = Answers(
        logits,
        hidden,
        sum(one.retried for one in found),
        seconds,
        sum(one.chunks for one in found),
        sum(one.first_seconds for one in found),
        max(one.megabytes for one in found),
        sum(one.damaged for one in found),
        [difference for one in found for difference in one.judged],
        [reason for one in found for reason in one.why_not],
        found[0].watts if build.deck is not None else np.zeros(0),
        (sum(one.found_alone[0] for one in found), sum(one.found_alone[1] for one in found)),
    )
    return together, told, beyond


@contextlib.contextmanager
def _folder_of(
    part: Deck, build: Build, store: StudyStore, points: np.ndarray, numbers: np.ndarray
) -> Iterator[StudyStore]:
    """Where a deck's chunks are kept: in the RUN itself, if it is the only one."""
    if build.deck is not None:
        yield store
        return
    settings = store.settings | {
        "deck": part.hash(),
        "inputs": array_hash(points),
        "indices": array_hash(numbers),
    }
    with StudyStore(store.path / FOLDER / part.folder.name, settings) as own:
        yield own


def _distinct(section: Section, held: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The points of a section, equal ones once: a blank corner is the same circuit's same state.

    With them the position of the ``first`` of each kind, and which kind every point is ``of``.
    """
    points = section.points(held)
    if section.positions == 1:
        order = np.arange(len(points))
        return points, order, order
    first, of = distinct(points)
    return points[first], first, of


class _Weighted:
    """Progress in images, each circuit weighing what ngspice is expected to need for it."""

    def __init__(self, build: Build, n: int, on_progress: Callable[[int, int], None]) -> None:
        layers = build.spec.folded().layers
        self._share = {
            s.number: s.positions
            * sum(layer.theta.size for layer in layers[s.first : s.last + 1])
            / len(s.outputs)
            for s in build.sections
        }
        self._total = sum(len(s.outputs) * self._share[s.number] for s in build.sections)
        self._n, self._done, self._on_progress = n, 0.0, on_progress

    def of(self, section: Section) -> Callable[[int, int], None]:
        """What a circuit of ``section`` reports to."""

        def follow(done: int, total: int) -> None:
            now = self._done + self._share[section.number] * done / total
            self._on_progress(int(self._n * now / self._total + 1e-9), self._n)

        return follow

    def finish(self, section: Section) -> None:
        """A circuit of ``section`` is done."""
        self._done += self._share[section.number]
