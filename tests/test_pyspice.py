"""to_pyspice: the same circuit, as elements that PySpice's users can go on with."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit, SubCircuit

from analogkan.compiler.build import write_build
from analogkan.compiler.counts import element_counts
from analogkan.compiler.design import Design
from analogkan.compiler.hardware import Hardware
from analogkan.engines import pyspice
from analogkan.engines.pyspice import to_pyspice
from analogkan.errors import NetlistError

from .networks import random_inputs, random_spec

HARDWARE = Hardware(tile_rows=8, tile_cols=4)
OWN = """
import sys
import numpy as np
from analogkan.compiler.design import load_design
from analogkan.engines.pyspice import to_pyspice
design = load_design(__import__("pathlib").Path(sys.argv[1]))
analysis = to_pyspice(design, np.array(eval(sys.argv[2]))).simulator().operating_point()
print([float(analysis.nodes[f"logit_{k}"][0]) for k in range(3)])
"""


@pytest.fixture(params=["none-none", "clamp-batch", "tanh-layer"])
def build(request, tmp_path):
    squash, norm = request.param.split("-")
    spec = random_spec(4, (5, 6, 4, 3), squash=squash, norm=norm)
    return write_build(spec, HARDWARE, tmp_path / "net.build")


@pytest.fixture
def volts(build) -> np.ndarray:
    return build.spec.dac_volts(random_inputs(8, 1, 5))[0]


def solve(session, deck: Circuit) -> np.ndarray:
    """Logits (3,)."""
    vectors = session.run(deck, ".op")
    return np.array([vectors[f"v(logit_{k})"][0] for k in range(3)])


def deck_logits(session, build, volts) -> np.ndarray:
    """Logits (3,) of the deck's own text."""
    from analogkan.compiler import spice, spice_cells

    design: Design = build.design
    parts = [spice_cells.write_cells(design), *spice.format_options(design)]
    parts += [spice.write_layer(design, k) for k in range(len(design.stages))]
    parts += [spice.write_stimulus(design, volts), *spice.format_read_out(design)]
    vectors = session.run("\n".join(["* t", *parts]), ".op")
    return np.array([vectors[f"v(logit_{k})"][0] for k in range(3)])


def test_the_circuit_has_the_decks_elements(build):
    made = to_pyspice(build.design)
    counts = element_counts(build.design)
    tiles = list(made.subcircuits)
    assert all(isinstance(tile, SubCircuit) for tile in tiles)
    assert len(tiles) == counts["tiles"]
    resistors = [e for tile in tiles for e in tile.elements]
    assert len(resistors) == counts["crossbar_resistors"]
    ohms = {float(e.resistance) for e in resistors}
    assert ohms == {1 / g for stage in build.design.stages for g in stage.g.ravel()}
    names = list(made.element_names)
    assert sum(name.endswith("_diode") for name in names) == counts["diodes"]
    assert [n for n in names if n.startswith("E")] == [f"E_logit_{k}" for k in range(3)]
    assert [n for n in names if n.startswith("V_l0_v")] == [f"V_l0_v{k}" for k in range(5)]


def test_it_answers_as_the_deck_does(session, build, volts):
    got = solve(session, to_pyspice(build.design, volts))
    # The order of elements is another, and so are the last bits of what Newton's method stops at.
    np.testing.assert_allclose(got, deck_logits(session, build, volts), rtol=1e-9, atol=1e-12)
    wanted = build.spec.forward_volts(volts[None])[0]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.parametrize("how", ["reduced", "explicit"])
def test_it_drifts_as_the_deck_does(session, volts, how, tmp_path):
    """With chips' errors, wires and models of resistors: at 85 degC the twin's answer."""
    from analogkan.engines.chip_engines import TwinEngine

    from .chips import EVERYTHING, OLD, chip

    given = {"r_wire": 2.0, "r_driver": 30.0, "wires": how, "wire_tc1": 1e-3}
    design = chip(random_spec(3, (5, 4, 3)), replace(EVERYTHING, read_noise=0.0), OLD, **given)
    made = to_pyspice(design, volts, 85.0)
    hot = TwinEngine().logits(design, volts[None], np.arange(1), 85.0)[0]
    np.testing.assert_allclose(solve(session, made), hot, rtol=0, atol=1e-7 * np.abs(hot).max())


def test_its_inputs_can_be_set_and_its_elements_changed(session, build, volts):
    made = to_pyspice(build.design)
    dark = solve(session, made)
    for k, v in enumerate(volts):
        made[f"V_l0_v{k}"].dc_value = v
    lit = solve(session, made)
    assert np.array_equal(lit, solve(session, to_pyspice(build.design, volts)))
    assert np.abs(lit - dark).max() > 1e-3
    made.R("load", "logit_0", made.gnd, 1e3)
    made["E_logit_1"].voltage_gain = 2 * float(made["E_logit_1"].voltage_gain)
    np.testing.assert_allclose(solve(session, made), lit * [1, 2, 1], rtol=1e-9)


def test_pyspices_own_simulator_agrees(session, build, volts):
    """In a process of its own: PySpice loads ngspice into the one that asks."""
    command = [sys.executable, "-c", OWN, str(build.folder / "design.npz"), repr(volts.tolist())]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    got = np.array(eval(done.stdout))
    np.testing.assert_allclose(got, deck_logits(session, build, volts), rtol=0, atol=1e-9)


def test_the_options_are_the_decks(build):
    text = str(to_pyspice(build.design))
    assert ".option temp=26.85 tnom=26.85\n" in text
    solver = build.summary["solver_options"]
    assert solver.startswith("reltol=1e-6 vntol=1e-9 abstol=1e-15")
    assert f".option {solver}\n" in text


def test_a_name_cannot_add_lines(build):
    from dataclasses import replace

    named = replace(build.design, name="x\n.control\nshell ls\n.endc\n" * 9)
    lines = str(to_pyspice(named)).splitlines()
    assert lines[0].startswith(".title analogkan: x .control shell ls .endc")
    assert sum(".control" in line for line in lines) == 1


def test_a_line_that_the_compiler_does_not_write_is_refused():
    with pytest.raises(NetlistError, match=r"^c_1 is no element that to_pyspice knows$"):
        pyspice._add(Circuit("t"), "c_1 a 0 1n\n")


@pytest.mark.parametrize(
    ("volts", "sentence"),
    [
        (np.zeros(2), "volts has shape (2,); this network takes (5,)"),
        (np.zeros((5, 5)), "volts has shape (5, 5); this network takes (5,)"),
        (np.array([0, 0, np.nan, 0, np.inf]), "volts[2] = nan is not finite"),
    ],
)
def test_voltages_that_do_not_fit_are_refused(build, volts, sentence):
    with pytest.raises(NetlistError, match=f"^{re.escape(sentence)}$"):
        to_pyspice(build.design, volts)
