"""Devices: I-V curves, the library, and the fits that made it."""

from .curve import IVCurve
from .library import get, names, resolve

__all__ = ["IVCurve", "get", "names", "resolve"]
