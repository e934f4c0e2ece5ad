"""``analogkan doctor``."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from ..errors import SettingsError, SimulationError
from . import common

PACKAGES = ("torch", "torchvision", "PySpice", "numpy", "scipy", "networkx", "matplotlib")
MARKS = {True: ("ok", "green"), False: ("missing", "red"), None: ("note", "yellow")}
START_UP = (Path(".spiceinit"), Path("~/.spiceinit"))


@click.command(short_help="Say what is installed, and what is missing; list the settings.")
@click.option("--settings", is_flag=True, help="List what --set and presets may set, and no more.")
@common.json_option
@common.guarded
def doctor(settings, as_json) -> None:
    """Check what inference needs: Python, its packages, and ngspice.

    Exits with 1 when ngspice or a package is missing, and prints the line that mends it. Other
    simulators, a compiler of Verilog-A and a foundry's models may be missing.

    \b
    Examples:
      analogkan doctor
      analogkan doctor --settings
    """
    if settings:
        print_settings(as_json)
        return
    report = examine()
    if as_json:
        common.print_json(report)
    else:
        for item in report["checks"]:
            mark, style = MARKS[item["ok"]]
            common.out.print(f"{mark:7}", style=style, end="")
            common.out.print(f" {item['what']:12} {item['found']}")
            if item["mend"]:
                common.out.print(f"                     {item['mend']}", style="bold")
    if not report["can_simulate"]:
        raise SystemExit(common.EXIT_FAILURE)


def print_settings(as_json: bool) -> None:
    """Every setting with its unit, default and range, a table for each group."""
    from ..imperfections.catalogue import settings
    from ..physics import Assumptions

    found = settings({"assumptions": Assumptions})
    if as_json:
        common.print_json({"settings": [asdict(entry) for entry in found]})
        return
    for group in dict.fromkeys(entry.group for entry in found):
        shown = Table(title=f"[{group}]", title_justify="left", box=None)
        for column in ("setting", "unit", "default", "range", "is"):
            shown.add_column(column, overflow="fold", no_wrap=column == "setting")
        for entry in found:
            if entry.group == group:
                default = entry.default if isinstance(entry.default, str) else f"{entry.default:g}"
                cells = (entry.name, entry.unit, default, entry.range, entry.about)
                shown.add_row(*cells)
        common.out.print(shown, soft_wrap=False)
    common.out.print(
        "given as --set key=value, or in a preset's table of that name; numbers as 25e-6, 25u "
        "(SPICE: t g meg k m u n p f), shares also as 5%",
        markup=False,
    )


def examine() -> dict:
    """The checks, and whether inference can run."""
    checks = [_python(), *(_package(name) for name in PACKAGES), *_ngspice(), _library()]
    checks += [*_others(), *_models(), *_ignored()]
    return {
        "can_simulate": all(check["ok"] is not False for check in checks),
        "checks": checks,
    }


def _check(what: str, ok: bool | None, found: str, mend: str = "") -> dict:
    return {"what": what, "ok": ok, "found": found, "mend": mend}


def _python() -> dict:
    fine = sys.version_info >= (3, 11)
    return _check(
        "Python", fine, platform.python_version(), "" if fine else "use Python 3.11 or newer"
    )


def _package(name: str) -> dict:
    try:
        return _check(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return _check(name, False, "not installed", f"python -m pip install {name}")


def _ngspice() -> list[dict]:
    from ..engines.ngspice import find_ngspice

    try:
        program = find_ngspice()
    except SimulationError as error:
        return [_check("ngspice", False, "not usable", str(error))]
    found = _check("ngspice", True, f"{program.version} at {program.path}")
    if program.klu:
        return [found, _check("KLU", True, "compiled in")]
    mend = (
        "results are the same without it, large circuits 2 to 20 times slower; ngspice 42 or newer "
        "can have it (Debian 12: bookworm-backports)"
    )
    return [found, _check("KLU", None, "not in this ngspice", mend)]


def _others() -> list[dict]:
    """Other simulators, and the compiler of Verilog-A that comes with one."""
    from ..dialects import VACASK
    from ..engines.others import PACKAGES as BRINGS
    from ..engines.others import find_simulator

    asked = [(name, name, f"--engine {name}") for name in BRINGS]
    checks = []
    for what, name, needs in (*asked, ("OpenVAF", VACASK.name, "a model in Verilog-A")):
        try:
            program = find_simulator(name)
        except SimulationError as error:
            checks.append(_check(what, None, "not installed", f"only {needs} needs it: {error}"))
            continue
        path = program.path
        if what != name:
            path = path.with_name(f"openvaf-r{path.suffix}")
        checks.append(_check(what, True, f"{BRINGS[name]} {program.version} at {path}"))
    return checks


def _models() -> list[dict]:
    """Foundries' models that a package brings."""
    from ..opamps.libraries import LIBRARIES, resolve

    checks = []
    for name, library in LIBRARIES.items():
        try:
            models = resolve(name, Path())[-1].path
            version = importlib.metadata.version(library.distribution)
        except (SettingsError, importlib.metadata.PackageNotFoundError) as error:
            checks.append(_check(name, None, "not installed", str(error)))
        else:
            checks.append(_check(name, True, f"{library.distribution} {version} at {models}"))
    return checks


def _ignored() -> list[dict]:
    """What steers an ngspice that is started by hand, and none that is started here."""
    from ..engines.ngspice import ENVIRONMENT_PREFIXES

    found = [name for name in sorted(os.environ) if name.startswith(ENVIRONMENT_PREFIXES)]
    found += [str(path) for path in START_UP if path.expanduser().is_file()]
    if not found:
        return []
    what = "of ngspice's own; runs from here are not changed by them"
    return [_check("ignored", None, ", ".join(found), what)]


def _library() -> dict:
    from ..engines.ngspice import find_ngspice
    from ..engines.session import library_info

    only = "only in-process sessions (PySpice) need it"
    try:
        library = library_info()
    except SimulationError as error:
        return _check("libngspice", None, "not usable", f"{only}: {error}")
    found = f"{library.version} at {library.path}"
    try:
        program = find_ngspice()
    except SimulationError:
        return _check("libngspice", True, found)
    if (library.version, library.klu) == (program.version, program.klu):
        return _check("libngspice", True, f"{found}, of the program's build")
    mend = f"{only}, and refuse it: install the one of the program's build, {program.version}"
    return _check("libngspice", None, f"{found}, another build than the program's", mend)
