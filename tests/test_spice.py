"""The emitted text: golden decks, the same bytes every time, numbers that read back exactly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogkan.compiler import spice, spice_cells
from analogkan.compiler.build import write_build
from analogkan.compiler.circuit_files import write_deck
from analogkan.compiler.hardware import Hardware
from analogkan.devices import resolve
from analogkan.files import write_text

from .chips import chip
from .networks import random_spec

GOLDEN = Path(__file__).parents[1] / "netlists" / "golden"
NETS = {
    "plain": ((3, 2, 2), {"curves": resolve("A21")}, Hardware()),
    "clamp": (
        (4, 3, 2),
        {"curves": resolve("A21,Z21"), "squash": "clamp", "norm": "batch"},
        Hardware(opamp="ideal", tile_rows=4, tile_cols=4, levels=32),
    ),
    "sigmoid": (
        (3, 3, 2),
        {"curves": resolve("Z21"), "squash": "sigmoid", "norm": "layer"},
        Hardware(opamp="rails"),
    ),
    "tanh": (
        (3, 2, 2),
        {"curves": resolve("Z21"), "squash": "tanh"},
        Hardware(r_driver=100.0, r_wire=2.0, tile_rows=4),
    ),
    "summing": ((3, 2, 2), {"curves": resolve("A21")}, Hardware(readout="summing", opamp="rails")),
    "layernorm": (
        (3, 3, 2),
        {"curves": resolve("A21"), "norm": "layer"},
        Hardware(r_wire=2.0, r_driver=100.0, wires="explicit", tile_cols=2, diode_law="smear"),
    ),
}


def golden_spec(name):
    sizes, options, _ = NETS[name]
    spec = random_spec(11, sizes, **options)
    object.__setattr__(spec, "name", name)
    return spec


@pytest.mark.parametrize("name", NETS)
def test_decks_equal_the_golden_ones(name, tmp_path, request):
    build = write_build(golden_spec(name), NETS[name][2], tmp_path / name)
    for file in build.one_deck().deck_files():
        hold_golden(build.folder / file, GOLDEN / name / file, request)


def hold_golden(path, golden, request):
    """Hold a file against the golden one, which ``--update-golden`` writes from it."""
    text = path.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert text == golden.read_text(encoding="utf-8"), f"{path.name} differs from {golden}"


def test_a_chips_deck_and_its_sweep_equal_the_golden_ones(tmp_path, request):
    made = chip(golden_spec("plain"))
    write_deck(made, tmp_path, 85.0)
    volts = np.linspace(0, 0.6, 9).reshape(3, 3)
    noise = [1e-9 * np.arange(3.0 * stage.r_c.size).reshape(3, -1) for stage in made.stages]
    text = spice.write_batch(
        made, volts, ["l0_y0", "logit_1"], descending=True, temp_c=85.0, noise=noise
    )
    write_text(tmp_path / "images.cir", text)
    for path in sorted(tmp_path.iterdir()):
        hold_golden(path, GOLDEN / "chip" / path.name, request)


def test_held_decks_equal_the_golden_ones(tmp_path, request):
    """Two circuits share the outputs of a layer, a third follows."""
    spec = golden_spec("clamp")
    object.__setattr__(spec, "name", "held")
    build = write_build(spec, Hardware(), tmp_path / "held", most=40)
    found = sorted(build.folder.glob("*/*.cir"))
    assert len({path.parent for path in found}) == 3
    for path in found:
        hold_golden(path, GOLDEN / "held" / path.relative_to(build.folder), request)


def test_another_process_emits_the_same_bytes(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.test_spice import NETS, golden_spec\n"
        "from analogkan.compiler.build import write_build\n"
        "write_build(golden_spec('clamp'), NETS['clamp'][2], Path(sys.argv[1]))\n"
    )
    folders = [tmp_path / "here", tmp_path / "there"]
    write_build(golden_spec("clamp"), NETS["clamp"][2], folders[0])
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", program, str(folders[1])], cwd=root, check=True)
    names = sorted(p.name for p in folders[0].iterdir())
    assert names == sorted(p.name for p in folders[1].iterdir())
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_exactly(x):
    assert float(spice_cells.format_number(np.float64(x))) == x


@pytest.mark.parametrize("x", [float("nan"), float("inf")])
def test_no_number_means_no_netlist(x):
    with pytest.raises(ValueError, match="cannot stand in a netlist"):
        spice_cells.format_number(x)


def test_a_comment_cannot_become_a_command():
    text = spice_cells.format_comment("evil\n.control\nshell rm\n.endc \r\x00 .end")
    assert all(line.startswith("*") for line in text.splitlines())


def test_every_line_of_a_deck_is_short_enough_to_read():
    for path in GOLDEN.rglob("*.cir"):
        longest = max(path.read_text(encoding="utf-8").splitlines(), key=len)
        assert len(longest) <= 400, path


def test_a_sweep_of_one_point_is_refused():
    build_spec = golden_spec("plain")
    from analogkan.compiler.design import build_design

    with pytest.raises(ValueError, match="a sweep needs two points"):
        spice.write_batch(build_design(build_spec, Hardware()), np.zeros((1, 3)), [])
