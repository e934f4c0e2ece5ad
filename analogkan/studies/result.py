# pyright: strict
"""What every study's result says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from ..errors import SettingsError
from ..objects import Facts
from ..results import Fact, Pair, Result
from ..text import brief, interval, many, percent
from .entries import REGRESSION, TWO_POINT

if TYPE_CHECKING:
    from ..tables import Table

Row = dict[str, Any]
CHIPS = "chips.csv"
MOST_FAILURES = 5
"""Reasons that are told."""


MOST_WORDS = 60
"""Letters of a setting's value, such as a table of cells, that are told whole."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Found(Result):
    """What simulations and studies have in common.

    Attributes
    ----------
    study
        Its name.
    model
        Of the network.
    images
        What was shown, in words and by its hash.
    engine
        ``twin``, ``software``, or a simulator: ``ngspice``, ``vacask``, ``neospice``.
    """

    kept: ClassVar[str]
    """The file beside result.json that the result is made of too."""
    study: str
    model: str
    images: Mapping[str, Any]
    engine: str

    @classmethod
    def from_document(cls, document: Mapping[str, Any], **kept: Any) -> Self:
        kind = cls.of_values() if document.get("task") == REGRESSION else cls
        if kind is cls:
            return super().from_document(document, **kept)
        return cast(Self, kind.from_document(document, **kept))

    @classmethod
    def of_values(cls) -> type[Found]:
        """The kind of result that a regression has in the place of this one; by default this."""
        return cls

    def software_fact(self) -> Fact:
        """What software reaches on the same images."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        return list(self.summary["notes"])

    def _described(self) -> tuple[str, Facts]:
        _, told = super()._described()
        return f"of {self.title()}", [("software", self.software_fact().value), *told]

    def drawn(self) -> str:
        """What was simulated: the design, or what chips were drawn from."""
        return ", ".join(self.drawn_from())

    def drawn_from(self) -> list[str]:
        """The same, a text each setting."""
        return ["the design"]

    def differing(self) -> list[str]:
        """What else tells it from others of its kind, beside settings and images."""
        return []

    def simulated_by(self) -> str:
        """The engine, in words."""
        raise NotImplementedError

    def judged(self) -> str:
        """What the judge says, a sentence."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OfClasses(Found):
    """What results of classifiers have in common.

    Attributes
    ----------
    software_accuracy
        Of the network in software on the same images, a share of 1.
    """

    software_accuracy: float

    def software_fact(self) -> Fact:
        return accuracy_fact(self.software_accuracy, self.summary["n"])


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class StudyResult(Found):
    """A finished study.

    Attributes
    ----------
    rows
        One dictionary a point, in the order of the points.
    run
        The RUN folder.
    seed
        Of everything that is drawn.
    preset
        Its name; None: the BUILD's own hardware.
    versions
        Of the engine, by the names of its parts.
    judge
        What the judge found; None if there was none.
    cluster
        Of Dask: workers, threads and bytes; None: threads of one process.
    """

    kept = CHIPS
    rows: list[Row]
    run: Path
    seed: int
    preset: str | None
    versions: Mapping[str, Any]
    judge: Mapping[str, Any] | None
    cluster: Mapping[str, Any] | None

    def failures(self) -> list[Row]:
        """What could not be simulated: ``sample``, ``temp_c`` and ``reason`` of each."""
        return [row for row in self.rows if row["status"] != "ok"]

    def drawn_from(self) -> list[str]:
        from ..imperfections import load_settings
        from .replaced import hardware_of

        if self.preset is None:
            return ["the BUILD's own hardware"]
        s, words = self.summary, [f"preset {self.preset}"]
        kept, used = (s["settings"].get(table, {}) for table in ("variation", "hardware"))
        try:
            shipped, hardware = asdict(load_settings(self.preset)[1]), hardware_of(self.preset)
        except SettingsError:  # a file that is not there any more
            shipped, hardware = kept, {}
        words += [
            f"{name} = {value if len(str(value)) <= MOST_WORDS else brief(value)}"
            for name, value in kept.items()
            if shipped.get(name) != value
        ]
        own = {name: used[name] for name, v in hardware.items() if used.get(name, v) != v}
        own |= s.get("recompiled", {})
        words += [f"{name} = {value}" for name, value in own.items()]
        words += [text.replace("=", " = ", 1) for text in s.get("everywhere", [])]
        words += self.calibrated()
        if s.get("compensate") is not None:
            words.append(f"compensated ({s['compensate']})")
        return [*words, *self.aged()]

    def calibrated(self) -> list[str]:
        """How chips were set after they were made, in words; nothing where they were not."""
        way = self.summary.get("calibration")
        if way is None and not any("_uncalibrated" in key for key in self.summary):
            return []
        return ["read-out set at two points" if way == TWO_POINT else "calibrated"]

    def aged(self) -> list[str]:
        """How long after programming, in words; nothing where that is no matter."""
        age_s = self.summary["settings"].get("conditions", {}).get("age_s")
        return [f"{age_s:g} s after programming"] if age_s else []

    def _described(self) -> tuple[str, Facts]:
        title, told = super()._described()
        return title, [*told[:-1], ("judge", self._judge_in_brief()), *told[-1:]]

    def _judge_in_brief(self) -> str:
        """Who judged what, without digits that differ from machine to machine."""
        judge = self.judge
        if judge is None and self.engine != "twin":
            return "every chip by its closed form, where there is one"
        if judge is None:
            return "none: no chip was simulated in ngspice"
        if judge["passed"] is None:
            return str(judge["why_not"])
        if self.engine != "twin":
            return "every chip by its closed form"
        chips, images = many(judge["chips"], "chip"), many(judge["images"], "image")
        return f"ngspice {judge['versions']['ngspice']}, {chips} x {images}: passed"

    def simulated_by(self) -> str:
        if self.engine != "twin":
            return f"{self.engine} {self.versions[self.engine]}"
        return f"twin (torch {self.versions['torch']})"

    def judged(self) -> str:
        judge = self.judge
        if judge is None and self.engine != "twin":
            by = self.simulated_by()
            return f"in {by}: every chip judged by its closed form, where there is one"
        if judge is None:
            return "not judged: no chip of this study was simulated in ngspice"
        same = ""
        if "agreement" in judge:
            pair = interval(judge["agreement_ci95"])
            same = f"; same class as the twin {percent(judge['agreement'])} ({pair})"
        if self.engine != "twin":
            return f"in {self.simulated_by()}: {told_of_judge(judge, 'chip and image')}{same}"
        found = judge["passed"] is not None
        why = f"{judge['tolerance']:g} is allowed" if found else judge["why_not"]
        return (
            f"{'judged by' if found else 'compared with'} ngspice {judge['versions']['ngspice']}: "
            f"{many(judge['chips'], 'chip')} x {many(judge['images'], 'image')}, largest logit "
            f"difference {judge['max_abs_difference']:.1e}, {judge['share_of_full_scale']:.1e} of "
            f"full scale ({why}){same}"
        )

    def closing(self) -> list[str]:
        told: list[str] = []
        failures = self.failures()
        if failures:
            told.append(f"{len(failures)} of {len(self.rows)} could not be simulated:")
        for row in failures[:MOST_FAILURES]:
            what = "nominal" if row["sample"] is None else f"chip {row['sample']}"
            told.append(f"  {what} at {row['temp_c']:g} degC: {row.get('reason', '')}")
        if len(failures) > MOST_FAILURES:
            told.append(f"  and {len(failures) - MOST_FAILURES} more in {CHIPS}")
        noted = self.summary.get("replaced", {})
        changed = {k: v for k, v in self.summary.get("recompiled", {}).items() if k not in noted}
        if changed:
            words = ", ".join(f"{name} = {value}" for name, value in changed.items())
            told.append(f"compiled again with {words}")
        if self.cluster:
            c = self.cluster
            told.append(
                f"on {c['workers']} Dask workers, {c['threads']} threads: "
                f"{c['bytes_scattered'] / 1e6:.1f} MB once, {c['bytes_per_point']:,} bytes out "
                f"and {c['bytes_per_row']:,} back a chip"
            )
        return [*told, self.judged()]

    def table(self) -> Table:
        """A row a point: its number, temperature and figures; of a sweep the axes' values first."""
        from ..tables import table_of

        return table_of([{k: v for k, v in flat(row).items() if k != "key"} for row in self.rows])


def accuracy_fact(accuracy: float, n: int) -> Fact:
    """What software reaches on ``n`` images, with its interval."""
    from ..intervals import wilson

    return Fact("software", percent(accuracy), interval(wilson(round(accuracy * n), n)))


def told_of_judge(judge: Mapping[str, Any], what: str) -> str:
    """What a sentence says of ngspice's difference from the closed form of the same circuits.

    ``what`` it was looked at in, such as every image.
    """
    share = judge["share_of_full_scale"]
    apart = f"largest difference {share:.1e} of full scale" if share is not None else ""
    if judge["passed"]:
        return (
            f"every {what} judged by the circuit's closed form: {apart} ({judge['tolerance']:g} is "
            "allowed)"
        )
    return f"not judged ({judge['why_not']})" + (f": {apart} from the closed form" if apart else "")


def within(pair: Pair | None, reason: str = "") -> str:
    """An interval of shares in per cent; a dash, and the ``reason``, where there is none."""
    return interval(pair) or f"– {reason}".strip()


def whole_scale(error: float, full: float) -> str:
    """An error as a share of the largest logit."""
    return f"{error / full:.1e} of {full:.3g}"


def flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` with the entries of inner tables, and of lists by number, beside the others."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= value
        elif isinstance(value, list):
            found |= {f"{key}_{k}": entry for k, entry in enumerate(cast(list[Any], value))}
        else:
            found[key] = value
    return found
