"""Estimators of rare failures where the truth is known: do their intervals hold it, at what cost?

The linear case has 1,000 standard normal coordinates z and the score beta - a z, |a| = 1, so that
p = Phi(-beta); a falls as 1 / j. Of a weighted sum of chips' coordinates a z is the weighted sum of
theirs, so that a chip is one number here, or two where there is a surrogate; a repeat with all
1,000 drawn shows that it is the same. The surrogate's slopes have a correlation with the truth's
of 0.95. Sobol points are of the first 100 coordinates.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from analogkan import rare
from analogkan.coordinates import Key, Linear, Mix
from analogkan.errors import UntrustedError
from analogkan.rare.control import CHEAP
from analogkan.rare.scaled import HIGH, LOW, SCALES
from analogkan.rare.sobol import SobolPoint, point
from analogkan.streams import Floats, Place, Source
from analogkan.text import percent

REPEATS = 100
FEWER = 20
"""Repeats of what is not linear."""
WIDTH = 1000
FEW = 100
"""Coordinates that are Sobol points."""
CORRELATION = 0.95
MARGINS = 0.0005366
"""What ``truth`` found of the 4th of 200 margins; its standard error is 1.4 % of it."""
DRAWS, BLOCK = 10_000_000, 50_000
KEY, FIRST = Key(0, 0, 1, 0), Key(0, 0, 2, 0)
"""Of all coordinates where there is a surrogate, and of those that are Sobol points."""
A = 1 / np.arange(1, WIDTH + 1)
A = A / np.linalg.norm(A)
BUDGETS = {
    ("plain", 3): 30_000, ("plain", 4): 30_000, ("plain", 5): 30_000,
    ("subset", 3): 2_000, ("subset", 4): 3_000, ("subset", 5): 5_000,
    ("scaled", 3): 1_250, ("scaled", 4): 2_500, ("scaled", 5): 7_500,
    ("sobol", 3): 33_000, ("sobol", 4): 33_000, ("sobol", 5): 33_000,
    ("control", 3): 1_000, ("control", 4): 2_000, ("control", 5): 4_000,
}  # fmt: skip
"""Chips by method (``subset``: of a level, ``scaled``: of a scale) and beta."""
Score = Callable[[Floats], Floats]


def answered(asking: rare.Asking, answer: Callable[[Sequence[Source]], Floats]) -> rare.Estimate:
    """The estimate of ``asking``, whose chips have the scores of ``answer``."""
    asked = next(asking)
    while True:
        scores = answer(asked)
        try:
            asked = asking.send(rare.Scored(scores, scores))
        except StopIteration as end:
            return end.value


class Chips:
    """Chips of few coordinates (D,), those of each number drawn once."""

    def __init__(self, score: Score, width: int, seed: int, count: int = 100_000) -> None:
        self.score = score
        self.drawn = np.random.default_rng([seed, 7]).standard_normal((count, width))

    def __call__(self, asked: Sequence[Source]) -> Floats:
        if all(isinstance(chip, Mix) and len(chip.parts) == 1 for chip in asked):
            numbers, weights = np.array([chip.parts[0] for chip in asked]).T  # type: ignore
            return self.score(self.drawn[numbers.astype(int)] * weights[:, None])
        return self.score(np.array([self.at(chip) for chip in asked]))

    def at(self, chip: Any) -> Floats:
        """(D,) where ``chip`` is."""
        if isinstance(chip, Mix):
            numbers, weights = zip(*chip.parts, strict=True)
            return np.array(weights) @ self.drawn[list(numbers)]
        if isinstance(chip, SobolPoint):
            return point(chip.seed, chip.scramble, chip.index, len(self.drawn[0]))
        z = self.at(chip.rest)
        across = chip.directions.arrays[KEY]
        return z + (chip.target - across @ z) @ across


class Points:
    """Of the linear case Sobol points: the first coordinates as they are, of the rest a z."""

    def __init__(self, beta: float, seed: int) -> None:
        self.beta = beta
        rest = np.linalg.norm(A[FEW:])
        self.rest = np.random.default_rng([seed, 7]).standard_normal(100_000) * rest

    def __call__(self, asked: Sequence[Source]) -> Floats:
        return self.beta - np.array([self.at(chip) for chip in asked])

    def at(self, chip: Any) -> float:
        """a z of ``chip``."""
        first = point(chip.seed, chip.scramble, chip.index, FEW) @ A[:FEW]
        return float(first + self.rest[chip.rest.parts[0][0]])


class Drawn:
    """Chips of the linear case, all of whose coordinates are drawn."""

    def __init__(self, beta: float, seed: int) -> None:
        self.beta, self.place = beta, Place(seed=seed, sample=0, layer=0)

    def __call__(self, asked: Sequence[Source]) -> Floats:
        drawn = (chip.normal(self.place, KEY.stream, (WIDTH,), KEY.block) for chip in asked)
        return self.beta - np.array([z @ A for z in drawn])


def linear_surrogate(beta: float, correlation: float = CORRELATION) -> Linear:
    """Of ``beta`` - z_0 by slopes that are off."""
    slope = np.array([[-correlation, np.sqrt(1 - correlation**2)]])
    return Linear(np.array([float(beta)]), {KEY: slope})


def asking(
    method: str,
    samples: int,
    seed: int,
    linear: Linear,
    k: int = 1,
    listed: Any = None,
    cheap: int = CHEAP,
) -> rare.Asking:
    """Of ``method``, by its name."""
    if method == "plain":
        return rare.plain(samples)
    if method == "sobol":
        return rare.sobol(samples, seed=seed, listed=listed)
    if method == "control":
        return rare.control(samples, seed=seed, linear=linear, k=k, cheap=cheap)
    return {"subset": rare.subset, "scaled": rare.scaled}[method](samples, seed=seed)


class Found(NamedTuple):
    """What repeats of one method gave.

    Attributes
    ----------
    estimates
        Of those that were not refused.
    refused
        Sentences.
    """

    estimates: list[rare.Estimate]
    refused: list[str]

    def held(self, p: float) -> int:
        """How many intervals hold ``p``."""
        return sum(e.ci95[0] <= p <= e.ci95[1] for e in self.estimates)


def repeated(of: Callable[[int], rare.Estimate], repeats: int) -> Found:
    """Estimates of seeds 0 to ``repeats`` - 1."""
    estimates, refused = [], []
    for seed in range(repeats):
        try:
            estimates.append(of(seed))
        except UntrustedError as error:
            refused.append(str(error))
    return Found(estimates, refused)


def linear(
    method: str,
    beta: float,
    samples: int,
    repeats: int = REPEATS,
    cheap: int = CHEAP,
    correlation: float = CORRELATION,
) -> Found:
    """Repeats of the linear case."""

    def of(seed: int) -> rare.Estimate:
        surrogate = linear_surrogate(beta, correlation)
        asked = asking(method, samples, seed, surrogate, 1, {FIRST: (FEW,)}, cheap)
        if method == "sobol":
            return answered(asked, Points(beta, seed))
        return answered(asked, Chips(lambda z: beta - z[:, 0], 2, seed))

    return repeated(of, repeats)


class Case(NamedTuple):
    """A score that is not linear.

    Attributes
    ----------
    score, width
        Of (n, width) coordinates.
    linear, k
        Its surrogate.
    p
        Its truth.
    """

    score: Score
    width: int
    linear: Linear
    k: int
    p: float


def cases() -> dict[str, Case]:
    """By what they are called."""
    tail = stats.norm.cdf
    one = linear_surrogate(4)
    both = Linear(np.array([4, 4.2]), {KEY: np.array([[-0.95, 0.3], [0.95, 0.3]])})
    two = float(tail(-4) + tail(-4.2))

    def regions(z: Floats) -> Floats:
        return np.minimum(4 - z[:, 0], 4.2 + z[:, 0])

    margins = _margins()
    return {
        "two regions": Case(regions, 2, both, 1, two),
        "two regions, a surrogate of one": Case(regions, 2, one, 1, two),
        "4th of 200 margins": Case(*margins, 4, MARGINS),
        "a jump": Case(lambda z: np.where(z[:, 0] > 4, -1.0, 1.0), 2, one, 1, float(tail(-4))),
        "steps": Case(lambda z: 4 - np.floor(z[:, 0]) - 0.5, 2, one, 1, float(tail(-4))),
        "cannot fail": Case(lambda z: 0.2 + np.exp(-z[:, 0]), 2, one, 1, 0.0),
    }


def _margins() -> tuple[Score, int, Linear]:
    """The 4th smallest of 200 margins that bend, of 8 coordinates."""
    rng = np.random.default_rng(0)
    slopes = rng.normal(0, 0.25, (200, 8))
    values, bends = rng.gamma(6, 0.5, 200) + 1.05, rng.normal(0, 0.01, (200, 8))

    def score(z: Floats) -> Floats:
        return np.partition(values + z @ slopes.T + z**2 @ bends.T, 3, axis=1)[:, 3]

    return score, 8, Linear(values, {KEY: slopes})


def truth(score: Score, width: int) -> float:
    """Share of ``DRAWS`` plain draws that fail."""
    fails = 0
    for k in range(DRAWS // BLOCK):
        drawn = np.random.default_rng([5, k]).standard_normal((BLOCK, width))
        fails += int(np.sum(score(drawn) < 0))
    return fails / DRAWS


def other(case: Case, method: str, samples: int, repeats: int = FEWER, cheap: int = CHEAP) -> Found:
    """Repeats of ``case``."""

    def of(seed: int) -> rare.Estimate:
        listed = {KEY: (case.width,)}
        asked = asking(method, samples, seed, case.linear, case.k, listed, cheap)
        return answered(asked, Chips(case.score, case.width, seed))

    return repeated(of, repeats)


OTHER = {"subset": 2_000, "scaled": 2_500, "control": 2_000, "sobol": 33_000}


def main() -> None:
    print_linear()
    print_cases()
    print_surrogates()
    print_published()


HEAD = (
    "| method | beta | p | chips | held | error | chips for 10 % | plain draws | refused |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def print_linear() -> None:
    """A row by method and beta."""
    print(HEAD)
    for (method, beta), samples in BUDGETS.items():
        p, start = float(stats.norm.cdf(-beta)), time.perf_counter()
        found = linear(method, beta, samples)
        told = _told(found, p)
        print(f"| {method} | {beta} | {p:.3g} | {told} | {len(found.refused)} |", flush=True)
        print(f"{time.perf_counter() - start:.0f} s", *found.refused[:1], file=sys.stderr)


def _told(found: Found, p: float) -> str:
    """Chips, intervals that hold p, standard error, costs."""
    if not found.estimates:
        return "– | – | – | – | –"
    chips = float(np.mean([e.simulated for e in found.estimates]))
    held = f"{found.held(p)} of {len(found.estimates)}"
    plain = f"{(1 - p) / p / 0.01:,.0f}"
    if np.mean([e.bound for e in found.estimates]) > 0.5:
        return f"{chips:,.0f} | {held} | a bound | – | {plain}"
    cv = float(np.sqrt(np.mean([(e.p / p - 1) ** 2 for e in found.estimates])))
    return f"{chips:,.0f} | {held} | {percent(cv, 0)} | {chips * (cv / 0.1) ** 2:,.0f} | {plain}"


def print_cases() -> None:
    """A row by case."""
    case = cases()["4th of 200 margins"]
    print(f"\n4th of 200 margins: {truth(case.score, case.width):.4g} of {DRAWS:,} plain draws")
    print(f"\n| case | p | {' | '.join(OTHER)} |")
    print("|---" * (2 + len(OTHER)) + "|")
    for name, case in cases().items():
        row = []
        for method, samples in OTHER.items():
            found = other(case, method, samples)
            row.append(f"{found.held(case.p)} of {len(found.estimates)}")
            print(name, method, *found.refused[:1], file=sys.stderr)
        print(f"| {name} | {case.p:.3g} | {' | '.join(row)} |", flush=True)


def print_surrogates() -> None:
    """A row by what the surrogate is worth."""
    print(f"\n| correlation | {HEAD[len('| method | ') :]}")
    for correlation in (0.99, 0.95, 0.9, 0.8, 0.7):
        for beta in (3, 5):
            p = float(stats.norm.cdf(-beta))
            found = linear("control", beta, 4000, FEWER, correlation=correlation)
            told = f"{_told(found, p)} | {len(found.refused)}"
            print(f"| {correlation} | {beta} | {p:.3g} | {told} |", flush=True)


def print_published() -> None:
    """How far scaled sigma's published formula is off without chance, where ``LOW`` to a share of
    chips fails, by beta."""
    for high in (0.05, HIGH):
        for beta in (3, 4, 5):
            x = np.linspace(-stats.norm.ppf(LOW), -stats.norm.ppf(high), SCALES)
            shares = stats.norm.cdf(-x)
            design = np.stack([np.ones(SCALES), np.log(beta / x), -((x / beta) ** 2)], axis=1)
            weights = np.sqrt(shares / (1 - shares))
            a, _, c = np.linalg.lstsq(design * weights[:, None], np.log(shares) * weights)[0]
            ratio = float(np.exp(a - c) / stats.norm.cdf(-beta))
            print(
                f"published formula, {percent(LOW, 1)} to {percent(high, 0)} fail, beta {beta}: "
                f"{ratio:.2f} of p"
            )


if __name__ == "__main__":
    main()
