"""train --prune: what stays zero, what is left out, and that no more is lost than was allowed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import analogkan as ak
from analogkan.cli import main
from analogkan.compiler.counts import element_counts
from analogkan.data import load_npz
from analogkan.errors import SettingsError
from analogkan.network import checkpoint
from analogkan.network.encoding import Encoding
from analogkan.network.model import TDKAN, TDKANConfig
from analogkan.training.fit import train
from analogkan.training.prune import parse_allowed, zeroed
from analogkan.training.recipe import Recipe
from analogkan.training.shrink import shrunk

CURVES = tuple(ak.devices.resolve("A21,Z21"))
ENCODING = Encoding(x_lo=0, x_hi=255, v_lo=0.0, v_hi=0.7, shape=(4,))


def model_of(norm: str, seed: int = 0) -> TDKAN:
    """4-3-3-2 with statistics of its own."""
    model = TDKAN(TDKANConfig(sizes=(4, 3, 3, 2), curves=CURVES, norm=norm)).double()
    generator = torch.Generator().manual_seed(seed)
    model.initialise([0.3], generator, gamma=0.3, beta=0.4)
    with torch.no_grad():
        for layer in model.layers:
            layer.bias.normal_(0.0, 0.1, generator=generator)
        for norm_ in model.norms if norm == "batch" else ():
            assert isinstance(norm_, torch.nn.BatchNorm1d)
            assert norm_.running_mean is not None
            norm_.running_mean.normal_(0, 0.1, generator=generator)
    return model.eval()


NODE = [(1, 1, o) for o in range(3)]  # node 1 of layer 0 drives nothing
REST = [(1, i, 2) for i in range(3)]  # nothing drives node 2 of layer 1
DAC = [(0, 3, o) for o in range(3)]


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_what_has_no_edges_is_left_out_and_the_function_stays(norm):
    model = zeroed(model_of(norm), [*NODE, *REST, *DAC])
    x = np.random.default_rng(0).integers(0, 256, (20, 4))
    with torch.no_grad():
        wanted = model(torch.from_numpy(ENCODING.volts(x)))
        small, encoding = shrunk(model, ENCODING)
        given = small(torch.from_numpy(encoding.volts(x)))
    assert small.config.sizes == ((3, 3, 3, 2) if norm == "layer" else (3, 2, 2, 2))
    assert encoding.used == (0, 1, 2)
    torch.testing.assert_close(given, wanted, rtol=0, atol=1e-12)


def test_a_node_that_goes_takes_the_edges_behind_it_along():
    """Node 0 of layer 1 drives nothing, and node 2 of layer 0 drives that alone."""
    edges = [(2, 0, o) for o in range(2)] + [(1, 2, o) for o in (1, 2)]
    small, _ = shrunk(zeroed(model_of("none"), edges), ENCODING)
    assert small.config.sizes == (4, 2, 2, 2)


def regression(path: Path, n: int = 200) -> Path:
    """Points of a function of the first of two inputs; the second one is of no use."""
    x = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    np.savez(path, x=x, y=np.sin(3 * x[:, 0]) + 0.5)
    return path


RECIPE = """task = "regression"
devices = ["A21", "Z21"]
hidden = [4]
taps = [[0.0, 1.25], [1.25, 0.0]]
each_range = true
epochs = 30
batch = 64
learning_rate = 3e-2
finish = 60
clip_sigma = 0.0
range_penalty = 1.0
"""
ON = 'task = "any"\ndevices = []\nhidden = []\nepochs = 3\nlearning_rate = 3e-3\nfinish = 60\n'


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with a small regression, its data, and recipes."""
    folder = tmp_path_factory.mktemp("prune")
    regression(folder / "sine.npz")
    (folder / "first.toml").write_text(RECIPE, encoding="utf-8")
    (folder / "on.toml").write_text(ON + "clip_sigma = 0.0\n", encoding="utf-8")
    ak.train(folder / "sine.npz", folder / "sine.pt", recipe=folder / "first.toml", progress=False)
    return folder


def test_zero_edges_stay_zero_through_adam_and_lbfgs(trained):
    model, spec = checkpoint.load(trained / "sine.pt")
    edges = [(0, 1, 2), (0, 3, 0)]
    start = (zeroed(model, edges), spec)
    recipe = Recipe(
        task="any", devices=(), hidden=(), epochs=2, learning_rate=1e-2, finish=10, clip_sigma=0.0
    )
    done = train(load_npz(trained / "sine.npz", "train"), recipe, start=start)
    for k, i, o in edges:
        assert (done.model.layers[k].theta[i, o] == 0).all()
    moved = done.model.layers[0].theta - start[0].layers[0].theta
    assert int((moved == 0).sum()) == 2 * 2


def test_a_pruned_network_is_within_its_loss_and_its_circuit_as_small_as_said(trained, monkeypatch):
    monkeypatch.chdir(trained)
    said = CliRunner().invoke(
        main,
        ["train", "--dataset", "sine.npz", "--from", "sine.pt", "--recipe", "on.toml", "--prune",
         "20%", "--out", "small.pt", "--json"],
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    found = json.loads(said.output)["pruned"]
    assert 0 < found["removed"] == found["zero"]
    assert found["after"]["rmse"] <= 1.2 * found["before"]["rmse"]
    spec = checkpoint.load_spec(trained / "small.pt")
    assert list(spec.sizes) == found["sizes"]
    images = load_npz(trained / "sine.npz", "train")
    assert spec.targets is not None
    apart = spec.targets.values(spec.logits(images.flat(spec.encoding.shape))) - images.y
    assert np.sqrt((apart**2).mean()) == pytest.approx(found["after"]["rmse"])
    build = ak.compile("small.pt", "small.build", progress=False)
    assert build.verification is not None and build.verification.ok
    counts = element_counts(build.one_deck().design)
    before, after = found["saved"]["crossbar_resistors"]
    assert after == counts["crossbar_resistors"] < before
    assert "edges removed within 20% on the training set" in (trained / "small.md").read_text()


@pytest.mark.parametrize(
    ("text", "task", "told"),
    [
        ("5%", "classification", r"--prune '5%' is no loss of a classification: say it as 0.1pp"),
        ("0.1pp", "regression", r"--prune '0.1pp' is no loss of a regression: say it as 5% \(of"),
        ("0.1", "classification", r"--prune '0.1' is no loss of a classification"),
        ("0%", "regression", r"--prune = '0%' is out of range: above 0, to 100%"),
        ("nan%", "regression", r"--prune = 'nan%' is out of range: above 0, to 100%"),
    ],
)
def test_a_loss_says_what_it_is_of(text, task, told):
    with pytest.raises(SettingsError, match=told):
        parse_allowed(text, task)


def test_losses_are_shares_and_points():
    assert parse_allowed("5%", "regression").share == pytest.approx(0.05)
    assert parse_allowed("0.1pp", "classification").points == pytest.approx(0.1)


def test_pruning_needs_a_model(tmp_path):
    with pytest.raises(SettingsError, match=r"--prune 5% needs the model whose edges it removes"):
        ak.train("x.npz", tmp_path / "a.pt", recipe="plain-d2", prune="5%")


def test_a_loss_that_no_edge_fits_is_refused(trained, monkeypatch):
    monkeypatch.chdir(trained)
    (trained / "bad.toml").write_text(
        ON.replace("3e-3", "5.0").replace("finish = 60\n", "") + "clip_sigma = 0.0\n",
        encoding="utf-8",
    )
    with pytest.raises(SettingsError, match=r"not one of 20 edges can be spared within that"):
        ak.train(
            "sine.npz", "none.pt", start="sine.pt", recipe="bad.toml", prune="0.01%",
            progress=False,
        )  # fmt: skip
