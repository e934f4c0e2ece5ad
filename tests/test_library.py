"""Where libngspice is looked for."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from analogkan.engines import library
from analogkan.engines.library import ENVIRONMENT, find_library, find_scripts
from analogkan.engines.ngspice import ENVIRONMENT as PROGRAM
from analogkan.errors import SimulationError

MEND = (
    "install it (Debian, Ubuntu: `apt install libngspice0`; macOS: `brew install libngspice`), "
    "or name the file in ANALOGKAN_LIBNGSPICE"
)


@pytest.fixture
def nowhere(tmp_path, monkeypatch) -> Path:
    """No library in the system, and an ngspice program in ``here with spaces/bin``."""
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(library, "find_in_system", lambda name: None)
    monkeypatch.setattr(library, "HOMEBREW", ())
    folder = tmp_path / "here with spaces é"
    program = folder / "bin" / "ngspice"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.setenv(PROGRAM, str(program))
    return folder


def test_without_the_library_the_error_says_how_to_install_it(nowhere):
    sentence = f"libngspice is not installed: {MEND}"
    with pytest.raises(SimulationError, match=f"^{re.escape(sentence)}$"):
        find_library()


def test_a_variable_that_names_nothing_is_quoted(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "/nonexistent/libngspice.so")
    sentence = f"ANALOGKAN_LIBNGSPICE names /nonexistent/libngspice.so, which is no file: {MEND}"
    with pytest.raises(SimulationError, match=f"^{re.escape(sentence)}$"):
        find_library()


@pytest.mark.parametrize(
    ("platform", "file"),
    [
        ("linux", "bin/libngspice.so.0"),
        ("linux", "lib/libngspice.so"),
        ("darwin", "lib/libngspice.dylib"),
        ("win32", "bin/ngspice.dll"),
        ("win32", "dll-vs/ngspice.dll"),
    ],
)
def test_the_library_beside_the_program_is_its_own(nowhere, monkeypatch, platform, file):
    monkeypatch.setattr(library, "find_in_system", lambda name: "another")
    assert find_library() == "another"
    (nowhere / file).parent.mkdir(exist_ok=True)
    (nowhere / file).touch()
    monkeypatch.setattr(sys, "platform", platform)
    assert find_library() == str(nowhere / file)


def test_homebrews_library_is_found(nowhere, monkeypatch, tmp_path):
    monkeypatch.setattr(library, "HOMEBREW", (tmp_path / "none", tmp_path))
    monkeypatch.setattr(sys, "platform", "darwin")
    (tmp_path / "libngspice.dylib").touch()
    assert find_library() == str(tmp_path / "libngspice.dylib")


def test_a_librarys_start_up_file_is_that_of_its_installation(tmp_path):
    file = tmp_path / "usr" / "lib" / "x86_64" / "libngspice.so.0"
    file.parent.mkdir(parents=True)
    file.touch()
    assert find_scripts(str(file)) is None
    share = tmp_path / "usr" / "share" / "ngspice"
    (share / "scripts").mkdir(parents=True)
    (share / "scripts" / "spinit").touch()
    assert find_scripts(str(file)) == share
