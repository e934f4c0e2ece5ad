"""SPICE, second half: layers, stimuli, the top of a deck, sweeps. A Design becomes text.

The same Design gives the same bytes: nothing here depends on time, place or chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..network.squash import Norm
from .chip import OpAmpErrors
from .design import CrossbarStage, Design
from .front import Front
from .hardware import Hardware
from .names import StageNames, logits
from .spice_cells import (
    TEMPERATURE_C,
    diode_name,
    format_comment,
    format_number,
    format_wrapped,
    has_transistors,
)
from .spice_tiles import format_crossbar

SOLVER_OPTIONS = "reltol=1e-6 vntol=1e-9 abstol=1e-15"
"""Newton must not stop across a kink of a PWL curve: at the default tolerances it does, to 4e-6 of
full scale; at these the worst is 3e-8, for no more iterations."""

TRANSISTOR_OPTION = "gmin=1e-18"
"""Where there are transistors: ngspice's own gmin across their junctions moves logits by 4e-6. An
op-amp of transistors, which errs by more, has no solution without it."""

TOP = ("stimulus.cir", "network.cir")
"""What a sweep over images has its own of."""
FILES = ("cells.cir", *TOP)
"""Files of every deck beside its ``layer<k>.cir``."""


def layer_file(layer: int) -> str:
    """Name of a layer's file in the deck."""
    return f"layer{layer}.cir"


# ---- a layer


def write_layer(design: Design, layer: int, temp_c: float = TEMPERATURE_C) -> str:
    """``layer<k>.cir``: tiles as subcircuits, then rows, tiles and columns as instances.

    Reduced wires are what they are at ``temp_c``.
    """
    stage, names = design.stages[layer], StageNames(design, layer)
    n_in, n_out, n_dev = stage.shape
    devices = ", ".join(curve.name for curve in stage.curves)
    parts = [
        format_comment(
            f"Layer {layer}: {n_in} inputs, {n_dev} diodes each ({devices}), {n_out} outputs, "
            f"{stage.n_bias} bias rows; crossbar of {len(stage.g)} rows by {2 * n_out} lines."
        ),
        "",
    ]
    crossbar = format_crossbar(stage, names, design.hardware, temp_c)
    parts += crossbar.subcircuits
    if stage.front.norm is not None:
        parts += ["* LayerNorm: mean, variance, reciprocal spread; then each input's output."]
        parts += _layernorm(stage.front.norm, names)
    if stage.front.squash.kind != "none":
        parts += ["* Squash cells: hidden nodes to diode voltages."]
        parts += _squash_cells(stage.front, names, design.hardware)
    parts += ["* Rows: a diode into a transimpedance amplifier puts -V_fs * phi on its row."]
    rails = _rails(design.hardware)
    parts += _row_drivers(stage, names, *rails)
    if stage.n_bias:
        parts += ["* Bias rows, at -V_fs whatever the input."]
        dc = format_number(-design.hardware.v_fs)
        parts += [f"v_{row} {row} 0 dc {dc}" for row in names.rows()[n_in * n_dev :]]
    parts += ["* Tiles: rows on the left, the feet of the lines at the summing nodes."]
    parts += crossbar.instances
    parts += ["* Columns: an amplifier per line; the difference of a pair is the output."]
    parts += _columns(stage, names, *rails)
    return "\n".join(parts) + "\n"


def _rails(hardware: Hardware) -> tuple[str, str]:
    """What op-amps with rails add to a cell's name and to its instances."""
    if not hardware.rails:
        return "", ""
    return "_rails", f" vr={format_number(hardware.v_rail)}"


def _layernorm(norm: Norm, names: StageNames) -> Iterable[str]:
    mean, square, rms = names.shared()
    for net in names.sources():
        yield f"x_{names.prefix}{net}_ln {net} {mean} {square} layernorm_input"
    yield f"x_{names.prefix}ln {square} {rms} layernorm_core eps={format_number(norm.eps)}"
    for net, out, scale, shift in zip(
        names.sources(), names.normed(), norm.scale, norm.shift, strict=True
    ):
        affine = f"scale={format_number(scale)} shift={format_number(shift)}"
        yield f"x_{out}_ln {net} {mean} {rms} {out} layernorm_output {affine}"


def _squash_cells(front: Front, names: StageNames, hardware: Hardware) -> Iterable[str]:
    kind = front.squash.cell
    for i, (x, v) in enumerate(zip(names.normed(), names.inputs(), strict=True)):
        params = front.params(front.attenuation[i] if kind.sloped else 1.0, hardware)
        settings = (f"{p.name}={format_number(params[p.name])}" for p in kind.params)
        yield " ".join([f"x_{v} {x} {v} {kind.name}", *settings])


def _row_drivers(stage: CrossbarStage, names: StageNames, suffix: str, limit: str) -> Iterable[str]:
    rows = iter(names.rows())
    e = stage.errors
    for i, source in enumerate(names.inputs()):
        for d, curve in enumerate(stage.curves):
            row, own = next(rows), ""
            if e is not None:
                k_i, k_v, d_v = (format_number(f[i, d]) for f in (e.k_i, e.k_v, e.d_v))
                own = f" ki={k_i} kv={k_v} dv={d_v}"
            yield f"x_{row}_diode {source} {row}_sum {diode_name(curve)}{own}"
            feedback = f"rf={format_number(stage.r_f[i, d])} cf={format_number(stage.c_f[d])}"
            errors = _opamp(e and e.rows, (i, d))
            yield f"x_{row}_amp {row}_sum {row} row_amp{suffix} {feedback}{limit}{errors}"


def _opamp(errors: OpAmpErrors | None, at: tuple[int, ...]) -> str:
    """What an op-amp's errors add to its cell's instance."""
    if errors is None:
        return ""
    gain, offset, drift = (format_number(f[at]) for f in (errors.gain, errors.offset, errors.drift))
    return f" a={gain} vos={offset} drift={drift}"


def _columns(stage: CrossbarStage, names: StageNames, suffix: str, limit: str) -> Iterable[str]:
    lines, e = names.lines(), stage.errors
    for k, (line, total) in enumerate(zip(lines, names.sums(), strict=True)):
        own = f"rf={format_number(stage.r_c[k])}{limit}{_opamp(e and e.lines, (k,))}"
        yield f"x_{line}_tia {total} {line} tia{suffix} {own}"
    for o, (y, p, n) in enumerate(zip(names.outputs(), lines[0::2], lines[1::2], strict=True)):
        own = f"gain={format_number(stage.gain[o])}{limit}{_opamp(e and e.diffs, (o,))}"
        yield f"x_{y}_diff {p} {n} {y} diff_amp{suffix} {own}"


# ---- stimuli and the top


def write_stimulus(design: Design, volts: np.ndarray) -> str:
    """``stimulus.cir``: one image's voltages (I,) as DC sources."""
    nets = StageNames(design, 0).sources()
    lines = [format_comment("The input DACs, set to image 0: one source per input.")]
    lines += [f"v_{net} {net} 0 dc {format_number(v)}" for net, v in zip(nets, volts, strict=True)]
    return "\n".join(lines) + "\n"


def write_network(design: Design, title: str, expected: Sequence[float]) -> str:
    """``network.cir``: the top of the deck, which plain ngspice runs."""
    nets = logits(design)
    said = " ".join(f"{net}={float(v):.6g}" for net, v in zip(nets, expected, strict=True))
    parts = [
        format_comment(f"analogkan: {title}"),
        format_comment("Run it:  ngspice -b network.cir     It prints the logits of image 0."),
        format_comment(f"The software's: {said}"),
        "",
        ".include cells.cir",
        *(f".include {layer_file(k)}" for k in range(len(design.stages))),
        ".include stimulus.cir",
        "",
        format_comment(f"Read-out: volts to logits, {design.v_per_logit:.6g} V a logit."),
        *format_read_out(design),
        "",
        *format_options(design),
        "",
        ".control",
        "op",
        *(f"print v({net})" for net in nets),
        *("if $?batchmode", "quit", "end"),  # without it ngspice 39 exits with 1
        ".endc",
        ".end",
    ]
    return "\n".join(parts) + "\n"


def format_read_out(design: Design) -> list[str]:
    """A source per class that turns volts into logits."""
    outputs = StageNames(design, len(design.stages) - 1).outputs()
    scale = format_number(1.0 / design.v_per_logit)
    return [
        f"e_{net} {net} 0 {y} 0 {scale}" for net, y in zip(logits(design), outputs, strict=True)
    ]


def format_options(design: Design, temp_c: float = TEMPERATURE_C) -> list[str]:
    """Temperature and solver; ``klu`` is ignored by an ngspice that does not have it."""
    temps = f"temp={format_number(temp_c)} tnom={format_number(TEMPERATURE_C)}"
    return [f".option {temps}", f".option {get_solver(design)}", ".option klu"]


def get_solver(design: Design) -> str:
    """Solver options of a design's decks."""
    exact = has_transistors(design) and design.hardware.amplifier.gain
    return SOLVER_OPTIONS + (f" {TRANSISTOR_OPTION}" if exact else "")


def write_batch(
    design: Design,
    volts: np.ndarray,
    probes: Sequence[str],
    *,
    descending: bool = False,
    temp_c: float = TEMPERATURE_C,
    noise: Sequence[np.ndarray] = (),
) -> str:
    """A deck that runs ``volts`` (n, I), n at least 2, as one DC sweep of an index source.

    The index goes from 0 to n - 1, or down; each input is a table of its n voltages over it.
    ``probes`` are the nets whose voltages are saved. ``noise`` is, for each stage, the currents
    (n, 2 O) in amperes that flow into the lines' summing nodes.
    """
    n = len(volts)
    if n < 2:
        raise ValueError("a sweep needs two points: a pwl source of one point does not converge")
    lines = [
        format_comment(f"{design.name}: {n} images as one sweep"),
        ".include cells.cir",
        *(f".include {layer_file(k)}" for k in range(len(design.stages))),
        *format_read_out(design),
        "v_index index 0 dc 0",
    ]
    for net, column in zip(StageNames(design, 0).sources(), volts.T, strict=True):
        if (column == column[0]).all():
            lines.append(f"v_{net} {net} 0 dc {format_number(column[0])}")
        else:
            lines.append(format_wrapped(f"b_{net} {net} 0 v=pwl(v(index),", _sweep(column)))
    for k, currents in enumerate(noise):
        for net, column in zip(StageNames(design, k).sums(), currents.T, strict=True):
            source = f"b_{net}_noise 0 {net} i=pwl(v(index),"
            lines.append(format_wrapped(source, _sweep(column)))
    start, stop, step = (n - 1, 0, -1) if descending else (0, n - 1, 1)
    lines += [
        *format_options(design, temp_c),
        format_wrapped(".save v(index)", [f"v({probe})" for probe in probes]),
        f".dc v_index {start} {stop} {step}",
        ".end",
    ]
    return "\n".join(lines) + "\n"


def _sweep(column: np.ndarray) -> list[str]:
    """The words of a table over the index, and the closing bracket."""
    points = [f"{k}, {format_number(v)}," for k, v in enumerate(column)]
    return [*points[:-1], points[-1][:-1] + ")"]
