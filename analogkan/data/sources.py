"""Data sets as arrays: idx and npz files by numpy, downloads by torchvision, the bundled images."""

from __future__ import annotations

import hashlib
import io
import math
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import resources
from ..errors import DataError, SettingsError
from ..files import open_regular, read_npz
from ..kinds import mistaken
from ..limits import code_of
from ..text import nearest

BUNDLED = "data/bundled/mnist14-test-1000.npz"
IDX = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
DATASETS = (*IDX, "cifar10")
SPLITS = {"train": "train", "test": "t10k"}
AGAIN = "remove it, and fetch it again with --download"
MAX_AXES = 32
"""Of an idx file: as many as every numpy has."""
MAX_VALUE = 1e30
"""Assumed: no input is larger, in whatever unit, but instruments' codes for no reading are."""
MAX_CLASSES = 65_536
"""More are taken for labels that are no class numbers."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSet:
    """Images (or any inputs) and their classes.

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


def load_bundled() -> ImageSet:
    """The first 100 MNIST test images of each class at 14x14 that ship with the package.

    ``index`` is each image's position in the MNIST test set. Source and licence (CC BY-SA 3.0)
    are in the NOTICE beside the file.
    """
    stored = read_npz(resources.path(BUNDLED))
    images = checked("mnist", stored["x"], stored["y"], "bundled", index=stored["index"])
    return replace(images, source="bundled", origin="mnist test")


def load_dataset(name: str, split: str, root: Path, *, download: bool = False) -> ImageSet:
    """A named data set or an npz file.

    Parameters
    ----------
    name
        ``mnist``, ``fashion-mnist``, ``cifar10``, or the path of an ``.npz`` file.
    split
        ``train`` or ``test``.
    root
        Folder of the data sets, laid out as torchvision does.
    download
        Let torchvision fetch what is missing.

    Raises
    ------
    SettingsError
        If there is no data set of that name.
    DataError
        If it is missing or damaged.
    """
    if name not in DATASETS:
        wrong = mistaken(Path(name), "data set")
        if wrong:
            raise SettingsError(wrong)
        if name.endswith(".npz"):
            return load_npz(Path(name), split)
        raise SettingsError(
            f"unknown data set {name!r}{nearest(name, DATASETS, '.npz')} "
            f"Known: {', '.join(DATASETS)}, or the path of an .npz file"
        )
    if name == "cifar10":
        images = _cifar10(split, root, download)
        return replace(images, source=f"{images.name} {split}")
    folder = root / IDX[name] / "raw"
    prefix = SPLITS[split]
    files = [folder / f"{prefix}-images-idx3-ubyte", folder / f"{prefix}-labels-idx1-ubyte"]
    if not all(f.is_file() for f in files):
        _fetch(name, root, download, str(files[0]))
    x, y = (read_idx(f) for f in files)
    return replace(checked(name, x, y, str(folder)), source=f"{name} {split}")


def read_idx(path: Path) -> np.ndarray:
    """An idx file of unsigned bytes (the format of MNIST), any number of axes.

    Raises
    ------
    DataError
        If the header does not describe the bytes that follow.
    """
    try:
        with open_regular(path) as stream:
            head = stream.read(4)
            if len(head) < 4 or head[:3] != b"\x00\x00\x08":
                raise DataError(f"{path} is not an idx file of unsigned bytes: {AGAIN}")
            axes = head[3]
            if not 1 <= axes <= MAX_AXES:
                raise DataError(
                    f"{path} is damaged: its header says {axes} axes, it may have 1 to {MAX_AXES}: "
                    f"{AGAIN}"
                )
            shape = struct.unpack(f">{axes}I", stream.read(4 * axes).ljust(4 * axes, b"\xff"))
            size = os.fstat(stream.fileno()).st_size
            if size != 4 + 4 * axes + math.prod(shape):
                raise DataError(
                    f"{path} is damaged: its header says {shape}, it has {size} bytes: {AGAIN}"
                )
            return np.frombuffer(stream.read(), np.uint8).reshape(shape)
    except ValueError as error:
        raise DataError(f"{path} cannot be read ({error}): {AGAIN}") from error


def load_npz(path: Path, split: str) -> ImageSet:
    """Own data: ``x`` (n, ...), ``y`` (n,), optional ``split`` (n,) of "train" and "test".

    Without ``split`` a fifth of each class, drawn with seed 0, is the test set.

    Raises
    ------
    DataError
        If the file is missing or an array is; or if it holds NaN, or labels that are no classes.
    """
    try:
        arrays = read_npz(path)
    except ValueError as error:
        raise DataError(f"{path} is not a readable npz file: {error}") from error
    missing = [key for key in ("x", "y") if key not in arrays]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}: it needs x (n, ...) and y (n,)")
    whole = checked(path.stem, arrays["x"], arrays["y"], str(path))
    if "split" in arrays:
        marks = arrays["split"]
        if marks.dtype.kind == "S":
            marks = np.char.decode(marks, "utf-8", "replace")
        if marks.dtype.kind != "U":
            raise DataError(
                f'{path}: split has type {marks.dtype}; it must be ({len(whole)},) of "train" and '
                '"test"'
            )
        if marks.shape != whole.y.shape or not set(marks) <= set(SPLITS):
            found = ", ".join(f'"{mark[:20]}"' for mark in sorted(set(marks.ravel()))[:3])
            raise DataError(
                f'{path}: split must be ({len(whole)},) of "train" and "test", and is '
                f"{marks.shape} of {found}"
            )
        chosen = np.flatnonzero(marks == split)
    else:
        from .subset import stratified

        test = stratified(whole.y, max(1, len(whole) // 5), seed=0)
        chosen = test if split == "test" else np.setdiff1d(np.arange(len(whole)), test)
    if not chosen.size:
        raise DataError(f'{path} has no {split} images: mark some as "{split}" in an array split')
    return replace(whole.take(chosen), source=f"{path.name} {split}", chosen=())


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


def _fetch(name: str, root: Path, download: bool, wanted: str) -> None:
    if root.is_file():
        raise DataError(
            f"--data {root} is a file, and the folder of the data sets is wanted: data of your own "
            "go behind --dataset"
        )
    if not download:
        raise DataError(
            f"{wanted} does not exist: give the folder that holds {name} with --data, "
            "or add --download to fetch it with torchvision"
        )
    datasets = _torchvision()
    kind: Callable = getattr(datasets, {**IDX, "cifar10": "CIFAR10"}[name])
    try:
        for train in (True, False):
            kind(str(root), train=train, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"cannot download {name} into {root}: {error}") from error


def _torchvision():
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:
        raise DataError(
            f"torchvision cannot be imported ({error}): install the torchvision that belongs to "
            "this torch (`pip install --force-reinstall torch torchvision`)"
        ) from error
    return datasets


def _cifar10(split: str, root: Path, download: bool) -> ImageSet:
    jpeg = root / "cifar10" / "cifar10_jpeg.npz"
    batches = root / "cifar-10-batches-py"
    if jpeg.is_file() and not batches.is_dir():
        x, y = _cifar10_jpeg(jpeg, split)
        return checked("cifar10 (JPEG quality 75)", x, y, str(jpeg))
    if not batches.is_dir():
        _fetch("cifar10", root, download, str(batches))
    try:
        for path in batches.iterdir():
            with open_regular(path):
                pass
        found = _torchvision().CIFAR10(str(root), train=split == "train", download=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(
            f"{batches} is not the CIFAR-10 that torchvision knows ({error}): {AGAIN}"
        ) from error
    return checked("cifar10", np.asarray(found.data), np.array(found.targets), str(batches))


def _cifar10_jpeg(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 kept as JPEG scans behind one shared header: (n, 32, 32, 3) uint8 and (n,)."""
    names = ("header", f"{split}_scan", f"{split}_offsets", f"{split}_labels")
    try:
        stored = read_npz(path, names)
        header, scans, ends, y = (stored[name] for name in names)
        if header.dtype != np.uint8 or scans.dtype != np.uint8 or ends.dtype.kind not in "ui":
            raise ValueError("header and scans must be bytes, offsets whole numbers")
        if y.ndim != 1 or ends.shape != (len(y) + 1,):
            raise ValueError(f"offsets have shape {ends.shape}, labels {y.shape}")
    except (ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}): {AGAIN}") from error
    start, data = header.tobytes(), scans.tobytes()
    x = np.empty((len(y), 32, 32, 3), np.uint8)
    for k in range(len(y)):
        try:
            x[k] = _decoded(start + data[int(ends[k]) : int(ends[k + 1])])
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(
                f"{path}: image {k} of {split} is damaged ({error}): {AGAIN}"
            ) from error
    return x, y


def _decoded(jpeg: bytes) -> np.ndarray:
    """The pixels of a file (32, 32, 3); ValueError or PIL's errors if it has others."""
    from PIL import Image

    image = Image.open(io.BytesIO(jpeg), formats=["JPEG"])
    if (image.size, image.mode) != ((32, 32), "RGB"):
        raise ValueError(f"it has {image.size} pixels of {image.mode}")
    return np.asarray(image)
