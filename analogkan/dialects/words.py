# pyright: strict
"""Numbers, comments and long lines: what all dialects have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def format_number(x: float) -> str:
    """The shortest text that reads back as exactly ``x``."""
    if not np.isfinite(x):
        raise ValueError(f"{x} cannot stand in a netlist")
    return repr(float(x))


def format_wrapped(head: str, words: Sequence[str], tail: str = "", in_line: int = 8) -> str:
    """``head``, the words on continuation lines of eight, say, and ``tail`` on one of its own."""
    lines = [head]
    lines += ["+ " + " ".join(words[k : k + in_line]) for k in range(0, len(words), in_line)]
    if tail:
        lines.append("+ " + tail)
    return "\n".join(lines)


def format_comment(text: str, mark: str = "*") -> str:
    """``text`` as lines of comment, which begin with ``mark``, whatever it holds."""
    safe = "".join(c if c.isprintable() else " " for c in text)
    words, lines = safe.split(), [mark]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > 100:
            lines.append(mark)
        lines[-1] += " " + word
    return "\n".join(lines)
