"""ngspice's binary raw files: read by variable name, refused when anything is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import SimulationError
from ..files import open_plain

MARKER = b"Binary:\n"
MOST_HEAD = 100_000_000
"""Bytes: the names of a million vectors are fewer."""
MOST = 1e15
"""Volts, amperes, seconds, hertz: what an op-amp of the largest open-loop gain (1e12) would make of
a thousand volts. Its square is still a number."""


def read_raw(path: Path, *, points: int) -> dict[str, np.ndarray]:
    """The vectors of a real-valued binary raw file with one plot.

    Parameters
    ----------
    path
        The file.
    points
        How many points it must have.

    Returns
    -------
    dict
        Vector name in lower case, such as ``v(logit_0)``, to (points,) float64.

    Raises
    ------
    SimulationError
        If the file is missing, empty, cut short, no regular file or of another kind, or holds NaN,
        infinity or what no circuit has.
    """
    try:
        with open_plain(path, links=False) as stream:
            names, values = _read(stream, points)
    except FileNotFoundError as error:
        raise SimulationError("ngspice wrote no result file") from error
    except OSError as error:
        raise SimulationError(
            f"ngspice's result file is a link, a pipe or a device, or cannot be read: {error}"
        ) from error
    vectors = {name: values[:, k].copy() for k, name in enumerate(names)}
    check_values(vectors)
    return vectors


def _read(stream: BinaryIO, points: int) -> tuple[list[str], np.ndarray]:
    """Names, and values (points, names); nothing is read of a file of another size."""
    size = os.fstat(stream.fileno()).st_size
    head, marker, rest = stream.read(min(size, MOST_HEAD)).partition(MARKER)
    if not marker:
        what = "has no data section" if size else "is empty"
        raise SimulationError(f"ngspice's result file {what} ({size} bytes)")
    names, declared = _header(head)
    if declared != points:
        raise SimulationError(
            f"ngspice delivered {declared} of {points} points: the sweep stopped on the way"
        )
    wanted, there = 8 * points * len(names), size - len(head) - len(MARKER)
    if there != wanted:
        what = "is cut short" if there < wanted else "holds more than one plot"
        raise SimulationError(f"ngspice's result file {what}: {there} of {wanted} bytes")
    body = rest + stream.read(wanted - len(rest))
    return names, np.frombuffer(body, "<f8").reshape(points, len(names))


def check_values(vectors: dict[str, np.ndarray]) -> None:
    """Refuse a vector with NaN, infinity or a value above ``MOST`` in it."""
    for name, values in vectors.items():
        beyond = ~(np.abs(values) <= MOST)
        if beyond.any():
            point = int(np.flatnonzero(beyond)[0])
            what = "NaN or infinity"
            if np.isfinite(values[point]):
                what = f"{values[point]:.3g}, which no circuit has (at most {MOST:g}),"
            raise SimulationError(f"ngspice delivered {name} = {what} at {point}")


def _header(head: bytes) -> tuple[list[str], int]:
    """Variable names and number of points."""
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
        if fields["Flags"].split()[0] != "real":
            raise ValueError(f"flags are {fields['Flags']}")
        points = int(fields["No. Points"])
    except (KeyError, ValueError, IndexError) as error:
        raise SimulationError(f"ngspice's result file has a damaged header: {error}") from error
    if not names or len(set(names)) != len(names):
        raise SimulationError("ngspice's result file names no vectors, or one of them twice")
    return names, points
