# pyright: strict
"""``montecarlo --method``: how rarely chips fail, where so few do that few chips say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SettingsError, SimulationError, StudyError, UntrustedError
from .batches import CHIPS, COLUMNS, Progress, chip_point, evaluate, points_of, spread_out
from .entries import METHODS, NOISES
from .option import Option
from .scores import Event
from .study import Job, Plan, Study
from .yields_result import Yield

if TYPE_CHECKING:
    from ..coordinates import Key, Listing
    from ..rare import Asking, Estimate
    from .bench import Bench
    from .points import Point

SAMPLES = {"plain": 10_000, "control": 2000, "subset": 2000, "scaled": 2000, "sobol": 8192}
"""Chips by default: in all, of a level, of a scale, in all."""

NOTHING = (
    "method = {method}: nothing is drawn{but}, so every chip is the same: give a preset, or a sigma"
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a method is asked for, of which chips."""

    method: str
    samples: int
    first: int
    noise: str
    event: Event
    template: Point

    @property
    def frozen(self) -> bool:
        """Whether noise at every read is chip 0's."""
        return self.noise == "frozen"


def begin(bench: Bench, of: Asked) -> Asking:
    """The estimator.

    Raises
    ------
    SettingsError
        If the settings are none that the method can be asked about.
    """
    from .. import rare

    given: Mapping[str, Any] = {"first": of.first, "frozen": of.frozen}
    try:
        listed = coordinates(bench, of)
    except SimulationError:
        if of.method != "plain":
            raise
        return rare.plain(of.samples, **given)  # a chip that cannot be simulated fails
    if not (listed.shapes or listed.uniforms):
        but = " but noise at reads, which is frozen" if of.frozen else ""
        raise SettingsError(NOTHING.format(method=of.method, but=but))
    if of.method == "plain":
        return rare.plain(of.samples, **given)
    _require_smooth(of, listed)
    if of.method == "sobol":
        return rare.sobol(of.samples, seed=bench.seed, listed=_few(listed), **given)
    if of.method == "control":
        if of.event.rank is None:
            raise SettingsError(
                "method = control is of images' margins, and a regression has none: use subset"
            )
        from ..engines.gradients import linearise

        linear = linearise(bench, of.template, frozen=of.frozen)
        return rare.control(of.samples, seed=bench.seed, linear=linear, k=of.event.rank, **given)
    return getattr(rare, of.method)(of.samples, seed=bench.seed, **given)


def plan(
    job: Job,
    *,
    method: str,
    noise: str,
    samples: int | None,
    first: int,
    temp_c: float | None,
    yield_at: str | float | None,
    calibrate: str | None,
) -> Plan:
    """Estimate how rarely virtual chips of a BUILD fail: see ``montecarlo``."""
    from .montecarlo import yield_rule
    from .points import Point

    hardware, variation, conditions, changed = job.read_settings()
    if temp_c is not None:
        conditions = replace(conditions, temp_c=temp_c)
    if not variation.drawn:
        raise SettingsError(NOTHING.format(method=method, but=""))
    limit, rule = yield_rule(job.build, job.images, yield_at)
    template = Point(hardware=hardware, variation=variation, conditions=conditions, sample=0)
    asked = Asked(
        method=method, samples=SAMPLES[method] if samples is None else samples, first=first,
        noise=noise, event=Event.asked(job.build.spec, limit, len(job.images)), template=template,
    )  # fmt: skip
    progress = Progress()

    def explore(bench: Bench) -> Any:
        return points_of(begin(bench, asked), template, asked.event, progress)

    return Plan(
        points=[template],
        study=yields,
        evaluate=evaluate,
        explore=explore,
        spread=spread_out,
        arrange=lambda run, rows: spread_out(rows),
        most=-(-asked.samples // CHIPS),
        counted="batches of 100 chips",
        exemplars=lambda bench: [chip_point(template, one) for _, one in progress.nearest],
        summarise=lambda rows, bench: summarise(asked, progress, rule),
        facts={
            "preset": job.preset,
            "first": first,
            "temp_c": conditions.temp_c,
            "recompiled": changed,
            "calibration": calibrate,
        },
        identity=template.document()
        | {"conditions": asdict(conditions), "method": method, "noise": noise, "first": first}
        | {"event": asked.event.document()},
        calibrate=calibrate,
    )


def coordinates(bench: Bench, of: Asked) -> Listing:
    """What chance decides of a chip, as far as its logits on the bench's images depend on it."""
    from ..coordinates import Listing
    from ..engines.gradients import Middle

    listed = (Middle if of.frozen else Listing)({}, {})
    bench.read(chip_point(of.template, listed))
    return listed


def _few(listed: Listing) -> dict[Key, tuple[int, ...]]:
    """Coordinates that a Sobol sequence can have: the smallest arrays first, so diodes and
    amplifiers before cells. What a trim writes again depends on the chip, and is none of them."""
    from ..imperfections.registry import streams
    from ..rare.sobol import MOST_DIMENSIONS

    whose = streams()
    shapes = {key: of for key, of in listed.shapes.items() if not whose[key.stream][0].adjusts}
    found: dict[Key, tuple[int, ...]] = {}
    left = MOST_DIMENSIONS
    for key in sorted(shapes, key=lambda key: (np.prod(shapes[key]), key)):
        left -= int(np.prod(shapes[key]))
        if left < 0:
            break
        found[key] = shapes[key]
    return found


MOST_LIMITS = 200
"""Points of a yield curve."""
SMOOTH = ("control", "scaled")
"""Methods that take scores for smooth functions of a chip's coordinates."""
MOST_CLIPPED = 20
"""Parts of a chip that may be cut off at the largest scale: what so few of tens of thousands do is
beside what chance does; assumed."""
ANY = "methods plain, sobol and subset take any"


def _require_smooth(of: Asked, listed: Listing) -> None:
    """Refuse a method that needs smooth scores where they are not.

    Raises
    ------
    SettingsError
        With what makes them jump.
    """
    if not listed.shapes:
        raise SettingsError(
            f"method = {of.method} moves along normal coordinates, and no chip has one: use plain"
        )
    if of.method not in SMOOTH:
        return
    from ..imperfections.registry import owners

    hardware, variation = of.template.hardware, of.template.variation
    names = sorted(owners(key.stream for key in listed.uniforms))
    jumps = [f"{name} happen or do not" for name in names]
    if hardware.adc_bits:
        jumps.append(f"adc_bits = {hardware.adc_bits} rounds logits")
    windows = [w for w in ("verify_window", "verify_window_abs") if getattr(variation, w)]
    jumps += [f"{window} writes cells again or does not" for window in windows]
    if of.method == "scaled" and variation.trim == "dark-real" and hardware.levels:
        jumps.append(f"trim = dark-real rounds bias cells to levels = {hardware.levels}")
    if jumps:
        raise SettingsError(
            f"method = {of.method} needs scores that are smooth, and {', '.join(jumps)}: {ANY}"
        )


def summarise(of: Asked, progress: Progress, rule: str) -> dict[str, Any]:
    """The figures, as they stand in the JSON document."""
    found = progress.estimate
    assert found is not None
    if of.method == "scaled" and progress.clipped > MOST_CLIPPED:
        raise UntrustedError(
            f"method = scaled: at the largest scale {progress.clipped:.3g} parts of a chip are cut "
            f"off at a limit, more than {MOST_CLIPPED:g}, and do not scale: {ANY}"
        )
    if progress.failed == progress.asked:
        raise StudyError(
            f"none of {progress.asked:,} chips could be simulated, so nothing is known of those "
            "that can: reasons are kept in chips.csv"
        )
    low, high = found.ci95
    return {
        "method": of.method,
        "samples": of.samples,
        "simulated": found.simulated,
        "failed": progress.failed,
        "noise": of.noise,
        "event": of.event.document(),
        "yield_at": of.event.limit,
        "yield_rule": rule,
        "p_fail": found.p,
        "p_fail_ci95": [low, high],
        "bound": found.bound,
        "cv": _finite(found.cv),
        "n_effective": _finite(found.n_effective),
        "yield": 1 - found.p,
        "yield_ci95": [1 - high, 1 - low],
        "levels": found.levels,
        "said": found.notes,
        "curve": curve_of(found, of.event),
        "intervals": "over chips; the images are fixed, and part of the event",
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def curve_of(found: Estimate, event: Event) -> list[dict[str, Any]]:
    """Shares ``p`` of chips that miss each ``limit``, with intervals, as far as they are known."""
    if found.sample is None:
        return []
    above = event.rank is None
    limits = np.unique(found.sample.reached[np.isfinite(found.sample.reached)])
    if len(limits) > MOST_LIMITS:
        limits = np.quantile(limits, np.linspace(0, 1, MOST_LIMITS))
    curve: list[dict[str, Any]] = []
    for limit in limits.tolist():
        p, (low, high) = found.sample.beyond(limit, above=above)
        if p > 0:
            curve.append({"limit": limit, "p": p, "ci95": [low, high]})
    return curve


yields = Study(
    name="yields",
    short="How rarely chips fail.",
    options=(
        Option(name="method", kind="text", choices=METHODS),
        Option(name="noise", kind="text", default="drawn", choices=NOISES),
        Option(name="samples", kind="whole", least=1, most=10_000_000),
        Option(name="first", kind="whole", default=0, least=0),
        Option(name="preset", kind="text", default="rram"),
        Option(name="temp_c", kind="number"),
        Option(name="yield_at", kind="limit"),
        Option(name="calibrate", kind="text"),
    ),
    plan=plan,
    result=Yield,
    columns=COLUMNS,
    picture="yield.png",
)
"""Reached by ``montecarlo --method``; it has no command of its own."""
