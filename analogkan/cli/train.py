"""``analogkan train``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from . import common


@click.command(short_help="Train a TD-KAN and write its checkpoint and card.")
@click.option("--dataset", required=True, metavar="NAME|FILE.npz", help="See above.")
@click.option("--recipe", required=True, metavar="NAME|FILE.toml", help="See above.")
@click.option(
    "--devices",
    metavar="LIST",
    help="Instead of the recipe's, such as A21,./mine.toml: names or device files.",
)
@common.data_option
@common.download_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The checkpoint to write; its card goes beside it as .md.",
)
@click.option(
    "--variation",
    metavar="PRESET|FILE.toml",
    help="Disturb every batch as its chips would be: cells and diodes.",
)
@click.option(
    "--noise",
    type=click.Choice(["multiplicative", "additive"]),
    default="multiplicative",
    show_default=True,
    help="On coefficients: sigma_g of each, or sigma_g_abs of the largest.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of the recipe's.")
@click.option(
    "--holdout",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep N training images back and report on them; the test set is not read. "
    "For choosing settings.",
)
@common.json_option
@common.guarded
def train(
    dataset, recipe, devices, data, download, out, variation, noise, seed, epochs, holdout, as_json
) -> None:
    """Train a TD-KAN by a recipe and write a checkpoint and a card.

    \b
    Data sets: mnist, fashion-mnist, cifar10, or a FILE.npz with x (n, ...), y (n,) and,
    if you like, split (n,) of "train" and "test" (else a fifth of each class is for test).
    Recipes: mnist-d2, mnist-d3, mnist-d2-short, paper-mnist-d2, paper-mnist-d3, plain-d2,
    or a TOML file of your own with the same keys as analogkan/training/recipes/*.toml.
    Devices: `analogkan devices list`, or what `analogkan devices import` wrote.

    Training goes on where it was stopped when the same command is run again. The test set is
    read once, at the end.

    \b
    Examples:
      analogkan train --dataset mnist --data ./data --download \\
          --recipe mnist-d2-short --out mnist.pt
      analogkan train --dataset mnist --data ./data --recipe mnist-d2-short \\
          --variation rram --out hard.pt
    """
    from ..training.noise import Noise
    from ..training.run import TrainingRequest, run_training
    from ..variation.spec import load_settings

    drawn = load_settings(variation)[1] if variation else None
    disturbance = None
    if drawn is not None:
        disturbance = Noise(
            kind=noise,
            sigma=drawn.sigma_g if noise == "multiplicative" else drawn.sigma_g_abs,
            diode_current=drawn.diode_sigma_current,
            diode_voltage=drawn.diode_sigma_voltage,
            diode_shift=drawn.diode_sigma_shift,
            die_current=drawn.die_sigma_current,
            die_voltage=drawn.die_sigma_voltage,
            die_shift=drawn.die_sigma_shift,
        )

    request = TrainingRequest(
        dataset=dataset,
        recipe=recipe,
        devices=devices,
        out=out,
        data=data,
        download=download,
        seed=seed,
        epochs=epochs,
        holdout=holdout,
        noise=disturbance,
        command="analogkan " + shlex.join(sys.argv[1:]),
    )
    with common.progress(as_json) as bar:
        task = bar.add_task(f"training {out.stem}", total=request.plan().epochs)

        def on_epoch(epoch) -> None:
            bar.update(
                task,
                completed=epoch.number,
                description=f"training {out.stem}: loss {epoch.loss:.4f}, "
                f"{common.percent(epoch.accuracy)} of train",
            )

        result = run_training(request, on_epoch=on_epoch)
    if as_json:
        common.print_json(result)
        return
    lo, hi = result["ci95"]
    common.out.print(
        f"{out}: {common.percent(result['accuracy'])} of {result['n']} {result['evaluated_on']} "
        f"images ({common.percent(lo)} to {common.percent(hi)}, 95 %), "
        f"{common.percent(result['out_of_range'])} of the hidden voltages outside a device's "
        f"measured range. Card: {result['card']}"
    )
    common.out.print(f"next: analogkan compile {shlex.quote(str(out))}")
