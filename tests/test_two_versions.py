"""Two versions of ngspice agree on the shipped model."""

from __future__ import annotations

import os

import numpy as np
import pytest

import analogkan as ak
from analogkan import load_bundled, resources
from analogkan.engines.ngspice import ENVIRONMENT, find_ngspice
from analogkan.studies.simulate import simulate

from .networks import circuit

OTHER = "ANALOGKAN_NGSPICE_OTHER"


def test_two_versions_agree_to_1e_9_of_full_scale(ngspice, tmp_path, monkeypatch):
    if not os.environ.get(OTHER):
        pytest.skip(f"{OTHER} names no second ngspice (`bash scripts/ngspice_at.sh 39 DIR`)")
    build = ak.compile(resources.path("models/mnist-d2.pt"), tmp_path / "d2.build")
    images = load_bundled().take(np.arange(20))
    here = simulate(build, images)
    monkeypatch.setenv(ENVIRONMENT, os.environ[OTHER])
    other = find_ngspice()
    assert other.version != ngspice.version
    there = simulate(build, images)
    assert there.summary["ngspice_version"] == other.version
    share = np.abs(circuit(there) - circuit(here)).max() / here.summary["logit_full_scale"]
    print(f"{ngspice.version} against {other.version}: {share:.1e} of full scale")
    assert share <= 1e-9
