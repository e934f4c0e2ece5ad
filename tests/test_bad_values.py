"""Networks of one output, and data that are not what a network gives: an error or a real figure."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import analogkan as ak
from analogkan.cli import main
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import write_verified
from analogkan.devices import get
from analogkan.errors import DataError, SettingsError
from analogkan.network import checkpoint
from analogkan.network.encoding import Encoding
from analogkan.network.model import TDKAN, TDKANConfig
from analogkan.network.squash import Squash
from analogkan.studies.points import parse_temps

from .test_cli_errors import refused
from .test_values import network

ALONE = "net has one output, and accuracy, agreement and yield compare outputs: they would be 100 %"
X = np.random.default_rng(0).random((60, 4))
Y = X[:, 0] * X[:, 1]


def run(*words: object) -> str:
    """What a command prints that is to succeed."""
    found = CliRunner().invoke(main, [str(w) for w in words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


@pytest.fixture(scope="module", params=["plain", "held, sigmoid, LayerNorm"])
def alone(request, tmp_path_factory) -> Path:
    """A folder with net.pt, a classifier of one output, net.build, and data of three kinds."""
    folder = tmp_path_factory.mktemp("alone")
    normed = request.param != "plain"
    squash = Squash(kind="sigmoid" if normed else "none", v_lo=0.05, v_hi=0.9)
    curves = tuple(get(name) for name in ("A21", "Z21"))
    norm = "layer" if normed else "none"
    model = TDKAN(TDKANConfig(sizes=(4, 3, 1), curves=curves, squash=squash, norm=norm)).eval()
    model.initialise([0.1, 0.3], torch.Generator().manual_seed(0), gamma=0.3, beta=0.4)
    encoding = Encoding(x_lo=0, x_hi=1, v_lo=0, v_hi=0.7, shape=(4,))
    about = {"name": "net", "encoding": encoding, "dataset": "d"}
    checkpoint.save(model, folder / "net.pt", **about, calibration=X[:16])
    for name, y in (("zeros", 0 * np.arange(60)), ("two", np.arange(60) % 2), ("values", Y)):
        np.savez(folder / f"{name}.npz", x=X, y=y, split=["train"] * 30 + ["test"] * 30)
    held = ["--held", 10] if normed else []
    told = run("compile", folder / "net.pt", *held, "-o", folder / "net.build")
    assert "next: analogkan simulate" in told and "--trace 0" in told
    assert "verified" in run("verify", folder / "net.build")
    return folder


STUDIES = {
    "simulate": ("simulate", "BUILD"),
    "software": ("simulate", "BUILD", "--engine", "software"),
    "chips": ("montecarlo", "BUILD", "--samples", 2, "--yield-at", 0.9),
    "calibrated": ("montecarlo", "BUILD", "--samples", 2, "--calibrate"),
    "thermal": ("thermal", "BUILD", "--compensate", "each"),
    "budget": ("sweep", "BUILD", "--grid", "budget", "--samples", 2),
    "faults": ("sweep", "BUILD", "--grid", "faults", "--samples", 2),
    "explain": ("models", "explain", "MODEL"),
    "train on": ("train", "--from", "MODEL", "--out", "OUT"),
    "prune": ("train", "--from", "MODEL", "--prune", "0.1pp", "--out", "OUT"),
    "hardware": ("train", "--from", "MODEL", "--variation", "rram", "--out", "OUT"),
}


@pytest.mark.parametrize("what", STUDIES)
@pytest.mark.parametrize("data", ["zeros", "values"])
def test_a_classifier_of_one_output_has_no_figure_anywhere(alone, what, data):
    paths = {"BUILD": "net.build", "MODEL": "net.pt", "OUT": "out.pt"}
    words = [alone / paths[w] if w in paths else w for w in STUDIES[what]]
    before = sorted(alone.iterdir())
    kind, text = refused(*words, "--dataset", alone / f"{data}.npz")
    assert kind == "DataError"
    if data != "values":
        assert text.startswith(ALONE)
    elif what in ("train on", "prune", "hardware"):  # read as what the model gives
        assert re.search(r"label [\d.]+ of image 0 is no class: use 0, 1, 2, ...", text)
    else:
        assert text.startswith("values has targets, numbers of a regression, and net gives classes")
    assert sorted(alone.iterdir()) == before


def test_its_voltages_can_be_looked_at_and_its_edges(alone, ngspice):
    words = ("simulate", alone / "net.build", "--trace", 31, "--dataset")
    assert "class 1: volts" in run(*words, alone / "two.npz")
    kind, text = refused(*words, alone / "values.npz")
    assert (kind, text[:18]) == ("DataError", "values has targets")
    assert "importance" in run("models", "explain", alone / "net.pt")


def test_a_training_for_one_class_is_refused(alone, tmp_path):
    data = ("--dataset", alone / "zeros.npz", "--out", tmp_path / "o.pt")
    kind, text = refused("train", "--recipe", "plain-d2", *data)
    assert kind == "DataError"
    assert text.startswith("every label of zeros is 0: a network for it would have one output")


def test_a_held_regression_of_several_targets_is_its_network(ngspice, tmp_path):
    spec, points = network(5, inputs=2, outputs=2)
    build = tmp_path / "net.build"
    made = write_verified(spec, Hardware(), build, most=20)
    s = ak.simulate(made, points, out=tmp_path / "run", progress=False).summary
    assert s["unit"] == "span"
    assert s["rmse_between"] < 1e-3
    tops = {p.parent.name: p.read_text(encoding="utf-8") for p in build.rglob("network.cir")}
    last = [name for name, text in tops.items() if re.search(r"^\* y\d = ", text, re.MULTILINE)]
    assert last and all(name.startswith("s1") for name in last)  # hidden values have no unit


TABLE = "a (V),b,low (mV),high (degC)\n" + "".join(
    f"{x[0]:.6f},{x[1]:.6f},{x[0] * x[1]:.6f},{20 + 60 * x[1]:.6f}\n" for x in X
)

RECIPE = """
task = "regression"
devices = ["A21"]
hidden = [3]
each_range = true
epochs = 2
learning_rate = 1e-2
"""


def test_a_table_is_read_by_a_network_as_it_was_trained(ngspice, tmp_path):
    table, model = tmp_path / "t.csv", tmp_path / "t.pt"
    table.write_text(TABLE, encoding="utf-8")
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    words = ("--recipe", recipe, "--targets", "high,low", "--out", model)
    run("train", "--dataset", table, *words)
    told = run("compile", model, "-o", tmp_path / "t.build")
    assert told.endswith(f"t.build --dataset {table.as_posix()}\n")
    told = run("simulate", tmp_path / "t.build", "--dataset", table, "--out", tmp_path / "run")
    assert "t on t.csv test, all 12" in told
    table.write_text(TABLE.replace("degC", "K"), encoding="utf-8")
    for study in ("simulate", "montecarlo", "thermal", "models explain"):
        kind, text = refused(*study.split(), tmp_path / "t.build", "--dataset", table)
        assert kind == "DataError"
        assert text == "target high of t is in K, and t gives degC: convert one of them"


@pytest.mark.parametrize(
    ("arrays", "words", "sentence"),
    [
        ({"y": np.full(60, 5)}, (), "own has classes: give a recipe for classification, such as "
         "--recipe plain-d2, or --task regression if they are quantities"),
        ({"y": np.full(60, 5)}, ("--task", "regression"), "target y of own is 5 at every training"),
        ({"y": np.c_[Y, 0 * Y]}, (), "target y1 of own is 0 at every training point: nothing to"),
        ({"y": Y.astype(str)}, (), "labels of type <U"),
        ({}, ("--targets", "2"), "is no table of columns, whose targets it could choose"),
    ],
)  # fmt: skip
def test_data_that_no_regression_learns_are_refused(tmp_path, arrays, words, sentence):
    np.savez(tmp_path / "own.npz", **({"x": X, "y": Y} | arrays))
    data = ("--dataset", tmp_path / "own.npz", "--out", tmp_path / "o.pt")
    _, text = refused("train", "--recipe", "function-d2", *data, *words)
    assert sentence in text


@pytest.mark.parametrize(
    ("name", "task", "have"),
    [("ring", "regression", "classes"), ("thermistor", "classification", "targets")],
)
def test_a_named_data_set_is_of_its_own_task(tmp_path, name, task, have):
    words = ("--dataset", name, "--task", task, "--out", tmp_path / "o.pt")
    for recipe in ("function-d2", "plain-d2"):
        kind, text = refused("train", "--recipe", recipe, *words)
        assert kind == "SettingsError"
        assert text == (
            f"--task {task}: {name} has {have}; only whole numbers in a file of your own may be "
            "either"
        )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1\n2\n", "has no line with two numbers: a table needs columns of inputs and targets, a "),
        ("r,T\n1,2\n", "holds one point: it needs two, one to train on and one for test"),
        ("r,T\n1,2\n3,nan\n", "line 3: 'nan' in column 2 is not finite"),
    ],
)
def test_a_table_without_points_is_refused(tmp_path, text, sentence):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(sentence)):
        ak.load_dataset(tmp_path / "t.csv", "train")
    with pytest.raises(DataError, match=r"cannot read table .*none.csv: No such file"):
        ak.load_dataset(tmp_path / "none.csv", "train")


def test_few_points_may_lie_a_little_beside_the_range_they_were_trained_on():
    ranges = ((0.0, 1.0), (10.0, 20.0))
    encoding = Encoding(x_lo=0, x_hi=20, v_lo=0, v_hi=1, shape=(2,), ranges=ranges)
    assert encoding.volts(np.array([[-0.05, 20.9]])).tolist() == [[0.0, 1.0]]
    assert encoding.saturated(np.array([[-0.05, 20.9]])) == 2
    with pytest.raises(DataError, match=r"values of input 1 span 21.1 to 21.1; this network was"):
        encoding.volts(np.array([[0.5, 21.1]]))


def test_a_read_out_of_classes_is_not_corrected(alone):
    words = ("--dataset", alone / "two.npz", "--two-point")
    assert refused("montecarlo", alone / "net.build", *words) == (
        "SettingsError",
        "two_point corrects outputs that are quantities, and a classifier compares its own: give "
        "calibrate",
    )


@pytest.mark.parametrize("given", ["5degC", "5m", "5K"])
def test_an_error_limit_is_no_share_of_images(alone, given):
    words = ("--dataset", alone / "two.npz", "--yield-at", given)
    kind, text = refused("montecarlo", alone / "net.build", *words)
    assert kind == "SettingsError"
    assert text == (
        f"yield_at = {given} is no accuracy: give a share of the images, such as 0.97 or 97%"
    )


def test_a_temperature_and_a_value_of_a_grid_are_given_once(alone):
    assert parse_temps("25,25.0,30") == [25, 25, 30]
    data = ("--dataset", alone / "two.npz")
    _, text = refused("thermal", alone / "net.build", *data, "--temps", "25,25.0,30")
    assert text == "temps_c has 25 twice: give each temperature once"
    _, text = refused("sweep", alone / "net.build", *data, "--set", "sigma_g=0.1,0.10")
    assert text == "--set sigma_g has 0.1 and 0.10, which are one value: give each once"


@pytest.mark.parametrize("command", ["montecarlo", "sweep", "simulate"])
def test_an_empty_name_is_none_that_was_left_out(alone, command):
    """An unset variable of a script must not study the design, or the bundled images."""
    more = ["--set", "sigma_g=0,0.1"] if command == "sweep" else []
    if command != "simulate":
        _, told = refused(command, alone / "net.build", *more, "--preset", "")
        assert told.startswith("unknown preset ''. Known: ")
    told = refused(command, alone / "net.build", *more, "--dataset", "")[1]
    assert told == "name is empty: give a data set's name or an npz file"


def test_an_empty_path_is_not_the_folder_here():
    with pytest.raises(SettingsError, match=r"^unknown preset ''"):
        ak.load_preset("")
    with pytest.raises(SettingsError, match=r"^folder is empty: give a path$"):
        ak.load_build("")
