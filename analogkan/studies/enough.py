# pyright: strict
"""How many chips are enough: what a study of so many can say of a share of them that fails."""

from __future__ import annotations

from collections.abc import Sequence

from ..intervals import exact
from ..results import Pair
from ..text import many

RELATIVE = 0.1
"""Standard error of a share that is called known, as a part of it."""


def chips_for(p: float, relative: float = RELATIVE) -> int:
    """Plain chips that know a share ``p`` of failing ones to this standard error, a part of it."""
    return round((1 - p) / (p * relative**2))


def unseen(samples: int) -> float:
    """The share of failing chips below which ``samples`` may well have none: where the interval of
    none found ends."""
    return exact(0, samples)[1]


def told_before(samples: int) -> str:
    """What ``samples`` chips can say of a yield, a sentence."""
    least = unseen(samples)
    return (
        f"{many(samples, 'chip')}: of failing ones a share below {_share(least)} may not show; one "
        f"of 1 % is known to a tenth of it by {chips_for(0.01):,} chips, one of 1e-4 by "
        f"{chips_for(1e-4):,}, or by far fewer with --method"
    )


def told_after(failing: int, samples: int) -> str:
    """What chips would be enough, now that ``failing`` of ``samples`` did, a sentence."""
    low, high = exact(failing, samples)
    if failing in (0, samples):
        which, bound = ("none", f"below {_share(high)}")
        if failing:
            which, bound = "every one", f"above {_share(low)}"
        return (
            f"{which} of {many(samples, 'chip')} fails: the share of failing ones is {bound}, and "
            "nothing more is known; another limit, or --method"
        )
    p, wanted = failing / samples, chips_for(failing / samples)
    found = f"{many(failing, 'chip')} of {samples:,} {'fails' if failing == 1 else 'fail'}"
    if samples >= wanted:
        return f"{found}: that share is known to a tenth of it"
    return f"{found}, {_share(p)}: {wanted:,} chips would know that to a tenth of it"


def told_of_means(pairs: Sequence[Pair | None], samples: int) -> list[str]:
    """What more chips would be for, of intervals of means over ``samples`` each; nothing where
    there are none."""
    known = [(high - low) / 2 for low, high in filter(None, pairs)]
    if not known:
        return []
    return [
        f"the widest interval of a mean is {max(known):.3g} to either side: {4 * samples:,} chips "
        f"each would halve that; of failing chips a share below {_share(unseen(samples))} may not "
        "show"
    ]


def _share(p: float) -> str:
    """A share for a sentence."""
    return f"{100 * p:.3g} %" if p >= 1e-3 else f"{p:.1e}"
