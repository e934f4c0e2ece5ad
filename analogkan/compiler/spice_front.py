"""SPICE, what stands before a stage's diodes: squash cells and LayerNorm, those of chips too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..cells.layernorm import R_MEAN
from ..dialects import Dialect
from ..dialects.words import format_number
from .chip import FrontErrors, OpAmpErrors
from .front import real_squash
from .hardware import Hardware
from .names import StageNames
from .spice_cells import TEMPERATURE_C


def format_instance(
    say: Dialect, name: str, nets: Sequence[str], cell: str, **settings: float
) -> str:
    """A cell's instance."""
    told = {key: format_number(value) for key, value in settings.items()}
    return " ".join(say.instance(name, nets, cell, told))


def _errors(names: StageNames) -> FrontErrors:
    errors = names.stage.errors
    return (errors and errors.front) or FrontErrors()


def format_layernorm(names: StageNames, say: Dialect, temp_c: float) -> Iterable[str]:
    """LayerNorm of a stage that has one."""
    norm, e = names.stage.front.norm, _errors(names).norm
    assert norm is not None
    mean, square, rms = names.shared()
    dt, real = temp_c - TEMPERATURE_C, "" if e is None else "_real"
    for i, net in enumerate(names.sources()):
        own = {} if e is None else {"r": R_MEAN * e.r_mean[i], "rs": R_MEAN * e.r_square[i]}
        own |= _block(e and e.squares, i, dt)
        nets = [net, mean, square]
        yield format_instance(
            say, f"x_{names.prefix}{net}_ln", nets, f"layernorm_input{real}", **own
        )
    own = {"eps": norm.eps} | _block(e and e.core, 0, dt)
    yield format_instance(say, f"x_{names.prefix}ln", [square, rms], f"layernorm_core{real}", **own)
    for i in np.flatnonzero(names.stage.driven).tolist():
        net, out = names.sources()[i], names.normed()[i]
        own = {"scale": norm.scale[i], "shift": norm.shift[i]} | _block(e and e.outputs, i, dt)
        nets = [net, mean, rms, out]
        yield format_instance(say, f"x_{out}_ln", nets, f"layernorm_output{real}", **own)


def _block(errors: OpAmpErrors | None, at: int, dt: float) -> dict[str, float]:
    """What a LayerNorm block's errors add to its cell's settings."""
    if errors is None:
        return {}
    return {"gain": errors.gain[at], "vos": errors.offset_at(dt)[at]}


def format_squash_cells(
    names: StageNames, hardware: Hardware, say: Dialect, temp_c: float
) -> Iterable[str]:
    """Squash cells of a stage that has them."""
    front, e = names.stage.front, _errors(names).squash
    kind = front.squash.cell
    nets = list(zip(names.normed(), names.inputs(), strict=True))
    real = e and real_squash(front, e, hardware, temp_c)
    for i in np.flatnonzero(names.stage.driven).tolist():
        x, v = nets[i]
        params = front.params(front.attenuation[i] if kind.sloped else 1.0, hardware)
        ends = [x, v]
        if real is not None:
            params |= {name: values[i] for name, values in real.params.items()}
            ends = [f"{v}_in", f"{v}_out"]
            yield say.fixed(f"v_{v}_in", ends[0], x, format_number(real.before[i]))
            yield say.fixed(f"v_{v}_out", v, ends[1], format_number(real.after[i]))
        settings = {p.name: params[p.name] for p in kind.params}
        yield format_instance(say, f"x_{v}", ends, kind.name, **settings)
