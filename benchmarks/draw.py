"""Drawing chips of mnist-d2 under rram: what it takes beside its random numbers, and wired tiles.

A chip is drawn as in a study, and its twin's arrays are made. numba is loaded where it is
installed, as by a study in mixed precision.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, util
from typing import Any
from unittest import mock

import numpy as np

from analogkan import resources
from analogkan.compiler import kron, wire_currents
from analogkan.compiler.design import build_design
from analogkan.engines.twin import Twin, one_torch_thread
from analogkan.imperfections import load_settings
from analogkan.imperfections.make import perturb
from analogkan.network import checkpoint
from analogkan.streams import Place
from analogkan.threads import one_blas_thread

from .measure import Row, beside, show

CHIPS = 20
"""A call draws."""


def main() -> None:
    show(measured())


def measured(quick: bool = False) -> list[Row]:
    """Seconds of drawing over those of its random numbers, and of wired tiles by two ways."""
    fast = "with" if util.find_spec("numba") else "without"
    if fast == "with":
        import_module("numba")
    with one_blas_thread, one_torch_thread:
        rows = [_beside_numbers(trim, fast, quick) for trim in ("none", "dark", "dark-real")]
        return [*rows, *_wired(quick)]


def _drawing(*settings: str, chips: int) -> Callable[[], object]:
    """Draws chips, the next ones at every call, and makes their twins' arrays."""
    spec = checkpoint.load_spec(resources.path("models/mnist-d2.pt"))
    hardware, variation, conditions = load_settings("rram", settings)
    design = build_design(spec, hardware)
    samples = iter(range(10**9))

    def draw() -> None:
        for _ in range(chips):
            chip, _ = perturb(
                design, variation, conditions, spec=spec, seed=0, sample=next(samples)
            )
            Twin([chip])

    return draw


def _beside_numbers(trim: str, fast: str, quick: bool) -> Row:
    asked: list[tuple[Any, ...]] = []
    normal = Place.normal

    def noted(self: Place, *how: Any) -> np.ndarray:
        asked.append((self, *how))
        return normal(self, *how)

    with mock.patch.object(Place, "normal", noted):
        _drawing(f"trim={trim}", chips=1)()
    chips = 1 if quick else CHIPS
    return beside(
        f"a chip drawn, trim={trim}, {fast} numba",
        "its normal numbers alone",
        _drawing(f"trim={trim}", chips=chips),
        lambda: [normal(*one) for _ in range(chips) for one in asked],
        quick=quick,
        note=f"{sum(int(np.prod(one[2])) for one in asked):,} numbers of {len(asked)} generators",
        per=(chips, chips),
    )


def _wired(quick: bool) -> list[Row]:
    g = np.random.default_rng(0).uniform(2.5e-7, 2.5e-5, (1 if quick else 14, 64, 64))
    found, other = kron.reduce_tile(g, 1.0), kron._by_rows(g, 1.0)
    chips = 1 if quick else 2
    with_wires, by_rounds = (_drawing("r_wire=1", chips=chips) for _ in range(2))

    def reduced_by_rows() -> None:
        """A chip as all were drawn before: row by row, and again in each round of its trim."""
        by_rows = mock.patch.object(kron, "STRONG", -1.0)
        with by_rows, mock.patch.object(wire_currents, "STEEP", 0.0):
            by_rounds()

    return [
        beside(
            "64 x 64 tiles of 1 ohm, by halves",
            "row by row",
            lambda: kron.reduce_tile(g, 1.0),
            lambda: kron._by_rows(g, 1.0),
            quick=quick,
            note=f"within {np.abs(found.g / other[0] - 1).max():.0e} of each conductance",
            per=(len(g), len(g)),
        ),
        beside(
            "a chip drawn, r_wire=1",
            "its tiles row by row, in each round of its trim",
            with_wires,
            reduced_by_rows,
            quick=quick,
            per=(chips, chips),
        ),
    ]
