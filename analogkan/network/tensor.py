"""A tensor of a file as NumPy has it, so that files are checked, hashed and read without torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

TIMES_NAMED = 16
"""How often the bytes of a file may be named in it, as shared voltages are."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tensor:
    """What a file has of a tensor.

    Attributes
    ----------
    dtype
        Its type, as torch prints it: ``torch.float32``.
    shape
        Its axes.
    itemsize
        Bytes of a number.
    layout
        ``strided``, or what else it is.
    values
        Its numbers, of ``shape`` and in C order: float64 if NumPy lacks the type. None if it is
        sparse, no real numbers, or if the file has fewer numbers than ``shape`` says.
    raw
        Bytes of the numbers, where ``values`` are of another type.
    """

    dtype: str
    shape: tuple[int, ...]
    itemsize: int
    layout: str = "strided"
    values: np.ndarray | None = None
    raw: bytes | None = None

    @property
    def real(self) -> bool:
        """Whether it is of real numbers, not of whole ones."""
        return self.dtype.startswith(("torch.float", "torch.bfloat"))

    @property
    def nbytes(self) -> int:
        """Bytes that its shape stands for."""
        return math.prod(self.shape) * self.itemsize

    def array(self) -> np.ndarray:
        """``values``, where a check has found some."""
        assert self.values is not None
        return self.values

    def tobytes(self) -> bytes:
        """Its numbers, in C order and in this machine's bytes."""
        return self.array().tobytes() if self.raw is None else self.raw


def tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in lists and dictionaries, as often as it is named."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from tensors(inner)


def check_size(value: Any, size: int) -> None:
    """Raise ValueError if the tensors in ``value`` stand for far more than its file's ``size``."""
    named = sum(tensor.nbytes for tensor in tensors(value))
    if named > TIMES_NAMED * size:
        raise ValueError(f"its tensors have {named:,} bytes, but the file {size:,}")
