"""Torch files by torch: written, read where they are not plain, their tensors as ``Tensor``."""

from __future__ import annotations

import io
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from ..files import SEAL, atomic_file
from .entries import digest
from .tensor import Tensor, check_size

NUMPY = (
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core")
      for name in ("scalar", "_reconstruct")),
    "numpy.ndarray", "numpy.dtype",
)  # fmt: skip
"""What a pickled NumPy value names. ``Unread`` is made in its place."""
NATIVE = (
    torch.float64, torch.float32, torch.float16, torch.uint8, torch.int8, torch.int16, torch.int32,
    torch.int64,
)  # fmt: skip
"""Types of real and whole numbers that NumPy has."""


class Unread:
    """Stands where a NumPy value was; nothing of NumPy was called, and nothing of it is kept."""

    def __new__(cls, *_: object) -> Unread:
        return object.__new__(cls)

    def __setstate__(self, _: object) -> None:
        pass


def load(source: BinaryIO, *, numpy_unread: bool = False) -> Any:
    """What ``torch.load`` makes of plain tensors, numbers, texts and containers."""
    with warnings.catch_warnings(), _numpy_unread() if numpy_unread else nullcontext():
        warnings.simplefilter("ignore")  # torch on other pickle protocols: the errors suffice
        return torch.load(source, map_location="cpu", weights_only=True)


def _numpy_unread() -> AbstractContextManager:
    """While it lasts torch makes ``Unread`` of NumPy values; torch before 2.6 refuses them."""
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
        return nullcontext()
    dtypes = (f"numpy.dtypes.{name}" for name in vars(np.dtypes) if name.endswith("DType"))
    stands: list[Any] = [(Unread, name) for name in (*NUMPY, *dtypes)]
    return torch.serialization.safe_globals(stands)


def as_stored(value: Any, done: dict[int, Any] | None = None) -> Any:
    """A copy of dictionaries and lists in which every tensor is a ``Tensor``."""
    done = {} if done is None else done
    if isinstance(value, torch.Tensor):
        return _stored(value)
    if not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) in done:  # a container may hold itself
        return done[id(value)]
    if isinstance(value, tuple):
        return tuple(as_stored(inner, done) for inner in value)
    if isinstance(value, list):
        listed = done[id(value)] = []
        listed += [as_stored(inner, done) for inner in value]
        return listed
    made = done[id(value)] = {}
    made |= {key: as_stored(inner, done) for key, inner in value.items()}
    return made


def _stored(tensor: torch.Tensor) -> Tensor:
    layout = "meta" if tensor.is_meta else str(tensor.layout).removeprefix("torch.")
    found = Tensor(
        dtype=str(tensor.dtype),
        shape=tuple(tensor.shape),
        itemsize=tensor.element_size(),
        layout=layout,
    )
    if layout != "strided" or found.nbytes > tensor.untyped_storage().nbytes():
        return found
    whole = tensor.detach().cpu().contiguous()
    if whole.dtype in NATIVE:
        return replace(found, values=whole.numpy())
    raw = whole.reshape(-1).view(torch.uint8).numpy().tobytes()
    values = whole.to(torch.float64).numpy() if found.real else None
    return replace(found, values=values, raw=raw)


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor of a copy of ``array``, of its type."""
    return torch.tensor(np.ascontiguousarray(array))


def unsealed(content: dict[str, Any], size: int) -> dict[str, Any]:
    """What ``write_sealed`` wrote to a file of ``size`` bytes; ValueError if it is something else
    by now."""
    entry = {key: value for key, value in content.items() if key != SEAL}
    plain = as_stored(entry)
    check_size(plain, size)
    if digest(plain) != content[SEAL]:
        raise ValueError("it is not what was written")
    return entry


def write_sealed(entry: dict[str, Any], path: Path) -> None:
    """``write_torch``, with the hash that vouches for it."""
    write_torch(entry | {SEAL: digest(as_stored(entry))}, path)


def write_torch(entry: dict[str, Any], path: Path) -> None:
    """Write ``entry`` to ``path``, whole or not at all.

    By way of memory: torch's own writer reports a full disk as a RuntimeError.
    """
    buffer = io.BytesIO()
    torch.save(entry, buffer)
    with atomic_file(path) as partial:
        partial.write_bytes(buffer.getvalue())
