"""Numbers as people type them: ``25e-6``, ``25u`` as in SPICE, ``5%``."""

from __future__ import annotations

import re

POWERS = {
    "t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12,
    "f": -15, "%": -2,
}  # fmt: skip
"""Of ten. Letters are SPICE's, in either case: m is milli, meg is mega."""
DIGITS = r"[+-]?(?:\d+\.?\d*|\.\d+)"
EXPONENT = r"(?:[eE]([+-]?\d+))?"
TYPED = re.compile(rf"({DIGITS}){EXPONENT}(?:(meg|[tgkmunpfµμ])|\s*(%))", re.IGNORECASE | re.ASCII)
DOUBTED = {"M": "M is milli in SPICE and mega elsewhere: write {0}m or {0}meg",
           "F": "F is femto in SPICE and farad elsewhere: write {0}f or {0}"}  # fmt: skip
"""What is not guessed."""
WITH_UNIT = re.compile(
    rf"({DIGITS}(?:[eE][+-]?\d+)?)\s*(meg|M|[tgkmunpfµμ]?)\s*"
    r"(?:S|V|A|F|W|Hz|ohms?|Ω|°?C|degC|s|sec|seconds)",
    re.ASCII,
)
QUANTITY = re.compile(rf"({DIGITS}(?:[eE][+-]?\d+)?)\s*((?:[^\d\s.,].*)?)", re.ASCII)
POINTLESS = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?[a-zA-Z%]*", re.ASCII)


def read_number(text: str, *, share: bool = False) -> float:
    """The number that ``text`` says, to the last digit: ``25u`` is ``25e-6``.

    Of a ``share`` of 1 it may be in per cent.

    Raises
    ------
    ValueError
        If it says none, or not which; ``why_not`` has more.
    """
    try:
        return float(text)
    except ValueError:
        found = TYPED.fullmatch(text.strip())
    if not found or found[3] in DOUBTED or (found[4] and not share):
        raise ValueError(text)
    digits, exponent = found[1], int(found[2] or 0)
    return float(f"{digits}e{exponent + POWERS[(found[3] or found[4]).lower()]}")


def read_quantity(text: str) -> tuple[float, str]:
    """The number of ``text`` and the unit behind it, whatever that is; empty if there is none.

    Raises
    ------
    ValueError
        If it does not begin with a number.
    """
    found = QUANTITY.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    return float(found[1]), found[2]


def why_not(text: str) -> str:
    """What to write instead of ``text``, as the end of a sentence; empty where nothing is known."""
    text = text.strip()
    if found := TYPED.fullmatch(text):
        doubted = DOUBTED.get(found[3] or "")
        return (
            f": {doubted.format(text[:-1])}" if doubted else ": per cent are of shares of 1 alone"
        )
    if found := WITH_UNIT.fullmatch(text):
        if found[2] in DOUBTED:
            return f": {DOUBTED[found[2]].format(found[1])}, without a unit"
        return f": leave its unit out, {found[1]}{found[2]}"
    if "=" in text:
        return ": each setting has a --set of its own"
    if POINTLESS.fullmatch(text):
        return f": decimals have a point, {text.replace(',', '.')}"
    return ": one value is wanted; `analogkan sweep` takes several" if "," in text else ""
