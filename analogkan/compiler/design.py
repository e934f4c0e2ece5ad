"""Design: a circuit as arrays. What is emitted, verified, perturbed and simulated.

Axes: I inputs, D diodes, O outputs; R = I * D + bias rows; physical lines 2 O, interleaved.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import cells
from ..devices import IVCurve
from ..devices.thermal import with_law
from ..errors import AnalogKanError, CompileError, NetlistError
from ..files import brief, read_npz, write_npz
from ..network.dropped import without_rows
from ..network.spec import NetworkSpec
from ..network.squash import Norm, Squash
from ..objects import Described, Facts
from ..threads import one_blas_thread
from .bandwidth import groups_of, share_out
from .chip import StageErrors
from .design_entries import META, check_design
from .front import Front, build_front, dac_front
from .gains import line_drive, reach_of, row_feedback, size_gains
from .hardware import Hardware
from .mapping import map_layer, raised_by_bias
from .readout import DIFFERENCES, READOUTS, ReadOut
from .stability import driven_range, stabilise
from .wires import forecast

ARRAYS = ("g", "r_f", "c_f", "r_c", "gain", "unit", "alpha", "gbw")
"""Fields of a stage that are arrays of positive numbers."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossbarStage:
    """One layer in hardware: front, diodes and row amplifiers, crossbar, column amplifiers.

    Attributes
    ----------
    curves
        The D diode types of every input, with the tables at other temperatures that the deck has.
    front
        The cells between the stage before and the diodes.
    g
        (R, 2 O) siemens; 0 where there is no cell.
    r_f
        (I, D) ohms, feedback of the row amplifiers: a row is at -r_f I_d(v), which is -V_fs phi, or
        near it where resistors are of standard values.
    c_f
        (D,) farads beside them.
    r_c
        (2 O,) ohms, feedback of the line amplifiers; of a summing read-out each pair's r_f and r_n.
    gain
        (O,) of the difference amplifiers; of a summing read-out r_n / r_x.
    unit
        (O,) volts at the outputs per unit of y.
    alpha
        (O,) volts per siemens of the mapping: at a row of -V_fs phi, theta = alpha (G+ - G-).
    gbw
        (3,) hertz, the gain-bandwidth product of row, line and difference amplifiers.
    n_bias
        Bias rows, the last ones.
    stability
        Margins, see ``stability.Stability.summary``.
    errors
        What one chip's cells differ in from the design's; None in a design.
    readout
        How the two lines of a pair become an output.
    """

    curves: tuple[IVCurve, ...]
    front: Front
    g: np.ndarray
    r_f: np.ndarray
    c_f: np.ndarray
    r_c: np.ndarray
    gain: np.ndarray
    unit: np.ndarray
    alpha: np.ndarray
    gbw: np.ndarray
    n_bias: int
    stability: dict[str, float | None]
    errors: StageErrors | None = None
    readout: ReadOut = DIFFERENCES

    @property
    def line_gbw(self) -> np.ndarray:
        """(2 O,) hertz of lines' op-amps: of outputs the positive ones of a summing read-out."""
        positive = 1 if self.readout.differences else 2
        return np.tile([self.gbw[positive], self.gbw[1]], self.gain.size)

    @property
    def n_diffs(self) -> int:
        """How many difference amplifiers there are."""
        return self.gain.size if self.readout.differences else 0

    @property
    def r_x(self) -> np.ndarray:
        """(O,) ohms from negative lines to positive ones, of a summing read-out."""
        return self.r_c[1::2] / self.gain

    @property
    def shape(self) -> tuple[int, int, int]:
        """(I, O, D)."""
        return self.r_f.shape[0], self.gain.size, self.r_f.shape[1]

    @property
    def kept(self) -> np.ndarray:
        """(I, D) whether a row has cells: one that has none has no diode and amplifier either."""
        return np.asarray(self.g[: self.r_f.size].any(axis=1)).reshape(self.r_f.shape)

    @property
    def there(self) -> np.ndarray:
        """(R,) which rows the circuit has: those that are kept, and the bias rows."""
        return np.concatenate([self.kept.ravel(), np.ones(self.n_bias, bool)])

    @property
    def driven(self) -> np.ndarray:
        """(I,) whether an input has a diode at all: without one it has no DAC and no cell that
        drives it."""
        return np.asarray(self.kept.any(axis=1))


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Design(Described):
    """A whole circuit.

    Attributes
    ----------
    name
        Of the network.
    hardware
        What it was built from.
    stages
        In the order of the signal.
    notes
        Sentences a designer should read.

    Examples
    --------
    >>> design = ak.load_build("mnist-d2.build").design
    >>> [stage.shape[:2] for stage in design.stages]
    [(196, 64), (64, 10)]
    """

    name: str
    hardware: Hardware
    stages: tuple[CrossbarStage, ...]
    notes: tuple[str, ...] = ()

    @property
    def noisy(self) -> bool:
        """Whether a read of the same image gives another answer."""
        return any(s.errors is not None and s.errors.noise is not None for s in self.stages)

    def _described(self) -> tuple[str, Facts]:
        shapes = ", ".join(f"{stage.shape[0]} to {stage.shape[1]}" for stage in self.stages)
        return self.name, [("stages", shapes), ("notes", str(len(self.notes)))]

    @property
    def v_per_logit(self) -> float:
        """Volts of the last outputs per logit: the scale of the read-out."""
        return float(self.stages[-1].unit[0])


def build_design(spec: NetworkSpec, hardware: Hardware) -> Design:
    """``map_design``, whose notes also forecast what wires take."""
    design = map_design(spec, hardware)
    if not hardware.wired:
        return design
    forecasts = (forecast(k, stage.g, hardware) for k, stage in enumerate(design.stages))
    return dataclasses.replace(design, notes=(*design.notes, *forecasts))


@one_blas_thread
def map_design(spec: NetworkSpec, hardware: Hardware, phi: np.ndarray | None = None) -> Design:
    """Map ``spec`` onto ``hardware``; gains come from its calibration inputs.

    Without calibration inputs gains are sized for the worst case, every phi at its extreme: no
    line can pass its headroom, at the price of small signals. The design's notes say so. ``phi``
    (N, I D) of the first layer for these inputs saves evaluating it.

    Raises
    ------
    CompileError
        If a diode node or its row amplifier would not be stable, or a layer is a convolution.
    """
    if spec.convolutional:
        raise CompileError(
            f"{spec.name} has convolutions, whose maps are held between circuits: compile it with "
            "held stages (--held, or held=... in Python)"
        )
    spec, gone = without_rows(spec, hardware.drop_rows)
    layers = spec.layers
    notes = []
    if hardware.amplifier.boxed and not hardware.amplifier.macro:
        rows = hardware.opamps.get(cells.OPAMPS["row amplifier"], hardware.opamp)
        notes.append(
            f"op-amp {rows} is a black box: rows' capacitors are sized for gbw = "
            f"{hardware.gbw:g} Hz as it is set"
        )
    volts = None
    if spec.calibration is not None and len(spec.calibration):
        volts = spec.dac_volts(spec.calibration)
        volts = layers[0].diode_volts(volts) if spec.held else volts
    else:
        notes.append("no calibration images: gains are sized for the worst case, signals are small")
    parts: list[dict[str, Any]] = []
    reaches: list[tuple[float, float]] = []
    for k, layer in enumerate(layers):
        after = layers[k + 1] if k + 1 < len(layers) else None
        r_f, shares = row_feedback(layer.curves, hardware, k)
        theta = layer.theta / shares
        mapped = map_layer(theta, layer.bias, hardware)
        raised = raised_by_bias(mapped, theta, hardware)
        if raised:
            notes.append(
                f"layer {k}: the bias of {raised} of {layer.bias.size} outputs would need more "
                f"than {hardware.max_bias_rows} bias rows, so their coefficients use less of the "
                "range"
            )
        if phi is None and volts is not None:
            phi = layer.phi(volts).reshape(len(volts), -1)
        drive = line_drive(layer, phi, mapped.g, shares * hardware.v_fs, hardware.v_fs)
        y = None if phi is None else layer.summed(phi)
        reach = reach_of(layer) if y is None else float(np.abs(y).max())
        if after is not None and not after.squash.bends and after.norm is None:
            notes += _beyond_rails(k, reach, hardware, y is not None)
        volts, phi = after.diode_volts(y) if after is not None and y is not None else None, None
        load = mapped.g.sum(axis=0)
        made = size_gains(drive, load, mapped.alpha, reach, after, hardware, k)
        if hardware.series:
            mapped = map_layer(theta, layer.bias, hardware, made.alpha)
        notes += _left_out(k, theta, gone[k])
        front = dac_front()
        if parts or spec.held:
            unit_in = parts[-1]["unit"] if parts else np.ones(layer.n_in)
            front = build_front(layer.squash, layer.norm, unit_in, hardware)
        beyond = layer.squash.beyond(layer.curves)
        if beyond:
            notes.append(f"layer {k}: {beyond}: its end value holds there")
        dac = None if parts or spec.held else spec.dac_range()
        reaches.append(driven_range(layer.squash, dac))
        curves = (with_law(c, hardware.law_of(c), hardware.smear_width) for c in layer.curves)
        parts.append(
            {
                "curves": tuple(curves),
                "front": front,
                "g": mapped.g,
                "r_f": np.tile(r_f, (layer.theta.shape[0], 1)),
                "r_c": made.r_c,
                "gain": made.gain,
                "unit": made.unit,
                "alpha": mapped.alpha,
                "n_bias": mapped.n_bias,
            }
        )
    stages = _stable_stages(parts, reaches, hardware)
    return Design(name=spec.name, hardware=hardware, stages=stages, notes=tuple(notes))


def _stable_stages(
    parts: list[dict[str, Any]], reaches: list[tuple[float, float]], hardware: Hardware
) -> tuple[CrossbarStage, ...]:
    """Stages of all but their amplifiers' bandwidths, which are shared out over all of them, and
    of what follows from these."""
    readout = READOUTS[hardware.readout]
    groups = [
        groups_of(part["curves"], part["r_f"], part["g"], part["r_c"], part["gain"], readout)
        for part in parts
    ]
    stages = []
    for k, (part, reach, gbw) in enumerate(
        zip(parts, reaches, share_out(groups, hardware), strict=True)
    ):
        stable = stabilise(part["curves"], reach, hardware, k, float(gbw[0]))
        own = {"c_f": stable.c_f, "gbw": gbw, "stability": stable.summary(), "readout": readout}
        stages.append(CrossbarStage(**part, **own))
    return tuple(stages)


def _left_out(layer: int, theta: np.ndarray, gone: float) -> list[str]:
    """A note if rows of ``theta`` (I, O, D) have no coefficients."""
    absent = ~theta.any(axis=1)
    if not absent.any() or absent.all():
        return []
    why = f"they gave {gone:.3g} of the variance" if gone else "they move no output"
    return [f"layer {layer}: {absent.sum()} of {absent.size} rows are left out ({why})"]


def _beyond_rails(layer: int, reach: float, hardware: Hardware, measured: bool) -> list[str]:
    """A note if hidden nodes leave the supplies on the calibration images."""
    if not measured or reach <= hardware.v_rail:
        return []
    return [
        f"hidden nodes of layer {layer} reach {reach:.2f} V on the calibration images, but the "
        f"rails are at {hardware.v_rail:g} V: train with a range penalty or a squash"
    ]


def save_design(design: Design, path: Path) -> None:
    """Write every array and setting to one npz file."""
    arrays: dict[str, np.ndarray] = {}
    stages = []
    for k, stage in enumerate(design.stages):
        for name in ARRAYS:
            arrays[f"l{k}_{name}"] = getattr(stage, name)
        arrays[f"l{k}_attenuation"] = stage.front.attenuation
        if stage.front.norm is not None:
            arrays[f"l{k}_norm_scale"] = stage.front.norm.scale
            arrays[f"l{k}_norm_shift"] = stage.front.norm.shift
        for d, curve in enumerate(stage.curves):
            arrays[f"l{k}_d{d}_v"], arrays[f"l{k}_d{d}_i"] = curve.v, curve.i
            arrays[f"l{k}_d{d}_temps_c"] = np.array(curve.temps_c)
            arrays[f"l{k}_d{d}_i_at"] = curve.i_at
        stages.append(
            {
                "curves": [curve.name for curve in stage.curves],
                "squash": dataclasses.asdict(stage.front.squash),
                "r_load": stage.front.r_load,
                "norm_eps": None if stage.front.norm is None else stage.front.norm.eps,
                "stability": stage.stability,
                "n_bias": stage.n_bias,
            }
        )
    meta = {
        "name": design.name,
        "hardware": dataclasses.asdict(design.hardware),
        "notes": list(design.notes),
        "stages": stages,
    }
    write_npz(path, {"meta": np.array(json.dumps(meta, sort_keys=True)), **arrays})


def load_design(path: Path) -> Design:
    """Read what ``save_design`` wrote; NetlistError if it cannot be."""
    try:
        arrays = read_npz(path)
        meta = json.loads(str(arrays.pop("meta")))
        META.check(meta, "")
        hardware = Hardware(**meta["hardware"])
        if not hardware.gbw_by_stage:  # a design from before there was a choice lacks them
            for k in range(len(meta["stages"])):
                arrays.setdefault(f"l{k}_gbw", np.full(3, hardware.gbw))
        check_design(arrays, meta)
        own: list[dict[str, Any]] = [
            {name: arrays[f"l{k}_{name}"] for name in ARRAYS} for k in range(len(meta["stages"]))
        ]
        stages = tuple(
            CrossbarStage(
                curves=tuple(
                    _curve(arrays, name, f"l{k}_d{d}_") for d, name in enumerate(entry["curves"])
                ),
                front=_front(arrays, entry, k),
                stability=entry["stability"],
                n_bias=entry["n_bias"],
                readout=READOUTS[hardware.readout],
                **own[k],
            )
            for k, entry in enumerate(meta["stages"])
        )
        return Design(
            name=meta["name"],
            hardware=hardware,
            stages=stages,
            notes=tuple(meta["notes"]),
        )
    except (AnalogKanError, ValueError, KeyError, TypeError, RecursionError) as error:
        said = brief(error)
        raise NetlistError(f"{path} is damaged: compile the model again ({said})") from error


def _curve(arrays: dict[str, np.ndarray], name: str, prefix: str) -> IVCurve:
    temps, currents = arrays[prefix + "temps_c"].tolist(), arrays[prefix + "i_at"]
    temperatures = tuple(zip(temps, currents, strict=True))
    return IVCurve(name, arrays[prefix + "v"], arrays[prefix + "i"], temperatures=temperatures)


def _front(arrays: dict[str, np.ndarray], entry: dict[str, Any], k: int) -> Front:
    norm = None
    if entry["norm_eps"] is not None:
        scale, shift = arrays[f"l{k}_norm_scale"], arrays[f"l{k}_norm_shift"]
        norm = Norm(kind="layer", scale=scale, shift=shift, eps=entry["norm_eps"])
    return Front(
        squash=Squash(**entry["squash"]),
        norm=norm,
        attenuation=arrays[f"l{k}_attenuation"],
        r_load=entry["r_load"],
    )
