"""Derivatives of what a chip answers in all coordinates of its draws; see ``coordinates``.

A chip is drawn with arrays that have derivatives, ``traced``, in place of its numbers. What its
circuits hold then is cut in two: from answers back to these arrays, and from there to coordinates.

Axes: n figures, B images, O outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ..compiler.circuit import Circuit, Link
from ..compiler.converters import digital, driven
from ..compiler.hardware import Hardware
from ..coordinates import Key, Linear, Listing
from ..errors import DerivativeError, SettingsError
from ..imperfections.bent import BENT
from ..imperfections.converters import ADCS
from ..imperfections.programming import WRITE_VERIFY
from ..network.measures import in_unit
from ..network.spec import NetworkSpec
from ..streams import Place, Source
from .threads import one_blas_thread
from .traced import Traced, tensor_of, values
from .twin import Twin, TwinStage, interpolate, one_torch_thread
from .twin_inputs import prepared

MOST_NUMBERS = 500_000_000
"""Slopes at once: of float32, 2 GB."""
WORK = 4e6
"""Numbers of a block's rows, for all of its figures; few more than a processor's cache has."""
MOST_BLOCK = 64
"""Figures in a block."""


@dataclass(frozen=True, eq=False)
class Linearised(Linear):
    """What ``linearise`` found.

    Attributes
    ----------
    logits
        (B, O) of the chip in the middle, as they are read.
    notes
        What its slopes are without, a sentence each.
    """

    logits: np.ndarray
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Gradient:
    """What ``gradient`` found.

    Attributes
    ----------
    value
        Of the function, at the chip.
    slopes
        What it grows by with each coordinate, by their keys.
    """

    value: float
    slopes: dict[Key, np.ndarray]


@dataclass(frozen=True, eq=False)
class Middle(Listing):
    """The chip in the middle, whose noise at every read is that of chip 0."""

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return place.of(0)


def linearise(
    bench: Any, point: Any, images: Sequence[int] | None = None, *, frozen: bool = False
) -> Linearised:
    """The signed margins of a classifier, or the errors of a regression, as if they were linear.

    Parameters
    ----------
    bench
        A ``studies.bench.Bench``: of its twin, whatever its engine.
    point
        A ``studies.points.Point``; its sample and its source do not matter: it is the chip in the
        middle, all of whose coordinates are 0, that is linearised.
    images
        Which of the bench's; all by default.
    frozen
        Noise at every read is that of chip 0; else it has coordinates like everything.

    Returns
    -------
    Linearised
        Of each image the logit of its label less the largest other one in the middle; of a
        regression each output less its target, in the unit of its RMSE, image by image (B O,).
        Slopes are float32.

    Raises
    ------
    DerivativeError
        If something cannot be differentiated: it is named.
    """
    rest = (Middle if frozen else Listing)({}, {})
    one = _Traced(bench, point, {}, rest)
    at = np.arange(len(bench.labels)) if images is None else np.asarray(images)
    block = _block(one.chip)
    found: list[_Rows] = []
    with one_blas_thread, one_torch_thread:
        for start in range(0, len(at), block):
            found.append(one.rows(at[start : start + block]))
    logits = np.concatenate([part.logits for part in found])
    keys = dict.fromkeys(key for part in found for key in part.slopes)
    n = sum(len(part.values) for part in found)
    numbers = n * sum(math.prod(one.source.shape(key)) for key in keys)
    if numbers > MOST_NUMBERS:
        raise SettingsError(
            f"slopes of {n} figures in {numbers // n:,} coordinates are {numbers:,} numbers, at "
            f"most {MOST_NUMBERS:,}: take fewer images, or freeze noise at reads"
        )
    slopes = {key: np.concatenate([part.of(key, one.source.shape(key)) for part in found])
              for key in keys}  # fmt: skip
    return Linearised(np.concatenate([part.values for part in found]), slopes, logits, one.notes)


def gradient(
    bench: Any,
    point: Any,
    at: Mapping[Key, Any],
    of: Callable[[Any], Any],
    images: Sequence[int] | None = None,
    *,
    rest: Source | None = None,
) -> Gradient:
    """The derivative of a figure of a chip's logits in all its coordinates.

    Parameters
    ----------
    bench, point, images
        As for ``linearise``.
    at
        Coordinates of the chip, by their keys; others are 0, or those of ``rest``.
    of
        Makes one number, a tensor, of logits (B, O), a tensor: such as a mean loss.
    rest
        Gives what ``at`` has not, uniform draws and the place of noise at reads.

    Raises
    ------
    DerivativeError
        As ``linearise``.
    """
    one = _Traced(bench, point, at, Listing({}, {}) if rest is None else rest)
    every = np.arange(len(bench.labels)) if images is None else np.asarray(images)
    with one_blas_thread, one_torch_thread:
        value = of(tensor_of(one.logits(one.chip, every)))
        known = list(one.source.leaves.items())
        found = torch.autograd.grad(value, [leaf for _, leaf in known], allow_unused=True)
    pairs = zip(known, found, strict=True)
    slopes = {key: slope.numpy() for (key, _), slope in pairs if slope is not None}
    return Gradient(float(value.detach()), slopes)


# ---- one chip


class _Coordinates:
    """A source whose numbers have derivatives."""

    def __init__(self, given: Mapping[Key, Any], rest: Source) -> None:
        self._given, self._rest = given, rest
        self.leaves: dict[Key, torch.Tensor] = {}
        self.uniforms: dict[int, None] = {}

    def shape(self, key: Key) -> tuple[int, ...]:
        return tuple(self.leaves[key].shape)

    def normal(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Any:
        """See ``streams.Source``."""
        key = Key.at(place, stream, block)
        if key not in self.leaves:
            found = self._given.get(key)
            found = self._rest.normal(place, stream, shape, block) if found is None else found
            self.leaves[key] = torch.from_numpy(np.array(found, float)).requires_grad_()
        return Traced(self.leaves[key])

    def uniform(self, place: Place, stream: int, shape: tuple[int, ...]) -> np.ndarray:
        """See ``streams.Source``."""
        self.uniforms[stream] = None
        return self._rest.uniform(place, stream, shape)

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return self._rest.reading(place)

    def document(self) -> Any:
        """See ``streams.Source``."""
        return "traced"


@dataclass(frozen=True, eq=False)
class _Rows:
    """Of some images: figures (n,), logits (B, O), and slopes (n, ...) of coordinates."""

    values: np.ndarray
    logits: np.ndarray
    slopes: dict[Key, np.ndarray]

    def of(self, key: Key, shape: tuple[int, ...]) -> np.ndarray:
        """Slopes in coordinates ``key``, 0 where there are none."""
        found = self.slopes.get(key)
        return np.zeros((len(self.values), *shape), np.float32) if found is None else found


class _Traced:
    """A chip whose arrays have derivatives in its coordinates."""

    def __init__(self, bench: Any, point: Any, at: Mapping[Key, Any], rest: Source) -> None:
        _require_smooth(bench, point)
        self._bench, self._point = bench, point
        self.source = _Coordinates(at, rest)
        variation, self.notes = _smoothed(point)
        drawn = replace(point, sample=point.sample or 0, source=self.source, variation=variation)
        with one_blas_thread, one_torch_thread:
            chip, _ = bench.drawn(drawn)
        self.chip = _without_codes(chip)
        self.notes += _left(self.source.uniforms, variation.declared)

    def logits(self, chip: Circuit, images: np.ndarray) -> Any:
        """(B, O), traced, of images."""
        bench, temp_c = self._bench, self._point.conditions.temp_c
        volts, index = bench.volts_of(chip.hardware)[images], bench.index[images]
        made = chip.run(volts, index, partial(_evaluate, temp_c), temp_c)
        if all(link.design.stages[-1].errors.adcs is None for link in chip.links):
            return made
        return digital(chip, made, index, temp_c)[0]

    def rows(self, images: np.ndarray) -> _Rows:
        """Figures of images, and their slopes."""
        chip, cut = _cut(self.chip)
        logits = self.logits(chip, images)
        figures = _figures(self._bench.spec, self._bench.labels[images], logits)
        eye = torch.eye(len(figures.tensor), dtype=torch.float64)
        known = list(self.source.leaves.items())  # those of images among them, by now
        inner, leaves = [own for _, own in cut], [leaf for _, leaf in known]
        to_arrays = _pulled(figures.tensor, [*inner, *leaves], eye)
        beside = to_arrays[len(inner) :]
        outer = [(made, slope) for (made, _), slope in zip(cut, to_arrays) if slope is not None]
        through = _pulled([made for made, _ in outer], leaves, [slope for _, slope in outer])
        slopes: dict[Key, np.ndarray] = {}
        for (key, _), parts in zip(known, zip(through, beside, strict=True), strict=True):
            found = [part for part in parts if part is not None]
            if found:
                slopes[key] = sum(found[1:], found[0]).to(torch.float32).numpy()
        return _Rows(figures.value.copy(), logits.value.copy(), slopes)


def _pulled(of: Any, to: list[torch.Tensor], by: Any) -> tuple[torch.Tensor | None, ...]:
    """(n, ...) derivatives in ``to`` of n figures that have the derivatives ``by`` in ``of``."""
    if not to or isinstance(of, list) and not of:
        return (None,) * len(to)
    return torch.autograd.grad(
        of, to, by, retain_graph=True, allow_unused=True, is_grads_batched=True
    )


def _figures(spec: NetworkSpec, labels: np.ndarray, logits: Traced) -> Traced:
    if spec.targets is not None:
        given = in_unit(spec.targets, spec.targets.values(logits))
        return (given - in_unit(spec.targets, labels)).reshape(-1)
    n = np.arange(len(labels))
    others = logits.value.copy()
    others[n, labels] = -np.inf
    return logits[n, labels] - logits[n, others.argmax(axis=1)]


def _block(chip: Circuit) -> int:
    """Images at once: figures times the numbers in rows for all of them."""
    points = max(link.section.positions * stage.r_f.size
                 for link in chip.links for stage in link.design.stages)  # fmt: skip
    return int(np.clip(math.sqrt(WORK / points), 1, MOST_BLOCK))


class _SmoothTwin(Twin):
    """A twin; where two pieces of a diode's table meet its derivative is the mean of theirs."""

    def _rows(self, stage: TwinStage, v: torch.Tensor) -> torch.Tensor:
        chips, _, diodes, _ = stage.x.shape
        at = v[:, :, None, :].expand(chips, -1, diodes, -1).contiguous()
        both = [interpolate(stage.x, stage.r, at, right=right) for right in (True, False)]
        return self._limited(0.5 * (both[0] + both[1])).flatten(1, 2)


def _evaluate(temp_c: float, link: Link, points: Any, numbers: np.ndarray) -> Traced:
    """Logits (B, O) of a circuit for inputs (B, I); see ``circuit.Evaluate``."""
    given = driven(link.design, points, numbers, temp_c)
    volts = tensor_of(given if isinstance(given, Traced) else np.ascontiguousarray(given))
    return Traced(_SmoothTwin([link.design], temp_c).logits(volts.T[None], numbers)[0].T)


def _mapped(part: Any, change: Callable[[Traced], Any]) -> Any:
    """A chip, or a part of one, with its traced arrays changed."""
    if isinstance(part, Traced):
        return change(part)
    if isinstance(part, tuple) and part and not hasattr(part, "_fields"):
        return tuple(_mapped(one, change) for one in part)
    if not is_dataclass(part) or isinstance(part, (type, Hardware, Place, NetworkSpec)):
        return part
    made = {f.name: getattr(part, f.name) for f in fields(part) if f.init}
    changed = {name: _mapped(one, change) for name, one in made.items()}
    if all(changed[name] is made[name] for name in made):
        return part
    return replace(part, **changed)


def _cut(chip: Circuit) -> tuple[Circuit, list[tuple[torch.Tensor, torch.Tensor]]]:
    """The chip with arrays of its own in place of those that follow from coordinates, and both."""
    pairs: list[tuple[torch.Tensor, torch.Tensor]] = []

    def own(array: Traced) -> Any:
        if not array.tensor.requires_grad:
            return array.value
        made = array.tensor.detach().requires_grad_()
        pairs.append((array.tensor, made))
        return Traced(made)

    return _mapped(chip, own), pairs


# ---- what has no derivative


def _require_smooth(bench: Any, point: Any) -> None:
    """DerivativeError if the answers do not follow from the coordinates in a way that is known."""
    hardware, of = point.hardware, point.variation
    on = of.on()
    refused = {
        f"calibrate = {bench.calibrate!r}": bench.calibrate is not None,
        f"wires (r_wire = {hardware.r_wire:g} ohm, r_driver = {hardware.r_driver:g} ohm)":
            hardware.wired,
        f"{WRITE_VERIFY.name}, which programs cells again until they are near": WRITE_VERIFY in on,
        f"access devices (r_access = {of.r_access:g} ohm)": BENT in on and of.r_access > 0,
    }  # fmt: skip
    for name in ("adc_dnl_sigma", "adc_inl_sigma"):
        value = getattr(of, name)
        refused[f"{name} = {value:g}, of codes' thresholds"] = ADCS in on and value > 0
    for what, there in refused.items():
        if there:
            raise DerivativeError(
                f"{what}: what chips answer cannot be differentiated; leave it out, or use a "
                "method that needs no derivatives"
            )


def _smoothed(point: Any) -> tuple[Any, tuple[str, ...]]:
    """The variation that is differentiated, and what is said of that."""
    variation, notes = point.variation, ()
    if variation.trim == "dark-real":
        variation = replace(variation, trim="dark")
        notes += ("trim = dark-real is taken for dark, which it is in the mean: slopes are without "
                  "the errors of the trim itself",)  # fmt: skip
    if point.hardware.adc_bits:
        notes += (f"adc_bits = {point.hardware.adc_bits}: slopes are those of ADCs without steps",)
    return variation, notes


def _left(streams: Mapping[int, None], declared: Sequence[Any]) -> tuple[str, ...]:
    """What is said of uniform draws, by their streams."""
    names = [one.name for one in declared if set(one.numbers.values()) & set(streams)]
    return (f"slopes are without {', '.join(names)}, which happen or do not",) if names else ()


def _without_codes(chip: Circuit) -> Circuit:
    """The chip whose ADCs have no steps."""

    def linear(link: Link) -> Link:
        *first, last = link.design.stages
        errors = last.errors
        assert errors is not None
        if errors.adcs is None:
            return link
        last = replace(last, errors=replace(errors, adcs=replace(errors.adcs, bits=0)))
        return replace(link, design=replace(link.design, stages=(*first, last)))

    return Circuit(tuple(linear(link) for link in chip.links))
