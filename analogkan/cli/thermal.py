"""``analogkan thermal``."""

from __future__ import annotations

import click

from ..errors import SettingsError
from ..numerals import read_number, why_not
from ..text import percent
from . import common, complete, studies


@click.command(short_help="Accuracy, and gain and offset of the logits, against temperature.")
@click.argument("build", type=common.BUILD, shell_complete=complete.build)
@click.option(
    "--temps",
    default="-40:125:15",
    show_default=True,
    metavar="LO:HI:STEP|T,T,...",
    help="Degrees Celsius.",
)
@click.option(
    "--samples",
    type=common.Whole(0, 1_000_000),
    default=0,
    show_default=True,
    help="Chips at each temperature, beside the nominal circuit.",
)
@click.option(
    "--preset",
    metavar="NAME|FILE.toml",
    shell_complete=complete.preset,
    help="By default the BUILD's own hardware; with --samples, rram.",
)
@click.option(
    "--compensate",
    default="none",
    show_default=True,
    metavar="none|each|DEGC",
    help="Take out each column's gain and offset, as measured at each temperature or at one.",
)
@studies.study_options
@common.guarded
def thermal(build, temps, samples, preset, compensate, as_json, **chosen) -> None:
    """Run the images through the circuit at several temperatures, beside the software network.

    Everything has the same temperature. With --samples also virtual chips, each the same chip at
    every temperature: their mean and the band from 5 to 95 %. RUN keeps study.sqlite, chips.csv,
    result.json and thermal.png; the same command goes on with what is left.

    \b
    Examples:
      analogkan thermal mnist.build --temps -40:125:15 --subset 500
      analogkan thermal mnist.build --temps -40,26.85,125 --samples 20 --compensate each
    """
    from ..studies.points import parse_temps
    from ..studies.thermal import thermal as study

    chosen["as_json"] = as_json
    temps_c, taken_out = parse_temps(temps), parse_compensate(compensate)
    circuit, images = studies.load(build, chosen)
    result = studies.run(
        study, circuit, images, chosen,
        temps_c=temps_c, samples=samples, preset=preset, compensate=taken_out,
    )  # fmt: skip

    def draw():
        from ..report.figures import thermal_figure

        return thermal_figure(result.summary)

    common.keep_picture(draw, result.run / "thermal.png")
    if as_json:
        common.print_json(result.summary)
    else:
        print_temperatures(result.summary)


def parse_compensate(text: str) -> str | float | None:
    """None, ``each`` or degrees Celsius; SettingsError if it is neither."""
    if text in ("none", "each"):
        return None if text == "none" else text
    try:
        return read_number(text)
    except ValueError:
        raise SettingsError(
            f"compensate {text!r} is neither none nor each nor a temperature such as 26.85"
            f"{why_not(text)}"
        ) from None


def print_temperatures(s: dict) -> None:
    """A row a temperature."""
    chips, compensated = s["samples"] > 0, s["compensate"] is not None
    columns = ["degC", "nominal %", "same %", "gain", "offset"]
    columns += ["comp. %"] if compensated else []
    columns += ["chips %", "5–95 %"] if chips else []
    columns += ["comp. %"] if chips and compensated else []
    title = f"{s['model']}, settings {s['preset'] or 'as built'}"
    title += f", {s['samples']} chips" if chips else ""
    title += f", on {s['images']['said']}"
    shown = common.table(title, *columns)
    failures = []
    for entry in s["temperatures"]:
        nominal, band = entry["nominal"], entry.get("chips")
        cells = [f"{entry['temp_c']:g}", _percent(nominal["accuracy"])]
        cells += [_percent(nominal["agreement"])]
        cells += [_figure(nominal["gain_mean"], ".3f"), _figure(nominal["offset_mean"], "+.4f")]
        cells += [_percent(nominal["accuracy_compensated"])] if compensated else []
        if band:
            spread = band["accuracy_percentiles"]
            inner = spread and f"{100 * spread['5']:.1f}–{100 * spread['95']:.1f}"
            cells += [_percent(band["accuracy_mean"]), inner or "–"]
            cells += [_percent(band["accuracy_compensated_mean"])] if compensated else []
            failures += band["failures"]
        if nominal["status"] != "ok":
            failures.append({"sample": None, "temp_c": entry["temp_c"], **nominal})
        shown.add_row(*cells)
    common.out.print(shown)
    common.out.print(
        f"software {percent(s['software_accuracy'])}; same: images that nominal circuit and "
        "software put into the same class"
    )
    nominals = [entry["nominal"] for entry in s["temperatures"]]
    if any(n["status"] == "ok" and n["gain_mean"] is None for n in nominals):
        common.out.print("no gain or offset: they need images whose logits in software differ")
    if chips:
        common.out.print("mean and band are over chips; the images are fixed")
    if compensated:
        at = "each temperature" if s["compensate"] == "each" else f"{s['compensate']:g} degC"
        common.out.print(f"compensated: gain and offset of each column as measured at {at}")
    studies.print_failures(failures, len(s["temperatures"]) * (1 + s["samples"]))
    studies.print_notes(s)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f}"


def _figure(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
