"""DACs, ADCs and holds: what they do to chips, in decks and twin alike, and what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from re import escape
from typing import Any

import numpy as np
import pytest
from scipy import stats

import analogkan as ak
from analogkan import resources
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.circuit import Circuit, Link
from analogkan.compiler.converters import (
    BOLTZMANN,
    Adcs,
    Sampling,
    bent,
    dac_ends,
    dacs_of,
    digital,
    rounded,
)
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware, load_hardware
from analogkan.compiler.holds import DOUBLES_K
from analogkan.compiler.sections import whole
from analogkan.engines.chip_engines import (
    NgspiceEngine,
    TwinEngine,
    chain_logits,
    keep_decks,
)
from analogkan.errors import SettingsError, SimulationError
from analogkan.imperfections import Conditions, Variation
from analogkan.imperfections.make import perturb, perturb_chain
from analogkan.network import checkpoint
from analogkan.network.encoding import Encoding
from analogkan.physics import Assumptions
from analogkan.physics.noise_held import noise_of
from analogkan.physics.power import power_of
from analogkan.physics.supply import conversions, work_of
from analogkan.streams import Place
from analogkan.studies.bench import Bench
from analogkan.studies.points import montecarlo_points
from analogkan.studies.trial import Trial, evaluate
from analogkan.training.through_chips import ThroughChips

from .chips import EVERYTHING, errors_of
from .conftest import SHARED_DATA
from .convolutions import convolutional_images, convolutional_spec
from .networks import random_images, random_spec

HARDWARE = Hardware(
    dac_bits=5, adc_bits=6, adc_range=2.0, c_dac=1e-15, c_adc=1e-15, c_hold=1e-15, t_position=1e-6
)
OF_DACS: dict[str, float] = {
    "dac_gain_sigma": 0.01, "dac_offset_sigma": 1e-3, "dac_dnl_sigma": 0.3, "dac_inl_sigma": 0.5,
    "dac_ktc": 1.0,
}  # fmt: skip
OF_ADCS: dict[str, float] = {
    "adc_gain_sigma": 0.05, "adc_offset_sigma": 0.05, "adc_dnl_sigma": 0.5, "adc_inl_sigma": 1.0,
    "adc_ktc": 10.0,
}  # fmt: skip
OF_HOLDS: dict[str, dict[str, float]] = {
    "hold_offset_sigma": {"hold_offset_sigma": 1e-3},
    "hold_leakage": {"hold_leakage": 1e-12},
    "hold_leakage_sigma": {"hold_leakage": 1e-12, "hold_leakage_sigma": 0.3},
    "hold_injection": {"hold_injection": 1e-18},
    "hold_injection_slope": {"hold_injection_slope": 1e-17},
    "hold_injection_sigma": {"hold_injection": 1e-18, "hold_injection_sigma": 0.2},
    "hold_ktc": {"hold_ktc": 1.0},
}
"""What each needs beside."""
ALL_HOLDS = {name: value for one in OF_HOLDS.values() for name, value in one.items()}
ALL = OF_DACS | OF_ADCS | ALL_HOLDS
DENSE, DENSE_IMAGES = random_spec(4, (6, 5, 4)), random_images(1, 20, 6, classes=4)


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return write_build(DENSE, HARDWARE, tmp_path_factory.mktemp("dense") / "d.build")


@pytest.fixture(scope="module")
def conv(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("conv") / "c.build"
    return write_build(convolutional_spec(), HARDWARE, folder, most=10_000)


def made(build: Build, variation: Variation, sample: int = 1) -> Circuit:
    return perturb_chain(build.circuit(), variation, Conditions(), seed=0, sample=sample)[0]


def shown(build: Build, images: ak.ImageSet) -> np.ndarray:
    volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape))
    return rounded(build.spec, build.hardware, volts)


# ---- in both engines


@pytest.mark.parametrize("temp_c", [-40.0, 26.85, 125.0])
@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_the_twin_is_what_ngspice_simulates_with_all_on(kind, temp_c, ngspice, tmp_path, request):
    build: Build = request.getfixturevalue(kind)
    images = DENSE_IMAGES if kind == "dense" else convolutional_images(2, 4)
    own = OF_DACS | OF_ADCS | (ALL_HOLDS if kind == "conv" else {})
    everything = EVERYTHING.document() | own
    chip, volts = made(build, Variation(**everything)), shown(build, images)
    twin = chain_logits(TwinEngine(), chip, volts, images.index, temp_c)
    engine = NgspiceEngine(ngspice, tmp_path / "failed")
    circuit = chain_logits(engine, chip, volts, images.index, temp_c)
    assert np.abs(twin - circuit).max() < (1e-6 if ngspice.klu else 1e-5) * np.abs(twin).max()
    exact = made(build, EVERYTHING)
    without = chain_logits(TwinEngine(), exact, volts, images.index, temp_c)
    assert np.abs(twin - without).max() > 1e-3 * np.abs(twin).max()


def decks(build: Build, chip: Circuit, images: ak.ImageSet, ngspice: Any, keep: Path) -> str:
    """All that ngspice is given for a chip, each circuit's by itself."""
    engine = NgspiceEngine(ngspice, keep)
    kept = keep_decks(engine, chip, shown(build, images), images.index, 26.85)
    told = [p.read_text() for deck in kept for p in sorted(deck.parent.glob("*.*"))]
    return "\n".join(told)


@pytest.mark.parametrize("name", OF_DACS)
def test_each_error_of_dacs_is_in_the_deck(name, dense, ngspice, tmp_path):
    images = DENSE_IMAGES.take(np.arange(3))
    alone = made(dense, Variation(**{name: OF_DACS[name]}))
    none = made(dense, Variation())
    found = decks(dense, alone, images, ngspice, tmp_path / "a")
    assert found != decks(dense, none, images, ngspice, tmp_path / "b")
    volts, index = shown(dense, images), images.index
    twin = chain_logits(TwinEngine(), alone, volts, index, 26.85)
    engine = NgspiceEngine(ngspice, tmp_path / "failed")
    circuit = chain_logits(engine, alone, volts, index, 26.85)
    assert np.abs(twin - circuit).max() < 1e-6 * np.abs(twin).max()
    exact = chain_logits(TwinEngine(), none, volts, index, 26.85)
    assert np.abs(twin - exact).max() > 1e-4 * np.abs(twin).max()


@pytest.mark.parametrize("name", OF_HOLDS)
def test_each_error_of_holds_is_in_the_deck_of_what_follows(name, conv, ngspice, tmp_path):
    images = convolutional_images(2, 2)
    alone = made(conv, Variation(**OF_HOLDS[name]))
    before = {key: value for key, value in OF_HOLDS[name].items() if key != name}
    none = made(conv, Variation(**before))
    found = decks(conv, alone, images, ngspice, tmp_path / "a")
    assert found != decks(conv, none, images, ngspice, tmp_path / "b")
    volts, index = shown(conv, images), images.index
    twin = chain_logits(TwinEngine(), alone, volts, index, 26.85)
    engine = NgspiceEngine(ngspice, tmp_path / "failed")
    circuit = chain_logits(engine, alone, volts, index, 26.85)
    assert np.abs(twin - circuit).max() < 1e-6 * np.abs(twin).max()
    exact = chain_logits(TwinEngine(), none, volts, index, 26.85)
    assert np.abs(twin - exact).max() > 1e-6 * np.abs(twin).max()


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_hardware_of_converters_alone_changes_no_byte_of_a_chip_s_decks(
    kind, ngspice, tmp_path, request
):
    build: Build = request.getfixturevalue(kind)
    images = DENSE_IMAGES if kind == "dense" else convolutional_images(2, 2)
    most = None if kind == "dense" else 10_000
    plain = write_build(build.spec, Hardware(), tmp_path / "p.build", most=most)
    volts, index = shown(plain, images), images.index
    for variation in (Variation(), EVERYTHING):
        texts = []
        for k, one in enumerate((build, plain)):
            engine = NgspiceEngine(ngspice, tmp_path / f"{len(texts)}{k}{variation.off}")
            kept = keep_decks(engine, made(one, variation), volts, index, 85.0)
            files = [sorted(deck.parent.glob("*.*")) for deck in kept]
            texts.append([path.read_bytes() for of_deck in files for path in of_deck])
        assert texts[0] == texts[1]


def test_adcs_change_what_is_read_and_nothing_before(dense, ngspice, tmp_path):
    images = DENSE_IMAGES.take(np.arange(3))
    volts, index, none = shown(dense, images), images.index, made(dense, Variation())
    analog = chain_logits(TwinEngine(), none, volts, index, 26.85)
    for name, value in OF_ADCS.items():
        alone = made(dense, Variation(**{name: value}))
        found = decks(dense, alone, images, ngspice, tmp_path / name)
        assert found == decks(dense, none, images, ngspice, tmp_path / "none")
        assert np.array_equal(chain_logits(TwinEngine(), alone, volts, index, 26.85), analog)
        read, _ = digital(alone, analog, index, 26.85)
        assert not np.array_equal(read, digital(none, analog, index, 26.85)[0])


def test_codes_that_are_looked_up_are_volts_that_are_driven(dense):
    quiet = made(dense, Variation(**OF_DACS | {"dac_ktc": 0.0})).links[0].design
    dacs, volts, index = dacs_of(quiet), shown(dense, DENSE_IMAGES), DENSE_IMAGES.index
    assert dacs is not None and dacs.looked_up
    assert len(np.unique(volts)) < 32 <= len(volts) * 2
    many = np.tile(volts, (4, 1))
    looked = TwinEngine().logits(quiet, many, np.tile(index, 4), 26.85)[: len(volts)]
    driven = dacs.drive(volts, index, 26.85)
    bare = made(dense, Variation()).links[0].design
    assert np.allclose(looked, TwinEngine().logits(bare, driven, index, 26.85), rtol=0, atol=1e-12)


# ---- DACs


def test_a_value_is_rounded_to_the_nearest_code_and_both_ends_are_codes():
    x = np.arange(256)[:, None] * np.ones((1, 6))
    volts = DENSE.dac_volts(x)
    for bits in (1, 3, 8):
        found = rounded(DENSE, Hardware(dac_bits=bits), volts)
        step = 0.7 / (2**bits - 1)
        assert np.abs(found - volts).max() <= step / 2 + 1e-15
        assert len(np.unique(found)) == 2**bits
        assert (found[0] == 0.0).all() and np.allclose(found[-1], 0.7, rtol=0, atol=1e-15)
    assert np.allclose(rounded(DENSE, Hardware(dac_bits=8), volts), volts, rtol=0, atol=1e-15)
    assert rounded(DENSE, Hardware(), volts) is volts
    middle = np.full((1, 6), 0.35)  # between codes 0 and 1 of a bit
    assert (rounded(DENSE, Hardware(dac_bits=1), middle) == 0.0).all()


def test_dacs_with_taps_have_the_ends_of_their_own():
    taps = ((0.0, 0.7), (0.5, -0.1))
    encoding = Encoding(x_lo=0, x_hi=1, v_lo=-0.1, v_hi=0.7, shape=(3,), taps=taps, used=(0, 1, 3))
    spec = replace(random_spec(3, (3, 2), n_calibration=0), encoding=encoding)
    low, high = dac_ends(spec)
    assert low.tolist() == [0.0, -0.1, -0.1] and high.tolist() == [0.7, 0.5, 0.5]


def test_ground_is_within_the_range_of_dacs_around_whose_map_it_is():
    spec = convolutional_spec()
    low, high = dac_ends(replace(spec, encoding=replace(spec.encoding, v_lo=0.2)))
    assert low.shape == (60,) and (low == 0.0).all() and (high == 0.7).all()


def test_inl_is_the_sum_of_the_steps_errors_less_the_line_between_its_ends():
    rng = np.random.default_rng(0)
    found = bent(rng.normal(0, 0.3, (2000, 63)), np.zeros(2000))
    assert np.allclose(found[:, [0, -1]], 0, rtol=0, atol=1e-12)
    steps = np.diff(found, axis=1)
    assert steps.std() == pytest.approx(0.3 * np.sqrt(1 - 1 / 63), rel=0.01)
    k = 31  # of a bridge: sigma^2 k (n - k) / n
    assert found[:, k].std() == pytest.approx(0.3 * np.sqrt(k * (63 - k) / 63), rel=0.05)
    bowed = bent(np.zeros((1, 64)), np.array([2.0]))[0]
    assert bowed.argmax() == 32 and bowed[32] == 2.0 and bowed[16] == 1.5


def test_what_a_dac_gives_is_its_code_s_step_with_gain_and_offset(dense):
    dacs = dacs_of(made(dense, Variation(**OF_DACS | {"dac_ktc": 0.0})).links[0].design)
    assert dacs is not None and dacs.inl is not None
    step = 0.7 / 31
    for dac, code in ((0, 0), (3, 17), (5, 31)):
        wanted = (code + dacs.inl[dac, code]) * step * (1 + dacs.gain[dac]) + dacs.offset[dac]
        found = dacs.real(np.array([code * step]), np.array([dac]))
        assert found[0] == pytest.approx(wanted, abs=1e-15)


def test_errors_of_dacs_are_normal_and_those_that_they_always_were():
    spec = random_spec(0, (500, 2), n_dev=1)
    design = build_design(spec, HARDWARE)
    chip, _ = perturb(design, Variation(**OF_DACS), Conditions(), spec=spec, seed=0, sample=0)
    dacs = dacs_of(chip)
    assert dacs is not None and dacs.inl is not None
    assert stats.kstest(dacs.gain / 0.01, "norm").pvalue > 0.01
    assert stats.kstest(dacs.offset / 1e-3, "norm").pvalue > 0.01
    told = hashlib.sha256()
    for array in (dacs.gain, dacs.offset, dacs.inl):
        told.update(np.ascontiguousarray(array, np.float32).tobytes())
    assert told.hexdigest()[:16] == "eb1514d47e5b816a"


def test_circuits_that_share_inputs_have_the_same_dacs_and_adcs_of_their_own(tmp_path):
    build = write_build(DENSE, HARDWARE, tmp_path / "s.build", most=30)
    chip = made(build, Variation(**OF_DACS | OF_ADCS))
    sections = chip.sections()
    first, last = sections[0][1], sections[-1][1]
    assert len(first) > 1 and len(last) > 1
    dacs = [dacs_of(link.design) for link in first]
    assert all(one is not None and np.array_equal(one.gain, dacs[0].gain) for one in dacs)
    assert all(dacs_of(link.design) is None for link in last)
    gains = [errors_of(link.design.stages[-1]).adcs.gain for link in last]
    assert len(np.unique(np.concatenate(gains))) == 4
    assert all(errors_of(link.design.stages[-1]).adcs is None for link in first)


# ---- noise of samples


def test_samples_have_the_noise_of_their_capacitor_at_its_temperature():
    place = Place(seed=1, sample=2, layer=0)
    one = Sampling(times=2.0, farads=1e-12, place=place, stream=99999)
    index = np.arange(3000)
    for temp_c in (-40.0, 125.0):
        drawn = one.volts(index, 20, temp_c) / (2 * np.sqrt(BOLTZMANN * (temp_c + 273.15) / 1e-12))
        assert stats.kstest(drawn.ravel(), "norm").pvalue > 0.01
    some = np.array([2999, 7, 1000])
    assert np.array_equal(one.volts(some, 20, 27.0), one.volts(index, 20, 27.0)[some])


def test_a_pixel_s_sample_is_one_at_all_positions_of_an_image(conv):
    images = convolutional_images(2, 3)
    link = made(conv, Variation(dac_ktc=1.0)).links[0]
    dacs, patches = dacs_of(link.design), link.section.patches
    assert dacs is not None and patches is not None
    volts = shown(conv, images)
    points, numbers = link.section.points(volts), link.section.numbers(images.index)
    off = dacs.drive(points, numbers, 26.85) - points
    seen = patches.index()
    assert (off.reshape(3, *seen.shape)[:, seen < 0] == 0).all()
    for image in off.reshape(3, *seen.shape):
        for pixel in (0, 11, 30):
            assert len(np.unique(np.round(image[seen == pixel], 12))) == 1
    assert len(np.unique(np.round(off[off != 0], 12))) > 3 * 40


# ---- ADCs


def adcs(**given: Any) -> Adcs:
    at: dict[str, Any] = {"unit": 0.5, "bits": 3, "v_range": 1.0} | given
    return Adcs(gain=np.zeros(2), offset=np.zeros(2), **at)


def test_an_adc_is_mid_tread_and_ends_one_step_below_its_range():
    volts = np.array([-1.2, -1.0, -0.13, -0.12, 0.0, 0.12, 0.13, 0.62, 0.87, 0.88, 3.0])
    read, beyond = adcs().read(np.stack([volts, volts], axis=1) / 0.5, np.arange(11), 26.85)
    wanted = [-1.0, -1.0, -0.25, 0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 0.75, 0.75]
    assert (read[:, 0] * 0.5).tolist() == wanted
    assert beyond[:, 1].tolist() == [True, *[False] * 8, True, True]


def test_a_code_is_the_number_of_thresholds_below_the_input_even_where_they_cross():
    inl = np.zeros((2, 7))
    inl[1] = [0, 0, 1.5, 0, 0, 0, 0]  # the third above the fourth: a code is never read
    volts = np.linspace(-1.1, 1.1, 400)
    one = adcs(inl=inl)
    read, _ = one.read(np.stack([volts, volts], axis=1) / 0.5, np.arange(400), 26.85)
    even, _ = adcs().read(np.stack([volts, volts], axis=1) / 0.5, np.arange(400), 26.85)
    assert np.array_equal(read[:, 0], even[:, 0])
    assert (np.diff(read[:, 1]) >= 0).all() and not np.array_equal(read[:, 1], even[:, 1])
    thresholds = np.sort(np.arange(-3.5, 3.5) + inl[1]) * 0.25
    wanted = (volts[:, None] > thresholds).sum(axis=1) - 4
    assert np.array_equal(read[:, 1] * 0.5 / 0.25, wanted)


def test_ties_and_saturation_are_counted_and_the_first_of_a_tie_is_taken(dense):
    logits = np.array([[0.31, 0.1, 0.31, 0.0], [9.0, -9.0, 0.0, 0.0], [0.0, 0.2, 0.21, 0.0]])
    unit = dense.design.v_per_logit
    circuit = of_hardware(dense.circuit(), adc_bits=2, adc_range=0.4 * unit)
    read, counted = digital(circuit, logits, np.arange(3), 26.85)
    assert counted == {"adc_saturated": 4, "adc_ties": 2}
    assert np.allclose(read[0], [0.2, 0.2, 0.2, 0.0]) and read[0].argmax() == 0
    exact = of_hardware(dense.circuit(), adc_bits=0)
    assert digital(exact, logits, np.arange(3), 26.85)[0] is logits


def of_hardware(circuit: Circuit, **changed: Any) -> Circuit:
    """The same circuits, of other converters."""
    hardware = replace(circuit.hardware, **changed)
    links = (replace(a, design=replace(a.design, hardware=hardware)) for a in circuit.links)
    return Circuit(tuple(links))


def test_rows_are_of_digital_logits_and_the_judge_of_analog_ones(dense):
    variation = Variation(**OF_DACS | OF_ADCS)
    bench = Bench(dense, DENSE_IMAGES, TwinEngine(), compensate="each")
    point = montecarlo_points(HARDWARE, variation, Conditions(), 1)[0]
    row, analog = bench.evaluate(point), bench.logits(point)
    read, counted = digital(bench.chip(point)[0], analog, DENSE_IMAGES.index, 26.85)
    assert row["accuracy"] == (read.argmax(axis=1) == DENSE_IMAGES.y).mean()
    assert row["max_abs_logit_error"] == np.abs(read - bench.software).max()
    assert {name: row[name] for name in counted} == counted
    assert np.abs(read - analog).max() > 0.01 * np.abs(analog).max()
    few = montecarlo_points(replace(HARDWARE, dac_bits=2), variation, Conditions(), 1)[0]
    assert len(np.unique(bench.volts_of(few.hardware))) == 4
    assert bench.volts_of(few.hardware) is bench.volts_of(few.hardware)
    plain = montecarlo_points(Hardware(), Variation(), Conditions(), 1)[0]
    assert "adc_ties" not in bench.evaluate(plain)


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_a_study_with_all_on_is_judged_in_either_engine(kind, ngspice, tmp_path, request):
    build: Build = request.getfixturevalue(kind)
    images = DENSE_IMAGES if kind == "dense" else convolutional_images(2, 5)
    own = OF_DACS | OF_ADCS | (ALL_HOLDS if kind == "conv" else {})
    given: dict[str, Any] = {"samples": 2, "variation": own}
    twin = ak.montecarlo(build, images, judge="2x4", out=tmp_path / "t", **given)
    assert twin.summary["judge"]["passed"] is True
    assert twin.summary["adc_ties_mean"] is not None
    spice = ak.montecarlo(build, images, engine="ngspice", out=tmp_path / "n", **given)
    assert spice.summary["judge"]["passed"] is True
    assert [row["accuracy"] for row in spice.rows] == [row["accuracy"] for row in twin.rows]


@pytest.mark.parametrize(
    ("how", "kind", "own"),
    [
        ("two-point", "dense", {"adc_gain_sigma": 0.2}),
        ("columns", "conv", {"hold_injection": 5e-17}),
    ],
)
def test_calibration_measures_through_converters(how, kind, own, request):
    build: Build = request.getfixturevalue(kind)
    images = DENSE_IMAGES if kind == "dense" else convolutional_images(2, 5)
    fine = replace(HARDWARE, adc_bits=12, dac_bits=8)
    for point in montecarlo_points(fine, Variation(**own), Conditions(), 2):
        row = Bench(build, images, TwinEngine(), calibrate=how).evaluate(point)
        bare = Bench(build, images, TwinEngine()).evaluate(point)
        assert row["accuracy_uncalibrated"] == bare["accuracy"]
        assert row["rms_logit_error"] < 0.9 * bare["rms_logit_error"]


def test_simulate_rounds_and_reads_as_the_hardware_does(dense, ngspice, tmp_path):
    found = ak.simulate(dense, DENSE_IMAGES, out=tmp_path / "r")
    volts = shown(dense, DENSE_IMAGES)
    analog = chain_logits(TwinEngine(), dense.circuit(), volts, DENSE_IMAGES.index, 26.85)
    read, counted = digital(dense.circuit(), analog, DENSE_IMAGES.index, 26.85)
    assert np.array_equal(found.circuit, read)
    assert {name: found.summary[name] for name in counted} == counted
    assert np.array_equal(found.software, DENSE.logits(DENSE_IMAGES.x))
    assert found.summary["judge"]["passed"] is True
    noted = "ties of the largest digital logit (the first output is taken)"
    assert any(note.endswith(noted) for note in found.notes()) == (counted["adc_ties"] > 0)


# ---- holds


def test_a_held_value_is_what_its_turn_and_its_reader_s_turn_leave_of_it(conv):
    """Worked out value by value, position by position."""
    own = {**ALL_HOLDS, "hold_ktc": 0.0}
    temp_c, images = 56.85, convolutional_images(2, 2)
    chip, exact = made(conv, Variation(**own)), made(conv, Variation())
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def evaluate(link: Any, points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        seen.append((points, TwinEngine().logits(link.design, points, numbers, temp_c)))
        return seen[-1][1]

    chip.run(shown(conv, images), images.index, evaluate, temp_c)
    one, link, after = errors_of(chip.links[0].design.stages[-1]).holds, *chip.links[:2]
    assert one is not None and errors_of(exact.links[0].design.stages[-1]).holds is None
    patches, given = after.section.patches, seen[0][1].reshape(2, link.section.positions, -1)
    assert patches is not None
    warm = 2 ** (30 / DOUBLES_K)
    for p in range(patches.count):
        for i, value in enumerate(patches.index()[p]):
            at, column = divmod(int(value), given.shape[2])
            v = given[:, at, column] * (1 + one.share[at, column])
            v = v + one.volts[at, column] + one.offset[at, column]
            seconds = (link.section.positions - 1 - at + p + 1) * 1e-6
            v = v - warm * one.falls[at, column] * seconds
            found = seen[1][0].reshape(2, patches.count, -1)[:, p, i]
            assert np.allclose(found, v, rtol=0, atol=1e-12)


def test_what_holds_draw_is_of_capacitor_current_and_charge(conv):
    chip = made(conv, Variation(**{**ALL_HOLDS, "hold_leakage_sigma": 0.0}))
    one = errors_of(chip.links[0].design.stages[-1]).holds
    assert one is not None and one.falls == pytest.approx(1e-12 / 1e-15 + 0 * one.falls)
    assert one.share == pytest.approx(10 * one.volts)
    assert one.volts.mean() == pytest.approx(-1e-18 / 1e-15, rel=0.3)
    assert len(np.unique(one.offset)) == one.offset.size == 9 * 4
    assert errors_of(chip.links[-1].design.stages[-1]).holds is None


# ---- what is refused


@pytest.mark.parametrize(
    ("variation", "hardware", "sentence"),
    [
        ({"dac_dnl_sigma": 0.5}, {},
         "dac_dnl_sigma = 0.5 needs dac_bits, which is 0: set it, such as --set dac_bits=8"),
        ({"adc_inl_sigma": 0.5}, {},
         "adc_inl_sigma = 0.5 needs adc_bits, which is 0: set it, such as --set adc_bits=8"),
        ({"dac_ktc": 1}, {}, "dac_ktc = 1 needs c_dac, which is 0: set it, such as --set c_dac=1p"),
        ({"adc_ktc": 1}, {}, "adc_ktc = 1 needs c_adc, which is 0: set it, such as --set c_adc=1p"),
        ({"hold_leakage": 1e-12}, {"c_hold": 1e-12},
         "hold_leakage = 1e-12 needs t_position, which is 0: set it, such as --set "
         "t_position=2e-6"),
        ({"hold_injection": 1e-15}, {},
         "hold_injection = 1e-15 needs c_hold, which is 0: set it, such as --set c_hold=1p"),
        ({"hold_offset_sigma": 1e-3}, {},
         "hold_offset_sigma = 0.001 is of what holds values between circuits, and the network is "
         "one circuit: leave hold_offset_sigma out, or compile it with held stages (--held)"),
    ],
)  # fmt: skip
def test_errors_that_ask_for_what_is_not_there_are_refused(variation, hardware, sentence):
    design = build_design(DENSE, Hardware(**hardware))
    given: dict[str, Any] = {"spec": DENSE, "seed": 0, "sample": 0}
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        perturb(design, Variation(**variation), Conditions(), **given)
    link = Link(section=whole(DENSE)[0], share=0, spec=DENSE, design=design)
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        perturb_chain(
            Circuit((link,)), Variation(**variation), Conditions(), seed=0, sample=0
        )  # fmt: skip


def test_settings_that_do_not_go_together_are_refused():
    sentence = (
        "adc_range = 0.0 is out of range: above 0 with adc_bits = 8: give the volts at the ADCs' "
        "full scale"
    )
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        load_hardware("nominal", ["adc_bits=8"])
    sentence = (
        "hold_leakage_sigma = 0.3 is a share of hold_leakage, which is 0: set hold_leakage, or "
        "leave hold_leakage_sigma out"
    )
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        Variation(hold_leakage_sigma=0.3)


def test_datasheets_of_chips_whose_dacs_or_holds_err_are_refused(dense, conv):
    for build, own, words in (
        (dense, {"dac_gain_sigma": 0.1}, "errors of DACs"),
        (conv, {"hold_offset_sigma": 0.1}, "errors of holds"),
    ):
        chip = made(build, Variation(**own))
        volts = build.spec.dac_volts(build.spec.calibration[:2])
        sentence = f"power is not worked out of chips with {words}: leave that out"
        with pytest.raises(SimulationError, match=f"^{sentence}$"):
            power_of(build, volts, chips=[chip])


def test_what_training_cannot_go_through_is_refused():
    for hardware, own, name in (
        (Hardware(dac_bits=6), {"sigma_g": 0.1}, "dac_bits = 6"),
        (Hardware(), {"adc_gain_sigma": 0.1}, "adc_gain_sigma = 0.1"),
    ):
        sentence = f"{name}: training goes through chips with exact DACs and ADCs: leave"
        with pytest.raises(SettingsError, match=f"^{sentence}"):
            ThroughChips(hardware, Variation(**own), Conditions())


# ---- noise and energy of a datasheet and of a plan


def test_a_datasheet_s_samples_are_those_that_chips_draw(conv, dense):
    """k T / C of DACs and holds through the slopes, against reads; of ADCs at the end."""
    temp_c, n = 85.0, 1500
    given: dict[str, Any] = {"assumed": Assumptions(), "temp_c": temp_c}
    for build, image in (
        (dense, DENSE_IMAGES.take(np.arange(1))),
        (conv, convolutional_images(2, 2).take(np.arange(1))),
    ):
        volts = shown(build, image)
        noises = [
            noise_of(build, volts, chip=of_hardware(build.circuit(), **farads), **given)
            for farads in (
                {"c_dac": 0.0, "c_hold": 0.0, "c_adc": 0.0},
                {"c_dac": 1e-14, "c_hold": 1e-14, "c_adc": 0.0},
                {"c_dac": 0.0, "c_hold": 0.0, "c_adc": 1e-14},
            )
        ]
        none, driven, read = (noise.covariance[0] for noise in noises)
        kt = BOLTZMANN * (temp_c + 273.15)
        assert np.allclose(read - none, np.eye(len(none)) * kt / 1e-14, rtol=1e-9, atol=0)
        held = of_hardware(build.circuit(), c_dac=1e-14, c_hold=1e-14)
        own = {"dac_ktc": 1.0} | ({"hold_ktc": 1.0} if build is conv else {})
        chip, _ = perturb_chain(held, Variation(**own), Conditions(), seed=0, sample=0)
        many = np.repeat(volts, n, axis=0)
        logits = chain_logits(TwinEngine(), chip, many, np.arange(n), temp_c)
        last = build.circuit().links[-1].design
        wanted = np.sqrt(np.diag(driven - none)) / last.v_per_logit
        assert logits.std(axis=0) == pytest.approx(wanted, rel=4 / np.sqrt(2 * n))
        total = noises[1].shares[0].sum(axis=(0, 1))
        assert total == pytest.approx(np.diag(driven), rel=1e-6)


def test_a_conversion_s_energy_grows_with_its_codes_where_it_is_asked_to(dense):
    assumed = Assumptions(dac_energy=1e-12, dac_fom=1e-14, adc_fom=2e-14)
    work = work_of(dense)
    assert conversions(work, HARDWARE, assumed) == pytest.approx(
        (work.dacs * (1e-12 + 32e-14), work.outputs * 64 * 2e-14)
    )
    assert conversions(work, Hardware(), Assumptions(adc_energy=3e-12)) == (
        0.0, work.outputs * 3e-12
    )  # fmt: skip
    sentence = (
        "adc_fom = 2e-14 J is of each of 2^adc_bits steps, and adc_bits is 0: compile with --set "
        "adc_bits=8, or leave adc_fom out"
    )
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        conversions(work, Hardware(dac_bits=3), assumed)


def test_a_plan_s_candidate_has_the_energy_of_its_conversions(dense):
    bench, rows = Bench(dense, DENSE_IMAGES, TwinEngine()), []
    for fom in (0.0, 1e-12):
        own = Trial(assumed=Assumptions(dac_fom=fom, adc_fom=fom), chips=1, few=1)
        points = montecarlo_points(HARDWARE, Variation(), Conditions(), 1)
        rows.append(evaluate(bench, replace(points[0], sample=None, own=own)))
    none, all_of_it = (row["energy_j"] for row in rows)
    assert all_of_it - none == pytest.approx((6 * 32 + 4 * 64) * 1e-12, rel=1e-6)


@pytest.mark.campaign
def test_a_plan_moves_bits_to_where_they_cost_less(dense, tmp_path):
    fixed = {
        "v_rail": 2.4, "max_bias_rows": 31, "headroom": 0.79, "v_fs": 0.45, "gain_split": 0.1,
        "gbw_by_stage": 0.1, "r_diff": 20e3, "readout": "differences", "drop_rows": 0.0,
        "g_max": 25e-6, "gbw": 1e7, "adc_bits": 6,
    }  # fmt: skip
    found = ak.plan(
        dense, DENSE_IMAGES.take(np.arange(4)), loss=60, flips=1.0, tries=12, samples=1, few=1,
        judge="none", hardware=fixed, out=tmp_path / "p",
        assumptions={"dac_fom": 1e-10, "adc_fom": 1e-10, "zeta": 0.7},
    )  # fmt: skip
    assert {*found.values} == {"dac_bits"}
    assert found.chosen["energy_j"] < found.as_it_is["energy_j"]
    assert found.values["dac_bits"] < 5
    chosen = load_hardware(str(tmp_path / "p" / "planned.toml"))
    assert chosen.dac_bits == found.values["dac_bits"] and chosen.adc_range == 2.0


# ---- trained networks


@pytest.mark.campaign
@pytest.mark.parametrize("temp_c", [-40.0, 26.85, 125.0])
@pytest.mark.parametrize("name", ["mnist-d2", "paper-mnist-d2", "mnist-conv"])
def test_trained_networks_with_all_on_are_what_ngspice_simulates(name, temp_c, ngspice, tmp_path):
    spec = checkpoint.load_spec(resources.path(f"models/{name}.pt"))
    kind = "conv" if spec.convolutional else "dense"
    hardware = replace(HARDWARE, levels=32, dac_bits=8, c_hold=1e-12, c_dac=1e-12, c_adc=1e-12)
    most = 1_500_000 if spec.convolutional else None
    build = write_build(spec, hardware, tmp_path / "b.build", most=most)
    images = ak.load_bundled().take(np.arange(20 if kind == "dense" else 3))
    if kind == "conv":
        images = ak.load_dataset("mnist", "test", SHARED_DATA)[:3]
    own = (
        OF_DACS | OF_ADCS | (ALL_HOLDS | {"hold_injection_slope": 1e-15} if kind == "conv" else {})
    )
    chip, volts = made(build, Variation(**EVERYTHING.document() | own)), shown(build, images)
    twin = chain_logits(TwinEngine(), chip, volts, images.index, temp_c)
    engine = NgspiceEngine(ngspice, tmp_path / "failed")
    circuit = chain_logits(engine, chip, volts, images.index, temp_c)
    worst = np.abs(twin - circuit).max() / np.abs(twin).max()
    print(f"\n{name}, {temp_c:g} degC, {len(images)} images: {worst:.1e} of full scale")
    assert worst < 1e-6
