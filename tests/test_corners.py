"""Corners: where chips stand, the worst of a sphere, and what is kept of each."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan.cli import main
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.coordinates import Given, Key
from analogkan.engines.chip_engines import TwinEngine
from analogkan.engines.ngspice import Ngspice, own_environment
from analogkan.errors import (
    AnalogKanError,
    DerivativeError,
    NetlistError,
    SettingsError,
    StudyError,
)
from analogkan.files import sha256
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.imperfections.make import perturb_chain
from analogkan.network.targets import Targets
from analogkan.studies.bench import Bench
from analogkan.studies.corners_named import (
    CORNERS,
    MIDDLE,
    displaced,
    distance,
    drawn_groups,
    without_corner,
)
from analogkan.studies.corners_points import kept_coordinates
from analogkan.studies.corners_result import CornerErrors
from analogkan.studies.corners_worst import reach, search, weights
from analogkan.studies.kept_chips import load_coordinates, save_coordinates
from analogkan.studies.opened_chips import open_circuit
from analogkan.studies.points import Point
from analogkan.studies.scores import Event, margins

from .chips import EVERYTHING, errors_of
from .networks import random_images, random_spec

BY_NAME = {one.name: one for one in CORNERS}
ANY = Key(0, 0, 4, 0)
DRAWN = {"sigma_g": 0.05, "diode_sigma_current": 0.05, "offset_sigma": 1e-3}
ASKED: dict[str, Any] = {
    "preset": "nominal", "variation": DRAWN, "worst": 5, "yield_at": 0.3, "judge": "1x4",
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corners")
    write_build(random_spec(1), Hardware(), folder / "net.build")
    return folder


@pytest.fixture(scope="module")
def images() -> ak.ImageSet:
    return random_images(5, 20, 5)


@pytest.fixture(scope="module")
def found(home, images) -> Any:
    """Classical corners, and the worst chips for all images, for each class, and from a chip."""
    return ak.corners(home / "net.build", images, out=home / "run", **ASKED)


def shapes_of(variation: Variation, spec: Any = None) -> dict[Key, tuple[int, ...]]:
    from analogkan.coordinates import Listing

    listing = Listing({}, {})
    chip_at(listing, variation, spec)
    return listing.shapes


def chip_at(source: Any, variation: Variation, spec: Any = None) -> Any:
    chain = _chain(spec)
    return perturb_chain(chain, variation, Conditions(), seed=0, sample=0, source=source)[0]


def _chain(spec: Any = None) -> Any:
    from analogkan.compiler.circuit import Circuit, Link
    from analogkan.compiler.design import build_design
    from analogkan.compiler.sections import whole

    spec = spec or random_spec(1)
    design = build_design(spec, Hardware())
    return Circuit((Link(section=whole(spec)[0], share=0, spec=spec, design=design),))


# ---- where chips stand


def test_names_are_unlike_and_each_corner_is_of_groups_that_there_are():
    assert len(BY_NAME) == len(CORNERS)
    for one in CORNERS:
        assert re.fullmatch(r"[a-z-]{3,16}", one.name) and one.about
        assert set(one.signs.values()) <= {1, -1}


@pytest.mark.parametrize("sign", [1, -1])
def test_strong_diodes_are_all_alike_so_many_sigmas_from_their_type(sign):
    drawn = Variation(diode_sigma_current=0.05, diode_sigma_shift=0.002, sigma_g=0.1)
    corner = BY_NAME["strong" if sign > 0 else "weak"]
    chip = chip_at(Given(displaced(corner, shapes_of(drawn), 3, 26.85), MIDDLE), drawn)
    for stage in chip.stages:
        np.testing.assert_allclose(errors_of(stage).k_i, 1 + sign * 3 * 0.05, rtol=0, atol=1e-15)
        np.testing.assert_allclose(errors_of(stage).d_v, sign * 3 * 0.002, rtol=0, atol=1e-15)
    nominal = _chain()
    for stage, made in zip(nominal.stages, chip.stages, strict=True):
        np.testing.assert_array_equal(stage.g, made.g)


def test_a_field_is_alike_over_the_die():
    drawn = Variation(diode_sigma_current=0.05, diode_length=100.0)
    at = displaced(BY_NAME["strong"], shapes_of(drawn), 2, 26.85)
    chip = chip_at(Given(at, MIDDLE), drawn)
    for stage in chip.stages:
        np.testing.assert_allclose(errors_of(stage).k_i, 1.1, rtol=1e-12)


def test_drifts_of_offsets_add_to_them_at_every_temperature():
    shapes = shapes_of(Variation(offset_sigma=1e-3, offset_drift_sigma=5e-6))
    for temp_c, sign in ((125.0, 1), (-40.0, -1)):
        at = displaced(BY_NAME["offset-up"], shapes, 3, temp_c)
        assert {float(a.flat[0]) for k, a in at.items() if k.stream in (10, 13, 16)} == {3.0}
        assert {float(a.flat[0]) for k, a in at.items() if k.stream in (11, 14, 17)} == {3.0 * sign}


def test_what_no_corner_displaces_is_known_by_name():
    drawn = replace_(EVERYTHING, cell_tc1_sigma=5e-4, diode_slope_current=0.01)
    shapes = shapes_of(drawn)
    assert drawn_groups(shapes) == {
        "diodes", "cells", "gains", "offsets", "resistors", "pairs",
    }  # fmt: skip
    assert without_corner(shapes) == ["diodes", "temperature coefficients"]


def replace_(variation: Variation, **more: float) -> Variation:
    return Variation(**dict(variation._told()), **more)


# ---- the worst of a sphere


def test_a_linear_score_is_least_against_its_slope():
    slope = {ANY: np.array([3.0, 0.0, 4.0])}
    calls: list[Any] = []

    def score(at: Any) -> float:
        return 10.0 + float(sum((slope[key] * at[key]).sum() for key in at))

    worst = search(score, lambda at, width: calls.append(width) or slope, 2.5, {})
    np.testing.assert_allclose(worst.at[ANY], [-1.5, 0, -2.0])
    assert (worst.score, worst.settled, len(calls)) == (pytest.approx(10 - 12.5), True, 4)
    assert distance(worst.at) == pytest.approx(2.5)
    assert reach(lambda share: 10.0 - share * 12.5) == pytest.approx(0.8, abs=2**-11)


def test_a_bent_score_is_least_where_a_fine_grid_over_the_circle_has_it():
    angles = np.linspace(0, 2 * np.pi, 100_001)

    def bent(z: Any) -> Any:
        return 4 + z[0] + 0.5 * z[1] + 0.3 * z[0] * z[1] - 0.1 * z[1] ** 2

    def slope(at: Any, width: float) -> Any:
        z = at.get(ANY, np.zeros(2))
        return {ANY: np.array([1 + 0.3 * z[1], 0.5 + 0.3 * z[0] - 0.2 * z[1]])}

    worst = search(lambda at: float(bent(at.get(ANY, np.zeros(2)))), slope, 3.0, {})
    nearby = bent(3 * np.stack([np.cos(angles), np.sin(angles)]))
    lowest = np.sort(nearby[1:-1][(nearby[1:-1] < nearby[:-2]) & (nearby[1:-1] < nearby[2:])])
    assert np.abs(lowest - worst.score).min() < 1e-2


def test_a_score_without_a_slope_ends_the_search_at_once():
    worst = search(lambda at: 1.0, lambda at, width: {ANY: np.zeros(3)}, 3.0, {})
    assert worst.settled and worst.gradients == 1 and distance(worst.at) == 0


def test_the_way_to_a_good_chip_crosses_nothing_and_one_from_a_bad_chip_is_no_way():
    assert reach(lambda share: 1 - share / 2) is None
    assert reach(lambda share: -1.0) == 0.0


def test_weights_are_of_images_about_the_kth_smallest_margin():
    spec, rng = random_spec(1), np.random.default_rng(0)
    logits, labels = rng.normal(size=(40, 3)), np.arange(40) % 3
    event = Event.of(spec, 0.9, 40)
    of = weights(spec, event, labels, logits)
    of_images = margins(logits, labels)
    assert event.rank == 5
    np.testing.assert_allclose(of.sum(axis=1), 0, atol=1e-15)
    own = of[np.arange(40), labels]
    assert own.sum() == pytest.approx(1) and own.argmax() == np.argsort(of_images)[4]
    assert (of * logits).sum() == pytest.approx((own * of_images).sum())


def test_weights_of_a_regression_are_those_of_its_rmse():
    celsius = Targets(low=(0.0,), high=(100.0,), names=("temperature",), units=("degC",))
    spec = replace(random_spec(1, (5, 4, 1)), targets=celsius)
    logits, y = np.random.default_rng(0).normal(size=(2, 6, 1))
    event = Event.of(spec, 1.0, 6)
    of = weights(spec, event, y, logits)
    step = 1e-6 * of / np.linalg.norm(of)
    up, down = (event.score(spec, y, logits + s * step)[0] for s in (1, -1))
    other = np.roll(step, 1) - np.vdot(np.roll(step, 1), step) * step / np.vdot(step, step)
    across = [event.score(spec, y, logits + s * other)[0] for s in (1, -1)]
    assert up > down and abs(across[0] - across[1]) < 1e-6 * (up - down)


# ---- what is kept


def test_every_corner_of_what_is_drawn_is_judged_and_said(found):
    names = [one["name"] for one in found.corners]
    left = {"gains", "resistors", "pairs"}
    assert names[:-5] == [one.name for one in CORNERS if not left & {*one.signs}]
    assert found.left_out == [
        "no slow, slow-hot, slow-cold: gains are not drawn (opamp_gain_sigma)",
        "no pairs-up, pairs-down: pairs are not drawn (line_sigma or diff_gain_sigma)",
        "no resistors-high, resistors-low: resistors are not drawn (r_f_sigma or r_c_sigma)",
    ]
    assert found.judge["chips"] == len(names) and found.judge["share_of_full_scale"] < 1e-9
    listing = found.facts()
    assert listing.columns[-1] == "ngspice" and len(listing.rows) == len(names)
    by_name = {one["name"]: one for one in found.corners}
    assert by_name["strong-hot"]["temp_c"] == 125 and by_name["typical"]["distance"] == 0


def printed(folder: Path, ngspice: Ngspice, temp_c: float | None = None) -> list[float]:
    """What a plain run of a kept deck prints, at ``temp_c`` if that is asked for."""
    done = subprocess.run(
        [ngspice.path, "-b", "network.cir"], cwd=folder, env=own_environment(), text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert temp_c is None or f"TEMP = {temp_c:.6f}" in done.stdout
    return [float(value) for value in re.findall(r"v\(logit_\d+\) = (\S+)", done.stdout)]


def test_every_kept_deck_runs_under_plain_ngspice_and_prints_what_the_twin_says(found, ngspice):
    for one in found.corners:
        folder = found.run / one["build"]
        document = json.loads((folder / "chip.json").read_text())
        said = printed(folder, ngspice, one["temp_c"])
        np.testing.assert_allclose(said, document["image0"][""]["twin"], rtol=1e-5)
        head = (folder / "network.cir").read_text().splitlines()[0]
        assert head.startswith(f"* analogkan: corner {one['name']}: ")


def test_a_kept_chip_sweeps_its_images_and_is_told_whole(found, ngspice):
    folder = found.run / "corners" / "strong-hot.build"
    raw = folder.parent / "images.raw"
    subprocess.run(
        [ngspice.path, "-b", "-r", raw, "images.cir"], cwd=folder, env=own_environment(),
        capture_output=True, check=True,
    )  # fmt: skip
    vectors = ngspice.dialect.read(raw, points=None)
    with np.load(folder / "images.npz") as kept:
        assert len(kept["index"]) == 4
        for k in range(3):
            given = vectors[f"v(logit_{k})"]
            whole = given[np.isin(np.round(vectors["v(index)"], 6), np.arange(4))]
            np.testing.assert_allclose(whole, kept["twin"][:, k], rtol=0, atol=1e-9)
    document = json.loads((folder / "chip.json").read_text())
    assert set(document["coordinates"].values()) == {"diodes: diode_current"}
    assert document["files"] == {name: sha256(folder / name) for name in document["files"]}
    at = load_coordinates(folder / "coordinates.npz")
    assert distance(at) == pytest.approx(document["sigmas"]) and set(at) == {
        Key(*map(int, name.split("_"))) for name in document["coordinates"]
    }


@pytest.mark.parametrize("command", ["verify", "datasheet", "montecarlo"])
def test_a_kept_chip_is_no_network_and_nobody_takes_it_for_one(found, home, command):
    folder = found.run / "corners" / "strong.build"
    said = CliRunner().invoke(main, [command, str(folder)])
    sentence = (
        f"{folder} is one chip of a network, kept by a study, and a BUILD is wanted: `analogkan "
        f"simulate {folder}` runs it; the network that it is of is {home / 'net.build'}"
    )
    assert said.exit_code != 0 and said.stderr.strip() == f"error: {sentence}"
    with pytest.raises(NetlistError, match=f"^{re.escape(sentence)}$"):
        load_build(folder)


@pytest.mark.parametrize("name", ["strong-hot", "worst"])
def test_a_kept_chip_is_simulated_from_its_files_at_its_temperature(found, images, name, tmp_path):
    folder = found.run / "corners" / f"{name}.build"
    told = ak.simulate(folder, images, out=tmp_path / "run", progress=False)
    (corner,) = [one for one in found.corners if one["name"] == name]
    assert told.circuit_accuracy == corner["accuracy"]
    assert told.max_abs_logit_error == pytest.approx(corner["max_abs_logit_error"], rel=1e-6)
    judge = told.summary["judge"]
    assert judge["passed"] and judge["share_of_full_scale"] < 1e-8
    assert told.notes()[0].startswith(f"corner {name}: ") and "one chip of net1" in told.notes()[0]
    layer = folder / "layer0.cir"
    text = layer.read_text()
    layer.write_text(text.replace("ki=", "ki=1.01*", 1) if "ki=" in text else text + "* x\n")
    try:
        with pytest.raises(NetlistError, match=r"was edited after it was compiled: the comm"):
            ak.simulate(folder, images, out=tmp_path / "two", progress=False)
    finally:
        layer.write_text(text)


def test_a_chip_whose_network_was_compiled_anew_is_refused(found, home, tmp_path):
    folder = tmp_path / "strong.build"
    shutil.copytree(found.run / "corners" / "strong.build", folder)
    document = json.loads((folder / "chip.json").read_text())
    (folder / "chip.json").write_text(json.dumps(document | {"design": "0" * 64}))
    sentence = (
        f"{folder} is a chip of {home / 'net.build'}, which was compiled anew since: the command "
        "that kept the chip keeps one of it as it is now"
    )
    with pytest.raises(NetlistError, match=f"^{re.escape(sentence)}$"):
        open_circuit(folder)
    (folder / "chip.json").write_text(json.dumps(document | {"build": str(tmp_path / "gone")}))
    with pytest.raises(NetlistError, match="gone does not exist"):
        open_circuit(folder)
    (folder / "chip.json").write_text(json.dumps(document | {"temp_c": "hot"}))
    with pytest.raises(NetlistError, match=r"chip\.json is damaged \(temp_c"):
        open_circuit(folder)


def test_coordinates_come_back_as_they_were_and_others_are_refused(tmp_path):
    at = {Key(-1, 0, 7, 0): np.arange(3.0), Key(1, 2, 3_000_000_000, 4): np.ones((2, 2))}
    save_coordinates(tmp_path / "c.npz", at)
    back = load_coordinates(tmp_path / "c.npz")
    assert {key: array.tolist() for key, array in back.items()} == {
        key: array.tolist() for key, array in at.items()
    }
    np.savez(tmp_path / "d.npz", x=np.ones(2))
    said = f"{tmp_path / 'd.npz'} is damaged (it has x): remove it, and the same"
    with pytest.raises(StudyError, match=f"^{re.escape(said)} command looks for the chip again$"):
        load_coordinates(tmp_path / "d.npz")


# ---- what cannot be


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"sigmas": 0}, "sigmas = 0 is out of range: above 0, at most 10"),
        ({"sigmas": -1}, "sigmas = -1 is out of range: above 0, at most 10"),
        ({"sigmas": 1e9}, "sigmas = 1000000000.0 is out of range: above 0, at most 10"),
        (
            {"temps": "0,60"},
            "temps = 0, 60: corners take three temperatures, cold, typical and hot, such as "
            "-40,26.85,125",
        ),
        ({"temps": "-40,26.85,900"}, "temp_c = 900.0 is out of range: diode_law = linear holds "
         "from -55 to 150 degC: choose temperatures in there"),
        (
            {"conditions": {"temp_c": 20}},
            "temp_c is what corners varies: give its values with --temps",
        ),
        (
            {"preset": "nominal", "variation": None},
            "corners displaces what chance decides of a chip, and preset nominal draws nothing: "
            "give --preset rram, or --set sigma_g=0.05 and the like",
        ),
        (
            {"preset": "nominal", "variation": {"stuck_min": 0.01}},
            "corners displaces what chance decides of a chip, and preset nominal draws nothing but "
            "faults, which have no direction: give --preset rram, or --set sigma_g=0.05 and the "
            "like",
        ),
        (
            {"variation": {"sigma_g": 0.1, "stuck_min": 0.6}},
            "stuck_min = 0.6: corners are near the chip in the middle, and of so many parts that "
            "fail its own do: set stuck_min below 0.5",
        ),
        (
            {"yield_at": 0},
            "yield_at = 0 is an accuracy that every chip reaches, so none is a bad one: give one "
            "above 0",
        ),
    ],
)  # fmt: skip
def test_what_has_no_corners_is_refused(home, images, tmp_path, given, sentence):
    asked = {"worst": 0, "judge": "none", "out": tmp_path / "run"} | given
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}"):
        ak.corners(home / "net.build", images, **asked)
    assert not (tmp_path / "run").exists()


def test_faults_are_left_out_and_what_has_no_slope_is_said(home, images, tmp_path):
    drawn = {"sigma_g": 0.05, "stuck_min": 0.2, "trim": "dark-real"}
    found = ak.corners(
        home / "net.build", images, **ASKED | {"variation": drawn, "worst": 1, "judge": "none"},
        out=tmp_path / "run",
    )  # fmt: skip
    assert found.left_out[-3:] == [
        "no part fails in a corner: faults have no direction",
        "trim = dark-real is taken for dark, which it is in the mean: slopes are without the "
        "errors of the trim itself",
        "slopes are without stuck cells, which happen or do not",
    ]
    assert all(row["stuck_cells"] == 0 for row in found.rows)


def test_worst_corners_of_what_has_no_derivative_are_refused_by_name(
    home, images, tmp_path, monkeypatch
):
    def refuse(*given: Any, **how: Any) -> Any:
        raise DerivativeError("imperfection 'mine', layer 0: numpy.roots has no derivative")

    monkeypatch.setattr("analogkan.studies.corners_points.gradient", refuse)
    sentence = (
        "worst-case corners are looked for by gradients: imperfection 'mine', layer 0: numpy.roots "
        "has no derivative; --worst 0 leaves the classical ones"
    )
    asked = ASKED | {"judge": "none"}
    with pytest.raises(DerivativeError, match=f"^{re.escape(sentence)}$"):
        ak.corners(home / "net.build", images, out=tmp_path / "run", **asked)
    found = ak.corners(home / "net.build", images, out=tmp_path / "two", **asked | {"worst": 0})
    assert len(found.rows) == 19


def test_images_without_their_labels_are_refused(home, images):
    with pytest.raises(AnalogKanError, match="label"):
        ak.corners(home / "net.build", replace(images, y=images.y + 7), judge="none")


def test_a_kept_corner_that_was_moved_out_of_the_sphere_is_refused(tmp_path):
    at = {Key(0, 0, 7, 0): np.full(4, 1.5)}
    save_coordinates(tmp_path / "c.npz", at)
    assert distance(kept_coordinates(tmp_path / "c.npz", 3.0)) == 3
    said = f"{tmp_path / 'c.npz'} is damaged: its chip is 3 sigmas from the middle, and the worst"
    with pytest.raises(StudyError, match=f"^{re.escape(said)} within 2 was looked for"):
        kept_coordinates(tmp_path / "c.npz", 2.0)


# ---- worst-case corners of a circuit


def test_worst_chips_are_on_the_sphere_and_worse_than_others_there(found, home, images):
    by_name = {one["name"]: one for one in found.corners if one["kind"] == "worst"}
    assert {*by_name} == {"worst", "worst-from-0", *(f"worst-class-{c}" for c in range(3))}
    np.testing.assert_allclose([one["distance"] for one in by_name.values()], 3, rtol=1e-12)
    build = load_build(home / "net.build")
    bench = Bench(build, images, TwinEngine())
    hardware, variation, conditions = load_settings(
        "nominal", [f"{name}={value}" for name, value in DRAWN.items()], base=build.hardware
    )
    point = Point(hardware=hardware, variation=variation, conditions=conditions, sample=0)
    at = {name: load_coordinates(found.run / "corners" / f"{name}.npz") for name in by_name}
    rng = np.random.default_rng(0)

    def score(coordinates: Any, of: np.ndarray) -> float:
        logits = bench.read(replace(point, source=Given(coordinates, MIDDLE)))[of]
        return Event.of(bench.spec, 0.3, len(of)).score(bench.spec, images.y[of], logits)[0]

    for name, given in at.items():
        of = np.arange(len(images))
        of = of[images.y == int(name[-1])] if "class" in name else of
        mine, others = score(given, of), []
        for _ in range(20):
            z = {key: rng.standard_normal(array.shape) for key, array in given.items()}
            others.append(score({k: 3 / distance(z) * array for k, array in z.items()}, of))
        assert mine < min(others), name
        assert by_name[name]["own_score"] == pytest.approx(mine)
    assert by_name["worst"]["score"] == pytest.approx(score(at["worst"], np.arange(len(images))))


def test_a_run_goes_on_with_the_worst_chips_that_it_found(found, home, images, monkeypatch):
    before = (found.run / "chips.csv").read_bytes()
    monkeypatch.setattr("analogkan.studies.corners_points.search", None)
    again = ak.corners(home / "net.build", images, out=found.run, resume=True, **ASKED)
    assert (found.run / "chips.csv").read_bytes() == before
    assert again.corners == found.corners


def test_a_score_below_0_is_said_with_its_distance(found):
    one = dict(found.corners[-1], beta=2.0, score=-0.1)
    told = replace(found, corners=[one])
    assert told.facts().rows[0][7] == "2.00"
    sentence = (
        "the score crosses 0 from 2.00 sigma on: Phi(-beta) = 2.3e-02, an estimate of that one "
        "direction, if the border is a plane there; other ways of failing come on top of it"
    )
    assert sentence in told.sentences()
    assert told.headline()[-1].label == "worst chip"


def test_a_chip_of_several_circuits_has_decks_of_each(tmp_path, images, ngspice):
    write_build(random_spec(5, (5, 4, 4, 3)), Hardware(), tmp_path / "h.build", most=60)
    asked = ASKED | {"worst": 1, "judge": "none"}
    found = ak.corners(tmp_path / "h.build", images, out=tmp_path / "run", **asked)
    assert found.judge is None
    for name in ("strong-hot", "worst"):
        folder = found.run / "corners" / f"{name}.build"
        document = json.loads((folder / "chip.json").read_text())
        assert len(document["image0"]) == len(load_build(tmp_path / "h.build").names()) > 2
        for part, told in document["image0"].items():
            assert printed(folder / part, ngspice) == pytest.approx(told["twin"], rel=1e-5)
            assert (folder / part / "images.cir").is_file()


def test_corners_of_a_regression_are_of_its_error(tmp_path, ngspice):
    celsius = Targets(low=(0.0,), high=(100.0,), names=("temperature",), units=("degC",))
    spec = replace(random_spec(1, (5, 4, 1)), targets=celsius)
    write_build(spec, Hardware(), tmp_path / "r.build")
    images = random_images(5, 20, 5)
    y = celsius.values(spec.logits(images.flat((5,))))
    images = replace(images, y=y, targets=(("temperature", "degC"),))
    found = ak.corners(
        tmp_path / "r.build",
        images,
        out=tmp_path / "run",
        **ASKED | {"worst": 2, "yield_at": "5degC", "judge": "none"},
    )
    assert isinstance(found, CornerErrors) and found.unit == "degC"
    by_name = {one["name"]: one for one in found.corners}
    assert {"worst", "worst-from-0"} < {*by_name}
    for one in found.corners:
        assert one["score"] == pytest.approx(5 - one["rmse"])
    head = (found.run / "corners" / "worst.build" / "network.cir").read_text()
    assert "temperature = 50 + 50 logit_0 degC" in head
    assert found.facts().rows[0][2].endswith(" degC")


@pytest.mark.campaign
def test_ten_worst_chips_of_mnist_are_what_ngspice_simulates(tmp_path, ngspice):
    build = ak.compile("mnist-d2", tmp_path / "mnist-d2.build")
    images = ak.by_class(ak.load_bundled(), 200)
    found = ak.corners(build, images, out=tmp_path / "run")
    worst = {one["sample"]: one for one in found.corners if one["kind"] == "worst"}
    apart = [one for one in found.judge["found"] if one["sample"] in worst]
    assert len(apart) == 10 and found.judge["chips"] == len(found.corners)
    assert all(one["max_abs_difference"] <= 1e-6 * found.judge["full_scale"] for one in apart)
    least = next(one for one in worst.values() if one["name"] == "worst")
    assert least["score"] < 0 < least["beta"] < 2
    folder = found.run / least["build"]
    told = json.loads((folder / "chip.json").read_text())["image0"][""]["twin"]
    assert printed(folder, ngspice) == pytest.approx(told, rel=1e-5)
