"""Pruning: edges that a network can do without, within a loss that is given beforehand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..compiler.counts import element_counts
from ..compiler.design import map_design
from ..compiler.hardware import load_hardware
from ..data import ImageSet
from ..data.images import CLASSIFICATION
from ..errors import SettingsError
from ..network.edges import inputs_of, ranked, require_dense, weigh
from ..network.model import TDKAN
from ..network.spec import NetworkSpec
from ..numerals import read_number
from ..settings import require
from .card import Evaluation, evaluate
from .fit import Epoch, Trained, train
from .shrink import shrunk

TRIALS = 8
"""Trainings that bisection takes: the last step is 1/256 of the edges."""
COUNTED = ("crossbar_resistors", "diodes", "op_amps")
SAID = ("cells", "diodes", "op-amps", "rows", "DACs")
"""How a sentence calls what is counted: those, rows, DACs."""
EXAMPLE = {CLASSIFICATION: "0.1pp (percentage points of accuracy)", "regression": "5% (of RMSE)"}


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """How much may be lost: ``points`` of accuracy, or a ``share`` of the RMSE."""

    points: float = 0.0
    share: float = 0.0

    def document(self) -> str:
        """As it is typed."""
        return f"{self.points:g}pp" if self.points else f"{100 * self.share:g}%"

    def within(self, before: Evaluation, after: Evaluation) -> bool:
        """Whether no more than that is lost."""
        if after.apart is None or before.apart is None:
            assert after.accuracy is not None and before.accuracy is not None
            return after.accuracy >= before.accuracy - self.points / 100 - 1e-12
        return after.apart.rmse <= before.apart.rmse * (1 + self.share)


def parse_allowed(text: str, task: str) -> Allowed:
    """What ``--prune`` says, for a network of ``task``.

    Raises
    ------
    SettingsError
        If it is no loss, or one of the other task.
    """
    ending = "pp" if task == CLASSIFICATION else "%"
    try:
        number = read_number(text.removesuffix(ending).strip())
    except ValueError:
        number = None
    if number is None or not text.endswith(ending):
        raise SettingsError(f"--prune {text!r} is no loss of a {task}: say it as {EXAMPLE[task]}")
    require(0 < number <= 100, "--prune", text, f"above 0, to 100{ending}")
    return Allowed(points=number) if ending == "pp" else Allowed(share=number / 100)


def train_or_prune(
    images: ImageSet,
    start: tuple[TDKAN, NetworkSpec] | None,
    loss: str | None,
    state: Path | None,
    **how: Any,
) -> tuple[Trained, dict[str, Any]]:
    """What ``train`` makes; or, of a ``loss``, what ``prune`` does, and under ``pruned`` what that
    saved."""
    if loss is None or start is None:
        return train(images, state=state, start=start, **how), {}
    done, saved = prune(start, parse_allowed(loss, start[1].task), images, **how)
    return done, {"pruned": saved}


def prune(
    start: tuple[TDKAN, NetworkSpec],
    allowed: Allowed,
    images: ImageSet,
    *,
    on_epoch: Callable[[Epoch], None],
    **how: Any,
) -> tuple[Trained, dict[str, Any]]:
    """Set as many edges to zero as ``allowed`` lets go, the least important ones, and train on.

    By bisection: each trial takes edges from the best network so far, weighed anew on its
    calibration inputs, and is trained on; it is judged on the training ``images``. In the first
    layer an edge is what one DAC gives to one output. Nodes and DACs without edges are left out.

    Parameters
    ----------
    start
        The model, twice.
    how
        As for ``train``: ``recipe``, ``seed``, ``disturbance``.

    Returns
    -------
    Trained, dict
        The network, and what it lost and saved.

    Raises
    ------
    CheckpointError, DataError
        As ``weigh``; SettingsError if not one edge could be spared.
    """
    model, spec = start
    require_dense(spec)
    x = inputs_of(spec, images.flat(spec.encoding.shape)[:256])
    judged = before = evaluate(spec, images, "training")
    best: Trained | None = None
    spared, total = _edges(spec)
    first, low, high = spared, spared, total - len(spec.layers)
    for trial in range(TRIALS):
        target = (low + high + 1) // 2
        if target <= low:
            break
        order = ranked(weigh(spec, x, each_dac=True))
        made = zeroed(model, _least(order, target - low))
        made_spec = _as_spec(made, spec)

        def told(epoch: Epoch, trial: int = trial) -> None:
            number = trial * epoch.total + epoch.number
            on_epoch(replace(epoch, number=number, total=TRIALS * epoch.total))

        done = train(images, start=(made, made_spec), on_epoch=told, **how)
        trained = _as_spec(done.model, spec)
        after = evaluate(trained, images, "training")
        if allowed.within(before, after):
            model, spec, best, judged = done.model, trained, done, after
            low = _edges(spec)[0]
        else:
            high = target - 1
    if best is None:
        raise SettingsError(
            f"--prune {allowed.document()}: not one of {total:,} edges can be spared within that; "
            "allow more, or train on for longer (--recipe, --epochs)"
        )
    small, encoding = shrunk(best.model, best.encoding)
    done = replace(best, model=small, encoding=encoding)
    both = (start[1], _as_spec(small, spec, encoding))
    return done, {
        "loss": allowed.document(),
        "edges": total,
        "removed": low - first,
        "zero": low,
        "judged_on": images.said,
        "before": before.document(),
        "after": judged.document(),
        "sizes": list(small.config.sizes),
        "saved": _saved(*(replace(one, calibration=done.calibration) for one in both)),
    }


def saved_said(found: dict[str, Any]) -> str:
    """What was removed and what that saves, as a sentence."""
    parts = [
        f"{what} {before:,} to {after:,}"
        for (what, (before, after)) in zip(SAID, found["saved"].values(), strict=True)
    ]
    removed = f"{found['removed']:,} of {found['edges']:,} edges removed within {found['loss']}"
    return f"{removed} on the training set; on nominal hardware {', '.join(parts)}"


def zeroed(model: TDKAN, edges: list[tuple[int, int, int]]) -> TDKAN:
    """A copy of ``model`` with ``edges`` (layer, input, output) at exactly zero."""
    made = copy.deepcopy(model)
    with torch.no_grad():
        for k, i, o in edges:
            made.layers[k].theta[i, o] = 0.0
    return made


def _least(order: list[tuple[int, int, int]], count: int) -> list[tuple[int, int, int]]:
    """The last ``count`` edges of ``order``, but the first of each layer."""
    heads = {k: at for k, *at in reversed(order)}
    spare = [edge for edge in order if heads[edge[0]] != list(edge[1:])]
    return spare[max(0, len(spare) - count) :]


def _edges(spec: NetworkSpec) -> tuple[int, int]:
    """Edges that are zero, and all."""
    zero = [(layer.theta == 0).all(axis=2) for layer in spec.layers]
    return sum(int(z.sum()) for z in zero), sum(z.size for z in zero)


def _as_spec(model: TDKAN, like: NetworkSpec, encoding: Any = None) -> NetworkSpec:
    return model.to_spec(
        encoding or like.encoding, name=like.name, dataset=like.dataset,
        calibration=like.calibration, targets=like.targets,
    )  # fmt: skip


def _saved(before: NetworkSpec, after: NetworkSpec) -> dict[str, list[int]]:
    """What circuits of both have, on nominal hardware: cells, diodes, op-amps, rows, DACs."""
    found: dict[str, list[int]] = {name: [] for name in (*COUNTED, "rows", "dacs")}
    for spec in (before, after):
        design = map_design(spec, load_hardware("nominal"))
        counts: dict[str, int] = element_counts(design)
        counts["rows"] = sum(int(stage.there.sum()) for stage in design.stages)
        counts["dacs"] = spec.encoding.width
        for name, values in found.items():
            values.append(counts[name])
    return found
