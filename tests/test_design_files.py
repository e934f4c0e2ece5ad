"""Stored designs, networks and BUILD summaries: what is damaged or odd is refused in a sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from re import escape
from typing import Any

import numpy as np
import pytest

from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.design import build_design, load_design, save_design
from analogkan.compiler.hardware import Hardware
from analogkan.errors import CheckpointError, CompileError, NetlistError
from analogkan.files import read_npz, write_npz
from analogkan.network.spec import load_spec

from .networks import random_spec

SPEC = random_spec(0, squash="sigmoid", norm="layer")


def changed(path: Path, name: str, change: Callable[[Any], Any] | None) -> None:
    """Change an array of the npz file ``path``, or remove it; dotted names are of its JSON."""
    arrays = read_npz(path)
    key, _, inner = name.partition(".")
    if key == "meta":
        arrays["meta"] = np.array(
            json.dumps(edited(json.loads(str(arrays["meta"])), inner, change))
        )
    elif change is None:
        del arrays[key]
    else:
        arrays[key] = change(arrays.get(key))
    write_npz(path, arrays)


def edited(entries: Any, where: str, change: Callable[[Any], Any] | None) -> Any:
    """``entries`` with what is at ``where`` (keys and numbers between dots) changed or removed."""
    if not where:
        return None if change is None else change(entries)
    *outer, last = [int(key) if key.isdigit() else key for key in where.split(".")]
    inner = entries
    for key in outer:
        inner = inner[key]
    if change is None:
        del inner[last]
    else:
        inner[last] = change(inner[last] if isinstance(last, int) else inner.get(last))
    return entries


def to(value: object) -> Callable[[Any], Any]:
    return lambda _: value


def first(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """The array with ``value`` as its first number."""

    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.flat[0] = value
        return array

    return change


AGAIN = ": train, convert or compile it again"


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("l0_g", None, "'l0_g'"),
        ("l0_g", lambda a: a[:-1], "l0_g has shape (13, 8); it must be (14, 8)"),
        ("l0_r_f", lambda a: a[0], "l0_r_f has shape (2,) and l0_gain (4,); want (I, D) and (O,)"),
        ("l0_r_f", lambda a: a[:, :1], "l0_r_f has 1 devices an input, 2 are named"),
        ("l1_r_c", first(-1.0), "l1_r_c holds -1, which cannot be: above 0, at most 1e+30"),
        ("l1_r_c", first(np.nan), "l1_r_c holds nan, which cannot be: above 0, at most 1e+30"),
        ("l0_g", first(5.0), "l0_g holds 5, which cannot be: 0 or more, at most 1"),
        ("l0_g", first(-1.0), "l0_g holds -1, which cannot be: 0 or more, at most 1"),
        ("l1_norm_shift", first(1e33), "l1_norm_shift holds 1e+33, which cannot be: at most 1e+30"),
        ("l1_gain", lambda a: a + 1j, "l1_gain has type complex128; it must be float64"),
        ("l1_gain", lambda a: a.astype(str), "l1_gain has type <U32; it must be float64"),
        ("l1_gain", lambda a: a.astype(int), "l1_gain has type int64; it must be float64"),
        ("l0_d1_i", first(9.9e37), "l0_d1_i: a current of 9.9e+37 A cannot be: it is SCPI's code"),
        ("l0_d1_v", lambda a: a[::-1], "device T1: voltages must increase, but point 1"),
        ("l0_d1_v", lambda a: a.astype(str), "l0_d1_v has type <U32; it must be float64"),
        ("extra", to(np.ones(3)), "it has the unknown array extra"),
        ("meta", to([1]), "it is a list; it must be a dictionary"),
        ("meta.stages", to([]), "stages has 0 entries; it must have 1 to 10,000"),
        ("meta.stages", to({}), "stages is a dict; it must be a list"),
        ("meta.stages.0.n_bias", to(1.5), "stages[0].n_bias is 1.5; it must be a whole number fr"),
        ("meta.stages.0.n_bias", to(True), "stages[0].n_bias is True; it must be a whole number "),
        ("meta.stages.0.curves", to(["T0", 7]), "stages[0].curves[1] is 7; it must be a text of"),
        ("meta.stages.0.stability", to([1]), "stages[0].stability is a list; it must be a dicti"),
        ("meta.stages.1.norm_eps", None, f"it lacks the entry 'norm_eps' of stages[1]{AGAIN}"),
        (
            "meta.stages.1.norm_eps",
            to("a"),
            "stages[1].norm_eps is 'a'; it must be a finite number",
        ),
        ("meta.stages.1.r_load", to(1e999), "stages[1].r_load is inf; it must be a finite number"),
        ("meta.stages.1.squash", to(3), "stages[1].squash is 3; it must be a dictionary"),
        ("meta.hardware", to([]), "hardware is a list; it must be a dictionary"),
        ("meta.hardware.g_max", to(-1), "g_max = -1.0 is out of range: above g_min"),
        ("meta.hardware.levels", to("x"), "levels = 'x' is out of range: 0 (continuous), 2 to 655"),
        ("meta.hardware.v_fs", to(True), "hardware.v_fs is True; it must be a finite number"),
        ("meta.hardware.colour", to(1), "hardware has the unknown entry 'colour': it may have v_"),
        ("meta.notes", to("note"), "notes is 'note'; it must be a list"),
        ("meta.name", to(7), "name is 7; it must be a text of"),
    ],
)
def test_a_damaged_design_is_refused(tmp_path, name, change, sentence):
    path = tmp_path / "design.npz"
    save_design(build_design(SPEC, Hardware()), path)
    assert load_design(path).name == SPEC.name
    changed(path, name, change)
    told = f"{path} is damaged: compile the model again ({sentence}"
    with pytest.raises(NetlistError, match=f"^{escape(told)}"):
        load_design(path)


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("l0_theta", None, "'l0_theta'"),
        ("l0_theta", lambda a: a + 1j, "l0_theta has type complex128; it must be float64"),
        ("l0_theta", first(1e31), "l0_theta holds 1e+31, which cannot be: at most 1e+30"),
        (
            "l1_d0_v",
            lambda a: np.r_[a[1] - 1e-14, a[1:]],
            "l1_d0_v: points 0 and 1 are 1.0",
        ),
        ("l1_d0_v", first(-2e4), "l1_d0_v: a voltage of -20000 V cannot be; possible are -1000 to"),
        ("l0_bias", first(np.inf), "l0_bias holds inf, which cannot be: at most 1e+30"),
        ("calibration", lambda a: a.astype(bool), "calibration has type bool, which holds no real"),
        ("extra", to(np.ones(3)), "it has the unknown array extra"),
        ("meta", to("text"), "it is 'text'; it must be a dictionary"),
        ("meta.format", to("x"), "format is 'x'; it must be one of analogkan-network-2"),
        ("meta.held", to(1), "held is 1; it must be true or false"),
        ("meta.colour", to(1), "it has the unknown entry 'colour': it may have format, name, data"),
        ("meta.encoding", to([0, 255]), "encoding is a list; it must be a list of 5"),
        ("meta.encoding.4", to([5.0]), "encoding[4][0] is 5.0; it must be a whole number from 1"),
        ("meta.encoding.3", to(0.0), "the input encoding gives 0 V to every value: v_lo and v_hi"),
        ("meta.layers.0.curves.0", to(["T0"]), "layers[0].curves[0] is a list; it must be a list"),
        ("meta.layers.1.norm", to(0), "layers[1].norm is 0; it must be a dictionary"),
        ("meta.layers.1.squash.kind", to("relu"), "squash 'relu' is unknown: one of none, clamp, "),
    ],
)
def test_a_damaged_network_is_refused(tmp_path, name, change, sentence):
    path = tmp_path / "network.npz"
    SPEC.save(path)
    assert load_spec(path).fingerprint() == SPEC.fingerprint()
    changed(path, name, change)
    told = f"{path} is not a network file: {sentence}"
    with pytest.raises(CheckpointError, match=f"^{escape(told)}"):
        load_spec(path)


@pytest.mark.parametrize("kind", ["design.json", "held.json"])
@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("", to([1]), "it holds a list, not an object"),
        ("files", to([]), "files is a list; it must be a dictionary"),
        ("files", to({"design.npz": 3}), "files.design.npz is 3; it must be a text of"),
        ("files", None, f"it lacks the entry 'files'{AGAIN}"),
        ("format", to([1]), "format is a list; it must be a text of"),
        ("format", to("x"), "format is 'x'; it must be one of analogkan-"),
        ("model", to("m"), "model is 'm'; it must be a dictionary"),
        ("model.fingerprint", to(None), "model.fingerprint is None; it must be a text of"),
        ("model.command", to([1]), "model.command is a list; it must be a text of"),
        ("command", to({}), "command is a dict; it must be a text of"),
        ("hardware", to(3), "hardware is 3; it must be a dictionary"),
    ],
)
def test_a_damaged_summary_is_refused(tmp_path, kind, name, change, sentence):
    held = kind == "held.json"
    folder = tmp_path / "net.build"
    write_build(SPEC, Hardware(), folder, most=1000 if held else None)
    path = folder / kind
    load_build(folder)
    path.write_text(json.dumps(edited(json.loads(path.read_text()), name, change)))
    with pytest.raises(NetlistError, match=escape(f"{path} is damaged ({sentence}")):
        load_build(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", b"[" * 200_000, b"\x00" * 9])
def test_a_summary_that_is_no_json_is_refused_and_its_folder_not_replaced(tmp_path, content):
    folder = tmp_path / "net.build"
    write_build(SPEC, Hardware(), folder)
    (folder / "design.json").write_bytes(content)
    with pytest.raises(
        NetlistError, match=r"design.json is damaged \(.*\): compile the model again$"
    ):
        load_build(folder)
    with pytest.raises(CompileError, match=r"which no compile wrote, so it is not replaced: give"):
        write_build(SPEC, Hardware(), folder)


@pytest.mark.parametrize("name", ["design.npz", "network.npz", "design.json"])
@pytest.mark.parametrize(
    "make",
    [os.mkfifo, Path.mkdir, lambda p: p.symlink_to("/dev/zero")],
    ids=["pipe", "dir", "zero"],
)
def test_only_regular_files_of_a_build_are_read(tmp_path, name, make):
    folder = tmp_path / "net.build"
    write_build(SPEC, Hardware(), folder)
    (folder / name).unlink()
    make(folder / name)
    sentence = f"{folder / name} (is damaged|is not a network file)|{folder} is no BUILD folder"
    with pytest.raises((NetlistError, CheckpointError), match=f"^{sentence}"):
        load_build(folder)


def test_a_pipe_for_a_summary_is_not_waited_for_where_a_build_is_to_be_replaced(tmp_path):
    folder = tmp_path / "net.build"
    write_build(SPEC, Hardware(), folder)
    (folder / "design.json").unlink()
    os.mkfifo(folder / "design.json")
    with pytest.raises(CompileError, match=r"which no compile wrote, so it is not replaced: give"):
        write_build(SPEC, Hardware(), folder)
