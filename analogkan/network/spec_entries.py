"""What a network file may hold: its settings by one table, its arrays by their types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..limits import require_physical
from ..schema import MOST_NUMBER, Fixed, Maybe, Number, Record, Several, Text, Truth, Whole
from .encoding import ENCODING_ENTRY
from .patches import PATCHES_ENTRY
from .squash import SQUASH_ENTRY
from .targets import TARGETS_ENTRY

TABLE = re.compile(r"l[0-9]+_d[0-9]+_(v|i|temps_c|i_at|reconstructed)")
QUANTITY = {
    "v": "voltage", "i": "current", "temps_c": "temperature", "i_at": "current",
    "reconstructed": "voltage",
}  # fmt: skip
LEAST_STEP = 1e-12
"""Volts between a table's points, assumed; a closer pair has a slope that may be no number."""
FORMAT = "analogkan-network-2"
SETTINGS = Record(
    {
        "curves": Several(Fixed((Text(), Text())), least=1, most=1000),
        "squash": SQUASH_ENTRY,
        "norm": Maybe(Record({"kind": Text(), "eps": Number(low=0.0)})),
    },
    {"patches": PATCHES_ENTRY},
)
META = Record(
    {
        "format": Text((FORMAT,)),
        "name": Text(),
        "dataset": Text(),
        "encoding": Fixed((*4 * (Number(),), Several(Whole(1, 10**8), least=1, most=8))),
        "layers": Several(SETTINGS, least=1, most=1000),
    },
    {
        "held": Truth(),
        "ranges": ENCODING_ENTRY.optional["ranges"],
        **{key: ENCODING_ENTRY.optional[key] for key in ("taps", "used")},
        "targets": TARGETS_ENTRY,
    },
)
"""The JSON entry of a network file, and of each of its layers; encodings are x and v."""


def check_entries(arrays: Mapping[str, np.ndarray], meta: Any) -> None:
    """Raise ValueError unless ``meta`` and the types and sizes of ``arrays`` are a network's."""
    META.check(meta, "")
    check_tables(arrays)
    for name, stored in arrays.items():
        array = stored
        if name != "calibration":
            check_type(array, name)
        elif array.dtype.kind not in "uif" or array.dtype.itemsize > 8:
            raise ValueError(f"{name} has type {array.dtype}, which holds no real numbers")
        else:
            array = array.astype(np.float64)
        wrong = ~(np.abs(array) <= MOST_NUMBER)
        if wrong.any():
            raise ValueError(
                f"{name} holds {float(array[wrong][0]):g}, which cannot be: at most {MOST_NUMBER:g}"
            )


def check_type(array: np.ndarray, name: str) -> None:
    """Raise ValueError unless ``array`` holds numbers as they are written."""
    if array.dtype != np.float64:
        raise ValueError(f"{name} has type {array.dtype}; it must be float64")


def check_tables(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError or CheckpointError if a table of ``arrays`` holds what no device can."""
    for name, array in arrays.items():
        table = TABLE.fullmatch(name)
        if table is None:
            continue
        check_type(array, name)
        require_physical(array, QUANTITY[table[1]], name, error=CheckpointError)
        if table[1] == "v":
            check_steps(array, name)


def check_steps(v: np.ndarray, name: str) -> None:
    """Raise ValueError if points of a table's voltages ``v`` are too close to tell apart."""
    steps = np.diff(v.ravel())
    close = (steps > 0) & (steps < LEAST_STEP)
    if close.any():
        raise ValueError(
            f"{name}: points {int(np.argmax(close))} and {int(np.argmax(close)) + 1} are "
            f"{steps[np.argmax(close)]:g} V apart; they must be at least {LEAST_STEP:g} V apart"
        )
