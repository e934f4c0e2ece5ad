"""What other systems do differently, as far as it can be shown on this one."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from click.testing import CliRunner

from analogkan.cli import main
from analogkan.dialects.printed import judge
from analogkan.engines import ngspice as driver
from analogkan.engines.ngspice import ENVIRONMENT, locate
from analogkan.errors import SimulationError
from analogkan.threads import default_jobs

from .networks import random_checkpoint, random_npz


@pytest.mark.parametrize("session", [[], ["--session"]], ids=["program", "session"])
def test_paths_may_hold_spaces_and_letters_of_any_language(ngspice, tmp_path, session):
    folder = tmp_path / "mes réseaux, ネット (2)"
    folder.mkdir()
    random_checkpoint(folder / "mon modèle.pt")
    random_npz(folder / "des données.npz", 10)
    build, run = folder / "un filet.build", folder / "une course"
    compiled = CliRunner().invoke(
        main, ["compile", str(folder / "mon modèle.pt"), "-o", str(build)], catch_exceptions=False
    )
    assert compiled.exit_code == 0, compiled.output
    words = ["--dataset", str(folder / "des données.npz"), "--out", str(run), "--json", *session]
    done = CliRunner().invoke(main, ["simulate", str(build), *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["n"], found["session"], found["run"]) == (10, bool(session), str(run))
    assert json.loads((run / "result.json").read_text(encoding="utf-8")) == found


def test_ngspice_itself_may_be_in_a_folder_with_spaces(ngspice, tmp_path, monkeypatch):
    program = tmp_path / "Program Files é" / "ngspice"
    program.parent.mkdir()
    program.symlink_to(ngspice.path)
    monkeypatch.setenv(ENVIRONMENT, str(program))
    assert driver.find_ngspice().version == ngspice.version


def test_the_console_program_goes_before_the_one_with_a_window(tmp_path, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    programs = {"ngspice": r"C:\Spice64\bin\ngspice.EXE", "ngspice_con": r"C:\bin\ngspice_con.EXE"}
    monkeypatch.setattr(shutil, "which", programs.get)
    assert locate() == programs["ngspice_con"]
    del programs["ngspice_con"]
    assert locate() == programs["ngspice"]


def test_a_crash_on_windows_is_told_from_an_error():
    with pytest.raises(
        SimulationError, match=r"^ngspice was ended by Windows exception 0xc0000005$"
    ):
        judge("", 0xC0000005, None, 1)
    with pytest.raises(SimulationError, match=r"^ngspice ended with exit code 1$"):
        judge("", 1, None, 1)


def test_processors_are_counted_where_affinity_is_unknown(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert default_jobs() == (os.cpu_count() or 1)
