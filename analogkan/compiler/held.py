"""A BUILD with held stages: a circuit's BUILD for every section of a network, or for every share
of a section's outputs. Too large a network is compiled so, and one with convolutions."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import NetlistError
from ..files import atomic_folder, sha256, write_text
from ..network.spec import LayerSpec, NetworkSpec, load_spec
from .build import (
    HELD_FORMAT,
    HELD_SUMMARY,
    SUMMARY,
    Build,
    check_replaceable,
    load_build,
    told_by_runs,
    write_build,
)
from .hardware import Hardware
from .sections import MOST_RESISTORS, Section, circuits, divide
from .verification import Verification
from .verify import verify_build, write_verified

NETWORK = "network.npz"
Progress = Callable[[str, int, int], None]
"""Called with a circuit's name, how many are done and how many there are."""


@dataclass(frozen=True, eq=False)
class HeldBuild:
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

    @property
    def name(self) -> str:
        """The network's name."""
        return self.spec.name

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

    def edited_files(self) -> list[str]:
        """Files whose content is no longer what ``compile`` wrote, or that are gone."""
        found = [
            name
            for name, written in self.summary["files"].items()
            if not (self.folder / name).is_file() or sha256(self.folder / name) != written
        ]
        for section in self.sections:
            for build in self.builds(section):
                found += [f"{build.folder.name}/{name}" for name in build.edited_files()]
        return found


def write_held(
    spec: NetworkSpec,
    hardware: Hardware,
    folder: Path,
    *,
    most: int = MOST_RESISTORS,
    verify: bool = True,
    model: dict[str, str] | None = None,
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
        files = [NETWORK, *(f"{part['name']}/{SUMMARY}" for part in parts)]
        hashes = {name: sha256(partial / name) for name in files}
        summary = {
            "format": HELD_FORMAT,
            "analogkan": __version__,
            "name": spec.name,
            "sizes": list(spec.sizes),
            "dataset": spec.dataset,
            "model": {"fingerprint": spec.fingerprint(), **(model or {})},
            "command": command,
            "hardware": asdict(hardware),
            "most_resistors": most,
            "circuits": parts,
            "sections": [_section(section, parts) for section in sections],
            "elements": {
                key: sum(part["elements"][key] for part in parts) for key in parts[0]["elements"]
            },
            "expected": _expected(sections, parts),
            "files": hashes,
        }
        summary["design"] = _design_hash(partial, parts)
        write_text(partial / HELD_SUMMARY, json.dumps(summary, indent=2) + "\n")
    return HeldBuild(folder, spec, sections, summary, found if verify else None)


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
    hashes = [sha256(folder / part["name"] / "design.npz") for part in parts]
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
    try:
        summary = dict(json.loads(path.read_text(encoding="utf-8")))
        if summary["format"] != HELD_FORMAT:
            raise NetlistError(f"{path} has format {summary['format']!r}: compile the model again")
        fingerprint, most = str(summary["model"]["fingerprint"]), int(summary["most_resistors"])
        summary["files"].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NetlistError(f"{path} is damaged: compile the model again") from error
    spec = load_spec(folder / NETWORK)
    if spec.fingerprint() != fingerprint:
        raise NetlistError(
            f"{folder}/{NETWORK} is another model than the one {HELD_SUMMARY} describes: compile "
            "the model again"
        )
    return HeldBuild(folder, spec, divide(spec.folded(), most), summary)


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
    layers = build.spec.folded().layers
    total, done, covered = len(build.names()), 0, 0
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
            wanted = replace(part.spec, layers=tuple(mine), held=section.first > 0)
            if part.spec.fingerprint() != wanted.fingerprint():
                found.add([f"{name} is not its part of the network"])
            done += 1
    if covered != len(layers):
        found.add([f"layers {covered} to {len(layers) - 1} are in no circuit"])
    return found


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
