"""What training for the hardware recovers where it hurts, and what it costs when clean.

The shipped models, trained on for 5 epochs (seed 0; mnist-d2 by recipe mnist-finetune, the paper's
network, which was trained without augmentation, by finetune) plainly, and through the twin under
``rram`` with ``trim=dark`` and one setting made hard; then 20 chips (seed 0) of each on all 10,000
MNIST test images from ./data, as made and with their columns calibrated. Last, single chips with
stuck cells, each trained for itself. First, what an epoch costs beside a plain one, on one thread.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import analogkan as ak
from analogkan import resources
from analogkan.data import ImageSet, load_dataset
from analogkan.engines.twin import use_one_thread
from analogkan.network import checkpoint
from analogkan.training.fit import train
from analogkan.training.recipe import load_recipe
from analogkan.training.run import disturbance_of

DATA = Path("data")
CHIPS = 20
CASES: dict[str, dict[str, Any]] = {
    "rram": {},
    "sigma_g 20 %": {"variation": {"sigma_g": 0.2}},
    "sigma_g 30 %": {"variation": {"sigma_g": 0.3}},
    "3-bit pairs": {"hardware": {"levels": 4}},
    "4-bit pairs": {"hardware": {"levels": 8}},
    "line mismatch 1 %": {"variation": {"line_sigma": 0.01}},
    "line mismatch 3 %": {"variation": {"line_sigma": 0.03}},
    "125 degC": {"conditions": {"temp_c": 125}},
    "wires, 5 ohm": {"hardware": {"r_wire": 5}},
    "wires, 20 ohm": {"hardware": {"r_wire": 20}},
}
SIGMOID_CASES = {
    "rram": {},
    "sigma_g 30 %": {"variation": {"sigma_g": 0.3}},
    "3-bit pairs": {"hardware": {"levels": 4}},
    "diodes 5 % in voltage": {"variation": {"diode_sigma_voltage": 0.05}},
    "125 degC": {"conditions": {"temp_c": 125}},
}
MODELS = (
    ("mnist-d2", "mnist-finetune", CASES),
    ("paper-mnist-d2", "finetune", SIGMOID_CASES),
)
TRIM = {"trim": "dark"}
"""With which the documented figures were made."""
STUCK = {"stuck_max": 0.01} | TRIM
STUCK_CHIPS = 5


def main() -> None:
    _costs(load_dataset("mnist", "train", DATA).take(range(12_800)))
    images = load_dataset("mnist", "test", DATA)
    with tempfile.TemporaryDirectory() as folder:
        for name, recipe, cases in MODELS:
            model = resources.path(f"models/{name}.pt")
            plain = _trained(Path(folder) / f"{name}-plain.pt", model, recipe)
            for case, given in cases.items():
                settings = given | {"variation": given.get("variation", {}) | TRIM}
                out = Path(folder) / f"{name}-{case}.pt"
                hard = _trained(out, model, recipe, preset="rram", noise="twin", **settings)
                print(
                    f"{name}, {case}: plain {_chips(plain, images, settings)}; through the twin "
                    f"{_chips(hard, images, settings)}",
                    flush=True,
                )
        _single_chips(resources.path("models/mnist-d2.pt"), Path(folder), images)


def _costs(images: ImageSet) -> None:
    use_one_thread()
    model, spec = checkpoint.load(resources.path("models/mnist-d2.pt"))
    recipe = load_recipe("finetune", epochs=2)
    ways = {
        "plain": None,
        "multiplicative": disturbance_of("multiplicative", "rram"),
        "additive": disturbance_of("additive", "rram-absolute"),
        "twin": disturbance_of("twin", "rram", ["trim=dark"]),
        "twin with wires": disturbance_of("twin", "rram", ["trim=dark", "r_wire=5"]),
    }
    spent = {}
    for name, disturbance in ways.items():
        ends: list[float] = []
        train(
            images,
            recipe,
            start=(model, spec.encoding),
            disturbance=disturbance,
            on_epoch=lambda epoch, ends=ends: ends.append(time.perf_counter()),
        )
        spent[name] = ends[1] - ends[0]
        print(f"an epoch {name}: {spent[name] / spent['plain']:.1f} times a plain one", flush=True)


def _trained(out: Path, model: Path, recipe: str, **disturbed: Any) -> Path:
    """``model`` trained on, plainly or through the twin."""
    return ak.train("mnist", out, data=DATA, recipe=recipe, start=model, **disturbed).model


def _chips(model: Path, images: ImageSet, settings: dict[str, Any]) -> str:
    """Software's accuracy, the chips' as made, and calibrated."""
    build = ak.compile(model, model.with_suffix(".build"), verify=False)
    s = ak.montecarlo(
        build, images, samples=CHIPS, calibrate=True, judge="none", **settings
    ).summary
    return (
        f"software {100 * s['software_accuracy']:.2f}, chips "
        f"{_mean(s, 'accuracy_uncalibrated_mean')}, calibrated {_mean(s, 'accuracy_mean')}"
    )


def _mean(summary: dict, key: str) -> str:
    low, high = summary[f"{key}_ci95"] or (summary[key],) * 2
    return f"{100 * summary[key]:.2f} ({100 * low:.2f} to {100 * high:.2f})"


def _single_chips(model: Path, folder: Path, images: ImageSet) -> None:
    build = ak.compile(model, folder / "one.build", verify=False)
    for m in range(STUCK_CHIPS):
        out = folder / f"chip{m}.pt"
        found = ak.train(
            "mnist", out, data=DATA, recipe="mnist-finetune", start=model, chip=(build, m),
            variation=STUCK,
        ).summary  # fmt: skip
        print(
            f"chip {m}, {STUCK}: {100 * found['chip_accuracy_before']:.2f}, trained for it "
            f"{100 * found['chip_accuracy']:.2f}, its software {100 * found['accuracy']:.2f}",
            flush=True,
        )
