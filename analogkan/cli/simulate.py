"""``analogkan simulate``."""

from __future__ import annotations

from pathlib import Path

import click

from ..threads import default_jobs
from . import common, complete


class AnalysisName(click.ParamType):
    """The name of an analysis; they are looked up when one is given, or asked for."""

    name = "analysis"

    def convert(self, value, param, ctx):
        """The name, if there is such an analysis."""
        return common.Choice(list(_analyses())).convert(value, param, ctx)

    def shell_complete(self, ctx, param, incomplete):
        """Names that begin so."""
        return common.Choice(list(_analyses())).shell_complete(ctx, param, incomplete)


class AnalysisOption(click.Option):
    """Its help says what analyses there are."""

    def get_help_record(self, ctx):
        """Its help, and each analysis with what it shows."""
        head, text = super().get_help_record(ctx)
        told = (f"{name}, {one.about}" for name, one in _analyses().items())
        return head, f"{text} {'; '.join(told)}."


def _analyses() -> dict:
    from ..studies.analyses import ANALYSES

    return ANALYSES.kinds


@click.command(short_help="Run images through the circuit in ngspice, beside the software.")
@click.argument("build", type=common.BUILD, shell_complete=complete.build)
@click.option(
    "--dataset",
    metavar="NAME|FILE",
    shell_complete=complete.dataset,
    help="A data set or a function by its name, FILE.npz or, of a regression, FILE.csv; "
    "by default the bundled 1,000 MNIST test images.",
)
@common.data_option
@common.download_option
@click.option("--subset", metavar="N|A:B", help="N images, class-stratified (seed 0); or a range.")
@click.option(
    "--engine",
    type=common.Choice(["ngspice", "vacask", "neospice", "software"]),
    default="ngspice",
    show_default=True,
    help="vacask, neospice: other simulators; software: the float64 network alone.",
)
@click.option("--jobs", type=common.Whole(1, 256), help="ngspice processes; default: all cores.")
@click.option("--chunk", type=common.Whole(2, 100_000), help="Images in one process.")
@click.option("--timeout", type=common.Number(1), help="Seconds for a chunk.")
@click.option("--descending", is_flag=True, help="Sweep from the last image to the first.")
@click.option(
    "--alone",
    is_flag=True,
    help="Each image by itself, from the macro-model's volts: for transistors that do not follow "
    "a sweep.",
)
@click.option(
    "--session", is_flag=True, help="libngspice in worker processes instead of the program."
)
@click.option(
    "--out",
    type=common.FOLDER,
    help="RUN folder; by default <build>.run/<settings>. Finished chunks in it are not run again.",
)
@click.option(
    "--analysis",
    cls=AnalysisOption,
    type=AnalysisName(),
    metavar="NAME",
    help="Of image --image alone, in ngspice, with --out also into OUT/NAME-K:",
)
@click.option("--image", type=common.Whole(0), metavar="K", help="The image of --analysis.")
@click.option(
    "--trace",
    "trace_image",
    type=common.Whole(0),
    metavar="K",
    help="As --analysis trace --image K: its voltages stage by stage.",
)
@click.option("--allow-edited", is_flag=True, help="Simulate a deck that was edited by hand.")
@click.option(
    "--fail-under",
    type=common.Share(),
    metavar="X",
    help="Exit with 3 if the accuracy (of the circuit, if it is simulated) is below X.",
)
@common.json_option
@common.guarded
def simulate(
    build, dataset, data, download, subset, engine, jobs, chunk, timeout, descending, alone,
    session, out, analysis, image, trace_image, allow_edited, fail_under, as_json,
) -> None:  # fmt: skip
    """Simulate inference in ngspice over test images, and compare with the software network.

    Prints both accuracies with 95 % intervals (Wilson), their paired difference (Tango),
    agreement (same class), logit errors and the flipped images. RUN keeps result.json and
    result.npz; an interrupted run goes on when the same command is given again.

    \b
    Examples:
      analogkan simulate mnist.build
      analogkan simulate mnist.build --dataset mnist --data ./data --subset 1000 --jobs 2
      analogkan simulate mnist.build --trace 7
    """
    from ..compiler.build import load_build
    from ..data import choose, load_bundled, load_for
    from ..studies.opened_chips import open_circuit

    alone_image = trace_image is not None or analysis is not None
    circuit = (load_build if alone_image else open_circuit)(build)
    images = load_bundled()
    if dataset is not None:
        images = load_for(circuit.spec, dataset, data, download=download)
    if trace_image is not None:
        if analysis or image is not None:
            raise click.UsageError("--trace K is --analysis trace --image K: give one of them")
        analysis, image = "trace", trace_image
    if (analysis is None) != (image is None):
        raise click.UsageError("--analysis NAME and --image K go together")
    if analysis is not None:
        if subset or engine != "ngspice" or fail_under is not None or session or alone:
            option = "--analysis" if trace_image is None else "--trace"
            raise click.UsageError(
                f"{option} runs one image in the ngspice program: no --subset, --fail-under, "
                f"--session, --alone or --engine {'software' if engine == 'ngspice' else engine}"
            )
        _analyse(circuit, images, analysis, image, out, as_json, allow_edited)
        return
    if engine != "ngspice" and session:
        raise click.UsageError(f"--session is a way to run ngspice: --engine {engine} has none")
    if engine == "software" and out is not None:
        raise click.UsageError("--out keeps ngspice's chunks: --engine software has none")
    if fail_under is not None:
        common.require_classes(circuit.spec)
    images = choose(images, subset)
    result = run_simulation(
        circuit,
        images,
        engine=engine,
        jobs=jobs,
        chunk=chunk,
        timeout=timeout,
        descending=descending,
        session=session,
        alone=alone,
        out=out,
        allow_edited=allow_edited,
        as_json=as_json,
    )
    if as_json:
        common.print_json(result.summary)
    else:
        common.print_result(result)
    key = "software_accuracy" if engine == "software" else "circuit_accuracy"
    if fail_under is not None:
        common.require_least(result.summary[key], fail_under, key.replace("_", " "))


def run_simulation(
    circuit, images, *, engine="ngspice", jobs=None, chunk=None, timeout=None, descending=False,
    session=False, alone=False, out=None, allow_edited=False, as_json=False,
):  # fmt: skip
    """Call ``studies.simulate`` with a progress bar."""
    from ..engines.chunked import BatchOptions
    from ..studies.simulate import simulate as run

    with common.progress(as_json) as bar:
        task = bar.add_task(f"{engine}: images", total=len(images))

        def on_progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        def on_first(seconds: float, megabytes: float) -> None:
            most = seconds / 2 * len(images) / (jobs or default_jobs())
            told = f"two took {seconds:.3g} s, {megabytes:,.0f} MB: about {most / 60:.3g} min"
            bar.update(task, description=f"{engine}: images ({told})")

        return run(
            circuit,
            images,
            engine=engine,
            options=BatchOptions(
                jobs=jobs or default_jobs(),
                chunk=chunk or 0,
                timeout=timeout or 0.0,
                descending=descending,
                session=session,
                alone=alone,
                on_first=on_first,
            ),
            run=out,
            allow_edited=allow_edited,
            command=common.command_line(),
            on_progress=on_progress,
        )


def _analyse(
    circuit, images, name: str, image: int, out: Path | None, as_json: bool, allow_edited: bool
) -> None:
    import numpy as np

    from ..errors import DataError
    from ..studies.analyses import analyse_image

    position = np.flatnonzero(images.index == image)
    if not position.size:
        numbers = sorted(images.index)
        more = f" and {len(numbers) - 5:,} more, to {numbers[-1]}" if len(numbers) > 5 else ""
        raise DataError(
            f"image {image} is none of {images.said}: there are "
            f"{', '.join(map(str, numbers[:5]))}{more}"
        )
    chosen = images.take(position[:1])
    found = analyse_image(circuit, chosen, images, name, out, allow_edited=allow_edited)
    if as_json:
        common.print_json(found.to_document())
    else:
        common.print_result(found)
        if out is not None:
            common.out.print(f"kept in {out / f'{name}-{image}'}")
