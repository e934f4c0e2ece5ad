"""``analogkan demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import resources
from ..api.progress import follow
from ..ours import require_marked
from ..threads import default_jobs
from . import common
from .compile import print_build
from .simulate import run_simulation
from .verify import print_verification


@click.command(short_help="The whole path on bundled data, from netlist to report.")
@click.option(
    "--out",
    type=common.FOLDER,
    default=Path("demo.run"),
    show_default=True,
    help="Folder for the netlist, the results and the report.",
)
@click.option(
    "--images", type=common.Whole(10, 1000), default=200, show_default=True,
    help="How many of the 1,000 bundled MNIST images.",
)  # fmt: skip
@click.option("--jobs", type=common.Whole(1, 256), help="ngspice processes; default: all cores.")
@common.json_option
@common.guarded
def demo(out, images, jobs, as_json) -> None:
    """Compile the bundled mnist-d2 model, verify it, run 200 images in ngspice, draw 100 virtual
    chips, heat it, take its errors apart, and write a report of it all.

    Nothing is downloaded. Leaves demo.run/report.html, its figures as PNG in demo.run/figures, the
    netlist in demo.run/mnist-d2.build, and a RUN of each study beside it.

    \b
    Example:
      analogkan demo --out /tmp/demo
    """
    from ..api.making import compile_model
    from ..data import by_class, load_bundled
    from ..engines.ngspice import find_ngspice
    from ..report.page import write_report

    find_ngspice()
    require_marked(out / "report.html", give="--out")  # before minutes of simulation
    build = compile_model(resources.path("models/mnist-d2.pt"), out / "mnist-d2.build")
    bundled = load_bundled()
    chosen = by_class(bundled, images)
    if not as_json:
        print_build(build)
        print_verification(build.verification)
    result = run_simulation(build, chosen, jobs=jobs, out=out / f"run-{images}", as_json=as_json)
    if not as_json:
        common.print_result(result)
    chips = _studies(build, bundled, out, jobs, as_json)
    runs = [out / f"run-{images}", *(out / name for name in STUDIES)]
    report = write_report(runs, out / "report.html", figures=out / "figures")
    if as_json:
        common.print_json(result.summary | {"chips": chips.summary, "report": report})
        return
    common.print_result(chips)
    common.out.print(f"the circuit itself: ngspice -b {build.folder}/network.cir")
    common.out.print(
        f"the report: {report['report']} ({report['bytes'] / 1e6:.1f} MB, one file); its "
        f"{len(report['figures'])} figures: {out / 'figures'}",
    )


STUDIES = ("chips", "temperatures", "budget")
"""RUN folders of the demo's studies."""


def _studies(build, images, out: Path, jobs: int | None, as_json: bool) -> Any:
    """Virtual chips, temperatures and an error budget, small ones; what was found of the chips."""
    from ..studies.montecarlo import montecarlo
    from ..studies.options import StudyOptions
    from ..studies.sweep import sweep
    from ..studies.thermal import thermal

    chips, temperatures, budget = (out / name for name in STUDIES)
    at_once = jobs or default_jobs()
    with common.progress(as_json) as bar:

        def of(run: Path, judge: str) -> dict[str, Any]:
            """How a study runs, and what it reports to: a line a study."""
            study = StudyOptions(jobs=at_once, run=run, judge=judge, command=common.command_line())
            named = follow(bar, lambda what: what if run == chips else f"{what}: {run.name}")
            return {"options": study, "on_progress": named}

        found = montecarlo(build, images, samples=100, **of(chips, "2x25"))
        thermal(build, images, temps_c=range(-40, 126, 15), samples=10, **of(temperatures, "none"))
        sweep(build, images, grid="budget", samples=20, **of(budget, "none"))
    return found
