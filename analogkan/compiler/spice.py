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
from .design import CrossbarStage, Design
from .names import StageNames, logits, padded

TEMPERATURE_C = 26.85
"""300 K. ngspice's own default is 27 degrees, so every deck says this."""

SOLVER_OPTIONS = "reltol=1e-6 vntol=1e-9 abstol=1e-15"
"""Newton must not stop across a kink of a PWL curve: at the default tolerances it does, to 4e-6 of
full scale; at these the worst is 3e-8, for no more iterations."""

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
    squashes = {stage.squash.kind for stage in design.stages[1:]}
    amplifier = "opamp_ideal" if hw.opamp == "ideal" else "opamp_gain"
    cells = [amplifier, "tia", "diff_amp"] + (["clamp"] if "clamp" in squashes else [])
    parts = [format_comment("The cells this circuit is made of, and its diodes."), ""]
    folder = resources.path("netlists/cells")
    parts += [(folder / f"{cell}.lib").read_text(encoding="utf-8") for cell in cells]
    gain = f" gain={format_number(hw.opamp_gain)}" if hw.opamp == "linear" else ""
    parts.append(
        "* opamp: the amplifier in every cell.\n"
        ".subckt opamp inp inn out\n"
        f"x1 inp inn out {amplifier}{gain}\n"
        ".ends opamp\n"
    )
    curves = {c.name.lower(): c for stage in design.stages for c in stage.curves}
    parts += [format_diode(curve) for _, curve in sorted(curves.items())]
    return "\n".join(parts)


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
    if layer and stage.squash.kind == "clamp":
        parts += ["* Clamps: hidden nodes to diode voltages."]
        parts += _clamps(stage, names, design, layer)
    parts += ["* Rows: a diode into a transimpedance amplifier puts -V_fs * phi on its row."]
    parts += _row_drivers(stage, names)
    if stage.n_bias:
        parts += ["* Bias rows, at -V_fs whatever the input."]
        dc = format_number(-design.hardware.v_fs)
        parts += [f"v_{row} {row} 0 dc {dc}" for row in names.rows()[n_in * n_dev :]]
    parts += ["* Tiles: rows on the left, the feet of the lines at the summing nodes."]
    parts += [instance for _, instance in tiles]
    parts += ["* Columns: an amplifier per line; the difference of a pair is the output."]
    parts += _columns(stage, names)
    return "\n".join(parts) + "\n"


def _clamps(stage: CrossbarStage, names: StageNames, design: Design, layer: int) -> Iterable[str]:
    limits = f"lo={format_number(stage.squash.v_lo)} hi={format_number(stage.squash.v_hi)}"
    before = StageNames(design, layer - 1).outputs()
    return [f"x_{v} {y} {v} clamp {limits}" for y, v in zip(before, names.inputs(), strict=True)]


def _row_drivers(stage: CrossbarStage, names: StageNames) -> Iterable[str]:
    rows = iter(names.rows())
    for i, source in enumerate(names.inputs()):
        for d, curve in enumerate(stage.curves):
            row = next(rows)
            yield f"x_{row}_diode {source} {row}_sum {diode_name(curve)}"
            yield f"x_{row}_tia {row}_sum {row} tia rf={format_number(stage.r_f[i, d])}"


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


def _columns(stage: CrossbarStage, names: StageNames) -> Iterable[str]:
    lines = names.lines()
    for line, total, ohms in zip(lines, names.sums(), stage.r_c, strict=True):
        yield f"x_{line}_tia {total} {line} tia rf={format_number(ohms)}"
    for y, p, n, gain in zip(names.outputs(), lines[0::2], lines[1::2], stage.gain, strict=True):
        yield f"x_{y}_diff {p} {n} {y} diff_amp gain={format_number(gain)}"


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
    outputs = StageNames(design, len(design.stages) - 1).outputs()
    scale = format_number(1.0 / design.v_per_logit)
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
        *(f"e_{net} {net} 0 {y} 0 {scale}" for net, y in zip(nets, outputs, strict=True)),
        "",
        *format_options(),
        "",
        ".control",
        "op",
        *(f"print v({net})" for net in nets),
        *("if $?batchmode", "quit", "end"),  # without it ngspice 39 exits with 1
        ".endc",
        ".end",
    ]
    return "\n".join(parts) + "\n"


def format_options() -> list[str]:
    """Temperature and solver; ``klu`` is ignored by an ngspice that does not have it."""
    t = format_number(TEMPERATURE_C)
    return [f".option temp={t} tnom={t}", f".option {SOLVER_OPTIONS}", ".option klu"]


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
    last = len(design.stages) - 1
    scale = format_number(1.0 / design.v_per_logit)
    read_out = zip(logits(design), StageNames(design, last).outputs(), strict=True)
    lines = [
        format_comment(f"{design.name}: {n} images as one sweep"),
        ".include cells.cir",
        *(f".include {layer_file(k)}" for k in range(len(design.stages))),
        *(f"e_{net} {net} 0 {y} 0 {scale}" for net, y in read_out),
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
        *format_options(),
        format_wrapped(".save v(index)", [f"v({probe})" for probe in probes]),
        f".dc v_index {start} {stop} {step}",
        ".end",
    ]
    return "\n".join(lines) + "\n"
