# pyright: strict
"""Cells' files, spelled in a dialect."""

from __future__ import annotations

from .dialect import Dialect, Unsaid


def format_cell(text: str, cell: str, dialect: Dialect) -> str:
    """The file ``text`` of a cell; Unsaid names the cell where it has what cannot be said."""
    if dialect.verbatim:
        return text
    lines: list[str] = []
    for line in text.replace("\n+", " ").splitlines():
        plain = line.startswith("*") or not line.strip()
        try:
            lines.append(line if plain else _format(line.split(), dialect))
        except Unsaid as said:
            raise Unsaid(said.dialect, said.what, f"{said.needed} in the cell {cell}") from said
    return "\n".join(lines) + "\n"


def _format(words: list[str], say: Dialect) -> str:
    """A line's words, spelled."""
    name, kind = words[0], words[0][0]
    if name == ".ends":
        return say.subcircuit(words[1], [], {})[1]
    if name == ".subckt":
        nets, params = _parted(words[2:], say, words[1])
        return " ".join(
            say.subcircuit(words[1], [net for net in nets if net != "params:"], params)[0]
        )
    if kind == "x":
        nets, params = _parted(words[1:], say, name)
        return " ".join(say.instance(name, nets[:-1], nets[-1], params))
    if kind == "b":
        what, _, text = " ".join(words[3:]).partition("=")
        return " ".join(say.source(name, words[1], words[2], what, [say.expression(name, text)]))
    written = {
        "r3": say.resistor, "r4": say.resistor, "c3": say.capacitor, "v4": say.fixed,
        "i4": say.fixed, "e5": say.gain, "q4": say.transistor,
    }.get(f"{kind}{len(words) - 1}")  # fmt: skip
    if written is None:
        raise Unsaid(say.name, repr(" ".join(words)), name)
    values = [say.expression(name, word) for word in words[1:]]
    if kind == "r":
        a, b, *model, ohms = values
        return say.resistor(name, a, b, ohms.removeprefix("r="), " ".join(model))
    return written(name, *(value for value in values if value != "dc"))


def _parted(words: list[str], say: Dialect, name: str) -> tuple[list[str], dict[str, str]]:
    """Words without an equals sign, and those with one as settings."""
    settings = [word.partition("=")[::2] for word in words if "=" in word]
    nets = [word for word in words if "=" not in word]
    return nets, {key: say.expression(name, value) for key, value in settings}
