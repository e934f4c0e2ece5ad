"""A tester's load line in a sweep: where what was read is no static curve of the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sweep import Sweep

JUMP = 4.0
"""Times the median step of voltage from which on a step may be a jump; assumed."""
EVEN = 0.5
"""Rms of V + R I about even steps, as a share of a step, up to which it is a source's; assumed."""
ALONG = 1 / 3
"""Share of a jump's voltage that its ends may be off one load line; assumed."""
MIN_POINTS = 10
"""Of a sweep in which a load line is looked for: three numbers describe one. Assumed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadLine:
    """The source and resistance behind a sweep, and the jumps along their load line.

    Attributes
    ----------
    r_load, r_error
        The resistance R and its standard error, ohms.
    v_step
        Even step of V + R I, volts: the source's.
    v_off
        Rms of V + R I about even steps, volts.
    jumps
        (2,) places of the sweep's points before the first jump and behind the last.
    v_jumps
        (J, 2): volts before and behind each jump.
    """

    r_load: float
    r_error: float
    v_step: float
    v_off: float
    jumps: tuple[int, int]
    v_jumps: np.ndarray

    @property
    def sentence(self) -> str:
        """What was found, without the file's name."""
        lo, hi = self.v_jumps[0, 0], self.v_jumps[-1, 1]
        jumps = " and ".join(f"{a:.3f} to {b:.3f} V" for a, b in self.v_jumps)
        return (
            f"{lo:.3f} to {hi:.3f} V is no static curve but a tester's load line: it jumps from "
            f"{jumps} along -1/R with R = {self.r_load:.1f} +- {self.r_error:.1f} ohm, and V + R I "
            f"rises by an even {1e3 * self.v_step:.3g} mV a point (to {1e3 * self.v_off:.2g} mV "
            "rms)"
        )


def find_load_line(sweep: Sweep) -> LoadLine | None:
    """The load line along which a sweep jumps; None if it does not jump, or not along one.

    Of a source V0 behind a resistance R the device gets V = V0 - R I. If V0 rises by even steps s,
    the n-th point has V = a + s n - R I, by least squares. A jump is a step of voltage far above
    the median one, with less current behind it.
    """
    v, i = sweep.v, sweep.i
    steps, rises = np.diff(v), np.diff(i)
    jumps = np.flatnonzero((steps > JUMP * np.median(steps)) & (rises < 0))
    if v.size < MIN_POINTS or not jumps.size:
        return None
    unit = i.max()
    design = np.stack([np.ones(v.size), np.arange(v.size), -i / unit], axis=1)
    solution, _, rank, _ = np.linalg.lstsq(design, v, rcond=None)
    _, step, drop = solution
    if rank < design.shape[1] or drop <= 0:
        return None
    off = v - design @ solution
    variance = (off**2).sum() / (v.size - design.shape[1])
    along = np.abs(steps + drop * rises / unit - step)[jumps] <= ALONG * steps[jumps]
    if np.sqrt(variance) > EVEN * abs(step) or not along.all():
        return None
    error = np.sqrt(variance * np.linalg.inv(design.T @ design)[2, 2])
    return LoadLine(
        r_load=float(drop / unit),
        r_error=float(error / unit),
        v_step=float(step),
        v_off=float(np.sqrt(variance)),
        jumps=(int(jumps[0]), int(jumps[-1]) + 1),
        v_jumps=np.stack([v[jumps], v[jumps + 1]], axis=1),
    )
