"""``analogkan models explain``."""

from __future__ import annotations

from pathlib import Path

import click

from . import common, complete


@click.command("explain", short_help="Show what a network has learned: its edges by importance.")
@click.argument(
    "model", metavar="MODEL|BUILD", type=click.Path(path_type=Path), shell_complete=complete.network
)
@click.option(
    "--top", type=common.Whole(0, 100_000), default=20, show_default=True, help="Edges to list."
)
@click.option(
    "--ablate",
    type=common.Whole(0, 100_000),
    default=0,
    metavar="N",
    help="Replace each of the first N edges by its mean, one at a time, and say what that changes.",
)
@click.option(
    "--dataset",
    metavar="NAME|FILE",
    shell_complete=complete.dataset,
    help="Its test part: what the loss of an ablation is measured on.",
)
@common.data_option
@common.download_option
@click.option(
    "--subset", metavar="N|A:B", help="N of its images, class-stratified (seed 0); or a range."
)
@click.option(
    "--plot",
    "picture",
    type=common.FILE,
    metavar="FILE",
    help="Draw the first 12 edges: PNG, SVG or PDF, by its ending.",
)
@common.json_option
@common.guarded
def explain_model(
    model, top, ablate, dataset, data, download, subset, picture, as_json
) -> None:  # fmt: skip
    """Show what a network has learned: its edge functions in the order of their importance.

    An edge is the sum over its diodes of theta phi from one input (with all of its DACs) or
    hidden node to one output of its layer. Importance: the rms about its mean on the model's
    calibration inputs, as far as it reaches the outputs; in logits, or in the target's unit.

    \b
    Examples:
      analogkan models explain mnist-d2 --ablate 20 --plot edges.png
      analogkan models explain sensor.build --ablate 20 --dataset sensor.csv
    """
    from ..api.explaining import explain as run
    from ..api.explaining import spec_of
    from ..data import choose, load_for

    spec, images = spec_of(model), None
    if dataset is not None:
        task = "" if spec.targets is None else spec.task
        images = load_for(spec, dataset, data, download=download, task=task)
        images = choose(images, subset)
    elif subset:
        raise click.UsageError("--subset chooses from --dataset, which is missing")
    found = run(spec, images, top=top, ablate=ablate, plot=picture)
    if as_json:
        common.print_json(found.summary | {"picture": picture})
        return
    common.print_result(found)
    if picture is not None:
        common.out.print(str(picture))
