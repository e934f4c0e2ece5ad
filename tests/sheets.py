"""What a datasheet is asked for, and that ngspice says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from analogkan.compiler.build import Build
from analogkan.compiler.circuit import Circuit
from analogkan.physics import Assumptions
from analogkan.physics.judged import judge_parts
from analogkan.physics.sheet import Asked


def asked(build: Build, volts: np.ndarray, circuit: Circuit | None = None) -> Asked:
    """Of ``volts`` (n, I) at the inputs, all of which settle."""
    return Asked(
        build=build, chip=circuit or build.circuit(), volts=volts, few=np.arange(len(volts)),
        assumed=Assumptions(), temp_c=26.85,
    )  # fmt: skip


def require_judged(build: Build, volts: np.ndarray, keep: Path) -> None:
    """That ngspice confirms power, settling and noise of ``build``."""
    found: dict[str, Any] = {}
    judge_parts(asked(build, volts), ("power", "settling", "noise"), 3, keep, found)
    assert set(found) == {"power", "settling", "noise"}
