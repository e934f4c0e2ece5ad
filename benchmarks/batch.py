"""The batch engine beside what else asks ngspice about images, on mnist-d2 and the same images:
a run an image, a loop of PySpice's ``.op``, a library that stays and is altered, and a transient
over all images as IMAC-Sim writes it.

Also measures what ``compile`` forecasts from: memory and time a crossbar resistor.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from analogkan.compiler import names, spice
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.batch import BatchEngine
from analogkan.engines.chunked import BatchOptions, plan_chunks
from analogkan.engines.library import find_library
from analogkan.engines.ngspice import Runner, find_ngspice
from analogkan.engines.pyspice import to_pyspice
from analogkan.errors import AnalogKanError

from .measure import Row, Way, among, not_run, show
from .subjects import Subject, subject

BATCH, RUNS, LOOP, PULSES = 300, 3, 1, 2
"""Images of the batch, and of a call of each of the others."""
HOLD, EDGE = 2e-6, 2e-7
"""Seconds of an image, and of the edge before it and the step, of the transient: IMAC-Sim's one to
ten, and as long as mnist-d2 needs to settle."""
Asks = Callable[[int], np.ndarray]
"""Logits (n, O) of so many images."""
TOLERANCES = r"(?m)^\.option reltol.*$"
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measured(quick: bool = False) -> list[Row]:
    """Seconds an image of the batch, its parsing included, over those of the others."""
    n = 16 if quick else BATCH
    with subject(n, quick=quick) as of:
        ways = Ways(of)
        ours = Way(f"a sweep over {n} images, an image", ways.batch, n)
        ran = among(
            ours, [ways.beside(*one) for one in ways.of_the_program()], quick=quick, warm=False
        )
        loops = ways.of_the_library()
        try:
            find_library()
        except AnalogKanError as error:
            return [*ran, *(not_run(ours.name, name, str(error)) for name, *_ in loops)]
        for one in loops:  # not by turns: both have the library's one circuit
            ran += among(ours, [ways.beside(*one)], quick=quick, warm=False)
        return ran


class Ways:
    """The same images asked in several ways; each gives logits (n, O)."""

    def __init__(self, of: Subject) -> None:
        self.deck, self.folder, self.volts = of.build.one_deck(), of.folder, of.volts
        self.design, self.source = of.build.design, of.build.folder
        self.probes = names.logits(self.design)
        self.nets = [f"v({probe})" for probe in self.probes]
        self.inputs = [line.split()[0] for line in self._stimulus(0).splitlines() if line[0] == "v"]
        self.circuit = self.shared = None
        self.reference = self.batch()

    def of_the_program(self) -> list[tuple[str, Asks, int, str]]:
        """As ``beside`` takes them."""
        hold = f"{1e6 * HOLD:g} us an image, ngspice's own tolerances"
        return [
            ("one run of ngspice an image", self.runs, RUNS, "the program, `.op`"),
            ("a transient over images, as IMAC-Sim's", self.transient, PULSES, hold),
        ]

    def of_the_library(self) -> list[tuple[str, Asks, int, str]]:
        """The same, in this process."""
        return [
            ("a loop of PySpice's `.op`", self.pyspice, LOOP, "a circuit loaded for each image"),
            ("libngspice, sources altered, `.op`", self.altered, LOOP, "loaded once"),
        ]

    def beside(self, name: str, call: Asks, n: int, note: str) -> Way:
        """``call`` on ``n`` images, and how far its answers are from the batch's."""
        apart = float(np.abs(call(n) - self.reference[:n]).max())
        return Way(
            name, lambda: call(n), n, f"{note}; {n} images a call, logits within {apart:.0e}"
        )

    def _stimulus(self, k: int) -> str:
        return spice.write_stimulus(self.design, self.volts[k])

    def batch(self) -> np.ndarray:
        """All of them in one process."""
        n = len(self.volts)
        with BatchEngine(self.deck, Runner(find_ngspice()), self.folder / "failed") as engine:
            (found,) = engine.run(self.volts, plan_chunks(n, n), self.probes, BatchOptions())
        assert found.values is not None, found.error
        return found.values

    def runs(self, n: int) -> np.ndarray:
        """A process for each."""
        found = [self._vectors(self._stimulus(k), ".op") for k in range(n)]
        return np.array([[vectors[net][0] for net in self.nets] for vectors in found])

    def transient(self, n: int) -> np.ndarray:
        """Sources that step from image to image, read near the end of each."""
        times = [t for k in range(n) for t in (k * HOLD + EDGE, (k + 1) * HOLD)]
        levels = np.repeat(self.volts[:n], 2, axis=0).T
        lines = ["* IMAC-Sim's stimulus"]
        for source, at in zip(self.inputs, levels, strict=True):
            points = " ".join(f"{t!r} {float(v)!r}" for t, v in zip(times, at, strict=True))
            lines.append(f"{source} {source.removeprefix('v_')} 0 pwl(0 0 {points})")
        analysis = f".tran {EDGE!r} {n * HOLD!r}"
        vectors = self._vectors("\n".join([*lines, ""]), analysis, TOLERANCES)
        at = HOLD * (np.arange(n) + 0.9)
        return np.stack([np.interp(at, vectors["time"], vectors[net]) for net in self.nets], axis=1)

    def pyspice(self, n: int) -> np.ndarray:
        """A circuit of PySpice's objects, whose sources are set, and that it simulates."""
        self.circuit = self.circuit or to_pyspice(self.design, self.volts[0])
        found = []
        for image in self.volts[:n]:
            for source, v in zip(self.inputs, image, strict=True):
                self.circuit[f"V{source[1:]}"].dc_value = float(v)
            answer = self.circuit.simulator().operating_point()
            found.append([float(answer.nodes[probe][0]) for probe in self.probes])
        return np.array(found)

    def altered(self, n: int) -> np.ndarray:
        """The library's own command ``alter``, and another operating point of what is loaded."""
        if self.shared is None:
            circuit = self.circuit or to_pyspice(self.design, self.volts[0])
            simulator = circuit.simulator()
            self.shared = simulator.ngspice
            saved = "\n".join(f".save {net}" for net in self.nets)
            self.shared.load_circuit(f"{simulator}\n{saved}\n.op\n.end\n")
        found = []
        for image in self.volts[:n]:
            for source, v in zip(self.inputs, image, strict=True):
                self.shared.exec_command(f"alter {source} dc = {float(v)!r}")
            self.shared.exec_command("op")
            plot = self.shared.plot(None, self.shared.last_plot)
            found.append([float(plot[probe].to_waveform()[0]) for probe in self.probes])
        return np.array(found)

    def _vectors(self, stimulus: str, analysis: str, without: str = "$^") -> dict[str, np.ndarray]:
        """What ngspice says of the deck with another stimulus and analysis."""
        for name in self.deck.deck_files():
            if not (self.folder / name).exists():
                (self.folder / name).write_bytes((self.source / name).read_bytes())
        top = (self.source / "network.cir").read_text(encoding="utf-8")
        head = re.sub(without, "", top[: top.index(".control")])
        saved = "\n".join(f".save {net}" for net in self.nets)
        (self.folder / "stimulus.cir").write_text(stimulus, encoding="utf-8")
        deck, raw = self.folder / "asked.cir", self.folder / "asked.raw"
        deck.write_text(f"{head}{saved}\n{analysis}\n.end\n", encoding="utf-8")
        Runner(find_ngspice()).run(deck, raw, timeout=600)
        return read_raw(raw, points=None)


def main() -> None:
    program = find_ngspice()
    print(f"ngspice {program.version}, KLU {'yes' if program.klu else 'no'}, one process")
    rows = measured()
    show(rows)
    with subject(1, quick=False) as of:
        resistors = of.build.summary["elements"]["crossbar_resistors"]
        peak = peak_bytes(program, of.build.folder)
    print(
        f"a crossbar resistor: {peak / resistors:.0f} bytes at the peak, "
        f"{rows[0].get('seconds', 0) / resistors:.2e} s an image"
    )


def peak_bytes(program, folder: Path) -> int:
    """Peak memory of ngspice on the deck, from a parent so small that it does not count."""
    command = [sys.executable, "-c", PEAK, str(program.path), "-b", "network.cir"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024
