"""analogkan: tunnel-diode Kolmogorov-Arnold networks as circuits, simulated by ngspice.

    import analogkan as ak

    build = ak.compile("mnist-d2")
    images = ak.load_bundled()
    print(ak.simulate(build, images[:200]))
    ak.montecarlo(build, images, samples=50).plot()

Names are loaded when they are first used: importing the package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Build": "compiler.build",
    "Conditions": "imperfections",
    "Design": "compiler.design",
    "Encoding": "network.encoding",
    "Hardware": "compiler.hardware",
    "IVCurve": "devices.curve",
    "ImageSet": "data.images",
    "NetworkSpec": "network.spec",
    "Preset": "api.given",
    "Session": "engines.session",
    "TDKAN": "network.model",
    "TDKANLayer": "network.model",
    "TDKANConfig": "network.config",
    "Targets": "network.targets",
    "TwinEngine": "engines.twin_engine",
    "Variation": "imperfections",
    "analyse": "api.simulating",
    "by_class": "data.subset",
    "characterise": "api.characterising",
    "compare": "api.boards",
    "compile": "api.circuits",
    "convert": "api.circuits",
    "corners": "api.cornering",
    "explain": "api.explaining",
    "load_build": "api.circuits",
    "load_bundled": "data.sources",
    "load_dataset": "data.sources",
    "load_network": "api.networks",
    "load_plugin": "plugins",
    "load_preset": "api.given",
    "map_die": "api.dies",
    "montecarlo": "api.chip_studies",
    "perturb": "imperfections.make",
    "plot_devices": "api.pages",
    "reproduce": "api.reproducing",
    "save": "api.networks",
    "simulate": "api.simulating",
    "sweep": "api.chip_studies",
    "thermal": "api.chip_studies",
    "datasheet": "api.datasheets",
    "plan": "api.planning",
    "sensitivity": "api.sensitivities",
    "tabulate": "api.tabulating",
    "to_pyspice": "engines.pyspice",
    "trace": "api.simulating",
    "train": "api.training",
    "verify": "api.circuits",
    "write_board": "api.boards",
    "write_report": "api.pages",
}
_PACKAGES = ("cells", "devices", "imperfections")
_OLD = {
    "BatchOptions": ("engines.chunked", "its entries are keywords of simulate"),
    "HeldBuild": ("compiler.build:Build", "a Build is one deck or several"),
    "StudyOptions": ("studies.conduct", "its entries are keywords of montecarlo and the like"),
    "compile_model": ("api.making", "compile is in its place"),
    "convert_model": ("api.making", "convert is in its place"),
    "load_circuit": ("compiler.build:load_build", "load_build is in its place"),
    "load_settings": ("imperfections", "load_preset is in its place"),
    "verify_build": ("compiler.verify", "verify is in its place"),
    "verify_circuit": ("compiler.verify:verify_build", "verify is in its place"),
}
"""Names of the version before."""


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f".{name}", __name__)
    if name in _OLD:
        home, instead = _OLD[name]
        importlib.import_module(".api.old", __name__).warn_of_old(
            f"analogkan.{name}", instead, level=2
        )
    elif name in _HOME:
        home = _HOME[name]
    elif name in (named := importlib.import_module(".studies.registry", __name__)).names():
        studies = importlib.import_module(".api.chip_studies", __name__)
        return studies.function_of(named.study(name))
    else:
        raise AttributeError(f"module 'analogkan' has no attribute {name!r}")
    home, _, there = home.partition(":")
    return getattr(importlib.import_module(f".{home}", __name__), there or name)


def __dir__() -> list[str]:
    studies = importlib.import_module(".studies.registry", __name__).names()
    return [*{**_HOME, **dict.fromkeys(studies)}, *_PACKAGES, "__version__"]
