"""What a path is, where another thing was wanted: a sentence that says it, and what to type."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path
from shlex import quote
from typing import Any

from . import resources
from .files import open_regular, read_json, read_text

FILES = {
    ".pt": "model", ".pth": "model", ".cir": "deck", ".sp": "deck", ".net": "deck",
    ".csv": "sweep", ".html": "page",
}  # fmt: skip
"""Kinds that are told by a file's ending."""
CALLED = {
    "BUILD": "a BUILD", "chip": "one chip of a network, kept by a study", "RUN": "a RUN",
    "RUNs": "a folder of RUNs", "model": "a model (.pt)",
    "shipped": "a shipped model", "deck": "a deck", "data": "an npz file", "sweep": "a CSV file",
    "page": "a web page", "device": "a device file", "preset": "a preset", "recipe": "a recipe",
    "data set": "a data set", "file": "a file", "folder": "a folder",
}  # fmt: skip
GOES = {
    "BUILD": "`analogkan simulate {0}` runs it",
    "chip": "`analogkan simulate {0}` runs it",
    "RUN": "`analogkan report {0}` shows it",
    "RUNs": "`analogkan report {0}/*` shows them",
    "model": "`analogkan compile {0}` makes its BUILD",
    "shipped": "`analogkan compile {0}` makes its BUILD, {0}.build",
    "deck": "`ngspice -b {0}` runs it",
    "data": "it goes behind --dataset",
    "sweep": "`analogkan devices import {0} -o mine.toml` makes a device of a measured sweep",
    "page": "a browser shows it",
    "device": "`analogkan devices show {0}` shows it, and it goes behind --devices",
    "preset": "it goes behind --preset, in `analogkan train` behind --variation",
    "recipe": "it goes behind --recipe",
}
"""What is done with a thing of each kind."""
DATA = ("data", "sweep")
"""What a data set may be read from."""
TABLES = {"hardware", "variation", "conditions", "assumptions"}
"""Of a preset."""


def kind_of(path: Path) -> str:
    """A key of ``CALLED``, by what ``path`` holds; empty where that is none of ours."""
    if path.is_dir():
        if any((path / name).is_file() for name in ("design.json", "held.json")):
            return "BUILD"
        if (path / "chip.json").is_file():
            return "chip"
        if any((path / name).is_file() for name in ("result.json", "run.json", "study.sqlite")):
            return "RUN"
        return "RUNs" if any(path.glob("*/result.json")) else ""
    if not path.is_file():
        return "shipped" if str(path) in resources.models() else ""
    if path.suffix == ".npz":
        if _holds_inputs(path):
            return "data"
        return "file" if kind_of(path.parent) == "BUILD" else ""
    return _kind_of_toml(path) if path.suffix == ".toml" else FILES.get(path.suffix, "")


def _holds_inputs(path: Path) -> bool:
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            return "x.npy" in archive.namelist()
    except (ValueError, OSError, zipfile.BadZipFile):
        return False


def _kind_of_toml(path: Path) -> str:
    try:
        keys = set(tomllib.loads(read_text(path)))
    except (ValueError, RecursionError):
        return ""
    if keys & TABLES:
        return "preset"
    if {"v", "i"} <= keys:
        return "device"
    return "recipe" if {"hidden", "epochs", "learning_rate"} <= keys else ""


def mistaken(path: Path, wanted: str) -> str:
    """That ``path`` is another thing than the kind that is ``wanted``, and what is done with it.

    Empty where it is not known to be one.
    """
    try:
        found = kind_of(path)
    except OSError:  # no file can have such a name
        return ""
    if not found or found == wanted or (wanted == "data set" and found in DATA):
        return ""
    return (
        f"{path} is {CALLED[found]}, and {CALLED[wanted]} is wanted: {_step(path, found, wanted)}"
    )


def _step(path: Path, found: str, wanted: str) -> str:
    if kind_of(path.parent) == "BUILD" and path.is_file():
        if wanted == "model" and path.suffix == ".npz":
            return f"it is of the BUILD {path.parent}; {_of_model(path.parent)}"
        return f"it is of the BUILD {path.parent}, which is given as a whole"
    if (found, wanted) == ("BUILD", "RUN"):
        return f"`analogkan simulate {quote(str(path))}` makes one, and says where"
    if (found, wanted) == ("BUILD", "model"):
        runs = f"`analogkan simulate {quote(str(path))}` runs it"
        return f"it is compiled already, and {runs}; {_of_model(path)}"
    if (found, wanted) == ("RUN", "BUILD") and (build := _told(path, "build")):
        return f"it is of the BUILD {build}"
    if (found, wanted) == ("chip", "BUILD") and (build := _told(path, "build", "chip.json")):
        return f"{GOES[found].format(quote(str(path)))}; the network that it is of is {build}"
    return GOES[found].format(quote(str(path)))


def _of_model(build: Path) -> str:
    """How to have the network of a BUILD as a model."""
    return (
        "to train it on give the model that it was compiled from, or what "
        f"ak.save(ak.load_build({str(build)!r}).spec, 'mine.pt') writes"
    )


def _told(run: Path, key: str, name: str = "result.json") -> Any:
    """What a RUN's result, or the file ``name``, says under ``key``; None if there is none."""
    try:
        return read_json(run / name).get(key)
    except ValueError:
        return None
