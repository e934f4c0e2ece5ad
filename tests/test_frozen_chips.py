"""Chips stay the chips they are: hashes of all that is drawn, kept in frozen_chips.json.

Numbers are hashed as 32-bit floats, so that another machine's last digit of exp, pow or a matrix
solver changes no hash, while any other draw does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analogkan.compiler.build import write_build
from analogkan.compiler.design import Design, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.engines.twin import noise_draws
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.imperfections.make import perturb, perturb_chain

from .chips import EVERYTHING, LATER, OLD
from .convolutions import convolutional_spec
from .networks import random_spec

KEPT = Path(__file__).parent / "frozen_chips.json"
SPEC = random_spec(3, (6, 5, 4))
FAULTY = Variation(
    stuck_min=0.1, stuck_max=0.1, dead_diodes=0.2, open_lines=0.2, dead_amplifiers=0.2,
    sigma_g_abs=0.1, diode_sigma_shift=0.02, diode_sigma_current=0.5, offset_sigma=0.1,
    opamp_gain_sigma=1.0,
)  # fmt: skip
"""Limits are reached, faults are many."""
ALONE = [field.name for field in fields(EVERYTHING) if field.metadata["always"]]


def numbers(design: Design) -> Iterable[np.ndarray]:
    for stage in design.stages:
        e = stage.errors
        assert e is not None
        yield from (stage.g, stage.r_f, stage.r_c, stage.gain, e.k_i, e.k_v, e.d_v, e.stuck)
        for group in (e.rows, e.lines, e.diffs):
            yield from (group.gain, group.offset, group.drift)
        if e.law is not None:
            yield np.array([e.law.v_0, e.law.b_3, e.law.v_read, e.law.v_ov])
            yield from () if e.law.access is None else (e.law.access,)
        yield from () if e.cell_tc1 is None else (e.cell_tc1,)
    for stage in design.stages:
        assert stage.errors is not None
        yield noise_draws(stage.errors.noise, np.array([0, 3, 1500]), stage.r_c.size)


def digest(designs: Iterable[Design], counts: dict[str, int]) -> dict[str, Any]:
    found = hashlib.sha256()
    for design in designs:
        for array in numbers(design):
            found.update(np.ascontiguousarray(array, np.float32).tobytes())
    return {"sha256": found.hexdigest(), "counts": counts}


def one(variation: Variation, conditions: Conditions = OLD, **given: Any) -> dict[str, Any]:
    at = {"seed": 0, "sample": 0, "first": 0, "share": 0} | given
    hardware = Hardware(**at.pop("hardware", {}))
    design = build_design(SPEC, hardware)
    chip, counts = perturb(design, variation, conditions, spec=SPEC, **at)
    return digest([chip], counts)


def alone(name: str) -> Variation:
    value = getattr(EVERYTHING, name) or 0.2
    return Variation(**{name: value})


def cases(folder: Path) -> dict[str, dict[str, Any]]:
    found = {f"{name} alone": one(alone(name), sample=3) for name in ALONE}
    for seed, sample in ((0, 0), (0, 7), (5, 2), (2**40, 2**31 - 1)):
        found[f"everything, seed {seed}, chip {sample}"] = one(EVERYTHING, seed=seed, sample=sample)
    for first, share in ((2, 0), (0, 1), (3, 2)):
        found[f"everything, layer {first}, share {share}"] = one(
            EVERYTHING, first=first, share=share
        )
    found["everything, young"] = one(EVERYTHING, Conditions())
    found["faults"] = one(FAULTY, sample=11)
    for opamp, r_wire in (("linear", 0.0), ("ideal", 0.0), ("rails", 20.0)):
        hardware = {"opamp": opamp, "r_wire": r_wire, "levels": 16}
        found[f"everything, {opamp}, wires of {r_wire:g}"] = one(EVERYTHING, hardware=hardware)
    found |= {name: one(Variation(**given), sample=3) for name, given in LATER.items()}
    rram = load_settings("rram")[1]
    found["rram"] = one(replace(rram, trim="dark"), Conditions(), sample=1)
    found["rram, real trim"] = one(rram, Conditions(), sample=1, hardware={"levels": 32})
    for name, spec, most in (
        ("held", random_spec(5, (5, 6, 4, 3)), 60),
        ("convolutions", convolutional_spec(), 10_000),
    ):
        build = write_build(spec, Hardware(), folder / f"{name}.build", most=most)
        chip, counts = perturb_chain(build.circuit(), EVERYTHING, OLD, seed=1, sample=4)
        found[name] = digest((link.design for link in chip.links), counts)
    return found


def test_chips_are_those_of_before(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    found = cases(tmp_path)
    if request.config.getoption("--update-golden"):
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(of)}" for name, of in found.items())
        KEPT.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8", newline="\n")
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert [name for name in kept if found[name] != kept[name]] == []
    assert found.keys() == kept.keys()
