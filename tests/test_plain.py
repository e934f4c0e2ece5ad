"""Checkpoints read without torch: what torch reads, to the last bit, and what it does not, not."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analogkan import resources
from analogkan.errors import CheckpointError
from analogkan.network import checkpoint, torchfile
from analogkan.network.entries import digest
from analogkan.network.plain import Unplain, read_plain
from analogkan.network.torchload import as_stored

from .fuzzing import READERS, change, spec_hash
from .networks import random_checkpoint


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def outcome(path: Path) -> str:
    """What identifies the network in a file, or the sentence that refuses it."""
    try:
        return spec_hash(checkpoint.load_spec(path))
    except CheckpointError as error:
        return str(error)


@pytest.mark.parametrize("name", sorted(resources.models()))
def test_shipped_models_are_read_as_torch_reads_them(name):
    path = resources.models()[name]
    found = read_plain(members(path))
    assert digest(found) == digest(as_stored(torch.load(path, weights_only=True)))


TYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.uint8, torch.int8, torch.int16),
    *(torch.int32, torch.int64),
)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_tensors_of_every_plain_type_and_stride(dtype, tmp_path):
    base = (100 * torch.rand(4, 6, 5, generator=torch.Generator().manual_seed(1))).to(dtype)
    entry = [base, base.permute(2, 0, 1), base[1:3, ::2], base[0, 0, 0], base[:1].clone()]
    torch.save(entry, tmp_path / "t.pt")
    found = read_plain(members(tmp_path / "t.pt"))
    for tensor, whole in zip(found, entry, strict=True):
        assert (tensor.dtype, tensor.shape) == (str(dtype), tuple(whole.shape))
        np.testing.assert_array_equal(tensor.values, whole.numpy())
        assert tensor.values.flags.c_contiguous
    assert digest(found) == digest(as_stored(entry))


def refusing(name: str) -> Any:
    of = torch.arange(4.0)
    return {
        "bfloat16": of.bfloat16(),
        "complex": of.to(torch.complex64),
        "truths": of > 1,
        "sparse": of.to_sparse(),
        "more than there is": of.expand(3, 4),
        "empty": of[:0],
        "parameter": torch.nn.Parameter(of),
        "attributes": torch.nn.Linear(2, 2).state_dict(),
        "size": of.shape,
        "dtype": of.dtype,
        "bytes": b"abc",
        "set": {1, 2},
    }[name]


@pytest.mark.parametrize(
    "name",
    (
        *("bfloat16", "complex", "truths", "sparse", "more than there is", "empty", "parameter"),
        *("attributes", "size", "dtype", "bytes", "set"),
    ),
)
def test_what_is_not_plain_is_left_to_torch(name, tmp_path):
    torch.save([refusing(name)], tmp_path / "t.pt")
    with pytest.raises(Unplain):
        read_plain(members(tmp_path / "t.pt"))


class Call:
    def __init__(self, *how: Any) -> None:
        self.how = how

    def __reduce__(self):
        return self.how


@pytest.mark.parametrize(
    "value",
    [
        Call(OrderedDict, (), {"items": 3}),
        Call(print, ("run",)),
        Call(OrderedDict, ("no pairs",)),
        np.arange(3),
        Path("a"),
        10**1000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_pickles_that_call_or_build_anything_else_are_not_run(value, tmp_path, capsys):
    torch.save([torch.ones(2), value], tmp_path / "t.pt")
    with pytest.raises(Unplain):
        read_plain(members(tmp_path / "t.pt"))
    assert capsys.readouterr().out == ""


def edited(path: Path, **to: bytes | None) -> dict[str, bytes]:
    """Members of ``path``, some with other content, or gone."""
    found = {}
    for name, content in members(path).items():
        key = name.partition("/")[2].replace("/", "_").lstrip(".").replace(".", "_")
        if to.get(key, content) is not None:
            found[name] = to.get(key, content)
    return found


@pytest.mark.parametrize(
    "to",
    [
        {"version": b"4\n"},
        {"version": None},
        {"byteorder": b"big"},
        {"byteorder": None},
        {"storage_alignment": b"128"},
        {"data_0": b"\0" * 4},
        {"data_0": None},
        {"data_pkl": None},
        {"data_pkl": b"\x80\x02}r\xff\xff\xff\x7f."},
        {"data_pkl": pickle.dumps({}, protocol=4)},
        {"data_pkl": b""},
    ],
    ids=str,
)
def test_an_archive_of_another_form_is_left_to_torch(to, tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "t.pt")
    assert read_plain(edited(tmp_path / "t.pt"))["a"].shape == (2,)
    with pytest.raises(Unplain):
        read_plain(edited(tmp_path / "t.pt", **to))


def test_a_member_that_is_in_it_twice_is_left_to_torch(tmp_path, monkeypatch):
    path = tmp_path / "net.pt"
    random_checkpoint(path)
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name, content in [*members(path).items(), *members(path).items()]:
            archive.writestr(name, content)
    path.write_bytes(twice.getvalue())
    monkeypatch.setattr(torchfile, "read_plain", lambda _: pytest.fail("it was read"))
    assert outcome(path)


def test_changed_files_are_read_or_refused_as_torch_s_reader_does(tmp_path, monkeypatch):
    """By the same mutations as ``tests.fuzzing``; the sentences are the same ones."""
    compare(200, 5, tmp_path, monkeypatch)


def compare(n: int, seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = READERS["checkpoint"]
    path = reader.make(folder)
    whole, parts = path.read_bytes(), reader.parts(path)
    read = 0

    def never(_: Any) -> Any:
        raise Unplain("torch is asked")

    def counted(content: Any) -> Any:
        nonlocal read
        found = read_plain(content)
        read += 1
        return found

    for k in range(n):
        if change(np.random.default_rng([seed, k]), k, whole, parts, reader, path) is None:
            continue
        monkeypatch.setattr(torchfile, "read_plain", counted)
        ours = outcome(path)
        monkeypatch.setattr(torchfile, "read_plain", never)
        assert ours == outcome(path), k
    assert n / 4 < read < n, "both ways were taken"


@pytest.mark.campaign
def test_five_thousand_changed_files(tmp_path, monkeypatch):
    compare(5000, 6, tmp_path, monkeypatch)
