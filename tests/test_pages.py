"""How-to pages, run as a reader runs them; and the site's own promises."""

from __future__ import annotations

import re

import pytest
import yaml

import analogkan

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
    assert compared == 3
    assert (tmp_path / "bench.svg").read_text(encoding="utf-8").count("<") > 10


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


def test_every_page_is_on_the_sites_first_page():
    index = (DOCS / "index.md").read_text("utf-8")
    linked = set(re.findall(r"\]\(([\w/-]+)\.md\)", index))
    pages = {p.stem for p in DOCS.glob("*.md")} - {"index"} | {"decisions/README"}
    assert linked == pages
    trees = re.findall(r"```{toctree}\n(.*?)```", index, re.S)
    entries = re.findall(r"^(?:.* <)?([\w/-]+)>?$", "\n".join(trees), re.M)
    assert set(entries) == pages
