"""Cells with temperature coefficients of their own, parts warmer than the rest: deck and twin."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from analogkan.compiler.chip import Warmth
from analogkan.compiler.circuit_files import write_circuit
from analogkan.compiler.design import Design
from analogkan.devices import IVCurve
from analogkan.dialects import VACASK
from analogkan.engines.chip_engines import TwinEngine
from analogkan.errors import CompileError, SimulationError
from analogkan.physics.noise_point import points_of
from analogkan.physics.power_stage import DeckPower

from .chips import chip, errors_of
from .networks import random_spec
from .test_twin import EXACT, images, worst

TEMPERATURES = (-40.0, 26.85, 125.0)

TABLE = re.compile(r"^b1 a c\n(?:\+ .*\n)+", re.MULTILINE)


def heated(design: Design, seed: int = 0, kelvins: float = 30.0, tc1: bool = True) -> Design:
    """``design`` with parts up to ``kelvins`` warmer, and coefficients of each cell's own."""
    rng = np.random.default_rng(seed)
    stages = []
    for stage in design.stages:
        e = errors_of(stage)
        parts = {
            "cells": stage.g.shape,
            "rows": stage.r_f.shape,
            "lines": stage.r_c.shape,
            "diffs": (stage.n_diffs,),
        }
        warmth = Warmth(**{name: kelvins * rng.random(shape) for name, shape in parts.items()})
        own = 1e-3 * rng.standard_normal(stage.g.shape) if tc1 else None
        stages.append(replace(stage, errors=replace(e, warmth=warmth, cell_tc1=own)))
    return replace(design, stages=tuple(stages))


@pytest.mark.parametrize("temp_c", TEMPERATURES)
@pytest.mark.parametrize(
    ("squash", "norm", "hardware"),
    [
        ("none", "none", {}),
        ("none", "none", {"readout": "summing", "cell_tc2": 1e-6}),
        ("none", "batch", {"r_wire": 5.0, "r_driver": 20.0}),
        ("clamp", "none", {"r_wire": 5.0, "r_driver": 20.0, "wires": "explicit"}),
        ("sigmoid", "layer", {"opamp": "rails"}),
    ],
)
def test_the_twin_is_the_circuit(squash, norm, hardware, temp_c, ngspice, tmp_path):
    spec = random_spec(3, (6, 5, 4), squash=squash, norm=norm)
    design = heated(chip(spec, levels=32, **hardware))
    assert worst(design, images(8, 6), temp_c, ngspice, tmp_path) < EXACT


@pytest.mark.parametrize("temp_c", [30.0, 61.3])
def test_a_warm_diode_follows_its_tables(temp_c, ngspice, tmp_path):
    rng = np.random.default_rng(4)
    v = np.array([0.0, 0.1, 0.25, 0.4, 0.6, 0.9])
    tables = [np.concatenate([[0.0], rng.uniform(0.2e-6, 3e-6, 5)]) for _ in range(3)]
    temps = (0.0, 27.5, 90.0)
    curve = IVCurve("T0", v, tables[1], temperatures=tuple(zip(temps, tables, strict=True)))
    design = heated(chip(random_spec(5, (4, 3, 2), curves=(curve,)), diode_law="tables"))
    assert worst(design, images(8, 4), temp_c, ngspice, tmp_path) < 1e-9


def test_what_is_warmer_by_as_much_everywhere_is_the_circuit_at_that_temperature():
    design = chip(random_spec(3, (6, 5, 4)))
    warm = heated(design, tc1=False)
    evenly = []
    for stage in warm.stages:
        w = errors_of(stage).warmth
        even = Warmth(**{name: np.full_like(getattr(w, name), 40.0) for name in vars(w)})
        evenly.append(replace(stage, errors=replace(errors_of(stage), warmth=even)))
    volts, index = images(8, 6), np.arange(8)
    of_parts = TwinEngine().logits(replace(warm, stages=tuple(evenly)), volts, index, 26.85)
    of_all = TwinEngine().logits(design, volts, index, 66.85)
    np.testing.assert_allclose(of_parts, of_all, rtol=0, atol=1e-12 * np.abs(of_all).max())


def test_the_deck_says_it_of_each_part():
    design = chip(random_spec(3, (3, 2)))
    plain, warm = write_circuit(design), write_circuit(heated(design))
    assert "dtemp=" not in plain["layer0.cir"]
    assert warm["layer0.cir"].count(" tc1=") == warm["layer0.cir"].count(" dtemp=") == 8 * 4
    cold, hot = (TABLE.findall(text["cells.cir"]) for text in (plain, warm))
    assert len(cold) == len(hot) > 0 and not set(cold) & set(hot)


def test_what_is_not_worked_out_is_refused():
    design = heated(chip(random_spec(3, (3, 2))))
    what = "temperature coefficients of each cell's own and parts of unequal temperature"
    with pytest.raises(SimulationError, match=f"power is not worked out of chips with {what}"):
        DeckPower(design, 26.85)
    with pytest.raises(SimulationError, match=f"noise is not worked out of chips with {what}"):
        points_of(design, np.zeros((1, 3)))
    with pytest.raises(CompileError, match=f"{what} are written for ngspice alone, not for vacask"):
        write_circuit(design, say=VACASK)
