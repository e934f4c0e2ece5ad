"""What writing, verifying and reading a large deck takes: time and memory, as ratios."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build, write_verified
from analogkan.devices import resolve
from analogkan.engines.ngspice import find_ngspice
from analogkan.network.encoding import Encoding
from analogkan.network.spec import LayerSpec, NetworkSpec

from .measure import Row, Way, among, growth, rounds, row

ROOT = Path(__file__).parents[1]
DEVICES = "A21,Z21,Z15"
SIZES = ((784, 32, 10), (784, 96, 10), (784, 256, 10))
"""The last is fashion-d3's, with random coefficients."""
QUICK = ((49, 8, 4), (49, 12, 4), (49, 16, 4))
NGSPICE = "ngspice: reading them and one image"
PEAK = (
    "import resource, subprocess, sys; "
    "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
"""A program that prints how many kilobytes another one had at most: a child of this large process
would begin with what this one has."""


def random_network(sizes: tuple[int, ...], devices: str = "A21,Z21") -> NetworkSpec:
    """Random coefficients of a trained network's proportions, seed 0."""
    rng = np.random.default_rng(0)
    curves = resolve(devices)
    layers = tuple(
        LayerSpec(
            theta=rng.normal(0, (n_in * len(curves)) ** -0.5, (n_in, n_out, len(curves))),
            bias=rng.normal(0.5, 0.1, n_out),
            curves=curves,
        )
        for n_in, n_out in pairwise(sizes)
    )
    x = rng.integers(0, 256, (16, sizes[0])).astype(np.uint8)
    encoding = Encoding(x_lo=0, x_hi=255, v_lo=0, v_hi=0.7, shape=(sizes[0],))
    return NetworkSpec(name="random", layers=layers, encoding=encoding, calibration=x)


def compiled(sizes: tuple[int, ...], folder: str) -> Build:
    """A random network of these ``sizes``, written and verified."""
    return write_verified(random_network(sizes, DEVICES), Hardware(), Path(folder))


def measured(quick: bool = False) -> list[Row]:
    """Rows: verification beside writing and beside ngspice, growth, memory a resistor."""
    sizes, program = QUICK if quick else SIZES, find_ngspice().path
    with tempfile.TemporaryDirectory() as place:
        folders = [str(Path(place) / f"{k}.build") for k in range(len(sizes))]
        builds = [compiled(of, folder) for of, folder in zip(sizes, folders, strict=True)]
        resistors = [build.summary["elements"]["crossbar_resistors"] for build in builds]
        large, what = builds[-1], f"{resistors[-1]:,} resistors"
        simulated = [program, "-n", "-b", "network.cir"]
        others = [
            Way("writing them", partial(write_build, large.spec, Hardware(), large.folder)),
            Way(
                NGSPICE,
                partial(subprocess.run, simulated, cwd=large.folder, capture_output=True),
            ),
        ]
        verification = Way(f"verification of {what}", partial(_verified, large))
        rows = among(verification, others, quick=quick)
        calls = [partial(compiled, *given) for given in zip(sizes, folders, strict=True)]
        rows.append(growth("compile and verify by resistors", resistors, calls, quick=quick))
        ends = [(sizes[k], folders[k]) for k in (0, -1)]
        pairs = []
        for _ in range(rounds(quick)):
            ours = [_peak(_compiling(of, folder), folder) for of, folder in ends]
            theirs = [_peak(simulated, folder) for _, folder in ends]
            pairs.append((ours[1] - ours[0], theirs[1] - theirs[0]))
    each = [
        median(pair[side] for pair in pairs) / (resistors[-1] - resistors[0]) for side in (0, 1)
    ]
    memory = row(
        "memory a resistor, compile and verify", NGSPICE, pairs,
        f"{each[0]:.0f} and {each[1]:,.0f} bytes",
    )  # fmt: skip
    memory["of"] = "memory"
    del memory["seconds"]
    return [*rows, memory]


def _verified(build: Build) -> None:
    assert verify_build(build).ok


def _compiling(sizes: tuple[int, ...], folder: str) -> list[str]:
    code = f"from benchmarks.emit import compiled; compiled({sizes}, {folder!r})"
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]


def _peak(command: list[str], folder: str) -> int:
    """Bytes that a command has at most, run in ``folder``."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *command],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout) * 1024
