# pyright: strict
"""Noise of a whole BUILD: of one deck, or of several between which values are held.

A hold keeps the noise of its moment, so that an earlier circuit's is an error that does not change
while the next one settles: it goes through that one's slope. So does what DACs and holds sample,
k T / C each, and what ADCs sample comes on top: all of it is ``held``.

Axes: B images, O outputs, P positions, C outputs of a section, I inputs, W held values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.build import Build
from ..compiler.circuit import Circuit
from ..compiler.hardware import Hardware
from ..compiler.sections import Section
from ..compiler.spice_cells import TEMPERATURE_C
from ..engines.batch import distinct
from ..errors import StudyError
from .assumptions import Assumptions
from .blocks import NOISY
from .noise import Noise, joined, noise_of_design
from .noise_sources import thermal_energy
from .power import designs_of

Values = npt.NDArray[Any]
HELD = NOISY.index("held")
TOGETHER = 25
"""Images whose positions are worked out at once."""


def noise_of(
    build: Build,
    volts: Values,
    assumed: Assumptions,
    *,
    temp_c: float = TEMPERATURE_C,
    chip: Circuit | None = None,
) -> Noise:
    """The noise of a BUILD's outputs, or of a ``chip``'s, for ``volts`` (B, I) at its inputs.

    Of several decks ``hidden``, ``at_kinks``, ``other`` and ``transfer`` are the last ones'.

    Raises
    ------
    SimulationError, ConvergenceError
        As ``noise_of_design``.
    """
    if build.deck is not None:
        design = build.design if chip is None else chip.links[0].design
        noise = noise_of_design(design, volts, assumed, temp_c=temp_c)
        covariance, shares = noise.covariance.copy(), noise.shares.copy()
        _add_samples(covariance, shares, None, design.hardware.c_adc, -1, temp_c)
        _add_samples(covariance, shares, noise.transfer, design.hardware.c_dac, 0, temp_c)
        return replace(noise, covariance=covariance, shares=shares)
    groups = [volts[k : k + TOGETHER] for k in range(0, len(volts), TOGETHER)]
    return joined([_of_several(build, chip, group, assumed, temp_c) for group in groups])


def _of_several(
    build: Build, chip: Circuit | None, volts: Values, assumed: Assumptions, temp_c: float
) -> Noise:
    found: list[Noise] = []
    held = volts
    for section, designs in designs_of(build, chip):
        points = section.points(held)
        first, of = distinct(points)
        shares: list[Noise] = []
        for design in designs:
            one = noise_of_design(design, points[first], assumed, temp_c=temp_c)
            last = section is build.sections[-1]
            shares.append(one if last else _read_out(one, design.v_per_logit))
        found.append(_beside(shares, of))
        held = found[-1].volts.reshape(len(volts), -1)
    hardware = build.hardware if chip is None else chip.hardware
    return _through(build.sections, found, volts.shape, hardware, temp_c)


def _read_out(noise: Noise, unit: float) -> Noise:
    """The noise of what is held of outputs: ``unit`` volts of theirs are one."""
    names = ("volts", "transfer", "other")
    scaled = {name: getattr(noise, name) / unit for name in names}
    squares = {name: getattr(noise, name) / unit**2 for name in ("covariance", "shares")}
    return replace(noise, **scaled, **squares)


def _beside(shares: Sequence[Noise], of: Values) -> Noise:
    """The noise of circuits that share a section's outputs, at the points ``of``."""
    ends = np.cumsum([0, *(one.volts.shape[1] for one in shares)])
    covariance = np.zeros((len(shares[0].volts), ends[-1], ends[-1]))
    for one, start, stop in zip(shares, ends[:-1], ends[1:], strict=True):
        covariance[:, start:stop, start:stop] = one.covariance
    together = {
        name: np.concatenate([getattr(one, name) for one in shares], axis=axis)[of]
        for name, axis in (("volts", 1), ("shares", 3), ("transfer", 1), ("other", 1))
    }
    hidden = zip(*(one.hidden for one in shares), strict=True)
    return replace(
        shares[0],
        covariance=covariance[of],
        **together,
        hidden=tuple(np.concatenate(parts, axis=1)[of] for parts in hidden),
        at_kinks=np.sum([one.at_kinks for one in shares], axis=0)[of],
        moved=max(one.moved for one in shares),
    )


def _through(
    sections: Sequence[Section],
    found: Sequence[Noise],
    shape: tuple[int, int],
    hardware: Hardware,
    temp_c: float,
) -> Noise:
    """The last section's noise with that of those before it, through the slopes between."""
    images, last = shape[0], found[-1]
    outputs = last.volts.shape[1]
    shares = np.zeros((images, len(NOISY), sections[-1].last + 1, outputs))
    shares[:, :, sections[-1].first :] = last.shares
    covariance = np.zeros((images, outputs, outputs))
    _add_samples(covariance, shares, None, hardware.c_adc, -1, temp_c)
    x = np.broadcast_to(np.eye(outputs), (images, outputs, outputs))
    for section, one in zip(reversed(sections), reversed(found), strict=True):
        count, width = section.positions, one.volts.shape[1]
        x = x.reshape(images, outputs, count, width)
        own = one.covariance.reshape(images, count, width, width)
        part = np.einsum("bopc,bpcd,bqpd->boq", x, own, x, optimize=True)
        covariance += part
        if one is not last:
            shares[:, HELD, section.first] += np.einsum("boo->bo", part)
        slopes = one.transfer.reshape(images, count, width, -1)
        x = _gathered(np.einsum("bopc,bpci->bopi", x, slopes, optimize=True), section)
        farads = hardware.c_hold if section.number else hardware.c_dac
        _add_samples(covariance, shares, x, farads, section.first, temp_c)
    return replace(last, covariance=covariance, shares=shares)


def _add_samples(
    covariance: Values, shares: Values, x: Values | None, farads: float, layer: int, temp_c: float
) -> None:
    """Add to both what capacitors of ``farads`` sample, whose slopes to the outputs are ``x``
    (B, O, W), and None are 1 each; 0 farads sample nothing."""
    if not farads:
        return
    part: Values = np.eye(covariance.shape[1]) if x is None else x @ x.transpose(0, 2, 1)
    part = np.broadcast_to(thermal_energy(temp_c) / farads * part, covariance.shape)
    covariance += part
    shares[:, HELD, layer] += np.einsum("boo->bo", part)


def _gathered(x: Values, section: Section) -> Values:
    """X (B, O, W) of held values, of X (B, O, P, I) of what positions see of them."""
    if section.patches is None:
        return x[:, :, 0]
    images, outputs = x.shape[:2]
    found = np.zeros((section.patches.values + 1, images * outputs))  # the last one is ground
    np.add.at(found, section.patches.index(), x.transpose(2, 3, 0, 1).reshape(*x.shape[2:], -1))
    return found[:-1].T.reshape(images, outputs, -1)


def rms_in_units(build: Build, noise: Noise, chip: Circuit | None = None) -> Values:
    """The noise (B, K) of a regression's K outputs, or of a ``chip``'s, in its targets' units.

    Raises
    ------
    StudyError
        If it is none.
    """
    targets = build.spec.targets
    if targets is None:
        raise StudyError(f"{build.name} is no regression: its outputs are logits, without a unit")
    _, last = list(designs_of(build, chip))[-1]
    unit = np.concatenate([design.stages[-1].unit for design in last])
    return noise.rms / unit * (targets.span / 2)
