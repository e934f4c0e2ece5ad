"""Torch files: read without running code, from regular files alone, and with their checksums."""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from ..errors import CheckpointError
from ..files import brief, near, open_regular, open_zip
from ..kinds import mistaken
from ..resources import find_model, models
from .foreign import recognise

NUMPY = (
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core")
      for name in ("scalar", "_reconstruct")),
    "numpy.ndarray", "numpy.dtype",
)  # fmt: skip
"""What a pickled NumPy value names. ``Unread`` is made in its place."""
HEAD = 512
"""Bytes at a file's start that other formats are told by."""
TIMES_NAMED = 16
"""How often the bytes of a file may be named in it, as shared voltages are."""
GLOBAL = re.compile(r"GLOBAL (\S+) was not")
"""Where torch's refusal names what it will not call."""


class Unread:
    """Stands where a NumPy value was; nothing of NumPy was called, and nothing of it is kept."""

    def __new__(cls, *_: object) -> Unread:
        return object.__new__(cls)

    def __setstate__(self, _: object) -> None:
        pass


@dataclass(frozen=True)
class TorchFile:
    """What a torch file holds, and whether its checksums vouch for it.

    Attributes
    ----------
    content
        Tensors, numbers, texts, containers, and ``Unread``.
    summed
        False for the format before torch 1.6, which has no checksums.
    """

    content: Any
    summed: bool


def read_torch(
    path: Path, *, missing: str, unsafe: str, kind: str, numpy_unread: bool = False
) -> TorchFile:
    """Read ``path`` if it is plain: tensors, numbers, texts, containers.

    Parameters
    ----------
    missing, unsafe
        The next steps that the errors give.
    kind
        What was expected.
    numpy_unread
        Put ``Unread`` where NumPy values are, instead of refusing the file.

    Raises
    ------
    CheckpointError
        If there is no such file, it is damaged or of another kind, or reading it would run code.
    """
    path = find_model(path)
    wrong = mistaken(path, "model")
    if wrong:
        raise CheckpointError(wrong)
    if not path.exists():
        hint = near(path, models())
        raise CheckpointError(f"{path} does not exist{hint or f': {missing}'}")
    try:
        with open_regular(path) as stream:
            return _read(stream, path, numpy_unread=numpy_unread)
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        named = GLOBAL.search(str(error))
        what = f" ({named[1]})" if named else ""
        raise CheckpointError(
            f"{path} is refused: it is no plain dictionary of tensors and reading it could run "
            f"code{what}. {unsafe}"
        ) from error
    except Exception as error:  # a damaged file makes torch's readers raise a dozen kinds
        told = isinstance(error, (ValueError, zipfile.BadZipFile))
        why = f": {brief(error)}" if told else ""
        raise CheckpointError(f"{path} is not {kind}, or is damaged{why}") from error


def _read(stream: BinaryIO, path: Path, *, numpy_unread: bool) -> TorchFile:
    head = stream.read(HEAD)
    summed = head.startswith(b"PK")
    names: list[str] = []
    source: BinaryIO | io.BytesIO = stream
    if summed:
        with open_zip(stream) as archive:
            names = archive.namelist()
            source = _checked_copy(archive)
    other = recognise(head, names)
    if other:
        raise CheckpointError(f"{path} is {other}")
    source.seek(0)
    with warnings.catch_warnings(), _numpy_unread() if numpy_unread else nullcontext():
        warnings.simplefilter("ignore")  # torch on other pickle protocols: the errors suffice
        return TorchFile(torch.load(source, map_location="cpu", weights_only=True), summed)


def _checked_copy(archive: zipfile.ZipFile) -> io.BytesIO:
    """Its members, whose checksums were compared, as a new archive.

    torch compares none, and its reader makes something else of a damaged directory.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as clean:
        for info in archive.infolist():
            clean.writestr(info.filename, archive.read(info))
    return copy


def _numpy_unread() -> AbstractContextManager:
    """While it lasts torch makes ``Unread`` of NumPy values; torch before 2.6 refuses them."""
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
        return nullcontext()
    dtypes = (f"numpy.dtypes.{name}" for name in vars(np.dtypes) if name.endswith("DType"))
    stands: list[Any] = [(Unread, name) for name in (*NUMPY, *dtypes)]
    return torch.serialization.safe_globals(stands)


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in lists and dictionaries, as often as it is named."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from tensors(inner)


def check_size(value: Any, size: int) -> None:
    """Raise ValueError if the tensors in ``value`` stand for far more than its file's ``size``."""
    named = sum(tensor.numel() * tensor.element_size() for tensor in tensors(value))
    if named > TIMES_NAMED * size:
        raise ValueError(f"its tensors have {named:,} bytes, but the file {size:,}")


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """``value`` and all that is in its dictionaries and lists, each once, with where it is."""
    waiting, seen = [("", value)], set()
    while waiting:
        at, inner = waiting.pop()
        yield at, inner
        if not isinstance(inner, (dict, list, tuple)) or id(inner) in seen:
            continue
        seen.add(id(inner))  # a container may hold itself
        named = inner.items() if isinstance(inner, dict) else enumerate(inner)
        waiting += [(f"{at}.{key}" if at else str(key), entry) for key, entry in named]
