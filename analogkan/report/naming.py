"""What RUNs are called on a page: those of one kind are told apart by what differs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..text import many
from .runs import Run

AS_BUILT = "as it is"
"""Of a RUN that has none of what the others of its kind differ by, and no preset."""
Words = Callable[[Run], Sequence[str]]


def _settings(run: Run) -> list[str]:
    found = run.result
    return [*found.drawn_from(), *found.differing()]


def _images(run: Run) -> list[str]:
    return [run.summary["images"]["said"]]


def _how(run: Run) -> list[str]:
    s = run.summary
    told = [many(s["samples"], "chip")] if s.get("samples") else []
    told += [f"from chip {s['first']}"] if s.get("first") else []
    told += [f"seed {s['seed']}"] if "seed" in s else []
    return [*told, run.result.simulated_by()]


def _folder(run: Run) -> list[str]:
    return [str(run.folder)]


TIERS: tuple[Words, ...] = (_settings, _images, _how, _folder)
"""What RUNs of a kind are told apart by; the next where one is not enough."""


def named(runs: Sequence[Run]) -> list[Run]:
    """The same RUNs with ``label``s, those of one kind in order: as they are first, then by names.

    A RUN that is alone in its kind has none. A label is what not all of the kind have in common:
    settings, and where these do not tell two apart images, chips and seed, at last the folder.
    """
    found: list[Run] = []
    for heading in dict.fromkeys(run.result.heading for run in runs):
        found += _of_a_kind([run for run in runs if run.result.heading == heading])
    return found


def _of_a_kind(runs: Sequence[Run]) -> list[Run]:
    if len(runs) == 1:
        return list(runs)
    words: list[list[str]] = [[] for _ in runs]
    for tier in TIERS:
        told = [list(tier(run)) for run in runs]
        common = set(told[0]).intersection(*told[1:])
        for own, more in zip(words, told, strict=True):
            own += [word for word in dict.fromkeys(more) if word not in common]
        labels = [_label(run, own) for run, own in zip(runs, words, strict=True)]
        if len(set(labels)) == len(labels):
            break
    order = sorted(range(len(runs)), key=lambda k: (len(words[k]), _natural(labels[k])))
    return [replace(runs[k], label=labels[k]) for k in order]


def _label(run: Run, words: Sequence[str]) -> str:
    """``words`` as a name; where there are none, what the RUN is without them."""
    if words:
        return ", ".join(word.removeprefix("preset ") for word in words)
    return run.summary.get("preset") or AS_BUILT


def _natural(text: str) -> list[tuple[float, str]]:
    """By which names are sorted: numbers in them by size."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(float(part), "") if k % 2 else (0.0, part) for k, part in enumerate(parts)]
