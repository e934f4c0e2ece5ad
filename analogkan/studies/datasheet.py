# pyright: strict
"""``datasheet``: what a circuit draws, how fast it settles and how noisy it is, with conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import DisagreementError, SettingsError, StudyError
from ..physics import Assumptions
from ..physics.quantities import NAMES, PARTS, QUANTITIES
from ..schema import Maybe, Number
from .datasheet_result import REACHED, Datasheet, Spread
from .result import Row
from .study import Job, Option, Plan, Study
from .thermal import OVER_TEMPERATURE, points_over, start

if TYPE_CHECKING:
    from pathlib import Path

    from ..compiler.build import Build
    from ..compiler.circuit import Circuit
    from ..compiler.hardware import Hardware
    from ..imperfections import Variation
    from ..physics.sheet import Asked
    from .bench import Bench
    from .judge import Share
    from .points import Point

FEW = 100
"""Images that settle, and whose noise is worked out, at most."""


def _judge(
    parts: tuple[str, ...],
    assumed: Assumptions,
    bench: Bench,
    points: Sequence[Point],
    share: Share,
    keep: Path,
) -> dict[str, Any]:
    """What ngspice says of the parts, by part, of each point's hardest images."""
    from ..physics.judged import judge_parts

    found: dict[str, Any] = {}
    for point in points:
        chip, _ = bench.chip(point)
        asked = _asked(bench, chip, point, assumed)
        try:
            judge_parts(asked, parts, share.images, keep, found)
        except DisagreementError as error:
            raise StudyError(f"{point.label}: {error}") from error
    return found


def read_parts(text: str) -> tuple[str, ...]:
    """Parts of a sheet from ``power,noise``; SettingsError if one is unknown."""
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    wrong = [word for word in wanted if word not in PARTS]
    if wrong or not wanted:
        raise SettingsError(f"only {text!r} is not of {', '.join(PARTS)}, with commas between")
    return tuple(part for part in PARTS if part in wanted)


def measure_point(parts: tuple[str, ...], assumed: Assumptions, bench: Bench, point: Point) -> Row:
    """What a row has beside accuracy or error."""
    from ..physics.sheet import measure

    chip, _ = bench.chip(point)
    found = measure(_asked(bench, chip, point, assumed), parts)
    return {name: found.get(name) for name in NAMES}


def _asked(bench: Bench, chip: Circuit, point: Point, assumed: Assumptions) -> Asked:
    """What is asked of the chip of ``point``."""
    from ..physics.sheet import Asked

    return Asked(
        build=bench.build, chip=chip, volts=bench.volts_of(point.hardware), few=few_of(bench),
        assumed=assumed, temp_c=point.conditions.temp_c,
    )  # fmt: skip


def few_of(bench: Bench) -> Any:
    """Positions of the images that settle and whose noise is worked out."""
    from .judge import choose_images, evenly

    if bench.spec.targets is None and bench.software.shape[1] > 1:
        return choose_images(bench.software, FEW, bench.seed, None)
    return evenly(len(bench.volts), FEW)


def plan(job: Job, *, only: tuple[str, ...], temps_c: Sequence[float], samples: int) -> Plan:
    """Supply power, settling time and noise of the circuit: least, typical and largest.

    Over images, over --temps and over --samples chips. What a DC circuit does not say is assumed,
    and set with --set or a preset's [assumptions]: capacitances, noise, currents of amplifiers.
    ngspice judges a share: power block by block, settling by .tran, noise by .noise.

    \b
    Examples:
      analogkan datasheet mnist.build --subset 200
      analogkan datasheet mnist.build --only power --temps -40,26.85,125 --samples 20
      analogkan datasheet mnist.build --set c_in=2p --set e_n=5n
    """
    from .montecarlo import yield_rule

    points, changed = points_over(job, temps_c, samples, "datasheet")
    if samples:
        _require_worked_out(points[-1].variation)
    assumed: Assumptions = job.own
    _converters(job.build, points[0].hardware, assumed)
    limit, rule = yield_rule(job.build, job.images, None) if samples else (0.0, "")
    return Plan(
        points=points,
        summarise=partial(_summarise, only, points[0], assumed, limit),
        facts={
            "preset": job.preset,
            "samples": samples,
            "parts": list(only),
            "temps_c": list(dict.fromkeys(point.conditions.temp_c for point in points)),
            "yield_at": limit,
            "yield_rule": rule,
            "assumptions": asdict(assumed),
            "recompiled": changed,
            "sections": len(job.build.sections),
        },
        identity={
            **points[0].document(), "parts": list(only), "assumptions": assumed.document(),
        },
        more=partial(measure_point, only, assumed),
        judge=partial(_judge, only, assumed),
    )  # fmt: skip


def _require_worked_out(variation: Variation) -> None:
    """SettingsError if power, settling and noise are not worked out of such chips."""
    for one in variation.on():
        if not one.in_datasheets:
            on = [s.name for s in one.settings if getattr(variation, s.name) != s.default]
            raise SettingsError(
                f"a datasheet is not worked out of chips with {one.name} ({', '.join(on)}): set "
                "that to 0, or leave --samples out, for the design alone"
            )


def _summarise(
    parts: tuple[str, ...],
    nominal: Point,
    assumed: Assumptions,
    limit: float,
    rows: Sequence[Row],
    bench: Bench,
) -> dict[str, Any]:
    from ..compiler.counts import circuit_counts
    from ..devices.curve import nearest_to_nominal
    from ..physics.area import area_of
    from ..physics.sheet import power_map
    from ..physics.supply import work_of
    from .points import label_of

    chain = bench.chain(nominal.hardware)
    good = [row for row in rows if row["status"] == "ok"]
    unspoilt = [row for row in good if row["sample"] is None] or good
    nearest = nearest_to_nominal(row["temp_c"] for row in unspoilt)
    typical = next(row for row in unspoilt if row["temp_c"] == nearest)
    found: dict[str, Spread] = {}
    for one in QUANTITIES:
        if typical.get(f"{one.name}_typical") is not None:
            found[one.name] = {
                "min": min(row[f"{one.name}_min"] for row in good),
                "typical": typical[f"{one.name}_typical"],
                "max": max(row[f"{one.name}_max"] for row in good),
            }
    reached = {
        entry: {
            "min": min(row[entry] for row in good),
            "typical": typical[entry],
            "max": max(row[entry] for row in good),
        }
        for entry in REACHED
        if entry in typical
    }
    tellegen = [row["tellegen"] for row in good if row.get("tellegen") is not None]
    return {
        **found,
        "figures_of": found,
        "typical": {name: typical[name] for name in NAMES},
        "typical_of": label_of(typical["sample"], typical["temp_c"]),
        "reached": reached,
        **_yield(rows, limit),
        "few": len(few_of(bench)),
        "tellegen_relative": max(tellegen, default=None),
        "area": circuit_counts(chain),
        "area_um2": area_of(chain, assumed),
        "map": power_map(_asked(bench, chain, nominal, assumed)) if "power" in parts else [],
        "work": asdict(work_of(bench.build)),
        **_converters(bench.build, nominal.hardware, assumed),
    }


def _converters(build: Build, hardware: Hardware, assumed: Assumptions) -> dict[str, float]:
    """Joules of an inference's conversions, where they depend on bits."""
    from ..physics.supply import conversions, work_of

    if not assumed.dac_fom and not assumed.adc_fom:
        return {}
    return {"converters_j": sum(conversions(work_of(build), hardware, assumed))}


def _yield(rows: Sequence[Row], limit: float) -> dict[str, Any]:
    """The share of chips that at all temperatures reach at least ``limit``, or err by no more."""
    from ..intervals import exact
    from .summary import reaches

    chips: dict[int, bool] = {}
    for row in rows:
        if row["sample"] is not None:
            passes = row["status"] == "ok" and reaches(row, limit)
            chips[row["sample"]] = chips.get(row["sample"], True) and passes
    if not chips:
        return {"yield": None, "yield_ci95": None}
    good = sum(chips.values())
    return {"yield": good / len(chips), "yield_ci95": exact(good, len(chips))}


_ROW = {name: Maybe(Number()) for name in NAMES}
datasheet = Study(
    name="datasheet",
    short="Power, settling and noise of the circuit, with conditions.",
    options=(
        Option(
            name="only", kind="text", default=",".join(PARTS), metavar="PART,PART",
            about="Of power, settling and noise.", read=read_parts,
        ),
        replace(OVER_TEMPERATURE[0], default="26.85"), *OVER_TEMPERATURE[1:],
    ),
    plan=plan,
    result=Datasheet,
    more=_ROW,
    own=Assumptions,
    start=start,
)  # fmt: skip
