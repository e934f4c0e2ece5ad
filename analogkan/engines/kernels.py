"""Compiled loops of the twin in mixed precision; see ``mixed``, which alone imports this.

They need numba, the extra ``fast``. Each works in the precision of the arrays it is given, and what
it gives for an image does not depend on the images beside it.

Axes: I inputs, D diodes, O outputs, B images, K points of a row's table, U codes, N buckets.
"""

from __future__ import annotations

import numpy as np

from .. import loops

LANES = 64
"""Outputs that are summed at once: a number the compiler knows, so that they stay in registers."""
RUN = 32
"""Inputs that are summed in the weights' precision, before the sum is added in float64."""
LINE = 64
"""Bytes that a processor loads at once, from where numbers of its vectors begin."""
TILE = 64
"""Images that are summed before their outputs are put in place."""
WIDE = 256
"""Images whose rows are looked up before they are summed: what a first cache holds."""


# Sums may be reordered and products fused, as in a matrix product; NaN stays NaN.
compiled = loops.compiled("reassoc", "contract", "nsz")


@compiled
def on_line(like: np.ndarray) -> np.ndarray:
    """(LANES,) numbers as ``like`` has them, that begin where a processor loads them at once."""
    raw = np.empty(LANES + LINE // like.itemsize, like.dtype)
    begin = (-raw.ctypes.data % LINE) // like.itemsize
    return raw[begin : begin + LANES]


@compiled
def code_volts(
    x: np.ndarray, r: np.ndarray, codes: np.ndarray, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A stage's rows for the voltages of a DAC, as differences from an input's most frequent one.

    Parameters
    ----------
    x, r
        (I, D, K) volts, as those of a ``TwinStage``.
    codes
        (I or 1, U) volts.
    rest
        (I,) the most frequent code.

    Returns
    -------
    apart
        (I, U, D) volts of a row, less those at rest.
    still
        (I, D) volts of a row at rest.
    largest
        (I, D) of what is apart.
    """
    n_in, n_dev, points = x.shape
    n_codes = codes.shape[1]
    apart = np.empty((n_in, n_codes, n_dev))
    still, largest = np.empty((n_in, n_dev)), np.zeros((n_in, n_dev))
    for i in range(n_in):
        given = codes[i % codes.shape[0]]
        for d in range(n_dev):
            k, piece, begin, volt, slope = 0, -1, 0.0, 0.0, 0.0
            for u in range(n_codes):
                v = given[u]
                while k < points and x[i, d, k] <= v:
                    k += 1
                while k > 0 and x[i, d, k - 1] > v:
                    k -= 1
                if k != piece:
                    piece, begin, volt, slope = k, 0.0, r[i, d, min(k, points - 1)], 0.0
                    if 0 < k < points:
                        begin, volt = x[i, d, k - 1], r[i, d, k - 1]
                        slope = (r[i, d, k] - volt) / (x[i, d, k] - begin)
                apart[i, u, d] = volt + slope * (v - begin)
            still[i, d] = apart[i, rest[i], d]
            for u in range(n_codes):
                apart[i, u, d] -= still[i, d]
                largest[i, d] = max(largest[i, d], abs(apart[i, u, d]))
    return apart, still, largest


@compiled
def sum_codes(
    begins: np.ndarray,
    inputs: np.ndarray,
    places: np.ndarray,
    apart: np.ndarray,
    weights: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add to ``out`` (LANES or fewer, B) what the inputs that are not at rest give.

    Parameters
    ----------
    begins
        (B + 1,) where each image's inputs begin in the next two.
    inputs, places
        Which input, and where its code's volts are.
    apart
        (I U, 2) volts of two diodes' rows.
    weights
        (I, 2 LANES) volts at an output for a volt of the one, then of the other row.
    """
    images = out.shape[1]
    part = on_line(weights)
    sums = np.empty((TILE, LANES))
    for first in range(0, images, TILE):
        n = min(TILE, images - first)
        for b in range(n):
            total = sums[b]
            for o in range(LANES):
                total[o] = 0
            begin, end = begins[first + b], begins[first + b + 1]
            for start in range(begin, end, RUN):
                stop = min(start + RUN, end)
                for o in range(LANES):
                    part[o] = 0
                # Four inputs at a time: eight products for a load and a store of the part.
                fours = (stop - start) // 4
                for four in range(fours):
                    k0 = np.uintp(start + 4 * four)
                    k1, k2, k3 = k0 + np.uintp(1), k0 + np.uintp(2), k0 + np.uintp(3)
                    a0, a1 = apart[places[k0]], apart[places[k1]]
                    a2, a3 = apart[places[k2]], apart[places[k3]]
                    w0, w1 = weights[inputs[k0]], weights[inputs[k1]]
                    w2, w3 = weights[inputs[k2]], weights[inputs[k3]]
                    p0, p1, p2, p3 = a0[0], a1[0], a2[0], a3[0]
                    q0, q1, q2, q3 = a0[1], a1[1], a2[1], a3[1]
                    for o in range(LANES):
                        low = p0 * w0[o] + q0 * w0[o + LANES]
                        low += p1 * w1[o] + q1 * w1[o + LANES]
                        high = p2 * w2[o] + q2 * w2[o + LANES]
                        high += p3 * w3[o] + q3 * w3[o + LANES]
                        part[o] += low + high
                for k in range(start + 4 * fours, stop):
                    a0, w0 = apart[places[k]], weights[inputs[k]]
                    p0, q0 = a0[0], a0[1]
                    for o in range(LANES):
                        part[o] += p0 * w0[o] + q0 * w0[o + LANES]
                for o in range(LANES):
                    total[o] += part[o]
        for o in range(out.shape[0]):
            for b in range(n):
                out[o, first + b] += sums[b, o]


@compiled
def buckets(x: np.ndarray, r: np.ndarray, number: int, kinks: int) -> tuple[np.ndarray, ...]:
    """Tables whose piece is found by a division instead of a search.

    Between the first and the last point a table is cut into ``number`` equal buckets. In one with
    kinks at a, b, ... the row is ``y + s (v - a) + p max(v - a, 0) + q max(v - b, 0) + ...``.

    Parameters
    ----------
    x, r
        (I, D, K) volts, as those of a ``TwinStage``.
    kinks
        That a bucket has room for.

    Returns
    -------
    ends
        (I, D, 2) volts of the first point, buckets per volt.
    pieces
        (I, D, N, 2 + 2 kinks) y, s, a, p, b, q, ...
    most
        () kinks in a bucket, at most; more than ``kinks`` and the pieces are of no use.
    """
    n_in, n_dev, points = x.shape
    ends, pieces = np.empty((n_in, n_dev, 2)), np.zeros((n_in, n_dev, number, 2 + 2 * kinks))
    slope, corner, most = np.empty(points + 1), np.empty(points, np.int64), np.zeros((), np.int64)
    for i in range(n_in):
        for d in range(n_dev):
            at, y = x[i, d], r[i, d]
            low, scale = at[0], number / (at[-1] - at[0])
            ends[i, d, 0], ends[i, d, 1] = low, scale
            # Pieces that have a length: the n-th ends at the n-th corner, the last one nowhere.
            n = 0
            slope[0] = 0.0
            for k in range(points - 1):
                if at[k + 1] > at[k]:
                    corner[n], slope[n + 1] = k, (y[k + 1] - y[k]) / (at[k + 1] - at[k])
                    n += 1
            corner[n], slope[n + 1] = points - 1, 0.0
            first, corners = 0, n + 1
            for bucket in range(number):
                n = first
                while n < corners and min(int((at[corner[n]] - low) * scale), number - 1) <= bucket:
                    n += 1
                most[()] = max(most[()], n - first)
                to, anchor = pieces[i, d, bucket], corner[first if n > first else first - 1]
                to[0], to[1], to[2] = y[anchor], slope[first], at[anchor]
                for q in range(min(n - first, kinks)):
                    to[2 + 2 * q] = at[corner[first + q]]
                    to[3 + 2 * q] = slope[first + q + 1] - slope[first + q]
                first = n
    return ends, pieces, most


@compiled
def through_rows(
    volts: np.ndarray,
    ends: np.ndarray,
    pieces: np.ndarray,
    weights: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add to ``out`` (O, B) what rows with diode voltages ``volts`` (I, B) give.

    Parameters
    ----------
    ends, pieces
        Of ``buckets``.
    weights
        (I, D, O) volts at an output for a volt of a row.
    """
    n_in, images = volts.shape
    n_dev, number = pieces.shape[1:3]
    kinks, n_out = pieces.shape[3] // 2 - 1, out.shape[0]
    row, sums = np.empty((n_dev, WIDE), out.dtype), np.empty((n_out, WIDE), out.dtype)
    none, last = out.dtype.type(0), out.dtype.type(number - 0.5)
    for first in range(0, images, WIDE):
        n = min(WIDE, images - first)
        sums[:] = 0
        for i in range(n_in):
            v = volts[i, first : first + n]
            for d in range(n_dev):
                low, scale, of, to = ends[i, d, 0], ends[i, d, 1], pieces[i, d], row[d]
                for b in range(n):
                    at = (v[b] - low) * scale
                    at = at if at > none else none
                    k = np.uintp(at if at < last else last)
                    beyond = v[b] - of[k, 2]
                    found = of[k, 0] + of[k, 1] * beyond
                    found += of[k, 3] * (beyond if beyond > none else none)
                    for q in range(1, kinks):
                        beyond = v[b] - of[k, 2 + 2 * q]
                        found += of[k, 3 + 2 * q] * (beyond if beyond > none else none)
                    to[b] = found
            for o in range(n_out):
                for d in range(n_dev):
                    w = weights[i, d, o]
                    for b in range(n):
                        sums[o, b] += w * row[d, b]
        for o in range(n_out):
            for b in range(n):
                out[o, first + b] += sums[o, b]


@compiled
def close(outputs: np.ndarray, apart: float) -> np.ndarray:
    """Images (n,) of ``outputs`` (O, B) whose largest two are at most ``apart``."""
    n_out, images = outputs.shape
    best, second = outputs[0].copy(), np.full(images, -np.inf, outputs.dtype)
    for o in range(1, n_out):
        for b in range(images):
            value = outputs[o, b]
            second[b] = max(second[b], min(value, best[b]))
            best[b] = max(best[b], value)
    return np.flatnonzero(~(best - second > apart))
