"""Figures and pages. They are drawn into files, whatever MPLBACKEND says."""

from __future__ import annotations

import contextlib
import os
import sys

if "matplotlib" not in sys.modules and (_backend := os.environ.pop("MPLBACKEND", None)):
    import matplotlib  # which cannot be imported under a backend that it does not know

    os.environ["MPLBACKEND"] = _backend
    with contextlib.suppress(ValueError):
        matplotlib.rcParams["backend"] = _backend
