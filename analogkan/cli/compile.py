"""``analogkan compile``."""

from __future__ import annotations

import shlex

import click

from . import common, complete
from .verify import print_verification

MUCH_MEMORY = 8000
"""Megabytes from which on held stages are worth a note."""


@click.command("compile", short_help="Compile a checkpoint into a netlist folder, and verify it.")
@click.argument("model", type=common.MODEL, shell_complete=complete.model)
@click.option(
    "-o",
    "--out",
    type=common.FOLDER,
    help="The folder to write; by default ./<model>.build. An earlier BUILD is replaced, "
    "unless somebody edited it.",
)
@click.option(
    "--preset",
    default="nominal",
    show_default=True,
    metavar="NAME|FILE.toml",
    shell_complete=complete.preset,
    help="See above.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=complete.setting,
    help="See above.",
)
@click.option(
    "--calibrate",
    type=common.FILE,
    metavar="FILE.npz",
    help="Training inputs x (n, ...) for a checkpoint that carries none.",
)
@click.option(
    "--held",
    type=common.Whole(1),
    metavar="N",
    help="Circuits of at most N crossbar resistors, held between; convolutions always are, with "
    "N = 1500000.",
)
@click.option(
    "--odd",
    is_flag=True,
    help="Diodes conduct below 0 V what they do above, reversed; else a table's end value holds.",
)
@click.option(
    "--dialect",
    type=common.Choice(["ngspice", "vacask", "neospice", "xyce"]),
    default="ngspice",
    show_default=True,
    help="The simulator that the files are for; xyce's are written, not run.",
)
@click.option(
    "--symbol",
    is_flag=True,
    help="Write it as one subcircuit too, with symbols for KiCad and xschem: folder symbol.",
)
@click.option(
    "--cell",
    multiple=True,
    metavar="PLACE=FILE[:SUBCKT]",
    help="A netlist of yours, or a shipped one's name, in the place of every op-amp (opamp), of "
    "others in rows, lines or outputs (opamp_rows, opamp_lines, opamp_outputs), or of the "
    "transistors of sigmoid and tanh cells (npn); the circuit is sized for it. Or a model of a "
    "diode (diode_NAME): .va, .osdi or a netlist (docs/own-op-amp.md, own-diode.md).",
)
@common.include_option("Its models")
@common.draws_option(
    "Op-amps drawn by its library's mismatch: the sigma of chips' offsets, in opamp.toml."
)
@click.option(
    "--refer", is_flag=True, help="Name its models where they are; by default they are copied."
)
@click.option(
    "--osdi",
    type=common.FILE,
    help="What models of a diode's netlist are of: .va, compiled by OpenVAF, or .osdi.",
)
@click.option("--force", is_flag=True, help="Replace an earlier BUILD that was edited, too.")
@click.option("--no-verify", is_flag=True, help="Do not read the netlist back.")
@common.json_option
@common.guarded
def compile(
    model, out, preset, assignments, calibrate, held, odd, dialect, symbol, cell, include,
    refer, draws, osdi, force, no_verify, as_json,
) -> None:  # fmt: skip
    """Compile a trained TD-KAN into SPICE, and check that the netlist is the network.

    Writes a folder that plain ngspice runs (`ngspice -b network.cir` prints image 0's logits):
    cells.cir (amplifiers and diodes), layer<k>.cir (crossbar tiles, rows and columns),
    stimulus.cir (image 0), network.cir (the top), design.json (every option and scale).

    \b
    Presets: nominal (amplifiers of gain 1e5), ideal (gain 1e9), or a TOML file with [hardware].
    Settings for --set, with their defaults; `analogkan doctor --settings` has their ranges. Numbers
    may have SPICE's suffixes (25u, 10meg), shares may be in per cent (80%):
      v_fs=0.5 v_rail=2.5 headroom=0.8     row full scale, supplies (V), share of them in use
      g_min=0.25e-6 g_max=25e-6 levels=0   a cell's range (S), its states (0: continuous; e24, e96:
                                           every resistor is a standard value)
      tile_rows=64 tile_cols=64            crossbar tiles
      max_bias_rows=32                     constant rows a layer may have
      opamp=linear opamp_gain=1e5          or opamp=ideal, opamp=rails (outputs stop at v_rail)
      r_diff=10e3                          input resistors of difference amplifiers (ohm)
      readout=differences                  or summing: two op-amps an output instead of three
      gbw=10e6 c_f=0 r_out=50              bandwidth (Hz), row amplifiers' C_f (F; 0: three times
                                           what is stable), what drives the diodes (ohm)
      gbw_by_stage=0 gain_split=0          1: bandwidth to stages, and a pair's gain to its line and
                                           difference amplifiers, as settles soonest
      drop_rows=0                          share of a layer's variance that may go with its least
                                           rows; their means go into the biases
      npn_bf=100 npn_vaf=50 i_tail=10e-6   transistors of sigmoid and tanh cells
      r_wire=0 r_driver=0 wires=reduced    ohms a wire segment, ohms a row's driver; reduced to
                                           what rows and lines see, or explicit: every segment
      cell_tc1=1e-3 cell_tc2=0             drift of cells, feedback resistors and wires, per K (K^2)
      feedback_tc1=1e-4 feedback_tc2=0 wire_tc1=3.9e-3
      diode_law=linear                     or tables, smear: how diodes follow temperature
      diode_tc_current=-1e-3 diode_tc_voltage=-3e-4 smear_width=1

    \b
    Examples:
      analogkan compile mnist.pt
      analogkan compile mnist-d2                      a shipped model, by its name
      analogkan compile mnist.pt --preset ideal --set g_max=50u -o mnist-50.build
      analogkan compile cifar.pt --held 1500000
      analogkan compile paper-mnist-d2 --cell npn=gf180_npn
      analogkan compile mnist-d2 --cell opamp=gf180_class_a --cell opamp_rows=gf180_class_ab
      analogkan compile mnist-d2 --symbol             one box for a KiCad or xschem sheet
    """
    from ..api.making import compile_model
    from ..api.replacing import OwnCells, parse_cells
    from ..engines.others import PACKAGES

    own = OwnCells(files=parse_cells(cell), include=include, refer=refer, draws=draws, osdi=osdi)
    with common.circuit_progress(as_json, "compiling") as on_circuit:
        build = compile_model(
            model,
            out,
            preset=preset,
            settings=assignments,
            calibrate=calibrate,
            verify=not no_verify,
            held=held,
            odd=odd,
            dialect=dialect,
            symbol=symbol,
            own=own,
            force=force,
            command=common.command_line(),
            on_circuit=on_circuit,
        )
    verification = build.verification
    if as_json:
        facts = None if verification is None else verification.facts
        verified = verification is not None
        common.print_json(
            build.summary | {"build": build.folder, "verified": verified, "verification": facts}
        )
        return
    print_build(build) if build.deck else print_held(build)
    if verification is not None:
        print_verification(verification)
    engine = f" --engine {dialect}" if dialect in PACKAGES else ""
    folder = shlex.quote(str(build.folder))
    common.print_next(f"analogkan simulate {folder}{_shown(build)}{engine}")


def _shown(build) -> str:
    """The options that say what to show it, if the bundled images are nothing for it."""
    from ..data.sources import named_in

    spec, named = build.spec, named_in(build.summary["model"], build.spec.dataset)
    if spec.targets is None and spec.sizes[-1] == 1:  # there is no accuracy of one output
        return f" --dataset {shlex.quote(named.replace('FILE', 'FILE.npz'))} --trace 0"
    if not named or (named == "FILE" and spec.targets is None):
        return ""
    return f" --dataset {shlex.quote(named)}"


def print_held(build) -> None:
    """What was compiled with held stages, in a few lines."""
    s = build.summary
    e, n = s["elements"], len(s["circuits"])
    common.out.print(str(build.folder), style="bold", end="")
    common.out.print(
        f": {e['crossbar_resistors']:,} crossbar resistors, "
        f"{e['diodes']:,} diodes, {e['op_amps']:,} op-amps in {n} circuits, held between"
    )
    shown = common.table("", "section", "layers", "circuits", "positions", "crossbar resistors")
    for k, section in enumerate(s["sections"]):
        first, last = section["layers"]
        shown.add_row(
            str(k),
            str(first) if first == last else f"{first}–{last}",
            str(len(section["circuits"])),
            str(section["positions"]),
            f"{section['crossbar_resistors']:,}",
        )
    common.out.print(shown)
    common.out.print(
        f"ngspice will want about {s['expected']['memory_megabytes']} MB for the largest circuit, "
        f"and {s['expected']['seconds_per_image']:.2g} s an image for all (with KLU, one process)"
    )
    of: dict[str, list[str]] = {}
    for part in s["circuits"]:
        for note in part["notes"]:
            of.setdefault(note, []).append(part["name"])
    shared = {note: names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
              for note, names in of.items()}  # fmt: skip
    if "opamp_asked" in s:
        print_asked(s)
    for note in [
        *s["notes"],
        *s.get("diode_notes", []),
        *(f"{names}: {note}" for note, names in shared.items()),
    ]:
        common.out.print(f"note: {note}", style="yellow")


def print_build(build) -> None:
    """What was compiled, in a few lines."""
    s = build.summary
    e = s["elements"]
    common.out.print(str(build.folder), style="bold", end="")
    common.out.print(
        f": {e['crossbar_resistors']:,} crossbar resistors in "
        f"{e['tiles']} tiles, {e['diodes']} diodes, {e['op_amps']} op-amps"
        + (f", {e['squash_cells']} squash cells" if e["squash_cells"] else "")
        + (f", {e['layernorm_cells']} LayerNorm cells" if e["layernorm_cells"] else "")
    )
    shown = common.table(
        "", "layer", "in", "out", "front", "bias rows", "R_c (ohm)", "gamma", "C_f (pF)"
    )
    for k, stage in enumerate(s["stages"]):
        shown.add_row(
            str(k),
            str(stage["inputs"]),
            str(stage["outputs"]),
            _front(k, stage),
            str(stage["bias_rows"]),
            _span(stage["r_c_ohms"]),
            _span(stage["gamma"]),
            _span([1e12 * c for c in stage["c_f_farads"]]),
        )
    common.out.print(shown)
    if "symbol" in s:
        common.out.print(
            f"symbol/{s['symbol']}.cir: one subcircuit of {s['sizes'][0]} inputs and "
            f"{s['sizes'][-1]} outputs, with {s['symbol']}.kicad_sym, {s['symbol']}.sym and top.cir"
        )
    common.out.print(
        f"read-out {1e3 * s['volts_per_logit']:.3g} mV a logit; ngspice will want about "
        f"{s['expected']['memory_megabytes']} MB and {s['expected']['seconds_per_image']:.2g} s an "
        "image (with KLU, one process)"
    )
    if s["expected"]["memory_megabytes"] > MUCH_MEMORY:
        common.out.print(
            "note: --held 1500000 compiles it as circuits of 2.7 GB each, held between",
            style="yellow",
        )
    common.out.print(_stability(s["stages"]))
    if "opamp_asked" in s:
        print_asked(s)
    for note in [*s["notes"], *s.get("diode_notes", [])]:
        common.out.print(f"note: {note}", style="yellow")


def print_asked(s: dict) -> None:
    """What amplifiers of each kind ask most of an op-amp of the user's, and what it decided."""
    from ..opamps.demand import Demand, listing

    most: dict[tuple[int, str], Demand] = {}
    for one in (Demand(**entry) for entry in s["opamp_asked"]):
        kind = one.layer, one.kind
        most[kind] = max(most.get(kind, one), one, key=lambda demand: demand.share)
    found = listing(list(most.values()))
    shown = common.table("", *found.columns)
    for row in found.rows:
        shown.add_row(*row)
    common.out.print(shown)
    for note in s["opamp_notes"]:
        common.out.print(note)


def _span(pair) -> str:
    lo, hi = (f"{x:.0f}" if x >= 1000 else f"{x:.3g}" for x in pair)
    return lo if lo == hi else f"{lo}–{hi}"


def _front(layer: int, stage: dict) -> str:
    """What stands before a stage's diodes: the DACs, LayerNorm, a squash, or just wires."""
    if layer == 0:
        return "DAC"
    cells = ["norm"] if stage["layernorm"] else []
    cells += [stage["squash"]["kind"]] if stage["squash"]["kind"] != "none" else []
    return ", ".join(cells) or "direct"


def _stability(stages: list[dict]) -> str:
    """The margins of the worst row amplifier and the worst diode node."""
    ratios = [s["stability"]["c_margin"] for s in stages]
    needed = [ratio for ratio in ratios if ratio is not None]
    rows = "no row amplifier needs its C_f to be stable"
    if needed:
        rows = f"C_f is {min(needed):.3g} times what the steepest falling segment needs"
    node = min(s["stability"]["node_margin"] for s in stages)
    return f"stability: {rows}; diode nodes keep {100 * node:.4g} % of their margin"
