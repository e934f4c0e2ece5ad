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
from analogkan.network import model as model_file
from analogkan.network.encoding import Encoding
from analogkan.network.entries import digest
from analogkan.network.model import TDKAN, TDKANConfig
from analogkan.network.spec import load_spec
from analogkan.network.squash import Squash

from .networks import flipped, random_inputs

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


def test_a_checkpoint_and_a_network_file_say_what_of_a_device_is_reconstructed(tmp_path):
    own = IVCurve("own", OWN.v, OWN.i, reconstructed=(OWN.v[0], OWN.v[-1]))
    model = TDKAN(TDKANConfig(sizes=(6, 4, 3), curves=(get("A21"), own)))
    saved = tmp_path / "net.pt"
    checkpoint.save(model, saved, name="net", encoding=ENCODING, dataset="own")
    spec = checkpoint.load_spec(saved)
    spec.save(tmp_path / "network.npz")
    for found in (spec, load_spec(tmp_path / "network.npz")):
        for layer in found.layers:
            assert [c.reconstructed for c in layer.curves] == [None, own.reconstructed]


def test_the_arrays_are_the_models_own_in_double_precision(model, path):
    spec = checkpoint.load_spec(path)
    with torch.no_grad():
        logits = model.double()(torch.tensor(spec.encoding.volts(X)))
    np.testing.assert_allclose(spec.logits(X), logits, rtol=1e-12, atol=1e-12)


def test_a_file_that_does_not_exist_is_refused(tmp_path):
    path = tmp_path / "none.pt"
    refused(path, f"{path} does not exist: train a model with `analogkan train`")


@pytest.mark.parametrize("keep", [100, 0.5, 0.99])
def test_a_file_cut_short_is_refused(path, keep):
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    refused(path, f"{path} is not a checkpoint, or is damaged")


def test_random_bytes_are_refused(tmp_path):
    path = tmp_path / "random.pt"
    for seed in range(40):
        path.write_bytes(np.random.default_rng(seed).bytes(1 + 50 * seed))
        with pytest.raises(
            CheckpointError, match=r"random.pt is (not a checkpoint|refused: it is|a text)"
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
    sentence = (
        escape(f"{path} is refused: it is no plain dictionary of tensors and reading it could run ")
        + r"code( \(posix\.mkdir\))?\. "  # torch 2.2 says what, 2.14 does not
        + escape("Of a module of TDKANLayer, ak.save(module, 'mine.pt', encoding=...) writes a ")
    )
    with pytest.raises(CheckpointError, match=f"^{sentence}checkpoint"):
        checkpoint.load(path)
    assert not made.exists()
    pickle.loads(pickle.dumps(Trap(made)))
    assert made.exists(), "the trap does not work, so the test shows nothing"


@pytest.mark.parametrize("entry", [{"state_dict": {}}, {"format": "other-1"}, torch.ones(3)])
def test_a_torch_file_of_another_kind_is_refused(tmp_path, entry):
    path = tmp_path / "other.pt"
    torch.save(entry, path)
    refused(
        path,
        f"{path} is a torch file but not an analogkan-tdkan-1 checkpoint: of a module of "
        "TDKANLayer ak.save(module, 'mine.pt', encoding=...) writes one",
    )


def spoil(path: Path, *where, to=None) -> None:
    """Set an entry of the checkpoint at ``path``, or delete it if ``to`` is None, and its hash."""
    entry = inner = torch.load(path, weights_only=True)
    entry.pop("sha256", None)
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
    if where[-1] == "running_var":  # of one norm alone
        refused(path, f"{path}: norms[0] lacks running_var, which norm batch has")
        return
    *outer, key = where
    within = "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in outer)[1:]
    of = f" of {within}" if within else ""
    refused(path, f"{path}: it lacks the entry {key!r}{of}: train, convert or compile it again")


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
        (("layers", 0, "theta"), "ones", ": layers[0].theta is 'ones'; it must be a tensor"),
        (("norms",), 3, ": norms is 3; it must be a list"),
        (("layers", 1), torch.ones(3), ": layers[1] is a Tensor; it must be a dictionary"),
        (("encoding",), torch.ones(3), ": encoding is a Tensor; it must be a dictionary"),
        (("training",), [1], ": training is a list; it must be a dictionary"),
        (("training", "command"), 5, ": training.command is 5; it must be a text of"),
        (
            ("training", "x"),
            torch.ones(1),
            ": training.x holds a Tensor; it may hold numbers, texts, lists and dictionaries",
        ),
        (("sizes", 1), 5.9, ": sizes[1] is 5.9; it must be a whole number from 1 to 100,000,000"),
        (("sizes", 1), float("inf"), ": sizes[1] is inf; it must be a whole number from 1 to 100,"),
        (("sizes", 1), -4, ": sizes[1] is -4; it must be a whole number from 1 to 100,000,000"),
        (("sizes", 1), True, ": sizes[1] is True; it must be a whole number from 1 to 100,000,000"),
        (("sizes", 1), "4", ": sizes[1] is '4'; it must be a whole number from 1 to 100,000,000"),
        (("sizes", 1), 10**60, ": sizes[1] is a huge number; it must be a whole number from 1 to "),
        (("sizes", 1), 10**8, ": layers[0].theta has shape (6, 4, 2); sizes and devices ask for ("),
        (("sizes",), torch.ones(3), ": sizes is a Tensor; it must be a list"),
        (("name",), 7, ": name is 7; it must be a text of"),
        (("colour",), "red", ": it has the unknown entry 'colour': it may have format, name, size"),
        (("squash", "hue"), 1, ": squash has the unknown entry 'hue': it may have kind, v_lo, v_h"),
        (("squash", "v_lo"), 0.9, ": clamp range [0.9, 0.9] V is empty: give the lower end first"),
        (
            ("encoding", "v_hi"),
            0.05,
            ": the input encoding gives 0.05 V to every value: v_lo and v_hi must differ",
        ),
        (("encoding", "v_hi"), True, ": encoding.v_hi is True; it must be a finite number"),
        (("encoding", "x_lo"), float("nan"), ": encoding.x_lo is nan; it must be a finite number"),
        (("encoding", "x_hi"), 9.9e37, ": encoding.x_hi is 9.9e+37; it must be from -1e+30 to 1"),
        (("encoding", "v_hi"), 5e4, ": encoding.v_hi: a voltage of 50000 V cannot be; possible "),
        (
            ("devices", 1, "i"),
            torch.tensor([0.0, 9.9e37, 1e-6]).double(),
            ": devices[1].i goes from 0 to 9.9e+37; it must stay within -1e+30 to 1e+30",
        ),
        (
            ("devices", 1, "i"),
            torch.tensor([0.0, 5e6, 1e-6]),
            ": devices[1].i: a current of 5e+06 A cannot be; possible are -1000 to 1000 A",
        ),
        (
            ("devices", 1, "v"),
            torch.tensor([0.0, 1e-320, 1.0], dtype=torch.float64),
            ": devices[1].v: points 0 and 1 are 9.99989e-321 V apart; they must be at least 1e-12 ",
        ),
        (("devices", 1, "v"), torch.ones(3).bool(), ": devices[1].v holds torch.bool, not real nu"),
        (
            ("calibration",),
            torch.ones(9, 6) + 1j,
            ": calibration holds torch.complex64, not real numbers",
        ),
        (("calibration",), torch.full((9, 6), 3e37), ": calibration goes from 3e+37 to 3e+37; it "),
        (
            ("layers", 0, "theta"),
            torch.ones(1, 1, 1).expand(6, 4, 2),
            ": layers[0].theta has shape (6, 4, 2), but the file has fewer numbers of it",
        ),
        (
            ("layers", 0, "theta"),
            torch.ones(6, 4, 2).to_sparse(),
            ": layers[0].theta holds a sparse_coo tensor of torch.float32, not plain real numbers",
        ),
        (("layers", 0, "bias"), torch.ones(4).int(), ": layers[0].bias holds torch.int32, not rea"),
        (("layers", 0, "bias"), torch.ones(()), ": layers[0].bias has shape (); it must have 1 ax"),
        (("norms", 0, "running_var"), -torch.ones(4), ": norms[0].running_var goes from -1 to -1;"),
        (("norms", 0, "eps"), -1, ": norms[0].eps is -1; it must be from 0 to 1e+30"),
        (("norms", 0, "eps"), torch.ones(()), ": norms[0].eps is a Tensor; it must be a finite nu"),
        (("devices", 0, "reconstructed"), [0.1],
         ": devices[0].reconstructed is a list; it must be a list of 2"),
        (("devices", 0, "temps_c"), [25.0], ": device A21: 1 temps_c but 0 tables in i_at; one ea"),
        (
            ("convolutions",),
            [dict.fromkeys(("height", "width", "channels"), 9000)
             | {"kernel": 5, "stride": 1, "padding": 0}],
            ": a convolution of 80,928,016 positions that see 225,000 values each is too large: at "
            "most 50,000,000 in all",
        ),
    ],
)  # fmt: skip
def test_an_entry_that_does_not_fit_is_refused(path, where, to, sentence):
    spoil(path, *where, to=to)
    refused(path, f"{path}{sentence}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "where",
    [
        ("layers", 1, "theta"),
        ("layers", 0, "bias"),
        ("norms", 0, "weight"),
        ("norms", 0, "running_mean"),
        ("devices", 1, "v"),
    ],
)
def test_coefficients_that_are_no_numbers_are_refused(path, where, value):
    tensor: Any = torch.load(path, weights_only=True)
    for key in where:
        tensor = tensor[key]
    tensor.view(-1)[-1] = value
    spoil(path, *where, to=tensor)
    refused(path, f"{path}: {where[0]}[{where[1]}].{where[2]} holds 1 NaN or infinity")


def test_a_file_with_an_edited_entry_is_refused_until_its_hash_is_removed(path):
    entry = torch.load(path, weights_only=True)
    entry["layers"][0]["theta"][0, 0, 0] += 1e-7
    torch.save(entry, path)
    with pytest.raises(
        CheckpointError,
        match=r"net.pt: its entries have the hash [0-9a-f]{12}, not [0-9a-f]{12} as when it was "
        r"written: it is damaged, or was edited \(remove the entry sha256 if you did that\)$",
    ):
        checkpoint.load(path)
    del entry["sha256"]
    torch.save(entry, path)
    checkpoint.load(path)


def test_a_flipped_bit_is_refused_or_changes_nothing(path):
    whole, before = path.read_bytes(), checkpoint.read(path)["sha256"]
    for bit in np.random.default_rng(0).integers(0, 8 * len(whole), 80):
        path.write_bytes(flipped(whole, bit))
        try:
            entry = checkpoint.read(path)
        except CheckpointError:
            continue  # what is left is padding, or a date in the archive's directory
        assert digest({k: v for k, v in entry.items() if k != "sha256"}) == before


def test_a_flipped_bit_of_a_coefficient_is_refused(path, model):
    whole = path.read_bytes()
    theta = model.layers[1].theta.detach().numpy().tobytes()
    start = whole.index(theta)
    for bit in range(8 * start, 8 * (start + len(theta)), 37):
        path.write_bytes(flipped(whole, bit))
        refused(path, f"{path} is not a checkpoint, or is damaged: Bad CRC-32 for file ")


def test_numbers_keep_the_digits_of_their_own_type(path, model):
    theta = torch.full((4, 3, 2), 1 / 3, dtype=torch.float64)
    spoil(path, "layers", 1, "theta", to=theta)  # behind a layer in single precision
    loaded, spec = checkpoint.load(path)
    assert (spec.layers[1].theta == 1 / 3).all()
    np.testing.assert_array_equal(spec.layers[0].theta, model.layers[0].theta.detach().double())
    spoil(path, "layers", 0, "bias", to=torch.full((4,), 1 / 3, dtype=torch.bfloat16))
    assert (
        checkpoint.load_spec(path).layers[0].bias == float(torch.tensor(1 / 3).bfloat16())
    ).all()
    assert loaded.layers[0].theta.dtype == torch.float64


def test_a_network_is_not_made_before_its_shapes_are_compared(path, monkeypatch):
    spoil(path, "sizes", to=[5, 100_000_000, 3])  # of 8 GB
    monkeypatch.setattr(model_file, "TDKAN", lambda config: pytest.fail("it was made"))
    refused(path, f"{path}: layers[0].theta has shape (6, 4, 2); sizes and devices ask for (5, 1")


def test_facts_on_the_training_may_have_any_plain_keys(model, tmp_path):
    facts = {"losses": {1: 0.5, "last": None, (2, 3): [True]}}
    path = tmp_path / "net.pt"
    checkpoint.save(model, path, name="net", encoding=ENCODING, dataset="own", training=facts)
    assert checkpoint.read(path)["training"] == facts


def test_only_regular_files_are_read(tmp_path):
    pipe = tmp_path / "pipe.pt"
    os.mkfifo(pipe)
    refused(pipe, f"{pipe} is not a checkpoint, or is damaged: it is no regular file")
    endless = tmp_path / "zero.pt"
    endless.symlink_to("/dev/zero")
    refused(endless, f"{endless} is not a checkpoint, or is damaged: it is no regular file")
    refused(tmp_path, f"{tmp_path} is not a checkpoint, or is damaged: Is a directory")


def test_a_checkpoint_without_checksums_is_refused(path):
    entry = torch.load(path, weights_only=True)
    torch.save(entry, path, _use_new_zipfile_serialization=False)
    refused(path, f"{path} is in torch's format before 1.6, which has no checksums: load it and s")


def test_a_table_that_is_named_a_thousand_times_is_refused(path):
    device = {"name": "a", "source": "", "v": torch.linspace(0, 1, 9000), "i": torch.ones(9000)}
    spoil(path, "devices", to=[device] * 1000)
    refused(path, f"{path}: its tensors have 72,0")
