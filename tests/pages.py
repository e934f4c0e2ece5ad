"""Reading the documents: their fenced blocks, and what they print beside what is printed."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """(language, text) of the page's fenced blocks in these languages, in order."""
    fences = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [(language, text) for language, text in fences if language in languages]


def commands(text: str) -> list[str]:
    """The commands of a shell block, continuation lines joined, comments left out."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def skeleton(text: str) -> list[str]:
    """The words of each line; every number is a #, as are the version of ngspice and its solver."""
    text = re.sub(r"ngspice (\d+)(, KLU)?", "ngspice #", text)
    return [" ".join(NUMBER.sub("#", line).split()) for line in text.splitlines()]


def numbers(text: str) -> list[float]:
    """Every number in it."""
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def percentages(text: str) -> list[float]:
    """Every number that ``%`` follows."""
    return [float(found) for found in re.findall(r"(\d+(?:\.\d+)?) %", text)]
