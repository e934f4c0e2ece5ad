"""Which figures of an example a page shows, and where they are kept: for pages and script."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "gallery" / "kept"
FIGURE = re.compile(r"([\w./-]+\.png): (.+)")


def figures(body: list[str]) -> list[tuple[str, str]]:
    """(file, what it shows) of the lines of a directive's body.

    Raises
    ------
    ValueError
        If a line is not ``FILE.png: words``.
    """
    found = []
    for line in filter(None, map(str.strip, body)):
        match = FIGURE.fullmatch(line)
        if match is None:
            raise ValueError(f"'{line}' is no line 'FILE.png: what it shows'")
        found.append((match[1], match[2]))
    return found


def kept_name(example: str, figure: str) -> str:
    """The name under which a figure of an example is kept."""
    return f"{example[:2]}-{figure.replace('/', '-')}"
