# pyright: strict
"""What a datasheet found, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..network.measures import format_value
from ..physics.assumptions import said as assumptions_said
from ..physics.quantities import BURNT, ENDS, QUANTITIES, SHARES, SUPPLY, Quantity
from ..results import Fact, Figure, Listing, Pair
from ..text import engineering, interval, many, percent
from .entries import REGRESSION
from .result import StudyResult, accuracy_fact

NEVER = 1e-12
"""Probabilities below are not told apart."""
REACHED = {"accuracy": "accuracy", "rmse": "RMSE"}
"""What a row has of a circuit's answers, one or the other."""
Spread = Mapping[str, float]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Datasheet(StudyResult):
    """Figures of a circuit with their conditions; each of ``min``, ``typical`` and ``max``.

    The typical is the nominal circuit's median over images, at the temperature nearest to 26.85
    degC (if that circuit failed, of what did not: ``typical_of``); the extremes are over images,
    temperatures and chips.

    Attributes
    ----------
    power_w, dissipated_w
        Watts from the supplies, by a model; and what the circuit's elements turn into heat.
    settling_s, settling_class_s
        Seconds to within half a step of ``bits``; and to the final class.
    energy_j
        Joules: power times settling time.
    noise_v_rms
        Volts, of the noisiest output.
    flip_probability
        That noise makes another class the largest.
    yield_, yield_ci95, yield_rule
        Share of chips that are good at all temperatures, and what that is; None: no chips.
    area_um2
        Square micrometres in ``total`` and by block: ``op_amps``, ``cells``, ``capacitors``,
        ``resistors``; a proxy, from assumed areas.
    sections
        How many the network is in, each of which works when the one before has settled.
    map
        Of each layer watts by ``rows`` and by ``lines``: least, mean, largest over images.
    tellegen_relative
        The largest share by which what sources deliver and elements dissipate differ.
    typical_of
        The circuit, and its temperature, whose median over images is typical.
    assumptions
        Of what a DC circuit does not say, by name.
    parts
        What was asked for, of ``power``, ``settling`` and ``noise``.
    """

    heading = "Datasheet"
    parts: Sequence[str]
    samples: int
    temps_c: Sequence[float]
    few: int
    assumptions: Mapping[str, float]
    figures_of: Mapping[str, Spread]
    reached: Mapping[str, Spread]
    typical: Mapping[str, float | None]
    typical_of: str
    area: Mapping[str, int]
    work: Mapping[str, int]
    yield_: float | None = None
    yield_ci95: Pair | None = None
    yield_rule: str = ""
    area_um2: Mapping[str, float] = field(default_factory=dict[str, float])
    sections: int = 1
    map: Sequence[Mapping[str, Sequence[Sequence[float]]]] = ()
    tellegen_relative: float | None = None

    def title(self) -> str:
        return f"{self.model}: {self._conditions()}"

    def _conditions(self) -> str:
        chips = f", {many(self.samples, 'chip')} ({self.preset})" if self.samples else ""
        lo, hi = self.temps_c[0], self.temps_c[-1]
        heat = f"{lo:g} degC" if lo == hi else f"{lo:g} to {hi:g} degC"
        return f"{heat}{chips}, on {self.images['said']}"

    def differing(self) -> list[str]:
        return [f"{self.temps_c[k]:g} degC" for k in (0, -1)]

    def software_fact(self) -> Fact:
        s = self.summary
        if s.get("task") == REGRESSION:
            return Fact(
                "software", f"RMSE {format_value(s['rmse_software'], s['unit'])}",
                self.images["said"],
            )  # fmt: skip
        return accuracy_fact(s["software_accuracy"], s["n"])

    def headline(self) -> list[Fact]:
        found: list[Fact] = []
        for name in ("power_w", "settling_s", "energy_j", "noise_v_rms"):
            if name in self.figures_of:
                one, spread = _quantity(name), self.figures_of[name]
                lo, hi = (engineering(spread[end], one.unit) for end in ("min", "max"))
                said = engineering(spread["typical"], one.unit)
                found.append(Fact(one.label, said, f"{lo} to {hi}"))
        return found

    def facts(self) -> Listing:
        rows = [
            (
                one.label,
                *(self._cell(one, end) for end in ENDS),
                one.about.format(**self.assumptions),
            )
            for one in QUANTITIES
            if one.name in self.figures_of
        ]
        for entry, spread in self.reached.items():
            said = (_reached(entry, spread[end], self.summary) for end in ENDS)
            rows.append((REACHED[entry], *said, "all images"))
        rows += [(label, "", said, "", note) for label, said, note in self._more()]
        return Listing(("", "min", "typical", "max", ""), rows)

    def _cell(self, one: Quantity, end: str) -> str:
        value = self.figures_of[one.name][end]
        if one.name == "noise_unit_rms":
            return format_value(value, self.summary["unit"])
        if not one.unit:
            return f"{value:.2g}" if value >= NEVER else f"below {NEVER:g}"
        return engineering(value, one.unit)

    def _more(self) -> list[tuple[str, str, str]]:
        """Rows that have a typical figure alone."""
        t, found = self.typical, list[tuple[str, str, str]]()
        for names, note in ((SUPPLY, "of supply"), (BURNT, "dissipated")):
            found += [
                (f"  {_worded(name)}", engineering(watts, "W"), note)
                for name in names
                if (watts := t.get(name))
            ]
        noisy = sorted(
            ((share, name) for name in SHARES.values() if (share := t.get(name))), reverse=True
        )
        found += [
            (f"  {_worded(name)}", percent(share, 1), "of noise power") for share, name in noisy
        ]
        if "energy_j" in self.figures_of:
            joules, work = self.figures_of["energy_j"]["typical"], self.work
            found += [
                ("energy a MAC", engineering(joules / work["macs"], "J"),
                 f"{work['macs']:,} MACs"),
                ("energy an edge", engineering(joules / work["edges"], "J"),
                 f"{work['edges']:,} edges"),
            ]  # fmt: skip
            a = self.assumptions
            converters = work["dacs"] * a["dac_energy"] + work["outputs"] * a["adc_energy"]
            converters = self.summary.get("converters_j", converters)
            said = engineering(converters, "J") if converters else "left out"
            found.append(("DACs and ADCs", said, "energy an inference"))
        if "settling_s" in self.figures_of:
            slowest = self.figures_of["settling_s"]["max"]
            often = f"{1 / slowest:,.0f} /s" if slowest else "–"  # of images that are all the same
            found.append(("throughput", often, "at the slowest"))
        if self.yield_ is not None:
            found.append(("yield", percent(self.yield_, 1), interval(self.yield_ci95)))
        if t.get("snr_db") is not None:
            found.append(("SNR", f"{t['snr_db']:.1f} dB", "of all outputs"))
        area = self.area
        found.append(
            ("area", f"{area['crossbar_resistors']:,}", f"cells in {area['tiles']:,} tiles")
        )  # fmt: skip
        found.append(("", f"{area['op_amps']:,}", "op-amps"))
        found.append(("", f"{area['diodes']:,}", "diodes"))
        found += [
            ("  all" if block == "total" else f"  {block.replace('op_amps', 'op-amps')}",
             f"{um2 / 1e6:.3g} mm^2", "of area, assumed")
            for block, um2 in self.area_um2.items()
        ]  # fmt: skip
        return found

    def sentences(self) -> list[str]:
        told = [
            f"typical: {self.typical_of}, median over images; min and max: over images, "
            "temperatures and chips; by block: the mean over images of the typical circuit"
        ]
        if self.yield_ is not None:
            told.append(f"yield counts chips that at all temperatures have {self.yield_rule}")
        if "power" in self.parts:
            given = self.assumptions.get("i_quiescent")
            quiescent = "gbw, c_load, gm_id, branches and class_ab" if not given else "i_quiescent"
            told.append(
                "supply power is a model on top of the circuit's currents: class-B output stages, "
                f"and quiescent currents from {quiescent}"
            )
        gated = self.assumptions.get("gating")
        if "power" in self.parts and (gated or self.sections > 1):
            told.append(_gating_said(bool(gated), self.sections, self.assumptions))
        beyond = self.typical.get("beyond_class_ab")
        if beyond:
            told.append(
                f"{many(int(beyond), 'op-amp')} give more than class_ab times i_quiescent on some "
                "image"
            )
        if "settling" in self.parts or "noise" in self.parts:
            of = " and ".join(part for part in ("settling", "noise") if part in self.parts)
            regression = self.summary.get("task") == REGRESSION
            hardest = not regression and self.few < self.summary["n"]
            told.append(
                f"{of}: of {many(self.few, 'point' if regression else 'image')}"
                + (", half of them those hardest to tell" if hardest else "")
            )
        if "settling" in self.parts:
            slew = self.assumptions["slew"]
            before = "the image before" if self.few > 1 else "0 V at every input"
            told.append(
                f"settling: from {before}, one-pole op-amps with capacitors; slew "
                + (f"limited to {slew:g} V/s" if slew else "not limited")
            )
        return [*told, f"assumed: {assumptions_said(self.assumptions)}"]

    def closing(self) -> list[str]:
        from ..physics.judged import SAID

        parts: Mapping[str, Any] = (self.judge or {}).get("parts", {})
        said = [f"{name}: {SAID[name](found)}" for name, found in parts.items()]
        *told, judged = super().closing()
        if self.engine != "twin":
            said.append(
                f"{' and '.join(self.parts)}: the twin's, which --engine {self.engine} does not "
                "judge; without it ngspice judges a share (--judge)"
            )
        return [*told, *said, judged]

    def figures(self) -> list[Figure]:
        from ..report.datasheets import map_figure, power_figure

        if "power" not in self.parts:
            return []
        caption = "Where the power goes: what blocks dissipate, what the supplies give them."
        burnt, supply = (
            {_worded(name): self.typical[name] or 0.0 for name in names}
            for names in (BURNT, SUPPLY)
        )
        where = (
            "Watts of each row (its diode, feedback and cells) and of each line (its cells and "
            "feedback): the mean over images, and their range."
        )
        return [
            Figure("datasheet", caption, partial(power_figure, burnt, supply)),
            Figure("power-map", where, partial(map_figure, self.map)),
        ]

    @property
    def no_picture(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Why there is none."""
        return "settling and noise alone have no picture here: simulate --analysis draws them"


def _gating_said(gated: bool, sections: int, assumed: Mapping[str, float]) -> str:
    """What draws while an inference is made."""
    if sections == 1:
        return "gating = 1 is as 0 here: the network is one section, which works all the time"
    if gated:
        return (
            f"energy: each of {sections} sections draws while it works, and t_wake = "
            f"{assumed['t_wake']:g} s before; supply power is that of all of them"
        )
    return f"energy: all {sections} sections draw all the time (gating = 1: while they work)"


def _quantity(name: str) -> Quantity:
    return next(one for one in QUANTITIES if one.name == name)


def _worded(key: str) -> str:
    """``class_b_bias_rows_w`` as ``bias rows``."""
    words = key.removesuffix("_w")
    for start in ("class_b_", "dissipated_", "noise_share_"):
        words = words.removeprefix(start)
    return words.replace("_", " ").replace("opamps", "op-amps")


def _reached(entry: str, value: float, summary: Mapping[str, Any]) -> str:
    if entry == "accuracy":
        return percent(value)
    return format_value(value, summary["unit"])
