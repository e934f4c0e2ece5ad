# pyright: strict
"""What a datasheet says, by name: its parts, its figures, the columns of a row. Light, for help."""

from __future__ import annotations

from dataclasses import dataclass

from .blocks import AMPLIFIERS, DISSIPATED, NOISY, SOURCES

PARTS = ("power", "settling", "noise")
ENDS = ("min", "typical", "max")


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A figure of which a datasheet has the least, the typical and the largest.

    Attributes
    ----------
    name
        Entry of result.json, its unit in it.
    label, unit, about
        As a table has them; ``unit`` is empty for a share, ``about`` may name an assumption.
    """

    name: str
    label: str
    unit: str
    about: str = ""


QUANTITIES = (
    Quantity(name="power_w", label="supply power", unit="W", about="a model"),
    Quantity(name="vdd_a", label="  from vdd", unit="A", about="of supply power"),
    Quantity(name="vss_a", label="  into vss", unit="A", about="of supply power"),
    Quantity(name="dissipated_w", label="dissipated", unit="W", about=""),
    Quantity(name="settling_s", label="settled", unit="s", about="to {bits} bits"),
    Quantity(name="settling_class_s", label="class final", unit="s"),
    Quantity(name="energy_j", label="energy", unit="J", about="an inference"),
    Quantity(name="noise_v_rms", label="output noise", unit="V", about="rms, noisiest"),
    Quantity(name="noise_unit_rms", label="error by noise", unit="", about="rms, noisiest target"),
    Quantity(name="flip_probability", label="class flips", unit="", about="by noise"),
)
SUPPLY = (*(f"class_b_{block}_w" for block in (*AMPLIFIERS, *SOURCES)), "quiescent_w", "pairs_w")
"""Parts of the supply power, watts, means over images."""
BURNT = tuple(f"dissipated_{block}_w" for block in DISSIPATED)
"""Parts of what is dissipated, watts, means over images."""
SHARES = {block: f"noise_share_{block.replace(' ', '_').replace('-', '')}" for block in NOISY}
"""By block the column of its share of 1 of the noise power at the outputs."""
NAMES = (
    *(f"{one.name}_{end}" for one in QUANTITIES for end in ENDS),
    *SUPPLY,
    *BURNT,
    *SHARES.values(),
    *("tellegen", "beyond_class_ab", "snr_db"),
)
"""Columns of a row, beside accuracy or error."""
