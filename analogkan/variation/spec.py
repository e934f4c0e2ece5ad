"""Variation (chance) and Conditions (temperature, age): the settings of studies, beside Hardware.

All off by default. A preset or the user's TOML file has ``[hardware]``, ``[variation]`` and
``[conditions]``; no name is in two of them, so ``--set`` needs no table's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..compiler.hardware import Hardware, preset_table
from ..devices.curve import NOMINAL_TEMP_C
from ..errors import SettingsError
from ..settings import (
    build,
    check_fields,
    parse_assignments,
    require,
    setting,
    unknown_setting,
    within,
)

TRIMS = ("none", "dark")


def _upto(most: float, unit: str = "") -> float:
    """A setting that is off unless asked for."""
    limit = f"0 to {most:g}" + (f" {unit}" if unit not in ("", "share") else "")
    return setting(0.0, unit, limit, within(0, most))


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How far one chip differs from its design. Every sigma is a standard deviation.

    Attributes
    ----------
    sigma_g
        Programming error of a cell, as a share of its own conductance.
    sigma_g_abs
        Programming error as a share of ``g_max``. Much harder on a network than the same number
        relative: always say which.
    read_noise
        Noise of a cell at every read, as a share of its own conductance; drawn per line and image
        with variance sum (read_noise g_r v_r)^2 over its rows.
    stuck_min, stuck_max
        Share of cells stuck at ``g_min`` and at ``g_max``.
    dead_diodes
        Share of diodes that conduct nothing.
    open_lines
        Share of lines broken before their amplifier: none of their cells reaches it.
    dead_amplifiers
        Share of op-amps whose output stays at 0 V. A row with one is at 0 V as if its diode were
        dead: what a falling diode into a floating node would do besides has no one answer.
    drift_nu, drift_nu_sigma
        Mean and spread of nu in g (t / t0)^-nu, one nu a cell, cells at ``g_min`` too; acts from
        ``Conditions.age_s`` > t0 on.
    trim
        ``dark``: with every diode at 0 V the bias cells are programmed again until each output of
        each layer equals the software's; ``none`` leaves them.
    diode_sigma_current, diode_sigma_voltage, diode_sigma_shift
        Of kI, kV (shares of 1) and dV (volts) in I = kI f(kV V + dV), each diode its own.
        ``analogkan devices import`` measures them.
    die_sigma_current, die_sigma_voltage, die_sigma_shift
        The same, common to all diodes of one type on a chip.
    offset_sigma
        Input offset of an op-amp, volts.
    offset_drift_sigma
        Its drift, volts per kelvin from 26.85 degC on.
    opamp_gain_sigma
        Of ln(open-loop gain).
    r_f_sigma, r_c_sigma
        Tolerance of a row's feedback and, common to both lines of a pair, of a line's; shares of 1.
    line_sigma
        Of the relative difference between a pair's two line gains.
    diff_gain_sigma
        Gain error of a difference amplifier, a share of 1.

    Examples
    --------
    >>> ak.Variation(sigma_g=0.05).off
    False
    """

    sigma_g: float = _upto(1.0, "share")
    sigma_g_abs: float = _upto(1.0, "share")
    read_noise: float = _upto(1.0, "share")
    stuck_min: float = _upto(1.0, "share")
    stuck_max: float = _upto(1.0, "share")
    dead_diodes: float = _upto(1.0, "share")
    open_lines: float = _upto(1.0, "share")
    dead_amplifiers: float = _upto(1.0, "share")
    drift_nu: float = _upto(1.0)
    drift_nu_sigma: float = _upto(1.0)
    trim: str = setting("none", "", " or ".join(TRIMS), TRIMS.__contains__)
    diode_sigma_current: float = _upto(0.5, "share")
    diode_sigma_voltage: float = _upto(0.1, "share")
    diode_sigma_shift: float = _upto(2e-2, "V")
    die_sigma_current: float = _upto(0.5, "share")
    die_sigma_voltage: float = _upto(0.1, "share")
    die_sigma_shift: float = _upto(2e-2, "V")
    offset_sigma: float = _upto(0.1, "V")
    offset_drift_sigma: float = _upto(1e-3, "V/K")
    opamp_gain_sigma: float = _upto(2.0)
    r_f_sigma: float = _upto(0.1, "share")
    r_c_sigma: float = _upto(0.1, "share")
    line_sigma: float = _upto(0.1, "share")
    diff_gain_sigma: float = _upto(0.1, "share")

    def __post_init__(self) -> None:
        check_fields(self)
        both = self.stuck_min + self.stuck_max
        require(both <= 1, "stuck_min + stuck_max", both, "at most 1")

    @property
    def off(self) -> bool:
        """Whether a chip is its design: nothing is drawn and nothing trimmed."""
        return self == Variation()


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


Settings = tuple[Hardware, Variation, Conditions]
TABLES: dict[str, type[Any]] = {
    "hardware": Hardware,
    "variation": Variation,
    "conditions": Conditions,
}


def load_settings(
    preset: str | None = "nominal",
    assignments: Iterable[str] = (),
    base: Hardware | None = None,
) -> Settings:
    """The settings of a preset (a shipped name or a TOML file; or none), ``key=value`` on top.

    Hardware that neither names is as in ``base``, or as by default.

    Raises
    ------
    SettingsError
        If a name is unknown (the nearest is suggested) or a value out of its range.
    """
    return settings_loader(preset, base)(assignments)


def settings_loader(
    preset: str | None, base: Hardware | None = None
) -> Callable[[Iterable[str]], Settings]:
    """``load_settings``, for many: the preset is read once, and equal settings are shared."""
    starts: list[tuple[type, dict[str, Any], str]] = []
    for table, kind in TABLES.items():
        values, what = preset_table(preset, table) if preset else ({}, "")
        before = asdict(base) if kind is Hardware and base is not None else {}
        starts.append((kind, before | values, what))
    known = [field.name for kind in TABLES.values() for field in fields(kind)]
    made: dict[tuple, Any] = {}

    def load(assignments: Iterable[str]) -> Settings:
        texts = parse_assignments(assignments)
        for key in texts:
            if key not in known:
                raise SettingsError(f"--set: {unknown_setting(key, known)}")
        found = []
        for kind, values, what in starts:
            mine = {key: text for key, text in texts.items() if key in kind.__dataclass_fields__}
            this = (kind, *mine.items())
            if this not in made:
                told = " with ".join(filter(None, (what, "--set" if mine else "")))
                made[this] = build(kind, values | mine, told)
            found.append(made[this])
        hardware, variation, conditions = found
        return hardware, variation, conditions

    return load
