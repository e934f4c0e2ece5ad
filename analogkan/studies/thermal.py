# pyright: strict
"""``thermal``: a circuit, and chips of it, against temperature; with or without compensation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..numerals import read_number, why_not
from ..results import Fact, Figure, Listing
from ..settings import require
from ..text import percent
from .of_chips import OverTemperature, foretell_chips
from .result import OfClasses
from .study import Job, Option, Plan, Study
from .value_results import TemperatureErrors

if TYPE_CHECKING:
    from .points import Point

PRESET = "rram"
"""What chips differ in if nothing else is said."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Temperatures(OverTemperature, OfClasses):
    """What a circuit, and chips of it, reach over temperature: shares of 1."""

    @classmethod
    def of_values(cls) -> type[TemperatureErrors]:
        return TemperatureErrors

    def headline(self) -> list[Fact]:
        good = self.told("accuracy")
        if not good:
            return []
        worst = min(good, key=lambda e: e["nominal"]["accuracy"])
        note = f"nominal, worst of {len(good)} temperatures, at {worst['temp_c']:g} °C"
        return [Fact("over temperature", percent(worst["nominal"]["accuracy"]), note)]

    def facts(self) -> Listing:
        chips, compensated = self.samples > 0, self.compensate is not None
        columns = ["degC", "nominal %", "same %", "gain", "offset"]
        columns += ["comp. %"] if compensated else []
        columns += ["chips %", "5–95 %"] if chips else []
        columns += ["comp. %"] if chips and compensated else []
        rows: list[list[str]] = []
        for entry in self.temperatures:
            nominal, band = entry["nominal"], entry.get("chips")
            cells = [f"{entry['temp_c']:g}", _percent(nominal["accuracy"])]
            cells += [_percent(nominal["agreement"])]
            cells += [_figure(nominal["gain_mean"], ".3f"), _figure(nominal["offset_mean"], "+.4f")]
            cells += [_percent(nominal["accuracy_compensated"])] if compensated else []
            if band:
                spread = band["accuracy_percentiles"]
                inner = spread and f"{100 * spread['5']:.1f}–{100 * spread['95']:.1f}"
                cells += [_percent(band["accuracy_mean"]), inner or "–"]
                cells += [_percent(band["accuracy_compensated_mean"])] if compensated else []
            rows.append(cells)
        return Listing(columns, rows)

    def sentences(self) -> list[str]:
        told = [
            f"software {percent(self.software_accuracy)}; same: images that nominal circuit and "
            "software put into the same class",
            "cells, feedback resistors, diodes and offsets follow the temperature",
        ]
        nominals = [entry["nominal"] for entry in self.temperatures]
        if any(n["status"] == "ok" and n["gain_mean"] is None for n in nominals):
            told.append("no gain or offset: they need images whose logits in software differ")
        if self.samples:
            told.append("mean and band are over chips; the images are fixed")
        if self.compensate is not None:
            at = "each temperature" if self.compensate == "each" else f"{self.compensate:g} degC"
            told.append(f"compensated: gain and offset of each column as measured at {at}")
        return told

    def figures(self) -> list[Figure]:
        from ..report.figures import thermal_figure

        caption = "Accuracy, and gain and offset of the logits, over temperature."
        return [Figure("thermal", caption, partial(thermal_figure, self.summary))]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f}"


def _figure(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def plan(
    job: Job,
    *,
    temps_c: Sequence[float],
    samples: int,
    compensate: str | float | None,
) -> Plan:
    """Run the images through the circuit at several temperatures, beside the software network.

    Everything has the same temperature. With --samples also virtual chips, each the same chip at
    every temperature: their mean and the band from 5 to 95 %. RUN keeps study.sqlite, chips.csv,
    result.json and thermal.png; the same command goes on with what is left.

    \b
    Examples:
      analogkan thermal mnist.build --temps -40:125:15 --subset 500
      analogkan thermal mnist.build --temps -40,26.85,125 --samples 20 --compensate each
    """
    from .grid import drawn_faults
    from .summary import summarise_temperatures
    from .values import summarise_errors_over_temperature

    points, changed = points_over(job, temps_c, samples, "thermal")
    measured_at = [] if compensate in (None, "each") else [float(compensate)]
    faults = drawn_faults(points[0].variation)
    summarise = summarise_temperatures
    if job.build.spec.targets is not None:
        summarise = summarise_errors_over_temperature
    return Plan(
        points=points,
        summarise=lambda rows, bench: {"temperatures": summarise(rows, faults)},
        facts={
            "preset": job.preset,
            "samples": samples,
            "compensate": compensate,
            "recompiled": changed,
        },
        identity=points[0].document(),
        temps_c=measured_at,
        compensate=compensate,
    )


def points_over(
    job: Job, temps_c: Sequence[float], samples: int, study: str
) -> tuple[list[Point], dict[str, Any]]:
    """The nominal circuit and ``samples`` chips at each temperature, rising; and the hardware that
    is not the BUILD's.

    Raises
    ------
    SettingsError
        If ``temp_c`` is set too, a temperature is there twice or none is, or nothing is drawn.
    """
    from .points import thermal_points

    if any(text.partition("=")[0].strip() == "temp_c" for text in job.settings):
        raise SettingsError(f"temp_c is what {study} varies: give its values with --temps")
    require(len(temps_c) > 0, "temps_c", list(temps_c), "at least one temperature")
    temps_c = sorted(map(float, temps_c))
    twice = [a for a, b in pairwise(temps_c) if a == b]
    if twice:
        raise SettingsError(f"temps_c has {twice[0]:g} twice: give each temperature once")
    hardware, variation, conditions, changed = job.read_settings()
    if samples and variation.off:
        raise SettingsError(
            f"samples = {samples} draws chips, but preset {job.preset} has no variation: give "
            "--preset rram, or --set sigma_g=0.05 and the like"
        )
    return thermal_points(hardware, variation, conditions, temps_c, samples), changed


def read_temps(text: str) -> list[float]:
    """See ``parse_temps``, which needs NumPy."""
    from .points import parse_temps

    return parse_temps(text)


def read_compensate(text: str) -> str | float | None:
    """None, ``each`` or degrees Celsius; SettingsError if it is neither."""
    if text in ("none", "each"):
        return None if text == "none" else text
    try:
        return read_number(text)
    except ValueError:
        raise SettingsError(
            f"compensate {text!r} is neither none nor each nor a temperature such as 26.85"
            f"{why_not(text)}"
        ) from None


OVER_TEMPERATURE = (
    Option(
        name="temps_c", given="temps", kind="text", default="-40:125:15",
        metavar="LO:HI:STEP|T,T,...", about="Degrees Celsius.", read=read_temps,
    ),
    Option(
        name="samples", kind="whole", default=0, least=0, most=1_000_000,
        about="Chips at each temperature, beside the nominal circuit.",
    ),
    Option(
        name="preset", kind="text", metavar="NAME|FILE.toml", words="preset",
        about="By default the BUILD's own hardware; with --samples, rram.",
    ),
)  # fmt: skip
"""What a study of the nominal circuit, and of chips if asked for, over temperature can be told."""


def start(values: Mapping[str, Any]) -> str | None:
    """The preset of such a study where none is given: the BUILD's own hardware, unless chips are
    drawn."""
    return PRESET if values["samples"] else None


thermal = Study(
    name="thermal",
    short="Accuracy, and gain and offset of the logits, against temperature.",
    options=(
        *OVER_TEMPERATURE,
        Option(
            name="compensate", kind="text", default="none", metavar="none|each|DEGC",
            about="Take out each column's gain and offset, as measured at each temperature or "
            "at one.",
            read=read_compensate,
        ),
    ),
    plan=plan,
    result=Temperatures,
    start=start,
    forecast=foretell_chips,
)  # fmt: skip
