"""Noise of whole circuits: the twin's covariance against ngspice, against draws, against formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analogkan.compiler.design import Design, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.physics import Assumptions
from analogkan.physics.noise import noise_of_design
from analogkan.physics.noise_deck import integrated, noise_analysis, outputs_of
from analogkan.engines.batch import BatchEngine, BatchOptions, Chunk, Exposure
from analogkan.engines.ngspice import Runner

from .chips import OLD, chip
from .networks import random_spec

FEW = Assumptions(zeta=0.4, c_diode=0.2e-12)
LOUD = Assumptions(
    e_n=30e-9, i_n=2e-12, f_corner=1e6, f_low=100.0, fano_rising=0.8, fano_falling=0.4
)


def volts_of(spec, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.0, 0.7, (1, spec.sizes[0]))


def asked(ngspice, tmp_path, design: Design, volts, assumed, probes, temp_c=26.85) -> list[float]:
    """Volts rms of ``probes`` by ngspice."""
    found = []
    engine = BatchEngine(
        design, Runner(ngspice), tmp_path, Exposure(temp_c=temp_c), noise_analysis(assumed)
    )
    with engine:
        for probe in probes:
            (one,) = engine.run(volts, [Chunk(0, 0, 1)], [probe], BatchOptions())
            if one.error is not None:
                raise one.error
            found.append(integrated(one.values, assumed))
    return found


CIRCUITS = {
    "plain": ({}, {}, FEW, 26.85),
    "clamp, rails": ({"squash": "clamp"}, {"opamp": "rails"}, FEW, 26.85),
    "hot, loud": ({"sizes": (5, 4, 4, 3)}, {}, LOUD, 85.0),
    "wires": ({}, {"r_wire": 20.0}, FEW, 60.0),
    "sigmoid, norm": ({"squash": "sigmoid", "norm": "layer"}, {}, FEW, 26.85),
    "tanh": ({"squash": "tanh"}, {}, LOUD, 26.85),
}


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("perturbed", [False, True], ids=["design", "chip"])
def test_outputs_and_margins_are_as_noisy_as_in_ngspice(ngspice, tmp_path, name, perturbed):
    network, hardware, assumed, temp_c = CIRCUITS[name]
    spec = random_spec(3, **network)
    design = chip(spec, **hardware) if perturbed else build_design(spec, Hardware(**hardware))
    volts = volts_of(spec, 1)
    noise = noise_of_design(design, volts, assumed, temp_c=temp_c)
    c, (a, b, _) = noise.covariance[0], outputs_of(design)
    wanted = [c[0, 0], c[1, 1], c[0, 0] + c[1, 1] - 2 * c[0, 1]]
    found = asked(ngspice, tmp_path, design, volts, assumed, (a, b, f"v({a},{b})"), temp_c)
    print(name, perturbed, np.array(found) / np.sqrt(wanted) - 1, noise.moved)
    np.testing.assert_allclose(found, np.sqrt(wanted), rtol=0.004)
