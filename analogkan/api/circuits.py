# pyright: strict
"""From a model to a BUILD, and whether its netlist is its network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..compiler.build import Build
from ..compiler.hardware import Hardware
from ..compiler.verification import Verification
from ..compiler.verify import verify_build
from ..errors import SettingsError
from ..network.encoding import Encoding
from ..network.spec import NetworkSpec
from ..network.targets import Targets
from ..objects import PATHS, as_path, check_flags, require_type
from . import given, making
from .given import AnyBuild, AnyPath, AnyPreset, Values
from .networks import in_memory, name_of
from .progress import shown_progress, tell
from .replacing import OwnCells


def compile(
    model: Any,
    out: AnyPath | None = None,
    *,
    preset: AnyPreset = "nominal",
    hardware: AnyPath | Hardware | Values | None = None,
    encoding: Encoding | None = None,
    targets: Targets | None = None,
    calibrate: Any = None,
    held: int | None = None,
    odd: bool = False,
    dialect: str = "ngspice",
    symbol: bool = False,
    cell: Mapping[str, AnyPath] | None = None,
    include: Sequence[str] = (),
    refer: bool = False,
    draws: int = 0,
    osdi: AnyPath | None = None,
    verify: bool = True,
    force: bool = False,
    progress: bool = True,
) -> Build:
    """Compile a network into a BUILD, and check that the netlist is the network.

    Parameters
    ----------
    model
        The name of a shipped model, the path of a checkpoint, what ``train`` returns, or a
        ``TDKAN`` or ``NetworkSpec`` in memory; or a ``torch.nn.Module`` of your own, built of
        ``TDKANLayer``, whose ``forward`` takes volts and applies its parts in order.
    out
        The folder to write; by default ``./NAME.build``, which is then said. An earlier BUILD is
        replaced unless somebody edited it, anything else is not.
    preset, hardware
        As for ``load_preset``: what the circuit is built from.
    encoding
        Of a ``TDKAN`` or a module, which do not know it: how an input becomes a voltage.
    targets
        Of one that is a regression: what its outputs stand for.
    calibrate
        Training inputs for a network that has none with it: an npz file with ``x`` (n, ...), an
        ``ImageSet``, or an array (n, ...).
    held
        Compile circuits of at most so many crossbar resistors each, whose values are held between
        them; a network with convolutions is always held, with at most 1,500,000.
    odd
        Diodes conduct below 0 V what they conduct above, reversed, in circuit and software; by
        default a table's end value holds there.
    dialect
        The simulator that the files are for: ``ngspice``, ``vacask``, ``neospice``, or ``xyce``,
        whose are written, not run.
    symbol
        Write the network as one subcircuit too, with symbols for KiCad and xschem.
    cell
        A netlist of yours, ``FILE`` or ``FILE:SUBCKT``, or the name of a shipped one, by the cell
        in whose place it stands: ``{"opamp": "mine.lib"}``, ``opamp_rows``, ``opamp_lines`` and
        ``opamp_outputs`` for those that have another, or ``npn``, the transistors of sigmoid and
        tanh cells. ngspice measures it, and the circuit is sized for it. ``{"diode_A21":
        "mine.va"}`` is a model of a diode, whose current must be that of the device's table, see
        ``tabulate``.
    include, refer
        Its models, as for ``characterise``; ``refer`` names them where they are, instead of copying
        them into the BUILD.
    osdi
        What models of a diode's netlist are of, ``.va`` or ``.osdi``.
    draws
        So many op-amps are drawn by the library's mismatch, whose sigma of offset studies take
        from the BUILD's ``opamp.toml``.
    verify
        Read the netlist back; without it nothing vouches for the BUILD.
    force
        Replace an earlier BUILD whose netlist somebody edited, too.
    progress
        Show a bar in a notebook or on a terminal, elsewhere a line a minute on stderr.

    Raises
    ------
    CheckpointError, SettingsError, CompileError, AnalogKanError
        If the model, a setting, the network on this hardware or the folder cannot be used.
    NetlistError
        If the netlist is not the network; nothing is written then.

    Examples
    --------
    >>> build = ak.compile("mnist-d2")
    compiled into mnist-d2.build
    >>> coarse = ak.compile("mnist-d2", "coarse.build", hardware={"levels": 8})
    >>> coarse.hardware.levels, coarse.verification.ok
    (8, True)
    """
    given.check_whole(held=held, draws=draws)
    check_flags(verify=verify, odd=odd, symbol=symbol, refer=refer, force=force)
    require_type(cell, (Mapping, type(None)), "cell", "files by place, {'opamp': 'mine.lib'}")
    for place, file in (cell or {}).items():
        require_type(place, str, "a place of cell", "a text, such as opamp")
        require_type(file, PATHS, f"cell {place}", "a file, or a shipped one's name")
    require_type(include, (list, tuple), "include", "a list, such as ['gf180mcu:typical']")
    own = OwnCells(
        files={place: str(file) for place, file in (cell or {}).items()},
        include=include,
        refer=refer,
        draws=draws,
        osdi=given.optional_path(osdi, "osdi"),
    )
    require_type(dialect, str, "dialect", "a text")
    chosen = given.load_preset(preset, hardware=hardware).hardware
    choices = making.differing(chosen)
    target, inputs = given.optional_path(out, "out"), given.calibration(calibrate)
    with shown_progress(progress) as on_progress:

        def on_circuit(circuit: str, done: int, total: int) -> None:
            on_progress("compiling", done, total)

        if hasattr(model, "named_children") or isinstance(model, NetworkSpec):
            target = target or Path(f"{name_of(model, None)}.build")
            spec = in_memory(model, encoding, targets, inputs, target)
            built = making.compile_spec(
                spec, chosen, target, held=held, odd=odd, dialect=dialect, symbol=symbol,
                verify=verify, own=own, chosen=choices, force=force, on_circuit=on_circuit,
            )  # fmt: skip
        else:
            wanted = "a model's name, a checkpoint's path, or a TDKAN or NetworkSpec"
            file = as_path(model, "model", wanted)
            built = making.compile_file(
                file, target, chosen, calibrate=inputs, held=held, odd=odd, dialect=dialect,
                symbol=symbol, verify=verify, own=own, chosen=choices, force=force,
                on_circuit=on_circuit,
            )  # fmt: skip
    if out is None:
        tell(f"compiled into {built.folder}", progress)
    return built


def load_build(folder: AnyPath) -> Build:
    """Read a BUILD that was compiled before.

    Raises
    ------
    NetlistError
        If the folder is none, is damaged, or its network is another model's.

    Examples
    --------
    >>> build = ak.load_build("mnist-d2.build")
    >>> build.spec.sizes
    (196, 64, 10)
    """
    return given.circuit(as_path(folder, "folder"))


def verify(build: AnyBuild, *, progress: bool = True) -> Verification:
    """Read a BUILD's deck back, by code that the compiler does not share, and say what differs.

    Parameters
    ----------
    build
        A BUILD or its folder.
    progress
        Show a bar in a notebook or on a terminal, where there are several circuits.

    Raises
    ------
    NetlistError
        If a deck cannot be read at all.

    Examples
    --------
    >>> found = ak.verify("mnist-d2.build")
    >>> found.ok, found.findings
    (True, [])
    """
    circuit = given.circuit(build)
    with shown_progress(progress) as on_progress:
        return verify_build(
            circuit, lambda name, done, total: on_progress("verifying", done, total)
        )


def convert(
    source: AnyPath,
    out: AnyPath,
    *,
    devices: Any,
    basis_fit: str | None = None,
    squash: str | None = None,
    basis_unit: str = "uA",
    norm: str | None = None,
    smoothing: float | None = None,
    order: int | None = None,
    input_scale: tuple[float, float] = (0.0, 1.0),
    input_values: tuple[float, float] = (0.0, 255.0),
    input_shape: tuple[int, ...] | None = None,
    beyond_measured: bool = False,
    calibrate: Any = None,
    dataset: str = "",
    distil: bool = False,
    recipe: AnyPath | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Convert a KANalogue state dictionary into a checkpoint; what was found as a dictionary.

    Or, with ``distil``, fit a TD-KAN to a KAN of B-splines, or to any function's answers.

    Parameters
    ----------
    source
        What KANalogue wrote: a state dictionary, or a training checkpoint.
    out
        The checkpoint, a ``.pt`` file. An earlier checkpoint there is replaced, no other file.
    devices
        Names or device files, ``"Z15,ZAZ21"`` or a list, in the order of the coefficients' last
        axis.
    basis_fit, basis_unit, smoothing, order
        ``pwl``, ``univariate`` or ``poly``; the unit that their currents were in; and what the
        fit took, by default theirs.
    squash, norm, beyond_measured
        What stands before each layer, as for ``analogkan models convert``.
    input_scale, input_values
        Volts for the lowest and highest value of the data, and those values.
    input_shape
        By default (14, 14), (28, 28) or (3, 32, 32) where the width is theirs, else (I,).
    calibrate
        Training inputs, as for ``compile``: 256 are kept for the compiler.
    dataset
        What it was trained on; recorded.
    distil
        ``source`` is a state dictionary of efficient-kan or pykan, or an npz file with ``x`` and
        ``y``: a TD-KAN is fitted to it. Only ``devices``, ``recipe``, ``seed``, ``calibrate`` (then
        all of its inputs are learned on) and ``dataset`` say how.
    recipe, seed
        Of ``distil``: how it is trained end to end, by default ``function-finetune``, of an npz
        file ``function-d2``.

    Raises
    ------
    CheckpointError, SettingsError, DeviceError, DataError
        If the file, a setting, a device or the calibration inputs cannot be used; nothing is
        written then.

    Examples
    --------
    >>> import torch
    >>> theirs = {"net.0.coeffs": torch.rand(196, 10, 1), "net.0.bias": torch.zeros(10)}
    >>> torch.save(theirs, "best.pth")
    >>> found = ak.convert("best.pth", "theirs.pt", devices="Z15", basis_fit="pwl", squash="none")
    >>> found["sizes"]
    (196, 10)
    """
    check_flags(beyond_measured=beyond_measured, distil=distil)
    given.check_whole(seed=seed)
    if distil:
        told = {"basis_fit": basis_fit, "squash": squash, "norm": norm, "smoothing": smoothing}
        told |= {"order": order, "input_shape": input_shape}
        for name, value in told.items():
            if value is not None:
                raise SettingsError(f"{name} = {value!r} says nothing with distil: leave it out")
        return making.distil_model(
            as_path(source, "source"), as_path(out, "out"), devices=devices, seed=seed,
            recipe=None if recipe is None else str(as_path(recipe, "recipe")),
            calibrate=given.calibration(calibrate), dataset=dataset,
        )  # fmt: skip
    if basis_fit is None or squash is None:
        raise SettingsError("basis_fit and squash are missing: nothing in the file says them")
    fit: dict[str, Any] = {"smoothing": smoothing, "order": order}
    return making.convert_model(
        as_path(source, "source"),
        as_path(out, "out"),
        devices=devices,
        basis_fit=basis_fit,
        basis_unit=basis_unit,
        squash=squash,
        norm=norm,
        input_scale=input_scale,
        input_values=input_values,
        input_shape=input_shape,
        beyond_measured=beyond_measured,
        calibrate=given.calibration(calibrate),
        dataset=dataset,
        **{key: value for key, value in fit.items() if value is not None},
    )
