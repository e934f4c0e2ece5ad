"""How a study is run: by what, where, how many at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..engines.arithmetic import (
    AUTO,
    CPU,
    LEAST_GB,
    MEMORY_GB,
    MOST_GB,
    PRECISIONS,
    Arithmetic,
    choose,
)
from ..engines.others import ENGINES
from ..settings import require
from .cost import Forecast
from .entries import TWO_POINT
from .judge import parse_share

if TYPE_CHECKING:
    from .study import Job, Plan

EXECUTORS = ("local", "dask")


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """How a study is run.

    Attributes
    ----------
    engine
        ``twin``, or a simulator: ``ngspice``, ``vacask`` or ``neospice``.
    jobs
        Chips at a time.
    seed
        Of everything that is drawn.
    run
        RUN folder; without one, ``<build>.run/<hash of the settings>`` beside the build.
    resume
        Refuse to start a new RUN.
    judge
        ``CHIPSxIMAGES`` of a twin study that ngspice simulates once more, or ``none``.
    executor
        ``local``, this process and on Linux copies of it, or ``dask``.
    scheduler
        Address of the Dask scheduler.
    precision
        One of ``PRECISIONS``, of the twin.
    device
        What the twin computes on.
    memory_gb
        GB of a GPU that a chip's images may take at once, for each job.
    command
        What a report says made the RUN.
    approve
        Called with a forecast of very many points, ``cost.MANY`` or more, before there is a RUN;
        raises if they are not to be run.
    """

    engine: str = "twin"
    jobs: int = 1
    seed: int = 0
    run: Path | None = None
    resume: bool = False
    judge: str = "3x50"
    executor: str = "local"
    scheduler: str = ""
    precision: str = AUTO
    device: str = CPU
    memory_gb: float = MEMORY_GB
    command: str = ""
    approve: Callable[[Forecast], None] | None = None

    def __post_init__(self) -> None:
        require(self.engine in ENGINES, "engine", self.engine, " or ".join(ENGINES))
        require(1 <= self.jobs <= 256, "jobs", self.jobs, "1 to 256")
        require(0 <= self.seed < 2**63, "seed", self.seed, "0 to 2^63 - 1")
        parse_share(self.judge)
        require(self.executor in EXECUTORS, "executor", self.executor, " or ".join(EXECUTORS))
        require(self.precision in PRECISIONS, "precision", self.precision, " or ".join(PRECISIONS))
        require(
            LEAST_GB <= self.memory_gb <= MOST_GB, "memory_gb", self.memory_gb,
            f"{LEAST_GB:g} to {MOST_GB:g}",
        )  # fmt: skip
        require(
            self.device == CPU or self.engine == "twin", "device", self.device,
            f"{CPU} with engine {self.engine}: a GPU is for the twin",
        )  # fmt: skip
        wanted = "an address, such as tcp://127.0.0.1:8786, with executor dask and only then"
        require(
            (self.executor == "dask") == bool(self.scheduler), "scheduler", self.scheduler, wanted
        )

    def arithmetic(self, job: Job, plan: Plan) -> Arithmetic:
        """How the twin computes, of a study as planned.

        Raises
        ------
        SettingsError
            As ``engines.arithmetic.choose``.
        """
        of_twin = f"engine = {self.engine}: it is the twin's" if self.engine != "twin" else ""
        why_not = of_twin or _why_not_mixed(job, plan)
        return choose(self.precision, self.device, len(job.images), why_not, self.memory_gb)


def _why_not_mixed(job: Job, plan: Plan) -> str:
    """Why a study needs more than the right classes; empty: it does not."""
    if job.build.spec.targets is not None:
        return "a regression's figures are of values, and float32's are not exact"
    if plan.evaluate is not None:
        return "of these chips more than accuracy is told"
    if plan.compensate is not None or plan.calibrate == TWO_POINT:
        return "logits are corrected behind the circuit, so that classes are not the circuit's"
    return ""
