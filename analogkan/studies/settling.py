"""Settling of one image in ngspice: from zero, and from the image before it; the twin beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..compiler.spice_cells import TEMPERATURE_C
from ..engines.analysis import Answered
from ..physics import Assumptions
from ..physics.deck import dynamic_design
from ..physics.settling import run_design
from ..physics.settling_ngspice import Judged, hold_seconds, judge, over_time, write_alone
from ..physics.waveforms import Waveforms
from ..results import Fact, Figure, Listing, Result
from ..tables import Table, table_of

ASSUMED = Assumptions()
"""Of an analysis by its name."""
CHANGES = ("from zero", "back to the image before", "from the image before")
TIMES = ("settling_class_s", "settling_margin_s", "settling_s")


def _series(volts: np.ndarray, before: np.ndarray | None) -> np.ndarray:
    points = [0 * volts, volts]
    return np.stack(points if before is None else [*points, before, volts])


def _judged(answers: Sequence[Answered]) -> Judged:
    (answered,) = answers
    design, volts = dynamic_design(answered.deck.design), answered.points
    twin = run_design(design, volts[:-1], volts[1:], ASSUMED, TEMPERATURE_C)
    hold = hold_seconds(design, volts, ASSUMED, TEMPERATURE_C)
    regression = answered.deck.spec.targets is not None
    return judge(twin, answered.values, hold, ASSUMED, regression=regression)


def _summarise(
    answers: Sequence[Answered],
) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    found = _judged(answers)
    changes = []
    for k, name in enumerate(CHANGES[: len(found.waveform_error)]):
        row: dict[str, Any] = {"change": name}
        for key in TIMES:
            row[key] = or_none(getattr(found.ngspice, key)[k])
            row[f"twin_{key}"] = or_none(getattr(found.twin, key)[k])
        row["waveform_error"] = float(found.waveform_error[k])
        row["end_error"] = float(found.end_error[k])
        changes.append(row)
    waves = found.ngspice.waveforms, found.twin.waveforms
    arrays: dict[str, np.ndarray] = {}
    for who, wave in zip(("ngspice", "twin"), waves, strict=True):
        assert wave is not None
        arrays |= {f"{who}_time": wave.time, f"{who}_logits": wave.values}
    document = {
        "changes": changes,
        "bits": ASSUMED.bits,
        "full_scale": found.twin.full_scale,
        "hold_s": float(arrays["ngspice_time"][-1]),
        "assumed": asdict(ASSUMED),
    }
    return document, arrays


def or_none(seconds: float) -> float | None:
    return None if np.isnan(seconds) else float(seconds)


def _leave(answers: Sequence[Answered], folder: Path) -> None:
    """A deck that plain ngspice runs, and its waveforms as CSV."""
    (answered,) = answers
    design = dynamic_design(answered.deck.design)
    write_alone(design, answered.points, over_time(ASSUMED), folder / "deck" / "settling.cir")
    write_waves(answered, folder / "settling.csv")


def write_waves(answered: Answered, path: Path) -> None:
    """Write what was answered over time as CSV."""
    waves = Waveforms(
        time=answered.values[:, 0], nets=answered.probes, values=answered.values[:, None, 1:]
    )
    waves.write(path)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OverTime(Result):
    """What outputs do over time on one image, as its inputs change.

    Attributes
    ----------
    changes
        A row for each change of the inputs, see the subclass.
    bits, full_scale
        To within half a step of so many bits of so many logits outputs are settled.
    hold_s
        Seconds that each value was held.
    assumed
        Settings of the ``Assumptions``.
    images
        What the image is one of.
    image
        Its number.
    arrays
        Waveforms: times (T,) and logits (T, n, O), of each who makes them.
    """

    changes: list[dict[str, Any]]
    bits: int
    full_scale: float
    hold_s: float
    assumed: dict[str, Any]
    images: dict[str, Any]
    image: int
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    def drawn(self, name: str, lines: str, dots: str, by: str) -> list[Figure]:
        """Logits over time of those whose arrays' names begin with ``lines`` and ``dots``, who are
        ``by``; a change that has not settled is shown for as long as it was held."""
        from ..report.figures import waveforms_figure

        a = self.arrays
        waves = [
            (
                f"image {self.image}, {row['change']}",
                a[f"{lines}time"],
                a[f"{lines}logits"][:, k],
                a[f"{dots}time"],
                a[f"{dots}logits"][:, k],
                row["settling_s"] or self.hold_s,
            )
            for k, row in enumerate(self.changes)
        ]
        caption = f"Logits over time, {by}; dotted: {self.bits} bits."
        return [Figure(name, caption, partial(waveforms_figure, waves))]

    def table(self) -> Table:
        """A row a change."""
        return table_of(self.changes)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Settling(OverTime):
    """How long the outputs take to settle on one image.

    Attributes
    ----------
    changes
        A row for each change of the inputs: its settling times in seconds, in ngspice and by the
        twin (None of a regression's class); the largest difference of the waveforms, and of
        ngspice's last values from those at rest, shares of full scale.
    """

    heading: ClassVar[str] = "Settling, in time"

    def title(self) -> str:
        """The image."""
        return f"image {self.image} of {self.images['said']}: settling"

    def headline(self) -> list[Fact]:
        """The last change's times."""
        last = self.changes[-1]
        told = [Fact(f"settled to {self.bits} bits", micro(last["settling_s"]), last["change"])]
        if last["settling_class_s"] is not None:
            told.insert(0, Fact("class final", micro(last["settling_class_s"]), last["change"]))
        return told

    def facts(self) -> Listing:
        """A line a change."""
        columns = (
            "inputs", "class final", "half the margin", f"{self.bits} bits", "by the twin",
            "waveforms differ", "end",
        )  # fmt: skip
        rows = [
            (
                row["change"],
                *(micro(row[key]) for key in TIMES),
                micro(row["twin_settling_s"]),
                f"{100 * row['waveform_error']:.2g} %",
                f"{row['end_error']:.0e}",
            )
            for row in self.changes
        ]
        return Listing(columns, rows)

    def closing(self) -> list[str]:
        """What it rests on."""
        a = self.assumed
        return [
            f"assumed: {a['c_in']:g} F at every op-amp input, {a['c_cell']:g} F a cell on its "
            f"line, feedback capacitors for a damping of {a['zeta']:g}; slewing is not limited; "
            f"DACs change within 1 ns; full scale is {self.full_scale:.3g} logits, and each value "
            f"was held for {micro(self.hold_s)}",
            "norm and squash cells follow at once but for their op-amps' pole",
        ]

    def figures(self) -> list[Figure]:
        """Logits over time."""
        return self.drawn("settling", "ngspice_", "twin_", "ngspice (lines) and twin (dots)")


def micro(seconds: float | None) -> str:
    """``1.65 us``; a dash where there is none."""
    return "-" if seconds is None else f"{1e6 * seconds:.3g} us"


SETTLING = replace(
    over_time(ASSUMED),
    name="settling",
    about="outputs over time, from zero and from the image before",
    series=_series,
    summarise=_summarise,
    result=Settling,
    leave=_leave,
)
