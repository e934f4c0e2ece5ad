"""Noise of shipped networks by the twin: how much, of what, how long; ``.noise`` beside."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan.compiler.build import Build
from analogkan.physics import Assumptions
from analogkan.physics.noise import Noise
from analogkan.physics.noise_deck import judge_noise
from analogkan.physics.noise_flips import flips_of, snr_db
from analogkan.physics.noise_held import noise_of

IMAGES, JUDGED = 100, 2
WAYS = {
    "default": ({}, {}),
    "c_in 0, zeta 0": ({}, {"c_in": 0.0, "zeta": 0.0}),
    "conductances / 25": ({"g_min": 1e-8, "g_max": 1e-6}, {}),
}
"""Settings of the hardware, and assumptions."""


def told(build: Build, noise: Noise, seconds: float) -> None:
    flips = flips_of(noise.volts, noise.covariance)
    rms = [*noise.hidden, noise.rms]
    behind = ", ".join(f"{1e3 * np.sqrt((v**2).mean()):.3f}" for v in rms)
    alone = noise.rms**2
    at = np.arange(len(alone))
    apart = np.sqrt(alone[at, flips.winner] + alone[at, flips.rival])
    print(f"  behind each layer {behind} mV rms; {1e3 * seconds / len(alone):.0f} ms an image")
    print(
        f"  margin noise {1e3 * flips.margin_noise.mean():.3f} mV "
        f"({1e3 * apart.mean():.3f} if outputs were independent), smallest margin "
        f"{1e3 * flips.margin.min():.2f} mV, largest P(flip) {flips.probability.max():.1e}, "
        f"SNR {snr_db(noise.volts, noise.rms):.1f} dB"
    )
    print(
        f"  diodes near a kink {noise.at_kinks.mean():.0f}, on its other side "
        f"{1e3 * np.sqrt((noise.other**2).mean()):.3f} mV; a doubling of frequencies moves "
        f"{noise.moved:.0e}"
    )
    power = noise.shares.mean(axis=(0, 3)) / alone.mean()
    for block, share in zip(noise.blocks, power, strict=True):
        if share.any():
            print(f"  {block:22}" + "".join(f"{100 * part:7.1f} %" for part in share))


def main() -> None:
    images = ak.load_bundled()[:IMAGES]
    with tempfile.TemporaryDirectory() as scratch:
        for model in ("mnist-d2", "paper-mnist-d2"):
            for way, (hardware, assumptions) in WAYS.items():
                folder = Path(scratch) / f"{model}-{len(way)}.build"
                build = ak.compile(model, folder, hardware=hardware)
                assumed = Assumptions(**assumptions)
                volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape))
                start = time.perf_counter()
                noise = noise_of(build, volts, assumed)
                print(f"{model}, {way}, {IMAGES} bundled images:")
                told(build, noise, time.perf_counter() - start)
                if way != "default":
                    continue
                start = time.perf_counter()
                found = [
                    judge_noise(build, volts, noise, k, assumed, keep=Path(scratch))
                    for k in range(JUDGED)
                ]
                worst = max(one.differs for image in found for one in image)
                each = (time.perf_counter() - start) / sum(map(len, found))
                print(f"  ngspice, {JUDGED} images: {each:.1f} s an output, differs by {worst:.1e}")
