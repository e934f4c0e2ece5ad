"""How the bandwidth of a circuit is shared out among its groups of amplifiers.

A stage has three groups: row amplifiers, those of lines, and those of outputs, which are difference
amplifiers, or in a summing read-out those of the positive lines. An amplifier of noise gain N and
gain-bandwidth product b settles with N / (2 pi b), and groups follow each other, so that their time
constants add: T = sum N_k / b_k over the groups k. An amplifier's current grows with b, so a given
current is a given B = sum n_k b_k, n_k being how many there are. With the multiplier m of that,

    d/db_k (T + m B) = -N_k / b_k^2 + m n_k = 0,

so T is least where b_k is in proportion to sqrt(N_k / n_k), and is (sum sqrt(N_k n_k))^2 / B there,
where with one b for all it is (sum N_k) (sum n_k) / B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..devices import IVCurve
from .hardware import Hardware
from .readout import ReadOut


@dataclass(frozen=True, eq=False)
class Groups:
    """Row, line and output amplifiers of a stage.

    Attributes
    ----------
    noise_gain
        (3,) the largest of each group: its slowest amplifier is what the next group waits for. Of
        rows 1 + r_f |dI/dV| on the steepest segment of any diode's curve, of others see
        ``column_gains``.
    count
        (3,) how many there are.
    """

    noise_gain: np.ndarray
    count: np.ndarray


def column_gains(
    g: np.ndarray, r_c: np.ndarray, gain: np.ndarray, readout: ReadOut
) -> tuple[np.ndarray, np.ndarray]:
    """Noise gains of a stage's line and output amplifiers.

    (2 O,) of lines, 1 + r_c times all their cells, and (O,) of difference amplifiers, 1 + their
    gain; in a summing read-out (O,) of negative lines, and (O,) of positive ones,
    1 + r_f (all their cells + 1 / r_x).
    """
    lines = 1 + r_c * g.sum(axis=0)
    if readout.differences:
        return lines, 1 + gain
    return lines[1::2], lines[0::2] + r_c[0::2] * gain / r_c[1::2]


def groups_of(
    curves: Sequence[IVCurve],
    r_f: np.ndarray,
    g: np.ndarray,
    r_c: np.ndarray,
    gain: np.ndarray,
    readout: ReadOut,
) -> Groups:
    """Of a stage's arrays, see ``design.CrossbarStage``."""
    steepest = np.array([np.abs(np.diff(curve.i) / np.diff(curve.v)).max() for curve in curves])
    lines, outputs = column_gains(g, r_c, gain, readout)
    largest = 1 + (r_f * steepest).max(), lines.max(), outputs.max()
    rows = g[: r_f.size].any(axis=1).sum()  # without those that are left out
    return Groups(np.array(largest), np.array([rows, lines.size, outputs.size]))


def share_out(groups: Sequence[Groups], hardware: Hardware) -> list[np.ndarray]:
    """Gain-bandwidth products (3,) of every stage, hertz; their mean over all amplifiers is
    ``gbw``.

    They are in proportion to sqrt(noise gain / count) to the power ``gbw_by_stage``. Op-amps of
    squash cells are in no group, and have ``gbw``.
    """
    if not hardware.gbw_by_stage:
        return [np.full(3, hardware.gbw) for _ in groups]
    ratios = [(one.noise_gain / one.count) ** (hardware.gbw_by_stage / 2) for one in groups]
    total = sum(float(one.count.sum()) for one in groups)
    used = sum(float(one.count @ own) for one, own in zip(groups, ratios, strict=True))
    return [hardware.gbw * total / used * own for own in ratios]
