"""Power from the circuit's own voltages: by block, in closed form and by ngspice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.circuit import Circuit, Link
from analogkan.physics.judge import ask_power
from analogkan.physics.power import compared, power_of
from tests.chips import chip
from tests.networks import random_inputs, random_spec

KINDS = {
    "plain": ({}, {}),
    "clamp": ({"squash": "clamp"}, {}),
    "layernorm": ({"norm": "layer"}, {}),
    "sigmoid": ({"squash": "sigmoid", "norm": "layer"}, {}),
    "tanh": ({"squash": "tanh"}, {}),
    "rails": ({}, {"opamp": "rails", "v_rail": 0.6, "headroom": 1.0}),
    "reduced": ({}, {"r_wire": 20.0, "tile_rows": 6, "tile_cols": 4}),
    "driven": ({}, {"r_wire": 20.0, "r_driver": 100.0, "tile_rows": 6, "tile_cols": 4}),
    "explicit": ({}, {"r_wire": 20.0, "tile_rows": 6, "tile_cols": 4, "wires": "explicit"}),
    "audited": (
        {},
        {"r_wire": 20.0, "r_driver": 100.0, "tile_rows": 6, "tile_cols": 4, "wires": "explicit"},
    ),
    "drivers": ({}, {"r_driver": 100.0, "tile_rows": 6}),
}
"""Networks and hardware, of every block that there is."""


@pytest.fixture(scope="module")
def build_of(tmp_path_factory):
    """A build of a kind, compiled once."""
    made: dict[str, Build] = {}

    def of(kind: str, **more) -> Build:
        if kind not in made:
            network, hardware = KINDS[kind]
            spec = random_spec(3, (5, 4, 3), **network)
            folder = tmp_path_factory.mktemp("power") / kind
            made[kind] = write_build(spec, Hardware(**hardware), folder)
        return made[kind]

    return of


def volts(build: Build, n: int = 7) -> np.ndarray:
    return build.spec.dac_volts(random_inputs(8, n, build.spec.encoding.inputs))


@pytest.mark.parametrize("temp_c", [26.85, 85.0])
@pytest.mark.parametrize("kind", KINDS)
def test_what_sources_deliver_is_what_elements_dissipate(build_of, kind, temp_c):
    build = build_of(kind)
    found = power_of(build, volts(build), temp_c=temp_c)
    assert found.tellegen.max() < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_ngspice_says_the_same_of_every_block(build_of, tmp_path, kind):
    """And Tellegen's sum holds in its own numbers, image by image."""
    build = build_of(kind)
    judge = ask_power(build, volts(build), keep=tmp_path)
    assert judge.tellegen.max() < 1e-9
    found = compared(power_of(build, volts(build)), judge)
    assert max(found.values()) < 1e-6, found


def chip_of(build: Build, **hardware) -> Circuit:
    """A chip with everything that can be drawn, as a circuit."""
    spec = build.spec
    design = chip(spec, **hardware)
    return Circuit((Link(section=build.sections[0], share=0, spec=spec, design=design),))


@pytest.mark.parametrize("kind", ["plain", "sigmoid", "rails", "driven"])
def test_a_chip_in_the_heat_too(build_of, tmp_path, kind):
    build = build_of(kind)
    own = chip_of(build, **KINDS[kind][1])
    judge = ask_power(build, volts(build), keep=tmp_path, temp_c=85.0, chip=own)
    assert judge.tellegen.max() < 1e-9
    found = power_of(build, volts(build), temp_c=85.0, chips=[own])
    assert found.tellegen.max() < 1e-12
    assert max(compared(found, judge).values()) < 1e-6
