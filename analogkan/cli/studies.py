"""The commands of studies, as each study declares itself."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..api.progress import follow
from ..errors import StudyError
from ..studies.cost import Forecast
from ..studies.study import Option, Study
from ..threads import default_jobs
from . import common, complete

_IMAGES = (
    click.option(
        "--dataset",
        metavar="NAME|FILE",
        shell_complete=complete.dataset,
        help="A data set or a function by its name, FILE.npz or, of a regression, FILE.csv; "
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
        type=common.Choice(["twin", "ngspice", "vacask", "neospice"]),
        default="twin",
        show_default=True,
        help="twin is the same circuit in closed form.",
    ),
    click.option(
        "--precision",
        type=common.Choice(["auto", "float64", "mixed"]),
        default="auto",
        show_default=True,
        help="Of the twin; mixed: float32 where a bound proves the class (docs/virtual-chips.md). "
        "auto: mixed from 2,000 images on, where numba is installed.",
    ),
    click.option(
        "--device",
        default="cpu",
        show_default=True,
        metavar="cpu|cuda",
        help="Of the twin; a GPU as torch calls it, such as cuda:1.",
    ),
    click.option(
        "--memory-gb",
        type=common.AnyNumber(),
        default=4.0,
        show_default=True,
        help="GB of a GPU that a chip's images may take at once, for each job.",
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


def command(study: Study) -> click.Command:
    """The command of a study."""

    @common.guarded
    def run(build: Path, as_json: bool, **chosen: Any) -> None:
        below, yes = chosen.pop("fail_under", None), chosen.pop("yes", True)
        without = study.threshold.without if study.threshold is not None else ""
        if below is not None and without and chosen[without]:
            raise click.UsageError(
                f"--fail-under is about the {study.threshold.said}, and --{without} estimates none"
            )
        given = {o.name: v for o in study.options if (v := chosen.pop(o.public)) is not None}
        if study.models and not build.is_dir():
            build = _compiled(build, as_json)
        circuit, images = load(build, chosen)
        if below is not None:
            common.require_classes(circuit.spec)
        options = _study_options(chosen)
        settings, told = chosen["assignments"], list[str]()
        if not as_json:
            replaced = study.replaces(circuit, images, settings=settings, **given)
            told += [f"note: {note}" for note in replaced]
            if study.forecast is not None:
                told.append(study.foretold(circuit, images, options, settings=settings, **given))
        result = _run(study, circuit, images, settings, options, given, as_json, yes, told)
        picture = result.run / (study.picture or f"{study.name}.png")
        common.keep_picture(lambda: next((f.draw() for f in result.figures()), None), picture)
        if as_json:
            common.print_json(result.summary)
        else:
            common.print_result(result)
        if study.threshold is not None and below is not None:
            common.require_least(result.summary[study.threshold.entry], below, study.threshold.said)

    params: list[click.Parameter] = [
        click.Argument(
            ["build"],
            type=common.ModelOrBuild() if study.models else common.BUILD,
            metavar="MODEL|BUILD" if study.models else None,
            shell_complete=complete.build,
        )
    ]
    params += [_option(option) for option in study.options]
    if study.threshold is not None:
        about = study.threshold.about
        share = common.Share()
        params.append(click.Option(["--fail-under"], type=share, metavar="X", help=about))
    if study.large:
        about = "Do not ask before a very large study."
        params.append(click.Option(["--yes"], is_flag=True, help=about))
    made = click.Command(
        study.name, params=params, callback=run, short_help=study.short,
        help=study.about,
    )  # fmt: skip
    for option in (*_IMAGES, *_RUN):
        option(made)
    shared = made.params[len(params) :]
    made.params[len(params) :] = shared[::-1]
    return made


TYPES: dict[str, Callable[[Option], Any]] = {
    "whole": lambda o: common.Whole(o.least, o.most),
    "number": lambda o: common.AnyNumber(),
    "share": lambda o: common.Share(),
    "limit": lambda o: common.Limit(),
    "text": lambda o: common.Choice(list(o.choices)) if o.choices else click.STRING,
    "truth": lambda o: click.BOOL,
}


def _option(option: Option) -> click.Option:
    """An option of a study as click's."""
    return click.Option(
        [f"--{option.public.replace('_', '-')}"],
        type=TYPES[option.kind](option),
        is_flag=option.kind == "truth",
        default=option.default,
        show_default=option.kind != "truth" and option.default is not None,
        metavar=option.metavar or None,
        help=option.about or None,
        shell_complete=getattr(complete, option.words) if option.words else None,
    )


def load(build: Path, chosen: dict[str, Any]) -> tuple[Any, Any]:
    """The BUILD and the images that the options choose."""
    from ..compiler.build import load_build
    from ..data import choose, load_bundled, load_for

    circuit = load_build(build)
    name = chosen["dataset"]
    images = load_bundled()
    if name is not None:
        images = load_for(circuit.spec, name, chosen["data"], download=chosen["download"])
    return circuit, choose(images, chosen["subset"])


def _compiled(model: Path, as_json: bool) -> Path:
    """The BUILD of a model as it is by default, compiled unless it is there."""
    from ..api.making import build_of

    folder, new = build_of(model, command=f"analogkan compile {shlex.quote(str(model))}")
    if new and not as_json:
        common.err.print(f"compiled {folder}")
    return folder


def _study_options(chosen: dict[str, Any]) -> Any:
    from ..studies.options import StudyOptions

    return StudyOptions(
        engine=chosen["engine"],
        jobs=chosen["jobs"] or default_jobs(),
        seed=chosen["seed"],
        run=chosen["out"],
        resume=chosen["resume"],
        judge=chosen["judge"],
        executor=chosen["executor"],
        scheduler=chosen["scheduler"],
        precision=chosen["precision"],
        device=chosen["device"],
        memory_gb=chosen["memory_gb"],
        command=common.command_line(),
    )


def _run(
    study: Study, circuit: Any, images: Any, settings: Any, options: Any, given: dict[str, Any],
    as_json: bool, yes: bool, told: list[str],
) -> Any:  # fmt: skip
    """Run a study with a progress bar, before which ``told`` stands once nothing is refused, and,
    but for ``yes``, a question if it is very large."""
    left = [line for line in told if line]
    with common.progress(as_json) as bar:

        def approve(forecast: Forecast) -> None:
            bar.stop()  # which would keep a line that has no end to itself
            _ask(forecast)
            bar.start()

        options = options if yes else replace(options, approve=approve)

        def named(what: str) -> str:
            return f"{options.engine if what == 'chips' else 'ngspice'}: {what}"

        followed = follow(bar, named)

        def on_progress(what: str, done: int, total: int) -> None:
            while left:
                common.err.print(left.pop(0), highlight=False)
            followed(what, done, total)

        return study(
            circuit, images, settings=settings, options=options, on_progress=on_progress, **given
        )


def _ask(forecast: Forecast) -> None:
    """Ask whether to run so many points, where somebody can answer."""
    if not sys.stdin.isatty():
        raise StudyError(f"{forecast.told()}: give --yes to run them, or fewer --samples")
    if not click.confirm(f"{forecast.told()}. Run them?", err=True):
        raise SystemExit(common.EXIT_FAILURE)
