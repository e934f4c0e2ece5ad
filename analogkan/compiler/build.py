"""The BUILD folder: a deck, the network and the design it came from, and ``design.json``."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import CompileError, NetlistError
from ..files import atomic_folder, brief, changed_files, near, read_json, sha256
from ..kinds import kind_of, mistaken
from ..network.spec import NetworkSpec, load_spec
from ..objects import Described, Facts
from ..schema import Plain, Record, Text, Whole
from . import spice, spice_cells
from .chain import Chain
from .checks import check_design
from .design import Design, build_design, element_counts, load_design, save_design
from .forecast import expected_cost
from .hardware import HARDWARE_ENTRY, Hardware
from .verification import Verification

FORMAT = "analogkan-build-1"
HELD_FORMAT = "analogkan-held-1"
SUMMARY = "design.json"
HELD_SUMMARY = "held.json"
"""Of a BUILD with held stages, see ``compiler.held``."""
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
    {"command": Text()},
    more=ANYTHING,
)
"""What is read of ``design.json``."""
HELD_ENTRIES = Record(
    {
        "format": Text((HELD_FORMAT,)),
        "model": MODEL,
        "most_resistors": Whole(1, 10**12),
        "files": FILES,
        "design": Text(),
        "hardware": HARDWARE_ENTRY,
    },
    {"command": Text()},
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
    design
        The circuit.
    summary
        The content of ``design.json``.
    verification
        What reading the deck back found, if compiling did that; None in a BUILD that was read.

    Examples
    --------
    >>> build = ak.load_build("mnist-d2.build")
    >>> build.spec.widths, build.hardware.opamp
    ('196-64-10', 'linear')
    """

    folder: Path
    spec: NetworkSpec
    design: Design
    summary: dict[str, Any]
    verification: Verification | None = None

    def _described(self) -> tuple[str, Facts]:
        return described_build(self.folder, self.spec, self.summary, self.verification)

    @property
    def name(self) -> str:
        """The network's name."""
        return self.spec.name

    @property
    def hardware(self) -> Hardware:
        """What it was compiled for."""
        return self.design.hardware

    def chain(self) -> Chain:
        """The circuit as a chain of one."""
        return Chain.of_one(self.spec, self.design)

    def facts(self) -> dict[str, Any]:
        """What a RUN says of the circuit that it is of."""
        return told_by_runs(
            self.spec, self.folder, self.summary, sha256(self.folder / "design.npz")
        )

    def deck_files(self) -> list[str]:
        """Files that make up the deck."""
        return deck_files(self.design)

    def require_unedited(self) -> None:
        """Raise NetlistError if a file is not what ``compile`` wrote: chips are the design's."""
        refuse_edited(self.folder, self.edited_files())

    def edited_files(self) -> list[str]:
        """Files whose content is no longer what ``compile`` wrote, or that are gone."""
        recorded = self.summary["files"]
        names = sorted({*recorded, *self.deck_files(), *ARRAYS})
        return changed_files(self.folder, names, recorded)


def described_build(
    folder: Path, spec: NetworkSpec, summary: dict[str, Any], verification: Verification | None
) -> tuple[str, Facts]:
    """How a BUILD shows itself."""
    e = summary["elements"]
    counted = (
        f"{e['crossbar_resistors']:,} crossbar resistors, {e['diodes']:,} diodes, "
        f"{e['op_amps']:,} op-amps"
    )
    facts = [("network", f"{spec.name}, {spec.widths}"), ("circuit", counted)]
    if "circuits" in summary:
        facts.append(("held between", f"{len(summary['circuits'])} circuits"))
    if verification is not None:
        facts.append(("verified", "yes" if verification.ok else verification.sentence()))
    return str(folder), facts


def refuse_edited(folder: Path, edited: Sequence[str]) -> None:
    """Raise NetlistError if files of a BUILD were ``edited``."""
    if edited:
        raise NetlistError(
            f"{folder}/{edited[0]} was edited after it was compiled, and chips are drawn from the "
            f"design, not from the deck: `analogkan verify {folder}` says where; compile the model "
            "again"
        )


def told_by_runs(
    spec: NetworkSpec, folder: Path, summary: dict[str, Any], design: str
) -> dict[str, Any]:
    """What a RUN says of the circuit in ``folder``, whose hash is ``design``."""
    return {
        "model": spec.name,
        "network": spec.fingerprint(),
        "design": design,
        "build": str(folder),
        "compiled": summary.get("command", ""),
        "trained_by": summary["model"].get("command", ""),
        "trained_on": spec.dataset,
    }


def write_build(
    spec: NetworkSpec,
    hardware: Hardware,
    folder: Path,
    *,
    model: dict[str, Any] | None = None,
    command: str = "",
    check: Callable[[Build], None] = lambda build: None,
) -> Build:
    """Compile ``spec`` into ``folder``: whole or not at all.

    Parameters
    ----------
    model
        Facts about the checkpoint (``file``, ``sha256``, ``card`` and so on) for ``design.json``.
    command
        What a report says made the BUILD.
    check
        Looks at the finished folder under a temporary name, and raises to keep it from coming.

    Raises
    ------
    CompileError
        If the network does not fit the hardware.
    AnalogKanError
        If ``folder`` holds something that is not a BUILD.
    """
    folder = Path(os.path.normpath(folder))  # "new/../folder" before "new" exists
    check_replaceable(folder)
    design = build_design(spec, hardware)
    check_design(design)
    volts = image0_volts(spec)
    expected = spec.forward_volts(volts[None])[0]
    texts = {
        "cells.cir": spice_cells.write_cells(design),
        "stimulus.cir": spice.write_stimulus(design, volts),
        "network.cir": spice.write_network(design, _title(spec), expected),
    }
    with atomic_folder(folder) as partial:
        for name, text in texts.items():
            (partial / name).write_text(text, encoding="utf-8", newline="\n")
        for k in range(len(design.stages)):
            path = partial / spice.layer_file(k)
            path.write_text(spice.write_layer(design, k), encoding="utf-8", newline="\n")
        spec.save(partial / "network.npz")
        save_design(design, partial / "design.npz")
        summary = summarise(spec, design, expected, model or {}) | {"command": command}
        summary["files"] = {p.name: sha256(p) for p in sorted(partial.iterdir())}
        (partial / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        check(Build(partial, spec, design, summary))
    return Build(folder, spec, design, summary)


def check_replaceable(folder: Path) -> None:
    """Refuse to replace a file, or a folder that holds anything but an earlier BUILD.

    Raises
    ------
    CompileError
        If it would.
    """
    if folder.exists() and not folder.is_dir():
        raise CompileError(f"{folder} is a file: give another folder with -o")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    foreign = _foreign(folder)
    if foreign:
        raise CompileError(
            f"{folder} holds {foreign[0]}, which no compile wrote, so it is not replaced: "
            "give another folder with -o"
        )


def _foreign(folder: Path) -> list[str]:
    """What in ``folder``, and in the circuits of a BUILD with held stages, no compile wrote."""
    ours: set[str] = set()
    for name, written in ((SUMMARY, FORMAT), (HELD_SUMMARY, HELD_FORMAT)):
        try:
            summary = read_json(folder / name)
            FILES.check(summary.get("files"), "files")
        except ValueError:
            continue
        if summary.get("format") == written:
            ours |= {name, *summary["files"]}
    circuits = {name.split("/")[0] for name in ours if name.endswith(f"/{SUMMARY}")}
    found = sorted(p.name for p in folder.iterdir() if p.name not in ours | circuits)
    for name in sorted(circuits):
        if (folder / name).is_dir():
            found += [f"{name}/{inner}" for inner in _foreign(folder / name)]
    return found


def read_summary(path: Path, entries: Record) -> dict[str, Any]:
    """A BUILD's JSON file; NetlistError unless it holds what ``entries`` says."""
    try:
        summary = read_json(path)
        entries.check(summary, "")
    except ValueError as error:
        said = brief(error)
        raise NetlistError(f"{path} is damaged ({said}): compile the model again") from error
    return summary


def load_build(folder: str | Path) -> Build:
    """Read a BUILD folder.

    Raises
    ------
    NetlistError
        If it is not one, is damaged, or its network is another model's.
    """
    folder = Path(folder)
    path = folder / SUMMARY
    if (folder / HELD_SUMMARY).is_file():
        raise NetlistError(
            f"{folder} is a BUILD with held stages, and one deck is needed here: without "
            "convolutions a model can be compiled without --held"
        )
    if not path.is_file():
        raise NetlistError(mistaken(folder, "BUILD") or _no_build(folder))
    summary = read_summary(path, SUMMARY_ENTRIES)
    fingerprint = summary["model"]["fingerprint"]
    spec = load_spec(folder / "network.npz")
    if spec.fingerprint() != fingerprint:
        raise NetlistError(
            f"{folder}/network.npz is another model than the one {SUMMARY} describes "
            f"({spec.fingerprint()[:12]}, not {fingerprint[:12]}): compile the model again"
        )
    return Build(folder, spec, load_design(folder / "design.npz"), summary)


def _no_build(folder: Path) -> str:
    makes = "run `analogkan compile`"
    if os.path.lexists(folder) or kind_of(folder.parent) == "BUILD":  # a circuit of held stages
        return f"{folder} is no BUILD folder (no {SUMMARY}): {makes}"
    return f"{folder} does not exist{near(folder, folder=True) or f': {makes}'}"


def image0_volts(spec: NetworkSpec) -> np.ndarray:
    """Voltages (I,) of the image the deck shows: the first calibration image, or mid-scale."""
    if spec.calibration is not None and len(spec.calibration):
        return spec.dac_volts(spec.calibration[:1])[0]
    middle = (spec.encoding.x_lo + spec.encoding.x_hi) / 2
    return spec.dac_volts(np.full((1, spec.encoding.width), middle))[0]


def summarise(
    spec: NetworkSpec, design: Design, expected: np.ndarray, model: dict[str, Any]
) -> dict[str, Any]:
    """``design.json``: what was compiled, every option, what came out, what it will cost."""
    e = dataclasses.asdict(spec.encoding)
    stages = [
        {
            "inputs": stage.shape[0],
            "outputs": stage.shape[1],
            "devices": [curve.name for curve in stage.curves],
            "squash": dataclasses.asdict(stage.front.squash),
            "layernorm": stage.front.norm is not None,
            "bias_rows": stage.n_bias,
            "conductance_siemens": _range(stage.g),
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
    }


def deck_files(design: Design) -> list[str]:
    """Names of the files that make up a deck."""
    return [*spice.FILES, *(spice.layer_file(k) for k in range(len(design.stages)))]


def _range(values: np.ndarray) -> list[float]:
    return [float(values.min()), float(values.max())]


def _title(spec: NetworkSpec) -> str:
    devices = " ".join(curve.name for curve in spec.layers[0].curves)
    return f"{spec.name}, TD-KAN {spec.widths}, diodes {devices}"
