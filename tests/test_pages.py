"""How-to pages, run as a reader runs them; and the site's own promises."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

import analogkan
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.ngspice import Runner

from .networks import random_spec
from .pages import ROOT, blocks, commands, percentages, run, run_python, skeleton

DOCS = ROOT / "docs"


def test_data_of_ones_own_lead_to_an_accuracy(ngspice, one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = ""
    for language, text in blocks(DOCS / "own-data.md", "python", "sh", "text"):
        if language == "python":
            run_python(text, tmp_path)
        elif language == "sh":
            printed = "".join(run(command, tmp_path) for command in commands(text))
        else:
            assert skeleton(printed) == skeleton(text)
            assert percentages(printed) == pytest.approx(percentages(text), abs=4)


def test_the_deck_by_hand_gives_what_the_page_says(ngspice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed, compared = "", 0
    for language, text in blocks(DOCS / "ngspice-by-hand.md", "python", "sh", "spice", "text"):
        if language == "spice":
            name = re.match(r"\* ([\w.-]+):", text)
            assert name is not None
            (tmp_path / name[1]).write_text(text, encoding="utf-8")
        elif language == "python":
            printed = run_python(text, tmp_path)
        elif language == "sh":
            printed = "".join(run(command, tmp_path) for command in commands(text))
        else:
            compared += 1
            assert set(text.splitlines()) <= set(printed.splitlines())
    assert compared == 4
    assert (tmp_path / "started.cir").read_text(encoding="utf-8").count(".nodeset") > 1000
    assert (tmp_path / "bench.svg").read_text(encoding="utf-8").count("<") > 10


def test_the_symbol_page_prints_what_it_says_and_its_sheet_runs(ngspice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = DOCS / "symbol.md"
    (_, script), (_, said), (_, sheet) = blocks(page, "sh", "text", "spice")
    printed = "".join(run(command, tmp_path) for command in commands(script))
    assert set(said.splitlines()) <= set(printed.splitlines())
    found = read_raw(tmp_path / "top.raw", points=1)
    assert f"v(logit_9) = {found['v(logit_9)'][0]:.5e}" in said.splitlines()
    build = write_build(random_spec(11, (3, 2, 2)), Hardware(), tmp_path / "net", symbol=True)
    text = (build.folder / "symbol" / "net11.cir").read_text(encoding="utf-8")
    (tmp_path / "curve.cir").write_text(text.replace("net11", "curve"), encoding="utf-8")
    (tmp_path / "sheet.cir").write_text(sheet, encoding="utf-8")
    Runner(ngspice).run(tmp_path / "sheet.cir", tmp_path / "sheet.raw", timeout=60)
    twin = build.spec.forward_volts(np.array([[0.35, 0.2, 0.5]]))[0] * build.design.v_per_logit
    found = read_raw(tmp_path / "sheet.raw", points=1)
    assert [found["v(out0)"][0], found["v(out1)"][0]] == pytest.approx(twin, abs=2e-3)


def test_the_pipeline_page_finds_a_yield(ngspice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (_, text), (_, said) = blocks(DOCS / "ci.md", "sh", "text")
    assert "".join(run(command, tmp_path) for command in commands(text)) == said
    lines = [["montecarlo", "--set", "sigma=1"], ["montecarlo", "--fail-under", "99"]]
    for words in lines:
        run(f"analogkan {words[0]} mnist-d2.build {' '.join(words[1:])}", tmp_path, exit_code=2)
    few = "analogkan montecarlo mnist-d2.build --samples 3 --subset 100 --judge none"
    run(f"{few} --fail-under 1", tmp_path, exit_code=3)


def test_the_workflow_is_one_and_its_commands_run(ngspice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").symlink_to(ROOT / "models")
    document = yaml.safe_load((ROOT / "examples" / "ci.yml").read_text(encoding="utf-8"))
    assert set(document) == {"name", True, "permissions", "jobs"}  # YAML 1.1 reads `on` as true
    (job,) = document["jobs"].values()
    ran = []
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step)
        for command in commands(step.get("run", "")):
            if command.startswith("analogkan"):
                run(command, tmp_path)
                ran.append(command.split()[1])
            elif command.startswith("bash"):
                assert (ROOT / command.split()[1]).is_file()
            else:
                assert command == 'echo "$PWD/.venv/bin" >> "$GITHUB_PATH"'
    assert ran == ["doctor", "compile", "verify", "simulate", "montecarlo"]
    kept = job["steps"][-1]["with"]["path"].split()
    assert all((tmp_path / name).is_file() for name in kept)


def test_every_public_name_is_in_the_reference():
    listed = re.findall(r"^   (analogkan\.\w+)$", (DOCS / "api.md").read_text("utf-8"), re.M)
    public = {f"analogkan.{name}" for name in dir(analogkan) if not name.startswith("_")}
    packages = {f"analogkan.{name}" for name in ("cells", "devices", "imperfections")}
    assert set(listed) - {"analogkan.errors"} == public - packages  # by their names


SITE = {str(p.relative_to(DOCS))[:-3]: p for p in DOCS.rglob("*.md")}
"""The site's pages, by the names that toctrees have."""


def below(name: str, *, linked: bool) -> set[str]:
    """Pages in a page's toctrees, or those that its text links to."""
    text = SITE[name].read_text("utf-8")
    trees = re.findall(r"```{toctree}\n(.*?)```", text, re.S)
    if not linked:
        found = re.findall(r"^(?:.* <)?([\w/-]+)>?$", "\n".join(trees), re.M)
    else:
        found = re.findall(r"\]\(([\w/-]+)\.md", text)
    here = SITE[name].parent
    return {str((here / f"{one}.md").resolve().relative_to(DOCS))[:-3] for one in found}


@pytest.mark.parametrize("linked", [True, False], ids=["links", "toctrees"])
def test_every_page_is_reached_from_the_first_over_one_page_of_its_kind(linked):
    sections = below("index", linked=linked)
    reached = {"index"} | sections
    for name in sections:
        reached |= below(name, linked=linked)
    decided = {name for name in SITE if name.startswith("decisions/0")}  # its toctree is a glob
    assert set(SITE) - reached - decided == set()
    assert "decisions/README" in reached


def test_what_the_questions_quote_is_said():
    quoted = re.findall(r"^> `(.*)`$", (DOCS / "faq.md").read_text("utf-8"), re.M)
    sources = "\n".join(p.read_text("utf-8") for p in Path(analogkan.__path__[0]).rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", sources)
    assert len(quoted) > 4
    assert [words for words in quoted if words not in joined] == []


EXAMPLES = sorted(p.stem for p in (ROOT / "examples").glob("*.py"))


def test_every_example_has_its_page_and_what_it_prints_and_draws():
    gallery = DOCS / "gallery"
    assert {p.stem for p in gallery.glob("*.md")} == {*EXAMPLES, "index", "tour"}
    kept = set()
    for name in EXAMPLES:
        page = (gallery / f"{name}.md").read_text("utf-8")
        body = re.search(rf"```{{example}} {name}\n(.*?)```", page, re.S)
        assert body, name
        files = re.findall(r"^([\w./-]+\.png): \S", body[1], re.M)
        assert len(files) == len(body[1].splitlines())
        kept |= {f"{name[:2]}-{file.replace('/', '-')}" for file in files}
        kept |= {f"{name}.txt"} - {"09_slurm.txt"}
    assert {p.name for p in (gallery / "kept").iterdir()} == kept
    assert sum(p.stat().st_size for p in (gallery / "kept").iterdir()) < 1e6


def test_the_address_is_the_readmes():
    pages = [ROOT / "README.md", DOCS / "index.md", DOCS / "install.md"]
    lines = [re.findall(r"git clone \S+ && cd \w+", p.read_text("utf-8")) for p in pages]
    assert lines[0]
    assert lines[1:] == lines[:1] * 2


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("(a: str | ~os.PathLike[str] | Build, b: str | None)", "(a: path | Build, b: str | None)"),
        ("(hidden: int | None = None)", "(hidden: int = None)"),
        ("(x: ~numpy.ndarray[tuple[Any, ...], dtype[float]])", "(x: array)"),
    ],
)  # fmt: skip
def test_signatures_of_the_reference_are_short(given, shown, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    from signatures import shorter  # pyright: ignore[reportMissingImports]

    assert shorter(given) == shown
