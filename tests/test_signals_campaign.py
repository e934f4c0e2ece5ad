"""Kills at any moment: results are the same bytes after going on, and nothing is left over."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from analogkan.cli import main

from .networks import random_checkpoint, random_inputs, random_npz

ROOT = Path(__file__).parents[1]
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL")
KILLS = 20
STUDY = ("m.build", "--dataset", "d.npz", "--out", "run")
WORK = {
    "simulate": ("simulate", *STUDY, "--chunk", "2"),
    "simulate in sessions": ("simulate", *STUDY, "--chunk", "2", "--session"),
    "montecarlo, twin": ("montecarlo", *STUDY, "--samples", "120", "--judge", "2x10"),
    "montecarlo, ngspice": ("montecarlo", *STUDY, "--samples", "8", "--engine", "ngspice"),
    "sweep": ("sweep", *STUDY, "--samples", "30", "--judge", "2x10", "--set", "sigma_g=0,0.1,0.2"),
    "train": (
        *("train", "--dataset", "t.npz", "--recipe", "plain-d2"),
        *("--epochs", "12", "--out", "run/t.pt"),
    ),
    "compile": ("compile", "m.pt", "-o", "run/m.build"),
    "compile, held": ("compile", "m.pt", "-o", "run/m.build", "--held", "100"),
}
KEPT = (".csv", ".npz", ".pt", ".md", ".cir", ".png", ".json")
TIMES = ("seconds", "images_per_second", "megabytes", "sha256", "retried_chunks")
"""Entries of result.json that are not the result."""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    random_npz(folder / "d.npz")
    random_checkpoint(folder / "m.pt")
    x = random_inputs(3, 400, 5)
    np.savez(folder / "t.npz", x=x, y=(x.sum(1) // 430).clip(0, 2))
    args = ["compile", str(folder / "m.pt"), "-o", str(folder / "m.build")]
    assert CliRunner().invoke(main, args).exit_code == 0
    return folder


def hears() -> None:
    for name in SIGNALS[:3]:
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def begin(place: Path, words: tuple[str, ...]) -> subprocess.Popen:
    """The command in a session of its own, with a TMPDIR of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "analogkan", *words],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(place / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hears,  # noqa: PLW1509
    )


def left_over(place: Path) -> list[str]:
    """Processes with this TMPDIR, what is in it, and files half written."""
    mark = f"TMPDIR={place / 'tmp'}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    torchs = "torchinductor_"  # a folder that torch's compiler keeps for every process
    found += [str(p) for p in (place / "tmp").iterdir() if not p.name.startswith(torchs)]
    found += [str(p) for p in place.rglob(".*") if p.name != ".lock"]
    return found + [str(p) for p in place.rglob("*.pt.lock")]


def results(place: Path) -> dict[str, Any]:
    """What the command has made, but for times."""

    def told(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {key: told(value) for key, value in entry.items() if key not in TIMES}
        return [told(value) for value in entry] if isinstance(entry, list) else entry

    found = {}
    for path in sorted((place / "run").rglob("*")):
        if path.name == "result.json":
            found[path.name] = told(json.loads(path.read_text()))
        elif path.suffix in KEPT:
            found[str(path.relative_to(place))] = path.read_bytes()
    return found


@pytest.mark.campaign
@pytest.mark.parametrize("work", WORK)
def test_a_command_killed_at_random_goes_on_to_the_same_bytes(home, tmp_path, work):
    def anew(place: Path) -> Path:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(home, place)
        for name in ("tmp", "run"):
            (place / name).mkdir()
        return place

    place, words = anew(tmp_path / "place"), WORK[work]
    started = time.monotonic()
    with begin(place, words) as process:
        _, stderr = process.communicate()
    whole = time.monotonic() - started
    assert process.returncode == 0, stderr
    wanted, counts = results(place), Counter()
    assert wanted
    rng, kills, before = np.random.default_rng(len(work)), 0, []
    anew(place)
    while kills < KILLS:
        name, group = SIGNALS[kills % 4], kills % 8 < 4
        number = getattr(signal, name)
        with begin(place, words) as process:
            time.sleep(rng.uniform(0.1, 1.0) * whole)
            if process.poll() is None:
                kills += 1
                if group and name != "SIGKILL":
                    os.killpg(process.pid, number)
                else:
                    process.send_signal(number)
            _, stderr = process.communicate()
        counts[name, process.returncode] += 1
        assert process.returncode in (0, 128 + number, -number), stderr
        left = left_over(place)
        if name == "SIGKILL" and process.returncode:
            counts["left by SIGKILL"] += len(left)
        else:  # what a SIGKILL left goes when the next run has got as far as its folder
            assert set(left) <= set(before), (name, stderr)
            assert "Traceback" not in stderr or process.returncode == -signal.SIGINT, stderr
        before = left
        if process.returncode == 0:
            assert (results(place), left) == (wanted, [])
            anew(place)
    with begin(place, words) as process:
        _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert results(place) == wanted
    assert left_over(place) == []
    print(f"{work}: {whole:.1f} s, {dict(counts)}")
