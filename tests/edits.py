"""Edits of a deck, drawn from a grammar over every kind of line and every kind of field.

Most draws are near what a compiler writes: another net of the deck, a number a little off, a word
more. Those are what a reader may take for the deck it expects while ngspice reads another one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

SIGNS = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~\\\" \t\x0b\x0c\r\x00\xa0é"
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")
WORD = re.compile(r"[a-z_][a-z0-9_]*")
RELATIVE = (1e-15, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-6, 1e-4, 1e-2, 0.5, 1.0, 9.0)
TAILS = (
    " 0", " 1e30", " 50.0", " -1", " m=2", " cell", " wire", " feedback", " tc=1", " tc1=0.1",
    " temp=85", " dtemp=10", " ac=1", " scale=2", " noisy=0", " ic=0", " ; x", " $ x", " // x", ",",
    " {1}", " '1'", " ac 1", " dc 1", " params:", " m = 2", "\\", "&", ")", " off", " l=1", " w=1u",
)  # fmt: skip
CARDS = (
    ".temp 85", ".option temp=85", ".options temp=85", ".opt gmin=1e-3", ".option rshunt=1e3",
    ".option scale=2", ".option defm=2", ".param rf=1", ".func f(x) {x}", ".global l0_v0",
    ".nodeset v(l0_y0)=1", ".ic v(l0_y0)=1", ".model cell r(tc1=1)", ".model d d()",
    ".model feedback r(r=1)", ".include cells.cir", ".inc cells.cir", ".lib cells.cir x", ".end",
    ".ends", ".ends tia", ".subckt tia in out", ".subckt new a b", ".control", ".endc",
    ".csparam a=1", ".if (1)", ".endif", ".save v(l0_y0)", ".tran 1 2", ".alter", ".title x",
    "*# alter v_l0_b0 = -5", "*ng_script", "+ 1", "+ m=2", "a1 %v([l0_y0]) %v(x) gain",
    "d1 l0_y0 0 d", "l1 l0_y0 0 1p", "i1 l0_y0 0 dc 1m", "i1 0 l0_y0 1m", "k1 l1 l2 1",
    "b1 l0_y0 0 v=1", "b1 l0_y0 0 i=1e-6", "e1 l0_y0 0 l0_v0 0 1", "f1 l0_y0 0 v_l0_v0 1",
    "g1 l0_y0 0 l0_v0 0 1", "h1 l0_y0 0 v_l0_v0 1", "s1 l0_y0 0 l0_v0 0 sw", "#x", "$ x", "; x",
    "alter v_l0_b0 = -5", "set temp=85", "option temp=85", "quit", "op", "r1 l0_y0 0 1k",
    "c1 l0_y0 0 1p", "x1 l0_y0 0 tia", "v1 l0_y0 0 1", "v1 l0_y0 0 dc 1", "r1 l0_o0_p_sum 0 1e12",
)  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """What was done to which file: the kind for counting, and the file's new text."""

    kind: str
    file: str
    text: str


def draw(rng: np.random.Generator, deck: dict[str, str]) -> Edit:
    """A random edit of ``deck``, texts by file name, that changes the text."""
    while True:
        file = str(rng.choice(sorted(deck)))
        lines, kinds = deck[file].split("\n"), []
        for _ in range(1 + int(rng.random() < 0.3)):  # one edit can hide another
            kind = str(rng.choice(list(KINDS), p=WEIGHTS))
            edited = KINDS[kind](rng, lines, deck)
            if edited is not None:
                lines, kinds = edited, [*kinds, kind]
        if (text := "\n".join(lines)) != deck[file]:
            return Edit(" and ".join(kinds), file, text)


def _pick(rng, lines, fits) -> int | None:
    """A random line that ``fits``, every kind of line as likely as another."""
    groups: dict[str, list[int]] = {}
    for k, line in enumerate(lines):
        if line and fits(line):
            groups.setdefault(line.split(" ")[0][:1] + line[:4] * line.startswith("."), []).append(
                k
            )
    if not groups:
        return None
    group = groups[str(rng.choice(sorted(groups)))]
    return int(rng.choice(group))


def _code(line: str) -> bool:
    return not line.startswith("*")


def _spans(pattern: re.Pattern, line: str) -> list[tuple[int, int]]:
    return [m.span() for m in pattern.finditer(line)]


def _replace(rng, lines, pattern, change):
    k = _pick(rng, lines, lambda line: _code(line) and pattern.search(line))
    if k is None:
        return None
    start, end = _spans(pattern, lines[k])[int(rng.integers(len(_spans(pattern, lines[k]))))]
    made = change(lines[k][start:end])
    return [*lines[:k], lines[k][:start] + made + lines[k][end:], *lines[k + 1 :]]


def number_off(rng, lines, deck):
    """A number a little, or much, larger or smaller."""
    off = float(rng.choice(RELATIVE)) * rng.choice([-1, 1])
    return _replace(rng, lines, NUMBER, lambda text: repr(float(text) * (1 + off)))


def number_written(rng, lines, deck):
    """A number written otherwise, or taken for another by somebody."""
    ways = (
        lambda t: "-" + t, lambda t: "+" + t, lambda t: t + "k", lambda t: t + "meg",
        lambda t: t + "mil", lambda t: t + "a", lambda t: t + "ohm", lambda t: t + "e",
        lambda t: t + "e3k", lambda t: "0x10", lambda t: t[:1] + "_" + t[1:], lambda t: "." + t,
        lambda t: t + ".", lambda t: t + "0", lambda t: t + ".0", lambda t: "0" + t,
        lambda t: t.replace(".", ","), lambda t: t.replace("e", "d"), lambda t: t.upper(),
        lambda t: t[: len(t) // 2] + " " + t[len(t) // 2 :], lambda t: "0", lambda t: "1e400",
        lambda t: "1e-400", lambda t: "nan", lambda t: "inf", lambda t: "{" + t + "}",
        lambda t: "'" + t + "'", lambda t: "(" + t + ")", lambda t: t + "*1", lambda t: t + "+0",
        lambda t: "{min(" + t + ")}", lambda t: "min(" + t + ")", lambda t: f"max({t},0)",
        lambda t: "{" + t + "*1}", lambda t: f"({t}+0*temper)", lambda t: f"-(-{t})",
        lambda t: f"{float(t):.12g}", lambda t: f"{float(t):.17g}", lambda t: f"{float(t):.30f}",
        lambda t: "1e30", lambda t: "1e-30", lambda t: t + "#", lambda t: t + "u",
    )  # fmt: skip
    return _replace(rng, lines, NUMBER, ways[int(rng.integers(len(ways)))])


def name_other(rng, lines, deck):
    """A word that is another one of the deck's."""
    words = sorted({w for text in deck.values() for line in text.split("\n")
                    if _code(line) for w in WORD.findall(line)})  # fmt: skip
    here = sorted({w for line in lines if _code(line) for w in WORD.findall(line)} or words)
    known = here if rng.random() < 0.8 else words
    return _replace(rng, lines, WORD, lambda text: str(rng.choice(known)))


def name_written(rng, lines, deck):
    """A word written otherwise."""
    sign = str(rng.choice(list(SIGNS)))
    ways = (
        lambda t: t.upper(), lambda t: t + sign, lambda t: sign + t,
        lambda t: t[: len(t) // 2] + sign + t[len(t) // 2 :], lambda t: "gnd", lambda t: "0",
        lambda t: "GND", lambda t: t + "0", lambda t: t[:-1] or "x", lambda t: f"x1.{t}",
        lambda t: t.replace("0", "1"), lambda t: t.replace("p", "n"), lambda t: "00",
        lambda t: f"v({t})", lambda t: t + "#branch", lambda t: "",
    )  # fmt: skip
    return _replace(rng, lines, WORD, ways[int(rng.integers(len(ways)))])


def two_words_swapped(rng, lines, deck):
    """Two words of a line change places."""
    k = _pick(rng, lines, lambda line: _code(line) and line.count(" ") > 1)
    if k is None:
        return None
    words = lines[k].split(" ")
    a, b = rng.choice(len(words), 2, replace=False)
    words[a], words[b] = words[b], words[a]
    return [*lines[:k], " ".join(words), *lines[k + 1 :]]


def words_between_lines(rng, lines, deck):
    """Two lines of one kind exchange a word at one place."""
    k = _pick(rng, lines, _code)
    if k is None:
        return None
    words = lines[k].split(" ")
    others = [
        j
        for j, line in enumerate(lines)
        if j != k and line[:1] == lines[k][:1] and len(line.split(" ")) == len(words)
    ]
    if not others:
        return None
    j, at = int(rng.choice(others)), int(rng.integers(len(words)))
    there = lines[j].split(" ")
    words[at], there[at] = there[at], words[at]
    made = list(lines)
    made[k], made[j] = " ".join(words), " ".join(there)
    return made


def tail(rng, lines, deck):
    """Something more at the end of a line."""
    k = _pick(rng, lines, _code)
    return k if k is None else [*lines[:k], lines[k] + str(rng.choice(TAILS)), *lines[k + 1 :]]


def setting(rng, lines, deck):
    """A setting more, a setting less, a setting among the nets."""
    k = _pick(rng, lines, lambda line: line.startswith(("x", ".subckt", ".option", ".model")))
    if k is None:
        return None
    words = lines[k].split(" ")
    extra = str(rng.choice(["a=0.5", "vos=1e-3", "m=2", "rf=1", "gain=2", "r=1", "lo=0", "cf=1",
                            "params: a=2", "rf=", "=1", "rf = 1", "ib=1e-9", "vr=1"]))  # fmt: skip
    if rng.random() < 0.3 and any("=" in w for w in words):
        words.remove(str(rng.choice([w for w in words if "=" in w])))
    else:
        words.insert(int(rng.integers(1, len(words) + 1)), extra)
    return [*lines[:k], " ".join(words), *lines[k + 1 :]]


def line_removed(rng, lines, deck):
    """A line less."""
    k = _pick(rng, lines, lambda line: True)
    return None if k is None else [*lines[:k], *lines[k + 1 :]]


def line_twice(rng, lines, deck):
    """A line again, here or elsewhere, perhaps under another name or with another value."""
    k = _pick(rng, lines, _code)
    if k is None:
        return None
    copy, at = lines[k], int(rng.integers(len(lines) + 1))
    way = rng.integers(3)
    if way == 1:
        copy = re.sub(r"^\w+", lambda m: m[0] + "_2", copy)
    if way == 2:
        copy = re.sub(NUMBER, "1e3", re.sub(r"^\w+", lambda m: m[0] + "_2", copy))
    return [*lines[:at], copy, *lines[at:]]


def line_moved(rng, lines, deck):
    """A line elsewhere."""
    k, at = _pick(rng, lines, lambda line: True), int(rng.integers(len(lines)))
    if k is None:
        return None
    made = [*lines[:k], *lines[k + 1 :]]
    return [*made[:at], lines[k], *made[at:]]


def line_hidden(rng, lines, deck):
    """A line made a comment, a comment made a line."""
    k = _pick(rng, lines, lambda line: True)
    if k is None:
        return None
    made = lines[k][1:].strip() if lines[k].startswith("*") else "*" + lines[k]
    return [*lines[:k], made, *lines[k + 1 :]]


def line_split(rng, lines, deck):
    """A line continued, joined with the next, or with something between."""
    k = _pick(rng, lines, lambda line: " " in line)
    if k is None:
        return None
    cut = int(rng.choice([m.start() for m in re.finditer(" ", lines[k])]))
    between = [[], ["* x"], [""], [" "]][int(rng.integers(4))]
    if rng.random() < 0.3 and k + 1 < len(lines):
        return [*lines[:k], lines[k] + " " + lines[k + 1], *lines[k + 2 :]]
    return [*lines[:k], lines[k][:cut], *between, "+" + lines[k][cut:], *lines[k + 1 :]]


def card(rng, lines, deck):
    """A line that compile does not write."""
    at = int(rng.integers(len(lines) + 1))
    return [*lines[:at], str(rng.choice(CARDS)), *lines[at:]]


def element(rng, lines, deck):
    """An element between nets of the file."""
    nets = sorted({w for line in lines if line[:1] in "rxveb+" for w in WORD.findall(line)})
    if not nets:
        return None
    a, b = (str(rng.choice([*nets, "0"])) for _ in range(2))
    value = str(rng.choice(["1e12", "1e9", "1e6", "1e3", "1.0", "1e-6", "0.0", "-1e6"]))
    made = str(rng.choice([f"r_z {a} {b} {value}", f"r_z {a} {b} {value} cell",
                           f"r_z {a} {b} {value} wire", f"r_z {a} {b} cell r={value}",
                           f"v_z {a} {b} dc {value}", f"v_z {a} 0 dc 0", f"e_z {a} 0 {b} 0 {value}",
                           f"c_z {a} {b} {value}", f"i_z {a} {b} dc {value}",
                           f"x_z {a} {b} tia rf={value}", f"x_z {a} {b} row_amp"]))  # fmt: skip
    at = int(rng.integers(len(lines) + 1))
    return [*lines[:at], made, *lines[at:]]


def character(rng, lines, deck):
    """A character more, less or other."""
    k = _pick(rng, lines, lambda line: True)
    if k is None:
        return None
    at, sign = int(rng.integers(len(lines[k]))), str(rng.choice([*SIGNS, *"0123456789aerxvbi"]))
    before, behind = lines[k][:at], lines[k][at + int(rng.integers(2)) :]
    return [*lines[:k], before + (sign if rng.random() < 0.7 else "") + behind, *lines[k + 1 :]]


KINDS = {
    f.__name__: f
    for f in (
        number_off, number_written, name_other, name_written, two_words_swapped,
        words_between_lines, tail, setting, line_removed, line_twice, line_moved, line_hidden,
        line_split, card, element, character,
    )
}  # fmt: skip
WEIGHTS = np.array([3, 2, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2], float)
WEIGHTS /= WEIGHTS.sum()
