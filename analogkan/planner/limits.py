# pyright: strict
"""What a plan must keep to, and how far a candidate is from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import SettingsError
from ..numerals import read_number, why_not
from ..physics.quantities import Quantity
from ..text import engineering, nearest

Figures = Mapping[str, Any]
PREFIXED = ("J", "W", "s", "V")
"""Units with which people use prefixes."""


OBJECTIVES = {"energy": "energy_j", "area": "area_um2", "latency": "settling_s"}
"""What can be made least, by its word."""
BUDGETS = (
    Quantity(name="energy_j", label="energy", unit="J"),
    Quantity(name="power_w", label="supply power", unit="W"),
    Quantity(name="settling_s", label="settling time", unit="s"),
    Quantity(name="area_um2", label="area", unit="um^2"),
    Quantity(name="op_amps", label="op-amps", unit=""),
    Quantity(name="noise_v_rms", label="output noise", unit="V"),
)
"""What can be held below a number."""
LOSS = "lost"
"""The figure of what is lost."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One limit.

    Attributes
    ----------
    name, label, unit
        As a ``Quantity`` has them.
    value
        The most that it may be; the least where ``least``.
    scale
        What a miss is measured in; 0: by ratio.
    """

    name: str
    label: str
    unit: str
    value: float
    least: bool = False
    scale: float = 0.0

    def miss(self, figures: Figures) -> float:
        """How far a candidate is beyond it; 0 where it is kept, infinite without the figure."""
        value = figures.get(self.name)
        if value is None or not math.isfinite(value):
            return math.inf
        if self.scale:
            beyond = (self.value - value) if self.least else (value - self.value)
            return max(0.0, beyond / self.scale)
        if value <= 0:
            return 0.0
        return max(0.0, math.log(value / self.value))

    def said(self, value: float | None = None) -> str:
        """``energy at most 20 nJ``, or the same of a ``value``, ``energy 31 nJ``."""
        amount = self.value if value is None else value
        if self.unit == "%":
            text = f"{100 * amount:.3g} %"
        elif self.unit == "points":
            text = f"{100 * amount:.3g} points"
        elif self.unit in PREFIXED:
            text = engineering(amount, self.unit)
        else:
            text = f"{amount:.4g} {self.unit}".strip()
        how = "" if value is not None else "at least " if self.least else "at most "
        return f"{self.label} {how}{text}"


def parse_budgets(text: str) -> tuple[Limit, ...]:
    """Limits of ``NAME=VALUE,NAME=VALUE``.

    Raises
    ------
    SettingsError
        If a name is none of ``BUDGETS`` or is there twice, or a value is no number above 0.
    """
    known = {one.name: one for one in BUDGETS}
    found: dict[str, Limit] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, given = (piece.strip() for piece in word.partition("="))
        if name not in known:
            raise SettingsError(
                f"budget {word!r}: {name!r} is no figure that can have one{nearest(name, known)} "
                f"There are {', '.join(known)}"
            )
        try:
            value = read_number(given)
            if not 0 < value < math.inf:
                raise ValueError(given)
        except ValueError:
            raise SettingsError(
                f"budget {word!r} is no NAME=VALUE with a value above 0, such as settling_s=2u"
                f"{why_not(given)}"
            ) from None
        if name in found:
            raise SettingsError(
                f"budgets contradict each other: {name} is to be at most {found[name].value:g} "
                f"and at most {value:g}: give one"
            )
        one = known[name]
        found[name] = Limit(name=name, label=one.label, unit=one.unit, value=value)
    return tuple(found.values())


def misses(limits: Sequence[Limit], figures: Figures) -> dict[str, float]:
    """By name, how far a candidate is beyond each limit that it does not keep."""
    found = {limit.name: limit.miss(figures) for limit in limits}
    return {name: miss for name, miss in found.items() if miss > 0}
