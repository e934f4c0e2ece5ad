"""Evaluating one point: a chip drawn, its logits, and what they say.

Axes: B images, I inputs, O outputs.
"""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..compiler.build import Build
from ..compiler.design import Design, build_design
from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..engines.base import ChipEngine
from ..engines.chips import NgspiceEngine, TwinEngine
from ..engines.ngspice import Ngspice, find_ngspice
from ..errors import SettingsError, SimulationError
from ..variation.sample import perturb
from .points import Point
from .store import Row

ENGINES = ("twin", "ngspice")
CALIBRATION_IMAGES = 256
"""At most so many images measure the gains and offsets that a compensation takes out."""
CALIBRATION_INDEX = 1_000_000_000
"""Positions of calibration images: their read noise is not that of any test image."""


def open_engine(name: str, program: Ngspice | None, keep: Path) -> Any:
    """The engine called ``name``; decks that fail are kept in ``keep``."""
    if name == "twin":
        return TwinEngine()
    assert program is not None
    return NgspiceEngine(program, keep)


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
    compensate
        Gain and offset of each column, measured with calibration images on the same chip, are
        taken out: ``each`` at the point's own temperature, a number at that one, None not at all.
    """

    def __init__(
        self,
        build: Build,
        images: ImageSet,
        engine: ChipEngine,
        *,
        seed: int = 0,
        compensate: str | float | None = None,
    ) -> None:
        # One thread a job, everywhere: jobs run side by side, and the last bits of a matrix product
        # depend on how many threads shared it.
        threadpool_limits(1, user_api="blas")
        self.build, self.images, self.engine = build, images, engine
        self.seed, self.compensate = seed, compensate
        self.spec = build.spec
        self.labels, self.index = images.y, images.index
        self.volts = self.spec.dac_volts(images.flat(self.spec.encoding.shape))
        self.software = self.spec.forward_volts(self.volts)
        self.full_scale = float(np.abs(self.software).max())
        self._designs = {build.design.hardware: build.design}
        self._lock = threading.Lock()
        if compensate is not None:
            self._calibrate()

    def __getstate__(self) -> dict[str, Any]:
        """What a worker elsewhere needs to make the same bench: no engine, no folder of ours."""
        return {
            "build": replace(self.build, verification=None),
            "images": self.images,
            "engine": self.engine.name,
            "seed": self.seed,
            "compensate": self.compensate,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        name = state.pop("engine")
        program = find_ngspice() if name == "ngspice" else None
        keep = Path(tempfile.gettempdir()) / "analogkan-failed"
        self.__init__(engine=open_engine(name, program, keep), **state)

    def _calibrate(self) -> None:
        x = self.spec.calibration
        if x is None or not len(x):
            raise SettingsError(
                f"compensate = {self.compensate!r} measures gains with calibration images, and "
                f"{self.build.folder} has none: compile the model with --calibrate, or leave "
                "--compensate out"
            )
        self._calibration_volts = self.spec.dac_volts(x[:CALIBRATION_IMAGES])
        self._calibration_index = CALIBRATION_INDEX + np.arange(len(self._calibration_volts))
        self._calibration_software = self.spec.forward_volts(self._calibration_volts)

    @property
    def software_accuracy(self) -> float:
        """Share of the images that the software network has right."""
        return float((self.software.argmax(axis=1) == self.labels).mean())

    def design(self, hardware: Hardware) -> Design:
        """The BUILD's own design, or one built from its network for other ``hardware``."""
        with self._lock:
            if hardware not in self._designs:
                self._designs[hardware] = build_design(self.spec, hardware)
            return self._designs[hardware]

    def chip(self, point: Point) -> tuple[Design, dict[str, int]]:
        """The circuit of ``point``, and what drawing it counted."""
        design = self.design(point.hardware)
        if point.sample is None:
            return design, {}
        return perturb(
            design,
            point.variation,
            point.conditions,
            spec=self.spec,
            seed=self.seed,
            sample=point.sample,
        )

    def logits(self, point: Point) -> np.ndarray:
        """Logits (B, O) of the circuit of ``point``."""
        chip, _ = self.chip(point)
        return self._run(chip, self.volts, self.index, point.conditions.temp_c)

    def _run(self, chip: Design, volts: np.ndarray, index: np.ndarray, temp_c: float):
        logits = self.engine.logits(chip, volts, index, temp_c)
        bad = int((~np.isfinite(logits).all(axis=1)).sum())
        if bad:
            raise SimulationError(f"{self.engine.name} gave no finite logits for {bad} images")
        return logits

    def evaluate(self, point: Point) -> Row:
        """The row of ``point``; a chip that cannot be simulated becomes a failed one."""
        started = time.perf_counter()
        row: Row = {
            "key": point.key,
            "sample": point.sample,
            "temp_c": point.conditions.temp_c,
            "status": "ok",
            "reason": "",
            "n": len(self.labels),
        }
        try:
            chip, counts = self.chip(point)
            logits = self._run(chip, self.volts, self.index, point.conditions.temp_c)
            row |= self._figures(logits) | counts
            if self.compensate is not None:
                row |= self._compensated(chip, logits, point.conditions.temp_c)
        except SimulationError as error:
            row |= {"status": "failed", "reason": str(error)}
        return row | {"seconds": time.perf_counter() - started}

    def _figures(self, logits: np.ndarray) -> Row:
        circuit, software = logits.argmax(axis=1), self.software.argmax(axis=1)
        right = int((circuit == self.labels).sum())
        error = logits - self.software
        gain, offset = regress(self.software, logits)
        return {
            "correct": right,
            "accuracy": right / len(self.labels),
            "agreement": float((circuit == software).mean()),
            "max_abs_logit_error": float(np.abs(error).max()),
            "rms_logit_error": float(np.sqrt(np.mean(error**2))),
            "gain_mean": float(gain.mean()),
            "offset_mean": float(offset.mean()),
            "gain": gain.tolist(),
            "offset": offset.tolist(),
        }

    def _compensated(self, chip: Design, logits: np.ndarray, temp_c: float) -> Row:
        """Figures after the columns' gains and offsets are taken out, digitally, of ``logits``."""
        at = temp_c if self.compensate == "each" else float(self.compensate or 0.0)
        seen = self._run(chip, self._calibration_volts, self._calibration_index, at)
        gain, offset = regress(self._calibration_software, seen)
        dead = gain <= 0  # such a column answers to nothing, or the wrong way round
        corrected = (logits - offset) / np.where(dead, 1.0, gain)
        circuit = corrected.argmax(axis=1)
        return {
            "accuracy_compensated": float((circuit == self.labels).mean()),
            "agreement_compensated": float((circuit == self.software.argmax(axis=1)).mean()),
            "max_abs_logit_error_compensated": float(np.abs(corrected - self.software).max()),
            "uncompensated_gains": int(dead.sum()),
        }


def regress(software: np.ndarray, circuit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain and offset (O,) of circuit = gain software + offset, least squares per column.

    Both (B, O). A column in which the software's logits do not differ has gain 1.
    """
    mean, seen = software.mean(axis=0), circuit.mean(axis=0)
    centred = software - mean
    power = (centred**2).sum(axis=0)
    slope = (centred * (circuit - seen)).sum(axis=0) / np.where(power > 0, power, 1.0)
    gain = np.where(power > 0, slope, 1.0)
    return gain, seen - gain * mean
