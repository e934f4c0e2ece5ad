"""Scaled-sigma sampling: chips of larger spread fail often, and say how those of spread 1 do.

Sun, Li, Liu, Luo and Gu 2015, doi:10.1109/TCAD.2015.2404895. Theirs is
log P(s) = a + b log s - c^2 / (2 s^2), a failure's probability at s times the spread. That is what
is left of log P(s) = a + b log s + log Phi(-c / s) where s is small beside c, and the latter is
fitted here: it is exact for one flat limit at every s.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from scipy import special, stats

from ..errors import UntrustedError
from ..streams import Floats, Source
from ..text import percent
from .base import Asking, Estimate, Numbers, Scored, check_samples, check_spread

LEAST = 250
"""Chips of a scale."""
PILOTS = 100
"""Chips a pilot; see ``_pilots``."""
RATIO = 1.3
"""Of the scales of two pilots."""
MOST = 20.0
"""Largest scale."""
LOW, HIGH = 0.005, 0.4
"""Shares of failures at the first and at the last scale, as pilots have it."""
REACHED = 0.1
"""Share of failures below which the largest scale says too little (assumed)."""
SCALES = 8
ALLOCATED = np.linspace(2.0, 0.5, SCALES) / np.linspace(2.0, 0.5, SCALES).sum()
"""Of the chips, from the first scale to the last: where few fail more are needed."""
STEPS = 50
"""Of a fit, at most."""
TRIES = 1000
"""Of the bootstrap."""
REFUSED = 0.01
"""Probability of a deviance as large, below which the formula does not hold."""
SPREAD = 1.0
"""Largest cv: beyond it not the order of magnitude is known."""


def scaled(samples: int, first: int = 0, *, seed: int, frozen: bool = False) -> Asking:
    """``samples`` chips of each of ``SCALES`` scales, in the mean, where ``LOW`` to ``HIGH`` fail.

    Of coordinates that are cut off, rounded or uniform, s times the spread is not what the formula
    has: whoever asks refuses those.

    Parameters
    ----------
    samples
        Chips of a scale. Those where few fail have more of them, and pilots are among them.
    first
        Number of the first chip.
    seed
        Of the bootstrap.
    frozen
        See ``coordinates.Mix``.

    Raises
    ------
    StudyError
        Fewer than ``LEAST`` chips.
    UntrustedError
        See ``docs/rare-yields.md``.
    """
    check_samples("scaled", samples, LEAST)
    numbers = Numbers(first, frozen)
    pilots = yield from _pilots(numbers)
    if pilots[0][1] > HIGH * PILOTS:
        raise UntrustedError(
            f"of {PILOTS} chips {pilots[0][1]} fail, more than {percent(HIGH, 0)}: there is "
            "nothing to scale: take --method plain"
        )
    left = samples * SCALES - (numbers.following - first)
    counts: list[tuple[float, int, int]] = []
    for scale, share in zip(_scales(pilots), ALLOCATED, strict=True):
        n = max(PILOTS, int(left * share))
        fails = yield from _fails(numbers, n, scale)
        counts.append((scale, fails, n))
    used = [row for row in pilots if LOW <= row[1] / row[2] <= HIGH]
    return _estimate(np.array(sorted(counts + used)), seed, numbers.following - first)


def _fails(numbers: Numbers, n: int, scale: float) -> Generator[Sequence[Source], Scored, int]:
    answer = yield numbers.chips(n, scale)
    return int((answer.scores < 0).sum())


def _pilots(
    numbers: Numbers,
) -> Generator[Sequence[Source], Scored, list[tuple[float, int, int]]]:
    """Scales, failures and chips, from spread 1 up until more than ``HIGH`` fail."""
    found: list[tuple[float, int, int]] = []
    scale = 1.0
    while scale <= MOST:
        fails = yield from _fails(numbers, PILOTS, scale)
        found.append((scale, fails, PILOTS))
        if fails > HIGH * PILOTS:
            return found
        scale *= RATIO
    scale, fails, _ = found[-1]
    if fails < REACHED * PILOTS:
        raise UntrustedError(
            f"scaled-sigma sampling: of {PILOTS} chips of {scale:.3g} times the spread {fails} "
            f"fail, fewer than {percent(REACHED, 0)}: a larger spread does not reach what fails: "
            "take --method subset"
        )
    return found


def _scales(pilots: list[tuple[float, int, int]]) -> Floats:
    """(SCALES,) evenly spaced in 1 / s between those where ``LOW`` and ``HIGH`` fail, of which
    none is below 1, by a first fit to the pilots."""
    table = np.array(pilots)
    seen = special.ndtri((table[:, 1] + 0.5) / (table[:, 2] + 1))
    weights = np.where(table[:, 1] > 0, 1.0, 0.1)
    slope, level = np.polyfit(1 / table[:, 0], seen, 1, w=weights)
    ends = [(special.ndtri(share) - level) / slope for share in (LOW, HIGH)]
    most = 1.0 if not slope < 0 else float(np.clip(ends[0], 0, 1))
    least = float(np.clip(ends[1], 1 / MOST, most / RATIO)) if slope < 0 else most / RATIO
    return 1 / np.linspace(most, least, SCALES)


def _design(scales: Floats, c: Floats) -> tuple[Floats, Floats]:
    """log Phi(-c / s), (..., m), and the derivatives of the formula, (..., m, 3)."""
    x = c[..., None] / scales
    below = special.log_ndtr(-x)
    mills = np.exp(-0.5 * x**2 - 0.5 * math.log(2 * math.pi) - below)
    parts = [np.ones_like(x), np.log(scales) + 0 * x, -mills / scales]
    return below, np.stack(parts, axis=-1)


def _share(scales: Floats, found: Floats) -> Floats:
    """(R, m) failing at ``scales`` (m,) by a, b, c (R, 3)."""
    below, _ = _design(scales, found[:, 2])
    return np.exp(np.minimum(found[:, :1] + found[:, 1:2] * np.log(scales) + below, -1e-9))


def _fit(scales: Floats, fails: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Most likely a, b, c (R, 3) of counts (R, m), and the deviance (R,), by Fisher scoring."""
    found = np.zeros((len(fails), 3))
    found[:, 2] = -special.ndtri((fails[:, 0] + 0.5) / (n[0] + 1)) * scales[0]
    for _ in range(STEPS):
        share = np.minimum(_share(scales, found), 0.999)
        _, design = _design(scales, found[:, 2])
        weight = n * share / (1 - share)
        score = np.einsum("rm,rmk->rk", weight * (fails / n - share) / share, design)
        matrix = np.einsum("rm,rmj,rmk->rjk", weight, design, design) + 1e-6 * np.eye(3)
        step = np.linalg.solve(matrix, score[..., None])[..., 0]
        found += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    share, kept = _share(scales, found), n - fails
    parts = special.xlogy(fails, fails / (n * share))
    parts += special.xlogy(kept, kept / (n * (1 - share)))
    return found, 2 * parts.sum(axis=1)


def _log_p(found: Floats) -> Floats:
    return found[:, 0] + special.log_ndtr(-found[:, 2])


def _estimate(table: Floats, seed: int, simulated: int) -> Estimate:
    """Of rows of scale, failures and chips."""
    scales, fails, n = table.T
    found, deviance = _fit(scales, fails[None], n)
    chance = float(stats.chi2.sf(deviance[0], len(scales) - 3))
    if chance < REFUSED:
        raise UntrustedError(
            f"scaled-sigma sampling's formula does not hold: its deviance from the failures at "
            f"{len(scales)} scales is {deviance[0]:.3g}, which has a probability of {chance:.1g}, "
            f"below {REFUSED:g}: take --method subset"
        )
    expected = _share(scales, found)[0]
    rng = np.random.default_rng([seed, 2])
    drawn = rng.binomial(n.astype(int), expected, (TRIES, len(n))).astype(float)
    tried = _log_p(_fit(scales, drawn, n)[0])
    low, high = np.quantile(tried, (0.025, 0.975))
    p = math.exp(float(_log_p(found)[0]))
    cv = float(high - low) / (2 * float(stats.norm.ppf(0.975)))
    check_spread("the bootstrap's fits of scaled-sigma sampling", p, cv, most=SPREAD)
    levels: list[dict[str, Any]] = [
        {"scale": float(s), "chips": int(m), "fails": int(k), "fitted": float(q)}
        for s, k, m, q in zip(scales, fails, n, expected, strict=True)
    ]
    a, b, c = (float(x) for x in found[0])
    note = (
        f"log P(s) = {a:.3g} + {b:.3g} log s + log Phi(-{c:.3g} / s), deviance {deviance[0]:.3g} "
        f"of {len(scales) - 3} degrees of freedom (probability {chance:.2g})"
    )
    pair = (math.exp(float(low)), min(1.0, math.exp(float(high))))
    return Estimate(
        p=p, ci95=pair, method="scaled", simulated=simulated, cv=cv, levels=levels, notes=[note]
    )  # fmt: skip
