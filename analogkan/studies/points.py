"""Points of a study: what one chip is, and what it is exposed to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, overload

from ..compiler.circuit import Circuit
from ..compiler.design import Design
from ..compiler.hardware import Hardware
from ..devices.thermal import LAWS, law_range
from ..errors import DisagreementError, SettingsError
from ..imperfections import Conditions, Variation
from ..numerals import read_number, why_not
from ..settings import require
from ..streams import MAX_SAMPLE, Source

if TYPE_CHECKING:
    from ..physics.heat import HeatMap

MAX_POINTS = 1_000_000
MAX_TEMPS = 1000
LATER = (
    *("r_diff", "gbw_by_stage", "gain_split", "drop_rows", "readout", "npn"),
    *("own_diodes", "own_opamps"),
    *("dac_bits", "adc_bits", "adc_range", "c_dac", "c_adc", "c_hold", "t_position"),
)
"""Hardware that points have had a choice of only since there were RUNs: left out of what names a
point where it is as it was before, so that a RUN of then goes on."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One circuit that a study simulates.

    Attributes
    ----------
    hardware, variation, conditions
        Its settings.
    sample
        Number of the chip; None for the nominal circuit, in which nothing is drawn.
    own
        What a study's own evaluation is told beside, with a ``document()``; None: nothing.
    source
        Gives the chip's numbers in place of its own; None: they follow from ``sample``.
    """

    hardware: Hardware
    variation: Variation
    conditions: Conditions
    sample: int | None
    own: Any = None
    source: Source | None = None

    @property
    def circuit(self) -> str:
        """A short hash of every setting but the temperature: equal in every process."""
        at = replace(self.conditions, temp_c=0.0)
        return _circuit(self.hardware, self.variation, at, self.own, self.source)

    @property
    def place(self) -> str:
        """What the keys of all chips of the same settings begin with."""
        return f"{self.circuit}/{self.conditions.temp_c!r}"

    @property
    def key(self) -> str:
        """A text that no other point has, such as ``3f2a.../26.85/7``."""
        return _key(self.place, self.sample)

    @property
    def label(self) -> str:
        """How a sentence calls it."""
        return label_of(self.sample, self.conditions.temp_c)

    def document(self) -> dict[str, Any]:
        """Every setting but temperature and sample, for JSON."""
        return _document(self.hardware, self.variation, self.conditions)


def _key(place: str, sample: int | None) -> str:
    return f"{place}/{'nominal' if sample is None else sample}"


class Points(Sequence[Point]):
    """Points that differ in their number alone, series by series, made as they are asked for: a
    million of them take no room.

    Parameters
    ----------
    series
        A point of each set of settings, and the numbers of its chips.
    """

    def __init__(self, series: Iterable[tuple[Point, Sequence[int | None]]]) -> None:
        self.series = tuple(series)
        self._ends = list(accumulate(len(numbers) for _, numbers in self.series))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, k: int) -> Point: ...
    @overload
    def __getitem__(self, k: slice) -> list[Point]: ...
    def __getitem__(self, k: int | slice) -> Point | list[Point]:
        if isinstance(k, slice):
            return [self[j] for j in range(*k.indices(len(self)))]
        k = range(len(self))[k]
        at = bisect_right(self._ends, k)
        point, numbers = self.series[at]
        return replace(point, sample=numbers[k - self._ends[at]])  # counted from the series' end

    def __iter__(self) -> Iterator[Point]:
        return (replace(point, sample=k) for point, numbers in self.series for k in numbers)

    def keys(self) -> Iterator[str]:
        """The key of each."""
        for point, numbers in self.series:
            place = point.place
            yield from (_key(place, k) for k in numbers)


def keys_of(points: Sequence[Point]) -> Iterator[str]:
    """The key of each point."""
    return points.keys() if isinstance(points, Points) else (point.key for point in points)


def representatives(points: Sequence[Point]) -> list[Point]:
    """The first point of each set of settings, and the first chip where there are chips."""
    if isinstance(points, Points):
        points = [replace(point, sample=numbers[0]) for point, numbers in points.series if numbers]
    found: dict[Any, Point] = {}
    for point in points:
        settings = (point.hardware, point.variation, point.conditions, point.sample is None)
        found.setdefault(settings, point)
    return list(found.values())


@contextlib.contextmanager
def told_of(point: Point) -> Iterator[None]:
    """Name the chip that ngspice gives another answer of."""
    try:
        yield
    except DisagreementError as error:
        raise type(error)(
            f"{point.label}: {error}",
            deck=error.deck,
            exit_code=error.exit_code,
            stderr_tail=error.stderr_tail,
        ) from error


def label_of(sample: int | None, temp_c: float) -> str:
    """How a sentence calls a chip, or the nominal circuit, at a temperature."""
    what = "the nominal circuit" if sample is None else f"chip {sample}"
    return f"{what} at {temp_c:g} degC"


def _document(
    hardware: Hardware, variation: Variation, conditions: Conditions
) -> dict[str, dict[str, Any]]:
    left = asdict(conditions)
    del left["temp_c"]
    return {
        "hardware": hardware_document(hardware),
        "variation": variation.document(),
        "conditions": left,
    }


def hardware_document(hardware: Hardware) -> dict[str, Any]:
    """What names ``hardware`` among what is kept: not what is ``LATER`` and as it was before."""
    chosen, first = asdict(hardware), asdict(Hardware())
    for name in LATER:
        if chosen[name] == first[name]:
            del chosen[name]
    return chosen


@lru_cache(maxsize=4096)
def _circuit(
    hardware: Hardware, variation: Variation, conditions: Conditions, own: Any, source: Any
) -> str:
    """See ``Point.circuit``; remembered, since chips of one set of settings come together."""
    document = _document(hardware, variation, conditions)
    beside = {"own": own, "source": source}
    document |= {name: one.document() for name, one in beside.items() if one is not None}
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def montecarlo_points(
    hardware: Hardware, variation: Variation, conditions: Conditions, samples: int, first: int = 0
) -> Points:
    """Chips ``first`` to ``first + samples`` - 1."""
    require(1 <= samples <= MAX_POINTS, "samples", samples, f"1 to {MAX_POINTS}")
    require(0 <= first < MAX_SAMPLE, "first", first, f"0 to {MAX_SAMPLE - 1}")
    one = Point(hardware=hardware, variation=variation, conditions=conditions, sample=first)
    return Points([(one, range(first, first + samples))])


def thermal_points(
    hardware: Hardware,
    variation: Variation,
    conditions: Conditions,
    temps_c: Sequence[float],
    samples: int = 0,
) -> Points:
    """The nominal circuit, then chips 0 to ``samples`` - 1, at each of ``temps_c``."""
    most = MAX_POINTS // max(1, len(temps_c)) - 1
    require(0 <= samples <= most, "samples", samples, f"0 to {most} at {len(temps_c)} temperatures")
    found: list[tuple[Point, Sequence[int | None]]] = []
    for temp_c in temps_c:
        at = replace(conditions, temp_c=temp_c)
        one = Point(hardware=hardware, variation=variation, conditions=at, sample=None)
        found += [(one, (None,)), (one, range(samples))]
    return Points(found)


def parse_temps(text: str) -> list[float]:
    """Temperatures, degrees Celsius, of ``LO:HI:STEP`` (both ends in) or ``T,T,...``; rising.

    Raises
    ------
    SettingsError
        If the text is neither.
    """
    typed = text.split(":" if ":" in text else ",")
    try:
        words = [read_number(word) for word in typed]
        if not all(map(math.isfinite, words)):
            raise ValueError(text)
        if ":" not in text:
            return sorted(words)
        lo, hi, step = words
        if step <= 0 or lo > hi:
            raise ValueError(text)
    except ValueError:
        hint = next(filter(None, map(why_not, typed)), "")
        raise SettingsError(
            f"temperatures {text!r} are neither LO:HI:STEP with LO <= HI and STEP above 0, such as "
            f"-40:125:15, nor a list such as -40,26.85,125{hint}"
        ) from None
    steps = (hi - lo) / step
    require(steps < MAX_TEMPS, "STEP", step, f"at most {MAX_TEMPS} temperatures")
    return [round(lo + k * step, 9) for k in range(math.floor(steps + 1e-9) + 1)]


def check_warm(circuit: Circuit, heat: HeatMap, temp_c: float) -> HeatMap:
    """``heat``, of ``circuit`` at ``temp_c``; SettingsError if the diodes' law does not hold at its
    warmest."""
    try:
        check_temps(circuit, [temp_c + float(heat.kelvins.max())])
    except SettingsError as error:
        raise SettingsError(f"heated by its own power: {error}, or lower heat_ambient") from error
    return heat


def check_temps(circuit: Design | Circuit, temps_c: Iterable[float]) -> None:
    """Raise SettingsError unless the diodes' law holds at every temperature."""
    hardware = circuit.hardware
    curves = [curve for stage in circuit.stages for curve in stage.curves]
    laws = {law: tuple(c for c in curves if hardware.law_of(c) == law) for law in LAWS}
    each = {law: law_range(of, law) for law, of in laws.items() if of}
    law = max(each, key=lambda one: (each[one][0], -each[one][1]))
    lo, hi = max(low for low, _ in each.values()), min(high for _, high in each.values())
    for temp_c in temps_c:
        require(
            lo <= temp_c <= hi,
            "temp_c",
            temp_c,
            f"diode_law = {law} holds from {lo:g} to {hi:g} degC: choose temperatures in there",
        )
