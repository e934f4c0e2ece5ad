"""How often the intervals printed as 95 % hold what they are of.

Chips: 1,000 of mnist-d2 on the bundled images a setting, seed 0, in the twin, are a population, of
which samples are drawn anew; beside them distributions by formula. A figure is the share, in per
cent, of the intervals that hold the population's value, and in brackets how many samples gave an
interval where not all did. Standard errors are 0.7 at 95.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import analogkan as ak
from analogkan import resources
from analogkan.devices.spread import Spread
from analogkan.imperfections.registry import faults as known_faults
from analogkan.intervals import Sample, exact, quantile, spread, tango, welch, wilson
from analogkan.studies.cells import lost_interval
from analogkan.studies.summary import mean_interval

SAMPLES = 1000
CHIPS = (5, 10, 20, 50, 100, 200)
TRIM = {"trim": "dark"}
"""With which the populations of the documented table were drawn."""
SETTINGS: dict[str, dict[str, Any]] = {
    "rram": {},
    "sigma_g=0.2": {"sigma_g": 0.2},
    "stuck_max=0.003": {"stuck_max": 0.003},
    "dead_diodes=0.01": {"dead_diodes": 0.01},
    "open_lines=0.003": {"open_lines": 0.003},
    "dead_amplifiers=0.003": {"dead_amplifiers": 0.003},
}
FORMULAS: dict[str, stats.rv_frozen] = {
    "normal": stats.norm(0.98, 0.003),
    "exponential": stats.expon(0.0, 0.02),
    "uniform": stats.uniform(0.9, 0.1),
    "100 images": stats.binom(100, 0.985),
}
LOSSES = (
    *((100, 0, 0.0), (1000, 0, 0.0), (100, 5, 0.1), (1000, 5, 0.1)),
    *((1000, 20, 0.1), (1000, 20, 0.3), (2000, 50, 0.0)),
)
"""Images, chips (0: one circuit), and the spread between chips of what a budget loses."""
Pair = tuple[float, float] | None


def chips() -> dict[str, np.ndarray]:
    """Accuracies (1000,) by setting."""
    images, found = ak.load_bundled(), {}
    with tempfile.TemporaryDirectory() as folder:
        model = resources.path("models/mnist-d2.pt")
        build = ak.compile(model, Path(folder) / "mnist-d2.build")
        for name, settings in SETTINGS.items():
            variation, out = settings | TRIM, Path(folder) / name
            study = ak.montecarlo(
                build, images, samples=1000, variation=variation, judge="none", jobs=2, out=out
            )
            found[name] = np.array([row["accuracy"] for row in study.rows])
    return found


def coverage(
    draws: Sequence[Any] | np.ndarray, interval: Callable[[Any], Pair], truth: float
) -> tuple[float, float]:
    """Share of the intervals of ``draws`` that hold ``truth``, and of draws that have one."""
    pairs = [pair for drawn in draws if (pair := interval(drawn)) is not None]
    held = sum(low <= truth + 1e-12 and truth - 1e-12 <= high for low, high in pairs)
    return held / max(1, len(pairs)), len(pairs) / len(draws)


def over_chips(values: np.ndarray, faults: frozenset[str]) -> dict[str, tuple[Callable, float]]:
    """What is said of chips: an interval and the value in the population ``values``."""
    limit = float(np.quantile(values, 0.1))
    found: dict[str, tuple[Callable, float]] = {
        "mean": (lambda x: mean_interval(x, faults), float(values.mean()))
    }
    if not faults:
        found["std"] = spread, float(values.std())
    for q in (0.05, 0.5, 0.95):
        at = float(np.quantile(values, q, method="inverted_cdf"))
        found[f"{100 * q:g} %"] = (lambda x, q=q: quantile(x, q)), at
    share = float((values >= limit).mean())
    found["yield"] = (lambda x: exact(int((x >= limit).sum()), len(x))), share
    return found


def loss(rng: np.random.Generator, images: int, samples: int, chip: float) -> Pair:
    """Interval of the loss of a network of margins N(2.3, 1), each changed by N(0, 0.3), on a chip
    by one more of N(0, ``chip``) for all; no chips: one circuit."""
    margin = rng.normal(2.3, 1, images)
    moved = margin + rng.normal(0, 0.3, images) + rng.normal(0, chip, (samples or 1, 1))
    right = moved > 0
    rows = [
        {"sample": m if samples else None, "n": images, "accuracy": float(r.mean()),
         "agreement": float((r == (margin > 0)).mean())}
        for m, r in enumerate(right)
    ]  # fmt: skip
    mean = mean_interval(right.mean(axis=1))
    return lost_interval(rows, int((margin > 0).sum()), mean)


def loss_truth(chip: float) -> float:
    """What ``loss`` loses in the mean over images and chips."""
    wrong = stats.norm.cdf(-2.3 / np.sqrt(1 + 0.3**2 + chip**2)) - stats.norm.cdf(-2.3)
    return float(wrong)


def proportions(interval: Callable[[int, int], tuple[float, float]], n: int) -> tuple[float, float]:
    """Mean and smallest coverage over shares from 0.5 to 0.9999, exactly."""
    ends = np.array([interval(k, n) for k in range(n + 1)])
    shares = 1 - np.geomspace(1e-4, 0.5, 400)
    inside = (ends[:, :1] <= shares) & (shares <= ends[:, 1:])
    found = (stats.binom.pmf(np.arange(n + 1)[:, None], n, shares) * inside).sum(axis=0)
    return float(found.mean()), float(found.min())


def _told(found: tuple[float, float]) -> str:
    held, printed = found
    if not printed:
        return "–"
    return f"{100 * held:.1f}" + (f" ({100 * printed:.0f} %)" if printed < 0.995 else "")


def main() -> None:
    drawn = chips()
    print_chips(drawn)
    print_budget(drawn["rram"] - drawn["sigma_g=0.2"])
    print_shares()
    print_samples()


def print_chips(drawn: dict[str, np.ndarray]) -> None:
    """Of what is said of chips, by setting and formula."""
    made = {name: kind.rvs(100_000, random_state=0) for name, kind in FORMULAS.items()}
    made["100 images"] = made["100 images"] / 100
    for name, values in (drawn | made).items():
        faults = frozenset(text.partition("=")[0] for text in SETTINGS.get(name, ()))
        for what, (interval, truth) in over_chips(values, faults & {*known_faults()}).items():
            told = []
            for n in CHIPS:
                draws = np.random.default_rng(n).choice(values, (SAMPLES, n))
                told.append(f"{n}: " + _told(coverage(draws, interval, truth)))
            print(f"{name}, {what}: {', '.join(told)}", flush=True)


def print_budget(differences: np.ndarray) -> None:
    """Of what is won back, from paired ``differences`` of chips, and of what is lost."""
    truth = float(differences.mean())
    for n in CHIPS:
        draws = np.random.default_rng(n).choice(differences, (SAMPLES, n))
        found = coverage(draws, lambda x: mean_interval(x, least=-1.0), truth)
        print(f"won back, {n} chips: {_told(found)}")
    for case in LOSSES:
        rng = np.random.default_rng(0)
        found = coverage(
            [case] * SAMPLES, lambda case, rng=rng: loss(rng, *case), loss_truth(case[2])
        )
        print(f"lost, {case[0]} images, {case[1]} chips (spread {case[2]:g}): {_told(found)}")


def print_shares() -> None:
    """Of shares of images or chips, and of the difference of two on the same images."""
    for name, interval in (("Wilson", wilson), ("exact", exact)):
        for n in (20, 100, 1000):
            mean, least = proportions(interval, n)
            print(f"{name}, {n}: mean {100 * mean:.1f}, smallest {100 * least:.1f}")
    for lost, won in ((0.03, 0.06), (0.005, 0.005), (0.01, 0.0)):
        for n in (100, 1000):
            shares = (won, lost, 1 - won - lost)
            draws = np.random.default_rng(n).multinomial(n, shares, SAMPLES)
            found = coverage(draws, lambda x: tango(x[0], x[1], int(x.sum())), won - lost)
            print(f"Tango, {n} images, lost {lost:g}, won {won:g}: {_told(found)}")


def print_samples() -> None:
    """Of two networks' means over seeds, and of the spread of measured devices."""
    for name, kind in (("normal", stats.norm()), ("exponential", stats.expon())):
        for n in (2, 3, 5, 50):
            draws = kind.rvs((SAMPLES, 2, n), random_state=n) * [[1.0], [3.0]]
            found = coverage(draws, difference, -2 * float(kind.mean()))
            print(f"Welch, {n} and {n} seeds, {name}: {_told(found)}")
        for n in (3, 10, 30):
            draws = kind.rvs((SAMPLES, n, 3), random_state=n)
            found = coverage(draws, lambda x: tuple(spread_of(x).intervals()[0]), 1.0)
            print(f"spread of {n} devices, {name}: {_told(found)}")


def difference(pair: np.ndarray) -> Pair:
    """Welch's interval of two samples (2, n)."""
    return welch(*(Sample(float(v.mean()), float(v.std(ddof=1)), len(v)) for v in pair))


def spread_of(factors: np.ndarray) -> Spread:
    """Devices of known factors (n, 3)."""
    zeros = np.zeros_like(factors)
    return Spread(factors=factors, errors=zeros, residuals=zeros[:, 0], temp_c=27.0, files=())
