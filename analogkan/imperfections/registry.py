# pyright: strict
"""The list of imperfections: those that come with the package, then what a user registers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache

from .. import outside
from ..compiler.hardware import Hardware
from ..errors import SettingsError
from ..objects import require_type
from ..streams import FIRST_DERIVED
from .aging import RETENTION
from .amplifiers import FEEDBACK, OP_AMPS
from .base import PHASES, Imperfection
from .bent import BENT
from .cells import PROGRAMMING, READ_NOISE
from .coefficients import COEFFICIENTS
from .conditions import Conditions
from .converters import ADCS, DACS, HOLDS
from .diodes import DIODES
from .faults import DEAD_AMPLIFIERS, DEAD_DIODES, OPEN_LINES, STUCK_CELLS
from .fronts import LAYERNORM, SQUASH_CELLS
from .heat import HEAT
from .measured import MEASURED, RANGE
from .programming import WRITE_VERIFY
from .trim import TRIM
from .variation import Variation, declare

BUILT_IN = (
    PROGRAMMING, READ_NOISE, STUCK_CELLS, DEAD_DIODES, OPEN_LINES, DEAD_AMPLIFIERS, RETENTION, TRIM,
    DIODES, OP_AMPS, FEEDBACK, BENT, MEASURED, RANGE, WRITE_VERIFY, COEFFICIENTS, SQUASH_CELLS,
    LAYERNORM, HEAT, DACS, ADCS, HOLDS,
)  # fmt: skip
"""In the order of their settings."""
FIGURES = (
    "key", "sample", "temp_c", "status", "reason", "n", "seconds", "correct", "accuracy",
    "agreement", "max_abs_logit_error", "rms_logit_error", "gain_mean", "offset_mean", "gain",
    "offset", "accuracy_uncalibrated", "agreement_uncalibrated", "accuracy_compensated",
    "agreement_compensated", "rmse", "max_abs", "r2", "rmse_between", "max_abs_between", "curve",
    "rmse_uncalibrated", "max_abs_uncalibrated", "rmse_compensated", "max_abs_compensated",
    "judge_difference", "judge_share", "macro_agreement", "uncalibrated_columns", "calibration",
    "adc_saturated", "adc_ties", "corner", "score", "own_score", "distance", "beta",
)  # fmt: skip
"""What else a row has: no count is called so."""


def register(imperfection: Imperfection) -> Imperfection:
    """Make an imperfection known: its settings, limits, help, counts and faults.

    Registered once in every process that draws chips, before a ``Variation`` with it is made.

    Raises
    ------
    SettingsError
        If it is none, a part is missing, or a name or stream is taken.
    """
    require_type(imperfection, Imperfection, "imperfection", "an Imperfection")
    if any(number < FIRST_DERIVED for number in imperfection.numbers.values()):
        raise SettingsError(
            f"imperfection {imperfection.name!r} numbers its streams below {FIRST_DERIVED}, which "
            "are those that come with the package: give names alone"
        )
    known = (*Variation.declared, imperfection)
    check(known)
    outside.note((outside.IMPERFECTION, imperfection.name))
    declare(known, len(BUILT_IN))
    return imperfection


def unregister(imperfection: Imperfection) -> None:
    """Take back what was registered; SettingsError if it was not."""
    left = [known for known in Variation.declared if known is not imperfection]
    if imperfection in BUILT_IN or len(left) == len(Variation.declared):
        raise SettingsError(f"imperfection {imperfection.name!r} was not registered")
    declare(left, len(BUILT_IN))
    outside.drop((outside.IMPERFECTION, imperfection.name))


def check(imperfections: Sequence[Imperfection]) -> None:
    """Raise SettingsError unless each is whole, and no two share a name or a stream."""
    taken = dict.fromkeys((*Hardware.__dataclass_fields__, *Conditions.__dataclass_fields__), "")
    names: dict[str, str] = {f"setting {name!r}": "the hardware or conditions" for name in taken}
    names |= {f"count {name!r}": "a row of every study" for name in FIGURES}
    for one in imperfections:
        _check_whole(one)
        mine = [f"name {one.name!r}", *(f"setting {s.name!r}" for s in one.settings)]
        mine += [f"count {name!r}" for name in one.counts]
        mine += [f"stream number {number}" for number in one.numbers.values()]
        for name in mine:
            if name in names:
                raise SettingsError(
                    f"imperfection {one.name!r}: {name} is that of {names[name]} already: choose "
                    "another"
                )
            names[name] = f"imperfection {one.name!r}"


def _check_whole(one: Imperfection) -> None:
    lacks = [part for part in ("name", "settings", "draw") if not getattr(one, part)]
    lacks += [f"the documentation of {s.name!r}" for s in one.settings if not s.about]
    lacks += [f"the limit of {s.name!r} in words" for s in one.settings if not s.limit]
    lacks += [f"the words of count {name!r}" for name, words in one.counts.items() if not words]
    if lacks:
        raise SettingsError(f"imperfection {one.name!r} lacks {', '.join(lacks)}")
    for s in one.settings:
        if not s.fits(s.default) or not s.name.isidentifier():
            raise SettingsError(
                f"imperfection {one.name!r}: setting {s.name!r} is no name, or its default "
                f"{s.default!r} is out of range: {s.limit}"
            )
    if one.acts not in PHASES:
        raise SettingsError(
            f"imperfection {one.name!r} acts {one.acts!r}: it must be one of {', '.join(PHASES)}"
        )


def acting() -> tuple[Imperfection, ...]:
    """All, in the order in which they act."""
    return _acting(Variation.declared)


@lru_cache(maxsize=16)
def _acting(declared: tuple[Imperfection, ...]) -> tuple[Imperfection, ...]:
    return tuple(sorted(declared, key=lambda one: PHASES.index(one.acts)))


def counts() -> dict[str, str]:
    """What drawing a chip counts: names, and the words behind a number of them."""
    return {name: words for one in acting() for name, words in one.counts.items()}


def streams() -> dict[int, tuple[Imperfection, str]]:
    """Whose each stream is, by its number, and its name."""
    return {
        number: (one, name) for one in Variation.declared for name, number in one.numbers.items()
    }


def owners(numbers: Iterable[int]) -> list[str]:
    """Names of the imperfections that have these streams, in the order of their settings."""
    wanted = set(numbers)
    return [one.name for one in Variation.declared if wanted.intersection(one.numbers.values())]


@cache
def always_told() -> tuple[Imperfection, ...]:
    """Those whose counts every row has; of others those have them in which they are on."""
    return tuple(one for one in _acting(BUILT_IN) if not one.later)


def settings_of(which: Callable[[Imperfection], bool]) -> tuple[str, ...]:
    """Names of the settings of some imperfections."""
    return tuple(s.name for one in Variation.declared if which(one) for s in one.settings)


def faults() -> tuple[str, ...]:
    """Settings that are shares of parts that fail."""
    return settings_of(lambda one: one.fault)


def decisive_faults() -> tuple[str, ...]:
    """Of them, those of which one alone can cost a class: few chips decide what the mean is."""
    return settings_of(lambda one: one.fault and one.decisive)


check(BUILT_IN)
declare(BUILT_IN, len(BUILT_IN))
