"""Binary raw files, such as ngspice's: read by variable name, refused when anything is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import SimulationError
from ..files import open_plain

MARKER = b"Binary:\n"
KINDS = {"real": "<f8", "complex": "<c16"}
MOST_HEAD = 100_000_000
"""Bytes: the names of a million vectors are fewer."""
MOST = 1e15
"""Volts, amperes, seconds, hertz: what an op-amp of the largest open-loop gain (1e12) would make of
a thousand volts. Its square is still a number."""


def read_raw(path: Path, *, points: int | None, by: str = "ngspice") -> dict[str, np.ndarray]:
    """The vectors of a binary raw file.

    Parameters
    ----------
    path
        The file.
    points
        How many points its one plot must have; None: any plots, of as many as they have.
    by
        The simulator that wrote it.

    Returns
    -------
    dict
        Vector name in lower case, such as ``v(logit_0)`` or ``time``, to (points,) float64, or
        complex128 after ``.ac``.

    Raises
    ------
    SimulationError
        If the file is missing, empty, cut short, no regular file or of another kind, or holds NaN,
        infinity or what no circuit has.
    """
    vectors: dict[str, np.ndarray] = {}
    try:
        with open_plain(path, links=False) as stream:
            left = os.fstat(stream.fileno()).st_size
            while left or not vectors:
                names, values, left = _read(stream, points, left, by)
                twice = sorted(vectors.keys() & set(names))
                if twice:
                    raise SimulationError(f"{by} delivered {twice[0]} in two plots")
                vectors |= {name: values[:, k].copy() for k, name in enumerate(names)}
    except FileNotFoundError as error:
        raise SimulationError(f"{by} wrote no result file") from error
    except OSError as error:
        raise SimulationError(
            f"{by}'s result file is a link, a pipe or a device, or cannot be read: {error}"
        ) from error
    check_values(vectors, by)
    return vectors


def _read(
    stream: BinaryIO, points: int | None, size: int, by: str
) -> tuple[list[str], np.ndarray, int]:
    """Names, values (points, names) and the bytes left of ``size``; nothing is read of a file of
    another size."""
    begin = stream.tell()
    head, marker, _ = stream.read(min(size, MOST_HEAD)).partition(MARKER)
    if not marker:
        what = "has no data section" if size else "is empty"
        raise SimulationError(f"{by}'s result file {what} ({size} bytes)")
    names, declared, dtype = _header(head, by)
    if points is not None and declared != points:
        raise SimulationError(
            f"{by} delivered {declared} of {points} points: the sweep stopped on the way"
        )
    head_size = len(head) + len(MARKER)
    wanted, there = dtype.itemsize * declared * len(names), size - head_size
    if there < wanted or (points is not None and there > wanted):
        what = "is cut short" if there < wanted else "holds more than one plot"
        raise SimulationError(f"{by}'s result file {what}: {there} of {wanted} bytes")
    stream.seek(begin + head_size)
    body = stream.read(wanted)
    return names, np.frombuffer(body, dtype).reshape(declared, len(names)), there - wanted


def check_values(vectors: dict[str, np.ndarray], by: str = "ngspice") -> None:
    """Refuse a vector with NaN, infinity or a value above ``MOST`` in it."""
    for name, values in vectors.items():
        beyond = ~(np.abs(values) <= MOST)
        if beyond.any():
            point = int(np.flatnonzero(beyond)[0])
            what = "NaN or infinity"
            if np.isfinite(values[point]):
                what = f"{values[point]:.3g}, which no circuit has (at most {MOST:g}),"
            raise SimulationError(f"{by} delivered {name} = {what} at {point}")


def _header(head: bytes, by: str) -> tuple[list[str], int, np.dtype]:
    """Variable names, number of points, and type of values."""
    lines = head.decode("utf-8", errors="replace").splitlines()
    fields = {}
    names: list[str] = []
    try:
        for k, line in enumerate(lines):
            key, _, value = line.partition(":")
            fields[key.strip()] = value.strip()
            if key.strip() == "Variables":
                count = int(fields["No. Variables"])
                names = [entry.split()[1].lower() for entry in lines[k + 1 : k + 1 + count]]
                break
        kind = fields["Flags"].split()[0]
        if kind not in KINDS:
            raise ValueError(f"flags are {fields['Flags']}")
        points = int(fields["No. Points"])
    except (KeyError, ValueError, IndexError) as error:
        raise SimulationError(f"{by}'s result file has a damaged header: {error}") from error
    if not names or len(set(names)) != len(names):
        raise SimulationError(f"{by}'s result file names no vectors, or one of them twice")
    return names, points, np.dtype(KINDS[kind])
