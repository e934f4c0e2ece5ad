# pyright: strict
"""What ngspice says of a datasheet's figures, on a share of its images: the same, or a refusal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.circuit import Link
from ..engines.twin_engine import TwinEngine
from ..errors import DisagreementError, SimulationError
from ..text import many
from .noise import noise_of_design
from .noise_deck import Judged as NoiseJudged
from .noise_deck import judge_noise, require_noise
from .power import compared, power_of
from .power_judge import ask_power
from .settling_ngspice import ask_design
from .settling_twin import RISE
from .sheet import Asked

Values = npt.NDArray[Any]

NOISE_WITHIN = 0.02
"""Of an rms."""
WAVES_WITHIN, END_WITHIN = 2e-3, 1e-6
"""Of full scale: waveforms, and where they end."""
CHANGES = 2
"""From one image to the next, of which ngspice takes seconds each."""
BLOCKS_WITHIN, TELLEGEN_WITHIN = 1e-6, 1e-9
"""Relative: what a block's power may differ by, and what is delivered from what is dissipated."""


def judge_power(asked: Asked, keep: Path) -> dict[str, Any]:
    """Every block's power by ngspice's own currents, against the closed form's.

    Raises
    ------
    DisagreementError
        If a block differs, or what ngspice delivers is not what its elements dissipate.
    SimulationError
        If ngspice does not deliver; its deck is kept in ``keep``.
    """
    twin = power_of(asked.build, asked.volts, temp_c=asked.temp_c, chips=[asked.chip])
    spice = ask_power(asked.build, asked.volts, keep=keep, temp_c=asked.temp_c, chip=asked.chip)
    blocks = compared(twin, spice)
    worst = max(blocks, key=lambda block: blocks[block])
    tellegen = float(spice.tellegen.max())
    if not blocks[worst] <= BLOCKS_WITHIN:
        raise DisagreementError(
            f"power of {worst}: twin and ngspice differ by {blocks[worst]:.1e} of it on some "
            f"image, where {BLOCKS_WITHIN:g} is allowed. Please report it: one of the two is wrong"
        )
    if not tellegen <= TELLEGEN_WITHIN:
        raise DisagreementError(
            f"power by ngspice: what its sources deliver and its elements dissipate differ by "
            f"{tellegen:.1e} of it, where {TELLEGEN_WITHIN:g} is allowed. Please report it"
        )
    return {
        "images": len(asked.volts),
        "block": worst,
        "differs": blocks[worst],
        "tellegen": tellegen,
    }


def power_said(found: dict[str, Any]) -> str:
    """What a sentence says of it."""
    return (
        f"judged on {many(found['images'], 'image')}: every block within {found['differs']:.1e} "
        f"({found['block']}), delivered and dissipated within {found['tellegen']:.1e}"
    )


def driven(asked: Asked, images: int) -> Iterator[tuple[Link, Values]]:
    """Of each section its first circuit, and volts (``images``, I) at its inputs, one after the
    other; of a convolution positions that differ."""
    held = asked.volts[asked.few[:images]]
    for section, links in asked.chip.sections():
        points = section.points(held)
        numbers = np.arange(len(points))
        yield links[0], points[_apart(points[: max(images, section.positions)])[:images]]
        given = [TwinEngine().logits(o.design, points, numbers, asked.temp_c) for o in links]
        held = np.concatenate(given, axis=1).reshape(len(held), -1)


def _apart(points: Values) -> Values:
    """Places of ``points`` (n, I): the first, then those farthest from it."""
    away = np.abs(points - points[0]).sum(axis=1)
    return np.array([0, *np.argsort(-away, kind="stable")[: len(points) - 1]])


def judge_settling(asked: Asked, keep: Path) -> dict[str, Any]:
    """Waveforms of each section's first circuit by ``.tran``, from one image to the next.

    Raises
    ------
    DisagreementError
        If one differs from the twin's by more than ``WAVES_WITHIN``, or does not end at rest.
    SimulationError
        If ngspice does not deliver.
    """
    worst: dict[str, Any] = {"waveforms": 0.0, "ends": 0.0, "seconds": 0.0, "changes": 0}
    last = asked.chip.links[-1].section
    for link, points in driven(asked, CHANGES + 1):
        regression = not asked.classes and link.section == last
        one = ask_design(
            link.design, points, asked.assumed, asked.temp_c, keep, regression=regression
        )
        off, end = float(one.waveform_error.max()), float(one.end_error.max())
        if not (off <= WAVES_WITHIN and end <= END_WITHIN):
            raise DisagreementError(
                f"settling: twin and .tran differ by {off:.1e} of full scale, {end:.1e} at the "
                f"end, where {WAVES_WITHIN:g} and {END_WITHIN:g} are allowed. Please report it: "
                "one of the two is wrong"
            )
        times = one.ngspice.settling_s, one.twin.settling_s
        apart = float(np.abs(times[0] - times[1]).max() / max(times[1].max(), RISE))
        worst = {
            "waveforms": max(worst["waveforms"], off),
            "ends": max(worst["ends"], end),
            "seconds": max(worst["seconds"], apart),
            "changes": worst["changes"] + len(points) - 1,
        }
    return worst


def settling_said(found: dict[str, Any]) -> str:
    """What a sentence says of it."""
    return (
        f"judged on {many(found['changes'], 'change')} of the inputs by .tran: waveforms within "
        f"{100 * found['waveforms']:.2g} % of full scale, settling times within "
        f"{100 * found['seconds']:.2g} %, the ends within {found['ends']:.0e}"
    )


def judge_circuit_noise(asked: Asked, keep: Path) -> dict[str, Any]:
    """Noise of each section's first circuit by ``.noise``, at one image: two outputs, their margin.

    Of a deck that ``.noise`` cannot take, why not.

    Raises
    ------
    DisagreementError
        If one differs from the twin's by more than ``NOISE_WITHIN``.
    SimulationError
        If ngspice does not deliver.
    """
    try:
        require_noise(asked.chip.links[0].design)
    except SimulationError as error:
        return {"why_not": str(error)}
    found: list[NoiseJudged] = []
    for link, points in driven(asked, 1):
        volts = points[:1]
        noise = noise_of_design(link.design, volts, asked.assumed, temp_c=asked.temp_c)
        found += judge_noise(
            asked.build, volts, noise, 0, asked.assumed, temp_c=asked.temp_c, chip=link.design,
            keep=keep,
        )  # fmt: skip
    worst = max(found, key=lambda one: one.differs)
    if not worst.differs <= NOISE_WITHIN:
        raise DisagreementError(
            f"noise of {worst.probe}: {worst.twin:.4g} V rms by the twin, {worst.ngspice:.4g} by "
            f".noise, {100 * worst.differs:.2g} % apart where {100 * NOISE_WITHIN:g} % is allowed. "
            "Please report it: one of the two is wrong"
        )
    return {"probes": len(found), "probe": worst.probe, "differs": worst.differs}


def noise_said(found: dict[str, Any]) -> str:
    """What a sentence says of it."""
    if "why_not" in found:
        return f"not judged: {found['why_not']}"
    return (
        f"judged on {many(found['probes'], 'output')}, margins among them, by .noise: within "
        f"{100 * found['differs']:.2g} % ({found['probe']})"
    )


def judge_parts(
    asked: Asked, parts: Sequence[str], images: int, keep: Path, found: dict[str, Any]
) -> None:
    """Judge ``parts`` of one circuit on at most so many of its few images, into ``found``.

    Settling and noise, of which ngspice takes seconds an image, are judged of the first circuit
    alone.

    Raises
    ------
    DisagreementError, SimulationError
        As for each part.
    """
    few = asked.few[np.linspace(0, len(asked.few) - 1, min(images, len(asked.few))).astype(int)]
    if "power" in parts:
        one = judge_power(replace(asked, volts=asked.volts[few]), keep)
        found["power"] = _worse(found.get("power"), one)
    if "settling" in parts and "settling" not in found:
        found["settling"] = judge_settling(asked, keep)
    if "noise" in parts and "noise" not in found:
        found["noise"] = judge_circuit_noise(asked, keep)


def _worse(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """Of several circuits the largest differences, and how many images in all."""
    if before is None:
        return now
    worst = max(before, now, key=lambda one: one["differs"])
    return worst | {
        "images": before["images"] + now["images"],
        "tellegen": max(before["tellegen"], now["tellegen"]),
    }


SAID = {"power": power_said, "settling": settling_said, "noise": noise_said}
"""How what was found of a part is told."""
