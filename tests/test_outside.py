"""A cell from outside is as good as a built-in one, and what is wrong with one is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from analogkan import cells
from analogkan.cells import Param, Pin
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build
from analogkan.engines.twin import Twin
from analogkan.errors import CompileError, SimulationError
from analogkan.network.squash import Squash, parse_squash
from analogkan.studies.simulate import simulate

from .networks import random_images, random_spec
from .outside.algebraic import KIND


@pytest.fixture(params=["declared", "black box"])
def kind(request, own_plugins):
    """The cell, with all that can be declared of it or without closed form and transfer."""
    black = {"closed_form": None, "transfer": None} if request.param == "black box" else {}
    cells.register(replace(KIND, **black))
    return cells.squash_kind("algebraic")


def test_a_squash_from_outside_compiles_verifies_and_is_the_twin_in_ngspice(
    kind, ngspice, tmp_path
):
    assert parse_squash("algebraic:0:0.9:2") == Squash(kind="algebraic", v_hi=0.9, slope=2.0)
    spec, images = random_spec(3, (6, 5, 3), squash="algebraic"), random_images(2, 12, 6)
    assert torch.equal(
        spec.layers[1].squash.curve(torch.ones(2).double(), torch),
        torch.from_numpy(spec.layers[1].squash(np.ones(2))),
    )
    build = write_build(spec, Hardware(opamp="ideal"), tmp_path / "net.build")
    assert verify_build(build).findings == []
    assert build.summary["elements"]["squash_cells"] == 5
    result = simulate(build, images, run=tmp_path / "run")
    assert result.software is not None and result.circuit is not None
    scale = result.summary["logit_full_scale"]
    np.testing.assert_allclose(result.circuit, result.software, rtol=0, atol=1e-6 * scale)
    verdict = result.summary["judge"]
    if kind.closed_form:
        assert verdict["passed"] is True
        return
    sentence = "the twin has no closed form of the cell algebraic: let ngspice simulate it"
    assert verdict["passed"] is None and sentence in verdict["why_not"]
    with pytest.raises(SimulationError, match=sentence):
        Twin([build.design]).run(torch.zeros(1, 6, 2, dtype=torch.float64))


@pytest.mark.parametrize("change", ["k=", "lo=", "hi=", "pins", "text"])
def test_each_change_of_a_cell_from_outside_is_found(kind, change, tmp_path):
    folder = tmp_path / "net.build"
    spec = random_spec(3, (6, 5, 3), squash="algebraic")
    write_build(spec, Hardware(), folder)
    path = folder / ("cells.cir" if change == "text" else "layer1.cir")
    text = path.read_text()
    line = next(x for x in text.splitlines() if x.startswith(("x_l1_v2 ", "b1 out 0 v={lo}")))
    start, _, rest = line.partition(change)
    edited = {"text": line.replace("1+", "2+"), "pins": line.replace("l0_y2", "l0_y1")}.get(
        change, f"{start}{change}0.123 {rest.partition(' ')[2]}".strip()
    )
    path.write_text(text.replace(line, edited))
    wanted = {
        "text": "cell algebraic is not the library's",
        "pins": "the algebraic cell of l1_v2 does not follow l0_y2",
    }.get(change, "the algebraic cell of l1_v2 ")
    assert any(wanted in said for said in verify_build(load_build(folder)).findings)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"pins": ()}, "cell algebraic declares no pins"),
        ({"name": "tanh"}, "cell tanh: algebraic.lib has no .subckt tanh"),
        ({"lib": KIND.path.with_name("none.lib")}, "cell algebraic: there is no file .*none.lib"),
        (
            {"pins": (Pin("in", "input"), Pin("o", "output"))},
            "algebraic.lib has the pins in out, its declaration in o",
        ),
        (
            {"params": (Param("k", "1/V", "2"),)},
            "has the parameters k=1 lo=0 hi=1, its declaration k=2",
        ),
    ],
)
def test_a_declaration_that_is_not_its_file_is_refused(wrong, sentence):
    with pytest.raises(CompileError, match=sentence):
        cells.register(replace(KIND, **wrong))


def test_two_cells_of_one_name_are_refused():
    with pytest.raises(CompileError, match="there is a cell clamp already: give yours another"):
        cells.register(cells.squash_kind("clamp"))
