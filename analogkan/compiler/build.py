"""A BUILD folder: a network's circuit, as one deck or as several whose values are held between.

One deck's files stand in the folder itself. Of several each is a folder in it, and ``held.json``
says how they follow each other: too large a network is compiled so, and one with convolutions.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__, cells, outside
from ..dialects import NGSPICE, Dialect
from ..errors import CompileError, NetlistError, SettingsError
from ..files import atomic_folder, brief, changed_files, sha256, write_text
from ..network.spec import NetworkSpec, load_spec
from ..objects import Described, Facts
from ..schema import Record, Text, Whole
from . import spice
from .circuit import Circuit, Link
from .deck import (
    ANYTHING,
    FILES,
    MODEL,
    SUMMARY,
    SUMMARY_ENTRIES,
    Deck,
    load_deck,
    make_deck,
    plugins_of,
    read_own,
    read_summary,
    respell,
)
from .design import Design
from .hardware import HARDWARE_ENTRY, Hardware
from .lines import deck_bytes, require_there
from .parts import (
    HELD_FORMAT,
    HELD_SUMMARY,
    NETWORK,
    design_hash,
    files_of,
    joined,
    part_of,
    told_of,
)
from .replaceable import check_replaceable
from .sections import Section, circuits, divide, whole
from .spice_cells import TEMPERATURE_C
from .verification import Verification

Progress = Callable[[str, int, int], None]
"""Called with a deck's name, how many are done and how many there are."""
Check = Callable[[Deck], Verification]
HELD_ENTRIES = Record(
    {
        "format": Text((HELD_FORMAT,)),
        "model": MODEL,
        "most_resistors": Whole(1, 10**12),
        "files": FILES,
        "design": Text(),
        "hardware": HARDWARE_ENTRY,
    },
    {
        "command": Text(),
        "plugins": outside.ENTRY,
        "dialect": Text(),
        "own": Record(more=cells.LIBRARY_ENTRY),
    },
    more=ANYTHING,
)
"""What is read of ``held.json``."""


@dataclass(frozen=True, eq=False, repr=False)
class Build(Described):
    """A BUILD folder, read.

    Attributes
    ----------
    folder
        Where it is.
    spec
        The software network.
    hardware
        What it was compiled for.
    sections
        Of the folded network; one, if it is one deck.
    summary
        The content of ``design.json``, or of ``held.json``.
    deck
        The deck, if it is one; None of several, which are large and read when they are needed.
    verification
        What reading the decks back found, if compiling did that; None in a BUILD that was read.
    temp_c
        Degrees Celsius at which it is simulated.

    Examples
    --------
    >>> build = ak.load_build("mnist-d2.build")
    >>> build.spec.widths, build.hardware.opamp
    ('196-64-10', 'linear')
    """

    folder: Path
    spec: NetworkSpec
    hardware: Hardware
    sections: tuple[Section, ...]
    summary: dict[str, Any]
    deck: Deck | None = None
    verification: Verification | None = None
    temp_c: float = TEMPERATURE_C

    def _described(self) -> tuple[str, Facts]:
        e = self.summary["elements"]
        counted = (
            f"{e['crossbar_resistors']:,} crossbar resistors, {e['diodes']:,} diodes, "
            f"{e['op_amps']:,} op-amps"
        )
        facts = [("network", f"{self.spec.name}, {self.spec.widths}"), ("circuit", counted)]
        if self.deck is None:
            facts.append(("held between", f"{len(self.names())} circuits"))
        facts += [("cells", said) for said in outside.sentences(self.summary)]
        found = self.verification
        if found is not None:
            facts.append(("verified", "yes" if found.ok else found.sentence()))
        return str(self.folder), facts

    @property
    def dialect(self) -> str:
        """In what its decks are written."""
        return self.summary.get("dialect", NGSPICE.name)

    @property
    def name(self) -> str:
        """The network's name."""
        return self.spec.name

    @property
    def design(self) -> Design:
        """Of a circuit that is one deck.

        Raises
        ------
        NetlistError
            If it is several.
        """
        return self.one_deck().design

    def one_deck(self) -> Deck:
        """``deck``; NetlistError if there are several."""
        if self.deck is None:
            raise NetlistError(
                f"{self.folder} is a BUILD with held stages, and one deck is needed here: without "
                "convolutions a model can be compiled without --held"
            )
        return self.deck

    def names(self) -> list[str]:
        """Of all decks, in the order of the signal."""
        return [name for section in self.sections for name in section.names()]

    def decks(self, section: Section) -> Iterator[Deck]:
        """Those of a section, one at a time."""
        if self.deck is not None:
            yield self.deck
            return
        for name in section.names():
            yield load_deck(self.folder / name)

    def circuit(self) -> Circuit:
        """All its decks, read."""
        return Circuit(
            tuple(
                Link(section=section, share=share, spec=deck.spec, design=deck.design)
                for section in self.sections
                for share, deck in enumerate(self.decks(section))
            )
        )

    def facts(self) -> dict[str, Any]:
        """What a RUN says of the circuit that it is of."""
        several = self.deck is None
        card = self.summary["model"].get("card") or {}
        line = {key: card.get(key) for key in ("line", "images")}
        return {
            "model": self.spec.name,
            "network": self.spec.fingerprint(),
            "design": self.summary["design"] if several else sha256(self.folder / "design.npz"),
            "build": str(self.folder),
            "compiled": self.summary.get("command", ""),
            "trained_by": self.summary["model"].get("command", ""),
            "trained_on": self.spec.dataset,
            **({} if line["line"] is None else {"straight_line": line}),
        }

    def require_unedited(self) -> None:
        """Raise NetlistError if a file is not what ``compile`` wrote: chips are the design's."""
        edited = self.changed_or_lacking()
        if edited:
            raise NetlistError(
                f"{self.folder}/{edited[0]} was edited after it was compiled, and chips are drawn "
                f"from the design, not from the deck: `analogkan verify {self.folder}` says where; "
                "compile the model into another folder with -o to keep both"
            )

    def changed_or_lacking(self) -> list[str]:
        """``edited_files``, if all are there; NetlistError if one is gone: nothing can be run."""
        edited = self.edited_files()
        for name in edited:
            require_there(self.folder, name)
        return edited

    def edited_files(self) -> list[str]:
        """Files whose content is no longer what ``compile`` wrote, or that are gone."""
        if self.deck is not None:
            return self.deck.edited_files()
        found = self.own_edited_files()
        if not found and self._says_otherwise():
            found.append(HELD_SUMMARY)
        for section in self.sections:
            for deck in self.decks(section):
                found += [f"{deck.folder.name}/{name}" for name in deck.edited_files()]
        return found

    def own_edited_files(self) -> list[str]:
        """Those of them that ``held.json`` itself vouches for."""
        return changed_files(self.folder, self.summary["files"], self.summary["files"])

    def _says_otherwise(self) -> bool:
        """Whether hardware or design in ``held.json`` are not the circuits'."""
        paths = [self.folder / name / SUMMARY for name in self.names()]
        parts = [read_summary(path, SUMMARY_ENTRIES) for path in paths]
        told = joined(part["files"]["design.npz"] for part in parts)
        hardware = self.summary["hardware"]
        return told != self.summary["design"] or any(p["hardware"] != hardware for p in parts)

    def deck_hash(self) -> str:
        """Hash of what is simulated, as it is on disk."""
        if self.deck is not None:
            return self.deck.hash()
        digest = hashlib.sha256()
        for name in self.names():
            for path in sorted((self.folder / name).glob("*.cir")):
                if path.name not in spice.TOP:
                    digest.update(f"{name}/{path.name}".encode() + deck_bytes(path))
        return digest.hexdigest()


def write_build(
    spec: NetworkSpec,
    hardware: Hardware,
    folder: Path,
    *,
    most: int | None = None,
    check: Check | None = None,
    model: dict[str, Any] | None = None,
    command: str = "",
    symbol: bool = False,
    beside: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
    force: bool = False,
    on_circuit: Progress = lambda name, done, total: None,
    dialect: Dialect = NGSPICE,
) -> Build:
    """Compile ``spec`` into ``folder``: whole or not at all.

    Parameters
    ----------
    most
        Crossbar resistors of a deck, at most, if a single output does not need more; what they
        give is held between them. None is one deck.
    check
        Looks at each deck under a temporary name, and raises to keep all from coming.
    model, command, symbol, beside, more
        As for ``make_deck``.
    force
        Replace a BUILD whose files somebody edited, too.
    on_circuit
        Called before each of several decks.
    dialect
        In what the files are written in the end; ``check`` looks at ngspice's.

    Raises
    ------
    CompileError
        If a circuit does not fit the hardware or cannot be said in the dialect, ``folder`` holds
        something that is not a BUILD or a BUILD that was edited, or a symbol is asked for of
        several decks, or in another dialect than ngspice's.
    """
    if symbol and most is not None:
        raise CompileError(
            f"{spec.name} is compiled as circuits that are held between, and a symbol is of one: "
            "leave --symbol out, or without convolutions --held"
        )
    if symbol and dialect is not NGSPICE:
        raise CompileError(
            f"a symbol is written in ngspice's words, not in {dialect.name}'s: leave --symbol or "
            "--dialect out"
        )
    folder = Path(os.path.normpath(folder))  # "new/../folder" before "new" exists
    check_replaceable(folder, force=force)
    if most is None:
        with atomic_folder(folder) as partial:
            deck = make_deck(
                spec, hardware, partial, model=model, command=command, symbol=symbol,
                beside=beside, more=more,
            )  # fmt: skip
            found = None if check is None else check(deck)
            if dialect is not NGSPICE:
                deck = respell(deck, dialect)
        deck = replace(deck, folder=folder)
        return Build(folder, spec, hardware, whole(spec), deck.summary, deck, found)
    folded = spec.folded()
    sections = divide(folded, most)
    total = sum(len(section.outputs) for section in sections)
    together, parts = Verification(plugins=plugins_of(spec, hardware)), []
    with atomic_folder(folder) as partial:
        for name, circuit in circuits(folded, sections):
            on_circuit(name, len(parts), total)
            deck = make_deck(circuit, hardware, partial / name, command=command, beside=beside)
            parts.append(part_of(name, deck))
            if check is not None:
                together.join(name, check(deck))
            if dialect is not NGSPICE:
                respell(deck, dialect)
        spec.save(partial / NETWORK)
        summary = {
            "format": HELD_FORMAT,
            "analogkan": __version__,
            "model": {"fingerprint": spec.fingerprint(), **(model or {})},
            "dialect": dialect.name,
            "command": command,
            **(more or {}),
            "most_resistors": most,
            **told_of(folded, hardware, sections, parts),
            "design": design_hash(partial, parts),
            "files": {name: sha256(partial / name) for name in files_of(sections)},
        }
        write_text(partial / HELD_SUMMARY, json.dumps(summary, indent=2) + "\n")
    return Build(
        folder, spec, hardware, sections, summary, None, None if check is None else together
    )


def load_build(folder: str | Path) -> Build:
    """Read a BUILD folder.

    Raises
    ------
    NetlistError
        If it is none, is damaged, or its network is another model's.
    """
    folder = Path(folder)
    path = folder / HELD_SUMMARY
    if not path.is_file():
        deck = load_deck(folder)
        return Build(folder, deck.spec, deck.hardware, whole(deck.spec), deck.summary, deck)
    summary = read_summary(path, HELD_ENTRIES)
    fingerprint, most = summary["model"]["fingerprint"], summary["most_resistors"]
    if "own" in summary:  # cells that its hardware names
        for name in sorted({name.split("/")[0] for name in summary["files"] if "/" in name})[:1]:
            read_own(folder / name)
    try:
        hardware = Hardware(**summary["hardware"])
    except (ValueError, TypeError, OverflowError, SettingsError) as error:
        said = brief(error)
        raise NetlistError(f"{path} is damaged ({said}): compile the model again") from error
    spec = load_spec(folder / NETWORK)
    if spec.fingerprint() != fingerprint:
        raise NetlistError(
            f"{folder}/{NETWORK} is another model than the one {HELD_SUMMARY} describes: compile "
            "the model again"
        )
    sections = divide(spec.folded(), most)
    if sorted(summary["files"]) != sorted(files_of(sections)):
        raise NetlistError(
            f"{path} is of other circuits than {most:,} resistors a circuit make of its network: "
            "compile the model again"
        )
    return Build(folder, spec, hardware, sections, summary)
