"""Every reader refuses or understands what it is given: never a traceback, a hang, or gigabytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .fuzzing import READERS, fuzz

SLOW = {"page": 250}
"""Files that a campaign gives a reader that draws a page of each; the others get 5,000."""
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", READERS)
def test_a_few_mutated_files_are_refused_or_understood(name):
    assert fuzz(name, 2 if name in SLOW else 12, seed=1)["failures"] == []


@pytest.mark.campaign
@pytest.mark.parametrize("name", READERS)
def test_thousands_of_mutated_files_are_refused_or_understood(name, capsys):
    n = SLOW.get(name, 5000)
    words = [sys.executable, "-m", "tests.fuzzing", name, str(n), "0"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=True, timeout=1800)
    found = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n{name}: {found['counts']}, {found['peak_mib']} MiB\n  {found['why']}")
    assert found["failures"] == []
    assert sum(found["counts"].values()) == n
    assert found["peak_mib"] < 2048
