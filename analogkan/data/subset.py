"""Choosing which images a study runs on."""

from __future__ import annotations

import numbers
import re

import numpy as np

from ..errors import DataError, SettingsError
from ..objects import require_type
from ..settings import require
from .images import ImageSet


def stratified(y: np.ndarray, n: int, *, seed: int = 0) -> np.ndarray:
    """Positions of ``n`` images, each class as near to its share as whole numbers allow.

    Parameters
    ----------
    y
        (N,) classes.
    n
        How many; 1 to N.
    seed
        Of the draw within each class, and of which classes get the odd image.

    Returns
    -------
    np.ndarray
        (n,) positions, increasing.

    Raises
    ------
    DataError
        If n is not in 1..N.
    """
    if not 1 <= n <= len(y):
        raise DataError(f"a subset of {n} images is not possible: there are {len(y)}")
    rng = np.random.default_rng(seed)
    classes, counts = np.unique(y, return_counts=True)
    share = n * counts / len(y)
    take = np.floor(share).astype(int)
    order = np.lexsort((rng.random(classes.size), take - share))
    take[order[: n - take.sum()]] += 1
    chosen = [
        rng.permutation(np.flatnonzero(y == c))[:k] for c, k in zip(classes, take, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def spread(y: np.ndarray, n: int, *, seed: int = 0) -> np.ndarray:
    """Positions of ``n`` points, one from each n-th part of the first target's values.

    Parameters
    ----------
    y
        (N, K) targets.
    n
        How many; 1 to N.
    seed
        Of the draw within each part.

    Returns
    -------
    np.ndarray
        (n,) positions, increasing.

    Raises
    ------
    DataError
        If n is not in 1..N.
    """
    if not 1 <= n <= len(y):
        raise DataError(f"a subset of {n} points is not possible: there are {len(y)}")
    rng = np.random.default_rng(seed)
    parts = np.array_split(np.argsort(y[:, 0], kind="stable"), n)
    return np.sort(np.array([part[rng.integers(len(part))] for part in parts]))


def typical(y: np.ndarray, n: int, *, seed: int = 0) -> np.ndarray:
    """``stratified`` of classes, ``spread`` of targets: positions of ``n`` that stand for all."""
    return (stratified if y.ndim == 1 else spread)(y, n, seed=seed)


def parse_subset(text: str | None, y: np.ndarray) -> np.ndarray:
    """Positions for ``None`` (all), ``"N"`` (``typical`` ones, seed 0) or ``"A:B"`` (a range).

    Raises
    ------
    SettingsError
        If the text is neither.
    DataError
        If the subset is empty or leaves the data set.
    """
    if text is None:
        return np.arange(len(y))
    if re.fullmatch(r"\d+", text):
        return typical(y, int(text))
    match = re.fullmatch(r"(\d*):(\d*)", text)
    if not match:
        raise SettingsError(
            f"subset {text!r} is neither a count such as 200 nor a range such as 0:200"
        )
    start = int(match[1] or 0)
    stop = int(match[2] or len(y))
    if not 0 <= start < stop <= len(y):
        held = f"{len(y)} {'images' if y.ndim == 1 else 'points'}"
        raise DataError(f"subset {text} is empty or leaves the data set: it has {held}")
    return np.arange(start, stop)


def by_class(images: ImageSet, n: int, *, seed: int = 0) -> ImageSet:
    """The ``n`` of ``images`` that ``typical`` chooses: by class, or by the first target.

    Raises
    ------
    SettingsError
        If something is of another type, or the seed below 0.
    DataError
        If there are not ``n`` images.

    Examples
    --------
    >>> ak.by_class(ak.load_bundled(), 50).said
    'bundled, 50 of 1,000, by class, seed 0'
    """
    require_type(images, ImageSet, "images", "an ImageSet, such as load_bundled()")
    for name, value in (("n", n), ("seed", seed)):
        require_type(value, numbers.Integral, name, "a whole number")
    require(seed >= 0, "seed", seed, "0 or more")
    how = "by class" if images.y.ndim == 1 else "by quantile"
    return images.take(typical(images.y, n, seed=seed), f"{how}, seed {seed}")


def hold_out(images: ImageSet, n: int) -> tuple[ImageSet, ImageSet]:
    """Training images without, and with only, the ``n`` that ``by_class`` chooses.

    Raises
    ------
    DataError
        If none is left.
    """
    if n >= len(images):
        raise DataError(
            f"holding out {n} of {len(images)} training images leaves none: keep fewer back"
        )
    kept = np.setdiff1d(np.arange(len(images)), typical(images.y, n))
    return images.take(kept, f"without {n:,} held out"), by_class(images, n)


def choose(images: ImageSet, subset: str | None) -> ImageSet:
    """The images that ``--subset`` asks for; see ``parse_subset``."""
    if subset is not None and subset.isdecimal():
        return by_class(images, int(subset))
    return images.take(parse_subset(subset, images.y))
