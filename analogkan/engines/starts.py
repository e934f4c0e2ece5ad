# pyright: strict
"""Where Newton starts, and what is tried where it finds nothing from zero.

A user's op-amp may have anything in it. Its macro-model knows where every output and summing node
will be, to millivolts, so that ngspice can start there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..compiler.design import Design
from ..compiler.names import StageNames
from ..dialects.printed import TOO_LONG
from ..dialects.words import format_number
from ..errors import ConvergenceError, SimulationError
from .ideal import stage_volts
from .ngspice import Runner
from .session import SessionRunner

Values = npt.NDArray[Any]
Ask = Callable[..., Values]

NEWTON_ALONE = (".control", "pre_optran 1 0 0 0 0 0", ".endc")
"""Neither gmin nor supplies nor time are stepped: what does not converge says so at once."""
SOURCES = re.compile(r"(?mi)^[ \t]*(b\S+\s|[eg]\S+\s.*(=|\btable\b|\bpoly\b))")
"""Behavioural sources in a netlist."""
ELEMENTS = re.compile(r"(?mi)^[ \t]*[a-z]\w*[ \t]")
OF_EIGHT = 8
"""Transistors of the op-amp whose time is known."""


@dataclass(frozen=True)
class Way:
    """How an operating point is looked for.

    Attributes
    ----------
    starts
        Newton starts at the macro-model's volts.
    newton
        Newton's method alone, without steps of gmin, supplies or time.
    direct
        With the solver KLU, which keeps its pivots; else with Sparse 1.3, which looks for new ones.
    """

    starts: bool = False
    newton: bool = False
    direct: bool = True


FROM_ZERO, STARTED = Way(), Way(starts=True, newton=True)
SPARSE = Way(starts=True, newton=True, direct=False)
MENDED = (
    "in a behavioural op-amp let a conductance that rises near the supplies limit it, not min, max "
    "or tanh of its output, and take supply currents from voltages, not from i() of a source, as "
    "the shipped behavioural does"
)
"""A limit whose slope ends leaves Newton nothing to go by; see docs/own-op-amp.md."""
NO_POINT = (
    "ngspice finds no operating point of {name} with your op-amp, neither in a sweep nor image by "
    "image from the macro-model's volts (at last: {why}): {mended}; --timeout gives each image as "
    "many seconds as you say. The deck is kept: {deck}"
)


def has_sources(texts: Iterable[str]) -> bool:
    """Whether one of these netlists is behavioural: its limits may be hard."""
    return any(SOURCES.search(text) for text in texts)


def relative_size(texts: Iterable[str]) -> float:
    """How many times the elements of an op-amp of eight transistors the largest netlist has."""
    return max([1.0, *(len(ELEMENTS.findall(text)) / OF_EIGHT for text in texts)])


def ways_of_one(*, sourced: bool) -> list[Way]:
    """What is tried for one image, one after the other; ``sourced``: its op-amp is behavioural."""
    return [STARTED, *([SPARSE] if sourced else []), Way(starts=True)]


def first_found(
    ask: Ask, ways: Sequence[Way], runner: Runner | SessionRunner
) -> tuple[Way, Values]:
    """The first of ``ways`` in which ``ask`` finds an operating point, and what it gives.

    Raises
    ------
    SimulationError
        Of the last way; or what is not for want of an operating point.
    """
    for way in ways[:-1]:
        try:
            return way, ask(way=way)
        except SimulationError as error:
            if runner.stopped or not no_point(error):
                raise
    return ways[-1], ask(way=ways[-1])


def no_point(error: SimulationError) -> bool:
    """Whether no operating point was found, or not in time."""
    return isinstance(error, ConvergenceError) or bool(TOO_LONG.fullmatch(str(error)))


def said_of(error: SimulationError, name: str, deck: Path) -> SimulationError:
    """``error`` of the last way in which the circuit ``name`` was asked, for its user."""
    if not no_point(error):
        return error
    return ConvergenceError(
        NO_POINT.format(name=name, why=error, mended=MENDED, deck=deck), deck=deck
    )


def format_starts(design: Design, volts: npt.NDArray[Any]) -> Iterator[str]:
    """``.nodeset`` of every op-amp's output and summing node, at inputs ``volts`` (I,)."""
    for k, (stage, at) in enumerate(
        zip(design.stages, stage_volts(design, volts[None]), strict=True)
    ):
        names, diodes = StageNames(design, k), stage.r_f.size
        rows = zip(names.rows()[:diodes], at.rows[0][:diodes], stage.kept.ravel(), strict=True)
        own = {row: v for row, v, kept in rows if kept}  # bias rows are held by sources
        pairs = [
            *own.items(),
            *((f"{row}_sum", 0.0) for row in own),
            *zip(names.lines(), at.lines[0], strict=True),
            *((net, 0.0) for net in names.sums()),
            *zip(names.outputs(), at.outputs[0], strict=True),
        ]
        for net, v in pairs:
            yield f".nodeset v({net})={format_number(float(v))}"
