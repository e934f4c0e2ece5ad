"""``analogkan models``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import common
from .convert import convert_theirs
from .explain import explain_model
from .group import Group


@click.group(cls=Group, short_help="Networks: list those that ship, explain, convert others'.")
def models() -> None:
    """Trained networks, which `compile` takes: a name of `models list`, or a checkpoint's path.

    `train` makes checkpoints, `models convert` makes one of a network that others have trained.
    """


@models.command("list")
@common.json_option
@common.guarded
def list_models(as_json) -> None:
    """List the shipped networks, and what they reach.

    \b
    Example:
      analogkan models list
    """
    from .. import resources

    found = [_facts(name, path) for name, path in resources.models().items()]
    if as_json:
        common.print_json(found)
        return
    shown = common.table(
        "Networks", "name", "sizes", "devices", "parameters", "accuracy", "data set"
    )
    for model in found:
        shown.add_row(
            model["name"],
            model["sizes"],
            ", ".join(model["devices"]),
            f"{model['parameters']:,}",
            f"{100 * model['accuracy']:.2f} %",
            model["dataset"],
        )
    common.out.print(shown)
    common.out.print("accuracy: of the software, on the whole test set")
    common.print_next("analogkan compile mnist-d2")


def _facts(name: str, path: Path) -> dict[str, Any]:
    """Of a shipped classifier, as its checkpoint says."""
    from ..intervals import wilson
    from ..network.checkpoint import load_origin
    from ..network.record import read_reached
    from ..training.card import parameter_count

    spec, training = load_origin(path)
    reached = read_reached(training.get("card"), str(path))
    assert reached is not None
    return {
        "name": name,
        "file": path,
        "sizes": spec.widths,
        "devices": [curve.name for curve in spec.layers[0].curves],
        "parameters": parameter_count(spec),
        **reached.document(),
        "ci95": wilson(reached.right, reached.n),
        "command": training["command"],
    }


models.add_command(explain_model)
models.add_command(convert_theirs)
