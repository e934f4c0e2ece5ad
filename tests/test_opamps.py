"""Op-amps, the built-in ones and such as a user declares: with a gain, or black boxes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan import cells
from analogkan.cells import INPUT, SUPPLY, OpAmpKind, Param, Pin
from analogkan.cli import main
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.design import build_design
from analogkan.compiler.forecast import expected_cost
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.spice_cells import write_cells
from analogkan.compiler.verify import verify_build
from analogkan.engines.chip_engines import NgspiceEngine
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import prepared
from analogkan.errors import CompileError, NetlistError, SettingsError, SimulationError
from analogkan.imperfections import Conditions, Variation
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.simulate import simulate
from analogkan.studies.sweep import sweep
from analogkan.studies.thermal import thermal

from .benches import CELLS, bench, solve
from .chips import chip
from .networks import random_checkpoint, random_images, random_npz, random_spec
from .outside import cascade, miller

SPEC = random_spec(3, (4, 3, 3))
NAMED = "the op-amp miller is a black box, whose gain the twin, trim, calibration and read noise"
KNOWN = [kind for kind in cells.known() if isinstance(kind, OpAmpKind)]
CLOSED = [kind for kind in (*KNOWN, cascade.KIND, miller.KIND) if kind.gain is not None]


@pytest.fixture(autouse=True)
def declared(own_plugins):
    """Two op-amps from outside, one of known gain and one of transistors."""
    cells.register(cascade.KIND)
    cells.register(miller.KIND)


@pytest.fixture
def images():
    return random_images(2, 12, 4)


@pytest.mark.parametrize("kind", CLOSED, ids=lambda kind: kind.name)
def test_the_gain_of_an_opamp_is_the_cells(session, kind):
    gain = kind.gain(Hardware(opamp_gain=1e4))
    assert kind.boxed or kind in KNOWN
    follower = bench()
    if kind.path not in CELLS:
        follower.include(kind.path)
    given = {"gain": gain} if kind.takes("gain") else {}
    follower.X("1", kind.name, *({"inp": "in"}.get(pin.name, "out") for pin in kind.pins), **given)
    follower.V("1", "in", 0, 0.5)
    (out,) = solve(session, follower, "out")
    assert out == pytest.approx(0.5 * gain / (1 + gain), rel=1e-9)


@pytest.mark.parametrize("value", cells.opamps())
def test_each_value_of_opamp_compiles_to_the_network(value, tmp_path):
    build = write_build(SPEC, Hardware(opamp=value), tmp_path / "net.build")
    found = verify_build(build)
    assert (found.findings, found.notes) == ([], [])
    railed = value == build.hardware.amplifier.railed
    assert bool(build.summary["elements"]["limiters"]) == railed == build.hardware.rails


def test_an_opamp_from_outside_with_a_gain_is_the_twin_on_chips_too(ngspice, images, tmp_path):
    build = write_build(SPEC, Hardware(opamp="cascade", opamp_gain=2e3), tmp_path / "net.build")
    assert verify_build(build).notes == ["op-amp cascade is a black box: its gain is not checked"]
    result = simulate(build, images, run=tmp_path / "run")
    assert result.summary["judge"]["passed"] is True
    made = chip(SPEC, opamp="cascade", opamp_gain=2e3)
    volts = SPEC.dac_volts(images.x)
    circuit = NgspiceEngine(ngspice, tmp_path).logits(made, volts, images.index, 61.0)
    twin = Twin([made], 61.0).answers(prepared(volts), images.index, 100)[0]
    np.testing.assert_allclose(circuit, twin, rtol=0, atol=1e-6 * np.abs(twin).max())


@pytest.mark.parametrize(
    ("squash", "norm", "within"),
    [("none", "none", 3e-4), ("sigmoid", "none", 1e-3), ("clamp", "layer", 1e-3)],
)
def test_an_opamp_of_transistors_gives_the_networks_logits(
    squash, norm, within, ngspice, images, tmp_path
):
    spec = random_spec(3, (4, 3, 3), squash=squash, norm=norm)
    build = write_build(spec, Hardware(opamp="miller"), tmp_path / "net.build")
    found = verify_build(build)
    assert (found.findings, found.facts["op_amps"]) == ([], 32)
    assert found.notes == ["op-amp miller is a black box: its gain is not checked"]
    assert build.design.notes[0] == (
        "op-amp miller is a black box: rows' capacitors are sized for gbw = 1e+07 Hz as it is set"
    )
    result = simulate(build, images, run=tmp_path / "run")
    assert result.circuit is not None and result.software is not None
    scale = result.summary["logit_full_scale"]
    np.testing.assert_allclose(result.circuit, result.software, rtol=0, atol=within * scale)
    assert np.abs(result.circuit - result.software).max() > 1e-6 * scale  # it is no ideal one
    verdict = result.summary["judge"]
    assert verdict["passed"] is None and NAMED in verdict["why_not"]


@pytest.mark.campaign
def test_mnist_d2_with_opamps_of_transistors(ngspice, tmp_path):
    build = ak.compile("mnist-d2", tmp_path, hardware={"opamp": "miller", "g_max": 5e-6})
    result = ak.simulate(build, ak.load_bundled()[:6], out=tmp_path / "run", progress=False)
    assert result.circuit is not None and result.software is not None
    error = np.abs(result.circuit - result.software).max() / result.summary["logit_full_scale"]
    assert error < 1e-3


@pytest.mark.parametrize(
    ("opamp", "pattern", "with_", "sentence"),
    [
        ("miller", "W=800u", "W=80u", "cell miller is not the library's: '+ W=80u L=1u' inst"),
        ("miller", "; the reference", "", "cell miller is not the library's: '  r1 bias vss 20k"),
        ("miller", "nmos(level=1", "nmos(level=2", "cell miller is not the library's"),
        ("miller", "x1 inp inn out vdd vss", "x1 inn inp out vdd vss", "opamp is not one of the"),
        ("miller", "x1 inp inn out vdd vss", "x1 inp inn out vss vdd", "opamp is not one of the"),
        ("miller", "vdd 0 dc 2.5", "vdd 0 dc 2.4", "supply vdd is at 2.4 V, not at 2.5"),
        ("miller", ".global vdd vss", ".global vss", "source at vdd is no bias row"),
        ("miller", "v_vss vss 0", "* v_vss vss 0", "supply vss is at None V, not at -2.5 V"),
        ("linear", "* opamp: the", ".global other\n*", "supply other is at None V, not known"),
        ("linear", "* opamp: the", ".global inn\n*", "op-amps in the deck"),
        ("cascade", "cascade gain=100000.0", "cascade gain=1e4", "opamp is not one of the"),
        ("linear", "opamp_gain gain=100000.0", "opamp_gain gain=1e4", "has gain 10000 or an off"),
        ("linear", "* opamp: the", ".global vdd\nv_vdd vdd 0 dc 2.5\n*", "supply vdd is at 2.5 V"),
    ],
)
def test_each_change_of_an_opamp_is_found(opamp, pattern, with_, sentence, tmp_path):
    write_build(SPEC, Hardware(opamp=opamp), tmp_path / "net.build")
    path = tmp_path / "net.build" / "cells.cir"
    text = path.read_text(encoding="utf-8")
    assert pattern in text
    path.write_text(text.replace(pattern, with_), encoding="utf-8")
    assert sentence in "\n".join(verify_build(load_build(tmp_path / "net.build")).findings)


def test_an_opamp_without_its_inside_is_found(tmp_path):
    write_build(SPEC, Hardware(opamp="miller"), tmp_path / "net.build")
    path = tmp_path / "net.build" / "cells.cir"
    before, _, rest = path.read_text(encoding="utf-8").partition("vss\n.model\tpch")
    path.write_text(f"{before}vss\n.ends miller{rest.partition('.ends miller')[2]}", "utf-8")
    found = verify_build(load_build(tmp_path / "net.build")).findings
    assert "cell miller is not the library's: more or fewer lines" in found


def test_studies_in_the_twin_refuse_a_black_box_by_its_name(images, tmp_path):
    build = write_build(SPEC, Hardware(opamp="miller"), tmp_path / "net.build")
    for conduct in (
        lambda: montecarlo(build, images, samples=2),
        lambda: thermal(build, images, temps_c=[0.0], samples=1),
        lambda: sweep(build, images, settings=["sigma_g=0,0.1", "opamp=miller"], samples=1),
    ):
        with pytest.raises(SimulationError, match=f"{NAMED} need: let .*--set trim=none"):
            conduct()
    assert not (tmp_path / "net.run").exists()
    with pytest.raises(SimulationError, match=NAMED):
        Twin([build.design])


def test_chips_of_a_black_box_have_offsets_in_ngspice_and_no_gains(ngspice, images, tmp_path):
    build = write_build(SPEC, Hardware(opamp="miller"), tmp_path / "net.build")
    options = StudyOptions(engine="ngspice", run=tmp_path / "run")
    settings = ["trim=none", "read_noise=0", "opamp_gain_sigma=0"]
    found = montecarlo(build, images, samples=2, settings=settings, options=options)
    assert found.summary["judge"]["why_not"] == "2 circuits have no closed form"
    assert [row["status"] for row in found.rows] == ["ok", "ok"]
    made = chip(SPEC, Variation(opamp_gain_sigma=0.1))
    with pytest.raises(
        CompileError,
        match="op-amp miller has no parameter gain, and a chip's op-amps have gains of their own: "
        "set opamp_gain_sigma and dead_amplifiers to 0",
    ):
        write_cells(replace(made, hardware=Hardware(opamp="miller")))
    offsets = Variation(offset_sigma=2e-3, offset_drift_sigma=5e-6)
    volts, run = SPEC.dac_volts(images.x), NgspiceEngine(ngspice, tmp_path)
    nominal, boxed, linear = (
        run.logits(chip(SPEC, variation, Conditions(), opamp=opamp), volts, images.index, 61.0)
        for variation, opamp in (
            (Variation(), "linear"),
            (offsets, "miller"),
            (offsets, "linear"),
        )
    )
    moved = np.abs(linear - nominal).max()
    assert np.abs(boxed - linear).max() < 0.1 * moved


def test_the_command_line_knows_an_opamp_from_outside(tmp_path):
    random_checkpoint(tmp_path / "net.pt")
    run = CliRunner().invoke
    arguments = ["compile", str(tmp_path / "net.pt"), "-o", str(tmp_path / "net.build")]
    printed = run(main, [*arguments, "--set", "opamp=miller"], catch_exceptions=False).output
    assert "note: op-amp miller is a black box: its gain is not checked" in printed
    random_npz(tmp_path / "data.npz")
    study = ["montecarlo", str(tmp_path / "net.build"), "--dataset", str(tmp_path / "data.npz")]
    refused = run(main, study)
    assert refused.exit_code == 1 and NAMED in " ".join(refused.output.split())
    said = run(main, ["doctor", "--settings", "--json"]).output
    own = r"(\w+ or )*"  # netlists' op-amps that other tests have brought stay known
    assert re.search(
        rf"linear or ideal or pole or {own}cascade or miller or rails or pole_ra", said
    )
    with pytest.raises(SettingsError, match="opamp = 'mine' is out of range: linear or ideal or "):
        Hardware(opamp="mine")


PINS = miller.KIND.pins


@pytest.mark.parametrize(
    ("wrong", "text", "sentence"),
    [
        ({"pins": PINS[1:]}, "", "op-amp mine lacks the pin inp: its pins are of inp .input., inn"),
        ({"pins": (*PINS, Pin("vb", SUPPLY))}, "", "op-amp mine has a pin vb: its pins are of "),
        ({"pins": (*PINS[:3], Pin("vdd", INPUT))}, "", "op-amp mine has a pin vdd: its pins are"),
        ({"pins": PINS[:4]}, "r1 vdd vss 1k", "mine.lib uses vss, which is a supply of the whole"),
        ({"params": (Param("gain", "", "1"),)}, "", "mine has a parameter gain, and declares no g"),
        ({"word": "rails"}, "", "there is an op-amp rails already: give yours another value"),
        ({"name": "mine-2"}, "", "cell 'mine-2': a name is of a-z, 0-9 and _"),
        ({}, ".option temp=85", "line 2 of mine.lib is .option, which may act on a whole deck"),
        ({}, ".include other.lib", "line 2 of mine.lib is .include, which may act on a whole"),
        ({}, "*# set temp=85", "line 2 of mine.lib is a hidden command"),
        ({}, "r1 inp out 1k\r", "line 2 of mine.lib ends as Windows ends lines"),
        ({}, ".ends mine\n.model n nmos()", "line 3 of mine.lib stands outside .subckt mine"),
        ({}, ".ends mine\n*\ta tab", "line 3 of mine.lib has a blank at an end, or a tab, outside"),
        ({}, ".ends", "line 2 of mine.lib is not just .ends mine"),
    ],
)
def test_an_opamp_that_no_amplifier_can_use_is_refused(wrong, text, sentence, tmp_path):
    kind = replace(miller.KIND, **{"name": "mine", "lib": tmp_path / "mine.lib", **wrong})
    head = [pin.name for pin in kind.pins]
    head += ["params:", *(f"{p.name}={p.nominal}" for p in kind.params)] if kind.params else []
    lines = [f".subckt {kind.name} {' '.join(head)}", text, f".ends {kind.name}", ""]
    kind.path.write_bytes("\n".join(lines).encode())
    with pytest.raises(CompileError, match=sentence):
        cells.register(kind)


def test_a_file_of_an_opamp_that_cannot_end_is_refused(tmp_path):
    folder = tmp_path / "net.build"
    write_build(SPEC, Hardware(opamp="miller"), folder)
    text = (folder / "cells.cir").read_text(encoding="utf-8")
    (folder / "cells.cir").write_text(text.replace(".ends miller", ".ends"), encoding="utf-8")
    with pytest.raises(NetlistError, match=r"cells.cir: .subckt miller has no end"):
        verify_build(load_build(folder))


def test_the_time_of_a_black_box_is_forecast_by_its_number():
    slow, fast = (build_design(SPEC, Hardware(opamp=value)) for value in ("miller", "linear"))
    seconds = [expected_cost(design)["seconds_per_image"] for design in (slow, fast)]
    assert seconds[0] == pytest.approx(32 * 6e-3, rel=0.05) and seconds[1] < 1e-4
