# pyright: strict
"""``plan``: settings that keep to limits at the least energy, area or time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..physics import Assumptions
from ..planner.limits import BUDGETS, LOSS, OBJECTIVES, Limit, parse_budgets
from ..settings import require
from ..text import many
from .plan_result import FIGURES, Planned
from .study import Job, Option, Plan, Study

if TYPE_CHECKING:
    from ..compiler.build import Build
    from .bench import Bench
    from .points import Point
    from .result import Row

BITS, MARGIN = CRITERIA = ("bits", "margin")
LEAST_SCALE = 0.001
"""A miss of no loss at all is measured in tenths of a point, or thousandths of span."""
FLIPS, SATURATED = 0.001, 0.05
"""Most probability of a flip where nothing is said, and share of images with an amplifier at a
supply."""
REPORTED = 20
"""How many circuits are looked at in full, at most, beside what was tried."""
NGSPICE = 2000
"""Images at DC that ngspice's part takes as long as, mostly ``.tran``: about, as measured."""


def make_plan(
    job: Job,
    *,
    loss: float,
    objective: str,
    criterion: str,
    budget: Sequence[Limit],
    good: float | None,
    flips: float,
    tries: int,
    few: int,
    samples: int,
    free: str,
) -> Plan:
    """Search settings that cost least energy, area or time, for a loss that you allow.

    Loss is of chips' mean accuracy, in points, or of RMSE in its unit, against the same chips of
    the circuit as it is. What --set or the preset names is fixed; --free gives other settings, or
    other ranges: numbers of hardware and assumptions. Few chips decide in the search, all of
    --samples in the end; ngspice's op, .tran and .noise repeat every circuit that is reported. RUN
    keeps planned.toml, a preset with what was chosen, plan.png, and all candidates in chips.csv;
    the same command goes on with what is left.

    \b
    Examples:
      analogkan plan mnist.build --loss 0.2
      analogkan plan mnist.build --loss 0.2 --criterion margin --budget settling_s=1u
      analogkan plan mnist.build --objective area --free gm_id=15:22 --set v_rail=1.8
    """
    from ..physics.supply import conversion
    from ..planner.levers import Space, choose_levers
    from ..planner.search import Goal
    from .judge import parse_share
    from .montecarlo import yield_rule
    from .planning import Planning
    from .points import Point

    hardware, variation, conditions, _ = job.read_settings()
    if hardware.amplifier.macro:
        raise SettingsError(
            f"a plan chooses supplies, bandwidths and currents of op-amps, and {hardware.opamp} is "
            "what its file is: plan with opamp = linear and a preset of its figures (analogkan "
            "devices characterise)"
        )
    base = hardware, job.own
    for kind in ("dac", "adc"):
        conversion(kind, *base)
    allowed = _loss(job, loss)
    bits, said = _bits(job, criterion, allowed.value)
    limits = (allowed, *_limits(job, flips, good), *budget)
    levers = choose_levers(base, _fixed(job), free, _useless(job.build))
    planning = Planning(
        space=Space(base=base, levers=levers),
        goal=Goal(objective=OBJECTIVES[objective], limits=limits),
        point=Point(hardware=hardware, variation=variation, conditions=conditions, sample=None),
        bits=bits,
        tries=tries,
        few=few,
        samples=0 if variation.off else samples,
        passing=yield_rule(job.build, job.images, None)[0],
        judged=parse_share(job.judge).images,
    )
    asked = {
        "samples": planning.samples,
        "objective": OBJECTIVES[objective],
        "limits": [limit.said() for limit in limits],
        "bits": bits,
        "assumptions": asdict(job.own),
    }
    return Plan(
        points=planning.first(),
        evaluate=_evaluate,
        explore=planning.explore,
        most=tries + REPORTED + 2 * len(planning.space.levers),
        summarise=lambda rows, bench: planning.found,
        arrange=planning.keep,
        facts={
            "preset": job.preset, "bits_as_it_is": job.own.bits, "criterion_said": said,
            "v_rail": hardware.v_rail, **asked,
        },
        identity={
            **planning.point.document(), **asked, "tries": tries, "few": few,
            "assumptions": job.own.document(),
            "levers": [asdict(lever) for lever in planning.space.levers],
        },
    )  # fmt: skip


def foretell(job: Job, jobs: int, **chosen: Any) -> str:
    """How long a plan takes, from its first candidate."""
    from ..engines.twin_engine import TwinEngine
    from ..threads import one_blas_thread
    from .bench import Bench
    from .trial import evaluate

    made, tries = make_plan(job, **chosen), chosen["tries"]
    bench = Bench(job.build, job.images, TwinEngine())
    full, few = made.points[0], made.points[1]
    with one_blas_thread:
        seconds = [
            evaluate(bench, replace(point, own=replace(point.own, judged=0)))["seconds"]
            for point in (full, few)
        ]
    levers = len(made.identity["levers"])
    reported = levers + REPORTED // 2
    told = tries * seconds[1] + (reported + REPORTED) * seconds[0]
    spice = ""
    if full.own.judged:
        one = NGSPICE * job.build.summary["expected"]["seconds_per_image"]
        told += reported * one
        spice = f", about {reported} of them in ngspice too, {one:.0f} s each"
    minutes = told / jobs / 60
    return (
        f"{tries} candidates of about {seconds[1]:.1f} s, some in full, {seconds[0]:.1f} s{spice}: "
        f"about {minutes:.0f} minutes with {many(jobs, 'job')}"
    )


def _evaluate(bench: Bench, point: Point) -> Row:
    from .trial import evaluate

    return evaluate(bench, point)


def _fixed(job: Job) -> set[str]:
    """Settings that --set or the preset names."""
    from ..compiler.presets import preset_table

    named = set(job.named)
    for table in ("hardware", "assumptions"):
        named |= set(preset_table(job.preset, table)[0]) if job.preset else set[str]()
    return named


def _useless(build: Build) -> list[str]:
    """Levers that bring nothing to a circuit: of one section, or without calibration images."""
    found = ["gating"] if len({link.section for link in build.circuit().links}) == 1 else []
    return found if build.spec.calibration is not None else [*found, "drop_rows"]


def _loss(job: Job, given: float) -> Limit:
    """What chips may lose: a share of images, or of a regression RMSE in its unit."""
    from ..network.measures import span_of, unit_of

    require(0 <= given < 100, "loss", given, "0 to below 100 points, or per cent of span")
    targets = job.build.spec.targets
    if targets is None:
        value, label, unit = given / 100, "loss", "points"
        return Limit(name=LOSS, label=label, unit=unit, value=value, scale=max(value, LEAST_SCALE))
    value, least = span_of(targets) * given / 100, span_of(targets) * LEAST_SCALE
    return Limit(
        name=LOSS, label="RMSE lost", unit=unit_of(targets), value=value, scale=max(value, least)
    )


def _limits(job: Job, flips: float, good: float | None) -> list[Limit]:
    """What always holds, and the yield if that is asked for."""
    require(0 < flips <= 1, "flips", flips, "above 0, to 1")
    found = [
        Limit(
            name="beyond_class_ab", label="op-amps beyond their output stage", unit="",
            value=0.0, scale=1.0,
        ),
        Limit(
            name="saturated", label="images at which an amplifier is at a supply", unit="%",
            value=SATURATED, scale=SATURATED,
        ),
    ]  # fmt: skip
    if job.build.spec.targets is None:
        found.append(Limit(name="flip_probability", label="flips by noise", unit="%", value=flips))
    if good is not None:
        require(0 < good <= 1, "yield", good, "above 0, to 1")
        found.append(
            Limit(name="yield", label="yield", unit="%", value=good, least=True, scale=0.05)
        )
    return found


def _bits(job: Job, criterion: str, loss: float) -> tuple[int, str]:
    """To how many bits candidates settle, and why, a sentence."""
    from .planning import needed_bits

    if criterion == BITS:
        return job.own.bits, f"all settle to {job.own.bits} bits"
    bits, said = needed_bits(job.build.spec, job.images, loss)
    return bits, f"candidates settle to {bits} bits, as {said} needs"


plan = Study(
    name="plan",
    short="Least energy, area or time for a loss that you allow.",
    options=(
        Option(
            name="loss", kind="number", default=0.2, metavar="POINTS",
            about="Points of mean accuracy that chips may lose to those of the circuit as it is; "
            "of a regression RMSE, in per cent of span.",
        ),
        Option(
            name="objective", kind="text", default="energy", choices=tuple(OBJECTIVES),
            about="What is made least.",
        ),
        Option(
            name="criterion", kind="text", default=BITS, choices=CRITERIA,
            about="What outputs settle to: the bits of the assumptions, or as many as the margin "
            "of one image in twenty needs.",
        ),
        Option(
            name="budget", kind="text", default="", metavar="NAME=MOST,...", read=parse_budgets,
            about=f"Of {', '.join(one.name for one in BUDGETS)}.",
        ),
        Option(
            name="good", given="least_yield", kind="share",
            about="Share of chips that are good, at least: within 1 point of software, or 1 % of "
            "span.",
        ),
        Option(
            name="flips", kind="share", default=FLIPS,
            about="Probability that noise flips a class, at most.",
        ),
        Option(
            name="free", kind="text", default="", metavar="NAME=LO:HI,...",
            about="Numbers of hardware and assumptions that may be moved beside the usual, or in "
            "another range.",
        ),
        Option(
            name="tries", kind="whole", default=300, least=1, most=100_000,
            about="Candidates.",
        ),
        Option(
            name="few", kind="whole", default=8, least=1, most=100,
            about="Images that settle, and whose noise is worked out, of a candidate; three times "
            "as many of what is reported.",
        ),
        Option(
            name="samples", kind="whole", default=24, least=1, most=100_000,
            about="Chips of what is reported; a search has a quarter of them.",
        ),
        Option(
            name="preset", kind="text", default="rram", metavar="NAME|FILE.toml", words="preset",
            about="What chips differ in; what hardware it names is fixed.",
        ),
    ),
    plan=make_plan,
    result=Planned,
    columns=FIGURES,
    own=Assumptions,
    models=True,
    forecast=foretell,
)  # fmt: skip
