"""``analogkan sweep``."""

from __future__ import annotations

import sys
import time

import click

from ..errors import SettingsError, StudyError
from ..text import percent
from . import common, complete, studies

MANY = 100_000
"""Circuits from which on a sweep asks first."""
MOST_ROWS = 200
"""Settings that are printed."""


@click.command(short_help="Chips over a grid of settings; an error budget; faults by rate.")
@click.argument("build", type=common.BUILD, shell_complete=complete.build)
@click.option(
    "--grid",
    type=common.Choice(["axes", "budget", "faults"]),
    default="axes",
    show_default=True,
    help="axes: every --set key=a,b,c is one.",
)
@click.option(
    "--samples",
    type=common.Whole(1, 1_000_000),
    default=20,
    show_default=True,
    help="Chips at each point of the grid.",
)
@click.option(
    "--preset",
    metavar="NAME|FILE.toml",
    shell_complete=complete.preset,
    help="What the grid starts from: nominal; budget: rram.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a very large grid.")
@studies.study_options
@common.guarded
def sweep(build, grid, samples, preset, yes, as_json, **chosen) -> None:
    """Run chips at every point of a grid of hardware, variation and conditions.

    A --set with commas is an axis, one without holds everywhere. A change of hardware is compiled
    again in memory. Chip m is the same chip at every point. RUN keeps study.sqlite, sweep.csv (a
    row a chip; chips.csv has the same without the axes), result.json and sweep.png; more values,
    or more --samples, extend it.

    \b
    Examples:
      analogkan sweep mnist.build --set sigma_g=0,2%,5%,10% --set levels=8,16,32,64
      analogkan sweep mnist.build --grid budget --samples 50 --subset 1000
      analogkan sweep mnist.build --grid faults
    """
    from ..studies.sweep import sweep as study
    from ..studies.sweep import sweep_size

    chosen["as_json"] = as_json
    circuit, images = studies.load(build, chosen)
    cell, count = sweep_size(circuit, grid, chosen["assignments"], preset, samples)
    if count > MANY and not yes:
        _ask(circuit, images, cell, count)
    result = studies.run(study, circuit, images, chosen, grid=grid, samples=samples, preset=preset)

    def draw():
        from ..report.grids import sweep_figure

        return sweep_figure(result.summary)

    common.keep_picture(draw, result.run / "sweep.png")
    if as_json:
        common.print_json(result.summary)
    else:
        (print_budget if grid == "budget" else print_cells)(result.summary)


def _ask(circuit, images, cell, count: int) -> None:
    """Forecast a very large grid from one circuit of it, and ask whether to run it."""
    from ..engines.chips import TwinEngine
    from ..studies.chips import Bench
    from ..studies.points import MAX_POINTS

    bench = Bench(circuit, images, TwinEngine())
    point = cell.points(1)[0]
    bench.evaluate(point)
    started = time.perf_counter()
    bench.evaluate(point)
    hours = (time.perf_counter() - started) * count / 3600
    forecast = (
        f"{count:,} circuits of {len(images):,} images: about {hours:.1f} hours of one core in the "
        "twin"
    )
    if count > MAX_POINTS:
        raise SettingsError(
            f"{forecast}; a RUN holds at most {MAX_POINTS:,}: make the grid or --samples smaller, "
            "or several sweeps of it"
        )
    if not sys.stdin.isatty():
        raise StudyError(f"{forecast}: give --yes to run them, or a smaller grid or --samples")
    if not click.confirm(f"{forecast}. Run them?", err=True):
        raise SystemExit(common.EXIT_FAILURE)


def print_budget(s: dict) -> None:
    """A row an imperfection: what it loses alone, and what would be won back without it."""
    found = {}
    for cell in s["cells"]:
        found.setdefault(cell["labels"]["imperfection"], {})[cell["labels"]["cell"]] = cell
    found["all together"] = {"alone": found.pop("all")["all"]}
    title = f"{s['model']}: budget of {s['preset']}, {s['samples']} chips, on {s['images']['said']}"
    columns = ("", "lost", "95 %", "SNR", "won back", "95 %")
    shown = common.table(title, *columns)
    for name, cells in found.items():
        alone = _points(cells["alone"], "lost", ".2f")
        back = _points(cells["all but"], "won_back", "+.2f") if "all but" in cells else ("", "")
        noise = in_noise(cells["alone"], "lost") and in_noise(cells.get("all but"), "won_back")
        row = ("nothing" if name == "none" else name, *alone, _loss(s, cells["alone"])[2], *back)
        shown.add_row(*row, style="bright_black" if noise else None)
    common.out.print(shown)
    common.out.print(
        f"software {percent(s['software_accuracy'])}; lost and won back in points of accuracy, "
        "means over chips. Lost: alone against software, 95 % over chips and images; won back: if "
        "it alone were gone, chip by chip, 95 % over chips. ~: in the noise, 0 is possible; –: one "
        "chip, or all are equal. SNR: software's logit spread over the rms logit error"
    )
    studies.print_notes(s)


def in_noise(cell: dict | None, figure: str) -> bool:
    """Whether 0 is in the interval of a cell's figure, or it has none."""
    pair = cell and cell[f"{figure}_ci95"]
    return not pair or pair[0] <= 0 <= pair[1]


def _points(cell: dict, figure: str, form: str) -> tuple[str, str]:
    """A figure of a cell in points, marked where it may be 0, and its interval."""
    if cell[figure] is None:
        return "–", "–"
    mark = " ~" if in_noise(cell, figure) else "  "
    pair = cell[f"{figure}_ci95"] and [round(100 * end, 2) + 0.0 for end in cell[f"{figure}_ci95"]]
    within = "–" if pair is None else f"{pair[0]:.2f} to {pair[1]:.2f}"
    return f"{round(100 * cell[figure], 2) + 0.0:{form}}{mark}", within


def _loss(s: dict, cell: dict) -> list[str]:
    """Mean accuracy, points lost and SNR of a cell."""
    if cell["accuracy_mean"] is None:
        return ["–"] * 3
    snr = cell["logit_snr_db"]
    return [
        percent(cell["accuracy_mean"]),
        f"{round(100 * (s['software_accuracy'] - cell['accuracy_mean']), 2) + 0.0:.2f}",
        "–" if snr is None else f"{snr:.1f} dB",
    ]


def print_cells(s: dict) -> None:
    """A row a cell of the grid."""
    axes = list(s["cells"][0]["labels"])
    title = f"{s['model']}: {s['grid']} of {s['preset']}, on {s['images']['said']}"
    shown = common.table(title, *axes, "chips", "mean", "95 %", "lost", "same", "SNR")
    for cell in s["cells"][:MOST_ROWS]:
        loss = _loss(s, cell)
        agreement = cell["agreement_mean"]
        figures = [
            loss[0],
            studies.points(cell["accuracy_mean_ci95"]).replace(" to ", "–"),
            loss[1],
            "–" if agreement is None else percent(agreement),
            loss[2],
        ]
        chips = str(cell["chips"]) + (f" ({cell['failed']} failed)" if cell["failed"] else "")
        shown.add_row(*cell["labels"].values(), chips, *figures)
    common.out.print(shown)
    if len(s["cells"]) > MOST_ROWS:
        common.out.print(
            f"the first {MOST_ROWS} of {len(s['cells']):,} settings; all are in result.json"
        )
    common.out.print(
        f"software {percent(s['software_accuracy'])}; lost: points of accuracy against software; "
        "same: class as software; SNR: software's logit spread over the rms logit error; intervals "
        "of the mean are over chips, the images are fixed; –: one chip, or all are equal"
    )
    studies.print_notes(s)
