"""The report: RUNs in, one self-contained HTML page out. It asks no network for anything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2

from .. import __version__
from ..compiler.build import Build
from ..errors import StudyError
from ..files import brief, write_text
from ..ours import require_marked
from ..resources import path as resource
from ..studies.made import day_of, where_of
from .analyses import analysis_sections
from .boards import board_sections, parted
from .exhibits import Exhibit, Section
from .figures import save
from .interactive import embedded
from .markdown import summarise
from .naming import named
from .network import build_sections, circuit_section
from .redrawn import Redrawn, layers_section, redrawn
from .runs import Run, find_build, read_runs
from .sections import headline, run_sections
from .svg import inline_svg

MARKDOWN = ".md"
TEMPLATE = "report/templates"
MOST_BYTES = 4_000_000
"""What a page may weigh: more would not open by mail or on a phone."""

UNFIT = (
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError),
    jinja2.TemplateError,
)
"""What figures and words raise of a result that lacks what they show, or has it otherwise."""


def write_summary(
    runs: Sequence[Path], out: Path | None = None, *, build: Path | None = None, title: str = ""
) -> dict[str, Any]:
    """A summary of ``runs`` in Markdown, written to ``out`` if that is given; what came of it as a
    dictionary, in which ``markdown`` is the text.

    Raises
    ------
    StudyError, NetlistError, AnalogKanError
        As for ``write_report``; if ``out`` is no ``.md``.
    """
    if out is not None:
        if out.suffix != MARKDOWN:
            raise StudyError(f"--output {out} must end in {MARKDOWN}: --markdown writes no page")
        require_marked(out, give="--output")
    found = read_runs(runs)
    circuit, missing = find_build(found, build)
    with _told_of(found):
        text = summarise(found, circuit, missing, title)
    if out is not None:
        write_text(out, text)
    return {"report": out and str(out), "lines": text.count("\n"), "missing": missing,
            "markdown": text}  # fmt: skip


@contextlib.contextmanager
def _told_of(runs: Sequence[Run]) -> Iterator[None]:
    """What figures and words raise of a RUN that lacks what they show, as a sentence."""
    try:
        yield
    except UNFIT as error:
        told = ", ".join(str(run.folder) for run in runs)
        raise StudyError(
            f"one of {told} lacks what a page shows, or its files do not fit each other "
            f"({type(error).__name__}: {brief(error)}): run its command again with another --out"
        ) from error


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    build: Path | None = None,
    title: str = "",
    figures: Path | None = None,
) -> dict[str, Any]:
    """Write the report of ``runs`` to ``out``; what was written as a dictionary.

    Parameters
    ----------
    runs
        RUN folders of one network, any kinds, any number; and boards of its circuit.
    out
        The page, ``.html``.
    build
        The BUILD, if it is not where the RUNs say.
    title
        By default the network's name.
    figures
        A folder for every figure as PNG.

    Raises
    ------
    StudyError, NetlistError, AnalogKanError
        If a RUN or the BUILD cannot be read, they are of several networks, ``out`` is no
        ``.html``, or what is in the way is none of ours; nothing is written then.
    """
    if out.suffix != ".html":
        raise StudyError(f"--output {out} must end in .html, or in .md for a summary in Markdown")
    require_marked(out, give="--output")
    folders, boards = parted(runs)
    given = read_runs(folders)
    circuit, missing = find_build(given, build)
    with _told_of(given):
        found = named(given)
        sections = _sections(found, circuit) + board_sections(boards, given, circuit)
        exhibits = [exhibit for section in sections for exhibit in section.exhibits]
        for exhibit in exhibits:
            if figures is not None:
                require_marked(figures / f"{exhibit.name}.png", give="--figures")
        titled = title or str(found[0].summary["model"])
        page = _render(found, sections, exhibits, missing, titled)
    size = len(page.encode())
    if size > MOST_BYTES:
        raise StudyError(
            f"the page would be {size / 1e6:.2f} MB, more than {MOST_BYTES / 1e6:g}: give it fewer "
            "RUNs"
        )
    write_text(out, page)
    written = _write_figures(exhibits, figures)
    return {
        "report": str(out),
        "bytes": size,
        "sections": [section.title for section in sections],
        "figures": written,
        "missing": missing,
    }


def _sections(runs: Sequence[Run], build: Build | None) -> list[Section]:
    """The circuit's, and those of each RUN."""
    found, chips = list[Section](), list[Redrawn]()
    if build is not None:
        chips, why = redrawn(build, runs)
        found = [circuit_section(build), *build_sections(build, runs)]
        found += layers_section(build, chips, why)
    counts: dict[str, int] = {}
    for run in runs:
        counts[run.kind] = counts.get(run.kind, 0) + 1
        tag = "" if counts[run.kind] == 1 else f"-{counts[run.kind]}"
        found += run_sections(run, build, tag, chips)
        found += analysis_sections(run, tag)
    return found


def _write_figures(exhibits: Sequence[Exhibit], folder: Path | None) -> list[str]:
    if folder is None:
        return []
    paths: list[Path] = []
    for exhibit in exhibits:
        paths.append(folder / f"{exhibit.name}.png")
        save(exhibit.figure, paths[-1])
    return [str(path) for path in paths]


def _render(
    runs: Sequence[Run],
    sections: Sequence[Section],
    exhibits: Sequence[Exhibit],
    missing: str,
    title: str,
) -> str:
    script, live = embedded({e.name: e.live() for e in exhibits if e.live is not None})
    given = [run.summary["command"] for run in runs]
    commands = list(dict.fromkeys(filter(None, given)))
    if commands and runs[0].summary["compiled"]:
        commands.insert(0, runs[0].summary["compiled"])
    folder = resource(TEMPLATE)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    return environment.get_template("report.html").render(
        title=title,
        style=(folder / "report.css").read_text(encoding="utf-8"),
        script=script,
        behaviour=(folder / "report.js").read_text(encoding="utf-8"),
        live=live,
        plots={e.name: inline_svg(e.figure, e.name, e.caption, e.share) for e in exhibits},
        headline=headline(runs),
        first=[section for section in sections if section.name == "network"],
        sections=[section for section in sections if section.name != "network"],
        runs=[_provenance(run) for run in runs],
        where=list(dict.fromkeys(filter(None, (where_of(r.summary.get("made")) for r in runs)))),
        commands=commands,
        source=runs[0].summary["trained_by"],
        unnamed=len(given) - len(list(filter(None, given))),
        missing=missing,
        version=__version__,
    )


def _provenance(run: Run) -> dict[str, str]:
    """What a RUN was, for the table of what was simulated."""
    found, s = run.result, run.summary
    at = f", {s['temp_c']:g} °C" if "temp_c" in s else ""
    return {
        "kind": run.study,
        "images": s["images"]["said"],
        "settings": f"{found.drawn()}{at}",
        "engine": found.simulated_by(),
        "seed": str(s.get("seed", "")),
        "judged": found.judged(),
        "made": day_of(s.get("made")),
        "folder": str(run.folder),
    }
