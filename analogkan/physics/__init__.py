"""A datasheet: what a circuit draws from its supplies, how fast it settles, how noisy it is.

Every figure is computed from the design's arrays, and again by ngspice on a share of the images.
"""

from __future__ import annotations

from .assumptions import Assumptions

__all__ = ["Assumptions"]
