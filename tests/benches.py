"""Test benches: PySpice circuits with every cell of the library at hand, and how to run them."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySpice.Spice.Netlist import Circuit

from analogkan import resources
from analogkan.engines.session import Session

CELLS = sorted(resources.path("netlists/cells").glob("*.lib"))
OPTIONS = ".option temp=26.85 tnom=26.85 reltol=1e-9 vntol=1e-12 abstol=1e-18"


def bench(*, opamp: str = "opamp_gain gain=1e5", options: str = "") -> Any:
    """An empty circuit that includes the cell library.

    ``opamp`` is what the cells' amplifier is, as an instance line ends; ``options`` are more
    lines, such as a ``.model``.
    """
    circuit: Any = Circuit("bench")
    for cell in CELLS:
        circuit.include(cell)
    alias = (
        ".subckt opamp inp inn out params: a=1 vos=0 drift=0\n"
        f"x1 inp inn out {opamp}\n.ends opamp\n.model feedback r()"
    )
    circuit.raw_spice = "\n".join([alias, OPTIONS, options])
    return circuit


def solve(session: Session, circuit: Any, *probes: str) -> list[float]:
    """Operating-point voltages of the nets ``probes``."""
    vectors = session.run(circuit, f"{_save(probes)}\n.op")
    return [float(vectors[f"v({probe})"][0]) for probe in probes]


def sweep(
    session: Session, circuit: Any, source: str, span: tuple[float, float, float], *probes: str
) -> list[np.ndarray]:
    """Voltages of ``probes`` while ``source`` goes through ``span`` (start, stop, step)."""
    vectors = session.run(circuit, f"{_save(probes)}\n.dc {source} {span[0]} {span[1]} {span[2]}")
    return [vectors[f"v({probe})"] for probe in probes]


def transient(
    session: Session, circuit: Any, step: float, stop: float, *probes: str, uic: bool = False
) -> tuple[np.ndarray, ...]:
    """Time (seconds) and the voltages of ``probes``; no internal step is longer than ``step``."""
    line = f".tran {step} {stop} 0 {step}{' uic' if uic else ''}"
    vectors = session.run(circuit, f"{_save(probes)}\n{line}")
    return vectors["time"], *(vectors[f"v({probe})"] for probe in probes)


def _save(probes: tuple[str, ...]) -> str:
    return ".save " + " ".join(f"v({probe})" for probe in probes)
