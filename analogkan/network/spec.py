"""NetworkSpec: a TD-KAN as arrays. The software side of every comparison, in float64 and no torch.

Axes: B batch, I inputs, O outputs, D diodes per input; P positions and W values of a convolution.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..devices import IVCurve
from ..errors import AnalogKanError, CheckpointError
from ..files import brief, read_npz, write_npz
from ..objects import Described, Facts
from .encoding import Encoding
from .layer import LayerSpec
from .patches import Patches
from .spec_entries import FORMAT, check_entries
from .squash import Norm, Squash
from .targets import Targets, read_targets


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class NetworkSpec(Described):
    """A whole TD-KAN, ready to be evaluated or compiled.

    Attributes
    ----------
    name
        Short, for titles and file names.
    layers
        In order; the first one has no norm (its inputs are digital).
    encoding
        From input units to the first layer's volts.
    dataset
        What it was trained on, such as ``mnist``.
    calibration
        (N, I) training inputs in input units, or None: what the compiler sizes gains from.
    held
        Whether its inputs are held outputs of other circuits, which pass the first layer's norm
        and squash as hidden nodes do, instead of DACs at the first diodes.
    targets
        What its outputs stand for, if it is a regression; None: they are logits of classes.

    Examples
    --------
    >>> ak.load_build("mnist-d2.build").spec.sizes
    (196, 64, 10)
    """

    name: str
    layers: tuple[LayerSpec, ...]
    encoding: Encoding
    dataset: str = ""
    calibration: np.ndarray | None = None
    held: bool = False
    targets: Targets | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise CheckpointError("a network needs at least one layer")
        if not f"{self.name}{self.dataset}".isprintable():
            raise CheckpointError(f"name {self.name!r} or data set {self.dataset!r} is not text")
        norm = self.layers[0].norm
        if norm is not None and not (self.held and norm.kind == "layer"):
            raise CheckpointError("the first layer has a norm, but its inputs come from a DAC")
        for k, layer in enumerate(self.layers):
            if layer.n_in != self.sizes[k]:
                raise CheckpointError(
                    f"layer {k} has {layer.n_in} inputs, what feeds it has {self.sizes[k]}"
                )
        if self.calibration is not None:
            self.encoding.volts(self.calibration)
        if self.targets is not None and len(self.targets) != self.sizes[-1]:
            raise CheckpointError(
                f"{len(self.targets)} targets, but the network has {self.sizes[-1]} outputs"
            )

    def _described(self) -> tuple[str, Facts]:
        found = [("layers", self.widths), ("data set", self.dataset)]
        return self.name, found + ([] if self.targets is None else [("gives", self.targets.said)])

    @property
    def task(self) -> str:
        """``regression`` if its outputs stand for targets, else ``classification``."""
        return "classification" if self.targets is None else "regression"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths from input to output, such as (196, 64, 10)."""
        return (self.encoding.width, *(layer.n_out for layer in self.layers))

    @property
    def convolutional(self) -> bool:
        """Whether a layer is a convolution."""
        return any(layer.patches is not None for layer in self.layers)

    @property
    def widths(self) -> str:
        """``sizes`` as a text, with the kernels of convolutions: ``784-(4x4) 1568-10``."""
        words = [str(self.encoding.width)]
        for layer in self.layers:
            p = layer.patches
            words.append(f"{'' if p is None else f'({p.kernel}x{p.kernel}) '}{layer.n_out}")
        return "-".join(words)

    @property
    def fronted(self) -> tuple[LayerSpec, ...]:
        """The layers whose norm and squash are cells: all, or all but what the DACs drive."""
        return self.layers if self.held else self.layers[1:]

    def dac_volts(self, x: np.ndarray) -> np.ndarray:
        """What the DACs put on the first layer's diodes for ``x`` (B, I) in input units; volts.

        The first layer's squash is part of it: its inputs are digital, so no cell is spent on it.
        Of held inputs it is what is held, before norm and squash.
        """
        volts = self.encoding.volts(x)
        return volts if self.held else self.layers[0].squash(volts)

    def dac_range(self) -> tuple[float, float]:
        """Lowest and highest voltage that the DACs put on the first layer's diodes."""
        ends = self.layers[0].squash(np.array([self.encoding.v_lo, self.encoding.v_hi]))
        return float(ends.min()), float(ends.max())

    def forward_volts(self, v: np.ndarray) -> np.ndarray:
        """Logits (B, O) for voltages ``v`` (B, I) at the first diodes, 4,096 rows at a time."""
        blocks = [v[k : k + 4096] for k in range(0, len(v), 4096)] or [v]
        return np.concatenate([self.layer_outputs(block)[-1] for block in blocks])

    def layer_outputs(self, v: np.ndarray) -> list[np.ndarray]:
        """Every layer's outputs for voltages ``v`` (B, I) at the first diodes: a list of (B, O).

        Of held inputs ``v`` is what is held.
        """
        outputs: list[np.ndarray] = []
        for k, layer in enumerate(self.layers):
            if k or self.held:
                v = layer.diode_volts(v)
            v = layer.respond(v)
            outputs.append(v)
        return outputs

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Logits (B, O) for inputs ``x`` (B, I) in input units."""
        return self.forward_volts(self.dac_volts(x))

    def out_of_range(self, v: np.ndarray) -> float:
        """Share of hidden diode voltages outside the range of any device, for ``v``.

        ``v`` (B, I) are voltages at the first diodes; counted over images, hidden nodes and layers.
        """
        outputs = self.layer_outputs(v)
        outside = total = 0
        for layer, x in zip(self.layers[1:], outputs[:-1], strict=True):
            u = layer.diode_volts(x)
            lo = max(curve.v[0] for curve in layer.curves)
            hi = min(curve.v[-1] for curve in layer.curves)
            outside += int(((u < lo) | (u > hi)).sum())
            total += u.size
        return outside / total if total else 0.0

    def folded(self) -> NetworkSpec:
        """The same function without what needs no hardware.

        BatchNorm goes into the layer before it, a device of constant current (a bias-like basis)
        into its layer's bias; both exactly. LayerNorm stays.
        """
        layers = list(self.layers)
        for k, layer in enumerate(layers):
            norm = layer.norm
            if norm is not None and norm.kind == "batch":
                before = layers[k - 1]
                scale, shift = _per_output(norm, before)
                theta, bias = before.theta * scale[None, :, None], before.bias * scale + shift
                layers[k - 1] = replace(before, theta=theta, bias=bias)
                layers[k] = replace(layer, norm=None)
        return replace(self, layers=tuple(_without_constants(layer) for layer in layers))

    def odd(self) -> NetworkSpec:
        """The network of the same diodes that also conduct below 0 V, see ``IVCurve.odd``."""
        layers = (
            replace(layer, curves=tuple(curve.odd() for curve in layer.curves))
            for layer in self.layers
        )
        return replace(self, layers=tuple(layers))

    def save(self, path: Path) -> None:
        """Write everything to one npz file (arrays and a JSON entry), without timestamps."""
        arrays, meta = _pack(self)
        write_npz(path, {"meta": np.array(json.dumps(meta, sort_keys=True)), **arrays})

    def fingerprint(self) -> str:
        """Hex SHA-256 of all but the calibration: the function, its name and its sources."""
        arrays, meta = _pack(replace(self, calibration=None))
        digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
        for key in sorted(arrays):
            digest.update(f"{key}{arrays[key].shape}".encode())
            digest.update(np.ascontiguousarray(arrays[key], dtype="<f8").tobytes())
        return digest.hexdigest()


def _per_output(norm: Norm, before: LayerSpec) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift (O,) of a BatchNorm after ``before``: alike at all positions."""
    pairs = np.stack([norm.scale, norm.shift]).reshape(2, -1, before.theta.shape[1])
    if (pairs != pairs[:, :1]).any():
        raise CheckpointError("a BatchNorm after a convolution differs between its positions")
    return pairs[0, 0], pairs[1, 0]


def _without_constants(layer: LayerSpec) -> LayerSpec:
    """``layer`` with devices of constant current folded into its bias, if others remain."""
    constant = np.array([np.ptp(curve.i) == 0 for curve in layer.curves])
    if constant.all() or not constant.any():
        return layer
    curves = tuple(c for c, folded in zip(layer.curves, constant, strict=True) if not folded)
    bias = layer.bias + layer.theta[:, :, constant].sum(axis=(0, 2))
    return replace(layer, theta=layer.theta[:, :, ~constant], bias=bias, curves=curves)


def load_spec(path: Path) -> NetworkSpec:
    """Read what ``NetworkSpec.save`` wrote.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or of another kind.
    """
    try:
        arrays = read_npz(path)
        meta = json.loads(str(arrays.pop("meta")))
        check_entries(arrays, meta)
        spec = _unpack(arrays, meta)
        wrong = sorted(set(arrays) ^ set(_pack(spec)[0]))
        if wrong:
            raise ValueError(f"it has the unknown array {wrong[0]}")
        return spec
    except (AnalogKanError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a network file: {brief(error)}") from error


def _pack(spec: NetworkSpec) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    arrays: dict[str, np.ndarray] = {}
    layers = []
    for k, layer in enumerate(spec.layers):
        arrays |= {f"l{k}_theta": layer.theta, f"l{k}_bias": layer.bias}
        norm = layer.norm
        if norm is not None:
            arrays |= {f"l{k}_norm_scale": norm.scale, f"l{k}_norm_shift": norm.shift}
        for d, curve in enumerate(layer.curves):
            arrays[f"l{k}_d{d}_v"], arrays[f"l{k}_d{d}_i"] = curve.v, curve.i
            if curve.temperatures:
                arrays[f"l{k}_d{d}_temps_c"] = np.array(curve.temps_c)
                arrays[f"l{k}_d{d}_i_at"] = curve.i_at
            if curve.reconstructed:
                arrays[f"l{k}_d{d}_reconstructed"] = np.array(curve.reconstructed)
        layers.append(
            {
                "curves": [[c.name, c.source] for c in layer.curves],
                "squash": dataclasses.asdict(layer.squash),
                "norm": None if norm is None else {"kind": norm.kind, "eps": norm.eps},
            }
        )
        if layer.patches is not None:
            layers[-1]["patches"] = dataclasses.asdict(layer.patches)
    if spec.calibration is not None:
        arrays["calibration"] = spec.calibration
    e = spec.encoding
    meta = {
        "format": FORMAT,
        "name": spec.name,
        "dataset": spec.dataset,
        "encoding": [e.x_lo, e.x_hi, e.v_lo, e.v_hi, list(e.shape)],
        "layers": layers,
    }
    meta |= {"ranges": [list(pair) for pair in e.ranges]} if e.ranges else {}
    meta |= {"taps": [list(pair) for pair in e.taps]} if e.taps else {}
    meta |= {"used": list(e.used)} if e.used else {}
    if spec.targets is not None:
        meta["targets"] = spec.targets.document()
    if spec.held:
        meta["held"] = True
    return arrays, meta


def _unpack(arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> NetworkSpec:
    def measured(k: int, d: int) -> Iterator[Any]:
        return (arrays.get(f"l{k}_d{d}_{of}", ()) for of in ("temps_c", "i_at"))

    def curves(k: int, entries: Sequence[Sequence[str]]) -> tuple[IVCurve, ...]:
        return tuple(
            IVCurve(
                name,
                arrays[f"l{k}_d{d}_v"],
                arrays[f"l{k}_d{d}_i"],
                source,
                temperatures=tuple(zip(*measured(k, d), strict=True)),
                reconstructed=tuple(arrays.get(f"l{k}_d{d}_reconstructed", ())) or None,
            )
            for d, (name, source) in enumerate(entries)
        )

    def norm(k: int, entry: dict[str, Any] | None) -> Norm | None:
        if entry is None:
            return None
        scale, shift = arrays[f"l{k}_norm_scale"], arrays[f"l{k}_norm_shift"]
        return Norm(kind=entry["kind"], scale=scale, shift=shift, eps=entry["eps"])

    layers = tuple(
        LayerSpec(
            theta=arrays[f"l{k}_theta"],
            bias=arrays[f"l{k}_bias"],
            curves=curves(k, entry["curves"]),
            squash=Squash(**entry["squash"]),
            norm=norm(k, entry["norm"]),
            patches=Patches(**entry["patches"]) if "patches" in entry else None,
        )
        for k, entry in enumerate(meta["layers"])
    )
    x_lo, x_hi, v_lo, v_hi, shape = meta["encoding"]
    pairs: dict[str, Any] = {
        key: tuple(map(tuple, meta.get(key, ()))) for key in ("ranges", "taps")
    }
    pairs["used"] = tuple(meta.get("used", ()))
    return NetworkSpec(
        name=meta["name"],
        layers=layers,
        encoding=Encoding(x_lo=x_lo, x_hi=x_hi, v_lo=v_lo, v_hi=v_hi, shape=tuple(shape), **pairs),
        dataset=meta["dataset"],
        calibration=arrays.get("calibration"),
        targets=read_targets(meta.get("targets")),
        held=meta.get("held", False),
    )
