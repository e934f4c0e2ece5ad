"""``analogkan train``."""

from __future__ import annotations

from typing import Any

import click

from ..errors import SettingsError
from ..network.measures import format_value, line_said
from ..text import percent
from . import common, complete

FAR_OUT = 0.05
"""Share of hidden voltages outside the range from which on a note says so; assumed."""


@click.command(short_help="Train a TD-KAN and write its checkpoint and card.")
@click.option(
    "--dataset",
    required=True,
    metavar="NAME|FILE",
    shell_complete=complete.dataset,
    help="See above.",
)
@click.option(
    "--recipe",
    metavar="NAME|FILE.toml",
    shell_complete=complete.recipe,
    help="See above; with --from it is finetune unless said.",
)
@click.option(
    "--from",
    "start",
    type=common.MODEL,
    metavar="MODEL.pt",
    shell_complete=complete.model,
    help="Train this model on; network and input range stay, the recipe says how.",
)
@click.option(
    "--prune",
    metavar="LOSS",
    help="Remove the edges of --from that matter least, train on shortly, and lose no more than "
    "this on the training set: 0.1pp of accuracy, or 5% of an RMSE.",
)
@click.option(
    "--devices",
    metavar="LIST",
    shell_complete=complete.devices,
    help="Instead of the recipe's, such as A21,./mine.toml: names or device files.",
)
@click.option(
    "--task",
    type=common.Choice(["classification", "regression"]),
    help="Of whole numbers in --dataset: classes, or targets.",
)
@click.option(
    "--targets",
    metavar="N|NAME,...",
    help="Columns of a table that are targets: the last N (1 unless said), or by name.",
)
@common.data_option
@common.download_option
@click.option(
    "--out",
    required=True,
    type=common.FILE,
    help="The checkpoint to write; its card goes beside it as .md.",
)
@click.option(
    "--variation",
    metavar="PRESET|FILE.toml",
    shell_complete=complete.preset,
    help="Disturb every batch as its chips would be; several, the later on top: board,FILE.toml.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=complete.setting,
    help="On top of --variation, such as --set levels=4 --set temp_c=125; repeat it.",
)
@click.option(
    "--noise",
    type=common.Choice(["multiplicative", "additive", "twin"]),
    help="multiplicative (unless said) or additive: on coefficients, sigma_g of each or "
    "sigma_g_abs of the largest, and on diodes. twin: whole chips, with every setting there is.",
)
@click.option(
    "--chip",
    metavar="BUILD:M",
    help="Train for chip M of the BUILD alone, through the twin (--variation rram unless said).",
)
@click.option(
    "--chip-seed",
    type=common.Whole(min=0),
    help="--seed of the montecarlo that the chip is in; 0 unless said.",
)
@click.option("--seed", type=common.Whole(min=0), default=0, show_default=True)
@click.option("--epochs", type=common.Whole(min=1), help="Instead of the recipe's.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    metavar="cpu|cuda",
    help="Where it is computed; a GPU as torch calls it, such as cuda:1. (Diodes: --devices.)",
)
@click.option(
    "--holdout",
    type=common.Whole(min=1),
    metavar="N",
    help="Keep N training images back and report on them; the test set is not read. "
    "For choosing settings.",
)
@common.json_option
@common.guarded
def train(
    dataset, recipe, start, prune, devices, task, targets, data, download, out, variation,
    assignments, noise, chip, chip_seed, seed, epochs, device, holdout, as_json,
) -> None:  # fmt: skip
    """Train a TD-KAN by a recipe and write a checkpoint and a card.

    \b
    Data sets: mnist, fashion-mnist, cifar10; the functions exp-sin, product, quotient, bessel,
    sqrt, log10, square, tanh, reciprocal, thermistor, thermocouple, ring, spirals
    (docs/functions.md); or a FILE.npz with x (n, ...), y (n,) and,
    if you like, split (n,) of "train" and "test" (else a fifth of each class is for test).
    A y of floats, (n,) or (n, K), is a regression's: its targets. So is the last column of a
    FILE.csv, the others being inputs; names and units are read from "temperature (degC)".
    Recipes: mnist-d2, mnist-d3, mnist-d2-short, fashion-d2, fashion-d3, cifar-d3, plain-d2;
    with convolutions, mnist-conv, cifar-conv; the paper's own, paper-mnist-d2, paper-mnist-d3,
    paper-fashion-d2, paper-fashion-d3, paper-cifar-d2, paper-cifar-d3 (and, as its table counts,
    paper-cifar-d3-unbiased, paper-cifar-d4-unbiased); finetune, mnist-finetune to train on;
    for a regression function-d2, function-d3, and function-finetune to train on;
    or a TOML file of your own with the same keys as analogkan/training/recipes/*.toml.
    Devices: `analogkan devices list`, or what `analogkan devices import` wrote.

    Training goes on where it was stopped when the same command is run again; --prune begins
    anew. The test set is read once, at the end; a training for hardware reports on its own
    chips too.

    \b
    Examples:
      analogkan train --dataset mnist --data ./data --download \\
          --recipe mnist-d2-short --out mnist.pt
      analogkan train --dataset mnist --data ./data --recipe mnist-d2-short \\
          --variation rram --out hard.pt
      analogkan train --dataset mnist --data ./data --from mnist.pt --recipe mnist-finetune \\
          --noise twin --set levels=4 --out bits3.pt
      analogkan train --dataset mnist --data ./data --from mnist.pt --recipe mnist-finetune \\
          --prune 0.1pp --out small.pt
      analogkan train --dataset mnist --data ./data --from mnist.pt --chip mnist.build:7 \\
          --set stuck_max=0.01 --out chip7.pt
    """
    from ..training.before import notes_of
    from ..training.own_chips import format_chips, format_reached, worse
    from ..training.prune import saved_said
    from ..training.run import TrainingRequest, disturbance_of, run_training

    if recipe is None and start is None:
        raise SettingsError("--recipe is missing: how to train, such as --recipe mnist-d2-short")
    request = TrainingRequest(
        dataset=dataset,
        recipe=recipe or "finetune",
        devices=devices,
        out=out,
        data=data,
        download=download,
        task=task or "",
        targets=targets or "",
        seed=seed,
        epochs=epochs,
        holdout=holdout,
        disturbance=disturbance_of(noise, variation, assignments, chip, chip_seed),
        start=start,
        prune=prune,
        device=device,
        command=common.command_line(),
    )
    with common.progress(as_json) as bar:
        task = bar.add_task(f"training {out.stem}", total=request.epochs_in_all())

        def on_epoch(epoch) -> None:
            bar.update(
                task,
                completed=epoch.number,
                description=f"training {out.stem}: loss {epoch.loss:.4f}, {epoch.said}",
            )

        result = run_training(request, on_epoch=on_epoch)
    if as_json:
        common.print_json(result)
        return
    common.out.print(
        f"{out}: {_reached(result)}, {percent(result['out_of_range'])} of the hidden voltages "
        f"outside a device's range. Card: {result['card']}"
    )
    if result["out_of_range"] > FAR_OUT:
        common.out.print(
            "note: there a device's current is its table's end, which no sweep has shown: measure "
            "it further, or raise range_penalty in the recipe (or give it a squash)",
            style="yellow",
        )
    for note in notes_of(result, disturbed=request.disturbance is not None):
        common.out.print(note, style="yellow" if note.startswith("note: ") else None)
    if "own_chips" in result:
        common.out.print(f"on its own chips: {format_chips(result['own_chips'])}")
        if worse(result["own_chips"]):
            common.out.print(
                "note: the model of --from is better on these chips: keep it, or train with "
                "another recipe (a lower learning_rate, clip_sigma = 0, more epochs)",
                style="yellow",
            )
    if "pruned" in result:
        common.out.print(f"pruned: {saved_said(result['pruned'])}")
    key = "chip_accuracy" if "accuracy" in result else "chip_rmse"
    if key in result:
        before = result.get(f"{key}_before")
        unit = result.get("unit", "")
        common.out.print(
            f"the chip, in the twin: {format_reached(key, result[key], unit)}"
            + ("" if before is None else f", before {format_reached(key, before, unit)}")
        )
    common.print_next(request.next_command())


def _reached(s: dict[str, Any]) -> str:
    """Accuracy or RMSE on what was judged, with its interval."""
    said, pair = s["images"]["said"], s["ci95"]
    if "accuracy" in s:
        lo, hi = pair
        return f"{percent(s['accuracy'])} on {said} ({percent(lo)} to {percent(hi)}, 95 %)"
    within = pair and " to ".join(format_value(end, s["unit"]) for end in pair)
    line = line_said(s["rmse_line"], s["unit"])
    return (
        f"RMSE {format_value(s['rmse'], s['unit'])}{f' ({within}, 95 %)' if within else ''}, "
        f"{percent(s['share_of_span'], 3)} of span, on {said}{line}; "
        f"largest error {format_value(s['max_abs'], s['unit'])}"
    )
