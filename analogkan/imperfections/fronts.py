# pyright: strict
"""Fronts: the squash cells and the LayerNorm before a stage's diodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..compiler.chip import FrontErrors, NormErrors, OpAmpErrors, SquashErrors
from ..errors import SettingsError
from ..settings import within
from .base import Draw, Imperfection, Setting, errors_of, upto

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage

VARIED = ("load_sigma", "tail_sigma", "load_tc1", "tail_tc1")
"""Settings that are of a cell's parameters, which a kind from outside may not have declared."""


def require_fronts(settings: Any, stages: Iterable[CrossbarStage]) -> None:
    """SettingsError if parts that none of a network's ``stages`` has are to have errors."""
    fronts = [stage.front for stage in stages]
    cells = [front.squash.cell for front in fronts if front.squash.kind != "none"]
    pairs = any(kind.varied or kind.models or kind.load for kind in cells)
    norms = any(front.norm is not None for front in fronts)
    for names, there, what in (
        (("pair_sigma", *VARIED), pairs, "squash cell with a transistor pair"),
        (("squash_offset_sigma", "squash_drift_sigma"), bool(cells), "squash cell"),
        (tuple(one.name for one in LAYERNORM.settings), norms, "LayerNorm"),
    ):
        for name in () if there else names:
            if value := getattr(settings, name):
                raise SettingsError(
                    f"{name} = {value:g} is of a {what}, and the network has none: leave {name} out"
                )


def _squash(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    squash, of, shape = stage.front.squash, draw.settings, stage.r_f.shape[:1]
    if squash.kind == "none":
        return stage
    _require_varied(squash.cell, of)
    made = SquashErrors(
        pair=draw.normal("squash_pair", shape, of.pair_sigma),
        loads=1 + draw.normal("squash_load", (*shape, squash.cell.n_loads), of.load_sigma),
        tail=1 + draw.normal("squash_tail", shape, of.tail_sigma),
        offset=draw.normal("squash_offset", shape, of.squash_offset_sigma),
        drift=draw.normal("squash_drift", shape, of.squash_drift_sigma),
        load_tc1=of.load_tc1,
        tail_tc1=of.tail_tc1,
    )
    return _with(stage, squash=made)


def _require_varied(kind: Any, of: Any) -> None:
    """SettingsError if loads or tails are to differ of a cell that does not say how."""
    if kind.varied is not None or not (kind.models or kind.load):
        return
    for name in VARIED:
        if value := getattr(of, name):
            raise SettingsError(
                f"{name} = {value:g} is of the loads and tails of squash cells, and the cell "
                f"{kind.name} declares no varied to say what they do to it: set {name} to 0"
            )


def _norm(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of, shape = draw.settings, stage.r_f.shape[:1]
    if stage.front.norm is None:
        return stage

    def block(name: str, shape: tuple[int, ...]) -> OpAmpErrors:
        return OpAmpErrors(
            gain=1 + draw.normal(f"{name}_gain", shape, of.norm_gain_sigma),
            offset=draw.normal(f"{name}_offset", shape, of.norm_offset_sigma),
            drift=draw.normal(f"{name}_drift", shape, of.norm_drift_sigma),
        )

    made = NormErrors(
        r_mean=1 + draw.normal("norm_mean", shape, of.norm_r_sigma),
        r_square=1 + draw.normal("norm_square", shape, of.norm_r_sigma),
        squares=block("squarer", shape),
        outputs=block("multiplier", shape),
        core=block("root", (1,)),
    )
    return _with(stage, norm=made)


def _with(stage: CrossbarStage, **errors: Any) -> CrossbarStage:
    before = errors_of(stage)
    front = replace(before.front or FrontErrors(), **errors)
    return replace(stage, errors=replace(before, front=front))


_upto = partial(upto, later=True)


def _per_kelvin(name: str, about: str) -> Setting:
    limit = "-5e-3 to 5e-3 per K"
    fits = within(-5e-3, 5e-3)
    return Setting(name=name, about=about, unit="1/K", limit=limit, fits=fits, later=True)


SQUASH_CELLS = Imperfection(
    name="squash cells",
    in_datasheets=False,
    settings=(
        _upto(0.02, "pair_sigma", "Of what stands between the bases of a transistor pair at 26.85 "
             "degC, volts; it grows with the absolute temperature, as k T / q ln(Is1 / Is2).", "V"),
        *(_upto(0.1, name, "Tolerance of each load resistor, and of the tail current, of a squash "
               "cell with a transistor pair; shares of 1.")
          for name in ("load_sigma", "tail_sigma")),
        _upto(0.1, "squash_offset_sigma", "Offset at the output of a squash cell of any kind, in "
             "volts.", "V"),
        _upto(1e-3, "squash_drift_sigma", "Its drift, volts per kelvin from 26.85 degC on.", "V/K"),
        *(_per_kelvin(name, "Temperature coefficients of the loads and of the tail currents of "
                      "squash cells with a pair, on every chip alike.")
          for name in ("load_tc1", "tail_tc1")),
    ),
    draw=_squash,
    streams=("squash_pair", "squash_load", "squash_tail", "squash_offset", "squash_drift"),
)  # fmt: skip
LAYERNORM = Imperfection(
    name="layernorm",
    in_datasheets=False,
    settings=(
        _upto(0.1, "norm_r_sigma", "Tolerance of each averaging resistor of a LayerNorm, two an "
             "input."),
        _upto(0.1, "norm_gain_sigma", "Gain error of each squarer and multiplier of a LayerNorm "
             "and of its reciprocal root; shares of 1."),
        _upto(0.1, "norm_offset_sigma", "Offset at the input of each of these, volts; the root's "
             "stands for square volts.", "V"),
        _upto(1e-3, "norm_drift_sigma", "Its drift, volts per kelvin from 26.85 degC on.", "V/K"),
    ),
    draw=_norm,
    streams=(
        "norm_mean", "norm_square",
        *(f"{block}_{part}" for block in ("squarer", "multiplier", "root")
          for part in ("gain", "offset", "drift")),
    ),
)  # fmt: skip
