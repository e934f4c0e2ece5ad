"""Numbers and arithmetic of a deck, evaluated. Shares no code with the emitter."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from functools import lru_cache

SUFFIXES = {"t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "m": 1e-3}
SUFFIXES |= {"u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
NUMBER = re.compile(r"(-?[0-9]+(?:\.[0-9]*)?)(?:(e[-+]?[0-9]+)|(meg|[tgkmunpf]))?")
"""A number as ngspice reads it too: behind an exponent it sees no suffix."""
LITERAL = re.compile(r"(?<![a-z0-9_.])[0-9.](?:[a-z0-9_.]|(?<=e)[-+])*")
"""What an expression's tokens start with a digit or a point."""
MOST_CHARACTERS = 32
"""Of a number: ngspice adds digit to digit, so that very long ones lose their last places."""


def number(text: str) -> float:
    """The number that ``text`` is; ValueError if it is none that is finite."""
    match = NUMBER.fullmatch(text)
    if not match or len(text) > MOST_CHARACTERS:
        raise ValueError(f"{text!r} is no number")
    found = float(match[1] + (match[2] or "")) * SUFFIXES.get(match[3], 1.0)
    if not math.isfinite(found):
        raise ValueError(f"{text!r} is no finite number")
    return found


def value(text: str, params: Mapping[str, float]) -> float:
    """A number, or an arithmetic expression of parameters in braces."""
    if not text.startswith("{"):
        return number(text)
    if not text.endswith("}"):
        raise ValueError(f"{text!r} is no expression in braces")
    inside = text[1:-1]
    return params[inside] if inside in params else evaluate(inside, params)


def evaluate(text: str, names: Mapping[str, float]) -> float:
    """An arithmetic expression, ``min`` and ``max`` among it, with values for its names.

    Raises
    ------
    ValueError, KeyError, ZeroDivisionError
        If it is none, has another name, or divides by 0.
    """
    try:
        return _evaluate(_parsed(text), names)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is no expression") from error


@lru_cache(maxsize=256)
def _parsed(text: str) -> ast.expr:
    """An expression's tree: a cell's is evaluated in each of its instances."""
    # Numbers as ngspice reads them, not as Python does (0x10, 1_0, 1j), and no comments.
    if not all(NUMBER.fullmatch(word) for word in LITERAL.findall(text)) or "#" in text:
        raise ValueError(f"{text!r} is no expression")
    return ast.parse(text, mode="eval").body


def _evaluate(node: ast.expr, names: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, names)
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, names), _evaluate(node.right, names)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        picks = {"min": min, "max": max}
        if node.func.id in picks and len(node.args) == 2:  # of others ngspice makes what it likes
            return picks[node.func.id](_evaluate(part, names) for part in node.args)
    raise ValueError(f"expression {ast.unparse(node)!r}")
