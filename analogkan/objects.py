# pyright: strict
"""Objects as people meet them in Python: shown in a few lines; of a wrong type refused."""

from __future__ import annotations

import html
import importlib
import os
import sys
from pathlib import Path
from typing import Any

from .errors import SettingsError
from .text import brief

MOST_LINES = 10
"""Of what an object shows of itself."""
Facts = list[tuple[str, str]]
PATHS: tuple[type, ...] = (str, os.PathLike)


class Described:
    """An object that shows itself by a title and a few facts."""

    def _described(self) -> tuple[str, Facts]:
        """The title, and what is called how; at most nine."""
        raise NotImplementedError

    def __repr__(self) -> str:
        title, facts = self._described()
        width = max((len(name) for name, _ in facts), default=0)
        lines = [f"  {name:{width}}  {value}" for name, value in facts]
        return "\n".join([f"{type(self).__name__} {title}", *lines][:MOST_LINES])

    def _repr_html_(self) -> str:
        title, facts = self._described()
        rows = "".join(
            f'<tr><td style="text-align:left">{html.escape(name)}</td>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for name, value in facts
        )
        return f"<b>{type(self).__name__}</b> {html.escape(title)}<table>{rows}</table>"


def require_type(value: Any, kinds: type | tuple[type, ...], name: str, wanted: str) -> None:
    """Raise SettingsError unless ``value`` is of ``kinds``; ``wanted`` says what to give instead.

    A truth value is no number.
    """
    allowed = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in allowed):
        shown = " ".join(brief(value).split())  # what shows itself in lines is told in one
        raise SettingsError(f"{name} = {shown} is of type {type(value).__name__}: give {wanted}")


def check_flags(**given: Any) -> None:
    """Refuse what is no truth value: a text such as "no" would be taken for true."""
    for name, value in given.items():
        if type(value).__name__ not in ("bool", "bool_"):  # numpy's own are not bools
            require_type(value, bool, name, "True or False")


def as_path(value: Any, name: str, wanted: str = "a path") -> Path:
    """``value`` as a path; SettingsError if it is none, or empty, which Python takes for here."""
    require_type(value, PATHS, name, wanted)
    if value == "":
        raise SettingsError(f"{name} is empty: give {wanted}")
    return Path(value)


def notebook() -> Any:
    """The shell of the notebook that this runs in; None elsewhere."""
    if "IPython" not in sys.modules:
        return None
    shell = importlib.import_module("IPython").get_ipython()
    return shell if hasattr(shell, "kernel") else None


def show_figures() -> None:
    """Have a notebook show figures as pictures, as ``%matplotlib inline`` does."""
    shell = notebook()
    if shell is not None:
        importlib.import_module("IPython.core.pylabtools").select_figure_formats(shell, {"png"})
