"""The resistors of a deck's crossbars: the model and, where it is known, the value of each."""

from __future__ import annotations

import numpy as np

from ..cells import EXACT
from .hardware import Hardware
from .netlist import TILE, TOP, Netlist
from .series import nearest_of, standard_values


def resistor_differences(netlist: Netlist, hardware: Hardware) -> list[str]:
    """Sentences on crossbar resistors that drift otherwise than they should, or are no segment.

    A tile holds cells, and where every segment is written wires between them; at the top level
    there are the drivers then, and else what wires make between the feet of lines.
    """
    model, ohms, place = netlist.r_model, netlist.r_ohms, netlist.r_place
    known = [*netlist.r_models, cell_model(hardware), "wire", ""]
    cell, bare = known.index(cell_model(hardware)), known.index("")
    wanted = np.full(len(ohms), cell, np.int32)
    value = np.full(len(ohms), np.nan)
    if hardware.segments:
        wire = (place == TILE) & netlist.of_model("wire")
        wanted[wire], value[wire] = known.index("wire"), hardware.r_wire
        wanted[place == TOP], value[place == TOP] = bare, hardware.r_driver
    ours = (place == TILE) | (place == TOP)
    said = [
        f"resistor {netlist.r_name[k]} is of the model {known[model[k]]!r}, "
        f"not {known[wanted[k]]!r}"
        for k in np.flatnonzero(ours & (model != wanted))
    ]
    off = ours & ~np.isnan(value) & ~np.isclose(ohms, value, rtol=EXACT, atol=0)
    if hardware.series and (hardware.segments or not hardware.wired):
        nearest = nearest_of(standard_values(hardware.series), ohms)
        cells = (place == TILE) & (wanted == cell)
        said += [
            f"resistor {netlist.r_name[k]} is {float(ohms[k])!r} ohm, which is no value of "
            f"{hardware.series.upper()}"
            for k in np.flatnonzero(cells & ~np.isclose(ohms, nearest, rtol=EXACT, atol=0))
        ]
    said += [
        f"resistor {netlist.r_name[k]} is {float(ohms[k])!r} ohm; a "
        f"{'segment' if place[k] == TILE else 'driver'} has {float(value[k])!r}"
        for k in np.flatnonzero(off)
    ]
    return said


def cell_model(hardware: Hardware) -> str:
    """Model of the resistors between rows and lines; none where they stand for wires too."""
    if hardware.wired and not hardware.segments and not hardware.wires_scale_with_cells:
        return ""
    return "cell"
