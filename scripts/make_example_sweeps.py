"""Writes the tutorial's sweeps: python scripts/make_example_sweeps.py [FOLDER]

Three made-up tunnel diodes of one type, as a source meter would write them. No measured data is in
them: the law is a formula, chosen so that the curve looks like a lateral tunnel diode's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SEED = 0
FACTORS = ((0.96, 1.008, 0.001), (1.01, 0.994, -0.002), (1.04, 1.001, 0.002))
"""Peak current and voltage scale (shares of the typical diode's) and shift (volts); made up."""
NOISE = 0.002
"""Of each point, as a share of the peak current."""
RAMP_VOLTS = 0.05
"""The shift grows over these, so that a diode carries nothing at 0 V."""


def tunnel_current(v: np.ndarray) -> np.ndarray:
    """Current of the typical diode at ``v`` (any shape, volts), microamperes.

    A tunnelling peak of 2.8 uA at 0.35 V, x exp((1 - x^2) / 2) with x = v / 0.35 V, and a rise
    that reaches 1.5 uA at 1.3 V, exp(v / 0.15 V) - 1. All numbers assumed.
    """
    x = v / 0.35
    rise = np.expm1(v / 0.15) / np.expm1(1.3 / 0.15)
    return 2.8 * x * np.exp(0.5 * (1 - x**2)) + 1.5 * rise


def write_sweeps(folder: Path) -> list[Path]:
    """``diode-1.csv`` to ``diode-3.csv`` in ``folder``: 0 to 1.3 V and back in steps of 10 mV."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, paths = np.random.default_rng(SEED), []
    up = np.arange(131) * 0.01
    v = np.concatenate([up, up[-2::-1]])
    for k, (k_i, k_v, d_v) in enumerate(FACTORS, start=1):
        i = k_i * tunnel_current(k_v * v + d_v * np.minimum(v / RAMP_VOLTS, 1))
        i += rng.normal(0, NOISE * 2.8, v.size)
        lines = [f"{volts:.2f},{current:.4f}\n" for volts, current in zip(v, i, strict=True)]
        paths.append(folder / f"diode-{k}.csv")
        text = "Voltage (V),Current (uA)\n" + "".join(lines)
        paths[-1].write_text(text, encoding="utf-8", newline="\n")
    return paths


if __name__ == "__main__":
    default = Path(__file__).parents[1] / "examples" / "data"
    for path in write_sweeps(Path(sys.argv[1]) if len(sys.argv) > 1 else default):
        print(path)
