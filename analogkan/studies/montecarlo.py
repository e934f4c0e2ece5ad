# pyright: strict
"""``montecarlo``: the same circuit made many times, each chip with its own errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..numerals import read_quantity
from ..results import Fact, Figure, Listing, Pair
from ..settings import require
from ..text import interval, many, percent
from .entries import COLUMNS, METHODS, NOISES, TWO_POINT
from .of_chips import OfChips
from .result import OfClasses, whole_scale, within
from .study import Job, Option, Plan, Study, Threshold
from .value_results import ChipErrors

if TYPE_CHECKING:
    from ..compiler.build import Build
    from ..data import ImageSet

YIELD_LOSS = 0.01
"""A chip counts as good if it loses no more than this, unless told otherwise."""
OVER_CHIPS = "intervals are over chips, the images are fixed"
SAMPLES = 100
"""Chips, unless told otherwise."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Chips(OfChips, OfClasses):
    """What chips reach. Accuracies and yields are shares of 1.

    Attributes
    ----------
    accuracy_mean, accuracy_std, accuracy_percentiles
        Over chips; percentiles by their names, ``5``, ``50`` and ``95``.
    accuracy_mean_ci95, accuracy_std_ci95, accuracy_percentiles_ci95
        Their 95 % intervals over chips; None where there is none.
    accuracy_uncalibrated_mean, accuracy_uncalibrated_mean_ci95
        Of the chips as they were made, if they were calibrated.
    no_interval
        Why there is none, by what of.
    agreement_mean
        Share of the images that chip and software put into one class.
    max_abs_logit_error, logit_full_scale
        The largest of all chips, and the largest logit in software.
    """

    accuracy_mean: float
    accuracy_mean_ci95: Pair | None
    accuracy_std: float | None
    accuracy_std_ci95: Pair | None
    accuracy_percentiles: Mapping[str, float]
    accuracy_percentiles_ci95: Mapping[str, Pair | None]
    accuracy_uncalibrated_mean: float | None = None
    accuracy_uncalibrated_mean_ci95: Pair | None = None
    no_interval: Mapping[str, str]
    agreement_mean: float
    max_abs_logit_error: float
    logit_full_scale: float

    @classmethod
    def of_values(cls) -> type[ChipErrors]:
        return ChipErrors

    def headline(self) -> list[Fact]:
        chips = [interval(self.accuracy_mean_ci95), many(self.samples, "chip"), self.drawn()]
        good = f"{interval(self.yield_ci95)}; chips of {self.yield_rule}"
        return [
            Fact("mean of chips", percent(self.accuracy_mean), ", ".join(filter(None, chips))),
            Fact("yield", percent(self.yield_, 1), good),
        ]

    def facts(self) -> Listing:
        why = self.no_interval
        mean = within(self.accuracy_mean_ci95, why.get("mean", ""))
        found = [
            Fact("software", percent(self.software_accuracy)),
            Fact("mean", percent(self.accuracy_mean), mean),
        ]
        if self.accuracy_uncalibrated_mean is not None:
            before = percent(self.accuracy_uncalibrated_mean)
            pair = within(self.accuracy_uncalibrated_mean_ci95)
            found.append(Fact("mean before calibration", before, pair))
        if self.accuracy_std is not None:
            spread = f"{100 * self.accuracy_std:.2f} points"
            pair = within(self.accuracy_std_ci95, why.get("std", ""))
            found.append(Fact("standard deviation", spread, pair))
        for q, value in self.accuracy_percentiles.items():
            pair = within(self.accuracy_percentiles_ci95[q], why.get(q, ""))
            found.append(Fact("median" if q == "50" else f"{q} %", percent(value), pair))
        error = self.max_abs_logit_error
        good = f"yield (at least {percent(self.yield_at)})"
        found += [
            Fact(good, percent(self.yield_), within(self.yield_ci95)),
            Fact("same class as software", percent(self.agreement_mean)),
            Fact("largest logit error", f"{error:.2g}", whole_scale(error, self.logit_full_scale)),
        ]
        return Listing.of(found, "95 % over chips")

    def sentences(self) -> list[str]:
        worst = f"worst chip: {self.worst_chip['sample']}, {percent(self.worst_chip['accuracy'])}"
        return [f"{worst}; {OVER_CHIPS}", f"yield counts chips of {self.yield_rule}"]

    def figures(self) -> list[Figure]:
        from ..report import figures

        rows, s = self.rows, self.summary

        def live() -> Any:
            from ..report.interactive import chip_histogram

            return chip_histogram(rows, s)

        return [
            Figure(
                "histogram",
                "Chips by accuracy; lines are software (blue), mean (red) and yield.",
                partial(figures.histogram_figure, rows, s),
                live,
            ),
            Figure(
                "yield",
                "Share of the chips that reach an accuracy.",
                partial(figures.yield_figure, rows, s),
            ),
        ]


def plan(
    job: Job,
    *,
    samples: int | None,
    first: int,
    method: str | None,
    noise: str,
    temp_c: float | None,
    yield_at: str | float | None,
    calibrate: bool,
    two_point: bool,
) -> Plan:
    """Draw virtual chips of a BUILD, run the images through each, and say how they differ.

    Each chip has its own programming errors, diodes, offsets and gains, as preset and --set say
    (`analogkan doctor --settings` lists them all). Chip m is the same chip whatever else is asked.
    Intervals are over chips; the images are fixed. RUN keeps study.sqlite, chips.csv, result.json
    and histogram.png; the same command goes on with what is left, more --samples extend it.

    \b
    Examples:
      analogkan montecarlo mnist.build --samples 200 --subset 1000
      analogkan montecarlo mnist.build --set sigma_g=0.1 --set trim=none --yield-at 0.97
      analogkan montecarlo mnist.build --samples 10 --subset 500 --engine ngspice
      analogkan montecarlo mnist.build --samples 1 --first 7 --engine ngspice
    """
    from . import yields
    from .grid import drawn_faults
    from .points import montecarlo_points
    from .summary import summarise_chips
    from .values import band, summarise_errors

    if calibrate and two_point:
        raise SettingsError("calibrate and two_point are two ways to set a chip: give one of them")
    if two_point and job.build.spec.targets is None:
        raise SettingsError(
            "two_point corrects outputs that are quantities, and a classifier compares its own: "
            "give calibrate"
        )
    set_by = TWO_POINT if two_point else COLUMNS if calibrate else None
    if method is not None:
        return yields.plan(
            job, method=method, noise=noise, samples=samples, first=first, temp_c=temp_c,
            yield_at=yield_at, calibrate=set_by,
        )  # fmt: skip
    if noise != "drawn":
        raise SettingsError(f"noise = {noise} goes with a method: give --method, or leave it out")
    hardware, variation, conditions, changed = job.read_settings()
    if temp_c is not None:
        conditions = replace(conditions, temp_c=temp_c)
    faults = drawn_faults(variation)
    summarise: Callable[..., dict[str, Any]] = summarise_chips
    limit, rule = yield_rule(job.build, job.images, yield_at)
    if job.build.spec.targets is not None:
        summarise = summarise_errors
    count = SAMPLES if samples is None else samples
    points = montecarlo_points(hardware, variation, conditions, count, first)
    return Plan(
        points=points,
        summarise=lambda rows, bench: (
            summarise(rows, yield_at=limit, faults=faults) | band(rows, bench)
        ),
        facts={
            "preset": job.preset,
            "first": first,
            "temp_c": conditions.temp_c,
            "recompiled": changed,
            "nothing_drawn": variation.off,
            "yield_rule": rule,
            "calibration": set_by,
        },
        identity=points[0].document() | {"conditions": asdict(conditions)},
        calibrate=set_by,
    )


def foretell(job: Job, jobs: int, *, samples: int | None, method: str | None, **_: Any) -> str:
    """What so many chips can say."""
    if method is None:
        from .enough import told_before

        return told_before(SAMPLES if samples is None else samples)
    from .yields import SAMPLES as OF_METHODS  # and scipy.stats, which takes long to be loaded

    count = OF_METHODS[method] if samples is None else samples
    return f"method {method}: {count:,} chips {OF[method]}"


OF = {
    "plain": "in all", "control": "in all, after the gradients of the images' margins",
    "subset": "of each level, of which there is one for every factor of ten",
    "scaled": "of each scale", "sobol": "in all",
}  # fmt: skip
"""What a method's number of chips is of."""


def _share(given: str | float | None) -> float | None:
    """A share of 1; SettingsError if ``given`` is none."""
    if given is None:
        return None
    try:
        value, said = read_quantity(given) if isinstance(given, str) else (float(given), "")
        if said not in ("", "%"):
            raise ValueError
    except ValueError:
        raise SettingsError(
            f"yield_at = {given} is no accuracy: give a share of the images, such as 0.97 or 97%"
        ) from None
    share = value / 100 if said else value
    require(0 <= share <= 1, "yield_at", given, "0 to 1")
    return share


def yield_rule(build: Build, images: ImageSet, given: str | float | None) -> tuple[float, str]:
    """What a good chip reaches, an accuracy or an RMSE, and the rule in words."""
    if build.spec.targets is not None:
        return yield_error(build, images, given)
    limit, how = yield_limit(build, images, _share(given))
    return limit, f"at least {percent(limit)}: {how}"


def yield_error(build: Build, images: ImageSet, given: str | float | None) -> tuple[float, str]:
    """The RMSE up to which a chip of a regression is a good one, and the rule in words."""
    from ..data.images import check_answers
    from ..network.measures import distance, format_value, unit_of
    from .values import error_limit

    targets = build.spec.targets
    assert targets is not None
    check_answers(images, build.spec)
    z = build.spec.logits(images.flat(build.spec.encoding.shape))
    software = distance(targets, images.y, targets.values(z), ci95=False).rmse
    limit, rule = error_limit(targets, software, given)
    return limit, f"RMSE at most {format_value(limit, unit_of(targets))}: {rule}"


def yield_limit(build: Build, images: ImageSet, given: float | None = None) -> tuple[float, str]:
    """The accuracy from which on a chip is a good one, and how it was come by.

    ``given``, or ``YIELD_LOSS`` below the software's on ``images``; of a model that was trained
    from another on this data set, below that one's: training for hardware lowers the software's.
    """
    from ..data.images import check_labels
    from .notes import reached

    if given is not None:
        return given, "as was asked for"
    parent = reached(build, "parent")
    if parent is not None and parent.accuracy is not None and parent.dataset == images.name:
        base = parent.accuracy
        whose = f"{percent(base)} of the model it was trained from ({parent.images})"
    else:
        check_labels(images, build.spec.sizes[-1], build.spec.name)
        software = build.spec.logits(images.flat(build.spec.encoding.shape)).argmax(axis=1)
        base = float((software == images.y).mean()) if len(images) else 0.0
        whose = f"software's {percent(base)} on these images"
    return max(0.0, round(base - YIELD_LOSS, 12)), f"1 point below {whose}"


montecarlo = Study(
    name="montecarlo",
    short="Virtual chips: accuracy, yield and logit errors over mismatch.",
    options=(
        Option(
            name="samples", kind="whole", least=1, most=1_000_000,
            about="Chips; default: 100. With --method in all, or of a level (subset) or scale "
            "(scaled), from 1000.",
        ),
        Option(
            name="first", kind="whole", default=0, least=0,
            about="Number of the first chip, to look at one alone.",
        ),
        Option(
            name="method", kind="text", choices=METHODS,
            about="Estimate how rarely chips miss --yield-at, keeping scores alone; "
            "docs/rare-yields.md has when to use which.",
        ),
        Option(
            name="noise", kind="text", default=NOISES[0], choices=NOISES,
            about="Of a method: read noise is each chip's, or chip 0's on all.",
        ),
        Option(
            name="preset", kind="text", default="rram", metavar="NAME|FILE.toml", words="preset",
            about="What chips differ in; several, the later on top: rram,mine.variation.toml.",
        ),
        Option(
            name="temp_c", given="temp", kind="number", metavar="DEGC",
            about="In place of the preset's.",
        ),
        Option(
            name="yield_at", kind="limit", metavar="X",
            about="A chip is good from this accuracy on; default: 0.01 below software's, or the "
            "parent's. Of a regression: up to this RMSE, a share of span (1%) or in the unit "
            "(0.5degC); default: 1% of span above software's.",
        ),
        Option(
            name="calibrate", kind="truth", default=False,
            about="Set each chip's columns, layer by layer, from measured vectors.",
        ),
        Option(
            name="two_point", kind="truth", default=False,
            about="Of a regression: correct each output in the read-out, from two measured points.",
        ),
    ),
    plan=plan,
    result=Chips,
    picture="histogram.png",
    threshold=Threshold(
        entry="accuracy_mean",
        said="mean accuracy",
        about="Exit with 3 if the mean is below X.",
        without="method",
    ),
    forecast=foretell,
)  # fmt: skip
