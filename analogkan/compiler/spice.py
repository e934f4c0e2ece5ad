"""SPICE: the one module that knows its syntax for writing. A Design becomes text.

``write_*`` return the text of a file, ``format_*`` a piece of it. The same Design gives the same
bytes: nothing here depends on time, place or chance. Names come from indices and checked device
names, numbers from ``format_number``; no other text reaches a line that ngspice executes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .. import resources
from ..devices import IVCurve
from ..network.squash import Norm
from .design import CrossbarStage, Design
from .front import Front
from .hardware import Hardware
from .names import StageNames, logits, padded

TEMPERATURE_C = 26.85
"""300 K. ngspice's own default is 27 degrees, so every deck says this."""

SOLVER_OPTIONS = "reltol=1e-6 vntol=1e-9 abstol=1e-15"
"""Newton must not stop across a kink of a PWL curve: at the default tolerances it does, to 4e-6 of
full scale; at these the worst is 3e-8, for no more iterations."""

TRANSISTOR_OPTION = "gmin=1e-18"
"""Where there are transistors: ngspice's own gmin across their junctions moves logits by 4e-6."""

NPN_IS = 1e-16
"""Amperes, saturation current of the pairs' transistors; it cancels. Assumed."""

FILES = ("cells.cir", "stimulus.cir", "network.cir")
"""Files of every deck beside its ``layer<k>.cir``."""


def format_number(x: float) -> str:
    """The shortest text that reads back as exactly ``x``."""
    if not np.isfinite(x):
        raise ValueError(f"{x} cannot stand in a netlist")
    return repr(float(x))


def format_wrapped(head: str, words: Sequence[str], tail: str = "") -> str:
    """``head``, the words on continuation lines of eight, and ``tail`` on one of its own."""
    lines = [head]
    lines += ["+ " + " ".join(words[k : k + 8]) for k in range(0, len(words), 8)]
    if tail:
        lines.append("+ " + tail)
    return "\n".join(lines)


def format_comment(text: str) -> str:
    """``text`` as comment lines, whatever it holds."""
    safe = "".join(c if c.isprintable() else " " for c in text)
    words, lines = safe.split(), ["*"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > 100:
            lines.append("*")
        lines[-1] += " " + word
    return "\n".join(lines)


def layer_file(layer: int) -> str:
    """Name of a layer's file in the deck."""
    return f"layer{layer}.cir"


# ---- cells and devices


def write_cells(design: Design) -> str:
    """``cells.cir``: the amplifier chosen, the cells used, the diodes."""
    hw = design.hardware
    parts = [format_comment("The cells this circuit is made of, and its diodes."), ""]
    folder = resources.path("netlists/cells")
    amplifier = "opamp_ideal" if hw.opamp == "ideal" else "opamp_gain"
    parts += [
        (folder / f"{cell}.lib").read_text(encoding="utf-8")
        for cell in [amplifier, *get_cells(design)]
    ]
    gain = "" if hw.opamp == "ideal" else f" gain={format_number(hw.opamp_gain)}"
    parts.append(
        "* opamp: the amplifier in every cell.\n"
        ".subckt opamp inp inn out\n"
        f"x1 inp inn out {amplifier}{gain}\n"
        ".ends opamp\n"
    )
    if has_transistors(design):
        bf, vaf = format_number(hw.npn_bf), format_number(hw.npn_vaf)
        parts.append(
            "* npn: the transistors of the pairs.\n"
            f".model npn npn(is={format_number(NPN_IS)} bf={bf} vaf={vaf})\n"
        )
    curves = {c.name.lower(): c for stage in design.stages for c in stage.curves}
    parts += [format_diode(curve) for _, curve in sorted(curves.items())]
    return "\n".join(parts)


def get_cells(design: Design) -> list[str]:
    """Names of the cells that a design uses, beside the op-amp."""
    rails = "_rails" if design.hardware.opamp == "rails" else ""
    fronts = [stage.front for stage in design.stages]
    cells = [f"row_amp{rails}", f"tia{rails}", f"diff_amp{rails}"]
    if any(front.norm is not None for front in fronts):
        cells += ["layernorm_input", "layernorm_core", "layernorm_output"]
    return cells + sorted({front.squash.kind for front in fronts} - {"none"})


def has_transistors(design: Design) -> bool:
    """Whether a stage has transistor pairs."""
    return any(stage.front.squash.bends for stage in design.stages)


def diode_name(curve: IVCurve) -> str:
    """Name of a device type's subcircuit."""
    return f"diode_{curve.name.lower()}"


def format_diode(curve: IVCurve) -> str:
    """A two-terminal device: a source whose current is the table, piecewise linear.

    ngspice extrapolates the last slope of ``pwl``, so one more point at each end, 1 V out and of
    the same current, makes the ends flat.
    """
    v = [curve.v[0] - 1.0, *curve.v, curve.v[-1] + 1.0]
    i = [curve.i[0], *curve.i, curve.i[-1]]
    points = ", ".join(f"{format_number(a)}, {format_number(b)}" for a, b in zip(v, i, strict=True))
    body = format_wrapped("b1 a c", f"i=pwl(v(a,c), {points})".split(" "))
    name = diode_name(curve)
    source = format_comment(f"{name}: {curve.name}, anode a, cathode c. {curve.source}")
    return f"{source}\n.subckt {name} a c\n{body}\n.ends {name}\n"


# ---- a layer


def write_layer(design: Design, layer: int) -> str:
    """``layer<k>.cir``: tiles as subcircuits, then rows, tiles and columns as instances."""
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
    tiles = list(_tiles(stage, names, design.hardware.tile_rows, design.hardware.tile_cols))
    parts += [text for text, _ in tiles]
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
    parts += [instance for _, instance in tiles]
    parts += ["* Columns: an amplifier per line; the difference of a pair is the output."]
    parts += _columns(stage, names, *rails)
    return "\n".join(parts) + "\n"


def _rails(hardware: Hardware) -> tuple[str, str]:
    """What op-amps with rails add to a cell's name and to its instances."""
    if hardware.opamp != "rails":
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
    squash, lo, hi = front.squash, front.squash.v_lo, front.squash.v_hi
    for i, (x, v) in enumerate(zip(names.normed(), names.inputs(), strict=True)):
        if squash.bends:
            pair = f"k={format_number(front.attenuation[i])}"
            start = f"lo={format_number(lo)}"
            if squash.kind == "tanh":
                start = f"mid={format_number(0.5 * (lo + hi))}"
            load = f"rl={format_number(front.r_load)} itail={format_number(hardware.i_tail)}"
            settings = f"{pair} {start} {load}"
        else:
            settings = f"lo={format_number(lo)} hi={format_number(hi)}"
        yield f"x_{v} {x} {v} {squash.kind} {settings}"


def _row_drivers(stage: CrossbarStage, names: StageNames, suffix: str, limit: str) -> Iterable[str]:
    rows = iter(names.rows())
    for i, source in enumerate(names.inputs()):
        for d, curve in enumerate(stage.curves):
            row = next(rows)
            yield f"x_{row}_diode {source} {row}_sum {diode_name(curve)}"
            feedback = f"rf={format_number(stage.r_f[i, d])} cf={format_number(stage.c_f[d])}"
            yield f"x_{row}_amp {row}_sum {row} row_amp{suffix} {feedback}{limit}"


def _tiles(
    stage: CrossbarStage, names: StageNames, tile_rows: int, tile_cols: int
) -> Iterable[tuple[str, str]]:
    """Each tile as (subcircuit text, instance text)."""
    row_ports, line_ports = names.row_ports(), names.line_ports()
    rows, sums = names.rows(), names.sums()
    across = padded(-(-len(line_ports) // tile_cols))
    for down, r in zip(
        padded(-(-len(rows) // tile_rows)), range(0, len(rows), tile_rows), strict=True
    ):
        for along, c in zip(across, range(0, len(sums), tile_cols), strict=True):
            tile = f"{names.prefix}tile_{down}_{along}"
            at, to = slice(r, r + tile_rows), slice(c, c + tile_cols)
            ports = row_ports[at] + line_ports[to]
            text = (
                format_wrapped(f".subckt {tile}", ports)
                + "\n"
                + format_resistors(row_ports[at], line_ports[to], stage.g[at, to])
                + f".ends {tile}\n"
            )
            yield text, format_wrapped(f"x_{tile}", rows[at] + sums[to], tile)


def format_resistors(rows: Sequence[str], lines: Sequence[str], g: np.ndarray) -> str:
    """A resistor per cell of ``g`` (rows, lines), siemens, named after its row and line."""
    template = "".join(f"r_@_{line} @ {line} %r\n" for line in lines)
    ohms = (1.0 / g).tolist()
    return "".join(
        template.replace("@", row) % tuple(values) for row, values in zip(rows, ohms, strict=True)
    )


def _columns(stage: CrossbarStage, names: StageNames, suffix: str, limit: str) -> Iterable[str]:
    lines = names.lines()
    for line, total, ohms in zip(lines, names.sums(), stage.r_c, strict=True):
        yield f"x_{line}_tia {total} {line} tia{suffix} rf={format_number(ohms)}{limit}"
    for y, p, n, gain in zip(names.outputs(), lines[0::2], lines[1::2], stage.gain, strict=True):
        yield f"x_{y}_diff {p} {n} {y} diff_amp{suffix} gain={format_number(gain)}{limit}"


# ---- stimuli and the top


def write_stimulus(design: Design, volts: np.ndarray) -> str:
    """``stimulus.cir``: one image's voltages (I,) as DC sources."""
    nets = StageNames(design, 0).inputs()
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


def format_options(design: Design) -> list[str]:
    """Temperature and solver; ``klu`` is ignored by an ngspice that does not have it."""
    t = format_number(TEMPERATURE_C)
    return [f".option temp={t} tnom={t}", f".option {get_solver(design)}", ".option klu"]


def get_solver(design: Design) -> str:
    """Solver options of a design's decks."""
    return SOLVER_OPTIONS + (f" {TRANSISTOR_OPTION}" if has_transistors(design) else "")


def write_batch(
    design: Design, volts: np.ndarray, probes: Sequence[str], *, descending: bool = False
) -> str:
    """A deck that runs ``volts`` (n, I), n at least 2, as one DC sweep of an index source.

    The index goes from 0 to n - 1, or down; each input is a table of its n voltages over it.
    ``probes`` are the nets whose voltages are saved.
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
    for net, column in zip(StageNames(design, 0).inputs(), volts.T, strict=True):
        if (column == column[0]).all():
            lines.append(f"v_{net} {net} 0 dc {format_number(column[0])}")
        else:
            points = [f"{k}, {format_number(v)}," for k, v in enumerate(column)]
            points[-1] = points[-1][:-1] + ")"
            lines.append(format_wrapped(f"b_{net} {net} 0 v=pwl(v(index),", points))
    start, stop, step = (n - 1, 0, -1) if descending else (0, n - 1, 1)
    lines += [
        *format_options(design),
        format_wrapped(".save v(index)", [f"v({probe})" for probe in probes]),
        f".dc v_index {start} {stop} {step}",
        ".end",
    ]
    return "\n".join(lines) + "\n"
