"""The batch engine against one ngspice run an image, on mnist-d2 and the same images.

Also measures what ``compile`` forecasts from: memory and time a crossbar resistor.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan import load_bundled, resources
from analogkan.compiler import names, spice
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.batch import BatchEngine, BatchOptions, plan_chunks
from analogkan.engines.ngspice import Runner, find_ngspice

BATCH, SINGLE = 500, 12
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def main() -> None:
    program = find_ngspice()
    images = load_bundled()
    with tempfile.TemporaryDirectory() as folder:
        build = ak.compile(resources.path("models/mnist-d2.pt"), Path(folder) / "d2.build")
        volts = build.spec.dac_volts(images.x[:BATCH])
        probes = names.logits(build.design)

        started = time.perf_counter()
        with BatchEngine(build.one_deck(), Runner(program), Path(folder) / "failed") as engine:
            chunks = plan_chunks(BATCH, BATCH)
            (result,) = engine.run(volts, chunks, probes, BatchOptions())
        batch = (time.perf_counter() - started) / BATCH
        assert result.values is not None, result.error

        single, worst = _one_by_one(build, program, volts[:SINGLE], probes, result.values)
        resistors = build.summary["elements"]["crossbar_resistors"]
        peak = peak_bytes(program, build.folder)
    print(f"ngspice {program.version}, KLU {'yes' if program.klu else 'no'}, one process")
    print(f"batch of {BATCH} images: {1e3 * batch:.1f} ms an image, parsing included")
    print(f"one run an image:    {1e3 * single:.0f} ms an image (mean of {SINGLE})")
    print(f"ratio:               {single / batch:.0f} times; largest difference {worst:.1e} logits")
    print(
        f"a crossbar resistor: {peak / resistors:.0f} bytes at the peak, "
        f"{batch / resistors:.2e} s an image"
    )


def peak_bytes(program, folder: Path) -> int:
    """Peak memory of ngspice on the deck, from a parent so small that it does not count."""
    command = [sys.executable, "-c", PEAK, str(program.path), "-b", "network.cir"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024


def _one_by_one(build, program, volts, probes, reference: np.ndarray) -> tuple[float, float]:
    """Mean seconds of a plain operating-point run an image, and the largest logit difference."""
    runner = Runner(program)
    worst = 0.0
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for name in build.one_deck().deck_files():
            (folder / name).write_bytes((build.folder / name).read_bytes())
        top = (folder / "network.cir").read_text(encoding="utf-8")
        head = top[: top.index(".control")]
        saved = "\n".join(f".save v({probe})" for probe in probes)
        (folder / "one.cir").write_text(f"{head}{saved}\n.op\n.end\n", encoding="utf-8")
        started = time.perf_counter()
        for k, image in enumerate(volts):
            text = spice.write_stimulus(build.design, image)
            (folder / "stimulus.cir").write_text(text, encoding="utf-8")
            runner.run(folder / "one.cir", folder / "one.raw", timeout=600)
            vectors = read_raw(folder / "one.raw", points=1)
            got = np.array([vectors[f"v({probe})"][0] for probe in probes])
            worst = max(worst, float(np.abs(got - reference[k]).max()))
        return (time.perf_counter() - started) / len(volts), worst
