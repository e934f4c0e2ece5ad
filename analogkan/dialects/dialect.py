# pyright: strict
"""A dialect: how a simulator spells what a circuit needs, and how it is run.

What is written is put together of a dialect's parts. Cells' files, and expressions, have a notation
of their own, which a dialect spells: numbers, ``v(net)``, ``{parameter}``, ``temper`` for degrees
Celsius, ``+ - * /`` and functions such as ``min`` and ``sqrt``. In every dialect a line that begins
with ``*`` is a comment, and one that begins with ``+`` goes on with the line before; a dialect of
the top alone has comments of its own, and lines that end where it ends them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy.typing as npt

from ..errors import CompileError

Vectors = dict[str, npt.NDArray[Any]]
OPTIONAL = {
    "resistor": "a resistor",
    "capacitor": "a capacitor",
    "fixed": "an independent source",
    "wave": "a source that changes in time",
    "gain": "a voltage-controlled source",
    "source": "a source of an expression",
    "transistor": "a transistor",
    "instance": "an instance of a subcircuit",
    "subcircuit": "a subcircuit with parameters",
    "shared": "nets that reach into every subcircuit",
    "table": "a table of points",
    "functions": "functions in expressions",
    "temperature": "the temperature in an expression",
    "model": "a model",
    "analysis": "an analysis",
}
"""Parts that a dialect may be without, and what each of them is in a sentence."""
PARTS = (*OPTIONAL, "parameter", "include", "solver", "options", "ending")
RUN = ("command", "judge", "read")
"""What running a deck takes: all of them, or none, and the deck is written only."""
TOKEN = re.compile(r"\{([^{}]*)\}|\b([a-z_]\w*)\s*\(|\btemper\b")
"""In an expression: a parameter, a function, the temperature."""


def missing(*given: Any) -> Any:
    """Stands where a dialect does not say how something is spelled, or run."""
    raise AssertionError("what a dialect must say is checked, and whether it runs asked, before")


class Unsaid(CompileError):
    """A dialect cannot say ``what``, which ``needed`` needs."""

    def __init__(self, dialect: str, what: str, needed: str) -> None:
        super().__init__(
            f"dialect {dialect} cannot say {what}, which this circuit needs ({needed})"
        )
        self.dialect, self.what, self.needed = dialect, what, needed


@dataclass(frozen=True, eq=False, kw_only=True)
class Dialect:
    """How a simulator spells what a circuit needs, and how it is run.

    Every part is given, or one of ``OPTIONAL`` and named in ``cannot``: what needs that is refused
    by name. The first argument of such a part names what is written.

    Attributes
    ----------
    name, about
        What it is called, and what reads it.
    cannot
        Names of the parts that it does not have.
    verbatim
        Whether cells' files are read as they are.
    resistor
        ``(name, a, b, ohms, model)``; ``ohms`` is a number or a parameter, ``model`` may be empty.
    capacitor
        ``(name, a, b, farads)``.
    fixed
        ``(name, p, n, value)``: volts or amperes, by the name's first letter.
    wave
        ``(name, p, n, points)``: straight through ``points``, seconds and values, held at the ends.
    gain
        ``(name, p, n, plus, minus, factor)``: a source of ``factor`` times a voltage.
    source
        ``(name, p, n, "v" or "i", words)``: the words of a source of an expression, the first those
        up to its nets.
    transistor
        ``(name, c, b, e, model)``.
    instance
        ``(name, nets, cell, settings)``: words.
    subcircuit
        ``(name, pins, params)``: words of its first line, the first two those up to its pins; its
        last line.
    shared
        ``(name, nets)``: says that the nets of what ``name`` needs reach into every subcircuit.
    table
        ``(name, x, points)``: the words of a line through ``points`` over the expression ``x``.
    in_line
        How many of these words stand in a line.
    swept
        ``(name, p, n, "v" or "i", values)``: a source that has each of ``values`` in its turn as
        ``analysis`` runs ``dc`` over ``v_index``; None: one of a table over ``v(index)``.
    functions
        How each of an expression's functions is called.
    temperature, parameter
        Degrees Celsius, and a parameter's ``(text)``, in an expression.
    branches
        Whether an expression may have the current of a voltage-controlled source, ``i(e1)``.
    model
        ``(name, kind, params)``.
    include
        ``(file)``.
    solver
        ``(exact)``: tolerances; ``exact`` where transistors are to be closer than they mostly are.
    options
        ``(degrees, nominal degrees, tolerances)``: lines.
    direct
        Those of ``options`` that ask for a faster solver, which an analysis may have to do without.
    over_time
        ``(transistors)``: lines after those of ``options`` for a run over time.
    analysis
        ``(kind, arguments, vectors)``: lines that run ``dc``, ``op``, ``tran`` or ``noise``, keep
        vectors, and end the deck.
    ending
        ``(nets)``: the lines at the end of a deck that a person runs.
    by_hand, gives
        What a person types to run ``network.cir``, and what that does.
    top
        In what the file at the top is written, if not in this, which then is that of the files that
        it includes.
    comment
        With what a comment begins.
    command
        ``(program, deck, raw)``: what runs ``deck`` and writes ``raw``; names in its folder.
    patience
        How many times as long as ngspice it may take.
    result
        What it calls its result file in the folder that it is started in, whatever it is asked;
        empty: ``raw``.
    judge
        ``(printed, exit code, deck, timeout)``: raises what was wrong with a run.
    read
        ``(raw, points=n)``: the vectors of its result file, of any length where n is None.
    """

    name: str = ""
    about: str = ""
    cannot: tuple[str, ...] = ()
    verbatim: bool = False
    resistor: Callable[[str, str, str, str, str], str] = missing
    capacitor: Callable[[str, str, str, str], str] = missing
    fixed: Callable[[str, str, str, str], str] = missing
    wave: Callable[[str, str, str, Sequence[tuple[str, str]]], str] = missing
    gain: Callable[[str, str, str, str, str, str], str] = missing
    source: Callable[[str, str, str, str, Sequence[str]], list[str]] = missing
    transistor: Callable[[str, str, str, str, str], str] = missing
    instance: Callable[[str, Sequence[str], str, Mapping[str, str]], list[str]] = missing
    subcircuit: Callable[[str, Sequence[str], Mapping[str, str]], tuple[list[str], str]] = missing
    shared: Callable[[str, Sequence[str]], str] = missing
    table: Callable[[str, str, Sequence[tuple[str, str]]], list[str]] = missing
    in_line: int = 8
    swept: Callable[[str, str, str, str, Sequence[str]], str] | None = None
    functions: Mapping[str, str] = field(default_factory=dict[str, str])
    temperature: str = ""
    branches: bool = False
    parameter: Callable[[str], str] = missing
    model: Callable[[str, str, Mapping[str, str]], str] = missing
    include: Callable[[str], str] = missing
    solver: Callable[[bool], str] = missing
    options: Callable[[str, str, str], list[str]] = missing
    direct: tuple[str, ...] = ()
    over_time: Callable[[bool], list[str]] = lambda transistors: []
    analysis: Callable[[str, Sequence[str], Sequence[str]], list[str]] = missing
    ending: Callable[[Sequence[str]], list[str]] = missing
    by_hand: str = ""
    gives: str = "prints the logits of image 0"
    top: Dialect | None = None
    comment: str = "*"
    command: Callable[[str, str, str], list[str]] = missing
    judge: Callable[[str, int | None, Path | None, float], None] = missing
    read: Callable[..., Vectors] = missing
    patience: float = 1.0
    result: str = ""

    def __post_init__(self) -> None:
        for part in self.cannot:
            if part in OPTIONAL:
                nothing: dict[str, Any] = {"functions": {}, "temperature": ""}
                object.__setattr__(self, part, nothing.get(part, self._refusal(part)))

    def _refusal(self, part: str) -> Callable[..., Any]:
        def refuse(named: str, *more: Any) -> Any:
            self.refuse(part, named)

        return refuse

    def refuse(self, part: str, named: str) -> NoReturn:
        """Raise what is said where ``named`` needs a ``part`` that it has not."""
        raise Unsaid(self.name, OPTIONAL[part], named)

    @property
    def runs(self) -> bool:
        """Whether it says how a deck is run."""
        return self.command is not missing

    def lacks(self) -> list[str]:
        """The parts that are neither given nor named in ``cannot``."""
        wanted = ("name", "about", *(part for part in PARTS if part not in self.cannot))
        lacks = [part for part in wanted if getattr(self, part) in ("", {}, missing)]
        run = [part for part in RUN if getattr(self, part) is missing]
        lacks += run if len(run) < len(RUN) else []
        needed = sorted(set(self.cannot) - {*OPTIONAL})
        return lacks + [f"{part}, which every deck needs" for part in needed]

    def expression(self, name: str, text: str) -> str:
        """An expression of the thing ``name``, spelled; Unsaid if it has what cannot be said."""

        def spelled(match: re.Match[str]) -> str:
            parameter, function = match[1], match[2]
            if parameter is not None:
                return self.parameter(parameter)
            if function in ("v", "i"):
                return match[0]
            if function is not None:
                if function not in self.functions:
                    raise Unsaid(self.name, f"the function {function}", name)
                return f"{self.functions[function]}("
            if not self.temperature:
                raise Unsaid(self.name, OPTIONAL["temperature"], name)
            return self.temperature

        return TOKEN.sub(spelled, text)
