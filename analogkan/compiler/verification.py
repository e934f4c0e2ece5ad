"""What reading a deck back found."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import outside
from ..objects import Described, Facts

MOST = 5
"""Findings of one kind that are listed one by one."""


@dataclass(repr=False)
class Verification(Described):
    """What ``verify`` found.

    Attributes
    ----------
    findings
        Sentences; empty if the netlist is the network.
    facts
        What was looked at: counts, and the largest coefficient error.
    notes
        What was not looked at, and why.
    plugins
        What cells are from which: see ``outside.told``.
    """

    findings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    plugins: dict[str, Any] = field(default_factory=dict)

    def _described(self) -> tuple[str, Facts]:
        said = [(f"differs {k}", finding) for k, finding in enumerate(self.findings[: MOST + 1])]
        counts = ", ".join(
            f"{self.facts[key]:,} {key}" for key in ("resistors", "diodes", "nets")
            if key in self.facts
        )  # fmt: skip
        ok = "the netlist is the network" if self.ok else f"{len(self.findings)} findings"
        cells = [("cells", told) for told in outside.sentences(self.plugins)]
        notes = [("note", note) for note in self.notes]
        return ok, [("read back", counts), *cells, *said, *notes]

    @property
    def ok(self) -> bool:
        """No finding."""
        return not self.findings

    def sentence(self) -> str:
        """The findings in one line."""
        return "; ".join(self.findings)

    def add(self, sentences: Sequence[str]) -> None:
        """Add findings of one kind, the first few of them in full."""
        self.findings += sentences[:MOST]
        if len(sentences) > MOST:
            self.findings.append(f"... and {len(sentences) - MOST} more like the last one")

    def join(self, name: str, one: Verification) -> None:
        """Add what the verification of the deck ``name`` found: counts are summed."""
        self.findings += [f"{name}: {said}" for said in one.findings]
        self.notes = list(dict.fromkeys([*self.notes, *one.notes]))
        for key, value in one.facts.items():
            together = max if key == "max_coefficient_error" else operator.add
            own = key == "levels"  # the same of every deck
            self.facts[key] = value if own else together(self.facts.get(key, 0), value)
