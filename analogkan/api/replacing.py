# pyright: strict
"""Which cells of a user's netlists are to stand in the place of the library's, as they are asked
for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import cells
from ..errors import SettingsError
from ..text import nearest

OPAMP, NPN = cells.OPAMP, "npn"
OPAMPS = (OPAMP, *dict.fromkeys(cells.OPAMPS.values()))
"""Places of op-amps: of all, and of rows, lines and outputs."""
PLACES = (*OPAMPS, NPN)
"""What a user's cell may stand in the place of."""


@dataclass(frozen=True, kw_only=True)
class OwnCells:
    """What is asked for.

    Attributes
    ----------
    files
        ``FILE`` or ``FILE:SUBCKT`` by place.
    include
        Models beside them, as for ``characterise``.
    refer
        Name models where they are, instead of copying them.
    draws
        Op-amps drawn by the library's mismatch, for the offsets of chips.
    osdi
        What models of a diode's netlist are of: Verilog-A, or compiled.
    """

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    include: Sequence[str] = ()
    refer: bool = False
    draws: int = 0
    osdi: Path | None = None

    @property
    def diodes(self) -> dict[str, str]:
        """Those in the place of devices."""
        return {place: file for place, file in self.files.items() if place.startswith(cells.DIODE)}

    @property
    def opamps(self) -> dict[str, str]:
        """Those in the place of op-amps, that of all first."""
        return {place: self.files[place] for place in OPAMPS if place in self.files}

    def __post_init__(self) -> None:
        if self.osdi is not None and not self.diodes:
            raise SettingsError(
                f"osdi {self.osdi} is what a diode's netlist is of: give one with --cell "
                f"{cells.DIODE}NAME=FILE"
            )
        for place in self.files:
            if place not in (*PLACES, *self.diodes):
                raise SettingsError(
                    f"there is no cell {place!r} to be replaced{nearest(place, PLACES)} "
                    f"Known: {', '.join(PLACES)}, and {cells.DIODE}NAME of each device"
                )
        if self.opamps and OPAMP not in self.files:
            raise SettingsError(
                f"cell {next(iter(self.opamps))} is of some amplifiers alone: give the op-amp of "
                "all others too, with --cell opamp=FILE"
            )
        if self.draws and OPAMP not in self.files:
            raise SettingsError("draws are of an op-amp of yours: give one with --cell opamp=FILE")
        if self.include and not self.files:
            raise SettingsError("include names models of a cell of yours: give one with --cell")


def parse_cells(texts: Iterable[str]) -> dict[str, str]:
    """Files by place, of ``PLACE=FILE`` texts; SettingsError of what is none, or is there twice."""
    found: dict[str, str] = {}
    for text in texts:
        place, equals, file = text.partition("=")
        if not (place and equals and file):
            raise SettingsError(f"cell {text!r} is not PLACE=FILE, such as opamp=mine.lib")
        if place in found:
            raise SettingsError(f"cell {place} is given twice: {found[place]} and {file}")
        found[place] = file
    return found
