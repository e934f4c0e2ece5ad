"""Declarations: whole, apart from each other, frozen where stored chips follow from them; and one
from outside, which everything knows that knows the others."""

from __future__ import annotations

import json
import pickle
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
import pytest

from analogkan.compiler.build import write_build
from analogkan.compiler.design import CrossbarStage, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.errors import SettingsError
from analogkan.imperfections import (
    Conditions,
    Draw,
    Imperfection,
    Variation,
    load_settings,
    register,
    unregister,
    upto,
)
from analogkan.imperfections.catalogue import settings
from analogkan.imperfections.converters import ADCS, DACS, HOLDS
from analogkan.imperfections.heat import HEAT
from analogkan.imperfections.make import perturb
from analogkan.imperfections.registry import BUILT_IN, acting, check
from analogkan.streams import FIRST_DERIVED, derived
from analogkan.studies.grid import drawn_faults, fault_cells
from analogkan.studies.points import montecarlo_points

from .chips import EVERYTHING, FRONTS, LATER, OLD
from .networks import random_npz, random_spec
from .test_cli import done
from .test_frozen_chips import digest

SPEC = random_spec(3, (6, 5, 4))
DESIGN = build_design(SPEC, Hardware())
NUMBERS = {
    "cell": 0, "cell_abs": 1, "stuck": 2, "retention": 3, "diode_current": 4, "diode_voltage": 5,
    "diode_shift": 6, "die_current": 7, "die_voltage": 8, "die_shift": 9, "row_offset": 10,
    "row_drift": 11, "row_gain": 12, "line_offset": 13, "line_drift": 14, "line_gain": 15,
    "diff_offset": 16, "diff_drift": 17, "diff_open_gain": 18, "r_f": 19, "r_c": 20, "pair": 21,
    "diff_gain": 22, "read_noise": 23, "dead_diode": 24, "open_line": 25, "dead_row": 26,
    "dead_line": 27, "dead_diff": 28,
}  # fmt: skip
"""Never changed: stored chips follow from them."""
OF_ALL = [one for one in BUILT_IN if not {s.name for s in one.settings} & {*FRONTS}]
"""Those of every network."""


def short(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    hit = draw.happens("short", stage.g.shape, draw.settings.shorted_cells)
    draw.count("shorted_cells", hit)
    return replace(stage, g=np.where(hit, draw.hardware.g_max, stage.g))


SHORTED = Imperfection(
    name="shorted cells",
    settings=(upto(1.0, "shorted_cells", "Share of cells that a short bridges."),),
    draw=short,
    acts="broken",
    streams=("short",),
    counts={"shorted_cells": "cells shorted"},
    fault=True,
    decisive=True,
)


@pytest.fixture
def shorted() -> Iterator[Imperfection]:
    """An imperfection from outside."""
    yield register(SHORTED)
    unregister(SHORTED)


def chip(variation: Variation, sample: int = 0) -> dict[str, Any]:
    made, counts = perturb(DESIGN, variation, OLD, spec=SPEC, seed=0, sample=sample)
    return digest([made], counts)


def test_streams_have_the_numbers_they_always_had():
    numbers = {name: number for one in BUILT_IN for name, number in one.numbers.items()}
    assert {name: n for name, n in numbers.items() if n < FIRST_DERIVED} == NUMBERS
    assert derived("shorted cells", "short") == SHORTED.numbers["short"] == 635652960
    assert SHORTED.numbers["short"] >= FIRST_DERIVED > max(NUMBERS.values())


ALONE = [one for one in OF_ALL if one not in (DACS, ADCS, HOLDS, HEAT)]
"""Converters' ask for hardware, heat for watts: they have tests of their own."""


@pytest.mark.parametrize("one", ALONE, ids=lambda one: one.name)
def test_each_alone_changes_something_and_off_changes_nothing(one):
    lengths = {"um": 100.0, "um^2": 100.0}
    early = {s.name: getattr(EVERYTHING, s.name) or lengths.get(s.unit, 0.3) for s in one.settings}
    given = LATER.get(one.name, early)
    variation, own = Variation(**given), {s.name for s in one.settings}
    others = Variation(**{name: value for name, value in given.items() if name not in own})
    assert [i for i in variation.on() if i not in others.on()] == [one]
    assert chip(variation)["sha256"] != chip(others)["sha256"]
    assert {*chip(variation)["counts"]} >= {*one.counts} - {*one.seldom}
    assert variation.drawn is (others.drawn or not one.adjusts)


@pytest.mark.parametrize("one", BUILT_IN, ids=lambda one: one.name)
def test_each_is_documented_and_limited_at_both_ends(one):
    about = {entry.name: entry for entry in settings() if entry.group == "variation"}
    for s in one.settings:
        assert about[s.name].about and about[s.name].range == s.limit
        assert s.name in (Variation.__doc__ or "")
        if isinstance(s.default, float):
            least, _, most = s.limit.split()[:3]
            assert s.fits(float(least)) and s.fits(0.0) and s.fits(float(most))
            for wrong in (float(least) * 1.001 - 1e-9, float(most) * 1.001):
                sentence = rf"^{s.name} = .* is out of range: {least} to"
                with pytest.raises(SettingsError, match=sentence):
                    Variation(**{s.name: wrong})


def test_counts_come_in_the_order_in_which_imperfections_act():
    assert [*chip(Variation())["counts"]] == [
        "clipped_cells", "clipped_diodes", "stuck_cells", "dead_diodes", "open_lines",
        "dead_amplifiers", "trim_saturated",
    ]  # fmt: skip
    assert Counter(one.acts for one in acting())["broken"] == 4


# ---- what is refused


def test_what_an_imperfection_does_not_own_it_cannot_draw_or_count(shorted):
    def steal(stage, draw):
        return replace(stage, g=stage.g + draw.normal("cell", stage.g.shape, 1.0))

    def miscount(stage, draw):
        draw.count("stuck_cells", 1)
        return stage

    own: dict[str, Any] = {"settings": (upto(1.0, "theft", "A share."),), "streams": ("own",)}
    for draw, sentence in (
        (
            steal,
            "^imperfection 'thief' draws from stream 'cell', which is not its own: it has own$",
        ),
        (
            miscount,
            "^imperfection 'thief' counts 'stuck_cells', which is not its own: it has none$",
        ),
    ):
        thief = register(Imperfection(name="thief", draw=draw, **own))
        try:
            with pytest.raises(SettingsError, match=sentence):
                chip(Variation(theft=0.5))
        finally:
            unregister(thief)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"draw": None}, "^imperfection 'shorted cells' lacks draw$"),
        ({"settings": ()}, "^imperfection 'shorted cells' lacks settings$"),
        (
            {"settings": (upto(1.0, "shorted_cells", ""),)},
            "^imperfection 'shorted cells' lacks the documentation of 'shorted_cells'$",
        ),
        ({"counts": {"shorts": ""}}, "lacks the words of count 'shorts'$"),
        ({"acts": "later"}, "acts 'later': it must be one of made, broken, trimmed, aged, read$"),
        ({"name": "diodes"}, "name 'diodes' is that of imperfection 'diodes' already"),
        (
            {"settings": (upto(1.0, "sigma_g", "A share."),)},
            "setting 'sigma_g' is that of imperfection 'programming' already: choose another$",
        ),
        (
            {"settings": (upto(1.0, "levels", "A share."),)},
            "setting 'levels' is that of the hardware or conditions already",
        ),
        ({"counts": {"stuck_cells": "x"}}, "count 'stuck_cells' is that of imperfection 'stuck ce"),
        (
            {"streams": {"short": 29}},
            "numbers its streams below 65536, which are those that come with the package",
        ),
    ],
)
def test_a_declaration_that_lacks_a_part_or_takes_anothers_is_refused(change, sentence):
    before = Variation.declared
    with pytest.raises(SettingsError, match=sentence):
        register(replace(SHORTED, **change))
    assert Variation.declared == before


def test_two_with_one_stream_are_refused():
    twin = Imperfection(
        name="twin", settings=(upto(1.0, "twin", "A share."),), draw=short, streams={"own": 0}
    )
    with pytest.raises(
        SettingsError, match="stream number 0 is that of imperfection 'programming'"
    ):
        check((*BUILT_IN, twin))
    with pytest.raises(SettingsError, match=r"^imperfection 'diodes' was not registered$"):
        unregister(BUILT_IN[8])


# ---- one from outside


def test_one_from_outside_is_known_wherever_the_others_are(shorted):
    assert "shorted_cells" in [field.name for field in fields(Variation)]
    variation = load_settings("nominal", ["shorted_cells=5%"])[1]
    assert variation == Variation(shorted_cells=0.05) != Variation()
    assert repr(variation) == "Variation(shorted_cells=0.05)"
    with pytest.raises(SettingsError, match=r"^shorted_cells = 2.0 is out of range: 0 to 1$"):
        Variation(shorted_cells=2.0)
    (entry,) = [entry for entry in settings() if entry.name == "shorted_cells"]
    assert entry.about == "Share of cells that a short bridges."
    rates = [c for c in fault_cells([], "nominal", Hardware()) if c.labels["fault"] == entry.name]
    assert len(rates) == 6 and drawn_faults(rates[0].variation) == {entry.name}
    made = chip(variation)
    assert made["counts"]["shorted_cells"] > 0
    assert made["sha256"] != chip(Variation())["sha256"]


def test_a_study_prints_and_keeps_its_counts(shorted, tmp_path):
    write_build(random_spec(1, squash="clamp"), Hardware(), tmp_path / "net.build")
    random_npz(tmp_path / "data.npz")
    given = ["montecarlo", tmp_path / "net.build", "--dataset", tmp_path / "data.npz"]
    given += ["--samples", 3, "--judge", "none", "--preset", "nominal", "--set"]
    text = done(*given, "shorted_cells=0.1", "--out", tmp_path / "run")
    assert re.search(
        r"^note: a chip has \d+(\.\d+)? cells shorted in the mean$", text, re.MULTILINE
    )
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["shorted_cells_mean"] > 0
    assert result["settings"]["variation"]["shorted_cells"] == 0.1
    assert "shorted_cells" in (tmp_path / "run" / "chips.csv").read_text().splitlines()[0]
    assert "shorted_cells" in done("doctor", "--settings")


def test_studies_without_it_are_what_they_were():
    plain = Variation(sigma_g=0.05)
    (before,) = montecarlo_points(Hardware(), plain, Conditions(), 1)
    document, key, drawn = before.document(), before.key, chip(plain)["sha256"]
    register(SHORTED)
    try:
        (after,) = montecarlo_points(Hardware(), Variation(sigma_g=0.05), Conditions(), 1)
        assert after.document() == document and after.key == key
        assert plain == after.variation and hash(plain) == hash(after.variation)
        assert chip(plain)["sha256"] == drawn
        kept = pickle.dumps(Variation(shorted_cells=0.1))
        assert pickle.loads(kept) == Variation(shorted_cells=0.1)
    finally:
        unregister(SHORTED)
    with pytest.raises(SettingsError, match=r"^variation: unknown setting 'shorted_cells'"):
        pickle.loads(kept)
    assert "shorted_cells" not in asdict(plain)
