"""One word for one thing: in pages, help, reports, cards, messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_statements import COMMANDS, GROUPS, KANALOGUES

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "models", "examples", "netlists", "analogkan", "benchmarks", "scripts")
PAGES = [
    *ROOT.glob("*.md"),
    *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md")),
    *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.toml")),
]
MODULES = [module for folder in FOLDERS for module in (ROOT / folder).rglob("*.py")]
CODE = re.compile(r"``[^`]*``|`[^`]*`")
OTHERWISE = {
    "op-amp": r"\bop amps?\b|(?<![./])\bopamps\b(?![./])|operational amplifiers?",
    "datasheet": r"data[ -]sheet",
    "data set": r"\bdatasets\b|data-set",
    "netlist": r"net[ -]list",
    "crossbar": r"cross-bar",
    "crosspoint": r"cross-point",
    "subcircuit": r"sub-circuit",
    "macro-model": r"macro ?models?\b",
    "read-out": r"\bread out of\b|\breadouts\b",
    "Monte Carlo": r"Monte-Carlo",
    "LayerNorm": r"[Ll]ayer[ -][Nn]orm\b|Layernorm\b",
    "PyTorch, torch": r"Pytorch",
    "ngspice": r"\bNg[Ss]pice\b(?! version)|ng-spice",
    "PySpice": r"\bPyspice\b|\bpySpice\b",
    "full scale": r"full-scale|fullscale",
    "per cent, %": r"\b\d+ ?percent\b",
    "gain-bandwidth product": r"(?<!unity-)\bgain bandwidth|gain-bandwidth\b(?!,? product)",
    "degC (°C where it is drawn)": r"\bdeg C\b|degrees C\b|\bcelsius degrees",
    "interval": r"confidence (?:interval|limit)s?",
    "closed form": r"closed-form\b",
}


def phrases(module: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every string of a module that is a phrase: docstrings, help, messages."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def lines() -> Iterator[tuple[str, str]]:
    """(where, text) of all that somebody reads."""
    for page in PAGES:
        for number, text in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{page.relative_to(ROOT)}:{number}", CODE.sub("", text)
    for module in MODULES:
        for number, text in phrases(module):
            yield f"{module.relative_to(ROOT)}:{number}", " ".join(CODE.sub("", text).split())


@pytest.fixture(scope="module")
def said() -> list[tuple[str, str]]:
    return list(lines())


@pytest.mark.parametrize("term", list(OTHERWISE))
def test_a_term_is_written_in_one_way(term, said):
    other = re.compile(OTHERWISE[term])
    assert [(where, other.search(text)[0]) for where, text in said if other.search(text)] == []  # type: ignore[index]


def test_all_that_is_read_is_looked_at(said):
    assert {"README.md", "docs/index.md", "models/README.md"} <= {w.split(":")[0] for w, _ in said}
    texts = [text for _, text in said]
    assert any("verified: the netlist is the network" in text for text in texts)  # a message
    assert any("Accuracies, virtual chips" in text for text in texts)  # a page


OTHERS = {"--no-deps", "--force-reinstall", "--option", "--update-golden", *KANALOGUES}
"""Options of pip, of pytest and of KANalogue's programs."""


def test_messages_help_and_reports_name_commands_and_options_that_exist():
    options = {o for c in COMMANDS.values() for p in c.params for o in (*p.opts, *p.secondary_opts)}
    options |= {"--help", "--version", *OTHERS}
    unknown = []
    for module in (ROOT / "analogkan").rglob("*.py"):
        for number, text in phrases(module):
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]+\b(?!-)", text)) - options
            for words in re.findall(r"`(?:\.venv/bin/)?analogkan ([a-z]+(?: [a-z]+)?)", text):
                name = words if words.split()[0] in GROUPS else words.split()[0]
                named |= {words} - ({words} if name in {*COMMANDS, *GROUPS} else set())
            unknown += [(f"{module.relative_to(ROOT)}:{number}", name) for name in sorted(named)]
    assert unknown == []
