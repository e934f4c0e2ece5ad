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
        cause = self.first()
        if cause is not None:
            rows += yield self.chips.without(cause)
            self.found["confirmed"] = self._confirm(cause, rows)

    def exemplars(self, bench: Bench) -> list[Point]:
        """See ``Plan.exemplars``: of the first number a chip A, one without the first cause, and
        the chips A with a group from B."""
        cause, chips = self.first(), [self.chips.pairs[0]]
        chips += [] if cause is None else self.chips.without(cause)[:1]
        chips += [self.chips.picked(group)[0] for group in self.chips.groups]
        return [replace(point, own=None) for point in chips]

    def _blame(self, bench: Bench, rows: Sequence[Row]) -> Found:
        n = self.chips.samples
        both = self.chips.figures(rows, self.chips.pairs)
        every: dict[Any, Floats] = {FIRST: both[:, :n], SECOND: both[:, n:]}
        every |= {
            group: self.chips.figures(rows, self.chips.picked(group)) for group in self.chips.groups
        }
        good, failed = whole(every)
        _require_two(n - failed, f"that differ by one quantity, of {n}")
        a, b, picked = good[FIRST], good[SECOND], np.array([good[one] for one in self.chips.groups])
        shares = [shares_of(a[k], b[k], picked[:, k]) for k in range(len(FIGURES))]
        if shares[0] is None:
            raise StudyError(
                "all chips have the same score: nothing that is drawn reaches the answers, so "
                "there is nothing to share out"
            )
        told = {group: _by_draws(k, shares) for k, group in enumerate(self.chips.groups)}
        slopes = self._slopes(bench)
        parts = [self._part(part) | told[frozenset({part})] for part in self.parts]
        if not isinstance(slopes, str):
            parts = [
                one | of_gradients(slopes, p) for one, p in zip(parts, self.parts, strict=True)
            ]
        causes: list[Found] = [
            {"settings": [*cause.settings]} | told[cause.parts] | self._left(cause, slopes)
            for cause in self.causes
        ]
        alone = [k for k, group in enumerate(self.chips.groups) if len(group) == 1]
        # Of the parts alone: shares of their sums need the same bootstrap.
        sums = shares_of(a[0], b[0], picked[alone, 0])
        assert sums is not None
        return {
            "shares": sorted(parts, key=lambda one: -one["total"]),
            "left_out": failed,
            "first_sum": sums.sum,
            "first_sum_ci95": sums.sum_ci95,
            **_spreads("", both[:, np.isfinite(both).all(axis=0)]),
            "causes": sorted(causes, key=lambda one: -one["total"]),
            "confirmed": None,
            **self._by_gradients(bench, slopes),
        }

    def _part(self, part: Part) -> Found:
        return {
            "quantity": said(part),
            "layer": part.where,
            "settings": [*next((c.settings for c in self.causes if part in c.parts), ())],
            "normal": self.parts[part],
        }

    def _slopes(self, bench: Bench) -> Slopes | str:
        """What gradients say, or why there are none."""
        try:
            linear = linearise(bench, replace(self.chips.one, sample=0))
        except (SettingsError, SimulationError) as error:
            return str(error)
        if not linear.slopes:
            return "nothing that is drawn has a derivative"
        surrogate = Surrogate(linear, self.chips.event)
        predicted = surrogate.predict(self.chips.groups, SEED)
        return Slopes(surrogate=surrogate, predicted=predicted, notes=linear.notes)

    def _left(self, cause: Cause, slopes: Slopes | str) -> Found:
        """What gradients say is left of the spreads without a cause; nothing where faults have a
        part in them."""
        if isinstance(slopes, str) or not all(self.parts.values()):
            return {}
        left, every = slopes.predicted.without[cause.parts], slopes.predicted.first
        shares = slopes.surrogate.shares(slopes.predicted.decides)
        found: Found = {"gradient": sum(shares.get(part, 0.0) for part in cause.parts)}
        for figure, row, of in zip(FIGURES, left, every, strict=True):
            found[f"{figure}_ratio"] = float(row.std() / of.std()) if of.std() else None
        return found

    def first(self) -> Cause | None:
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
        names = ", ".join(cause.settings)
        _require_two(
            good["after"].shape[1], f"with and without {names}, of {len(self.chips.pairs)}"
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
        return found | _between(predicted, found.get("score_ratio_ci95"))

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


def _by_draws(k: int, shares: Sequence[Shares | None]) -> Found:
    """What draws say of group ``k``: of the score, and of what is reached."""
    found: Found = {}
    for figure, of in zip(("", "reached_"), shares, strict=True):
        if of is not None:
            found |= {
                f"{figure}first": float(of.first[k]),
                f"{figure}first_ci95": of.first_ci95[k],
                f"{figure}total": float(of.total[k]),
                f"{figure}total_ci95": of.total_ci95[k],
            }
    return found


def _between(cause: Found, measured: Sequence[float] | None) -> Found:
    """Between what draws say is left of the score's spread without a cause, and whether that meets
    the interval of what was ``measured``.

    Where parts act together, what is left depends on where the others stay: of the variance at
    least what they do without the cause, 1 - total, and in the mean over its values 1 - first.
    """
    share, other = cause["total_ci95"], cause["first_ci95"]
    if share is None or other is None or measured is None:
        return {"score_ratio_by_draws": None, "draws_fit": None}
    low, high = (math.sqrt(max(1 - one, 0.0)) for one in (share[1], other[0]))
    return {
        "score_ratio_by_draws": (low, high),
        "draws_fit": low <= measured[1] and measured[0] <= high,
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
        "gradient_score_std_without": float(predicted.without[frozenset({part})][0].std()),
    }


def _spreads(of: str, figures: Floats) -> Found:
    """Standard deviations of ``figures`` (2, M) over chips, with intervals unless predicted."""
    found: Found = {}
    for figure, values in zip(FIGURES, figures, strict=True):
        found[f"{of}{figure}_std"] = float(values.std(ddof=1))
        if not of:
            found[f"{figure}_std_ci95"] = spread(values)
    return found


def _require_two(good: int, what: str) -> None:
    if good < 2:
        raise StudyError(
            f"{good} of the chips {what}, could be simulated, and a spread needs two: the same "
            "command tries them again; reasons are kept in chips.csv"
        )


def _within(value: float | None, pair: Sequence[float] | None) -> bool | None:
    return None if value is None or pair is None else bool(pair[0] <= value <= pair[1])
