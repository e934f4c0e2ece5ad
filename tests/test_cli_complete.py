"""What TAB offers: the values each option and argument takes, quickly, and as each shell wants."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from analogkan import Conditions, Hardware, Variation
from analogkan.cells import opamps
from analogkan.cli import COMMANDS, main
from analogkan.compiler import build as build_folder
from analogkan.data.sources import DATASETS
from analogkan.devices import library
from analogkan.studies import store

KEYS = [f"{f.name}=" for kind in (Hardware, Variation, Conditions) for f in fields(kind)]
MEASURED = ["cmo-hfox", "hermes", "pcm", "rram-milo", "rram-wan", "sonos"]
PRESETS = sorted(
    ["ai301a", "as-made", "board", "ideal", "nominal", "rram", "rram-absolute", *MEASURED]
)
RRAM = [name for name in PRESETS if name.startswith("rr")]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The current folder, with models, TOML files, data, BUILDs and RUNs, and others like them."""
    monkeypatch.chdir(tmp_path)
    data = ("own.npz", "own.csv")
    for name in ("net.pt", "notes.txt", "mine.toml", *data, "sub/deep.pt", "sub/deep.toml"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    for name in ("net.build", "demo.run/net.build", "sub/late.build", "a [b].build"):
        (Path(name)).mkdir(parents=True)
        (Path(name) / "design.json").touch()
    Path("conv.build").mkdir()
    (Path("conv.build") / "held.json").touch()
    for name in ("chips", "net.run/3f2a81c0", "demo.run/chips"):
        Path(name).mkdir(parents=True)
        (Path(name) / "result.json").touch()
    Path("begun.run/ffff").mkdir(parents=True)  # no result yet
    return tmp_path


def items(line: str) -> list[CompletionItem]:
    """What is offered for the last word of the line, which begins with ``analogkan``."""
    *args, last = line.split(" ")[1:]
    return ShellComplete(main, {}, "analogkan", "_ANALOGKAN_COMPLETE").get_completions(args, last)


def offered(line: str) -> list[str]:
    found = items(line)
    assert {item.type for item in found} <= {"plain"}
    return [item.value for item in found]


def test_commands_and_options(here):
    assert offered("analogkan ") == list(COMMANDS)
    assert offered("analogkan montecarlo net.build --yi") == ["--yield-at"]


@pytest.mark.parametrize(
    "before",
    [
        *("compile --preset", "montecarlo --preset", "thermal --preset", "sweep --preset"),
        "train --dataset mnist --variation",
    ],
)
def test_presets(here, before):
    assert offered(f"analogkan {before} ") == [*PRESETS, "mine.toml"]
    assert offered(f"analogkan {before} rr") == RRAM
    assert offered(f"analogkan {before} sub/") == ["sub/deep.toml"]
    (folder,) = items(f"analogkan {before} su")  # none begins so: the shell's own files
    assert (folder.type, folder.value) == ("file", "su")


def test_several_presets(here):
    assert offered("analogkan montecarlo --preset board,rram-w") == ["board,rram-wan"]
    assert offered("analogkan board net.build --preset board,./m") == ["board,./mine.toml"]


def test_recipes(here):
    assert offered("analogkan train --recipe mnist-d2") == ["mnist-d2", "mnist-d2-short"]
    assert offered("analogkan train --recipe ./m") == ["./mine.toml"]


@pytest.mark.parametrize("command", ["train", "simulate", "montecarlo", "thermal", "sweep"])
def test_data_sets(here, command):
    assert offered(f"analogkan {command} --dataset ") == [*DATASETS, "own.csv", "own.npz"]


def test_devices_one_or_several(here):
    assert offered("analogkan devices show ") == [*library.names(), "mine.toml"]
    assert offered("analogkan devices plot A21 z") == ["Z15", "Z21", "ZAZ21"]
    assert offered("analogkan devices fit m") == ["mine.toml"]
    for before in ("train --devices", "models convert best.pth --devices"):
        assert offered(f"analogkan {before} z1") == ["Z15"]
        assert offered(f"analogkan {before} Z15,za") == ["Z15,ZAZ21"]
        assert offered(f"analogkan {before} Z15,./m") == ["Z15,./mine.toml"]


@pytest.mark.parametrize("command", ["train", "montecarlo net.build", "thermal", "sweep"])
def test_settings(here, command):
    assert offered(f"analogkan {command} --set ") == KEYS
    assert offered(f"analogkan {command} --set sigma_g") == ["sigma_g=", "sigma_g_abs="]
    trims = ["trim=none", "trim=dark", "trim=dark-real"]
    assert offered(f"analogkan {command} --set trim=") == trims
    assert offered(f"analogkan {command} --set g_max=2") == []


def test_compile_has_settings_of_hardware_alone(here):
    assert offered("analogkan compile --set ") == [f"{f.name}=" for f in fields(Hardware)]
    assert offered("analogkan compile --set opamp=ra") == ["opamp=rails"]
    assert offered("analogkan compile --set levels=") == ["levels=e24", "levels=e96"]


@pytest.mark.parametrize("before", ["compile", "train --from"])
def test_checkpoints(here, before):
    shipped = ["mnist-conv", "mnist-d2", "mnist-d3"]
    assert offered(f"analogkan {before} ")[-1] == "net.pt"
    assert offered(f"analogkan {before} mn") == shipped
    assert offered(f"analogkan {before} sub/") == ["sub/deep.pt"]


@pytest.mark.parametrize(
    "before", ["verify", "simulate", "montecarlo", "thermal", "sweep", "report --build"]
)
def test_builds(here, before):
    builds = ["a [b].build", "conv.build", "demo.run/net.build", "net.build"]
    assert offered(f"analogkan {before} ") == builds
    assert offered(f"analogkan {before} sub/l") == ["sub/late.build"]
    (folder,) = items(f"analogkan {before} su")
    assert (folder.type, folder.value) == ("dir", "su")


def test_runs_that_have_a_result(here):
    assert offered("analogkan report ") == ["chips", "demo.run/chips", "net.run/3f2a81c0"]
    assert offered("analogkan report chips net.run/") == ["net.run/3f2a81c0"]


def test_folders_are_known_by_what_the_package_writes_into_them():
    assert build_folder.SUMMARY == "design.json"
    assert store.RESULT == "result.json"


ASK = "from analogkan.cli import main; main(prog_name='analogkan')"
QUICK = """
import atexit, sys
def at_end():
    loaded = {"torch", "scipy", "matplotlib", "PySpice"} & set(sys.modules)
    print("loaded", *sorted(loaded), "numpy" if "numpy" in sys.modules else "", file=sys.stderr)
atexit.register(at_end)
"""


def asked(shell: str, words: str, at: int | str) -> tuple[str, str]:
    """What the package answers a shell, and which slow packages it loaded for that."""
    env = {"COMP_WORDS": words, "COMP_CWORD": str(at), "_ANALOGKAN_COMPLETE": f"{shell}_complete"}
    done = subprocess.run(
        [sys.executable, "-c", QUICK + ASK],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


def test_presets_are_offered_without_anything_slow(here):
    printed, loaded = asked("bash", "analogkan compile --preset ", 3)
    assert printed.splitlines() == [f"plain,{name}" for name in [*PRESETS, "mine.toml"]]
    assert loaded.split() == ["loaded"]


def test_settings_are_offered_without_anything_slow(here):
    printed, loaded = asked("fish", "analogkan sweep net.build --set stuck", "stuck")
    assert printed.splitlines() == ["plain,stuck_min=", "plain,stuck_max="]
    assert loaded.split() == ["loaded"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("compile --set opa", ["plain,opamp=", "plain,opamp_gain="]),
        ("compile --set opamp =", [f"plain,{word}" for word in opamps()]),
        ("compile --set opamp = r", ["plain,rails"]),
        ("compile --preset = rr", [f"plain,{name}" for name in RRAM]),
        ("compile --set = opamp = r", ["plain,rails"]),
        ("compile --set = smear", ["plain,smear_width="]),
        ("compile --set opamp = rails --preset no", ["plain,nominal"]),
        ("compile --set opamp = rails n", ["plain,net.pt"]),
    ],
)
def test_bash_gives_a_setting_as_three_words(here, line, answer):
    words = f"analogkan {line}"
    printed, _ = asked("bash", words, words.count(" "))
    assert printed.splitlines() == answer


COMPLETE = """
compopt() { printf 'compopt %s %s\\n' "$1" "$2"; }  # it works only while somebody types
eval "$(_ANALOGKAN_COMPLETE=bash_source analogkan)"
ask() {
    COMP_WORDS=(analogkan "$@"); COMP_CWORD=$#; COMPREPLY=()
    _analogkan_completion analogkan
    echo "${COMPREPLY[@]}"
}
ask compile --set g_ma
ask montecarlo --preset rr
ask verify su
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_by_the_script_it_is_given(here, tmp_path_factory, monkeypatch):
    """No space after ``key=``; the shell's other folders where no BUILD begins so."""
    program = tmp_path_factory.mktemp("bin") / "analogkan"
    program.write_text(f"#!{sys.executable}\n{ASK}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        *("compopt -o nospace", "g_max="),
        " ".join(RRAM),
        *("compopt -o dirnames", ""),
    ]


def test_zsh_keeps_an_option_before_its_value(here):
    printed, _ = asked("zsh", "analogkan compile --preset=no", 2)
    assert printed.splitlines() == ["plain", "--preset=nominal", "_"]
    printed, _ = asked("zsh", "analogkan compile --set opamp=ra", 3)
    assert printed.splitlines() == ["plain", "opamp=rails", "_"]


def test_zsh_puts_no_space_after_a_setting():
    shell = get_completion_class("zsh")
    assert shell is not None
    assert "compadd -U -V unsorted -S '' -a keys" in shell(main, {}, "analogkan", "X").source()
