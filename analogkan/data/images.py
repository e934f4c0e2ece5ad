"""Sets of images (or any inputs) and their classes or targets, and what every set must be."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ..limits import code_of
from ..objects import Described, Facts
from ..text import brief, with_unit

if TYPE_CHECKING:
    from ..network.spec import NetworkSpec

MAX_VALUE = 1e30
"""Assumed: no input is larger, in whatever unit, but instruments' codes for no reading are."""
MAX_CLASSES = 65_536
"""More are taken for labels that are no class numbers."""
MANY = 256
"""Different whole numbers in one column from which on they may be classes or targets. Assumed."""
CLASSIFICATION, REGRESSION = TASKS = ("classification", "regression")
Names = tuple[tuple[str, str], ...]
"""Of columns: a name and a unit each; either may be empty."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ImageSet(Described):
    """Images (or any inputs) and their classes, or targets; slices and masks choose some.

    What is chosen knows which images it is: ``index`` and what results say of them stay true.

    Attributes
    ----------
    name
        Such as ``mnist``; what a checkpoint remembers.
    x
        (n, ...) raw values, uint8 or float.
    y
        (n,) int64 classes; or (n, K) float64 targets, of a regression.
    index
        (n,) position of each image in the set it was taken from.
    source
        Where they were read, such as ``mnist test``; by default the name.
    origin
        What the source itself was chosen from, if it was.
    chosen
        How they were chosen from the source, step by step, such as ``20 of 250, by class, seed 0``.
    inputs, targets
        (I,) and (K,) names and units of what x and y hold, where they are known; a name and a unit
        of each target of a regression, which may be empty.
    file
        That it was read from, as it was named; empty of a set that has a name.

    Raises
    ------
    DataError
        If shapes or numbers of these do not agree, or a target is not finite.

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
    inputs: Names = ()
    targets: Names = ()
    file: str = ""

    def __post_init__(self) -> None:
        of_values = self.task == REGRESSION
        if self.y.ndim != 1 + of_values or not len(self.x) == len(self.y) == len(self.index):
            raise DataError(
                f"{self.name}: x has shape {self.x.shape}, y {self.y.shape} and index "
                f"{self.index.shape}; want (n, ...), {'(n, K)' if of_values else '(n,)'} and (n,)"
            )
        if of_values and len(self.targets) != self.y.shape[1]:
            raise DataError(
                f"{self.name}: targets has {len(self.targets)} entries, and y has "
                f"{self.y.shape[1]} columns: give a name and a unit, which may be empty, of each"
            )
        if of_values and not np.isfinite(self.y).all():
            bad = int(np.argmin(np.isfinite(self.y).all(axis=1)))
            raise DataError(f"{self.name}: the target of point {bad} holds NaN or infinity")

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
        answers = f"{len(np.unique(self.y))} classes"
        if self.task == REGRESSION:
            answers = ", ".join(with_unit(name, unit) for name, unit in self.targets)
        return f"{self.said}: {len(self):,} of {shape} {self.x.dtype}, {answers}", []

    @property
    def task(self) -> str:
        """``classification``, or ``regression`` where y are targets."""
        return REGRESSION if self.y.dtype.kind == "f" else CLASSIFICATION

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

    if not len(x):
        return np.empty((0, *shape), np.uint8)
    # Pillow goes along the rows first, then along the columns: of all images at once.
    for length in (shape[1], shape[0]):
        n, lines, points = x.shape
        along = Image.fromarray(x.reshape(n * lines, points))
        found = np.asarray(along.resize((length, n * lines), Image.Resampling.BILINEAR))
        x = np.ascontiguousarray(found.reshape(n, lines, length).transpose(0, 2, 1))
    return x


def checked(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    where: str,
    index: np.ndarray | None = None,
    *,
    task: str = "",
    inputs: Names = (),
    targets: Names = (),
) -> ImageSet:
    """The set ``name`` with int64 labels or float64 targets, after the checks of every set.

    ``task`` is one of ``TASKS``; without it labels are whole numbers in one column.

    Raises
    ------
    DataError
        If shapes, types or values of ``x`` and ``y`` (from ``where``) are no data set.
    """
    task = task or _task(y, where)
    if task == REGRESSION:
        x = x[:, None] if x.ndim == 1 else x
        y = y[:, None] if y.ndim == 1 else y
    axes = 2 if task == REGRESSION else 1
    if x.ndim < 2 or y.ndim != axes or len(x) != len(y) or not x.size or not y.size:
        wanted = "(n,)" if task == CLASSIFICATION else "(n, K)"
        raise DataError(
            f"{where}: x has shape {x.shape} and y {y.shape}; want (n, ...) and {wanted}"
        )
    if x.dtype.kind not in "uif":
        raise DataError(f"{where}: x has type {x.dtype}, which holds no numbers")
    check_numbers(x, where, "image" if task == CLASSIFICATION else "point", "inputs")
    if task == REGRESSION:
        check_numbers(y, where, "the target of point", "targets")
        y = y.astype(np.float64)
        targets = targets or tuple(
            (f"y{k}" if y.shape[1] > 1 else "y", "") for k in range(y.shape[1])
        )
    else:
        y = _classes(y, where)
    for what, names, count in (("inputs", inputs, x[0].size), ("targets", targets, y[0].size)):
        if names and len(names) != count:
            raise DataError(f"{where}: {len(names)} names of {what}, of which there are {count}")
    index = np.arange(len(y)) if index is None else index
    return ImageSet(name=name, x=x, y=y, index=index, inputs=inputs, targets=targets)


def _task(y: np.ndarray, where: str) -> str:
    """What labels ``y`` without a word of their task are."""
    if y.dtype.kind not in "uif":
        return CLASSIFICATION
    known = y[np.isfinite(y)]
    whole = bool((known == np.floor(known)).all())
    if y.ndim == 2 or not whole:
        return REGRESSION
    different = len(np.unique(y))
    if different > MANY:
        raise DataError(
            f"{where}: y holds {different:,} different whole numbers, which may be classes or "
            "targets: say which with --task classification or --task regression, or by a text task "
            "in the file"
        )
    return CLASSIFICATION


def check_numbers(values: np.ndarray, where: str, one: str, what: str) -> None:
    """Raise DataError if ``values`` (n, ...) are not finite, or too large to be real."""
    if values.dtype.kind not in "uif":
        raise DataError(f"{where}: {what} of type {values.dtype} are no numbers")
    if values.dtype.kind != "f":
        return
    rows = values.reshape(len(values), -1)
    if not np.isfinite(values).all():
        bad = int(np.argmax(~np.isfinite(rows).all(axis=1)))
        raise DataError(f"{where}: {one} {bad} holds NaN or infinity")
    if max(float(values.max()), -float(values.min())) > MAX_VALUE:
        bad = int(np.argmax((np.abs(rows) > MAX_VALUE).any(axis=1)))
        value = float(rows[bad][np.argmax(np.abs(rows[bad]))])
        said = f" ({code_of(value)})" if code_of(value) else ""
        raise DataError(
            f"{where}: {one} {bad} holds {value:g}{said}: {what} are at most {MAX_VALUE:g} in size"
        )


def _classes(y: np.ndarray, where: str) -> np.ndarray:
    """Labels (n,) as int64; DataError if they are no classes."""
    if y.dtype.kind not in "uif":
        raise DataError(f"{where}: labels of type {y.dtype} are no classes: use 0, 1, 2, ...")
    check_numbers(y, where, "the label of image", "labels")
    fractions = y != np.floor(y)
    if fractions.any():
        bad = int(np.argmax(fractions))
        raise DataError(
            f"{where}: label {y[bad]:g} of image {bad} is no class: use 0, 1, 2, ..., or say that "
            "these are targets with --task regression"
        )
    least, most = y.min().item(), y.max().item()
    if not 0 <= least <= most < MAX_CLASSES:
        bad = least if least < 0 else most
        raise DataError(
            f"{where}: label {bad:g} is out of range: classes are 0 to {MAX_CLASSES - 1}"
        )
    return y.astype(np.int64)


def check_outputs(classes: int, network: str = "the network") -> None:
    """Raise DataError if ``network`` has one output: it would be right whatever that is."""
    if classes < 2:
        raise DataError(
            f"{network} has one output, and accuracy, agreement and yield compare outputs: they "
            "would be 100 % whatever the circuit gives. Train it as a regression (its targets are "
            "numbers with fractions, or --task regression); compile, verify and simulate --trace "
            "take it as it is"
        )


def check_labels(images: ImageSet, classes: int, network: str = "the network") -> None:
    """Raise DataError if a label is not one of ``classes`` outputs, or there is one output."""
    if images.task == REGRESSION:
        raise DataError(
            f"{images.name} has targets, numbers of a regression, and {network} gives classes: "
            "give data whose y are 0, 1, 2, ..., or a network that was trained on targets"
        )
    check_outputs(classes, network)
    if len(images) and images.y.max() >= classes:
        bad = int(np.argmax(images.y >= classes))
        raise DataError(
            f"label {images.y[bad]} of image {images.index[bad]} in {images.name} is out of "
            f"range: the network has {classes} outputs, 0 to {classes - 1}"
        )


def check_answers(images: ImageSet, spec: NetworkSpec) -> None:
    """Raise DataError unless the labels or targets of ``images`` are what ``spec`` gives."""
    if spec.targets is None:
        check_labels(images, spec.sizes[-1], spec.name)
        return
    if images.task == CLASSIFICATION:
        raise DataError(
            f"{images.name} has classes, and {spec.name} gives {spec.targets.said}: give data "
            "whose y are targets (of whole numbers an npz file says so by task = regression)"
        )
    if images.y.shape[1] != len(spec.targets):
        raise DataError(
            f"{images.name} has {images.y.shape[1]} targets, and {spec.name} gives "
            f"{len(spec.targets)}: {spec.targets.said}"
        )
    for (name, unit), own in zip(images.targets, spec.targets.units, strict=True):
        if unit and own and unit != own:
            raise DataError(
                f"target {name} of {images.name} is in {unit}, and {spec.name} gives {own}: "
                "convert one of them"
            )


def count_classes(images: ImageSet) -> int:
    """How many outputs a network for ``images`` has; DataError if that is one."""
    if images.y.max() == 0:
        raise DataError(
            f"every label of {images.name} is 0: a network for it would have one output, and "
            "accuracy compares outputs; classes are 0, 1, 2, ..."
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
