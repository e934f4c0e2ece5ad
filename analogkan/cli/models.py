"""``analogkan models``."""

from __future__ import annotations

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
    """List the shipped networks, with what their cards say.

    \b
    Example:
      analogkan models list
    """
    from .. import resources
    from ..training.card import read_card

    found = [
        {"name": name, "file": path, **read_card(path.with_suffix(".md"))}
        for name, path in resources.models().items()
    ]
    if as_json:
        common.print_json(found)
        return
    shown = common.table("Networks", "name", "sizes", "devices", "parameters", "accuracy", "images")
    for model in found:
        shown.add_row(
            model["name"],
            model["sizes"],
            ", ".join(model["devices"]),
            f"{model['parameters']:,}",
            f"{100 * model['accuracy']:.2f} %",
            model["images"],
        )
    common.out.print(shown)
    common.out.print("accuracy: of the software, on the whole test set")
    common.print_next("analogkan compile mnist-d2")


models.add_command(explain_model)
models.add_command(convert_theirs)
