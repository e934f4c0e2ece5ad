"""Read-outs: how the two lines of a pair become an output, each declared once.

``differences``: an amplifier for each line, and one of four resistors that subtracts the negative
line from the positive one. ``summing``: the negative line's amplifier drives, through a resistor
r_x, the summing node of the positive line, whose amplifier is the output's own:

    y = r_f (I_p - I_n r_n / r_x)      volts, of the currents out of the two summing nodes.

In a stage ``r_c`` then has r_f and r_n of each pair, and ``gain`` r_n / r_x, which is 1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ReadOut:
    """A read-out.

    Attributes
    ----------
    name
        The value of ``Hardware.readout`` that chooses it.
    op_amps, resistors
        Of an output, those of its two lines among them; without the crossbar's.
    differences
        Whether an amplifier of its own subtracts the lines of a pair; otherwise that of the
        positive line does.
    cells
        Its cells, without rails.
    """

    name: str
    op_amps: int
    resistors: int
    differences: bool
    cells: tuple[str, ...]


DIFFERENCES = ReadOut(
    name="differences", op_amps=3, resistors=6, differences=True, cells=("tia", "diff_amp")
)
SUMMING = ReadOut(
    name="summing", op_amps=2, resistors=3, differences=False, cells=("tia", "summing_amp")
)
READOUTS = {one.name: one for one in (DIFFERENCES, SUMMING)}
