"""What a report calls its RUNs, what it says of the circuit and of chips, and its summary."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan.cli import main
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.errors import StudyError
from analogkan.network.targets import Targets
from analogkan.report import redrawn
from analogkan.report.circuit import circuit_facts
from analogkan.report.markdown import MOST_LINES, summarise
from analogkan.report.naming import named
from analogkan.report.page import write_report
from analogkan.report.runs import read_runs
from analogkan.studies.made import day_of, made, where_of

from .networks import random_spec
from .pages import write_result
from .test_cli_errors import refused
from .test_report import RUNS, Page, cli, home  # noqa: F401  (a fixture)


def labelled(*folders: Path) -> list[tuple[str, str]]:
    """Folder and label of each RUN, in a page's order."""
    return [(run.folder.name, run.label) for run in named(read_runs(folders))]


@pytest.fixture
def chips(home, tmp_path):  # noqa: F811
    """Makes a small Monte Carlo of the home's circuit."""
    given = ("montecarlo", home / "net.build", "--dataset", home / "data.npz", "--judge", "none")

    def make(name: str, *more: object) -> Path:
        cli(*given, "--samples", 2, "--out", tmp_path / name, *more)
        return tmp_path / name

    return make


def test_runs_of_a_kind_are_named_by_what_differs(ngspice, home, chips):  # noqa: F811
    ten, two = chips("ten", "--set", "r_wire=10"), chips("two", "--set", "r_wire=2")
    base = chips("base")
    assert labelled(ten, two, base) == [
        ("base", "rram"), ("two", "r_wire = 2.0"), ("ten", "r_wire = 10.0")
    ]  # fmt: skip
    assert labelled(base) == [("base", "")]
    # Settings are alike: images tell them apart, then chips and seed, at last the folder.
    few, other = chips("few", "--subset", "0:10"), chips("other", "--seed", 1)
    told = dict(labelled(base, few, other))
    assert told["few"].startswith("data.npz test, images 0 to 9")
    assert told["other"].endswith("seed 1") and told["base"].endswith("seed 0")
    copy = base.with_name("copy")
    shutil.copytree(base, copy)
    assert labelled(base, copy) == [("base", str(base)), ("copy", str(copy))]
    hot = chips("hot", "--temp", 80)
    assert labelled(base, hot) == [("base", "26.85 degC"), ("hot", "80 degC")]


def test_a_circuit_is_told_by_what_a_reviewer_asks(home):  # noqa: F811
    build = load_build(home / "net.build")
    told = {fact.label: fact.value for fact in circuit_facts(build)}
    counts, stages = build.summary["elements"], build.summary["stages"]
    assert told["cells"] == f"{counts['crossbar_resistors']:,}"
    assert told["op-amps"] == f"{counts['op_amps']:,}"
    assert told["diodes"] == f"{counts['diodes']:,}"
    assert told["supplies"] == "±2.5 V"
    low = min(stage["r_c_ohms"][0] for stage in stages)
    assert float(told["R_c, lines"].split()[0]) == pytest.approx(low / 1e3, rel=5e-3)
    assert told["read-out"].endswith("V per logit")
    margin = min(stage["stability"]["c_margin"] or np.inf for stage in stages)
    assert told["stability margin"] == f"{margin:.3g} x"
    assert told["inputs"] == "16 DACs"


def test_a_regression_s_read_out_is_in_its_unit_and_parts_are_told_together(tmp_path):
    celsius = Targets(low=(0.0,), high=(100.0,), names=("temperature",), units=("degC",))
    spec = replace(random_spec(2, (3, 4, 1)), targets=celsius)
    build = write_build(spec, Hardware(r_wire=2.0), tmp_path / "one.build")
    told = {fact.label: fact for fact in circuit_facts(build)}
    unit = build.design.v_per_logit
    assert told["read-out"].value.endswith(" mV per degC")
    assert float(told["read-out"].value.split()[0]) == pytest.approx(1e3 * unit / 50, rel=5e-3)
    assert told["read-out"].note.startswith("temperature; ")
    assert told["wires"].value == "2 ohm a segment"
    held = write_build(random_spec(2, (3, 4, 2)), Hardware(), tmp_path / "h.build", most=20)
    told = {fact.label: fact for fact in circuit_facts(held)}
    assert told["circuits"].value == str(len(held.names())) != "1"
    assert told["R_f, rows"].value.endswith("ohm")


def test_chips_are_drawn_again_as_they_were(ngspice, home):  # noqa: F811
    build, runs = load_build(home / "net.build"), named(read_runs([home / "sim", home / "more"]))
    found, why = redrawn.redrawn(build, runs)
    assert why == ""
    study = next(run for run in runs if run.kind == "montecarlo")
    shown = next(run for run in runs if run.kind == "simulate").arrays
    assert [one.name for one in found][:2] == [
        "the design", f"chip {study.summary['worst_chip']['sample']}, the worst"
    ]  # fmt: skip
    # All 40 images are shown: the chip has as many of them right as its row says.
    assert len(shown["shown"]) == 40
    labels = shown["labels"][shown["shown"].astype(int)]
    for one, (number, _) in zip(found[1:], redrawn.telling_chips(study), strict=True):
        row = next(row for row in study.rows if row["sample"] == number)
        assert (one.answers.argmax(axis=1) == labels).sum() == row["correct"]
    # The design errs by its op-amps' gain alone, chips by far more; both layers are there.
    assert all(list(one.layers) == [0, 1] for one in found)
    assert found[0].layers[0].rms < 1e-2 * found[1].layers[0].rms
    assert found[1].layers[1].most >= found[1].layers[1].rms > 0
    (section,) = redrawn.layers_section(build, found, "")
    assert section.table.columns == ("", "layer 0, hidden nodes", "layer 1, outputs")
    assert re.fullmatch(r"\d+\.\d\d %, at most \d+\.\d\d %", section.table.rows[1][1])
    assert section.words[0].endswith(" calibration images of the network.")
    found = [replace(one, corrected=True) for one in found]
    (section,) = redrawn.layers_section(build, found, "")
    assert "before a read-out that is set at two points" in section.words[0]


def test_why_chips_are_not_drawn_again_is_said(ngspice, home, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(redrawn, "MOST_CELLS", 10)
    write_report([home / "chips"], tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Not worked out: the circuit has " in text
    assert " cells, and chips are drawn again of at most 10." in text
    build = load_build(home / "net.build")
    assert redrawn.redrawn(build, read_runs([home / "sim"])) == ([], "")
    assert redrawn.layers_section(build, [], "") == []


def test_the_median_of_chips_is_one_of_them(ngspice, home):  # noqa: F811
    (run,) = read_runs([home / "chips"])
    rows = [{"status": "ok", "sample": k, "accuracy": a} for k, a in enumerate((0.9, 0.7, 0.8))]
    assert redrawn.telling_chips(replace(run, rows=rows)) == [
        (1, "worst"), (2, "median"), (0, "best")
    ]  # fmt: skip
    assert redrawn.telling_chips(replace(run, rows=rows[:1])) == [(0, "worst")]
    errors = [{"status": "ok", "sample": k, "rmse": e} for k, e in enumerate((0.1, 0.3))]
    assert redrawn.telling_chips(replace(run, rows=errors)) == [(1, "worst"), (0, "best")]
    failed = [{"status": "failed", "sample": 0}]
    assert redrawn.telling_chips(replace(run, rows=failed)) == []


def test_a_run_says_when_and_where_it_was_made(ngspice, home, tmp_path):  # noqa: F811
    (run,) = read_runs([home / "heat"])
    told = run.summary["made"]
    assert set(told) == set(made())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d, \d\d:\d\d UTC", day_of(told))
    assert day_of({"at": "2026-02-03T04:05Z"}) == "2026-02-03, 04:05 UTC"
    assert "NumPy" in where_of(told) and (day_of(None), where_of(None)) == ("–", "")
    write_report([home / "heat"], tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f'data-of="made">{day_of(told)}<' in text and f"Made on {where_of(told)}." in text
    # A RUN of before is read all the same.
    shutil.copytree(home / "heat", tmp_path / "early")
    early = json.loads((tmp_path / "early" / "result.json").read_text())
    del early["made"]
    write_result(tmp_path / "early" / "result.json", early)
    write_report([tmp_path / "early"], tmp_path / "r.html", build=home / "net.build")
    assert 'data-of="made">–<' in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_page_can_be_read_by_ear_and_keyboard(ngspice, home, tmp_path):  # noqa: F811
    write_report([home / name for name in RUNS], tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.levels[0] == 1 and page.levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(page.levels))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") > 6
    assert all("scope" in found for tag, found in page.tags if tag == "th")
    assert all(found.get("aria-label") for tag, found in page.tags if tag == "svg")
    assert {"header", "nav", "main", "footer"} <= set(tags)
    assert dict(page.tags)["html"]["lang"] == "en"
    named_by = [found["aria-labelledby"] for tag, found in page.tags if tag == "section"]
    assert set(named_by) <= set(page.ids)
    scrolled = [found for tag, found in page.tags if "scroll" in str(found.get("class")).split()]
    assert all(found["tabindex"] == "0" and found["aria-label"] for found in scrolled)
    assert tags.count("details") == tags.count("summary") >= 2


def test_a_summary_in_markdown_is_short(ngspice, home, tmp_path):  # noqa: F811
    words = [home / name for name in RUNS[:5]]
    text = cli("report", *words, "--markdown")
    assert text.count("\n") < MOST_LINES
    lines = text.splitlines()
    assert lines[1].startswith("# ")
    for line in lines:  # a table's lines have as many cells as its head
        assert not line.startswith("|") or len(re.findall(r"(?<!\\)\|", line)) >= 3
    for title in ("Circuit against software", "Virtual chips: calibrated", "Error budget"):
        assert f"## {title}" in lines
    assert "more rows are on the page." in text and "<svg" not in text and "![" not in text
    out = tmp_path / "s.md"
    assert cli("report", *words, "-o", out) == f"{out}: {text.count(chr(10))} lines\n"
    assert out.read_text(encoding="utf-8") == text
    told = json.loads(cli("report", *words, "-o", out, "--markdown", "--json"))
    assert (told["report"], told["markdown"]) == (str(out), text)
    both = ak.write_report(words, out, title="a|b <c> *d* @e")
    assert "# a\\|b \\<c\\> \\*d\\* \\@e" in both["markdown"]


def test_a_summary_without_its_build_says_so(ngspice, home):  # noqa: F811
    text = summarise(read_runs([home / "sim"]), None, "its BUILD was not found")
    assert "Without the circuit's figures: its BUILD was not found." in text
    assert "| R_c" not in text


def test_a_summary_has_no_pictures_and_replaces_nothing(ngspice, home, tmp_path):  # noqa: F811
    _, text = refused("report", home / "sim", "--markdown", "-o", tmp_path / "r.html")
    assert text == f"--output {tmp_path / 'r.html'} must end in .md: --markdown writes no page"
    words = ["report", str(home / "sim"), "--markdown", "--figures", str(tmp_path / "f")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "--figures goes with a page, and a summary in Markdown has none" in result.stderr
    with pytest.raises(StudyError, match=r"^figures go with a page: a summary in "):
        ak.write_report(home / "sim", tmp_path / "r.md", figures=tmp_path / "f")
    (tmp_path / "mine.md").write_text("mine")
    _, text = refused("report", home / "sim", "-o", tmp_path / "mine.md")
    assert text.startswith(f"{tmp_path / 'mine.md'} exists and is no summary of analogkan")
