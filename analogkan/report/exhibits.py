"""What a report is made of: sections, and the figures in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bokeh.model import Model
from matplotlib.figure import Figure

from ..results import Listing


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
