"""Op-amps whose gain is a macro-model: what it misses is a result, by layer and by chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import analogkan as ak
from analogkan import cells
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build, write_verified
from analogkan.engines import batch
from analogkan.engines.batch import BatchEngine
from analogkan.engines.chip_engines import NgspiceEngine
from analogkan.engines.chunked import BatchOptions, plan_chunks
from analogkan.engines.ngspice import Runner
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import prepared
from analogkan.errors import (
    CompileError,
    DisagreementError,
    SettingsError,
    SimulationError,
    StudyError,
)
from analogkan.intervals import student, wilson
from analogkan.studies.datasheet import datasheet
from analogkan.studies.judge import choose_images
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.plan import plan
from analogkan.studies.simulate import simulate
from analogkan.studies.sweep import sweep

from .convolutions import convolutional_images, convolutional_spec
from .networks import random_checkpoint, random_images, random_spec
from .outside import cascade, miller
from .test_values import network

SPEC = random_spec(3, (4, 3, 3))
MILLER = replace(miller.KIND, macro=True, gain=lambda hardware: hardware.opamp_gain)
EXACT = replace(cascade.KIND, macro=True)
"""A macro-model that misses nothing."""
WHY = "the closed form has a macro-model of the op-amp miller, whose error is a result"


@pytest.fixture(autouse=True)
def declared(own_plugins):
    """Op-amps of transistors and of controlled sources, both with a gain that only stands for
    them."""
    cells.register(MILLER)
    cells.register(EXACT)


@pytest.fixture
def images():
    return random_images(2, 12, 4)


@pytest.fixture
def build(tmp_path):
    return write_build(SPEC, Hardware(opamp="miller", opamp_gain=2e4), tmp_path / "net.build")


def test_a_macro_model_without_a_gain_is_refused():
    with pytest.raises(
        CompileError, match="miller has a macro-model, and declares no gain: declare"
    ):
        cells.register(replace(MILLER, name="miller", word="mine", gain=None))


def test_what_a_macro_model_misses_is_told_by_layer(ngspice, build, images, tmp_path):
    assert verify_build(build).findings == []
    result = simulate(build, images, run=tmp_path / "run")
    found = result.macro_model
    assert found is not None and result.circuit is not None
    assert (found["of"], found["gain"]) == ("the op-amp miller", 2e4)
    hidden, out = Twin([build.design]).stage_volts(
        prepared(SPEC.dac_volts(images.x)), images.index, 100
    )
    assert [one["layer"] for one in found["layers"]] == [0, 1]
    last, off = found["layers"][1], np.abs(result.circuit * build.design.v_per_logit - out)
    squares = (off**2).mean(axis=1)
    assert last["rms_volts"] == pytest.approx(np.sqrt(squares.mean()), rel=1e-9)
    within = student(squares, least=0.0, skewed=True)
    assert within is not None
    np.testing.assert_allclose(np.square(last["rms_volts_ci95"]), within, rtol=1e-9)
    assert last["rms_volts_ci95"][0] < last["rms_volts"] < last["rms_volts_ci95"][1]
    assert last["max_volts"] == pytest.approx(off.max(), rel=1e-9)
    assert last["full_scale_volts"] == pytest.approx(np.abs(out).max(), rel=1e-9)
    image = int(np.flatnonzero(images.index == last["image"])[0])
    assert off[image, last["output"]] == off.max()
    assert found["layers"][0]["full_scale_volts"] == pytest.approx(np.abs(hidden).max(), rel=1e-9)
    assert 1e-5 < found["layers"][0]["rms_share"] < 1e-2
    same = int((result.circuit.argmax(axis=1) == out.argmax(axis=1)).sum())
    assert (found["agreement"], tuple(found["agreement_ci95"])) == (same / 12, wilson(same, 12))
    verdict = result.summary["judge"]
    assert (verdict["passed"], verdict["why_not"]) == (None, WHY)
    assert verdict["share_of_full_scale"] > 1e-5
    told = {label: (value, note) for label, value, note in result.facts().rows}
    assert " rms, at most " in told["macro-model off, layer 0"][0]
    assert told["same class as the macro-model"][0] == f"{100 * same / 12:.2f} %"


def test_a_macro_model_that_is_exact_misses_nothing(ngspice, images, tmp_path):
    hardware = Hardware(opamp="cascade", opamp_gain=2e3)
    held = write_verified(random_spec(4, (5, 6, 4, 3)), hardware, tmp_path / "h.build", most=60)
    convolved = write_verified(convolutional_spec(), hardware, tmp_path / "c.build", most=100)
    for circuit, shown, layers in (
        (held, random_images(2, 6, 5), 3),
        (convolved, convolutional_images(2, 4), 4),
    ):
        found = simulate(circuit, shown, run=tmp_path / circuit.folder.stem).macro_model
        assert found is not None and found["agreement"] == 1
        assert [one["layer"] for one in found["layers"]] == list(range(layers))
        assert max(one["max_share"] for one in found["layers"]) < 1e-6


def test_only_a_circuit_without_a_macro_model_is_refused_for_its_difference(
    ngspice, images, tmp_path
):
    cells.unregister("miller")
    cells.register(replace(MILLER, macro=False))
    build = write_build(SPEC, Hardware(opamp="miller", opamp_gain=2e4), tmp_path / "net.build")
    with pytest.raises(DisagreementError, match="does not give what the circuit's closed form"):
        simulate(build, images, run=tmp_path / "run")


def test_transistor_pairs_beside_such_op_amps_are_solved(ngspice, images, tmp_path):
    spec = random_spec(3, (4, 3, 3), squash="sigmoid", norm="layer")
    build = write_build(spec, Hardware(opamp="miller", opamp_gain=2e4), tmp_path / "net.build")
    assert verify_build(build).findings == []
    found = simulate(build, images, run=tmp_path / "run").macro_model
    assert found is not None and max(one["max_share"] for one in found["layers"]) < 2e-3


def test_chips_in_the_twin_are_compared_with_ngspice(ngspice, build, images, tmp_path):
    options = StudyOptions(judge="2x6", run=tmp_path / "run")
    found = montecarlo(build, images, samples=3, options=options)
    verdict = found.judge
    assert verdict is not None and (verdict["passed"], verdict["why_not"]) == (None, WHY)
    errors = [entry["rms_difference"] for entry in verdict["found"]]
    assert verdict["rms_difference"] == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    low, high = verdict["rms_difference_ci95"]
    assert 1e-5 < low < verdict["rms_difference"] < high < 1e-3
    same = sum(entry["same_class"] for entry in verdict["found"])
    assert (verdict["agreement"], verdict["agreement_n"]) == (same / 12, 12)
    said = found.judged()
    assert said.startswith("compared with ngspice") and f"({WHY}); same class as the twin" in said
    assert (
        "the op-amp miller: the twin, trim, calibration, power, settling and noise have its "
        "macro-model alone"
    ) in found.notes()
    again = montecarlo(build, images, samples=3, options=options)
    assert again.judge is not None and again.judge["seconds"] == verdict["seconds"]  # as kept


def test_images_by_which_classes_are_counted_are_not_those_hard_to_tell():
    logits = np.zeros((40, 2))
    logits[:, 0] = np.arange(40)
    assert set(range(5)) <= set(choose_images(logits, 10, 0, None))
    drawn = [choose_images(logits, 10, 0, sample, close=False) for sample in range(200)]
    assert np.bincount(np.concatenate(drawn), minlength=40)[:5].mean() == pytest.approx(50, abs=10)


def test_chips_in_ngspice_are_those_of_the_twin(ngspice, build, images, tmp_path):
    rows = {
        engine: montecarlo(
            build, images, samples=2,
            options=StudyOptions(engine=engine, judge="none", run=tmp_path / engine),
        )
        for engine in ("twin", "ngspice")
    }  # fmt: skip
    for own, other in zip(rows["twin"].rows, rows["ngspice"].rows, strict=True):
        np.testing.assert_allclose(own["offset"], other["offset"], rtol=0, atol=2e-3)
        assert other["macro_agreement"] == 1 and 1e-5 < other["judge_share"] < 1e-2
        assert own["clipped_cells"] == other["clipped_cells"]
    verdict = rows["ngspice"].judge
    assert verdict is not None and (verdict["passed"], verdict["why_not"]) == (None, WHY)
    assert (verdict["agreement"], verdict["agreement_n"]) == (1, 24)


@pytest.mark.parametrize("engine", ["twin", "ngspice"])
@pytest.mark.parametrize("name", ["opamp_gain_sigma", "dead_amplifiers"])
def test_gains_of_their_own_are_refused(engine, name, ngspice, build, images, tmp_path):
    sentence = (
        f"{name} = 0.1 gives op-amps of a chip gains of their own, and the op-amp miller has no "
        f"parameter gain: set {name} to 0"
    )
    options = StudyOptions(engine=engine, run=tmp_path / "run")
    with pytest.raises(SettingsError, match=sentence):
        montecarlo(build, images, samples=2, settings=[f"{name}=0.1"], options=options)
    assert not (tmp_path / "run").exists()


def test_a_datasheet_is_of_the_macro_model(ngspice, build, images, tmp_path):
    linear = write_build(SPEC, Hardware(opamp_gain=2e4), tmp_path / "linear.build")
    sheets = [
        datasheet(one, images, options=StudyOptions(judge="1x1", run=tmp_path / one.folder.stem))
        for one in (build, linear)
    ]
    for name in ("power_w", "settling_s", "noise_v_rms"):
        assert sheets[0].summary[name] == sheets[1].summary[name]
    told = "\n".join(sheets[0].closing())
    assert "power: judged on 1 image" in told and "noise: judged on " in told and WHY in told


def test_a_plan_refuses_an_op_amp_that_is_what_its_file_is(build, images, tmp_path):
    with pytest.raises(SettingsError, match="and miller is what its file is: plan with opamp = li"):
        plan(build, images, options=StudyOptions(judge="none", run=tmp_path / "run"))


def test_what_has_a_closed_form_is_judged_beside_what_has_a_macro_model(
    ngspice, build, images, tmp_path, monkeypatch
):
    def swept(name):
        options = StudyOptions(judge="2x3", run=tmp_path / name)
        found = sweep(build, images, settings=["opamp=linear,miller"], samples=1, options=options)
        assert found.judge is not None
        return found.judge

    found = swept("run")
    assert (found["passed"], found["why_not"]) == (None, WHY)
    assert sorted("same_class" in entry for entry in found["found"]) == [False, True]
    assert found["agreement_n"] == 3
    logits = NgspiceEngine.logits
    monkeypatch.setattr(NgspiceEngine, "logits", lambda *given: 1.001 * logits(*given))
    with pytest.raises(StudyError, match="the twin is not what ngspice simulates: "):
        swept("lie")


def test_a_preset_that_puts_another_op_amp_in_its_place_is_told(build, images, tmp_path):
    def notes(name, *settings):
        options = StudyOptions(judge="none", run=tmp_path / name)
        settings = ["sigma_g=0,0.1", *settings]
        return sweep(build, images, settings=settings, samples=1, options=options).notes()

    assert notes("run") == [
        "preset nominal replaces settings of the BUILD, opamp miller -> linear: --set opamp=miller "
        "keeps it"
    ]
    assert notes("set", "opamp=rails") == [
        "opamp = rails by setting, not the BUILD's miller: --set opamp=miller keeps that"
    ]


def test_limits_follow_from_the_first_images(ngspice, build, images, tmp_path):
    volts, told = SPEC.dac_volts(images.x), []
    with BatchEngine(build.one_deck(), Runner(ngspice), tmp_path) as engine:
        options = BatchOptions(on_first=lambda *of: told.append(of))
        (result,) = engine.run(volts, plan_chunks(12), ["logit_0"], options)
        assert result.error is None
        ((seconds, megabytes),) = told
        assert seconds == engine.first_seconds and 5 < megabytes < 500
        assert engine._time_limit(12) == 60 + 12 * 5 * engine.first_seconds
    with BatchEngine(build.one_deck(), Runner(ngspice), tmp_path) as engine:
        list(engine.run(volts, plan_chunks(12), ["logit_0"], BatchOptions(timeout=60)))
        assert engine.first_seconds == 0  # whoever says how long need not be told
    result = simulate(build, images, run=tmp_path / "run")
    first = result.summary["first_two_seconds"]
    assert 0 < first < result.summary["seconds"]
    assert f"the first two alone {first:.3g} s" in [note for *_, note in result.facts().rows]


def test_first_images_that_take_too_long_name_the_option(
    ngspice, build, images, tmp_path, monkeypatch
):
    monkeypatch.setattr(batch, "FIRST_SECONDS", 1e-3)
    sentence = (
        "ngspice took longer than 0.002 s and was stopped, the first two images alone: --timeout "
        "gives chunks as long as they need"
    )
    with pytest.raises(SimulationError, match=sentence):
        simulate(build, images, run=tmp_path / "run")


def test_a_regression_has_layers_and_no_classes(ngspice, tmp_path):
    spec, points = network(3, hidden=4)
    build = write_build(spec, Hardware(opamp="miller", opamp_gain=2e4), tmp_path / "net.build")
    result = simulate(build, points, run=tmp_path / "run")
    assert result.macro_model is not None and "agreement" not in result.macro_model
    assert [one["outputs"] for one in result.macro_model["layers"]] == [4, 1]
    options = StudyOptions(judge="1x4", run=tmp_path / "chips")
    verdict = montecarlo(build, points, samples=1, options=options).judge
    assert verdict is not None and "agreement" not in verdict and verdict["rms_difference"] > 1e-6


def test_an_op_amp_of_ones_own_has_a_macro_model(ngspice, tmp_path):
    random_checkpoint(tmp_path / "net.pt")
    build = ak.compile(
        tmp_path / "net.pt",
        tmp_path / "net.build",
        cell={"opamp": "two_stage_level1"},
        hardware={"g_min": 2e-8, "g_max": 2e-6, "r_diff": 2e5, "headroom": 0.5},
    )
    name = build.hardware.opamp
    found = simulate(build, random_images(2, 12, 5), run=tmp_path / "run").macro_model
    assert found is not None and found["of"] == f"the op-amp {name}"
    assert 1e-6 < max(one["max_share"] for one in found["layers"]) < 1e-2
