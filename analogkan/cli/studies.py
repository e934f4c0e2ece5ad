"""What ``montecarlo`` and ``thermal`` share: options, images, progress, closing lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..api.progress import follow
from ..engines.threads import default_jobs
from ..text import interval
from . import common, complete
from .simulate import told_of_judge

_IMAGES = (
    click.option(
        "--dataset",
        metavar="NAME|FILE.npz",
        shell_complete=complete.dataset,
        help="mnist, fashion-mnist, cifar10 or FILE.npz; "
        "by default the bundled 1,000 MNIST test images.",
    ),
    common.data_option,
    common.download_option,
    click.option(
        "--subset", metavar="N|A:B", help="N images, class-stratified (seed 0); or a range."
    ),
)
_RUN = (
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=complete.setting,
        help="On top of the preset, such as sigma_g=5% or g_max=50u: see `analogkan doctor "
        "--settings`.",
    ),
    click.option(
        "--engine",
        type=common.Choice(["twin", "ngspice"]),
        default="twin",
        show_default=True,
        help="twin is the same circuit in closed form.",
    ),
    click.option("--jobs", type=common.Whole(1, 256), help="Chips at a time; default: all cores."),
    click.option(
        "--executor",
        type=common.Choice(["local", "dask"]),
        default="local",
        show_default=True,
        help="dask: the workers of --scheduler (docs/cluster.md).",
    ),
    click.option("--scheduler", default="", metavar="ADDRESS", help="Of a Dask cluster."),
    click.option("--seed", type=common.Whole(0), default=0, show_default=True),
    click.option(
        "--judge",
        metavar="CHIPSxIMAGES|none",
        default="3x50",
        show_default=True,
        help="What of a twin study ngspice simulates once more.",
    ),
    click.option(
        "--out",
        type=common.FOLDER,
        help="RUN folder; by default <build>.run/<settings>. Chips finished in it are not run "
        "again.",
    ),
    click.option("--resume", is_flag=True, help="Only go on with a RUN: refuse to begin one."),
    common.json_option,
)


def study_options(command: Callable) -> Callable:
    """Give a command the options of every study."""
    for option in reversed((*_IMAGES, *_RUN)):
        command = option(command)
    return command


def load(build: Path, chosen: dict[str, Any]) -> tuple:
    """The BUILD and the images that the options choose."""
    from ..compiler.build import load_build
    from ..data import choose, load_bundled, load_dataset

    circuit = load_build(build)
    name = chosen["dataset"]
    images = load_bundled()
    if name:
        images = load_dataset(name, "test", chosen["data"], download=chosen["download"])
    return circuit, choose(images, chosen["subset"])


def run(study: Callable, circuit: Any, images: Any, chosen: dict[str, Any], **settings: Any):
    """Call ``study`` of ``analogkan.studies`` with the common options and a progress bar."""
    from ..studies.conduct import StudyOptions

    options = StudyOptions(
        engine=chosen["engine"],
        jobs=chosen["jobs"] or default_jobs(),
        seed=chosen["seed"],
        run=chosen["out"],
        resume=chosen["resume"],
        judge=chosen["judge"],
        executor=chosen["executor"],
        scheduler=chosen["scheduler"],
        command=common.command_line(),
    )
    with common.progress(chosen["as_json"]) as bar:

        def named(what: str) -> str:
            return f"{options.engine if what == 'chips' else 'ngspice'}: {what}"

        return study(
            circuit,
            images,
            settings=chosen["assignments"],
            options=options,
            on_progress=follow(bar, named),
            **settings,
        )


def print_notes(s: dict[str, Any]) -> None:
    """What holds for every study: hardware that changed, the judge's finding, where it is kept."""
    if s.get("recompiled"):
        changed = ", ".join(f"{name} = {value}" for name, value in s["recompiled"].items())
        common.out.print(f"compiled again with {changed}")
    if s["cluster"]:
        told = s["cluster"]
        common.out.print(
            f"on {told['workers']} Dask workers, {told['threads']} threads: "
            f"{told['bytes_scattered'] / 1e6:.1f} MB once, {told['bytes_per_point']:,} bytes out "
            f"and {told['bytes_per_row']:,} back a chip"
        )
    judged = s["judge"]
    if s["engine"] == "ngspice":
        told = told_of_judge(judged, "chip and image")
        common.out.print(f"in ngspice {s['versions']['ngspice']}: {told}")
    elif judged is None:
        common.out.print("not judged: no chip of this study was simulated in ngspice")
    else:
        common.out.print(
            f"judged by ngspice {judged['versions']['ngspice']}: {judged['chips']} chips x "
            f"{judged['images']} images, largest logit difference "
            f"{judged['max_abs_difference']:.1e}, {judged['share_of_full_scale']:.1e} of full "
            f"scale ({judged['tolerance']:g} is allowed)"
        )
    common.print_notes(s["notes"])
    common.out.print(f"kept in {s['run']}")


def print_failures(failures: list[dict[str, Any]], of: int) -> None:
    """Circuits that could not be simulated, the first few with their reasons."""
    if failures:
        common.out.print(f"{len(failures)} of {of} could not be simulated:", style="yellow")
    for failure in failures[:5]:
        what = "nominal" if failure["sample"] is None else f"chip {failure['sample']}"
        reason = failure["reason"]
        common.out.print(f"  {what} at {failure['temp_c']:g} degC: {reason}")
    if len(failures) > 5:
        common.out.print(f"  and {len(failures) - 5} more in chips.csv")


def points(pair: tuple[float, float] | list[float] | None, reason: str = "") -> str:
    """An interval of shares in per cent; a dash, and the ``reason``, where there is none."""
    return interval(pair) or f"– {reason}".strip()
