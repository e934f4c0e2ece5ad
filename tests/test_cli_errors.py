"""The command line where something is wrong: one sentence, its exit code, and nothing broken."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from analogkan.cli import main
from analogkan.engines.ngspice import ENVIRONMENT

from .networks import random_checkpoint, random_npz


def refused(*args: object) -> tuple[str, str]:
    """Class and sentence of the error a command fails with; the same with and without --json."""
    runner, words = CliRunner(), [str(a) for a in args]
    plain = runner.invoke(main, words, catch_exceptions=False)
    result = runner.invoke(main, [*words, "--json"], catch_exceptions=False)
    error = json.loads(result.stdout)["error"]
    code = 2 if error["type"] == "SettingsError" else 1  # 2 is usage
    assert (plain.exit_code, result.exit_code) == (code, code)
    assert set(error) == {"type", "message"}
    assert result.stderr == f"error: {error['message']}\n"
    assert plain.stderr.startswith("error: ")
    assert plain.stderr.count("\n") == 1
    return error["type"], error["message"]


def hears_ctrl_c() -> None:
    """In a child: listen to SIGINT, which a suite that runs in the background ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below ``folder``, hidden ones too, and what it holds."""
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with model.pt, other.pt, data.npz and net.build and other.build."""
    folder = tmp_path_factory.mktemp("cli")
    random_npz(folder / "data.npz")
    for k, name in enumerate(("model", "other")):
        random_checkpoint(folder / f"{name}.pt", seed=k)
        args = ["compile", str(folder / f"{name}.pt"), "-o", str(folder / f"{name}.build")]
        assert CliRunner().invoke(main, args).exit_code == 0
    return folder


@pytest.fixture
def build(home, tmp_path) -> Path:
    return shutil.copytree(home / "model.build", tmp_path / "model.build")


# ---- compile


def test_a_checkpoint_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes.pt").write_text("not a checkpoint")
    Path("empty.pt").touch()
    kind, sentence = refused("compile", "nosuch.pt")
    assert kind == "CheckpointError"
    assert sentence.startswith("nosuch.pt does not exist: ")
    for name in ("notes.pt", "empty.pt"):
        kind, sentence = refused("compile", name)
        assert kind == "CheckpointError"
        assert re.match(rf"{name} is (a text, not weights|empty)", sentence)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.pt", "notes.pt"]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            ("--preset", "nominl"),
            "unknown preset 'nominl', did you mean nominal? Known: ai301a, as-made, board, "
            "cmo-hfox, hermes, ideal, nominal, pcm, rram, rram-absolute, rram-milo, rram-wan, "
            "sonos, or the path of a .toml file",
        ),
        (("--preset", "no.toml"), "cannot read preset no.toml: No such file or directory"),
        (("--set", "gmax=5e-5"), "--set: unknown setting 'gmax', did you mean g_max?"),
        (("--set", "g_max"), "setting 'g_max' is not key=value, such as g_max=2.5e-5"),
        (("--set", "g_max=big"), "preset nominal with --set: g_max = 'big' is not a number"),
        (("--set", "g_max=2"), "g_max = 2.0 is out of range: above g_min (2.5e-07), at most 1 S"),
    ],
)
def test_a_setting_that_is_none_is_refused_with_a_suggestion(home, tmp_path, args, sentence):
    out = tmp_path / "net.build"
    assert refused("compile", home / "model.pt", "-o", out, *args) == ("SettingsError", sentence)
    assert not list(tmp_path.iterdir())


def test_somebody_elses_folder_is_neither_replaced_nor_written_to(home, build, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    before = snapshot(tmp_path)
    assert refused("compile", home / "model.pt", "-o", mine) == (
        "CompileError",
        f"{mine} holds thesis.tex, which no compile wrote, so it is not replaced: "
        "give another folder with -o",
    )
    assert refused("simulate", build, "--dataset", home / "data.npz", "--out", mine) == (
        "StudyError",
        f"{mine} holds files but no study.sqlite: give another --out",
    )
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("earlier", [False, True], ids=["new folder", "earlier build"])
@pytest.mark.parametrize("full", ["at once", "at the end"])
def test_a_full_disk_leaves_what_was_there_and_nothing_else(
    home, tmp_path, monkeypatch, earlier, full
):
    target = tmp_path / "net.build"
    if earlier:
        shutil.copytree(home / "other.build", target)
    before, replace = snapshot(tmp_path), Path.replace

    def no_space(self: Path, path: Path) -> Path:
        if full == "at the end" and self.is_file():
            return replace(self, path)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "replace", no_space)
    kind, sentence = refused("compile", home / "model.pt", "-o", target)
    assert kind == "AnalogKanError"
    assert re.fullmatch(r"cannot read or write .*: No space left on device", sentence)
    assert snapshot(tmp_path) == before


def test_a_full_disk_leaves_no_half_plot(tmp_path, monkeypatch):
    def no_space(self: Path, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "replace", no_space)
    args = ["devices", "plot", "A21", "--out", str(tmp_path / "a.png")]
    result = CliRunner().invoke(main, args, catch_exceptions=False)
    assert result.exit_code == 1
    sentence = f"error: cannot read or write {tmp_path / 'a.png'}: No space left on device\n"
    assert result.stderr == sentence
    assert not list(tmp_path.iterdir())


def test_a_netlist_that_is_not_the_network_never_takes_its_place(home, tmp_path, monkeypatch):
    from analogkan.compiler import spice

    target = shutil.copytree(home / "other.build", tmp_path / "net.build")
    before, format_number = snapshot(tmp_path), spice.format_number
    monkeypatch.setattr(spice, "format_number", lambda x: f"{format_number(x)[:6]}")
    kind, sentence = refused("compile", home / "model.pt", "-o", target)
    assert kind == "NetlistError"
    assert sentence.startswith("the netlist is not the network, so nothing was written: ")
    assert snapshot(tmp_path) == before


def test_a_file_is_not_replaced_by_a_build(home, tmp_path):
    (tmp_path / "net.build").write_text("mine")
    assert refused("compile", home / "model.pt", "-o", tmp_path / "new" / ".." / "net.build") == (
        "CompileError",
        f"{tmp_path}/net.build is a file: give another folder with -o",
    )
    assert (tmp_path / "net.build").read_text() == "mine"


# ---- builds


def test_a_folder_that_is_no_build_is_refused(tmp_path):
    sentence = f"{tmp_path} is no BUILD folder (no design.json): run `analogkan compile`"
    for command in ("verify", "simulate"):
        assert refused(command, tmp_path) == ("NetlistError", sentence)


def test_the_network_of_another_model_is_refused(home, build):
    shutil.copyfile(home / "other.build" / "network.npz", build / "network.npz")
    for command in ("verify", "simulate"):
        kind, sentence = refused(command, build)
        assert kind == "NetlistError"
        assert re.fullmatch(
            rf"{build}/network.npz is another model than the one design.json describes "
            r"\([0-9a-f]{12}, not [0-9a-f]{12}\): compile the model again",
            sentence,
        )


@pytest.mark.parametrize("name", ["design.json", "design.npz", "network.npz"])
def test_a_damaged_build_is_refused(build, name):
    (build / name).write_bytes((build / name).read_bytes()[:100])
    kind, sentence = refused("verify", build)
    assert kind in ("NetlistError", "CheckpointError")
    assert sentence.startswith(f"{build / name} is ")


def test_an_edited_deck_is_found_by_verify_and_simulated_only_on_request(home, build):
    path = build / "layer0.cir"
    path.write_text(path.read_text().replace("r_i2_d0_o1_p i2_d0", "r_i2_d0_o1_p i3_d0"))
    result = CliRunner().invoke(main, ["verify", str(build)])
    assert result.exit_code == 1
    assert "differs layer0.cir was edited after it was compiled\n" in result.stdout
    assert "not verified: " in result.stdout

    sentence = (
        f"{path} was edited after it was compiled: `analogkan verify {build}` says where; "
        "--allow-edited simulates it as it is"
    )
    args = ("simulate", build, "--dataset", home / "data.npz")
    assert refused(*args) == ("NetlistError", sentence)
    assert refused(*args, "--trace", "3") == (
        "NetlistError",
        "layer0.cir was edited by hand: --allow-edited traces it as it is",
    )
    result = CliRunner().invoke(main, [*map(str, args), "--allow-edited"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "note: edited by hand: layer0.cir\n" in result.stdout


# ---- data


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--subset", "0"), "a subset of 0 images is not possible: there are 40"),
        (("--subset", "41"), "a subset of 41 images is not possible: there are 40"),
        (
            ("--subset", "5:5"),
            "subset 5:5 is empty or leaves the data set: it has 40 images",
        ),
        (
            ("--trace", "140"),
            "image 140 is none of data.npz test, all 40: there are 0, 1, 2, 3, 4 and 35 more, to "
            "39",
        ),
    ],
)
def test_images_that_are_not_there_are_refused(home, build, args, sentence):
    command = ("simulate", build, "--dataset", home / "data.npz", *args)
    assert refused(*command) == ("DataError", sentence)
    result = CliRunner().invoke(main, [str(a) for a in command])
    assert result.stderr == f"error: {sentence}\n"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            ("--subset", "all:x:"),
            "subset 'all:x:' is neither a count such as 200 nor a range such as 0:200",
        ),
        (
            ("--dataset", "mnits"),
            "unknown data set 'mnits', did you mean mnist? Known: mnist, fashion-mnist, cifar10, "
            "functions such as thermistor, or the path of an .npz or .csv file",
        ),
    ],
)
def test_words_that_mean_nothing_are_usage_errors(build, args, sentence):
    assert refused("simulate", build, *args) == ("SettingsError", sentence)


def test_software_alone_keeps_no_run(build, tmp_path):
    args = ["simulate", str(build), "--engine", "software", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 2
    assert "--out keeps ngspice's chunks: --engine software has none" in result.stderr
    result = CliRunner().invoke(main, [*args[:4], "--session"])
    assert result.exit_code == 2
    assert "--session is a way to run ngspice: --engine software has none" in result.stderr
    result = CliRunner().invoke(main, [*args[:2], "--trace", "1", "--session"])
    assert result.exit_code == 2
    assert "--trace runs one image in the ngspice program: no --subset, --fail-" in result.stderr


# ---- ngspice and other processes


def test_without_the_library_no_session_simulates(home, build, monkeypatch):
    monkeypatch.setenv("ANALOGKAN_LIBNGSPICE", "/nonexistent")
    assert refused("simulate", build, "--dataset", home / "data.npz", "--session") == (
        "SimulationError",
        "ANALOGKAN_LIBNGSPICE names /nonexistent, which is no file: install it (Debian, Ubuntu: "
        "`apt install libngspice0`; macOS: `brew install libngspice`), or name the file in "
        "ANALOGKAN_LIBNGSPICE",
    )


def test_without_ngspice_nothing_is_simulated(home, build, tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "/nonexistent")
    args = ("simulate", build, "--dataset", home / "data.npz")
    for command in (args, (*args, "--trace", "3"), ("demo", "--out", tmp_path / "demo")):
        kind, sentence = refused(*command)
        assert kind == "SimulationError"
        assert sentence.startswith("ANALOGKAN_NGSPICE names /nonexistent, which is no program: ")
    assert [p.name for p in tmp_path.iterdir()] == ["model.build"]


def test_ctrl_c_ends_ngspice_and_says_how_to_go_on(home, build, ngspice, tmp_path):
    pid, fake = tmp_path / "pid", tmp_path / "ngspice"
    fake.write_text(
        f'#!/bin/sh\n[ "$1" = -v ] && exec {ngspice.path} -v\necho $$ > {pid}\nexec sleep 60\n'
    )
    fake.chmod(0o755)
    args = ["-m", "analogkan", "simulate", build, "--dataset", home / "data.npz"]
    with subprocess.Popen(
        [sys.executable, *args],
        env=os.environ | {ENVIRONMENT: str(fake)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_ctrl_c,  # noqa: PLW1509
    ) as process:
        for _ in range(300):
            if pid.exists() and pid.read_text().strip():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.endswith("interrupted: the same command goes on with what is left\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert not list(tmp_path.glob("*.run/*/failed"))


def test_a_plot_of_an_unknown_format_is_refused(tmp_path):
    out = tmp_path / "x.foo"
    result = CliRunner().invoke(main, ["devices", "plot", "A21", "--out", str(out)])
    assert result.exit_code == 1
    assert "its name must end in .png, .svg or .pdf" in result.stderr
    assert not out.exists()


def test_usage_errors_are_json_too():
    runner = CliRunner()
    for words in (["simulate", "--nosuch", "--json"], ["train", "--epochs", "0", "--json"]):
        result = runner.invoke(main, words)
        assert result.exit_code == 2
        error = json.loads(result.stdout)["error"]
        assert error["message"] in result.stderr.replace("\n", " ")
    assert runner.invoke(main, ["simulate", "--nosuch"]).stdout == ""
