"""Analyses: one in a file of its own is known everywhere; axes of time and frequency; bad ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import analogkan as ak
from analogkan.compiler import names, spice
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.analysis import INDEX_SWEEP, Analysis, Asked
from analogkan.engines.batch import BatchEngine
from analogkan.engines.chunked import BatchOptions, Chunk
from analogkan.engines.ngspice import Runner
from analogkan.errors import NetlistError, SettingsError, SimulationError, StudyError
from analogkan.studies.analyses import ANALYSES, kept_analyses

from .networks import random_checkpoint, random_images, random_npz, random_spec
from .outside.currents import CURRENTS
from .test_cli import cli, done


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    ANALYSES.add(CURRENTS)
    yield
    ANALYSES.remove(CURRENTS)


@pytest.fixture(scope="module")
def build(ngspice, tmp_path_factory) -> ak.Build:
    folder = tmp_path_factory.mktemp("analyses")
    return write_build(random_spec(4, (5, 4, 3)), Hardware(), folder / "net.build")


@pytest.fixture
def home(ngspice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random_checkpoint(tmp_path / "model.pt")
    random_npz(tmp_path / "data.npz")
    done("compile", "model.pt")


def test_an_analysis_from_a_file_is_what_the_circuits_sources_deliver(build):
    images = random_images(2, 4, 5)
    found = ak.analyse(build, images[2], "currents")
    stage = build.design.stages[0]
    volts = build.spec.dac_volts(images[2].x)[0]
    currents = found.table()
    diodes = sum(np.interp(volts, curve.v, curve.i) for curve in stage.curves)
    np.testing.assert_allclose(currents["volts"][:5], volts, rtol=1e-12)
    # an input feeds its diodes alone, whose other ends are virtual grounds
    np.testing.assert_allclose(currents["amperes"][:5], diodes, rtol=1e-3, atol=1e-12)
    assert repr(found).startswith("Currents image ")
    assert found.plot() is not None


def test_it_is_asked_for_on_the_command_line_kept_and_shown(home, tmp_path, monkeypatch):
    line = ("simulate", "model.build", "--dataset", "data.npz")
    done(*line, "--out", "run")
    asked = (*line, "--analysis", "currents", "--image", "3", "--out", "run")
    assert re.search(r"together [\d.e+-]+ uW", done(*asked))
    document = json.loads(done(*asked, "--json"))
    kept = tmp_path / "run" / "currents-3"
    assert document == json.loads((kept / "currents.json").read_text())
    assert document["image"] == 3
    assert sorted(path.name for path in kept.iterdir()) == ["currents.json", "currents.npz"]
    done(*line, "--trace", "1", "--out", "run")
    found = kept_analyses(tmp_path / "run")
    assert [type(one).__name__ for one in found] == ["Currents", "Tracing"]
    done(*line, "--out", "run")  # what analyses keep is not in a simulation's way
    done("report", "run", "-o", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "What sources deliver" in page
    assert "One image, stage by stage" in page
    monkeypatch.setenv("COLUMNS", "79")  # kept help does not know what this process has loaded
    told = " ".join(done("simulate", "--help").split())
    assert "currents, what sources deliver" in told
    other = done(*asked[:-3], "1", "--out", "run", "--json")
    whole = (kept / "currents.json").read_text()
    (kept / "currents.json").write_text(other)  # of another image
    sentence = r"currents-3/currents.npz is not the one that currents.json beside it is about: its"
    with pytest.raises(StudyError, match=sentence):
        kept_analyses(tmp_path / "run")
    (kept / "currents.json").write_text(whole.replace('"image": 3', '"image": 4'))
    sentence = r"currents-3/currents.json is not what its command wrote: given again, the command"
    with pytest.raises(StudyError, match=sentence):
        kept_analyses(tmp_path / "run")


def test_trace_and_analysis_trace_are_the_same(home):
    line = ("simulate", "model.build", "--dataset", "data.npz", "--json")
    assert done(*line, "--trace", "2") == done(*line, "--analysis", "trace", "--image", "2")


def test_what_is_of_one_deck_refuses_several(ngspice, tmp_path):
    held = write_build(random_spec(4, (5, 4, 3)), Hardware(), tmp_path / "net.build", most=60)
    with pytest.raises(NetlistError, match="and one deck is needed here"):
        ak.analyse(held, random_images(2, 4, 5)[0], "currents")
    assert ak.analyse(held, random_images(2, 4, 5)[0], "trace").summary["stages"]


def settling(asked: Asked) -> str:
    drive = spice.format_inputs(asked.design, asked.volts[0])
    drive[0] = drive[0].replace(" dc ", " pwl(0 0 1u ") + ")"
    run = ["tran", "0.2u", "4u"]
    return spice.write_run(asked.design, "a step", drive, run, asked.probes)


TRANSIENT = Analysis(
    name="settling",
    about="logits over time",
    write=settling,
    points=lambda asked: None,
    axis="time",
    read=lambda asked, found: np.stack([found[x] for x in ["time", *asked.vectors]], axis=1),
)


def test_an_analysis_may_be_over_time(build, ngspice, tmp_path):
    points = build.spec.dac_volts(random_images(2, 2, 5).x)[:1]
    probes = names.logits(build.design)
    chunk = [Chunk(0, 0, 1)]
    with BatchEngine(build.one_deck(), Runner(ngspice), tmp_path, analysis=TRANSIENT) as engine:
        (found,) = engine.run(points, chunk, probes, BatchOptions())
    with BatchEngine(build.one_deck(), Runner(ngspice), tmp_path) as engine:
        (still,) = engine.run(points, chunk, probes, BatchOptions())
    assert found.values is not None and still.values is not None
    assert (np.diff(found.values[:, 0]) > 0).all() and found.values[-1, 0] == pytest.approx(4e-6)
    np.testing.assert_allclose(found.values[-1, 1:], still.values[0], rtol=1e-4, atol=1e-6)


FILTER = "* t\nv1 a 0 dc 1 ac 1\nr1 a b 1k\nc1 b 0 1u\n{save}\n{run}\n.end\n"


def test_results_may_be_complex_and_over_frequency(ngspice, tmp_path):
    deck = tmp_path / "filter.cir"
    deck.write_text(FILTER.format(save=".save v(b)", run=".ac dec 5 1 1k"))
    Runner(ngspice).run(deck, tmp_path / "f.raw", timeout=20)
    found = read_raw(tmp_path / "f.raw", points=None)
    w = 2 * np.pi * np.real(found["frequency"]) * 1e-3
    np.testing.assert_allclose(found["v(b)"], 1 / (1 + 1j * w), rtol=1e-6)


def test_a_result_file_may_hold_two_plots(ngspice, tmp_path):
    deck = tmp_path / "noise.cir"
    deck.write_text(FILTER.format(save="", run=".noise v(b) v1 dec 5 1 1k"))
    Runner(ngspice).run(deck, tmp_path / "n.raw", timeout=20)
    found = read_raw(tmp_path / "n.raw", points=None)
    spectra = {name: values for name, values in found.items() if "spectrum" in name}
    assert spectra and all(values.shape == found["frequency"].shape for values in spectra.values())
    totals = [values for name, values in found.items() if "total" in name]
    assert totals and all(values.shape == (1,) for values in totals)


def test_two_plots_of_one_vector_are_refused(ngspice, tmp_path):
    deck = tmp_path / "op.cir"
    deck.write_text(FILTER.format(save=".save v(b)", run=".op"))
    Runner(ngspice).run(deck, tmp_path / "o.raw", timeout=20)
    raw = tmp_path / "o.raw"
    raw.write_bytes(2 * raw.read_bytes())
    with pytest.raises(SimulationError, match=r"^ngspice delivered v\(b\) in two plots$"):
        read_raw(raw, points=None)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "there is an analysis 'currents' already: give yours another name"),
        ({"name": "x", "about": ""}, "analysis 'x' lacks about"),
        ({"name": "x", "summarise": None, "result": None}, "analysis 'x' lacks summarise, result"),
        ({"name": "x", "read": INDEX_SWEEP.read}, "analysis 'x' lacks one of write, axis and "
         "read, which go together"),
    ],
)  # fmt: skip
def test_an_analysis_that_is_not_whole_is_refused(change, sentence):
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}$"):
        ANALYSES.add(replace(CURRENTS, **change))


def test_an_analysis_that_is_not_there_is_refused(home, build):
    with pytest.raises(
        SettingsError, match=r"^there is no analysis 'heat': known are trace, .*currents$"
    ):
        ak.analyse(build, random_images(2, 4, 5)[0], "heat")
    line = ("simulate", "model.build", "--dataset", "data.npz")
    together = "--analysis NAME and --image K go together"
    for options, sentence in {
        ("--analysis", "heat", "--image", "1"): "'heat' is not one of 'trace', ",
        ("--analysis", "trace"): together,
        ("--image", "3"): together,
        ("--trace", "1", "--image", "1"): "--trace K is --analysis trace --image K: give one of",
        ("--analysis", "trace", "--image", "1", "--session"): "--analysis runs one image in the",
    }.items():
        result = cli(*line, *options)
        assert result.exit_code == 2
        assert sentence in " ".join(result.stderr.split())
