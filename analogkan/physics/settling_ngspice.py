"""Settling in ngspice, which judges the twin: a run over time of the whole network.

The inputs go from one point to the next, each held until the circuit must have come to rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..compiler import spice
from ..compiler.build import Build
from ..compiler.circuit_files import write_deck
from ..compiler.deck import Deck
from ..compiler.design import Design
from ..compiler.names import logits
from ..compiler.spice_cells import TEMPERATURE_C
from ..dialects.dialect import Vectors
from ..dialects.words import format_number
from ..engines.analysis import Analysis, Asked
from ..engines.batch import BatchEngine, copy_deck
from ..engines.chunked import Exposure
from ..engines.ngspice import Runner, find_ngspice
from ..files import write_text
from .assumptions import Assumptions
from .deck import dynamic_design, format_capacitors
from .settling import Run, Settled, run_design, settled
from .settling_blocks import Values
from .settling_twin import RISE, InTime
from .waveforms import Waveforms

STEPS = 50
"""A held point is at least so many steps; what their length is says the tolerance."""
EFFORT = 2000.0
"""Times of a sweep: a run over time has some thousand points for each of its images."""
LONGER = 3
"""Times as long as a macro-model's is a point held for op-amps that may slew; assumed."""


def hold_seconds(
    design: Design, volts: Values, assumed: Assumptions, temp_c: float, *, own: bool = False
) -> float:
    """How long each of ``volts`` (n, I) is held: a run's least, with its first decimals; with
    ``own`` op-amps ``LONGER`` than that."""
    least = InTime(design, assumed, temp_c).least_seconds(volts.T)
    return (LONGER if own else 1) * float(f"{1.001 * least:.2e}")


def over_time(assumed: Assumptions, *, own: bool = False) -> Analysis:
    """What is asked: the logits over time, ``volts`` (n, I) held one after the other.

    Its answer has a line a time, the first of its columns. A circuit that does not settle by the
    twin is refused before ngspice is started. With ``own`` it is asked of the deck's own op-amps,
    whose inputs are in their netlist, in the place of those with one pole.
    """

    def write(asked: Asked) -> str:
        hold = hold_seconds(asked.design, asked.volts, assumed, asked.temp_c, own=own)
        ends = [(k * hold, k * hold + RISE) for k in range(len(asked.volts) - 1)]
        points = [(t, k + up) for k, pair in enumerate(ends) for up, t in enumerate(pair)]
        told = [(format_number(t), format_number(x)) for t, x in points]
        say = asked.dialect
        drive = [
            say.wave("v_index", "index", "0", told),
            *spice.format_swept(asked.design, asked.volts, say),
            *format_capacitors(asked.design, assumed, say, own=own),
        ]
        step = format_number(hold / STEPS / (LONGER if own else 1))
        run = ["tran", step, format_number(hold * len(ends)), "0", step]
        title = f"{len(asked.volts)} points, each held for {format_number(hold)} s"
        temp_c = asked.temp_c
        return spice.write_run(
            asked.design, title, drive, run, asked.probes, temp_c=temp_c, say=say
        )

    def require(design: Design, volts: Values, keep: Path) -> None:
        run_design(design, volts[:-1], volts[1:], assumed, TEMPERATURE_C, keep)

    return Analysis(
        probes=logits,
        write=write,
        require=require,
        points=lambda asked: None,
        axis="time",
        circuit=None if own else dynamic_design,
        effort=1.0 if own else EFFORT,  # each may take as long as an image of transistors at most
        read=_read,
    )


def _read(asked: Asked, vectors: Vectors) -> Values:
    return np.stack([vectors[name] for name in ["time", *asked.vectors]], axis=1)


def write_alone(circuit: Deck | Design, volts: Values, analysis: Analysis, top: Path) -> None:
    """Write all that ``analysis``, of ``over_time``, asks of ``circuit`` beside ``top``, for
    ``ngspice -b -r x.raw <top>``: a deck's own files as they are, or a design's."""
    design = circuit.design if isinstance(circuit, Deck) else circuit
    top.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(circuit, Deck):
        copy_deck(circuit, top.parent)
    else:
        write_deck(circuit, top.parent, TEMPERATURE_C)
    write_text(top, analysis.write(Asked(design=design, volts=volts, probes=logits(design))))


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """n changes of the inputs in ngspice, and the same in the twin.

    Attributes
    ----------
    ngspice, twin
        Their settling times and waveforms.
    waveform_error
        (n,) largest difference of their logits at any time, as a share of full scale.
    end_error
        (n,) difference of ngspice's last logits from those at rest, likewise.
    """

    ngspice: Settled
    twin: Settled
    waveform_error: Values
    end_error: Values


def ask_settling(
    build: Build,
    volts: Values,
    assumed: Assumptions,
    *,
    temp_c: float = TEMPERATURE_C,
    chip: Design | None = None,
    full_scale: float = 0.0,
    keep: Path | None = None,
) -> Judged:
    """What ngspice finds as the inputs go through ``volts`` (n + 1, I), beside the twin.

    Parameters
    ----------
    chip
        A chip's design instead of the build's.
    full_scale
        Logits; 0 is the largest of these images.
    keep
        Folder for a deck that fails, or a waveform that does not settle; None is
        ``<build>.run/failed``.

    Raises
    ------
    SimulationError
        As ``settle``, or if ngspice fails.
    NetlistError
        If the build is several decks.
    """
    keep = keep or build.folder.resolve().with_suffix(".run") / "failed"
    regression = build.spec.targets is not None
    design = chip or build.one_deck().design
    return ask_design(
        design, volts, assumed, temp_c, keep, regression=regression, full_scale=full_scale
    )


def ask_design(
    design: Design,
    volts: Values,
    assumed: Assumptions,
    temp_c: float,
    keep: Path,
    *,
    regression: bool,
    full_scale: float = 0.0,
) -> Judged:
    """``ask_settling`` of one circuit, or of one chip of it."""
    analysis, design = over_time(assumed), dynamic_design(design)
    exposure = Exposure(temp_c=temp_c)
    twin = run_design(design, volts[:-1], volts[1:], assumed, temp_c, keep)
    with BatchEngine(design, Runner(find_ngspice()), keep, exposure, analysis) as engine:
        answer = engine.answer(volts, logits(design))
    hold = hold_seconds(design, volts, assumed, temp_c)
    return judge(twin, answer, hold, assumed, regression=regression, full_scale=full_scale)


def judge(
    twin: Run,
    answer: Values,
    hold: float,
    assumed: Assumptions,
    *,
    regression: bool,
    full_scale: float = 0.0,
) -> Judged:
    """Compare ngspice's ``answer`` over time, each value held for ``hold`` seconds, with a twin's
    run."""
    times, parts = cut(answer, hold, len(twin.last))
    waves = Waveforms(time=times, nets=twin.waves.nets, values=parts)
    by_twin, by_ngspice = (
        settled([run], assumed, regression=regression, full_scale=full_scale, waveforms=True)
        for run in (twin, Run(waves, twin.first, twin.last))
    )
    scale = by_twin.full_scale
    off = np.abs(twin.waves.at(times) - parts).max(axis=(0, 2))
    return Judged(
        ngspice=by_ngspice,
        twin=by_twin,
        waveform_error=off / scale,
        end_error=np.abs(parts[-1] - twin.last).max(axis=1) / scale,
    )


def cut(answer: Values, hold: float, n: int) -> tuple[Values, Values]:
    """Times (T,) after a change of the inputs, and logits (T, n, O) of every change."""
    time, values = answer[:, 0], answer[:, 1:]
    own = [(time >= k * hold - 1e-15) & (time <= (k + 1) * hold + 1e-15) for k in range(n)]
    times = np.unique(
        np.concatenate([time[at] - k * hold for k, at in enumerate(own)]).clip(0, hold)
    )
    parts = [
        np.stack([np.interp(times, time[at] - k * hold, column) for column in values[at].T], axis=1)
        for k, at in enumerate(own)
    ]
    return times, np.stack(parts, axis=1)
