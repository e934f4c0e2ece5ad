# pyright: strict
"""What a study declares: its options, its points, what its rows say, and how that is told.

Light: a command's help and TAB read declarations, and what they need to run is imported then.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, StudyError
from ..schema import Rule
from .cost import MANY
from .entries import FIGURES, REGRESSION
from .option import KINDS, Option
from .result import Row, StudyResult

if TYPE_CHECKING:
    from ..compiler.build import Build
    from ..compiler.hardware import Hardware
    from ..data import ImageSet
    from ..imperfections import Conditions, Variation
    from .bench import Bench
    from .judge import Share
    from .options import StudyOptions
    from .points import Point

Progress = Callable[[str, int, int], None]
"""Called with what is done (``chips``, ``judge``), how many are, and how many there are."""


@dataclass(frozen=True, eq=False)
class Job:
    """What a plan is made for.

    Attributes
    ----------
    build, images
        The circuit, and what it is shown.
    preset, settings
        A preset's name, and ``key=value`` texts on top of it.
    own
        Settings that are the study's own, an object of ``Study.own``; None where it has none.
    judge
        ``CHIPSxIMAGES`` that ngspice simulates once more, or ``none``.
    named
        Every setting that was given, the study's own too, whatever it was before.
    """

    build: Build
    images: ImageSet
    preset: str | None
    settings: list[str]
    own: Any = None
    judge: str = "none"
    named: frozenset[str] = frozenset()

    def read_settings(self) -> tuple[Hardware, Variation, Conditions, dict[str, Any]]:
        """All settings, and those of the hardware that are not the BUILD's."""
        from ..imperfections import load_settings

        base = self.build.hardware
        hardware, variation, conditions = load_settings(self.preset, self.settings, base=base)
        before, now = asdict(base), asdict(hardware)
        changed = {name: now[name] for name in now if now[name] != before[name]}
        return hardware, variation, conditions, changed


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """What a study will do.

    Attributes
    ----------
    points
        What is evaluated, each once.
    summarise
        From the rows and the bench to the figures that are the study's own.
    facts
        What else result.json says.
    identity
        The settings without which a RUN would be another study.
    evaluate
        The row of a point on the bench, a function of a module. By default the point is a chip,
        its row has the accuracy on all images, and ngspice judges some of the chips.
    more
        ``(bench, point)``: what a row of that default has beside it, a function of a module.
    judge
        ``(bench, points, share, keep)``: what else ngspice is asked of the points that it judges,
        and what came of it by part; StudyError where it says otherwise. Decks that fail are kept
        in ``keep``.
    judge_all
        Whether ngspice judges every point, of the images of the share.
    keep
        ``(bench, points, rows, run)``: writes what the RUN keeps of the points beside their rows.
    explore
        ``(bench)``: more points, a generator that gives them and is sent their rows, as often as
        rows lead to others; each point comes once. The same rows lead to the same points, so that
        a RUN goes on where it was. None: there are none.
    most
        How many points there are with those, at most.
    temps_c
        Temperatures at which something is simulated, beside the points'.
    compensate, calibrate
        The bench's.
    arrange
        From the RUN folder and the rows of the points to those of the result.
    study
        What the study is, where an option made it another than the one that was called.
    spread
        From the rows of the points to those of chips.csv.
    counted
        What progress counts.
    exemplars
        ``(bench)``: chips that ngspice judges, where points are none; those that say most first.
    """

    points: Sequence[Point]
    summarise: Callable[[list[Row], Bench], dict[str, Any]]
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    identity: Mapping[str, Any] = field(default_factory=dict[str, Any])
    evaluate: Callable[[Bench, Point], Row] | None = None
    more: Callable[[Bench, Point], Row] | None = None
    judge: Callable[[Bench, Sequence[Point], Share, Path], dict[str, Any]] | None = None
    judge_all: bool = False
    keep: Callable[[Bench, Sequence[Point], Sequence[Row], Path], None] | None = None
    explore: Callable[[Bench], Generator[Sequence[Point], list[Row], None]] | None = None
    most: int = 0
    temps_c: Iterable[float] = ()
    compensate: str | float | None = None
    calibrate: str | None = None
    arrange: Callable[[Path, list[Row]], list[Row]] = lambda run, rows: rows
    study: Study | None = None
    spread: Callable[[list[Row]], list[Row]] = lambda rows: rows
    counted: str = "chips"
    exemplars: Callable[[Bench], Sequence[Point]] | None = None


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A figure below which a command fails.

    Attributes
    ----------
    entry
        Of result.json.
    said, about
        How a sentence calls it; the option's help.
    without
        An option with which there is no such figure.
    """

    entry: str
    said: str
    about: str
    without: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """A study of a BUILD's circuits: its command, its Python, its section of a page follow.

    A call runs it; see ``__call__``.

    Attributes
    ----------
    name
        Of the command.
    short
        The command's help in a line; all of it is the plan's documentation.
    options
        What it can be told, apart from what every study can be.
    plan
        Called with a ``Job`` and the options by their names.
    result
        A subclass of ``StudyResult``.
    columns
        What a row of a point that could be evaluated has, beside what all have.
    more
        Columns beside those.
    own
        A frozen dataclass of settings that no other study has: ``--set`` takes them too, and a
        preset has them in a table ``[assumptions]``.
    picture
        File that keeps the first of the result's figures; by default of the study's name.
    threshold
        What ``--fail-under`` is about, if there is such a thing.
    start
        Called with the options: the preset where none is given. By default what ``preset``, an
        option, says.
    models
        Whether a command takes a model too, which is compiled as it is by default.
    forecast
        Called as ``plan`` is, and with how many points are evaluated at a time: how long it will
        take, or what it can say, a sentence, which a command says before it starts; or nothing.
    """

    name: str = ""
    short: str = ""
    options: tuple[Option, ...] = ()
    plan: Callable[..., Plan] | None = None
    result: type[StudyResult] | None = None
    columns: Mapping[str, Rule] = field(default_factory=lambda: FIGURES)
    more: Mapping[str, Rule] = field(default_factory=dict[str, Rule])
    own: type[Any] | None = None
    picture: str = ""
    threshold: Threshold | None = None
    start: Callable[[Mapping[str, Any]], str | None] | None = None
    models: bool = False
    forecast: Callable[..., str] | None = None

    def __post_init__(self) -> None:
        """Raise StudyError unless it is whole."""
        lacks = [p for p in ("name", "short", "plan", "result") if not getattr(self, p)]
        named = {option.name: option for option in self.options}
        if "preset" not in named:
            lacks.append("an option preset")
        lacks += [
            f"the help of option {o.public}"
            for o in self.options
            if o.kind == "truth" and not o.about
        ]
        if self.plan is not None and not self.plan.__doc__:
            lacks.append("the documentation of its plan")
        if lacks:
            raise StudyError(f"study {self.name!r} lacks {', '.join(lacks)}")
        assert self.plan is not None and self.result is not None
        if not issubclass(self.result, StudyResult):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise StudyError(
                f"study {self.name!r}: its result, {self.result.__name__}, is no subclass of "
                "StudyResult"
            )
        if not re.fullmatch(r"[a-z]{2,30}", self.name):
            raise StudyError(f"study {self.name!r}: its name must be 2 to 30 letters, a to z")
        for option in self.options:
            if option.kind not in KINDS:
                raise StudyError(
                    f"study {self.name!r}: option {option.public} is of kind {option.kind!r}, none "
                    f"of {', '.join(KINDS)}"
                )
        if len(named) < len(self.options):
            raise StudyError(f"study {self.name!r} has two options of one name")
        taken = set(list(inspect.signature(self.plan).parameters)[1:])
        differ = sorted(taken ^ (set(named) - {"preset"}))
        if differ:
            raise StudyError(
                f"study {self.name!r}: {', '.join(differ)} is in its options or in its plan, and "
                "must be in both"
            )

    @property
    def about(self) -> str:
        """The command's help."""
        return inspect.getdoc(self.plan) or ""

    @property
    def large(self) -> bool:
        """Whether it can be of so many points that a command asks first."""
        return any(o.name == "samples" and (o.most or 0) > MANY for o in self.options)

    def columns_of(self, task: str) -> Mapping[str, Rule]:
        """``columns``, or where they are a classifier's those of another ``task``."""
        from .values import FIGURES as OF_VALUES

        own = task == REGRESSION and self.columns is FIGURES
        return {**(OF_VALUES if own else self.columns), **self.more}

    def preset(self, values: Mapping[str, Any]) -> str | None:
        """What is started from where no preset is given."""
        if self.start is not None:
            return self.start(values)
        return next(option.default for option in self.options if option.name == "preset")

    def __call__(
        self,
        build: Build,
        images: ImageSet,
        *,
        settings: Iterable[str] = (),
        options: StudyOptions | None = None,
        on_progress: Progress = lambda what, done, total: None,
        **values: Any,
    ) -> Any:
        """Run the study.

        Parameters
        ----------
        build
            From ``load_build`` or ``write_build``. Hardware that preset and settings do not name
            stays the BUILD's; where they change it the network is compiled again in memory.
        images
            What every circuit is shown.
        settings
            ``key=value`` texts on top of the preset.
        options
            Engine, jobs, seed, RUN folder, judge.
        values
            The study's own options, and ``preset``.

        Returns
        -------
        StudyResult
            Of the study's ``result``.

        Raises
        ------
        AnalogKanError
            See ``conduct``.
        """
        from .conduct import conduct
        from .options import StudyOptions

        assert self.plan is not None
        if not len(images):
            raise DataError(f"{images.name} has no images to simulate")
        options = options or StudyOptions()
        job, chosen = self._job(build, images, settings, values)
        job = replace(job, judge=options.judge)
        plan = self.plan(job, **chosen)
        return conduct(plan.study or self, job, plan, options, on_progress)

    def replaces(
        self, build: Build, images: ImageSet, *, settings: Iterable[str] = (), **values: Any
    ) -> list[str]:
        """What the preset of a call of the study replaces of the BUILD, and what it leaves to be
        assumed of an op-amp that was measured, a sentence each."""
        from .notes import unmeasured
        from .replaced import told

        job = self._job(build, images, settings, values)[0]
        return told(job) + unmeasured(job)

    def foretold(
        self, build: Build, images: ImageSet, options: StudyOptions, *,
        settings: Iterable[str] = (), **values: Any,
    ) -> str:  # fmt: skip
        """What ``forecast`` says of a call of the study."""
        assert self.forecast is not None
        job, chosen = self._job(build, images, settings, values)
        return self.forecast(replace(job, judge=options.judge), options.jobs, **chosen)

    def _job(
        self, build: Build, images: ImageSet, settings: Iterable[str], values: Mapping[str, Any]
    ) -> tuple[Job, dict[str, Any]]:
        """What a plan is made for, and its options by their names."""
        known = [option.name for option in self.options]
        unknown = [name for name in values if name not in known]
        if unknown:
            raise TypeError(f"{self.name} takes {', '.join(known)}, not {', '.join(unknown)}")
        chosen = {o.name: o.value(values.get(o.name, o.default)) for o in self.options}
        preset = chosen.pop("preset")
        if "preset" not in values:
            preset = self.preset(chosen)
        settings = list(settings)
        texts, own = settings, None
        if self.own is not None:
            from ..imperfections.presets import load_own

            own, texts = load_own(self.own, "assumptions", preset, texts)
        named = frozenset(text.partition("=")[0].strip() for text in settings)
        return Job(build, images, preset, texts, own, named=named), chosen
