"""What is kept of commands for help and TAB is what the commands themselves say.

``--update-golden`` writes ``analogkan/cli/helps/`` and ``words.json`` anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from analogkan import resources
from analogkan.cli import COMMANDS, complete, kept, main
from analogkan.data.sources import DATASETS
from analogkan.studies import registry

Path_ = tuple[str, ...]


def live(path: Path_) -> tuple[click.Command, click.Context]:
    """A command, loaded, and a context of it."""
    command: click.Command = main
    ctx = click.Context(main, info_name="analogkan", help_option_names=["-h", "--help"])
    for name in path:
        command = main.live(name) if command is main else command.commands[name]  # type: ignore
        command._help_option = None  # click keeps the one that it made for whoever asked first
        ctx = click.Context(command, parent=ctx, info_name=name)
    return command, ctx


def below(*path: str) -> Iterator[Path_]:
    """Every command that is reached by way of ``path``."""
    yield path
    command, ctx = live(path)
    for name in command.list_commands(ctx) if isinstance(command, click.Group) else ():
        yield from below(*path, name)


PATHS = list(below())


def printed(*words: str, code: int = 0) -> str:
    """What the command line says."""
    result = CliRunner().invoke(main, words, prog_name="analogkan")
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("path", PATHS, ids=lambda path: " ".join(path) or "analogkan")
def test_help_that_is_kept_is_the_command_s_own(path, request, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    own = f"{live(path)[1].get_help()}\n"
    file = Path(kept.HERE) / "helps" / f"{'-'.join(('analogkan', *path))}.txt"
    if request.config.getoption("--update-golden"):
        file.write_text(own, encoding="utf-8", newline="\n")
    assert file.read_text(encoding="utf-8") == own
    assert printed(*path, "--help") == printed(*path, "-h") == own


def test_help_is_laid_out_for_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "79")
    assert kept.help_of(live(())[1], ["compile", "--help"]) is None
    monkeypatch.setenv("COLUMNS", "80")
    assert kept.help_of(live(())[1], ["compile", "--help"])


def test_help_that_is_kept_is_of_commands_that_there_are():
    names = {"-".join(("analogkan", *path)) for path in PATHS}
    assert {file.stem for file in (Path(kept.HERE) / "helps").iterdir()} == names


def test_help_says_how_the_program_was_called():
    told = CliRunner().invoke(main, ["compile", "-h"], prog_name="python -m analogkan").output
    assert told.startswith("Usage: python -m analogkan compile [OPTIONS] MODEL\n\n  Compile a tr")
    told = CliRunner().invoke(main, ["compile", "-h"], prog_name="x" * 70).output
    assert told.startswith(f"Usage: {'x' * 70} compile \n")  # click's own line breaks


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("compile", "--preset", "--help"), "Missing argument 'MODEL'"),
        (("compile", "--presets", "-h"), "No such option '--presets'. (Did you mean"),
        (("montecarlo", "--seed", "1", "--seed", "2", "-h"), "--seed is given twice"),
        (("devices", "shw", "--help"), "did you mean show?"),
        (("devices-show", "--help"), "No such command 'devices-show'"),
    ],
)
def test_other_words_beside_help_are_read_by_click(words, said):
    assert said in printed(*words, code=2)


def described(command: click.Command, ctx: click.Context) -> dict[str, Any]:
    """A command as ``words.json`` has it."""
    found: dict[str, Any] = {"short": command.get_short_help_str(80)}
    if isinstance(command, click.Group):
        names = command.list_commands(ctx)
        return found | {
            "commands": {name: described(command.commands[name], ctx) for name in names}
        }
    return found | {"params": [param_of(param, ctx) for param in command.params]}


def param_of(param: click.Parameter, ctx: click.Context) -> dict[str, Any]:
    found: dict[str, Any] = {"name": param.name}
    if param.nargs != 1:
        found["nargs"] = param.nargs
    if isinstance(param, click.Option):
        assert not param.secondary_opts and not param.hidden, "no option is like this so far"
        found |= {"opts": param.opts, "help": param.help}
        found |= {flag: True for flag in ("is_flag", "multiple") if getattr(param, flag)}
    if param._custom_shell_complete is not None:
        words = param._custom_shell_complete.__name__
        assert callable(getattr(complete, words)), "it is one of the module"
        return found | {"words": words}
    items = param.type.shell_complete(ctx, param, "")
    if any(item.type != "plain" for item in items):
        return found | {"place": items[0].type}
    return found | ({"choices": [item.value for item in items]} if items else {})


SHIPPED = (
    *("presets/*.toml", "board/opamps/*.toml", "training/recipes/*.toml", "models/*.pt"),
    *("devices/library/*.toml", "netlists/opamps/*.lib", "netlists/devices/*.va"),
)


def shipped(files: str) -> list[str]:
    folder, _, pattern = files.rpartition("/")
    return sorted(path.stem for path in resources.path(folder).glob(pattern))


def test_words_that_are_kept_are_the_commands_own(request):
    ctx = live(())[1]
    found = {
        "commands": {name: described(main.live(name), ctx) for name in COMMANDS},
        "settings": {
            name: complete.settings(name) for name in ("compile", "train", *registry.names())
        },
        "datasets": DATASETS,
        "shipped": {files: shipped(files) for files in SHIPPED},
    }
    text = json.dumps(found, indent=1) + "\n"
    path = Path(kept.HERE) / "words.json"
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(text)


LOADED = """
import atexit, sys
atexit.register(lambda: print("loaded", *sys.modules, file=sys.stderr))
sys.argv[0] = "analogkan"
from analogkan.cli import main
main()
"""
LIGHT = {
    "analogkan", "analogkan.errors", "analogkan.studies", "analogkan.studies.registry",
    *(f"analogkan.cli{name}" for name in ("", ".group", ".kept", ".process")),
}  # fmt: skip
"""What of this package help loads."""
PRINTING = {"signal", "_locale", "locale"}
"""What else: to end well, and to print in the terminal's language."""


def loaded(*words: str, **env: str) -> set[str]:
    """Modules that a command line has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], env=os.environ | env, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    told = next(line for line in done.stderr.splitlines() if line.startswith("loaded "))
    return set(told.split()[1:])


@pytest.fixture(scope="module")
def of_click() -> set[str]:
    """Modules that click loads."""
    program = "import atexit, click, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("words", ["--help", "compile --help", "montecarlo -h"])
def test_help_loads_click_and_a_few_modules(words, of_click):
    more = loaded(*words.split()) - of_click
    assert {name for name in more if name.startswith("analogkan")} == LIGHT
    assert {name for name in more if not name.startswith("analogkan")} <= PRINTING


@pytest.mark.parametrize(
    "words", ["", "compile --pre", "compile ", "sweep --set g", "train --dataset "]
)
def test_tab_loads_what_it_needs(words):
    line = f"analogkan {words}"
    at = str(line.count(" "))
    found = loaded(_ANALOGKAN_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=at)
    ours = {name for name in found if name.startswith("analogkan")}
    assert ours <= LIGHT | {"analogkan.cli.complete"}
    assert not found & {"numpy", "rich", "tomllib", "zipfile", "pathlib"}


def test_the_version_loads_no_library_to_ask_for_its_version():
    assert not loaded("--version") & {"torch", "numba", "PySpice", "scipy", "rich"}


SLOW = {
    "torch",
    "torchvision",
    "scipy.stats",
    "scipy.optimize",
    "matplotlib",
    "numba",
    "distributed",
}
"""Packages that take longer to be loaded than compiling a small network does."""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quick") / "mnist-d2.build"


def test_the_main_path_loads_nothing_slow(build):
    """From a model that ships to a verdict by ngspice."""
    run = str(build.with_name("run"))
    assert not SLOW & loaded("compile", "mnist-d2", "-o", str(build))
    assert not SLOW & loaded("verify", str(build))
    assert not SLOW & loaded("simulate", str(build), "--subset", "2", "--out", run)
