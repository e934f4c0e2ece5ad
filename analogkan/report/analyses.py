"""Sections of a report on what analyses of images have found, which a RUN keeps."""

from __future__ import annotations

from dataclasses import replace

from ..studies.analyses import kept_analyses
from .exhibits import Section
from .runs import Run
from .sections import result_section


def analysis_sections(run: Run, tag: str) -> list[Section]:
    """A section for each analysis that a RUN keeps."""
    found = [
        result_section(
            result,
            "analysis",
            f"{tag}-{k}",
            [result.title(), *result.sentences(), *result.closing()],
        )
        for k, result in enumerate(kept_analyses(run.folder))
    ]
    return [replace(section, source=run.named) for section in found]
