"""The twin as an engine of studies: one chip a call, in float64 or in mixed precision.

It works in fixed blocks of images, so that an answer does not depend on jobs or on who asks; on a
GPU in as large ones as there is memory for.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

import numpy as np

from ..compiler.converters import dacs_of
from ..compiler.design import Design
from .arithmetic import BLOCK, CPU, MIXED, Arithmetic


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
        self._inputs: list[tuple[np.ndarray, Any]] = []
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
        for known, moving in self._moving:
            if known is inputs.index:
                return moving
        moving = self._mixed.Moving.of(inputs)
        self._moving = [*self._moving[-3:], (inputs.index, moving)]
        return moving

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
        """The inputs' codes, worked out once an array: a study asks with the same one."""
        for known, inputs in self._inputs:
            if known is volts:
                return inputs
        inputs = self._prepare(volts)
        if isinstance(inputs, self._coded):
            inputs = inputs.looked_up_on(self.arithmetic.device)
        self._inputs = [*self._inputs[-3:], (volts, inputs)]
        return inputs

    def stop(self) -> None:
        """Nothing runs outside a call."""

    def versions(self) -> dict[str, Any]:
        """torch's version, the block of images, and what is unusual of the arithmetic."""
        found = {"torch": metadata.version("torch"), "block": BLOCK} | self.arithmetic.unusual
        if self.arithmetic.device == CPU:
            return found
        return found | {"gpu": self._devices.name_of(self.arithmetic.device)}
