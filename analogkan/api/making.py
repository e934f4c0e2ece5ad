"""From a model to a BUILD, from another's state dictionary to a model: what commands call too."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.build import Build, Progress, load_build, write_build
from ..compiler.hardware import Hardware, load_hardware
from ..compiler.sections import MOST_RESISTORS
from ..compiler.verify import write_verified
from ..devices import resolve
from ..dialects import DIALECTS
from ..errors import CheckpointError, CompileError, SettingsError
from ..files import read_npz, sha256
from ..imperfections.presets import TABLES
from ..network.encoding import Encoding
from ..network.record import read_reached
from ..network.spec import NetworkSpec
from ..network.squash import parse_squash
from ..resources import find_model
from ..settings import parse_assignments
from .replacing import OwnCells

CALIBRATION_IMAGES = 256


def compile_model(
    model: str | Path,
    folder: str | Path | None = None,
    *,
    preset: str = "nominal",
    settings: Iterable[str] = (),
    calibrate: Path | np.ndarray | None = None,
    verify: bool = True,
    held: int | None = None,
    odd: bool = False,
    dialect: str = "ngspice",
    symbol: bool = False,
    own: OwnCells = OwnCells(),
    force: bool = False,
    command: str = "",
    on_circuit: Progress = lambda name, done, total: None,
) -> Build:
    """Compile a checkpoint into a BUILD folder, and check that the netlist is the network.

    Parameters
    ----------
    model
        A ``.pt`` checkpoint, or the name of a shipped one, such as ``mnist-d2``.
    folder
        By default ``./<model>.build``. An earlier BUILD there is replaced, anything else is not.
    preset
        A shipped name or a TOML file.
    settings
        ``key=value`` texts on top of the preset.
    calibrate
        Training inputs (n, ...) for a checkpoint that carries none, or an npz file with them as
        ``x``.
    verify
        Read the netlist back; without it nothing vouches for the folder.
    held
        Compile circuits of at most so many crossbar resistors each, whose values are held between
        them. By default one deck; a network with convolutions is always held, with at most
        1,500,000.
    odd
        Diodes conduct below 0 V what they conduct above, reversed, in software too.
    dialect
        The simulator for which the files are written: ``ngspice``, ``vacask``, ``neospice``, or
        ``xyce``, which is not run here. Of others than ngspice's nothing is read back; its deck of
        the same design is.
    symbol
        Write the network as one subcircuit too, with symbols for KiCad and xschem.
    own
        Cells of the user's netlists in the place of the library's.
    force
        Replace an earlier BUILD that somebody edited, too.
    command
        What a report says made the BUILD.
    on_circuit
        Called before each circuit that is held, with its name, how many are done, and how many
        there are.

    Raises
    ------
    CheckpointError, SettingsError, CompileError, AnalogKanError
        If the checkpoint, a setting, the network on this hardware or the folder cannot be used.
    NetlistError
        If the netlist is not the network; nothing is written then.
    """
    settings = list(settings)
    _check_of_design(settings)
    return compile_file(
        Path(model), folder, load_hardware(preset, settings), calibrate=calibrate, verify=verify,
        held=held, odd=odd, dialect=dialect, symbol=symbol, command=command, force=force,
        on_circuit=on_circuit, own=own, chosen=chosen_of(preset, parse_assignments(settings)),
    )  # fmt: skip


def chosen_of(preset: str, settings: Iterable[str]) -> set[str]:
    """Names of hardware's settings that ``settings`` choose, or a preset otherwise than by
    default."""
    return differing(load_hardware(preset)) | {*settings}


def differing(hardware: Hardware) -> set[str]:
    """Names of settings that are not as by default."""
    default = asdict(Hardware())
    return {key for key, value in asdict(hardware).items() if value != default[key]}


def build_of(model: str | Path, command: str = "") -> tuple[Path, bool]:
    """``./<model>.build`` of a model with what is chosen by default, and whether it is new: one of
    the same model that is there already is left as it is.

    Raises
    ------
    AnalogKanError
        As for ``compile_model``; or if a BUILD of another model, or of other hardware, is there.
    """
    found = find_model(Path(model))
    folder = Path(f"{found.stem}.build")
    if not folder.exists():
        compile_model(found, command=command)
        return folder, True
    build = load_build(folder)
    if build.summary["model"]["sha256"] != sha256(found) or build.hardware != Hardware():
        raise CompileError(
            f"{folder} is there, and is not {found} as it is compiled by default: give a BUILD, or "
            "another folder to work in"
        )
    return folder, False


def compile_file(
    model: Path,
    folder: str | Path | None,
    hardware: Hardware,
    *,
    calibrate: Path | np.ndarray | None,
    **how: Any,
) -> Build:
    """``compile_model``, for ``hardware``; ``how`` as for ``compile_spec``."""
    from ..network import checkpoint

    model = find_model(model)
    spec, origin = checkpoint.load_origin(model)
    if calibrate is not None:
        spec = replace(spec, calibration=calibration(calibrate))
    target = Path(folder) if folder is not None else Path(f"{model.stem}.build")
    facts = {"file": model.name, "sha256": sha256(model), "command": origin.get("command", "")}
    facts |= {"data": origin["data"]} if "data" in origin else {}
    for key in ("card", "parent"):
        reached = read_reached(origin.get(key), f"{key} in {model}")
        facts |= {} if reached is None else {key: reached.document()}
    return compile_spec(spec, hardware, target, model=facts, **how)


def compile_spec(
    spec: NetworkSpec,
    hardware: Hardware,
    target: Path,
    *,
    held: int | None,
    verify: bool,
    on_circuit: Progress,
    odd: bool = False,
    dialect: str = "ngspice",
    own: OwnCells = OwnCells(),
    chosen: Collection[str] = (),
    **told: Any,
) -> Build:
    """``compile_model`` of a network in memory; ``told`` as ``model``, ``command``, ``force`` and
    ``symbol`` there, ``chosen`` names of settings that cells of ``own`` leave as they are."""
    spec = spec.odd() if odd else spec
    if held is None and spec.convolutional:
        held = MOST_RESISTORS
    if held is not None and held < 1:
        raise SettingsError(f"held = {held} is out of range: 1 resistor a circuit, or more")
    write = write_verified if verify else write_build
    say = DIALECTS.find(dialect)
    if own.files:
        from .fitting import fitted  # it measures, with all that this needs

        found = fitted(own, spec, hardware, chosen, held)
        hardware, told = found.hardware, {**told, "beside": found.beside, "more": found.told}
    return write(spec, hardware, target, most=held, on_circuit=on_circuit, dialect=say, **told)


def convert_model(
    source: str | Path,
    out: str | Path,
    *,
    devices: str | Sequence[str],
    basis_fit: str,
    squash: str,
    basis_unit: str = "uA",
    norm: str | None = None,
    input_scale: tuple[float, float] = (0.0, 1.0),
    input_values: tuple[float, float] = (0.0, 255.0),
    input_shape: tuple[int, ...] | None = None,
    calibrate: Path | np.ndarray | None = None,
    dataset: str = "",
    beyond_measured: bool = False,
    command: str = "",
    **fit_options: Any,
) -> dict[str, Any]:
    """Convert a KANalogue state dictionary into a checkpoint; the report as a dictionary.

    Parameters
    ----------
    source
        What KANalogue wrote: a state dictionary, bare, with a prefix before every key, or under an
        entry of the file, as in a training checkpoint.
    out
        The checkpoint, a ``.pt`` file. An earlier checkpoint there is replaced, no other file.
    devices
        As for ``resolve``, in the order of the coefficients' last axis.
    basis_fit, basis_unit, fit_options
        As ``fit``, ``unit``, ``smoothing`` and ``order`` of ``make_basis``.
    squash, norm, beyond_measured
        As for ``parse_squash`` and ``convert``.
    input_scale, input_values
        The network's input (taken as volts) for the lowest and highest value of the data, and
        those values.
    input_shape
        By default (14, 14), (28, 28) or (3, 32, 32) where the width is theirs, else (I,).
    calibrate
        Training inputs (n, ...), or an npz file with them as ``x``: 256 are kept for the compiler.
    dataset, command
        What the checkpoint says it was trained on and made by.

    Raises
    ------
    CheckpointError, SettingsError, DeviceError, DataError
        If the file, a setting, a device or the calibration inputs cannot be used; nothing is
        written then.
    """
    from ..network import checkpoint
    from ..network.convert import SHAPES, convert, make_basis
    from ..network.state import read_state

    source, out = Path(source), Path(out)
    checkpoint.require_replaceable(out)
    basis = make_basis(resolve(devices), fit=basis_fit, unit=basis_unit, **fit_options)
    squashed = parse_squash(squash)
    found = read_state(source)
    try:
        model, report = convert(
            found.state, basis, squash=squashed, norm=norm, beyond_measured=beyond_measured
        )
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from error
    width = report["sizes"][0]
    shape = input_shape or SHAPES.get(width, (width,))
    if math.prod(shape) != width:
        raise SettingsError(
            f"input shape {'x'.join(map(str, shape))} has {math.prod(shape)} values, but the "
            f"network takes {width}: give an --input-shape of as many"
        )
    (x_lo, x_hi), (v_lo, v_hi) = input_values, input_scale
    encoding = Encoding(x_lo=x_lo, x_hi=x_hi, v_lo=v_lo, v_hi=v_hi, shape=shape)
    x = None if calibrate is None else calibration(calibrate)
    facts = {"encoding": encoding, "name": out.stem, "dataset": dataset, "calibration": x}
    spec = model.to_spec(**facts)
    origin = {"command": command, "source": source.name, "sha256": sha256(source)}
    settings = {key: report[key] for key in ("basis_fit", "basis_unit")}
    checkpoint.save(model, out, **facts, training=origin | settings)
    return (
        {"model": out, **origin}
        | report
        | {
            "encoding": encoding.document() | {"shape": shape},
            "dataset": dataset,
            "calibration_inputs": 0 if x is None else len(x),
            "out_of_range": None if x is None else spec.out_of_range(spec.dac_volts(x)),
            "entry": found.entry,
            "prefix": found.prefix,
            "notes": found.notes + report["notes"] + _input_notes(spec, x is None),
        }
    )


def distil_model(
    source: Path,
    out: Path,
    *,
    devices: str | Sequence[str],
    recipe: str | None = None,
    seed: int = 0,
    calibrate: Path | np.ndarray | None = None,
    dataset: str = "",
    command: str = "",
    on_epoch: Any = lambda epoch: None,
) -> dict[str, Any]:
    """A TD-KAN fitted to a KAN of B-splines, or to the answers in an npz file; the report.

    Parameters
    ----------
    source
        A state dictionary of efficient-kan or pykan: see ``training.distil``. Or an npz file with
        ``x`` and ``y``, which train a network of the recipe.
    calibrate
        Inputs (n, ...) to learn on, or an npz file with them as ``x``; not of an npz ``source``.

    Raises
    ------
    CheckpointError, DataError, DeviceError, SettingsError
        If a file, the inputs, a device or the recipe cannot be used; nothing is written then.
    """
    from ..training.distil import distil
    from ..training.run import TrainingRequest, run_training

    if source.suffix != ".npz":
        x = None if calibrate is None else _inputs(calibrate)
        return distil(
            source, out, devices=devices, recipe=recipe, inputs=x, seed=seed, command=command,
            dataset=dataset, on_epoch=on_epoch,
        )  # fmt: skip
    if calibrate is not None or dataset:
        option = "--dataset" if calibrate is None else "--calibrate"
        raise SettingsError(f"{option} with {source}, which is the data itself: leave it out")
    named = devices if isinstance(devices, str) else ",".join(devices)
    request = TrainingRequest(
        dataset=str(source), recipe=recipe or "function-d2", out=out, devices=named, seed=seed,
        task="regression", command=command,
    )  # fmt: skip
    found = run_training(request, on_epoch=on_epoch)
    from ..network.checkpoint import load_spec

    return {
        "model": out,
        "command": command,
        "source": source.name,
        "teacher": "points",
        "sizes": list(load_spec(out).sizes),
        "parameters": found["parameters"],
        "unit": found["unit"],
        "n": found["n"],
        "end_to_end": {key: found[key] for key in ("rmse", "ci95", "max_abs", "r2")}
        | {"share": found["share_of_span"]},
    }


def _check_of_design(settings: Iterable[str]) -> None:
    """Raise SettingsError if a ``key=value`` text is of chips, not of what is compiled."""
    for key in parse_assignments(settings):
        if any(key in TABLES[table].__dataclass_fields__ for table in ("variation", "conditions")):
            raise SettingsError(
                f"--set {key} is of chips, not of their design: give it to `analogkan montecarlo`, "
                "thermal or sweep"
            )


def _input_notes(spec: NetworkSpec, uncalibrated: bool) -> list[str]:
    """What a designer should read about the inputs of a converted network."""
    notes = []
    first, e = spec.layers[0], spec.encoding
    for curve in first.curves if first.squash.kind == "none" else ():
        if e.v_lo < curve.v[0] or e.v_hi > curve.v[-1]:
            notes.append(
                f"inputs of {e.v_lo:g} to {e.v_hi:g} V leave the table of {curve.name} "
                f"({curve.v[0]:g} to {curve.v[-1]:g} V): the curve's end value is held there"
            )
    if uncalibrated and first.squash.kind == "none" and len(spec.layers) > 1:
        notes.append(
            "nothing keeps hidden voltages inside the measured curves: --calibrate has the share "
            "outside counted"
        )
    if uncalibrated:
        notes.append(
            "no calibration inputs: the compiler will size gains for the worst case "
            "(give training inputs with --calibrate)"
        )
    return notes


def calibration(given: Path | np.ndarray) -> np.ndarray:
    """Inputs (n, I) of which gains are sized: those ``given``, or of an npz file."""
    return _inputs(given)[:CALIBRATION_IMAGES]


def _inputs(given: Path | np.ndarray) -> np.ndarray:
    """All inputs (n, I) that are ``given``, or of an npz file."""
    try:
        x = given if isinstance(given, np.ndarray) else read_npz(given, ("x",))["x"]
    except (ValueError, KeyError) as error:
        raise CheckpointError(f"{given} is no npz file with x (n, ...): {error}") from error
    path = "calibrate" if isinstance(given, np.ndarray) else given
    if x.ndim < 2 or 0 in x.shape or x.dtype.kind not in "uif":
        raise CheckpointError(
            f"{path}: x has shape {x.shape} and type {x.dtype}; it must be numbers (n, ...)"
        )
    return x.reshape(len(x), -1)
