"""convert --distil: networks of B-splines are read as theirs, and a TD-KAN is fitted to them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.interpolate import BSpline

import analogkan as ak
from analogkan.cli import main
from analogkan.errors import CheckpointError, DataError, SettingsError
from analogkan.network.checkpoint import load_spec
from analogkan.network.teachers import read_teacher

G, K = 5, 3


def layer(seed: int, n_in: int, n_out: int) -> dict[str, np.ndarray]:
    """Knots (I, G + 2 k + 1) of each input's own step, coefficients and weights of silu."""
    rng = np.random.default_rng(seed)
    steps = rng.uniform(0.35, 0.5, (n_in, 1))
    return {
        "grid": np.arange(-K, G + K + 1) * steps - 1,
        "coef": rng.normal(0, 0.5, (n_in, n_out, G + K)),
        "base": rng.normal(0, 0.5, (n_in, n_out)),
        "factor": rng.uniform(0.5, 1.5, (n_in, n_out)),
    }


LAYERS = [layer(0, 2, 3), layer(1, 3, 1)]


def answers(x: np.ndarray, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """What the network of ``LAYERS`` gives, by scipy."""
    for one in LAYERS:
        y = np.zeros((len(x), one["base"].shape[1]))
        for i, o in np.ndindex(*one["base"].shape):
            spline = BSpline(one["grid"][i], one["coef"][i, o], K, extrapolate=False)(x[:, i])
            # scipy has no value outside the knots at which all splines are there.
            silu = x[:, i] / (1 + np.exp(-x[:, i]))
            y[:, o] += one["base"][i, o] * silu + one["factor"][i, o] * spline
        x = scale * y + shift
    return x


def efficient() -> dict[str, torch.Tensor]:
    state = {}
    for k, one in enumerate(LAYERS):
        state[f"layers.{k}.grid"] = torch.tensor(one["grid"])
        state[f"layers.{k}.base_weight"] = torch.tensor(one["base"].T)
        state[f"layers.{k}.spline_weight"] = torch.tensor(one["coef"].transpose(1, 0, 2))
        state[f"layers.{k}.spline_scaler"] = torch.tensor(one["factor"].T)
    return state


def pykan(scale: float = 1.0, shift: float = 0.0) -> dict[str, torch.Tensor]:
    state = {}
    for k, one in enumerate(LAYERS):
        n_in, n_out = one["base"].shape
        for key, value in (
            ("grid", one["grid"]), ("coef", one["coef"]), ("scale_base", 2 * one["base"]),
            ("scale_sp", 2 * one["factor"]), ("mask", np.full((n_in, n_out), 0.5)),
        ):  # fmt: skip
            state[f"act_fun.{k}.{key}"] = torch.tensor(value)
        state[f"symbolic_fun.{k}.mask"] = torch.zeros(n_out, n_in)
        state[f"subnode_scale_{k}"] = torch.full((n_out,), scale)
        state[f"subnode_bias_{k}"] = torch.full((n_out,), shift)
        state[f"node_scale_{k}"], state[f"node_bias_{k}"] = torch.ones(n_out), torch.zeros(n_out)
    return state


def saved(path: Path, state: Any) -> Path:
    torch.save(state, path)
    return path


X = np.random.default_rng(5).uniform(-0.9, 0.5, (200, 2))


@pytest.mark.parametrize(
    ("state", "kind", "affine"),
    [
        (efficient(), "efficient-kan", ()),
        ({"epoch": 3, "model": {f"module.{k}": v for k, v in efficient().items()}}, "efficient-kan",
         ()),
        (pykan(), "pykan", ()),
        (pykan(0.9, 0.125), "pykan", (0.9, 0.125)),
    ],
    ids=["efficient-kan", "of a training", "pykan", "pykan, affine"],
)  # fmt: skip
def test_a_teacher_gives_what_scipy_makes_of_its_splines(state, kind, affine, tmp_path):
    teacher = read_teacher(saved(tmp_path / "kan.pth", state))
    assert (teacher.kind, teacher.sizes) == (kind, (2, 3, 1))
    wanted = answers(X, *affine)
    inside = np.isfinite(wanted[:, 0])
    assert inside.sum() > 100
    given = teacher.nodes(X)[-1]
    np.testing.assert_allclose(given[inside], wanted[inside], rtol=0, atol=1e-6)


def test_beyond_the_knots_silu_alone_is_left(tmp_path):
    teacher = read_teacher(saved(tmp_path / "kan.pth", efficient()))
    far = np.array([[100.0, 100.0]])
    expected = 100.0 * LAYERS[0]["base"].sum(axis=0)
    np.testing.assert_allclose(teacher.nodes(far)[0][0], expected, rtol=1e-12)


def test_distilling_says_the_loss_it_measured_and_makes_a_circuit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(Path("kan.pth"), efficient())
    Path("on.toml").write_text(
        'task = "regression"\ndevices = []\nhidden = []\nepochs = 2\nlearning_rate = 1e-3\n'
        "finish = 60\nclip_sigma = 0.0\nrange_penalty = 1.0\n",
        encoding="utf-8",
    )
    words = "models convert kan.pth --distil --devices A21,Z21 --recipe on.toml --out ours.pt"
    text = CliRunner().invoke(main, words.split()).output
    found = json.loads(CliRunner().invoke(main, [*words.split(), "--json"]).output)
    assert f"{100 * found['end_to_end']['share']:.2f} % of span rms, on 500 points" in text
    assert found["sizes"] == [8, 12, 1] and found["n"] == 500
    assert found["end_to_end"]["rmse"] < found["edge_by_edge"]["rmse"]
    assert found["edge_by_edge"]["share"] < 0.1 and found["edge_rms"]["median"] < 0.3
    teacher, spec = read_teacher(Path("kan.pth")), load_spec(Path("ours.pt"))
    lo, hi = teacher.layers[0].ends
    x = np.random.default_rng(9).uniform(lo, hi, (500, 2))
    assert spec.targets is not None
    # A few of other points may lie outside the range of those that were learned on.
    x = np.clip(x, *spec.encoding.ends)
    apart = spec.targets.values(spec.logits(x)) - teacher.nodes(x)[-1]
    assert np.sqrt((apart**2).mean()) == pytest.approx(found["end_to_end"]["rmse"], rel=0.2)
    build = ak.compile("ours.pt", "ours.build", progress=False)
    assert build.verification is not None and build.verification.ok


def test_answers_of_any_function_train_a_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).uniform(-1, 1, (100, 1))
    np.savez("points.npz", x=x, y=np.cos(2 * x))
    Path("few.toml").write_text(
        'task = "regression"\ndevices = []\nhidden = [3]\nepochs = 5\nlearning_rate = 3e-2\n'
        "each_range = true\nclip_sigma = 0.0\n",
        encoding="utf-8",
    )
    found = ak.convert("points.npz", "cos.pt", distil=True, devices="A21,Z21", recipe="few.toml")
    assert (found["teacher"], found["n"], found["sizes"]) == ("points", 20, [1, 3, 1])
    assert 0 < found["end_to_end"]["share"] < 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layers.0.grid": None}, r"kan.pth: the state lacks layers.0.grid"),
        ({"layers.0.grid": torch.zeros(2, 6)}, r"layers.0.grid has 6 knots for 8 splines"),
        ({"layers.1.base_weight": torch.zeros(1, 2)}, r"has shape \(1, 2\); it must be \(1, 3\)"),
        ({"layers.1.spline_weight": torch.full((1, 3, 8), torch.nan)}, r"holds NaN or infinity"),
    ],
)
def test_a_damaged_teacher_is_refused(change, told, tmp_path):
    state = {key: v for key, v in (efficient() | change).items() if v is not None}
    with pytest.raises(CheckpointError, match=told):
        read_teacher(saved(tmp_path / "kan.pth", state))


def test_what_cannot_be_distilled_is_refused(tmp_path):
    symbolic = pykan() | {"symbolic_fun.0.mask": torch.ones(3, 2)}
    with pytest.raises(CheckpointError, match=r"layer 0 has 6 symbolic edges, which are not read"):
        read_teacher(saved(tmp_path / "symbolic.pth", symbolic))
    with pytest.raises(CheckpointError, match=r"holds 0 states of efficient-kan or pykan"):
        read_teacher(saved(tmp_path / "mlp.pth", {"0.weight": torch.zeros(2, 2)}))
    how: dict[str, Any] = {"distil": True, "devices": "A21,Z21"}
    kan = saved(tmp_path / "kan.pth", efficient())
    with pytest.raises(DataError, match=re.escape("inputs of shape (20, 3) for a network that")):
        ak.convert(kan, tmp_path / "a.pt", **how, calibrate=np.zeros((20, 3)))
    with pytest.raises(DataError, match=r"input 1 is the same at every point: leave it out"):
        ak.convert(
            kan, tmp_path / "a.pt", **how, calibrate=np.c_[np.arange(20.0) / 20, np.ones(20)]
        )
    with pytest.raises(SettingsError, match=r"basis_fit and squash are missing"):
        ak.convert(kan, tmp_path / "a.pt", devices="A21,Z21")
    with pytest.raises(SettingsError, match=r"squash = 'none' says nothing with distil"):
        ak.convert(kan, tmp_path / "a.pt", **how, squash="none")
    assert not (tmp_path / "a.pt").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("--distil --squash none", "--squash says nothing with --distil: leave it out"),
        ("--seed 1 --basis-fit pwl --squash none", "--seed is of --distil, which is missing"),
        ("--squash none", "Missing option '--basis-fit'"),
    ],
)
def test_options_of_the_other_way_are_refused(more, told, tmp_path):
    kan = saved(tmp_path / "kan.pth", efficient())
    words = ["models", "convert", str(kan), "--devices", "A21", "--out", str(tmp_path / "a.pt")]
    result = CliRunner().invoke(main, [*words, *more.split()])
    assert result.exit_code == 2 and told in result.output
