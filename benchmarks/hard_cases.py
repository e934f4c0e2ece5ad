"""What calibration recovers where hardware hurts: chips of mnist-d2 and of the sigmoid model.

20 chips of each case on the bundled images, seed 0, in the twin; means with intervals over chips.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import analogkan as ak
from analogkan import resources

CHIPS = 20
CASES: dict[str, dict[str, Any]] = {
    "rram": {},
    "no trim": {"variation": {"trim": "none"}},
    "sigma_g 20 %": {"variation": {"sigma_g": 0.2}},
    "3-bit pairs": {"hardware": {"levels": 4}},
    "4-bit pairs": {"hardware": {"levels": 8}},
    "line mismatch 3 %": {"variation": {"line_sigma": 0.03}},
    "wires, 5 ohm a segment": {"hardware": {"r_wire": 5}},
    "125 degC": {"conditions": {"temp_c": 125}},
    "-40 degC": {"conditions": {"temp_c": -40}},
    "a year, nu 1 +- 0.5 %": {
        "conditions": {"age_s": 3.2e7},
        "variation": {"drift_nu": 0.01, "drift_nu_sigma": 0.005},
    },
    "diodes 5 % in voltage": {"variation": {"diode_sigma_voltage": 0.05}},
}


def main() -> None:
    images = ak.load_bundled()
    with tempfile.TemporaryDirectory() as folder:
        for model in ("mnist-d2", "paper-mnist-d2"):
            path = resources.path(f"models/{model}.pt")
            build = ak.compile(path, Path(folder) / f"{model}.build")
            for name, settings in CASES.items():
                s = ak.montecarlo(
                    build, images, samples=CHIPS, calibrate=True, judge="1x10", jobs=2, **settings
                ).summary
                print(
                    f"{model}, {name}: software {100 * s['software_accuracy']:.2f} %, chips "
                    f"{_mean(s, 'accuracy_uncalibrated_mean')}, calibrated "
                    f"{_mean(s, 'accuracy_mean')}"
                )


def _mean(summary: dict, key: str) -> str:
    low, high = summary[f"{key}_ci95"] or (summary[key],) * 2
    return f"{100 * summary[key]:.2f} % ({100 * low:.2f} to {100 * high:.2f})"
