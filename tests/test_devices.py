"""The twin on what is no processor: all arrays come to be there; a GPU gives the same classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import analogkan as ak
from analogkan import resources
from analogkan.compiler.design import build_design
from analogkan.engines.arithmetic import Arithmetic
from analogkan.engines.devices import moved
from analogkan.engines.twin import Twin
from analogkan.engines.twin_engine import TwinEngine
from analogkan.engines.twin_inputs import prepared
from analogkan.errors import SettingsError
from analogkan.imperfections import Conditions, load_settings
from analogkan.imperfections.make import perturb
from analogkan.network import checkpoint
from analogkan.studies.options import StudyOptions

TEMP_C = 85.0
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here: not run")
KINDS = {
    "plain": ("mnist-d2", {}, {}),
    "wires": ("mnist-d2", {"r_wire": 1.0}, {}),
    "summing": ("mnist-d2", {"readout": "summing"}, {}),
    "noise": ("mnist-d2", {}, {"read_noise": 0.01}),
    "rails": ("mnist-d2", {"opamp": "rails"}, {"read_noise": 0.01}),
    "fronts": ("paper-mnist-d2", {}, {}),
}


@pytest.fixture(scope="module")
def images():
    return ak.load_bundled()[:60]


def made(kind, images):
    model, of_hardware, of_variation = KINDS[kind]
    spec = checkpoint.load_spec(resources.path(f"models/{model}.pt"))
    hardware, variation, _ = load_settings("rram")
    design = build_design(spec, replace(hardware, **of_hardware))
    variation = replace(variation, **of_variation)
    chip, _ = perturb(design, variation, Conditions(), spec=spec, seed=3, sample=1)
    return chip, spec.dac_volts(images.flat(spec.encoding.shape))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_where_it_was(kind, images):
    """On torch's ``meta`` device, where shapes alone are worked out: an operation on arrays of two
    devices raises there too."""
    chip, volts = made(kind, images)
    twin = Twin([chip], TEMP_C, "meta")
    with torch.no_grad():
        run = twin.run(moved(prepared(volts), "meta"), images.index)
    for found, stage in zip(run.outputs, chip.stages, strict=True):
        assert found.device.type == "meta"
        assert found.shape == (1, stage.shape[1], len(images))
    plain = Twin([chip], TEMP_C)
    assert plain.stages[0].x.device.type == "cpu"
    assert moved(plain.stages[0], "cpu") is plain.stages[0]


def test_memory_bounds_the_images_at_once(images):
    chip, _ = made("plain", images)
    twin = Twin([chip])
    one = 8 * 8 * (2 * 196 + 2 * 64)
    assert twin.image_bytes == one
    assert Arithmetic(device="cuda", memory_gb=0.5).block(one) == int(0.5e9 / one)
    assert Arithmetic(device="cuda", memory_gb=1e-9).block(one) == 1
    assert Arithmetic(memory_gb=0.5).block(one) == 1000


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpu", r"^device = 'gpu' is no device of torch's: give cpu, cuda or cuda:1$"),
        ("meta", r"^device = 'meta': the twin computes in float64, on cpu or on a GPU that torch"),
        ("cuda:99", r"^device = 'cuda:99': torch \S+ sees \d+ such devices here; leave it at cpu"),
    ],
)
def test_a_device_that_is_not_there_is_refused_before_there_is_a_run(
    device, said, tmp_path, images
):
    build = ak.compile("mnist-d2", out=tmp_path / "d2.build", verify=False)
    with pytest.raises(SettingsError, match=said):
        ak.montecarlo(build, images[:2], samples=1, device=device, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_device_is_for(tmp_path):
    with pytest.raises(SettingsError, match=r"^device = 'cuda' is out of range: cpu with engine "):
        StudyOptions(device="cuda", engine="ngspice")
    with pytest.raises(SettingsError, match=r"^memory_gb = 0.001 is out of range: 0.1 to 1000"):
        StudyOptions(memory_gb=0.001)


def test_a_run_of_another_device_is_another(monkeypatch):
    monkeypatch.setattr("analogkan.engines.devices.require_device", lambda name: None)
    monkeypatch.setattr("analogkan.engines.devices.name_of", lambda name: "a GPU")
    there = TwinEngine(Arithmetic(device="cuda")).versions()
    here = TwinEngine().versions()
    assert set(here) == {"torch", "block"}  # as RUNs of before have it
    assert there == here | {"device": "cuda", "memory_gb": 4.0, "gpu": "a GPU"}


@on_gpu
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_gives_the_same(kind, images):
    chip, volts = made(kind, images)
    here = TwinEngine().logits(chip, volts, images.index, TEMP_C)
    there = TwinEngine(Arithmetic(device="cuda")).logits(chip, volts, images.index, TEMP_C)
    np.testing.assert_array_equal(there.argmax(axis=1), here.argmax(axis=1))
    assert np.abs(there - here).max() < 1e-11 * np.abs(here).max()


@on_gpu
def test_a_study_on_a_gpu_has_the_same_rows_and_is_judged(tmp_path, images):
    build = ak.compile("mnist-d2", out=tmp_path / "d2.build")
    told = {"samples": 3, "judge": "1x10", "progress": False}
    here = ak.montecarlo(build, images, out=tmp_path / "here", **told)
    there = ak.montecarlo(build, images, device="cuda", out=tmp_path / "there", **told)
    for name in ("status", "n", "correct", "accuracy", "agreement"):
        assert here.table()[name].tolist() == there.table()[name].tolist()
    assert there.summary["judge"]["passed"]
