"""Measured cells: programming, verification, drift and read noise by state, and their limits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from re import escape
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analogkan.compiler.chip import ReadNoise
from analogkan.compiler.circuit_files import write_circuit
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import SettingsError
from analogkan.imperfections import Conditions, Variation, import_cells, load_settings, sonos
from analogkan.imperfections.cell_files import COLUMNS, ENTRIES
from analogkan.imperfections.make import perturb
from analogkan.imperfections.measured import Cells, require_measured
from analogkan.imperfections.programming import written
from analogkan.imperfections.technologies import DAY, TECHNOLOGIES, YEAR, wan_error
from analogkan.streams import Place
from benchmarks import cells as bench

from .chips import EVERYTHING, errors_of
from .networks import random_spec
from .test_cli import done
from .test_cli_errors import refused
from .test_twin import EXACT, images, worst

SPEC = random_spec(3, (6, 5, 4))
N = 100_000


def normal(seed: int = 0):
    """Draws for ``written``: others for each name and try."""

    def drawn(name: str, shape: tuple[int, ...], k: int) -> np.ndarray:
        return np.random.default_rng([seed, k, *name.encode()]).standard_normal(shape)

    return drawn


# ---- programming


def test_one_try_is_what_cells_of_sigmas_always_were():
    target, hardware = np.array([0.0, 1e-7, 5e-6, 25e-6]), Hardware(g_min=1e-7)
    of = Variation(sigma_g=0.5, sigma_g_abs=0.1)
    g, counts = written(target, of, hardware, normal())
    drawn = {name: normal()(name, target.shape, 0) for name in ("cell", "cell_abs")}
    wanted = target * (1 + 0.5 * drawn["cell"]) + 25e-6 * (0.1 * drawn["cell_abs"])
    wanted = np.where(target > 0, np.maximum(wanted, 1e-8), 0.0)
    np.testing.assert_array_equal(g, wanted)
    assert counts == {"clipped_cells": int((wanted == 1e-8).sum())}


@pytest.mark.parametrize(
    ("setting", "value", "window"),
    [("verify_window", 0.02, 0.02 * 10e-6), ("verify_window_abs", 3e-7, 3e-7)],
)
def test_a_verified_cell_is_within_its_window_or_counted(setting, value, window):
    target, sigma, tries = np.full(N, 10e-6), 0.05, 4
    of = Variation(sigma_g=sigma, verify_tries=tries, **{setting: value})
    g, counts = written(target, of, Hardware(), normal())
    p = stats.norm.cdf(window / 10e-6 / sigma) - stats.norm.cdf(-window / 10e-6 / sigma)
    off = np.abs(g - target) > window
    assert counts["unverified_cells"] == off.sum()
    left = (1 - p) ** tries
    assert abs(off.mean() - left) < 4 * np.sqrt(left * (1 - left) / N)
    inside = (g[~off] / target[~off] - 1) / sigma
    limit = window / 10e-6 / sigma
    assert stats.kstest(inside, stats.truncnorm(-limit, limit).cdf).pvalue > 1e-3
    once, _ = written(target, Variation(sigma_g=sigma), Hardware(), normal())
    near = np.abs(once - target) <= window
    np.testing.assert_array_equal(g[near], once[near])


def test_both_windows_are_refused():
    with pytest.raises(
        SettingsError,
        match=r"^verify_window_abs = 1e-07 is out of range: 0 with verify_window = 0.02: a window "
        "is a share of the target or siemens, not both$",
    ):
        Variation(verify_window=0.02, verify_window_abs=1e-7)


def chip(variation: Variation, conditions: Conditions = Conditions(), **hardware: Any):
    design = build_design(SPEC, Hardware(**hardware))
    return perturb(design, variation, conditions, spec=SPEC, seed=0, sample=0)


def test_unverified_cells_are_counted_where_cells_are_verified_alone():
    assert "unverified_cells" not in chip(Variation(sigma_g=0.1))[1]
    assert chip(Variation(sigma_g=0.1, verify_window=0.1))[1]["unverified_cells"] == 0
    found = chip(Variation(sigma_g=0.1, verify_window=0.01, verify_tries=2))[1]
    assert found["unverified_cells"] > 0


# ---- technologies


@pytest.mark.parametrize("name", TECHNOLOGIES)
def test_cells_are_those_of_their_formula(name):
    age_s = bench.last_age(name)
    cells = bench.drawn(name, age_s)
    z = (cells["programmed"] - cells["target"]) / TECHNOLOGIES[name].error(cells["target"])
    assert stats.kstest(z, "norm").pvalue > 1e-3
    if age_s:
        assert stats.kstest(bench.formula(name, age_s, cells), "norm").pvalue > 1e-3


@pytest.mark.parametrize(
    "name", ["pcm", "hermes", "hermes-single", "rram-wan", "cmo-hfox", "cmo-hfox-coarse"]
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_cells_are_those_of_another_implementation(name):
    pytest.importorskip("aihwkit", reason="aihwkit is not installed: nothing to compare with")
    found = bench.against(name, bench.theirs()[name])
    assert min(found.values()) > 1e-3, found


@pytest.mark.parametrize("name", bench.CROSSSIM)
def test_constants_are_those_of_the_other_source(name):
    of = TECHNOLOGIES[name]
    g = np.linspace(of.least, of.most, 101)
    np.testing.assert_allclose(of.error(g), bench.CROSSSIM[name](g), rtol=0, atol=1e-12)


def test_read_noise_grows_with_the_time_since_programming():
    cells = Cells.of(Variation(cells="pcm"), Hardware())
    assert cells is not None
    g = np.array([25e-6, 2.5e-6, 1e-9])
    at = cells.noise(g, g, 1e4)
    assert at is not None
    grown = np.sqrt(np.log((1e4 + 250e-9) / 500e-9))
    np.testing.assert_allclose(at, np.array([0.0088, 0.0088 / 0.1**0.65, 0.2]) * grown, rtol=1e-12)
    np.testing.assert_array_equal(cells.noise(g, g, 0.0), cells.noise(g, g, 20.0))


def test_between_measured_ages_spreads_go_by_the_logarithm_of_time():
    g = np.linspace(0.0, 40.0, 9)
    between = wan_error(g, np.sqrt(DAY))
    np.testing.assert_allclose(between, (wan_error(g, 1.0) + wan_error(g, DAY)) / 2, rtol=1e-12)
    for age_s in (DAY, 2 * DAY):
        np.testing.assert_allclose(
            wan_error(g, age_s * (1 - 1e-12)), wan_error(g, age_s * (1 + 1e-12)), rtol=1e-9
        )
    for age_s in (1.5 * DAY, 5 * DAY, YEAR):
        assert (wan_error(g, age_s) >= wan_error(g, 1.0)).all()
    of = np.linspace(0.01, 16.0, 200)
    spreads = [sonos.error(of, k * DAY) for k in range(6)]
    assert all((late >= spreads[0]).all() for late in spreads)
    half = (sonos.shift(of, DAY) + sonos.shift(of, 2 * DAY)) / 2
    np.testing.assert_allclose(sonos.shift(of, 1.5 * DAY), half, atol=1e-12)


# ---- on chips


ALL = {
    **{name: value for name, value in vars(EVERYTHING).items() if "drift_nu" not in name},
    "read_noise": 0.0,
    "cell_tc1_sigma": 5e-4,
    "cell_tc1_fall": 1e-3,
    "verify_window": 0.05,
}
RANGES = {"pcm": (0.25, 25), "cmo-hfox": (9, 88), "sonos": (0.2, 16)}


@pytest.mark.parametrize(
    ("name", "squash", "norm", "temp_c", "r_wire", "others"),
    [
        ("pcm", "sigmoid", "layer", -40.0, 0.0, {}),
        ("cmo-hfox", "none", "batch", 26.85, 5.0, {}),
        ("sonos", "clamp", "layer", 125.0, 0.0, {}),
        ("pcm", "none", "none", 85.0, 0.0, {"cell_v0": 0.5}),
        ("pcm", "none", "none", 85.0, 0.0, {"r_access": 3e3, "access_sigma": 0.2}),
    ],
)
def test_the_twin_is_the_circuit_of_measured_cells(
    name, squash, norm, temp_c, r_wire, others, ngspice, tmp_path
):
    spec = random_spec(2, (6, 5, 4), squash=squash, norm=norm)
    low, high = (1e-6 * g for g in RANGES[name])
    design = build_design(spec, Hardware(g_min=low, g_max=high, r_wire=r_wire))
    variation = Variation(**{**ALL, "cells": name, **others})
    made, _ = perturb(design, variation, Conditions(age_s=DAY), spec=spec, seed=0, sample=1)
    noise = errors_of(made.stages[0]).noise
    assert noise is not None and np.ndim(noise.sigma) == 2
    assert worst(made, images(8, 6), temp_c, ngspice, tmp_path) < EXACT


@pytest.mark.parametrize(
    "given",
    [{"cells": "pcm"}, {"sigma_g": 0.1, "verify_window": 0.05}, {"cell_tc1_sigma": 1e-3}],
    ids=", ".join,
)
def test_each_is_in_the_deck_and_none_is_the_deck_of_before(given):
    plain = write_circuit(chip(Variation())[0], 85.0)
    others = {name: value for name, value in given.items() if name == "sigma_g"}
    assert write_circuit(chip(Variation(**given))[0], 85.0) != write_circuit(
        chip(Variation(**others))[0], 85.0
    )
    off: dict[str, Any] = {
        "cells": "none", "cell_range": "published", "cell_ages": "published", "verify_window": 0.0,
        "verify_window_abs": 0.0, "verify_tries": 10, "cell_tc1_sigma": 0.0, "cell_tc1_fall": 0.0,
    }  # fmt: skip
    assert Variation(**off).off
    assert write_circuit(chip(Variation(**off))[0], 85.0) == plain
    assert write_circuit(chip(Variation(cell_ages="extrapolated"))[0], 85.0) == plain


def test_every_read_of_a_cell_has_its_own_noise():
    stage = chip(Variation(cells="pcm"))[0].stages[0]
    noise = errors_of(stage).noise
    assert noise is not None
    cells = Cells.of(Variation(cells="pcm"), Hardware())
    assert cells is not None
    np.testing.assert_array_equal(noise.sigma, cells.noise(stage.g, stage.g, 0.0))
    volts = np.repeat(images(1, 6), 4000, axis=0)
    made, _ = chip(Variation(cells="pcm"))
    run = Twin([made]).run(Inputs.of(volts), np.arange(4000))
    rows = np.full(len(stage.g), -made.hardware.v_fs)
    rows[: stage.r_f.size] = Twin([made]).first_rows(Inputs.of(volts[:1]))[0, :, 0]
    wanted = np.sqrt(((noise.sigma * stage.g * rows[:, None]) ** 2).sum(axis=0))
    found = run.noise[0][0].numpy()
    assert np.abs(found.std(axis=1) / wanted - 1).max() < 5 / np.sqrt(2 * 4000)


@pytest.mark.parametrize("others", [{}, {"cell_v0": 0.5}, {"r_access": 3e3, "access_sigma": 0.2}])
def test_cells_of_equal_noise_are_cells_of_that_noise(others):
    even = chip(Variation(read_noise=0.02, **others))[0]
    stages = []
    for stage in even.stages:
        noise = errors_of(stage).noise
        assert noise is not None
        own = replace(noise, sigma=np.full(stage.g.shape, 0.02))
        stages.append(replace(stage, errors=replace(errors_of(stage), noise=own)))
    runs = [
        Twin([design]).run(Inputs.of(images(5, 6)), np.arange(5))
        for design in (even, replace(even, stages=tuple(stages)))
    ]
    for a, b in zip(*(run.noise for run in runs), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_what_stands_for_a_change_of_cells_has_no_noise_of_its_own():
    place = Place(seed=0, sample=0, layer=0)
    noise = ReadNoise(sigma=np.full((2, 4), 0.1), place=place, stream=23)
    np.testing.assert_array_equal(noise.weights((3, 4)), [[0.1] * 4] * 2 + [[0.0] * 4])
    assert noise.scale == 1.0
    even = ReadNoise(sigma=0.1, place=place, stream=23)
    assert even.scale == 0.1 and (even.weights((3, 4)) == 1).all()


def test_chips_of_measured_cells_are_trained_through():
    from analogkan.training.through_chips import ThroughChips

    chips = ThroughChips(Hardware(), Variation(cells="pcm"), Conditions(age_s=DAY))
    assert chips.document()["cells"] == "pcm"


def test_cells_age_from_what_they_were_programmed_to_be_and_trimmed_ones_from_what_they_are():
    young = chip(Variation(cells="pcm"))[0]
    trimmed = chip(Variation(cells="pcm", trim="dark"))[0]
    design = build_design(SPEC, Hardware())
    for stage, before, nominal in zip(trimmed.stages, young.stages, design.stages, strict=True):
        kept = errors_of(stage).written
        assert kept is not None
        moved = stage.g != before.g
        assert moved.any() and not moved[: stage.r_f.size].any()
        np.testing.assert_array_equal(kept.target[~moved], nominal.g[~moved])
        np.testing.assert_array_equal(kept.target[moved], stage.g[moved])


def test_stuck_cells_do_not_age_and_what_fades_is_counted():
    of = Variation(cells="cmo-hfox", stuck_max=0.3, open_lines=0.2)
    hardware = {"g_min": 9e-6, "g_max": 88e-6}
    old, young = (chip(of, Conditions(age_s=age_s), **hardware)[0] for age_s in (YEAR, 0.0))
    for a, b in zip(old.stages, young.stages, strict=True):
        stuck = errors_of(a).stuck
        assert stuck.any() and (a.g[stuck] == b.g[stuck]).all()
        assert (a.g[~stuck & (b.g > 0)] != b.g[~stuck & (b.g > 0)]).all()
    of = Variation(cells="rram-wan", cell_range="extrapolated")
    made, counts = chip(of, Conditions(age_s=DAY), g_min=1e-7)
    least = sum(int((stage.g == 1e-10).sum()) for stage in made.stages)
    assert counts["faded_cells"] == least > 0


def test_coefficients_are_normal_around_their_states_mean():
    spec = random_spec(3, (60, 40, 30))
    design = build_design(spec, Hardware())
    of = Variation(cell_tc1_sigma=4e-4, cell_tc1_fall=2e-3)
    made, _ = perturb(design, of, Conditions(), spec=spec, seed=0, sample=0)
    stage = made.stages[0]
    tc1 = errors_of(stage).cell_tc1
    assert tc1 is not None
    mean = 1e-3 - 2e-3 * (1 - stage.g / 25e-6)
    assert stats.kstest(((tc1 - mean) / 4e-4).ravel(), "norm").pvalue > 1e-3


# ---- limits


REFUSED = {
    "beyond": (
        {"cells": "pcm"}, {"g_max": 40e-6}, {},
        "cells = pcm was measured from 0 to 25 uS, and cells from g_min = 0.25 to g_max = 40 uS "
        "are beyond that: set g_min and g_max, or cell_range = scaled, by shares of g_max, or "
        "extrapolated, by the same formulas",
    ),
    "below": (
        {"cells": "rram-milo"}, {"g_max": 200e-6}, {},
        "cells = rram-milo was measured from 50 to 225 uS, and cells from g_min = 0.25 to g_max = "
        "200 uS",
    ),
    "scaled": (
        {"cells": "rram-milo", "cell_range": "scaled"}, {}, {},
        "cells = rram-milo was measured from 0.222 of its largest conductance on, and g_min = 0.25 "
        "uS is 0.01 of g_max = 25 uS: raise g_min, or set cell_range = extrapolated",
    ),
    "early": (
        {"cells": "pcm", "cell_ages": "extrapolated"}, {}, {"age_s": 3},
        "age_s = 3 s is before cells = pcm was first read, 20 s after programming: set age_s to "
        "that or more, or to 0, which is as programmed",
    ),
    "late": (
        {"cells": "rram-wan", "cell_range": "extrapolated"}, {}, {"age_s": 200_000},
        "age_s = 200000 s is after cells = rram-wan was last read, 172800 s after programming: "
        "lower age_s, or set cell_ages = extrapolated, which goes on by ln t",
    ),
    "unknown": (
        {"cells": "pcm-joshi"}, {}, {"age_s": 100},
        "age_s = 100 s is after cells = pcm-joshi was last read, 27.36 s after programming: lower "
        "age_s, or give a drift_nu, or set cell_ages = extrapolated, which leaves them as "
        "programmed",
    ),
    "t0": (
        {"cells": "pcm"}, {}, {"t0_s": 5},
        "t0_s = 5 s is of drift_nu, and cells = pcm has 20 s of its own: leave t0_s as it is",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_was_not_measured_is_refused(case):
    variation, hardware, conditions, sentence = REFUSED[case]
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}"):
        require_measured(Variation(**variation), Hardware(**hardware), Conditions(**conditions))


def test_what_was_not_measured_is_there_where_it_is_asked_for():
    joshi = Variation(cells="pcm-joshi", cell_ages="extrapolated")
    young, old = (chip(joshi, Conditions(age_s=age_s))[0] for age_s in (0.0, YEAR))
    np.testing.assert_array_equal(young.stages[0].g, old.stages[0].g)
    own = chip(Variation(cells="pcm-joshi", drift_nu=0.05), Conditions(age_s=YEAR))[0]
    np.testing.assert_allclose(own.stages[0].g / young.stages[0].g, YEAR**-0.05, rtol=1e-12)
    target = np.array([10e-6, 25e-6])
    cells = Cells.of(Variation(cells="rram-wan", cell_range="scaled"), Hardware())
    assert cells is not None
    np.testing.assert_allclose(
        cells.error(target), TECHNOLOGIES["rram-wan"].error(target / 25e-6 * 40) * 25e-6 / 40
    )


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"drift_nu": 0.1}, "drift"),
        ({"drift_nu_sigma": 0.1}, "drift"),
        ({"read_noise": 0.1}, "read noise"),
    ],
)
def test_what_cells_have_of_their_own_is_counted_once(given, what):
    (name,) = given
    sentence = f"{name} = 0.1 and cells = pcm, which has its own {what}: it is counted once, set "
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}{name} to 0$"):
        Variation(cells="pcm", **given)
    assert Variation(cells="rram-milo", **given)


def test_presets_are_within_what_was_measured():
    for name in ("pcm", "hermes", "rram-wan", "rram-milo", "cmo-hfox", "sonos"):
        hardware, variation, conditions = load_settings(name)
        assert variation.cells == name
        require_measured(variation, hardware, conditions)
        surroundings = {k: v for k, v in vars(load_settings("rram")[1]).items() if k != "sigma_g"}
        assert surroundings.items() <= vars(variation).items()


# ---- a user's own


CSV = (
    "# bench 3\nstate (uS),sigma (\u00b5S),drift,drift_sigma\n0.2,0.25,0.08,0.02\n25,1,0.05,0.01\n"
)
TEXT = "mine:20.0:2e-07 2.5e-07 0.08 0.02;2.5e-05 1e-06 0.05 0.01"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder, with cells.csv."""
    monkeypatch.chdir(tmp_path)
    Path("cells.csv").write_text(CSV, encoding="utf-8")
    return tmp_path


def test_a_table_is_imported_and_is_the_setting_itself(folder):
    told = done(
        "devices", "import", "cells.csv", "--kind", "memory", "--first-read", 20, "-o", "mine.toml"
    )
    assert told == (
        "mine.toml: cells mine, 2 states from 0.2 to 25 uS, drift from 20 s on\n"
        "next: analogkan montecarlo BUILD --set cells=mine.toml\n"
    )
    variation = load_settings(None, ["cells=mine.toml"])[1]
    assert variation.cells == import_cells("cells.csv", name="mine", t0_s=20).text == TEXT
    Path("mine.toml").unlink()
    assert Variation(cells=TEXT) == variation
    cells = Cells.of(variation, Hardware())
    assert cells is not None
    np.testing.assert_allclose(
        cells.error(np.array([0.2e-6, 12.6e-6, 25e-6])), [0.25e-6, 0.625e-6, 1e-6]
    )
    g = np.full(2, 25e-6)
    aged = cells.aged(g, g, np.array([0.0, 1.0]), 2000.0)
    np.testing.assert_allclose(aged, 25e-6 * 100 ** -np.array([0.05, 0.06]))
    args = (
        "devices",
        "import",
        "cells.csv",
        "--kind",
        "memory",
        "--first-read",
        20,
        "-o",
        "b.toml",
        "--json",
    )
    facts = json.loads(done(*args, "--name", "own"))
    assert (facts["name"], facts["t0_s"], facts["cells"]) == (
        "own",
        20.0,
        TEXT.replace("mine", "own"),
    )


def test_a_table_without_drift_is_one_of_errors_alone(folder):
    Path("cells.csv").write_text("sigma [nS];state [S]\n".replace(";", ",") + "1,1e-7\n5,1e-5\n")
    made = import_cells("cells.csv", "own.toml")
    assert made.text == "own::1e-07 1e-09;1e-05 5e-09"
    assert Variation(cells="own.toml").cells == made.text


WRONG_CSV = {
    "state (uS),sigma\n1,2\n": ", line 1: column 'sigma' must say its unit, such as sigma (uS): S, "
    "mS, uS, nS, pS",
    "state (uS),spread (uS)\n1,2\n": ", line 1: column 'spread (uS)' must be one of state, sigma, "
    "drift, drift_sigma, each once",
    "state (uS),sigma (uS),drift (uS),drift_sigma\n": ", line 1: column 'drift (uS)' has a unit: "
    "drift is a number, of (t / t0)^-nu",
    "state (uS),sigma (uS),drift\n1,1,1\n": ", line 1: the header lacks drift_sigma",
    "state (uS),sigma (uS)\n1,2\n\n2\n": ", line 4 has 1 values where 2 are named",
    "state (uS),sigma (uS)\n1,two\n": ", line 2: sigma = 'two' must be a number, 0 or more",
    "state (uS),sigma (uS)\n0,1\n": ", line 2: state = '0' must be a number, above 0",
    "state (uS),sigma (uS)\n2,1\n2,1\n": ", line 3: state = 2e-06 S must be above that of the line "
    "before",
    "state (uS),sigma (uS)\n2,1\n": " has 1 states: it must have 2 to 200",
    "\n": " is empty: it must have a header and a state a line",
}


@pytest.mark.parametrize("text", WRONG_CSV)
def test_a_wrong_line_is_named(folder, text):
    Path("cells.csv").write_text(text)
    with pytest.raises(SettingsError, match=f"^cells.csv{escape(WRONG_CSV[text])}$"):
        import_cells("cells.csv", "mine.toml")
    assert not Path("mine.toml").exists()


def test_options_of_one_kind_are_refused_with_the_other(folder):
    args = ("devices", "import", "cells.csv", "-o", "mine.toml")
    assert refused(*args, "--kind", "memory", "--v-col", 1) == (
        "SettingsError", "--v-col is of a diode's sweeps: leave it out with --kind memory",
    )  # fmt: skip
    assert refused(*args, "--first-read", 20) == (
        "SettingsError", "--first-read 20 is of memory cells: give --kind memory, or leave it out",
    )  # fmt: skip
    assert refused(*args, "--kind", "memory") == (
        "SettingsError",
        "cells.csv has drift: say with --first-read, in Python t0_s=, how many seconds after "
        "programming the states were read",
    )
    assert refused(*args[:3], "cells.csv", *args[3:], "--kind", "memory")[1] == (
        "2 files with --kind memory: give one, a state a line"
    )
    Path("mine.toml").write_text("name = 1\n")
    assert refused(*args, "--kind", "memory", "--first-read", 20)[1] == (
        "mine.toml exists and is no table of cells, so it is not replaced: give another -o, or "
        "remove it"
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"spread": [1]}, ": unknown entry 'spread': it has " + ", ".join(ENTRIES)),
        ({"drift": None}, " lacks drift"),
        ({"sigma": [1e-7]}, ": its columns must be lists, all as long as state"),
        ({"sigma": [1e-7, -1.0]}, ", state 2: sigma = -1.0 must be 0 to 1 S"),
        ({"state": [2e-7, 1e-7]}, ", state 2: state = 1e-07 S must be above the one before"),
        ({"name": "a b"}, ": name = 'a b' must be letters, digits and _"),
    ],
)
def test_a_wrong_entry_of_a_table_is_named(folder, change, sentence):
    entries = {"name": "own", "t0_s": 20.0, "state": [1e-7, 2e-7], "sigma": [1e-8, 1e-8],
               "drift": [0.1, 0.1], "drift_sigma": [0.0, 0.0]} | change  # fmt: skip
    Path("t.toml").write_text(
        "".join(f"{k} = {json.dumps(v)}\n" for k, v in entries.items() if v is not None)
    )
    with pytest.raises(SettingsError, match=f"^table of cells t.toml{escape(sentence)}"):
        Variation(cells="t.toml")


def test_what_is_no_technology_is_refused():
    with pytest.raises(SettingsError, match=r"^cells = 'pmc' is out of range: none, pcm, pcm-josh"):
        Variation(cells="pmc")
    with pytest.raises(
        SettingsError, match=r"^cells = 'a:b' is no table of cells: give the path o"
    ):
        Variation(cells="a:b")
    for gone in ("gone.toml", "10:30/gone.toml"):
        with pytest.raises(SettingsError, match=f"^cannot read table of cells {gone}: No"):
            Variation(cells=gone)
    assert {*COLUMNS} < {*ENTRIES}


@pytest.mark.parametrize("given", [{"name": 3}, {"source": 3}])
def test_a_name_that_is_no_text_is_refused(folder, given):
    (what,) = given
    with pytest.raises(SettingsError, match=f"^{what} = 3 is of type int: give a text$"):
        import_cells("cells.csv", t0_s=20, **given)


@pytest.mark.parametrize("name", ["drift_nu", "drift_nu_sigma"])
def test_an_age_before_drift_begins_is_refused(name):
    drifting, hardware = Variation(**{name: 0.05}), Hardware()
    with pytest.raises(
        SettingsError,
        match=r"^age_s = 10 s is before t0_s = 100 s, from which drift_nu counts: set age_s to "
        r"that or more, or to 0, which is as programmed$",
    ):
        require_measured(drifting, hardware, Conditions(age_s=10, t0_s=100))
    for age_s in (0, 100, 1e4):
        require_measured(drifting, hardware, Conditions(age_s=age_s, t0_s=100))
    require_measured(Variation(), hardware, Conditions(age_s=10, t0_s=100))


@pytest.mark.parametrize(
    ("separator", "encoding"), [(";", "utf-8"), ("\t", "utf-16"), (",", "cp1252")]
)
def test_a_table_may_be_separated_and_encoded_as_programs_do(separator, encoding, tmp_path):
    lines = ["# naïve", "state (µS),sigma (µS)", "1,0.2", "40,0.9"]
    path = tmp_path / "cells.csv"
    path.write_bytes("\r\n".join(lines).replace(",", separator).encode(encoding))
    assert import_cells(path).rows == ((1e-6, 2e-7), (4e-5, 9e-7))
