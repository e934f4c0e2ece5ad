"""A chip kept as a folder that a designer opens: its circuit as decks, and what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, outside, plugins
from ..compiler.chip_files import CHIP, CHIP_FORMAT, image0_of, write_chip
from ..compiler.circuit import Circuit, Link
from ..coordinates import Key
from ..engines.chip_engines import write_images
from ..engines.twin_engine import TwinEngine
from ..errors import StudyError
from ..files import atomic_folder, brief, read_npz, sha256, write_npz, write_text
from ..imperfections.registry import streams
from ..streams import Floats
from .bench import Bench
from .corners_named import Coordinates, coordinates_of, distance
from .points import Point

COORDINATES, IMAGES = "coordinates.npz", "images.npz"
NAME = re.compile(r"(-?\d+)_(\d+)_(\d+)_(\d+)")
"""Of an array of coordinates: layer (-1: the die), share, stream, block."""


def save_coordinates(path: Path, at: Coordinates) -> None:
    """Write a chip's coordinates, an array each, named by what they are of."""
    write_npz(path, {"_".join(map(str, key)): array for key, array in at.items()})


def load_coordinates(path: Path) -> dict[Key, Floats]:
    """What ``save_coordinates`` wrote; StudyError if it did not."""
    try:
        arrays = read_npz(path)
        found = {name: NAME.fullmatch(name) for name in arrays}
        if unknown := [name for name, match in found.items() if match is None]:
            raise ValueError(f"it has {unknown[0]}")
    except ValueError as error:
        raise StudyError(f"{path} is damaged ({brief(error)}): remove it, and the same command "
                         "looks for the chip again") from error  # fmt: skip
    return {
        Key(*map(int, match.groups())): arrays[name]
        for name, match in found.items()
        if match is not None
    }


def keep_chip(
    folder: Path, bench: Bench, point: Point, name: str, about: str, at: np.ndarray
) -> dict[str, Any]:
    """Write the chip of ``point`` into ``folder``: whole or not at all.

    ``network.cir`` prints image 0's logits, ``images.cir`` sweeps the images at positions ``at``;
    of several circuits each has both in a folder of its own. ``chip.json`` says what it is, and has
    a hash of every file; ``coordinates.npz`` is where it lies, ``images.npz`` what the twin says.

    Returns
    -------
    dict
        What chip.json says.
    """
    chip, _ = bench.chip(point)
    temp_c, places = point.conditions.temp_c, coordinates_of(point)
    of = f"corner {name}: {about}, at {temp_c:g} degC"
    title = f"{of}: one chip of {bench.spec.name}, not the network as it was compiled"
    volts = bench.volts_of(point.hardware)
    at = at[:1] if chip.convolutional else at  # of each image many positions
    image0: dict[str, Any] = {}
    with atomic_folder(folder) as partial:
        there = _folders(partial, chip)
        for link in chip.links:
            found = _image0(link, temp_c)
            image0[there[link].name if there[link] != partial else ""] = found
            told = " ".join(f"{value:.9g}" for value in found["twin"])
            write_chip(link, there[link], temp_c, title, [f"The twin's of this chip: {told}"])
        logits = _write_images(chip, there, volts[at], bench.index[at], temp_c)
        save_coordinates(partial / COORDINATES, places)
        arrays = {"index": bench.index[at], "software": bench.software[at], "twin": logits}
        write_npz(partial / IMAGES, arrays)
        written = sorted(path for path in partial.rglob("*") if path.is_file())
        document = {
            "format": CHIP_FORMAT,
            "analogkan": __version__,
            "corner": name,
            "about": title,
            "temp_c": temp_c,
            **bench.build.facts(),
            "build": str(bench.build.folder.resolve()),  # a chip is opened from any folder
            "seed": bench.seed,
            "settings": point.document(),
            "sigmas": distance(places),
            "coordinates": {"_".join(map(str, key)): _owner(key) for key in places},
            "image0": image0,
            **outside.told(plugins.used(bench.build, [point], bench.drawn)),
            "files": {path.relative_to(partial).as_posix(): sha256(path) for path in written},
        }
        write_text(partial / CHIP, json.dumps(document, indent=2) + "\n")
    return document


def _folders(folder: Path, chip: Circuit) -> dict[Link, Path]:
    """Where the files of each circuit go."""
    if len(chip.links) == 1:
        return {chip.links[0]: folder}
    return {link: folder / link.section.names()[link.share] for link in chip.links}


def _image0(link: Link, temp_c: float) -> dict[str, list[float]]:
    """What a circuit answers to the image that its deck shows, in the twin: to the volts that stand
    there, its DACs' own, and without noise at reads."""
    stages = tuple(
        replace(stage, errors=stage.errors and replace(stage.errors, dacs=None, noise=None))
        for stage in link.design.stages
    )
    given = replace(link.design, stages=stages)
    found = TwinEngine().logits(given, image0_of(link, temp_c), np.zeros(1, int), temp_c)
    return {"twin": found[0].tolist()}


def _write_images(
    chip: Circuit, there: Mapping[Link, Path], volts: Floats, index: np.ndarray, temp_c: float
) -> Floats:
    """``images.cir`` of every circuit, each driven by what the twin says of those before it; the
    last ones' logits."""
    twin = TwinEngine()

    def evaluate(link: Link, points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        write_images(link.design, there[link], points, numbers, temp_c)
        return twin.logits(link.design, points, numbers, temp_c)

    return chip.run(volts, index, evaluate, temp_c)


def _owner(key: Key) -> str:
    """Whose coordinates they are, such as ``diodes: die_current``."""
    one, stream = streams()[key.stream]
    return f"{one.name}: {stream}"
