"""The twin as an engine of studies: one chip a call, in float64 or in mixed precision.

It works in fixed blocks of images, so that an answer does not depend on jobs or on who asks; on a
GPU in as large ones as there is memory for.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np

from ..compiler.converters import dacs_of
from ..compiler.design import Design
from .arithmetic import BLOCK, MIXED, Arithmetic

MOST_KNOWN = 4
"""Inputs that an engine remembers."""


class TwinEngine:
    """Evaluates a chip in closed form; see ``base.ChipEngine``. One torch thread a call.

    Parameters
    ----------
    arithmetic
        Precision and device.

    Examples
    --------
    >>> build, images = ak.load_build("mnist-d2.build"), ak.load_bundled()[:20]
    >>> volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape))
    >>> ak.TwinEngine().logits(build.design, volts, images.index, temp_c=26.85).shape
    (20, 10)
    """

    name = "twin"

    def __init__(self, arithmetic: Arithmetic = Arithmetic()) -> None:
        from . import devices, twin, twin_inputs

        devices.require_device(arithmetic.device)
        self.arithmetic, self._devices = arithmetic, devices
        self._twin, self._prepare = twin, twin_inputs.prepared
        self._coded = twin_inputs.Inputs
        self._inputs: list[tuple[Any, Any]] = []
        self._moving: list[tuple[Any, Any]] = []
        if arithmetic.precision == MIXED:
            from . import mixed

            self._mixed = mixed

    def logits(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> np.ndarray:
        """Logits (B, O); see ``base.ChipEngine.logits``."""
        with self._twin.one_torch_thread:
            return self._exact(*self._chip(design, volts, index, temp_c), index)

    def classes(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> np.ndarray:
        """The same for who asks which of them is largest: in mixed precision that is right, and
        they themselves are to about a millionth of full scale."""
        if self.arithmetic.precision != MIXED:
            return self.logits(design, volts, index, temp_c)
        with self._twin.one_torch_thread:
            chip, inputs = self._chip(design, volts, index, temp_c)
            if isinstance(inputs, self._coded):
                mixed = self._mixed.Mixed.of(chip)
                found = mixed and mixed.logits(inputs, self._moving_of(inputs), index)
                if found is not None:
                    return found
            return self._exact(chip, inputs, index)

    def _chip(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> tuple[Any, Any]:
        """A chip's twin, and what is at its inputs."""
        device = self.arithmetic.device
        chip = self._twin.Twin([design], temp_c, device)
        return chip, self._devices.moved(self._driven(design, volts, index, temp_c), device)

    def _exact(self, chip: Any, inputs: Any, index: np.ndarray) -> np.ndarray:
        """Logits (B, O) in float64, as many images at a time as there is memory for."""
        return chip.answers(inputs, index, self.arithmetic.block(chip.image_bytes))[0]

    def _moving_of(self, inputs: Any) -> Any:
        """``mixed.Moving`` of inputs, worked out once for all that have their codes where they
        are."""
        return _remembered(self._moving, inputs.index, lambda: self._mixed.Moving.of(inputs))

    def _driven(self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float) -> Any:
        """What is at the inputs: of a chip's DACs its own volts for the same codes."""
        dacs = dacs_of(design)
        if dacs is None:
            return self._prepared(volts)
        if dacs.looked_up:
            inputs = self._prepared(volts)
            if isinstance(inputs, self._coded):
                return inputs.through(dacs)
        return self._prepare(dacs.drive(volts, index, temp_c))

    def _prepared(self, volts: np.ndarray) -> Any:
        """The inputs' codes, worked out once an array: a study asks with views of the same."""

        def prepare() -> Any:
            inputs = self._prepare(volts)
            coded = isinstance(inputs, self._coded)
            return inputs.looked_up_on(self.arithmetic.device) if coded else inputs

        return _remembered(self._inputs, volts, prepare, _same_memory)

    def stop(self) -> None:
        """Nothing runs outside a call."""

    def versions(self) -> dict[str, Any]:
        """torch's version, the block of images, and what is unusual of the arithmetic."""
        found = {"torch": metadata.version("torch"), "block": BLOCK} | self.arithmetic.unusual
        return found | self._devices.facts_of(self.arithmetic.device)


def _remembered(
    known: list[tuple[Any, Any]],
    of: Any,
    make: Callable[[], Any],
    same: Callable[[Any, Any], bool] = operator.is_,
) -> Any:
    """What ``make`` gave ``of`` this, if that is among the last that were asked for."""
    for one, found in known:
        if same(one, of):
            return found
    found = make()
    known[:] = [*known[-MOST_KNOWN + 1 :], (of, found)]
    return found


def _same_memory(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are views of the same numbers; while one is kept, no other has its
    memory."""
    return one.dtype == other.dtype and (
        (one.ctypes.data, one.shape, one.strides) == (other.ctypes.data, other.shape, other.strides)
    )
