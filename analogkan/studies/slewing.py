"""Settling of one image by op-amps that are a user's netlist: their transistors in ngspice, over
time, and two twins beside them, of the macro-model and of what is assumed by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..compiler.deck import Deck
from ..compiler.spice_cells import TEMPERATURE_C
from ..engines.analysis import Analysis, Answered
from ..errors import SimulationError
from ..physics import Assumptions
from ..physics.settling import Run, run_design, settled
from ..physics.settling_ngspice import cut, hold_seconds, over_time, write_alone
from ..physics.waveforms import Waveforms
from ..results import Fact, Figure, Listing
from ..text import engineering
from .settling import ASSUMED, CHANGES, SETTLING, TIMES, OverTime, micro, or_none, write_waves

WHO = {"": "transistors", "macro_": "macro-model", "assumed_": "assumed"}
"""Whose times they are, by what stands before their keys."""
LATE = 0.9
"""Share of its hold after which a waveform is to be at rest."""
MOVING = 1 / 8
"""Of half a step: what it may move by from then on."""


def measured_of(deck: Deck) -> Assumptions:
    """What is assumed of a deck whose op-amps were measured as it was compiled.

    Raises
    ------
    SimulationError
        If they are no netlist's.
    """
    found = deck.summary.get("opamp")
    if found is None:
        raise SimulationError(
            f"slewing is of op-amps that are a netlist, and {deck.folder} has opamp = "
            f"{deck.hardware.opamp}: ask for settling, or compile with --cell opamp=FILE"
        )
    return replace(ASSUMED, c_in=found["preset"]["assumptions"]["c_in"])


def _of_deck(deck: Deck) -> Analysis:
    return over_time(measured_of(deck), own=True)


def _summarise(
    answers: Sequence[Answered],
) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    (answered,) = answers
    deck, volts = answered.deck, answered.points
    measured = measured_of(deck)
    hold = hold_seconds(deck.design, volts, measured, TEMPERATURE_C, own=True)
    times, parts = cut(answered.values, hold, len(volts) - 1)
    waves = Waveforms(time=times, nets=answered.probes, values=parts)
    runs = {"": Run(waves, parts[0], parts[-1])}
    for who, assumed in {"macro_": measured, "assumed_": ASSUMED}.items():
        runs[who] = run_design(deck.design, volts[:-1], volts[1:], assumed, TEMPERATURE_C)
    regression = deck.spec.targets is not None
    scale = settled([runs[""]], ASSUMED, regression=regression).full_scale
    found = {
        who: settled([run], ASSUMED, regression=regression, full_scale=scale)
        for who, run in runs.items()
    }
    late = np.ptp(parts[times >= LATE * hold], axis=0).max(axis=1) / scale
    ends = np.abs(parts[-1] - runs["macro_"].last).max(axis=1) / scale
    off = {
        who: np.abs(run.waves.at(times) - parts).max(axis=(0, 2)) / scale
        for who, run in runs.items()
        if who
    }
    changes = []
    for k, change in enumerate(CHANGES[: len(late)]):
        row: dict[str, Any] = {"change": change, "moving": float(late[k])}
        for who, settling in found.items():
            there = who or late[k] <= MOVING / 2 ** (ASSUMED.bits + 1)
            for key in TIMES:
                row[who + key] = or_none(getattr(settling, key)[k]) if there else None
            row |= {f"{who}waveform_error": float(off[who][k])} if who else {}
        changes.append(row | {"end_error": float(ends[k])})
    arrays: dict[str, np.ndarray] = {}
    for who, run in runs.items():
        arrays |= {f"{who}time": run.waves.time, f"{who}logits": run.waves.values}
    document = {
        "changes": changes,
        "bits": ASSUMED.bits,
        "full_scale": scale,
        "hold_s": hold,
        "opamp": deck.hardware.opamp,
        "gbw": deck.hardware.gbw,
        "c_in": measured.c_in,
        "assumed": asdict(ASSUMED),
    }
    return document, arrays


def _leave(answers: Sequence[Answered], folder: Path) -> None:
    """A deck that plain ngspice runs, and its waveforms as CSV."""
    (answered,) = answers
    analysis = _of_deck(answered.deck)
    write_alone(answered.deck, answered.points, analysis, folder / "deck" / "slewing.cir")
    write_waves(answered, folder / "slewing.csv")


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Slewing(OverTime):
    """How long the outputs take to settle on one image by op-amps that are a netlist.

    Attributes
    ----------
    changes
        A row for each change of the inputs: settling times in seconds, of the transistors in
        ngspice, ``macro_`` of twins in time with the input capacitance that was measured,
        ``assumed_`` with the one assumed by default; None of a regression's class, and of
        transistors that did not come to rest. Shares of full scale: the largest differences of
        the twins' waveforms from the transistors', ``end_error`` of the ends, and ``moving``, by
        which these still moved in the last tenth.
    opamp, gbw, c_in
        The op-amp; the hertz and, measured, the farads of its macro-model.
    """

    heading: ClassVar[str] = "Settling by the op-amps' own transistors"
    opamp: str
    gbw: float
    c_in: float

    def title(self) -> str:
        """The image."""
        return f"image {self.image} of {self.images['said']}: settling of {self.opamp}"

    def headline(self) -> list[Fact]:
        """The last change's times."""
        last = self.changes[-1]
        said = f"{last['change']}; macro-model {micro(last['macro_settling_s'])}"
        return [Fact(f"settled to {self.bits} bits", micro(last["settling_s"]), said)]

    def facts(self) -> Listing:
        """A line a change, and of each who makes it."""
        columns = (
            "inputs", "op-amps", "class final", "half the margin", f"{self.bits} bits",
            "waveforms differ",
        )  # fmt: skip
        rows = [
            (
                "" if who else row["change"],
                said,
                *(micro(row[who + key]) for key in TIMES),
                f"{100 * row[f'{who}waveform_error']:.2g} %" if who else "",
            )
            for row in self.changes
            for who, said in WHO.items()
        ]
        return Listing(columns, rows)

    def sentences(self) -> list[str]:
        """How far the ends are apart."""
        end = max(row["end_error"] for row in self.changes)
        return [
            f"at rest the macro-model is {100 * end:.2g} % of full scale off, which is in the "
            "differences of waveforms; each is settled by where it ends itself"
        ]

    def notes(self) -> list[str]:
        """What did not come to rest."""
        return [
            f"{row['change']}: after {micro(self.hold_s)} the transistors have not come to rest, "
            f"in the last tenth of it they move by {100 * row['moving']:.2g} % of full scale: they "
            "have no times; see slewing.csv"
            for row in self.changes
            if row["settling_s"] is None
        ]

    def closing(self) -> list[str]:
        """What it rests on."""
        a = self.assumed
        return [
            f"transistors slew; the macro-model is linear, of {engineering(self.gbw, 'Hz')} and "
            f"the {engineering(self.c_in, 'F')} that were measured at an input, and assumed are "
            f"{engineering(a['c_in'], 'F')}; {engineering(a['c_cell'], 'F')} a cell on its line, "
            f"feedback capacitors for a damping of {a['zeta']:g} by what is measured; DACs change "
            f"within 1 ns; full scale is {self.full_scale:.3g} logits, and each value was held for "
            f"{micro(self.hold_s)}"
        ]

    def figures(self) -> list[Figure]:
        """Logits over time."""
        by = "transistors in ngspice (lines) and the macro-model (dots)"
        return self.drawn("slewing", "", "macro_", by)


SLEWING = replace(
    over_time(ASSUMED, own=True),
    name="slewing",
    about="settling by the transistors of op-amps that are a netlist",
    of_deck=_of_deck,
    series=SETTLING.series,
    summarise=_summarise,
    result=Slewing,
    leave=_leave,
)
