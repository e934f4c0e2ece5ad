"""What was there before a training: the model that is trained on, and its own first parent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data import ImageSet
from ..network import checkpoint
from ..network.record import Reached, read_reached, worse_than_before
from ..network.spec import NetworkSpec
from .card import evaluate


def reached_before(
    path: Path, spec: NetworkSpec, judged: ImageSet, *, kept_back: bool
) -> dict[str, Any]:
    """What a checkpoint keeps of the model in ``path``, ``spec``, that is trained on.

    ``parent`` is what it reaches itself, or the first one that it was itself trained from: training
    for hardware lowers that, and its children are held to what there was before. ``before`` is what
    it reaches itself. Images that are ``kept_back`` now may be among those it was trained on: then
    the first is what its card says, or is left out, and so is the second.
    """
    earlier = checkpoint.read(path).get("training", {})
    first = _first_parent(earlier, path, judged, kept_back)
    own = None if kept_back else evaluate(spec, judged, "before").reached(judged)
    told = {"parent": first or own, "before": own}
    return {name: one.document() for name, one in told.items() if one is not None}


def _first_parent(
    earlier: Mapping[str, Any], path: Path, judged: ImageSet, kept_back: bool
) -> Reached | None:
    for which in ("parent", *(["card"] if kept_back else [])):
        found = read_reached(earlier.get(which), f"{which} of {path}")
        if found is not None and found.dataset == judged.name:
            return found
    return None


def notes_of(told: Mapping[str, Any], *, disturbed: bool) -> list[str]:
    """What a person should know of a training's figures ``told``: what there was before, and that
    a straight line, or the model before, is better. One that is ``disturbed``, or prunes, is meant
    to give up some of what software reaches."""
    notes: list[str] = []
    line = told.get("rmse_line")
    if line is not None and line <= told["rmse"]:
        notes.append(
            "note: a straight line is as good or better: train longer (--epochs), with more hidden "
            "nodes or another recipe, or build the line"
        )
    before = read_reached(told.get("before"), "before")
    if before is None:
        return notes
    notes.append(f"before, the model of --from: {before.said} on the same images")
    if worse_than_before(told) and not disturbed and "pruned" not in told:
        notes.append(
            "note: training made it worse: keep the model of --from, or train with another recipe "
            "(a lower learning_rate, clip_sigma = 0, more epochs)"
        )
    return notes
