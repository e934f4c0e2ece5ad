"""What a circuit takes from its supplies: a model on top of the currents that it is solved for.

Axes: M chips, K layers, n images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.build import Build
from ..compiler.hardware import Hardware
from ..compiler.names import dacs_of
from ..errors import SettingsError
from .assumptions import Assumptions
from .blocks import AMPLIFIERS, SOURCES
from .power import PowerResult

Values = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class SupplyPower:
    """Watts from the supplies.

    Attributes
    ----------
    class_b
        Watts (M, K, n) by block of what its outputs give: V_rail times each one's current, from the
        supply that it comes from or goes to. ``bias_rows`` and ``dacs`` are references, apart from
        amplifiers; ``layernorm`` is what its behavioural sources give, not what such a circuit
        would need.
    quiescent
        Watts (M, K) by block of op-amps: 2 V_rail I_q each.
    pairs
        Watts (M, K, n) of the transistor pairs' tails, 2 V_rail each ampere.
    sourced
        Watts (M, K, n): the part of ``class_b``, of all blocks, whose current comes from the
        positive supply; that of the others goes into the negative one.
    v_rail
        Volts of either supply.
    amplifiers
        How many op-amps there are, of a convolution at every position.
    i_quiescent
        Amperes: the least I_q of any op-amp, and the largest.
    beyond_class_ab
        Op-amps (M,) of which an output gives more than their class allows times their I_q; 0 where
        that is derived.
    """

    class_b: dict[str, Values]
    quiescent: dict[str, Values]
    pairs: Values
    sourced: Values
    v_rail: float
    amplifiers: int
    i_quiescent: tuple[float, float]
    beyond_class_ab: Values

    @property
    def by_layer(self) -> Values:
        """Watts (M, K, n)."""
        still = sum(self.quiescent.values(), np.zeros(()))[..., None]
        moving = sum(self.class_b.values(), np.zeros(()))
        return still + moving + self.pairs

    @property
    def total(self) -> Values:
        """Watts (M, n)."""
        return self.by_layer.sum(axis=1)

    @property
    def rails(self) -> tuple[Values, Values]:
        """Amperes (M, K, n) out of the positive supply, and into the negative one: what flows at
        rest and through pairs is in both, so that V_rail times their sum is the power."""
        moving = sum(self.class_b.values(), np.zeros(()))
        through = self.by_layer - moving
        return (
            (self.sourced + through / 2) / self.v_rail,
            (moving - self.sourced + through / 2) / self.v_rail,
        )


def least_quiescent(gbw: float | Values, assumed: Assumptions, block: str = "") -> Any:
    """Amperes that op-amps of ``gbw`` hertz need for it: branches 2 pi GBW C / (gm / I_d).

    C is what those of ``block`` drive, one of ``blocks.AMPLIFIERS``; without one ``c_load``.
    """
    return assumed.branches * 2 * math.pi * gbw * assumed.load_of(block) / assumed.gm_id


def quiescent_of(
    peaks: Values, gbw: float | Values, assumed: Assumptions, block: str
) -> tuple[Values, Values]:
    """Amperes that op-amps of ``block`` draw at rest, each its own, and which of them give more
    than their class allows times that, where ``i_quiescent`` is set."""
    least = assumed.i_quiescent or least_quiescent(gbw, assumed, block)
    asked = peaks / assumed.class_of(block)
    if assumed.i_quiescent:
        return np.maximum(0 * asked, least), asked > least
    return np.maximum(asked, least), np.zeros(asked.shape, bool)


def supply_of(power: PowerResult, hardware: Hardware, assumed: Assumptions) -> SupplyPower:
    """The supply model of ``power``.

    An op-amp's I_q is ``i_quiescent``, or what its bandwidth needs, or its largest current over all
    images / what its class allows if that is more.
    """
    quiescent: dict[str, Values] = {}
    chips = power.total.shape[0]
    beyond, count = np.zeros(chips, int), 0
    spread = [math.inf, 0.0]
    for block in AMPLIFIERS:
        layers = []
        for peaks, gbw, times in zip(
            power.peaks[block], power.gbw[block], power.positions, strict=True
        ):
            own, over = quiescent_of(peaks, gbw, assumed, block)
            beyond += times * over.sum(axis=1)
            layers.append(2 * hardware.v_rail * times * own.sum(axis=1))
            count += times * own.shape[1]
            if own.size:
                spread = [min(spread[0], own.min()), max(spread[1], own.max())]
        quiescent[block] = np.stack(layers, axis=1)
    given = (*AMPLIFIERS, *SOURCES)
    return SupplyPower(
        class_b={b: hardware.v_rail * power.currents[b] for b in given},
        quiescent=quiescent,
        pairs=2 * hardware.v_rail * power.through,
        sourced=hardware.v_rail * np.sum([power.sourced[b] for b in given], axis=0),
        v_rail=hardware.v_rail,
        amplifiers=count,
        i_quiescent=(float(spread[0]), float(spread[1])),
        beyond_class_ab=beyond,
    )


# ---- energy


@dataclass(frozen=True, eq=False, kw_only=True)
class Energy:
    """Joules of an inference: of the circuit (M, n), of its DACs and ADCs, and shares of the
    circuit's for a multiply-accumulate and for an edge function."""

    circuit: Values
    dacs: float
    adcs: float
    per_mac: Values
    per_edge: Values


def gated_energy(watts: Values, seconds: Values, firsts: Sequence[int], t_wake: float) -> Values:
    """Joules (n,) of inferences in which each section draws while it works, and wakes before.

    Parameters
    ----------
    watts
        (K, n) of every layer.
    seconds
        (S, n) that each section takes.
    firsts
        (S,) each section's first layer.
    t_wake
        Seconds, each section.
    """
    return (np.add.reduceat(watts, firsts, axis=0) * (seconds + t_wake)).sum(axis=0)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an inference computes: coefficients times basis functions, and edges; and how many
    DACs drive it, and values go out."""

    macs: int
    edges: int
    dacs: int
    outputs: int


def work_of(build: Build) -> Work:
    """What an inference of ``build`` computes; a convolution's at every position."""
    macs = edges = 0
    layers = build.spec.folded().layers
    for layer in layers:
        times = 1 if layer.patches is None else layer.patches.count
        inputs, outputs, _ = layer.theta.shape
        macs, edges = macs + times * layer.theta.size, edges + times * inputs * outputs
    last = layers[-1].patches
    outputs = layers[-1].theta.shape[1] * (1 if last is None else last.count)
    return Work(macs=macs, edges=edges, dacs=_dacs(build), outputs=outputs)


def _dacs(build: Build) -> int:
    """How many DACs drive it: what is held between several circuits is all made."""
    return build.spec.encoding.width if build.deck is None else sum(dacs_of(build.design))


def conversion(kind: str, hardware: Hardware, assumed: Assumptions) -> float:
    """Joules of a conversion by one of the ``dac`` or ``adc``, a ``kind``.

    Raises
    ------
    SettingsError
        If each step has its energy, and the converters have no bits.
    """
    fixed, fom = getattr(assumed, f"{kind}_energy"), getattr(assumed, f"{kind}_fom")
    bits = getattr(hardware, f"{kind}_bits")
    if fom and not bits:
        raise SettingsError(
            f"{kind}_fom = {fom:g} J is of each of 2^{kind}_bits steps, and {kind}_bits is 0: "
            f"compile with --set {kind}_bits=8, or leave {kind}_fom out"
        )
    return fixed + fom * 2**bits if fom else fixed


def conversions(work: Work, hardware: Hardware, assumed: Assumptions) -> tuple[float, float]:
    """Joules of an inference's DACs and of its ADCs; SettingsError as ``conversion``."""
    one, other = (conversion(kind, hardware, assumed) for kind in ("dac", "adc"))
    return work.dacs * one, work.outputs * other


def energy_of(
    supply: SupplyPower,
    settling_s: float | Values,
    work: Work,
    assumed: Assumptions,
    hardware: Hardware = Hardware(),
) -> Energy:
    """Energy of an inference that takes ``settling_s`` seconds, a number or (M, n)."""
    circuit = supply.total * settling_s
    dacs, adcs = conversions(work, hardware, assumed)
    return Energy(
        circuit=circuit,
        dacs=dacs,
        adcs=adcs,
        per_mac=circuit / work.macs,
        per_edge=circuit / work.edges,
    )
