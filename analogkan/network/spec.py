"""NetworkSpec: a TD-KAN as arrays. The software side of every comparison, in float64 and no torch.

Axes: B batch, I inputs, O outputs, D diodes per input.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..devices import IVCurve
from ..errors import AnalogKanError, CheckpointError, DataError
from ..files import read_npz, write_npz

SQUASHES = ("none", "clamp")
FORMAT = "analogkan-network-1"
MIN_SPAN = 0.01
"""Share of the input range that data with fractions must use not to be taken for another unit."""
MAX_SATURATED = 0.01
"""Share of input values that may saturate the DAC before the data is taken to be in other units."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How an input value becomes a voltage: linear, ``x_lo`` to ``v_lo`` and ``x_hi`` to ``v_hi``.

    Attributes
    ----------
    x_lo, x_hi
        The range of the data's values (its "input units"): 0 and 255 for 8-bit pixels.
    v_lo, v_hi
        Volts.
    shape
        Shape of one input before it is flattened, such as (14, 14).
    """

    x_lo: float
    x_hi: float
    v_lo: float
    v_hi: float
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (self.x_lo, self.x_hi, self.v_lo, self.v_hi)
        if not all(math.isfinite(n) for n in numbers) or self.x_lo >= self.x_hi:
            raise CheckpointError(
                f"input encoding {numbers} is not a range: x_lo < x_hi, all finite"
            )

    @property
    def width(self) -> int:
        """Number of inputs, I."""
        return math.prod(self.shape)

    def saturated(self, x: np.ndarray) -> int:
        """How many values of ``x`` lie outside [x_lo, x_hi], where the DAC saturates."""
        return int(((x < self.x_lo) | (x > self.x_hi)).sum())

    def volts(self, x: np.ndarray) -> np.ndarray:
        """Voltages for ``x`` (B, I) in input units; (B, I), volts. The DAC saturates at its ends.

        Raises
        ------
        DataError
            If the width is not I, a value is not finite, or the data has another unit: more
            than 1 % of the values lie outside [x_lo, x_hi], or fractions use less than 1 % of it.
        """
        if x.ndim != 2 or x.shape[1] != self.width:
            raise DataError(
                f"images have shape {x.shape}; this network takes (n, {self.width}), "
                f"that is {'x'.join(map(str, self.shape))} values each"
            )
        fractions = x.dtype.kind == "f"
        x = x.astype(np.float64)
        if not np.isfinite(x).all():
            bad = int(np.argmax(~np.isfinite(x).all(axis=1)))
            raise DataError(f"image {bad} holds NaN or infinity")
        tiny = fractions and x.size and 0 < np.ptp(x) < MIN_SPAN * (self.x_hi - self.x_lo)
        if tiny or self.saturated(x) > MAX_SATURATED * x.size:
            raise DataError(
                f"input values span {x.min():g} to {x.max():g}; "
                f"this network was trained on {self.x_lo:g} to {self.x_hi:g}: rescale them"
            )
        x = np.clip(x, self.x_lo, self.x_hi)
        return self.v_lo + (x - self.x_lo) * ((self.v_hi - self.v_lo) / (self.x_hi - self.x_lo))


@dataclass(frozen=True, kw_only=True)
class Squash:
    """What stands between a layer's input and its diodes: ``none``, or ``clamp`` to [v_lo, v_hi].

    ``v_lo`` and ``v_hi`` are volts; ``none`` ignores them.
    """

    kind: str = "none"
    v_lo: float = 0.0
    v_hi: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in SQUASHES:
            raise CheckpointError(f"squash {self.kind!r} is unknown: one of {', '.join(SQUASHES)}")
        if self.kind == "clamp" and not self.v_lo < self.v_hi:
            raise CheckpointError(f"clamp range [{self.v_lo}, {self.v_hi}] V is empty")

    def __call__(self, v: np.ndarray) -> np.ndarray:
        return np.clip(v, self.v_lo, self.v_hi) if self.kind == "clamp" else v


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerSpec:
    """One layer: y = sum_i sum_d theta[i, o, d] phi_d(squash(scale_i x_i + shift_i)) + bias_o.

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
    norm_scale, norm_shift
        (I,) each, the second in volts: BatchNorm at inference; None where there is no norm.
    """

    theta: np.ndarray
    bias: np.ndarray
    curves: tuple[IVCurve, ...]
    squash: Squash = Squash()
    norm_scale: np.ndarray | None = None
    norm_shift: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.theta.ndim != 3:
            raise CheckpointError(f"theta has shape {self.theta.shape}; it must be (I, O, D)")
        i, o, d = self.theta.shape
        if 0 in (i, o, d):
            raise CheckpointError(f"theta has shape {self.theta.shape}: no axis may be empty")
        if d != len(self.curves):
            raise CheckpointError(f"theta has {d} diodes per input but {len(self.curves)} devices")
        expected = {"bias": (o,), "norm_scale": (i,), "norm_shift": (i,)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise CheckpointError(f"{name} has shape {array.shape}; it must be {shape}")
        if (self.norm_scale is None) != (self.norm_shift is None):
            raise CheckpointError("norm_scale and norm_shift come together or not at all")
        for name in ("theta", *expected):
            array = getattr(self, name)
            if array is not None and not np.isfinite(array).all():
                raise CheckpointError(f"{name} holds {int((~np.isfinite(array)).sum())} NaN or inf")

    def diode_volts(self, x: np.ndarray) -> np.ndarray:
        """Voltages at the diodes for layer inputs ``x`` (B, I); (B, I), volts."""
        if self.norm_scale is not None and self.norm_shift is not None:
            x = x * self.norm_scale + self.norm_shift
        return self.squash(x)

    def phi(self, v: np.ndarray) -> np.ndarray:
        """Basis functions at diode voltages ``v`` (B, I); (B, I, D)."""
        return np.stack([curve.phi(v) for curve in self.curves], axis=-1)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Outputs for layer inputs ``x`` (B, I); (B, O)."""
        phi = self.phi(self.diode_volts(x))
        weights = self.theta.transpose(0, 2, 1).reshape(-1, self.theta.shape[1])
        return phi.reshape(len(x), -1) @ weights + self.bias


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
        if self.layers[0].norm_scale is not None:
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

    def forward_volts(self, v: np.ndarray) -> np.ndarray:
        """Logits (B, O) for first-layer voltages ``v`` (B, I), 4,096 rows at a time."""
        blocks = [v[k : k + 4096] for k in range(0, len(v), 4096)] or [v]
        return np.concatenate([self.layer_outputs(block)[-1] for block in blocks])

    def layer_outputs(self, v: np.ndarray) -> list[np.ndarray]:
        """Every layer's outputs for first-layer voltages ``v`` (B, I): a list of (B, O)."""
        outputs = []
        for layer in self.layers:
            v = layer.forward(v)
            outputs.append(v)
        return outputs

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Logits (B, O) for inputs ``x`` (B, I) in input units."""
        return self.forward_volts(self.dac_volts(x))

    def out_of_range(self, v: np.ndarray) -> float:
        """Share of hidden diode voltages outside the measured range of any device, for ``v``.

        ``v`` (B, I) are first-layer voltages; counted over images, hidden nodes and layers.
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
        """The same function without norms: BatchNorm folded into the layer before it, exactly."""
        layers = list(self.layers)
        for k in range(1, len(layers)):
            scale, shift = layers[k].norm_scale, layers[k].norm_shift
            if scale is None or shift is None:
                continue
            before = layers[k - 1]
            layers[k - 1] = replace(
                before, theta=before.theta * scale[None, :, None], bias=before.bias * scale + shift
            )
            layers[k] = replace(layers[k], norm_scale=None, norm_shift=None)
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
            raise CheckpointError(f"{path} has format {meta['format']!r}, not {FORMAT}")
        return _unpack(arrays, meta)
    except CheckpointError:
        raise
    except (AnalogKanError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a network file: {error}") from error


def _pack(spec: NetworkSpec) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    arrays: dict[str, np.ndarray] = {}
    layers = []
    for k, layer in enumerate(spec.layers):
        for name in ("theta", "bias", "norm_scale", "norm_shift"):
            array = getattr(layer, name)
            if array is not None:
                arrays[f"l{k}_{name}"] = array
        for d, curve in enumerate(layer.curves):
            arrays[f"l{k}_d{d}_v"], arrays[f"l{k}_d{d}_i"] = curve.v, curve.i
        layers.append(
            {
                "curves": [[c.name, c.source] for c in layer.curves],
                "squash": [layer.squash.kind, layer.squash.v_lo, layer.squash.v_hi],
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
            IVCurve(name, arrays[f"l{k}_d{d}_v"], arrays[f"l{k}_d{d}_i"], source)
            for d, (name, source) in enumerate(entries)
        )

    layers = tuple(
        LayerSpec(
            theta=arrays[f"l{k}_theta"],
            bias=arrays[f"l{k}_bias"],
            curves=curves(k, entry["curves"]),
            squash=Squash(**dict(zip(("kind", "v_lo", "v_hi"), entry["squash"], strict=True))),
            norm_scale=arrays.get(f"l{k}_norm_scale"),
            norm_shift=arrays.get(f"l{k}_norm_shift"),
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
