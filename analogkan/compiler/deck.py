"""A deck: the files that ngspice runs, the network and the design they came from, a summary."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, cells, outside
from ..dialects import NGSPICE, Dialect
from ..errors import CompileError, NetlistError
from ..files import (
    atomic_folder,
    brief,
    changed_files,
    near,
    read_json,
    sha256,
    write_text,
)
from ..kinds import kind_of, mistaken
from ..network.spec import NetworkSpec, load_spec
from ..schema import Plain, Record, Text
from . import spice, spice_cells
from .checks import check_design
from .circuit_files import write_deck
from .converters import rounded
from .counts import element_counts
from .design import Design, build_design, load_design, save_design
from .forecast import expected_cost
from .hardware import HARDWARE_ENTRY, Hardware
from .lines import deck_bytes
from .names import SYMBOL_FOLDER, symbol_name
from .symbol import format_around, write_symbol

FORMAT = "analogkan-build-1"
SUMMARY = "design.json"
OPAMP_PRESET = "opamp.toml"
"""Of a deck with an op-amp of the user's netlist: its macro-model, for studies."""
ARRAYS = ("design.npz", "network.npz")
ANYTHING = Plain(most=1_000_000)
FILES = Record(more=Text())
MODEL = Record({"fingerprint": Text()}, {"command": Text()}, more=ANYTHING)
SUMMARY_ENTRIES = Record(
    {
        "format": Text((FORMAT,)),
        "model": MODEL,
        "files": FILES,
        "hardware": HARDWARE_ENTRY,
    },
    {
        "command": Text(),
        "plugins": outside.ENTRY,
        "dialect": Text(),
        "symbol": Text(),
        "own": Record(more=cells.LIBRARY_ENTRY),
        "opamp": cells.FIGURES_ENTRY,
    },
    more=ANYTHING,
)
"""What is read of ``design.json``."""


@dataclass(frozen=True, eq=False)
class Deck:
    """A deck's files, read: one link of a circuit.

    Attributes
    ----------
    folder
        Where they are.
    spec
        The software that it stands for.
    design
        The circuit as arrays.
    summary
        The content of ``design.json``.
    """

    folder: Path
    spec: NetworkSpec
    design: Design
    summary: dict[str, Any]

    @property
    def dialect(self) -> str:
        """In what its files are written; ngspice's before there was a choice."""
        return self.summary.get("dialect", NGSPICE.name)

    @property
    def hardware(self) -> Hardware:
        """What it was compiled for."""
        return self.design.hardware

    def deck_files(self) -> list[str]:
        """Files that a simulator reads."""
        return deck_files(self.design)

    def edited_files(self) -> list[str]:
        """Files whose content is no longer what ``compile`` wrote, or that are gone."""
        recorded = self.summary["files"]
        names = sorted({*recorded, *self.deck_files(), *ARRAYS})
        return changed_files(self.folder, names, recorded)

    def hash(self) -> str:
        """Of the files as they are on disk; the top and the stimulus are not simulated."""
        digest = hashlib.sha256()
        for name in sorted(set(self.deck_files()) - set(spice.TOP)):
            digest.update(name.encode() + deck_bytes(self.folder / name))
        digest.update(repr(self.design.v_per_logit).encode())
        return digest.hexdigest()


def make_deck(
    spec: NetworkSpec,
    hardware: Hardware,
    folder: Path,
    *,
    model: dict[str, Any] | None = None,
    command: str = "",
    symbol: bool = False,
    beside: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Deck:
    """Compile ``spec`` into the empty ``folder`` as one deck.

    Parameters
    ----------
    model
        Facts about the checkpoint (``file``, ``sha256``, ``card`` and so on) for ``design.json``.
    command
        What a report says made it.
    symbol
        Write it as one subcircuit too, with its symbols.
    beside, more
        Texts of files that it has beside, and what its summary says beside.

    Raises
    ------
    CompileError
        If the network does not fit the hardware.
    """
    design = build_design(spec, hardware)
    check_design(design)
    volts = image0_volts(spec, hardware)
    expected = spec.forward_volts(volts[None])[0]
    folder.mkdir(exist_ok=True)
    _write_texts(folder, spec, design, volts, expected, NGSPICE)
    spec.save(folder / "network.npz")
    save_design(design, folder / "design.npz")
    for name, text in (beside or {}).items():
        write_text(folder / name, text)
    summary = summarise(spec, design, expected, model or {}) | {"command": command, **(more or {})}
    if symbol:
        top = spice.write_network(
            design,
            _title(spec),
            expected,
            targets=spec.targets,
            circuit=format_around(design, volts),
        )
        write_symbol(design, folder / SYMBOL_FOLDER, top)
        summary["symbol"] = symbol_name(design)
    return _vouched(Deck(folder, spec, design, summary), NGSPICE)


def _vouched(deck: Deck, dialect: Dialect) -> Deck:
    """``deck`` with a summary that vouches for its files, of ``dialect``, as they are; written."""
    written = sorted(p for p in deck.folder.rglob("*") if p.is_file() and p.name != SUMMARY)
    files = {p.relative_to(deck.folder).as_posix(): sha256(p) for p in written}
    summary = deck.summary | {"dialect": dialect.name, "files": files}
    write_text(deck.folder / SUMMARY, json.dumps(summary, indent=2) + "\n")
    return dataclasses.replace(deck, summary=summary)


def respell(deck: Deck, dialect: Dialect) -> Deck:
    """``deck`` with its files written anew in ``dialect``.

    Raises
    ------
    CompileError
        If the dialect cannot say something that the circuit needs.
    """
    write_files(deck, deck.folder, dialect)
    return _vouched(deck, dialect)


def write_files(deck: Deck, folder: Path, dialect: Dialect) -> None:
    """Write the files of ``deck`` that a simulator reads into ``folder``, in ``dialect``."""
    volts = image0_volts(deck.spec, deck.hardware)
    expected = deck.spec.forward_volts(volts[None])[0]
    _write_texts(folder, deck.spec, deck.design, volts, expected, dialect)


def write_as(deck: Deck, folder: Path, dialect: Dialect) -> None:
    """Write ``deck`` into ``folder`` in another dialect, with the image that it shows.

    It is not verified: what is read back is the deck that was compiled.

    Raises
    ------
    CompileError
        If the dialect cannot say something that the circuit needs, or the folder is there.
    """
    if folder.exists():
        raise CompileError(f"{folder} is there already: give a new folder")
    with atomic_folder(folder) as partial:
        write_files(deck, partial, dialect)


def _write_texts(
    folder: Path,
    spec: NetworkSpec,
    design: Design,
    volts: np.ndarray,
    expected: np.ndarray,
    say: Dialect,
) -> None:
    """Write the files of a deck."""
    write_deck(design, folder, say=say)
    write_text(folder / "stimulus.cir", spice.write_stimulus(design, volts, say))
    top = spice.write_network(design, _title(spec), expected, say, spec.targets)
    write_text(folder / "network.cir", top)


def read_summary(path: Path, entries: Record) -> dict[str, Any]:
    """A BUILD's JSON file; NetlistError unless it holds what ``entries`` says, and the plugins that
    it tells of are loaded."""
    try:
        summary = read_json(path)
        entries.check(summary, "")
    except ValueError as error:
        said = brief(error)
        raise NetlistError(f"{path} is damaged ({said}): compile the model again") from error
    outside.require(summary, str(path.parent), NetlistError)
    return summary


def load_deck(folder: Path) -> Deck:
    """Read a deck's folder.

    Raises
    ------
    NetlistError
        If it is none, is damaged, or its network is another model's.
    """
    summary = read_own(folder)
    fingerprint = summary["model"]["fingerprint"]
    spec = load_spec(folder / "network.npz")
    if spec.fingerprint() != fingerprint:
        raise NetlistError(
            f"{folder}/network.npz is another model than the one {SUMMARY} describes "
            f"({spec.fingerprint()[:12]}, not {fingerprint[:12]}): compile the model again"
        )
    return Deck(folder, spec, load_design(folder / "design.npz"), summary)


def read_own(folder: Path) -> dict[str, Any]:
    """The summary of a deck, whose users' cells are known from then on.

    Raises
    ------
    NetlistError
        If the folder is no deck's, is damaged, or a cell is not what was compiled.
    """
    path = folder / SUMMARY
    if not path.is_file():
        raise NetlistError(mistaken(folder, "BUILD") or _no_build(folder))
    summary = read_summary(path, SUMMARY_ENTRIES)
    for place, entry in summary.get("own", {}).items():
        cells.read_own(place, entry, folder)
    return summary


def _no_build(folder: Path) -> str:
    makes = "run `analogkan compile`"
    if os.path.lexists(folder) or kind_of(folder.parent) == "BUILD":  # one deck of several
        return f"{folder} is no BUILD folder (no {SUMMARY}): {makes}"
    return f"{folder} does not exist{near(folder, folder=True) or f': {makes}'}"


def image0_volts(spec: NetworkSpec, hardware: Hardware) -> np.ndarray:
    """Voltages (I,) of the image the deck shows: the first calibration image, or mid-scale."""
    lo, hi = spec.encoding.ends
    shown = np.broadcast_to((lo + hi) / 2, (1, spec.encoding.inputs))
    if spec.calibration is not None and len(spec.calibration):
        shown = spec.calibration[:1]
    return rounded(spec, hardware, spec.dac_volts(shown))[0]


def summarise(
    spec: NetworkSpec, design: Design, expected: np.ndarray, model: dict[str, Any]
) -> dict[str, Any]:
    """``design.json``: what was compiled, every option, what came out, what it will cost."""
    e = spec.encoding.document()
    stages = [
        {
            "inputs": stage.shape[0],
            "outputs": stage.shape[1],
            "devices": [curve.name for curve in stage.curves],
            "squash": dataclasses.asdict(stage.front.squash),
            "layernorm": stage.front.norm is not None,
            "bias_rows": stage.n_bias,
            "conductance_siemens": _range(stage.g[stage.g != 0]),
            "alpha_volts_per_siemens": _range(stage.alpha),
            "gamma": _range(stage.r_c[0::2] * design.hardware.v_fs / stage.alpha),
            "difference_gain": _range(stage.gain),
            "volts_per_unit": _range(stage.unit),
            "r_f_ohms": _range(stage.r_f),
            "c_f_farads": _range(stage.c_f),
            "stability": stage.stability,
            "r_c_ohms": _range(stage.r_c),
        }
        for stage in design.stages
    ]
    return {
        "format": FORMAT,
        "analogkan": __version__,
        "name": spec.name,
        "sizes": list(spec.sizes),
        "dataset": spec.dataset,
        "model": {"fingerprint": spec.fingerprint(), **model},
        "hardware": dataclasses.asdict(design.hardware),
        "encoding": e,
        "calibration_images": 0 if spec.calibration is None else len(spec.calibration),
        "temperature_celsius": spice_cells.TEMPERATURE_C,
        "solver_options": spice.get_solver(design),
        "stages": stages,
        "volts_per_logit": design.v_per_logit,
        "elements": element_counts(design),
        "expected": expected_cost(design),
        "image0_software_logits": [float(v) for v in expected],
        "notes": list(design.notes),
        **plugins_of(spec, design.hardware),
        **own_of(design.hardware),
    }


def cells_of(spec: NetworkSpec, hardware: Hardware) -> list[outside.Part]:
    """The cells that a network's circuit has by its own choice."""
    chosen = {hardware.opamp, *(layer.squash.kind for layer in spec.layers)}
    found = [kind for kind in cells.known() if chosen.intersection((kind.name, *kind.values))]
    return [(outside.CELL, kind.name) for kind in found]


def plugins_of(spec: NetworkSpec, hardware: Hardware) -> dict[str, Any]:
    """What a summary says of the plugins that they are from."""
    return outside.told(outside.used(cells_of(spec, hardware)))


def own_of(hardware: Hardware) -> dict[str, Any]:
    """What a summary says of the netlists that users' cells are from; nothing if there is none."""
    entry = {place: library.told() for place, library in hardware.libraries.items()}
    return {"own": entry} if entry else {}


def deck_files(design: Design) -> list[str]:
    """Names of the files that make up a deck."""
    return [*design.hardware.loaded, *spice.circuit_files(design), *spice.TOP]


def _range(values: np.ndarray) -> list[float]:
    return [float(values.min()), float(values.max())]


def _title(spec: NetworkSpec) -> str:
    devices = " ".join(curve.name for curve in spec.layers[0].curves)
    return f"{spec.name}, TD-KAN {spec.widths}, diodes {devices}"
