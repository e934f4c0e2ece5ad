"""Noise of whole circuits: the twin's covariance against ngspice, draws and formulas."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import trapezoid

import analogkan as ak
from analogkan import resources
from analogkan.compiler import spice, spice_cells
from analogkan.compiler.build import write_build
from analogkan.compiler.design import Design, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.spice_noise import Companions
from analogkan.devices import library
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.batch import BatchEngine
from analogkan.engines.chunked import BatchOptions, Chunk, Exposure
from analogkan.engines.ngspice import Runner
from analogkan.errors import (
    CompileError,
    ConvergenceError,
    NetlistError,
    SimulationError,
    StudyError,
)
from analogkan.imperfections import Variation
from analogkan.network.targets import Targets
from analogkan.physics import Assumptions
from analogkan.physics import noise as noise_module
from analogkan.physics.deck import dynamic_design
from analogkan.physics.noise import noise_of_design
from analogkan.physics.noise_deck import (
    ask_noise,
    integrated,
    judge_noise,
    noise_analysis,
    outputs_of,
)
from analogkan.physics.noise_flips import flips_of, snr_db
from analogkan.physics.noise_held import noise_of, rms_in_units
from analogkan.physics.noise_point import points_of
from analogkan.physics.noise_sources import nodes_of

from .chips import chip
from .convolutions import convolutional_spec
from .networks import random_images, random_inputs, random_spec
from .state_space import StateSpace

FEW = Assumptions(zeta=0.4, c_diode=0.2e-12)
LOUD = Assumptions(
    e_n=30e-9, i_n=2e-12, f_corner=1e6, f_low=100.0, fano_rising=0.8, fano_falling=0.4
)


def volts_of(spec, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.0, 0.7, (1, spec.sizes[0]))


def asked(ngspice, tmp_path, design: Design, volts, assumed, probes, temp_c=26.85) -> list[float]:
    """Volts rms of ``probes`` by ngspice."""
    found = []
    exposure, analysis = Exposure(temp_c=temp_c), noise_analysis(assumed)
    engine = BatchEngine(dynamic_design(design), Runner(ngspice), tmp_path, exposure, analysis)
    with engine:
        for probe in probes:
            (one,) = engine.run(volts, [Chunk(0, 0, 1)], [probe], BatchOptions())
            if one.error is not None:
                raise one.error
            assert one.values is not None
            found.append(integrated(one.values, assumed))
    return found


ODD = tuple(curve.odd() for curve in random_spec(3).layers[0].curves)
CIRCUITS = {
    "plain": ({}, {}, FEW, 26.85, False),
    "odd": ({"curves": ODD}, {}, FEW, 26.85, False),
    "clamp, rails": ({"squash": "clamp"}, {"opamp": "rails"}, FEW, 26.85, True),
    "hot, loud": ({"sizes": (5, 4, 4, 3)}, {}, LOUD, 85.0, True),
    "wires": ({}, {"r_wire": 20.0, "r_driver": 50.0}, FEW, 60.0, True),
    "sigmoid, norm": ({"squash": "sigmoid", "norm": "layer"}, {}, FEW, 26.85, False),
    "sigmoid, norm, chip": ({"squash": "sigmoid", "norm": "layer"}, {}, FEW, 26.85, True),
    "tanh": ({"squash": "tanh"}, {}, LOUD, 26.85, True),
    "summing": ({}, {"readout": "summing", "opamp": "rails"}, LOUD, 85.0, True),
    "summing, wires": (
        {},
        {"readout": "summing", "r_wire": 20.0, "r_driver": 50.0, "opamp": "rails", "v_rail": 0.6},
        FEW,
        60.0,
        True,
    ),
}
"""Networks, hardware, assumptions, degrees Celsius, and whether it is a chip."""


@pytest.mark.parametrize("name", CIRCUITS)
def test_outputs_and_margins_are_as_noisy_as_in_ngspice(ngspice, tmp_path, name):
    network, hardware, assumed, temp_c, perturbed = CIRCUITS[name]
    spec = random_spec(3, **network)
    design = chip(spec, **hardware) if perturbed else build_design(spec, Hardware(**hardware))
    volts = volts_of(spec, 1)
    noise = noise_of_design(design, volts, assumed, temp_c=temp_c)
    c, (a, b, _) = noise.covariance[0], outputs_of(design)
    wanted = [c[0, 0], c[1, 1], c[0, 0] + c[1, 1] - 2 * c[0, 1]]
    found = asked(ngspice, tmp_path, design, volts, assumed, (a, b, f"v({a},{b})"), temp_c)
    print(name, perturbed, np.array(found) / np.sqrt(wanted) - 1, noise.moved)
    np.testing.assert_allclose(found, np.sqrt(wanted), rtol=0.004)


# ---- companions


NONE = Companions(e_n=0.0, i_n=0.0, f_corner=0.0, fano_rising=0.7, fano_falling=0.4)
K_B, Q, KELVIN = 1.380649e-23, 1.602176634e-19, 300.0


def spectrum(ngspice, folder: Path, lines: list[str], temp: float = 26.85) -> np.ndarray:
    """V/sqrt(Hz) at the net ``out`` of a bench, 1 Hz to 1 kHz."""
    ends = [f".option temp={temp} tnom=26.85 {spice.NGSPICE.solver(False)}"]
    ends += [".noise v(out) v_in dec 1 1 1k", ".end"]
    (folder / "bench.cir").write_text("\n".join(["* bench", *lines, *ends]) + "\n")
    Runner(ngspice).run(folder / "bench.cir", folder / "bench.raw", timeout=20)
    return np.real(read_raw(folder / "bench.raw", points=None)["onoise_spectrum"])


def cell(name: str) -> str:
    return resources.path(f"netlists/cells/{name}.lib").read_text()


@pytest.mark.parametrize("name", library.names())
def test_a_diodes_companion_is_as_noisy_as_the_formula(ngspice, tmp_path, name):
    """On rising and falling segments, flat ones outside the table, at 0 V, and at each side of it;
    ngspice is given a noiseless transimpedance of an ohm."""
    curve = library.get(name)
    slopes = np.diff(curve.i) / np.diff(curve.v)
    middle = 0.5 * (curve.v[1:] + curve.v[:-1])
    volts = [0.0, 1e-6, -0.2, middle[slopes.argmax()], middle[slopes.argmin()], curve.v[-1] + 0.1]
    parts = [cell("diode_noise"), spice_cells.format_diode(curve, Hardware(), companions=NONE)]
    for v in volts:
        bench = [*parts, f"v_in a 0 dc {float(v)!r} ac 1", f"x1 a sum diode_{name.lower()}"]
        bench += ["v_sum sum 0 dc 0", "h1 out 0 v_sum 1"]
        found = spectrum(ngspice, tmp_path, bench)[0] ** 2
        k = int(np.clip(np.searchsorted(curve.v, v, side="right") - 1, 0, len(slopes) - 1))
        slope = slopes[k] if curve.v[0] <= v < curve.v[-1] else 0.0
        rest, amperes = np.interp([0.0, v], curve.v, curve.i)
        wanted = 4 * K_B * KELVIN * slope
        if v != 0:
            wanted = 2 * Q * abs(amperes - rest) / math.tanh(Q * abs(v) / (2 * K_B * KELVIN))
        wanted += 2 * Q * abs(rest)
        fano = NONE.fano_falling if slope < 0 else NONE.fano_rising
        assert found == pytest.approx(fano * wanted, rel=1e-3, abs=1e-40), v


def test_an_opamps_companions_are_as_noisy_as_they_are_told(ngspice, tmp_path):
    """A follower's voltage, at two temperatures; the current into a shorted input."""
    loud = replace(NONE, e_n=20e-9, i_n=3e-12, f_corner=50.0)
    lines, inner = loud.format_before_opamp(spice.NGSPICE)
    cells = [cell(name) for name in loud.cells] + loud.format_models(spice.NGSPICE)
    bench = [*cells, "v_in inp 0 dc 0 ac 1", *lines, f"e1 out 0 {inner} inn 1e6"]
    f = np.array([1.0, 10.0, 100.0, 1000.0])
    wanted = loud.e_n * np.sqrt(1 + loud.f_corner / f)
    for temp in (26.85, 85.0):
        follower = [*bench, "v_back out inn dc 0"]
        np.testing.assert_allclose(spectrum(ngspice, tmp_path, follower, temp), wanted, rtol=1e-3)
    shorted = [*cells, "v_in inp 0 dc 0 ac 1", *lines, "v_x inn 0 dc 0", "h1 out 0 v_x 1e6"]
    np.testing.assert_allclose(spectrum(ngspice, tmp_path, shorted), 1e6 * loud.i_n, rtol=1e-3)


def test_companions_do_not_move_an_answer(ngspice, tmp_path):
    design = build_design(random_spec(3), Hardware())
    quiet, noisy = (spice_cells.write_cells(design, companions=c) for c in (None, NONE))
    assert "noise" not in quiet and "diode_noise" in noisy
    volts, answers = volts_of(random_spec(3), 1), []
    for text in (quiet, noisy):
        with BatchEngine(design, Runner(ngspice), tmp_path) as engine:
            (engine._folder / "cells.cir").write_text(text)
            (found,) = engine.run(volts, [Chunk(0, 0, 1)], outputs_of(design))
            answers.append(found.values)
    np.testing.assert_allclose(*answers, rtol=1e-12)


# ---- the twin


def test_the_covariance_is_the_state_spaces_and_that_of_500_draws():
    """Element by element, by Lyapunov's equation; and step by step from rest (seed 0)."""
    spec = random_spec(3)
    design, volts = build_design(spec, Hardware()), volts_of(spec, 1)
    found = noise_of_design(design, volts, FEW).covariance[0]
    exact = StateSpace(design, points_of(design, volts), FEW)
    scale = np.sqrt(np.outer(np.diag(found), np.diag(found)))
    np.testing.assert_allclose(exact.covariance() / scale, found / scale, atol=5e-4)
    drawn = exact.draws(500, 0).std(axis=0)
    np.testing.assert_allclose(drawn, np.sqrt(np.diag(found)), rtol=0.1)


def test_shares_add_up_and_every_layer_has_a_noise_of_its_own():
    spec = random_spec(3, (5, 4, 4, 3), squash="sigmoid", norm="layer")
    volts = np.random.default_rng(1).uniform(0.0, 0.7, (3, 5))
    found = noise_of_design(build_design(spec, Hardware()), volts, LOUD)
    np.testing.assert_allclose(found.shares.sum(axis=(1, 2)), found.rms**2, rtol=1e-9)
    assert (found.shares.sum(axis=(0, 3)) > 0)[:-1].sum(axis=1).tolist() == [3] * 8 + [2, 2]
    assert [h.shape for h in found.hidden] == [(3, 4), (3, 4)]
    assert found.moved < 5e-3
    one = noise_of_design(build_design(spec, Hardware()), volts[1:2], LOUD)
    np.testing.assert_allclose(one.covariance, found.covariance[1:2], rtol=1e-6)


def test_a_hidden_layers_noise_is_that_of_the_network_that_ends_there():
    spec = random_spec(3, (5, 4, 4, 3))
    design, volts = build_design(spec, Hardware()), volts_of(spec, 1)
    found = noise_of_design(design, volts, FEW)
    short = replace(design, stages=design.stages[:2])
    np.testing.assert_allclose(found.hidden[1], noise_of_design(short, volts, FEW).rms, rtol=5e-3)


def test_thermal_noise_follows_temperature_alone():
    """Diodes at 0 V, no noise of op-amps, all resistances as they were: power goes as k T."""
    spec = random_spec(3)
    still = Hardware(cell_tc1=0.0, feedback_tc1=0.0, diode_tc_current=0.0, diode_tc_voltage=0.0)
    design = build_design(spec, still)
    design = replace(design, stages=design.stages[:1])
    quiet = replace(FEW, e_n=0.0)
    cold, hot = (
        noise_of_design(design, np.zeros((1, 5)), quiet, temp_c=t).rms for t in (26.85, 126.85)
    )
    np.testing.assert_allclose(hot / cold, math.sqrt(4 / 3), rtol=1e-9)


def test_offsets_of_either_sign_put_a_diode_at_0_volts_on_either_side_of_its_kink():
    """A summing node 1 mV below ground: the diode is on the slope above 0 V. Above: it is below."""
    spec = random_spec(3)
    plain = build_design(spec, Hardware())
    volts = np.zeros((1, 5))
    base = noise_of_design(plain, volts, FEW)
    assert base.at_kinks[0] >= 10  # all diodes of the first layer
    assert (base.other < base.rms).all()
    first = points_of(plain, volts)[0]
    assert (first.slopes > 0).all() and (first.others == 0).all()
    odd = points_of(build_design(random_spec(3, curves=ODD), Hardware()), volts)[0]
    np.testing.assert_allclose(odd.slopes, odd.others, rtol=1e-9)  # nothing to be on a side of
    for sign in (-1, 1):
        made = chip(spec, Variation(trim="none"))
        errors = made.stages[0].errors
        assert errors is not None
        rows = replace(errors.rows, offset=np.full_like(errors.rows.offset, sign * 1e-3))
        stage = replace(made.stages[0], errors=replace(errors, rows=rows))
        point = points_of(replace(made, stages=(stage, *made.stages[1:])), volts)[0]
        assert ((point.slopes > 0) == (sign < 0)).all()
        assert ((point.currents > 0) == (sign < 0)).all()


def test_noise_counts_from_the_lowest_frequency_on():
    """1/f noise adds its logarithm, whatever the grid."""
    flicker = replace(FEW, f_corner=1e3)
    for low in (1e-3, 1.0, 1e4):
        nodes = nodes_of(1e3, 1e9, 40, replace(flicker, f_low=low))
        total = sum(node.width * node.e_n / (1 + (node.f / 1e6) ** 2) for node in nodes)
        f = np.geomspace(low, 1e9, 200_001)
        density = FEW.e_n**2 * (1 + 1e3 / f) / (1 + (f / 1e6) ** 2)
        assert total == pytest.approx(
            trapezoid(f * density, np.log(f)) + 1e9 * density[-1], rel=2e-4
        )


def test_what_was_held_goes_through_the_next_circuits_slope(tmp_path):
    """Two decks: the first one's noise, drawn and held, moves the second's (20,000 draws)."""
    build = write_build(random_spec(4, (5, 4, 3)), Hardware(), tmp_path / "net.build", most=60)
    volts = volts_of(build.spec, 1)
    found = noise_of(build, volts, LOUD)
    first, second = (list(build.decks(section)) for section in build.sections)
    units = [deck.design.v_per_logit for deck in first]
    before = [noise_of_design(deck.design, volts, LOUD) for deck in first]
    held = np.concatenate([n.volts / unit for n, unit in zip(before, units, strict=True)], axis=1)
    rng = np.random.default_rng(0)
    drawn = [
        rng.multivariate_normal(np.zeros(one.volts.size), one.covariance[0], 20_000) / unit
        for one, unit in zip(before, units, strict=True)
    ]
    moved = held + np.concatenate(drawn, axis=1)
    answers = found.volts / second[0].design.v_per_logit
    np.testing.assert_allclose(answers, build.spec.forward_volts(volts), atol=2e-3)
    for at, deck in zip(build.sections[1].outputs, second, strict=True):
        own = noise_of_design(deck.design, held, LOUD)
        passed = points_of(deck.design, moved)[-1].outputs.var(axis=0)
        np.testing.assert_allclose(
            found.rms[0, slice(*at)] ** 2, own.rms[0] ** 2 + passed, rtol=0.05
        )
    np.testing.assert_allclose(found.shares.sum(axis=(1, 2)), found.rms**2, rtol=1e-9)


def test_a_convolutions_noise_reaches_the_outputs_through_every_position(tmp_path):
    """Each section's own noise, position by position, through slopes found by moving what is held
    a little: patches overlap, so a held value reaches several positions."""
    spec = convolutional_spec()
    build = write_build(spec, Hardware(), tmp_path / "conv.build", most=100_000)
    volts = spec.dac_volts(random_inputs(5, 1, 60))
    decks = [[*build.decks(section)] for section in build.sections]

    def held_after(start: int, held: np.ndarray) -> np.ndarray:
        for section, (deck,) in zip(build.sections[start:], decks[start:], strict=True):
            out = points_of(deck.design, section.points(held))[-1].outputs
            unit = 1.0 if section is build.sections[-1] else deck.design.v_per_logit
            held = out.reshape(len(held), -1) / unit
        return held

    wanted, held = np.zeros((3, 3)), volts
    for k, (section, (deck,)) in enumerate(zip(build.sections, decks, strict=True)):
        own = noise_of_design(deck.design, section.points(held), FEW).covariance
        unit = 1.0 if section is build.sections[-1] else deck.design.v_per_logit
        out = points_of(deck.design, section.points(held))[-1].outputs
        held = out.reshape(1, -1) / unit
        nudged = held + 1e-7 * np.eye(held.size)
        slopes = (held_after(k + 1, nudged) - held_after(k + 1, held)) / 1e-7
        by_position = slopes.reshape(len(own), -1, 3)
        wanted += np.einsum("pco,pcd,pdq->oq", by_position, own / unit**2, by_position)
    found = noise_of(build, volts, FEW)
    np.testing.assert_allclose(found.covariance[0], wanted, rtol=0.01)
    np.testing.assert_allclose(found.shares.sum(axis=(1, 2)), found.rms**2, rtol=1e-9)


# ---- what it does to answers


def test_flips_are_those_of_draws_from_all_rivals_together():
    """Three classes whose noises correlate, 200,000 draws; and where bounds meet, they are it."""
    volts = np.array([[0.01, 0.0, 0.002], [1.0, 0.0, 0.5]])
    one = 1e-4 * np.array([[1.0, 0.5, -0.3], [0.5, 1.0, 0.2], [-0.3, 0.2, 1.0]])
    found = flips_of(volts, np.stack([one, one]))
    drawn = np.random.default_rng(0).multivariate_normal(volts[0], one, 200_000)
    assert found.probability[0] == pytest.approx((drawn.argmax(axis=1) != 0).mean(), abs=0.004)
    assert found.how.tolist() == ["exact", "bound"]
    assert found.probability[1] < 1e-100
    assert found.rival.tolist() == [2, 2] and found.winner.tolist() == [0, 0]
    # variance of a difference, and not of two that know nothing of each other
    assert found.margin_noise[0] == pytest.approx(math.sqrt(1e-4 * (2 + 0.6)))


def test_two_classes_need_no_integral():
    found = flips_of(np.array([[0.0, 0.01]]), np.array([1e-4 * np.eye(2)]))
    assert found.how[0] == "exact"
    assert found.probability[0] == pytest.approx(0.2397500610934768)  # Phi(-1 / sqrt(2))


def test_snr_is_of_signal_about_its_mean():
    volts = np.array([[0.0, 5.0], [2.0, 7.0]])
    assert snr_db(volts, np.full((2, 2), 0.1)) == pytest.approx(20.0)


def test_noise_of_a_regression_is_in_its_unit(tmp_path):
    targets = Targets(low=(0.0,), high=(200.0,), names=("temperature",), units=("degC",))
    spec = replace(random_spec(4, (5, 4, 1)), targets=targets)
    build = write_build(spec, Hardware(), tmp_path / "net.build")
    noise = noise_of(build, volts_of(spec, 1), FEW)
    found = rms_in_units(build, noise)
    np.testing.assert_allclose(found, 100 * noise.rms / build.design.v_per_logit)
    logits = write_build(random_spec(4), Hardware(), tmp_path / "logits.build")
    sentence = "net4 is no regression: its outputs are logits, without a unit"
    with pytest.raises(StudyError, match=f"^{sentence}$"):
        rms_in_units(logits, noise)


# ---- ngspice, and what it cannot take


@pytest.fixture(scope="module")
def build(ngspice, tmp_path_factory) -> ak.Build:
    folder = tmp_path_factory.mktemp("noise")
    return write_build(random_spec(4, (5, 4, 3)), Hardware(), folder / "net.build")


def test_ngspice_judges_the_winner_its_rival_and_their_margin(build, tmp_path):
    volts = np.random.default_rng(2).uniform(0.0, 0.7, (2, 5))
    noise = noise_of(build, volts, FEW)
    found = judge_noise(build, volts, noise, 1, FEW, keep=tmp_path)
    assert [one.differs < 0.004 for one in found] == [True] * 3
    assert re.fullmatch(r"v\(l1_y\d,l1_y\d\)", found[2].probe)


def test_the_analysis_is_declared_drawn_and_kept(build, tmp_path):
    image = random_images(2, 4, 5)[2]
    found = ak.analyse(build, image, "noise", out=tmp_path / "run")
    table = found.table()
    np.testing.assert_allclose(table["ngspice_v_rms"], table["twin_v_rms"], rtol=0.004)
    assert sum(one["share"] for one in found.summary["shares"]) == pytest.approx(1.0)
    assert found.summary["assumed"]["e_n"] == 1e-8
    assert found.plot() is not None
    assert any("three standard deviations of a kink" in said for said in found.closing())


def test_klu_asked_for_noise_is_refused(build):
    design = build.design
    sentence = "analysis noise: ngspice refuses it with .option klu in the deck: write it with "
    with pytest.raises(CompileError, match=f"^{re.escape(sentence)}"):
        spice.write_run(design, "noise", [], ["noise", "v(l1_y0)", "v_l0_v0"], ["onoise_spectrum"])
    run = ["noise", "v(l1_y0)", "v_l0_v0", "dec", "1", "1", "10"]
    assert "klu" not in spice.write_run(design, "noise", [], run, ["onoise_spectrum"], direct=False)


def test_ideal_amplifiers_are_refused(tmp_path):
    design = build_design(random_spec(3), Hardware(opamp="ideal"))
    sentence = (
        "opamp = ideal declares no bandwidth, and settling and noise need one: compile with --set"
    )
    with pytest.raises(SimulationError, match=f"^{re.escape(sentence)}"):
        noise_of_design(design, volts_of(random_spec(3), 1), FEW)


def steepest_fall_of(design: Design) -> np.ndarray:
    """Inputs (1, I) that put the first diodes on the steepest fall of their curve."""
    curve = design.stages[0].curves[0]
    k = (np.diff(curve.i) / np.diff(curve.v)).argmin()
    return np.full((1, design.stages[0].shape[0]), curve.v[k : k + 2].mean())


def test_an_amplifier_that_oscillates_is_named():
    """Diodes twice as strong as those that its capacitor was sized for."""
    made = chip(random_spec(3), Variation(trim="none"))
    first = made.stages[0]
    assert first.errors is not None
    strong = replace(first.errors, k_i=2 * np.ones_like(first.errors.k_i))
    stage = replace(first, errors=strong, c_f=np.zeros_like(first.c_f))
    design = replace(made, stages=(stage, *made.stages[1:]))
    sentence = (
        r"layer 0: the amplifier of row \d, \d oscillates \(a pole at .* 1/s\), so its noise "
    )
    with pytest.raises(SimulationError, match=f"^{sentence}"):
        noise_of_design(design, steepest_fall_of(made), replace(FEW, zeta=0.0))


def test_what_no_number_of_frequencies_resolves_is_refused(monkeypatch):
    monkeypatch.setattr(noise_module, "MOST_PER_DECADE", 40)
    design = build_design(random_spec(3), Hardware())
    bare = [replace(stage, c_f=np.zeros_like(stage.c_f)) for stage in design.stages]
    sentence = r"noise: 40 frequencies a decade still move an output's rms by .* %, more than 0.5 %"
    with pytest.raises(ConvergenceError, match=f"^{sentence}"):
        noise_of_design(
            replace(design, stages=tuple(bare)),
            steepest_fall_of(design),
            replace(FEW, zeta=0.0, c_in=1e-9),
        )


def test_a_deck_of_every_wire_segment_is_refused_by_ngspice_alone(ngspice, tmp_path):
    spec = random_spec(3)
    wired = {name: Hardware(r_wire=20.0, wires=name) for name in ("reduced", "explicit")}
    volts = volts_of(spec, 1)
    one, other = (noise_of_design(build_design(spec, hw), volts, FEW).rms for hw in wired.values())
    np.testing.assert_array_equal(one, other)
    build = write_build(spec, wired["explicit"], tmp_path / "wired.build")
    sentence = "noise in ngspice: a deck of wires = explicit takes hours without KLU, which .noise "
    with pytest.raises(SimulationError, match=f"^{re.escape(sentence)}"):
        ask_noise(build, volts[0], ["l1_y0"], FEW, keep=tmp_path)


def test_several_decks_are_not_one(ngspice, tmp_path):
    held = write_build(random_spec(4, (5, 4, 3)), Hardware(), tmp_path / "net.build", most=60)
    with pytest.raises(NetlistError, match="and one deck is needed here"):
        ask_noise(held, volts_of(held.spec, 1)[0], ["l1_y0"], FEW, keep=tmp_path)


@pytest.mark.campaign
def test_mnist_d2_is_as_noisy_as_500_draws_and_as_ngspice(ngspice, tmp_path):
    """The shipped network, 1,558 states: Lyapunov's equation, draws, ``.noise`` of two images."""
    build = ak.compile("mnist-d2", tmp_path / "d2.build")
    images = ak.load_bundled()[:2]
    volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape))
    assumed = Assumptions()
    noise = noise_of(build, volts, assumed)
    for image in range(2):
        for one in judge_noise(build, volts, noise, image, assumed, keep=tmp_path):
            assert one.differs < 0.004, one
    exact = StateSpace(build.design, points_of(build.design, volts[:1]), assumed)
    scale = np.sqrt(np.outer(noise.rms[0], noise.rms[0]))
    np.testing.assert_allclose(exact.covariance() / scale, noise.covariance[0] / scale, atol=1e-3)
    np.testing.assert_allclose(exact.draws(500, 0).std(axis=0), noise.rms[0], rtol=0.1)
