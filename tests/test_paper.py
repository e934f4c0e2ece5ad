"""The paper's table: its rows are what they say, and running them is resumable."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from analogkan.cli import main
from analogkan.data import ImageSet
from analogkan.errors import SettingsError, StudyError
from analogkan.network.baselines import parameter_count
from analogkan.network.model import TDKAN
from analogkan.paper import run
from analogkan.paper.entries import entry_of, format_table, measured
from analogkan.paper.rows import Table, TableRow, grid_rows, load_table
from analogkan.paper.run import PaperRequest, run_table
from analogkan.report.paper import table_figure
from analogkan.settings import build
from analogkan.training.classifier import Schedule, accuracy_of, inputs_of, train_classifier
from analogkan.training.fit import config_of, train
from analogkan.training.recipe import load_recipe

TABLE = load_table("table1")


def digits(n: int, seed: int) -> ImageSet:
    """Grey 28 x 28 images of ten kinds of noise: what a short training can tell apart."""
    rng = np.random.default_rng(seed)
    kinds = np.random.default_rng(0).uniform(0, 255, (10, 28, 28))
    y = np.arange(n) % 10
    x = (kinds[y] + rng.normal(0, 40, (n, 28, 28))).clip(0, 255).astype(np.uint8)
    return ImageSet(name="mnist", x=x, y=y, index=np.arange(n))


@pytest.fixture
def small(monkeypatch):
    """Every data set is a small one; how often one was asked for."""
    asked: list[str] = []

    def load(name: str, split: str, data, download: bool) -> ImageSet:
        asked.append(f"{name} {split}")
        return digits(300 if split == "train" else 100, len(split))

    monkeypatch.setattr(run, "load_dataset", load)
    return asked


SHAPES = {"mnist": (28, 28), "fashion-mnist": (28, 28), "cifar10": (32, 32, 3)}


@pytest.mark.parametrize("row", TABLE.rows, ids=lambda row: row.name)
def test_each_row_s_network_has_the_table_s_parameters(row):
    if row.network != "tdkan":
        with torch.device("meta"):
            assert parameter_count(row.maker()()) == row.parameters
        return
    recipe = load_recipe(row.recipe)
    shape = recipe.resize or SHAPES[row.dataset]
    config = config_of(recipe, shape, 10)
    assert config.sizes == row.sizes
    with torch.device("meta"):
        count = parameter_count(TDKAN(config))
    biases = 0 if recipe.biases else sum(outputs for _, outputs in config.shapes())
    assert count - biases == row.parameters


def test_biases_that_are_not_trained_are_not_counted(one_thread):
    images = digits(300, 1)
    recipe = replace(load_recipe("paper-mnist-d2", epochs=1), biases=False, hidden=(8,))
    done = train(images, recipe)
    spec = done.model.to_spec(done.encoding, name="m")
    assert not any(layer.bias.any() for layer in spec.layers)
    assert parameter_count(done.model) == 2 * (196 * 8 + 8 * 10) + 2 * 8


def test_a_grid_goes_over_one_axis_at_a_time():
    axes = {"devices": [["A21"], ["A21", "Z21"]], "batch": [32], "sizes": [[196, 32, 16, 10]]}
    entry = {"dataset": "mnist", "network": "tdkan", "recipe": "paper-mnist-d2"}
    entry |= {"sizes": [196, 64, 10], "axes": axes}
    found = grid_rows(entry)
    assert [row["name"] for row in found] == [
        "mnist-a21", "mnist-a21-z21", "mnist-batch-32", "mnist-hidden-32-16",
    ]  # fmt: skip
    assert [row["label"] for row in found][:2] == ["A21", "A21 + Z21"]
    rows = [build(TableRow, row, "grid") for row in found]
    plans = [row.plan(quick=True) for row in rows]
    assert [plan.devices for plan in plans[:2]] == [("A21",), ("A21", "Z21")]
    assert plans[2].batch == 32 and plans[3].hidden == (32, 16) and plans[3].epochs == 2
    with pytest.raises(SettingsError, match=r"^axis 'colour' of a grid is none of devices, "):
        grid_rows({"dataset": "mnist", "axes": {"colour": [1]}})


def test_a_row_is_run_once_and_more_seeds_extend_it(small, tmp_path, one_thread):
    request = PaperRequest(
        table=TABLE, out=tmp_path / "p", seeds=1, quick=True, only=("mnist-mlp-rtd",)
    )
    first = run_table(request)
    (entry,) = first["rows"]
    assert (entry["parameters"], entry["printed"], entry["epochs"]) == (13_258, 97.58, 2)
    kept = tmp_path / "p" / "table1-quick" / "mnist-mlp-rtd-seed0.json"
    before = kept.read_bytes()
    assert small == ["mnist train", "mnist test"]
    assert run_table(request) == first  # nothing is trained, nothing is read
    assert small == ["mnist train", "mnist test"]
    second = run_table(replace(request, seeds=2, command="analogkan paper table1"))
    log = (tmp_path / "p" / "log.txt").read_text()
    assert log.count("begin: paper table1, from Python\n") == 2
    assert "begin: analogkan paper table1\n" in log
    said = [line.split("  ")[1] for line in log.splitlines() if "trained: " in line]
    assert said == [f"trained: mnist-mlp-rtd, seed {seed}" for seed in (0, 1)]
    assert kept.read_bytes() == before
    assert second["rows"][0]["seeds"] == 2
    runs = [json.loads(p.read_text()) for p in sorted(kept.parent.glob("*.json"))]
    accuracy = [entry["accuracy"] for entry in runs]
    assert second["rows"][0]["accuracy_mean"] == pytest.approx(np.mean(accuracy))
    assert len(set(accuracy)) == 2 or runs[0]["seed"] != runs[1]["seed"]


def test_a_tdkan_row_goes_through_its_recipe(small, tmp_path, one_thread):
    request = PaperRequest(
        table=TABLE, out=tmp_path, seeds=1, quick=True, only=("mnist-tdkan-2", "mnist-own-2")
    )
    paper, own = run_table(request)["rows"]
    assert paper["kind"] == "paper" and own["kind"] == "own"
    assert paper["parameters"] == own["parameters"] == 26_570
    assert own["accuracy_mean"] > 0.5
    assert not list(tmp_path.rglob("*.training"))


def test_a_network_that_is_not_the_row_s_is_refused(small, tmp_path, one_thread):
    row = replace(TABLE.rows[0], parameters=13_259)
    request = PaperRequest(
        table=Table(name="table1", rows=(row,), training=TABLE.training),
        out=tmp_path, seeds=1, quick=True,
    )  # fmt: skip
    with pytest.raises(StudyError, match=r"^mnist-mlp-rtd has 13,258 parameters, its row says "):
        run_table(request)
    assert not list((tmp_path / "table1-quick").glob("*.json"))


def test_refusals(small, tmp_path, one_thread):
    with pytest.raises(SettingsError, match=r"^--only 'svhn' is no row or data set of table1: "):
        PaperRequest(table=TABLE, out=tmp_path, only=("svhn",)).rows()
    with pytest.raises(SettingsError, match=r"^unknown table 'table2', did you mean table1\?"):
        load_table("table2")
    with pytest.raises(SettingsError, match=r"^recipe = '' is out of range: a recipe for tdkan"):
        replace(TABLE.rows[0], network="tdkan", activation="")
    (tmp_path / "notes.txt").write_text("mine")
    request = PaperRequest(table=TABLE, out=tmp_path, quick=True, seeds=1, only=("mnist-mlp-relu",))
    with pytest.raises(StudyError, match=r"holds files but no paper.json: give another --out$"):
        run_table(request)
    (tmp_path / "notes.txt").unlink()
    run_table(request)
    (tmp_path / "table1-quick" / "mnist-mlp-relu-seed0.json").write_text("{")
    with pytest.raises(StudyError, match=r"-seed0.json is damaged: remove it, and run the same"):
        run_table(request)


def diverging(name: str) -> Table:
    """Table 1 with one row that is trained at a rate which no network bears."""
    rows = tuple(replace(row, learning_rate=9.0) if row.name == name else row for row in TABLE.rows)
    return replace(TABLE, rows=rows)


def test_a_training_that_diverges_is_a_row_like_others(small, tmp_path, one_thread):
    table = diverging("mnist-mlp-rtd")
    names = ("mnist-mlp-rtd", "mnist-mlp-relu")
    request = PaperRequest(table=table, out=tmp_path, seeds=1, quick=True, only=names)
    lost, kept = run_table(request)["rows"]
    assert lost["accuracy_mean"] is None and lost["seconds"] is None and lost["diverged"] == 1
    assert kept["accuracy_mean"] > 0 and kept["diverged"] == 0
    lines = (tmp_path / "table1-quick.md").read_text(encoding="utf-8").splitlines()
    assert lines[4].endswith("| 13,258 | 97.58 | diverged |  | 1 | 2 |  |")
    told = json.loads((tmp_path / "table1-quick" / "mnist-mlp-rtd-seed0.json").read_text())
    assert told["diverged"].startswith("training diverged in epoch ") and told["accuracy"] is None
    assert not list(tmp_path.rglob("*.training"))
    before = len(small)
    assert run_table(request)["rows"] == [lost, kept] and len(small) == before  # not tried again
    texts = {text.get_text() for ax in table_figure([lost, kept]).axes for text in ax.texts}
    assert texts == {"diverged"}
    assert table_figure([lost]).axes[0].get_xlim() == (0.0, 100.0)
    more = measured(kept | {"diverged": 2})
    assert more[1] == f"{more[0]} to {more[0]}; 2 diverged"
    assert measured(kept)[1] == "–"  # of one seed there is no range


def test_the_table_grows_with_every_result(small, tmp_path, one_thread):
    names = ("mnist-mlp-relu", "mnist-mlp-sigmoid")
    request = PaperRequest(table=TABLE, out=tmp_path, seeds=1, quick=True, only=names)
    seen: list[int] = []

    def on_epoch(row, seed, epoch) -> None:
        md = tmp_path / "table1-quick.md"
        seen.append(len(md.read_text(encoding="utf-8").splitlines()) if md.is_file() else 0)

    run_table(request, on_epoch=on_epoch)
    assert seen == [0, 0, 5, 5]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"learning_rate": 2e-3}, "learning_rate = 0.001, now it is 0.002"),
        ({"dataset": "fashion-mnist"}, "dataset = mnist, now it is fashion-mnist"),
        ({"parameters": 13_259}, "parameters = 13258, now it is 13259"),
    ],
)
def test_a_result_of_another_plan_is_refused(small, tmp_path, one_thread, change, told):
    request = PaperRequest(table=TABLE, out=tmp_path, seeds=1, quick=True, only=("mnist-mlp-relu",))
    run_table(request)
    changed = tuple(replace(row, **change) for row in TABLE.rows if row.name == "mnist-mlp-relu")
    with pytest.raises(
        StudyError,
        match=rf"mnist-mlp-relu-seed0.json was made with {told}: remove the file, or give another",
    ):
        run_table(replace(request, table=replace(TABLE, rows=changed)))


@pytest.mark.parametrize("text", ["[]", "{}", "", '{"plan": []}', '{"plan": {}, "row": "x"}'])
def test_a_damaged_result_is_a_sentence(small, tmp_path, one_thread, text):
    request = PaperRequest(table=TABLE, out=tmp_path, seeds=1, quick=True, only=("mnist-mlp-relu",))
    (tmp_path / "paper.json").write_text("{}")
    (tmp_path / "table1-quick").mkdir()
    (tmp_path / "table1-quick" / "mnist-mlp-relu-seed0.json").write_text(text)
    with pytest.raises(
        StudyError, match=r"seed0.json (is damaged|lacks row|lacks seed): remove it, and run"
    ):
        run_table(request)


def test_an_edited_result_is_no_figure(small, tmp_path, one_thread):
    request = PaperRequest(table=TABLE, out=tmp_path, seeds=1, quick=True, only=("mnist-mlp-relu",))
    run_table(request)
    kept = tmp_path / "table1-quick" / "mnist-mlp-relu-seed0.json"
    for value in (1.7, 0.9999, "bad"):
        told = json.loads(kept.read_text()) | {"accuracy": value}
        kept.write_text(json.dumps(told))
        with pytest.raises(StudyError, match=r"seed0.json was edited: remove it, and run the same"):
            run_table(request)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("mnist-mlp-relu", (784, 64, 10)),
        ("mnist-spline", (196, 64, 5)),
        ("mnist-tdkan-2", (784, 64, 10)),
        ("mnist-conv", (784, 1568, 10)),
    ],
)
def test_sizes_that_do_not_fit_are_refused_before_training(small, tmp_path, name, sizes):
    (row,) = TABLE.chosen((name,))
    table = replace(TABLE, rows=(replace(row, sizes=sizes, parameters=0),))
    request = PaperRequest(table=table, out=tmp_path, seeds=1, quick=True)
    with pytest.raises(SettingsError, match=rf"^{name} has sizes \({sizes[0]}, .*they are \("):
        run_table(request, on_epoch=lambda row, seed, epoch: pytest.fail("trained"))


def test_files_hold_all_that_is_kept(small, tmp_path, one_thread):
    names = ("mnist-mlp-relu", "mnist-mlp-sigmoid")
    request = PaperRequest(table=TABLE, out=tmp_path, seeds=2, quick=True, only=names)
    run_table(request)
    table, md = (tmp_path / f"table1-quick.{suffix}" for suffix in ("csv", "md"))
    before = table.read_text(), md.read_text()
    found = run_table(replace(request, seeds=1, only=names[:1]))
    assert [(row["row"], row["seeds"]) for row in found["rows"]] == [("mnist-mlp-relu", 2)]
    assert (table.read_text(), md.read_text()) == before
    assert len(before[0].splitlines()) == 3 and found["csv"] == str(table)


def test_equal_trainings_of_a_figure_are_run_once(small, tmp_path, one_thread):
    table = load_table("figa5")
    only = ("mnist-batch-64", "mnist-hidden-64")
    trained: list[str] = []
    request = PaperRequest(table=table, out=tmp_path, seeds=1, quick=True, only=only)
    rows = run_table(request, on_epoch=lambda row, seed, epoch: trained.append(row.name))["rows"]
    assert trained == ["mnist-batch-64"] * 2
    assert [row["row"] for row in rows] == list(only)
    assert rows[0]["accuracy_mean"] == rows[1]["accuracy_mean"]


def test_a_quick_run_is_mnist_alone():
    rows = PaperRequest(table=TABLE, out=TABLE, quick=True).rows()  # pyright: ignore
    assert {row.dataset for row in rows} == {"mnist"}
    assert {row.dataset for row in TABLE.rows} == {"mnist", "fashion-mnist", "cifar10"}
    fashion = PaperRequest(table=TABLE, out=TABLE, quick=True, only=("fashion-mnist",))  # pyright: ignore
    assert {row.dataset for row in fashion.rows()} == {"fashion-mnist"}


def test_the_command_prints_a_table_and_keeps_a_picture(small, tmp_path, one_thread):
    words = ["paper", "table1", "--quick", "--seeds", "1", "--out", str(tmp_path / "p")]
    words += ["--only", "mnist-mlp-relu", "--only", "mnist-gottlieb"]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "mnist: KAN (Gottlieb)" in result.stdout and "97.47" in result.stdout
    with Image.open(tmp_path / "p" / "table1-quick.png") as image:
        assert image.size[0] > 800
    assert len((tmp_path / "p" / "table1-quick.csv").read_text().splitlines()) == 3
    lines = (tmp_path / "p" / "table1-quick.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "Trained as the paper says:"
    assert lines[5].startswith("| mnist | KAN (Gottlieb) | 52,866 | 97.47 | ")


def test_rows_by_our_recipes_are_a_table_of_their_own():
    kept = {"dataset": "mnist", "parameters": 1, "accuracy": 0.5, "n": 9, "epochs": 1, "seconds": 1}
    rows = TABLE.chosen(("mnist-own-2", "mnist-spline", "mnist-own-3"))
    tables = format_table([entry_of(row, [kept]) for row in rows]).split("\n\n")
    assert [part for part in tables if not part.startswith("|")] == [
        "Trained as the paper says:", "Trained by our recipes:",
    ]  # fmt: skip
    assert [part.count("\n| mnist |") for part in tables if part.startswith("|")] == [1, 2]


def test_a_classifier_learns_and_is_its_seed_s(one_thread):
    images, schedule = digits(300, 1), Schedule(epochs=8, learning_rate=1e-3)
    make, shape = load_table("table1").rows[3], (28, 28)
    relu = replace(make, sizes=(784, 20, 10)).maker()
    found = [train_classifier(relu, images, shape, schedule, seed=s)[0] for s in (0, 0, 1)]
    weights = [model.layers[0].weight for model in found]  # pyright: ignore
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert accuracy_of(found[0], inputs_of(images, shape, schedule), images.y) > 0.9


def test_small_networks_are_the_same_whatever_the_threads():
    images, shape = digits(300, 1), (28, 28)
    recipe = replace(load_recipe("paper-mnist-d2", epochs=2), hidden=(8,))
    relu = replace(TABLE.chosen(("mnist-mlp-relu",))[0], sizes=(784, 20, 10)).maker()
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            schedule = Schedule(epochs=2, learning_rate=1e-3)
            model, _ = train_classifier(relu, images, shape, schedule, seed=0)
            found.append((model.layers[0].weight, train(images, recipe).model.layers[0].weight))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
