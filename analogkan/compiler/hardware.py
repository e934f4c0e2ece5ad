"""Hardware: what the designer chooses. Presets are TOML files with a ``[hardware]`` table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..devices.thermal import LAWS as DIODE_LAWS
from ..errors import SettingsError
from ..schema import Number, Record, Text, Whole
from ..settings import (
    build,
    find_named,
    parse_assignments,
    read_toml,
    require,
    shown,
    unknown_setting,
)

FOLDER = "presets"
TABLES = ("hardware", "variation", "conditions")
"""What a preset may hold: what is chosen, what is chance, temperature and age."""
OPAMPS = ("linear", "ideal", "rails")
WIRES = ("reduced", "explicit")
LEAST_OHMS = 1e-9
"""Of a wire or a driver that is there at all."""
IDEAL_GAIN = 1e9
"""Of ``ideal`` op-amps: 1e12 loses 1e-6 to cancellation."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Choices that the circuit is built from. Changing one means compiling again.

    Attributes
    ----------
    v_fs
        Volts on a row at phi = 1. 1 V risks read disturb in RRAM; assumed.
    v_rail
        Amplifier supply, plus and minus, volts; assumed.
    headroom
        Share of ``v_rail`` that a line amplifier reaches on the calibration images.
    g_min, g_max
        Conductance range of a cell, siemens; assumed (RRAM: 40 kilohm to 4 megohm).
    levels
        States per cell, g_min and g_max among them; 0 is continuous. A pair has 2 levels - 1.
    max_bias_rows
        Most constant rows a layer may have; an output whose bias would need more uses less of its
        cells' range instead.
    tile_rows, tile_cols
        Rows and physical columns of a tile; two columns an output.
    opamp
        ``linear`` (finite gain), ``ideal`` (gain 1e9), or ``rails``: linear, and no row, line or
        output leaves the supplies.
    opamp_gain
        Open-loop gain of ``linear`` and ``rails``; assumed.
    gbw
        Gain-bandwidth product of the amplifiers, hertz: what the row amplifiers' capacitors are
        sized for; assumed.
    c_f
        Feedback capacitor of the row amplifiers, farads; 0 chooses three times the smallest that
        is stable.
    r_out
        Output resistance of what drives a diode node, ohms: must leave the node stiff against
        falling diodes, and is not in the deck; assumed.
    npn_bf, npn_vaf
        Forward current gain and Early voltage (V) of the transistors of sigmoid and tanh cells;
        assumed.
    i_tail
        Tail current of their pairs, amperes; assumed.
    cell_tc1, cell_tc2
        Temperature coefficients of the cells' resistance, 1/K and 1/K^2, from 26.85 degC on;
        assumed (a metallic filament).
    feedback_tc1, feedback_tc2
        The same of the feedback resistors of rows and lines; assumed. The four resistors of a
        difference amplifier are taken to drift alike, which cancels.
    diode_law
        How the diodes' curves follow temperature: ``linear`` by the two coefficients below,
        ``tables`` by the curves measured at several temperatures, ``smear`` by the thermal
        smearing of the curve at 300 K (a heuristic, see ``devices.thermal``).
    diode_tc_current, diode_tc_voltage
        Of ``linear``, 1/K: currents grow by 1 + tc dT, voltages by 1 + tc dT; assumed.
    smear_width
        Of ``smear``: 1 as derived, 0 none, 2 twice as wide.
    r_wire
        Ohms of a wire segment between two cells of a tile, and at its ends; 0 is no wires.
    wire_tc1
        Temperature coefficient of the segments, 1/K (copper).
    r_driver
        Ohms between a row's amplifier, outside its feedback, and the row's entries to its tiles.
    wires
        How decks hold them: ``reduced`` to what a crossbar is between its ports, exactly, or
        ``explicit``, every segment; without segments drivers alone are reduced.
    """

    v_fs: float = 0.5
    v_rail: float = 2.5
    headroom: float = 0.8
    g_min: float = 0.25e-6
    g_max: float = 25e-6
    levels: int = 0
    max_bias_rows: int = 32
    tile_rows: int = 64
    tile_cols: int = 64
    opamp: str = "linear"
    opamp_gain: float = 1e5
    gbw: float = 10e6
    c_f: float = 0.0
    r_out: float = 50.0
    npn_bf: float = 100.0
    npn_vaf: float = 50.0
    i_tail: float = 10e-6
    cell_tc1: float = 1e-3
    cell_tc2: float = 0.0
    feedback_tc1: float = 1e-4
    feedback_tc2: float = 0.0
    diode_law: str = "linear"
    diode_tc_current: float = -1e-3
    diode_tc_voltage: float = -3e-4
    smear_width: float = 1.0
    r_wire: float = 0.0
    wire_tc1: float = 3.9e-3
    r_driver: float = 0.0
    wires: str = "reduced"

    @property
    def opamp_gain_used(self) -> float:
        """Open-loop gain of the op-amps as the deck has them."""
        return IDEAL_GAIN if self.opamp == "ideal" else self.opamp_gain

    @property
    def wired(self) -> bool:
        """Whether anything stands between rows, cells and summing nodes."""
        return self.r_wire > 0 or self.r_driver > 0

    @property
    def segments(self) -> bool:
        """Whether decks have every wire segment."""
        return self.wires == "explicit" and self.r_wire > 0

    @property
    def wires_scale_with_cells(self) -> bool:
        """Whether wires drift as cells do, so that a reduced deck holds at every temperature."""
        return self.wire_tc1 == self.cell_tc1 and not self.cell_tc2 and not self.r_driver

    def __post_init__(self) -> None:
        for field in fields(self):  # whole numbers are welcome, and would print without a point
            if field.type == "float":
                object.__setattr__(self, field.name, float(getattr(self, field.name)))
        require(0.01 <= self.v_fs <= 10, "v_fs", self.v_fs, "0.01 to 10 V")
        require(0 < self.v_rail <= 100, "v_rail", self.v_rail, "above 0, at most 100 V")
        require(0 < self.headroom <= 1, "headroom", self.headroom, "above 0, at most 1")
        require(self.g_min >= 1e-12, "g_min", self.g_min, "at least 1e-12 S")
        require(
            self.g_min < self.g_max <= 1,
            "g_max",
            self.g_max,
            f"above g_min ({self.g_min:g}), at most 1 S",
        )
        require(
            self.levels == 0 or 2 <= self.levels <= 65536,
            "levels",
            self.levels,
            "0 (continuous), or 2 to 65536",
        )
        require(1 <= self.max_bias_rows <= 4096, "max_bias_rows", self.max_bias_rows, "1 to 4096")
        for name in ("tile_rows", "tile_cols"):
            require(2 <= getattr(self, name) <= 65536, name, getattr(self, name), "2 to 65536")
        require(self.tile_cols % 2 == 0, "tile_cols", self.tile_cols, "even: a pair stays together")
        require(self.opamp in OPAMPS, "opamp", self.opamp, " or ".join(OPAMPS))
        require(10 <= self.opamp_gain <= 1e12, "opamp_gain", self.opamp_gain, "10 to 1e12")
        require(1 <= self.gbw <= 1e12, "gbw", self.gbw, "1 to 1e12 Hz")
        require(0 <= self.c_f <= 1e-3, "c_f", self.c_f, "0 to choose, up to 1e-3 F")
        require(0 <= self.r_out <= 1e9, "r_out", self.r_out, "0 to 1e9 ohm")
        require(1 <= self.npn_bf <= 1e6, "npn_bf", self.npn_bf, "1 to 1e6")
        require(1 <= self.npn_vaf <= 1e6, "npn_vaf", self.npn_vaf, "1 to 1e6 V")
        require(1e-9 <= self.i_tail <= 1e-2, "i_tail", self.i_tail, "1e-9 to 1e-2 A")
        for name in (
            "cell_tc1",
            "feedback_tc1",
            "diode_tc_current",
            "diode_tc_voltage",
            "wire_tc1",
        ):
            value = getattr(self, name)
            require(abs(value) <= 5e-3, name, value, "-5e-3 to 5e-3 per K")
        for name in ("cell_tc2", "feedback_tc2"):
            require(
                abs(getattr(self, name)) <= 1e-5, name, getattr(self, name), "-1e-5 to 1e-5 per K^2"
            )
        require(self.diode_law in DIODE_LAWS, "diode_law", self.diode_law, " or ".join(DIODE_LAWS))
        for name, most, what in (("r_wire", 1e4, "ohm a segment"), ("r_driver", 1e5, "ohm")):
            value = getattr(self, name)
            within = value == 0 or LEAST_OHMS <= value <= most
            require(within, name, value, f"0 (none), or {LEAST_OHMS:g} to {most:g} {what}")
        require(self.wires in WIRES, "wires", self.wires, " or ".join(WIRES))
        require(0 <= self.smear_width <= 5, "smear_width", self.smear_width, "0 to 5")


HARDWARE_ENTRY = Record(
    optional={
        field.name: {"float": Number(), "int": Whole(-(2**53), 2**53), "str": Text()}[
            str(field.type)
        ]
        for field in fields(Hardware)
    }
)
"""Hardware in a file of a BUILD; one that was written before there was a choice lacks it."""


def load_hardware(
    preset: str = "nominal", assignments: Iterable[str] = (), base: Hardware | None = None
) -> Hardware:
    """Hardware from a preset (a shipped name or a TOML file), then ``key=value`` texts on top.

    What neither names is as in ``base``, or as by default. ``[variation]`` and ``[conditions]`` of
    a preset are for studies, see ``variation.spec``.

    Raises
    ------
    SettingsError
        If a name is unknown (the nearest is suggested) or a value out of its range.
    """
    values, what = preset_table(preset, "hardware")
    known = [field.name for field in fields(Hardware)]
    texts = parse_assignments(assignments)
    for key, text in texts.items():
        if key not in known:
            raise SettingsError(f"--set: {unknown_setting(key, known)}")
        values[key] = text
    before = {} if base is None else asdict(base)
    return build(Hardware, before | values, f"{what} with --set" if texts else what)


def preset_table(preset: str, table: str) -> tuple[dict[str, Any], str]:
    """One table of a preset, empty if it has none, and what to call the preset in a sentence."""
    path = find_named(preset, FOLDER, "preset")
    document: Mapping[str, Any] = read_toml(path, "preset")
    unknown = sorted(set(document) - set(TABLES))
    if unknown:
        may = ", ".join(f"[{name}]" for name in TABLES)
        raise SettingsError(f"preset {preset}: unknown [{unknown[0]}]: it may have {may}")
    values = document.get(table, {})
    if not isinstance(values, dict):
        raise SettingsError(f"preset {preset}: {table} = {shown(values)} must be a [{table}] table")
    return dict(values), f"preset {path.stem}"
