"""``analogkan montecarlo``."""

from __future__ import annotations

import click

from ..text import percent
from . import common, complete, studies


@click.command(short_help="Virtual chips: accuracy, yield and logit errors over mismatch.")
@click.argument("build", type=common.BUILD, shell_complete=complete.build)
@click.option("--samples", type=common.Whole(1, 1_000_000), default=100, show_default=True)
@click.option(
    "--first",
    type=common.Whole(min=0),
    default=0,
    show_default=True,
    help="Number of the first chip, to look at one alone.",
)
@click.option(
    "--preset",
    default="rram",
    show_default=True,
    metavar="NAME|FILE.toml",
    shell_complete=complete.preset,
)
@click.option("--temp", type=common.AnyNumber(), metavar="DEGC", help="In place of the preset's.")
@click.option(
    "--yield-at",
    type=common.Share(),
    metavar="X",
    help="A chip is good from this accuracy on; default: 0.01 below software's, or the parent's.",
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Set each chip's columns, layer by layer, from measured vectors.",
)
@click.option(
    "--fail-under",
    type=common.Share(),
    metavar="X",
    help="Exit with 3 if the mean is below X.",
)
@studies.study_options
@common.guarded
def montecarlo(
    build, samples, first, preset, temp, yield_at, calibrate, fail_under, as_json, **chosen
) -> None:
    """Draw virtual chips of a BUILD, run the images through each, and say how they differ.

    Each chip has its own programming errors, diodes, offsets and gains, as preset and --set say
    (`analogkan doctor --settings` lists them all). Chip m is the same chip whatever else is asked.
    Intervals are over chips; the images are fixed. RUN keeps study.sqlite, chips.csv, result.json
    and histogram.png; the same command goes on with what is left, more --samples extend it.

    \b
    Examples:
      analogkan montecarlo mnist.build --samples 200 --subset 1000
      analogkan montecarlo mnist.build --set sigma_g=0.1 --set trim=none --yield-at 0.97
      analogkan montecarlo mnist.build --samples 10 --subset 500 --engine ngspice
      analogkan montecarlo mnist.build --samples 1 --first 7 --engine ngspice
    """
    from ..studies.montecarlo import montecarlo as study

    chosen["as_json"] = as_json
    circuit, images = studies.load(build, chosen)
    result = studies.run(
        study, circuit, images, chosen,
        samples=samples, first=first, preset=preset, temp_c=temp, yield_at=yield_at,
        calibrate=calibrate,
    )  # fmt: skip

    def draw():
        from ..report.figures import histogram_figure

        return histogram_figure(result.rows, result.summary)

    common.keep_picture(draw, result.run / "histogram.png")
    if as_json:
        common.print_json(result.summary)
    else:
        print_chips(result.summary)
    below = fail_under is not None and result.summary["accuracy_mean"] < fail_under
    if below:
        mean = result.summary["accuracy_mean"]
        common.err.print(
            f"mean accuracy {mean:.4f} is below --fail-under {fail_under:g}", style="red"
        )
        raise SystemExit(common.EXIT_THRESHOLD)


def print_chips(s: dict) -> None:
    """Mean, spread, percentiles and yield, beside software."""
    from ..imperfections.registry import counts

    def interval(pair, what: str = "") -> str:
        return studies.points(pair, s["no_interval"].get(what, ""))

    title = f"{s['model']}: {s['samples']} chips ({s['preset']}) on {s['images']['said']}"
    shown = common.table(f"{title}, {s['temp_c']:g} degC", "", "value", "95 % over chips")
    shown.add_row("software", percent(s["software_accuracy"]), "")
    shown.add_row("mean", percent(s["accuracy_mean"]), interval(s["accuracy_mean_ci95"], "mean"))
    if "accuracy_uncalibrated_mean" in s:
        before = s["accuracy_uncalibrated_mean"]
        found = interval(s["accuracy_uncalibrated_mean_ci95"])
        shown.add_row("mean before calibration", percent(before), found)
    if s["accuracy_std"] is not None:
        spread = f"{100 * s['accuracy_std']:.2f} points"
        shown.add_row("standard deviation", spread, interval(s["accuracy_std_ci95"], "std"))
    for q, value in s["accuracy_percentiles"].items():
        found = interval(s["accuracy_percentiles_ci95"][q], q)
        shown.add_row("median" if q == "50" else f"{q} %", percent(value), found)
    good = f"yield (at least {percent(s['yield_at'])})"
    shown.add_row(good, percent(s["yield"]), interval(s["yield_ci95"]))
    shown.add_row("same class as software", percent(s["agreement_mean"]), "")
    error, full = s["max_abs_logit_error"], s["logit_full_scale"]
    shown.add_row("largest logit error", f"{error:.2g}", f"{error / full:.1e} of {full:.3g}")
    common.out.print(shown)
    worst = s["worst_chip"]
    common.out.print(
        f"worst chip: {worst['sample']}, {percent(worst['accuracy'])}; intervals are over chips, "
        "the images are fixed"
    )
    common.out.print(f"yield counts chips of {s['yield_rule']}")
    if s["nothing_drawn"]:
        common.out.print("note: nothing is drawn, so every chip is the design", style="yellow")
    counted = {**counts(), "uncalibrated_columns": "columns left uncalibrated"}
    for count, what in counted.items():
        if s[f"{count}_mean"]:
            common.out.print(f"note: a chip has {s[f'{count}_mean']:.3g} {what} in the mean")
    studies.print_failures(s["failures"], s["samples"])
    studies.print_notes(s)
