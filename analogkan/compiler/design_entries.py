"""What a stored design may hold: its settings by one table, its arrays by their shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..network.spec_entries import check_tables, check_type
from ..network.squash import SQUASH_ENTRY, Squash
from ..schema import MOST_NUMBER, Maybe, Number, Record, Several, Text, Whole
from .hardware import HARDWARE_ENTRY

STAGE = Record(
    {
        "curves": Several(Text(), least=1, most=1000),
        "squash": SQUASH_ENTRY,
        "r_load": Number(low=0.0),
        "norm_eps": Maybe(Number(low=0.0)),
        "stability": Record({"c_margin": Maybe(Number()), "node_margin": Number()}),
        "n_bias": Whole(0, 1_000_000),
    },
    {"clipped": Whole(0, 10**12)},
)
META = Record(
    {
        "name": Text(),
        "hardware": HARDWARE_ENTRY,
        "notes": Several(Text()),
        "stages": Several(STAGE, least=1, most=10_000),
    }
)
LARGEST = {"g": 1.0, "c_f": 1.0}
"""Siemens and farads: what ``Hardware`` allows; other quantities are bounded as any number is."""


def shapes_of(
    arrays: Mapping[str, np.ndarray], entry: Mapping[str, Any], k: int
) -> dict[str, tuple[int, ...]]:
    """What shape each array of stage ``k`` must have, told by its r_f (I, D) and gain (O,)."""
    r_f, gain = arrays[f"l{k}_r_f"].shape, arrays[f"l{k}_gain"].shape
    if len(r_f) != 2 or len(gain) != 1 or 0 in (*r_f, *gain):
        raise ValueError(f"l{k}_r_f has shape {r_f} and l{k}_gain {gain}; want (I, D) and (O,)")
    (i, d), (o,) = r_f, gain
    if d != len(entry["curves"]):
        raise ValueError(f"l{k}_r_f has {d} devices an input, {len(entry['curves'])} are named")
    shapes: dict[str, tuple[int, ...]] = {"g": (i * d + entry["n_bias"], 2 * o), "r_f": r_f}
    shapes |= {"c_f": (d,), "r_c": (2 * o,), "gain": gain, "unit": gain, "alpha": gain}
    shapes["gbw"] = (3,)
    shapes["attenuation"] = (i,) if Squash(**entry["squash"]).bends else (0,)
    if entry["norm_eps"] is not None:
        shapes |= {"norm_scale": (i,), "norm_shift": (i,)}
    return {f"l{k}_{name}": shape for name, shape in shapes.items()}


def check_design(arrays: Mapping[str, np.ndarray], meta: Any) -> None:
    """Raise ValueError or KeyError unless ``arrays`` and ``meta``, of ``META``, are a design's.

    Every array has the shape that its stage asks for, holds real numbers that can be, positive
    ones where a circuit needs that, and every stage has the inputs that the one before drives.
    """
    known = set()
    before = None
    for k, entry in enumerate(meta["stages"]):
        shapes = shapes_of(arrays, entry, k)
        known |= {*shapes}
        for d in range(len(entry["curves"])):
            known |= {f"l{k}_d{d}_{name}" for name in ("v", "i", "temps_c", "i_at")}
        for name, shape in shapes.items():
            check_array(arrays[name], name, shape)
        inputs = arrays[f"l{k}_r_f"].shape[0]
        if before not in (None, inputs):
            raise ValueError(f"stage {k} has {inputs} inputs, the one before {before} outputs")
        before = arrays[f"l{k}_gain"].size
    check_tables(arrays)
    unknown = sorted(set(arrays) - known)
    if unknown:
        raise ValueError(f"it has the unknown array {unknown[0]}")


def check_array(array: np.ndarray, name: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless ``array`` has that ``shape`` and holds numbers that can be."""
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
    check_type(array, name)
    quantity = name.partition("_")[2]
    most = LARGEST.get(quantity, MOST_NUMBER)
    fine = np.abs(array) <= most
    low = "" if quantity.startswith("norm") else "0 or more, " if quantity == "g" else "above 0, "
    if low:
        fine &= array >= 0 if quantity == "g" else array > 0
    if not fine.all():
        raise ValueError(
            f"{name} holds {float(array[~fine][0]):g}, which cannot be: {low}at most {most:g}"
        )
