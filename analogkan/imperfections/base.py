# pyright: strict
"""What an imperfection declares, and what it draws with.

Axes: I inputs, D diodes, O outputs; R rows, 2 O lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..compiler.converters import Ends
from ..compiler.hardware import Hardware
from ..errors import SettingsError
from ..settings import within
from ..streams import DIE, Place, derived

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.chip import Warmth
    from ..compiler.design import CrossbarStage
    from ..die.floorplan import Floorplan, Sites
    from ..network.spec import LayerSpec

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
PHASES = ("made", "broken", "trimmed", "aged", "read")
"""In which order imperfections act; within one, in the order in which they are declared."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of an imperfection.

    Attributes
    ----------
    name, about
        What it is called, and what it is, in sentences.
    unit
        ``share`` of 1, another, or none.
    limit, fits
        What it may be, in words, and the check of it.
    default
        With all at their defaults an imperfection does nothing.
    words
        What it may be, if it is a text.
    kept
        What is kept of what is given, before it is checked.
    later
        Of one that comes with the package, whether there were RUNs before it: what a study is
        names it only where it is not at its default.
    shapes
        Whether it says how others act and does nothing without them: it has no cell in a budget.
    """

    name: str
    about: str
    unit: str = ""
    limit: str = ""
    fits: Callable[[Any], bool]
    default: float | str = 0.0
    words: tuple[str, ...] = ()
    kept: Callable[[Any], Any] = lambda given: given
    later: bool = False
    shapes: bool = False


def upto(
    most: float,
    name: str,
    about: str,
    unit: str = "share",
    *,
    later: bool = False,
    shapes: bool = False,
) -> Setting:
    """A number from 0, which is off, to ``most``."""
    limit = f"0 to {most:g}" + (f" {unit}" if unit not in ("", "share") else "")
    return Setting(
        name=name,
        about=about,
        unit=unit,
        limit=limit,
        fits=within(0, most),
        later=later,
        shapes=shapes,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Imperfection:
    """One way in which a chip is not its design.

    Attributes
    ----------
    name
        No other has it.
    settings
        What says how much of it there is.
    draw
        Called with a stage of a chip and a ``Draw``: the stage changed. Not called where every
        setting is at its default.
    acts
        One of ``PHASES``.
    streams
        Names of its streams. Only those that come with the package have numbers fixed by hand.
    counts
        What drawing counts: its name in rows, and the words behind a number of them.
    seldom
        Those of its counts that a row has only where they were counted.
    fault
        Whether its settings are shares of parts that fail: grids of faults visit them.
    decisive
        Of a fault, whether a single one can cost a class: few chips then decide the mean.
    adjusts
        Whether it is what is done about the others, so in every cell of an error budget.
    in_datasheets
        Whether power, settling and noise are worked out of chips with it.
    check
        Raises SettingsError where settings that are each in range do not go together.
    reads
        Others whose settings its draw is given too, and whose counts it adds to.
    follows
        Those of them with which it acts as well.
    """

    name: str = ""
    settings: tuple[Setting, ...] = ()
    draw: Callable[[CrossbarStage, Draw], CrossbarStage] | None = None
    acts: str = "made"
    streams: Mapping[str, int] | tuple[str, ...] = ()
    counts: Mapping[str, str] = field(default_factory=dict[str, str])
    seldom: tuple[str, ...] = ()
    fault: bool = False
    decisive: bool = False
    adjusts: bool = False
    in_datasheets: bool = True
    check: Callable[[Any], None] = lambda settings: None
    reads: tuple[Imperfection, ...] = ()
    follows: tuple[Imperfection, ...] = ()

    @property
    def later(self) -> bool:
        """Whether there were RUNs before any of its settings: rows tell of it where it is on."""
        return all(s.later for s in self.settings)

    @property
    def given(self) -> tuple[Imperfection, ...]:
        """Those whose settings its draw is given, itself first."""
        return (self, *self.reads, *self.follows)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each stream, by its name."""
        if isinstance(self.streams, Mapping):
            return dict(self.streams)
        return {name: derived(self.name, name) for name in self.streams}


@dataclass(frozen=True, eq=False, kw_only=True)
class Chip:
    """What all stages of a chip have in common while it is made.

    Attributes
    ----------
    variation, conditions, hardware
        Its settings.
    devices
        Names of its diodes' types, sorted.
    counts
        What was counted so far.
    plan
        Gives its floorplan, or refuses.
    warmth
        By layer and share how much warmer than the ambient its parts are; None: not worked out.
    shared
        What was drawn for the whole die so far.
    """

    variation: Any
    conditions: Any
    hardware: Hardware
    devices: tuple[str, ...]
    counts: Counter[str]
    plan: Callable[[], Floorplan]
    warmth: Mapping[tuple[int, int], Warmth] | None = None
    shared: dict[Any, Floats] = field(default_factory=dict[Any, Floats])


class Draw:
    """What one imperfection draws with, for one layer of one chip: its own, and nothing else.

    Attributes
    ----------
    settings
        Its own, and those it reads, by their names.
    hardware, conditions
        Of the chip.
    place
        What is drawn for.
    layer
        The software's, folded.
    ends
        What converts before and behind the stage.
    """

    def __init__(
        self, of: Imperfection, chip: Chip, place: Place, layer: LayerSpec, ends: Ends
    ) -> None:
        self._of, self._chip, self.place, self.layer = of, chip, place, layer
        self.ends = ends
        own = {s.name: getattr(chip.variation, s.name) for one in of.given for s in one.settings}
        self.settings: Any = SimpleNamespace(**own)
        self.hardware, self.conditions = chip.hardware, chip.conditions

    @property
    def floorplan(self) -> Floorplan:
        """Of the die.

        Raises
        ------
        SettingsError
            If the circuit has none.
        """
        return self._chip.plan()

    def sites(self, group: str) -> Sites:
        """Where the layer's ``group`` of parts is: ``cells``, ``rows``, ``lines`` or ``diffs``."""
        return getattr(self.floorplan.of(self.place.layer, self.place.share), group)

    @property
    def warmth(self) -> Warmth | None:
        """How much warmer than the ambient the parts are; None where that is not worked out."""
        known = self._chip.warmth
        return None if known is None else known[self.place.layer, self.place.share]

    def number(self, stream: str) -> int:
        """The number of one of its own streams; SettingsError if it is none of them."""
        if stream not in self._of.numbers:
            raise SettingsError(
                f"imperfection {self._of.name!r} draws from stream {stream!r}, which is not its "
                f"own: it has {', '.join(self._of.numbers) or 'none'}"
            )
        return self._of.numbers[stream]

    def normal(
        self, stream: str, shape: tuple[int, ...], sigma: float = 1.0, block: int = 0
    ) -> Floats:
        """Normal draws of mean 0; zeros if ``sigma`` is 0. Another ``block`` has others."""
        return self._normal(self.place, stream, shape, sigma, block)

    def shared(self, stream: str, shape: tuple[int, ...], sigma: float) -> Floats:
        """The same, alike for all circuits that share the layer's outputs out."""
        return self._normal(replace(self.place, share=0), stream, shape, sigma)

    def common(self, stream: str, stage: CrossbarStage, sigma: float) -> Floats:
        """The same (D,), one for each type of diode on the chip."""
        return self.die(stream, (len(self._chip.devices),), sigma)[self.types(stage)]

    def types(self, stage: CrossbarStage) -> list[int]:
        """(D,) the numbers of the stage's types of diode among the chip's ``n_types``."""
        return [self._chip.devices.index(curve.name) for curve in stage.curves]

    @property
    def n_types(self) -> int:
        """How many types of diode the chip has."""
        return len(self._chip.devices)

    def die(
        self, stream: str, shape: tuple[int, ...], sigma: float = 1.0, block: int = 0
    ) -> Floats:
        """``normal`` draws that all layers of the chip see."""
        key = self.number(stream), shape, sigma, block
        if key not in self._chip.shared:
            place = replace(self.place, layer=DIE, share=0)
            self._chip.shared[key] = self._normal(place, stream, shape, sigma, block)
        return self._chip.shared[key]

    def uniform(self, stream: str, shape: tuple[int, ...]) -> Floats:
        """Draws from 0 to 1."""
        return self.place.uniform(self.number(stream), shape)

    def happens(self, stream: str, shape: tuple[int, ...], share: float) -> Flags:
        """Which of them something happens to."""
        return self.uniform(stream, shape) < share if share else np.zeros(shape, bool)

    def count(self, name: str, found: Flags | int) -> None:
        """Add to one of its own counts; SettingsError if it is none of them."""
        if not any(name in one.counts for one in self._of.given):
            raise SettingsError(
                f"imperfection {self._of.name!r} counts {name!r}, which is not its own: it has "
                f"{', '.join(self._of.counts) or 'none'}"
            )
        self._chip.counts[name] += found if isinstance(found, int) else int(np.sum(found))

    def _normal(
        self, place: Place, stream: str, shape: tuple[int, ...], sigma: float, block: int = 0
    ) -> Floats:
        number = self.number(stream)
        if not sigma:
            return np.zeros(shape)
        drawn = place.normal(number, shape, block)
        # What a source gives may be its own, not to be written into.
        return drawn if sigma == 1 and place.source is None else sigma * drawn


def is_traced(array: Any) -> bool:
    """Whether an array of a chip has derivatives, as those of ``engines.traced`` have."""
    return not isinstance(array, np.ndarray)


def errors_of(stage: CrossbarStage) -> Any:
    """The errors of a stage that is being made."""
    assert stage.errors is not None
    return stage.errors
