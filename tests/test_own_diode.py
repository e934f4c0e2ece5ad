"""compile --cell diode_NAME=FILE: the model in the deck, on chips, moved, verified; refusals."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan import cells
from analogkan.cli import main
from analogkan.compiler.build import load_build
from analogkan.compiler.spice_cells import write_cells
from analogkan.compiler.verify import verify_build
from analogkan.devices import IVCurve
from analogkan.engines.batch import BatchEngine
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.engines.ngspice import Runner
from analogkan.errors import (
    AnalogKanError,
    CompileError,
    NetlistError,
    SettingsError,
    SimulationError,
)
from analogkan.imperfections.make import perturb
from analogkan.network.spec import NetworkSpec
from analogkan.physics.deck import still_design
from analogkan.studies.bench import Bench

from .chips import EVERYTHING, OLD
from .networks import random_images, random_inputs, random_spec

V = np.array([0.0, 0.1, 0.3, 0.6, 0.9])
AMPERES = np.array([0.0, 1.5e-6, 2e-6, 0.5e-6, 2.5e-6])
D, E = IVCurve("D", V, AMPERES), IVCurve("E", V * 1.1, AMPERES[::-1] + np.arange(5) * 4e-7)


def table_netlist(name: str, curve: IVCurve, scale: str = "") -> str:
    """A model that is a table, whose current may be scaled by an expression."""
    x = [curve.v[0] - 1, *curve.v, curve.v[-1] + 1]
    y = [curve.i[0], *curve.i, curve.i[-1]]
    points = ", ".join(f"{a!r}, {b!r}" for a, b in zip(map(float, x), map(float, y), strict=True))
    return f".subckt {name} c a\nb1 a c i={scale}pwl(v(a,c), {points})\n.ends {name}\n"


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return random_spec(3, curves=(D, E), squash="clamp")


@pytest.fixture(scope="module")
def lib(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "d.lib"
    path.write_text(table_netlist("mine", D), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def build(spec, lib, ngspice, tmp_path_factory):
    out = tmp_path_factory.mktemp("own") / "own.build"
    return ak.compile(spec, out, cell={"diode_D": lib}, progress=False)


@pytest.fixture(scope="module")
def esaki(verilog, ngspice, tmp_path_factory):
    """A BUILD with a compiled model."""
    curve = ak.tabulate("esaki", span=(0, 1), name="esaki", tolerance=1e-3).curve
    net, out = random_spec(4, curves=(curve,), squash="clamp"), tmp_path_factory.mktemp("esaki")
    return ak.compile(net, out / "e.build", cell={"diode_esaki": "esaki"}, progress=False)


@pytest.fixture
def copy(build, tmp_path) -> Path:
    """Its folder, to be edited."""
    return Path(shutil.copytree(build.folder, tmp_path / "copy.build"))


def compiled(spec, tmp_path, text: str, *, device: str = "D", **hardware):
    """``spec`` with the model ``text`` in the place of a device."""
    path = tmp_path / "model.lib"
    path.write_text(text, encoding="utf-8")
    return ak.compile(
        spec, tmp_path / "m.build", cell={f"diode_{device}": path}, progress=False,
        hardware=ak.Hardware(**hardware),
    )  # fmt: skip


# ---- the same curve as a model


def test_a_model_that_is_the_table_is_simulated_as_the_table_is(build):
    cells = (build.folder / "cells.cir").read_text(encoding="utf-8")
    assert ".subckt diode_d a c\nx_model c a mine\n.ends diode_d\n" in cells
    assert ".subckt diode_e a c\ne1 drop 0 c a 1\n" in cells
    assert verify_build(build).ok
    found = ak.simulate(build, random_images(5, 20, 5), progress=False)
    assert found.summary["agreement"] == 1
    assert found.macro_model is not None and found.macro_model["of"] == "the diode d"
    assert max(one["max_share"] for one in found.macro_model["layers"]) < 1e-6
    told = build.summary["diodes"]["D"]
    assert told["differences"]["26.85"]["largest"] < 1e-9 and told["farads"] == 0


@pytest.mark.parametrize("temp_c", [26.85, 85.0])
def test_a_chips_factors_stand_around_the_model(spec, ngspice, temp_c, tmp_path):
    """With everything drawn ngspice is the twin, which knows the table alone; at temperatures that
    both follow."""
    warm = table_netlist("warm", D, "(1-0.001*(temper-26.85))*")
    made = compiled(spec, tmp_path, warm, diode_tc_voltage=0.0)
    chip, _ = perturb(made.design, EVERYTHING, OLD, spec=spec, seed=0, sample=0)
    volts, index = spec.dac_volts(random_inputs(9, 12, 5)), np.arange(12)
    twin = TwinEngine().logits(chip, volts, index, temp_c)
    said = NgspiceEngine(ngspice, tmp_path).logits(chip, volts, index, temp_c)
    np.testing.assert_allclose(said, twin, atol=2e-7 * np.abs(twin).max(), rtol=0)
    still, _ = perturb(made.design, ak.Variation(), OLD, spec=spec, seed=0, sample=0)
    assert np.abs(TwinEngine().logits(still, volts, index, temp_c) - twin).max() > 1e-3


def test_a_device_of_several_temperatures_follows_them_by_itself(spec, ngspice, tmp_path):
    """E stays linear in temperature, the model has its own law, and the device its tables."""
    drift = "(1-0.002*(temper-26.85))*"
    tables = tuple((t, D.i * (1 - 2e-3 * (t - 26.85))) for t in (-40.0, 26.85, 85.0))
    curves = (replace(D, temperatures=tables), E)
    warm = random_spec(3, curves=curves, squash="clamp")
    made = compiled(warm, tmp_path, table_netlist("warm", D, drift))
    assert [made.hardware.law_of(curve) for curve in curves] == ["tables", "linear"]
    volts, index = warm.dac_volts(random_inputs(9, 8, 5)), np.arange(8)
    for temp_c in (-10.0, 60.0):
        twin = TwinEngine().logits(made.design, volts, index, temp_c)
        said = NgspiceEngine(ngspice, tmp_path).logits(made.design, volts, index, temp_c)
        np.testing.assert_allclose(said, twin, atol=2e-7 * np.abs(twin).max(), rtol=0)
    with pytest.raises(SettingsError, match="diode_law = tables holds from -40 to 85 degC"):
        ak.thermal(made, random_images(5, 4, 5), temps=[90], samples=1, progress=False)


# ---- compiled models, and a BUILD that is moved


def test_a_build_with_a_compiled_model_is_moved_and_runs(esaki, ngspice, tmp_path):
    told = esaki.summary["diodes"]["esaki"]
    assert told["differences"]["26.85"]["largest"] < 1.1e-3
    assert told["farads"] == pytest.approx(2.78e-15, rel=0.02)
    moved = tmp_path / "far" / "moved.build"
    shutil.copytree(esaki.folder, moved)
    again = load_build(moved)
    assert verify_build(again).ok
    found = ak.simulate(again, random_images(5, 20, 5), progress=False)
    assert found.summary["agreement"] == 1
    missed = found.macro_model
    assert missed["of"] == "the diode esaki" and missed["agreement"] == 1
    assert 1e-7 < missed["layers"][-1]["max_share"] < 3e-3
    log = Runner(ngspice).run(moved / "network.cir", tmp_path / "by_hand.raw", timeout=60)
    said = [float(x) for x in re.findall(r"v\(logit_\d\) = (\S+)", log)]
    wanted = esaki.summary["image0_software_logits"]
    np.testing.assert_allclose(said, wanted, atol=0.01 * np.abs(wanted).max())


def test_what_a_chunk_needs_is_kept_with_it(esaki, ngspice, tmp_path):
    kept = tmp_path / "kept"
    with (
        BatchEngine(esaki.one_deck(), Runner(ngspice), kept) as engine,
        pytest.raises(SimulationError),
    ):
        engine.answer(esaki.spec.dac_volts(random_inputs(9, 3, 5)), ["no_such_net"])
    files = {path.name for path in (kept / "chunk00000").iterdir()}
    assert {*esaki.hardware.loaded, *esaki.hardware.own_files} < files


def test_pyspice_has_no_files_beside_a_circuit(esaki):
    with pytest.raises(NetlistError, match=r"net4 has compiled models, which are files beside a d"):
        ak.to_pyspice(esaki.design)


def test_power_settling_and_noise_are_the_tables(build, spec, tmp_path):
    plain = ak.compile(spec, tmp_path / "plain.build", progress=False)
    images, found = random_images(5, 3, 5), []
    for one in (build, plain):
        sheet = ak.datasheet(
            one, images, progress=False, judge="none", out=tmp_path / f"{one.folder.name}.run"
        )
        found.append([(row.label, row.value) for row in sheet.headline()])
    assert found[0] == found[1]
    still = still_design(build.design)
    assert not still.hardware.own_diodes and "x_model" not in write_cells(still)


def test_a_worker_elsewhere_knows_the_model(build, monkeypatch):
    body = pickle.dumps(Bench(build, random_images(5, 3, 5), TwinEngine()))
    monkeypatch.setattr(cells, "_diodes", {})
    again = pickle.loads(body)
    assert again.build.hardware.libraries["diode_d"].file == "d.lib"


# ---- verification


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        (
            "cells.cir",
            "x_model c a mine",
            "x_model a c mine",
            "diode_d is not mine of d.lib, 'x_mo",
        ),
        (
            "cells.cir",
            "x_model c a mine",
            "x_model c a other",
            "diode_d is not mine of d.lib, 'x_m",
        ),
        ("network.cir", ".include own_", "* ", "the deck includes cells.cir, layer0.cir"),
    ],
)
def test_an_edited_deck_is_found(copy, file, old, new, why):
    path = copy / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert any(why in said for said in verify_build(load_build(copy)).findings)


def test_something_beside_the_model_is_refused(copy):
    path = copy / "cells.cir"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("x_model c a mine", "x_model c a mine\nr1 a c 1k"))
    with pytest.raises(NetlistError, match="cannot read 'x_model c a mine': no subcircuit 'mine'"):
        verify_build(load_build(copy))


def test_an_edited_model_is_refused(copy):
    (own,) = copy.glob("own_mine_*.cir")
    own.write_text(own.read_text() + "* more\n", encoding="utf-8")
    with pytest.raises(NetlistError, match=r"own_mine_\w+.cir is not what was compiled of d.lib"):
        load_build(copy)


def test_an_edited_compiled_model_is_refused(esaki, tmp_path):
    folder = Path(shutil.copytree(esaki.folder, tmp_path / "e.build"))
    (name,) = esaki.hardware.loaded
    (folder / name).write_bytes((folder / name).read_bytes() + b"0")
    with pytest.raises(NetlistError, match=rf"{name} is not what was compiled of esaki.va"):
        load_build(folder)


def test_models_that_share_a_name_are_refused(spec, tmp_path, lib):
    other = tmp_path / "e.lib"
    other.write_text(table_netlist("mine", E), encoding="utf-8")
    why = "e.lib defines mine, and so does d.lib: rename it there"
    with pytest.raises(NetlistError, match=why):
        ak.compile(
            spec, tmp_path / "x.build", cell={"diode_D": lib, "diode_E": other}, progress=False
        )


def test_models_may_have_the_same_of_a_library(spec, tmp_path, ngspice):
    shared = ".model common r()\n"
    paths = {}
    for device in (D, E):
        paths[f"diode_{device.name}"] = tmp_path / f"{device.name}.lib"
        text = shared + table_netlist(f"own_{device.name.lower()}", device)
        paths[f"diode_{device.name}"].write_text(text, encoding="utf-8")
    made = ak.compile(spec, tmp_path / "x.build", cell=paths, progress=False)
    assert made.verification.ok and len(made.hardware.own_files) == 2


# ---- what does not fit the device


def test_a_model_of_another_curve_is_refused_with_what_makes_a_device_of_it(
    spec, tmp_path, ngspice
):
    other = IVCurve("D", V, AMPERES * np.array([1, 1, 1, 1.8, 1]))
    why = (
        "model.lib at 26.85 degC is not the D that the network was trained with, from whose table "
        "it is at most 16.00 % of the peak at 0.600 V (900 nA, the table has 500 nA), rms "
    )
    with pytest.raises(CompileError, match=re.escape(why)) as found:
        compiled(spec, tmp_path, table_netlist("mine", other))
    told = "`analogkan devices tabulate model.lib --range 0.05:0.9 -o d.toml`, and train with that"
    assert f"5 % is the most: make a device of it, {told}" in str(found.value)
    assert not (tmp_path / "m.build").exists()


def test_voltages_beyond_the_table_count(ngspice, tmp_path):
    """Without a squash hidden nodes leave the table, whose end holds; the model goes on."""
    loose = random_spec(3, curves=(D,))
    beyond = IVCurve("D", np.append(V, 3.0), np.append(AMPERES, 30e-6))
    with pytest.raises(CompileError, match=r"ends at 0 and 0.9 V: a recipe with squash = clamp"):
        compiled(loose, tmp_path, table_netlist("mine", beyond))


STEEP = IVCurve("S", np.array([0, 0.3, 0.31, 0.9]), np.array([0, 2e-6, 1.95e-6, 1e-6]))
"""A model may differ from it by 5 % of the peak, and fall steeply where it falls gently."""


STEEPER = IVCurve("S", np.array([0, 0.3, 0.302, 0.9]), np.array([0, 2e-6, 1.91e-6, 1e-6]))


@pytest.mark.parametrize(
    ("hardware", "why"),
    [
        ({}, "behind model.lib, which falls by 4.5e-05 S, a row amplifier needs .* F not to osci"),
        ({"r_out": 3e4}, "r_out = 30000 ohm times the diodes' falling slopes of 4.5e-05 S"),
        (
            {"opamp_gain": 10},
            r"a row of model.lib, .* several operating points: opamp_gain = 10 is",
        ),
    ],
)
def test_uniqueness_and_stability_are_those_of_the_model(ngspice, tmp_path, hardware, why):
    net = random_spec(3, curves=(STEEP,), squash="clamp")
    with pytest.raises(CompileError, match=f"^layer 0: {why}"):
        compiled(net, tmp_path, table_netlist("mine", STEEPER), device="S", **hardware)


def test_a_place_that_is_no_device_is_refused(spec, lib, ngspice, tmp_path):
    why = "net3 has no device for the cell diode_DD, did you mean diode_D? It has diode_D, diode_E"
    with pytest.raises(SettingsError, match=re.escape(why)):
        ak.compile(spec, tmp_path / "x.build", cell={"diode_DD": lib}, progress=False)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            {"osdi": "m.va"},
            "osdi m.va is what a diode's netlist is of: give one with --cell diode_",
        ),
        ({"cell": {"resistor": "x"}}, "there is no cell 'resistor' to be replaced"),
        ({"hardware": {"own_diodes": "d=nothing"}}, "own_diodes = 'd=nothing' is out of range"),
    ],
)
def test_what_makes_no_sense_is_refused(spec, tmp_path, given, why):
    with pytest.raises(SettingsError, match=re.escape(why)):
        ak.compile(spec, tmp_path / "x.build", progress=False, **given)


def test_another_dialect_is_refused(spec, lib, ngspice, tmp_path):
    with pytest.raises(AnalogKanError, match="has cells of netlists of its own"):
        ak.compile(
            spec, tmp_path / "x.build", cell={"diode_D": lib}, dialect="xyce", progress=False
        )


def test_the_command_says_how_far_the_model_is_from_the_table(
    verilog,
    ngspice,
    tmp_path,
    monkeypatch,
):
    from analogkan.network import checkpoint

    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(
        main, ["devices", "tabulate", "esaki", "--range", "0:1", "-o", "esaki.toml"]
    )
    assert said.exit_code == 0, said.output
    config = ak.TDKANConfig(sizes=(4, 3), curves=ak.devices.resolve("esaki.toml"))
    checkpoint.save(
        ak.TDKAN(config),
        Path("m.pt"),
        encoding=ak.Encoding(x_lo=0, x_hi=1, v_lo=0.0, v_hi=1.0, shape=(4,)),
        name="m",
        dataset="",
        calibration=None,
    )
    said = CliRunner().invoke(main, ["compile", "m.pt", "--cell", "diode_esaki=esaki", "--json"])
    assert said.exit_code == 0, said.output
    notes = json.loads(said.output)["diode_notes"]
    assert notes[0].startswith("esaki is esaki.va: from its table at most 0.45 % of the peak at")
    assert "datasheet --set c_diode=2.83e-15 counts it" in notes[1]
    assert "follows temperature as its model does in ngspice, and by diode_law = linear" in notes[2]
