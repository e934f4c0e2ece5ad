"""The checkpoint: one documented dictionary in a ``.pt`` file, read with ``weights_only=True``.

Entries
-------
format       "analogkan-tdkan-1"
name         str
sizes        list of int, input to output
devices      list of {name, source, v (N,) float64 volts, i (N,) float64 amperes}
squash       {kind, v_lo, v_hi, slope}, volts and per volt
norm         "batch", "layer" or "none"
convolutions list of {height, width, channels, kernel, stride, padding}, of the first layers; or
             absent
encoding     {x_lo, x_hi, v_lo, v_hi, shape}: input units to volts
dataset      str, such as "mnist"
layers       list of {theta (I, O, D), bias (O,)}; I of a convolution are (height, width, channel)
             of a patch
norms        list of {weight, bias (each (O,)), eps}, one a hidden layer; with "batch" also
             running_mean and running_var (each (O,))
calibration  (N, I) training inputs in input units, or absent
training     {command, recipe, seed, ...}: where it comes from; and what it reached on test images,
             {card, parent (each as ``record.Reached``), own_chips}; no voltage depends on it
"""

from __future__ import annotations

import dataclasses
import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..devices import IVCurve
from ..devices.library import check_distinct
from ..errors import AnalogKanError, CheckpointError
from ..files import atomic_file
from .encoding import Encoding
from .model import TDKAN, TDKANConfig
from .patches import Patches
from .spec import NetworkSpec
from .squash import Squash

FORMAT = "analogkan-tdkan-1"
NORM_TENSORS = {
    "none": (),
    "layer": ("weight", "bias"),
    "batch": ("weight", "bias", "running_mean", "running_var"),
}


def save(
    model: TDKAN,
    path: Path,
    *,
    name: str,
    encoding: Encoding,
    dataset: str,
    calibration: np.ndarray | None = None,
    training: dict[str, Any] | None = None,
) -> None:
    """Write ``model`` to ``path``, whole or not at all."""
    config = model.config
    entry: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "sizes": list(config.sizes),
        "devices": [_device(curve) for curve in config.curves],
        "squash": vars(config.squash) | {},
        "norm": config.norm,
        "encoding": vars(encoding) | {"shape": list(encoding.shape)},
        "dataset": dataset,
        "layers": [
            {"theta": layer.theta.detach().contiguous(), "bias": layer.bias.detach()}
            for layer in model.layers
        ],
        "norms": [
            {key: getattr(norm, key).detach() for key in NORM_TENSORS[config.norm]}
            | {"eps": norm.eps}
            for norm in model.norms
        ],
        "training": training or {},
    }
    if config.patches:
        entry["convolutions"] = [dataclasses.asdict(patches) for patches in config.patches]
    if calibration is not None:
        entry["calibration"] = torch.tensor(np.ascontiguousarray(calibration))
    write_torch(entry, path)


def write_torch(entry: dict[str, Any], path: Path) -> None:
    """Write ``entry`` to ``path``, whole or not at all.

    By way of memory: torch's own writer reports a full disk as a RuntimeError.
    """
    buffer = io.BytesIO()
    torch.save(entry, buffer)
    with atomic_file(path) as partial:
        partial.write_bytes(buffer.getvalue())


def read(path: Path) -> dict[str, Any]:
    """The dictionary in ``path``.

    Raises
    ------
    CheckpointError
        If there is no such file, it is not a checkpoint, or reading it would run code.
    """
    entry = load_plain(
        path,
        missing="train a model with `analogkan train`",
        unsafe="Save the state as a dictionary (`analogkan train` writes such a file)",
        kind="a checkpoint",
    )
    if not isinstance(entry, dict) or entry.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a torch file but not an {FORMAT} checkpoint: `analogkan convert` makes one "
            "of what KANalogue wrote"
        )
    return entry


def load_plain(path: Path, *, missing: str, unsafe: str, kind: str) -> Any:
    """What the torch file ``path`` holds, if that is plain: tensors, numbers, texts, containers.

    ``missing`` and ``unsafe`` are the next steps that the errors give, ``kind`` what was expected.

    Raises
    ------
    CheckpointError
        If there is no such file, it is damaged, or reading it would run code.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist: {missing}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch on other pickle protocols: the errors suffice
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is refused: it is no plain dictionary of tensors and reading it could run "
            f"code. {unsafe}"
        ) from error
    except Exception as error:  # a damaged file makes torch's readers raise a dozen kinds
        raise CheckpointError(f"{path} is not {kind}, or is damaged") from error


def load(path: Path) -> tuple[TDKAN, NetworkSpec]:
    """The torch module and the float64 arrays of a checkpoint.

    Raises
    ------
    CheckpointError
        As ``read``; or if an entry is missing, has the wrong shape, or holds NaN or infinity.
    """
    return _loaded(path, read(path))


def _loaded(path: Path, entry: dict[str, Any]) -> tuple[TDKAN, NetworkSpec]:
    try:
        model = _build(entry)
        calibration = entry.get("calibration")
        spec = model.to_spec(
            _encoding(entry["encoding"]),
            name=str(entry["name"]),
            dataset=str(entry["dataset"]),
            calibration=None if calibration is None else calibration.numpy(),
        )
    except KeyError as error:
        raise CheckpointError(
            f"{path} lacks the entry {error}: train or convert it again"
        ) from error
    except AnalogKanError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path} has an entry of the wrong kind: {error}") from error
    return model, spec


def load_spec(path: Path) -> NetworkSpec:
    """The float64 arrays of a checkpoint; raises as ``load``."""
    return load(path)[1]


def load_origin(path: Path) -> tuple[NetworkSpec, dict[str, Any]]:
    """``load_spec``, and what the checkpoint says of where it comes from."""
    entry = read(path)
    return _loaded(path, entry)[1], entry.get("training", {})


def _encoding(entry: dict[str, Any]) -> Encoding:
    numbers = {key: float(entry[key]) for key in ("x_lo", "x_hi", "v_lo", "v_hi")}
    return Encoding(**numbers, shape=tuple(int(n) for n in entry["shape"]))


def _device(curve: IVCurve) -> dict[str, Any]:
    """A device's entry; ``temps_c`` and ``i_at`` (T, N) only if it has such tables."""
    entry = {"name": curve.name, "source": curve.source}
    entry |= {"v": torch.tensor(curve.v), "i": torch.tensor(curve.i)}
    if curve.temperatures:
        entry |= {"temps_c": list(curve.temps_c), "i_at": torch.tensor(curve.i_at)}
    return entry


def _curve(entry: dict[str, Any]) -> IVCurve:
    tables = entry["i_at"].numpy() if "i_at" in entry else ()
    return IVCurve(
        str(entry["name"]),
        entry["v"].numpy(),
        entry["i"].numpy(),
        str(entry["source"]),
        temperatures=tuple(zip(entry.get("temps_c", ()), tables, strict=True)),
    )


def _build(entry: dict[str, Any]) -> TDKAN:
    curves = tuple(_curve(d) for d in entry["devices"])
    check_distinct(curves)
    config = TDKANConfig(
        sizes=tuple(int(n) for n in entry["sizes"]),
        curves=curves,
        squash=Squash(**entry["squash"]),
        norm=str(entry["norm"]),
        patches=tuple(Patches(**patches) for patches in entry.get("convolutions", ())),
    )
    model = TDKAN(config)
    if entry["layers"] and entry["layers"][0]["theta"].dtype == torch.float64:
        model.double()
    _fill(model.layers, entry["layers"], ("theta", "bias"), "layers")
    _fill(model.norms, entry["norms"], NORM_TENSORS[config.norm], "norms")
    for norm, stored in zip(model.norms, entry["norms"], strict=True):
        norm.eps = float(stored["eps"])
        extra = sorted(set(stored) - {*NORM_TENSORS[config.norm], "eps"})
        if extra:
            raise CheckpointError(f"norms: norm {config.norm} has no {', '.join(extra)}")
    return model.eval()


def _fill(modules, stored: list[dict[str, Any]], names: tuple[str, ...], what: str) -> None:
    if len(modules) != len(stored):
        raise CheckpointError(f"{what}: {len(stored)} stored, {len(modules)} expected from sizes")
    for k, (module, tensors) in enumerate(zip(modules, stored, strict=True)):
        for name in names:
            target, value = getattr(module, name), tensors[name]
            if tuple(value.shape) != tuple(target.shape):
                raise CheckpointError(
                    f"{what}[{k}].{name} has shape {tuple(value.shape)}; "
                    f"sizes and devices ask for {tuple(target.shape)}"
                )
            if not value.is_floating_point():
                raise CheckpointError(f"{what}[{k}].{name} holds {value.dtype}, not real numbers")
            with torch.no_grad():
                target.copy_(value)
