"""What stands between a layer's output and the next layer's diodes: norm, then squash."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cells import NUMPY, SquashKind, squash_kind, squashes
from ..devices import IVCurve
from ..errors import CheckpointError, SettingsError
from ..numerals import read_number
from ..schema import VOLTS, Number, Record, Text
from ..text import closest

NORMS = ("none", "batch", "layer")


SQUASH_ENTRY = Record({"kind": Text(), "v_lo": VOLTS, "v_hi": VOLTS}, {"slope": Number()})
"""A squash in a file."""


@dataclass(frozen=True, kw_only=True)
class Squash:
    """From a hidden node (or an input) to the voltage of its diodes.

    ``none`` passes it; ``clamp`` limits it to [v_lo, v_hi]; ``sigmoid`` is v_lo + (v_hi - v_lo) /
    (1 + exp(-slope x)); ``tanh`` is the middle of the range plus half of it times tanh(slope x);
    ``cells.register`` adds more.

    Attributes
    ----------
    kind
        One of ``squash_names()``.
    v_lo, v_hi
        Volts; ``none`` ignores them.
    slope
        Per volt; ``none`` and ``clamp`` have none.
    """

    kind: str = "none"
    v_lo: float = 0.0
    v_hi: float = 0.0
    slope: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in squash_names():
            known = ", ".join(squash_names())
            raise CheckpointError(
                f"squash {self.kind!r} is unknown: one of {known}, or what a "
                "--plugin FILE.py registers"
            )
        numbers = (self.v_lo, self.v_hi, self.slope)
        if not all(isinstance(v, (int, float)) and math.isfinite(v) for v in numbers):
            raise CheckpointError(f"squash {self.kind} {list(numbers)} must have finite numbers")
        if self.kind != "none" and not self.v_lo < self.v_hi:
            raise CheckpointError(
                f"{self.kind} range [{self.v_lo}, {self.v_hi}] V is empty: give the lower end first"
            )
        if self.bends and not 0 < self.slope <= MAX_SLOPE:
            raise CheckpointError(
                f"{self.kind} slope {self.slope:g} per volt is out of range: above 0, at most "
                f"{MAX_SLOPE:g}"
            )

    @property
    def bends(self) -> bool:
        """Whether it has a slope, as sigmoid and tanh have."""
        return self.kind != "none" and self.cell.sloped

    @property
    def cell(self) -> SquashKind:
        """What is declared of its kind; ``none`` is no cell."""
        return squash_kind(self.kind)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the ``.model`` lines that its cell needs."""
        return () if self.kind == "none" else self.cell.models

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Diode voltages for ``x`` (any shape, volts)."""
        return self.curve(x, NUMPY)

    def curve(self, x: Any, xp: Any) -> Any:
        """The same for arrays or tensors whose functions are ``xp``'s."""
        if self.kind == "none":
            return x
        return self.cell.curve(self.steepness * x if self.bends else x, self, xp)

    @property
    def steepness(self) -> float:
        """Per volt: what its kind's curve is a function of, over x."""
        return self.cell.steepness * self.slope

    def beyond(self, curves: tuple[IVCurve, ...]) -> str:
        """A sentence if the range leaves the table of a device; empty if it does not."""
        if self.kind == "none":
            return ""
        for curve in curves:
            if self.v_lo < curve.v[0] or self.v_hi > curve.v[-1]:
                return (
                    f"the {self.kind} range {self.v_lo:g} to {self.v_hi:g} V leaves the "
                    f"table of {curve.name} ({curve.v[0]:g} to {curve.v[-1]:g} V)"
                )
        return ""


MAX_SLOPE = 1000.0
"""Per volt; steeper is a comparator."""


def squash_names() -> tuple[str, ...]:
    """The kinds that there are."""
    return ("none", *squashes())


def parse_squash(text: str) -> Squash:
    """A squash from ``none``, ``clamp:LO:HI``, ``sigmoid[:LO:HI[:SLOPE]]``, ``tanh[...]`` or more.

    LO and HI are volts: 0 and 1 for ``sigmoid``, -1 and 1 for ``tanh``, unless said; SLOPE is per
    volt, 1 unless said.

    Raises
    ------
    SettingsError
        If it is none of these, or its range or slope is not one.
    """
    kind, *words = text.split(":")
    if kind not in squash_names():
        forms = ", ".join(["none", *(cell.form for cell in squashes().values())])
        meant = closest(kind, squash_names())
        hint = f", did you mean {meant}? One" if meant else ": one"
        raise SettingsError(f"squash {text!r} is unknown{hint} of {forms}")
    cell = squashes().get(kind)
    form, counts = ("none", (0,)) if cell is None else (cell.form, cell.counts)
    try:
        numbers = [read_number(word) for word in words]
    except ValueError:
        numbers = []
    if len(words) not in counts or len(numbers) != len(words):
        raise SettingsError(f"squash {text!r} is not {form} with numbers")
    defaults = (cell.default if cell else None) or (0.0, 0.0)
    v_lo, v_hi, slope = [*numbers, *[*defaults, 1.0][len(numbers) :]]
    try:
        return Squash(kind=kind, v_lo=v_lo, v_hi=v_hi, slope=slope)
    except CheckpointError as error:
        raise SettingsError(f"squash {text!r}: {error}") from error


@dataclass(frozen=True, eq=False, kw_only=True)
class Norm:
    """A norm at inference, before the squash.

    ``batch`` is affine: scale x + shift. ``layer`` first subtracts the mean over the layer's
    inputs and divides by sqrt(variance + eps), both per image.

    Attributes
    ----------
    kind
        ``batch`` or ``layer``.
    scale, shift
        (I,) each.
    eps
        Of ``layer``, the square of x's unit.
    """

    kind: str
    scale: np.ndarray
    shift: np.ndarray
    eps: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in NORMS[1:]:
            raise CheckpointError(f"norm {self.kind!r} is unknown: one of {', '.join(NORMS)}")
        if not (math.isfinite(self.eps) and self.eps >= 0):
            raise CheckpointError(f"norm eps {self.eps} must be finite and not negative")
        if self.kind == "layer" and not self.eps:
            raise CheckpointError("a LayerNorm's eps is 0: equal inputs would divide 0 by 0")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Normed ``x`` (B, I)."""
        if self.kind == "layer":
            x = x - x.mean(axis=1, keepdims=True)
            x = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + self.eps)
        return x * self.scale + self.shift

    @classmethod
    def batch(
        cls,
        weight: np.ndarray,
        bias: np.ndarray,
        mean: np.ndarray,
        variance: np.ndarray,
        eps: float,
    ) -> Norm:
        """A BatchNorm's, all (I,): its statistics become part of its scale and shift."""
        scale = weight / (variance + eps) ** 0.5
        return cls(kind="batch", scale=scale, shift=bias - mean * scale)
