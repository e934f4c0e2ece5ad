# pyright: strict
"""What results of simulations have in common, of classes or of values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..compiler.spice import TOP
from ..errors import StudyError
from ..results import Fact
from ..tables import Column
from ..text import engineering, interval, many, percent
from .result import Found, told_of_judge
from .store import ARRAYS
from .summary import CONVERTED

LARGE_MEGABYTES = 500
"""From here on ngspice's memory is worth a line."""
MOST_TOLD = 10
"""Images that a sentence lists."""
NO_CIRCUIT = "a simulation with engine = software"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OfCircuit(Found):
    """A finished simulation; its figures are its subclass's.

    Attributes
    ----------
    arrays
        By name, see the subclass.
    macro_model
        How far the circuit is from its macro-model, by layer, if it has one: see
        ``analogkan.studies.macro``.
    """

    kept = ARRAYS
    arrays: Mapping[str, Column]
    macro_model: Mapping[str, Any] | None = None

    @property
    def simulated(self) -> bool:
        """Whether a circuit was, not software alone."""
        return "circuit" in self.arrays

    @property
    def index(self) -> Column:
        """Positions in the data set (n,)."""
        return self.arrays["index"]

    @property
    def run(self) -> Path:
        """The RUN folder; StudyError if software alone was evaluated, which keeps none."""
        if not self.simulated:
            raise StudyError(f"{NO_CIRCUIT} keeps no RUN: simulate with engine ngspice")
        return Path(self.summary["run"])

    def title(self) -> str:
        return f"{self.model} on {self.images['said']}"

    def costs(self, what: str) -> list[Fact]:
        """What a macro-model misses; how fast it was, ``what`` a second; a large memory."""
        s, found = self.summary, _macro_facts(self.macro_model)
        supplied = s.get("supplies")
        if supplied:
            pair = supplied["watts_ci95"]
            within = "" if pair is None else " to ".join(engineering(end, "W") for end in pair)
            found.append(Fact("op-amps' supplies", engineering(supplied["watts"], "W"), within))
        if s["images_per_second"] is not None:
            jobs = "1 process" if s["jobs"] == 1 else f"{s['jobs']} processes"
            found.append(Fact(f"{what}/s", f"{s['images_per_second']:.1f}", jobs))
        first = s.get("first_two_seconds")
        if first:
            each = f"{engineering(s['seconds'] / s['n'], 's')}, {s['megabytes'] or 0:,.0f} MB"
            found.append(Fact(f"one of the {what}", each, f"the first two alone {first:.3g} s"))
        elif (s["megabytes"] or 0) > LARGE_MEGABYTES:
            memory = f"{s['megabytes']:,.0f} MB"
            found.append(Fact("ngspice's memory", memory, "the largest process"))
        return found

    def notes(self) -> list[str]:
        s, notes = self.summary, super().notes()
        if not self.simulated:
            return notes
        if s["retried_chunks"]:
            notes.append(f"{s['retried_chunks']} chunks succeeded only when run again, cold")
        if s["damaged_chunks"]:
            notes.append(
                f"{s['damaged_chunks']} kept chunks were not what was kept, and were simulated "
                "again"
            )
        alone, sparse = [*(s.get("found_alone") or ()), 0, 0][:2]
        if alone:
            solver = f", {sparse:,} of them with the solver Sparse 1.3" * bool(sparse)
            notes.append(
                f"{many(alone, 'image')} by themselves, from the macro-model's volts{solver}"
            )
        notes += [f"{s[c]:,} {words}" for c, words in CONVERTED.items() if s.get(c)]
        over = s.get("saturated_images")
        if over:
            listed = ", ".join(map(str, over[:MOST_TOLD]))
            listed += ", ..." if len(over) > MOST_TOLD else ""
            images = many(len(over), "image")
            notes.append(f"on {images} an amplifier would leave its supplies: {listed}")
        if s["edited_files"]:
            notes.append(f"edited by hand: {', '.join(s['edited_files'])}")
            if not set(TOP).isdisjoint(s["edited_files"]):
                notes.append(
                    "sweeps over images have a top and inputs of their own, at 26.85 degC: edits "
                    "of network.cir and stimulus.cir have no effect here"
                )
        return notes

    def closing(self) -> list[str]:
        if not self.simulated:
            return []
        told: list[str] = []
        held = self.summary.get("held")
        if held:
            circuits = sum(section["circuits"] for section in held)
            points = sum(section["circuits"] * section["points"] for section in held)
            told.append(
                f"held: {circuits} circuits one after the other, {points:,} sweep points in all; "
                "values between them were held and gathered, not computed"
            )
        return [*told, self.judged()]

    def simulated_by(self) -> str:
        s = self.summary
        lib, klu = ("lib" if s["session"] else ""), (", KLU" if s["klu"] else "")
        if s["engine"] != "ngspice":
            return f"{s['engine']} {s['simulator_version']}"
        return f"{lib}ngspice {s['ngspice_version']}{klu}"

    def judged(self) -> str:
        return told_of_judge(self.summary["judge"], "image")

    def plot(self, ax: Any = None) -> Any:
        if not self.simulated:
            raise StudyError(f"{NO_CIRCUIT} has no circuit to plot: simulate with engine ngspice")
        return super().plot(ax)


def _macro_facts(found: Mapping[str, Any] | None) -> list[Fact]:
    """Lines of a result that tell what a macro-model misses."""
    if not found:
        return []
    told: list[Fact] = []
    for one in found["layers"]:
        rms, most, full = (
            engineering(one[f"{name}_volts"], "V") for name in ("rms", "max", "full_scale")
        )
        pair = one["rms_volts_ci95"]
        within = "" if pair is None else " to ".join(engineering(end, "V") for end in pair)
        said = f"{rms} rms, at most {most} of {full}"
        told.append(Fact(f"macro-model off, layer {one['layer']}", said, within))
    if "agreement" in found:
        pair = interval(found["agreement_ci95"])
        told.append(Fact("same class as the macro-model", percent(found["agreement"]), pair))
    return told
