"""Mixed precision: classes are float64's, and the bound that says so holds."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import analogkan as ak
from analogkan import loops, resources
from analogkan.compiler.design import build_design
from analogkan.engines.arithmetic import FLOAT64, MIXED, Arithmetic, choose
from analogkan.engines.twin import Twin
from analogkan.engines.twin_engine import TwinEngine
from analogkan.engines.twin_inputs import prepared
from analogkan.errors import SettingsError, StudyError
from analogkan.imperfections import Conditions, load_settings
from analogkan.imperfections.make import perturb
from analogkan.network import checkpoint
from analogkan.studies.options import StudyOptions

from .networks import random_inputs, random_spec

kernels = pytest.importorskip("analogkan.engines.kernels", reason="numba, the extra fast")
mixed = pytest.importorskip("analogkan.engines.mixed")
TEMP_C = 26.85


@pytest.fixture(scope="module")
def images():
    return ak.load_bundled()[:300]


def made(model, images, **changes):
    """A chip of a shipped model, its DAC volts, and those of the images."""
    spec = checkpoint.load_spec(resources.path(f"models/{model}.pt"))
    hardware, variation, _ = load_settings("rram")
    hardware = replace(hardware, **changes.pop("hardware", {}))
    variation = replace(variation, **changes)
    design = build_design(spec, hardware)
    chip, _ = perturb(design, variation, Conditions(), spec=spec, seed=3, sample=1)
    return chip, spec.dac_volts(images.flat(spec.encoding.shape))


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("mnist-d2", {}),
        ("mnist-d3", {}),
        ("mnist-d2", {"hardware": {"r_wire": 1.0}}),
        ("mnist-d2", {"hardware": {"readout": "summing"}}),
        ("mnist-d2", {"stuck_min": 0.02, "dead_diodes": 0.05, "dead_amplifiers": 0.05}),
    ],
    ids=["d2", "d3", "wires", "summing", "faults"],
)
def test_logits_are_within_the_bound_and_classes_are_equal(model, changes, images):
    chip, volts = made(model, images, **changes)
    twin = Twin([chip], TEMP_C)
    inputs = prepared(volts)
    exact = twin.answers(inputs, images.index, 100)[0]
    one = mixed.Mixed.of(twin)
    moving = mixed.Moving.of(inputs)
    found, bound, *_ = one._outputs(inputs, moving)
    off = np.abs(found.T / twin.v_per_logit - exact).max()
    full_scale = np.abs(exact).max()
    assert 0 < off <= bound / twin.v_per_logit
    assert off < 1e-6 * full_scale
    assert bound / twin.v_per_logit < 0.02 * full_scale  # it would be of no use
    told = TwinEngine(Arithmetic(precision=MIXED)).classes(chip, volts, images.index, TEMP_C)
    np.testing.assert_array_equal(told.argmax(axis=1), exact.argmax(axis=1))
    assert np.abs(told - exact).max() < 1e-6 * full_scale


def test_images_that_are_too_close_are_evaluated_once_more(images, monkeypatch):
    chip, volts = made("mnist-d2", images)
    monkeypatch.setattr(mixed, "growth", lambda terms, dtype: 1.0)
    exact = TwinEngine().logits(chip, volts, images.index, TEMP_C)
    engine = TwinEngine(Arithmetic(precision=MIXED))
    told = engine.classes(chip, volts, images.index, TEMP_C)
    np.testing.assert_allclose(told, exact, rtol=0, atol=1e-12)


def test_outputs_that_only_rounding_tells_apart_are_float64_s():
    """Outputs that sum the same rows in another order: equal, but for float64's own rounding."""
    spec = random_spec(1, (49, 31, 10))
    hidden, last = spec.layers
    rng = np.random.default_rng(1)
    alike = np.repeat(hidden.theta[:, :1], 31, axis=1)
    theta, bias = last.theta.copy(), last.bias.copy()
    theta[:, 1], bias[1] = theta[rng.permutation(31), 0], bias[0]
    bias[2:] -= 20
    layers = (
        replace(hidden, theta=alike, bias=np.full(31, hidden.bias[0])),
        replace(last, theta=theta, bias=bias),
    )
    spec = replace(spec, layers=layers)
    design = build_design(spec, load_settings("nominal")[0])
    volts, index = spec.dac_volts(random_inputs(1, 1300, 49)), np.arange(1300)
    exact = TwinEngine().logits(design, volts, index, TEMP_C).argmax(axis=1)
    told = TwinEngine(Arithmetic(precision=MIXED)).classes(design, volts, index, TEMP_C)
    assert set(exact) == {0, 1}
    np.testing.assert_array_equal(told.argmax(axis=1), exact)


def test_classes_do_not_depend_on_the_images_beside_them(images):
    chip, volts = made("mnist-d2", images)
    engine = TwinEngine(Arithmetic(precision=MIXED))
    whole = engine.classes(chip, volts, images.index, TEMP_C)
    some = engine.classes(chip, volts[:130], images.index[:130], TEMP_C)
    np.testing.assert_array_equal(some.argmax(axis=1), whole[:130].argmax(axis=1))
    assert np.abs(some - whole[:130]).max() < 1e-6 * np.abs(whole).max()


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("paper-mnist-d2", {}),
        ("mnist-d2", {"read_noise": 0.01}),
        ("mnist-d2", {"hardware": {"opamp": "rails"}}),
    ],
    ids=["fronts", "noise", "rails"],
)
def test_what_has_no_bound_is_the_twin_s_in_float64(model, changes, images):
    chip, volts = made(model, images, **changes)
    engine = TwinEngine(Arithmetic(precision=MIXED))
    np.testing.assert_array_equal(
        engine.classes(chip, volts, images.index, TEMP_C),
        engine.logits(chip, volts, images.index, TEMP_C),
    )


def test_numbers_that_prove_nothing_are_the_twin_s(images):
    chip, volts = made("mnist-d2", images)
    stage = chip.stages[0]
    wild = replace(chip, stages=(replace(stage, r_c=stage.r_c * np.nan), *chip.stages[1:]))
    engine = TwinEngine(Arithmetic(precision=MIXED))
    twin = Twin([wild], TEMP_C)
    inputs = prepared(volts)
    assert mixed.Mixed.of(twin).logits(inputs, mixed.Moving.of(inputs), images.index) is None
    np.testing.assert_array_equal(
        engine.classes(wild, volts, images.index, TEMP_C),
        engine.logits(wild, volts, images.index, TEMP_C),
    )


def test_tables_in_buckets_are_those_that_are_searched():
    rng = np.random.default_rng(5)
    x = np.sort(rng.uniform(-0.2, 1.5, (3, 2, 30)), axis=2)
    x[0, 0, 5] = x[0, 0, 4]  # a kink that two points share
    x[1, :, 20:] = x[1, :, 19:20]  # a short table ends repeated
    r = rng.uniform(-1, 1, x.shape)
    r[0, 0, 5], r[1, :, 20:] = r[0, 0, 4], r[1, :, 19:20]
    tables = mixed.Tables.of(x, r)
    assert tables is not None
    volts = rng.uniform(-0.5, 2.0, (3, 400))
    volts[:, :30] = x[:, 0]
    for i in range(3):
        for d in range(2):
            found = np.zeros((1, 400))
            weights = np.zeros((3, 2, 1))
            weights[i, d] = 1.0
            kernels.through_rows(volts, tables.ends, tables.pieces, weights, found)
            wanted = np.interp(volts[i], x[i, d], r[i, d])
            np.testing.assert_allclose(found[0], wanted, rtol=0, atol=1e-11)


def test_kinks_that_no_bucket_has_room_for_are_said():
    x = np.linspace(0, 1, 30) ** 12
    assert mixed.Tables.of(x[None, None], np.sin(40 * x)[None, None]) is None


def test_mixed_is_chosen_where_it_is_possible_and_worth_it():
    told = {
        (precision, images, why_not): choose(precision, "cpu", images, why_not).precision
        for precision in ("auto", "float64", "mixed")
        for images in (1000, 10_000)
        for why_not in ("", "because")
        if (precision, why_not) != ("mixed", "because")
    }
    assert {key for key, value in told.items() if value == MIXED} == {
        ("auto", 10_000, ""), ("mixed", 1000, ""), ("mixed", 10_000, ""),
    }  # fmt: skip
    with pytest.raises(SettingsError, match=r"^precision = mixed: because; or leave it at auto$"):
        choose("mixed", "cpu", 10_000, "because")


def test_without_numba_it_is_refused_and_not_chosen(monkeypatch):
    monkeypatch.setattr("analogkan.loops.available", lambda: False)
    assert choose("auto", "cpu", 10_000, "").precision == FLOAT64
    with pytest.raises(
        SettingsError, match=r"numba, which is not installed or cannot be loaded: pip install"
    ):
        choose("mixed", "cpu", 10_000, "")


def test_a_study_in_mixed_precision_has_the_same_rows(tmp_path, images, monkeypatch):
    build = ak.compile("mnist-d2", out=tmp_path / "d2.build")
    told = {"samples": 3, "judge": "1x10", "progress": False}
    plain = ak.montecarlo(build, images, precision="float64", out=tmp_path / "plain", **told)
    fast = ak.montecarlo(build, images, precision="mixed", out=tmp_path / "fast", **told)
    assert (plain.summary["precision"], fast.summary["precision"]) == (FLOAT64, MIXED)
    for name in ("status", "n", "correct", "accuracy", "agreement", "clipped_cells"):
        assert plain.table()[name].tolist() == fast.table()[name].tolist()
    error = plain.table()["max_abs_logit_error"] - fast.table()["max_abs_logit_error"]
    assert 0 < np.abs(error).max() < 1e-6 * plain.summary["logit_full_scale"]
    assert fast.summary["judge"]["share_of_full_scale"] < 1e-9  # float64 is what is judged
    with pytest.raises(StudyError, match="precision"):
        ak.montecarlo(build, images, precision="float64", out=tmp_path / "fast", **told)


def test_what_needs_more_than_classes_refuses_it(tmp_path, images):
    build = ak.compile("mnist-d2", out=tmp_path / "d2.build")
    with pytest.raises(SettingsError, match=r"^precision = mixed: logits are corrected behind"):
        ak.thermal(build, images[:20], temps=[27], compensate="each", precision="mixed")
    with pytest.raises(SettingsError, match=r"^precision = mixed: engine = ngspice"):
        ak.montecarlo(build, images[:20], samples=1, precision="mixed", engine="ngspice")
    with pytest.raises(
        SettingsError, match=r"^precision = 'half' is out of range: auto or float64 or mixed"
    ):
        StudyOptions(precision="half")


def test_torch_and_loops_look_codes_up_alike(images):
    chip, volts = made("mnist-d2", images)
    twin, inputs = Twin([chip], TEMP_C), prepared(volts)
    stage = twin.stages[0]
    rest = np.full(stage.x.shape[1], 7)
    apart, still, largest = kernels.code_volts(
        stage.x[0].numpy(), stage.r[0].numpy(), inputs.codes.numpy()[None], rest
    )
    with torch.no_grad():
        wanted = twin.first_table(inputs)[0].numpy()
    np.testing.assert_allclose(
        (apart + still[:, None]).transpose(0, 2, 1), wanted, rtol=0, atol=1e-14
    )
    np.testing.assert_allclose(largest, np.abs(apart).max(axis=1), rtol=0, atol=0)


def test_a_numba_that_cannot_be_loaded_is_none(tmp_path, monkeypatch):
    """Such as one that is too old for its NumPy: it says so by an ImportError."""
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.3 or less')")
    for name in [name for name in sys.modules if name.partition(".")[0] == "numba"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    assert not loops.available()
