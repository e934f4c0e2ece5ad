"""One chip: a Design with everything drawn that chance decides.

Axes: I inputs, D diodes, O outputs; R rows, 2 O lines.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from ..compiler.chip import RAMP_VOLTS, OpAmpErrors, ReadNoise, StageErrors
from ..compiler.circuit import Circuit
from ..compiler.design import CrossbarStage, Design
from ..compiler.hardware import Hardware
from ..network.spec import NetworkSpec
from .spec import Conditions, Variation
from .trim import trim_stage

QUANTITIES = (
    "cell",
    "cell_abs",
    "stuck",
    "retention",
    "diode_current",
    "diode_voltage",
    "diode_shift",
    "die_current",
    "die_voltage",
    "die_shift",
    "row_offset",
    "row_drift",
    "row_gain",
    "line_offset",
    "line_drift",
    "line_gain",
    "diff_offset",
    "diff_drift",
    "diff_open_gain",
    "r_f",
    "r_c",
    "pair",
    "diff_gain",
    "read_noise",
    "dead_diode",
    "open_line",
    "dead_row",
    "dead_line",
    "dead_diff",
)
"""What is drawn. A place in this list is part of a draw's seed: names are only ever added."""

COUNTS = (
    "clipped_cells",
    "clipped_diodes",
    "stuck_cells",
    "dead_diodes",
    "open_lines",
    "dead_amplifiers",
    "trim_saturated",
)
"""What drawing a chip counts."""

MAX_SAMPLE = 2**31
"""Numbers of chips are below it."""

LEAST_CURRENT = 0.01
"""Smallest share of its current that a diode is left with: a negative one would be a source."""
MOST_SHIFT = 0.8 * RAMP_VOLTS
"""Volts: a diode shifted by more than its ramp would carry less current at more voltage there."""

OPEN_SIEMENS = 1e-15
"""Of a cell whose line is broken: a resistor all the same, so that every net has a path."""

DEAD_GAIN = 1e-12
"""Open-loop gain of a dead op-amp, as a share of the design's: its output is at 0 V."""

DIE = -1
"""In place of a layer's number where a draw is common to the whole chip."""


def generator(
    seed: int, sample: int, quantity: str, layer: int, block: int = 0, share: int = 0
) -> np.random.Generator:
    """The random numbers of one quantity of one layer of chip ``sample``; of nothing else.

    ``block`` is of images, ``share`` one of the circuits that share the layer's outputs.
    """
    key = (sample, QUANTITIES.index(quantity), layer + 1, block, *([share] if share else []))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def perturb_chain(
    chain: Circuit, variation: Variation, conditions: Conditions, *, seed: int, sample: int
) -> tuple[Circuit, dict[str, int]]:
    """Chip number ``sample`` of a network's circuits: ``perturb`` of each, on one die.

    A convolution's circuit is the same at all its positions. What is drawn for a layer does not
    depend on where the network is cut, only on the circuits that share its outputs.
    """
    counts: Counter[str] = Counter()
    links = []
    for link in chain.links:
        chip, counted = perturb(
            link.design,
            variation,
            conditions,
            spec=link.spec,
            seed=seed,
            sample=sample,
            first=link.section.first,
            share=link.share,
        )
        links.append(replace(link, design=chip))
        counts.update(counted)
    return Circuit(tuple(links)), dict(counts)


def perturb(
    design: Design,
    variation: Variation,
    conditions: Conditions,
    *,
    spec: NetworkSpec,
    seed: int,
    sample: int,
    first: int = 0,
    share: int = 0,
) -> tuple[Design, dict[str, int]]:
    """Chip number ``sample`` of ``design``.

    Parameters
    ----------
    design
        The nominal circuit.
    variation, conditions
        What differs, and for how long the cells have drifted. The temperature is the engines'.
    spec
        The software network: what a dark trim aims at.
    seed, sample
        What every draw follows from, each quantity by itself: chip 7 is chip 7 whatever else is
        drawn, and whoever draws it.
    first, share
        Of a circuit with held values before it: its first layer, and which of the circuits that
        share that layer's outputs it is.

    Returns
    -------
    Design, dict
        The chip, and counts: ``clipped_cells`` (drawn below a tenth of g_min and set to it),
        ``clipped_diodes`` (kI drawn below ``LEAST_CURRENT`` or dV beyond ``MOST_SHIFT``, and set
        to it), ``stuck_cells``, ``dead_diodes``, ``open_lines``, ``dead_amplifiers``,
        ``trim_saturated`` (outputs whose bias cells cannot reach the software).

    Examples
    --------
    >>> build = ak.load_build("mnist-d2.build")
    >>> chip, counts = ak.perturb(
    ...     build.design, ak.Variation(stuck_max=0.01), ak.Conditions(), spec=build.spec, seed=0,
    ...     sample=7,
    ... )
    >>> counts["stuck_cells"] > 0
    True
    """
    counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
    die = _die_factors(design, variation, seed, sample)
    layers = spec.folded().layers
    stages = []
    for k, (stage, layer) in enumerate(zip(design.stages, layers, strict=True)):
        draw = _Draw(seed, sample, first + k, share)
        g, stuck = _cells(stage.g, design.hardware, variation, draw, counts)
        chip = _surroundings(stage, variation, draw, die, counts, stuck)
        chip = replace(chip, g=g)
        if variation.trim == "dark":
            chip, saturated = trim_stage(chip, layer, design.hardware)
            counts["trim_saturated"] += saturated
        stages.append(replace(chip, g=_retained(chip.g, variation, conditions, draw)))
    noise = None
    if variation.read_noise:
        noise = ReadNoise(
            sigma=variation.read_noise, seed=seed, sample=sample, first=first, share=share
        )
    return replace(design, stages=tuple(stages), noise=noise), dict(counts)


class _Draw:
    """Standard normal and uniform draws of one layer of one chip, or of a share of its outputs."""

    def __init__(self, seed: int, sample: int, layer: int, share: int = 0) -> None:
        self.at = (seed, sample)
        self.layer, self.share = layer, share

    def _generator(self, quantity: str) -> np.random.Generator:
        return generator(*self.at, quantity, self.layer, share=self.share)

    def normal(self, quantity: str, shape: tuple[int, ...], sigma: float) -> np.ndarray:
        """Normal draws of mean 0; zeros if ``sigma`` is 0."""
        if not sigma:
            return np.zeros(shape)
        return sigma * self._generator(quantity).standard_normal(shape)

    def happens(self, quantity: str, shape: tuple[int, ...], share: float) -> np.ndarray:
        """Which of them something happens to."""
        return self.uniform(quantity, shape) < share if share else np.zeros(shape, bool)

    def uniform(self, quantity: str, shape: tuple[int, ...]) -> np.ndarray:
        return self._generator(quantity).random(shape)


def _cells(
    g: np.ndarray, hardware: Hardware, variation: Variation, draw: _Draw, counts: Counter[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Conductances (R, 2 O) after programming, and which cells are stuck."""
    made = g * (1 + draw.normal("cell", g.shape, variation.sigma_g))
    made += hardware.g_max * draw.normal("cell_abs", g.shape, variation.sigma_g_abs)
    least = hardware.g_min / 10
    counts["clipped_cells"] += int((made < least).sum())
    made = np.maximum(made, least)
    stuck = np.zeros(g.shape, bool)
    if variation.stuck_min or variation.stuck_max:
        u = draw.uniform("stuck", g.shape)
        low, high = u < variation.stuck_min, u >= 1 - variation.stuck_max
        made = np.where(low, hardware.g_min, np.where(high, hardware.g_max, made))
        stuck = low | high
        counts["stuck_cells"] += int(stuck.sum())
    broken = draw.happens("open_line", (g.shape[1],), variation.open_lines)
    counts["open_lines"] += int(broken.sum())
    return np.where(broken, OPEN_SIEMENS, made), stuck | broken


def _retained(
    g: np.ndarray, variation: Variation, conditions: Conditions, draw: _Draw
) -> np.ndarray:
    """Conductances after the cells have drifted by (t / t0)^-nu."""
    drifts = variation.drift_nu or variation.drift_nu_sigma
    if not drifts or conditions.age_s <= conditions.t0_s:
        return g
    nu = variation.drift_nu + draw.normal("retention", g.shape, variation.drift_nu_sigma)
    return g * (conditions.age_s / conditions.t0_s) ** -nu


def _die_factors(
    design: Design, variation: Variation, seed: int, sample: int
) -> dict[str, np.ndarray]:
    """kI, kV, dV (3,) common to all diodes of a type, by its name; 1, 1, 0 without a spread."""
    names = sorted({curve.name for stage in design.stages for curve in stage.curves})
    draw, shape = _Draw(seed, sample, DIE), (len(names),)
    factors = (
        1 + draw.normal("die_current", shape, variation.die_sigma_current),
        1 + draw.normal("die_voltage", shape, variation.die_sigma_voltage),
        draw.normal("die_shift", shape, variation.die_sigma_shift),
    )
    return dict(zip(names, np.stack(factors, axis=1), strict=True))


def _surroundings(
    stage: CrossbarStage,
    variation: Variation,
    draw: _Draw,
    die: dict[str, np.ndarray],
    counts: Counter[str],
    stuck: np.ndarray,
) -> CrossbarStage:
    """The stage with the errors of its diodes, amplifiers and feedback resistors."""
    n_in, n_out, n_dev = stage.shape
    rows, lines, diffs = (n_in, n_dev), (2 * n_out,), (n_out,)
    v = variation
    common = np.array([die[curve.name] for curve in stage.curves]).T  # (3, D)
    k_i = common[0] * (1 + draw.normal("diode_current", rows, v.diode_sigma_current))
    d_v = common[2] + draw.normal("diode_shift", rows, v.diode_sigma_shift)
    counts["clipped_diodes"] += int(((k_i < LEAST_CURRENT) | (np.abs(d_v) > MOST_SHIFT)).sum())
    dead = draw.happens("dead_diode", rows, v.dead_diodes)
    floating = draw.happens("dead_row", rows, v.dead_amplifiers)
    counts["dead_diodes"] += int(dead.sum())
    counts["dead_amplifiers"] += int(floating.sum())
    row_amps = _op_amps("row", rows, v, draw, "row_gain")
    held = np.where(floating, 0.0, 1.0)
    errors = StageErrors(
        k_i=np.where(dead | floating, 0.0, np.maximum(k_i, LEAST_CURRENT)),
        k_v=common[1] * (1 + draw.normal("diode_voltage", rows, v.diode_sigma_voltage)),
        d_v=np.clip(d_v, -MOST_SHIFT, MOST_SHIFT),
        rows=replace(row_amps, offset=held * row_amps.offset, drift=held * row_amps.drift),
        lines=_dying("line", lines, v, draw, "line_gain", counts),
        diffs=_dying("diff", diffs, v, draw, "diff_open_gain", counts),
        stuck=stuck,
    )
    half = 0.5 * draw.normal("pair", diffs, v.line_sigma)
    mismatch = np.stack([1 + half, 1 - half], axis=1).ravel()
    common_r_c = np.repeat(1 + draw.normal("r_c", diffs, v.r_c_sigma), 2)
    return replace(
        stage,
        r_f=stage.r_f * (1 + draw.normal("r_f", rows, v.r_f_sigma)),
        r_c=stage.r_c * common_r_c * mismatch,
        gain=stage.gain * (1 + draw.normal("diff_gain", diffs, v.diff_gain_sigma)),
        errors=errors,
    )


def _op_amps(
    kind: str, shape: tuple[int, ...], variation: Variation, draw: _Draw, gain: str
) -> OpAmpErrors:
    return OpAmpErrors(
        gain=np.exp(draw.normal(gain, shape, variation.opamp_gain_sigma)),
        offset=draw.normal(f"{kind}_offset", shape, variation.offset_sigma),
        drift=draw.normal(f"{kind}_drift", shape, variation.offset_drift_sigma),
    )


def _dying(
    kind: str,
    shape: tuple[int, ...],
    variation: Variation,
    draw: _Draw,
    gain: str,
    counts: Counter[str],
) -> OpAmpErrors:
    """``_op_amps`` of which some are dead."""
    made = _op_amps(kind, shape, variation, draw, gain)
    dead = draw.happens(f"dead_{kind}", shape, variation.dead_amplifiers)
    counts["dead_amplifiers"] += int(dead.sum())
    return replace(made, gain=np.where(dead, DEAD_GAIN, made.gain))
