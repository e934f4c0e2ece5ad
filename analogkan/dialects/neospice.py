# pyright: strict
"""neospice's dialect: ngspice's, but for what it does not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from .ngspice import NGSPICE
from .printed import judge
from .rawfile import read_raw

PROGRAM = Path(__file__).with_name("neospice_run.py")
"""What runs a deck in it: it comes as a library alone."""


def _source(name: str, p: str, n: str, kind: str, words: Sequence[str]) -> list[str]:
    """It takes what begins and ends with a parameter's braces for one parameter, and skips it."""
    if words[0].startswith("{"):
        *before, last = [f"({words[0]}", *words[1:]]
        words = [*before, f"{last})"]
    return NGSPICE.source(name, p, n, kind, words)


def _options(temp: str, nominal: str, solver: str) -> list[str]:
    return NGSPICE.options(temp, nominal, solver)[:2]  # it has one solver


def _ending(nets: Sequence[str]) -> list[str]:
    return [".op", f".print op {' '.join(f'v({net})' for net in nets)}", ".end"]


def _command(program: str, deck: str, raw: str) -> list[str]:
    return [program, "-P", str(PROGRAM), deck, raw]  # it imports nothing that stands beside it


NEOSPICE = replace(
    NGSPICE,
    name="neospice",
    about="neospice 0.2, which takes no .control section",
    verbatim=False,
    source=_source,
    options=_options,
    direct=(),
    ending=_ending,
    by_hand="python -c \"import neospice; print(*neospice.run('network.cir').print_output)\"",
    command=_command,
    # mnist-d2 with wires: a minute to load, 17 s an image
    patience=20.0,
    judge=partial(judge, by="neospice"),
    read=partial(read_raw, by="neospice"),
)
