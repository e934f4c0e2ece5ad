"""Reading the documents: their fenced blocks run in order, what they print beside what is said."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from analogkan.cli import main
from analogkan.files import sealed

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """(language, text) of the page's fenced blocks in these languages, in order."""
    fences = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [(language, text) for language, text in fences if language in languages]


def commands(text: str) -> list[str]:
    """The commands of a shell block, continuation lines joined, comments left out."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def run(command: str, folder: Path, *, exit_code: int = 0) -> str:
    """What ``command`` prints in ``folder``, the current one.

    analogkan's run in this process, which saves importing torch; the others in a shell.
    """
    words = shlex.split(command.replace("$ANALOGKAN", str(ROOT)))
    if words[0] == "analogkan":
        kept = None
        if words[-2] == ">":
            kept, words = folder / words[-1], words[:-2]
        words = [
            name
            for word in words[1:]
            for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
        ]
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        if kept is not None:
            kept.write_text(result.stdout, encoding="utf-8")
            return ""
        return result.stdout
    return shell(command, folder)


def write_result(path: Path, document: dict[str, Any]) -> None:
    """A result.json that says ``document``, as if its command had written it."""
    path.write_text(json.dumps(sealed(document)), encoding="utf-8")


def shell(command: str, folder: Path) -> str:
    """What a shell's ``command`` prints, this Python and the simulator in use found first."""
    first = [str(Path(sys.executable).parent)]
    if "ANALOGKAN_NGSPICE" in os.environ:
        first.append(str(Path(os.environ["ANALOGKAN_NGSPICE"]).resolve().parent))
    path = os.pathsep.join([*first, os.environ["PATH"]])
    there = {"ANALOGKAN": str(ROOT), "PYTHONPATH": str(ROOT), "PATH": path}
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env=os.environ | there,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def run_python(program: str, folder: Path) -> str:
    """What a program prints, run by this Python in ``folder``."""
    (folder / "block.py").write_text(program, encoding="utf-8")
    return shell("python -W error block.py", folder)


def skeleton(text: str) -> list[str]:
    """The words of each line; every number is a #, as are the version of ngspice and its solver."""
    text = re.sub(r"ngspice (\d+)(, KLU)?", "ngspice #", text)
    return [" ".join(NUMBER.sub("#", line).split()) for line in text.splitlines()]


def numbers(text: str) -> list[float]:
    """Every number in it."""
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def percentages(text: str) -> list[float]:
    """Every number that ``%`` follows."""
    return [float(found) for found in re.findall(r"(\d+(?:\.\d+)?) %", text)]
