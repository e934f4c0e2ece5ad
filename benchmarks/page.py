"""The tables of ``docs/performance.md``, made of ``docs/performance.json``.

    python -m benchmarks.page docs/performance.json docs/performance.md

writes them without measuring; ``python -m benchmarks --json FILE --page FILE`` measures first.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from .measure import Row, faster, told_range, told_ratio

MARKS = re.compile(
    r"(<!-- measured: made by python -m benchmarks -->\n).*?(<!-- /measured -->)", re.DOTALL
)
HEAD = "| what | against | ratio | range | | rounds | |\n|---|---|---|---|---|---|---|\n"
GROWTH = "| what | sizes | exponent | range | rounds | |\n|---|---|---|---|---|---|\n"


def write_page(page: Path, document: dict[str, Any]) -> None:
    """Put the tables of ``document`` between the page's marks.

    Raises
    ------
    SystemExit
        If it does not have them once.
    """
    text = page.read_text(encoding="utf-8")
    if len(MARKS.findall(text)) != 1:
        raise SystemExit(f"{page} has no marks for what is measured, or several")
    made = MARKS.sub(lambda found: found[1] + tables(document) + found[2], text)
    page.write_text(made, encoding="utf-8", newline="\n")


def tables(document: dict[str, Any]) -> str:
    """Markdown: the machine, and a table a benchmark."""
    told = "; ".join(f"{key} {value}" for key, value in document["machine"].items())
    parts = [f"Machine: {told}.\n"]
    for name, of in document["benchmarks"].items():
        load = " to ".join(f"{x:g}" for x in of["load"])
        parts.append(f"\n### {name}\n\n`python -m benchmarks {name}`, load {load}:\n\n")
        rows: list[Row] = of["rows"]
        sides = [row for row in rows if not row.get("exponent")]
        slopes = [row for row in rows if row.get("exponent")]
        parts += [HEAD, *map(_side, sides)] if sides else []
        parts += ["\n"] if sides and slopes else []
        parts += [GROWTH, *map(_slope, slopes)] if slopes else []
    return "".join(parts)


def _side(row: Row) -> str:
    of = f" ({row['of']})" if "of" in row else ""
    cells = [told_ratio(row) + of, told_range(row), faster(row), f"{row['n'] or ''}"]
    return _line(row["what"], row["against"], *cells, row["note"])


def _slope(row: Row) -> str:
    cells = [told_ratio(row), told_range(row), str(row["n"])]
    return _line(row["what"], row["against"], *cells, row["note"])


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    kept, written = map(Path, sys.argv[1:])
    write_page(written, json.loads(kept.read_text(encoding="utf-8")))
