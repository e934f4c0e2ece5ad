"""Checkpoints: exact there and back, and what is no checkpoint is refused without running it."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from re import escape
from typing import Any

import numpy as np
import pytest
import torch

from analogkan.devices import IVCurve, get
from analogkan.errors import CheckpointError
from analogkan.network import checkpoint
from analogkan.network.encoding import Encoding
from analogkan.network.model import TDKAN, TDKANConfig
from analogkan.network.spec import load_spec
from analogkan.network.squash import Squash

from .networks import random_inputs

OWN = IVCurve("own", np.array([0.0, 0.1, 1 / 3]), np.array([0.0, 2e-6, 1e-7]), "by hand")
ENCODING = Encoding(x_lo=0, x_hi=255, v_lo=0.05, v_hi=0.65, shape=(2, 3))
X = random_inputs(5, 12, 6)


@pytest.fixture
def model() -> TDKAN:
    squash = Squash(kind="clamp", v_lo=0.1, v_hi=0.9)
    model = TDKAN(TDKANConfig(sizes=(6, 4, 3), curves=(get("A21"), OWN), squash=squash))
    generator = torch.Generator().manual_seed(0)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 1.0, generator=generator)
    model.norms[0].eps = 1e-3
    return model.eval()


@pytest.fixture
def path(model, tmp_path) -> Path:
    path = tmp_path / "net.pt"
    facts = {"command": "analogkan train", "seed": 7}
    checkpoint.save(
        model, path, name="net", encoding=ENCODING, dataset="own", calibration=X, training=facts
    )
    return path


def refused(path: Path, sentence: str) -> None:
    with pytest.raises(CheckpointError, match=f"^{escape(sentence)}"):
        checkpoint.load(path)


def test_a_checkpoint_gives_back_every_tensor_and_setting_exactly(model, path):
    loaded, _ = checkpoint.load(path)
    assert loaded.config == model.config
    before, after = model.state_dict(), loaded.state_dict()
    counter = "norms.0.num_batches_tracked"  # of use in training only, and not stored
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before if key != counter)
    assert [norm.eps for norm in loaded.norms] == [norm.eps for norm in model.norms]
    assert not loaded.training


def test_a_checkpoint_carries_devices_encoding_calibration_and_origin(path):
    spec = checkpoint.load_spec(path)
    assert [layer.curves for layer in spec.layers] == [(get("A21"), OWN)] * 2
    assert spec.layers[0].curves[1].source == "by hand"
    assert (spec.name, spec.dataset, spec.encoding) == ("net", "own", ENCODING)
    assert spec.calibration is not None
    assert spec.calibration.dtype == np.uint8
    np.testing.assert_array_equal(spec.calibration, X)
    assert checkpoint.read(path)["training"] == {"command": "analogkan train", "seed": 7}


def test_a_checkpoint_and_a_network_file_carry_the_tables_at_other_temperatures(tmp_path):
    hot = OWN.i * np.array([1.0, 0.9, 1.1])
    warm = IVCurve("warm", OWN.v, OWN.i, temperatures=((25.0, OWN.i), (85.0, hot)))
    model = TDKAN(TDKANConfig(sizes=(6, 4, 3), curves=(get("A21"), warm)))
    saved = tmp_path / "net.pt"
    checkpoint.save(model, saved, name="net", encoding=ENCODING, dataset="own")
    spec = checkpoint.load_spec(saved)
    spec.save(tmp_path / "network.npz")
    for found in (spec, load_spec(tmp_path / "network.npz")):
        assert [layer.curves for layer in found.layers] == [(get("A21"), warm)] * 2
        assert found.layers[0].curves[1].i_at.tobytes() == warm.i_at.tobytes()
    cold = replace(warm, temperatures=())
    layers = tuple(replace(layer, curves=(get("A21"), cold)) for layer in spec.layers)
    assert replace(spec, layers=layers).fingerprint() != spec.fingerprint()


def test_the_arrays_are_the_models_own_in_double_precision(model, path):
    spec = checkpoint.load_spec(path)
    with torch.no_grad():
        logits = model.double()(torch.tensor(spec.encoding.volts(X)))
    np.testing.assert_allclose(spec.logits(X), logits, rtol=1e-12, atol=1e-12)


def test_a_file_that_does_not_exist_is_refused(tmp_path):
    path = tmp_path / "none.pt"
    refused(path, f"{path} does not exist: train a model with `analogkan train`")


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_file_cut_short_is_refused(path, keep):
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    refused(path, f"{path} is not a checkpoint, or is damaged")


def test_random_bytes_are_refused(tmp_path):
    path = tmp_path / "random.pt"
    for seed in range(40):
        path.write_bytes(np.random.default_rng(seed).bytes(1 + 50 * seed))
        with pytest.raises(
            CheckpointError, match=r"random.pt is (not a checkpoint|refused: it is)"
        ):
            checkpoint.load(path)


class Trap:
    """An object whose unpickling makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("wrap", ["pickle", "torch", "old torch"])
def test_a_file_that_would_run_code_is_refused_and_the_code_is_not_run(tmp_path, wrap):
    path, made = tmp_path / "trap.pt", tmp_path / "made"
    entry = {"format": checkpoint.FORMAT, "name": Trap(made)}
    if wrap == "pickle":
        path.write_bytes(pickle.dumps(entry))
    else:
        torch.save(entry, path, _use_new_zipfile_serialization=wrap == "torch")
    refused(
        path,
        f"{path} is refused: it is no plain dictionary of tensors and reading it could run code. "
        "Save the state as a dictionary (`analogkan train` writes such a file)",
    )
    assert not made.exists()
    pickle.loads(pickle.dumps(Trap(made)))
    assert made.exists(), "the trap does not work, so the test shows nothing"


@pytest.mark.parametrize("entry", [{"state_dict": {}}, {"format": "other-1"}, torch.ones(3)])
def test_a_torch_file_of_another_kind_is_refused(tmp_path, entry):
    path = tmp_path / "other.pt"
    torch.save(entry, path)
    refused(
        path, f"{path} is a torch file but not an analogkan-tdkan-1 checkpoint: `analogkan convert`"
    )


def spoil(path: Path, *where, to=None) -> None:
    """Set an entry of the checkpoint at ``path``, or delete it if ``to`` is None."""
    entry = inner = torch.load(path, weights_only=True)
    for key in where[:-1]:
        inner = inner[key]
    if to is None:
        del inner[where[-1]]
    else:
        inner[where[-1]] = to
    torch.save(entry, path)


REQUIRED = [
    ("name",), ("sizes",), ("devices",), ("devices", 1, "i"), ("squash",), ("norm",),
    ("encoding",), ("encoding", "v_hi"), ("dataset",), ("layers",), ("layers", 1, "bias"),
    ("norms",), ("norms", 0, "running_var"), ("norms", 0, "eps"),
]  # fmt: skip


@pytest.mark.parametrize("where", REQUIRED, ids=lambda where: ".".join(map(str, where)))
def test_a_missing_entry_is_named(path, where):
    spoil(path, *where)
    refused(path, f"{path} lacks the entry {where[-1]!r}: train or convert it again")


def test_a_checkpoint_without_calibration_is_complete(path):
    spoil(path, "calibration")
    assert checkpoint.load_spec(path).calibration is None


@pytest.mark.parametrize(
    ("where", "to", "sentence"),
    [
        (
            ("layers", 0, "theta"),
            torch.ones(6, 2, 4),
            ": layers[0].theta has shape (6, 2, 4); sizes and devices ask for (6, 4, 2)",
        ),
        (("norms", 0, "weight"), torch.ones(3), ": norms[0].weight has shape (3,); sizes and dev"),
        (("sizes",), [6, 4, 4, 3], ": layers: 2 stored, 3 expected from sizes"),
        (("sizes",), [6], ": sizes (6,): at least an input and an output, all >= 1"),
        (("norm",), "layer", ": norms: norm layer has no running_mean, running_var"),
        (("norm",), "none", ": norms: 1 stored, 0 expected from sizes"),
        (("norm",), "group", ": norm 'group' is unknown: one of none, batch, layer"),
        (
            ("squash", "kind"),
            "relu",
            ": squash 'relu' is unknown: one of none, clamp, sigmoid, tanh",
        ),
        (("squash", "v_lo"), 2.0, ": clamp range [2.0, 0.9] V is empty: give the lower end first"),
        (("encoding", "x_hi"), -1.0, ": input encoding (0.0, -1.0, 0.05, 0.65) is not a range"),
        (("encoding", "shape"), [7], ": layer 0 has 6 inputs, what feeds it has 7"),
        (("devices",), [], ": no device named: a layer needs at least one"),
        (("devices", 1, "name"), "a21", ": device 'a21' is named twice (names ignore case)"),
        (("devices", 1, "v"), torch.zeros(3), ": device own: voltages must increase, but point 1"),
        (("calibration",), torch.ones(9, 5), ": images have shape (9, 5); this network takes (n, "),
        (("layers", 0, "theta"), "ones", " has an entry of the wrong kind: "),
        (("norms",), 3, " has an entry of the wrong kind: "),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(path, where, to, sentence):
    spoil(path, *where, to=to)
    refused(path, f"{path}{sentence}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("where", "name"),
    [
        (("layers", 1, "theta"), "theta"),
        (("layers", 0, "bias"), "bias"),
        (("norms", 0, "weight"), "norm scale"),
        (("norms", 0, "running_mean"), "norm shift"),
    ],
)
def test_coefficients_that_are_no_numbers_are_refused(path, where, name, value):
    tensor: Any = checkpoint.read(path)
    for key in where:
        tensor = tensor[key]
    tensor.view(-1)[-1] = value
    spoil(path, *where, to=tensor)
    refused(path, f"{path}: {name} holds 1 NaN or inf")
