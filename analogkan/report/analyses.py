"""Sections of a report on what analyses of images have found, which a RUN keeps."""

from __future__ import annotations

from ..results import Listing
from ..studies.analyses import kept_analyses
from .exhibits import Exhibit, Section
from .runs import Run
from .sections import upper


def analysis_sections(run: Run, tag: str) -> list[Section]:
    """A section for each analysis that a RUN keeps."""
    found = []
    for k, result in enumerate(kept_analyses(run.folder)):
        listing = result.facts()
        found.append(
            Section(
                name=f"analysis{tag}-{k}",
                title=result.heading,
                words=[f"{upper(text)}." for text in (result.title(), *result.closing())],
                columns=(*listing.columns[:2], ""),
                table=_three(listing),
                exhibits=[
                    Exhibit(
                        name=f"{figure.name}{tag}-{k}",
                        caption=figure.caption,
                        figure=figure.draw(),
                        live=figure.live,
                    )
                    for figure in result.figures()
                ],
            )
        )
    return found


def _three(listing: Listing) -> list[tuple[str, str, str]]:
    """A listing's rows as name, value and a note with what is in the other columns."""
    rows: list[tuple[str, str, str]] = []
    for name, value, *more in listing.rows:
        told = zip(listing.columns[2:], more, strict=True)
        rows.append((name, value, ", ".join(f"{head.strip()} {cell}" for head, cell in told)))
    return rows
