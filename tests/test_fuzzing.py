"""Every reader refuses or understands what it is given: never a traceback, a hang, or gigabytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .fuzzing import READERS, fuzz

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", READERS)
def test_a_few_mutated_files_are_refused_or_understood(name):
    assert fuzz(name, 12, seed=1)["failures"] == []


@pytest.mark.campaign
@pytest.mark.parametrize("name", READERS)
def test_five_thousand_mutated_files_are_refused_or_understood(name, capsys):
    words = [sys.executable, "-m", "tests.fuzzing", name, "5000", "0"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=True, timeout=1800)
    found = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n{name}: {found['counts']}, {found['peak_mib']} MiB\n  {found['why']}")
    assert found["failures"] == []
    assert sum(found["counts"].values()) == 5000
    assert found["peak_mib"] < 2048
