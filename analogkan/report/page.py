"""The report: RUNs in, one self-contained HTML page out. It asks no network for anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2

from .. import __version__
from ..errors import StudyError
from ..files import brief, write_text
from ..ours import require_marked
from ..resources import path as resource
from ..studies import registry
from .analyses import analysis_sections
from .exhibits import Exhibit, Section
from .figures import save
from .interactive import embedded
from .network import build_sections
from .runs import Run, find_build, read_runs
from .sections import headline, run_sections
from .svg import inline_svg

TEMPLATE = "report/templates"
MOST_BYTES = 4_000_000
"""What a page may weigh: more would not open by mail or on a phone."""

UNFIT = (
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError),
    jinja2.TemplateError,
)
"""What figures and words raise of a result that lacks what they show, or has it otherwise."""


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
        RUN folders of one network, any kinds, any number.
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
        raise StudyError(f"--output {out} must end in .html")
    require_marked(out, give="--output")
    found = read_runs(runs)
    circuit, missing = find_build(found, build)
    try:
        sections = [] if circuit is None else build_sections(circuit, found)
        counts: dict[str, int] = {}
        for run in found:
            counts[run.kind] = counts.get(run.kind, 0) + 1
            tag = "" if counts[run.kind] == 1 else f"-{counts[run.kind]}"
            sections += run_sections(run, circuit, tag)
            sections += analysis_sections(run, tag)
        exhibits = [exhibit for section in sections for exhibit in section.exhibits]
        for exhibit in exhibits:
            if figures is not None:
                require_marked(figures / f"{exhibit.name}.png", give="--figures")
        titled = title or str(found[0].summary["model"])
        page = _render(found, numbered(sections), exhibits, missing, titled)
    except UNFIT as error:
        named = ", ".join(str(run.folder) for run in found)
        raise StudyError(
            f"one of {named} lacks what a page shows, or its files do not fit each other "
            f"({type(error).__name__}: {brief(error)}): run its command again with another --out"
        ) from error
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


def numbered(sections: Sequence[Section]) -> list[Section]:
    """``sections`` with titles that tell those of one kind apart."""
    titles = [section.title for section in sections]
    found = []
    for k, section in enumerate(sections):
        title = section.title
        if titles.count(title) > 1:
            title = f"{title} {titles[: k + 1].count(title)}"
        found.append(replace(section, title=title))
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
        live=live,
        plots={e.name: inline_svg(e.figure, e.name, e.caption, e.share) for e in exhibits},
        headline=headline(runs),
        sections=sections,
        runs=[_provenance(run) for run in runs],
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
        "kind": registry.REACHED.get(run.kind, run.kind),
        "images": s["images"]["said"],
        "settings": f"{found.drawn()}{at}",
        "engine": found.simulated_by(),
        "seed": str(s.get("seed", "")),
        "judged": found.judged(),
        "folder": str(run.folder),
    }
