# pyright: strict
"""What a planner may set: settings of hardware and assumptions, each with a range."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ..compiler.hardware import Hardware
from ..compiler.readout import READOUTS
from ..errors import AnalogKanError, SettingsError
from ..numerals import read_number, why_not
from ..physics.assumptions import Assumptions
from ..text import nearest

Settings = tuple[Hardware, Assumptions]
BITS = tuple(range(2, 11))
"""Of converters, and those that they have as they are: few enough to try each."""
STEPS = 3
"""Digits of what a planner sets, so that people can read and type it."""


@dataclass(frozen=True, kw_only=True)
class Lever:
    """A setting that may be moved.

    Attributes
    ----------
    name
        Of ``Hardware`` or ``Assumptions``.
    least, most
        Its range, a share of what it starts from where ``relative``.
    about
        What it trades, for people.
    log
        Whether it moves by ratios.
    choices
        What it may be, in place of a range.
    """

    name: str
    about: str
    least: float = 0.0
    most: float = 0.0
    relative: bool = False
    log: bool = True
    choices: tuple[Any, ...] = ()

    def range_of(self, base: Settings) -> tuple[float, float]:
        """Its range where it starts from ``base``."""
        unit = float(value_of(base, self.name)) if self.relative else 1.0
        return self.least * unit, self.most * unit

    def at(self, share: float, base: Settings) -> float | int:
        """Its value at a ``share`` of 0 to 1 of its range."""
        low, high = self.range_of(base)
        if self.log:
            value = math.exp(math.log(low) + share * math.log(high / low))
        else:
            value = low + share * (high - low)
        value = min(max(float(f"{value:.{STEPS}g}"), low), high)
        return round(value) if isinstance(value_of(base, self.name), int) else value

    def share_of(self, value: float, base: Settings) -> float:
        """The share of its range at which it is a ``value``; the nearest, of one outside."""
        low, high = self.range_of(base)
        inside = min(max(value, low), high)
        if self.log:
            return math.log(inside / low) / math.log(high / low)
        return (inside - low) / (high - low)


LEVERS = (
    Lever(
        name="drop_rows", least=1e-6, most=0.03,
        about="rows that hardly move an output: op-amps, against accuracy",
    ),
    Lever(
        name="gating", choices=(0, 1),
        about="op-amps off while other sections work: power, against waking",
    ),
    Lever(
        name="readout", choices=tuple(READOUTS), about="how lines become an output: op-amps, gain"
    ),
    Lever(name="v_rail", relative=True, least=0.4, most=1.0, about="supplies: power, and swing"),
    Lever(
        name="g_max", relative=True, least=1 / 400, most=1.0,
        about="all conductances of cells: current, against damping",
    ),
    Lever(
        name="r_diff", relative=True, least=0.2, most=100.0,
        about="inputs of difference amplifiers: current, against time",
    ),
    Lever(name="v_fs", relative=True, least=0.2, most=1.0, about="volts on rows: current and gain"),
    Lever(
        name="headroom", least=0.3, most=0.95, log=False, about="swing of lines: their noise gain"
    ),
    Lever(
        name="gain_split", least=0.0, most=1.5, log=False,
        about="gain behind lines in place of in them: both noise gains",
    ),
    Lever(name="gbw", relative=True, least=0.1, most=10.0, about="bandwidth: time, against power"),
    Lever(
        name="gbw_by_stage", least=0.0, most=1.5, log=False,
        about="bandwidth where noise gains are large and op-amps few",
    ),
    Lever(name="zeta", least=0.4, most=1.0, about="damping: ringing, against capacitors"),
    Lever(name="dac_bits", choices=BITS, about="codes of DACs: energy, and accuracy"),
    Lever(name="adc_bits", choices=BITS, about="codes of ADCs: energy, and accuracy"),
    Lever(name="max_bias_rows", least=4, most=64, about="constant rows: power, against range"),
)  # fmt: skip
"""What is moved where nothing else is said, in the order in which a result tells of them."""


def value_of(base: Settings, name: str) -> Any:
    """A setting, of whichever has it."""
    return getattr(next(one for one in base if hasattr(one, name)), name)


def changed(base: Settings, values: Mapping[str, Any]) -> Settings:
    """``base`` with other ``values``; the range of cells keeps its ratio, as g_max moves.

    Raises
    ------
    SettingsError
        If a value is out of its setting's range.
    """
    hardware, assumed = base
    own = {name: value for name, value in values.items() if hasattr(hardware, name)}
    if "g_max" in own and "g_min" not in own:
        own["g_min"] = own["g_max"] * hardware.g_min / hardware.g_max
    rest = {name: value for name, value in values.items() if name not in own}
    return replace(hardware, **own), replace(assumed, **rest)


def choose_levers(
    base: Settings, fixed: Iterable[str], free: str, useless: Collection[str] = ()
) -> tuple[Lever, ...]:
    """Those of ``LEVERS`` that are not ``fixed``, with what is freed by ``NAME=LO:HI,...``.

    Those that are ``useless`` to a circuit are left out unless they are freed, and so are bits of
    conversions whose energy does not depend on them.

    Raises
    ------
    SettingsError
        If a name is no number among the settings, or fixed too; or a range is none, or not
        within the setting's own.
    """
    fixed = set(fixed)
    left_out = fixed | {*useless}
    left_out |= {f"{kind}_bits" for kind in ("dac", "adc") if not value_of(base, f"{kind}_fom")}
    found = {lever.name: lever for lever in LEVERS if lever.name not in left_out}
    for word in filter(None, (part.strip() for part in free.split(","))):
        lever = _freed(word, base)
        if lever.name in fixed:
            raise SettingsError(
                f"free {word}: {lever.name} is fixed by --set or the preset: leave out one of the "
                "two"
            )
        found[lever.name] = lever
    if not found:
        raise SettingsError("every lever is fixed: nothing is left to plan")
    for name, lever in found.items():
        own = value_of(base, name)
        if lever.choices and own not in lever.choices:
            found[name] = replace(lever, choices=(*lever.choices, own))
        _check_range(lever, base)
    return tuple(found.values())


def _freed(word: str, base: Settings) -> Lever:
    name, equals, text = word.partition("=")
    if name == "bits":
        raise SettingsError(
            f"free {word!r}: bits are what candidates settle to, no lever: --criterion decides, or "
            "--set bits=N"
        )
    known = [
        field.name
        for one in base
        for field in fields(one)
        if isinstance(value_of(base, field.name), (int, float))
    ]
    if name not in known:
        raise SettingsError(
            f"free {word!r}: {name!r} is no number among the settings{nearest(name, known)}"
        )
    low, colon, high = text.partition(":")
    try:
        least, most = read_number(low), read_number(high)
        if not (equals and colon and math.isfinite(least) and math.isfinite(most) and least < most):
            raise ValueError(text)
    except ValueError:
        raise SettingsError(
            f"free {word!r} is no NAME=LO:HI with LO below HI, such as gm_id=15:22"
            f"{why_not(low) or why_not(high)}"
        ) from None
    about = next((lever.about for lever in LEVERS if lever.name == name), "freed")
    return Lever(name=name, least=least, most=most, log=least > 0, about=about)


def _check_range(lever: Lever, base: Settings) -> None:
    """That a lever may be moved to both its ends."""
    if lever.choices:
        return
    for share in (0.0, 1.0):
        value = lever.at(share, base)
        try:
            changed(base, {lever.name: value})
        except AnalogKanError as error:
            raise SettingsError(
                f"lever {lever.name} would be moved to {value:g}, which it may not be: {error}: "
                f"give its range, --free {lever.name}=LO:HI, or fix it, --set {lever.name}=VALUE"
            ) from error


@dataclass(frozen=True, kw_only=True)
class Space:
    """All levers together: places in a cube, and the settings that they stand for."""

    base: Settings
    levers: tuple[Lever, ...]

    @property
    def numbers(self) -> tuple[Lever, ...]:
        return tuple(lever for lever in self.levers if not lever.choices)

    @property
    def words(self) -> tuple[Lever, ...]:
        return tuple(lever for lever in self.levers if lever.choices)

    def values(self, shares: Sequence[float], words: Sequence[int]) -> dict[str, Any]:
        """Settings by name at ``shares`` of the ranges of ``numbers``, and choices of ``words``."""
        found: dict[str, Any] = {
            lever.name: lever.at(float(share), self.base)
            for lever, share in zip(self.numbers, shares, strict=True)
        }
        return found | {
            lever.name: lever.choices[int(k)] for lever, k in zip(self.words, words, strict=True)
        }

    def own_words(self) -> tuple[int, ...]:
        """Which choices it starts from."""
        own = ((lever.choices, value_of(self.base, lever.name)) for lever in self.words)
        return tuple(choices.index(value) for choices, value in own)
