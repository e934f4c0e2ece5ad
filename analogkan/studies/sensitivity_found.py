# pyright: strict
"""Which causes are to blame: chips are asked for, and what they say is set beside gradients."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..die.floorplan import floorplan_of
from ..engines.gradients import linearise
from ..errors import SettingsError, SimulationError, StudyError
from ..imperfections.heat import sizes_of
from ..intervals import spread
from ..network.measures import in_unit
from .bench import Bench
from .points import Point
from .result import Row
from .sensitivity_causes import Cause, Part, said
from .sensitivity_chips import FIRST, SECOND, Chips, whole
from .sensitivity_draws import Shares, ratio_of_spreads, shares_of
from .sensitivity_linear import Predicted, Surrogate
from .sensitivity_places import bands_of, lines_of, map_of, place, tiles_of

Floats = npt.NDArray[np.float64]
Found = dict[str, Any]
FIGURES = ("score", "reached")
SEED = 0
"""Of the draws of what is linear."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Slopes:
    """What gradients say.

    Attributes
    ----------
    surrogate, predicted
        The figures as if they were linear, and scores of draws of them.
    notes
        What the slopes are without.
    """

    surrogate: Surrogate
    predicted: Predicted
    notes: Sequence[str]


@dataclass(eq=False, kw_only=True)
class Blaming:
    """A study of causes.

    Attributes
    ----------
    chips
        Its chips.
    parts
        What is drawn for them, and whether it is normal.
    causes
        Which settings ask for it.
    found
        What came of it, as it stands in result.json.
    """

    chips: Chips
    parts: dict[Part, bool]
    causes: Sequence[Cause]
    found: Found = field(default_factory=dict[str, Any])

    def explore(self, bench: Bench) -> Generator[Sequence[Point], list[Row], None]:
        """See ``Plan.explore``: all chips, then those without the first of the causes."""
        rows = yield self.chips.points()
        self.found = self._blame(bench, rows)

        cause = self._first()
        if cause is not None:
            rows += yield self.chips.without(cause)
            self.found["confirmed"] = self._confirm(cause, rows)

    def _blame(self, bench: Bench, rows: Sequence[Row]) -> Found:
        parts, n = list(self.parts), self.chips.samples
        both = self.chips.figures(rows, self.chips.pairs)
        every: dict[Any, Floats] = {FIRST: both[:, :n], SECOND: both[:, n:]}
        every |= {part: self.chips.figures(rows, self.chips.picked(part)) for part in parts}
        good, failed = whole(every)
        a, b, picked = good[FIRST], good[SECOND], np.array([good[part] for part in parts])
        if failed == n:
            raise StudyError(f"of each of the {n} chips one that has a part of another one failed")
        shares = [shares_of(a[k], b[k], picked[:, k]) for k in range(len(FIGURES))]
        of_scores = shares[0]
        if of_scores is None:
            raise StudyError(
                "all chips have the same score: nothing that is drawn reaches the answers, so "
                "there is nothing to share out"
            )
        slopes = self._slopes(bench)
        told = [self._part(part, k, shares) for k, part in enumerate(parts)]
        if not isinstance(slopes, str):
            told = [one | of_gradients(slopes, p) for one, p in zip(told, parts, strict=True)]
        return {
            "shares": sorted(told, key=lambda one: -one["total"]),
            "left_out": failed,
            "first_sum": of_scores.sum,
            "first_sum_ci95": of_scores.sum_ci95,
            "total_sum": float(of_scores.total.sum()),
            **_spreads("", both[:, np.isfinite(both).all(axis=0)]),
            "causes": self._ranked(of_scores, slopes),
            "confirmed": None,
            **self._by_gradients(bench, slopes),
        }

    def _part(self, part: Part, k: int, shares: Sequence[Shares | None]) -> Found:
        found: Found = {
            "quantity": said(part),
            "layer": part.where,
            "settings": [*next((c.settings for c in self.causes if part in c.parts), ())],
            "normal": self.parts[part],
        }
        for figure, of in zip(("", "reached_"), shares, strict=True):
            if of is not None:
                found |= {
                    f"{figure}first": float(of.first[k]),
                    f"{figure}first_ci95": of.first_ci95[k],
                    f"{figure}total": float(of.total[k]),
                    f"{figure}total_ci95": of.total_ci95[k],
                }
        return found

    def _slopes(self, bench: Bench) -> Slopes | str:
        """What gradients say, or why there are none."""
        try:
            linear = linearise(bench, replace(self.chips.one, sample=0))
        except SimulationError as error:
            return str(error)
        targets = bench.spec.targets
        if targets is not None:  # from outputs to the unit that errors are in
            unit = np.tile(in_unit(targets, targets.span / 2), len(bench.labels))
            slopes = {
                key: slope * unit.reshape(-1, *[1] * (slope.ndim - 1))
                for key, slope in linear.slopes.items()
            }
            linear = replace(linear, values=linear.values * unit, slopes=slopes)
        surrogate = Surrogate(linear, self.chips.event)
        predicted = surrogate.predict([cause.parts for cause in self.causes], SEED)
        return Slopes(surrogate=surrogate, predicted=predicted, notes=linear.notes)

    def _ranked(self, shares: Shares, slopes: Slopes | str) -> list[Found]:
        """The causes by what their parts have to do with, the first foremost."""
        total = dict(zip(self.parts, shares.total.tolist(), strict=True))
        found: list[Found] = []
        for k, cause in enumerate(self.causes):
            share = sum(total[part] for part in cause.parts)
            one: Found = {"settings": [*cause.settings], "total": share}
            one["ratio_by_draws"] = math.sqrt(1 - share) if share < 1 else None
            if not isinstance(slopes, str) and cause.parts <= slopes.surrogate.keys.keys():
                left, every = slopes.predicted.without[k], slopes.predicted.first
                for figure, row, of in zip(FIGURES, left, every, strict=True):
                    one[f"{figure}_ratio"] = float(row.std() / of.std()) if of.std() else None
            found.append(one)
        return sorted(found, key=lambda one: -one["total"])

    def _first(self) -> Cause | None:
        """The first of the causes, which is taken out."""
        ranked = self.found["causes"]
        if not ranked:
            return None
        return next(c for c in self.causes if [*c.settings] == ranked[0]["settings"])

    def _confirm(self, cause: Cause, rows: Sequence[Row]) -> Found:
        """The spread of chips without ``cause`` beside what was predicted."""
        good, failed = whole(
            {
                "before": self.chips.figures(rows, self.chips.pairs),
                "after": self.chips.figures(rows, self.chips.without(cause)),
            }
        )
        predicted: Found = self.found["causes"][0]
        found: Found = {
            "settings": [*cause.settings],
            "chips": good["after"].shape[1],
            "left_out": failed,
            **_spreads("", good["after"]),
        }
        for k, figure in enumerate(FIGURES):
            before, after = good["before"][k], good["after"][k]
            if not np.ptp(before):
                continue
            ratio, pair = ratio_of_spreads(after, before)
            found |= {f"{figure}_ratio": ratio, f"{figure}_ratio_ci95": pair}
            expected = predicted.get(f"{figure}_ratio")
            found[f"{figure}_ratio_predicted"] = expected
            found[f"{figure}_fits"] = _within(expected, pair)
        found["score_ratio_by_draws"] = predicted["ratio_by_draws"]
        found["draws_fit"] = _within(predicted["ratio_by_draws"], found.get("score_ratio_ci95"))
        return found

    def _by_gradients(self, bench: Bench, slopes: Slopes | str) -> Found:
        """Tiles, lines and the map; or why there are none."""
        if isinstance(slopes, str):
            return {"no_gradients": slopes, "tiles": [], "lines": [], "bands": [], "map": None}
        circuit = bench.chain(self.chips.one.hardware)
        hardware, predicted = circuit.hardware, slopes.predicted
        placed, seen = place(circuit, slopes.surrogate.places(predicted.decides))
        try:
            plan = floorplan_of(circuit, sizes_of(self.chips.one.variation))
        except SettingsError:  # a board, which has tiles but no die
            plan = None
        return {
            "no_gradients": "",
            "slopes_without": [*slopes.notes],
            **_spreads("gradient_", predicted.first),
            "placed": seen,
            "tiles": tiles_of(placed, hardware),
            "lines": lines_of(placed),
            "bands": bands_of(placed, hardware),
            "map": None if plan is None else map_of(placed, plan, hardware),
        }


def of_gradients(slopes: Slopes, part: Part) -> Found:
    """What gradients say of a part; nothing of one that has none."""
    surrogate, predicted = slopes.surrogate, slopes.predicted
    if part not in surrogate.keys:
        return {}
    both = predicted.first[0], predicted.second[0], predicted.picked[part][0][None]
    linear = shares_of(*both, intervals=False)
    return {
        "gradient": surrogate.shares(predicted.decides)[part],
        "gradient_unweighted": surrogate.shares(np.ones_like(predicted.decides))[part],
        "gradient_first": None if linear is None else float(linear.first[0]),
        "gradient_total": None if linear is None else float(linear.total[0]),
        "gradient_score_std": float(predicted.alone[part][0].std()),
    }


def _spreads(of: str, figures: Floats) -> Found:
    """Standard deviations of ``figures`` (2, M) over chips, with intervals unless predicted."""
    found: Found = {}
    for figure, values in zip(FIGURES, figures, strict=True):
        found[f"{of}{figure}_std"] = float(values.std(ddof=1))
        if not of:
            found[f"{figure}_std_ci95"] = spread(values)
    return found


def _within(value: float | None, pair: Sequence[float] | None) -> bool | None:
    return None if value is None or pair is None else bool(pair[0] <= value <= pair[1])
