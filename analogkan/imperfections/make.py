# pyright: strict
"""One chip: a Design with everything drawn that chance decides, and what is done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ..compiler.chip import OpAmpErrors, StageErrors, Warmth
from ..compiler.circuit import Circuit, Link
from ..compiler.converters import Ends, dac_ends
from ..compiler.design import CrossbarStage, Design
from ..die.floorplan import Floorplan, floorplan_of, lay_out
from ..errors import AnalogKanError, DerivativeError, SettingsError
from ..files import brief
from ..network.dropped import without_rows
from ..network.spec import NetworkSpec
from ..streams import Place, Source
from .amplifiers import require_gains
from .base import Chip, Draw, Imperfection
from .conditions import Conditions
from .converters import require_converters, require_holds
from .fronts import require_fronts
from .heat import sizes_of
from .measured import require_measured
from .registry import BUILT_IN, acting, always_told
from .variation import Variation

Warm = Mapping[tuple[int, int], Warmth]
"""By layer and share how much warmer than the ambient the parts of a stage are."""


def perturb_chain(
    chain: Circuit,
    variation: Variation,
    conditions: Conditions,
    *,
    seed: int,
    sample: int,
    warmth: Warm | None = None,
    source: Source | None = None,
) -> tuple[Circuit, dict[str, int]]:
    """Chip number ``sample`` of a network's circuits: ``perturb`` of each, on one die.

    A convolution's circuit is the same at all its positions. What is drawn for a layer does not
    depend on where the network is cut, only on the circuits that share its outputs. ``warmth`` is
    what heats it, where the variation asks for that; ``source`` gives its numbers in place of its
    own.
    """
    require_parts(variation, chain)
    plan = cache(lambda: floorplan_of(chain, sizes_of(variation)))
    total: Counter[str] = Counter()
    links: list[Link] = []
    for link in chain.links:
        chip, counted = _perturb(
            link.design,
            variation,
            conditions,
            spec=link.spec,
            place=Place(
                seed=seed, sample=sample, layer=link.section.first, share=link.share, source=source
            ),
            plan=plan,
            warmth=warmth,
            ends=ends_of(chain, link),
        )
        links.append(replace(link, design=chip))
        total.update(counted)
    return Circuit(tuple(links)), dict(total)


def require_parts(variation: Variation, chain: Circuit) -> None:
    """SettingsError if parts that a network's circuits have not are to have errors."""
    require_converters(variation, chain.hardware)
    require_holds(variation, len({link.section for link in chain.links}) > 1)
    require_fronts(variation, (stage for link in chain.links for stage in link.design.stages))


def perturb(
    design: Design,
    variation: Variation,
    conditions: Conditions,
    *,
    spec: NetworkSpec,
    seed: int,
    sample: int,
    first: int = 0,
    share: int = 0,
    plan: Callable[[], Floorplan] | None = None,
    warmth: Warm | None = None,
) -> tuple[Design, dict[str, int]]:
    """Chip number ``sample`` of ``design``.

    Parameters
    ----------
    design
        The nominal circuit.
    variation, conditions
        What differs, and for how long the cells have drifted. The temperature is the engines'.
    spec
        The software network: what a dark trim aims at.
    seed, sample
        What every draw follows from, each quantity by itself: chip 7 is chip 7 whatever else is
        drawn, and whoever draws it.
    first, share
        Of a circuit with held values before it: its first layer, and which of the circuits that
        share that layer's outputs it is.
    plan
        Gives the floorplan of the die, or refuses; None: ``design`` is all there is on it.
    warmth
        How warm its parts are, where ``variation`` asks for that.

    Returns
    -------
    Design, dict
        The chip, and what drawing it counted, such as ``clipped_cells``: see ``counts`` of each
        imperfection.

    Raises
    ------
    SettingsError
        If op-amps are to have gains of their own, and have no parameter for them; cells are to
        be what was not measured of their technology; distances matter, and there is no floorplan;
        parts are to be warm, and it is not said how warm; or converters are to have errors that
        ask for hardware which is not there, as holds' always do here. Errors of squash cells and of
        a LayerNorm are passed over where there are none: ``design`` may be a part of a network.

    Examples
    --------
    >>> build = ak.load_build("mnist-d2.build")
    >>> chip, counts = ak.perturb(
    ...     build.design, ak.Variation(stuck_max=0.01), ak.Conditions(), spec=build.spec, seed=0,
    ...     sample=7,
    ... )
    >>> counts["stuck_cells"] > 0
    True
    """
    require_converters(variation, design.hardware)
    require_holds(variation, False)
    ends = Ends(dacs=None if spec.held else dac_ends(spec), read=True)
    place = Place(seed=seed, sample=sample, layer=first, share=share)
    plan = plan or cache(lambda: _alone(design, place, variation))
    return _perturb(
        design, variation, conditions, spec=spec, place=place, ends=ends, plan=plan, warmth=warmth
    )


def _perturb(
    design: Design,
    variation: Variation,
    conditions: Conditions,
    *,
    spec: NetworkSpec,
    place: Place,
    ends: Ends,
    plan: Callable[[], Floorplan],
    warmth: Warm | None,
) -> tuple[Design, dict[str, int]]:
    """The same of a circuit with ``ends`` whose first layer's draws are at ``place``."""
    require_gains(variation, design.hardware)
    require_measured(variation, design.hardware, conditions)
    on = variation.on()
    acts = [one for one in acting() if one in on or any(other in on for other in one.follows)]
    # Of what came later only what is on: a row does not depend on what else is registered.
    told = [one for one in acting() if one in always_told() or one in on]
    counted = Counter({n: 0 for one in told for n in one.counts if n not in one.seldom})
    devices = sorted({curve.name for stage in design.stages for curve in stage.curves})
    chip = Chip(
        variation=variation,
        conditions=conditions,
        hardware=design.hardware,
        devices=tuple(devices),
        counts=counted,
        plan=plan,
        warmth=warmth,
    )
    draws = [(one, one.draw) for one in acts if one.draw is not None]
    stages: list[CrossbarStage] = []
    layers = without_rows(spec, design.hardware.drop_rows)[0].layers
    for k, (stage, layer) in enumerate(zip(design.stages, layers, strict=True)):
        here = replace(place, layer=place.layer + k)
        made = replace(stage, errors=_none(stage))
        own = ends.of(k, len(design.stages))
        for one, draw in draws:
            made = _changed(one, draw, made, Draw(one, chip, here, layer, own))
        stages.append(made)
    return replace(design, stages=tuple(stages)), dict(counted)


def _alone(design: Design, place: Place, variation: Variation) -> Floorplan:
    """The floorplan of a design that is a whole network.

    Raises
    ------
    SettingsError
        If it is known to be a part of one.
    """
    if place.layer or place.share:
        raise SettingsError(
            f"{design.name} begins at layer {place.layer} of a network whose other circuits stand "
            "on the same die: draw them together, with plan=, or without lengths and slopes"
        )
    stages = ((k, 0, stage) for k, stage in enumerate(design.stages))
    return lay_out(stages, design.hardware, sizes_of(variation))


def ends_of(chain: Circuit, link: Link) -> Ends:
    """What converts at the ends of one of a network's circuits."""
    section, last = link.section, chain.links[-1].section
    held, dacs, seen = 0 if section == last else section.positions, None, None
    if section.number == 0:
        dacs = dac_ends(link.spec)
        if section.patches is not None:
            seen, width = section.patches.index(), section.patches.values
            dacs = np.full(width, dacs[0][0]), np.full(width, dacs[1][0])
    return Ends(dacs=dacs, seen=seen, held=held, read=not held)


def _changed(
    one: Imperfection,
    draw: Callable[[CrossbarStage, Draw], CrossbarStage],
    stage: CrossbarStage,
    given: Draw,
) -> CrossbarStage:
    """What ``one`` makes of a stage.

    Raises
    ------
    SettingsError
        If one from outside raises, or makes none or one that is no circuit.
    """
    whose = f"imperfection {one.name!r}, layer {given.place.layer}"
    try:
        made: Any = draw(stage, given)
    except DerivativeError as error:
        raise DerivativeError(f"{whose}, cannot be differentiated: {error}") from error
    except AnalogKanError:
        raise
    except Exception as error:
        if one in BUILT_IN:
            raise
        raise SettingsError(f"{whose}: {type(error).__name__}: {brief(error)}") from error
    if one in BUILT_IN:
        return made
    if not isinstance(made, CrossbarStage):
        raise SettingsError(f"{whose}: its draw gives a {type(made).__name__}, not a stage")
    if made.g.shape != stage.g.shape or not bool(
        (np.isfinite(made.g) & np.where(stage.g > 0, made.g > 0, made.g == 0)).all()
    ):
        raise SettingsError(
            f"{whose}: its draw gives cells of shape {made.g.shape} from {made.g.min():g} S on; "
            f"they must be of shape {stage.g.shape}, above 0 S and finite, and 0 where "
            "there is no cell"
        )
    return made


def _none(stage: CrossbarStage) -> StageErrors:
    """The errors of a chip that has none."""
    return StageErrors(
        k_i=np.ones_like(stage.r_f),
        k_v=np.ones_like(stage.r_f),
        d_v=np.zeros_like(stage.r_f),
        rows=_exact(stage.r_f.shape),
        lines=_exact(stage.r_c.shape),
        diffs=_exact((stage.n_diffs,)),
        stuck=np.zeros(stage.g.shape, bool),
    )


def _exact(shape: tuple[int, ...]) -> OpAmpErrors:
    return OpAmpErrors(gain=np.ones(shape), offset=np.zeros(shape), drift=np.zeros(shape))
