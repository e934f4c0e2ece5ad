"""What a datasheet is computed from: its assumptions, and the capacitors that damp amplifiers."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import analogkan as ak
from analogkan.cli import main
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.errors import SettingsError, StudyError
from analogkan.imperfections import Conditions, Variation
from analogkan.intervals import exact
from analogkan.network.targets import Targets
from analogkan.physics import Assumptions, judged
from analogkan.physics.assumptions import said
from analogkan.physics.capacitors import damping_c_f
from analogkan.physics.power import power_of
from analogkan.physics.quantities import QUANTITIES

from .convolutions import convolutional_spec
from .networks import random_images, random_npz, random_spec

NAMED = [one.name for one in QUANTITIES]
GBW = 10e6


def damping(c, g, r, c_f) -> float:
    """Of the loop's two poles, by its polynomial's coefficients."""
    w = 2 * math.pi * GBW
    return (g + 1 / r + w * c_f) / (2 * math.sqrt((c + c_f) * w / r))


@given(
    c=st.floats(1e-15, 1e-10),
    g=st.floats(-1e-4, 1e-2),
    r=st.floats(1e2, 1e7),
    zeta=st.floats(0.1, 2.0),
)
def test_a_capacitor_for_damping_damps_just_so(c, g, r, zeta):
    c_f = float(damping_c_f(np.array(c), np.array(g), np.array(r), GBW, zeta))
    reached = damping(c, g, r, c_f)
    assert reached == pytest.approx(zeta, rel=1e-6) if c_f else reached >= zeta * (1 - 1e-9)


def test_a_row_of_a21_needs_more_than_stability_does():
    """0.5 V over 3.11 uA, 1 pF at the input: about 0.5 pF, where stability asks for 0.1."""
    r = 0.5 / 3.11e-6
    assert float(damping_c_f(np.array(1e-12), np.array(0.0), np.array(r), GBW, 0.7)) == (
        pytest.approx(0.45e-12, rel=0.15)
    )


@pytest.mark.parametrize("wrong", [{"c_in": -1e-12}, {"zeta": 3.0}, {"f_low": 0.0}, {"bits": 0}])
def test_what_no_circuit_has_is_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Assumptions(**wrong)


# ---- the study


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sheets")
    write_build(random_spec(1), Hardware(), folder / "net.build")
    write_build(random_spec(1), Hardware(), folder / "held.build", most=20)
    write_build(random_spec(1), Hardware(opamp="ideal"), folder / "ideal.build")
    random_npz(folder / "data.npz")
    return folder


@pytest.fixture(scope="module")
def images(home):
    return ak.load_dataset(home / "data.npz", "test")[:8]


def sheet(home, images, build="net", **given):
    return ak.datasheet(home / f"{build}.build", images, progress=False, **given)


def test_a_sheet_has_its_figures_and_ngspice_says_the_same(home, images, tmp_path):
    found = sheet(home, images, judge="1x4", out=tmp_path / "run")
    s = found.to_document()
    for name in set(NAMED) - {"noise_unit_rms"}:
        assert set(s[name]) == {"min", "typical", "max"}
        assert s[name]["min"] <= s[name]["typical"] <= s[name]["max"], name
    assert s["dissipated_w"]["max"] < s["power_w"]["min"]
    assert s["energy_j"]["max"] <= s["power_w"]["max"] * s["settling_s"]["max"]
    rows = {row[0]: row for row in found.facts().rows}
    assert rows["  from vdd"][2].endswith("A") and rows["  into vss"][4] == "of supply power"
    assert s["tellegen_relative"] < 1e-9
    parts = s["judge"]["parts"]
    assert parts["power"]["differs"] < 1e-6 and parts["power"]["tellegen"] < 1e-9
    assert parts["settling"]["waveforms"] < 2e-3 and parts["settling"]["ends"] < 1e-6
    assert parts["noise"]["differs"] < 0.02
    again = sheet(home, images, judge="1x4", out=tmp_path / "run")
    assert again.to_document()["judge"] == s["judge"]  # kept, not asked again


def test_a_sheet_of_several_circuits_is_judged_circuit_by_circuit(home, images, tmp_path):
    one = sheet(home, images, judge="none", out=tmp_path / "one").figures_of
    held = sheet(home, images[:4], "held", judge="1x2", out=tmp_path / "held")
    assert set(held.summary["judge"]["parts"]) == {"power", "settling", "noise"}
    assert held.figures_of["settling_s"]["typical"] > one["settling_s"]["typical"]  # one by one


def test_of_a_regression_there_is_no_class(tmp_path):
    spec = random_spec(2, (2, 4, 1))
    targets = Targets(names=("t",), units=("degC",), low=np.array([0.0]), high=np.array([9.0]))
    build = write_build(replace(spec, targets=targets), Hardware(), tmp_path / "value.build")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "t.npz", x=rng.integers(0, 256, (20, 2)), y=rng.uniform(0, 9, 20))
    points = ak.load_dataset(tmp_path / "t.npz", "test")
    found = ak.datasheet(build, points, judge="none", out=tmp_path / "run", progress=False)
    assert "settling_class_s" not in found.figures_of
    assert "flip_probability" not in found.figures_of
    assert set(found.reached) == {"rmse"}
    volts, unit = found.figures_of["noise_v_rms"], build.design.stages[-1].unit[0]
    assert found.figures_of["noise_unit_rms"]["max"] == pytest.approx(volts["max"] / unit * 4.5)
    assert any(row[0] == "error by noise" and " degC" in row[2] for row in found.facts().rows)
    assert " degC" in found.software_fact().value


def test_temperatures_and_chips_widen_a_sheet(home, images, tmp_path):
    given = {"only": "power", "judge": "none"}
    one = sheet(home, images, out=tmp_path / "one", **given).figures_of["power_w"]
    wide = sheet(
        home, images, temps="-40,26.85,125", samples=3, out=tmp_path / "wide", **given
    ).figures_of["power_w"]
    assert wide["min"] < one["min"] and wide["max"] > one["max"]


def test_chips_have_a_yield_and_without_chips_there_is_none(home, images, tmp_path):
    given = {"only": "power", "judge": "none"}
    alone = sheet(home, images, out=tmp_path / "one", **given)
    chips = sheet(home, images, samples=4, out=tmp_path / "chips", **given)
    assert alone.yield_ is None and "yield" not in str(alone.facts().rows)
    rows = [row for row in chips.rows if row["sample"] is not None]
    good = [row["accuracy"] >= chips.summary["yield_at"] for row in rows]
    assert chips.yield_ == sum(good) / 4 and len(good) == 4


def test_assumptions_are_named_and_change_what_they_are_about(home, images, tmp_path):
    given = {"only": "noise", "judge": "none"}
    quiet = sheet(home, images, out=tmp_path / "a", **given)
    loud = sheet(home, images, assumptions={"e_n": 1e-6}, out=tmp_path / "b", **given)
    assert loud.assumptions["e_n"] == 1e-6
    noise = "noise_v_rms"
    assert loud.figures_of[noise]["min"] > 2 * quiet.figures_of[noise]["max"]


def test_assumptions_are_said_with_their_units():
    told = said({"c_in": 1e-12, "slew": 0.0, "e_n": 1e-8, "area_cell": 0.5, "fano_rising": 1.0})
    assert (
        told == "c_in = 1 pF, e_n = 10 nV/sqrt(Hz), area_cell = 0.5 um^2, fano_rising = 1; 0: slew"
    )
    assert said({"slew": 0.0, "i_n": 0.0}) == "0: slew, i_n" and said({"bits": 8}) == "bits = 8"


def test_a_preset_has_assumptions(home, images, tmp_path):
    preset = tmp_path / "mine.toml"
    preset.write_text("[assumptions]\nc_load = 5e-12\n", encoding="utf-8")
    given = {"only": "power", "judge": "none"}
    asis = sheet(home, images, out=tmp_path / "a", **given)
    found = sheet(home, images, preset=str(preset), out=tmp_path / "b", **given)
    assert found.typical["quiescent_w"] > 3 * asis.typical["quiescent_w"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--only", "area"], r"only 'area' is not of power, settling, noise"),
        (["--set", "c_in=-1p"], r"c_in = -1e-12 is out of range: 0 to 1e-06 F"),
        (["--set", "c_inn=1p"], r"unknown setting 'c_inn', did you mean c_in\?"),
        (["--set", "zeta=5"], r"zeta = 5\.0 is out of range: 0 to 2"),
        (["--set", "temp_c=85"], r"temp_c is what datasheet varies: give its values with --temps"),
        (["--temps", "25,25"], r"temps_c has 25 twice: give each temperature once"),
        (["--samples", "2", "--preset", "nominal"], r"preset nominal has no variation"),
    ],
)
def test_what_cannot_be_asked_is_refused(home, words, why, tmp_path):
    line = ["datasheet", home / "net.build", "--dataset", home / "data.npz", *words]
    result = CliRunner().invoke(main, [*map(str, line), "--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert re.search(why, " ".join(result.output.split()))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["noise", "settling"])
def test_ideal_amplifiers_have_neither_noise_nor_settling(home, images, part, tmp_path):
    why = r"opamp = ideal declares no bandwidth.*--set opamp=linear, and with opamp_gain"
    with pytest.raises(StudyError, match=why):
        sheet(home, images, "ideal", only=part, judge="none", out=tmp_path / "run")


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ("BLOCKS_WITHIN", "power of .*: twin and ngspice differ by"),
        ("TELLEGEN_WITHIN", "what its sources deliver and its elements dissipate differ"),
        ("WAVES_WITHIN", "settling: twin and .tran differ by"),
        ("NOISE_WITHIN", "noise of .* V rms by the twin, .* by .noise"),
    ],
)
def test_what_ngspice_does_not_confirm_is_no_datasheet(
    home, images, monkeypatch, limit, why, tmp_path
):
    monkeypatch.setattr(judged, limit, -1.0)
    with pytest.raises(StudyError, match=why):
        sheet(home, images[:3], judge="1x2", out=tmp_path / "run")


@pytest.mark.parametrize("more", [{"r_wire": 1.0, "r_driver": 20.0}, {"opamp": "pole"}])
def test_a_build_compiled_again_is_judged_as_what_it_became(home, images, more, tmp_path):
    found = sheet(home, images[:3], hardware=more, judge="1x2", out=tmp_path / "run")
    assert found.summary["judge"]["parts"]["power"]["differs"] < 1e-6


def test_noise_of_slow_amplifiers_is_judged_from_below_their_poles(home, images, tmp_path):
    slow = {"c_in": 1e-6}
    found = sheet(
        home, images[:3], only="noise", assumptions=slow, judge="1x1", out=tmp_path / "run"
    )
    assert found.summary["judge"]["parts"]["noise"]["differs"] < 0.02


def test_noise_from_beyond_all_poles_on_is_refused(home, images, tmp_path):
    why = r"noise from f_low = 1e\+12 Hz on: the amplifiers.*pass none above 1e\+08 Hz; lower f_low"
    with pytest.raises(StudyError, match=why):
        sheet(
            home, images, only="noise", assumptions={"f_low": 1e12}, judge="none",
            out=tmp_path / "run",
        )  # fmt: skip


def test_a_single_image_settles_from_nothing(home, images, tmp_path):
    found = sheet(home, images[:1], judge="none", out=tmp_path / "run")
    assert found.figures_of["settling_s"]["min"] > 0 and found.figures_of["energy_j"]["min"] > 0
    told = found.sentences()
    assert any(one.startswith("settling: from 0 V at every input") for one in told)
    assert "settling and noise: of 1 image" in told


def test_images_that_are_all_the_same_have_no_throughput(home, images, tmp_path):
    same = replace(images[:2], x=np.repeat(images.x[:1], 2, axis=0))
    found = sheet(home, same, only="settling", judge="none", out=tmp_path / "run")
    assert found.figures_of["settling_s"]["max"] == 0
    assert ("throughput", "", "–", "", "at the slowest") in found.facts().rows


def test_a_chip_counts_once_in_the_yield_however_many_the_temperatures(home, images, tmp_path):
    found = sheet(
        home, images, only="power", judge="none", temps="26.85,125", samples=3,
        out=tmp_path / "run",
    )  # fmt: skip
    passes: dict[int, bool] = {}
    for row in found.rows:
        if row["sample"] is not None:
            good = row["accuracy"] >= found.summary["yield_at"]
            passes[row["sample"]] = passes.get(row["sample"], True) and good
    assert len(passes) == 3
    assert found.yield_ == sum(passes.values()) / 3
    assert found.yield_ci95 == exact(sum(passes.values()), 3)
    assert found.typical_of == "the nominal circuit at 26.85 degC"


def test_the_table_names_the_bits_it_was_asked_for(home, images, tmp_path):
    given = {"only": "settling", "judge": "none", "assumptions": {"bits": 12}}
    found = sheet(home, images, out=tmp_path / "run", **given)
    assert any(row[0] == "settled" and row[-1] == "to 12 bits" for row in found.facts().rows)


def test_with_ngspice_as_engine_a_sheet_says_that_its_figures_are_not_judged(
    home, images, tmp_path
):
    found = sheet(home, images[:2], only="power", engine="ngspice", out=tmp_path / "run")
    assert (
        "power: the twin's, which --engine ngspice does not judge; without it ngspice judges a "
        "share (--judge)"
    ) in found.closing()


def test_of_explicit_wires_all_but_noise_is_judged(home, images, tmp_path):
    wires = {"r_wire": 1.0, "wires": "explicit"}
    found = sheet(home, images[:3], hardware=wires, judge="1x2", out=tmp_path / "run")
    parts = found.summary["judge"]["parts"]
    assert parts["power"]["differs"] < 1e-6 and parts["settling"]["waveforms"] < 2e-3
    said = "noise: not judged: noise in ngspice: a deck of wires = explicit takes hours"
    assert any(one.startswith(said) for one in found.closing())


def test_no_setting_has_two_homes():
    kinds = (Hardware, Variation, Conditions, Assumptions)
    names = [field.name for kind in kinds for field in fields(kind)]
    assert len(names) == len(set(names))


def test_a_convolution_is_one_circuit_used_again_and_again(tmp_path):
    """Energy of an image: what its positions take one after the other, not all at all times."""
    spec = convolutional_spec(0)
    build = write_build(spec, Hardware(), tmp_path / "conv.build", most=10_000)
    side = spec.encoding.shape
    images = random_images(0, 4, int(np.prod(side)))
    images = replace(images, x=images.x.reshape(-1, *side))
    found = ak.datasheet(build, images, only="power", judge="none", out=tmp_path / "r",
                         progress=False)  # fmt: skip
    whole = power_of(build, images)
    assert max(whole.positions) > 1
    often = np.array(whole.positions)[:, None]
    once = sum((watts[0] / often).sum(axis=0) for watts in whole.dissipated.values())
    assert found.figures_of["dissipated_w"]["max"] == pytest.approx(once.max())
    assert whole.total.max() > 2 * once.max()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"cell_v0": 0.25}, r"cells that bend \(cell_v0\)"),
        ({"heat_ambient": 40.0}, r"heat \(heat_ambient\)"),
        ({"dac_offset_sigma": 1e-3}, r"dacs \(dac_offset_sigma\)"),
    ],
)
def test_chips_of_which_a_datasheet_is_not_worked_out_are_refused_first(setting, said, tmp_path):
    spec = random_spec(3, (4, 3))
    build = write_build(spec, Hardware(), tmp_path / "b.build")
    with pytest.raises(SettingsError, match=f"a datasheet is not worked out of chips with {said}"):
        ak.datasheet(
            build, random_images(3, 4, 4), variation=setting, samples=2, out=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()
