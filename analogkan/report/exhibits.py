"""What a report is made of: sections, and the figures in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bokeh.model import Model
from matplotlib.figure import Figure

from ..errors import AnalogKanError
from ..results import Listing
from ..text import brief

MOST_SAID = 300
"""Characters of why there is no section."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Exhibit:
    """A figure of a report.

    Attributes
    ----------
    name
        Of its PNG file and its element, ``[a-z0-9-]``.
    caption
        What it shows.
    figure
        The figure: printed, and shown where there is no interactive one.
    share
        Of the usual number of points or pixels: RUNs of one kind share a page's room.
    live
        Makes what is shown on a screen instead.
    live_caption
        What that shows, where it is something else.
    """

    name: str
    caption: str
    figure: Figure
    share: float = 1.0
    live: Callable[[], Model] | None = None
    live_caption: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Section:
    """A heading, sentences, a table, figures, a list; what is empty is left out.

    ``source`` names the RUN that it shows, if it is of one.
    """

    name: str
    title: str
    words: Sequence[str] = ()
    table: Listing | None = None
    exhibits: Sequence[Exhibit] = ()
    lists: Sequence[str] = ()
    source: str = ""


def worked_out(name: str, title: str, make: Callable[[], Sequence[Section]]) -> list[Section]:
    """The sections of ``make``, or one that says why there are none: a page has others."""
    try:
        return [*make()]
    except AnalogKanError as error:
        return [not_worked_out(name, title, brief(str(error), MOST_SAID).strip("'\""))]


def not_worked_out(name: str, title: str, why: str) -> Section:
    """A section that says ``why`` it has nothing."""
    return Section(name=name, title=title, words=[f"Not worked out: {why}."])
