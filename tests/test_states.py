"""Weights as people have them: wrapped, prefixed, rounded, of other networks, in other formats."""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from re import escape
from typing import Any

import numpy as np
import pytest
import torch

import analogkan as ak
from analogkan.devices import resolve
from analogkan.errors import CheckpointError
from analogkan.network import checkpoint
from analogkan.network.spec import NetworkSpec
from analogkan.network.state import read_state

from .kanalogue import pwl, random_net
from .networks import flipped

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases" / "state"
NET = random_net((6, 5, 3), [pwl(c) for c in resolve("Z21,Z15")], squash="none", norm="batch")
STATE = dict(NET.state_dict())
OPTIONS: dict[str, Any] = {"devices": "Z21,Z15", "basis_fit": "pwl", "squash": "none"}


def converted(path: Path) -> tuple[NetworkSpec, dict[str, Any]]:
    out = path.with_suffix(".converted.pt")
    report = ak.convert(path, out, **OPTIONS)
    return checkpoint.load_spec(out), report


def saved(path: Path, entry: object) -> Path:
    torch.save(entry, path)
    return path


def arrays(spec: NetworkSpec) -> list[np.ndarray]:
    return [a for layer in spec.layers for a in (layer.theta, layer.bias)] + [
        a for layer in spec.layers if layer.norm for a in (layer.norm.scale, layer.norm.shift)
    ]


@pytest.fixture
def plain(tmp_path) -> NetworkSpec:
    return converted(saved(tmp_path / "plain.pth", STATE))[0]


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in STATE.items()}


NUMPY = "{} held NumPy values, which were not read"
WRAPPED: dict[str, tuple[object, list[str]]] = {
    "plain": (STATE, []),
    "ordered": (OrderedDict(STATE), []),
    "parameters": ({k: torch.nn.Parameter(v, False) for k, v in STATE.items()}, []),
    "data-parallel": (prefixed("module."), ["'module.' was taken off every key"]),
    "compiled": (prefixed("_orig_mod."), ["'_orig_mod.' was taken off every key"]),
    "both": (prefixed("module._orig_mod."), ["'module._orig_mod.' was taken off every key"]),
    "averaged": (
        {"n_averaged": torch.tensor(5)} | prefixed("module."),
        ["'module.' was taken off every key"],
    ),
    "attribute": (prefixed("kan.net."), ["'kan.net.' was taken off every key"]),
    "wrapped": (
        {"state_dict": STATE, "best_acc": 0.9},
        ["the state was under 'state_dict' in the file"],
    ),
    "lightning": (
        {"state_dict": prefixed("model."), "epoch": 3, "callbacks": {"a": {"best": 0.9}}},
        ["the state was under 'state_dict' in the file", "'model.' was taken off every key"],
    ),
    "nested": (
        {"checkpoint": {"state": prefixed("model._orig_mod.module.")}, "step": 7},
        [
            "the state was under 'checkpoint.state' in the file",
            "'model._orig_mod.module.' was taken off every key",
        ],
    ),
    **{
        key: ({key: STATE, "lr": 1e-3}, [f"the state was under '{key}' in the file"])
        for key in ("ema", "model", "net", "model_state_dict", "model_state")
    },
    "numpy-scalar": (
        {"model_state": STATE, "best_acc": np.float64(0.9)},
        ["the state was under 'model_state' in the file", NUMPY.format("best_acc")],
    ),
    "numpy-inside": (
        {"model": STATE, "log": [{"loss": np.float32(1)}], "curve": np.arange(3)},
        ["the state was under 'model' in the file", NUMPY.format("curve, log.0.loss")],
    ),
    "many-numpy": (
        {"model": STATE, "log": [np.int64(k) for k in range(5)]},
        ["the state was under 'model' in the file", NUMPY.format("log.4, log.3, log.2 and 2 more")],
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_states_are_the_plain_one_to_the_last_digit(tmp_path, plain, name):
    entry, notes = WRAPPED[name]
    spec, report = converted(saved(tmp_path / f"{name}.pth", entry))
    for found, expected in zip(arrays(spec), arrays(plain), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert report["notes"][: len(notes)] == notes
    assert "nothing keeps hidden voltages" in report["notes"][len(notes)]
    assert report["significant_bits"] == 53


def test_a_file_without_checksums_is_read_and_that_is_said(tmp_path, plain):
    path = tmp_path / "old.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=False)
    spec, report = converted(path)
    assert all(map(np.array_equal, arrays(spec), arrays(plain)))
    assert report["notes"][0] == (
        "the file is in torch's format before 1.6, which has no checksums: damage to a number "
        "would not be seen"
    )


def test_no_function_of_numpy_is_called(tmp_path, monkeypatch):
    called = []
    path = saved(tmp_path / "a.pth", {"model": STATE, "best": np.float64(0.5)})
    scalar = pickle.dumps(np.float64(0.5), 2)
    assert b"scalar" in scalar
    from numpy._core import multiarray

    monkeypatch.setattr(multiarray, "scalar", lambda *a: called.append(a))
    assert read_state(path).entry == "model"
    assert not called
    pickle.loads(scalar)
    assert called, "the trap does not work, so the test shows nothing"


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [
        (torch.bfloat16, 8), (torch.float16, 11), (torch.float8_e4m3fn, 4),
        (torch.float32, 24), (torch.float64, 53),
    ],
)  # fmt: skip
def test_the_significant_bits_of_the_coefficients_are_reported(tmp_path, dtype, bits):
    narrow = {k: v.to(dtype) if v.is_floating_point() else v for k, v in STATE.items()}
    mixed = STATE | {"net.2.coeffs": narrow["net.2.coeffs"]}
    for entry in (narrow, mixed):
        spec, report = converted(saved(tmp_path / "a.pth", entry))
        assert report["significant_bits"] == bits
        note = f"the coefficients had {bits} significant bits ({str(dtype)[6:]}): accuracy may suf"
        assert any(n.startswith(note) for n in report["notes"]) == (bits < 24)
        scale = 1e6 * np.array([curve.i_peak for curve in spec.layers[0].curves])
        exact = entry["net.2.coeffs"].double().numpy() * scale
        np.testing.assert_array_equal(spec.layers[1].theta, exact)


def test_one_output_converts(tmp_path):
    net = random_net((4, 5, 1), [pwl(c) for c in resolve("Z21,Z15")], squash="none", norm="none")
    spec, _ = converted(saved(tmp_path / "a.pth", net.state_dict()))
    assert spec.sizes == (4, 5, 1)


CURVES = (
    ": the circuit's basis functions are the I-V curves of tunnel diodes, so only a KAN that was "
    "trained with them converts (`analogkan train`, or KANalogue)"
)


def ones(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {key.replace("__", "."): torch.ones(shape) for key, shape in shapes.items()}


OTHERS: dict[str, tuple[dict, str]] = {
    "efficient-kan": (
        ones(layers__0__base_weight=(5, 6), layers__0__spline_weight=(5, 6, 8)),
        "a B-spline KAN (efficient-kan), by its key layers.0.spline_weight",
    ),
    "pykan": (
        ones(act_fun__0__grid=(6, 9), act_fun__0__coef=(6, 5, 6)),
        "a B-spline KAN (pykan), by its key act_fun.0.coef",
    ),
    "fastkan": (
        ones(layers__0__rbf__grid=(8,), layers__0__spline_linear__weight=(5, 48)),
        "a KAN of radial basis functions (FastKAN), by its key layers.0.rbf.grid",
    ),
    "chebykan": (
        ones(l__cheby_coeffs=(6, 5, 4)),
        "a KAN of Chebyshev polynomials, by its key l.ch",
    ),
    "mlp": (ones(fc1__weight=(5, 6), fc1__bias=(5,)), "an MLP, by its key fc1.weight"),
    "sequential": (
        ones(net__0__weight=(5, 6), net__0__bias=(5,)),
        "an MLP, by its key net.0.weight",
    ),
    "cnn": (
        ones(features__0__weight=(8, 3, 3, 3), features__0__bias=(8,), fc__weight=(10, 8)),
        "a convolutional network, by its key features.0.weight",
    ),
}


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}])
@pytest.mark.parametrize("name", OTHERS)
def test_another_network_is_named(tmp_path, name, wrap):
    state, what = OTHERS[name]
    path = saved(tmp_path / "a.pth", wrap(state))
    sentence = f"{path}: it is the state of {what}"
    with pytest.raises(CheckpointError, match=f"^{escape(sentence)}") as found:
        converted(path)
    fitted = "; --distil fits one to this" if "B-spline" in what else ""
    assert str(found.value).endswith(CURVES + fitted)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            {"model": STATE, "ema": STATE | {}},
            ": it holds several states, 'ema' and 'model': save the one that is meant by itself "
            "with torch.save",
        ),
        (
            prefixed("model.") | {"loss.weight": torch.ones(3)},
            ": the state has loss.weight beside keys that begin with model.: save the KAN's own ",
        ),
        (
            {f"{'ab'[k % 2]}.{key}": value for k, (key, value) in enumerate(STATE.items())},
            ": the state has ",
        ),
        (
            STATE | {"net.0.coeffs": np.ones((6, 5, 2))},
            ": net.0.coeffs holds NumPy values, which are not read: save tensors",
        ),
        (
            STATE | {"net.0.coeffs": torch.full((6, 5, 2), 9.9e37)},
            ": net.0.coeffs holds 9.9e+37: above 1e+30 it is no coefficient",
        ),
        (
            STATE | {"net.0.coeffs": torch.ones(1, 1, 1).expand(6, 5, 2)},
            ": net.0.coeffs has shape (6, 5, 2), but the file has fewer numbers of it",
        ),
    ],
)
def test_a_state_that_cannot_be_told_is_refused(tmp_path, entry, sentence):
    path = saved(tmp_path / "a.pth", entry)
    with pytest.raises(CheckpointError, match=f"^{escape(f'{path}{sentence}')}"):
        converted(path)


def test_a_state_that_holds_itself_is_no_endless_loop(tmp_path):
    entry: dict[str, Any] = {f"k{k}": None for k in range(200)}
    entry |= dict.fromkeys(entry, entry)
    path = saved(tmp_path / "a.pth", entry)
    with pytest.raises(CheckpointError, match=r"no key of the state is like net.0.coeffs"):
        converted(path)


RESAVE = 'torch.save(model.state_dict(), "theirs.pth")'


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return stream.getvalue()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, x=np.ones(3))
    return stream.getvalue()


def torchscript() -> bytes:
    stream = io.BytesIO()
    stream.write(zipped(a__data_pkl=b"", a__constants_pkl=b"", a__code__x_py=b""))
    return stream.getvalue()


HEADER = json.dumps({"net.0.coeffs": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
FORMATS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (bytes, "empty: copy or download it again"),
    "lfs": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12345\n",
        "a Git LFS pointer, not the file: fetch it with `git lfs pull`",
    ),
    "html": (
        lambda: b"\n<!DOCTYPE html>\n<html><body>404</body></html>",
        "a web page, not the file: download the file itself (the raw link)",
    ),
    "hdf5": (
        lambda: b"\x89HDF\r\n\x1a\n" + bytes(99),
        f"an HDF5 file (Keras): convert its weights to torch, and save {RESAVE}",
    ),
    "keras": (
        lambda: zipped(config_json=b"{}", model_weights_h5=b""),
        f"an HDF5 file (Keras): convert its weights to torch, and save {RESAVE}",
    ),
    "npz": (npz, f"an npz file of NumPy arrays: save the state dictionary, {RESAVE}"),
    "npy": (lambda: b"\x93NUMPY\x01\x00", f"a NumPy array: save the state dictionary, {RESAVE}"),
    "safetensors": (
        lambda: struct.pack("<Q", len(HEADER)) + HEADER.encode() + bytes(4),
        "a safetensors file: save what safetensors.torch.load_file gives with "
        'torch.save(state, "theirs.pth")',
    ),
    "onnx": (
        lambda: b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:\x10\n\x04main.onnx",
        f"an ONNX graph: save the network's weights where it was trained, {RESAVE}",
    ),
    "torchscript": (
        torchscript,
        f"a TorchScript archive: load it with torch.jit.load and save {RESAVE}",
    ),
    "zip": (
        lambda: zipped(a_txt=b"hello"),
        "a zip archive without data.pkl, which no torch.save wrote (a.txt is in it)",
    ),
    "tensorflow": (
        lambda: b'model_checkpoint_path: "model.ckpt-1"\n',
        "the index of a TensorFlow checkpoint, and only torch's are read",
    ),
    "text": (
        lambda: b"epoch,loss\n1,0.5\n",
        "a text, not weights: it begins with 'epoch,loss\\n1,0.5\\n'",
    ),
    "gzip": (lambda: b"\x1f\x8b\x08" + bytes(30), "compressed with gzip: unpack it"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n", "a PNG picture"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_another_format_is_named(tmp_path, name):
    content, what = FORMATS[name]
    path = tmp_path / "theirs.pth"
    path.write_bytes(content())
    with pytest.raises(CheckpointError, match=f"^{escape(f'{path} is {what}')}$"):
        converted(path)


def test_a_script_module_is_named(tmp_path):
    path = tmp_path / "theirs.pth"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(CheckpointError, match=r"theirs.pth is a TorchScript archive: load it with"):
        converted(path)


def test_a_member_whose_damaged_entry_torch_takes_for_a_folder_is_read_all_the_same(tmp_path):
    path = saved(tmp_path / "a.pth", STATE)
    whole = bytearray(path.read_bytes())
    for entry in re.finditer(b"PK\x01\x02", whole):
        whole[entry.start() + 38] |= 0x10  # among its attributes
    path.write_bytes(whole)
    found = read_state(path).state
    assert all(torch.equal(found[key], STATE[key]) for key in STATE)


def test_a_flipped_bit_of_a_state_is_refused_or_changes_nothing(tmp_path):
    path = saved(tmp_path / "a.pth", STATE)
    whole, before = path.read_bytes(), read_state(path).state
    for bit in np.random.default_rng(0).integers(0, 8 * len(whole), 80):
        path.write_bytes(flipped(whole, int(bit)))
        try:
            found = read_state(path).state
        except CheckpointError:
            continue
        assert all(torch.equal(found[key], before[key]) for key in before)


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside this checkout")
@pytest.mark.parametrize("path", sorted(CASES.glob("*")), ids=lambda p: p.stem)
def test_the_collected_cases_are_read_or_named(tmp_path, path):
    here = tmp_path / path.name
    here.write_bytes(path.read_bytes())
    refused = {"efficient-kan": "efficient-kan", "pykan": "pykan", "mlp": "an MLP"}
    if path.stem in refused:
        with pytest.raises(CheckpointError, match=f"it is the state of .*{refused[path.stem]}"):
            converted(here)
        return
    spec, report = converted(here)
    if path.stem == "one-output":
        assert spec.sizes == (4, 5, 1)
    elif path.stem == "bfloat16":
        assert report["significant_bits"] == 8
    else:
        (tmp_path / "plain.pth").write_bytes((CASES / "plain.pth").read_bytes())
        plain, _ = converted(tmp_path / "plain.pth")
        assert all(map(np.array_equal, arrays(spec), arrays(plain)))
