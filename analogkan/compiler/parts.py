"""What ``held.json`` says of the decks of a circuit that are held between."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..files import sha256
from ..network.spec import NetworkSpec
from .deck import SUMMARY, Deck, own_of, plugins_of
from .hardware import Hardware
from .sections import Section

NETWORK = "network.npz"
HELD_FORMAT = "analogkan-held-1"
HELD_SUMMARY = "held.json"


def files_of(sections: tuple[Section, ...]) -> list[str]:
    """What ``held.json`` vouches for: the network, and every circuit's own summary."""
    names = [name for section in sections for name in section.names()]
    return [NETWORK, *(f"{name}/{SUMMARY}" for name in names)]


def told_of(
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
        **plugins_of(spec, hardware),
        **own_of(hardware),
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


def part_of(name: str, deck: Deck) -> dict[str, Any]:
    """What ``held.json`` says of one deck."""
    s = deck.summary
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


def design_hash(folder: Path, parts: list[dict[str, Any]]) -> str:
    """One hash of all circuits' arrays, as that of design.npz is for one circuit."""
    return joined(sha256(folder / part["name"] / "design.npz") for part in parts)


def joined(hashes: Iterable[str]) -> str:
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()
