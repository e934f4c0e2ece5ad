"""``analogkan models convert``."""

from __future__ import annotations

import shlex

import click
from click.core import ParameterSource

from ..text import percent
from . import common, complete


@click.command("convert", short_help="Convert a KANalogue state dictionary into a checkpoint.")
@click.argument("source", metavar="THEIRS.pth", type=common.FILE)
@click.option(
    "--devices",
    required=True,
    metavar="NAME,...",
    shell_complete=complete.devices,
    help="In the order of --td_basis_types; a name of `analogkan devices list` or a .toml file.",
)
@click.option(
    "--basis-fit",
    type=common.Choice(["pwl", "univariate", "poly"]),
    help="Their --fit_mode: line is pwl.",
)
@click.option("--squash", metavar="KIND[:LO:HI[:SLOPE]]", help="Their --acti: see above.")
@click.option(
    "--out",
    required=True,
    type=common.FILE,
    help="The checkpoint to write, a .pt file.",
)
@click.option(
    "--basis-unit",
    type=common.Choice(["uA", "nA", "mA", "A", "peak"]),
    default="uA",
    show_default=True,
    help="Unit of the currents the coefficients multiply; peak: shares of each table's peak.",
)
@click.option(
    "--norm",
    type=common.Choice(["batch", "layer", "none"]),
    help="Refuse a state with another norm; by default what its keys say.",
)
@click.option(
    "--input-scale",
    default="0:1",
    show_default=True,
    metavar="LO:HI",
    help="The network's input for the lowest and highest data value; with --neg_input -1:1.",
)
@click.option(
    "--input-values",
    default="0:255",
    show_default=True,
    metavar="LO:HI",
    help="Those data values: 8-bit pixels unless said.",
)
@click.option(
    "--input-shape",
    metavar="HxW",
    help="By default 14x14, 28x28 or 3x32x32 if the width is theirs.",
)
@click.option(
    "--smoothing",
    type=common.Number(min=0),
    help="Of --basis-fit univariate, in the basis unit squared; by default theirs, 0.1.",
)
@click.option(
    "--order",
    type=common.Whole(min=1, max=100),
    help="Of --basis-fit poly; by default theirs, 15.",
)
@click.option(
    "--beyond-measured",
    is_flag=True,
    help="Accept a squash that leaves a device's table; its end value is held there.",
)
@click.option(
    "--calibrate",
    type=common.FILE,
    metavar="FILE.npz",
    help="Training inputs x (n, ...), of which 256 are kept: compile sizes gains with them.",
)
@click.option(
    "--dataset",
    default="",
    metavar="NAME",
    shell_complete=complete.dataset,
    help="What it was trained on; recorded.",
)
@click.option(
    "--distil",
    is_flag=True,
    help="Fit a network to THEIRS, a KAN of B-splines or an npz file: see above.",
)
@click.option(
    "--recipe",
    metavar="NAME|FILE.toml",
    shell_complete=complete.recipe,
    help="Of --distil: how it is trained end to end; function-finetune (of an npz file "
    "function-d2) unless said.",
)
@click.option("--seed", type=common.Whole(min=0), default=0, show_default=True, help="Of --distil.")
@common.json_option
@common.guarded
def convert_theirs(
    source, out, input_scale, input_values, input_shape, distil, recipe, seed, as_json, **options
) -> None:
    """Convert a flat network that KANalogue trained into a checkpoint of this package.

    THEIRS.pth is a state dictionary (best.pth) or a training checkpoint (checkpoint.pth). It
    holds numbers only: devices, fit, squash and input scale are yours to say, and nothing in the
    file can prove them right. So compare the software accuracy with theirs afterwards.

    \b
    Squash, at every layer's input (their --acti):
      none                       None
      clamp:0:1.4, clamp:-1:1    PosHC, NegHC
      sigmoid[:LO:HI[:SLOPE]]    sigmoid: 0 to 1 V, slope 1 per volt unless said
      tanh[:LO:HI[:SLOPE]]       tanh: -1 to 1 V

    With --distil THEIRS.pth is the state dictionary of efficient-kan or pykan, and a TD-KAN is
    fitted to it: edge by edge, then end to end, on points drawn from the range of its knots, or on
    the inputs of --calibrate. Or THEIRS.npz has x and y, any function's answers. It takes
    --devices, --recipe, --seed and --dataset; the loss is measured on points kept back.

    \b
    Examples:
      analogkan models convert best.pth --devices Z15,ZAZ21 --basis-fit univariate \\
          --squash none --dataset mnist --out theirs.pt
      analogkan models convert best.pth --devices Z21,Z15 --basis-fit pwl \\
          --squash clamp:0:1.4 --beyond-measured --out theirs.pt
      analogkan models convert kan.pth --distil --devices A21,Z21 --out ours.pt
    """
    _require_taken(distil)
    if distil:
        _distil(source, out, recipe, seed, as_json, options)
        return
    for name in ("basis_fit", "squash"):
        if options[name] is None:
            raise click.UsageError(f"Missing option '--{name.replace('_', '-')}'.")
    from ..api.making import convert_model
    from ..settings import parse_range

    fit = {key: options.pop(key) for key in ("smoothing", "order")}
    report = convert_model(
        source,
        out,
        input_scale=parse_range(input_scale, "--input-scale"),
        input_values=parse_range(input_values, "--input-values"),
        input_shape=_shape(input_shape),
        command=common.command_line(),
        **options,
        **{key: value for key, value in fit.items() if value is not None},
    )
    if as_json:
        common.print_json(report)
        return
    _print_report(report)


DISTIL = ("distil", "recipe", "seed")
"""Options of --distil alone."""
SHARED = ("source", "out", "devices", "calibrate", "dataset", "as_json")


def _require_taken(distil: bool) -> None:
    """Refuse an option that the other way of converting takes."""
    context = click.get_current_context()
    taken = (*SHARED, *DISTIL) if distil else [p for p in context.params if p not in DISTIL]
    for param in context.command.params:
        given = context.get_parameter_source(param.name or "")
        if param.name not in taken and given is ParameterSource.COMMANDLINE:
            why = "says nothing with --distil" if distil else "is of --distil, which is missing"
            raise click.UsageError(f"{param.opts[-1]} {why}: leave it out")


def _distil(source, out, recipe, seed, as_json, options) -> None:
    """Fit a network to the one in ``source``."""
    from ..api.making import distil_model

    with common.progress(as_json) as bar:
        task = bar.add_task(f"training {out.stem}", total=None)

        def on_epoch(epoch) -> None:
            said = f"training {out.stem}: {epoch.said}"
            bar.update(task, completed=epoch.number, total=epoch.total, description=said)

        report = distil_model(
            source, out, devices=options["devices"], recipe=recipe, seed=seed,
            calibrate=options["calibrate"], dataset=options["dataset"],
            command=common.command_line(), on_epoch=on_epoch,
        )  # fmt: skip
    if as_json:
        common.print_json(report)
        return
    found = report["end_to_end"]
    common.out.print(
        f"{report['model']}: {'-'.join(map(str, report['sizes']))}, {report['parameters']:,} "
        f"parameters; from the {report['teacher']} it is "
        f"{percent(found['share'], 2)} of span rms, on {report['n']:,} points kept back"
    )
    if "edge_by_edge" in report:
        common.out.print(
            f"edge by edge it was {percent(report['edge_by_edge']['share'], 2)}; edges missed "
            f"{percent(report['edge_rms']['median'], 1)} of their rms in the median, "
            f"{percent(report['edge_rms']['largest'], 1)} at most"
        )
    common.out.print(f"next: analogkan compile {shlex.quote(str(report['model']))}")


def _shape(text: str | None) -> tuple[int, ...] | None:
    from ..errors import SettingsError

    if text is None:
        return None
    words = text.split("x")
    if not all(word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise SettingsError(f"--input-shape {text!r} is not like 14x14 or 3x32x32")
    return tuple(int(word) for word in words)


def _table_error(device) -> str:
    known = [error for key in ("source_error", "table_error") if (error := device[key])]
    return f"{sum(known):.1e}" if known else "not stated"


def _print_report(report) -> None:
    sizes = "-".join(map(str, report["sizes"]))
    eps = f" (eps {report['norm_eps']:g})" if report["norm_eps"] is not None else ""
    s, e = report["squash"], report["encoding"]
    where = "" if s["kind"] == "none" else f" {s['v_lo']:g} to {s['v_hi']:g} V"
    common.out.print(
        f"{report['model']}: {sizes}, {report['parameters']:,} parameters, norm "
        f"{report['norm']}{eps}, squash {s['kind']}{where}, inputs {e['x_lo']:g} to {e['x_hi']:g} "
        f"as {e['v_lo']:g} to {e['v_hi']:g} V",
    )
    shown = common.table("", "device", "points", "peak (A)", "theta / coeff", "table error")
    for d in report["devices"]:
        shown.add_row(
            d["name"],
            str(d["points"]),
            f"{d['i_peak']:.6g}",
            f"{d['scale']:.6g}",
            _table_error(d),
        )
    common.out.print(shown)
    common.out.print(
        "table error: at most so far, in shares of the peak, from the sweep or formula that the "
        "device's file says it is of, and with a smooth fit from that"
    )
    if report["norm_eps"] is not None:
        common.out.print(f"eps is {report['norm_eps_from']}")
    if report["out_of_range"] is not None:
        common.out.print(
            f"{percent(report['out_of_range'])} of the hidden voltages on the calibration "
            "inputs outside a device's range"
        )
    for note in report["notes"]:
        common.out.print(f"note: {note}", style="yellow")
    common.print_next(f"analogkan compile {shlex.quote(str(report['model']))}")
