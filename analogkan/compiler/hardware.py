"""Hardware: what the designer chooses. Presets are TOML files with a ``[hardware]`` table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import numpy as np

from .. import cells
from ..devices import IVCurve
from ..devices.thermal import LAWS as DIODE_LAWS
from ..errors import SettingsError, SimulationError
from ..schema import Either, Number, Record, Text, Whole
from ..settings import (
    build,
    check_fields,
    choice,
    parse_assignments,
    require,
    setting,
    unknown_setting,
    within,
)
from .presets import preset_table
from .readout import READOUTS
from .series import SERIES, check_series, standard_values

"""What a preset may hold: what is chosen, what is chance, temperature and age, what is assumed."""
WIRES = ("reduced", "explicit")
LEAST_OHMS = 1e-9
"""Of a wire or a driver that is there at all."""


def _per_kelvin(default: float) -> float:
    return setting(default, "1/K", "-5e-3 to 5e-3 per K", within(-5e-3, 5e-3))


def _per_kelvin_squared(default: float) -> float:
    return setting(default, "1/K^2", "-1e-5 to 1e-5 per K^2", within(-1e-5, 1e-5))


def _none_or(most: float, unit: str) -> float:
    """Ohms that are not there, unless asked for."""
    limit = f"0 (none), or {LEAST_OHMS:g} to {most:g} {unit}"
    return setting(0.0, "ohm", limit, lambda r: r == 0 or LEAST_OHMS <= r <= most)


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
        States per cell, g_min and g_max among them; 0 is continuous. A pair has 2 levels - 1. Or a
        series of standard values, ``e24`` or ``e96``: every resistor is the nearest of it, those of
        the amplifiers too.
    max_bias_rows
        Most constant rows a layer may have; an output whose bias would need more uses less of its
        cells' range instead.
    tile_rows, tile_cols
        Rows and physical columns of a tile; two columns an output.
    opamp
        ``linear`` (finite gain), ``ideal`` (gain 1e9), or ``rails``: linear, and no row, line or
        output leaves the supplies; ``pole`` and ``pole_rails`` are these two with the bandwidth
        ``gbw``, which direct current does not see; or the name of one from outside, see
        ``cells.OpAmpKind``.
    own_opamps
        Where ``opamp`` is of a user's netlist, others of ``rows``, ``lines`` and ``outputs``:
        ``rows=mine_1a2b3c4d,...``, as ``compile --cell`` names them.
    opamp_gain
        Open-loop gain of all but ``ideal``; assumed.
    gbw
        Gain-bandwidth product of the amplifiers, hertz: what the row amplifiers' capacitors are
        sized for; assumed.
    gbw_by_stage
        How the bandwidth is shared out among rows, lines and output amplifiers, at the mean
        ``gbw``: 0 is the same to all, 1 what settles soonest, see ``bandwidth``.
    gain_split
        How the gain of a pair is shared out between line and difference amplifiers: 0 as much in
        the lines as their headroom allows, 1 what makes the sum of both noise gains least, see
        ``gains.split``. Of a summing read-out it always is least.
    c_f
        Feedback capacitor of the row amplifiers, farads; 0 chooses three times the smallest that
        is stable.
    r_diff
        Input resistors of the difference amplifiers, ohms; the others are gain times that; assumed.
    readout
        How the two lines of a pair become an output: ``differences``, three op-amps an output, or
        ``summing``, two, of which the positive line's takes the negative one's output through a
        resistor; see ``compiler.readout``.
    drop_rows
        Share of the variance that the rows of a layer give to its outputs, on the calibration
        images, which may be left out with the least of them: a row that is left out has no diode,
        amplifier or cell, and its mean goes into the biases. 0 leaves out nothing, 1e-9 what does
        not move at all.
    r_out
        Output resistance of what drives a diode node, ohms: must leave the node stiff against
        falling diodes, and is not in the deck; assumed.
    npn
        Transistors of sigmoid and tanh cells: ``model``, of the two figures below; of a BUILD
        whose are a netlist's, its name, see ``compile --cell npn=FILE``.
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
    own_diodes
        Diodes that are users' models, ``a21=esaki_1a2b3c4d,...``, as ``compile --cell`` names them.
    r_wire
        Ohms of a wire segment between two cells of a tile, and at its ends; 0 is no wires.
    wire_tc1
        Temperature coefficient of the segments, 1/K (copper).
    r_driver
        Ohms between a row's amplifier, outside its feedback, and the row's entries to its tiles.
    wires
        How decks hold them: ``reduced`` to what a crossbar is between its ports, exactly, or
        ``explicit``, every segment; without segments drivers alone are reduced.
    dac_bits, adc_bits
        Of the DACs and the ADCs; 0 gives and reads any value.
    adc_range
        Volts, of either sign, at the ADCs' full scale.
    c_dac, c_adc, c_hold
        Farads of what samples in DACs, ADCs and holds: their k T / C noise; 0: none.
    t_position
        Seconds of each position in a network with held stages; 0: not said.

    Examples
    --------
    >>> ak.Hardware(levels=32).opamp_gain
    100000.0
    """

    v_fs: float = setting(0.5, "V", "0.01 to 10 V", within(0.01, 10))
    v_rail: float = setting(2.5, "V", "above 0, at most 100 V", lambda v: 0 < v <= 100)
    headroom: float = setting(0.8, "share", "above 0, at most 1", lambda s: 0 < s <= 1)
    g_min: float = setting(0.25e-6, "S", "at least 1e-12 S", lambda g: g >= 1e-12)
    g_max: float = setting(25e-6, "S", "above g_min, at most 1 S", lambda _: True)
    levels: int | str = setting(
        0,
        "",
        f"0 (continuous), 2 to 65536, {' or '.join(SERIES)}",
        lambda n: n in SERIES if isinstance(n, str) else n == 0 or 2 <= n <= 65536,
        words=tuple(SERIES),
    )
    max_bias_rows: int = setting(32, "", "1 to 4096", within(1, 4096))
    tile_rows: int = setting(64, "", "2 to 65536", within(2, 65536))
    tile_cols: int = setting(64, "", "2 to 65536, even", within(2, 65536))
    opamp: str = choice("linear", cells.opamps)
    own_opamps: str = setting(
        "",
        "",
        "what `compile --cell opamp_rows=FILE`, opamp_lines or opamp_outputs makes of netlists",
        lambda text: cells.are_own_opamps(parse_own(text)),
    )
    opamp_gain: float = setting(1e5, "", "10 to 1e12", within(10, 1e12))
    gbw: float = setting(10e6, "Hz", "1 to 1e12 Hz", within(1, 1e12))
    gbw_by_stage: float = setting(0.0, "", "0 to 2", within(0, 2))
    gain_split: float = setting(0.0, "", "0 to 2", within(0, 2))
    c_f: float = setting(0.0, "F", "0 to choose, up to 1e-3 F", within(0, 1e-3))
    r_diff: float = setting(10e3, "ohm", "1 to 1e9 ohm", within(1, 1e9))
    readout: str = choice("differences", lambda: READOUTS)
    drop_rows: float = setting(0.0, "share", "0 to 0.9", within(0, 0.9))
    r_out: float = setting(50.0, "ohm", "0 to 1e9 ohm", within(0, 1e9))
    npn: str = choice("model", cells.transistors)
    npn_bf: float = setting(100.0, "", "1 to 1e6", within(1, 1e6))
    npn_vaf: float = setting(50.0, "V", "1 to 1e6 V", within(1, 1e6))
    i_tail: float = setting(10e-6, "A", "1e-9 to 1e-2 A", within(1e-9, 1e-2))
    cell_tc1: float = _per_kelvin(1e-3)
    cell_tc2: float = _per_kelvin_squared(0.0)
    feedback_tc1: float = _per_kelvin(1e-4)
    feedback_tc2: float = _per_kelvin_squared(0.0)
    diode_law: str = choice("linear", lambda: DIODE_LAWS)
    diode_tc_current: float = _per_kelvin(-1e-3)
    diode_tc_voltage: float = _per_kelvin(-3e-4)
    smear_width: float = setting(1.0, "", "0 to 5", within(0, 5))
    own_diodes: str = setting(
        "",
        "",
        "what `compile --cell diode_NAME=FILE` makes of models",
        lambda text: set(parse_own(text).values()) <= set(cells.diodes()),
    )
    r_wire: float = _none_or(1e4, "ohm a segment")
    wire_tc1: float = _per_kelvin(3.9e-3)
    r_driver: float = _none_or(1e5, "ohm")
    wires: str = choice("reduced", lambda: WIRES)
    dac_bits: int = setting(0, "", "0 (any value), to 12", within(0, 12))
    adc_bits: int = setting(0, "", "0 (any value), to 16", within(0, 16))
    adc_range: float = setting(0.0, "V", "0 to 100 V", within(0, 100))
    c_dac: float = setting(0.0, "F", "0 (none), to 1e-6 F", within(0, 1e-6))
    c_adc: float = setting(0.0, "F", "0 (none), to 1e-6 F", within(0, 1e-6))
    c_hold: float = setting(0.0, "F", "0 (none), to 1e-6 F", within(0, 1e-6))
    t_position: float = setting(0.0, "s", "0 (not said), to 1 s", within(0, 1))

    @property
    def amplifier(self) -> cells.OpAmpKind:
        """What is declared of its op-amps."""
        return cells.opamps()[self.opamp]

    @property
    def opamps(self) -> dict[str, str]:
        """Values of ``opamp`` by the subcircuits of a deck that are op-amps: ``cells.OPAMP``, and
        those of amplifiers that have one of their own."""
        own = parse_own(self.own_opamps) if isinstance(self.amplifier, cells.OwnOpAmp) else {}
        return {cells.OPAMP: self.opamp} | {f"{cells.OPAMP}_{of}": own[of] for of in sorted(own)}

    @property
    def supplies(self) -> tuple[str, ...]:
        """The supplies that its op-amps need."""
        known = cells.opamps()
        needed = {net for name in self.opamps.values() for net in known[name].supplies}
        return tuple(net for net in cells.SUPPLIES if net in needed)

    @property
    def transistor(self) -> cells.OwnTransistor | None:
        """What is declared of its pairs' transistors, if they are of a user's netlist."""
        return cells.transistors()[self.npn]

    @property
    def libraries(self) -> dict[str, cells.Library]:
        """What its decks have of users' netlists, by the cells in whose place they are."""
        opamps, known = cells.opamps(), cells.diodes()
        kinds = {place: opamps[name] for place, name in self.opamps.items()}
        found = {
            place: kind.library
            for place, kind in {**kinds, "npn": self.transistor}.items()
            if isinstance(kind, cells.OfLibrary)
        }
        return found | {
            f"{cells.DIODE}{device}": known[name]
            for device, name in parse_own(self.own_diodes).items()
        }

    @property
    def own_files(self) -> dict[str, str]:
        """Texts of the files of its decks that hold them, by name."""
        return {one.deck_file: one.text for one in self.libraries.values()}

    @property
    def loaded(self) -> dict[str, bytes]:
        """Compiled models that its decks load, by the names of their files."""
        libraries = self.libraries.values()
        return {name: osdi for one in libraries for name, osdi in one.loaded.items()}

    def law_of(self, curve: IVCurve) -> str:
        """How a diode's curve follows temperature: ``diode_law``, or as its model does."""
        own = curve.name.lower() in parse_own(self.own_diodes)
        return "tables" if own and len(curve.temperatures) > 1 else self.diode_law

    @property
    def rails(self) -> bool:
        """Whether outputs of amplifiers stop at ``v_rail``."""
        return self.opamp == self.amplifier.railed

    @property
    def opamp_gain_used(self) -> float:
        """Open-loop gain of the op-amps as the deck has them; SimulationError if none is known."""
        if self.amplifier.gain is None:
            raise SimulationError(
                f"the op-amp {self.opamp} is a black box, whose gain the twin, trim, calibration "
                "and read noise need: let ngspice simulate it, without them "
                "(--engine ngspice --set trim=none, no --calibrate)"
            )
        return self.amplifier.gain(self)

    @property
    def series(self) -> str:
        """The standard values that its resistors are of; empty: any value can be had."""
        return self.levels if isinstance(self.levels, str) else ""

    @property
    def states(self) -> str:
        """What a cell can be, in a sentence."""
        if self.series:
            return f"resistors of {self.series.upper()}"
        return f"{self.levels} levels" if self.levels else "continuous"

    @property
    def cell_values(self) -> np.ndarray:
        """Standard values (N,) of a cell, ohms, rising: those that g_max and g_min allow."""
        return standard_values(self.series, 1 / self.g_max, 1 / self.g_min)

    @property
    def cell_range(self) -> tuple[float, float]:
        """Least and greatest conductance that a cell is set to, siemens."""
        if not self.series:
            return self.g_min, self.g_max
        ohms = self.cell_values
        return float(1 / ohms[-1]), float(1 / ohms[0])

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
        check_fields(self)
        above = f"above g_min ({self.g_min:g}), at most 1 S"
        require(self.g_min < self.g_max <= 1, "g_max", self.g_max, above)
        if self.series:
            check_series(self)
        require(self.tile_cols % 2 == 0, "tile_cols", self.tile_cols, "even: a pair stays together")
        said = f"above 0 with adc_bits = {self.adc_bits}: give the volts at the ADCs' full scale"
        require(self.adc_range > 0 or not self.adc_bits, "adc_range", self.adc_range, said)


def parse_own(text: str) -> dict[str, str]:
    """Names of users' cells by what has them, of ``own_diodes`` or ``own_opamps``."""
    pairs = (one.partition("=") for one in text.split(",") if one)
    return {device: name for device, _, name in pairs}


_WHOLE = Whole(-(2**53), 2**53)
_RULES = {
    "float": Number(), "int": _WHOLE, "str": Text(), "int | str": Either((_WHOLE, Text()))
}  # fmt: skip
HARDWARE_ENTRY = Record(
    optional={field.name: _RULES[str(field.type)] for field in fields(Hardware)}
)
"""Hardware in a file of a BUILD; one that was written before there was a choice lacks it."""


def load_hardware(
    preset: str = "nominal", assignments: Iterable[str] = (), base: Hardware | None = None
) -> Hardware:
    """Hardware from a preset (a shipped name or a TOML file), then ``key=value`` texts on top.

    What neither names is as in ``base``, or as by default. ``[variation]`` and ``[conditions]`` of
    a preset are for studies, see ``imperfections.presets``.

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
