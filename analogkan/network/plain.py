"""What ``torch.save`` writes of plain dictionaries of tensors, read without torch.

Nothing is called but what is here: a pickle with an operation or a name that is not listed, a
tensor that is not of plain numbers, a member of the archive that is not known are not read. Such
a file is no worse for that, but torch's to judge (``torchfile``).
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from .tensor import Tensor

OPERATIONS = {
    *("PROTO", "STOP", "GLOBAL", "BINPERSID", "REDUCE", "MARK", "NONE", "NEWTRUE", "NEWFALSE"),
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "EMPTY_TUPLE", "TUPLE"),
    *("TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM"),
    *("SETITEMS", "BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT"),
}
"""Of a pickle that makes containers, numbers and texts, and calls what ``_Reader`` finds."""
MEMBERS = {"version": b"3\n", "byteorder": b"little", ".format_version": b"1"}
MEMBERS |= {".storage_alignment": b"64"}
"""Members of the archive beside the pickle and the numbers, and what they hold."""
NUMBERED = ".data/serialization_id"
"""A member of digits, which differ from file to file."""
TYPES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "Long": "int64", "Int": "int32",
    "Short": "int16", "Char": "int8", "Byte": "uint8",
}  # fmt: skip
"""Of storages, and NumPy's names for them."""


class Unplain(Exception):
    """A file has more than is read here."""


def read_plain(members: Mapping[str, bytes]) -> Any:
    """What an archive holds: ``Tensor``, numbers, texts, containers.

    Parameters
    ----------
    members
        Its members by name, checksums compared.

    Raises
    ------
    Unplain
        If it is damaged, of another form, or not plain.
    """
    try:
        folder = next(iter(members)).partition("/")[0] + "/"
        inner = {name.removeprefix(folder): content for name, content in members.items()}
        program, stored = inner.pop("data.pkl"), {}
        for name, content in inner.items():
            if name.startswith("data/"):
                stored[name.removeprefix("data/")] = content
            elif not (content.isdigit() if name == NUMBERED else content == MEMBERS[name]):
                raise Unplain(name)
        if sys.byteorder != "little" or "byteorder" not in inner or "version" not in inner:
            raise Unplain("byteorder")
        _check(program)
        return _Reader(program, stored).load()
    except Unplain:
        raise
    except Exception as error:  # a pickle can fail in a dozen ways
        raise Unplain(str(error)) from error


def _check(program: bytes) -> None:
    """Raise Unplain if a pickle has other operations, or a memo larger than itself."""
    for operation, given, _ in pickletools.genops(program):
        if operation.name not in OPERATIONS:
            raise Unplain(operation.name)
        if operation.name == "PROTO" and given != 2:
            raise Unplain(f"protocol {given}")
        if operation.name == "LONG_BINPUT" and not 0 <= int(given or 0) < len(program):
            raise Unplain(f"memo {given}")


class _Reader(pickle.Unpickler):
    """Python's own, which finds storages, tensors and OrderedDict alone."""

    def __init__(self, program: bytes, stored: Mapping[str, bytes]) -> None:
        super().__init__(io.BytesIO(program))
        self.stored = stored
        self.known: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name.endswith("Storage"):
            return np.dtype(TYPES[name.removesuffix("Storage")])
        raise Unplain(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> np.ndarray:
        """The numbers (n,) of a storage."""
        what, dtype, key, place, n = pid
        content = self.stored[key]
        plain = type(pid) is tuple and isinstance(dtype, np.dtype) and type(n) is int
        if not plain or (what, place) != ("storage", "cpu") or len(content) != n * dtype.itemsize:
            raise Unplain(str(pid))
        numbers = self.known.setdefault(key, np.frombuffer(content, dtype))
        if numbers.dtype != dtype:
            raise Unplain(str(pid))
        return numbers


def _tensor(numbers: Any, offset: Any, shape: Any, strides: Any, learns: Any, hooks: Any) -> Tensor:
    """A tensor of a storage's ``numbers`` (n,); strides are in numbers, as ``offset`` is."""
    kinds = (type(shape), type(strides), type(learns), type(hooks))
    plain = isinstance(numbers, np.ndarray) and kinds == (tuple, tuple, bool, OrderedDict)
    if not plain or hooks or {type(n) for n in (offset, *shape, *strides)} != {int}:
        raise Unplain("a tensor")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    inside = min([offset, *strides, *(n - 1 for n in shape)]) >= 0 and last < len(numbers)
    if not inside or math.prod(shape) > len(numbers):
        raise Unplain("a tensor")
    size = numbers.itemsize
    values = np.lib.stride_tricks.as_strided(
        numbers[offset:], shape, [size * step for step in strides], writeable=False
    )
    return Tensor(
        dtype=f"torch.{numbers.dtype}", shape=tuple(shape), itemsize=size, values=values.copy()
    )
