"""ngspice's binary raw files: read by variable name, refused when anything is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import SimulationError


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
        If the file is missing, empty, cut short, of another kind, or holds NaN or infinity.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise SimulationError("ngspice wrote no result file") from error
    head, marker, body = raw.partition(b"Binary:\n")
    if not marker:
        what = "is empty" if not raw else "has no data section"
        raise SimulationError(f"ngspice's result file {what} ({len(raw)} bytes)")
    names, declared = _header(head)
    if declared != points:
        raise SimulationError(
            f"ngspice delivered {declared} of {points} points: the sweep stopped on the way"
        )
    wanted = 8 * points * len(names)
    if len(body) != wanted:
        what = "is cut short" if len(body) < wanted else "holds more than one plot"
        raise SimulationError(f"ngspice's result file {what}: {len(body)} of {wanted} bytes")
    values = np.frombuffer(body, "<f8").reshape(points, len(names))
    vectors = {name: values[:, k].copy() for k, name in enumerate(names)}
    check_finite(vectors)
    return vectors


def check_finite(vectors: dict[str, np.ndarray]) -> None:
    """Refuse a vector with NaN or infinity in it."""
    for name, values in vectors.items():
        if not np.isfinite(values).all():
            point = np.flatnonzero(~np.isfinite(values))[0]
            raise SimulationError(f"ngspice delivered {name} = NaN or infinity at {point}")


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
