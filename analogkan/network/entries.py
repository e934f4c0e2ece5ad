"""The entries of a checkpoint: one table of what each may be, and the hash over all of them.

Tensors are ``Tensor`` here, from whatever they were read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..limits import require_physical
from ..schema import (
    MOST_NUMBER,
    Fixed,
    Number,
    Plain,
    Record,
    Several,
    Text,
    Whole,
    refuse,
)
from .encoding import ENCODING_ENTRY, MOST_WIDTH
from .patches import PATCHES_ENTRY
from .spec_entries import check_steps
from .squash import SQUASH_ENTRY
from .targets import TARGETS_ENTRY
from .tensor import Tensor

WHOLE = tuple(f"torch.{name}" for name in ("uint8", "int8", "int16", "int32", "int64"))


@dataclass(frozen=True)
class Values:
    """A tensor of finite real numbers with so many ``axes``, none of them empty.

    ``quantity`` is one of ``limits``, ``low`` a smallest value; with ``whole`` the numbers may be
    of a whole type.
    """

    axes: int
    quantity: str = ""
    low: float = -MOST_NUMBER
    whole: bool = False

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, Tensor):
            refuse(value, where, "a tensor")
        if value.layout != "strided":
            raise ValueError(
                f"{where} holds a {value.layout} tensor of {value.dtype}, not plain real numbers"
            )
        if not (value.real or (self.whole and value.dtype in WHOLE)):
            raise ValueError(f"{where} holds {value.dtype}, not real numbers")
        if len(value.shape) != self.axes or 0 in value.shape:
            raise ValueError(
                f"{where} has shape {value.shape}; it must have {self.axes} axes, none empty"
            )
        if value.values is None:
            raise ValueError(
                f"{where} has shape {value.shape}, but the file has fewer numbers of it"
            )
        wide = value.values.astype(np.float64)
        bad = int((~np.isfinite(wide)).sum())
        if bad:
            raise ValueError(f"{where} holds {bad} NaN or infinity")
        least, most = float(wide.min()), float(wide.max())
        if least < self.low or most > MOST_NUMBER:
            raise ValueError(
                f"{where} goes from {least:g} to {most:g}; it must stay within {self.low:g} to "
                f"{MOST_NUMBER:g}"
            )
        if self.quantity:
            require_physical(wide, self.quantity, where, error=CheckpointError)
        if self.quantity == "voltage":
            check_steps(wide, where)


DEVICE = Record(
    {
        "name": Text(most=100),
        "source": Text(),
        "v": Values(1, "voltage"),
        "i": Values(1, "current"),
    },
    {
        "temps_c": Several(Number("temperature")),
        "i_at": Values(2, "current"),
        "reconstructed": Fixed((Number("voltage"), Number("voltage"))),
    },
)
ENTRIES = Record(
    {
        "format": Text(),
        "name": Text(),
        "sizes": Several(Whole(1, MOST_WIDTH), most=1000),
        "devices": Several(DEVICE, most=1000),
        "squash": SQUASH_ENTRY,
        "norm": Text(),
        "encoding": ENCODING_ENTRY,
        "dataset": Text(),
        "layers": Several(Record({"theta": Values(3), "bias": Values(1)}), most=1000),
        "norms": Several(
            Record(
                {"weight": Values(1), "bias": Values(1), "eps": Number(low=0.0)},
                {"running_mean": Values(1), "running_var": Values(1, low=0.0)},
            ),
            most=1000,
        ),
    },
    {
        "convolutions": Several(PATCHES_ENTRY, most=1000),
        "calibration": Values(2, whole=True),
        "targets": TARGETS_ENTRY,
        "training": Record(optional=dict.fromkeys(("command", "data"), Text()), more=Plain()),
        "sha256": Text(),
    },
)
"""Every entry of a checkpoint, as ``docs/checkpoint.md`` describes them."""


def digest(value: Any) -> str:
    """Hex SHA-256 of dictionaries, lists, tensors, numbers and texts: of their content alone."""
    whole = hashlib.sha256()
    _feed(whole, value)
    return whole.hexdigest()


def _feed(whole: Any, value: Any) -> None:
    if isinstance(value, dict):
        whole.update(f"dict {len(value)};".encode())
        for key in sorted(value, key=repr):
            _feed(whole, key)
            _feed(whole, value[key])
    elif isinstance(value, (list, tuple)):
        whole.update(f"list {len(value)};".encode())
        for entry in value:
            _feed(whole, entry)
    elif isinstance(value, Tensor):
        whole.update(f"{value.dtype} {value.shape};".encode())
        whole.update(value.tobytes())
    else:
        text = value if isinstance(value, str) else repr(value)
        told = f"{type(value).__name__} {len(text)};{text}"
        whole.update(told.encode("utf-8", "surrogatepass"))
