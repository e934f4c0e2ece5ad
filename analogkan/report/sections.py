"""Sections of a report on RUNs: results as words, tables and plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..compiler.build import Build
from ..results import Fact, Result
from ..studies.result import Found
from . import figures, interactive
from .exhibits import Exhibit, Section
from .redrawn import Redrawn, names_of
from .runs import SIMULATE, Run

FEWEST_PICTURES = 24
"""Images of a simulation on a page, if it kept as many; so many are printed."""


def run_sections(
    run: Run, build: Build | None, tag: str, chips: Sequence[Redrawn] = ()
) -> list[Section]:
    """What a RUN found; of a simulation its images too, if its BUILD says how they look, beside
    what ``chips`` answer to them."""
    found = run.result
    words = [
        f"{found.drawn()}; {found.title()}",
        *found.sentences(),
        *found.closing()[:-1],
        found.judged(),
    ]
    notes = [f"note: {note}" for note in found.notes()]
    section = result_section(found, found.study, tag, [*words, *notes], run.share)
    section = replace(section, title=run.title, source=run.named)
    if build is None or not run.arrays:
        return [section]
    return [section, *picture_sections(run, build, tag, [] if tag else chips)]


def result_section(
    found: Result, name: str, tag: str, words: Sequence[str], share: float = 1.0
) -> Section:
    """The section of a result, which says ``words``; ``share`` is its part of a page's room."""
    return Section(
        name=f"{name}{tag}",
        title=found.heading,
        words=[sentence(text) for text in words],
        table=found.facts(),
        exhibits=[
            Exhibit(
                name=f"{figure.name}{tag}",
                caption=figure.caption,
                figure=figure.draw(),
                share=share if figure.share else 1.0,
                live=figure.live,
            )
            for figure in found.figures()
        ],
    )


def sentence(text: str) -> str:
    """``text`` as a sentence."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith(":") else ".")


def picture_sections(run: Run, build: Build, tag: str, chips: Sequence[Redrawn]) -> list[Section]:
    """Images of a simulation, with both answers and those of ``chips``."""
    a = run.arrays
    labels, index, software, circuit = (
        a[name] for name in ("labels", "index", "software", "circuit")
    )
    most = max(FEWEST_PICTURES, round(run.share * len(a["shown"])))
    shown = a["shown"][:most].astype(int)
    if not len(shown):
        return []
    shape, e = build.spec.encoding.shape, build.spec.encoding
    pictures = as_pictures((a["shown_x"][:most] - e.x_lo) / (e.x_hi - e.x_lo), shape)
    told = list(
        zip(labels[shown], software[shown].argmax(1), circuit[shown].argmax(1), strict=True)
    )
    flips = sum(int(s != c) for _, s, c in told)
    answers = {
        name: one.answers[:most]
        for name, one in zip(names_of(chips), chips, strict=True)
        if one.of and one.answers is not None
    }
    first = "No image changes its class. Here are"
    if flips:
        first = f"{flips} images that the circuit puts in another class than software, first; then"
    return [
        Section(
            name=f"images{tag}",
            title="Images" if not flips else "Flipped images",
            words=[
                f"{first} those it has wrong, and those decided most narrowly."
            ],
            source=run.named,
            exhibits=[
                Exhibit(
                    name=f"images{tag}",
                    caption="Number, class: software's answer, circuit's answer.",
                    figure=figures.pictures_figure(
                        pictures[:FEWEST_PICTURES],
                        [f"{index[k]}, {y}: {s}, {c}"
                         for k, (y, s, c) in zip(shown, told, strict=True)],
                    ),
                    live_caption="Choose an image"
                    + (" and a chip" if answers else "")
                    + "; bars are logits by class.",
                    live=lambda: interactive.image_browser(
                        pictures, index[shown], labels[shown], software[shown], circuit[shown],
                        answers,
                    ),
                )
            ],
        )
    ]  # fmt: skip


def as_pictures(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Inputs (m, I), 0 to 1, as (m, h, w) grey or (m, h, w, 3); other shapes fill a square."""
    if len(shape) == 2:
        return x.reshape(-1, *shape)
    if len(shape) == 3 and {shape[0], shape[2]} & {1, 3}:
        pictures = x.reshape(-1, *shape)
        if shape[0] in (1, 3):
            pictures = pictures.transpose(0, 2, 3, 1)
        return pictures[..., 0] if pictures.shape[3] == 1 else pictures
    across = math.ceil(math.sqrt(x.shape[1]))  # no picture: values line by line, in a square
    padded = np.pad(x, ((0, 0), (0, -x.shape[1] % across)))
    return padded.reshape(len(x), -1, across)


def headline(runs: Sequence[Run]) -> list[Fact]:
    """What a reader should know first, from the largest RUN of each kind, of equal ones the first
    given. Software's figure is on the images that most of them have."""
    largest: dict[str, Found] = {}
    for run in sorted(runs, key=lambda r: -r.summary["n"] * r.summary.get("samples", 1)):
        largest.setdefault(run.kind, run.result)
    seen = [one.images["sha256"] for one in largest.values()]
    main = max(
        largest.values(),
        key=lambda one: (
            seen.count(one.images["sha256"]),
            one is largest.get(SIMULATE),
            one.summary["n"],
        ),
    )
    software = main.software_fact()
    said = f"{software.note}; {main.images['said']}"
    found = [Fact(software.label, software.value, said)]
    for kind in sorted(largest, key=[run.kind for run in runs].index):
        one = largest[kind]
        found += [Fact(f.label, f.value, f.note + _seen(one, main)) for f in one.headline()]
    return found


def _seen(one: Found, main: Found) -> str:
    """The images, where they are not those of the first card, and software's figure on them."""
    if one.images["sha256"] == main.images["sha256"]:
        return ""
    return f"; other images: {one.images['said']}, software {one.software_fact().value}"
