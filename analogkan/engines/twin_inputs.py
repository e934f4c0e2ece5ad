"""What drives the twin: the few voltages of a DAC, or held values as they are.

Axes: U distinct voltages, I inputs, B images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..compiler.converters import Dacs

LOOK = 1000
"""Images that say whether there are few voltages: as many as the twin evaluates at once."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """Voltages of B images at the inputs, each distinct one evaluated once: a DAC has few.

    Attributes
    ----------
    codes
        (U,) the distinct voltages, rising; (I, U) if each input has its own for them.
    index
        (I, B) which of them each input has.
    """

    codes: torch.Tensor
    index: torch.Tensor

    @staticmethod
    def of(volts: np.ndarray) -> Inputs:
        """From (B, I) volts."""
        # Looked up in what a few images have: sorting all would take longer than a chip.
        codes = np.unique(volts[:LOOK])
        index = np.searchsorted(codes, volts)
        missing = codes[index.clip(max=len(codes) - 1)] != volts
        if missing.any():
            codes = np.union1d(codes, volts[missing])
            index = np.searchsorted(codes, volts)
        shaped = np.ascontiguousarray(index.T.astype(np.int64))
        return Inputs(torch.from_numpy(codes), torch.from_numpy(shaped))

    def through(self, dacs: Dacs) -> Inputs:
        """What inputs get from the DACs of a chip that are to give these."""
        return Inputs(torch.from_numpy(dacs.table(self.codes.numpy())), self.index)

    def looked_up_on(self, device: str) -> Inputs:
        """The same, with what is looked up on a device."""
        return Inputs(self.codes, self.index.to(device))

    def block(self, images: slice | np.ndarray) -> Inputs:
        """Those of some of the images."""
        return Inputs(self.codes, self.index[:, images].contiguous())

    @property
    def volts(self) -> torch.Tensor:
        """(I, B) volts."""
        if self.codes.ndim == 1:
            return self.codes[self.index]
        return self.codes.gather(1, self.index)


def prepared(volts: np.ndarray) -> Inputs | torch.Tensor:
    """``Inputs`` of (B, I) volts if the first ``LOOK`` images have fewer distinct ones than images,
    else the volts themselves, (1, I, B): held values have no codes."""
    some = volts[:LOOK]
    if np.unique(some).size < len(some):
        return Inputs.of(volts)
    return torch.from_numpy(np.ascontiguousarray(volts.T))[None]
