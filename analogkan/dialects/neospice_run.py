"""A program that runs a deck of one DC sweep in neospice, and writes a raw file as ngspice does."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def write_raw(path: str, names: list[str], values: np.ndarray[Any, Any]) -> None:
    """A plot of real ``values`` (points, names) in binary."""
    head = f"Flags: real\nNo. Variables: {len(names)}\nNo. Points: {len(values)}\nVariables:\n"
    head += "".join(f"\t{k}\t{name}\tnotype\n" for k, name in enumerate(names))
    Path(path).write_bytes(f"{head}Binary:\n".encode() + values.astype("<f8").tobytes())


def main(deck: str, raw: str) -> None:
    """Run ``deck``; a sweep that has not converged everywhere ends with a sentence."""
    neospice = import_module("neospice")
    swept = neospice.Simulator().run(neospice.Simulator().load(deck)).dc_sweep
    if swept is None:
        sys.exit("neospice ran no DC sweep: failed")
    for said in swept.status.warnings:
        print(f"Warning: {said}")
    if not swept.status.converged:
        sys.exit("the sweep did not converge: failed")
    names = swept.signal_names()
    voltages = [swept.voltage(name[2:-1]) for name in names]
    write_raw(raw, names, np.stack(voltages, axis=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
