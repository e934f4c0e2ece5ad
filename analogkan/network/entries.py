"""The entries of a checkpoint: one table of what each may be, and the hash over all of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch

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

WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


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
        if not isinstance(value, torch.Tensor):
            refuse(value, where, "a tensor")
        if value.layout != torch.strided or value.is_meta:
            kind = str(value.layout).removeprefix("torch.")
            raise ValueError(
                f"{where} holds a {kind} tensor of {value.dtype}, not plain real numbers"
            )
        if not (value.is_floating_point() or (self.whole and value.dtype in WHOLE)):
            raise ValueError(f"{where} holds {value.dtype}, not real numbers")
        shape = tuple(value.shape)
        if len(shape) != self.axes or 0 in shape:
            raise ValueError(
                f"{where} has shape {shape}; it must have {self.axes} axes, none empty"
            )
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ValueError(f"{where} has shape {shape}, but the file has fewer numbers of it")
        wide = value.detach().to(torch.float64)
        bad = int((~torch.isfinite(wide)).sum())
        if bad:
            raise ValueError(f"{where} holds {bad} NaN or infinity")
        least, most = (float(end) for end in torch.aminmax(wide))
        if least < self.low or most > MOST_NUMBER:
            raise ValueError(
                f"{where} goes from {least:g} to {most:g}; it must stay within {self.low:g} to "
                f"{MOST_NUMBER:g}"
            )
        if self.quantity:
            require_physical(wide.numpy(), self.quantity, where, error=CheckpointError)
        if self.quantity == "voltage":
            check_steps(wide.numpy(), where)


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
        "training": Record(optional={"command": Text()}, more=Plain()),
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
    elif isinstance(value, torch.Tensor):
        whole.update(f"{value.dtype} {tuple(value.shape)};".encode())
        plain = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        whole.update(plain.numpy().tobytes())
    else:
        text = value if isinstance(value, str) else repr(value)
        told = f"{type(value).__name__} {len(text)};{text}"
        whole.update(told.encode("utf-8", "surrogatepass"))
