"""The checkpoint: one dictionary in a ``.pt`` file, read without running code.

``docs/checkpoint.md`` describes it, ``entries.py`` declares what each entry may be, and a hash over
all of them (``sha256``) is stored with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..devices import IVCurve
from ..devices.library import check_distinct
from ..errors import AnalogKanError, CheckpointError
from ..ours import require_ours
from .config import TDKANConfig
from .encoding import Encoding
from .entries import ENTRIES, digest
from .patches import Patches
from .spec import NetworkSpec
from .squash import Norm, Squash
from .targets import Targets, read_targets
from .tensor import Tensor, check_size, tensors
from .torchfile import read_stored

if TYPE_CHECKING:  # it is read without torch, and written with it
    from .model import TDKAN

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
    from .torchload import as_stored, as_tensor, write_torch

    config = model.config
    entry: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "sizes": list(config.sizes),
        "devices": [_device(curve, as_tensor) for curve in config.curves],
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
        entry["calibration"] = as_tensor(calibration)
    stored = as_stored(entry)
    try:
        ENTRIES.check(stored, "")
    except (ValueError, CheckpointError) as error:
        raise CheckpointError(f"{path} is not written: {error}") from error
    write_torch(entry | {"sha256": digest(stored)}, path)


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


def read(path: Path) -> dict[str, Any]:
    """The dictionary in ``path``: every entry is what it may be, and as it was written.

    Its tensors are ``Tensor``; nothing of torch is needed for a file as ``save`` writes it.

    Raises
    ------
    CheckpointError
        If there is no such file, it is not a checkpoint, an entry is missing, too many or of the
        wrong kind, or reading it would run code.
    """
    found = read_stored(
        path,
        missing="train a model with `analogkan train`",
        unsafe="Of a module of TDKANLayer, ak.save(module, 'mine.pt', encoding=...) writes a "
        "checkpoint; `analogkan train` does too",
        kind="a checkpoint",
    )
    entry = found.content
    if not isinstance(entry, dict) or entry.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a torch file but not an {FORMAT} checkpoint: of a module of TDKANLayer "
            "ak.save(module, 'mine.pt', encoding=...) writes one (docs/checkpoint.md), and of what "
            "KANalogue wrote `analogkan models convert`"
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
    from .model import filled

    entry = read(path)
    config, spec = _loaded(path, entry)
    parts = [entry["layers"], entry["norms"]]
    double = any(tensor.dtype == "torch.float64" for tensor in tensors(parts))
    return filled(config, *map(_arrays, parts), double=double), spec


def load_spec(path: Path) -> NetworkSpec:
    """The float64 arrays of a checkpoint; raises as ``load``."""
    return _loaded(path, read(path))[1]


def load_origin(path: Path) -> tuple[NetworkSpec, dict[str, Any]]:
    """``load_spec``, and what the checkpoint says of where it comes from."""
    entry = read(path)
    return _loaded(path, entry)[1], entry.get("training", {})


def _loaded(path: Path, entry: dict[str, Any]) -> tuple[TDKANConfig, NetworkSpec]:
    try:
        config = _config(entry)
        layers = ((of["theta"], of["bias"], config.curves) for of in _arrays(entry["layers"]))
        norms = [_norm(config.norm, **of) for of in _arrays(entry["norms"])]
        calibration = entry.get("calibration")
        spec = NetworkSpec(
            name=entry["name"],
            layers=config.layers(layers, norms),
            encoding=_encoding(entry["encoding"]),
            dataset=entry["dataset"],
            calibration=None if calibration is None else calibration.array(),
            targets=read_targets(entry.get("targets")),
        )
    except AnalogKanError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return config, spec


def _encoding(entry: dict[str, Any]) -> Encoding:
    numbers = {key: float(entry[key]) for key in ("x_lo", "x_hi", "v_lo", "v_hi")}
    pairs: dict[str, Any] = {
        key: tuple(map(tuple, entry.get(key, ()))) for key in ("ranges", "taps")
    }
    used = tuple(entry.get("used", ()))
    return Encoding(**numbers, **pairs, shape=tuple(entry["shape"]), used=used)


def _device(curve: IVCurve, as_tensor: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """A device's entry; ``temps_c`` and ``i_at`` (T, N) only if it has such tables.

    ``reconstructed`` only if it is known not to be measured there.
    """
    entry = {"name": curve.name, "source": curve.source}
    entry |= {"v": as_tensor(curve.v), "i": as_tensor(curve.i)}
    if curve.temperatures:
        entry |= {"temps_c": list(curve.temps_c), "i_at": as_tensor(curve.i_at)}
    if curve.reconstructed:
        entry |= {"reconstructed": list(curve.reconstructed)}
    return entry


def _curve(entry: dict[str, Any]) -> IVCurve:
    tables, temps_c = entry["i_at"].array() if "i_at" in entry else (), entry.get("temps_c", ())
    if len(tables) != len(temps_c):
        raise CheckpointError(
            f"device {entry['name']}: {len(temps_c)} temps_c but {len(tables)} tables in i_at; one "
            "each"
        )
    return IVCurve(
        entry["name"],
        entry["v"].array(),
        entry["i"].array(),
        entry["source"],
        temperatures=tuple(zip(temps_c, tables, strict=True)),
        reconstructed=tuple(entry.get("reconstructed", ())) or None,
    )


def _config(entry: dict[str, Any]) -> TDKANConfig:
    """What the network is made of, once the tensors were found to be those of it."""
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
    return config


def _arrays(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of layers or norms with float64 arrays for tensors."""
    return [
        {name: float(of) if name == "eps" else _wide(of) for name, of in part.items()}
        for part in parts
    ]


def _wide(tensor: Tensor) -> np.ndarray:
    return tensor.array().astype(np.float64)


def _norm(
    kind: str, *, weight: np.ndarray, bias: np.ndarray, eps: float, running_mean: Any = None,
    running_var: Any = None,
) -> Norm:  # fmt: skip
    if kind == "layer":
        return Norm(kind="layer", scale=weight, shift=bias, eps=eps)
    return Norm.batch(weight, bias, running_mean, running_var, eps)


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
