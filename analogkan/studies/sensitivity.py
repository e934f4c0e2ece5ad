# pyright: strict
"""``sensitivity``: which quantities, layers, tiles and lines make chips differ."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..schema import Number, Text
from .sensitivity_result import Sensitivity
from .study import Job, Option, Plan, Study

if TYPE_CHECKING:
    from .bench import Bench
    from .points import Point
    from .result import Row
    from .sensitivity_found import Blaming


def make_plan(job: Job, *, samples: int, yield_at: str | float | None) -> Plan:
    """Say which quantities, layers, tiles and lines are to blame that chips differ.

    Two ways, side by side: gradients of every image's margin in all that is drawn, and draws, whole
    chips that have one quantity of one layer from another chip. Shares are of the variance of the
    score, the margin that decides whether a chip reaches --yield-at. Then the first cause is taken
    out alone, and the spread that is left is held against what was predicted. RUN keeps
    study.sqlite, chips.csv, result.json and sensitivity.png; the same command goes on with what is
    left, more --samples extend it.

    \b
    Examples:
      analogkan sensitivity mnist.build --subset 200
      analogkan sensitivity mnist.build --preset as-made --samples 64 --yield-at 0.97
    """
    blaming, facts = _blaming(job, samples, yield_at)
    chips = blaming.chips
    return Plan(
        points=chips.pairs,
        evaluate=_evaluate,
        explore=blaming.explore,
        most=samples * (len(chips.groups) + 4),
        summarise=lambda rows, bench: blaming.found,
        exemplars=blaming.exemplars,
        facts=facts,
        identity=chips.one.document()
        | {"conditions": asdict(chips.one.conditions), "event": chips.event.document()},
    )


def _blaming(
    job: Job, samples: int, yield_at: str | float | None
) -> tuple[Blaming, dict[str, Any]]:
    from ..engines.twin_engine import TwinEngine
    from .bench import Bench
    from .montecarlo import yield_rule
    from .points import Point
    from .scores import Event
    from .sensitivity_causes import causes_of, drawn_parts, groups_of, with_few
    from .sensitivity_chips import Chips
    from .sensitivity_found import Blaming

    hardware, variation, conditions, changed = job.read_settings()
    one = Point(hardware=hardware, variation=variation, conditions=conditions, sample=0)
    few = with_few(Bench(job.build, job.images, TwinEngine()), one)
    parts = drawn_parts(few, one) if variation.drawn else {}
    if not parts:
        raise SettingsError(
            "sensitivity shares out what chance does, and with these settings nothing is drawn: "
            "give --preset rram, or --set sigma_g=0.05 and the like"
        )
    limit, rule = yield_rule(job.build, job.images, yield_at)
    event = Event.asked(job.build.spec, limit, len(job.images))
    causes = causes_of(few, one, list(parts))
    groups = groups_of(parts, causes)
    blaming = Blaming(
        chips=Chips(one=one, event=event, groups=groups, samples=samples),
        parts=parts,
        causes=causes,
    )
    return blaming, {
        "preset": job.preset,
        "samples": samples,
        "temp_c": conditions.temp_c,
        "recompiled": changed,
        "yield_at": limit,
        "yield_rule": rule,
        "event": event.document(),
    }


def _evaluate(bench: Bench, point: Point) -> Row:
    from .sensitivity_chips import evaluate

    return evaluate(bench, point)


sensitivity = Study(
    name="sensitivity",
    short="Which quantities, layers, tiles and lines make chips differ.",
    options=(
        Option(
            name="samples", kind="whole", default=128, least=4, most=100_000,
            about="Chips A; as many chips B, of each quantity in each layer as many that have it "
            "from B, and twice as many without the first cause. Below 16 there are no intervals.",
        ),
        Option(
            name="yield_at", kind="limit", metavar="X",
            about="Accuracy that decides which margin is the score; default: 0.01 below "
            "software's, or the parent's. Of a regression an RMSE, as for montecarlo.",
        ),
        Option(
            name="preset", kind="text", default="rram", metavar="NAME|FILE.toml", words="preset",
        ),
    ),
    plan=make_plan,
    result=Sensitivity,
    columns={"chip": Text(), "score": Number(), "reached": Number(low=0.0)},
)  # fmt: skip
