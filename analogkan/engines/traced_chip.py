"""A chip whose arrays have derivatives in its coordinates, and what it answers.

What its circuits hold is where derivatives are cut in two: from answers back to these arrays, and
from there, through what draws them, to coordinates.

Axes: n figures, B images, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ..compiler.circuit import Circuit, Link
from ..compiler.converters import Adcs, adcs_of, digital, driven
from ..compiler.hardware import Hardware
from ..coordinates import Key
from ..errors import DerivativeError
from ..imperfections.programming import WRITE_VERIFY
from ..imperfections.registry import owners
from ..network.spec import NetworkSpec
from ..streams import Place, Source
from ..threads import one_blas_thread
from .traced import Traced, tensor_of, values
from .twin import Twin, TwinStage, interpolate, one_torch_thread

Slopes = tuple[torch.Tensor | None, ...]


class Coordinates:
    """A source whose numbers have derivatives.

    Parameters
    ----------
    given
        The numbers, by their keys.
    rest
        Gives all others.

    Attributes
    ----------
    leaves
        Those that were drawn so far.
    uniforms
        Streams of what is not normal.
    """

    def __init__(self, given: Mapping[Key, Any], rest: Source) -> None:
        self._given, self._rest = given, rest
        self.leaves: dict[Key, torch.Tensor] = {}
        self.uniforms: set[int] = set()

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
        self.uniforms.add(stream)
        return self._rest.uniform(place, stream, shape)

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return self._rest.reading(place)

    def document(self) -> Any:
        """See ``streams.Source``."""
        return "traced"


class TracedChip:
    """The chip of a bench's point that has coordinates ``at``, others as ``rest`` gives them.

    Attributes
    ----------
    leaves
        Coordinates that were drawn so far, by their keys.
    chip
        Its circuits.
    notes
        What derivatives are without, a sentence each.

    Raises
    ------
    DerivativeError
        If something cannot be differentiated: it is named.
    """

    def __init__(self, bench: Any, point: Any, at: Mapping[Key, Any], rest: Source) -> None:
        _require_smooth(bench, point)
        source = Coordinates(at, rest)
        variation, notes = _smoothed(point)
        drawn = replace(point, sample=point.sample or 0, source=source, variation=variation)
        with one_blas_thread, one_torch_thread:
            chip, _ = bench.drawn(drawn)
        self._bench, self._temp_c = bench, point.conditions.temp_c
        self.chip, self.leaves = _without_codes(chip), source.leaves
        self.notes = notes + _left(source.uniforms)

    def logits(self, images: np.ndarray, chip: Circuit | None = None) -> Traced:
        """(B, O) of some of the bench's images, as they are read."""
        chip, bench = chip or self.chip, self._bench
        volts, index = bench.volts_of(chip.hardware)[images], bench.index[images]
        made: Any = chip.run(volts, index, partial(_evaluate, self._temp_c), self._temp_c)
        read: Any = digital(chip, made, index, self._temp_c)[0]
        return read

    def rows(
        self, images: np.ndarray, of: Callable[[Traced], Traced]
    ) -> tuple[np.ndarray, np.ndarray, dict[Key, np.ndarray]]:
        """Figures (n,) that ``of`` makes of logits (B, O) of images; these; and the figures' slopes
        (n, ...), float32, in the coordinates that move them."""
        chip, cut = _cut(self.chip)
        logits = self.logits(images, chip)
        figures = of(logits)
        keys, leaves = list(self.leaves), list(self.leaves.values())
        every = torch.eye(figures.size, dtype=torch.float64)
        back = _pulled([figures.tensor], [*(own for _, own in cut), *leaves], [every])
        at = [
            (made, slope)
            for (made, _), slope in zip(cut, back[: len(cut)], strict=True)
            if slope is not None
        ]
        through = _pulled([made for made, _ in at], leaves, [slope for _, slope in at])
        slopes: dict[Key, np.ndarray] = {}
        for key, *parts in zip(keys, through, back[len(cut) :], strict=True):
            found = [part for part in parts if part is not None]
            if found:
                slopes[key] = sum(found[1:], found[0]).to(torch.float32).numpy()
        return figures.value, logits.value, slopes


def _pulled(of: list[torch.Tensor], to: list[torch.Tensor], by: list[torch.Tensor]) -> Slopes:
    """(n, ...) derivatives in ``to`` of n figures that have the derivatives ``by`` in ``of``."""
    if not of or not to:
        return (None,) * len(to)
    return torch.autograd.grad(
        of, to, by, retain_graph=True, allow_unused=True, is_grads_batched=True
    )


class _SmoothTwin(Twin):
    """A twin; where two pieces of a diode's table meet its derivative is the mean of theirs."""

    def _rows(self, stage: TwinStage, v: torch.Tensor) -> torch.Tensor:
        chips, _, diodes, _ = stage.x.shape
        at = v[:, :, None, :].expand(chips, -1, diodes, -1).contiguous()
        left, right = (interpolate(stage.x, stage.r, at, right=side) for side in (False, True))
        return self._limited(0.5 * (left + right)).flatten(1, 2)


def _evaluate(temp_c: float, link: Link, points: Any, numbers: np.ndarray) -> Any:
    """Logits (B, O) of a circuit for inputs (B, I); see ``circuit.Evaluate``."""
    given: Any = driven(link.design, points, numbers, temp_c)
    volts = tensor_of(given if isinstance(given, Traced) else np.ascontiguousarray(given))
    return Traced(_SmoothTwin([link.design], temp_c).logits(volts.T[None], numbers)[0].T)


def _mapped(part: Any, change: Callable[[Traced], Any]) -> Any:
    """A chip, or a part of one, with its traced arrays changed."""
    if isinstance(part, Traced):
        return change(part)
    if isinstance(part, tuple):
        return tuple(_mapped(one, change) for one in part)
    if not is_dataclass(part) or isinstance(part, (Hardware, Place, NetworkSpec)):
        return part
    made = {f.name: getattr(part, f.name) for f in fields(part)}
    changed = {name: _mapped(one, change) for name, one in made.items()}
    moved = {name: one for name, one in changed.items() if one is not made[name]}
    return replace(part, **moved) if moved and not isinstance(part, type) else part


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
    on = point.variation.on()
    refused = {
        f"calibrate = {bench.calibrate!r}": bench.calibrate is not None,
        f"{WRITE_VERIFY.name}, which programs cells again until they are near": WRITE_VERIFY in on,
    }
    for what, there in refused.items():
        if there:
            raise DerivativeError(
                f"{what}: what chips answer cannot be differentiated; leave it out, or use a "
                "method that needs no derivatives"
            )


def _smoothed(point: Any) -> tuple[Any, tuple[str, ...]]:
    """The variation that is differentiated, and what is said of that."""
    variation, notes = point.variation, []
    if variation.trim == "dark-real":
        variation = replace(variation, trim="dark")
        notes.append(
            "trim = dark-real is taken for dark, which it is in the mean: slopes are without the "
            "errors of the trim itself"
        )
    if bits := point.hardware.adc_bits:
        notes.append(f"adc_bits = {bits}: slopes are those of ADCs without steps")
    return variation, tuple(notes)


def _left(streams: set[int]) -> tuple[str, ...]:
    """What is said of draws that are not normal, by their streams."""
    names = owners(streams)
    return (f"slopes are without {', '.join(names)}, which happen or do not",) if names else ()


@dataclass(frozen=True, eq=False, kw_only=True)
class _Stepless(Adcs):
    """ADCs of ``real`` bits without steps: between two thresholds they are off by what these are,
    by distance."""

    real: int

    def read(self, logits: Any, numbers: np.ndarray, temp_c: float) -> tuple[Any, np.ndarray]:
        """See ``Adcs``."""
        found: Any
        found, beyond = super().read(logits, numbers, temp_c)
        if not self.real:
            return found, beyond
        half = 1 << (self.real - 1)
        step = self.v_range / half / self.unit
        at: Any = found / step
        if self.inl is not None:
            outputs, thresholds = self.inl.shape
            within = np.clip(at + (half - 0.5), 0, thresholds - 1)
            low, of = np.floor(values(within)).astype(int), np.arange(outputs)
            high = np.minimum(low + 1, thresholds - 1)
            off = self.inl[of, low] + (within - low) * (self.inl[of, high] - self.inl[of, low])
            at = at - off
        return np.clip(at, -half, half - 1) * step, beyond


def _without_codes(chip: Circuit) -> Circuit:
    """The chip whose ADCs have no steps."""

    def linear(link: Link) -> Link:
        *first, last = link.design.stages
        real = adcs_of(link.design)
        if real is None or last.errors is None:
            return link
        of: dict[str, Any] = {f.name: getattr(real, f.name) for f in fields(Adcs)}
        of["bits"] = 0
        adcs = _Stepless(**of, real=real.bits)
        stages = (*first, replace(last, errors=replace(last.errors, adcs=adcs)))
        return replace(link, design=replace(link.design, stages=stages))

    return Circuit(tuple(linear(link) for link in chip.links))
