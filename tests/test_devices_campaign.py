"""Damaged sweeps, device and variation files: `pytest -m campaign tests/test_devices_campaign.py`.

Every mutation is read or refused in a sentence, within seconds and little memory. What is read is
counted by what was done to it, and holds what a device can hold.
"""

from __future__ import annotations

import random
import resource
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analogkan.devices import get
from analogkan.devices.columns import ColumnChoice
from analogkan.devices.library import format_device, load
from analogkan.devices.measured import device_from_sweeps, import_device, write_measured
from analogkan.devices.spread import format_variation
from analogkan.devices.sweep import Sweep, read_sweep
from analogkan.errors import AnalogKanError
from analogkan.limits import QUANTITIES

from .test_exports import READ
from .test_spread import batch, csvs

pytestmark = pytest.mark.campaign
MUTATIONS, SECONDS, MEGABYTES = 6_000, 20.0, 2_000

ODD = [
    "", " ", "nan", "-inf", "9.9e37", "-9.91E37", "1.99999e101", "1e400", "1e-400", "1e12", "OL",
    "----", "0x10", "1_000", "1,5", "1.234,5", "true", "V", "µA", '"', "'", "\0", "#", ";", "\t",
    "9" * 400, "1e5", "-0", "+.5", "١٢", "[", "{", "}", "v", "=", "\\", "1979-05-27", "\ufeff",
]  # fmt: skip
"""What may stand where something else did."""


def bytes_damaged(raw: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, put in, taken out."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(data) + 1)
        data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(data)


def cut(raw: bytes, rng: random.Random) -> bytes:
    """The file ends early, or begins late."""
    at = rng.randrange(len(raw))
    return raw[:at] if rng.random() < 0.5 else raw[at:]


def lines_moved(raw: bytes, rng: random.Random) -> bytes:
    """Lines doubled, taken out, exchanged, or two joined."""
    lines = raw.split(b"\n")
    for _ in range(rng.choice((1, 1, 3))):
        a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
        match rng.randrange(4):
            case 0:
                lines.insert(a, lines[b])
            case 1 if len(lines) > 1:
                del lines[a]
            case 2:
                lines[a], lines[b] = lines[b], lines[a]
            case _:
                lines[a] += lines[b]
        lines = lines or [b""]
    return b"\n".join(lines)


def cells_changed(raw: bytes, rng: random.Random) -> bytes:
    """A cell, number or word replaced by an odd one."""
    words = raw.decode("utf-8", "surrogateescape").replace(",", "\0,\0").replace("\n", "\0\n\0")
    parts = words.replace(" ", "\0 \0").split("\0")
    for _ in range(rng.choice((1, 1, 2))):
        parts[rng.randrange(len(parts))] = rng.choice(ODD)
    return "".join(parts).encode("utf-8", "surrogateescape")


def repeated(raw: bytes, rng: random.Random) -> bytes:
    """A stretch many times over: long lines, deep nesting, many points."""
    a = rng.randrange(len(raw))
    stretch = raw[a : a + rng.choice((1, 1, 5, 40))]
    return raw[:a] + stretch * rng.choice((2, 50, 20_000)) + raw[a:]


def encoded(raw: bytes, rng: random.Random) -> bytes:
    """In another encoding, or with another separator, decimal sign or line end."""
    text = raw.decode("utf-8", "replace")
    old, new = rng.choice(
        ((",", ";"), (",", "\t"), (".", ","), ("\n", "\r"), ("\n", "\r\n"), (",", " "))
    )
    encoding = rng.choice(("utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-8-sig"))
    return text.replace(old, new).encode(encoding, "replace")


KINDS = (bytes_damaged, cut, lines_moved, cells_changed, repeated, encoded)


def mutate_and_read(
    samples: list[bytes], path: Path, read: Callable[[], object], what: str
) -> Counter[str]:
    """Reads ``MUTATIONS`` damaged samples from ``path``; how many were accepted, by kind."""
    rng, accepted, refused, slowest = random.Random(0), Counter(), 0, 0.0
    for k in range(MUTATIONS):
        kind = KINDS[k % len(KINDS)]
        raw = kind(rng.choice(samples), rng)
        if rng.random() < 0.2:
            raw = rng.choice(KINDS)(raw or b" ", rng)
        path.write_bytes(raw)
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                read()
            accepted[kind.__name__] += 1
        except AnalogKanError as error:
            refused += 1
            assert str(path.name) in str(error) or "device" in str(error), str(error)
            assert len(str(error)) < 2_000
        slowest = max(slowest, time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"\n{what}: {MUTATIONS:,} mutations, {refused:,} refused, slowest {slowest:.1f} s, "
          f"{peak:.0f} MB; accepted {dict(accepted)}")  # fmt: skip
    assert slowest < SECONDS
    assert peak < MEGABYTES
    return accepted


def test_damaged_sweeps_are_devices_or_refused(tmp_path):
    """Accepted: comments, names and blank cells changed, points left out or changed in value."""
    contents = [text for text, *_ in READ.values()]
    samples = [text if isinstance(text, bytes) else text.encode() for text in contents]
    path, choice = tmp_path / "sweep.csv", ColumnChoice(v_unit="V", i_unit="A")
    choices = [ColumnChoice(), choice]

    def read() -> None:
        sweep = read_sweep(path, choice=choices[path.stat().st_size % 2], branch=None)
        curve = device_from_sweeps([(26.85, sweep)], "sweep").curve
        assert np.abs(sweep.v).max() <= QUANTITIES["voltage"].high
        assert np.abs(sweep.i).max() <= QUANTITIES["current"].high
        assert (np.diff(sweep.v) > 0).all()
        assert np.isfinite(curve.i).all()

    accepted = mutate_and_read(samples, path, read, "sweeps")
    assert sum(accepted.values()) > 0


def test_damaged_device_files_are_devices_or_refused(tmp_path):
    """Accepted: texts, digits and blanks changed; entries in another order."""
    warm = tmp_path / "warm.csv"
    csvs(tmp_path)
    (tmp_path / "d1.csv").rename(warm)
    made = import_device([tmp_path / "d2.csv"], "warm", at=[(85.0, warm)])
    samples = [format_device(get("A21")).encode(), format_device(made.curve).encode()]
    path = tmp_path / "device.toml"

    def read() -> None:
        curve = load(path)
        assert load_again(path, curve)

    def load_again(path: Path, curve) -> bool:
        path.write_text(format_device(curve), encoding="utf-8", newline="\n")
        return load(path) == curve

    accepted = mutate_and_read(samples, path, read, "device files")
    assert sum(accepted.values()) > 0


def test_damaged_variation_files_are_replaced_or_refused(tmp_path):
    """Accepted: what still is a table [variation] and nothing else, and is replaced with force."""
    made = import_device(csvs(tmp_path), "mine")
    assert made.spread is not None
    out, path = tmp_path / "mine.toml", tmp_path / "mine.variation.toml"
    written = format_variation(made.spread)

    def read() -> None:
        write_measured(made, out, force=True)
        assert path.read_text(encoding="utf-8") == written

    accepted = mutate_and_read([written.encode()], path, read, "variation files")
    assert sum(accepted.values()) > 0


def odd_sweep(rng: np.random.Generator, file: str) -> Sweep:
    """A curve of some kind, scaled, noisy, at some voltages."""
    n = int(rng.choice([3, 5, 8, 30, 100, 300]))
    v = np.linspace(0, 1, n) if rng.random() < 0.7 else np.sort(rng.uniform(-1, 2, n))
    shapes = (np.sin(5 * v), v**3, (np.abs(v - 0.5) < 0.01) + 1e-3, 0 * v + 1, rng.normal(size=n),
              np.floor(4 * v), 1e6 * get("Z21").current(v))  # fmt: skip
    i = shapes[rng.integers(len(shapes))] + rng.choice([0, 1e-3, 0.1]) * rng.normal(size=n)
    i *= 1e-6 * rng.choice([0.5, 1, 2])
    return Sweep(file=file, v=v, i=i, branch="up", hysteresis=None, columns="")


def test_sweeps_of_any_curves_make_a_device_or_are_refused():
    """Accepted: one sweep; copies of one curve; what differs by less than a spread allows."""
    rng, accepted, slowest = np.random.default_rng(0), Counter(), 0.0
    for _ in range(MUTATIONS):
        sweeps = [odd_sweep(rng, "0.csv")]
        for k in range(1, int(rng.integers(1, 4))):
            copy = replace(sweeps[0], file=f"{k}.csv", i=rng.uniform(0.7, 1.3) * sweeps[0].i)
            sweeps.append(copy if rng.random() < 0.7 else odd_sweep(rng, f"{k}.csv"))
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                step = (None, 0.01, 0.05, 0.5, 5.0)[rng.integers(5)]  # None follows the curve
                made = device_from_sweeps([(26.85, s) for s in sweeps], "any", step=step)
            accepted[f"{len(sweeps)} sweep(s)"] += 1
            assert made.spread is None or np.isfinite(made.spread.sigmas).all()
        except AnalogKanError as error:
            assert len(str(error)) < 2_000
        slowest = max(slowest, time.perf_counter() - start)
    print(f"\nspreads: {MUTATIONS:,} devices, slowest {slowest:.1f} s; accepted {dict(accepted)}")
    assert slowest < SECONDS


def test_sweeps_of_a_hundred_devices_take_seconds():
    start = time.perf_counter()
    device_from_sweeps([(26.85, s) for s in batch(100, seed=0)[1]], "many")
    assert time.perf_counter() - start < SECONDS
