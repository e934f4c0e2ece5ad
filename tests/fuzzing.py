"""Readers under mutated files: by structure, by byte, by byte with checksums made right again.

``python -m tests.fuzzing READER N SEED`` prints what became of N files, as JSON. Every reader may
refuse (``AnalogKanError``) or accept; anything else, a file that takes longer than ``PATIENCE``,
or a damaged byte that a checksum should have shown and that changes what is read, is a failure.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.design import ARRAYS, build_design, load_design, save_design
from analogkan.compiler.hardware import Hardware
from analogkan.data.sources import load_npz, read_idx
from analogkan.devices import resolve
from analogkan.errors import AnalogKanError
from analogkan.files import read_npz
from analogkan.imperfections import load_settings
from analogkan.network import checkpoint
from analogkan.network.convert import convert, make_basis
from analogkan.network.spec import load_spec
from analogkan.network.squash import Squash
from analogkan.network.state import read_state
from analogkan.studies import registry
from analogkan.training.recipe import load_recipe

from . import stored
from .kanalogue import pwl, random_net
from .networks import random_checkpoint, random_npz, random_spec

PATIENCE = 20
"""Seconds that a file of some kB may take, on a busy machine."""
Rng = np.random.Generator
Path_ = tuple[Any, ...]

# ---- mutations of what a file holds

SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 2**31, 2**63, -(2**63), 10**40, 0.0, -0.0, 0.5, 5.9, -1e-300,
    1e-300, 1e30, 1e300, 9.9e37, 1.99999e101, float("nan"), float("inf"), float("-inf"), "", "a",
    "x" * 3000, "nan", "1e3", "\x00", "\u202e", "../../a", [], {}, [1, 2], {"a": 1}, [[]] * 3,
)  # fmt: skip
NUMPY_TYPES = (
    "f8", "f4", "f2", ">f8", "c16", "i8", "i4", "u1", "u8", "?", "U3", "S3", "O", "M8[s]", "V4",
    "f8,i4",
)  # fmt: skip
TORCH_TYPES = (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.int64,
    torch.uint8, torch.bool, torch.float8_e4m3fn,
)  # fmt: skip
EXTREMES = (np.nan, np.inf, -np.inf, 1e300, -1e300, 9.9e37, 1e-320, 0.0, -1.0, 1e31, 255.0, 1e6)


def nodes(value: Any, at: Path_ = ()) -> list[tuple[Path_, Any]]:
    """Everything in ``value``, with its path."""
    found = [(at, value)]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += nodes(inner, (*at, key))
    elif isinstance(value, list):
        for k, inner in enumerate(value):
            found += nodes(inner, (*at, k))
    return found


def put(root: Any, at: Path_, value: Any) -> Any:
    """``root`` with ``value`` at a path."""
    if not at:
        return value
    inner = root
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return root


def drop(root: Any, at: Path_) -> Any:
    if not at:
        return {}
    inner = root
    for key in at[:-1]:
        inner = inner[key]
    del inner[at[-1]]
    return root


def reshaped(rng: Rng, array: Any) -> Any:
    """An array (or tensor) of another shape."""
    of = torch if isinstance(array, torch.Tensor) else np
    flat = array.reshape(-1)
    ways: list[Callable[[], Any]] = [
        lambda: flat, lambda: array[None], lambda: array[:0], lambda: array[..., None],
        lambda: of.concatenate([array, array]) if array.ndim else flat,
        lambda: array[:-1] if array.ndim else flat, lambda: array.T if array.ndim == 2 else flat,
        lambda: flat[0] if len(flat) else flat, lambda: flat.reshape([*[1] * 20, -1]),
        lambda: of.broadcast_to(flat[:1], (100_000, 3)) if of is np else flat[:1].expand(10**9),
    ]  # fmt: skip
    return ways[rng.integers(len(ways))]()


def retyped(rng: Rng, array: Any) -> Any:
    """An array (or tensor) of another type."""
    if isinstance(array, torch.Tensor):
        if rng.integers(8) == 0:
            return array.to_sparse() if array.ndim and array.dtype != torch.float8_e4m3fn else array
        return array.to(TORCH_TYPES[rng.integers(len(TORCH_TYPES))])
    kind = NUMPY_TYPES[rng.integers(len(NUMPY_TYPES))]
    try:
        return array.astype(kind)
    except (TypeError, ValueError):
        return np.zeros(array.shape, kind)


def extreme(rng: Rng, array: Any) -> Any:
    """An array (or tensor) with one or all numbers extreme."""
    value = EXTREMES[rng.integers(len(EXTREMES))]
    out = array.clone() if isinstance(array, torch.Tensor) else array.copy()
    if isinstance(out, np.ndarray) and out.dtype.kind not in "fc":
        value = (
            int(np.clip(np.nan_to_num(value), 0, 127)) if out.dtype.kind in "iu" else out.flat[0]
        )
    if isinstance(out, torch.Tensor):
        if not out.is_floating_point():
            value = int(rng.integers(127))
        elif out.dtype != torch.float64 and 1e30 < abs(value) < np.inf:
            out = out.double()
    flat = out.reshape(-1)
    if rng.integers(2) and len(flat):
        flat[int(rng.integers(len(flat)))] = value
    else:
        out[...] = value
    return out


def mutated(rng: Rng, root: Any) -> tuple[Any, str]:
    """A copy of ``root`` with one thing changed, and what: an operation and a path."""
    root = copy.deepcopy(root)
    found = nodes(root)
    at, value = found[rng.integers(len(found))]
    told = re.sub(r"[0-9]+", "N", ".".join(map(str, at))) or "all"
    array = isinstance(value, (np.ndarray, torch.Tensor))
    ways = ["scalar", "drop", "swap", *(["rename"] if at and isinstance(at[-1], str) else [])]
    ways += ["reshape", "retype", "extreme"] * 2 if array else []
    ways += ["add"] if isinstance(value, dict) else []
    ways += ["repeat", "many"] if isinstance(value, list) else []
    way = ways[rng.integers(len(ways))]
    if way == "scalar":
        new = SCALARS[rng.integers(len(SCALARS))]
        return put(root, at, copy.deepcopy(new)), f"{type(new).__name__} at {told}"
    if way == "drop":
        return drop(root, at), f"drop {told}"
    if way == "swap":
        other = found[rng.integers(len(found))][1]
        return put(root, at, copy.deepcopy(other)), f"swap {told}"
    if way == "rename":
        root = put(drop(root, at), (*at[:-1], f"{at[-1]}_"), value)
        return root, f"rename {told}"
    if isinstance(value, dict) and way == "add":
        value[("colour", "0", "", "sha256")[rng.integers(4)]] = SCALARS[rng.integers(len(SCALARS))]
        return root, f"add to {told}"
    if isinstance(value, list) and way in ("repeat", "many"):
        value += value[:1] * (1 if way == "repeat" else 3000)
        return root, f"{way} {told}"
    change = {"reshape": reshaped, "retype": retyped, "extreme": extreme}[way]
    return put(root, at, change(rng, value)), f"{way} {told}"


# ---- mutations of its bytes


def damaged(rng: Rng, whole: bytes) -> bytes:
    """``whole`` with some bytes flipped, replaced, removed, repeated, or cut."""
    out, n = bytearray(whole), max(1, len(whole))
    at, length = int(rng.integers(n)), int(2 ** rng.integers(7))
    way = rng.integers(8)
    if way <= 2 and out:
        out[at] ^= 1 << rng.integers(8)
    elif way == 3 and out:
        out[at] = rng.integers(256)
    elif way == 4:
        del out[at : at + length]
    elif way == 5:
        out[at:at] = rng.bytes(length)
    elif way == 6:
        out[at:at] = out[at : at + length] * int(rng.integers(1, 4))
    else:
        del out[at:]
    return bytes(out)


def resealed(rng: Rng, whole: bytes) -> bytes:
    """A zip archive with one member's bytes damaged, and checksums that fit them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as before, zipfile.ZipFile(out, "w") as after:
        names = before.namelist()
        chosen = names[rng.integers(len(names))]
        pickled = [name for name in names if name.endswith("data.pkl")]
        if pickled and rng.integers(2):
            chosen = pickled[0]
        for name in names:
            content = before.read(name)
            after.writestr(name, damaged(rng, content) if name == chosen else content)
    return out.getvalue()


# ---- files: how they are taken apart and put together


def torch_parts(path: Path) -> Any:
    return torch.load(path, weights_only=True)


def checkpoint_parts(path: Path) -> Any:
    """Without its hash, which would see every change."""
    return {key: value for key, value in torch_parts(path).items() if key != "sha256"}


def torch_join(parts: Any, path: Path) -> None:
    torch.save(parts, path)


def npz_parts(path: Path) -> Any:
    with np.load(path) as stored:
        parts = dict(stored)
    if "meta" in parts:
        parts["meta"] = json.loads(str(parts["meta"]))
    return parts


def npz_join(parts: Any, path: Path) -> None:
    if isinstance(parts, dict) and "meta" in parts and not isinstance(parts["meta"], np.ndarray):
        parts["meta"] = np.array(json.dumps(parts["meta"]))
    arrays = {str(k): v for k, v in parts.items()} if isinstance(parts, dict) else {"x": parts}
    with path.open("wb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.savez(stream, **{key or "empty": value for key, value in arrays.items()})


def json_parts(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def json_join(parts: Any, path: Path) -> None:
    path.write_text(json.dumps(parts), encoding="utf-8")


def toml_parts(path: Path) -> Any:
    import tomllib

    return tomllib.loads(path.read_text(encoding="utf-8"))


def toml(value: Any) -> str:
    """A value in TOML; tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return '"none"' if value is None else json.dumps(value)


def toml_join(parts: Any, path: Path) -> None:
    parts = parts if isinstance(parts, dict) else {"x": parts}
    lines = [f"{json.dumps(key)} = {toml(value)}" for key, value in parts.items()]
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")


def idx_parts(path: Path) -> Any:
    whole = path.read_bytes()
    return {"zeros": [0, 0], "type": 8, "axes": whole[3], "shape": [4, 3, 2], "data": whole[16:]}


def idx_join(parts: Any, path: Path) -> None:
    parts = parts if isinstance(parts, dict) else {}

    def whole(value: Any, size: int) -> bytes:
        number = value if type(value) is int else 0
        return (number % 256**size).to_bytes(size, "big")

    shape = parts.get("shape") if isinstance(parts.get("shape"), list) else []
    data = parts.get("data") if isinstance(parts.get("data"), bytes) else b""
    head = b"".join(whole(parts.get(key), 1) for key in ("type", "axes"))
    path.write_bytes(b"\0\0" + head + b"".join(whole(s, 4) for s in shape[:300]) + data)


# ---- the readers


@dataclass(frozen=True)
class Reader:
    """A reader, a file it can read, and how that is taken apart and put together.

    ``read`` gives what identifies the answer. ``summed``: a damaged byte is refused or changes
    nothing. ``why`` says why another answer may be accepted: a pattern of what was done to the
    file, and the reason.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    parts: Callable[[Path], Any]
    join: Callable[[Any, Path], None]
    summed: bool
    why: dict[str, str]


def made_checkpoint(folder: Path) -> Path:
    random_checkpoint(folder / "net.pt")
    return folder / "net.pt"


def made_state(folder: Path) -> Path:
    net = random_net((5, 4, 3), [pwl(c) for c in resolve("Z21,Z15")], squash="none", norm="batch")
    torch.save({"state_dict": dict(net.state_dict()), "epoch": 3}, folder / "theirs.pth")
    return folder / "theirs.pth"


def made_npz(folder: Path) -> Path:
    random_npz(folder / "own.npz", 12)
    return folder / "own.npz"


def made_idx(folder: Path) -> Path:
    (folder / "images").write_bytes(b"\0\0\x08\3\0\0\0\4\0\0\0\3\0\0\0\2" + bytes(range(24)))
    return folder / "images"


SPEC = random_spec(0, squash="sigmoid", norm="layer")


def made_network(folder: Path) -> Path:
    SPEC.save(folder / "network.npz")
    return folder / "network.npz"


def made_design(folder: Path) -> Path:
    save_design(build_design(SPEC, Hardware()), folder / "design.npz")
    return folder / "design.npz"


def made_build(folder: Path) -> Path:
    write_build(SPEC, Hardware(), folder / "net.build")
    return folder / "net.build" / "design.json"


def made_held(folder: Path) -> Path:
    write_build(SPEC, Hardware(), folder / "net.build", most=1000)
    return folder / "net.build" / "held.json"


def made_preset(folder: Path) -> Path:
    text = "[hardware]\ng_max = 1e-5\nlevels = 32\nopamp = 'linear'\n"
    text += "[variation]\nsigma_g = 0.05\ntrim = 'dark'\n[conditions]\ntemp_c = 25.0\n"
    (folder / "own.toml").write_text(text)
    return folder / "own.toml"


def made_recipe(folder: Path) -> Path:
    text = "devices = ['A21', 'Z21']\nhidden = [4]\nepochs = 2\nlearning_rate = 0.01\nbatch = 8\n"
    text += "resize = [14, 14]\ninit_phi2 = [0.05, 0.3]\nflip = false\nsquash = 'clamp'\n"
    (folder / "own.toml").write_text(text + "v_hi = 0.7\nconvolutions = [[4, 3, 1, 0]]\n")
    return folder / "own.toml"


def hashed(*arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in map(np.asarray, arrays):
        digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def spec_hash(spec: Any) -> str:
    sample = [] if spec.calibration is None else [spec.calibration]
    return spec.fingerprint() + hashed(*sample)


def read_converted(path: Path) -> str:
    found = read_state(path)
    model, _ = convert(found.state, BASIS, squash=Squash())
    return hashed(*(tensor.detach().numpy() for tensor in model.state_dict().values()))


def read_images(path: Path) -> str:
    images = load_npz(path, "test")
    return hashed(images.x, images.y)


def read_design(path: Path) -> str:
    design = load_design(path)
    stages = [getattr(stage, name) for stage in design.stages for name in ARRAYS]
    curves = [(c.name, c.v, c.i, c.i_at) for stage in design.stages for c in stage.curves]
    fronts = [(s.front.squash, s.front.norm and vars(s.front.norm)) for s in design.stages]
    return hashed(*stages) + repr((curves, fronts, design.hardware, design.notes, design.name))


BASIS = make_basis(resolve("Z21,Z15"), fit="pwl")
CAN_BE = "other numbers that can be, in a file that carries no hash of them"
RESEALED = {"resealed": "other numbers that can be, with checksums made right again"}
WRITTEN = {"bytes": "another number, name or word that may stand there: a text has no checksum"}
NAMES = {r".*(name|dataset|source|curves|notes)(\.N)*": "a name; nothing is computed of it"}
CALIBRATION = {".* calibration": "gains are sized by other inputs, or for the worst case"}
NUMBERS = {r"(extreme|retype|reshape|swap|int at|float at) .*": CAN_BE}
CHOICES = {r"(drop|swap|\w+ at) .*hardware.*": "another choice of hardware, or by default"}
SETTINGS = {
    r"(drop|rename) .*": "a setting may be left out, and is then as by default",
    r"(swap|\w+ at) .*": "another value in its range",
    r"(repeat|many|add to) .*": "a longer list",
}
ROWS = {
    r".* points\.N\.row(\..*)?": "another figure that can be, under a hash made right again",
    r".* points\.N\.(circuit|temp_c|sample|seconds)": "a column beside the row, which says it",
}
VERDICTS = {r".* meta(\.(judge|seconds).*)?": "another finding, under a hash made right again"}
FIGURES = {".*": "another figure or word that can be, under a hash made right again"}
READERS: dict[str, Reader] = {
    "checkpoint": Reader(
        made_checkpoint, lambda p: spec_hash(checkpoint.load_spec(p)), checkpoint_parts, torch_join,
        True, NAMES | CALIBRATION | NUMBERS | {"drop squash.slope": "1 per volt by default"},
    ),
    "state": Reader(
        made_state, read_converted, torch_parts, torch_join, True, NUMBERS | RESEALED
    ),
    "npz": Reader(
        made_npz, read_images, npz_parts, npz_join, True,
        {"(drop|rename) split": "without marks a fifth of each class is the test set"}
        | NUMBERS | RESEALED,
    ),
    "idx": Reader(
        made_idx, lambda p: hashed(read_idx(p)), idx_parts, idx_join, False, NUMBERS | WRITTEN
    ),
    "network": Reader(
        made_network, lambda p: spec_hash(load_spec(p)), npz_parts, npz_join, True,
        NAMES | CALIBRATION | NUMBERS | RESEALED,
    ),
    "design": Reader(
        made_design, read_design, npz_parts, npz_join, True, NAMES | CHOICES | NUMBERS | RESEALED
    ),
    "build": Reader(
        made_build, lambda p: load_build(p.parent).facts(), json_parts, json_join, False,
        {".* (model|command).*": "what made it; nothing is computed of it"} | WRITTEN,
    ),
    "held": Reader(
        made_held, lambda p: load_build(p.parent).facts(), json_parts, json_join, False,
        {".* (model|command|design).*": "what made it; `verify` compares design"} | WRITTEN,
    ),
    "preset": Reader(
        made_preset, lambda p: repr(load_settings(str(p))), toml_parts, toml_join, False,
        SETTINGS | WRITTEN,
    ),
    "recipe": Reader(
        made_recipe, lambda p: repr(load_recipe(str(p))), toml_parts, toml_join, False,
        SETTINGS | WRITTEN,
    ),
    "store": Reader(
        stored.made_store, stored.read_store, stored.store_parts, stored.store_join, True,
        {r"(drop points\.N|\w+ at points)": "points that are not there are simulated again"}
        | ROWS | VERDICTS,
    ),
    **{
        f"result of {kind}": Reader(
            partial(stored.made_result, kind), stored.read_result, stored.result_parts,
            stored.result_join, True, FIGURES,
        )
        for kind in ("simulate", *registry.BUILT_IN)
    },
    "chips": Reader(
        stored.made_chips, stored.read_chips, stored.chips_parts, stored.chips_join, True,
        {".*": "other figures of chips, under hashes made right again"},
    ),
    "arrays": Reader(
        stored.made_arrays, stored.read_arrays, read_npz, stored.arrays_join, True,
        {".*": "other figures of images, under hashes made right again"},
    ),
    "page": Reader(
        partial(stored.made_result, "simulate"), stored.read_page, stored.page_parts,
        stored.page_join, True, FIGURES,
    ),
    "chunks": Reader(
        stored.made_run, stored.read_run, stored.store_parts,
        partial(stored.store_join, settings=stored.RUN), True,
        {".*": "other voltages, seconds or megabytes, under hashes made right again"},
    ),
    "training": Reader(
        stored.made_training, stored.read_training, torch_parts, torch_join, True, {}
    ),
    "paper": Reader(stored.made_kept, stored.read_paper, json_parts, json_join, True, {}),
    "raw": Reader(
        stored.made_raw, stored.read_raw_file, stored.raw_parts, stored.raw_join, False,
        {r".* head.*": "another name of a vector, or a line that is not read"} | NUMBERS | WRITTEN,
    ),
}  # fmt: skip


class Slow(Exception):
    """A file was not read in ``PATIENCE`` seconds."""


def late(*_: object) -> None:
    raise Slow


def fuzz(name: str, n: int, seed: int) -> dict[str, Any]:
    """What became of ``n`` files: counts, other answers by why they may be, failures."""
    reader, folder = READERS[name], Path(tempfile.mkdtemp(prefix="fuzz"))
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    failures: list[str] = []
    signal.signal(signal.SIGALRM, late)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = reader.make(folder)
        whole, parts, before = path.read_bytes(), reader.parts(path), reader.read(path)
        for k in range(n):
            rng = np.random.default_rng([seed, k])
            what = change(rng, k, whole, parts, reader, path)
            if what is None:
                counts["not writable"] += 1
                continue
            outcome = attempt(reader, path)
            if isinstance(outcome, AnalogKanError):
                counts["refused"] += 1
                if "\n" in str(outcome) or len(str(outcome)) > 2000:
                    failures.append(f"{k}: {what}: no sentence: {str(outcome)[:300]!r}")
            elif isinstance(outcome, BaseException):
                counts["failed"] += 1
                failures.append(
                    f"{k}: {what}: " + "".join(traceback.format_exception(outcome)[-3:])
                )
            elif outcome == before:
                counts["accepted, the same answer"] += 1
            else:
                counts["accepted, another answer"] += 1
                why = [text for kind, text in reader.why.items() if re.fullmatch(kind, what)]
                if why and not (what == "bytes" and reader.summed):
                    reasons[why[0]] += 1
                else:
                    failures.append(f"{k}: {what}: accepted, and nothing says why it may be")
    shutil.rmtree(folder, ignore_errors=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"counts": counts, "why": reasons, "failures": failures, "peak_mib": round(peak)}


def change(rng: Rng, k: int, whole: bytes, parts: Any, reader: Reader, path: Path) -> str | None:
    """Write the ``k``-th mutation to ``path``; what it is, or None if nobody could write it."""
    if k % 4 < 2:
        try:
            changed, what = mutated(rng, parts)
            reader.join(changed, path)
        except Exception:
            return None
        return what
    sealed = whole.startswith(b"PK") and k % 4 == 3
    path.write_bytes((resealed if sealed else damaged)(rng, whole))
    return "resealed" if sealed else "bytes"


def attempt(reader: Reader, path: Path) -> Any:
    """What the reader gives, or what it raises."""
    signal.alarm(PATIENCE)
    try:
        return reader.read(path)
    except Exception as error:
        return error
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    print(json.dumps(fuzz(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), indent=1))
