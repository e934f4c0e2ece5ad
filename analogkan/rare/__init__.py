"""Estimators of small probabilities of failure."""

from .base import Asking, Estimate, Scored
from .control import control
from .plain import plain
from .scaled import scaled
from .sobol import sobol
from .subset import subset

__all__ = ["Asking", "Estimate", "Scored", "control", "plain", "scaled", "sobol", "subset"]
