"""What the documents say is so: programs print what they claim, links lead somewhere."""

from __future__ import annotations

import hashlib
import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from analogkan import loops
from analogkan.cli import main
from analogkan.devices import resolve

from .kanalogue import pwl, random_net
from .networks import random_inputs
from .pages import skeleton

ROOT = Path(__file__).parents[1]
SLURM = ROOT / "examples" / "09_slurm.py"
"""Needs a cluster: docs/cluster.md says when it was run; here only that it says what is missing."""
EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - {SLURM})
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    p
    for p in ROOT.rglob("*.md")
    if not {".venv", "data", "node_modules", ".pytest_cache", "_build"}
    & set(p.relative_to(ROOT).parts[:-1])
]


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_each_example_prints_and_draws_what_the_gallery_shows(
    ngspice, own_plugins, example, tmp_path, monkeypatch, capsys
):
    """Word by word: numbers are the machine's, as are solvers and loops that are not there.

    ``scripts/make_gallery.py`` keeps what they print and draw now.
    """
    gallery = ROOT / "docs" / "gallery"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(example), "out"])
    runpy.run_path(str(example), run_name="__main__")
    printed = capsys.readouterr().out
    kept = (gallery / "kept" / f"{example.stem}.txt").read_text(encoding="utf-8")
    if ngspice.klu and loops.available():
        said, found = (re.sub(r"note: .*\n", "", text) for text in (kept, printed))
        assert skeleton(found) == skeleton(said)
    page = (gallery / f"{example.stem}.md").read_text(encoding="utf-8")
    for figure in re.findall(r"^([\w./-]+\.png): ", page, re.M):
        assert (tmp_path / "out" / figure).is_file()


def run_slurm_example(folder: Path, path: Path, monkeypatch) -> object:
    """What 09 exits with, where ``path`` is all of PATH and dask-jobqueue cannot be imported."""
    monkeypatch.setattr(sys, "argv", [str(SLURM), str(folder)])
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(SLURM), run_name="__main__")
    assert not folder.exists()
    return left.value.code  # a sentence: Python prints it and exits with 1


def test_the_slurm_example_needs_sbatch(tmp_path, monkeypatch):
    code = run_slurm_example(tmp_path / "out", tmp_path, monkeypatch)
    assert code == "sbatch is not on the PATH: run this where jobs are submitted to SLURM"


def test_the_slurm_example_needs_dask_jobqueue(tmp_path, monkeypatch):
    (tmp_path / "sbatch").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "sbatch").chmod(0o755)
    code = run_slurm_example(tmp_path / "out", tmp_path, monkeypatch)
    assert code == "dask-jobqueue is missing: pip install 'analogkan[cluster]' dask-jobqueue"


def test_the_documents_conversions_convert(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "kanalogue.md").read_text(encoding="utf-8").replace("\\\n", "")
    found = re.findall(r"^    analogkan (models convert .*)$", text, re.MULTILINE)
    assert found
    curves = resolve("Z15,ZAZ21")
    net = random_net((196, 4, 10), [pwl(c) for c in curves], squash="none", norm="batch")
    monkeypatch.chdir(tmp_path)
    torch.save(net.state_dict(), "best.pth")
    np.savez("train.npz", x=random_inputs(0, 9, 196))
    for words in found:
        result = CliRunner().invoke(main, shlex.split(words), catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        assert Path("theirs.pt").is_file()


def test_the_commands_for_a_device_of_ones_own_lead_to_an_accuracy(ngspice, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "own-devices.md").read_text(encoding="utf-8")
    script = re.search(r"```sh\n(.*?)```", page, re.DOTALL).group(1)  # type: ignore[union-attr]
    first, *commands = (shlex.split(line, comments=True) for line in script.splitlines())
    assert first == ["python", "examples/02_own_device.py", "own"]
    monkeypatch.chdir(tmp_path)
    example = runpy.run_path(str(ROOT / first[1]))
    example["write_sweeps"](Path("own"))  # what the example makes before it imports them itself
    example["write_images"](Path("own"))
    printed = []
    for program, *words in commands:
        assert program == "analogkan"
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        printed.append(result.stdout)
    stated = re.search(r"```text\n(.*?)```", page, re.DOTALL).group(1)  # type: ignore[union-attr]
    assert printed[0] == stated
    assert re.search(r"circuit \(ngspice .*\)\s+\d\d\.\d\d %", printed[-1])
    assert re.search(r"same class\s+100.00 %", printed[-1])


def prose(page: Path) -> str:
    """The page without its code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"^    .*$|`[^`\n]*`", "", text, flags=re.M)


def anchors(page: Path) -> set[str]:
    """The anchors that code hosts, and the site, give a page's headings."""
    found: set[str] = set()
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for heading in re.findall(r"^#+ +(.*)$", text, re.M):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")
        same = sum(bool(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", known)) for known in found)
        found.add(f"{slug}-{same}" if same else slug)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        if anchor:
            assert linked.suffix == ".md", target
            assert anchor in anchors(linked), target


def test_the_readme_is_short_and_its_map_is_true():
    assert len(README.splitlines()) <= 150
    for part in re.findall(r"`([a-z]+(?:/[a-z_.]+)*/?)`", README.split("## Map")[1].split("##")[0]):
        places = (ROOT / part, ROOT / "analogkan" / part, ROOT / "analogkan" / "compiler" / part)
        assert any(p.exists() for p in (*places, ROOT / "analogkan" / "network" / part)), part


@pytest.mark.parametrize("model", sorted((ROOT / "models").glob("*.pt")), ids=lambda p: p.stem)
def test_a_card_belongs_to_its_model(model):
    card = model.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(model.read_bytes()).hexdigest() in card
