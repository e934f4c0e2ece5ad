"""The report: what it reads, what it refuses, and that its page stands alone."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image

from analogkan.cli import main
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.errors import StudyError
from analogkan.files import read_npz
from analogkan.report import figures, grids, maps, runs, sections
from analogkan.report.page import MOST_BYTES, write_report
from analogkan.report.svg import inline_svg
from analogkan.studies.evidence import MOST_SHOWN, layer_evidence, telling_images

from .networks import random_npz, random_spec
from .pages import write_result
from .test_cli_errors import refused

PNG = (
    *("iv", "conductances", "ir-drop", "logits", "layers", "confusion", "images"),
    *("histogram", "yield", "histogram-2", "yield-2", "thermal", "budget", "axes-2"),
)


def cli(*args: object) -> str:
    result = CliRunner().invoke(main, [str(a) for a in args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def random_spec_of_home():
    spec = random_spec(1, (16, 6, 3), squash="clamp")
    return replace(spec, encoding=replace(spec.encoding, shape=(4, 4)))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A BUILD, and RUNs of every kind, two of some."""
    folder = tmp_path_factory.mktemp("report")
    made = "analogkan compile net.pt"
    write_build(random_spec_of_home(), Hardware(), folder / "net.build", command=made)
    random_npz(folder / "data.npz", shape=(4, 4))
    given = (folder / "net.build", "--dataset", folder / "data.npz")
    cli("simulate", *given, "--out", folder / "sim")
    study = ("--judge", "none", "--samples", 4)
    cli("montecarlo", *given, "--out", folder / "chips", *study, "--set", "r_wire=5")
    cli("montecarlo", *given, "--out", folder / "more", *study, "--calibrate")
    cli("thermal", *given, "--out", folder / "heat", "--judge", "none", "--temps", "0:60:30")
    cli("sweep", *given, "--out", folder / "budget", *study, "--grid", "budget")
    cli("sweep", *given, "--out", folder / "grid", *study, "--set", "sigma_g=0,0.1")
    return folder


RUNS = ("sim", "chips", "more", "heat", "budget", "grid")


class Page(HTMLParser):
    """Elements of a page: their identifiers, what they load, and what they say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.targets: list[str] = []
        self.headings: list[str] = []
        self.levels: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._heading = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if "id" in found:
            self.ids.append(str(found["id"]))
        if tag in ("script", "img", "link", "iframe", "source"):
            self.loads += [str(found[k]) for k in ("src", "href") if k in found]
        if tag == "a":
            self.targets.append(str(found["href"]).removeprefix("#"))
        self._heading = tag == "h2"
        self.levels += [int(tag[1])] if tag in ("h1", "h2", "h3", "h4") else []
        self.tags.append((tag, found))

    def handle_data(self, data):
        if self._heading:
            self.headings.append(data)
            self._heading = False


def test_a_report_of_everything(ngspice, home, tmp_path):
    out, pictures = tmp_path / "r.html", tmp_path / "figures"
    words = [home / name for name in RUNS]
    found = json.loads(cli("report", *words, "-o", out, "--figures", pictures, "--json"))
    text = out.read_text(encoding="utf-8")
    assert found["bytes"] == len(text.encode()) <= MOST_BYTES
    page = Page(text)
    assert page.headings == [
        "Headline", "Network and circuit", "What was simulated", "Diodes and the voltages in use",
        "Conductances, tile by tile", "IR drop", "Errors, layer by layer",
        "Circuit against software", *page.headings[8:9], "Virtual chips: calibrated",
        "Virtual chips: r_wire = 5.0", "Temperature", "Error budget", "Sweep",
        "What is not modelled",
    ]  # fmt: skip
    assert page.headings[8] in ("Images", "Flipped images")
    assert found["missing"] == ""
    assert sorted(Path(p).stem for p in found["figures"]) == sorted(PNG)
    for path in found["figures"]:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        assert pixels.shape[1] > 800
        assert np.unique(pixels).size > 30, path  # something is drawn
    assert text.count("<svg") >= len(PNG)
    for figure in ("histogram", "histogram-2", "logits", "images"):
        assert f'id="figure-{figure}"' in text
    # It stands alone: nothing is loaded, and every link leads to a place in it.
    assert page.loads == ["data:,"]
    assert set(page.targets) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for command in (
        "simulate", "montecarlo: calibrated", "montecarlo: r_wire = 5.0", "thermal",
        "sweep: error budget", "sweep",
    ):  # fmt: skip
        assert f'<th scope="row" role="rowheader">{command}</th>' in text
    assert f"Shows montecarlo: r_wire = 5.0, RUN {home / 'chips'}." in text
    assert "mean before calibration" in text
    assert "needs 59 chips" in text
    assert "in points of accuracy" in text and " ~</td>" in text
    assert "analogkan compile net.pt\nanalogkan " in text
    assert "preset rram, levels = 32, r_wire = 5.0" in text
    assert "preset rram, levels = 32, calibrated" in text
    assert "of full scale" in text


def test_figures_are_those_of_the_runs(ngspice, home):
    found = runs.read_runs([home / "chips", home / "sim"])
    assert [run.kind for run in found] == ["simulate", "montecarlo"]
    told = {fact.label: fact.value for fact in sections.headline(found)}
    s, c = found[0].summary, found[1].summary
    assert told["software"] == f"{100 * s['software_accuracy']:.2f} %"
    assert told["circuit"] == f"{100 * s['circuit_accuracy']:.2f} %"
    assert told["mean of chips"] == f"{100 * c['accuracy_mean']:.2f} %"
    assert told["yield"] == f"{100 * c['yield']:.1f} %"
    accuracy = [row["accuracy"] for row in found[1].rows]
    assert np.mean(accuracy) == pytest.approx(c["accuracy_mean"], abs=1e-12)
    hardware, variation, conditions = found[1].settings()
    assert (hardware.r_wire, hardware.levels, variation.sigma_g) == (5.0, 32, 0.05)
    assert conditions.temp_c == 26.85


@pytest.mark.parametrize(
    ("run", "gone"),
    [("chips", "settings"), ("chips", "judge"), ("chips", "no_interval"),
     ("heat", "versions"), ("sim", "compiled"), ("sim", "n"), ("grid", "cells"), ("grid", "seed")],
)  # fmt: skip
def test_a_result_that_lacks_something_is_a_sentence(ngspice, home, tmp_path, run, gone):
    shutil.copytree(home / run, tmp_path / run)
    path = tmp_path / run / "result.json"
    result = json.loads(path.read_text())
    del result[gone]
    write_result(path, result)
    words = ("report", tmp_path / run, "--build", home / "net.build", "-o", tmp_path / "r.html")
    kind, text = refused(*words)
    assert kind == "StudyError"
    assert "lacks what a page shows" in text or "is damaged" in text
    assert not (tmp_path / "r.html").exists()


def test_a_sweep_says_what_holds_everywhere(ngspice, home, tmp_path):
    given = (home / "net.build", "--dataset", home / "data.npz", "--judge", "none")
    cli("sweep", *given, "--set", "sigma_g=0,0.1", "--set", "r_wire=5", "--set", "temp_c=80",
        "--samples", 1, "--out", tmp_path / "grid")  # fmt: skip
    write_report([tmp_path / "grid"], tmp_path / "r.html", build=home / "net.build")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Preset nominal, r_wire = 5, temp_c = 80; " in text
    assert ": axes of nominal, 1 chip a point, on data.npz test, all 40." in text


def test_one_page_is_about_one_circuit(ngspice, home, tmp_path):
    shutil.copytree(home / "heat", tmp_path / "heat")
    write_build(random_spec_of_home(), Hardware(levels=16), tmp_path / "anew.build")
    path = tmp_path / "heat" / "result.json"
    result = json.loads(path.read_text()) | {"build": str(tmp_path / "anew.build")}
    write_result(path, result)
    found = write_report([tmp_path / "heat"], tmp_path / "r.html")
    assert found["missing"].endswith("is another circuit now, compiled since the RUNs were made")
    write_result(path, result | {"design": "another"})
    with pytest.raises(StudyError, match=r"are of one network, but of two circuits \("):
        write_report([home / "sim", tmp_path / "heat"], tmp_path / "r.html")
    # A RUN given twice is one.
    twice = write_report([home / "heat", home / "sim" / ".." / "heat"], tmp_path / "r.html")
    assert twice["sections"].count("Temperature") == 1


def test_a_run_is_named_by_what_its_preset_has_otherwise(ngspice, home, tmp_path):
    """Not by what the BUILD has: that one keeps the BUILD's levels is the difference to rram."""
    given = (home / "net.build", "--dataset", home / "data.npz", "--judge", "none", "--samples", 2)
    for name, more in (("kept", ["--set", "levels=0"]), ("rram", [])):
        cli("montecarlo", *given, *more, "--out", tmp_path / name)
    kept, rram = runs.read_runs([tmp_path / "kept", tmp_path / "rram"])
    assert kept.result.drawn_from() == ["preset rram", "levels = 0"]
    assert rram.result.drawn_from() == ["preset rram", "levels = 32"]


def test_the_headline_is_of_the_largest_run_and_says_whose_images(ngspice, home, tmp_path):
    given = (home / "net.build", "--dataset", home / "data.npz", "--judge", "none")
    cli("montecarlo", *given, "--subset", "0:10", "--samples", 2, "--out", tmp_path / "small")
    cli("thermal", *given, "--subset", "0:10", "--temps", "0,50", "--out", tmp_path / "heat")
    found = runs.read_runs([tmp_path / "small", home / "chips", home / "sim"])
    told = {fact.label: (fact.value, fact.note) for fact in sections.headline(found)}
    large = next(run.summary for run in found if run.folder == home / "chips")
    value, note = told["mean of chips"]
    assert value == f"{100 * large['accuracy_mean']:.2f} %"
    assert "4 chips, preset rram" in note and "other images" not in note
    assert told["software"][1].endswith("; data.npz test, all 40")
    small = runs.read_runs([tmp_path / "small", home / "sim"])
    notes = {fact.label: fact.note for fact in sections.headline(small)}
    accuracy = small[1].summary["software_accuracy"]
    for what in ("mean of chips", "yield"):
        assert notes[what].endswith(
            f"; other images: data.npz test, images 0 to 9 of 40, software {100 * accuracy:.2f} %"
        )
    # What most of them have is not said again and again.
    others = runs.read_runs([home / "sim", tmp_path / "small", tmp_path / "heat"])
    told = {fact.label: fact.note for fact in sections.headline(others)}
    assert told["software"].endswith("; data.npz test, images 0 to 9 of 40")
    assert "; other images: data.npz test, all 40" in told["circuit"]
    assert "other images" not in told["mean of chips"] + told["over temperature"]
    # Of two that are as large the first given is meant.
    twice = [small[0], replace(small[0], summary=dict(small[0].summary) | {"accuracy_mean": 0.0})]
    assert sections.headline(twice) == sections.headline(small[:1])
    # As many images, as often right, but others: told apart all the same.
    twin = dict(small[1].summary) | {"n": 40, "software_accuracy": accuracy_of(small[0])}
    assert "other images: " in str(sections.headline([small[0], replace(small[1], summary=twin)]))


def accuracy_of(run: runs.Run) -> float:
    return run.summary["software_accuracy"]


def test_a_run_that_does_not_say_its_images_is_refused(ngspice, home, tmp_path):
    shutil.copytree(home / "chips", tmp_path / "chips")
    path = tmp_path / "chips" / "result.json"
    result = json.loads(path.read_text())
    del result["images"]
    path.write_text(json.dumps(result))
    sentence = (
        f"{tmp_path / 'chips'} does not say which images it is of, as earlier versions did not: "
        "its command, run again, adds that from what is kept"
    )
    assert refused("report", tmp_path / "chips", "-o", tmp_path / "r.html") == (
        "StudyError",
        sentence,
    )


def test_a_page_says_images_notes_and_the_yield_s_rule(ngspice, home, tmp_path):
    write_report([home / "sim", home / "chips"], tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    s = runs.read_runs([home / "chips"])[0].summary
    replaced = "preset rram replaces settings of the BUILD, levels 0 -> 32: --set levels=0 keeps it"
    assert s["notes"] == [replaced, "the network was trained on random"]
    assert text.count(f"Note: {replaced}.".replace(">", "&gt;")) == 1
    assert text.count("Note: the network was trained on random.") == 2
    assert f"Yield counts chips of {s['yield_rule']}.".replace("'", "&#39;") in text
    assert '<td role="cell" data-of="images">data.npz test, all 40</td>' in text


def test_the_same_runs_give_the_same_plots(ngspice, home, tmp_path):
    pages = []
    for name in ("a.html", "b.html"):
        write_report([home / "heat"], tmp_path / name)
        text = (tmp_path / name).read_text(encoding="utf-8")
        pages.append(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert pages[0] == pages[1]


def test_a_build_that_moved_is_found_or_asked_for(ngspice, home, tmp_path):
    for name in ("net.build", "sim"):
        shutil.copytree(home / name, tmp_path / "moved" / name)
    run = tmp_path / "moved" / "sim"
    result = json.loads((run / "result.json").read_text())
    write_result(run / "result.json", result | {"build": "elsewhere/net.build"})
    found = write_report([run], tmp_path / "r.html")
    assert found["missing"] == ""
    (tmp_path / "moved" / "net.build").rename(tmp_path / "hidden.build")
    found = write_report([run], tmp_path / "r.html")
    assert found["missing"] == (
        "its BUILD, elsewhere/net.build, was not found: give it with --build"
    )
    assert found["missing"] in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Images" not in found["sections"]
    found = write_report([run], tmp_path / "r.html", build=tmp_path / "hidden.build")
    assert found["missing"] == ""


def test_a_network_without_hidden_nodes_and_one_image_have_a_report(ngspice, tmp_path):
    write_build(random_spec(4, (5, 3)), Hardware(), tmp_path / "one.build")
    random_npz(tmp_path / "data.npz")
    given = (tmp_path / "one.build", "--dataset", tmp_path / "data.npz")
    cli("simulate", *given, "--subset", "0:1", "--out", tmp_path / "sim")
    study = ("--judge", "none", "--samples", 1)
    cli("montecarlo", *given, *study, "--out", tmp_path / "chip")
    found = write_report([tmp_path / "sim", tmp_path / "chip"], tmp_path / "r.html")
    assert {"Circuit against software", "Images", "Virtual chips"} <= {*found["sections"]}
    assert 'id="figure-layers"' not in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_refusals(ngspice, home, tmp_path):
    def sentence(*args: object) -> tuple[str, str]:
        return refused("report", *args, "-o", tmp_path / "r.html")

    kind, text = sentence(tmp_path / "none")
    assert kind == "StudyError"
    assert text == (
        f"{tmp_path / 'none'} holds no result.json: there is no such folder; `analogkan simulate "
        "BUILD` makes one and says where"
    )
    kind, text = sentence(home)
    assert text.startswith(f"{home} holds no result.json: the RUNs in it are {home}/budget, ")
    (tmp_path / "half").mkdir()
    kind, text = sentence(tmp_path / "half")
    assert text.endswith("or not finished: the command that made it goes on with what is left")
    for damage in ("{", "[]", '{"study": "other", "network": ""}', '{"study": "simulate"}'):
        (tmp_path / "half" / "result.json").write_text(damage)
        kind, text = sentence(tmp_path / "half")
        assert kind == "StudyError" and "is damaged, or was made by an earlier version" in text
    shutil.copytree(home / "sim", tmp_path / "early")
    early = json.loads((tmp_path / "early" / "result.json").read_text())
    del early["layers"]
    write_result(tmp_path / "early" / "result.json", early)
    kind, text = sentence(tmp_path / "early")
    assert kind == "StudyError" and "lacks what a page shows" in text
    other = tmp_path / "other"
    shutil.copytree(home / "heat", other)
    result = json.loads((other / "result.json").read_text())
    write_result(other / "result.json", result | {"network": "another"})
    kind, text = sentence(home / "sim", other)
    assert kind == "StudyError"
    assert text.endswith("and they are not the same: a report is about one")
    write_build(random_spec(2), Hardware(), tmp_path / "b.build")
    kind, text = sentence(home / "sim", "--build", tmp_path / "b.build")
    assert kind == "NetlistError" and text.endswith(": name its BUILD")
    write_build(random_spec_of_home(), Hardware(v_fs=0.4), tmp_path / "c.build")
    kind, text = sentence(home / "sim", "--build", tmp_path / "c.build")
    assert kind == "NetlistError" and "c.build is another circuit than that of " in text
    kind, text = sentence(home / "sim" / "result.json")
    assert text.endswith("holds no result.json: it is a file, and a RUN is a folder")
    for run, kept in (("sim", "result.npz"), ("heat", "chips.csv")):
        shutil.copytree(home / run, tmp_path / f"mixed-{run}")
        with (tmp_path / f"mixed-{run}" / kept).open("ab") as stream:
            stream.write(b"\n")
        kind, text = sentence(tmp_path / f"mixed-{run}")
        assert kind == "StudyError"
        assert f"{kept} is not the one that result.json beside it is about" in text
    shutil.copytree(home / "sim", tmp_path / "edited")
    path = tmp_path / "edited" / "result.json"
    path.write_text(
        re.sub(r'"circuit_accuracy": [\d.]+', '"circuit_accuracy": 0.999', path.read_text())
    )
    kind, text = sentence(tmp_path / "edited")
    assert kind == "StudyError"
    assert text == (
        f"{path} is not what its command wrote: given again, the command writes it anew"
    )
    kind, text = refused("report", home / "sim", "-o", tmp_path / "r.txt")
    assert text == (
        f"--output {tmp_path / 'r.txt'} must end in .html, or in .md for a summary in Markdown"
    )
    assert not (tmp_path / "r.html").exists()


def test_an_analysis_of_an_image_has_no_page(tmp_path):
    kept = tmp_path / "out" / "trace-3"
    kept.mkdir(parents=True)
    (kept / "trace.json").write_text("{}")
    for folder in (tmp_path / "out", kept):
        _, text = refused("report", folder, "-o", tmp_path / "r.html")
        assert text.endswith(
            "an analysis of one image goes with the RUN it lies in: simulate with its --out"
        )


def test_a_name_in_a_run_cannot_write_into_the_page(ngspice, home, tmp_path):
    shutil.copytree(home / "heat", tmp_path / "run")
    path = tmp_path / "run" / "result.json"
    hostile = "<script>alert(1)</script>"
    result = json.loads(path.read_text()) | {"model": hostile, "command": hostile}
    write_result(path, result)
    write_report([tmp_path / "run"], tmp_path / "r.html", title=hostile)
    assert hostile not in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_hidden_nodes_are_kept_with_their_errors(ngspice, home):
    kept = read_npz(home / "sim" / "result.npz")
    s = json.loads((home / "sim" / "result.json").read_text())
    (layer,) = s["layers"]
    error = kept["layer0_circuit"] - kept["layer0_software"]
    assert len(error) == 40 * 6
    assert layer["max_abs_error"] == pytest.approx(np.abs(error).max(), rel=1e-12)
    assert layer["rms_error"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    assert 0 < layer["rms_error"] < 1e-3 * layer["full_scale"]
    assert len(kept["shown"]) == len(kept["shown_x"]) == 40


def test_hidden_errors_are_in_software_s_units():
    spec = random_spec(3, (5, 4, 3), squash="sigmoid")
    volts = np.random.default_rng(0).uniform(0, 0.7, (7, 5))
    software = spec.folded().layer_outputs(volts)
    found, pairs = layer_evidence(software, {0: software[0] + [1e-3, 0, 0, -2e-3]})
    assert found[0]["max_abs_error"] == pytest.approx(2e-3)
    assert set(pairs) == {"layer0_software", "layer0_circuit"}


def test_what_is_worth_a_look_comes_first():
    n = 100
    labels = np.zeros(n, int)
    software = np.tile([1.0, 0.0, -1.0], (n, 1))
    circuit = software + np.linspace(0, 0.5, n)[:, None] * [1, 0, 0]
    circuit[7] = software[7] = [0.0, 1.0, 0.0]  # wrong in both
    circuit[60] = [0.0, 1.0, 0.0]  # flipped
    found = telling_images(labels, software, circuit)
    assert list(found[:4]) == [60, 7, 0, 1]
    assert len(found) == MOST_SHOWN


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((4, 4), (4, 4)), ((3, 2, 4), (2, 4, 3)), ((2, 4, 3), (2, 4, 3)), ((1, 2, 4), (2, 4)),
     ((2, 4, 1), (2, 4)), ((6,), (2, 3)), ((2, 2, 2), (3, 3))],
)  # fmt: skip
def test_inputs_become_pictures(shape, shown):
    x = np.random.default_rng(0).uniform(0, 1, (5, int(np.prod(shape))))
    pictures = sections.as_pictures(x, shape)
    assert pictures.shape == (5, *shown)
    if shape == (3, 2, 4):
        assert pictures[2, 1, 0, 2] == x[2].reshape(shape)[2, 1, 0]


def test_an_axis_is_drawn_in_order():
    cells = [
        {"labels": {"sigma_g": at}, "accuracy_mean": 1 - float(at), "accuracy_mean_ci95": None}
        for at in ("0.1", "0", "0.05")
    ]
    summary = {"grid": "axes", "cells": cells, "software_accuracy": 1.0, "n": 10, "samples": 1,
               "model": "m", "images": {"said": "s"}}  # fmt: skip
    figure = grids.sweep_figure(summary)
    assert figure is not None
    line = next(line for line in figure.axes[0].lines if len(np.asarray(line.get_xdata())) == 3)
    assert list(np.asarray(line.get_xdata())) == [0.0, 0.05, 0.1]


def test_a_map_has_a_gap_between_tiles():
    g = np.full((130, 8), 1e-6)
    hardware = Hardware(tile_rows=64, tile_cols=4)
    shown = maps._with_gaps(g[:, 0::2], hardware)
    assert shown.shape == (130 + 2 * maps.GAP, 4 + maps.GAP)
    assert np.isnan(shown[64]).all() and np.isnan(shown[:, 2]).all()
    assert np.isfinite(shown).sum() == 130 * 4


def test_yield_falls_from_all_to_none():
    rows = [{"accuracy": a, "status": "ok"} for a in (0.9, 0.92, 0.92, 0.97)]
    rows.append({"accuracy": float("nan"), "status": "failed"})
    summary = {"n": 100, "yield_at": 0.92, "yield": 0.6, "software_accuracy": 0.98}
    (ax,) = figures.yield_figure(rows, summary).axes
    line = next(line for line in ax.lines if line.get_label() == "chips")
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert y[0] == 80.0 and y[-1] == 0.0
    assert y[np.isclose(x, 92.0)][0] == 60.0


def test_svg_takes_the_page_s_ink_and_keeps_to_itself():
    fig = Figure()
    ax = fig.subplots()
    ax.plot([1, 2], [3, 4], "o", label="<&>")
    ax.legend()
    one, two = (inline_svg(fig, name, 'a "b" <c>') for name in ("one", "two"))
    assert one.startswith("<svg") and 'aria-label="a &quot;b&quot; &lt;c&gt;"' in one
    assert "currentColor" in one and "#000000" not in one
    ids = [set(re.findall(r'\bid="([^"]*)"', text)) for text in (one, two)]
    assert ids[0] and not ids[0] & ids[1]
    assert one == inline_svg(fig, "one", 'a "b" <c>')
