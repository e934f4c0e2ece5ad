# pyright: strict
"""Converters: DACs, ADCs and what holds values between circuits, each with errors of its own.

Axes: W DACs, O outputs of a circuit, P positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiler.converters import Adcs, Dacs, Sampling, bent
from ..compiler.holds import Holds
from ..errors import SettingsError
from .base import Draw, Floats, Imperfection, Setting, errors_of, upto

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage
    from ..compiler.hardware import Hardware

Normal = Callable[[str, tuple[int, ...], float], Floats]
"""Called with a stream, a shape and a sigma."""
NEEDS: dict[str, tuple[str, ...]] = {
    **{f"{kind}_{of}_sigma": (f"{kind}_bits",) for kind in ("dac", "adc") for of in ("dnl", "inl")},
    **{f"{kind}_ktc": (f"c_{kind}",) for kind in ("dac", "adc", "hold")},
    "hold_leakage": ("c_hold", "t_position"),
    "hold_injection": ("c_hold",),
    "hold_injection_slope": ("c_hold",),
}
"""Hardware that is not there by default, by the settings that ask for it."""
EXAMPLES = {"dac_bits": "8", "adc_bits": "8", "t_position": "2e-6"}
"""Of values in a sentence; of a capacitor 1 pF."""


def require_converters(settings: Any, hardware: Hardware) -> None:
    """SettingsError if errors of converters ask for hardware that is not there."""
    for name, wanted in NEEDS.items():
        for part in wanted if getattr(settings, name) else ():
            if not getattr(hardware, part):
                raise SettingsError(
                    f"{name} = {getattr(settings, name):g} needs {part}, which is 0: set it, such "
                    f"as --set {part}={EXAMPLES.get(part, '1p')}"
                )


def require_holds(settings: Any, held: bool) -> None:
    """SettingsError if holds are to have errors and no values are ``held``."""
    for one in () if held else HOLDS.settings:
        if value := getattr(settings, one.name):
            raise SettingsError(
                f"{one.name} = {value:g} is of what holds values between circuits, and the network "
                f"is one circuit: leave {one.name} out, or compile it with held stages (--held)"
            )


def _sampling(draw: Draw, kind: str, *, shared: bool = False) -> Sampling | None:
    """Of converters of a ``kind``: dac, adc or hold."""
    times = getattr(draw.settings, f"{kind}_ktc")
    if not times:
        return None
    farads = getattr(draw.hardware, f"c_{kind}")
    place = replace(draw.place, share=0) if shared else draw.place
    return Sampling(times=times, farads=farads, place=place, stream=draw.number("sample"))


def _inl(normal: Normal, count: int, codes: int, dnl: float, bow: float) -> Floats | None:
    """(count, codes) steps; None if there are no errors."""
    if not dnl and not bow:
        return None
    return bent(normal("dnl", (count, codes - 1), dnl), normal("bow", (count,), bow))


def _give(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    if draw.ends.dacs is None:
        return stage
    of, bits = draw.settings, draw.hardware.dac_bits
    low, high = draw.ends.dacs
    dacs = Dacs(
        low=low,
        high=high,
        bits=bits,
        gain=draw.shared("gain", low.shape, of.dac_gain_sigma),
        offset=draw.shared("offset", low.shape, of.dac_offset_sigma),
        inl=_inl(draw.shared, low.size, 2**bits, of.dac_dnl_sigma, of.dac_inl_sigma),
        noise=_sampling(draw, "dac", shared=True),
        seen=draw.ends.seen,
    )
    return replace(stage, errors=replace(errors_of(stage), dacs=dacs))


def _read(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    if not draw.ends.read:
        return stage
    of, hardware, outputs = draw.settings, draw.hardware, stage.gain.size
    adcs = Adcs(
        unit=float(stage.unit[0]),
        bits=hardware.adc_bits,
        v_range=hardware.adc_range,
        gain=draw.normal("gain", (outputs,), of.adc_gain_sigma),
        offset=draw.normal("offset", (outputs,), of.adc_offset_sigma),
        inl=_inl(
            draw.normal, outputs, 2**hardware.adc_bits - 1, of.adc_dnl_sigma, of.adc_inl_sigma
        ),
        noise=_sampling(draw, "adc"),
    )
    return replace(stage, errors=replace(errors_of(stage), adcs=adcs))


def _hold(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    if not draw.ends.held:
        return stage
    of, farads = draw.settings, draw.hardware.c_hold
    shape = draw.ends.held, stage.gain.size
    leaks = of.hold_leakage * (1 + draw.normal("leakage", shape, of.hold_leakage_sigma))
    charged = 1 + draw.normal("injection", shape, of.hold_injection_sigma)

    def volts(coulombs: Any) -> Floats:
        return coulombs / farads if farads else np.zeros(shape)

    holds = Holds(
        offset=draw.normal("offset", shape, of.hold_offset_sigma),
        share=-volts(of.hold_injection_slope * charged),
        volts=-volts(of.hold_injection * charged),
        falls=volts(leaks),
        turn=draw.hardware.t_position,
        noise=_sampling(draw, "hold"),
    )
    return replace(stage, errors=replace(errors_of(stage), holds=holds))


def _spread_of_nothing(settings: Any) -> None:
    """SettingsError where a spread is of a leakage or a charge that is 0."""
    for name, means in (
        ("hold_leakage_sigma", ("hold_leakage",)),
        ("hold_injection_sigma", ("hold_injection", "hold_injection_slope")),
    ):
        if getattr(settings, name) and not any(getattr(settings, mean) for mean in means):
            raise SettingsError(
                f"{name} = {getattr(settings, name):g} is a share of {' and '.join(means)}, which "
                f"is 0: set {means[0]}, or leave {name} out"
            )


def _later(most: float, name: str, about: str, unit: str = "share") -> Setting:
    return upto(most, name, about, unit, later=True)


def _of_codes(kind: str, what: str) -> tuple[Setting, ...]:
    """Settings that DACs and ADCs both have, of a ``kind``, whose INL is of ``what``."""
    each = kind.upper()
    return (
        _later(0.5, f"{kind}_gain_sigma", f"Gain error of each {each}."),
        _later(1.0, f"{kind}_offset_sigma", f"Offset of each {each}, volts.", "V"),
        _later(4.0, f"{kind}_dnl_sigma", f"DNL of each {each}: of every step between {what}; INL "
               "is their sum, less the line between its ends.", "LSB"),
        _later(100.0, f"{kind}_inl_sigma", f"Of a parabola that the INL of each {each} has "
               "beside, at mid-scale.", "LSB"),
        _ktc(kind),
    )  # fmt: skip


def _ktc(kind: str) -> Setting:
    return _later(
        10.0, f"{kind}_ktc", f"Noise of what ``c_{kind}`` samples, anew for every image, times "
        "sqrt(k T / C): 1 is that of the capacitor alone.", "",
    )  # fmt: skip


DACS = Imperfection(
    name="dacs",
    in_datasheets=False,
    settings=_of_codes("dac", "codes' volts"),
    draw=_give,
    streams=("gain", "offset", "dnl", "bow", "sample"),
)
ADCS = Imperfection(
    name="adcs",
    settings=_of_codes("adc", "thresholds"),
    draw=_read,
    streams=("gain", "offset", "dnl", "bow", "sample"),
)
HOLDS = Imperfection(
    name="holds",
    in_datasheets=False,
    settings=(
        _later(1.0, "hold_offset_sigma", "Offset of each hold, volts.", "V"),
        _later(1e-3, "hold_leakage", "Mean current that discharges a hold, amperes at 26.85 degC.",
               "A"),
        _later(10.0, "hold_leakage_sigma", "Its spread, a share of it."),
        _later(1e-9, "hold_injection", "Mean charge that opening the switch of a hold takes "
               "away, coulombs.", "C"),
        _later(1e-9, "hold_injection_slope", "The same for each volt that is held, coulombs a "
               "volt.", "C/V"),
        _later(10.0, "hold_injection_sigma", "The spread of both, a share of them."),
        _ktc("hold"),
    ),
    draw=_hold,
    streams=("offset", "leakage", "injection", "sample"),
    check=_spread_of_nothing,
)  # fmt: skip
