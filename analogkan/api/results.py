# pyright: strict
"""Results as people meet them in Python: a few lines, a table, a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..network.measures import format_value
from ..network.record import read_reached, worse_than_before
from ..objects import Described, Facts
from ..text import interval, percent

Summary = dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Trained(Described):
    """What ``train`` made. It is a path: ``compile`` and ``train(start=...)`` take it.

    Attributes
    ----------
    summary
        The figures of the card.
    model, card
        The files.
    """

    summary: Summary
    model: Path
    card: Path

    def __fspath__(self) -> str:
        return str(self.model)

    def _described(self) -> tuple[str, Facts]:
        from ..training.own_chips import format_chips

        s = self.summary
        reached = ("accuracy", _share(s["accuracy"], s["ci95"])) if "accuracy" in s else _error(s)
        before = read_reached(s.get("before"), "before")
        worse = ", better than now" if worse_than_before(s) else ""
        facts = [
            reached,
            *([] if before is None else [("before", f"{before.said} on the same images{worse}")]),
            *([("own chips", format_chips(s["own_chips"]))] if "own_chips" in s else []),
            ("images", s["images"]["said"]),
            ("parameters", f"{s['parameters']:,}"),
            ("out of range", f"{percent(s['out_of_range'])} of the hidden voltages"),
        ]
        return str(self.model), [*facts, ("card", str(self.card))]


def _error(s: Summary) -> tuple[str, str]:
    """A regression's error on what was judged."""
    said = f"{format_value(s['rmse'], s['unit'])}, {percent(s['share_of_span'], 3)} of span"
    if s.get("rmse_line") is not None:
        said += f"; a straight line: {format_value(s['rmse_line'], s['unit'])}"
    return "RMSE", said


def _share(share: float, ci95: Any) -> str:
    within = interval(ci95)
    return percent(share) + (f" ({within}, 95 %)" if within else "")
