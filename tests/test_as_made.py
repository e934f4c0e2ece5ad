"""Chips with all at once, of every kind of network: the twin is the circuit, in heat and in cold.

Small networks always; the shipped ones, preset ``as-made``, by ``pytest -m campaign
tests/test_as_made.py -s``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analogkan as ak
from analogkan import resources
from analogkan.compiler.build import Build, write_build
from analogkan.data import ImageSet
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.imperfections import load_settings
from analogkan.studies.bench import Bench
from analogkan.studies.points import montecarlo_points

from .chips import FRONTS
from .conftest import SHARED_DATA
from .convolutions import convolutional_images, convolutional_spec
from .networks import random_images, random_spec

EXACT = 1e-6
TEMPERATURES = (-40.0, 26.85, 125.0)
HOLDS = {
    "c_hold": 1e-12, "t_position": 1e-6, "hold_offset_sigma": 1e-3, "hold_leakage": 1e-11,
    "hold_leakage_sigma": 0.3, "hold_injection": 1e-15, "hold_injection_slope": 1e-15,
    "hold_injection_sigma": 0.3, "hold_ktc": 1.0,
}  # fmt: skip
"""What networks of several circuits have beside."""


def difference(
    build: Build, images: ImageSet, temp_c: float, more: dict[str, Any], ngspice: Any, keep: Path
) -> float:
    """Of chip 1 of ``build`` under ``as-made``, the largest difference of the two engines' logits,
    of full scale; and ngspice's own judge has held every circuit."""
    words = [f"{name}={value}" for name, value in more.items()]
    settings = load_settings("as-made", [*words, f"temp_c={temp_c}"], build.hardware)
    point = montecarlo_points(*settings, 2)[1]
    twin = Bench(build, images, TwinEngine())
    found = twin.logits(point)
    circuit = Bench(build, images, NgspiceEngine(ngspice, keep))
    row = circuit.evaluate(point)
    assert row["status"] == "ok", row["reason"]
    assert row["judge_share"] < EXACT
    return float(np.abs(found - circuit.logits(point)).max() / circuit.full_scale)


SMALL = {
    "dense": (lambda: random_spec(3, (6, 5, 3)), {}),
    "sigmoid, LayerNorm": (
        lambda: random_spec(3, (6, 5, 3), squash="sigmoid", norm="layer"),
        FRONTS,
    ),
    "convolution": (convolutional_spec, HOLDS),
}


@pytest.mark.parametrize("temp_c", TEMPERATURES)
@pytest.mark.parametrize("kind", list(SMALL))
def test_the_twin_is_the_circuit(kind, temp_c, ngspice, tmp_path):
    make, more = SMALL[kind]
    spec = make()
    build = write_build(spec, ak.Hardware(), tmp_path / "b.build", most=10_000)
    images = convolutional_images(0, 2) if kind == "convolution" else random_images(0, 4, 6)
    assert difference(build, images, temp_c, {**more, "adc_range": 5}, ngspice, tmp_path) < EXACT


MODELS = {"mnist-d2": (6, {}), "paper-mnist-d2": (4, FRONTS), "mnist-conv": (1, HOLDS)}


@pytest.mark.campaign
@pytest.mark.parametrize("temp_c", TEMPERATURES)
@pytest.mark.parametrize("name", list(MODELS))
def test_so_it_is_of_the_shipped_models(name, temp_c, ngspice, tmp_path):
    n, more = MODELS[name]
    build = ak.compile(resources.path(f"models/{name}.pt"), tmp_path / "b.build")
    images = ak.load_bundled()
    if name == "mnist-conv":  # of 28 x 28
        if not (SHARED_DATA / "MNIST").exists():
            pytest.skip("needs MNIST in ../shared/data")
        images = ak.load_dataset("mnist", "test", SHARED_DATA)
    images = images.take(np.arange(n))
    share = difference(build, images, temp_c, more, ngspice, tmp_path)
    print(f"\n{name}, {temp_c:g} degC, 1 chip x {n} images: {share:.1e} of full scale")
    assert share < EXACT
