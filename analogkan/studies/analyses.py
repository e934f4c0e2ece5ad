"""Analyses of one image, each declared once; and the one way in which all of them are run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..compiler import names
from ..compiler.build import Build
from ..compiler.deck import Deck
from ..compiler.sections import Section
from ..data import ImageSet
from ..data.images import REGRESSION, check_answers
from ..declared import Declared
from ..engines.analysis import Analysis, Answered
from ..engines.batch import BatchEngine
from ..engines.ngspice import Runner, find_ngspice
from ..errors import NetlistError, StudyError
from ..files import read_json, read_npz, write_npz
from ..ours import require_ours
from ..physics.power import volts_of
from ..results import Result
from .noise import NOISE
from .settling import SETTLING
from .slewing import SLEWING
from .store import FAILED, require_as_written, write_result
from .trace import TRACE

ANALYSES = Declared[Analysis]("an analysis", (TRACE, SETTLING, SLEWING, NOISE))
"""Those that can be asked for, by name."""


def analyse_image(
    build: Build, image: ImageSet, of: ImageSet, name: str, out: Path | None, *, allow_edited: bool
) -> Result:
    """The analysis ``name`` of ``image``, the only one of its set and one ``of`` others.

    With ``out`` it is kept, as ``<name>-<image>`` in it.

    Raises
    ------
    SettingsError
        If there is no analysis of that name.
    NetlistError
        If the deck was edited and ``allow_edited`` is not set; or there are several, and it is of
        one.
    StudyError
        If what is in the way in ``out`` is no such analysis.
    DataError
        If its targets are not what the network gives.
    SimulationError
        If ngspice fails.
    """
    analysis = ANALYSES.find(name)
    number = int(image.index[0])
    kept = None if out is None else out / f"{name}-{number}"
    if kept is not None:
        require_replaceable(kept, name)
    edited = build.edited_files()
    if edited and not allow_edited:
        raise NetlistError(f"{edited[0]} was edited by hand: --allow-edited traces it as it is")
    if edited and analysis.circuit is not None:
        raise NetlistError(
            f"{edited[0]} was edited by hand, and {name} is asked of a deck of its own, written "
            "from the design: compile the model again"
        )
    if REGRESSION in (image.task, build.spec.task):  # of a class nothing is compared
        check_answers(image, build.spec)
    volts = _series(build, image, of, analysis)
    run = out or build.folder.resolve().with_suffix(".run")
    assert analysis.summarise is not None and analysis.result is not None
    answers = ask(build, volts, analysis, run / FAILED)
    found, arrays = analysis.summarise(answers)
    found = found | {"image": number, "label": image.y[0].tolist(), "images": of.facts()}
    if kept is not None:
        write_npz(kept / f"{name}.npz", dict(arrays))
        if analysis.leave is not None:
            analysis.leave(answers, kept)
        found = write_result(kept / f"{name}.json", found, f"{name}.npz")
    return analysis.result.from_document(found, arrays=arrays)


def _series(build: Build, image: ImageSet, of: ImageSet, analysis: Analysis) -> np.ndarray:
    """Input voltages (n, I) of what is asked about ``image``."""
    volts = volts_of(build, image)
    if analysis.series is None:
        return volts
    at = int(np.flatnonzero(of.index == image.index[0])[0])
    before = of.take(np.array([at - 1])) if at else None
    return analysis.series(volts[0], None if before is None else volts_of(build, before)[0])


def ask(build: Build, volts: np.ndarray, analysis: Analysis, keep: Path) -> list[Answered]:
    """What every deck answers to ``volts`` (n, I), or of one image (I,), as a sweep takes them.

    What a deck gives is held, and drives the next. ``keep`` is where a deck is kept if ngspice
    fails.

    Raises
    ------
    SimulationError
        If it does.
    NetlistError
        If there are several decks, and the analysis is of one.
    """
    if not analysis.sweeps:
        build.one_deck()
    answers: list[Answered] = []
    held = aim = np.atleast_2d(volts)  # what drives a section in ngspice, and by the software
    for section in build.sections:
        points, aims = section.points(held), section.points(aim)
        given, wanted = [], []
        for deck in build.decks(section):
            of = "" if build.deck is not None else f"{deck.folder.name} "
            answered = _ask(deck, section, points, aims, analysis, keep, of)
            answers.append(answered)
            if analysis.sweeps:
                given.append(answered.at(names.logits(deck.design)))
                wanted.append(deck.spec.forward_volts(aims))
        if analysis.sweeps:
            held, aim = (np.concatenate(part, axis=1).reshape(1, -1) for part in (given, wanted))
    return answers


def _ask(
    deck: Deck,
    section: Section,
    points: np.ndarray,
    aims: np.ndarray,
    analysis: Analysis,
    keep: Path,
    of: str,
) -> Answered:
    if analysis.of_deck is not None:
        analysis = analysis.of_deck(deck)
    assert analysis.probes is not None
    wanted = list(analysis.probes(deck.design))
    if analysis.sweeps:
        wanted = list(dict.fromkeys([*names.logits(deck.design), *wanted]))
    if analysis.require is not None:
        analysis.require(deck.design, points, keep)
    circuit = deck if analysis.circuit is None else analysis.circuit(deck.design)
    with BatchEngine(circuit, Runner(find_ngspice()), keep, analysis=analysis) as engine:
        asked = [[probe] for probe in wanted] if analysis.apart else [wanted]
        parts = [engine.answer(points, probes) for probes in asked]
    return Answered(
        deck=deck,
        section=section,
        points=points,
        aims=aims,
        probes=wanted,
        values=np.concatenate(parts, axis=1),
        of=of,
    )


def kept_analyses(run: Path) -> list[Result]:
    """The analyses that are kept in a RUN, by name and image.

    Raises
    ------
    StudyError
        If one is damaged, or is not what was kept.
    """
    found: list[tuple[str, int, Result]] = []
    for name in ANALYSES:
        for path in run.glob(f"{name}-*/{name}.json"):
            try:
                document: dict[str, Any] = read_json(path)
                require_as_written(path, document, f"{name}.npz")
                arrays = read_npz(path.with_suffix(".npz"))
                result = ANALYSES.find(name).result
                assert result is not None
                one = result.from_document(document, arrays=arrays)
                found.append((name, int(document["image"]), one))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise StudyError(
                    f"{path.parent} is damaged ({type(error).__name__}): remove it"
                ) from error
    return [one for _, _, one in sorted(found, key=lambda entry: entry[:2])]


def require_replaceable(folder: Path, name: str) -> None:
    """Raise StudyError if what would be replaced in ``folder`` is no analysis ``name``."""

    def ours(path: Path) -> bool:
        try:
            return {"image", "images"} <= set(read_json(path.with_name(f"{name}.json")))
        except ValueError:
            return False

    for file in (f"{name}.json", f"{name}.npz"):
        require_ours(folder / file, name, ours, give="--out", error=StudyError)
