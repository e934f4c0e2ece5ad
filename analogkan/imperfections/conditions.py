# pyright: strict
"""Conditions: what a chip is exposed to."""

from __future__ import annotations

from dataclasses import dataclass

from ..devices.curve import NOMINAL_TEMP_C
from ..settings import check_fields, setting, within


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a chip is exposed to.

    Attributes
    ----------
    temp_c
        Degrees Celsius, of everything alike.
    age_s
        Seconds since programming.
    t0_s
        Seconds after programming at which the conductances are what was programmed.

    Examples
    --------
    >>> ak.Conditions(temp_c=85)
    Conditions(temp_c=85.0, age_s=0.0, t0_s=1.0)
    """

    temp_c: float = setting(
        NOMINAL_TEMP_C, "degC", "above -273.15, to 1000 degC", lambda t: -273.15 < t <= 1000
    )
    age_s: float = setting(0.0, "s", "0 to 1e12 s", within(0, 1e12))
    t0_s: float = setting(1.0, "s", "above 0, to 1e12 s", lambda t: 0 < t <= 1e12)

    def __post_init__(self) -> None:
        check_fields(self)
