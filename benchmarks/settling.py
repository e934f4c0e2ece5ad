"""Settling of mnist-d2: by the twin with and without parasitics, and ngspice's on some images.

Each image follows the one before it, the first 0 V at every input: the bundled ones, in order.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan.physics import Assumptions
from analogkan.physics.settling import Settled, settle
from analogkan.physics.settling_ngspice import ask_settling

IMAGES, JUDGED = 100, 21
CASES = {
    "1 pF at op-amp inputs, damped": Assumptions(),
    "1 pF, feedback as compiled": Assumptions(zeta=0.0),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        build = ak.compile("mnist-d2", Path(folder) / "mnist-d2.build")
        images = ak.load_bundled()[:IMAGES]
        volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape))
        volts = np.concatenate([0 * volts[:1], volts])
        for name, assumed in CASES.items():
            for start, before in (("before", volts[:-1]), ("zero", volts[:1])):
                began = time.process_time()
                found = settle(build, before, volts[1:], assumed)
                each = (time.process_time() - began) / IMAGES
                print(f"{name}, from {start}: {told(found)}; {each:.2f} s an image")
        began = time.perf_counter()
        judged = ask_settling(build, volts[: JUDGED + 1], Assumptions())
        each = (time.perf_counter() - began) / JUDGED
        off = [
            np.abs(getattr(judged.ngspice, key) - getattr(judged.twin, key)).max()
            for key in ("settling_class_s", "settling_margin_s", "settling_s")
        ]
        print(
            f"ngspice, {JUDGED} images: {told(judged.ngspice)}; {each:.1f} s an image; waveforms "
            f"differ by {judged.waveform_error.max():.1e} of full scale, times by "
            f"{1e9 * max(off):.2g} ns, ends from direct current's by {judged.end_error.max():.0e}"
        )


def told(found: Settled) -> str:
    """Median and largest of each time, in microseconds."""
    times = found.settling_class_s, found.settling_margin_s, found.settling_s
    names = "class", "half a margin", f"{found.bits} bits"
    return ", ".join(
        f"{name} {1e6 * np.median(x):.2f} ({1e6 * x.max():.2f} at most) us"
        for name, x in zip(names, times, strict=True)
    )
