"""A squash cell from outside the package: a declaration, and its file beside it."""

from __future__ import annotations

from pathlib import Path

from analogkan.cells import INPUT, OUTPUT, Param, Pin, SquashKind, same


def volts(u, lo, hi, xp):
    return lo + (hi - lo) / 2 * (1 + u / xp.sqrt(1 + u * u))


def differs(params, squash, unit, hardware):
    if not same(params["k"] * unit, squash.slope):
        yield f"has slope {params['k'] * unit!r}, not {squash.slope!r}"
    if (params["lo"], params["hi"]) != (squash.v_lo, squash.v_hi):
        yield f"goes from {params['lo']!r} to {params['hi']!r} V"


KIND = SquashKind(
    name="algebraic",
    lib=Path(__file__).with_suffix(".lib"),
    pins=(Pin("in", INPUT), Pin("out", OUTPUT)),
    params=(Param("k", "1/V", "1"), Param("lo", "V", "0"), Param("hi", "V", "1")),
    curve=lambda u, squash, xp: volts(u, squash.v_lo, squash.v_hi, xp),
    settings=lambda squash, scale, load, hardware: {
        "k": scale,
        "lo": squash.v_lo,
        "hi": squash.v_hi,
    },
    closed_form=lambda v, params, hardware, temp_c, xp: volts(
        params["k"] * v, params["lo"], params["hi"], xp
    ),
    transfer=differs,
    default=(0.0, 1.0),
)
