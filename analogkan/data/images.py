"""Sets of images and their classes, and what every set must be."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DataError
from ..limits import code_of
from ..objects import Described, Facts
from ..text import brief

MAX_VALUE = 1e30
"""Assumed: no input is larger, in whatever unit, but instruments' codes for no reading are."""
MAX_CLASSES = 65_536
"""More are taken for labels that are no class numbers."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ImageSet(Described):
    """Images (or any inputs) and their classes; slices and masks choose some, as of an array.

    What is chosen knows which images it is: ``index`` and what results say of them stay true.

    Attributes
    ----------
    name
        Such as ``mnist``; what a checkpoint remembers.
    x
        (n, ...) raw values, uint8 or float.
    y
        (n,) int64 classes.
    index
        (n,) position of each image in the set it was taken from.
    source
        Where they were read, such as ``mnist test``; by default the name.
    origin
        What the source itself was chosen from, if it was.
    chosen
        How they were chosen from the source, step by step, such as ``20 of 250, by class, seed 0``.

    Examples
    --------
    >>> images = ak.load_bundled()
    >>> images[:200].said
    'bundled, images 0 to 199 of 1,000'
    >>> len(images[images.y == 7])
    100
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    index: np.ndarray
    source: str = ""
    origin: str = ""
    chosen: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, chosen: Any) -> ImageSet:
        """The images at a position, a slice, positions (k,), or where a mask (n,) is true."""
        try:
            places = np.arange(len(self))[chosen]
            if places.ndim > 1:
                raise IndexError(f"{places.ndim} axes")
        except (IndexError, TypeError) as error:
            raise DataError(
                f"{brief(chosen)} chooses none of {len(self):,} images ({error}): give a position "
                f"from 0 to {len(self) - 1}, a slice, positions, or a mask"
            ) from error
        return self.take(np.atleast_1d(places))

    def __iter__(self) -> Iterator[ImageSet]:
        return (self[k] for k in range(len(self)))

    def _described(self) -> tuple[str, Facts]:
        shape = "x".join(map(str, self.x.shape[1:]))
        classes = len(np.unique(self.y))
        return f"{self.said}: {len(self):,} of {shape} {self.x.dtype}, {classes} classes", []

    @property
    def said(self) -> str:
        """Which images these are, such as ``mnist test, 1,000 of 10,000, by class, seed 0``."""
        source = self.source or self.name
        if self.chosen:
            return f"{source}, {', then '.join(self.chosen)}"
        n = f"{len(self):,}"
        return f"{source} {n} of {self.origin}" if self.origin else f"{source}, all {n}"

    def facts(self) -> dict[str, Any]:
        """What a result says of its images: ``said``, ``n``, and the hash of values and labels."""
        digest = hashlib.sha256()
        for array in (self.x, self.y, self.index):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return {"said": self.said, "n": len(self), "sha256": digest.hexdigest()}

    def take(self, positions: np.ndarray | Sequence[int], how: str = "") -> ImageSet:
        """The images at ``positions`` (k,), in that order; ``how`` they were chosen, if by a rule.

        Without one, neighbours are said as a range and others as so many chosen.
        """
        places = np.arange(len(self))[positions]
        step = () if np.array_equal(places, np.arange(len(self))) else (self._step(places, how),)
        return replace(
            self,
            x=self.x[places],
            y=self.y[places],
            index=self.index[places],
            chosen=self.chosen + step,
        )

    def _step(self, places: np.ndarray, how: str) -> str:
        """How ``places`` (k,) of these images are said."""
        n, total = f"{len(places):,}", f"{len(self):,}"
        if how:
            return f"{n} of {total}, {how}"
        if not len(places) or (np.diff(places) != 1).any():
            return f"{n} chosen of {total}"
        what = "image" if np.array_equal(self.index[places], places) else "place"
        first, last = places[0], places[-1]
        run = f" {first}" if first == last else f"s {first} to {last}"
        return f"{what}{run} of {total}"

    def flat(self, shape: tuple[int, ...]) -> np.ndarray:
        """Inputs (n, I) for a network that takes ``shape``, resized if they are larger images.

        Raises
        ------
        DataError
            If the images cannot become that shape.
        """
        if self.x.shape[1:] in (shape, (math.prod(shape),)):
            return self.x.reshape(len(self.x), -1)
        if self.x.ndim == 3 and len(shape) == 2 and self.x.dtype == np.uint8:
            (rows, columns), (h, w) = self.x.shape[1:], shape
            if rows >= h and rows * w == columns * h:
                return resize(self.x, shape).reshape(len(self.x), -1)
        raise DataError(
            f"images of {self.name} have shape {self.x.shape[1:]}; the network takes {shape} "
            "(larger grey 8-bit images of the same proportions are resized): name others with "
            "--dataset"
        )


def resize(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Grey uint8 images (n, H, W) resized to ``shape`` (h, w), bilinear with antialiasing.

    What torchvision's ``Resize`` does to a PIL image, rounding included.
    """
    from PIL import Image

    h, w = shape
    out = np.empty((len(x), h, w), np.uint8)
    for k, image in enumerate(x):
        out[k] = np.asarray(Image.fromarray(image).resize((w, h), Image.Resampling.BILINEAR))
    return out


def checked(
    name: str, x: np.ndarray, y: np.ndarray, where: str, index: np.ndarray | None = None
) -> ImageSet:
    """The set ``name`` with int64 labels, after the checks every set must pass.

    Raises
    ------
    DataError
        If shapes, types or values of ``x`` and ``y`` (from ``where``) are no data set.
    """
    if x.ndim < 2 or y.ndim != 1 or len(x) != len(y) or not x.size:
        raise DataError(f"{where}: x has shape {x.shape} and y {y.shape}; want (n, ...) and (n,)")
    if x.dtype.kind not in "uif":
        raise DataError(f"{where}: x has type {x.dtype}, which holds no numbers")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        bad = int(np.argmax(~np.isfinite(x.reshape(len(x), -1)).all(axis=1)))
        raise DataError(f"{where}: image {bad} holds NaN or infinity")
    if x.dtype.kind == "f" and max(float(x.max()), -float(x.min())) > MAX_VALUE:
        rows = x.reshape(len(x), -1)
        bad = int(np.argmax((np.abs(rows) > MAX_VALUE).any(axis=1)))
        value = float(rows[bad][np.argmax(np.abs(rows[bad]))])
        said = f" ({code_of(value)})" if code_of(value) else ""
        raise DataError(
            f"{where}: image {bad} holds {value:g}{said}: inputs are at most {MAX_VALUE:g} in size"
        )
    whole = y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.floor(y)).all()
    if y.dtype.kind not in "ui" and not whole:
        raise DataError(f"{where}: labels of type {y.dtype} are no classes: use 0, 1, 2, ...")
    least, most = y.min().item(), y.max().item()
    if not 0 <= least <= most < MAX_CLASSES:
        bad = least if least < 0 else most
        raise DataError(
            f"{where}: label {bad:g} is out of range: classes are 0 to {MAX_CLASSES - 1}"
        )
    index = np.arange(len(y)) if index is None else index
    return ImageSet(name=name, x=x, y=y.astype(np.int64), index=index)


def check_outputs(classes: int, network: str = "the network") -> None:
    """Raise DataError if ``network`` has one output: it would be right whatever that is."""
    if classes < 2:
        raise DataError(
            f"{network} has one output, and accuracy, agreement and yield compare outputs: they "
            "would be 100 % whatever the circuit gives. Regression is not a task yet; compile, "
            "verify and simulate --trace take such a network"
        )


def check_labels(images: ImageSet, classes: int, network: str = "the network") -> None:
    """Raise DataError if a label is not one of ``classes`` outputs, or there is one output."""
    check_outputs(classes, network)
    if len(images) and images.y.max() >= classes:
        bad = int(np.argmax(images.y >= classes))
        raise DataError(
            f"label {images.y[bad]} of image {images.index[bad]} in {images.name} is out of "
            f"range: the network has {classes} outputs, 0 to {classes - 1}"
        )


def count_classes(images: ImageSet) -> int:
    """How many outputs a network for ``images`` has; DataError if that is one."""
    if images.y.max() == 0:
        raise DataError(
            f"every label of {images.name} is 0: a network for it would have one output, and "
            "accuracy compares outputs. Regression is not a task yet; classes are 0, 1, 2, ..."
        )
    return int(images.y.max()) + 1


def check_trained(judged: ImageSet, trained: ImageSet, split: str) -> None:
    """Raise DataError if an image that is judged has a label that no training image has."""
    unknown = ~np.isin(judged.y, trained.y)
    if unknown.any():
        bad = int(np.argmax(unknown))
        raise DataError(
            f"label {judged.y[bad]} of image {judged.index[bad]} in {judged.name} is of the "
            f"{split} images alone ({int(unknown.sum())} of them): no training image has it, so no "
            "network can learn it; mark some as training images"
        )
