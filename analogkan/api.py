"""The main path from Python; ``analogkan.compile_model`` and friends are these."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from .compiler.build import Build, write_build
from .compiler.hardware import load_hardware
from .errors import CheckpointError
from .files import read_npz, sha256

CALIBRATION_IMAGES = 256


def compile_model(
    model: str | Path,
    folder: str | Path | None = None,
    *,
    preset: str = "nominal",
    settings: Iterable[str] = (),
    calibrate: Path | None = None,
) -> Build:
    """Compile a checkpoint into a BUILD folder.

    Parameters
    ----------
    model
        A ``.pt`` checkpoint.
    folder
        By default ``./<model>.build``. An earlier BUILD there is replaced, anything else is not.
    preset
        A shipped name or a TOML file.
    settings
        ``key=value`` texts on top of the preset.
    calibrate
        An npz file with training inputs ``x`` (n, ...) for a checkpoint that carries none.

    Raises
    ------
    CheckpointError, SettingsError, CompileError, AnalogKanError
        If the checkpoint, a setting, the network on this hardware or the folder cannot be used.
    """
    from .network import checkpoint

    model = Path(model)
    hardware = load_hardware(preset, settings)
    spec = checkpoint.load_spec(model)
    if calibrate is not None:
        spec = replace(spec, calibration=_calibration(calibrate))
    target = Path(folder) if folder is not None else Path(f"{model.stem}.build")
    facts = {"file": model.name, "sha256": sha256(model)}
    return write_build(spec, hardware, target, model=facts)


def _calibration(path: Path) -> np.ndarray:
    try:
        x = read_npz(path)["x"]
    except (ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is no npz file with x (n, ...): {error}") from error
    return x.reshape(len(x), -1)[:CALIBRATION_IMAGES]
