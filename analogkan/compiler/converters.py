# pyright: strict
"""Converters: the DACs at a network's inputs and the ADCs at its outputs, as real ones are.

A DAC of b bits has 2^b codes, evenly from one end of its range to the other, both ends among them;
a value is rounded to the nearest code, a half to the even one. An ADC is mid-tread: its codes k are
-2^(b-1) to 2^(b-1) - 1, each stands for k steps of 2^(1-b) of its range, and code 0 is 0 V.

Axes: n images or points of them, W DACs, I inputs and O outputs of a circuit, P positions, N codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..devices.curve import ABSOLUTE_ZERO_C
from ..streams import Place

if TYPE_CHECKING:
    from ..network.spec import NetworkSpec
    from .circuit import Circuit
    from .design import Design
    from .hardware import Hardware

Values = npt.NDArray[Any]
BOLTZMANN = 1.380649e-23
"""J/K, exact (SI 2019)."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Noise of what capacitors sample: sqrt(k T / C), anew for every image.

    Attributes
    ----------
    times
        Of that.
    farads
        C.
    place, stream
        What it is drawn from, beside the image.
    """

    times: float
    farads: float
    place: Place
    stream: int

    def volts(self, index: Values, width: int, temp_c: float) -> Values:
        """(n, width) volts at ``temp_c`` degrees Celsius for images ``index`` (n,)."""
        sigma = self.times * (BOLTZMANN * (temp_c - ABSOLUTE_ZERO_C) / self.farads) ** 0.5
        return sigma * self.place.normal_of_images(self.stream, index, width)


def bent(steps: Values, bow: Values) -> Values:
    """INL (W, N) of converters, in steps, 0 at both ends: a walk of ``steps`` (W, N - 1), less the
    line between its ends, and a parabola of ``bow`` (W,) at mid-scale."""
    walk = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
    share = np.linspace(0.0, 1.0, walk.shape[1])
    return walk - share * walk[:, -1:] + 4 * bow[:, None] * share * (1 - share)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ends:
    """What converts at the two ends of a stage: by default nothing does.

    Attributes
    ----------
    dacs
        The ends of the ranges (W,) of the DACs that drive it, volts; None if there are none.
    seen
        As ``Dacs`` has it.
    held
        At how many positions its outputs are held; 0: they are not.
    read
        Whether ADCs read its outputs.
    """

    dacs: tuple[Values, Values] | None = None
    seen: Values | None = None
    held: int = 0
    read: bool = False

    def of(self, k: int, stages: int) -> Ends:
        """Those of stage ``k`` of a circuit of so many ``stages``, whose ends these are."""
        first, last = k == 0, k == stages - 1
        return Ends(
            dacs=self.dacs if first else None,
            seen=self.seen if first else None,
            held=self.held if last else 0,
            read=self.read and last,
        )


# ---- DACs


def dac_ends(spec: NetworkSpec) -> tuple[Values, Values]:
    """Lowest and highest volts (W,) of each DAC of ``spec``; where its first layer is a convolution
    of them ground is within, for that is around its map."""
    e, first = spec.encoding, spec.layers[0]
    ends = first.squash(np.array(e.taps or [(e.v_lo, e.v_hi)]))
    if first.patches is not None:
        ends = np.array([[min(ends.min(), 0.0), max(ends.max(), 0.0)]])
    every = np.tile(np.sort(ends, axis=1), (e.inputs * max(1, len(e.taps)) // len(ends), 1))
    low, high = (every[list(e.used)] if e.used else every).T
    return low, high


def dac_codes(volts: Values, low: Values, high: Values, bits: int) -> Values:
    """The codes whose volts are nearest, as floats; arrays that broadcast."""
    return np.rint((volts - low) / (high - low) * (2**bits - 1))


def rounded(spec: NetworkSpec, hardware: Hardware, volts: Values) -> Values:
    """``volts`` (n, W) as ``spec.dac_volts`` gives them, rounded to what DACs of
    ``hardware.dac_bits`` can give; of 0 bits as they are, and so are held values."""
    if not hardware.dac_bits or spec.held:
        return volts
    low, high = dac_ends(spec)
    step = (high - low) / (2**hardware.dac_bits - 1)
    return low + dac_codes(volts, low, high, hardware.dac_bits) * step


@dataclass(frozen=True, eq=False, kw_only=True)
class Dacs:
    """The DACs of a chip.

    Attributes
    ----------
    low, high
        (W,) the ends of their ranges, volts.
    bits
        0: any value, so that there is no step.
    gain, offset
        (W,) error of the volts above ``low``, a share of 1; and volts.
    inl
        (W, N) steps that each code is off; None: none is.
    noise
        Of each sample; None without.
    seen
        (P, I) which DAC drives an input at a position, -1 is ground; None: DAC i drives input i.
    """

    low: Values
    high: Values
    bits: int
    gain: Values
    offset: Values
    inl: Values | None
    noise: Sampling | None
    seen: Values | None

    @property
    def looked_up(self) -> bool:
        """Whether a DAC's output follows from its code alone, and is an input's."""
        return self.noise is None and self.seen is None

    def real(self, volts: Values, which: Values) -> Values:
        """What DACs number ``which`` give where ``volts`` are meant, without noise; arrays that
        broadcast."""
        low, high = self.low[which], self.high[which]
        above: Values = volts - low
        if self.inl is not None:
            codes = dac_codes(volts, low, high, self.bits).astype(int)
            steps = self.inl[which, np.clip(codes, 0, 2**self.bits - 1)]
            above = above + steps * (high - low) / (2**self.bits - 1)
        return low + above * (1 + self.gain[which]) + self.offset[which]

    def table(self, codes: Values) -> Values:
        """(W, U) what each DAC gives where it is one of ``codes`` (U,), volts."""
        return self.real(codes[None], np.arange(len(self.low))[:, None])

    def drive(self, volts: Values, numbers: Values, temp_c: float) -> Values:
        """What the inputs get (n, I) where ``volts`` (n, I) are meant, at points ``numbers``
        (n,)."""
        seen = np.arange(len(self.low))[None] if self.seen is None else self.seen
        which: Values = seen[numbers % len(seen)]
        images = numbers // len(seen)
        real = self.real(volts, which)
        if self.noise is not None:
            shown, of = np.unique(images, return_inverse=True)
            real = real + self.noise.volts(shown, len(self.low), temp_c)[of[:, None], which]
        return np.where(which < 0, volts, real)


def dacs_of(design: Design) -> Dacs | None:
    """The DACs of a chip's circuit; None where what drives it is what is meant."""
    errors = design.stages[0].errors
    return None if errors is None else errors.dacs


def driven(design: Design, volts: Values, numbers: Values, temp_c: float) -> Values:
    """What is at the inputs (n, I) of a circuit, or of a chip of it, where ``volts`` (n, I) are
    meant, at points ``numbers`` (n,)."""
    dacs = dacs_of(design)
    return volts if dacs is None else dacs.drive(volts, numbers, temp_c)


# ---- ADCs


@dataclass(frozen=True, eq=False, kw_only=True)
class Adcs:
    """The ADCs of a circuit's outputs.

    Attributes
    ----------
    unit
        Volts of an output for a logit of 1.
    bits
        0: any value.
    v_range
        Volts, of either sign, at full scale.
    gain, offset
        (O,) error as a share of 1; and volts at the input.
    inl
        (O, N - 1) steps that the thresholds between codes are off; None: none is.
    noise
        Of each sample; None without.
    """

    unit: float
    bits: int
    v_range: float
    gain: Values
    offset: Values
    inl: Values | None = None
    noise: Sampling | None = None

    def read(self, logits: Values, numbers: Values, temp_c: float) -> tuple[Values, Values]:
        """What is read (n, O) of ``logits`` (n, O), and which of them (n, O) are beyond the codes.

        A code is the number of thresholds that are below the input, less 2^(b-1).
        """
        volts = logits * self.unit * (1 + self.gain) + self.offset
        if self.noise is not None:
            volts = volts + self.noise.volts(numbers, volts.shape[1], temp_c)
        if not self.bits:
            return volts / self.unit, np.zeros(volts.shape, bool)
        half = 1 << (self.bits - 1)
        step = self.v_range / half
        at = volts / step
        code = np.floor(at + 0.5)
        if self.inl is not None:
            even: Values = np.arange(0.5 - half, half - 1)
            for o, own in enumerate(even + self.inl):
                code[:, o] = np.searchsorted(np.sort(own), at[:, o], side="right") - half
        beyond = (at < -half - 0.5) | (at >= half - 0.5)
        return np.clip(code, -half, half - 1) * step / self.unit, beyond


def adcs_of(design: Design) -> Adcs | None:
    """The ADCs of a circuit's outputs, or of a chip's; None if logits are read as they are."""
    errors, hardware = design.stages[-1].errors, design.hardware
    if errors is not None and errors.adcs is not None:
        return errors.adcs
    if not hardware.adc_bits:
        return None
    none = np.zeros(design.stages[-1].gain.size)
    return Adcs(
        unit=design.v_per_logit, bits=hardware.adc_bits, v_range=hardware.adc_range,
        gain=none, offset=none,
    )  # fmt: skip


def digital(
    chip: Circuit, logits: Values, index: Values, temp_c: float
) -> tuple[Values, dict[str, int]]:
    """What the ADCs of a circuit, or of a chip, make of its analog ``logits`` (n, O).

    Returns
    -------
    ndarray, dict
        Digital logits (n, O), and what was counted: ``adc_saturated``, conversions beyond the
        codes, and ``adc_ties``, images whose largest logit several outputs have. The logits as they
        are and nothing, where there is no ADC.
    """
    section, links = chip.sections()[-1]
    adcs = [adcs_of(link.design) for link in links]
    if all(one is None for one in adcs):
        return logits, {}
    numbers = section.numbers(index)
    points = logits.reshape(len(numbers), -1)
    read, beyond = list[Values](), 0
    for (start, stop), one in zip(section.outputs, adcs, strict=True):
        assert one is not None
        own, over = one.read(points[:, start:stop], numbers, temp_c)
        read.append(own)
        beyond += int(over.sum())
    found: Values = np.concatenate(read, axis=1).reshape(logits.shape)
    ties = int(((found == found.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())
    return found, {"adc_saturated": beyond, "adc_ties": ties}
