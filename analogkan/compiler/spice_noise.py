# pyright: strict
"""SPICE: companions, by which a deck is as noisy as the circuit that it stands for.

ngspice's sources of an expression are noiseless; its resistors and transistors are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..dialects import Dialect
from ..dialects.words import format_number

BESIDE = 1e-9
"""Volts to the right of a diode's own, where its companion reads the curve: at a kink that is the
segment above."""


@dataclass(frozen=True, kw_only=True)
class Companions:
    """What is noisy beside resistors and transistors.

    Attributes
    ----------
    e_n, i_n
        White noise of an op-amp's inputs, V/sqrt(Hz) and A/sqrt(Hz).
    f_corner
        Hz below which the voltage noise grows as 1/f.
    fano_rising, fano_falling
        Of the diodes' shot noise, where their current rises with the voltage, and where it falls.
    """

    e_n: float
    i_n: float
    f_corner: float
    fano_rising: float
    fano_falling: float

    @property
    def cells(self) -> list[str]:
        """Names of the cells that they are."""
        of_opamps = {
            "opamp_noise": self.e_n,
            "opamp_flicker": self.e_n * self.f_corner,
            "opamp_current_noise": self.i_n,
        }
        return ["diode_noise", *(name for name, much in of_opamps.items() if much)]

    def format_models(self, say: Dialect) -> list[str]:
        """The models that the cells need."""
        if "opamp_flicker" not in self.cells:
            return []
        # A microampere's square, by which ngspice multiplies kf.
        kf = self.e_n**2 * self.f_corner / 1e-12
        return [say.model("flicker", "r", {"kf": format_number(kf), "af": "2"}) + "\n"]

    def format_before_opamp(self, say: Dialect) -> tuple[list[str], str]:
        """Lines of the cell ``opamp``, and the net that is its non-inverting input behind them."""
        lines: list[str] = []
        net = "inp"
        for name, settings in (
            ("opamp_noise", {"en": format_number(self.e_n)}),
            ("opamp_flicker", {}),
        ):
            if name in self.cells:
                lines.append(
                    " ".join(say.instance(f"x_{name}", [net, f"{name}_in"], name, settings))
                )
                net = f"{name}_in"
        if "opamp_current_noise" in self.cells:
            name, settings = "opamp_current_noise", {"in": format_number(self.i_n)}
            lines.append(" ".join(say.instance(f"x_{name}", ["inp", "inn"], name, settings)))
        return lines, net

    def format_beside_diode(
        self, current: Callable[[str], Sequence[str]], say: Dialect
    ) -> list[list[str]]:
        """Lines of a diode's cell, as words; ``current`` gives those of its current at a voltage,
        which is an expression."""
        fano = {"rising": self.fano_rising, "falling": self.fano_falling}
        told = {key: format_number(value) for key, value in fano.items()}
        at = {"now": "v(a,c)", "next": f"(v(a,c)+{format_number(BESIDE)})", "rest": "0"}
        return [
            *(say.source(f"b_{net}", net, "0", "v", current(volts)) for net, volts in at.items()),
            say.instance("x1", ["a", "c", *at], "diode_noise", told),
        ]
