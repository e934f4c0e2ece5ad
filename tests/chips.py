"""Chips of small random networks, with everything that can be drawn drawn."""

from __future__ import annotations

from typing import Any

from analogkan.compiler.chip import StageErrors
from analogkan.compiler.design import CrossbarStage, Design, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.imperfections import Conditions, Variation
from analogkan.imperfections.make import perturb
from analogkan.network.spec import NetworkSpec

EVERYTHING = Variation(
    sigma_g=0.05,
    sigma_g_abs=0.002,
    read_noise=0.02,
    stuck_min=0.01,
    stuck_max=0.01,
    drift_nu=0.005,
    drift_nu_sigma=0.005,
    trim="dark",
    diode_sigma_current=0.05,
    diode_sigma_voltage=0.01,
    diode_sigma_shift=0.002,
    die_sigma_current=0.02,
    die_sigma_voltage=0.005,
    die_sigma_shift=0.001,
    offset_sigma=1e-3,
    offset_drift_sigma=5e-6,
    opamp_gain_sigma=0.3,
    r_f_sigma=0.002,
    r_c_sigma=0.002,
    line_sigma=0.002,
    diff_gain_sigma=0.002,
)
"""Every imperfection of a network without squash and norm, at a size that a chip may have."""
FRONTS = {
    "pair_sigma": 2e-3,
    "load_sigma": 0.01,
    "tail_sigma": 0.01,
    "squash_offset_sigma": 2e-3,
    "squash_drift_sigma": 1e-5,
    "load_tc1": 1e-3,
    "tail_tc1": -5e-4,
    "norm_r_sigma": 0.01,
    "norm_gain_sigma": 0.01,
    "norm_offset_sigma": 2e-3,
    "norm_drift_sigma": 1e-5,
}
"""The same of what stands before the diodes, of networks that have it."""
OLD = Conditions(age_s=1e5)
LATER: dict[str, dict[str, Any]] = {
    "measured cells": {"cells": "pcm"},
    "measured range": {"cells": "rram-wan", "cell_range": "scaled"},
    "write-verify": {"sigma_g": 0.1, "verify_window": 0.05},
    "temperature coefficients": {"cell_tc1_sigma": 5e-4, "cell_tc1_fall": 1e-3},
}
"""Those that came later than what is kept of ``EVERYTHING``, each with what it needs to be seen."""


def chip(
    spec: NetworkSpec,
    variation: Variation = EVERYTHING,
    conditions: Conditions = OLD,
    *,
    seed: int = 0,
    sample: int = 0,
    **hardware: Any,
) -> Design:
    """Chip ``sample`` of ``spec`` on hardware with these settings."""
    design = build_design(spec, Hardware(**hardware))
    return perturb(design, variation, conditions, spec=spec, seed=seed, sample=sample)[0]


def errors_of(stage: CrossbarStage) -> StageErrors:
    """A chip's errors; a design has none."""
    assert stage.errors is not None
    return stage.errors
