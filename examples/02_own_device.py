"""A device of your own: three measured sweeps become a device, a network, a circuit, an accuracy.

    python examples/02_own_device.py [FOLDER]

The sweeps are made up: the shipped Z21 with another peak current, voltage scale and shift for each
device, and noise. The same by commands: docs/own-devices.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan.devices import get
from analogkan.devices.measured import import_device, write_measured

RECIPE = """\
devices = ["A21"]
hidden = [16]
epochs = 12
learning_rate = 1e-2
"""


def write_sweeps(folder: Path, *, seed: int = 0) -> list[Path]:
    """Three devices, each swept from 0 to 1.25 V and back in 5 mV steps: millivolts, microamperes.

    Spread: 4 % of current, 1 % of voltage, 4 mV of shift, the last ramped in over 50 mV so that a
    passive diode carries nothing at 0 V. Noise: 0.2 % of the peak on each point.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, z21, paths = np.random.default_rng(seed), get("Z21"), []
    up = np.arange(251) * 0.005
    v = np.concatenate([up, up[-2::-1]])
    for k in range(3):
        k_i, k_v, d_v = rng.normal([1.0, 1.0, 0.0], [0.04, 0.01, 0.004])
        clean = k_i * z21.current(k_v * v + d_v * np.minimum(v / 0.05, 1))
        i = clean + rng.normal(0, 0.002 * z21.i_peak, v.size)
        paths.append(folder / f"device-{k + 1}.csv")
        table = np.stack([1e3 * v, 1e6 * i], axis=1)
        header = "Voltage (mV),Current (uA)"
        np.savetxt(paths[-1], table, fmt="%.6g", delimiter=",", header=header, comments="")
    return paths


def write_images(folder: Path) -> Path:
    """The bundled images as a data set of one's own, and a recipe for a small network."""
    bundled = ak.load_bundled()
    np.savez(folder / "images.npz", x=bundled.x, y=bundled.y)
    (folder / "small.toml").write_text(RECIPE, encoding="utf-8")
    return folder / "images.npz"


def main(folder: Path) -> None:
    sweeps, images = write_sweeps(folder), write_images(folder)

    made = import_device(sweeps, "mine", branch="mean")
    device, variation = write_measured(made, folder / "mine.toml", force=True)
    curve = made.curve
    ak.plot_devices([device, "Z21"], folder / "curves.png")
    print(f"{device}: {curve.v.size} points, peak {curve.i_peak:.3g} A at {curve.v_peak:g} V")
    assert made.spread is not None
    for name, sigma, (lo, hi), _ in made.spread.rows():
        print(f"  {name} {sigma:.2g} (95 %: {lo:.2g} to {hi:.2g})")
    print("spreads:", variation)

    from analogkan.training.run import TrainingRequest, run_training

    request = TrainingRequest(
        dataset=str(images),
        recipe=str(folder / "small.toml"),
        devices=f"A21,{device}",
        out=folder / "own.pt",
    )
    trained = run_training(request)
    print(f"software: {trained['accuracy']:.3f} of {trained['n']} test images")

    build = ak.compile(folder / "own.pt", folder / "own.build")
    test = ak.load_dataset(images, "test")[:50]
    summary = ak.simulate(build, test, out=folder / "run").summary
    print("circuit:", summary["circuit_accuracy"], "of", summary["n"], "images;", end=" ")
    print("same class as software on", summary["agreement"])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-02"))
