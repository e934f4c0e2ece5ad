# pyright: strict
"""What ngspice says of a datasheet's figures, on a share of its images: the same, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DisagreementError
from .power import compared, power_of
from .power_judge import ask_power
from .sheet import Asked

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
    given = {"temp_c": asked.temp_c}
    twin = power_of(asked.build, asked.volts, chips=[asked.chip], **given)
    spice = ask_power(asked.build, asked.volts, keep=keep, chip=asked.chip, **given)
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
        f"{found['images']} images: every block within {found['differs']:.1e} ({found['block']}), "
        f"delivered and dissipated within {found['tellegen']:.1e}"
    )


def judge_parts(
    asked: Asked, parts: Sequence[str], images: int, keep: Path, found: dict[str, Any]
) -> None:
    """Judge ``parts`` of one circuit on at most so many of its few images, into ``found``.

    Settling and noise, of which ngspice takes seconds an image, are judged of the first circuit
    alone, on ``MOST`` images.

    Raises
    ------
    DisagreementError, SimulationError
        As for each part.
    """
    few = asked.few[np.linspace(0, len(asked.few) - 1, min(images, len(asked.few))).astype(int)]
    if "power" in parts:
        one = judge_power(replace(asked, volts=asked.volts[few]), keep)
        found["power"] = _worse(found.get("power"), one)


def _worse(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """Of several circuits the largest differences, and how many images in all."""
    if before is None:
        return now
    worst = max(before, now, key=lambda one: one["differs"])
    return worst | {
        "images": before["images"] + now["images"],
        "tellegen": max(before["tellegen"], now["tellegen"]),
    }


SAID = {"power": power_said}
"""How what was found of a part is told."""
