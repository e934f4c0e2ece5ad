"""The tutorials, run as a reader runs them: each block in order, in an empty folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import analogkan as ak

from .pages import ROOT, blocks, commands, numbers, percentages, run, run_python, skeleton

PAGE, SENSOR = ROOT / "docs" / "tutorial.md", ROOT / "docs" / "sensor-curve.md"
TRAINED = 4.0
"""Percentage points that a figure may be off from training on, whose last digits are the CPU's."""
SPAN = 15.0
"""The same of a sensor's chips: yields at a limit in the middle of them, largest errors of all."""


def follow(
    folder: Path, *, stop_before: str = "", page: Path = PAGE, within: float = TRAINED
) -> int:
    """Run the blocks in order and compare what they print; how many were compared."""
    printed, trained, compared = "", False, 0
    for language, text in blocks(page, "python", "sh", "text"):
        if language == "python":
            run_python(text, folder)
            continue
        if language == "sh":
            if stop_before and stop_before in text:
                break
            printed = "".join(run(command, folder) for command in commands(text))
            trained = trained or "analogkan train" in text
            continue
        compared += 1
        if not trained:
            assert printed.split() == text.split()
            continue
        # A note on what the trim could not reach stands there only if there was such an output.
        said, found = (re.sub(r"note: .*\n", "", t) for t in (text, printed))
        assert skeleton(found) == skeleton(said)
        assert percentages(found) == pytest.approx(percentages(said), abs=within)
        if "crossbar resistors" in text:
            assert numbers(found)[:4] == numbers(said)[:4]
    return compared


def test_the_tutorial_as_far_as_its_circuit(ngspice, one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert follow(tmp_path, stop_before="analogkan montecarlo") == 6


@pytest.mark.campaign
def test_the_whole_tutorial(ngspice, one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert follow(tmp_path) == 9


def test_a_sensors_table_is_a_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert follow(tmp_path, page=SENSOR, stop_before="analogkan train") == 1
    train, test = (ak.load_dataset("sensor.csv", split) for split in ("train", "test"))
    assert (len(train), len(test), test.task) == (401, 100, "regression")
    assert (train.inputs, train.targets) == ((("ratio", "V/V"),), (("temperature", "degC"),))


@pytest.mark.slow
def test_a_sensors_curve_as_far_as_its_temperature(ngspice, one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert follow(tmp_path, page=SENSOR, stop_before="analogkan montecarlo", within=SPAN) == 4


@pytest.mark.slow
@pytest.mark.parametrize("page", ["classify", "op-amp", "datasheet"])
def test_a_short_tutorial_prints_what_it_says(ngspice, one_thread, page, tmp_path, monkeypatch):
    """Whole lines of what is printed, numbers apart."""
    monkeypatch.chdir(tmp_path)
    printed, compared = "", 0
    for language, text in blocks(ROOT / "docs" / f"tutorial-{page}.md", "sh", "text"):
        if language == "sh":
            printed = "".join(run(command, tmp_path) for command in commands(text))
        else:
            compared += 1
            assert set(skeleton(text)) <= set(skeleton(printed))
    assert compared == {"classify": 3, "op-amp": 4, "datasheet": 2}[page]


@pytest.mark.campaign
def test_the_whole_of_a_sensors_curve(ngspice, one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert follow(tmp_path, page=SENSOR, within=SPAN) == 7


def test_the_sweeps_are_what_their_script_writes(tmp_path):
    script = ROOT / "scripts" / "make_example_sweeps.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, capture_output=True)
    kept = sorted((ROOT / "examples" / "data").iterdir())
    assert [p.name for p in kept] == ["diode-1.csv", "diode-2.csv", "diode-3.csv"]
    for path in kept:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
