# pyright: strict
"""Measured cells on a chip's hardware: which, in what range, at what age."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..compiler.chip import Written
from ..compiler.hardware import Hardware
from ..errors import SettingsError
from .base import Draw, Imperfection, Setting, errors_of
from .cell_tables import is_table, parse_table, read_table
from .technologies import NONE, TECHNOLOGIES, Technology

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage
    from .conditions import Conditions

Floats = npt.NDArray[np.float64]
NAMES = (NONE, *TECHNOLOGIES)
RANGES = ("published", "scaled", "extrapolated")
AGES = ("published", "extrapolated")
FADED = 1e-3
"""Of ``g_min``: the least that aging leaves of a cell. A power of time does not reach it."""
NEAR = 1e-9
"""Relative; what a range may be passed by for rounding."""


def technology_of(cells: str) -> Technology | None:
    """What the setting ``cells`` names; None for ``none``."""
    return parse_table(cells) if is_table(cells) else TECHNOLOGIES.get(cells)


@dataclass(frozen=True, eq=False)
class Cells:
    """A technology on hardware: in siemens.

    Attributes
    ----------
    technology
        What was measured.
    per_siemens
        Microsiemens of what was measured that a siemens of the hardware stands for.
    """

    technology: Technology
    per_siemens: float

    @classmethod
    def of(cls, settings: Any, hardware: Hardware) -> Cells | None:
        """Those of a chip's settings; None without."""
        technology = technology_of(settings.cells)
        if technology is None:
            return None
        scaled = settings.cell_range == "scaled"
        return cls(technology, technology.most / hardware.cell_range[1] if scaled else 1e6)

    def error(self, target: Floats) -> Floats:
        """Standard deviation, siemens, of what programming makes of ``target``, siemens."""
        return self.technology.error(target * self.per_siemens) / self.per_siemens

    def aged(self, g: Floats, target: Floats, normal: Floats, age_s: float) -> Floats:
        """Siemens at ``age_s`` of cells that were programmed to be ``g`` for ``target``."""
        aged = self.technology.aged
        if aged is None:
            return g
        per = self.per_siemens
        return aged(g * per, target * per, normal, age_s) / per

    def noise(self, programmed: Floats, now: Floats, age_s: float) -> Floats | None:
        """Standard deviation of a read as a share of ``now``; None where nothing is known.

        As programmed, ``age_s`` of 0, it is that at the first age that was measured.
        """
        noise = self.technology.noise
        if noise is None:
            return None
        age_s = max(age_s, self.technology.first_s)
        return noise(programmed * self.per_siemens, now * self.per_siemens, age_s)


def require_measured(settings: Any, hardware: Hardware, conditions: Conditions) -> None:
    """Refuse cells out of the range, and at ages, that they were measured at.

    Raises
    ------
    SettingsError
        Unless ``cell_range`` or ``cell_ages`` asks for it.
    """
    age_s, t0_s = conditions.age_s, conditions.t0_s
    if 0 < age_s < t0_s and (settings.drift_nu or settings.drift_nu_sigma):
        raise SettingsError(
            f"age_s = {age_s:g} s is before t0_s = {t0_s:g} s, from which drift_nu counts: set "
            "age_s to that or more, or to 0, which is as programmed"
        )
    technology = technology_of(settings.cells)
    if technology is None:
        return
    if settings.cell_range != "extrapolated":
        _require_range(technology, settings.cell_range, hardware)
    _require_age(technology, settings, conditions)


def _require_range(technology: Technology, cell_range: str, hardware: Hardware) -> None:
    low, high = (1e6 * g for g in hardware.cell_range)
    least, most = technology.least, technology.most
    if cell_range == "scaled":
        share = least / most
        if low / high < share * (1 - NEAR):
            raise SettingsError(
                f"cells = {technology.name} was measured from {share:.3g} of its largest "
                f"conductance on, and g_min = {low:g} uS is {low / high:.3g} of g_max = {high:g} "
                "uS: raise g_min, or set cell_range = extrapolated"
            )
        return
    if low < least * (1 - NEAR) or high > most * (1 + NEAR):
        raise SettingsError(
            f"cells = {technology.name} was measured from {least:g} to {most:g} uS, and cells from "
            f"g_min = {low:g} to g_max = {high:g} uS are beyond that: set g_min and g_max, or "
            "cell_range = scaled, by shares of g_max, or extrapolated, by the same formulas"
        )


def _require_age(technology: Technology, settings: Any, conditions: Conditions) -> None:
    name, age_s, first_s = technology.name, conditions.age_s, technology.first_s
    if technology.aged is not None and conditions.t0_s != type(conditions).t0_s:
        raise SettingsError(
            f"t0_s = {conditions.t0_s:g} s is of drift_nu, and cells = {name} has {first_s:g} s of "
            "its own: leave t0_s as it is"
        )
    if age_s == 0 or (settings.cell_ages == "extrapolated" and age_s >= first_s):
        return
    if age_s < first_s:
        raise SettingsError(
            f"age_s = {age_s:g} s is before cells = {name} was first read, {first_s:g} s after "
            "programming: set age_s to that or more, or to 0, which is as programmed"
        )
    own = technology.aged is None and (settings.drift_nu or settings.drift_nu_sigma)
    if age_s > technology.last_s and not own:
        then = "goes on by ln t" if technology.aged else "leaves them as programmed"
        other = "" if technology.aged else ", or give a drift_nu"
        raise SettingsError(
            f"age_s = {age_s:g} s is after cells = {name} was last read, {technology.last_s:g} s "
            f"after programming: lower age_s{other}, or set cell_ages = extrapolated, which {then}"
        )


def _age(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    errors, age_s = errors_of(stage), draw.conditions.age_s
    cells = Cells.of(draw.settings, draw.hardware)
    assert cells is not None and errors.written is not None
    # What was changed since programming, as a trim does, is what it was changed to.
    target = np.where(stage.g == errors.written.g, errors.written.target, stage.g)
    errors = replace(errors, written=Written(target=target, g=stage.g))
    if not age_s or cells.technology.aged is None:
        return replace(stage, errors=errors)
    normal = draw.normal("aging", stage.g.shape)
    free = (stage.g != 0) & ~errors.stuck
    g = np.where(free, cells.aged(stage.g, target, normal, age_s), stage.g)
    least = draw.hardware.g_min * FADED
    draw.count("faded_cells", free & (g < least))
    return replace(stage, g=np.where(free, np.maximum(g, least), g), errors=errors)


def _counted_once(of: Any) -> None:
    technology = technology_of(of.cells)
    if technology is None:
        return
    for name, has, what in (
        ("drift_nu", technology.aged, "drift"),
        ("drift_nu_sigma", technology.aged, "drift"),
        ("read_noise", technology.noise, "read noise"),
    ):
        if has and getattr(of, name):
            raise SettingsError(
                f"{name} = {getattr(of, name):g} and cells = {technology.name}, which has its own "
                f"{what}: it is counted once, set {name} to 0"
            )


def _kept(cells: Any) -> Any:
    """A file's path becomes the table that is in it."""
    if isinstance(cells, str) and cells.endswith(".toml"):
        return read_table(Path(cells))
    return cells


def _known(cells: str) -> bool:
    return technology_of(cells) is not None or cells == NONE


RANGE = Imperfection(
    name="measured range",
    settings=tuple(
        Setting(
            name=name,
            about=about,
            limit=", ".join(words[:-1]) + f" or {words[-1]}",
            fits=words.__contains__,
            default=words[0],
            words=words,
            later=True,
        )
        for name, words, about in (
            ("cell_range", RANGES, "Where g_min or g_max is beyond what was measured: "
             "``published`` refuses, ``scaled`` takes the state as a share of ``g_max``, "
             "``extrapolated`` goes on by the same formulas."),
            ("cell_ages", AGES, "Where ``age_s`` is beyond what was measured: ``published`` "
             "refuses, ``extrapolated`` goes on by ln t, or leaves cells as programmed where "
             "nothing is known."),
        )
    ),
    # What it does is done by who reads it.
    draw=lambda stage, draw: stage,
    adjusts=True,
)  # fmt: skip
MEASURED = Imperfection(
    name="measured cells",
    settings=(
        Setting(
            name="cells",
            about="Whose statistics cells have: error of programming, drift and read noise by "
            "state, as published; or the path of a .toml file of one's own.",
            limit=f"{', '.join(NAMES)}, or a .toml file that devices import --kind memory wrote",
            fits=_known,
            default=NONE,
            words=NAMES,
            kept=_kept,
            later=True,
        ),
    ),
    draw=_age,
    acts="aged",
    streams=("aging",),
    counts={"faded_cells": "cells faded to a thousandth of g_min"},
    check=_counted_once,
    reads=(RANGE,),
)
