# pyright: strict
"""Results: what was found, told once, from which terminal, page, notebook and pictures are made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from .errors import StudyError
from .objects import MOST_LINES, Described, Facts, show_figures

if TYPE_CHECKING:
    from .tables import Table

Pair = Sequence[float]
"""The ends of an interval."""


SEVERAL = "picture {name!r} has several axes, and ax is one: plot() without ax makes a figure"


@dataclass(frozen=True)
class Fact:
    """A figure of a result: a line of a table of ``label``, ``value`` and ``note``."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Listing:
    """A table of texts.

    Attributes
    ----------
    columns
        Its head.
    rows
        A text for each column.
    grey
        Numbers of rows that say nothing, such as what is in the noise.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    grey: frozenset[int] = frozenset()

    @classmethod
    def of(cls, facts: Sequence[Fact], note: str = "") -> Listing:
        """The table of ``facts``; ``note`` is the head of their notes."""
        return cls(("", "value", note), [(f.label, f.value, f.note) for f in facts])


@dataclass(frozen=True)
class Figure:
    """A picture of a result.

    Attributes
    ----------
    name
        Of its file and its element on a page, ``[a-z0-9-]``.
    caption
        What it shows.
    draw
        Makes it, a matplotlib Figure. One of a single axes takes ``ax``, axes in which it is drawn
        instead, and gives their figure.
    live
        Makes what a page shows on a screen instead, if there is such a thing.
    share
        Whether it is made smaller where several RUNs of one kind share a page.
    """

    name: str
    caption: str
    draw: Callable[..., Any]
    live: Callable[[], Any] | None = None
    share: bool = False

    def draw_in(self, ax: Any) -> Any:
        """Draw it in the matplotlib Axes ``ax``, and give their figure.

        Raises
        ------
        StudyError
            If it has more axes than one.
        SettingsError
            If ``ax`` is no Axes.
        """
        if "ax" not in inspect.signature(self.draw).parameters:
            raise StudyError(SEVERAL.format(name=self.name))
        return self.draw(ax=ax)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Result(Described):
    """What every result can do.

    A kind of result is a subclass, a frozen dataclass. Each of its attributes that is not given
    otherwise is the entry of result.json of that name.

    Attributes
    ----------
    summary
        All figures, as they stand in result.json.
    room
        Share of a page's points and pictures that are this result's.
    """

    heading: ClassVar[str]
    """Of its section on a page."""
    summary: dict[str, Any]
    room: float = field(default=1.0)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], **kept: Any) -> Self:
        """The result of a result.json and of what was ``kept`` beside it, by attributes.

        Raises
        ------
        KeyError
            If an entry is missing.
        """
        found: dict[str, Any] = {"summary": document, **kept}
        for one in fields(cls):
            name = one.name.removesuffix("_")
            if one.name not in found and (one.default is MISSING or name in document):
                found[one.name] = document[name]
        return cls(**found)

    def to_document(self) -> dict[str, Any]:
        """What stands in result.json."""
        return self.summary

    def title(self) -> str:
        """What was found of what."""
        raise NotImplementedError

    def headline(self) -> list[Fact]:
        """The two or three figures to know first."""
        raise NotImplementedError

    def facts(self) -> Listing:
        """All figures."""
        raise NotImplementedError

    def sentences(self) -> list[str]:
        """How the figures are to be read."""
        return []

    def notes(self) -> list[str]:
        """What a reader is warned of."""
        return []

    def closing(self) -> list[str]:
        """How it was made, and where it is kept."""
        return []

    def figures(self) -> list[Figure]:
        """Pictures, the first of which stands for the result."""
        return []

    def table(self) -> Table:
        """The rows as columns: a dictionary of arrays."""
        raise NotImplementedError

    def to_frame(self) -> Any:
        """``table()`` as a pandas DataFrame; AnalogKanError where there is no pandas."""
        return self.table().to_frame()

    def plot(self, ax: Any = None) -> Any:
        """The picture that stands for the result, a matplotlib Figure; ``savefig`` keeps it.

        Parameters
        ----------
        ax
            A matplotlib Axes in which a picture of a single axes is drawn, such as one of
            ``plt.subplots(1, 2)``; its figure is returned. By default a new figure.

        Raises
        ------
        StudyError
            If there is none, or it has several axes and ``ax`` is given.
        SettingsError
            If ``ax`` is no Axes.
        """
        drawn = self.figures()
        if not drawn:
            raise StudyError(f"{self.no_picture}: table() has its rows")
        if ax is not None:
            return drawn[0].draw_in(ax)
        figure = drawn[0].draw()
        show_figures()
        return figure

    no_picture: ClassVar[str] = "this result has no picture"

    def _described(self) -> tuple[str, Facts]:
        told = [(f.label, f"{f.value} ({f.note})" if f.note else f.value) for f in self.headline()]
        if self.notes():
            told.append(("notes", f"{len(self.notes())}, in notes()"))
        run = self.summary.get("run")
        if run is not None:
            path = Path(run)
            here = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            told.append(("kept in", str(here)))
        return self.title(), told[: MOST_LINES - 1]
