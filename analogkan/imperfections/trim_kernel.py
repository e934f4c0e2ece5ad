"""The compiled loop of ``real_trim.chosen``, number for number; it needs numba, the extra ``fast``.

Axes: n outputs, w cells of each, L states.
"""

from __future__ import annotations

import numpy as np

from .. import loops

compiled = loops.compiled()  # neither reordered nor fused: the same chips


@compiled
def choose(
    here: np.ndarray,
    free: np.ndarray,
    missing: np.ndarray,
    limits: tuple[float, float],
    step: float,
    variances: np.ndarray,
) -> np.ndarray:
    """States (n, w) to be written, siemens, 0 where nothing is.

    Parameters
    ----------
    here, free
        (n, w) what cells are, siemens, those of positive and negative lines in turn; and whether
        they can be written.
    missing
        (n,) siemens.
    limits, step
        Least and greatest state, siemens, and from one to the next.
    variances
        (L,) of what is written for each state.
    """
    least, most = limits
    n, w = here.shape
    target = np.zeros((n, w))
    for o in range(n):
        left, doubt, open_ = missing[o], 0.0, free[o].copy()
        for _ in range(w):
            best, lowest, state, change, error = -1, np.inf, 0.0, 0.0, 0.0
            for j in range(w):
                if not open_[j]:
                    continue
                side = 1.0 - 2.0 * (j % 2)
                inside = min(max(here[o, j] + side * left, least), most)
                k = np.rint((inside - least) / step)
                to = least + k * step
                more = side * (to - here[o, j])
                cost = (left - more) ** 2 + variances[int(k)]
                if cost < lowest:
                    best, lowest, state, change, error = j, cost, to, more, variances[int(k)]
            if not (lowest < left**2 and left**2 > doubt):
                break
            target[o, best], open_[best] = state, False
            left, doubt = left - change, doubt + error
    return target
