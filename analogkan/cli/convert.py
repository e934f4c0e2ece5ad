"""``analogkan convert``."""

from __future__ import annotations

import shlex

import click

from ..text import percent
from . import common, complete


@click.command(short_help="Convert a KANalogue state dictionary into a checkpoint.")
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
    required=True,
    type=common.Choice(["pwl", "univariate", "poly"]),
    help="Their --fit_mode: line is pwl.",
)
@click.option(
    "--squash", required=True, metavar="KIND[:LO:HI[:SLOPE]]", help="Their --acti: see above."
)
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
@common.json_option
@common.guarded
def convert(source, out, input_scale, input_values, input_shape, as_json, **options) -> None:
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

    \b
    Examples:
      analogkan convert best.pth --devices Z15,ZAZ21 --basis-fit univariate \\
          --squash none --dataset mnist --out theirs.pt
      analogkan convert best.pth --devices Z21,Z15 --basis-fit pwl \\
          --squash clamp:0:1.4 --beyond-measured --out theirs.pt
    """
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
