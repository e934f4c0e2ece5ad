# pyright: strict
"""ngspice's answers to the decks of an op-amp, and what keeps it from being characterised.

Axes: L loads, X points of a direct sweep, F frequencies, T times, N drawn op-amps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..dialects import NGSPICE
from ..dialects.dialect import Vectors
from ..engines.ngspice import Runner
from ..engines.scratch import room_in, scratch
from ..engines.starts import MENDED
from ..errors import ConvergenceError, SimulationError
from ..text import engineering
from . import deck
from .deck import Setup
from .figures import STRAYED, Direct, Loop, Steps, direct_of, loop_of, steps_of

Values = npt.NDArray[Any]
LEAST_GAIN = 100.0
"""Open-loop gain of the first load below which it is no op-amp; assumed."""
LEAST_CURRENT = 1e-9
"""Amperes that an op-amp draws at least; assumed."""
LEAST_SPREAD = 1e-7
"""Volts by which drawn offsets differ at least: ten times what ngspice leaves open."""
AT_ONCE = 200
"""Drawn op-amps in one deck."""
PERIODS = 20.0
"""Of the unity-gain frequency that a step is watched for, at first."""
LONGER, TRIES = 4.0, 5
"""What is not at rest is watched longer, so many times."""
BENCHES = {
    "direct": "of direct current", "frequency": "of the open loop", "noise": "of noise",
    "steps": "of steps",
}  # fmt: skip
TIMEOUT = 600.0
"""Seconds for one deck."""
OnRun = Callable[[str, int, int], None]
Run = Callable[[str, str], Vectors]


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What ngspice says of an op-amp at one temperature and corner.

    Attributes
    ----------
    setup
        Where.
    direct, loop, steps
        Direct current, open loop and steps, of every load.
    noise
        (F, 2) hertz, and V/sqrt(Hz) at the input.
    """

    setup: Setup
    direct: Direct
    loop: Loop
    steps: Steps
    noise: Values


def measure(setup: Setup, runner: Runner) -> Measured:
    """All that is measured of an op-amp at one temperature and corner.

    Raises
    ------
    SimulationError
        If ngspice does not deliver, the supplies float, the gain is too low at the first load, or
        the op-amp is not stable as a follower of it.
    ConvergenceError
        If ngspice finds no solution on a bench.
    """
    with scratch() as folder, room_in(folder):

        def run(name: str, text: str) -> Vectors:
            cir, raw = folder / f"{name}.cir", folder / f"{name}.raw"
            cir.write_text(text, encoding="utf-8", newline="\n")
            try:
                runner.run(cir, raw, timeout=TIMEOUT)
            except ConvergenceError as error:
                raise ConvergenceError(
                    f"{setup.opamp.name} at {setup.said}: {error}, on the bench {BENCHES[name]}: "
                    f"{MENDED}"
                ) from error
            return NGSPICE.read(raw, points=None)

        direct = direct_of(run("direct", deck.write_direct(setup)), setup)
        _require_supplied(direct, setup)
        _require_rest(direct, setup)
        loop = loop_of(run("frequency", deck.write_frequency(setup)), setup)
        _require_gain(loop, setup)
        return Measured(
            setup=setup,
            direct=direct,
            loop=loop,
            noise=_noise(run, setup, loop),
            steps=_steps(run, setup, direct, loop),
        )


def _require_supplied(direct: Direct, setup: Setup) -> None:
    for name, amperes in (("vdd", direct.i_vdd), ("vss", direct.i_vss)):
        if amperes < LEAST_CURRENT:
            drawn = engineering(amperes + 0.0, "A")
            raise SimulationError(
                f"{setup.opamp.name} at {setup.said} draws {drawn} through {name}, and "
                f"an op-amp draws {engineering(LEAST_CURRENT, 'A')} at least: its supply floats: "
                f"connect {name} in the subcircuit, and see that its bias starts; a behavioural "
                "one takes what its output gives from vdd and vss, as the shipped behavioural does"
            )


def _require_rest(direct: Direct, setup: Setup) -> None:
    lost = np.flatnonzero(np.isnan(direct.swing).any(axis=1) | np.isnan(direct.common).any())
    if lost.size:
        load = setup.loads[int(lost[0])].said
        raise SimulationError(
            f"{setup.opamp.name} at {setup.said} does not hold its output at 0 V with {load}, its "
            f"input within {engineering(STRAYED, 'V')}: leave that load out, or see that it has "
            "gain between these supplies"
        )


def _require_gain(loop: Loop, setup: Setup) -> None:
    gain, load = loop.response[0, 0], setup.loads[0]
    if gain.real < LEAST_GAIN:
        swapped = "" if gain.real > 0 else ", or swap inp and inn"
        raise SimulationError(
            f"{setup.opamp.name} at {setup.said} has an open-loop gain of {gain.real:.3g} at "
            f"{load.said}, and {LEAST_GAIN:g} is the least of an op-amp: give a load that it can "
            f"drive first{swapped}"
        )
    margin = loop.phase_margin[0]
    if np.isnan(margin):
        raise SimulationError(
            f"{setup.opamp.name} at {setup.said} still has gain at {deck.STOP:g} Hz: give it the "
            "capacitors that it has"
        )
    if margin <= 0:
        raise SimulationError(
            f"{setup.opamp.name} at {setup.said} is unstable as a follower of {load.said}: its "
            f"phase margin is {margin:.1f} degrees at {engineering(loop.unity[0], 'Hz')}: give it "
            "a larger compensation capacitor, or a load with less capacitance first"
        )


def _noise(run: Run, setup: Setup, loop: Loop) -> Values:
    found = run("noise", deck.write_noise(setup, loop.unity[0]))
    return np.stack([np.real(found[name]) for name in ("frequency", "inoise_spectrum")], axis=1)


def _steps(run: Run, setup: Setup, direct: Direct, loop: Loop) -> Steps:
    """Steps that came to rest; SimulationError where those of the first load do not."""
    seconds, left = PERIODS / float(np.nanmin(loop.unity)), TRIES
    while True:
        text = deck.write_steps(setup, direct.spans, seconds)
        steps, left = steps_of(run("steps", text), setup, direct.spans), left - 1
        if steps.settled.all() or not left:
            break
        seconds *= LONGER
    if not steps.settled[0]:
        raise SimulationError(
            f"{setup.opamp.name} at {setup.said} does not come to rest in "
            f"{engineering(seconds, 's')} after a step as a follower of {setup.loads[0].said}: it "
            "oscillates, or is far slower than its unity-gain frequency says"
        )
    return steps


def draw_offsets(
    setup: Setup,
    switches: Sequence[str],
    n: int,
    seed: int,
    runner: Runner,
    on_run: OnRun = lambda what, done, total: None,
) -> Values:
    """Offsets (N,), volts, of ``n`` op-amps with the mismatch of the library's models.

    Those of a seed are the same on the same ngspice.

    Raises
    ------
    SimulationError
        If ngspice does not deliver, or nothing is drawn.
    """
    found: list[float] = []
    with scratch() as folder, room_in(folder):
        cir, raw = folder / "draws.cir", folder / "draws.raw"
        for k, first in enumerate(range(0, n, AT_ONCE)):
            size = min(AT_ONCE, n - first)
            text = deck.write_draws(setup, switches, size, 1 + seed * 10_000 + k)
            cir.write_text(text, encoding="utf-8", newline="\n")
            runner.run(cir, raw, timeout=TIMEOUT)
            read = NGSPICE.read(raw, points=1)
            found += [read[f"v(out_{j})"].item() for j in range(size)]
            on_run("drawn", len(found), n)
    offsets = np.array(found)
    if np.ptp(offsets) < LEAST_SPREAD:
        raise SimulationError(
            f"{n} op-amps drawn with {', '.join(switches) or 'no switch'} all have the offset "
            f"{engineering(offsets[0], 'V')}: the library's mismatch is not on: name its switch "
            "with --mismatch NAME=VALUE"
        )
    return offsets
