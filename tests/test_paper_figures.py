"""The paper's figures: curves and fits, errors of the coefficients, networks as circuits."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy import stats

from analogkan.cli import main
from analogkan.cli.paper import NAMES
from analogkan.devices import get
from analogkan.errors import SettingsError, StudyError
from analogkan.paper import circuits, curves, noise, run
from analogkan.paper.noise import NoisePlan, NoiseRequest, perturbed, run_noise
from analogkan.paper.rows import load_table
from analogkan.paper.run import PaperRequest
from analogkan.paper.tolerance import format_losses, losses

from .networks import random_spec
from .test_paper import digits, diverging

SMALL = NoisePlan(
    dataset="mnist", recipe="mnist-d2-short", hidden=(6, 12), errors=(0.0, 0.4), draws=3,
    ngspice_chips=1, ngspice_images=10, quick_draws=2, quick_images=50,
)  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """Every data set is a small one, and figure 8 a small figure."""

    def load(name: str, split: str, data, download: bool):
        return digits(300 if split == "train" else 100, len(split))

    for module in (noise, run, circuits):
        monkeypatch.setattr(module, "load_dataset", load)
    monkeypatch.setattr(NoiseRequest, "plan", lambda self: SMALL)


def test_every_table_and_figure_has_a_name():
    assert {"table1", "circuits", *(f"fig{k}" for k in (1, 3, 4, 5, 6, 7, 8, 9))} <= {*NAMES}
    assert {f"figa{k}" for k in (5, 6, 7)} <= {*NAMES}
    for name in set(NAMES) - {"fig1", "fig3", "fig4", "fig8", "circuits", "functions", "nodes"}:
        rows = load_table(name).rows
        assert len({row.name for row in rows}) == len(rows) >= 5


def test_activations_are_the_devices():
    rows = curves.activations()
    a21 = get("A21")
    mine = [row for row in rows if row["activation"] == "cmtd"]
    volts = np.array([row["volts"] for row in mine])
    np.testing.assert_allclose([row["value"] for row in mine], a21.phi(volts), atol=1e-12)
    rtd = [row["value"] for row in rows if row["activation"] == "rtd"]
    assert max(rtd) == pytest.approx(1.0, abs=1e-3)


def test_fits_miss_less_with_more_to_spend():
    for rows, along in ((curves.polynomials(), "order"), (curves.segments(), "segments")):
        for device in curves.DIODES:
            mine = sorted((r for r in rows if r["device"] == device), key=lambda r: r[along])
            assert mine[-1]["rms_residual"] < mine[0]["rms_residual"] / 2
    finest = [row for row in curves.segments() if row["step_volts"] == 0.05]
    assert max(row["max_residual"] for row in finest) < 1e-5
    assert min(row["lowest"] for row in curves.polynomials()) < -0.1  # where no diode goes


def test_coefficients_are_off_by_the_error_and_biases_are_not():
    spec = random_spec(1, (30, 20, 5))
    before, after = spec.folded(), perturbed(spec, 0.2, np.random.default_rng(0))
    for one, other in zip(before.layers, after.layers, strict=True):
        off = (other.theta / one.theta - 1).ravel()
        assert np.std(off) == pytest.approx(0.2, rel=0.1) and abs(off.mean()) < 0.05
        np.testing.assert_array_equal(one.bias, other.bias)


def test_figure_8_in_software_twin_and_ngspice(small, ngspice, tmp_path, one_thread):
    request = NoiseRequest(name="fig8", out=tmp_path / "p", seeds=1)
    found = run_noise(request)
    rows = found["rows"]
    assert {(r["hidden"], r["way"], r["error"]) for r in rows} == {
        (h, way, e) for h in (6, 12) for way in ("software", "twin", "ngspice") for e in (0.0, 0.4)
    }
    known = {(r["hidden"], r["way"], r["error"]): r for r in rows}
    for hidden in (6, 12):
        clean = [known[hidden, way, 0.0]["accuracy_mean"] for way in ("software", "twin")]
        assert clean[0] == pytest.approx(clean[1], abs=0.011)  # one image in a hundred
        assert known[hidden, "twin", 0.4]["accuracy_mean"] < clean[1]
        (entry,) = (e for e in found["losses"] if (e["hidden"], e["way"]) == (hidden, "twin"))
        drop = clean[1] - known[hidden, "twin", 0.4]["accuracy_mean"]
        assert entry["error"] == 0.4 and entry["points"] == pytest.approx(100 * drop)
    assert known[6, "twin", 0.4]["draws"] == 3 and known[6, "ngspice", 0.4]["n"] == 10
    assert run_noise(request) == found  # nothing is trained or simulated again


def rows_of(lost: dict[int, list[list[float]]], std: float = 0.01) -> list[dict]:
    """Rows of networks whose accuracy is 0.9, less the losses [seed][error] of each width."""
    return [
        {"way": "twin", "hidden": hidden, "parameters": 10 * hidden, "seed": seed, "draws": 50,
         "n": 100, "error": 0.1 * k, "accuracy_mean": 0.9 - loss,
         "accuracy_std": std if k else None}
        for hidden, seeds in lost.items()
        for seed, points in enumerate(seeds)
        for k, loss in enumerate([0.0, *points])
    ]  # fmt: skip


def test_losses_of_one_seed_have_intervals_over_draws():
    small, large = losses(rows_of({8: [[0.04]], 16: [[0.01]]}))
    half = stats.t.ppf(0.975, 49) * 1.0 / np.sqrt(50)
    assert small["points"] == pytest.approx(4.0) and small["less"] is small["less_ci95"] is None
    assert small["points_ci95"] == pytest.approx((4 - half, 4 + half))
    assert large["less"] == pytest.approx(3.0)
    rng = np.random.default_rng(0)
    a, b = (scale(rng.normal(size=50), 1.0) for _ in range(2))
    known = stats.ttest_ind(a + 4, b + 1, equal_var=False).confidence_interval()
    assert large["less_ci95"] == pytest.approx((known.low, known.high))


def scale(values: np.ndarray, std: float) -> np.ndarray:
    """Values with mean 0 and that standard deviation."""
    return (values - values.mean()) * std / values.std(ddof=1)


def test_losses_of_several_seeds_have_intervals_over_seeds():
    first, second = [0.04, 0.05, 0.06], [0.010, 0.011, 0.015]
    _, large = losses(rows_of({8: [[x] for x in first], 16: [[x] for x in second]}))
    known = stats.ttest_ind(
        100 * np.array(first), 100 * np.array(second), equal_var=False
    ).confidence_interval()
    assert large["less_ci95"] == pytest.approx((known.low, known.high))
    assert (large["seeds"], large["draws"]) == (3, 50)


def test_losses_that_do_not_vary_have_no_interval():
    found = losses(rows_of({8: [[0.04, 0.08]], 16: [[0.04, 0.02]]}, std=0.0))
    assert all(entry["points_ci95"] is entry["less_ci95"] is None for entry in found)
    lines = format_losses(found).splitlines()
    assert lines[0] == (
        "|  | 8 hidden, 80 parameters | 16 hidden, 160 parameters | 16 lose less than 8 by |"
    )
    assert lines[2:] == [
        "| twin, 10 % | 4.00 | 4.00 | 0.00 |",
        "| twin, 20 % | 8.00 | 2.00 | 6.00 |",
        "",
        "1 training seed; twin: 50 draws on 100 images.",
    ]


def test_the_command_keeps_rows_and_a_picture(small, ngspice, tmp_path, one_thread):
    for words in (["fig8", "--seeds", "1"], ["fig3"], ["circuits", "--quick", "--only",
                  "mnist-mlp-cmtd"]):  # fmt: skip
        args = ["paper", *words, "--out", str(tmp_path / words[0]), "--json"]
        result = CliRunner().invoke(main, args, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        with Path(found["csv"]).open(encoding="utf-8") as stream:
            kept = list(csv.DictReader(stream))
        assert len(kept) == len(found["rows"])
        assert all(value == "" or value[0] not in "([" for row in kept for value in row.values())
        with Image.open(found["figure"]) as image:
            assert image.size[0] > 800
    (entry,) = found["rows"]
    assert float(kept[0]["circuit_ci95_low"]) == entry["circuit_ci95"][0]
    assert entry["agreement"] == 1.0 and entry["n"] == 50 and entry["error_of_full_scale"] < 1e-2


def test_a_network_that_diverged_is_no_circuit(small, tmp_path, one_thread):
    request = PaperRequest(
        table=diverging("mnist-mlp-rtd"), out=tmp_path, seeds=1, quick=True,
        only=("mnist-mlp-rtd",),
    )  # fmt: skip
    with pytest.raises(
        StudyError, match=r"^mnist-mlp-rtd diverged in training, so there is no circuit of it: "
    ):
        circuits.run_circuits(request, "circuits")
    assert not (tmp_path / "circuits-quick").exists()


MOSFET = ("mnist-mlp-mosfet",)


def kept_circuit(out: Path) -> PaperRequest:
    """A row that is trained and simulated."""
    request = PaperRequest(table=load_table("table1"), out=out, seeds=1, quick=True, only=MOSFET)
    circuits.run_circuits(request, "circuits")
    return request


def test_a_circuit_is_of_the_network_that_was_trained(small, ngspice, tmp_path, one_thread):
    request = kept_circuit(tmp_path)
    kept = tmp_path / "table1-quick" / "mnist-mlp-mosfet-seed0.json"
    network = kept.with_suffix(".npz")
    again = circuits.run_circuits(request, "circuits")
    assert again["rows"][0]["compile_seconds"] > 0  # of when it was made
    network.unlink()
    with pytest.raises(StudyError, match=r"seed0.npz is missing: remove mnist-mlp-mosfet-seed0.js"):
        circuits.run_circuits(request, "circuits")
    random_spec(1).save(network)
    with pytest.raises(StudyError, match=r"seed0.npz is another network: remove mnist-mlp-mosfet"):
        circuits.run_circuits(request, "circuits")
    kept.unlink()
    found = circuits.run_circuits(request, "circuits")  # trained anew: the same network again
    assert [row["error_of_full_scale"] for row in found["rows"]] == [
        row["error_of_full_scale"] for row in again["rows"]
    ]
    kept.unlink()
    rates = [replace(r, learning_rate=2e-3) for r in request.table.rows]
    other = replace(request, table=replace(request.table, rows=tuple(rates)))
    changed = circuits.run_circuits(other, "circuits")["rows"]
    assert changed[0]["error_of_full_scale"] != again["rows"][0]["error_of_full_scale"]


def test_a_damaged_or_edited_build_is_a_sentence(small, ngspice, tmp_path, one_thread):
    request = kept_circuit(tmp_path)
    folder = tmp_path / "circuits-quick"
    deck = folder / "mnist-mlp-mosfet.build" / "layer0.cir"
    (folder / "mnist-mlp-mosfet.json").unlink()
    deck.write_text(deck.read_text() + "* mine\n")
    with pytest.raises(StudyError, match=r"layer0.cir was edited: remove .*, and run this again$"):
        circuits.run_circuits(request, "circuits")
    deck.with_name("design.json").write_text("{")
    with pytest.raises(StudyError, match=r"mosfet.build is damaged: remove it, and run this again"):
        circuits.run_circuits(request, "circuits")


def test_a_network_of_another_recipe_is_refused(small, tmp_path, monkeypatch, one_thread):
    request = NoiseRequest(name="fig8", out=tmp_path, seeds=1, quick=True)

    def stop(what: str, done: int, total: int) -> None:
        if "twin" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_noise(request, stop)
    plan = replace(SMALL, recipe="paper-mnist-d2")
    monkeypatch.setattr(NoiseRequest, "plan", lambda self: plan)
    with pytest.raises(StudyError, match=r"mnist-6-seed0.json was made with .*, now it is "):
        run_noise(request, stop)
    monkeypatch.setattr(NoiseRequest, "plan", lambda self: SMALL)
    (tmp_path / "fig8-quick" / "mnist-6-seed0.pt").unlink()
    with pytest.raises(StudyError, match=r"mnist-6-seed0.pt is missing: remove mnist-6-seed0.json"):
        run_noise(request, stop)


def test_a_draw_is_its_error_s_whatever_else_is_drawn():
    spec, images = random_spec(3, (16, 8, 3)), digits(60, 1)
    images = replace(images, x=images.x[:, ::7, ::7].reshape(60, 16), y=images.y % 3)
    few, more = (replace(SMALL, errors=errors) for errors in ((0.0, 0.4), (0.0, 0.1, 0.4)))
    known = [noise._software(spec, images, plan, 0) for plan in (few, more)]
    assert known[0][-1] == known[1][-1]


def test_options_without_a_meaning_are_refused(tmp_path):
    for words, option in (
        (["fig1", "--seeds", "3"], "seeds"),
        (["fig4", "--only", "mnist"], "only"),
        (["fig3", "--quick"], "quick"),
        (["fig8", "--only", "mnist"], "only"),
    ):
        result = CliRunner().invoke(main, ["paper", *words, "--out", str(tmp_path / "p")])
        assert result.exit_code == 2
        assert f"--{option} has no meaning for {words[0]}: " in result.output
        assert not (tmp_path / "p").exists()
    result = CliRunner().invoke(main, ["paper", "circuits", "--seeds", "2"])
    assert result.exit_code == 2 and "--seeds 2: circuits are of seed 0 alone" in result.output


def test_curves_and_tables_share_a_folder(small, tmp_path, one_thread):
    words = ["--out", str(tmp_path / "p")]
    for name in (["fig1"], ["table1", "--quick", "--seeds", "1", "--only", "mnist-mlp-relu"]):
        assert CliRunner().invoke(main, ["paper", *name, *words]).exit_code == 0
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "mine.txt").write_text("mine")
    result = CliRunner().invoke(main, ["paper", "fig1", "--out", str(tmp_path / "q")])
    assert result.exit_code == 1 and "holds files but no paper.json" in result.output


def test_a_quick_run_is_of_the_rows_that_are_named():
    plan = circuits.circuit_plan
    assert {row.dataset for row in plan("circuits", quick=True).rows} == {"mnist"}
    named = plan("circuits", ("fashion-own-2", "mnist-mlp-cmtd"), quick=True).rows
    assert {row.dataset for row in named} == {"mnist", "fashion-mnist"}


def test_plans_that_are_none_are_refused():
    with pytest.raises(
        SettingsError, match=r"^errors = \(0.1, 0.2\) is out of range: 0, then some"
    ):
        replace(SMALL, errors=(0.1, 0.2))
    with pytest.raises(
        SettingsError, match=r"^--only mnist-mlp-relu leaves no network that can be"
    ):
        circuits.circuit_plan("circuits", ("mnist-mlp-relu",))
