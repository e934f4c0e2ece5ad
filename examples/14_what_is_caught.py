"""What is caught: each thing that a figure rests on is damaged, and what is said of it is printed.

    python examples/14_what_is_caught.py [FOLDER]

A bit of the model, a reading of a device, a resistor of the deck (its hash made right), a value
of the simulator, a kept chunk, and the accuracy of a network with one class of images.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan import resources
from analogkan.devices.measured import import_device
from analogkan.dialects import NGSPICE
from analogkan.errors import AnalogKanError
from analogkan.files import sha256

MODEL = resources.path("models/mnist-d2.pt")


def say(what: str, act: Callable[[], object]) -> None:
    """Print what ``act`` says, or the error that it ends in."""
    try:
        found = act()
    except AnalogKanError as error:
        found = str(error)
    print(f"{what}:\n  {found}")


def flipped_bit(folder: Path) -> object:
    raw = bytearray(MODEL.read_bytes())
    raw[len(raw) // 2] ^= 1
    path = folder / "flipped.pt"
    path.write_bytes(raw)
    return ak.compile(path, folder / "flipped.build")


def overload(folder: Path) -> object:
    path = folder / "overload.csv"
    rows = [f"{v:.2f},{1e-6 * v if v < 0.9 else 9.9e37}" for v in np.arange(0, 1.2, 0.05)]
    path.write_text("\n".join(["voltage (V),current (A)", *rows]) + "\n", encoding="utf-8")
    return import_device([path], "D1")


def edited(build: ak.Build) -> object:
    path, record = build.folder / "layer1.cir", build.folder / "design.json"
    text = path.read_text(encoding="utf-8")
    changed = re.sub(r"^(r_i07_d1_o3_p \S+ \S+) \S+", r"\1 123456.7", text, flags=re.MULTILINE)
    kept = record.read_text(encoding="utf-8")
    summary = json.loads(kept)
    path.write_text(changed, encoding="utf-8", newline="\n")
    summary["files"]["layer1.cir"] = sha256(path)
    record.write_text(json.dumps(summary), encoding="utf-8")
    found = ak.verify(ak.load_build(build.folder)).findings[0]
    path.write_text(text, encoding="utf-8", newline="\n")
    record.write_text(kept, encoding="utf-8")
    return found


def lying(build: ak.Build, images: ak.ImageSet, folder: Path) -> object:
    """A simulator that gives two classes each other's logits."""
    honest = NGSPICE.read

    def lie(*given, **how):
        vectors = honest(*given, **how)
        vectors["v(logit_3)"], vectors["v(logit_8)"] = vectors["v(logit_8)"], vectors["v(logit_3)"]
        return vectors

    object.__setattr__(NGSPICE, "read", lie)
    try:
        return ak.simulate(build, images, out=folder / "lies")
    finally:
        object.__setattr__(NGSPICE, "read", honest)


def zeros(build: ak.Build, images: ak.ImageSet, folder: Path) -> object:
    """A RUN whose kept chunk was replaced by zeros, resumed."""
    run = folder / "run"
    before = ak.simulate(build, images, out=run).summary
    with contextlib.closing(sqlite3.connect(run / "study.sqlite")) as kept, kept:
        kept.execute("UPDATE chunks SET volts = zeroblob(length(volts))")
    again = ak.simulate(build, images, out=run).summary
    return (
        f"{again['damaged_chunks']} damaged chunk was simulated again: accuracy "
        f"{again['circuit_accuracy']}, before {before['circuit_accuracy']}"
    )


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    say("a flipped bit in a model", lambda: flipped_bit(folder))
    say("an overload in a sweep", lambda: overload(folder))
    build = ak.compile(MODEL, folder / "d2.build")
    images = ak.load_bundled()
    say("a resistor edited, its hash made right", lambda: edited(build))
    say("a simulator that lies", lambda: lying(build, images[:20], folder))
    say("a kept chunk replaced by zeros", lambda: zeros(build, images[:20], folder))
    sevens = images.take(np.flatnonzero(images.y == 7))
    say(
        "one class of images",
        lambda: ak.simulate(build, sevens, engine="software").summary["notes"],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-14"))
