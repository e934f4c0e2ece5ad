"""Data sets as arrays: idx and npz files by numpy, downloads by torchvision, the bundled images."""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import resources
from ..errors import DataError, SettingsError
from ..files import open_regular, read_npz
from ..kinds import mistaken
from ..objects import as_path, check_flags
from ..settings import require
from ..text import nearest
from .functions import FUNCTIONS, load_function
from .images import TASKS, ImageSet, Names, checked
from .subset import typical

if TYPE_CHECKING:
    from ..network.spec import NetworkSpec

BUNDLED = "data/bundled/mnist14-test-1000.npz"
IDX = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
DATASETS = (*IDX, "cifar10", *FUNCTIONS)
SPLITS = {"train": "train", "test": "t10k"}
AGAIN = "remove it, and fetch it again with --download"
TABLES = (".csv", ".txt", ".tsv")
NAMED = ("x_name", "x_unit", "y_name", "y_unit")
MAX_AXES = 32
"""Of an idx file: as many as every numpy has."""


def load_bundled() -> ImageSet:
    """The first 100 MNIST test images of each class at 14x14 that ship with the package.

    ``index`` is each image's position in the MNIST test set. Source and licence (CC BY-SA 3.0)
    are in the NOTICE beside the file.

    Examples
    --------
    >>> ak.load_bundled().said
    'bundled 1,000 of mnist test'
    """
    stored = read_npz(resources.path(BUNDLED))
    images = checked("mnist", stored["x"], stored["y"], "bundled", index=stored["index"])
    return replace(images, source="bundled", origin="mnist test")


def load_dataset(
    name: str | PathLike[str],
    split: str,
    root: str | PathLike[str] = "data",
    *,
    download: bool = False,
    task: str = "",
    targets: str = "",
) -> ImageSet:
    """A named data set, an npz file, or a CSV table.

    Parameters
    ----------
    name
        ``mnist``, ``fashion-mnist``, ``cifar10``; a function, such as ``thermistor`` (see
        ``data.functions``); or the path of an ``.npz`` or ``.csv`` file.
    split
        ``train`` or ``test``.
    root
        Folder of the data sets, laid out as torchvision does.
    download
        Let torchvision fetch what is missing.
    task
        ``classification`` or ``regression``, where whole numbers may be either.
    targets
        Of a table: how many of its columns, from the last one, are targets, or their names,
        separated by commas; by default the last.

    Raises
    ------
    SettingsError
        If there is no data set or split of that name.
    DataError
        If it is missing or damaged.

    Examples
    --------
    >>> np.savez("own.npz", x=np.arange(40).reshape(20, 2), y=np.arange(20) % 2)
    >>> ak.load_dataset("own.npz", "test").said
    'own.npz test, all 4'
    """
    name = str(as_path(name, "name", "a data set's name or an npz file"))
    root = as_path(root, "root")
    check_flags(download=download)
    require(split in tuple(SPLITS), "split", split, " or ".join(SPLITS))
    table = name not in DATASETS and name.lower().endswith(TABLES)
    if targets and not table:
        raise SettingsError(
            f"--targets {targets}: {name} is no table of columns, whose targets it could choose"
        )
    if name not in DATASETS:
        wrong = mistaken(Path(name), "data set")
        if wrong:
            raise SettingsError(wrong)
        if name.endswith(".npz"):
            return load_npz(Path(name), split, task)
        if table:
            from .tables import load_table

            return load_table(Path(name), split, task, targets)
        raise SettingsError(
            f"unknown data set {name!r}{nearest(name, DATASETS, '.npz')} "
            f"Known: {', '.join((*IDX, 'cifar10'))}, functions such as thermistor, or the path of "
            "an .npz or .csv file"
        )
    if name in FUNCTIONS:
        return replace(load_function(name, split), source=f"{name} {split}")
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


def load_for(
    spec: NetworkSpec,
    name: str | PathLike[str],
    root: str | PathLike[str],
    *,
    download: bool,
    task: str = "",
) -> ImageSet:
    """The test part of a data set as ``load_dataset`` has it, for a network that is there: of a
    table the columns that it gives are targets or, if they are called otherwise, as many of the
    last."""
    if spec.targets is None or not str(name).lower().endswith(TABLES):
        return load_dataset(name, "test", root, download=download, task=task)
    from .tables import load_table

    return load_table(Path(name), "test", targets=spec.targets.names)


def named_in(trained: Mapping[str, Any], dataset: str) -> str:
    """What ``--dataset`` wants for the data that a network was trained on: a name, a file as it was
    given, ``FILE``, or nothing where the bundled images are of them.

    Parameters
    ----------
    trained
        What its checkpoint or its BUILD keeps of its training.
    dataset
        The name that the network remembers, which a file may share with a data set.
    """
    data = str(trained.get("data", ""))
    if data:
        return "" if data == "mnist" else data
    card = trained.get("card") or {}
    of_file = str(card.get("images", "")).startswith(f"{dataset}.")  # an earlier version's
    if dataset in DATASETS and not of_file:
        return "" if dataset == "mnist" else dataset
    return "FILE"


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


def load_npz(path: Path, split: str, task: str = "") -> ImageSet:
    """Own data: ``x`` (n, ...), ``y`` (n,) classes or (n, K) targets, and what else there is.

    ``split`` (n,) of "train" and "test"; without it a fifth of each class, or of the first target's
    values, drawn with seed 0, is the test set. ``x_name``, ``x_unit``, ``y_name``, ``y_unit`` are
    texts, a column each; ``task`` one of ``TASKS``, and so is the argument, which wins.

    Raises
    ------
    DataError
        If the file is missing or an array is; or if it holds NaN, or labels that are no classes.
    """
    try:
        arrays = read_npz(path, ("x", "y", "split", "task", *NAMED))
    except ValueError as error:
        raise DataError(f"{path} is not a readable npz file: {error}") from error
    missing = [key for key in ("x", "y") if key not in arrays]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}: it needs x (n, ...) and y (n,)")
    said = {key: _texts(arrays[key], f"{path}: {key}") for key in NAMED if key in arrays}
    names = {axis: _names(said, axis, str(path)) for axis in ("x", "y")}
    if not task and "task" in arrays:
        task = "".join(_texts(arrays["task"], f"{path}: task"))
        if task not in TASKS:
            raise DataError(f"{path}: task is {task!r}; it must be {' or '.join(TASKS)}")
    whole = checked(
        path.stem, arrays["x"], arrays["y"], str(path),
        task=task, inputs=names["x"], targets=names["y"],
    )  # fmt: skip
    if "split" not in arrays:
        return halved(whole, split, path)
    marks = arrays["split"]
    if marks.dtype.kind == "S":
        marks = np.char.decode(marks, "utf-8", "replace")
    if marks.dtype.kind != "U":
        raise DataError(
            f'{path}: split has type {marks.dtype}; it must be ({len(whole)},) of "train" and '
            '"test"'
        )
    if marks.shape != (len(whole),) or not set(marks) <= set(SPLITS):
        found = ", ".join(f'"{mark[:20]}"' for mark in sorted(set(marks.ravel()))[:3])
        raise DataError(
            f'{path}: split must be ({len(whole)},) of "train" and "test", and is '
            f"{marks.shape} of {found}"
        )
    return _part(whole, np.flatnonzero(marks == split), split, path)


def halved(whole: ImageSet, split: str, path: Path) -> ImageSet:
    """The training or the test part of a set that says nothing of them; a fifth is for test."""
    if len(whole) < 2:
        raise DataError(f"{path} holds one point: it needs two, one to train on and one for test")
    test = typical(whole.y, max(1, len(whole) // 5), seed=0)
    rest = np.setdiff1d(np.arange(len(whole)), test)
    return _part(whole, test if split == "test" else rest, split, path)


def _part(whole: ImageSet, chosen: np.ndarray, split: str, path: Path) -> ImageSet:
    if not chosen.size:
        raise DataError(f'{path} has no {split} images: mark some as "{split}" in an array split')
    return replace(
        whole.take(chosen), source=f"{path.name} {split}", chosen=(), file=path.as_posix()
    )


def _texts(array: np.ndarray, where: str) -> tuple[str, ...]:
    """A text, or several; DataError if they are none."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind != "U" or array.ndim > 1:
        raise DataError(f"{where} has type {array.dtype} and shape {array.shape}; it must be text")
    return tuple(map(str, np.atleast_1d(array)))


def _names(said: dict[str, tuple[str, ...]], axis: str, where: str) -> Names:
    """Names and units of the columns of x or y."""
    names, units = (said.get(f"{axis}_{of}", ()) for of in ("name", "unit"))
    names = names or tuple(axis if len(units) == 1 else f"{axis}{k}" for k in range(len(units)))
    units = units or len(names) * ("",)
    if len(names) != len(units):
        raise DataError(f"{where}: {len(names)} texts in {axis}_name, {len(units)} in {axis}_unit")
    return tuple(zip(names, units, strict=True))


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
