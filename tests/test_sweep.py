"""sweep: grids of settings, the error budget, faults by rate."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from PIL import Image

from analogkan.cli import main
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.data import ImageSet
from analogkan.errors import SettingsError
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.imperfections.registry import faults
from analogkan.intervals import student, tango
from analogkan.report.grids import NOISE, sweep_figure
from analogkan.studies import cost
from analogkan.studies.cells import add_won_back, lost_interval, rows_of
from analogkan.studies.grid import (
    RATES,
    Cell,
    budget_cells,
    count_points,
    fault_cells,
    grid_cells,
    grid_points,
    split_axes,
)
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.sweep import _points as print_points
from analogkan.studies.sweep import sweep, sweep_size

from .networks import random_images, random_npz, random_spec
from .test_cli_errors import refused

UNJUDGED = StudyOptions(judge="none")


@pytest.fixture
def build(tmp_path) -> Build:
    return write_build(random_spec(1), Hardware(), tmp_path / "net.build")


@pytest.fixture
def images(build) -> ImageSet:
    found = random_images(2, 30, 5)
    return replace(found, y=build.spec.logits(found.x).argmax(axis=1))


# ---- grids


def test_a_set_with_commas_is_an_axis():
    assert split_axes(["sigma_g=0, 0.1", "levels=8", "temp_c=20,85"]) == (
        {"sigma_g": ["0", "0.1"], "temp_c": ["20", "85"]},
        ["levels=8"],
    )


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["levels=8", "levels=16"], "--set levels is given twice"),
        (["levels=8,,16"], "--set 'levels=8,,16' has an empty value or one twice"),
        (["levels=8,8"], "--set 'levels=8,8' has an empty value or one twice"),
    ],
)
def test_axes_that_are_none_are_refused(texts, sentence):
    with pytest.raises(SettingsError) as caught:
        split_axes(texts)
    assert str(caught.value).startswith(sentence)


def test_a_grid_is_the_product_of_its_axes():
    axes = {"sigma_g": ["0", "0.1"], "levels": ["8", "16", "32"]}
    cells = grid_cells(axes, ["offset_sigma=1e-3"], "nominal", Hardware(g_max=1e-5))
    assert [tuple(cell.labels.values()) for cell in cells] == [
        (s, n) for s in ("0", "0.1") for n in ("8", "16", "32")
    ]
    assert cells[5].hardware == Hardware(g_max=1e-5, levels=32)
    assert cells[5].variation == Variation(sigma_g=0.1, offset_sigma=1e-3)
    assert count_points(cells, 7) == len(grid_points(cells, 7)) == 42
    nominal = grid_cells({"levels": ["8", "16"]}, [], "nominal", Hardware())
    assert [p.sample for p in grid_points(nominal, 7)] == [None, None]


def test_a_budget_has_each_imperfection_alone_and_left_out():
    base = Hardware(g_max=1e-5)
    cells = budget_cells([], "rram", base)
    hardware, variation, _ = load_settings("rram", (), base)
    found = {tuple(cell.labels.values()): cell for cell in cells}
    names = ["levels", "sigma_g", "diode_sigma_current", "diode_sigma_voltage", "offset_sigma"]
    names += ["line_sigma"]
    assert set(found) == {("none", "alone"), ("all", "all")} | {
        (name, how) for name in names for how in ("alone", "all but")
    }
    assert found["none", "alone"].hardware == base and found["none", "alone"].variation.off
    assert found["all", "all"].hardware == hardware and found["all", "all"].variation == variation
    assert found["levels", "alone"].hardware == hardware
    assert found["levels", "alone"].variation.off
    assert found["levels", "all but"].hardware == base
    assert found["sigma_g", "alone"].variation == Variation(sigma_g=0.05, trim="dark-real")
    assert found["sigma_g", "all but"].variation == replace(variation, sigma_g=0.0)
    with pytest.raises(SettingsError, match=r"^preset nominal changes nothing of the BUILD"):
        budget_cells([], "nominal", base)
    with pytest.raises(
        SettingsError,
        match=r"^the error budget has dac_bits all but of as-made, and dac_dnl_sigma = 0\.3 needs "
        r"dac_bits, .*; or compile a BUILD with the preset's hardware \(compile --preset\), which "
        r"every row then has$",
    ):
        budget_cells([], "as-made", base)
    budget_cells([], "as-made", load_settings("as-made", (), base)[0])


def test_faults_are_visited_one_by_one():
    cells = fault_cells(["levels=32"], "nominal", Hardware())
    assert len(cells) == 1 + len(faults()) * len(RATES)
    assert cells[0].variation.off and cells[0].hardware.levels == 32
    for cell in cells[1:]:
        fault, rate = cell.labels.values()
        wanted: dict[str, Any] = {fault: float(rate)}
        assert cell.variation == Variation(**wanted)


def test_a_grid_too_large_is_refused_before_it_is_built():
    axes = {name: [str(k / 1e4) for k in range(1001)] for name in ("sigma_g", "line_sigma")}
    with pytest.raises(SettingsError, match=r"^settings of the grid = 1002001 is out of range"):
        grid_cells(axes, [], "nominal", Hardware())


def test_a_grid_is_counted_before_it_is_built(build, images):
    values = ",".join(str(k / 1e4) for k in range(1000))
    axes = [f"sigma_g={values}", f"line_sigma={values}"]
    assert sweep_size(build, "axes", axes, None, 20) == 20_000_000
    sentence = r"^circuits of the grid = 20000000 is out of range: at most 1,000,000 in a RUN"
    with pytest.raises(SettingsError, match=sentence):
        sweep(build, images, settings=axes, samples=20)
    levels = f"levels={','.join(map(str, range(2, 102)))}"
    assert sweep_size(build, "axes", [levels], None, 20) == 100
    assert sweep_size(build, "budget", [], None, 20) == 1 + 1 + 20 * (2 * 6 - 1) + 20


# ---- studies


def test_a_cell_of_a_sweep_is_the_montecarlo_of_its_settings(build, images, tmp_path):
    options = replace(UNJUDGED, run=tmp_path / "run")
    settings = ["sigma_g=0.05,0.2", "levels=0,8", "offset_sigma=1e-3"]
    result = sweep(build, images, settings=settings, samples=4, options=options)
    cells = result.summary["cells"]
    assert [tuple(cell["labels"].values()) for cell in cells] == [
        ("0.05", "0"), ("0.05", "8"), ("0.2", "0"), ("0.2", "8")
    ]  # fmt: skip
    alone = montecarlo(
        build,
        images,
        samples=4,
        preset="nominal",
        settings=["sigma_g=0.2", "levels=8", "offset_sigma=1e-3"],
        options=replace(UNJUDGED, run=tmp_path / "alone"),
    )
    assert cells[3]["accuracy_mean"] == alone.summary["accuracy_mean"]
    assert cells[3]["accuracy_mean_ci95"] == alone.summary["accuracy_mean_ci95"]
    rms = np.mean([row["rms_logit_error"] for row in alone.rows])
    software = build.spec.logits(images.x)
    spread = np.sqrt(((software - software.mean(axis=0)) ** 2).mean())
    assert cells[3]["logit_snr_db"] == pytest.approx(20 * np.log10(spread / rms), abs=1e-9)
    text = (tmp_path / "run" / "sweep.csv").read_text(encoding="utf-8")
    table = list(csv.DictReader(text.splitlines()))
    assert list(table[0])[:3] == ["sigma_g", "levels", "sample"]
    mine = [row for row in table if (row["sigma_g"], row["levels"]) == ("0.2", "8")]
    assert [float(row["accuracy"]) for row in mine] == [row["accuracy"] for row in alone.rows]


def test_a_sweep_is_extended_not_repeated(build, images, tmp_path):
    options = replace(UNJUDGED, run=tmp_path / "run")
    seen: list[int] = []

    def on_progress(what: str, done: int, total: int) -> None:
        seen.append(done)

    sweep(build, images, settings=["sigma_g=0,0.05"], samples=3, options=options)
    more = sweep(
        build,
        images,
        settings=["sigma_g=0,0.05,0.1"],
        samples=3,
        options=options,
        on_progress=on_progress,
    )
    assert seen[0] == 4 and seen[-1] == 7
    assert [cell["chips"] for cell in more.summary["cells"]] == [1, 3, 3]


def test_faults_cost_what_they_should(build, images, tmp_path):
    options = replace(UNJUDGED, run=tmp_path / "run")
    found = sweep(build, images, grid="faults", samples=3, options=options).summary["cells"]
    assert found[0]["accuracy_mean"] == 1.0 and found[0]["labels"]["fault"] == "none"
    worst = [c for c in found if c["labels"] == {"fault": "dead_amplifiers", "rate": "0.1"}]
    assert worst[0]["logit_snr_db"] < found[0]["logit_snr_db"]


def test_a_budget_says_what_is_noise(build, images, tmp_path):
    options = replace(UNJUDGED, run=tmp_path / "run")
    found = sweep(build, images, grid="budget", samples=4, options=options)
    cells = {tuple(c["labels"].values()): c for c in found.summary["cells"]}
    for cell in cells.values():
        low, high = cell["lost_ci95"]
        assert low < cell["lost"] < high
        assert cell["lost"] == pytest.approx(1.0 - cell["accuracy_mean"])  # software has all right
    # One circuit: nothing is over chips, and the interval over images is Tango's.
    levels = cells["levels", "alone"]
    flips = round(30 * (1 - levels["agreement_mean"]))
    assert levels["lost_ci95"] == pytest.approx([-end for end in tango(0, flips, 30)[::-1]])
    every = list(rows_of(budget_cells([], "rram", build.hardware), found.rows, 4))
    whole = {row["sample"]: row["accuracy"] for row in every[-1][1]}
    for plan, mine in every:
        if plan.labels["cell"] != "all but":
            continue
        cell = cells[tuple(plan.labels.values())]
        pairs = np.array([r["accuracy"] - whole[r["sample"]] for r in mine])
        assert cell["won_back"] == pytest.approx(pairs.mean())
        assert cell["won_back_ci95"] == student(pairs, least=-1.0, most=1.0)
    assert "won_back" not in cells["all", "all"]


def test_one_chip_has_no_interval_and_one_circuit_stands_beside_every_chip():
    variation = Variation(sigma_g=0.1)
    kept = {"hardware": Hardware(), "conditions": Conditions()}
    cells = [
        Cell(labels={"imperfection": "x", "cell": "all but"}, variation=Variation(), **kept),
        Cell(labels={"imperfection": "all", "cell": "all"}, variation=variation, **kept),
    ]

    def row(sample: int | None, accuracy: float) -> dict:
        return {"sample": sample, "status": "ok", "accuracy": accuracy, "agreement": 0.9, "n": 100}

    found = [(cells[0], [row(None, 0.95)]), (cells[1], [row(0, 0.9), row(1, 0.92)])]
    summaries: list[dict] = [{}, {}]
    add_won_back(summaries, found)
    assert summaries[0]["won_back"] == pytest.approx(0.04)
    known = student(np.array([0.05, 0.03]), least=-1, most=1)
    assert summaries[0]["won_back_ci95"] == pytest.approx(known)
    assert lost_interval([row(0, 0.9)], 95, None) is None
    assert lost_interval([row(None, 0.9)], 95, None) == pytest.approx(
        [-end for end in tango(2.5, 7.5, 100)[::-1]]
    )


def test_a_figure_in_the_noise_is_marked():
    cell = {"lost": 0.002, "lost_ci95": [-0.001, 0.005]}
    assert print_points(cell, "lost", ".2f") == ("0.20 ~", "-0.10 to 0.50")
    assert print_points(cell | {"lost_ci95": [0.001, 0.005]}, "lost", "+.2f") == (
        "+0.20  ",
        "0.10 to 0.50",
    )
    assert print_points(cell | {"lost_ci95": None}, "lost", ".2f") == ("0.20 ~", "–")
    assert print_points({"lost": None, "lost_ci95": None}, "lost", ".2f") == ("–", "–")


def test_bars_in_the_noise_are_grey_and_all_have_their_ends():
    def cell(name: str, how: str, **given: Any) -> dict[str, Any]:
        return {"labels": {"imperfection": name, "cell": how}, "logit_snr_db": 20.0, **given}

    sure, unsure = [0.001, 0.003], [-0.001, 0.003]
    cells = [
        cell("none", "alone", lost=0.0, lost_ci95=unsure),
        cell("levels", "alone", lost=-0.002, lost_ci95=[-0.004, 0.001]),
        cell("levels", "all but", won_back=0.002, won_back_ci95=sure),
        cell("sigma_g", "alone", lost=0.002, lost_ci95=sure),
        cell("sigma_g", "all but", won_back=0.001, won_back_ci95=None),
        cell("all", "all", lost=0.004, lost_ci95=sure),
    ]
    summary = {"grid": "budget", "cells": cells, "preset": "rram", "samples": 5, "model": "m"}
    summary["images"] = {"said": "made up"}
    figure = sweep_figure(summary)
    assert figure is not None
    (ax,) = figure.axes
    bars = {
        (round(bar.get_y() + bar.get_height() / 2, 6), round(bar.get_width(), 6)): bar
        for bar in ax.patches
        if isinstance(bar, Rectangle) and bar.get_width()
    }
    grey = {at: to_hex(bar.get_facecolor()) == NOISE for at, bar in bars.items()}
    assert grey == {(-0.2, -0.2): True, (0.2, 0.2): False, (0.8, 0.2): False, (1.2, 0.1): True}
    ends = [x.get_segments() for x in ax.collections if isinstance(x, LineCollection)]
    assert sum(map(len, ends)) == 4
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "levels\n20.0 dB", "sigma_g\n20.0 dB",
    ]  # fmt: skip


def test_the_judge_looks_at_sweeps(ngspice, build, images, tmp_path):
    options = StudyOptions(run=tmp_path / "run", judge="3x5")
    settings = ["sigma_g=0,0.2", "r_wire=0,5"]
    verdict = sweep(build, images, settings=settings, samples=2, options=options).summary["judge"]
    assert verdict["passed"] and verdict["chips"] == 3


# ---- command line


@pytest.fixture
def home(build, tmp_path) -> list[str]:
    random_npz(tmp_path / "data.npz")
    given = [build.folder, "--dataset", tmp_path / "data.npz", "--judge", "none"]
    return [str(word) for word in given]


def cli(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["--set", "sigma_g=0,0.1", "--samples", "2"], "sigma_g"),
        (["--set", "sigma_g=0,0.1", "--set", "opamp=linear,rails", "--samples", "2"], "rails"),
        (["--grid", "budget", "--samples", "2"], "won back"),
        (["--grid", "budget", "--samples", "1"], "0 is possible"),
        (["--grid", "faults", "--samples", "1"], "dead_amplifiers"),
    ],
)
def test_sweep_prints_a_table_and_draws_it(home, tmp_path, args, what):
    result = cli("sweep", *home, *args, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert what in result.stdout and f"kept in {tmp_path}/run" in result.stdout
    assert max(map(len, result.stdout.splitlines()[1:4])) <= 80
    with Image.open(tmp_path / "run" / "sweep.png") as picture:
        assert min(picture.size) > 300


def test_three_axes_are_a_table_without_a_picture(home, tmp_path):
    axes = ("--set", "sigma_g=0,0.1", "--set", "levels=0,8", "--set", "temp_c=20,85")
    result = cli("sweep", *home, *axes, "--samples", 1, "--out", tmp_path / "run", "--json")
    assert len(json.loads(result.stdout)["cells"]) == 8
    assert not (tmp_path / "run" / "sweep.png").exists()


@pytest.mark.parametrize(
    ("args", "kind", "sentence"),
    [
        ([], "SettingsError", "a sweep needs an axis: --set key=a,b,c"),
        (["--set", "sigmag=0,1"], "SettingsError", "--set: unknown setting 'sigmag', did you mean"),
        (["--set", "sigma_g=0,2"], "SettingsError", "sigma_g = 2.0 is out of range: 0 to 1"),
        (["--grid", "faults", "--set", "levels=8,16"], "SettingsError", "--grid faults has axes"),
        (
            ["--set", "sigma_g=0.1,0.2", "--samples", "60000"],
            "StudyError",
            "120,000 circuits: about ",
        ),
    ],
)
def test_bad_grids_are_refused_before_anything_is_written(
    home, tmp_path, monkeypatch, args, kind, sentence
):
    monkeypatch.setattr(cost, "TRIAL_S", 0.1)
    out = tmp_path / "run"
    found, text = refused("sweep", *home, *args, "--out", out)
    assert found == kind
    assert text.startswith(sentence)
    assert not out.exists()


@pytest.mark.parametrize("command", ["sweep", "montecarlo"])
def test_a_million_points_are_forecast(home, tmp_path, monkeypatch, command):
    monkeypatch.setattr(cost, "TRIAL_S", 0.1)
    args: list[Any] = ["--samples", 1_000_000]
    if command == "sweep":
        axis = "sigma_g=" + ",".join(f"0.{k:03d}" for k in range(1, 101))
        args = ["--samples", 10_000, "--set", axis]
    kind, text = refused(command, *home, *args, "--out", tmp_path / "run")
    assert kind == "StudyError"
    form = (
        r"1,000,000 circuits: about [\d.]+ \w+ with \d+ threads? \([\d.]+ ms each, [\d.]+ of them "
        r"drawing, and [\d.]+ to keep one, as [\d,]+ of them took\), [\d,]+ MB in the RUN: give "
        r"--yes to run them, or fewer --samples"
    )
    assert re.fullmatch(form, text)
    assert not (tmp_path / "run").exists()
