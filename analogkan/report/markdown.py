"""A summary of RUNs in GitHub's Markdown, for a pull request: tables, no pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .. import __version__
from ..compiler.build import Build
from ..ours import MARKED
from ..results import Listing
from ..studies.made import day_of
from ..text import many, markdown_table
from .circuit import circuit_facts
from .naming import named
from .runs import Run
from .sections import headline

MOST_LINES = 100
"""Of a summary, as long as its RUNs are not very many."""
FEWEST_ROWS = 3
"""Of each RUN's table in any case."""
AROUND = 7
"""Lines of a RUN's part beside its rows."""


def summarise(runs: Sequence[Run], build: Build | None, missing: str, title: str = "") -> str:
    """RUNs in Markdown: headline, circuit, what was simulated, and the first rows of each table.

    Parameters
    ----------
    runs
        Of one circuit.
    build
        The BUILD; None: ``missing`` says why there is none.
    title
        By default the network's name.
    """
    runs = named(runs)
    mark = MARKED[".md"].decode()
    parts = [f"{mark} -->\n# {_plain(title or str(runs[0].summary['model']))}\n"]
    facts = [(f.label, f"**{_plain(f.value)}**", _plain(f.note)) for f in headline(runs)]
    parts.append(markdown_table(("", "value", ""), facts))
    if build is None:
        parts.append(f"Without the circuit's figures: {_plain(missing)}.\n")
    else:
        about = [(f.label, _plain(f.value), _plain(f.note)) for f in circuit_facts(build)]
        parts.append(markdown_table(("circuit", "value", ""), about))
    rows = [_provenance(run) for run in runs]
    parts.append(markdown_table(("study", "images", "settings", "engine", "checked", "made"), rows))
    used = sum(part.count("\n") + 1 for part in parts)
    each = max(FEWEST_ROWS, (MOST_LINES - 3 - used) // len(runs) - AROUND)
    parts += [_section(run, each) for run in runs]
    return "\n".join(parts) + f"\nanalogkan {__version__}, {many(len(runs), 'RUN')}.\n"


def _provenance(run: Run) -> list[str]:
    found, s = run.result, run.summary
    told = (
        run.study, s["images"]["said"], found.drawn(), found.simulated_by(), found.judged(),
        day_of(s.get("made")),
    )  # fmt: skip
    return [_plain(text) for text in told]


def _section(run: Run, most: int) -> str:
    """A RUN's table, of many rows the first ones."""
    table: Listing = run.result.facts()
    head = [_plain(name) for name in table.columns]
    rows = [[_plain(cell) for cell in row] for row in table.rows]
    left = len(rows) - most
    text = f"## {_plain(run.title)}\n\n{markdown_table(head, rows[:most] if left > 1 else rows)}"
    if left > 1:
        text += f"\n{left} more rows are on the page.\n"
    return text


def _plain(text: str) -> str:
    """``text`` as Markdown shows it, in one line: what would be markup is not."""
    text = re.sub(r"\s+", " ", str(text).strip())
    return re.sub(r"([\\|<>*`\[\]])|(?<!\w)([_@#])", r"\\\1\2", text)
