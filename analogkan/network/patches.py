"""Patches: what each position of a convolution sees of the map before it.

Axes: B batch, P positions, W values of a map, I inputs of a position, C channels.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from ..errors import CheckpointError
from ..schema import Record, Whole

MOST_SEEN = 50_000_000
"""Values that all positions see, to bound memory: 3x3 patches of 64 maps of 224x224 have 29e6."""


PATCHES_ENTRY = Record(
    {key: Whole(1, 10**8) for key in ("height", "width", "channels", "kernel", "stride")}
    | {"padding": Whole(0, 10**8)}
)
"""A convolution in a file."""


@dataclass(frozen=True, kw_only=True)
class Patches:
    """Square patches of a map whose values are ordered (height, width, channel).

    Attributes
    ----------
    height, width, channels
        Of the map.
    kernel
        Side of a patch.
    stride
        Between positions.
    padding
        Grounded inputs (0 V) around the map, on each side.
    """

    height: int
    width: int
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        numbers = astuple(self)
        if any(type(n) is not int for n in numbers) or min(numbers[:5]) < 1 or self.padding < 0:
            raise CheckpointError(
                f"patches {numbers}: height, width, channels, kernel and stride are whole numbers "
                "of 1 or more, padding of 0 or more"
            )
        if self.kernel > min(self.height, self.width) + 2 * self.padding:
            raise CheckpointError(
                f"a kernel of {self.kernel} does not fit a map of {self.height} by {self.width} "
                f"with {self.padding} around it: make it smaller, or pad more"
            )
        if self.padding >= self.kernel:
            raise CheckpointError(
                f"padding {self.padding} is not below the kernel {self.kernel}: a position would "
                "see nothing of the map"
            )
        if self.count * self.size > MOST_SEEN:
            raise CheckpointError(
                f"a convolution of {self.count:,} positions that see {self.size:,} values each is "
                f"too large: at most {MOST_SEEN:,} in all"
            )

    @property
    def rows(self) -> int:
        """Positions from top to bottom."""
        return (self.height + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def columns(self) -> int:
        """Positions from left to right."""
        return (self.width + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def count(self) -> int:
        """Positions, P."""
        return self.rows * self.columns

    @property
    def size(self) -> int:
        """Inputs of a position, I."""
        return self.kernel**2 * self.channels

    @property
    def values(self) -> int:
        """Values of the map, W."""
        return self.height * self.width * self.channels

    def index(self) -> np.ndarray:
        """(P, I): which value of the map drives each input of each position; -1 is ground.

        Positions go row by row, a patch's inputs as the map's: height, width, channel.
        """
        number = np.arange(self.values).reshape(self.height, self.width, self.channels)
        around = (self.padding, self.padding)
        padded = np.pad(number, (around, around, (0, 0)), constant_values=-1)
        sides = (self.kernel, self.kernel)
        seen = np.lib.stride_tricks.sliding_window_view(padded, sides, axis=(0, 1))
        seen = seen[:: self.stride, :: self.stride]  # (rows, columns, channels, height, width)
        return seen.transpose(0, 1, 3, 4, 2).reshape(self.count, self.size)

    def gather(self, values: np.ndarray, ground: np.ndarray | float = 0.0) -> np.ndarray:
        """What the positions see of ``values`` (B, W, ...): (B, P, I, ...), ``ground`` around."""
        edge = np.broadcast_to(ground, (len(values), 1, *values.shape[2:]))
        return np.take(np.concatenate([values, edge], axis=1), self.index(), axis=1)
