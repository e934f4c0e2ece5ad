"""The layering the modules keep: imports point one way, and some things stay in one place."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from analogkan import cells

PACKAGE = Path(__file__).parents[1] / "analogkan"
LAYERS = (
    {
        "declared",
        "errors",
        "resources",
        "files",
        "limits",
        "loops",
        "schema",
        "settings",
        "streams",
        "threads",
        "intervals",
        "kinds",
        "numerals",
        "objects",
        "ours",
        "results",
        "tables",
        "outside",
        "pace",
        "text",
        "analogkan",
    },
    {"coordinates"},
    {"rare"},
    {"devices"},
    {"cells"},
    {"network"},
    {"data"},
    {"dialects"},
    {"compiler"},
    {"die"},
    {"imperfections"},
    {"engines"},
    {"physics"},
    {"planner"},
    {"drawing"},
    {"training", "studies", "plugins", "opamps", "diodes"},
    {"paper", "board"},
    {"report"},
    {"api"},
    {"cli", "__main__"},
)
DRAWING = (
    *(
        "corners",
        "blame",
        "canvas",
        "datasheets",
        "dies",
        "figures",
        "functions",
        "grids",
        "interactive",
        "loops",
        "opamps",
        "plans",
        "spectra",
        "yields",
    ),
)
"""Modules of ``report`` that draw what they are given, and know no study."""
TORCH = {
    f"network/{name}.py"
    for name in ("baselines", "basis", "model", "modules", "convert", "state", "teachers")
}
TORCH |= {"network/torchload.py"}
TORCH |= {f"engines/{name}.py" for name in ("twin", "twin_cells", "twin_front", "twin_inputs")}
TORCH |= {f"engines/{name}.py" for name in ("devices", "gradients", "mixed", "traced")}
TORCH |= {"engines/traced_chip.py"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def rank(part: str) -> int:
    return next(k for k, layer in enumerate(LAYERS) if part in layer)


def imports(path: Path) -> set[str]:
    """Absolute names of everything a module imports, at its top or inside functions."""
    found = set()
    base = ["analogkan", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            prefix = base[: len(base) - node.level + 1] if node.level else []
            module = ".".join([*prefix, *filter(None, [node.module])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def part_of(name: str) -> str | None:
    words = name.split(".")
    if words[0] != "analogkan":
        return None
    part = words[1] if len(words) > 1 else "analogkan"
    if part == "report" and words[2:3] and words[2] in DRAWING:
        return "drawing"
    if words == ["analogkan", "report"]:  # the package itself, by which they are imported
        return "drawing"
    known = set().union(*LAYERS)
    return part if part in known else "analogkan"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    relative = path.relative_to(PACKAGE)
    own = relative.parts[0].removesuffix(".py")
    if own == "report" and relative.stem in DRAWING:
        own = "drawing"
    if own == "__init__":
        return
    for name in imports(path):
        part = part_of(name)
        assert part is None or rank(part) <= rank(own), f"{relative} imports {name}"


def test_torch_stays_where_networks_are_made():
    users = {
        str(p.relative_to(PACKAGE))
        for p in MODULES
        if any(n.split(".")[0] == "torch" for n in imports(p))
    }
    assert {u for u in users if not u.startswith("training/")} == TORCH


def test_only_one_module_starts_processes():
    users = [p.relative_to(PACKAGE) for p in MODULES if "subprocess" in imports(p)]
    assert users == [Path("engines/ngspice.py")]


def test_dask_stays_where_it_is_used():
    users = [p.name for p in MODULES if any(n.split(".")[0] == "distributed" for n in imports(p))]
    assert users == ["cluster.py"]


def test_a_page_is_made_in_the_report_alone():
    def users(library: str) -> set[str]:
        found = (p for p in MODULES if any(n.split(".")[0] == library for n in imports(p)))
        return {str(p.relative_to(PACKAGE)) for p in found}

    assert users("jinja2") == {"report/page.py"}
    assert users("bokeh") == {"report/interactive.py", "report/exhibits.py"}
    assert all(name.startswith("report/") for name in users("matplotlib"))


def test_pyspice_stays_where_it_is_used():
    users = {
        str(p.relative_to(PACKAGE))
        for p in MODULES
        if any(n.split(".")[0] == "PySpice" for n in imports(p))
    }
    assert users == {"engines/pyspice.py", "engines/worker.py"}
    makers = {p.name for p in MODULES if "multiprocessing" in imports(p)}
    assert makers == {"session.py", "executor.py"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_is_for_one_system_only(path):
    """No module or call that Windows lacks, and no shell; text files are UTF-8 everywhere."""
    assert not imports(path) & {"fcntl", "pwd", "grp", "resource", "termios", "pty", "posix"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"fork", "killpg", "setsid", "getuid", "symlink_to", "system"}
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.match(r"/bin/|bash( |$)|sh -c", node.value), node.value
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            code = ast.unparse(node)
            mode = next((a.value for a in node.args if isinstance(a, ast.Constant)), "r")
            opens = node.func.attr == "open" and not code.startswith(("os.", "Image.", "archive."))
            if node.func.attr in {"read_text", "write_text"} or (opens and "b" not in str(mode)):
                assert "encoding" in {keyword.arg for keyword in node.keywords}, code


READERS = ("runs", "lines", "extract", "expressions", "netlist", "blocks", "graph", "elimination")


def test_reading_a_deck_shares_no_code_with_writing_it():
    for reader in READERS:
        assert not any(
            any(word in n for word in ("spice", "dialect", "mapping", "wires", "kron", "halves"))
            for n in imports(PACKAGE / "compiler" / f"{reader}.py")
        )


def test_only_one_function_of_verification_reads_how_a_cell_is_written():
    """Where a cell has no transfer its parameters are compared with those that were chosen."""
    users = []
    for path in MODULES:
        if path.stem in READERS or path.stem.startswith("verify"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    names = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
                    if path.parent.name == "compiler" and names & {"settings", "load"}:
                        users.append(f"{path.stem}.{node.name}")
                    code = ast.unparse(node)
                    if "front.params(" in code:
                        users.append(f"{path.stem}.{node.name}")
    assert users == ["verify_front._undeclared"]


def test_no_opamp_is_known_by_its_name():
    """What an op-amp does is asked of its declaration."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and "opamp" in ast.unparse(node.left):
                words = [part for part in node.comparators if isinstance(part, ast.Constant)]
                assert not any(part.value in cells.opamps() for part in words), ast.unparse(node)


def test_modules_stay_short():
    long = {p.name: n for p in MODULES if (n := len(p.read_text().splitlines())) > 400}
    assert long == {}


def test_importing_the_package_does_not_import_torch():
    import subprocess
    import sys

    program = (
        "import sys, analogkan.cli, analogkan.studies.simulate, analogkan.compiler.verify;"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
