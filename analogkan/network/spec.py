"""NetworkSpec: a TD-KAN as arrays. The software side of every comparison, in float64 and no torch.

Axes: B batch, I inputs, O outputs, D diodes per input.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..devices import IVCurve
from ..errors import AnalogKanError, CheckpointError
from ..files import read_npz, write_npz
from .encoding import Encoding
from .squash import Norm, Squash

FORMAT = "analogkan-network-2"


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerSpec:
    """One layer: y = sum_i sum_d theta[i, o, d] phi_d(squash(norm(x)_i)) + bias_o.

    Attributes
    ----------
    theta
        (I, O, D), volts per unit phi (the last layer's unit is the logit).
    bias
        (O,), the same unit.
    curves
        The D devices of every input.
    squash
        At the diodes.
    norm
        Before the squash, or None.
    """

    theta: np.ndarray
    bias: np.ndarray
    curves: tuple[IVCurve, ...]
    squash: Squash = Squash()
    norm: Norm | None = None

    def __post_init__(self) -> None:
        if self.theta.ndim != 3:
            raise CheckpointError(f"theta has shape {self.theta.shape}; it must be (I, O, D)")
        i, o, d = self.theta.shape
        if 0 in (i, o, d):
            raise CheckpointError(f"theta has shape {self.theta.shape}: no axis may be empty")
        if d != len(self.curves):
            raise CheckpointError(f"theta has {d} diodes per input but {len(self.curves)} devices")
        arrays = {"theta": (self.theta, (i, o, d)), "bias": (self.bias, (o,))}
        if self.norm is not None:
            arrays |= {"norm scale": (self.norm.scale, (i,)), "norm shift": (self.norm.shift, (i,))}
        for name, (array, shape) in arrays.items():
            if array.shape != shape:
                raise CheckpointError(f"{name} has shape {array.shape}; it must be {shape}")
            if not np.isfinite(array).all():
                raise CheckpointError(f"{name} holds {int((~np.isfinite(array)).sum())} NaN or inf")

    def diode_volts(self, x: np.ndarray) -> np.ndarray:
        """Voltages at the diodes for layer inputs ``x`` (B, I); (B, I), volts."""
        return self.squash(x if self.norm is None else self.norm(x))

    def phi(self, v: np.ndarray) -> np.ndarray:
        """Basis functions at diode voltages ``v`` (B, I); (B, I, D)."""
        return np.stack([curve.phi(v) for curve in self.curves], axis=-1)

    def respond(self, v: np.ndarray) -> np.ndarray:
        """Outputs for diode voltages ``v`` (B, I); (B, O)."""
        weights = self.theta.transpose(0, 2, 1).reshape(-1, self.theta.shape[1])
        return self.phi(v).reshape(len(v), -1) @ weights + self.bias


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkSpec:
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
    """

    name: str
    layers: tuple[LayerSpec, ...]
    encoding: Encoding
    dataset: str = ""
    calibration: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise CheckpointError("a network needs at least one layer")
        if not f"{self.name}{self.dataset}".isprintable():
            raise CheckpointError(f"name {self.name!r} or data set {self.dataset!r} is not text")
        if self.layers[0].norm is not None:
            raise CheckpointError("the first layer has a norm, but its inputs come from a DAC")
        widths = [self.encoding.width, *(layer.theta.shape[1] for layer in self.layers)]
        for k, layer in enumerate(self.layers):
            if layer.theta.shape[0] != widths[k]:
                raise CheckpointError(
                    f"layer {k} has {layer.theta.shape[0]} inputs, what feeds it has {widths[k]}"
                )
        if self.calibration is not None:
            self.encoding.volts(self.calibration)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths from input to output, such as (196, 64, 10)."""
        return (self.encoding.width, *(layer.theta.shape[1] for layer in self.layers))

    def dac_volts(self, x: np.ndarray) -> np.ndarray:
        """What the DACs put on the first layer's diodes for ``x`` (B, I) in input units; volts.

        The first layer's squash is part of it: its inputs are digital, so no cell is spent on it.
        """
        return self.layers[0].squash(self.encoding.volts(x))

    def dac_range(self) -> tuple[float, float]:
        """Lowest and highest voltage that the DACs put on the first layer's diodes."""
        ends = self.layers[0].squash(np.array([self.encoding.v_lo, self.encoding.v_hi]))
        return float(ends.min()), float(ends.max())

    def forward_volts(self, v: np.ndarray) -> np.ndarray:
        """Logits (B, O) for voltages ``v`` (B, I) at the first diodes, 4,096 rows at a time."""
        blocks = [v[k : k + 4096] for k in range(0, len(v), 4096)] or [v]
        return np.concatenate([self.layer_outputs(block)[-1] for block in blocks])

    def layer_outputs(self, v: np.ndarray) -> list[np.ndarray]:
        """Every layer's outputs for voltages ``v`` (B, I) at the first diodes: a list of (B, O)."""
        outputs: list[np.ndarray] = []
        for layer in self.layers:
            outputs.append(layer.respond(layer.diode_volts(outputs[-1]) if outputs else v))
        return outputs

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Logits (B, O) for inputs ``x`` (B, I) in input units."""
        return self.forward_volts(self.dac_volts(x))

    def out_of_range(self, v: np.ndarray) -> float:
        """Share of hidden diode voltages outside the measured range of any device, for ``v``.

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
                layers[k - 1] = replace(
                    before,
                    theta=before.theta * norm.scale[None, :, None],
                    bias=before.bias * norm.scale + norm.shift,
                )
                layers[k] = replace(layer, norm=None)
        return replace(self, layers=tuple(_without_constants(layer) for layer in layers))

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


def _without_constants(layer: LayerSpec) -> LayerSpec:
    """``layer`` with devices of constant current folded into its bias, if others remain."""
    constant = np.array([np.ptp(curve.i) == 0 for curve in layer.curves])
    if constant.all() or not constant.any():
        return layer
    return replace(
        layer,
        theta=layer.theta[:, :, ~constant],
        bias=layer.bias + layer.theta[:, :, constant].sum(axis=(0, 2)),
        curves=tuple(c for c, folded in zip(layer.curves, constant, strict=True) if not folded),
    )


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
        if meta["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has format {meta['format']!r}, not {FORMAT}: write it again"
            )
        return _unpack(arrays, meta)
    except CheckpointError:
        raise
    except (AnalogKanError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a network file: {error}") from error


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
        layers.append(
            {
                "curves": [[c.name, c.source] for c in layer.curves],
                "squash": dataclasses.asdict(layer.squash),
                "norm": None if norm is None else {"kind": norm.kind, "eps": norm.eps},
            }
        )
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
    return arrays, meta


def _unpack(arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> NetworkSpec:
    def curves(k: int, entries: Sequence[Sequence[str]]) -> tuple[IVCurve, ...]:
        return tuple(
            IVCurve(
                name,
                arrays[f"l{k}_d{d}_v"],
                arrays[f"l{k}_d{d}_i"],
                source,
                temperatures=tuple(
                    zip(
                        arrays.get(f"l{k}_d{d}_temps_c", ()),
                        arrays.get(f"l{k}_d{d}_i_at", ()),
                        strict=True,
                    )
                ),
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
        )
        for k, entry in enumerate(meta["layers"])
    )
    x_lo, x_hi, v_lo, v_hi, shape = meta["encoding"]
    return NetworkSpec(
        name=meta["name"],
        layers=layers,
        encoding=Encoding(x_lo=x_lo, x_hi=x_hi, v_lo=v_lo, v_hi=v_hi, shape=tuple(shape)),
        dataset=meta["dataset"],
        calibration=arrays.get("calibration"),
    )
