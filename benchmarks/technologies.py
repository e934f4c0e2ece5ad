"""mnist-d2 on every technology of memory cells, at several ages, with calibration and without.

    python -m benchmarks.technologies [CHIPS] [IMAGES] [FOLDER]

Presets as they are shipped, seed 0, read noise included; ages that were not measured are
extrapolated and marked. Rows come as they are finished; in FOLDER, ``technologies.run`` unless
said, a second call goes on with what is left. Last, 400 K: cells of spread coefficients.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import analogkan as ak
from analogkan import resources
from analogkan.data import ImageSet
from analogkan.imperfections.technologies import DAY, TECHNOLOGIES, YEAR

PRESETS = ("pcm", "hermes", "rram-wan", "rram-milo", "cmo-hfox", "sonos")
AGES = {"1 s": 1.0, "1 day": DAY, "1 year": YEAR}
CHIPS, IMAGES = 20, 1000
KELVIN_400 = 126.85
SPREADS = {"cell_tc1_sigma": 1e-3, "cell_tc1_fall": 2e-3}
"""Assumed, 1/K."""


def row(build: ak.Build, images: ImageSet, chips: int, out: Path, **given: Any) -> str:
    """Mean and 95 % interval over chips, uncalibrated and calibrated."""
    found = ak.montecarlo(
        build, images, samples=chips, calibrate=True, judge="none", out=out, jobs=2, **given
    ).summary
    said = []
    for end in ("_uncalibrated", ""):
        mean, ci = found[f"accuracy{end}_mean"], found[f"accuracy{end}_mean_ci95"]
        within = "-" if ci is None else f"{100 * ci[0]:.2f} to {100 * ci[1]:.2f}"
        said.append(f"{100 * mean:.2f} ({within})")
    return " | ".join(said)


def main(words: list[str] | None = None) -> None:
    words = words or []
    chips = int(words[0]) if words else CHIPS
    n = int(words[1]) if len(words) > 1 else IMAGES
    folder = Path(words[2] if len(words) > 2 else "technologies.run")
    folder.mkdir(exist_ok=True)
    images = ak.by_class(ak.load_bundled(), n) if n <= 1000 else ak.load_dataset("mnist", "test")
    build = folder / "mnist-d2.build"
    circuit = (
        ak.load_build(build)
        if build.exists()
        else ak.compile(resources.path("models/mnist-d2.pt"), build)
    )
    print(f"{chips} chips, {len(images):,} images, seed 0; % (95 % over chips)")
    print("| cells | age | as made | calibrated |\n|---|---|---|---|")
    for name in PRESETS:
        of = TECHNOLOGIES[name]
        for said, age_s in AGES.items():
            at = max(age_s, of.first_s)
            known = of.first_s <= age_s <= of.last_s
            marked = said if known else f"{said} †" if age_s >= of.first_s else f"{at:g} s"
            told = row(
                circuit, images, chips, folder / f"{name}-{age_s:g}", preset=name,
                variation={"cell_ages": "extrapolated"}, conditions={"age_s": at},
            )  # fmt: skip
            print(f"| `{name}` | {marked} | {told} |", flush=True)
    for temp_c in (26.85, KELVIN_400):
        told = row(
            circuit, images, chips, folder / f"tc-{temp_c:g}", preset="rram",
            variation=SPREADS, conditions={"temp_c": temp_c},
        )  # fmt: skip
        print(f"| `rram`, coefficients spread | {temp_c:g} degC | {told} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
