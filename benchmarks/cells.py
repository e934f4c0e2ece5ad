"""Cells of every technology against the formulas that they are drawn by, and against aihwkit's.

100,000 cells each, seed 0, of targets from a quarter of the measured range on: programming as
``written`` draws it, and what ``Cells.aged`` makes of them a day later. K-S of the deviations over
their published standard deviation against a normal distribution; where aihwkit can be imported,
of its own cells against these, aged with a read, and those that fade from a hundredth of the range
on. aihwkit is 1.1.0; CrossSim's constants are those of commit 0a2eb1e.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from analogkan.compiler.hardware import Hardware
from analogkan.imperfections import Variation
from analogkan.imperfections.measured import Cells
from analogkan.imperfections.programming import written
from analogkan.imperfections.technologies import DAY, TECHNOLOGIES, polynomial, wan_error

N, SEED = 100_000, 0
FIRST = 0.25
"""Share of the range at which targets begin: below it cells at the lower limit are not normal."""
FADING = "pcm", "hermes", "hermes-single"
"""Whose aging is compared from a hundredth of the range on, of cells without errors."""
CROSSSIM: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "pcm-joshi": lambda g: -0.00178767 * g**2 + 0.07585724 * g + 0.28638599,
    "rram-wan-crosssim": lambda g: 1.536e-4 * g**3 - 1.167e-2 * g**2 + 2.374e-1 * g + 1.053,
    "rram-milo": lambda g: np.maximum(-0.009107 * g + 4.782321, 0),
    "sonos": lambda g: 19.88665 * (1 - np.exp(-100 * g / 176.3115)) / 100,
}
"""Standard deviations as programmed, microsiemens, as CrossSim's modules write them."""
PAIRS = {"pcm": "pcm-joshi", "rram-wan": "rram-wan-crosssim"}
"""Two fits of the same measurement or kind of cell."""


def drawn(
    name: str, age_s: float = 0.0, seed: int = SEED, exact: bool = False
) -> dict[str, np.ndarray]:
    """N cells: ``target``, as ``programmed``, and ``aged``, microsiemens; ``exact`` ones have no
    error of programming and begin lower."""
    of, rng = TECHNOLOGIES[name], np.random.default_rng([seed, *name.encode()])
    low = max(of.least, (0.01 if exact else FIRST) * of.most)
    target = rng.uniform(low, of.most, N)
    hardware = Hardware(g_min=1e-6 * max(of.least, 1e-3 * of.most), g_max=1e-6 * of.most)
    settings = Variation(cells=name)
    g, _ = written(1e-6 * target, settings, hardware, lambda name, shape, k: rng.normal(size=shape))
    g = 1e-6 * target if exact else g
    cells = Cells.of(settings, hardware)
    assert cells is not None
    aged = cells.aged(g, 1e-6 * target, rng.normal(size=N), age_s) if age_s else g
    return {"target": target, "programmed": 1e6 * g, "aged": 1e6 * aged}


def formula(name: str, age_s: float, of: dict[str, np.ndarray]) -> np.ndarray:
    """What should be standard normal of cells that have aged."""
    technology, target = TECHNOLOGIES[name], of["target"]
    if name.startswith("cmo"):
        ln = np.log(age_s)
        spread = np.hypot(technology.error(target), 0.04201137 * ln + 0.41183342)
        return (of["aged"] - target + 0.08900206 * ln) / spread
    if name == "rram-wan":
        return (of["aged"] - target) / wan_error(target, age_s)
    if name == "sonos":
        from analogkan.imperfections import sonos

        there = target + sonos.shift(target, age_s)
        return (of["aged"] - there) / sonos.error(target, age_s)
    x = target / technology.most
    nu = -np.log(of["aged"] / of["programmed"]) / np.log(age_s / technology.first_s)
    if name == "pcm":
        mean = np.clip(-0.0155 * np.log(x) + 0.0244, 0.049, 0.1)
        spread = np.clip(-0.0125 * np.log(x) - 0.0059, 0.008, 0.045)
        return (nu - mean) / spread
    mean = -0.0436 * x**2 - 0.0126 * x + 0.0736  # from x = 0.0945 on
    below = {"hermes": (-0.0117, -0.0057, 0.0091), "hermes-single": (-0.0120, -0.0023, 0.0124)}
    above = {"hermes": (0.0073, 0.0093, -0.0118), "hermes-single": (0.0104, 0.0116, -0.0165)}
    slope, intercept, least = below[name]
    low = np.clip(slope * np.log(x) + intercept, least, 0.04)
    edge = 0.3055 if name == "hermes" else 0.3039
    return (nu - mean) / np.where(x < edge, low, polynomial(x, *above[name]))


def last_age(name: str) -> float:
    """A day, or the last age that was measured; 0 where nothing is known of aging."""
    of = TECHNOLOGIES[name]
    return 0.0 if of.aged is None else min(DAY, of.last_s)


def theirs() -> dict[str, Any]:
    """aihwkit's models by our names; none where it cannot be imported."""
    try:
        from aihwkit.inference.noise.hermes import HermesNoiseModel  # pyright: ignore[reportMissingImports]
        from aihwkit.inference.noise.pcm import PCMLikeNoiseModel  # pyright: ignore[reportMissingImports]
        from aihwkit.inference.noise.reram import (  # pyright: ignore[reportMissingImports]
            ReRamCMONoiseModel,
            ReRamWan2022NoiseModel,
        )
    except ImportError:
        return {}
    return {
        "pcm": PCMLikeNoiseModel(),
        "hermes": HermesNoiseModel(num_devices=2),
        "hermes-single": HermesNoiseModel(num_devices=1),
        "rram-wan": ReRamWan2022NoiseModel(g_max=40.0),
        "cmo-hfox": ReRamCMONoiseModel(acceptance_range=0.2),
        "cmo-hfox-coarse": ReRamCMONoiseModel(acceptance_range=2),
    }


def against(name: str, model: Any, seed: int = SEED) -> dict[str, float]:
    """K-S p of our cells against as many of aihwkit's for the same targets: as programmed, and a
    day later with one read, each as a share of the target."""
    import torch

    torch.manual_seed(seed)
    age_s, of, found = last_age(name), TECHNOLOGIES[name], {}
    for what, exact in (("programmed", False), ("aged", name in FADING)):
        ours = drawn(name, age_s, seed + 1, exact)
        target = torch.from_numpy(ours["target"])
        a, b = ours["programmed"], model.apply_programming_noise_to_conductance(target.clone())
        if what == "aged":
            drift = model.generate_drift_coefficients(target.clone())
            then = age_s - (of.first_s if hasattr(model, "t_0") else 0.0)
            b = model.apply_drift_noise_to_conductance(target if exact else b, drift, then)
            a = ours["aged"]
            if of.noise is not None:
                share = of.noise(ours["programmed"], a, age_s)
                a = a * (1 + share * np.random.default_rng(seed + 2).standard_normal(N))
            if name.startswith("cmo"):
                a = np.clip(a, model.g_min, model.g_max)
        shares = a / ours["target"], b.numpy() / ours["target"]
        result: Any = stats.ks_2samp(*shares)
        found[what] = float(result.pvalue)
    return found


def main() -> None:
    models = theirs()
    print(f"{N:,} cells each, seed {SEED}; K-S p-values")
    print(f"{'':20}{'programmed':>12}{'aged':>8}{'aihwkit:':>12}{'programmed':>12}{'aged':>8}")
    for name, of in TECHNOLOGIES.items():
        age_s = last_age(name)
        cells = drawn(name, age_s)
        z = (cells["programmed"] - cells["target"]) / of.error(cells["target"])
        line = f"{name:20}{stats.kstest(z, 'norm').pvalue:12.3f}"
        aged = stats.kstest(formula(name, age_s, cells), "norm").pvalue if age_s else np.nan
        line += f"{aged:8.3f}" if age_s else f"{'-':>8}"
        if name in models:
            found = against(name, models[name])
            line += f"{'':12}{found['programmed']:12.3f}{found['aged']:8.3f}"
        print(line)
    if not models:
        print("aihwkit cannot be imported: pip install --no-deps aihwkit==1.1.0 adds its columns")
    print("\nlargest difference of standard deviations to CrossSim's formulas, uS")
    for name, theirs_of in CROSSSIM.items():
        of = TECHNOLOGIES[name]
        g = np.linspace(of.least, of.most, 1001)
        print(f"{name:20}{np.abs(of.error(g) - theirs_of(g)).max():10.1e}")
    print("\ntwo fits of one kind of cell, second over first, from a tenth of the range on")
    for first, second in PAIRS.items():
        a, b = TECHNOLOGIES[first], TECHNOLOGIES[second]
        g = np.linspace(0.1, 1.0, 901) * min(a.most, b.most)
        ratio = b.error(g) / a.error(g)
        print(f"{second:20}{100 * (ratio.min() - 1):+8.1f} to {100 * (ratio.max() - 1):+.1f} %")
