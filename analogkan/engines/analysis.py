# pyright: strict
"""An analysis: what is asked of a deck, and what is made of the answer, declared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler import spice
from ..compiler.deck import Deck
from ..compiler.design import Design
from ..compiler.sections import Section
from ..compiler.spice_cells import TEMPERATURE_C
from ..dialects import NGSPICE, Dialect
from ..dialects.dialect import Vectors
from ..errors import SimulationError
from ..results import Result
from .starts import FROM_ZERO, NEWTON_ALONE, Way, format_starts

Values = npt.NDArray[Any]
INDEX = "v(index)"
"""The vector over which images are swept."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What a deck is asked.

    Attributes
    ----------
    design
        The circuit.
    volts
        (n, I) at its inputs.
    probes
        What is wanted: nets, whose voltages they are, and vectors such as ``i(v_l0_b0)``.
    descending
        Whether a sweep goes from the last point to the first.
    temp_c
        Degrees Celsius.
    noise
        For each stage the currents (n, 2 O), amperes, that flow into its summing nodes, or none.
    dialect
        What it is asked in.
    alone
        Whether it is of one image, to which no step leads.
    way
        How its operating points are looked for.
    """

    design: Design
    volts: Values
    probes: Sequence[str]
    descending: bool = False
    temp_c: float = TEMPERATURE_C
    noise: Sequence[Values] = ()
    dialect: Dialect = NGSPICE
    alone: bool = False
    way: Way = FROM_ZERO

    @property
    def steps(self) -> int | None:
        """Steps from image to image; None: the op-amp's."""
        return 1 if self.alone else None

    @property
    def vectors(self) -> list[str]:
        """Names of the vectors of ``probes``."""
        return [spice.vector(probe) for probe in self.probes]


@dataclass(frozen=True, eq=False, kw_only=True)
class Answered:
    """What one deck of a circuit answered.

    Attributes
    ----------
    deck, section
        Which, and where in the circuit it stands.
    points, aims
        (P, I) volts at its inputs, in the circuit and by software; P of a convolution's section are
        its positions.
    probes, values
        What was wanted, v of them, and ``Analysis.read`` of it: of a sweep (P, v).
    of
        What its stages are called by, where there are several decks; else empty.
    """

    deck: Deck
    section: Section
    points: Values
    aims: Values
    probes: Sequence[str]
    values: Values
    of: str

    def at(self, probes: Sequence[str]) -> Values:
        """The columns of ``values`` of some probes."""
        place = {probe: k for k, probe in enumerate(self.probes)}
        return self.values[:, [place[probe] for probe in probes]]


def _write_sweep(asked: Asked) -> str:
    return spice.write_batch(
        asked.design,
        at_least_two(asked.volts),
        asked.probes,
        descending=asked.descending,
        temp_c=asked.temp_c,
        noise=[at_least_two(part) for part in asked.noise],
        more=[
            *(format_starts(asked.design, _first(asked)) if asked.way.starts else ()),
            *(NEWTON_ALONE if asked.way.newton else ()),
        ],
        steps=asked.steps,
        direct=asked.way.direct,
        say=asked.dialect,
    )


def _first(asked: Asked) -> Values:
    """Volts (I,) at which a sweep begins."""
    return asked.volts[-1 if asked.descending else 0]


def at_least_two(points: Values) -> Values:
    """``points`` (n, ...) of a sweep, a single one twice: a table needs two."""
    return points if len(points) > 1 else np.repeat(points, 2, axis=0)


def _read_sweep(asked: Asked, vectors: Vectors) -> Values:
    n = len(at_least_two(asked.volts))
    first, last, step = spice.get_sweep(
        asked.design, n, descending=asked.descending, steps=asked.steps
    )
    if not np.array_equal(vectors[INDEX], np.linspace(first, last, swept_points(asked))):
        by = asked.dialect.name
        raise SimulationError(f"{by} swept other points than it was asked for")
    values = np.stack([vectors[name] for name in asked.vectors], axis=1)[:: round(1 / abs(step))]
    return values[:: -1 if asked.descending else 1][: len(asked.volts)]


def swept_points(asked: Asked) -> int:
    """Points of a sweep: images, and the steps between them."""
    n = len(at_least_two(asked.volts))
    _, _, step = spice.get_sweep(asked.design, n, descending=asked.descending, steps=asked.steps)
    return round((n - 1) / abs(step)) + 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Analysis:
    """Something that can be asked of a circuit at its inputs.

    What says nothing of how it is run is a sweep over the inputs. What is run otherwise is of one
    deck at one image.

    Attributes
    ----------
    name, about
        What it is called, and what it shows, for ``--help``.
    probes
        What is wanted of a design, see ``Asked``.
    write
        The deck that asks it; it includes the circuit's own files.
    points
        How many points the result file must have; None: as many as there are.
    axis
        The vector over which it is run, such as ``time``; empty: there is none.
    circuit
        What is asked in place of a deck's design; None: the deck's own files, as they are.
    of_deck
        ``(deck)``: the analysis as it is asked of a deck, where that depends on what its summary
        says; raises if it cannot be asked; None: as it is.
    series
        ``(volts, before)``: inputs (n, I) that are asked about one image (I,), ``before`` being the
        image before it in its set, or None; None: the image alone.
    require
        ``(design, volts, keep)``: raises what keeps it from being asked, and may leave in ``keep``
        what shows it; None: nothing does.
    leave
        ``(answers, folder)``: writes what is kept beside document and arrays; None: nothing.
    effort
        How long it takes, in times of a sweep over as many images: what it may take goes with it.
    vectors
        Those that the result file must have beside the axis: by default those of its probes.
    apart
        Whether a deck answers one probe only, so that each has a deck of its own.
    read
        ``(asked, vectors)``: the answer, a point a line, a probe a column; real or complex.
    summarise
        Of all decks' answers: the document that is kept as JSON, and arrays that are kept beside.
    result
        What tells the document, made by its ``from_document``; the arrays are its ``arrays``.
    """

    name: str = ""
    about: str = ""
    probes: Callable[[Design], Sequence[str]] | None = None
    write: Callable[[Asked], str] = _write_sweep
    points: Callable[[Asked], int | None] = swept_points
    axis: str = INDEX
    circuit: Callable[[Design], Design] | None = None
    of_deck: Callable[[Deck], Analysis] | None = None
    series: Callable[[Values, Values | None], Values] | None = None
    require: Callable[[Design, Values, Path], None] | None = None
    leave: Callable[[Sequence[Answered], Path], None] | None = None
    effort: float = 1.0
    vectors: Callable[[Asked], Sequence[str]] = lambda asked: asked.vectors
    apart: bool = False
    read: Callable[[Asked, Vectors], Values] = _read_sweep
    summarise: (
        Callable[[Sequence[Answered]], tuple[dict[str, Any], Mapping[str, Values]]] | None
    ) = None
    result: type[Result] | None = None

    @property
    def sweeps(self) -> bool:
        """Whether it is a sweep over the inputs."""
        return self.axis == INDEX

    def lacks(self) -> list[str]:
        """The parts that it must have to be asked for by name, and has not."""
        wanted = ("name", "about", "probes", "summarise", "result")
        lacks = [part for part in wanted if not getattr(self, part)]
        own = [self.write is not _write_sweep, self.read is not _read_sweep, not self.sweeps]
        if any(own) and not all(own):
            lacks.append("one of write, axis and read, which go together")
        return lacks


INDEX_SWEEP = Analysis(name="inference", about="logits of many images")
"""Batch inference: whatever voltages are asked for, image by image."""
