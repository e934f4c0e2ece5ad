"""The dialect of neospice 0.2.0, as somebody would write it who has a simulator of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analogkan.dialects import NGSPICE
from analogkan.dialects.dialect import missing


def source(name: str, p: str, n: str, kind: str, words: Sequence[str]) -> list[str]:
    """It takes what begins and ends with a parameter's braces for one parameter, and skips it."""
    if words[0].startswith("{"):
        *before, last = [f"({words[0]}", *words[1:]]
        words = [*before, f"{last})"]
    return NGSPICE.source(name, p, n, kind, words)


NEOSPICE = replace(
    NGSPICE,
    name="neospice",
    about="neospice 0.2.0, which takes no .control section",
    verbatim=False,
    source=source,
    options=lambda *given: NGSPICE.options(*given)[:2],
    ending=lambda nets: [".op", ".end"],
    by_hand="",
    command=missing,
    judge=missing,
    read=missing,
)
