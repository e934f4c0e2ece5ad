# pyright: strict
"""One chip of a BUILD on its die."""

from __future__ import annotations

import numbers

from ..compiler.hardware import Hardware
from ..imperfections import Conditions, Variation, load_settings
from ..objects import require_type
from ..settings import require
from ..studies.dies import Die, die_of
from . import given
from .given import AnyBuild, AnyPath, AnyPreset, Values


def map_die(
    build: AnyBuild,
    chip: int = 0,
    *,
    preset: AnyPreset | None = None,
    hardware: AnyPath | Hardware | Values | None = None,
    variation: AnyPath | Variation | Values | None = None,
    conditions: AnyPath | Conditions | Values | None = None,
    seed: int = 0,
) -> Die:
    """A chip of ``montecarlo`` on its floorplan: what is off where, and how warm it gets.

    Parameters
    ----------
    build
        A BUILD or its folder.
    chip, seed
        Which one.
    preset, hardware, variation, conditions
        As for ``montecarlo``.

    Raises
    ------
    SettingsError
        If a setting is not what it may be, or the circuit is a board.
    NetlistError
        If the BUILD is none.

    Examples
    --------
    >>> die = ak.map_die("mnist-d2.build", 7, variation={"diode_length": 200})
    >>> [round(side) for side in (die.plan.width, die.plan.height)]
    [2089, 1506]
    """
    for name, number in (("chip", chip), ("seed", seed)):
        require_type(number, numbers.Integral, name, "a whole number")
        require(number >= 0, name, number, "0 or more")
    made = given.circuit(build)
    asked = {"hardware": hardware, "variation": variation, "conditions": conditions}
    named, texts = given.settings_texts(preset, made.hardware, asked, otherwise="rram")
    own, drawn, exposed = load_settings(named, texts, made.hardware)
    circuit = made.circuit()
    if own != made.hardware:
        circuit = circuit.mapped(own)
    return die_of(circuit, made.spec, drawn, exposed, seed=seed, sample=chip)
