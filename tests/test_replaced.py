"""One rule for every command that writes: what is replaced is ours, what is not stays."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from analogkan import resources
from analogkan.cli import main
from analogkan.errors import StudyError
from analogkan.ours import require_marked
from analogkan.studies.analyses import require_replaceable

from .networks import random_checkpoint, random_npz
from .test_cli_errors import snapshot

SWEEP = "V (V),I (A)\n" + "".join(f"{v / 10},{v * (12 - v) * 1e-8}\n" for v in range(13))
RECIPE = 'devices = ["A21"]\nhidden = []\nepochs = 1\nlearning_rate = 0.01\nnorm = "none"\n'


def cli(line: str):
    return CliRunner().invoke(main, shlex.split(line), catch_exceptions=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """What the commands below need, and one of everything that is not ours."""
    folder = tmp_path_factory.mktemp("replaced")
    random_checkpoint(folder / "model.pt")
    random_npz(folder / "data.npz")
    for k in (1, 2):
        (folder / f"d{k}.csv").write_text(SWEEP)
    (folder / "recipe.toml").write_text(RECIPE)
    torch.save({"weights": torch.zeros(3)}, folder / "theirs.pt")
    for name in ("page.html", "plot.png", "plot.svg", "plot.pdf", "theirs.toml", "card.md"):
        (folder / name).write_text("years of work")
    (folder / "new.variation.toml").write_text("[mine]\n")
    for name in ("folder", "figures", "trace.run/trace-3"):
        (folder / name).mkdir(parents=True)
    (folder / "folder" / "thesis.tex").write_text("years of work")
    (folder / "figures" / "logits.png").write_text("years of work")
    (folder / "trace.run" / "trace-3" / "trace.json").write_text("{}")
    (folder / "demo.run").mkdir()
    (folder / "demo.run" / "report.html").write_text("years of work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli("compile model.pt").exit_code == 0
        assert cli("simulate model.build --dataset data.npz --out sim.run").exit_code == 0
    return folder


LEFT = "so it is not replaced: give another"
TRAIN = "train --dataset data.npz --recipe recipe.toml"
WRITERS = {
    f"{TRAIN} --out theirs.pt": f"theirs.pt exists and is no analogkan checkpoint, {LEFT} --out, "
    "or remove it",
    f"{TRAIN} --out card.pt": f"card.md exists and is no card of a model, {LEFT} --out, or remove "
    "it",
    "models convert theirs.pt --devices A21 --basis-fit pwl --squash none --out theirs.pt": ""
    f"theirs.pt exists and is no analogkan checkpoint, {LEFT} --out, or remove it",
    "devices import d1.csv -o theirs.toml --force": "theirs.toml exists and is no device file, "
    f"{LEFT} -o, or remove it",
    "devices import d1.csv d2.csv -o new.toml --force": "new.variation.toml exists and is no "
    f"variation file, {LEFT} -o, or remove it",
    "devices fit A21 --method pchip -o theirs.toml --force": "theirs.toml exists and is no device "
    f"file, {LEFT} -o, or remove it",
    "devices fit A21 --method pchip --plot plot.pdf": "plot.pdf exists and is no picture of "
    f"analogkan, {LEFT} --plot, or remove it",
    "devices plot A21 --out plot.png": "plot.png exists and is no picture of analogkan, "
    f"{LEFT} --out, or remove it",
    "devices plot A21 --out plot.svg": "plot.svg exists and is no picture of analogkan, "
    f"{LEFT} --out, or remove it",
    "report sim.run -o page.html": f"page.html exists and is no page of analogkan, {LEFT} "
    "--output, or remove it",
    "report sim.run -o new.html --figures figures": "figures/logits.png exists and is no picture "
    f"of analogkan, {LEFT} --figures, or remove it",
    "demo --out demo.run": f"demo.run/report.html exists and is no page of analogkan, {LEFT} "
    "--out, or remove it",
    "simulate model.build --dataset data.npz --trace 3 --out trace.run": "trace.run/trace-3/"
    f"trace.json exists and is no trace, {LEFT} --out, or remove it",
    "compile model.pt -o folder": "folder holds thesis.tex, which no compile wrote, so it is not "
    "replaced: give another folder with -o",
    **{
        f"{command} --dataset data.npz --out folder": "folder holds files but no study.sqlite: "
        "give another --out"
        for command in (
            "simulate model.build",
            "montecarlo model.build --judge none",
            "thermal model.build --temps 25 --judge none",
            "sweep model.build --set levels=8,16 --judge none",
        )
    },
    "paper fig1 --out folder": "folder holds files but no paper.json: give another --out",
}


@pytest.mark.parametrize("line", WRITERS)
def test_what_is_not_ours_is_never_replaced(home, monkeypatch, ngspice, line):
    monkeypatch.chdir(home)
    before = snapshot(home)
    result = cli(line)
    assert result.exit_code == 1
    assert result.stderr == f"error: {WRITERS[line]}\n"
    assert snapshot(home) == before


def test_what_is_ours_is_replaced(home, tmp_path, monkeypatch):
    monkeypatch.chdir(home)
    page = tmp_path / "page.html"
    page.write_bytes(resources.path("report/templates/report.html").read_bytes())
    require_marked(page, give="--output")
    for line in (
        *(f"devices plot A21 --out {tmp_path}/plot.{kind}" for kind in ("png", "svg", "pdf")),
        f"devices fit A21 --method pchip --plot {tmp_path}/fit.png",
        f"compile model.pt -o {tmp_path}/net.build",
    ):
        for _ in range(2):
            assert cli(line).exit_code == 0, line


def test_a_build_that_was_edited_is_not_replaced(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = f"compile {home}/model.pt -o net.build"
    assert cli(line).exit_code == 0
    fresh = snapshot(tmp_path)
    for name in ("cells.cir", "layer0.cir", "network.cir", "stimulus.cir"):
        with Path("net.build", name).open("a") as stream:
            stream.write("* a thought\n")
    before = snapshot(tmp_path)
    result = cli(line)
    assert result.exit_code == 1
    assert result.stderr == (
        "error: net.build was edited after it was compiled (cells.cir, layer0.cir, network.cir and "
        "1 more), so it is not replaced: give another folder with -o, or --force, which loses the "
        "edits; `analogkan verify net.build` says what they change\n"
    )
    assert snapshot(tmp_path) == before
    assert "layer0.cir was edited after it was compiled" in cli("verify net.build").output
    assert cli(f"{line} --force").exit_code == 0
    assert snapshot(tmp_path) == fresh


def test_what_is_damaged_or_gone_of_a_build_was_not_edited(home, tmp_path):
    line = f"compile {home}/model.pt -o {tmp_path}/net.build"
    assert cli(line).exit_code == 0
    (tmp_path / "net.build" / "network.npz").write_bytes(b"half of it")
    (tmp_path / "net.build" / "cells.cir").unlink()
    assert cli(line).exit_code == 0


def test_a_folder_is_no_file_to_replace(tmp_path):
    (tmp_path / "trace.json").mkdir()
    sentence = f"{tmp_path}/trace.json is a folder: give the name of a file with --out"
    with pytest.raises(StudyError, match=f"^{sentence}$"):
        require_replaceable(tmp_path, "trace")
