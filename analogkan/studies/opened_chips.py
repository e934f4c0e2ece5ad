"""A kept chip as a circuit that can be simulated: its decks as they are, its closed form anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import outside
from ..compiler.build import Build, load_build
from ..compiler.chip_files import CHIP, CHIP_FORMAT
from ..compiler.circuit import Circuit
from ..compiler.deck import ANYTHING, FILES, Deck, read_summary
from ..compiler.hardware import Hardware
from ..coordinates import Given
from ..errors import NetlistError
from ..files import changed_files, sha256
from ..imperfections import Conditions, Variation
from ..imperfections.make import perturb_chain
from ..physics.heat import heat_of
from ..schema import Number, Plain, Record, Text, Whole
from .corners_named import MIDDLE
from .kept_chips import COORDINATES, load_coordinates
from .points import check_warm

ENTRIES = Record(
    {
        "format": Text((CHIP_FORMAT,)),
        **dict.fromkeys(("about", "build"), Text()),
        "design": Text(),
        "temp_c": Number("temperature"),
        "seed": Whole(0, 2**63),
        "settings": Record(
            dict.fromkeys(("hardware", "variation", "conditions"), Record(more=Plain()))
        ),
        "files": FILES,
    },
    {"plugins": outside.ENTRY},
    more=ANYTHING,
)
"""What is read of ``chip.json``."""


@dataclass(frozen=True, eq=False)
class ChipDeck(Deck):
    """The deck of one chip: it has no arrays of its own beside it."""

    def edited_files(self) -> list[str]:
        recorded = self.summary["files"]
        return changed_files(self.folder, sorted({*recorded, *self.deck_files()}), recorded)


@dataclass(frozen=True, eq=False, repr=False)
class ChipBuild(Build):
    """One chip, in the place of a network's circuit."""

    def facts(self) -> dict[str, Any]:
        return self.summary["facts"] | {
            "design": sha256(self.folder / CHIP),
            "build": str(self.folder),
        }


def open_circuit(folder: Path) -> Build:
    """The BUILD in ``folder``, or the chip that a study kept there.

    Raises
    ------
    NetlistError
        If it is neither, is damaged, is a chip of several circuits, or the BUILD that it is a chip
        of is not there as it was.
    """
    return load_chip(folder) if (folder / CHIP).is_file() else load_build(folder)


def load_chip(folder: Path) -> Build:
    """See ``open_circuit``."""
    told = read_summary(folder / CHIP, ENTRIES)
    of = load_build(told["build"])
    if of.facts()["design"] != told["design"]:
        raise NetlistError(
            f"{folder} is a chip of {told['build']}, which was compiled anew since: the command "
            "that kept the chip keeps one of it as it is now"
        )
    if of.deck is None:
        raise NetlistError(
            f"{folder} is a chip of several circuits, which is simulated by hand: `ngspice -b "
            "images.cir` in each of its folders"
        )
    chip = _drawn(of, told, folder)
    (link,) = chip.links
    summary = of.summary | {key: told[key] for key in ("about", "files")} | {"facts": of.facts()}
    deck = ChipDeck(folder, link.spec, link.design, summary)
    return ChipBuild(
        folder, of.spec, chip.hardware, of.sections, summary, deck, temp_c=told["temp_c"]
    )


def _drawn(of: Build, told: dict[str, Any], folder: Path) -> Circuit:
    """The chip of ``of`` that lies at the coordinates that were kept."""
    settings, temp_c = told["settings"], told["temp_c"]
    try:
        hardware = Hardware(**settings["hardware"])
        variation = Variation(**settings["variation"])
        conditions = Conditions(**settings["conditions"], temp_c=temp_c)
    except TypeError as error:
        raise NetlistError(f"{folder / CHIP} is damaged ({error}): keep the chip again") from error
    chain = of.circuit()
    chain = chain if hardware == chain.hardware else chain.mapped(hardware)
    warmth = None
    if variation.heat_ambient:
        found = heat_of(chain, of.spec, variation, temp_c)
        warmth = check_warm(chain, found, temp_c).warmth
    source = Given(load_coordinates(folder / COORDINATES), MIDDLE)
    return perturb_chain(
        chain, variation, conditions, seed=told["seed"], sample=0, warmth=warmth, source=source
    )[0]
