"""Design: a circuit as arrays. What is emitted, verified, perturbed and simulated.

Axes: I inputs, D diodes, O outputs; R = I * D + bias rows; physical lines 2 O, interleaved.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..devices import IVCurve
from ..errors import AnalogKanError, NetlistError
from ..files import read_npz, write_npz
from ..network.spec import LayerSpec, NetworkSpec, Squash
from .hardware import Hardware
from .mapping import map_layer


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossbarStage:
    """One layer in hardware: squash cells, diodes and row amplifiers, crossbar, column amplifiers.

    Attributes
    ----------
    curves
        The D diode types of every input.
    squash
        The cell between the stage before and the diodes; at the first stage the DAC's business.
    g
        (R, 2 O) siemens.
    r_f
        (I, D) ohms, feedback of the row amplifiers: a row is at -r_f I_d(v) = -V_fs phi.
    r_c
        (2 O,) ohms, feedback of the line amplifiers.
    gain
        (O,) of the difference amplifiers.
    alpha
        (O,) volts per siemens of the mapping.
    n_bias
        Bias rows, the last ones.
    clipped
        Coefficients cut by the conductance range.
    """

    curves: tuple[IVCurve, ...]
    squash: Squash
    g: np.ndarray
    r_f: np.ndarray
    r_c: np.ndarray
    gain: np.ndarray
    alpha: np.ndarray
    n_bias: int
    clipped: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(I, O, D)."""
        return self.r_f.shape[0], self.gain.size, self.r_f.shape[1]


@dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """A whole circuit.

    Attributes
    ----------
    name
        Of the network.
    hardware
        What it was built from.
    stages
        In the order of the signal.
    v_per_logit
        Volts of the last difference amplifiers per logit: the scale of the read-out.
    notes
        Sentences a designer should read.
    """

    name: str
    hardware: Hardware
    stages: tuple[CrossbarStage, ...]
    v_per_logit: float
    notes: tuple[str, ...] = ()


def build_design(spec: NetworkSpec, hardware: Hardware) -> Design:
    """Map ``spec`` onto ``hardware``; gains come from its calibration inputs.

    Without calibration inputs gains are sized for the worst case, every phi at its extreme: no
    line can pass its headroom, at the price of small signals. The design's notes say so.
    """
    folded = spec.folded()
    notes = []
    volts = None
    if spec.calibration is not None and len(spec.calibration):
        volts = spec.dac_volts(spec.calibration)
    else:
        notes.append("no calibration images: gains are sized for the worst case, signals are small")
    stages = []
    for k, layer in enumerate(folded.layers):
        last = k == len(folded.layers) - 1
        mapped = map_layer(layer.theta, layer.bias, hardware)
        raised = int((mapped.alpha * _span(hardware) > 1.01 * _largest(layer.theta)).sum())
        if raised:
            notes.append(
                f"layer {k}: the bias of {raised} of {layer.bias.size} outputs would need more "
                f"than {hardware.max_bias_rows} bias rows, so their coefficients use less of the "
                "range"
            )
        drive = _line_drive(layer, volts, mapped.g, mapped.n_bias, hardware.v_fs)
        limit = hardware.headroom * hardware.v_rail
        r_c = limit / drive.reshape(-1, 2).max(axis=1)
        if last:  # one scale for all logits, so that their order is that of the voltages
            r_c = (r_c / mapped.alpha).min() * mapped.alpha
        gamma = r_c * hardware.v_fs / mapped.alpha
        r_f = [hardware.v_fs / curve.i_peak for curve in layer.curves]
        stages.append(
            CrossbarStage(
                curves=layer.curves,
                squash=layer.squash,
                g=mapped.g,
                r_f=np.tile(r_f, (layer.theta.shape[0], 1)),
                r_c=np.repeat(r_c, 2),
                gain=np.ones_like(gamma) if last else 1.0 / gamma,
                alpha=mapped.alpha,
                n_bias=mapped.n_bias,
                clipped=mapped.clipped,
            )
        )
        if volts is not None:
            volts = layer.forward(volts)
            reach = float(np.abs(volts).max())
            if not last and reach > hardware.v_rail:
                notes.append(
                    f"hidden nodes of layer {k} reach {reach:.2f} V on the calibration images, but "
                    f"the rails are at {hardware.v_rail:g} V: train with a range penalty or a clamp"
                )
    return Design(
        name=spec.name,
        hardware=hardware,
        stages=tuple(stages),
        v_per_logit=float(gamma[0]),
        notes=tuple(notes),
    )


def _span(hardware: Hardware) -> float:
    return hardware.g_max - hardware.g_min


def _largest(theta: np.ndarray) -> np.ndarray:
    """Largest |theta| of each output, (O,); infinite for an output without coefficients."""
    largest = np.abs(theta).max(axis=(0, 2))
    return np.where(largest > 0, largest, np.inf)


def _line_drive(
    layer: LayerSpec, volts: np.ndarray | None, g: np.ndarray, n_bias: int, v_fs: float
) -> np.ndarray:
    """Largest current each line carries, amperes, (2 O,): on ``volts`` (N, I) or at worst."""
    if volts is None:
        extreme = [max(abs(c.i.min()), c.i_peak) / c.i_peak for c in layer.curves]
        phi = np.tile(extreme, layer.theta.shape[0])[None]
    else:
        phi = layer.phi(layer.diode_volts(volts)).reshape(len(volts), -1)
    rows = np.concatenate([phi, np.ones((len(phi), n_bias))], axis=1)
    return v_fs * np.abs(rows @ g).max(axis=0)


def element_counts(design: Design) -> dict[str, int]:
    """How many of each element the deck has, hierarchy flattened."""
    kinds = ("crossbar_resistors", "diodes", "op_amps", "amplifier_resistors", "clamps", "tiles")
    counts: dict[str, int] = dict.fromkeys(kinds, 0)
    hw = design.hardware
    for k, stage in enumerate(design.stages):
        n_in, n_out, n_dev = stage.shape
        rows, lines = stage.g.shape
        counts["crossbar_resistors"] += stage.g.size
        counts["diodes"] += n_in * n_dev
        counts["op_amps"] += n_in * n_dev + 3 * n_out
        counts["amplifier_resistors"] += n_in * n_dev + 2 * n_out + 4 * n_out
        counts["clamps"] += n_in if k and stage.squash.kind == "clamp" else 0
        counts["tiles"] += -(-rows // hw.tile_rows) * -(-lines // hw.tile_cols)
    return counts


def save_design(design: Design, path: Path) -> None:
    """Write every array and setting to one npz file."""
    arrays: dict[str, np.ndarray] = {}
    stages = []
    for k, stage in enumerate(design.stages):
        for name in ("g", "r_f", "r_c", "gain", "alpha"):
            arrays[f"l{k}_{name}"] = getattr(stage, name)
        for d, curve in enumerate(stage.curves):
            arrays[f"l{k}_d{d}_v"], arrays[f"l{k}_d{d}_i"] = curve.v, curve.i
        stages.append(
            {
                "curves": [curve.name for curve in stage.curves],
                "squash": dataclasses.asdict(stage.squash),
                "n_bias": stage.n_bias,
                "clipped": stage.clipped,
            }
        )
    meta = {
        "name": design.name,
        "hardware": dataclasses.asdict(design.hardware),
        "v_per_logit": design.v_per_logit,
        "notes": list(design.notes),
        "stages": stages,
    }
    write_npz(path, {"meta": np.array(json.dumps(meta, sort_keys=True)), **arrays})


def load_design(path: Path) -> Design:
    """Read what ``save_design`` wrote; NetlistError if it cannot be."""
    try:
        arrays = read_npz(path)
        meta = json.loads(str(arrays.pop("meta")))
        stages = tuple(
            CrossbarStage(
                curves=tuple(
                    IVCurve(name, arrays[f"l{k}_d{d}_v"], arrays[f"l{k}_d{d}_i"])
                    for d, name in enumerate(entry["curves"])
                ),
                squash=Squash(**entry["squash"]),
                n_bias=entry["n_bias"],
                clipped=entry["clipped"],
                **{name: arrays[f"l{k}_{name}"] for name in ("g", "r_f", "r_c", "gain", "alpha")},
            )
            for k, entry in enumerate(meta["stages"])
        )
        return Design(
            name=meta["name"],
            hardware=Hardware(**meta["hardware"]),
            stages=stages,
            v_per_logit=meta["v_per_logit"],
            notes=tuple(meta["notes"]),
        )
    except (AnalogKanError, ValueError, KeyError, TypeError) as error:
        raise NetlistError(f"{path} is damaged: compile the model again ({error})") from error
