"""What every engine that simulates a chip offers to a study."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..compiler.design import Design


class ChipEngine(Protocol):
    """Runs one chip over images. Calls may come from several threads at once.

    Attributes
    ----------
    name
        ``twin``, or that of a simulator.
    """

    name: str

    def logits(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> np.ndarray:
        """Logits (B, O) of ``volts`` (B, I) at the DACs, at ``temp_c`` degrees Celsius.

        ``index`` (B,) are the images' positions in their data set: read noise is drawn for them.
        Work is done in fixed blocks of images, so that the answer does not depend on who asks.

        Raises
        ------
        SimulationError
            If a chip did not deliver.
        """
        ...

    def versions(self) -> dict[str, Any]:
        """What the answers depend on beside the design: versions, block size, tolerances."""
        ...
