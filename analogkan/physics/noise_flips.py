"""What noise does to the answer: margins, how likely another class wins, errors in the unit.

Axes: B images, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
TIGHT = 0.01
"""Where the bounds are as close as this share of themselves, they are the answer."""
SMALLEST = 1e-6
"""Below that the integral's own error is larger than the bounds' distance."""
MOST_RIVALS = 25
"""For which the integral is worked out."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Flips:
    """How noise may change the class of each of B images.

    Attributes
    ----------
    winner, rival
        (B,) the class without noise, and the one most likely to take its place.
    margin, margin_noise
        (B,) volts between the two; volts rms of their difference, whose noises correlate.
    probability
        (B,) of another class, by all rivals together.
    how
        (B,) ``exact``: one rival, or the joint normal integral; ``bound``: the sum over all rivals,
        which is never too small.
    """

    winner: Values
    rival: Values
    margin: Values
    margin_noise: Values
    probability: Values
    how: Values


def flips_of(volts: Values, covariance: Values) -> Flips:
    """The flips of outputs ``volts`` (B, K) with noise of ``covariance`` (B, K, K)."""
    from scipy.special import ndtr  # an analysis is declared without it

    n, classes = volts.shape
    winner = volts.argmax(axis=1)
    at = np.arange(n)
    margins = volts[at, winner][:, None] - volts
    variance = np.einsum("bkk->bk", covariance)
    across = covariance[at, winner]
    noise = np.sqrt(np.maximum(variance + variance[at, winner][:, None] - 2 * across, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        far = margins / noise
    far[at, winner] = np.inf
    each = ndtr(-far)
    rival = far.argmin(axis=1)
    at_once = [
        _joint(margins[b], covariance[b], int(winner[b]), each[b], classes) for b in range(n)
    ]
    return Flips(
        winner=winner,
        rival=rival,
        margin=margins[at, rival],
        margin_noise=noise[at, rival],
        probability=np.array([p for p, _ in at_once]),
        how=np.array([how for _, how in at_once]),
    )


def _joint(
    margins: Values, covariance: Values, winner: int, each: Values, classes: int
) -> tuple[float, str]:
    """The probability that any rival wins, and how it was found."""
    bound, least = float(each.sum()), float(each.max())
    if classes == 2:
        return bound, "exact"
    if bound - least <= TIGHT * bound or bound < SMALLEST or classes - 1 > MOST_RIVALS:
        return min(bound, 1.0), "bound"
    from scipy import stats

    normal: Any = stats.multivariate_normal

    rivals = np.arange(classes) != winner
    differ = np.where(np.arange(classes) == winner, 1.0, 0.0) - np.eye(classes)[rivals]
    together = differ @ covariance @ differ.T
    stays = normal(cov=together, allow_singular=True, seed=0).cdf(margins[rivals])
    return float(np.clip(1 - stays, least, bound)), "exact"


def snr_db(volts: Values, rms: Values) -> float:
    """Rms of outputs ``volts`` (B, K) about their means over the images, over their noise ``rms``
    (B, K), in decibels; B at least 2."""
    signal = volts - volts.mean(axis=0)
    return float(10 * np.log10((signal**2).mean() / (rms**2).mean()))
