# pyright: strict
"""``corners``: named corners, and the worst chip within so many sigmas, each kept as a BUILD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..errors import SettingsError
from ..imperfections.registry import faults
from ..schema import Maybe, Number, Text
from ..settings import require
from .corners_result import Corners
from .study import Job, Option, Plan, Study
from .thermal import read_temps

if TYPE_CHECKING:
    from ..imperfections import Variation

MOST_SIGMAS = 10.0
"""A part so far out is met once in 1e23."""
CERTAIN = 0.5
"""Share of parts that fail from which on the part in the middle of all does."""


def plan(
    job: Job, *, sigmas: float, temps: Sequence[float], worst: int, yield_at: float | str | None
) -> Plan:
    """Simulate chips at corners, and keep each as a BUILD that a plain ngspice runs.

    Classical corners have all diodes strong, all offsets above 0, cells high, hot, cold and so on,
    each coordinate at --sigmas. Worst-case ones are the worst chips within --sigmas of the middle,
    over all coordinates together, found by gradients: for all images, for those of a class, then
    from other starts. RUN keeps corners/NAME.build beside study.sqlite, chips.csv, result.json and
    corners.png.

    ngspice judges every corner: of --judge 3x50 the 50 is how many images of each, which its BUILD
    sweeps too, and the 3 is of no matter here. none judges none.

    \b
    Examples:
      analogkan corners mnist.build --subset 200
      analogkan corners mnist.build --sigmas 4 --temps -20,25,85 --worst 0
    """
    from .corners_points import Asked, classical, explore
    from .corners_rows import keep, measure, summarise
    from .montecarlo import yield_rule
    from .points import Point
    from .scores import Event

    if any(text.partition("=")[0].strip() == "temp_c" for text in job.settings):
        raise SettingsError("temp_c is what corners varies: give its values with --temps")
    require(0 < sigmas <= MOST_SIGMAS, "sigmas", sigmas, f"above 0, at most {MOST_SIGMAS:g}")
    hardware, variation, conditions, changed = job.read_settings()
    _require_drawn(job.preset, variation)
    limit, rule = yield_rule(job.build, job.images, yield_at)
    event = Event.asked(job.build.spec, limit, len(job.images))
    three = sorted({float(temp_c) for temp_c in temps})
    if len(three) != 3:
        raise SettingsError(
            f"temps = {', '.join(f'{t:g}' for t in temps)}: corners take three temperatures, cold, "
            "typical and hot, such as -40,26.85,125"
        )
    cold, typical, hot = three
    point = Point(
        hardware=hardware, variation=variation, conditions=replace(conditions, temp_c=typical),
        sample=0,
    )  # fmt: skip
    asked = Asked(
        typical=point, temps={"cold": cold, "typical": typical, "hot": hot}, sigmas=sigmas,
        worst=worst, event=event,
    )  # fmt: skip
    return Plan(
        points=classical(asked, {}),
        explore=partial(explore, asked),
        most=asked.most,
        more=partial(measure, asked),
        summarise=partial(summarise, asked),
        keep=partial(keep, job.judge),
        judge_all=True,
        arrange=lambda run, rows: sorted(rows, key=lambda row: row["sample"]),
        facts={
            "preset": job.preset,
            "sigmas": sigmas,
            "temps_c": [cold, typical, hot],
            "worst": worst,
            "yield_at": limit,
            "yield_rule": rule,
            "recompiled": changed,
        },
        identity=point.document()
        | {"sigmas": sigmas, "temps_c": [cold, typical, hot], "worst": worst, "yield_at": limit},
    )


def _require_drawn(preset: str | None, variation: Variation) -> None:
    """SettingsError if no coordinate could be displaced, or a part in the middle would fail."""
    failing = {name: getattr(variation, name) for name in faults()}
    for name, share in failing.items():
        if share >= CERTAIN:
            raise SettingsError(
                f"{name} = {share:g}: corners are near the chip in the middle, and of so many "
                f"parts that fail its own do: set {name} below {CERTAIN:g}"
            )
    if not any(one.numbers and not one.fault and not one.adjusts for one in variation.on()):
        only = " but faults, which have no direction" if variation.drawn else ""
        raise SettingsError(
            f"corners displaces what chance decides of a chip, and preset {preset} draws "
            f"nothing{only}: give --preset rram, or --set sigma_g=0.05 and the like"
        )


corners = Study(
    name="corners",
    short="Classical and worst-case corners, each kept as a BUILD.",
    options=(
        Option(
            name="sigmas", kind="number", default=3.0, metavar="X",
            about="How far out; of worst-case corners over all coordinates together.",
        ),
        Option(
            name="temps", kind="text", default="-40,26.85,125", metavar="COLD,TYPICAL,HOT",
            about="Degrees Celsius.", read=read_temps,
        ),
        Option(
            name="worst", kind="whole", default=10, least=0, most=1000,
            about="How many worst-case corners.",
        ),
        Option(
            name="yield_at", kind="limit", metavar="X",
            about="A chip is good from this accuracy on, or up to this RMSE; as for montecarlo.",
        ),
        Option(
            name="preset", kind="text", default="rram", metavar="NAME|FILE.toml", words="preset",
        ),
    ),
    plan=plan,
    result=Corners,
    more={"corner": Text(), "score": Number(), "own_score": Maybe(Number()),
          "distance": Number(low=0.0), "beta": Maybe(Number(low=0.0))},
)  # fmt: skip
