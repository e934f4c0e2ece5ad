"""``analogkan train``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from ..errors import AnalogKanError
from . import common


@click.command(short_help="Train a TD-KAN and write its checkpoint and card.")
@click.option("--dataset", required=True, metavar="NAME|FILE.npz", help="See above.")
@click.option("--recipe", required=True, metavar="NAME|FILE.toml", help="See above.")
@common.data_option
@common.download_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The checkpoint to write; its card goes beside it as .md.",
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
def train(dataset, recipe, data, download, out, seed, epochs, holdout, as_json) -> None:
    """Train a TD-KAN by a recipe and write a checkpoint and a card.

    \b
    Data sets: mnist, fashion-mnist, cifar10, or a FILE.npz with x (n, ...), y (n,) and,
    if you like, split (n,) of "train" and "test" (else a fifth of each class is for test).
    Recipes: mnist-d2, mnist-d3, mnist-d2-short, plain-d2, or a TOML file of your own
    with the same keys as analogkan/training/recipes/*.toml.

    Training goes on where it was stopped when the same command is run again. The test set is
    read once, at the end.

    \b
    Example:
      analogkan train --dataset mnist --data ./data --download \\
          --recipe mnist-d2-short --out mnist.pt
    """
    result = run_training(dataset, recipe, data, download, out, seed, epochs, holdout, as_json)
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


def run_training(dataset, recipe, data, download, out, seed, epochs, holdout, as_json) -> dict:
    """Load, train, evaluate once, write checkpoint and card; the JSON document."""
    import torch

    from .. import __version__
    from ..data import load_dataset, stratified
    from ..network import checkpoint
    from ..training.card import evaluate, parameter_count, write_card
    from ..training.fit import train as fit
    from ..training.recipe import load_recipe

    import numpy as np

    plan = load_recipe(recipe, epochs=epochs)
    images = load_dataset(dataset, "train", data, download=download)
    if holdout:
        if holdout >= len(images):
            raise AnalogKanError(f"--holdout {holdout} leaves nothing of {len(images)} images")
        kept = stratified(images.y, holdout)
        judged, what = images.take(kept), "held-out training"
        images = images.take(np.setdiff1d(np.arange(len(images)), kept))
    with common.progress(as_json) as bar:
        task = bar.add_task(f"training {out.stem}", total=plan.epochs)

        def on_epoch(epoch) -> None:
            bar.update(
                task,
                completed=epoch.number,
                description=f"training {out.stem}: loss {epoch.loss:.4f}, "
                f"{common.percent(epoch.accuracy)} of train",
            )

        state = out.with_name(out.name + ".training")
        done = fit(images, plan, seed=seed, state=state, on_epoch=on_epoch)
    if not holdout:
        judged, what = load_dataset(dataset, "test", data, download=download), "test"
    command = "analogkan " + shlex.join(sys.argv[1:])
    spec = done.model.to_spec(
        done.encoding, name=out.stem, dataset=images.name, calibration=done.calibration
    )
    found = evaluate(spec, judged, f"{images.name} {what}, read once")
    checkpoint.save(
        done.model,
        out,
        name=out.stem,
        encoding=done.encoding,
        dataset=images.name,
        calibration=done.calibration,
        training={"command": command, "recipe": Path(recipe).stem, "seed": seed},
    )
    card = out.with_suffix(".md")
    facts = {
        "recipe, seed": f"{Path(recipe).stem}, {seed}; {plan.epochs} epochs on {len(images):,} "
        f"images of {images.name}",
        "made with": f"analogkan {__version__}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads",
    }
    write_card(card, spec, found, model=out, command=command, facts=facts)
    state.unlink(missing_ok=True)
    return {
        "model": out,
        "card": card,
        "dataset": images.name,
        "recipe": recipe,
        "seed": seed,
        "epochs": plan.epochs,
        "parameters": parameter_count(spec),
        "evaluated_on": what,
        "n": found.n,
        "accuracy": found.accuracy,
        "ci95": found.ci95,
        "out_of_range": found.out_of_range,
        "hidden_volts": found.hidden_volts,
    }
