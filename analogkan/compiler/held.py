"""A BUILD with held stages: a circuit's BUILD for every section of a network, or for every share
of a section's outputs. Too large a network is compiled so, and one with convolutions."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import NetlistError, SettingsError
from ..files import atomic_folder, brief, changed_files, sha256, write_text
from ..network.spec import LayerSpec, NetworkSpec, load_spec
from ..objects import Described, Facts
from . import spice
from .build import (
    HELD_ENTRIES,
    HELD_FORMAT,
    HELD_SUMMARY,
    SUMMARY,
    SUMMARY_ENTRIES,
    Build,
    check_replaceable,
    described_build,
    load_build,
    read_summary,
    refuse_edited,
    told_by_runs,
    write_build,
)
from .chain import Chain, Link
from .hardware import Hardware
from .lines import deck_bytes
from .sections import MOST_RESISTORS, Section, circuits, divide
from .verification import Verification
from .verify import verify_build, write_verified

NETWORK = "network.npz"
Progress = Callable[[str, int, int], None]
"""Called with a circuit's name, how many are done and how many there are."""


@dataclass(frozen=True, eq=False, repr=False)
class HeldBuild(Described):
    """Such a folder, read.

    Attributes
    ----------
    folder
        Where it is; a circuit's BUILD is a folder in it.
    spec
        The software network.
    sections
        Of the folded network.
    summary
        The content of ``held.json``.
    verification
        What reading the decks back found, if compiling did that.
    """

    folder: Path
    spec: NetworkSpec
    sections: tuple[Section, ...]
    summary: dict[str, Any]
    verification: Verification | None = None

    def _described(self) -> tuple[str, Facts]:
        return described_build(self.folder, self.spec, self.summary, self.verification)

    @property
    def hardware(self) -> Hardware:
        """What its circuits were compiled for, as ``held.json`` says."""
        return Hardware(**self.summary["hardware"])

    def chain(self) -> Chain:
        """All its circuits, read."""
        return Chain(
            tuple(
                Link(section=section, share=share, spec=part.spec, design=part.design)
                for section in self.sections
                for share, part in enumerate(self.builds(section))
            )
        )

    def facts(self) -> dict[str, Any]:
        """What a RUN says of the circuits that it is of."""
        return told_by_runs(self.spec, self.folder, self.summary, self.summary["design"])

    def names(self) -> list[str]:
        """Of all circuits, in the order of the signal."""
        return [name for section in self.sections for name in section.names()]

    def builds(self, section: Section) -> Iterator[Build]:
        """The circuits of a section, one at a time: they are large."""
        for name in section.names():
            yield load_build(self.folder / name)

    def require_unedited(self) -> None:
        """As of a ``Build``."""
        refuse_edited(self.folder, self.edited_files())

    def edited_files(self) -> list[str]:
        """Files whose content is no longer what ``compile`` wrote, or that are gone."""
        found = self.own_edited_files()
        if not found and self._says_otherwise():
            found.append(HELD_SUMMARY)
        for section in self.sections:
            for build in self.builds(section):
                found += [f"{build.folder.name}/{name}" for name in build.edited_files()]
        return found

    def own_edited_files(self) -> list[str]:
        """Those of them that ``held.json`` itself vouches for."""
        return changed_files(self.folder, self.summary["files"], self.summary["files"])

    def _says_otherwise(self) -> bool:
        """Whether hardware or design in ``held.json`` are not the circuits'."""
        paths = [self.folder / name / SUMMARY for name in self.names()]
        parts = [read_summary(path, SUMMARY_ENTRIES) for path in paths]
        told = _joined(part["files"]["design.npz"] for part in parts)
        hardware = self.summary["hardware"]
        return told != self.summary["design"] or any(p["hardware"] != hardware for p in parts)

    def deck_hash(self) -> str:
        """Hash of the decks of all circuits as they are on disk."""
        digest = hashlib.sha256()
        for name in self.names():
            for path in sorted((self.folder / name).glob("*.cir")):
                if path.name not in spice.TOP:
                    digest.update(f"{name}/{path.name}".encode() + deck_bytes(path))
        return digest.hexdigest()


def write_held(
    spec: NetworkSpec,
    hardware: Hardware,
    folder: Path,
    *,
    most: int = MOST_RESISTORS,
    verify: bool = True,
    model: dict[str, Any] | None = None,
    command: str = "",
    on_circuit: Progress = lambda name, done, total: None,
) -> HeldBuild:
    """Compile ``spec`` into ``folder`` as circuits that are held between: whole or not at all.

    Parameters
    ----------
    most
        Crossbar resistors of a circuit, at most, if a single output does not need more.
    verify
        Read each deck back.
    model, command
        As for ``write_build``.
    on_circuit
        Called before each circuit.

    Raises
    ------
    CompileError
        If a circuit does not fit the hardware, or ``folder`` holds something that is not a BUILD.
    NetlistError
        If a netlist is not its part of the network.
    """
    folder = Path(os.path.normpath(folder))
    check_replaceable(folder)
    folded = spec.folded()
    sections = divide(folded, most)
    total = sum(len(section.outputs) for section in sections)
    write = write_verified if verify else write_build
    found, parts = Verification(), []
    with atomic_folder(folder) as partial:
        for name, circuit in circuits(folded, sections):
            on_circuit(name, len(parts), total)
            build = write(circuit, hardware, partial / name, command=command)
            parts.append(_part(name, build))
            if build.verification is not None:
                _add(found, name, build.verification)
        spec.save(partial / NETWORK)
        summary = {
            "format": HELD_FORMAT,
            "analogkan": __version__,
            "model": {"fingerprint": spec.fingerprint(), **(model or {})},
            "command": command,
            "most_resistors": most,
            **_told(folded, hardware, sections, parts),
            "design": _design_hash(partial, parts),
            "files": {name: sha256(partial / name) for name in _files(sections)},
        }
        write_text(partial / HELD_SUMMARY, json.dumps(summary, indent=2) + "\n")
    return HeldBuild(folder, spec, sections, summary, found if verify else None)


def _files(sections: tuple[Section, ...]) -> list[str]:
    """What ``held.json`` vouches for: the network, and every circuit's own summary."""
    names = [name for section in sections for name in section.names()]
    return [NETWORK, *(f"{name}/{SUMMARY}" for name in names)]


def _told(
    spec: NetworkSpec,
    hardware: Hardware,
    sections: tuple[Section, ...],
    parts: list[dict[str, Any]],
) -> dict[str, Any]:
    """What ``held.json`` says of the network, folded, and its circuits."""
    return {
        "name": spec.name,
        "sizes": list(spec.sizes),
        "dataset": spec.dataset,
        "hardware": asdict(hardware),
        "circuits": parts,
        "sections": [_section(section, parts) for section in sections],
        "elements": {
            key: sum(part["elements"][key] for part in parts) for key in parts[0]["elements"]
        },
        "expected": _expected(sections, parts),
        "notes": _beyond_rails(spec, hardware, sections),
    }


def _beyond_rails(
    spec: NetworkSpec, hardware: Hardware, sections: tuple[Section, ...]
) -> list[str]:
    """Notes on held values that the supplies do not reach, on the calibration images."""
    if spec.calibration is None or not len(spec.calibration):
        return []
    outputs = spec.layer_outputs(spec.dac_volts(spec.calibration))
    said = []
    for section in sections[:-1]:
        reach = float(np.abs(outputs[section.last]).max())
        if reach > hardware.v_rail:
            said.append(
                f"values held after layer {section.last} reach {reach:.2f} V on the calibration "
                f"images, but the rails are at {hardware.v_rail:g} V: train with a range penalty"
            )
    return said


def _part(name: str, build: Build) -> dict[str, Any]:
    s = build.summary
    return {
        "name": name,
        "sizes": s["sizes"],
        "elements": s["elements"],
        "expected": s["expected"],
        "volts_per_unit": s["volts_per_logit"],
        "notes": s["notes"],
    }


def _section(section: Section, parts: list[dict[str, Any]]) -> dict[str, Any]:
    own = [part for part in parts if part["name"] in section.names()]
    return {
        "layers": [section.first, section.last],
        "positions": section.positions,
        "circuits": section.names(),
        "crossbar_resistors": sum(part["elements"]["crossbar_resistors"] for part in own),
    }


def _expected(sections: tuple[Section, ...], parts: list[dict[str, Any]]) -> dict[str, float]:
    """Megabytes of the largest circuit; seconds of all of them for an image, with KLU."""
    by_name = {part["name"]: part["expected"] for part in parts}
    seconds = sum(
        section.positions * by_name[name]["seconds_per_image"]
        for section in sections
        for name in section.names()
    )
    return {
        "memory_megabytes": max(one["memory_megabytes"] for one in by_name.values()),
        "seconds_per_image": float(f"{seconds:.2g}"),
    }


def _design_hash(folder: Path, parts: list[dict[str, Any]]) -> str:
    """One hash of all circuits' arrays, as that of design.npz is for one circuit."""
    return _joined(sha256(folder / part["name"] / "design.npz") for part in parts)


def _joined(hashes: Iterable[str]) -> str:
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def load_circuit(folder: str | Path) -> Build | HeldBuild:
    """Read a BUILD folder of either kind.

    Raises
    ------
    NetlistError
        If it is none, is damaged, or its network is another model's.
    """
    folder = Path(folder)
    path = folder / HELD_SUMMARY
    if not path.is_file():
        return load_build(folder)
    summary = read_summary(path, HELD_ENTRIES)
    fingerprint, most = summary["model"]["fingerprint"], summary["most_resistors"]
    files = summary["files"]
    try:
        Hardware(**summary["hardware"])
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
    if sorted(files) != sorted(_files(sections)):
        raise NetlistError(
            f"{path} is of other circuits than {most:,} resistors a circuit make of its network: "
            "compile the model again"
        )
    return HeldBuild(folder, spec, sections, summary)


def verify_circuit(
    build: Build | HeldBuild, on_circuit: Progress = lambda name, done, total: None
) -> Verification:
    """``verify_build``; of held stages for each circuit, and that together they are the network.

    Raises
    ------
    NetlistError
        If a deck cannot be read at all.
    """
    if isinstance(build, Build):
        return verify_build(build)
    found = Verification()
    own = build.own_edited_files()
    found.add([f"{name} is not what {HELD_SUMMARY} vouches for" for name in own])
    folded, hardware = build.spec.folded(), build.hardware
    layers = folded.layers
    total, done, covered = len(build.names()), 0, 0
    parts = []
    for section in build.sections:
        found.add(_cut_differences(section, covered, layers))
        covered = section.last + 1
        for (start, stop), part in zip(section.outputs, build.builds(section), strict=True):
            name = part.folder.name
            on_circuit(name, done, total)
            _add(found, name, verify_build(part))
            mine = [replace(k, patches=None) for k in layers[section.first : section.last + 1]]
            theta, bias = mine[-1].theta[:, start:stop], mine[-1].bias[start:stop]
            mine[-1] = replace(mine[-1], theta=theta, bias=bias)
            if not _is_part(part.spec, tuple(mine), held=section.first > 0):
                found.add([f"{name} is not its part of the network"])
            if part.design.hardware != hardware:
                found.add([f"{name} is of other hardware than {HELD_SUMMARY} says"])
            parts.append(_part(name, part))
            done += 1
    if covered != len(layers):
        found.add([f"layers {covered} to {len(layers) - 1} are in no circuit"])
    told = _told(folded, hardware, build.sections, parts)
    told["design"] = _design_hash(build.folder, parts)
    told = json.loads(json.dumps(told))
    found.add(
        [
            f"{HELD_SUMMARY}: {key} is not what its circuits say"
            for key, value in told.items()
            if build.summary.get(key) != value
        ]
    )
    return found


def _is_part(spec: NetworkSpec, layers: tuple[LayerSpec, ...], *, held: bool) -> bool:
    """Whether a circuit's network has these ``layers``, and its inputs are ``held``."""
    if spec.sizes[0] != layers[0].n_in:
        return False
    return spec.fingerprint() == replace(spec, layers=layers, held=held).fingerprint()


def _cut_differences(section: Section, covered: int, layers: tuple[LayerSpec, ...]) -> list[str]:
    """Whether a section starts where the one before ends, and its circuits share all outputs."""
    said = []
    if section.first != covered:
        said.append(f"section {section.number} starts at layer {section.first}, not {covered}")
    ends = [0, *(stop for _, stop in section.outputs)]
    starts = [start for start, _ in section.outputs]
    if starts != ends[:-1] or ends[-1] != layers[section.last].theta.shape[1]:
        said.append(f"the circuits of section {section.number} do not share its outputs out")
    return said


def _add(found: Verification, name: str, one: Verification) -> None:
    """Add what one circuit's verification found: counts are summed."""
    found.findings += [f"{name}: {said}" for said in one.findings]
    for key, value in one.facts.items():
        merge = max if key in ("max_coefficient_error", "levels") else lambda a, b: a + b
        found.facts[key] = merge(found.facts.get(key, 0), value)
