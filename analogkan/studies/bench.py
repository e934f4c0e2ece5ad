"""Evaluating one point: a chip drawn, its logits, and what they say.

Axes: B images, I inputs, O outputs.
"""

from __future__ import annotations

import atexit
import contextlib
import tempfile
import threading
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import cells
from ..compiler.build import Build
from ..compiler.chip import Warmth
from ..compiler.circuit import Circuit
from ..compiler.closed_form import macro_models
from ..compiler.converters import digital, rounded
from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..data.images import check_answers
from ..engines.arithmetic import Arithmetic
from ..engines.base import ChipEngine
from ..engines.chip_engines import NgspiceEngine, chain_logits, open_engine
from ..engines.others import find_simulator
from ..engines.verdict import Difference, farthest
from ..errors import DataError, DisagreementError, SimulationError
from ..imperfections.heat import HEAT
from ..imperfections.make import perturb_chain
from ..intervals import regress
from ..threads import one_blas_thread
from .entries import COLUMNS, TWO_POINT
from .figures import Software, figures_of
from .macro import chip_agreement
from .points import Point, check_warm, told_of
from .result import Row
from .values import curve_points, software_figures
from .vectors import WAYS, vectors_of

MOST_CELLS = 50_000_000
"""Of the circuits for other hardware that a bench remembers: each has an array of every cell."""
JUDGED = ("judge_difference", "judge_share")
"""Columns of a row of ngspice's: the largest difference from the chip's closed form, of a logit and
as a share of full scale; None if there is none."""


def _told(seen: list[Difference | None]) -> tuple[float | None, float | None]:
    """``JUDGED`` of a chip whose circuits were ``seen``; nothing if one has no closed form."""
    worst = farthest(seen)
    if worst is None or None in seen:
        return None, None
    return abs(worst.twin - worst.ngspice), worst.share


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing was kept."""
    with contextlib.suppress(OSError):
        folder.rmdir()


class Answers(NamedTuple):
    """A point's circuits, what drawing them counted, logits (B, O), as they are at their outputs,
    behind ADCs, and as they are read; and seconds that drawing took."""

    chip: Circuit
    counts: dict[str, int]
    made: np.ndarray
    converted: np.ndarray
    logits: np.ndarray
    draw_seconds: float


class Bench:
    """What all points of a study share. Calls may come from several threads.

    Parameters
    ----------
    build, images
        The network, its circuit, and what it is shown.
    engine
        What simulates the chips.
    seed
        Of everything that is drawn.
    calibrate
        One of ``CALIBRATIONS``, at a chip's age and temperature, or None. By ``columns``, layer by
        layer, in the circuit; by ``two-point``, behind it: each output's gain and offset that take
        two measured points to where software has them.
    compensate
        Each column's gain and offset, measured with calibration images on the same chip, are taken
        out: ``each`` at the point's own temperature, a number at that one, None not at all.
    chain
        The BUILD's circuits, where its folder cannot be read.
    """

    def __init__(
        self,
        build: Build,
        images: ImageSet,
        engine: ChipEngine,
        *,
        seed: int = 0,
        compensate: str | float | None = None,
        calibrate: str | None = None,
        chain: Circuit | None = None,
    ) -> None:
        self.build, self.images, self.engine = build, images, engine
        self.seed, self.compensate, self.calibrate = seed, compensate, calibrate
        self.keep = Path("failed")
        """Where decks that fail are kept, for what asks ngspice beside the engine."""
        self.spec = build.spec
        if not len(images):
            raise DataError(f"{images.name} has no images to simulate")
        check_answers(images, self.spec)
        self.labels, self.index, self._given = images.y, images.index, dict[int, np.ndarray]()
        self.volts = self.spec.dac_volts(images.flat(self.spec.encoding.shape))
        with one_blas_thread:
            self.software = self.spec.forward_volts(self.volts)
        self._held_against = Software(self.software)
        self.full_scale = float(np.abs(self.software).max())
        self.curve = curve_points(self.spec, images)
        self._own = build.circuit() if chain is None else chain
        self._chains: dict[Hardware, Circuit] = {}
        self._heated: dict[Any, dict[tuple[int, int], Warmth]] = {}
        self._lock = threading.Lock()
        if compensate is not None or calibrate is not None:
            wanted = WAYS.get(str(calibrate), f"compensate = {compensate!r}")
            self._vectors = vectors_of(build, wanted)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker elsewhere needs to make the same bench: no engine, no folder of ours."""
        return {
            "build": replace(self.build, verification=None),
            "images": self.images,
            "engine": self.engine.name,
            "arithmetic": getattr(self.engine, "arithmetic", Arithmetic()),
            "seed": self.seed,
            "compensate": self.compensate,
            "calibrate": self.calibrate,
            "chain": self._own,
            "libraries": self.build.hardware.libraries,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        for place, library in state.pop("libraries").items():
            cells.add_library(place, library)
        name = state.pop("engine")
        program = None if name == "twin" else find_simulator(name)
        engine = open_engine(name, program, Path(), state.pop("arithmetic"))
        if isinstance(engine, NgspiceEngine):  # a folder that nobody else could have made
            engine.keep = Path(tempfile.mkdtemp(prefix="analogkan-failed-"))
            atexit.register(_remove_empty, engine.keep)
        self.__init__(engine=engine, **state)

    def volts_of(self, hardware: Hardware) -> np.ndarray:
        """Volts (B, I) that DACs of ``hardware`` are to give; the same array whenever asked."""
        with self._lock:
            known = self._given.setdefault(hardware.dac_bits, self.volts)
            if hardware.dac_bits and known is self.volts:
                known = rounded(self.spec, hardware, self.volts)
                self._given[hardware.dac_bits] = known
            return known

    @property
    def software_right(self) -> int:
        """How many images the software network has right."""
        return int((self._held_against.classes == self.labels).sum())

    @property
    def software_accuracy(self) -> float:
        """Their share."""
        return self.software_right / len(self.labels)

    @cached_property
    def software_figures(self) -> dict[str, Any]:
        """What the software network reaches, as it stands in result.json."""
        if self.spec.targets is not None:
            return software_figures(self.spec.targets, self.labels, self.software)
        return {"software_accuracy": self.software_accuracy}

    def chain(self, hardware: Hardware) -> Circuit:
        """The BUILD's own circuits, or those built from its network for other ``hardware``."""
        if hardware == self._own.hardware:
            return self._own
        with self._lock:
            if hardware not in self._chains:
                while (len(self._chains) + 1) * self._own.cells > MOST_CELLS and self._chains:
                    del self._chains[next(iter(self._chains))]
                self._chains[hardware] = self._own.mapped(hardware)
            return self._chains[hardware]

    def chip(self, point: Point) -> tuple[Circuit, dict[str, int]]:
        """The circuits of ``point``, calibrated if that was asked for, and what was counted."""
        with one_blas_thread:
            return self._chip(point)

    def _chip(self, point: Point) -> tuple[Circuit, dict[str, int]]:
        chip, counts = self.drawn(point)
        if self.calibrate != COLUMNS or point.sample is None:
            return chip, counts
        from ..engines.calibrate import calibrate_chain

        index = self._vectors.index
        volts = rounded(self.spec, chip.hardware, self._vectors.volts)
        chip, left = calibrate_chain(chip, volts, index, point.conditions.temp_c)
        return chip, counts | {"uncalibrated_columns": left}

    def drawn(self, point: Point) -> tuple[Circuit, dict[str, int]]:
        """The circuits of ``point`` as they were made, and what drawing them counted."""
        chain = self.chain(point.hardware)
        if point.sample is None:
            return chain, {}
        return perturb_chain(
            chain, point.variation, point.conditions, seed=self.seed, sample=point.sample,
            warmth=self._warmth(chain, point), source=point.source,
        )  # fmt: skip

    def _warmth(self, chain: Circuit, point: Point) -> dict[tuple[int, int], Warmth] | None:
        """What the chips of ``point`` are heated to, where its variation asks for that."""
        variation = point.variation
        if not variation.heat_ambient:
            return None
        from ..physics.heat import heat_of

        own = tuple(getattr(variation, s.name) for s in HEAT.settings)
        key = (point.hardware, own, point.conditions.temp_c)
        with self._lock:
            if key not in self._heated:
                found = heat_of(chain, self.spec, variation, point.conditions.temp_c)
                self._heated[key] = check_warm(chain, found, point.conditions.temp_c).warmth
            return self._heated[key]

    def logits(self, point: Point) -> np.ndarray:
        """Logits (B, O) of the circuits of ``point``."""
        chip, _ = self.chip(point)
        volts = self.volts_of(point.hardware)
        return self._run(chip, volts, self.index, point.conditions.temp_c, [])

    def _run(
        self,
        chip: Circuit,
        volts: np.ndarray,
        index: np.ndarray,
        temp_c: float,
        seen: list[Difference | None],
        *,
        classes: bool = False,
    ) -> np.ndarray:
        """Logits (B, O), or such as have the right ``classes``; to ``seen`` comes how far ngspice,
        if that is the engine, is from the closed form."""
        with one_blas_thread:
            logits = chain_logits(self.engine, chip, volts, index, temp_c, seen, classes=classes)
        if not np.isfinite(logits).all():
            bad = int((~np.isfinite(logits).all(axis=1)).sum())
            raise SimulationError(f"{self.engine.name} gave no finite logits for {bad} images")
        return logits

    def _read(self, chip: Circuit, volts: np.ndarray, index: np.ndarray, *how: Any) -> np.ndarray:
        """The same behind the chip's ADCs."""
        return digital(chip, self._run(chip, volts, index, *how), index, how[0])[0]

    def evaluate(self, point: Point) -> Row:
        """The row of ``point``; a chip that cannot be simulated becomes a failed one.

        Raises
        ------
        DisagreementError
            If ngspice gives what the closed form of the same chip does not: that is no chip.
        """
        with one_blas_thread, told_of(point):
            return self._evaluate(point)

    def begun(self, point: Point) -> Row:
        """What every row of ``point`` has, where nothing fails."""
        return {
            "key": point.key,
            "sample": point.sample,
            "temp_c": point.conditions.temp_c,
            "status": "ok",
            "reason": "",
            "n": len(self.labels),
        }

    def read(self, point: Point) -> np.ndarray:
        """Logits (B, O) of ``point`` as they are read: behind ADCs, and corrected by a read-out
        that is set at two points, where there are such."""
        return self.answers(point).logits

    def answers(self, point: Point) -> Answers:
        """The same, and what it is read of.

        Raises
        ------
        DisagreementError
            See ``evaluate``.
        """
        with one_blas_thread, told_of(point):
            return self._answers(point, [])

    def _answers(self, point: Point, seen: list[Difference | None]) -> Answers:
        started = time.perf_counter()
        chip, counts = self.chip(point)
        draw_seconds = time.perf_counter() - started
        temp_c = point.conditions.temp_c
        volts = self.volts_of(point.hardware)
        made = self._run(chip, volts, self.index, temp_c, seen, classes=True)
        read, converted = digital(chip, made, self.index, temp_c)
        logits, counts = read, counts | converted
        if self.calibrate == TWO_POINT and point.sample is not None:
            logits, left = self._read_out(chip, read, temp_c, seen)
            counts = counts | {"uncalibrated_columns": left}
        return Answers(chip, counts, made, read, logits, draw_seconds)

    def _evaluate(self, point: Point) -> Row:
        started = time.perf_counter()
        row, temp_c = self.begun(point), point.conditions.temp_c
        seen: list[Difference | None] = []
        try:
            chip, counts, made, read, logits, draw_seconds = self._answers(point, seen)
            row |= self._figures(logits) | counts | {"draw_seconds": draw_seconds}
            if self.calibrate is not None and point.sample is not None:
                row |= self._uncalibrated(point, read, seen)
            if self.compensate is not None:
                row |= self._compensated(chip, logits, temp_c, seen)
            if seen:
                row |= dict(zip(JUDGED, _told(seen), strict=True))
                row |= self._same_as_twin(chip, made, temp_c, seen)
        except DisagreementError:
            raise
        except SimulationError as error:
            row |= {"status": "failed", "reason": str(error)}
        return row | {"seconds": time.perf_counter() - started}

    def _same_as_twin(
        self, chip: Circuit, logits: np.ndarray, temp_c: float, seen: list[Difference | None]
    ) -> Row:
        """Of a chip with a macro-model the share of images that its twin puts into the class of
        ``logits``."""
        if self.spec.targets is not None or None in seen or not macro_models(chip.hardware):
            return {}
        volts = self.volts_of(chip.hardware)
        return {"macro_agreement": chip_agreement(chip, volts, self.index, temp_c, logits)}

    def _figures(self, logits: np.ndarray) -> Row:
        return figures_of(self.spec, self.labels, self._held_against, logits, self.curve)

    def _uncalibrated(self, point: Point, logits: np.ndarray, seen: list[Difference | None]) -> Row:
        """What the chip does as it was made; that gives ``logits`` if its read-out is corrected."""
        if self.calibrate == COLUMNS:
            made, _ = self.drawn(point)
            volts = self.volts_of(point.hardware)
            logits = self._read(made, volts, self.index, point.conditions.temp_c, seen)
        found = self._figures(logits)
        wanted = ("accuracy", "agreement") if self.spec.targets is None else ("rmse", "max_abs")
        told = {f"{key}_uncalibrated": found[key] for key in wanted}
        return told | ({"calibration": TWO_POINT} if self.calibrate == TWO_POINT else {})

    def _read_out(
        self, chip: Circuit, logits: np.ndarray, temp_c: float, seen: list[Difference | None]
    ) -> tuple[np.ndarray, int]:
        """``logits`` (B, O) with a read-out set at two points, and how many outputs were left as
        they are."""
        from ..engines.calibrate import read_out, two_points

        at = two_points(self._vectors.software)
        volts, index = self._vectors.volts[at], self._vectors.index[at]
        volts = rounded(self.spec, chip.hardware, volts.reshape(at.size, -1))
        answers = self._read(chip, volts, index.ravel(), temp_c, seen).reshape(*at.shape, -1)
        outputs = np.arange(at.shape[1])
        wanted = self._vectors.software[at, outputs]
        return read_out(logits, answers[:, outputs, outputs], wanted)

    def _compensated(
        self, chip: Circuit, logits: np.ndarray, temp_c: float, seen: list[Difference | None]
    ) -> Row:
        """Figures after the columns' gains and offsets are taken out, digitally, of ``logits``."""
        at = temp_c if self.compensate == "each" else float(self.compensate or 0.0)
        volts = rounded(self.spec, chip.hardware, self._vectors.volts)
        answers = self._read(chip, volts, self._vectors.index, at, seen)
        gain, offset = regress(self._vectors.software, answers)
        dead = ~(gain > 0)  # such a column answers to nothing, or the wrong way round, or was
        # never asked: on these images software's logits do not differ
        corrected = (logits - np.nan_to_num(offset)) / np.where(dead, 1.0, gain)
        if self.spec.targets is not None:
            found = self._figures(corrected)
            told = {f"{key}_compensated": found[key] for key in ("rmse", "max_abs")}
            return told | {"uncompensated_gains": int(dead.sum())}
        circuit = corrected.argmax(axis=1)
        return {
            "accuracy_compensated": float((circuit == self.labels).mean()),
            "agreement_compensated": float((circuit == self._held_against.classes).mean()),
            "max_abs_logit_error_compensated": float(np.abs(corrected - self.software).max()),
            "uncompensated_gains": int(dead.sum()),
        }
