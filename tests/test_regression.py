"""Networks of functions: targets as data, as training goals, as what outputs stand for."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan.cli import main
from analogkan.data.functions import FUNCTIONS
from analogkan.data.sources import named_in
from analogkan.data.subset import spread
from analogkan.errors import CheckpointError, DataError, SettingsError
from analogkan.network import checkpoint
from analogkan.network.encoding import Encoding
from analogkan.network.measures import distance
from analogkan.network.spec import load_spec
from analogkan.network.targets import Targets
from analogkan.studies.notes import image_notes
from analogkan.training.before import notes_of

from .test_cli_errors import refused

CELSIUS = Targets(low=(0.0,), high=(100.0,), names=("temperature",), units=("degC",))
PAIR = Targets(low=(0.0, -1.0), high=(100.0, 1.0), names=("t", "y"), units=("degC", ""))
rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (400, 2))
Y = X[:, 0] * X[:, 1]


def npz(tmp_path: Path, **arrays: object) -> Path:
    path = tmp_path / "own.npz"
    np.savez(path, **({"x": X, "y": Y} | arrays))  # type: ignore[arg-type]
    return path


# ---- data


def test_fractions_are_targets_and_know_their_names(tmp_path):
    path = npz(tmp_path, y_name="product", y_unit="V^2", x_name=["a", "b"], x_unit=["V", "V"])
    found = ak.load_dataset(path, "train")
    assert (found.task, found.y.shape, len(found)) == ("regression", (320, 1), 320)
    assert (found.targets, found.inputs) == ((("product", "V^2"),), (("a", "V"), ("b", "V")))
    assert "product (V^2)" in repr(found)
    assert len(ak.load_dataset(path, "test")) == 80


def test_a_test_set_is_spread_over_the_first_targets_quantiles(tmp_path):
    found = ak.load_dataset(npz(tmp_path), "test")
    rank = np.sort(np.searchsorted(np.sort(Y), found.y[:, 0]))
    assert (np.diff(rank) < 10).all()  # one of every five


@pytest.mark.parametrize("n", [1, 7, 400])
def test_spread_takes_one_from_each_part_and_the_same_again(n):
    chosen = spread(Y[:, None], n)
    rank = np.argsort(np.argsort(Y, kind="stable"))[chosen]
    parts = np.array_split(np.arange(400), n)
    assert [int(np.isin(rank, part).sum()) for part in parts] == [1] * n
    np.testing.assert_array_equal(chosen, spread(Y[:, None], n))


def test_a_subset_of_points_is_said_by_quantile(tmp_path):
    found = ak.by_class(ak.load_dataset(npz(tmp_path), "test"), 20)
    assert found.said == "own.npz test, 20 of 80, by quantile, seed 0"


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"y": np.arange(400)}, "y holds 400 different whole numbers, which may be classes or"),
        ({"y": np.arange(400.0)}, "y holds 400 different whole numbers, which may be classes or"),
        (
            {"y": np.where(Y[3] == Y, np.nan, Y), "task": "regression"},
            "the target of point 3 holds",
        ),
        ({"task": "guess"}, "task is 'guess'; it must be classification or regression"),
        ({"y_name": ["a", "b"]}, "2 names of targets, of which there are 1"),
        ({"x_name": ["a", "b"], "x_unit": ["V"]}, "2 texts in x_name, 1 in x_unit"),
        ({"y_unit": 3}, "y_unit has type int64 and shape (); it must be text"),
        (
            {"task": "classification"},
            f"label {Y[0]:g} of image 0 is no class: use 0, 1, 2, ..., or say that these are "
            "targets with --task regression",
        ),
        ({"y": np.where(Y[3] == Y, np.nan, Y)}, "the target of point 3 holds NaN or infinity"),
        ({"y": np.zeros((400, 0)), "task": "regression"}, "want (n, ...) and (n, K)"),
    ],
)
def test_what_is_no_regression_data_is_refused(tmp_path, arrays, sentence):
    with pytest.raises(DataError, match=re.escape(sentence)):
        ak.load_dataset(npz(tmp_path, **arrays), "train")


def test_whole_numbers_are_what_is_said_of_them(tmp_path):
    path = npz(tmp_path, y=np.arange(400))
    assert ak.load_dataset(path, "train", task="regression").task == "regression"
    assert ak.load_dataset(path, "train", task="classification").task == "classification"


TABLE = "ratio (V/V);pressure [kPa];temperature (degC)\n" + "".join(
    f"{0.001 * k:.3f};{100 + k};{k * 0.25}\n".replace(".", ",") for k in range(50)
)


def test_a_table_is_a_data_set_with_names_and_units(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    found = ak.load_dataset(tmp_path / "t.csv", "train")
    assert found.inputs == (("ratio", "V/V"), ("pressure", "kPa"))
    assert found.targets == (("temperature", "degC"),)
    assert (found.x.shape, found.name) == ((40, 2), "t")
    np.testing.assert_allclose(found.y[:, 0], (found.x[:, 1] - 100) * 0.25)
    both = ak.load_dataset(tmp_path / "t.csv", "test", targets="2")
    assert (both.x.shape, both.y.shape) == ((10, 1), (10, 2))
    named = ak.load_dataset(tmp_path / "t.csv", "test", targets="ratio")
    assert [name for name, _ in named.inputs] == ["pressure", "temperature"]


@pytest.mark.parametrize(
    ("text", "targets", "sentence"),
    [
        (
            TABLE,
            "3",
            "has no column '3' for --targets: it has ratio, pressure, temperature; or say",
        ),
        (TABLE, "volts", "has no column 'volts' for --targets"),
        (TABLE, "ratio,pressure,temperature", "all of its 3 columns are targets"),
        (TABLE, "ratio,ratio", "target 'ratio' is named twice: a column is one target"),
        (
            "a,b,b\n1,2,3\n4,5,6\n",
            "b",
            "has 2 columns 'b', and a target is one of them: give each a name of its own in the",
        ),
        ("a,b\n1,2\n3,x\n", "", "'x' in column 2 is not a number"),
        ("a,b\n1,2\n3,inf\n", "", "is not finite"),
    ],
)
def test_a_table_that_is_no_data_set_is_refused(tmp_path, text, targets, sentence):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(sentence)):
        ak.load_dataset(tmp_path / "t.csv", "train", targets=targets)


def test_classes_are_one_column_of_a_table(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c\n1,0,1\n3,1,0\n", encoding="utf-8")
    sentence = (
        "t.csv: 2 columns are targets, and classes are one: leave --targets out, or --task "
        "classification"
    )
    with pytest.raises(DataError, match=re.escape(sentence)):
        ak.load_dataset(tmp_path / "t.csv", "train", targets="2", task="classification")


GOOD = {"name": "f", "x": np.zeros((3, 1)), "index": np.arange(3), "targets": (("t", "degC"),)}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"y": np.zeros(3)}, "f: x has shape (3, 1), y (3,) and index (3,); want (n, ...), (n, K)"),
        ({"y": np.zeros((2, 1))}, "f: x has shape (3, 1), y (2, 1) and index (3,); want (n, ...)"),
        (
            {"y": np.zeros(2, int), "targets": ()},
            "f: x has shape (3, 1), y (2,) and index (3,); want (n, ...), (n,) and (n,)",
        ),
        (
            {"y": np.zeros((3, 2))},
            "f: targets has 1 entries, and y has 2 columns: give a name and a unit, which may be "
            "empty, of each",
        ),
        ({"y": np.array([[0], [1], [np.nan]])}, "f: the target of point 2 holds NaN or infinity"),
    ],
)
def test_a_set_made_by_hand_is_checked(given, sentence):
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}"):
        ak.ImageSet(**(GOOD | given))


# ---- encoding and targets


def test_every_input_has_its_range_and_its_taps():
    encoding = Encoding(
        x_lo=-1, x_hi=300, v_lo=0, v_hi=1.2, shape=(2,),
        ranges=((-1, 1), (280, 300)), taps=((0, 1.2), (0.6, 0)),
    )  # fmt: skip
    assert (encoding.inputs, encoding.width) == (2, 4)
    volts = encoding.volts(np.array([[-1.0, 290.0], [0.5, 300.0]]))
    np.testing.assert_allclose(volts, [[0, 0.6, 0.6, 0.3], [0.9, 0.15, 1.2, 0]], atol=1e-15)
    assert encoding.saturated(np.array([[2.0, 290], [0, 279]])) == 2
    with pytest.raises(DataError, match="values of input 1 span 0 to 20; this network was trained"):
        encoding.volts(np.array([[0.0, 0], [0, 20]]))


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"ranges": ((0, 1),)}, "ranges: 1 for 2 inputs; one each"),
        ({"ranges": ((0, 1), (0, 0.5)), "x_hi": 2}, "ranges of the input encoding go from 0 to 1"),
        ({"ranges": ((0, 1), (1, 1))}, "or one of them is a single value"),
        ({"taps": ((0, 0.5),)}, "taps of the input encoding go from 0 to 0.5, not from 0 to 1"),
        ({"taps": ((0, math.nan),)}, "all finite"),
    ],
)
def test_an_encoding_that_contradicts_itself_is_refused(entries, sentence):
    whole = {"x_lo": 0, "x_hi": 1, "v_lo": 0, "v_hi": 1, "shape": (2,)} | entries
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        Encoding(**whole)


def test_outputs_and_quantities_are_one_another():
    z = rng.uniform(-1, 1, (20, 2))
    np.testing.assert_allclose(PAIR.outputs(PAIR.values(z)), z, atol=1e-15)
    np.testing.assert_allclose(PAIR.values(np.array([[-1, 1.0]])), [[0, 1]])
    assert PAIR.said == "t (degC), y"
    with pytest.raises(CheckpointError, match="target a goes from 1 to 1: no range"):
        Targets(low=(1,), high=(1,), names=("a",), units=("",))


def test_a_distance_is_in_the_targets_unit():
    y = np.linspace(0, 100, 101)[:, None]
    found = distance(CELSIUS, y, y + np.where(y == 40, -5.0, 1.0))
    assert found.rmse == pytest.approx(math.sqrt((100 + 25) / 101))
    assert (found.max_abs, found.worst) == (5.0, 40)
    assert found.share == found.rmse / 100
    assert found.bits == pytest.approx(math.log2(100 / found.rmse / math.sqrt(12)))
    low, high = found.rmse_ci95 or (0, 0)
    assert low < found.rmse < high
    several = distance(PAIR, np.zeros((5, 2)), np.array([[10.0, 0.2]] * 5))
    assert several.rmse == pytest.approx(0.1)
    assert several.r2 is None


# ---- training


@pytest.fixture(scope="module")
def product(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("product")
    data = npz(folder, y_name="product", y_unit="V")
    made = ak.train(data, folder / "p.pt", recipe="function-d2", epochs=60, progress=False)
    assert "RMSE" in repr(made) and "% of span" in repr(made)
    return folder


def test_a_function_is_learned_far_better_than_a_line_can(product):
    spec = checkpoint.load_spec(product / "p.pt")
    test = ak.load_dataset(product / "own.npz", "test")
    assert spec.targets is not None
    found = distance(spec.targets, test.y, spec.targets.values(spec.logits(test.x)))
    known = ak.load_dataset(product / "own.npz", "train")
    line = np.linalg.lstsq(np.c_[known.x, np.ones(320)], known.y)[0]
    of_line = distance(spec.targets, test.y, np.c_[test.x, np.ones(80)] @ line)
    assert found.share < 0.015
    assert of_line.share > 0.15
    card = (product / "p.md").read_text(encoding="utf-8")
    assert f"RMSE **{found.rmse:.3g} V** ({100 * found.share:.3f} % of span) on 80 points" in card
    assert "| gives | product (V) |" in card
    assert f" (a straight line: {of_line.rmse:.3g} V); largest error" in card
    build = ak.compile(product / "p.pt", product / "p.build", verify=False, progress=False)
    s = ak.simulate(build, test, engine="software", out=product / "run", progress=False)
    assert s.summary["straight_line"]["line"] == pytest.approx(of_line.rmse)
    assert s.sentences()[0] == (
        f"a straight line through the training points: RMSE {of_line.rmse:.3g} V on own.npz test, "
        "all 80"
    )


def test_a_file_that_is_called_as_a_function_is_named_as_the_file_that_it_is(tmp_path):
    """Both are of data set ``thermistor``, and are other data."""
    function = ak.load_dataset("thermistor", "test")
    x, y = function.x[::10], 0.5 * function.y[::10]
    table = tmp_path / "thermistor.csv"
    head = "ratio (V/V),temperature (degC)"
    np.savetxt(table, np.hstack([x, y]), delimiter=",", header=head, comments="")
    model = tmp_path / "curve.pt"
    words = ["train", "--dataset", str(table), "--recipe", "function-d2", "--epochs", "1"]
    done = CliRunner().invoke(main, [*words, "--out", str(model)])
    assert done.exit_code == 0, done.output
    card = model.with_suffix(".md").read_text(encoding="utf-8")
    assert f"images of {table.name} " in card and f"({table.name} test, read once)" in card
    told = CliRunner().invoke(main, ["compile", str(model), "-o", str(tmp_path / "curve.build")])
    assert told.output.endswith(
        f"next: analogkan simulate {tmp_path / 'curve.build'} --dataset {table.as_posix()}\n"
    )
    build = ak.load_build(tmp_path / "curve.build")
    known = ak.load_dataset(table, "train")
    notes = {
        "": known.take([0, -1]),
        "the network was trained on thermistor.csv": ak.load_dataset("square", "test"),
        f"the network was trained on the file {table.as_posix()}, and these are of thermistor, "
        f"which comes with analogkan: --dataset {table.as_posix()} has that file": function,
        "the network was trained on thermistor.csv, and these are of the file thermistor.npz": (
            replace(function, file="thermistor.npz")
        ),
    }
    for note, images in notes.items():
        told = [one for one in image_notes(build, images, images.y) if one.startswith("the net")]
        assert told == ([note] if note else [])


@pytest.mark.parametrize(
    ("trained", "named"),
    [
        ({"data": "own.csv"}, "own.csv"),
        ({"data": "mnist"}, ""),
        ({"card": {"images": "tanh.csv test, all 40"}}, "FILE"),
        ({"card": {"images": "tanh test, all 500"}}, "tanh"),
        ({}, "tanh"),
    ],
)
def test_data_are_named_as_they_were_given(trained, named):
    assert named_in(trained, "tanh") == named


def test_a_training_says_what_was_before_and_that_it_made_it_worse(product, tmp_path):
    """And that a straight line would have been better."""
    ruin = tmp_path / "ruin.toml"
    ruin.write_text('task = "regression"\nepochs = 1\nlearning_rate = 1.0\n', encoding="utf-8")
    train = ["train", "--dataset", product / "own.npz", "--from", product / "p.pt"]
    words = [*train, "--recipe", ruin, "--out", tmp_path / "q.pt"]
    said = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False).stdout
    own = checkpoint.load_origin(product / "p.pt")[1]["card"]
    lines = said.splitlines()
    assert f" (a straight line: {own['line']:.3g} V); largest error" in lines[0]
    assert f"before, the model of --from: RMSE {own['rmse']:.3g} V on the same images" in lines
    assert "note: training made it worse: keep the model of --from, or train with another" in said
    assert "note: a straight line is as good or better: train longer (--epochs)" in said
    told = checkpoint.load_origin(tmp_path / "q.pt")[1]
    assert told["before"]["rmse"] == own["rmse"]
    summary = {**told["card"], "rmse_line": 9.0, "before": told["before"]}
    (before,) = notes_of(summary, disturbed=True)  # it is meant to
    assert before in lines
    again = ak.train(
        product / "own.npz", tmp_path / "r.pt", start=tmp_path / "q.pt", recipe="function-finetune",
        epochs=1, progress=False,
    )  # fmt: skip
    assert "before" in repr(again) and "better than now" not in repr(again)
    assert "| before this training | RMSE" in again.card.read_text(encoding="utf-8")


def test_a_checkpoint_keeps_targets_ranges_and_taps(product, tmp_path):
    spec = checkpoint.load_spec(product / "p.pt")
    assert (spec.task, len(spec.encoding.taps), len(spec.encoding.ranges)) == ("regression", 4, 2)
    spec.save(tmp_path / "n.npz")
    again = load_spec(tmp_path / "n.npz")
    assert (again.targets, again.encoding) == (spec.targets, spec.encoding)
    assert again.fingerprint() == spec.fingerprint()


@pytest.mark.parametrize(
    ("arrays", "recipe", "sentence"),
    [
        ({}, "plain-d2", "recipe plain-d2 is for classification, and own has targets"),
        (
            {"y": np.arange(400) % 3},
            "function-d2",
            "recipe function-d2 is for regression, and own has classes",
        ),
        ({"y": np.full(400, 0.5)}, "function-d2", "target y of own is 0.5 at every training point"),
        (
            {"x": np.c_[X[:, 0], np.ones(400)]},
            "function-d2",
            "input 1 of own is 1 at every training point: leave it out",
        ),
    ],
)
def test_data_and_recipe_must_have_one_task(tmp_path, arrays, recipe, sentence):
    out = tmp_path / "o.pt"
    words = ("train", "--dataset", npz(tmp_path, **arrays), "--recipe", recipe, "--out", out)
    kind, text = refused(*words)
    assert kind in ("SettingsError", "DataError")
    assert sentence in text
    assert [p.name for p in tmp_path.iterdir()] == ["own.npz"]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"y": np.c_[Y, Y]}, "own has 2 targets, and p gives 1: product (V)"),
        ({"y_unit": "mV"}, "target y of own is in mV, and p gives V: convert one of them"),
        ({"y": np.arange(400) % 3}, "own has classes, and p gives product (V)"),
    ],
)
def test_a_model_is_trained_on_with_its_own_targets(product, tmp_path, arrays, sentence):
    data = npz(tmp_path, **arrays)
    with pytest.raises((DataError, SettingsError), match=re.escape(sentence)):
        task = "classification" if "y" in arrays and arrays["y"].ndim == 1 else ""
        ak.train(data, tmp_path / "o.pt", start=product / "p.pt", task=task, progress=False)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_a_data_set_without_a_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train, test = (ak.load_dataset(name, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (2000, 500)
    assert train.task == ("classification" if name in ("ring", "spirals") else "regression")
    assert not {tuple(row) for row in train.x} & {tuple(row) for row in test.x}
    np.testing.assert_array_equal(train.x, ak.load_dataset(name, "train").x)


def test_sensor_functions_are_the_sensors():
    celsius = FUNCTIONS["thermistor"].of(np.array([[0.5]]))  # 10 kohm, at 25 degC
    np.testing.assert_allclose(celsius, [25], atol=1e-9)
    # Voltages of ITS-90 tables (NIST Monograph 175), which the inverse gives to 0.06 degC.
    volts = np.array([[0.0], [4.096], [8.138], [12.209], [16.397], [20.644]])
    found = FUNCTIONS["thermocouple"].of(volts)
    np.testing.assert_allclose(found, [0, 100, 200, 300, 400, 500], atol=0.06)
