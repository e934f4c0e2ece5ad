# pyright: strict
"""Op-amps, each declared once: the cell that stands in every amplifier."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import CompileError
from .base import INPUT, OUTPUT, CellKind, Param, Pin

SUPPLY = "supply"
SUPPLIES = ("vdd", "vss")
"""Nets that reach every cell of a deck, at plus and minus ``v_rail``."""
NETS = {"inp": INPUT, "inn": INPUT, "out": OUTPUT, "vdd": SUPPLY, "vss": SUPPLY}
"""What an op-amp may be connected to, and the role of the pin there."""


@dataclass(frozen=True, kw_only=True)
class OpAmpKind(CellKind):
    """A kind of op-amp, chosen by the value of ``opamp`` of the hardware.

    A parameter ``gain`` is given the open-loop gain, ``gbw``, of one with one pole, its
    gain-bandwidth product, on chips also ``vos`` and ``drift`` their offset and its drift; others
    stay as the file has them. Pins are called what they are connected to: ``inp``, ``inn``,
    ``out``, and ``vdd`` and ``vss`` where it has supplies.

    Attributes
    ----------
    word
        The value that chooses it; None for its name, empty where none does.
    railed
        The value that chooses it with amplifiers whose outputs stop at ``v_rail``; empty: none.
    gain
        ``(hardware)``: its open-loop gain, out = gain (inp - inn), which is its closed form; None:
        the twin refuses.
    flat
        Whether a deck's op-amps are found by their elements, one controlled source; otherwise it is
        a black box, whose text is compared with its file.
    stand_in
        The op-amp that chips have in its place; None for itself, behind a source of offset where it
        has no parameters for that and its drift.
    steps
        Steps from one image to the next in a sweep: one of transistors does not follow a whole one.
    in_time
        The op-amp with one pole that stands for it where time counts; None: it takes ``gbw``
        itself, or its bandwidth is not known.
    macro
        Whether ``gain`` is a macro-model of what its file is: the twin has that alone, and how far
        simulators with the file are from it is a result, no verdict.
    """

    block: str = "op-amp"
    word: str | None = None
    railed: str = ""
    gain: Callable[[Any], float] | None = None
    flat: bool = False
    stand_in: OpAmpKind | None = None
    steps: int = 1
    in_time: OpAmpKind | None = None
    macro: bool = False

    @property
    def value(self) -> str:
        """The value of ``opamp`` that chooses it, without rails."""
        return self.name if self.word is None else self.word

    @property
    def values(self) -> tuple[str, ...]:
        """Every value that chooses it."""
        return tuple(filter(None, (self.value, self.railed)))

    @property
    def supplies(self) -> tuple[str, ...]:
        """The supplies that it needs."""
        return tuple(net for net in SUPPLIES if any(pin.name == net for pin in self.pins))

    @property
    def boxed(self) -> bool:
        """Whether it is from outside, and its gain and bandwidth are what its declaration says."""
        return not self.flat and self.lib is not None

    @property
    def exact(self) -> bool:
        """Whether its closed form is what its file does, to all digits."""
        return self.gain is not None and not self.macro

    @property
    def own_gains(self) -> bool:
        """Whether each op-amp of a chip can have a gain of its own."""
        return (self.stand_in or self).takes("gain")

    def takes(self, *names: str) -> bool:
        """Whether it has all these parameters."""
        return set(names) <= {param.name for param in self.params}

    def check(self) -> None:
        """``CellKind.check``, and that an amplifier can use it."""
        super().check()
        roles = {pin.name: pin.role for pin in self.pins}
        missing = [net for net in ("inp", "inn", "out") if net not in roles]
        wrong = [net for net, role in roles.items() if NETS.get(net) != role]
        if missing or wrong:
            said = f"lacks the pin {missing[0]}" if missing else f"has a pin {wrong[0]}"
            may = ", ".join(f"{net} ({role})" for net, role in NETS.items())
            raise CompileError(f"op-amp {self.name} {said}: its pins are of {may}")
        if self.takes("gain") and self.gain is None:
            raise CompileError(
                f"op-amp {self.name} has a parameter gain, and declares no gain to give it"
            )
        if self.macro and self.gain is None:
            raise CompileError(
                f"op-amp {self.name} has a macro-model, and declares no gain: declare it, or "
                "macro=False"
            )
        text = self.text.lower()
        for net in SUPPLIES if self.supplies else ():
            if net not in roles and re.search(rf"(?m)^[^*\n].*\b{net}\b", text):
                raise CompileError(
                    f"op-amp {self.name}: {self.path.name} uses {net}, which is a supply of the "
                    "whole deck: make it a pin, or give it another name"
                )


PINS = (Pin("inp", INPUT), Pin("inn", INPUT), Pin("out", OUTPUT))
GAIN = Param("gain", "V/V", "1e5")
IDEAL_GAIN = 1e9
"""Of ``ideal`` op-amps: 1e12 loses 1e-6 to cancellation."""
WITH_ERRORS = OpAmpKind(
    name="opamp_linear",
    word="",
    pins=PINS,
    params=(GAIN, Param("vos", "V", "0"), Param("drift", "V/K", "0"), Param("ib", "A", "0")),
    gain=lambda hardware: hardware.opamp_gain,
    flat=True,
)
POLE = OpAmpKind(
    name="opamp_pole",
    word="pole",
    railed="pole_rails",
    pins=PINS,
    params=(GAIN, Param("gbw", "Hz", "10meg")),
    gain=lambda hardware: hardware.opamp_gain,
)
"""As ``linear``, with one pole, which direct current does not see."""
LINEAR = OpAmpKind(
    name="opamp_gain",
    word="linear",
    railed="rails",
    pins=PINS,
    params=(GAIN,),
    gain=lambda hardware: hardware.opamp_gain,
    flat=True,
    in_time=POLE,
)
IDEAL = OpAmpKind(
    name="opamp_ideal",
    word="ideal",
    pins=PINS,
    gain=lambda hardware: IDEAL_GAIN,
    flat=True,
    stand_in=LINEAR,
)
OPAMPS = (LINEAR, IDEAL, WITH_ERRORS, POLE)
