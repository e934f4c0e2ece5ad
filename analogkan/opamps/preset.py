# pyright: strict
"""A characterised op-amp as a preset: the macro-model that compile, studies and datasheets take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..compiler.hardware import Hardware
from ..errors import SimulationError
from ..files import brief
from ..imperfections import Variation
from ..ours import MARK
from ..physics.assumptions import Assumptions
from ..settings import build
from ..text import engineering

FIRST = f"# An op-amp by {MARK} devices characterise: "
SIZED = (
    *("opamp_gain", "gbw", "v_rail", "headroom", "r_out"),
    *("g_min", "g_max", "r_diff", "c_f"),
)
"""What an op-amp decides when a circuit is compiled."""
PLACES = {"opamp_rows": "rows", "opamp_lines": "lines", "opamp_outputs": "differences"}
"""What assumptions call the amplifiers of a place."""
KINDS = {"hardware": Hardware, "variation": Variation, "assumptions": Assumptions}


def preset_of(
    found: Mapping[str, Any], mismatch: Mapping[str, Any] | None
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Tables of a preset out of the figures of one condition, and what they leave out.

    Raises
    ------
    SimulationError
        If a figure is none that a setting may have.
    """
    load, notes = found["loads"][0], list[str]()
    rail = min(found["vdd"], -found["vss"])
    swing = min(-load["swing"][0], load["swing"][1])
    if swing > rail:
        notes.append(
            f"its output reaches {engineering(swing, 'V')} and does not stop at the supplies: "
            "headroom is 1, the most there is"
        )
    drive = min(found["sink"], found["source"]) / found["i_quiescent"]
    if math.isnan(drive):
        notes.append("its output current has no limit in sight: class_ab is left as assumed")
    elif drive < 1:
        notes.append(
            f"its weaker output current is {drive:.2f} times what it draws: class_ab is 1, the "
            "least there is: hold currents against sink and source yourself"
        )
    tables: dict[str, dict[str, float]] = {
        "hardware": {
            "opamp_gain": load["gain"],
            "gbw": load["gbw"],
            "v_rail": rail,
            "headroom": min(swing / rail, 1.0),
            "r_out": found["r_o"],
        },
        "assumptions": {
            "c_in": found["c_in"],
            "c_load": load["farads"],
            "e_n": found["e_n"],
            "f_corner": found["f_corner"],
            "i_quiescent": found["i_quiescent"],
        }
        | ({} if math.isnan(drive) else {"class_ab": max(drive, 1.0)}),
    }
    if mismatch is not None:
        tables["variation"] = {"offset_sigma": mismatch["sigma"]}
    tables = {
        name: {key: float(f"{value:.4g}") for key, value in table.items()}
        for name, table in tables.items()
    }
    for name, table in tables.items():
        try:
            build(KINDS[name], dict(table), f"[{name}]")
        except Exception as error:
            raise SimulationError(f"its figures make no preset: {brief(error)}") from error
    return tables, notes


def write_preset(
    summary: Mapping[str, Any],
    sized: Hardware | None = None,
    others: Mapping[str, Mapping[str, Any]] = {},
    amplifiers: Mapping[str, int] = {},
) -> str:
    """The preset of a characterised op-amp, each figure with its condition; of a circuit that is
    ``sized`` for it what that has. Of ``others``, which stand in one place alone, summaries are by
    place, and so are numbers of ``amplifiers``."""
    if others:
        every = list({id(one): one for one in (summary, *others.values())}.values())
        heads = [line for one in every for line in _head(one)]
        tables, about = _mixed(summary, others, amplifiers)
    else:
        heads, tables, about = _head(summary), dict(summary["preset"]), _about(summary)
    if sized is not None:
        tables["hardware"] = {key: getattr(sized, key) for key in SIZED}
        about = {key: said for key, said in about.items() if key not in SIZED}
    lines = heads
    for name in KINDS:
        if name in tables:
            lines += ["", f"[{name}]"]
            for key, value in tables[name].items():
                lines.append(f"{key} = {value!r}" + (f"  # {about[key]}" if key in about else ""))
    return "\n".join(lines) + "\n"


def _mixed(
    summary: Mapping[str, Any],
    others: Mapping[str, Mapping[str, Any]],
    amplifiers: Mapping[str, int],
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Tables of several op-amps, and comments: settings have one of each but for ``class_ab``."""
    presets = {place: others.get(place, summary)["preset"] for place in amplifiers}
    by_place = {place: one["assumptions"] for place, one in presets.items()}
    mixed = dict(summary["preset"]["assumptions"])
    about: dict[str, str] = {}
    for key in ("c_in", "e_n", "f_corner"):
        mixed[key] = max(one[key] for one in by_place.values())
        about[key] = "the largest of its op-amps"
    drawn = sum(n * by_place[place]["i_quiescent"] for place, n in amplifiers.items())
    mixed["i_quiescent"] = float(f"{drawn / sum(amplifiers.values()):.4g}")
    about["i_quiescent"] = "the mean over its amplifiers"
    for place, block in PLACES.items():
        if place in others and "class_ab" in by_place.get(place, {}):
            mixed[f"class_ab_{block}"] = by_place[place]["class_ab"]
    sigmas = [one["variation"]["offset_sigma"] for one in presets.values() if "variation" in one]
    tables = {"assumptions": mixed}
    if sigmas:
        tables["variation"] = {"offset_sigma": max(sigmas)}
        about["offset_sigma"] = about["e_n"]
    return tables, about


def _about(summary: Mapping[str, Any]) -> dict[str, str]:
    """Conditions of figures, as comments."""
    found = summary["conditions"][summary["nominal"]]
    load = found["loads"][0]
    return {
        "opamp_gain": f"at {load['said']}",
        "gbw": f"at {load['said']}",
        "v_rail": "the smaller supply",
        "headroom": f"{load['swing'][0]:.3f} to {load['swing'][1]:.3f} V at {load['said']}",
        "r_out": "open loop at the unity-gain frequency",
        "c_in": "at the unity-gain frequency",
        "e_n": "white",
        "class_ab": (
            f"sinks {engineering(found['sink'], 'A')}, sources {engineering(found['source'], 'A')}"
        ),
    }


def _head(summary: Mapping[str, Any]) -> list[str]:
    """What it is of, and what no setting says."""
    found = summary["conditions"][summary["nominal"]]
    load = found["loads"][0]
    where = f"{found['said']}, {found['vdd']:g} and {found['vss']:g} V"
    lines = [
        f"{FIRST}{summary['opamp']}, {where}, ngspice {summary['ngspice']}.",
        f"# Slew: {' and '.join(engineering(x, 'V/s') for x in load['slew'])}; times here are "
        "those of a linear op-amp.",
    ]
    if found["offset"]:
        lines.append(f"# Systematic offset, on every op-amp: {engineering(found['offset'], 'V')}.")
    return lines
