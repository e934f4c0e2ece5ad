"""SPICE, second half: layers, stimuli, the top of a deck, sweeps. A Design becomes text.

The same Design gives the same bytes: nothing here depends on time, place or chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress

import numpy as np

from ..dialects import NGSPICE, Dialect
from ..dialects.words import format_comment, format_number, format_wrapped
from ..errors import CompileError
from ..network.targets import Targets
from .chip import OpAmpErrors
from .design import CrossbarStage, Design
from .hardware import Hardware
from .heat import as_warm
from .names import StageNames, dacs_of, logits
from .spice_cells import (
    TEMPERATURE_C,
    drifts,
    get_opamp,
    get_opamps,
    has_bandwidths,
    has_transistors,
)
from .spice_diodes import diode_name
from .spice_front import format_instance, format_layernorm, format_squash_cells
from .spice_tiles import format_crossbar

TOP = ("stimulus.cir", "network.cir")
"""What a sweep over images has its own of."""
CELLS = "cells.cir"
COLUMNS = {
    "differences": "* Columns: an amplifier per line; the difference of a pair is the output.",
    "summing": "* Columns: an amplifier per line; the positive one subtracts the negative.",
}
"""What a layer's file says of its read-out."""


def layer_file(layer: int) -> str:
    """Name of a layer's file in the deck."""
    return f"layer{layer}.cir"


# ---- a layer


def write_layer(
    design: Design,
    layer: int,
    temp_c: float = TEMPERATURE_C,
    say: Dialect = NGSPICE,
) -> str:
    """``layer<k>.cir``: tiles as subcircuits, then rows, tiles and columns as instances.

    Reduced wires, and offsets of a chip's op-amps, are what they are at ``temp_c``.
    """
    return "".join(format_layer(design, layer, temp_c, say))


def format_layer(
    design: Design, layer: int, temp_c: float = TEMPERATURE_C, say: Dialect = NGSPICE
) -> Iterator[str]:
    """Parts of ``write_layer``, none larger than a tile."""
    for part in _layer(design, layer, temp_c, say):
        yield f"{part}\n"


def _layer(design: Design, layer: int, temp_c: float, say: Dialect) -> Iterator[str]:
    """Lines of a layer, some of them together."""
    stage, names = design.stages[layer], StageNames(design, layer)
    kinds = get_opamps(design).values()
    stage = as_warm(stage, design.hardware, temp_c, drifts=all(map(drifts, kinds)))
    n_in, n_out, n_dev = stage.shape
    devices = ", ".join(curve.name for curve in stage.curves)
    yield format_comment(
        f"Layer {layer}: {n_in} inputs, {n_dev} diodes each ({devices}), {n_out} outputs, "
        f"{stage.n_bias} bias rows; crossbar of {len(stage.g)} rows by {2 * n_out} lines."
    )
    yield ""
    crossbar = format_crossbar(stage, names, design.hardware, temp_c, say)
    yield from crossbar.subcircuits
    if stage.front.norm is not None:
        yield "* LayerNorm: mean, variance, reciprocal spread; then each input's output."
        yield from format_layernorm(names, say, temp_c)
    if stage.front.squash.kind != "none":
        yield "* Squash cells: hidden nodes to diode voltages."
        yield from format_squash_cells(names, design.hardware, say, temp_c)
    yield "* Rows: a diode into a transimpedance amplifier puts -V_fs * phi on its row."
    suffix, (rows, *columns) = _amplifiers(design, stage)
    own = design.hardware.libraries
    yield from _row_drivers(stage, names, suffix, rows, own, say)
    if stage.n_bias:
        yield "* Bias rows, at -V_fs whatever the input."
        dc = format_number(-design.hardware.v_fs)
        for row in names.rows()[n_in * n_dev :]:
            yield say.fixed(f"v_{row}", row, "0", dc)
    yield "* Tiles: rows on the left, the feet of the lines at the summing nodes."
    yield from crossbar.instances
    yield COLUMNS[stage.readout.name]
    yield from _columns(stage, names, suffix, columns, design.hardware.r_diff, say)


def _amplifiers(design: Design, stage: CrossbarStage) -> tuple[str, list[dict[str, float]]]:
    """What op-amps with rails add to a cell's name; and what these, and those of bandwidths of
    their own, to the settings of row, line and difference amplifiers."""
    hw = design.hardware
    limit = {"vr": hw.v_rail} if hw.rails else {}
    if not has_bandwidths(design):
        return "_rails" if hw.rails else "", [limit] * len(stage.gbw)
    return "_rails" if hw.rails else "", [limit | {"gbw": gbw} for gbw in stage.gbw]


def _row_drivers(
    stage: CrossbarStage,
    names: StageNames,
    suffix: str,
    limit: dict[str, float],
    libraries: Mapping[str, object],
    say: Dialect,
) -> Iterable[str]:
    sources, rows, e = names.inputs(), names.rows(), stage.errors
    for i, d in np.argwhere(stage.kept).tolist():
        row, cell = rows[i * len(stage.curves) + d], diode_name(stage.curves[d])
        own = {}
        if e is not None and cell in libraries:
            own = {"ki": e.k_i[i, d], "kv": e.k_v[i, d], "dv": e.d_v[i, d]}
        elif e is not None:
            cell = f"{row}_diode"
        yield format_instance(say, f"x_{row}_diode", [sources[i], f"{row}_sum"], cell, **own)
        feedback = {"rf": stage.r_f[i, d], "cf": stage.c_f[d]} | limit
        errors = _opamp(e and e.rows, (i, d))
        nets = [f"{row}_sum", row]
        yield format_instance(say, f"x_{row}_amp", nets, f"row_amp{suffix}", **feedback, **errors)


def _opamp(errors: OpAmpErrors | None, at: tuple[int, ...]) -> dict[str, float]:
    """What an op-amp's errors add to its cell's settings."""
    if errors is None:
        return {}
    told = {"a": errors.gain[at], "vos": errors.offset[at], "drift": errors.drift[at]}
    return {name: value for name, value in told.items() if name != "drift" or value}


def _columns(
    stage: CrossbarStage,
    names: StageNames,
    suffix: str,
    limits: Sequence[dict[str, float]],
    r_diff: float,
    say: Dialect,
) -> Iterable[str]:
    lines, e, differences = names.lines(), stage.errors, stage.readout.differences
    inputs = {} if r_diff == Hardware().r_diff else {"r": r_diff}  # what its cell has by itself
    for k, (line, total, amp) in enumerate(
        zip(lines, names.sums(), names.line_amps(), strict=True)
    ):
        own, errors = {"rf": stage.r_c[k]}, _opamp(e and e.lines, (k,))
        if differences or k % 2:
            yield format_instance(
                say, amp, [total, line], f"tia{suffix}", **own, **limits[0], **errors
            )
            continue
        nets, own = [total, lines[k + 1], line], own | {"rx": stage.r_x[k // 2]}
        yield format_instance(say, amp, nets, f"summing_amp{suffix}", **own, **limits[1], **errors)
    for o, amp in enumerate(names.difference_amps()):
        own = {"gain": stage.gain[o]} | inputs | limits[1] | _opamp(e and e.diffs, (o,))
        nets = [*lines[2 * o : 2 * o + 2], names.outputs()[o]]
        yield format_instance(say, amp, nets, f"diff_amp{suffix}", **own)


# ---- stimuli and the top


def write_stimulus(design: Design, volts: np.ndarray, say: Dialect = NGSPICE) -> str:
    """``stimulus.cir``: one image's voltages (I,) as DC sources."""
    head = format_comment("The input DACs, set to image 0: one source per input.")
    return "\n".join([head, *format_inputs(design, volts, say)]) + "\n"


def write_network(
    design: Design,
    title: str,
    expected: Iterable[float],
    say: Dialect = NGSPICE,
    targets: Targets | None = None,
    circuit: Sequence[str] = (),
    *,
    temp_c: float = TEMPERATURE_C,
    notes: Sequence[str] = (),
) -> str:
    """``network.cir``: the top of the deck, which the simulator runs as it is.

    Of a regression it says how each printed value becomes the quantity of ``targets``. ``circuit``
    are the lines that it is made of, if not of the design's own files; ``notes`` are said too.
    """
    nets = logits(design)
    told = " ".join(f"{net}={float(v):.6g}" for net, v in zip(nets, expected, strict=True))
    by_hand = f"Run it:  {say.by_hand}     It {say.gives}."
    if not say.runs:
        by_hand = f"Written for {say.name}, not run."
    say = say.top or say
    note = partial(format_comment, mark=say.comment)
    parts = [
        note(f"analogkan: {title}"),
        note(by_hand),
        note(f"The software's: {told}"),
        *map(note, (*_quantities(nets, targets), *notes)),
        "",
        *(circuit or [*format_includes(design, say), say.include("stimulus.cir")]),
        "",
        note(f"Read-out: volts to logits, {design.v_per_logit:.6g} V a logit."),
        *format_read_out(design, say),
        "",
        *format_options(design, temp_c, say),
        "",
        *say.ending(nets),
    ]
    return "\n".join(parts) + "\n"


def _quantities(nets: Iterable[str], targets: Targets | None) -> Iterator[str]:
    """``temperature = 50 + 50 logit_0 degC`` of each output of a regression."""
    if targets is None:
        return
    for net, name, unit, low, half in zip(
        nets, targets.names, targets.units, targets.low, targets.span / 2, strict=True
    ):
        yield f"{name} = {low + half:.9g} + {half:.9g} {net} {unit}".rstrip()


def format_includes(design: Design, say: Dialect = NGSPICE) -> list[str]:
    """What a deck is made of, whatever drives it."""
    return [say.include(file) for file in circuit_files(design)]


def circuit_files(design: Design) -> list[str]:
    """Those files: of users' netlists, the cells, the layers."""
    return [*design.hardware.own_files, CELLS, *(layer_file(k) for k in range(len(design.stages)))]


def format_read_out(design: Design, say: Dialect = NGSPICE) -> list[str]:
    """A source per class that turns volts into logits."""
    outputs = StageNames(design, len(design.stages) - 1).outputs()
    scale = format_number(1.0 / design.v_per_logit)
    return [
        say.gain(f"e_{net}", net, "0", y, "0", scale)
        for net, y in zip(logits(design), outputs, strict=True)
    ]


def format_options(
    design: Design,
    temp_c: float = TEMPERATURE_C,
    say: Dialect = NGSPICE,
    *,
    over_time: bool = False,
    direct: bool = True,
) -> list[str]:
    """Temperature and solver, the faster one with ``direct``; what a run ``over_time`` asks for
    beside."""
    temps = format_number(temp_c), format_number(TEMPERATURE_C)
    lines = say.options(*temps, get_solver(design, say))
    lines = [line for line in lines if direct or line not in say.direct]
    return lines + say.over_time(has_transistors(design)) if over_time else lines


def get_solver(design: Design, say: Dialect = NGSPICE) -> str:
    """Solver options of a design's decks."""
    hw, pairs = design.hardware, has_transistors(design)
    if pairs and hw.transistor is not None:  # beside op-amps of transistors 1e-15 A is never met
        return say.solver(False).replace("abstol=1e-15", "abstol=1e-12")
    return say.solver(pairs and hw.amplifier.exact)


def write_batch(
    design: Design,
    volts: np.ndarray,
    probes: Sequence[str],
    *,
    descending: bool = False,
    temp_c: float = TEMPERATURE_C,
    noise: Sequence[np.ndarray] = (),
    more: Sequence[str] = (),
    steps: int | None = None,
    direct: bool = True,
    say: Dialect = NGSPICE,
) -> str:
    """A deck that runs ``volts`` (n, I), n at least 2, as one DC sweep of an index source.

    The index goes from 0 to n - 1, or down, in ``steps``, or the op-amp's; each input is a table of
    its n voltages over it. ``probes`` are the nets, or vectors, that are saved. ``noise`` is, for
    each stage, the currents (n, 2 O) in amperes that flow into the lines' summing nodes, ``more``
    are lines beside them.
    """
    n = len(volts)
    if n < 2:
        raise ValueError("a sweep needs two points: a pwl source of one point does not converge")
    top = say.top or say
    drive = [*more, top.fixed("v_index", "index", "0", "0"), *format_swept(design, volts, top)]
    for k, currents in enumerate(noise):
        for net, column in zip(StageNames(design, k).sums(), currents.T, strict=True):
            drive.append(_swept(top, f"b_{net}_noise", "0", net, "i", column))
    swept = get_sweep(design, n, descending=descending, steps=steps)
    run, saved = ["dc", "v_index", *(f"{x:g}" for x in swept)], ["v(index)", *probes]
    title = f"{n} images as one sweep"
    return write_run(design, title, drive, run, saved, temp_c=temp_c, say=say, direct=direct)


def get_sweep(
    design: Design, n: int, *, descending: bool, steps: int | None = None
) -> tuple[float, float, float]:
    """First and last index of a sweep over ``n`` images, and its step: by default the op-amp's."""
    step = 1 / (steps or get_opamp(design).steps)
    return (n - 1, 0, -step) if descending else (0, n - 1, step)


def write_run(
    design: Design,
    title: str,
    drive: Sequence[str],
    run: Sequence[str],
    probes: Sequence[str],
    *,
    temp_c: float = TEMPERATURE_C,
    say: Dialect = NGSPICE,
    circuit: Sequence[str] = (),
    direct: bool = True,
) -> str:
    """A deck for one analysis: the circuit, what drives it, ``run`` (its kind and arguments).

    ``circuit`` are the lines that it is made of, if not of the design's own files; ``direct`` asks
    for the faster solver.

    Raises
    ------
    CompileError
        If ``run`` is a noise analysis and the solver one that refuses it.
    """
    if run[0] == "noise" and direct and say.direct:
        raise CompileError(
            f"analysis noise: {say.name} refuses it with {' '.join(say.direct)} in the deck: write "
            "it with direct=False, which leaves the other solver"
        )
    say = say.top or say
    lines = [
        format_comment(f"{design.name}: {title}", say.comment),
        *(circuit or format_includes(design, say)),
        *format_read_out(design, say),
        *drive,
        *format_options(design, temp_c, say, over_time=run[0] == "tran", direct=direct),
        *say.analysis(run[0], run[1:], [vector(probe) for probe in probes]),
    ]
    return "\n".join(lines) + "\n"


def vector(probe: str) -> str:
    """The vector of a net, its voltage; what is a vector already, such as ``i(v_x)``, as it is, and
    ``all``, every voltage and every source's current."""
    return probe if probe == "all" or probe.endswith((")", "]")) else f"v({probe})"


def format_inputs(design: Design, volts: np.ndarray, say: Dialect = NGSPICE) -> list[str]:
    """The input DACs at ``volts`` (I,): one source per input that leads to a diode."""
    return [
        say.fixed(f"v_{net}", net, "0", format_number(float(v)))
        for net, v in _at_dacs(design, volts)
    ]


def format_swept(design: Design, volts: np.ndarray, say: Dialect = NGSPICE) -> Iterator[str]:
    """The input DACs as tables of ``volts`` (n, I) over the voltage of the net ``index``."""
    for net, column in _at_dacs(design, volts.T):
        if (column == column[0]).all():
            yield say.fixed(f"v_{net}", net, "0", format_number(column[0]))
        else:
            yield _swept(say, f"b_{net}", net, "0", "v", column)


def _at_dacs(design: Design, volts: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The DACs that the circuit has: net and what is for it of ``volts`` (I, ...)."""
    each = zip(StageNames(design, 0).sources(), volts, strict=True)
    return list(compress(each, dacs_of(design)))


def _swept(say: Dialect, name: str, p: str, n: str, kind: str, column: np.ndarray) -> str:
    """A source that is a table over the index."""
    if say.swept is not None:
        return say.swept(name, p, n, kind, [format_number(v) for v in column])
    # Between two equal points of a constant run there is nothing to look up.
    same = column[1:] == column[:-1]
    ends = np.flatnonzero(~np.concatenate([[False], same[1:] & same[:-1], [False]]))
    points = [(str(k), format_number(column[k])) for k in ends]
    words = say.source(name, p, n, kind, say.table(name, "v(index)", points))
    return format_wrapped(" ".join(words[:2]), words[2:])
