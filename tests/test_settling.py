"""Settling: the deck in time, the twin in time, and ngspice as its judge."""

from __future__ import annotations

from re import escape

import numpy as np
import pytest

from analogkan.compiler.design import Design, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.names import StageNames, logits
from analogkan.physics import Assumptions
from analogkan.physics.capacitors import capacitors_of
from analogkan.physics.deck import dynamic_design, format_capacitors
from analogkan.engines.batch import BatchEngine, BatchOptions, Chunk
from analogkan.engines.ngspice import Runner
from analogkan.errors import SimulationError

from .chips import chip
from .networks import random_inputs, random_spec

ASSUMED = Assumptions()


def asked(ngspice, design: Design, volts: np.ndarray, keep) -> np.ndarray:
    with BatchEngine(design, Runner(ngspice), keep) as engine:
        (found,) = engine.run(volts, [Chunk(0, 0, 2)], logits(design), BatchOptions())
    assert found.values is not None
    return found.values


# ---- the deck


@pytest.mark.parametrize("change", [{}, {"opamp": "rails"}, {"r_wire": 2.0, "r_driver": 20.0}])
def test_the_deck_in_time_is_the_design_at_direct_current(change, ngspice, tmp_path):
    spec = random_spec(3, (5, 4, 3))
    design = build_design(spec, Hardware(**change))
    volts = spec.dac_volts(random_inputs(0, 2, 5))
    still = asked(ngspice, design, volts, tmp_path)
    moving = dynamic_design(design)
    assert moving.hardware.opamp == ("pole_rails" if change.get("opamp") == "rails" else "pole")
    np.testing.assert_allclose(asked(ngspice, moving, volts, tmp_path), still, rtol=1e-9)


def test_a_chip_keeps_its_errors_in_time(ngspice, tmp_path):
    made = chip(random_spec(3, (5, 4, 3)))
    volts = np.linspace(0.1, 0.6, 10).reshape(2, 5)
    still = asked(ngspice, made, volts, tmp_path)
    np.testing.assert_allclose(asked(ngspice, dynamic_design(made), volts, tmp_path), still, 1e-9)


@pytest.mark.parametrize("opamp", ["linear", "rails"])
def test_every_capacitor_stands_in_the_deck_once(opamp):
    design = build_design(random_spec(3, (5, 4, 3)), Hardware(opamp=opamp))
    lines = [line.split() for line in format_capacitors(design, ASSUMED)]
    assert len({name for name, *_ in lines}) == len(lines)
    found = sum(float(farads) for *_, farads in lines)
    wanted = 0.0
    for stage in design.stages:
        c = capacitors_of(stage, design.hardware, ASSUMED)
        wanted += (c.rows_in + c.rows - stage.c_f).sum() + c.lines_in.sum() + c.lines.sum()
        wanted += 2 * (c.diffs_in + c.diffs).sum()
    assert found == pytest.approx(wanted, rel=1e-12)
    row = StageNames(design, 1).rows()[0]
    back = f"x_{row}_amp.lin" if opamp == "rails" else row
    assert [f"c_{row}_f", f"{row}_sum", back] in [line[:3] for line in lines]


@pytest.mark.parametrize("opamp", ["ideal"])
def test_amplifiers_without_a_bandwidth_are_refused(opamp):
    design = build_design(random_spec(3, (5, 4, 3)), Hardware(opamp=opamp))
    sentence = (
        "opamp = ideal declares no bandwidth, and settling and noise need one: compile with "
        "--set opamp=linear, and with opamp_gain (now 100000) and gbw (now 1e+07 Hz) as your "
        "amplifiers have them"
    )
    with pytest.raises(SimulationError, match=f"^{escape(sentence)}$"):
        dynamic_design(design)
