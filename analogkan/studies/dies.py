# pyright: strict
"""One chip as it lies on its die: what is off where, and how warm it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.circuit import Circuit
from ..die.floorplan import Floorplan, floorplan_of
from ..imperfections import Conditions, Variation
from ..imperfections.heat import sizes_of
from ..imperfections.make import perturb_chain
from ..network.spec import NetworkSpec
from ..objects import Described, Facts, show_figures
from ..physics.heat import HeatMap, heat_of
from .points import check_temps, check_warm

Values = npt.NDArray[Any]
PLACED = ("_length", "_slope", "_pelgrom", "heat_")
"""In names of settings that have to do with where parts are."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Die(Described):
    """A chip on its floorplan. Arrays are layer by layer, as ``plan.layers`` are.

    Attributes
    ----------
    name
        Such as ``chip 7``.
    circuit, chip
        As designed, and as it was made.
    plan
        Where its parts are.
    heat
        How warm it gets, if it is heated.

    Examples
    --------
    >>> build = ak.load_build("mnist-d2.build")
    >>> die = ak.map_die(build, 7, preset="rram", variation={"diode_length": 200})
    >>> die.diodes[0].shape
    (196, 2)
    >>> die.plot().savefig("die.png")
    """

    name: str
    circuit: Circuit
    chip: Circuit
    plan: Floorplan
    heat: HeatMap | None

    @property
    def cells(self) -> list[Values]:
        """(R, 2 O) what each conductance is off by, a share of what was designed; nan where there
        is no cell."""
        pairs = zip(self.chip.stages, self.circuit.stages, strict=True)
        return [now.g / np.where(was.g > 0, was.g, np.nan) - 1 for now, was in pairs]

    @property
    def diodes(self) -> list[Values]:
        """(I, D) what each diode's current is off by, a share; nan where there is none."""
        return [np.where(s.kept, _errors(s).k_i - 1, np.nan) for s in self.chip.stages]

    @property
    def offsets(self) -> list[tuple[Values, Values, Values]]:
        """Volts (I, D), (2 O,) and (O,) of the op-amps of rows, lines and differences."""
        errors = [(_errors(stage), stage.kept) for stage in self.chip.stages]
        return [
            (np.where(kept, e.rows.offset, np.nan), e.lines.offset, e.diffs.offset)
            for e, kept in errors
        ]

    def figure(self) -> Any:
        """The die with its errors and temperatures, a matplotlib Figure."""
        from ..report.dies import die_figure

        kelvins = None if self.heat is None else self.heat.kelvins
        return die_figure(self.plan, self.cells, self.diodes, self.offsets, kelvins)

    def plot(self) -> Any:
        """``figure``, shown in a notebook as a picture."""
        show_figures()
        return self.figure()

    def sentence(self) -> str:
        """How large it is, and how warm."""
        plan = self.plan
        told = f"a die of {plan.width / 1e3:.2f} x {plan.height / 1e3:.2f} mm on its floorplan"
        if self.heat is None:
            return told
        k = self.heat.kelvins
        return (
            f"{told}, {1e3 * self.heat.total:.3g} mW in the mean of calibration images: "
            f"{k.min():.2f} to {k.max():.2f} K above the ambient"
        )

    def _described(self) -> tuple[str, Facts]:
        return self.name, [("die", self.sentence())]


def _errors(stage: Any) -> Any:
    return stage.errors


def has_places(variation: Variation) -> bool:
    """Whether it matters where on the die a part is."""
    return any(word in name for name in vars(variation) for word in PLACED)


def die_of(
    circuit: Circuit,
    spec: NetworkSpec,
    variation: Variation,
    conditions: Conditions,
    *,
    seed: int,
    sample: int,
) -> Die:
    """Chip ``sample`` of ``circuit`` on its die.

    Parameters
    ----------
    circuit
        The nominal one.
    spec
        The whole network.

    Raises
    ------
    SettingsError
        If the circuit has no floorplan, or its diodes' law does not hold where it is as warm.
    """
    plan = floorplan_of(circuit, sizes_of(variation))
    check_temps(circuit, [conditions.temp_c])
    heat = None
    if variation.heat_ambient:
        found = heat_of(circuit, spec, variation, conditions.temp_c)
        heat = check_warm(circuit, found, conditions.temp_c)
    warmth = None if heat is None else heat.warmth
    chip, _ = perturb_chain(circuit, variation, conditions, seed=seed, sample=sample, warmth=warmth)
    return Die(name=f"chip {sample}", circuit=circuit, chip=chip, plan=plan, heat=heat)
