"""Signatures of the Python reference: what a parameter may be, without Python's detours."""

from __future__ import annotations

import re
from typing import Any

SHORTER = (
    (r"str \| ~?(?:os\.)?PathLike\[str\]", "path"),
    (r"~?(?:os\.)?PathLike\[str\] \| str", "path"),
    (r" \| None = None", " = None"),
)
"""What is found in a signature, and what is shown for it: a default of None says that it may be."""
ARRAY = re.compile(r"~?\b(?:np\.|numpy\.)?ndarray\b")


def shorter(text: str) -> str:
    """``text`` with each of ``SHORTER`` applied, and arrays without their types in brackets."""
    for found, shown in SHORTER:
        text = re.sub(found, shown, text)
    while match := ARRAY.search(text):
        end = closed(text, match.end())
        text = f"{text[: match.start()]}array{text[end:]}"
    return text


def closed(text: str, start: int) -> int:
    """Where the brackets that begin at ``start`` end; ``start`` if none do."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"[": 1, "]": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1 if text[place] == "]" else start
    return start


def shorten(
    app: Any, what: str, name: str, obj: object, options: Any, signature: Any, returns: Any
) -> tuple[str | None, str | None]:
    """Autodoc's signature and return annotation, shorter."""
    return (signature and shorter(signature)), (returns and shorter(returns))


def setup(app: Any) -> dict[str, bool]:
    """Hook into autodoc."""
    app.connect("autodoc-process-signature", shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
