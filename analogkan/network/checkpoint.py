"""The checkpoint: one dictionary in a ``.pt`` file, read without running code.

``docs/checkpoint.md`` describes it, ``entries.py`` declares what each entry may be, and a hash over
all of them (``sha256``) is stored with them.
"""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..devices import IVCurve
from ..devices.library import check_distinct
from ..errors import AnalogKanError, CheckpointError
from ..files import atomic_file
from ..ours import require_ours
from .encoding import Encoding
from .entries import ENTRIES, digest
from .model import TDKAN, TDKANConfig
from .patches import Patches
from .spec import NetworkSpec
from .squash import Squash
from .targets import Targets, read_targets
from .torchfile import check_size, read_torch, tensors

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
    targets: Targets | None = None,
    training: dict[str, Any] | None = None,
) -> None:
    """Write ``model`` to ``path``, whole or not at all.

    Raises
    ------
    CheckpointError
        If an entry is what ``read`` would refuse.
    """
    config = model.config
    entry: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "sizes": list(config.sizes),
        "devices": [_device(curve) for curve in config.curves],
        "squash": vars(config.squash) | {},
        "norm": config.norm,
        "encoding": encoding.document(),
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
    if targets is not None:
        entry["targets"] = targets.document()
    if calibration is not None:
        entry["calibration"] = torch.tensor(np.ascontiguousarray(calibration))
    try:
        ENTRIES.check(entry, "")
    except (ValueError, CheckpointError) as error:
        raise CheckpointError(f"{path} is not written: {error}") from error
    write_torch(entry | {"sha256": digest(entry)}, path)


def require_replaceable(out: Path) -> None:
    """Raise CheckpointError unless ``out`` ends in .pt and is free, or a checkpoint."""
    if out.suffix != ".pt":
        raise CheckpointError(f"--out {out} must end in .pt")
    require_ours(out, "analogkan checkpoint", _is_one, give="--out", error=CheckpointError)


def _is_one(path: Path) -> bool:
    try:
        read(path)
    except CheckpointError:
        return False
    return True


def write_torch(entry: dict[str, Any], path: Path) -> None:
    """Write ``entry`` to ``path``, whole or not at all.

    By way of memory: torch's own writer reports a full disk as a RuntimeError.
    """
    buffer = io.BytesIO()
    torch.save(entry, buffer)
    with atomic_file(path) as partial:
        partial.write_bytes(buffer.getvalue())


def read(path: Path) -> dict[str, Any]:
    """The dictionary in ``path``: every entry is what it may be, and as it was written.

    Raises
    ------
    CheckpointError
        If there is no such file, it is not a checkpoint, an entry is missing, too many or of the
        wrong kind, or reading it would run code.
    """
    found = read_torch(
        path,
        missing="train a model with `analogkan train`",
        unsafe="Save the state as a dictionary (`analogkan train` writes such a file)",
        kind="a checkpoint",
    )
    entry = found.content
    if not isinstance(entry, dict) or entry.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a torch file but not an {FORMAT} checkpoint: `analogkan convert` makes one "
            "of what KANalogue wrote"
        )
    if not found.summed:
        raise CheckpointError(
            f"{path} is in torch's format before 1.6, which has no checksums: load it and save it "
            "again with torch.save"
        )
    try:
        _check(entry, path.stat().st_size)
    except (ValueError, CheckpointError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return entry


def _check(entry: dict[str, Any], size: int) -> None:
    """Raise ValueError unless ``entry``, from a file of ``size`` bytes, is a whole checkpoint."""
    ENTRIES.check(entry, "")
    check_size(entry, size)
    if "sha256" in entry:
        found = digest({key: value for key, value in entry.items() if key != "sha256"})
        if found != entry["sha256"]:
            raise ValueError(
                f"its entries have the hash {found[:12]}, not {entry['sha256'][:12]} as when it "
                "was written: it is damaged, or was edited (remove the entry sha256 if you did "
                "that)"
            )


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
            name=entry["name"],
            dataset=entry["dataset"],
            calibration=None if calibration is None else _array(calibration),
            targets=read_targets(entry.get("targets")),
        )
    except AnalogKanError as error:
        raise CheckpointError(f"{path}: {error}") from error
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
    pairs: dict[str, Any] = {
        key: tuple(map(tuple, entry.get(key, ()))) for key in ("ranges", "taps")
    }
    used = tuple(entry.get("used", ()))
    return Encoding(**numbers, **pairs, shape=tuple(entry["shape"]), used=used)


def _array(tensor: torch.Tensor) -> np.ndarray:
    """Its numbers; bfloat16, which numpy lacks, and its like as float64."""
    known = tensor.dtype in (torch.float16, torch.float32) or not tensor.is_floating_point()
    return (tensor if known else tensor.double()).numpy()


def _device(curve: IVCurve) -> dict[str, Any]:
    """A device's entry; ``temps_c`` and ``i_at`` (T, N) only if it has such tables.

    ``reconstructed`` only if it is known not to be measured there.
    """
    entry = {"name": curve.name, "source": curve.source}
    entry |= {"v": torch.tensor(curve.v), "i": torch.tensor(curve.i)}
    if curve.temperatures:
        entry |= {"temps_c": list(curve.temps_c), "i_at": torch.tensor(curve.i_at)}
    if curve.reconstructed:
        entry |= {"reconstructed": list(curve.reconstructed)}
    return entry


def _curve(entry: dict[str, Any]) -> IVCurve:
    tables, temps_c = entry.get("i_at", ()), entry.get("temps_c", ())
    if len(tables) != len(temps_c):
        raise CheckpointError(
            f"device {entry['name']}: {len(temps_c)} temps_c but {len(tables)} tables in i_at; one "
            "each"
        )
    return IVCurve(
        entry["name"],
        _array(entry["v"]),
        _array(entry["i"]),
        entry["source"],
        temperatures=tuple(zip(temps_c, map(_array, tables), strict=True)),
        reconstructed=tuple(entry.get("reconstructed", ())) or None,
    )


def _build(entry: dict[str, Any]) -> TDKAN:
    curves = tuple(_curve(d) for d in entry["devices"])
    check_distinct(curves)
    config = TDKANConfig(
        sizes=tuple(entry["sizes"]),
        curves=curves,
        squash=Squash(**entry["squash"]),
        norm=entry["norm"],
        patches=tuple(Patches(**patches) for patches in entry.get("convolutions", ())),
    )
    _check_shapes(entry, config)
    model = TDKAN(config)
    if any(t.dtype == torch.float64 for t in tensors([entry["layers"], entry["norms"]])):
        model.double()  # no number loses a digit to the type of another
    for what, modules in (("layers", model.layers), ("norms", model.norms)):
        for module, stored in zip(modules, entry[what], strict=True):
            for name, value in stored.items():
                if name == "eps":
                    setattr(module, name, float(value))
                    continue
                with torch.no_grad():
                    getattr(module, name).copy_(value)
    return model.eval()


def _check_shapes(entry: dict[str, Any], config: TDKANConfig) -> None:
    """Raise CheckpointError unless the tensors are those of ``config``; nothing is made of it."""
    shapes = config.shapes()
    layers = [{"theta": (i, o, len(config.curves)), "bias": (o,)} for i, o in shapes]
    normed = [o for _, o in shapes[:-1]] if config.norm != "none" else []
    norms = [dict.fromkeys(NORM_TENSORS[config.norm], (o,)) for o in normed]
    for what, expected in (("layers", layers), ("norms", norms)):
        found = entry[what]
        if len(found) != len(expected):
            raise CheckpointError(
                f"{what}: {len(found)} stored, {len(expected)} expected from sizes"
            )
        for k, (stored, wanted) in enumerate(zip(found, expected, strict=True)):
            for name in wanted:
                if name not in stored:
                    raise CheckpointError(f"{what}[{k}] lacks {name}, which norm {config.norm} has")
                shape = tuple(stored[name].shape)
                if shape != wanted[name]:
                    raise CheckpointError(
                        f"{what}[{k}].{name} has shape {shape}; "
                        f"sizes and devices ask for {wanted[name]}"
                    )
            extra = sorted(set(stored) - {*wanted, "eps"})
            if extra:
                raise CheckpointError(f"norms: norm {config.norm} has no {', '.join(extra)}")
