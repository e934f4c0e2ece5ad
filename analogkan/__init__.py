"""analogkan: tunnel-diode Kolmogorov-Arnold networks as circuits, simulated by ngspice.

    import analogkan as ak

    build = ak.compile_model("models/mnist-d2.pt", "mnist-d2.build")
    assert ak.verify_build(build).ok
    result = ak.simulate(build, ak.load_bundled())
    print(result.summary["software_accuracy"], result.summary["circuit_accuracy"])

Names are loaded when they are first used: importing the package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "BatchOptions": "engines.batch",
    "Conditions": "imperfections",
    "Design": "compiler.design",
    "Hardware": "compiler.hardware",
    "HeldBuild": "compiler.held",
    "IVCurve": "devices.curve",
    "ImageSet": "data.images",
    "NetworkSpec": "network.spec",
    "Session": "engines.session",
    "StudyOptions": "studies.conduct",
    "TDKAN": "network.model",
    "TwinEngine": "engines.chips",
    "Variation": "imperfections",
    "compile_model": "api",
    "convert_model": "api",
    "load_build": "compiler.build",
    "load_bundled": "data.sources",
    "load_circuit": "compiler.held",
    "load_dataset": "data.sources",
    "load_settings": "imperfections",
    "montecarlo": "studies.montecarlo",
    "perturb": "imperfections.make",
    "simulate": "studies.simulate",
    "sweep": "studies.sweep",
    "thermal": "studies.thermal",
    "to_pyspice": "engines.pyspice",
    "verify_build": "compiler.verify",
    "verify_circuit": "compiler.held",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'analogkan' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*_HOME, "__version__"]
