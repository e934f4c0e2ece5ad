# pyright: strict
"""What is known of an op-amp: figures with their conditions, a picture, a preset; kept on request.

Axes: L loads, N drawn op-amps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CompileError
from ..files import atomic_folder, read_json, write_text
from ..results import Fact, Figure, Listing, Result
from ..tables import Table, table_of
from ..text import engineering
from .deck import NOISE_START, RESOLVED
from .figures import noise_of
from .preset import preset_of, write_preset
from .runs import Measured

Values = npt.NDArray[Any]
SUMMARY, PICTURE = "figures.json", "opamp.png"
FORMAT = "analogkan op-amp 1"
PLACE = (
    ("offset", "offset, systematic", "V", "output at 0 V"),
    ("i_quiescent", "quiescent current", "A", "no load"),
    ("sink", "sinks", "A", "10 mV, output at 0 V"),
    ("source", "sources", "A", "10 mV, output at 0 V"),
    ("c_in", "input capacitance", "F", "unity gain"),
    ("r_o_dc", "output resistance", "ohm", "open loop, 0 Hz"),
    ("r_o", "output resistance", "ohm", "open loop, unity gain"),
    ("e_n", "input noise", "V/sqrt(Hz)", "white"),
    ("f_corner", "its 1/f corner", "Hz", "twice its power"),
)
"""Figures of a condition: entry, label, unit, at what."""
LOADED = (
    ("gain_db", "open-loop gain", "dB"),
    ("gbw", "gain-bandwidth product", "Hz"),
    ("phase_margin", "phase margin", "degrees"),
    ("second_pole", "second pole", "Hz"),
    ("swing_low", "lowest output", "V"),
    ("swing_high", "highest output", "V"),
    ("slew_up", "slew, up", "V/s"),
    ("slew_down", "slew, down", "V/s"),
    ("overshoot", "overshoot of 10 mV", "%"),
)
"""Those of a load."""


def condition_of(found: Measured) -> dict[str, Any]:
    """Figures of one temperature and corner, for JSON; NaN is what is not there."""
    setup, direct, loop, steps = found.setup, found.direct, found.loop, found.steps
    white, corner = noise_of(found.noise)
    resistance = loop.resistance
    loads = [
        {
            "ohms": load.ohms,
            "farads": load.farads,
            "said": load.said,
            "gain": float(loop.gain[k]),
            "gain_db": float(20 * np.log10(loop.gain[k])),
            "gbw": float(loop.gbw[k]),
            "unity_gain": float(loop.unity[k]),
            "phase_margin": float(loop.phase_margin[k]),
            "second_pole": float(loop.second[k]),
            "offset": float(direct.offset[k]),
            "swing": [float(x) for x in direct.swing[k]],
            "slew": [float(x) for x in steps.slew[k]],
            "overshoot": float(steps.overshoot[k]),
            "settled": bool(steps.settled[k]),
        }
        for k, load in enumerate(setup.loads)
    ]
    return {
        "corner": setup.corner,
        "temp_c": setup.temp_c,
        "said": setup.said,
        "vdd": setup.vdd,
        "vss": setup.vss,
        "offset": float(direct.offset[0]),
        "common_mode": [float(x) for x in direct.common],
        "i_quiescent": direct.i_vdd,
        "sink": direct.sink,
        "source": direct.source,
        "c_in": loop.capacitance,
        "r_o_dc": resistance[0],
        "r_o": resistance[1],
        "e_n": white,
        "f_corner": corner,
        "loads": loads,
    }


def flat_load(load: dict[str, Any]) -> dict[str, float]:
    """Figures of a load by the names of ``LOADED``."""
    (low, high), (up, down) = load["swing"], load["slew"]
    pairs = {"swing_low": low, "swing_high": high, "slew_up": up, "slew_down": down}
    return load | pairs | {"overshoot": 100 * load["overshoot"]}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OpAmpFigures(Result):
    """What ``characterise`` found.

    Attributes
    ----------
    summary
        All figures: ``conditions``, one a corner and temperature, each with its ``loads``;
        ``mismatch``; ``preset``, of the condition ``nominal``.
    measured
        What ngspice delivered, by condition.
    offsets
        (N,) volts of the op-amps that were drawn.
    """

    heading = "Op-amp"
    measured: Sequence[Measured]
    offsets: Values

    @property
    def _nominal(self) -> dict[str, Any]:
        return self.summary["conditions"][self.summary["nominal"]]

    def title(self) -> str:
        s, n = self.summary, self._nominal
        return f"{s['opamp']} at {n['vdd']:g} and {n['vss']:g} V, ngspice {s['ngspice']}"

    def headline(self) -> list[Fact]:
        load = self._nominal["loads"][0]
        told = f"{load['gain_db']:.1f} dB, {engineering(load['gbw'], 'Hz')}"
        return [
            Fact("gain, bandwidth", told, load["said"]),
            Fact("draws", engineering(self._nominal["i_quiescent"], "A")),
        ]

    def facts(self) -> Listing:
        """A figure a row, a condition a column."""
        conditions = self.summary["conditions"]
        rows = [
            [label, at, *(_shown(_or_none(key, one[key]), unit) for one in conditions)]
            for key, label, unit, at in PLACE
        ]
        common = [" to ".join(f"{x:.3g}" for x in one["common_mode"]) + " V" for one in conditions]
        rows.append(["common-mode range", "10 mV, no load", *common])
        for key, label, unit in LOADED:
            for k, load in enumerate(conditions[0]["loads"]):
                each = [_shown(flat_load(one["loads"][k])[key], unit) for one in conditions]
                rows.append([label, load["said"], *each])
        return Listing(["", "at", *(one["said"] for one in conditions)], rows)

    def sentences(self) -> list[str]:
        drawn = self.summary["mismatch"]
        if drawn is None:
            return []
        low, high = drawn["sigma_interval"]
        return [
            f"offset of {drawn['n']:,} op-amps drawn by the library's mismatch "
            f"({', '.join(drawn['switches'])}), seed {drawn['seed']}: mean "
            f"{engineering(drawn['mean'], 'V')}, sigma {engineering(drawn['sigma'], 'V')} "
            f"({engineering(low, 'V')} to {engineering(high, 'V')})"
        ]

    def notes(self) -> list[str]:
        return list(self.summary["notes"])

    def figures(self) -> list[Figure]:
        from ..report.opamps import opamp_figure

        found = self.measured[int(self.summary["nominal"])]
        loads = [load.said for load in found.setup.loads]
        least = min(load.farads for load in found.setup.loads)
        gains = [
            (load.ohms, load.farads, gain)
            for load, gain in zip(found.setup.loads, found.loop.gain, strict=True)
            if load.farads == least
        ]
        draw = partial(
            opamp_figure,
            found.loop.frequency,
            list(zip(loads, found.loop.response, strict=True)),
            gains,
            found.steps.time,
            list(zip(loads, found.steps.large, strict=True)),
            f"{self.title()}, {found.setup.said}",
        )
        caption = "Open-loop gain and phase, gain over load, and a follower's large step."
        return [Figure("opamp", caption, draw)]

    def table(self) -> Table:
        """A row a condition and load."""
        left = ("loads", "common_mode", "said")
        return table_of([
            {key: value for key, value in one.items() if key not in left}
            | {"ohms": load["ohms"], "farads": load["farads"]}
            | {key: flat_load(load)[key] for key, _, _ in LOADED}
            for one in self.summary["conditions"]
            for load in one["loads"]
        ])  # fmt: skip

    def preset(self) -> str:
        """The preset, a TOML file's text."""
        return write_preset(self.summary)

    def write(self, folder: Path) -> list[Path]:
        """Keep figures, preset and picture in ``folder``; an earlier op-amp's are replaced.

        Raises
        ------
        CompileError
            If anything else is in the way.
        """
        require_replaceable(folder)
        from ..report.figures import save

        names = [f"{self.summary['opamp']}.toml", SUMMARY, PICTURE]
        with atomic_folder(folder) as partial_folder:
            write_text(partial_folder / names[0], self.preset())
            document = {"format": FORMAT} | self.summary
            text = json.dumps(_known(document), indent=2, allow_nan=False)
            write_text(partial_folder / SUMMARY, text + "\n")
            save(self.figures()[0].draw(), partial_folder / PICTURE)
        return [folder / name for name in names]


def _or_none(key: str, value: float) -> float:
    """A figure as it is shown: a corner at 0 Hz is none."""
    return float("nan") if key == "f_corner" and not value else value


def _shown(value: float, unit: str) -> str:
    if np.isnan(value):
        return "none"
    return f"{value:.1f} {unit}" if unit in ("dB", "degrees", "%") else engineering(value, unit)


def _known(value: Any) -> Any:
    """``value`` for JSON, in which what is not there is null."""
    if isinstance(value, dict):
        return {key: _known(one) for key, one in value.items()}  # pyright: ignore
    if isinstance(value, list):
        return [_known(one) for one in value]  # pyright: ignore
    return None if isinstance(value, float) and np.isnan(value) else value


def require_replaceable(folder: Path) -> None:
    """CompileError if ``folder`` is a file, or holds anything but an op-amp's figures."""
    if folder.exists() and not folder.is_dir():
        raise CompileError(f"{folder} is a file: give another folder with --out")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        ours = read_json(folder / SUMMARY)
    except ValueError:
        ours = {}
    known = (SUMMARY, PICTURE, f"{ours.get('opamp')}.toml") if ours.get("format") == FORMAT else ()
    foreign = sorted(p.name for p in folder.iterdir() if p.name not in known)
    if foreign:
        raise CompileError(
            f"{folder} holds {foreign[0]}, which devices characterise did not write, so it is not "
            "replaced: give another folder with --out"
        )


def _below_what_is_seen(conditions: Sequence[dict[str, Any]]) -> list[str]:
    """Why an offset is 0 V, and a corner none."""
    notes: list[str] = []
    if any(load["offset"] == 0 for one in conditions for load in one["loads"]):
        notes.append(
            f"an offset below {engineering(RESOLVED, 'V')}, the tolerance of ngspice here (vntol), "
            "is told as 0 V"
        )
    if any(one["f_corner"] == 0 for one in conditions):
        notes.append(
            f"no 1/f noise: at {NOISE_START:g} Hz its noise has less than twice the power of the "
            "white: the preset has f_corner = 0"
        )
    return notes


def figures_of(
    measured: Sequence[Measured],
    nominal: int,
    mismatch: dict[str, Any] | None,
    offsets: Values,
    about: dict[str, Any],
) -> OpAmpFigures:
    """The result of what was measured; ``about`` names op-amp, file, models and simulator.

    Raises
    ------
    SimulationError
        If the figures of the condition ``nominal`` make no preset.
    """
    conditions = [condition_of(one) for one in measured]
    preset, notes = preset_of(conditions[nominal], mismatch)
    notes += _below_what_is_seen(conditions)
    for one in conditions:
        for load in one["loads"]:
            if not load["settled"]:
                notes.append(f"{one['said']}, {load['said']}: a step does not come to rest")
            elif not load["phase_margin"] > 0:
                notes.append(f"{one['said']}, {load['said']}: the phase margin is not above 0")
    summary = about | {
        "conditions": conditions, "nominal": nominal, "mismatch": mismatch, "preset": preset,
        "notes": notes,
    }  # fmt: skip
    return OpAmpFigures(summary=summary, measured=measured, offsets=offsets)
