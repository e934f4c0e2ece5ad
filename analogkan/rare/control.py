"""Chips chosen by linearised margins: a surrogate says how probable its scores are, simulated
chips say how often one of such a score fails.

p = sum over strata h of P(surrogate's score in h) P(failure | its score in h). The first factor is
of cheap draws of the surrogate, the second of chips drawn for a surrogate that is given, which is
exact for normal coordinates: the sum has no bias, whatever the surrogate is worth.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from ..coordinates import Linear
from ..errors import UntrustedError
from ..streams import Floats, Source
from ..text import percent
from .base import Asking, Estimate, Numbers, Scored, check_samples, check_spread
from .surrogate import REPEATS, Conditional, Stratum, Surrogate, strata

LEAST = 500
CHEAP = 100_000
"""Draws of the surrogate for a stratum."""
PILOTS = 25
"""One chip in so many is of a stratum's pilots, but no fewer than 20; what is left then goes where
the error comes from."""
FEWEST_PILOTS = 20
ROUNDS = 3
"""In which it goes there."""
MOST_STRATA = 14
"""Below the last are fewer than 1 in 1e9 of the surrogate's chips."""
SURE = 0.9
"""Share of a stratum's chips that fail, from which on what is below it is not divided."""
LEAST_CORRELATION = 0.7
"""Of surrogate and score over all chips: below it intervals hold too rarely, or hardly an estimate
is not refused (``python -m benchmarks rare``)."""
MOST_UNSEEN = 0.25
"""Share of p in strata none of whose chips failed, as their scores' mean and spread have it."""
MOST_ALONE = 0.5
"""Share of p by which a stratum of fewer than ``FEW`` failures may count (assumed)."""
FEW = 5


@dataclass
class _Drawn:
    """A stratum, and what simulated chips of it had.

    Attributes
    ----------
    guesses, scores, reached
        (m,) surrogate's and simulated scores, accuracies or RMSEs.
    """

    stratum: Stratum
    guesses: Floats
    scores: Floats
    reached: Floats

    @property
    def share(self) -> float:
        """Of all chips."""
        return float(self.stratum.shares.mean())

    @property
    def fails(self) -> int:
        """How many did."""
        return int((self.scores < 0).sum())

    @property
    def p(self) -> float:
        """Share of its chips that fail."""
        return self.fails / len(self.scores)

    def add(self, more: _Drawn) -> None:
        """More chips of the same stratum."""
        self.guesses = np.concatenate([self.guesses, more.guesses])
        self.scores = np.concatenate([self.scores, more.scores])
        self.reached = np.concatenate([self.reached, more.reached])

    def tail(self, errors: float) -> float:
        """Share that fails if scores are normal, as many standard ``errors`` nearer to 0."""
        scores = self.scores[np.isfinite(self.scores)]
        spread = scores.std(ddof=1)
        if spread == 0:
            return float(scores.mean() < 0)
        z = float(scores.mean() / spread)
        n = len(scores)
        return float(special.ndtr(-z + errors * math.sqrt(1 / n + z**2 / (2 * n))))


@dataclass(frozen=True, eq=False)
class Stratified:
    """A sample of chips by strata.

    Attributes
    ----------
    shares
        (H,) of all chips that each stratum is.
    strata
        (n,) number of the stratum that each chip is of.
    reached
        (n,) accuracies, or RMSEs; nan: could not be simulated.
    """

    shares: Floats
    strata: npt.NDArray[np.intp]
    reached: Floats

    def beyond(self, limit: float, *, above: bool = False) -> tuple[float, tuple[float, float]]:
        """See ``base.Sample``; the surrogate's own error is left out."""
        inside = self.reached <= limit if above else self.reached >= limit
        counts = np.bincount(self.strata, minlength=len(self.shares))
        parts = np.bincount(self.strata, ~inside, len(self.shares)) / counts
        p = float(self.shares @ parts)
        if p == 0:
            return 0.0, (0.0, math.nan)
        error = math.sqrt(float((self.shares**2 * parts * (1 - parts) / counts).sum()))
        factor = math.exp(min(1.96 * error / p, 700.0))
        return p, (p / factor, min(1.0, p * factor))


def control(
    samples: int,
    first: int = 0,
    *,
    seed: int,
    linear: Linear,
    k: int,
    frozen: bool = False,
    cheap: int = CHEAP,
) -> Asking:
    """``samples`` chips, given strata of the ``k``-th smallest of margins that are ``linear``.

    Parameters
    ----------
    samples
        Chips.
    first
        Number of the first chip.
    seed
        Of the cheap draws.
    linear
        Margins of the images, as if they were linear in the coordinates.
    k
        Which of them, from the smallest, is the score.
    frozen
        See ``coordinates.Mix``.
    cheap
        Draws of the surrogate for a stratum.

    Raises
    ------
    StudyError
        Too few chips, or no such margin.
    UntrustedError
        See ``docs/rare-yields.md``.
    """
    check_samples("control", samples, LEAST)
    numbers, rng = Numbers(first, frozen), np.random.default_rng([seed, 4])
    surrogate = Surrogate.of(linear, k)
    pilots = max(FEWEST_PILOTS, samples // PILOTS)
    drawn: list[_Drawn] = []
    for stratum, rest in strata(surrogate, rng, cheap):
        drawn.append((yield from _draw(surrogate, stratum, pilots, numbers, rng)))
        if drawn[-1].p >= SURE or len(drawn) + 1 == MOST_STRATA:
            drawn.append((yield from _draw(surrogate, rest, pilots, numbers, rng)))
            break
    _check_correlation(drawn)
    for rounds in range(ROUNDS, 0, -1):
        left = (samples - (numbers.following - first)) // rounds
        for one, more in zip(drawn, _wanted(drawn, left), strict=True):
            if more:
                found = yield from _draw(surrogate, one.stratum, more, numbers, rng)
                one.add(found)
    return _estimate(drawn, numbers.following - first)


def _wanted(drawn: list[_Drawn], left: int) -> list[int]:
    """How many of ``left`` chips each stratum is to have, by what it adds to the error."""
    parts = np.array([max(one.p, one.tail(0)) for one in drawn])
    errors = np.array([one.share for one in drawn]) * np.sqrt(parts * (1 - parts))
    total = float(errors.sum())
    return [int(max(left, 0) * error / total) if total else 0 for error in errors]


def _draw(
    surrogate: Surrogate,
    stratum: Stratum,
    count: int,
    numbers: Numbers,
    rng: np.random.Generator,
) -> Generator[Sequence[Source], Scored, _Drawn]:
    """Ask about ``count`` chips of ``stratum``."""
    draws = len(stratum.scores)
    which = rng.choice(draws, count, replace=draws < count)
    rests = numbers.chips(count)
    answer = yield [
        Conditional(surrogate.directions, stratum.along[j], rest)
        for j, rest in zip(which, rests, strict=True)
    ]
    return _Drawn(stratum, stratum.scores[which], answer.scores, answer.reached)


def _correlation(drawn: list[_Drawn]) -> float:
    """Of the surrogate's scores and the simulated ones, over all chips that could be."""
    pairs = np.concatenate([np.stack([one.guesses, one.scores]) for one in drawn], axis=1)
    weights = np.concatenate([np.full(len(d.scores), d.share / len(d.scores)) for d in drawn])
    known = np.isfinite(pairs[1])
    matrix = np.cov(pairs[:, known], aweights=weights[known])
    spread = math.sqrt(float(matrix[0, 0] * matrix[1, 1]))
    return float(matrix[0, 1]) / spread if spread > 0 else 0.0


def _check_correlation(drawn: list[_Drawn]) -> None:
    found = _correlation(drawn)
    if found < LEAST_CORRELATION:
        raise UntrustedError(
            f"linearised margins say too little of these chips: the correlation of their score "
            f"with the simulated one is {found:.2f}, below {LEAST_CORRELATION:g}: "
            "take --method subset"
        )


def _estimate(drawn: list[_Drawn], simulated: int) -> Estimate:
    shares = np.array([one.share for one in drawn])
    fails = np.array([one.fails for one in drawn])
    n = np.array([len(one.scores) for one in drawn])
    if not fails.any():
        raise UntrustedError(
            f"none of {simulated} chips failed, though they were chosen where linearised margins "
            f"are lowest, down to 1 chip in {1 / shares[-1]:,.0f}: set a limit nearer to what "
            "chips reach, or take --method subset"
        )
    parts = fails / n
    p = float(shares @ parts)
    cheap = float(stats.sem(np.stack([one.stratum.shares for one in drawn], axis=1) @ parts))
    guarded = (fails + 0.5) / (n + 1)
    guarded = np.where(fails == 0, 0, guarded)
    chips = math.sqrt(float((shares**2 * guarded * (1 - guarded) / n).sum()))
    cv = math.hypot(cheap, chips) / p
    unseen = sum(one.share * one.tail(1) for one in drawn if one.fails == 0)
    _check_parts(drawn, p, unseen)
    check_spread("what chips say of the strata", p, cv)
    half = math.hypot(float(stats.t.ppf(0.975, REPEATS - 1)) * cheap, 1.96 * chips) / p
    notes = [
        f"of the error {percent(cheap / p, 1)} of p is the surrogate's, "
        f"{percent(chips / p, 1)} the chips'",
        f"correlations of surrogate and simulation: {_correlation(drawn):.3f} of scores, "
        f"{_agreement(drawn, p):.2f} of who fails",
        f"strata without a failure may have {percent(unseen / p, 1)} of p, which the interval has",
    ]
    return Estimate(
        p=p,
        ci95=(p * math.exp(-half), min(1.0, p * math.exp(half) + unseen)),
        method="control",
        simulated=simulated,
        cv=cv,
        levels=[
            {"above": _end(one.stratum.low), "below": _end(one.stratum.high), "share": one.share,
             "chips": len(one.scores), "fails": one.fails}
            for one in drawn
        ],
        sample=Stratified(
            shares, np.repeat(np.arange(len(n)), n), np.concatenate([one.reached for one in drawn])
        ),
        notes=notes,
    )  # fmt: skip


def _end(limit: float) -> float | None:
    """For JSON."""
    return limit if math.isfinite(limit) else None


def _agreement(drawn: list[_Drawn], p: float) -> float:
    """Correlation of who fails by the surrogate and by simulation."""
    below = [one for one in drawn if one.stratum.high <= 0]
    guessed = sum(one.share for one in below)
    both = sum(one.share * one.p for one in below)
    spread = math.sqrt(p * (1 - p) * guessed * (1 - guessed))
    return (both - p * guessed) / spread if spread > 0 else 0.0


def _check_parts(drawn: list[_Drawn], p: float, unseen: float) -> None:
    """Refuse what hangs on chips that the surrogate has far from failure."""
    if unseen > MOST_UNSEEN * p:
        raise UntrustedError(
            f"strata none of whose chips failed may have {percent(unseen / p, 0)} of p, which is "
            f"about {p:.2g}, by the mean and spread of their scores: more than "
            f"{percent(MOST_UNSEEN, 0)}: take more chips, or --method subset"
        )
    for one in drawn:
        part = one.share * one.p / p
        if 0 < one.fails < FEW and part > MOST_ALONE:
            raise UntrustedError(
                f"{one.fails} chips of {len(one.scores)} whose linearised score is between "
                f"{one.stratum.low:.3g} and {one.stratum.high:.3g} make {percent(part, 0)} of p, "
                f"which is about {p:.2g}: fewer than {FEW}: take more chips, or --method subset"
            )
