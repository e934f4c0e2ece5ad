# pyright: strict
"""The same noise by ngspice: the deck in time, its companions, ``.noise`` of an output or a margin.

Axes: F frequencies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler import spice, spice_cells
from ..compiler.design import Design
from ..compiler.names import StageNames
from ..compiler.spice_noise import Companions
from ..dialects.dialect import Vectors
from ..dialects.words import format_number
from ..engines.analysis import Analysis, Asked
from ..errors import SimulationError
from .assumptions import Assumptions
from .deck import dynamic_design, format_capacitors
from .noise import BEYOND, PER_DECADE

Values = npt.NDArray[Any]
SPECTRUM, TOTAL = "onoise_spectrum", "onoise_total"


def outputs_of(design: Design) -> list[str]:
    """Nets of the last stage's outputs."""
    return StageNames(design, len(design.stages) - 1).outputs()


def noise_analysis(assumed: Assumptions, **declared: Any) -> Analysis:
    """The analysis of the noise of nets, or of pairs of them as ``v(a,b)``, a deck each.

    What is read of a probe are frequencies (F, 2): hertz, V/sqrt(Hz).
    """

    def write(asked: Asked) -> str:
        return _write(asked, assumed)

    return Analysis(
        write=write,
        points=lambda asked: None,
        axis="frequency",
        vectors=lambda asked: [SPECTRUM],
        apart=True,
        read=_read,
        **declared,
    )


def require_noise(design: Design) -> None:
    """Raise SimulationError if ``.noise`` cannot take the deck of ``design``."""
    hardware = design.hardware
    if hardware.segments or hardware.r_driver:
        what = "wires = explicit" if hardware.segments else f"r_driver = {hardware.r_driver:g} ohm"
        raise SimulationError(
            f"noise in ngspice: a deck with {what} takes its other solver, all that .noise can be "
            "run with, too long: the twin takes it; or compile with wires=reduced and r_driver=0"
        )


def _write(asked: Asked, assumed: Assumptions) -> str:
    require_noise(asked.design)
    design, say = dynamic_design(asked.design), asked.dialect
    companions = Companions(
        e_n=assumed.e_n,
        i_n=assumed.i_n,
        f_corner=assumed.f_corner,
        fano_rising=assumed.fano_rising,
        fano_falling=assumed.fano_falling,
    )
    circuit = [
        spice_cells.write_cells(design, say, companions),
        *spice.format_includes(design, say)[1:],
        *format_capacitors(design, assumed, say),
    ]
    first, *more = spice.format_inputs(design, asked.volts[0], say)
    (probe,) = asked.vectors
    span = [format_number(x) for x in (assumed.f_low, BEYOND * design.hardware.gbw)]
    source = first.split()[0]
    run = ["noise", probe, source, "dec", str(PER_DECADE), *span]
    title = f"noise of {probe}"
    drive = [f"{first} ac 1", *more]
    return spice.write_run(
        design, title, drive, run, [SPECTRUM, TOTAL], temp_c=asked.temp_c, say=say, circuit=circuit,
        direct=False,
    )  # fmt: skip


def _read(asked: Asked, vectors: Vectors) -> Values:
    if not vectors[SPECTRUM].size:
        raise SimulationError(f"ngspice delivered no noise of {asked.probes[0]}")
    return np.stack([vectors["frequency"].real, vectors[SPECTRUM].real], axis=1)


def integrated(spectrum: Values) -> float:
    """Volts rms of ``spectrum`` (F, 2), by the trapezoidal rule in the logarithm of frequency."""
    f, density = spectrum.T
    return float(np.sqrt(np.trapezoid(f * density**2, np.log(f))))
