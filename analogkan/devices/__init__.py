"""Devices: I-V curves, the library, and the fits that made it."""

from .curve import IVCurve
from .interpolate import refit
from .library import get, names, resolve
from .public import load, measure

__all__ = ["IVCurve", "get", "load", "measure", "names", "refit", "resolve"]
