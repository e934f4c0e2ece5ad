# pyright: strict
"""What a datasheet says of one circuit: power, settling and noise, image by image.

Axes: n images, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.build import Build
from ..compiler.circuit import Circuit
from ..network.measures import in_unit
from .assumptions import Assumptions
from .noise_flips import flips_of, snr_db
from .noise_held import noise_of, rms_in_units
from .power import power_of
from .quantities import SHARES
from .settling import settle
from .supply import gated_energy, supply_of

Values = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What a sheet is made of.

    Attributes
    ----------
    build
        What is measured, or of which ``chip`` is one.
    volts
        (n, W) at the first inputs.
    few
        Positions of the images that settle and whose noise is worked out.
    temp_c
        Degrees Celsius.
    """

    build: Build
    chip: Circuit
    volts: Values
    few: Values
    assumed: Assumptions
    temp_c: float

    @property
    def classes(self) -> bool:
        """Whether its outputs are logits of classes."""
        return self.build.spec.targets is None


def measure(asked: Asked, parts: tuple[str, ...]) -> dict[str, float | None]:
    """The figures of ``parts``, as a study's row has them.

    Raises
    ------
    SimulationError
        If a part cannot be worked out: its op-amps are ideal, or it does not settle.
    """
    found: dict[str, float | None] = {}
    power = settled = None
    if "power" in parts:
        power = _power(asked)
        found |= power.told
    if "settling" in parts:
        few = asked.volts[asked.few]
        before = np.roll(few, 1, axis=0) if len(few) > 1 else 0 * few
        settled = settle(
            asked.build, before, few, asked.assumed,
            temp_c=asked.temp_c, chip=asked.chip.links,
        )  # fmt: skip
        found |= spread("settling_s", settled.settling_s)
        if asked.classes:
            found |= spread("settling_class_s", settled.settling_class_s)
    if power is not None and settled is not None:
        energy, sections = power.total[asked.few] * settled.settling_s, asked.build.sections
        if asked.assumed.gating and len(sections) > 1:
            watts, firsts = power.layers[:, asked.few], [section.first for section in sections]
            energy = gated_energy(watts, settled.by_section_s, firsts, asked.assumed.t_wake)
        found |= spread("energy_j", energy)
    if "noise" in parts:
        found |= _noise(asked)
    return found


def spread(name: str, values: Values) -> dict[str, float | None]:
    """Least, typical (the median) and largest of a quantity over the images."""
    return {
        f"{name}_min": float(values.min()),
        f"{name}_typical": float(np.median(values)),
        f"{name}_max": float(values.max()),
    }


@dataclass(frozen=True, eq=False)
class _Power:
    """Watts from the supplies, (n,) in all and (K, n) of each layer, and what a row says of
    them."""

    total: Values
    layers: Values
    told: dict[str, float | None]


def _power(asked: Asked) -> _Power:
    """The power of a sheet's circuit.

    A convolution is one circuit that positions use one after the other, which its settling time
    adds up: its power is the mean over them.
    """
    power = power_of(asked.build, asked.volts, temp_c=asked.temp_c, chips=[asked.chip])
    supply = supply_of(power, asked.chip.hardware, asked.assumed)
    often = np.array(power.positions)[:, None]

    def once(watts: Values) -> Values:
        """Watts (n,) of all layers, of (1, K, n)."""
        return (watts[0] / often).sum(axis=0)

    burnt = {block: once(watts) for block, watts in power.dissipated.items()}
    moving = {block: once(watts) for block, watts in supply.class_b.items()}
    pairs = once(supply.pairs)
    still = sum(float(once(watts[..., None])[0]) for watts in supply.quiescent.values())
    total = np.sum([*moving.values(), pairs], axis=0) + still
    found = spread("power_w", total)
    for name, amperes in zip(("vdd_a", "vss_a"), supply.rails, strict=True):
        found |= spread(name, once(amperes))
    found |= spread("dissipated_w", np.sum([*burnt.values()], axis=0))
    found["tellegen"] = float(power.tellegen.max())
    found |= {f"dissipated_{block}_w": float(watts.mean()) for block, watts in burnt.items()}
    found |= {f"class_b_{block}_w": float(watts.mean()) for block, watts in moving.items()}
    found |= {"quiescent_w": still, "pairs_w": float(pairs.mean())}
    found["beyond_class_ab"] = float(supply.beyond_class_ab[0])
    return _Power(total, supply.by_layer[0] / often, found)


def power_map(asked: Asked) -> list[dict[str, list[list[float]]]]:
    """Of each layer watts by row and by line: least, mean and largest over the few images."""
    power = power_of(
        asked.build, asked.volts[asked.few], temp_c=asked.temp_c, chips=[asked.chip], maps=True
    )

    def told(watts: Values, often: int) -> list[list[float]]:
        one = watts[0] / often
        ends = (one.min(axis=0), one.mean(axis=0), one.max(axis=0))
        return [[float(f"{w:.4g}") for w in end] for end in ends]

    return [
        {"rows": told(rows, often), "lines": told(lines, often)}
        for rows, lines, often in zip(power.rows, power.lines, power.positions, strict=True)
    ]


def _noise(asked: Asked) -> dict[str, float | None]:
    noise = noise_of(
        asked.build, asked.volts[asked.few], asked.assumed, temp_c=asked.temp_c, chip=asked.chip
    )
    found = spread("noise_v_rms", noise.rms.max(axis=1))
    differ = bool((noise.volts != noise.volts[0]).any())  # DACs of few bits may make all alike
    found["snr_db"] = snr_db(noise.volts, noise.rms) if differ else None
    for block, share in zip(noise.blocks, _shares(noise.shares), strict=True):
        found[SHARES[block]] = float(share)
    targets = asked.build.spec.targets
    if targets is not None:
        own = rms_in_units(asked.build, noise, asked.chip)
        found |= spread("noise_unit_rms", in_unit(targets, own).max(axis=1))
    if asked.classes:
        flips = flips_of(noise.volts, noise.covariance)
        found |= spread("flip_probability", flips.probability)
    return found


def _shares(variances: Values) -> Values:
    """Of each block in the mean noise power, all layers together: (K,)."""
    by_block = variances.sum(axis=(0, 2, 3))
    return by_block / by_block.sum()
