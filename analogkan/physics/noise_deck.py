# pyright: strict
"""The same noise by ngspice: the deck in time, its companions, ``.noise`` of an output or a margin.

Axes: F frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler import spice, spice_cells
from ..compiler.build import Build
from ..compiler.design import Design
from ..compiler.names import StageNames
from ..compiler.spice_cells import TEMPERATURE_C
from ..compiler.spice_noise import Companions
from ..dialects.dialect import Vectors
from ..dialects.words import format_number
from ..engines.analysis import Analysis, Asked
from ..engines.batch import BatchEngine
from ..engines.chunked import Exposure
from ..engines.ngspice import Runner, find_ngspice
from ..errors import SimulationError
from .assumptions import Assumptions
from .deck import dynamic_design, format_capacitors
from .noise import BEYOND, PER_DECADE, Noise, flat_below, largest_gbw
from .noise_flips import flips_of

Values = npt.NDArray[Any]
FLAT = 1e-3
"""Share of the gain-bandwidth product from which a spectrum begins, unless poles lie below."""
EFFORT = 5000.0
"""A matrix of complex numbers at each of 200 frequencies, by the slower solver, and wires: about
this many times what a sweep's image takes."""
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
        circuit=dynamic_design,
        require=lambda design, volts, keep: require_noise(design),
        effort=EFFORT,
        apart=True,
        read=_read,
        **declared,
    )


def require_noise(design: Design) -> None:
    """Raise SimulationError if ``.noise`` cannot take the deck of ``design``."""
    hardware = design.hardware
    if hardware.segments:
        raise SimulationError(
            "noise in ngspice: a deck of wires = explicit takes hours without KLU, which .noise "
            "refuses: let the twin say it, or compile with wires=reduced, which is as noisy"
        )


def _write(asked: Asked, assumed: Assumptions) -> str:
    design, say = asked.design, asked.dialect
    companions = Companions(
        e_n=assumed.e_n,
        i_n=assumed.i_n,
        f_corner=assumed.f_corner,
        fano_rising=assumed.fano_rising,
        fano_falling=assumed.fano_falling,
    )
    circuit = [
        spice_cells.write_cells(design, say, companions, asked.temp_c),
        *(say.include(file) for file in spice.circuit_files(design) if file != spice.CELLS),
        *format_capacitors(design, assumed, say),
    ]
    first, *more = spice.format_inputs(design, asked.volts[0], say)
    (probe,) = asked.vectors
    flat = FLAT * min(float(stage.gbw.min()) for stage in design.stages)
    flat = min(flat, flat_below(design, asked.volts[:1], assumed, asked.temp_c))
    start = assumed.f_low if assumed.f_corner else max(assumed.f_low, flat)
    span = [format_number(x) for x in (start, BEYOND * largest_gbw(design))]
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
    return np.stack([np.real(vectors["frequency"]), np.real(vectors[SPECTRUM])], axis=1)


def integrated(spectrum: Values, assumed: Assumptions) -> float:
    """Volts rms of ``spectrum`` (F, 2), by the trapezoidal rule in the logarithm of frequency.

    Below it, down to ``f_low``, it is flat, and above it falls as 1/f^2.
    """
    f, density = spectrum[:, 0], spectrum[:, 1] ** 2
    below, above = (f[0] - assumed.f_low) * density[0], f[-1] * density[-1]
    each = f * density
    between = np.diff(np.log(f)) @ (each[:-1] + each[1:]) / 2
    return math.sqrt(between + below + above)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The noise of an output, or of the margin of two, by both: volts rms."""

    probe: str
    twin: float
    ngspice: float

    @property
    def differs(self) -> float:
        """By what share of the twin's."""
        return abs(self.ngspice / self.twin - 1)


def ask_noise(
    build: Build,
    volts: Values,
    probes: Sequence[str],
    assumed: Assumptions,
    *,
    temp_c: float = TEMPERATURE_C,
    chip: Design | None = None,
    keep: Path,
) -> list[Values]:
    """The spectra (F, 2), hertz and V/sqrt(Hz), of ``probes`` at ``volts`` (I,), by ngspice.

    A probe is a net, or the margin of two, ``v(a,b)``. ``chip`` is a chip's design instead of the
    build's. ``keep`` is where a deck is kept if ngspice fails.

    Raises
    ------
    NetlistError
        If the BUILD is several decks.
    SimulationError
        If ``.noise`` cannot take the deck, or fails.
    """
    design = chip or build.one_deck().design
    require_noise(design)
    analysis, exposure = noise_analysis(assumed), Exposure(temp_c=temp_c)
    design = dynamic_design(design)
    with BatchEngine(design, Runner(find_ngspice()), keep, exposure, analysis) as engine:
        return [engine.answer(volts[None], [probe]) for probe in probes]


def judge_noise(
    build: Build,
    volts: Values,
    noise: Noise,
    image: int,
    assumed: Assumptions,
    *,
    temp_c: float = TEMPERATURE_C,
    chip: Design | None = None,
    keep: Path,
) -> list[Judged]:
    """The noise of ``image`` of ``volts`` (B, I), which the twin found to be ``noise``, by ngspice.

    Of the winner, its most likely rival, and their margin; of a single output, of that.

    Raises
    ------
    NetlistError, SimulationError
        As ``ask_noise``.
    """
    nets, c = outputs_of(chip or build.one_deck().design), noise.covariance[image]
    wanted = {nets[0]: c[0, 0]}
    if len(nets) > 1:
        flips = flips_of(noise.volts[image : image + 1], c[None])
        a, b = int(flips.winner[0]), int(flips.rival[0])
        margin = float(flips.margin_noise[0]) ** 2
        wanted = {nets[a]: c[a, a], nets[b]: c[b, b], f"v({nets[a]},{nets[b]})": margin}
    spectra = ask_noise(
        build, volts[image], list(wanted), assumed, temp_c=temp_c, chip=chip, keep=keep
    )
    return [
        Judged(probe=probe, twin=math.sqrt(square), ngspice=integrated(spectrum, assumed))
        for (probe, square), spectrum in zip(wanted.items(), spectra, strict=True)
    ]
