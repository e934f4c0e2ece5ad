"""What the documents say is so: programs print what they claim, links lead somewhere."""

from __future__ import annotations

import hashlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    p
    for p in ROOT.rglob("*.md")
    if not {".venv", "data", "node_modules", ".pytest_cache"} & set(p.relative_to(ROOT).parts[:-1])
]


def test_the_readme_program_prints_what_the_readme_says(ngspice, tmp_path):
    program, printed = re.search(
        r"```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```", README, re.DOTALL
    ).groups()  # type: ignore[union-attr]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_each_example_runs(ngspice, example, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(example), str(tmp_path / "out")])
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_is_short_and_its_map_is_true():
    assert len(README.splitlines()) <= 150
    for part in re.findall(r"`([a-z]+(?:/[a-z_.]+)*/?)`", README.split("## Map")[1].split("##")[0]):
        places = (ROOT / part, ROOT / "analogkan" / part, ROOT / "analogkan" / "compiler" / part)
        assert any(p.exists() for p in (*places, ROOT / "analogkan" / "network" / part)), part


@pytest.mark.parametrize("model", sorted((ROOT / "models").glob("*.pt")), ids=lambda p: p.stem)
def test_a_card_belongs_to_its_model(model):
    card = model.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(model.read_bytes()).hexdigest() in card
