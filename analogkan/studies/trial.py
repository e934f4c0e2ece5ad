# pyright: strict
"""A candidate of a plan: a circuit with what is assumed of its parts, and its row of figures."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..compiler.counts import circuit_counts
from ..errors import CompileError, DisagreementError, SettingsError, SimulationError, StudyError
from ..physics.area import area_of
from ..physics.assumptions import Assumptions
from ..physics.blocks import AMPLIFIERS
from ..physics.drive import c_margin
from ..planner.floor import floor_energy
from .judge import choose_images, evenly
from .plan_result import FIGURES
from .result import Row
from .summary import reaches

if TYPE_CHECKING:
    from ..compiler.circuit import Circuit
    from ..physics.sheet import Asked
    from .bench import Bench
    from .points import Point

Values = npt.NDArray[Any]
IMAGES = 100
"""Of which power is the median, at most."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How closely a candidate is looked at.

    Attributes
    ----------
    assumed
        What a DC circuit does not say.
    chips
        Of chance: how many are drawn; 0: the nominal circuit.
    few
        Images that settle, and whose noise is worked out.
    judged
        Images of which ngspice repeats the operating point and power; 0: it is not asked.
    passing
        Accuracy or RMSE of a chip that is a good one; 0: none is counted.
    """

    assumed: Assumptions
    chips: int
    few: int
    judged: int = 0
    passing: float = 0.0

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"assumed": self.assumed.document()}


def evaluate(bench: Bench, point: Point) -> Row:
    """The row of a candidate; of one that cannot be made or simulated, why not.

    Raises
    ------
    StudyError
        If ngspice says otherwise than the closed form.
    """
    started = time.perf_counter()
    row = bench.begun(point)
    trial: Trial = point.own
    try:
        found = _figures(bench, point, trial)
        if trial.judged:
            found |= _judged(bench, point, trial)
        row |= {name: found.get(name) for name in FIGURES}
    except DisagreementError as error:
        raise StudyError(f"{point.label}: {error}") from error
    except (CompileError, SettingsError, SimulationError) as error:
        row |= {"status": "failed", "reason": str(error)}
    return row | {"seconds": time.perf_counter() - started}


def _asked(bench: Bench, point: Point, trial: Trial) -> Asked:
    from ..physics.sheet import Asked

    some = evenly(len(bench.volts), IMAGES)
    return Asked(
        build=bench.build, chip=bench.chain(point.hardware),
        volts=bench.volts_of(point.hardware)[some],
        few=evenly(len(some), trial.few), assumed=trial.assumed, temp_c=point.conditions.temp_c,
    )  # fmt: skip


def _figures(bench: Bench, point: Point, trial: Trial) -> dict[str, Any]:
    from ..physics.sheet import measure
    from ..physics.supply import conversions, work_of

    asked = _asked(bench, point, trial)
    told = measure(asked, ("power", "settling", "noise"))
    found: dict[str, Any] = {
        name: told[f"{name}_typical"] for name in ("energy_j", "power_w", "settling_s")
    }
    found["energy_j"] += sum(conversions(work_of(bench.build), point.hardware, trial.assumed))
    found["settling_class_s"] = told.get("settling_class_s_typical")
    found["noise_v_rms"] = told["noise_v_rms_max"]
    found["flip_probability"] = told.get("flip_probability_max")
    found["quiescent_w"], found["beyond_class_ab"] = told["quiescent_w"], told["beyond_class_ab"]
    moving = [told[f"class_b_{block}_w"] for block in AMPLIFIERS]
    found["class_b_w"] = sum(watts for watts in moving if watts) + (told["pairs_w"] or 0.0)
    found["bias_rows_w"], found["dacs_w"] = told["class_b_bias_rows_w"], told["class_b_dacs_w"]
    counts = circuit_counts(asked.chip)
    found["op_amps"], found["cells"] = counts["op_amps"], counts["crossbar_resistors"]
    margin = min(c_margin(link.design) for link in asked.chip.links)
    found["c_margin"] = margin if math.isfinite(margin) else None
    found["saturated"] = float(saturated(asked.chip, asked.volts).mean())
    found["area_um2"] = area_of(asked.chip, trial.assumed)["total"]
    found["floor_j"] = floor_energy(asked.chip, trial.assumed)
    return found | _chips(bench, point, trial)


def saturated(circuit: Circuit, volts: Values) -> Values:
    """At which images (B, I) an amplifier of any circuit would leave its supplies; (B,) bool."""
    from ..engines.ideal import saturating, stage_volts

    found = np.zeros(len(volts), bool)
    for k, held in enumerate(volts[:, None]):  # one after the other: an image may be many points
        for section, links in circuit.sections():
            points, given = section.points(held), list[Values]()
            for link in links:
                found[k] |= saturating(link.design, points).any()
                *_, last = stage_volts(link.design, points)
                given.append(last.outputs / link.design.v_per_logit)
            held = np.concatenate(given, axis=1).reshape(1, -1)  # noqa: PLW2901
    return found


def _chips(bench: Bench, point: Point, trial: Trial) -> dict[str, Any]:
    """What chips of the candidate reach."""
    bare = replace(point, own=None)
    samples: Sequence[int | None] = range(trial.chips) if trial.chips else (None,)
    rows = [bench.evaluate(replace(bare, sample=sample)) for sample in samples]
    good = [row for row in rows if row["status"] == "ok"]
    if not good:
        raise SimulationError(f"no chip could be simulated: {rows[0]['reason']}")
    key = "accuracy" if bench.spec.targets is None else "rmse"
    reached = np.array([row[key] for row in good])
    found: dict[str, Any] = {
        "failed_chips": len(rows) - len(good),
        f"{key}_mean": float(reached.mean()),
    }
    if key == "accuracy":
        found["accuracy_std"] = float(reached.std())
    if trial.chips and trial.passing:
        found["yield"] = sum(reaches(row, trial.passing) for row in good) / len(rows)
    return found


def _judged(bench: Bench, point: Point, trial: Trial) -> dict[str, Any]:
    """What ngspice says of the same: the operating point of a chip, and of the nominal circuit
    power, ``.tran`` and ``.noise``."""
    from ..engines.chip_engines import NgspiceEngine, chain_logits
    from ..engines.ngspice import find_ngspice
    from ..engines.verdict import allowed
    from ..physics.judged import judge_parts

    started = time.perf_counter()
    asked = _asked(bench, point, trial)
    parts: dict[str, Any] = {}
    judge_parts(asked, ("power", "settling", "noise"), trial.judged, bench.keep, parts)
    engine = NgspiceEngine(find_ngspice(), bench.keep)
    try:
        chosen = replace(point, own=None, sample=0 if trial.chips else None)
        chip, _ = bench.chip(chosen)
        at = choose_images(bench.software, trial.judged, bench.seed, chosen.sample)
        temp_c = point.conditions.temp_c
        twin = bench.logits(chosen)[at]
        volts = bench.volts_of(point.hardware)[at]
        spice = chain_logits(engine, chip, volts, bench.index[at], temp_c)
        differs = float(np.abs(twin - spice).max() / bench.full_scale)
        most = allowed(chip.hardware, engine.program.klu)
    finally:
        engine.stop()
    if not differs <= most:
        raise DisagreementError(
            f"logits of {chosen.label}: twin and ngspice are {differs:.1e} of full scale apart, "
            f"where {most:g} is allowed. Please report it: one of the two is wrong"
        )
    return {
        "judge_op": differs,
        "judge_power": parts["power"]["differs"],
        "judge_settling": parts["settling"]["waveforms"],
        "judge_noise": parts["noise"].get("differs"),
        "judge_seconds": time.perf_counter() - started,
    }


def said(values: Mapping[str, Any]) -> str:
    """Settings as texts, for a column and for people."""
    return " ".join(
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values.items()
    )
