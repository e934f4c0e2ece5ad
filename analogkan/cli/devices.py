"""``analogkan devices``."""

from __future__ import annotations

from pathlib import Path

import click

from ..devices import get, library
from ..ours import require_marked
from . import common, complete
from .device_files import fit_device, import_device
from .device_models import tabulate_model
from .group import Group
from .opamp_files import characterise_opamp


@click.group(cls=Group, short_help="Diodes: list, show, plot, import, fit. Op-amps: characterise.")
def devices() -> None:
    """The devices whose I-V curves are the basis functions.

    A device is a table of volts and amperes, piecewise linear, constant beyond its ends. A name is
    one of `devices list`, or the path of a TOML file with name, v and i, which `devices import`
    writes from measured sweeps. `devices characterise` measures an op-amp (docs/own-op-amp.md).
    """


devices.add_command(import_device)
devices.add_command(fit_device)
devices.add_command(tabulate_model)
devices.add_command(characterise_opamp)


@devices.command("list")
@common.json_option
@common.guarded
def list_devices(as_json) -> None:
    """List the shipped devices.

    \b
    Example:
      analogkan devices list
    """
    found = [_facts(get(name)) | {"origin": library.origin(name)} for name in library.names()]
    if as_json:
        common.print_json(found)
        return
    shown = common.table(
        "Devices", "name", "points", "range (V)", "peak (A)", "at (V)", "NDR", "origin", ""
    )
    for d in found:
        shown.add_row(
            d["name"],
            str(d["points"]),
            f"{d['v_min']:.3g} to {d['v_max']:.3g}",
            f"{d['i_peak']:.3g}",
            f"{d['v_peak']:.3g}",
            "yes" if d["negative_slopes"] else "no",
            d["origin"] + (" in part" if d["reconstructed"] else ""),
            d["source"].split(",")[0],
        )
    common.out.print(shown)
    common.out.print(
        "computed: DFT-NEGF. measured in part: devices show says what is reconstructed; "
        "devices import makes devices of sweeps"
    )


@devices.command("show")
@click.argument("name", shell_complete=complete.device)
@common.json_option
@common.guarded
def show_device(name, as_json) -> None:
    """Show a device: its source, its peaks and valleys, its table.

    \b
    Example:
      analogkan devices show A21
    """
    curve = get(name)
    facts = _facts(curve) | {"origin": library.origin(name)}
    if as_json:
        tables = {"v": curve.v, "i": curve.i, "temps_c": curve.temps_c, "i_at": curve.i_at}
        common.print_json(facts | tables)
        return
    common.out.print(curve.name, style="bold", end="")
    common.out.print(f": {curve.notes}")
    common.out.print(f"Source: {curve.source}")
    if facts["origin"]:
        other = "" if facts["origin"] == "measured" else ", not measured"
        common.out.print(f"Origin: {facts['origin']}{other}")
    if curve.assumed:
        common.out.print(f"Assumed: {curve.assumed}, not measured")
    for what, v, i in curve.extrema():
        common.out.print(f"  {what:6} {v:6.3f} V  {i:.4g} A")
    common.out.print(
        f"  largest current {curve.i_peak:.4g} A at {curve.v_peak:.3f} V; "
        f"steepest falling slope {min(curve.negative_slopes(), default=0):.3g} S"
    )
    others = [f"at {temp_c:g} degC" for temp_c in curve.temps_c]
    marks = ["" for _ in curve.v]
    if curve.reconstructed:
        lo, hi = curve.reconstructed
        others.append("")
        marks = ["reconstructed" if lo < v < hi else "" for v in curve.v]
    shown = common.table("", "volts", "amperes", *others)
    for mark, v, *currents in zip(marks, curve.v, curve.i, *curve.i_at, strict=True):
        shown.add_row(
            f"{v:g}", *(f"{i:.6g}" for i in currents), *[mark] * bool(curve.reconstructed)
        )
    common.out.print(shown)


@devices.command("plot")
@click.argument("names", nargs=-1, required=True, shell_complete=complete.device)
@click.option(
    "--out",
    type=common.FILE,
    default=Path("devices.png"),
    show_default=True,
    help="PNG, SVG or PDF, by its ending.",
)
@common.json_option
@common.guarded
def plot_devices(names, out, as_json) -> None:
    """Plot the I-V curves of one or several devices.

    \b
    Example:
      analogkan devices plot A21 Z21 Z15 --out curves.png
    """
    from ..report.figures import iv_figure, save

    curves = [get(name) for name in names]
    require_marked(out, give="--out")
    save(iv_figure(curves), out)
    if as_json:
        common.print_json({"file": out, "devices": [_facts(curve) for curve in curves]})
        return
    common.out.print(str(out))


def _facts(curve) -> dict:
    return {
        "name": curve.name,
        "points": curve.v.size,
        "v_min": float(curve.v[0]),
        "v_max": float(curve.v[-1]),
        "i_peak": curve.i_peak,
        "v_peak": curve.v_peak,
        "negative_slopes": curve.negative_slopes().size,
        "reconstructed": curve.reconstructed,
        "source": curve.source,
        "notes": curve.notes,
    }
