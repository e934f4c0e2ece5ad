"""The judge: ngspice simulates a share of a twin study's chips and images once more."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..compiler.circuit import Circuit
from ..compiler.closed_form import why_no_verdict
from ..engines.chip_engines import NgspiceEngine, chain_logits, keep_decks
from ..engines.verdict import TOLERANCE, allowed
from ..errors import SettingsError, StudyError
from ..intervals import student
from .bench import JUDGED, Bench
from .executor import LocalExecutor
from .macro import METHOD, agreement
from .points import Point
from .result import Row
from .store import StudyStore

KEY = "judge"


@dataclass(frozen=True)
class Share:
    """How many chips, and how many images of each, the judge looks at."""

    chips: int
    images: int

    def __bool__(self) -> bool:
        return self.chips > 0 and self.images > 0


def parse_share(text: str) -> Share:
    """A share from ``3x50`` (chips x images) or ``none``; SettingsError if it is neither."""
    match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,8})", text)
    if text == "none":
        return Share(0, 0)
    if match is None:
        raise SettingsError(
            f"judge {text!r} is neither CHIPSxIMAGES such as 3x50 nor none, which trusts the twin"
        )
    return Share(int(match[1]), int(match[2]))


def judge(
    points: Sequence[Point],
    rows: Sequence[Row],
    bench: Bench,
    engine: NgspiceEngine,
    share: Share,
    store: StudyStore,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    jobs: int = 1,
) -> dict[str, Any]:
    """Compare the twin's logits with ngspice's on a share of chips and images, ``jobs`` chips at a
    time.

    What was found is kept in ``store``; the same share of the same points is not run again.

    Raises
    ------
    StudyError
        If the two differ by more than is ``allowed``: where, by how much, and the deck.
    SimulationError
        If ngspice did not deliver.
    """
    chosen = choose_points(points, rows, share.chips, bench.seed)
    asked = [[point.key for point in chosen], share.images, engine.versions(), TOLERANCE]
    tag = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
    kept = store.get(KEY)
    if kept is not None and kept["tag"] == tag and kept["passed"] is not False:
        return kept
    started = time.perf_counter()
    compared: dict[str, _Compared] = {}
    on_progress(0, len(chosen))
    compare = partial(_compared, bench, engine, share)
    for some in LocalExecutor(jobs, engine.stop).run(compare, chosen, len(chosen)):
        compared |= {point.key: of for point, of in some}
        on_progress(len(compared), len(chosen))
    every = [compared[point.key] for point in chosen]
    found, squares = [of.entry for of in every], [of.squares for of in every if of.macro]
    worst = max(every, key=lambda of: (not of.fits, _excess(of.entry)))
    why_not = next((of.macro for of in every if of.macro), "")
    passed = worst.fits
    largest, tolerance = worst.entry["max_abs_difference"], worst.entry["tolerance"]
    verdict = {
        "passed": None if passed and why_not else passed,
        "chips": len(chosen),
        "images": found[0]["images"],
        "max_abs_difference": largest,
        "share_of_full_scale": largest / bench.full_scale,
        "full_scale": bench.full_scale,
        "tolerance": tolerance,
        "seconds": time.perf_counter() - started,
        "versions": engine.versions(),
        "worst": worst.entry,
        "found": found,
        "tag": tag,
        **_macro_error(why_not, found, squares),
    }
    store.put(KEY, verdict)
    if not passed:
        _refuse(verdict, worst, bench, engine)
    return verdict


class _Compared(NamedTuple):
    """A chip in the twin and in ngspice.

    Attributes
    ----------
    point, chip
        Which, and its circuits.
    entry
        What the verdict says of it.
    fits
        Whether it is what it may be.
    at
        Of the image that is farthest off, the position among the bench's.
    macro
        Why the twin is no judge of it; empty: it is one.
    squares
        (n,) mean squares of an image's differences.
    """

    point: Point
    chip: Circuit
    entry: dict[str, Any]
    fits: bool
    at: int
    macro: str
    squares: np.ndarray


def _compared(bench: Bench, engine: NgspiceEngine, share: Share, point: Point) -> _Compared:
    """Run some images of a chip in ngspice, beside its twin."""
    chip, _ = bench.chip(point)
    twin = bench.logits(point)
    macro = why_no_verdict(chip.hardware)
    at = choose_images(twin, share.images, bench.seed, point.sample, close=not macro)
    temp_c = point.conditions.temp_c
    volts = bench.volts_of(point.hardware)[at]
    spice = chain_logits(engine, chip, volts, bench.index[at], temp_c)
    difference = np.abs(twin[at] - spice)
    # A difference that is no number is the largest of all.
    i, o = np.unravel_index(np.nan_to_num(difference, nan=np.inf).argmax(), difference.shape)
    squares = (difference**2).mean(axis=1)
    entry = {
        "sample": point.sample,
        "temp_c": temp_c,
        "images": len(at),
        "max_abs_difference": float(difference[i, o]),
        "image": int(bench.index[at[i]]),
        "column": int(o),
        "twin": float(twin[at[i], o]),
        "ngspice": float(spice[i, o]),
        "tolerance": allowed(chip.hardware, engine.program.klu),
    }
    fits = bool(entry["max_abs_difference"] <= entry["tolerance"] * bench.full_scale)
    if macro:
        fits = bool(np.isfinite(difference).all())  # what is no number is no result either
        entry |= _chip_error(twin[at], spice, squares, classes=bench.spec.targets is None)
    return _Compared(point, chip, entry, fits, int(at[i]), macro, squares)


def _chip_error(
    twin: np.ndarray, spice: np.ndarray, squares: np.ndarray, *, classes: bool
) -> dict[str, Any]:
    """What one chip's macro-model misses: ``squares`` (n,) are the mean ones of each image."""
    same = twin.argmax(axis=1) == spice.argmax(axis=1)
    found: dict[str, Any] = {"rms_difference": float(np.sqrt(squares.mean()))}
    return found | ({"same_class": int(same.sum())} if classes else {})


def _macro_error(
    why_not: str, found: Sequence[dict[str, Any]], squares: Sequence[np.ndarray]
) -> dict[str, Any]:
    """The same of all chips' images together; empty if nothing has a macro-model."""
    if not why_not:
        return {}
    every = np.concatenate(squares)
    pair = student(every, least=0.0, skewed=True)
    told: dict[str, Any] = {
        "why_not": why_not,
        "rms_difference": float(np.sqrt(every.mean())),
        "rms_difference_ci95": None if pair is None else [float(np.sqrt(end)) for end in pair],
        "intervals": METHOD,
    }
    same = [(entry["same_class"], entry["images"]) for entry in found if "same_class" in entry]
    return told | (agreement(*np.sum(same, axis=0).tolist()) if same else {})


def judged_by_twin(points: Sequence[Point], rows: Sequence[Row], bench: Bench) -> dict[str, Any]:
    """What a study in ngspice says of its judge: the closed form of every one of its chips.

    One that differs by more than is ``allowed`` has ended the study, unless it has a macro-model.
    """
    difference, share = JUDGED
    good = [row for row in rows if row["status"] == "ok"]
    seen = [row for row in good if row.get(share) is not None]
    worst = max(seen, key=lambda row: row[share], default=None)
    left = len(good) - len(seen)
    reasons = {why_no_verdict(point.hardware) for point in points}
    why_not = f"{left} circuits have no closed form" if left else max(reasons)
    same = [round(row["macro_agreement"] * row["n"]) for row in good if "macro_agreement" in row]
    images = len(bench.labels)
    return {
        "passed": None if why_not or worst is None else True,
        "why_not": why_not,
        **(agreement(sum(same), len(same) * images) | {"intervals": METHOD} if same else {}),
        "chips": len(seen),
        "images": images,
        "max_abs_difference": None if worst is None else worst[difference],
        "share_of_full_scale": None if worst is None else worst[share],
        "full_scale": bench.full_scale,
        "tolerance": TOLERANCE,
        "worst": worst and {key: worst[key] for key in ("sample", "temp_c", *JUDGED)},
    }


def _refuse(verdict: dict[str, Any], worst: _Compared, bench: Bench, engine: NgspiceEngine) -> None:
    entry, point, at = worst.entry, worst.point, worst.at
    temp_c = point.conditions.temp_c
    volts = bench.volts_of(point.hardware)[[at]]
    decks = keep_decks(engine, worst.chip, volts, bench.index[[at]], temp_c)
    kept = "deck is" if len(decks) == 1 else "decks are"
    raise StudyError(
        f"the twin is not what ngspice simulates: {point.label}, image {entry['image']}, class "
        f"{entry['column']}: logit {entry['twin']:.9g} in the twin, {entry['ngspice']:.9g} in "
        f"ngspice, {verdict['share_of_full_scale']:.1e} of full scale apart where "
        f"{entry['tolerance']:g} is allowed. The {kept} kept: {', '.join(map(str, decks))}. Please "
        "report it: one of the two is wrong"
    )


def _excess(entry: dict[str, Any]) -> float:
    """How far twin and ngspice are apart, for what is allowed; what is no number is farthest."""
    return float(np.nan_to_num(entry["max_abs_difference"], nan=np.inf)) / entry["tolerance"]


def choose_points(
    points: Sequence[Point], rows: Sequence[Row], count: int, seed: int
) -> list[Point]:
    """The point of the worst accuracy or RMSE, then random ones, temperature by temperature.

    Temperatures are taken extremes first, again and again; points that failed are left out.
    """
    good = [row for row in rows if row["status"] == "ok"]
    reached = {row["key"]: row["accuracy"] if "accuracy" in row else -row["rmse"] for row in good}
    left = [point for point in points if point.key in reached]
    if not left or count < 1:
        return []
    rng = np.random.default_rng([seed, 0])
    worst = min(left, key=lambda point: reached[point.key])
    temps = sorted({point.conditions.temp_c for point in left})
    middle = [temps[k] for k in 1 + rng.permutation(max(0, len(temps) - 2))]
    order = list(dict.fromkeys([temps[0], temps[-1], *middle]))
    order.remove(worst.conditions.temp_c)
    order.append(worst.conditions.temp_c)
    chosen = [worst]
    left.remove(worst)
    while left and len(chosen) < count:
        temp_c = order.pop(0)
        there = [point for point in left if point.conditions.temp_c == temp_c]
        if there:
            chosen.append(there[int(rng.integers(len(there)))])
            left.remove(chosen[-1])
            order.append(temp_c)
    return chosen


def choose_images(
    logits: np.ndarray, count: int, seed: int, sample: int | None, *, close: bool = True
) -> np.ndarray:
    """Positions of ``count`` of the images of ``logits`` (B, O), rising.

    Half are those whose two largest logits are closest, unless not ``close``; the rest are random.
    """
    count = min(count, len(logits))
    two = np.sort(logits, axis=1)[:, -2:]
    order = np.argsort(two[:, -1] - two[:, 0], kind="stable")
    half = (count + 1) // 2 if close else 0
    rng = np.random.default_rng([seed, 1, 0 if sample is None else sample + 1])
    return np.sort(np.concatenate([order[:half], rng.permutation(order[half:])[: count - half]]))


def evenly(n: int, most: int) -> np.ndarray:
    """At most so many of ``n`` positions, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
