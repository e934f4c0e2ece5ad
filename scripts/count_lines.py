"""Code lines of the package: docstrings, comments and blank lines apart.

    python scripts/count_lines.py [FOLDER]

A line counts if a token of code is on it, however many are.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "analogkan"
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
"""Tokens that are no code."""


def code_lines(text: str) -> int:
    """Lines of a module's ``text`` with code on them."""
    said: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            said.update(range(value.lineno, (value.end_lineno or value.lineno) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SILENT:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - said)


def count(folder: Path) -> dict[str, int]:
    """Code lines of each module or package directly in ``folder``."""
    found: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.py")):
        found[path.relative_to(folder).parts[0]] += code_lines(path.read_text(encoding="utf-8"))
    return dict(found)


def main() -> None:
    """Print the counts and their sum."""
    found = count(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE)
    for name, lines in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{lines:7,}  {name}")
    print(f"{sum(found.values()):7,}  in all")


if __name__ == "__main__":
    main()
