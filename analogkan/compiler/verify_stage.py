"""One layer of a deck against the design's arrays and the model's coefficients."""

from __future__ import annotations

import numpy as np

from ..cells import EXACT, same
from ..network.spec import LayerSpec
from . import names
from .blocks import Blocks
from .deck import Deck
from .design import CrossbarStage
from .elimination import wired
from .netlist import Controlled
from .series import coarseness
from .verification import Verification
from .verify_cells import OpAmpCheck
from .verify_front import compiled, front_differences

WIRED = 1e-11
"""Relative: what two ways of eliminating wires may differ by."""
SAME = 1e-9
"""Of the largest coefficient of an output: what the electrical transfer may differ by."""


class StageCheck:
    """One layer of the deck against the design's arrays and the model's coefficients."""

    def __init__(self, build: Deck, blocks: Blocks, layer: int, found: Verification) -> None:
        self.build = build
        self.blocks = blocks
        self.layer = layer
        self.found = found
        self.stage: CrossbarStage = build.design.stages[layer]
        self.model: LayerSpec = compiled(build).layers[layer]
        self.names = names.StageNames(build.design, layer)
        self.labels = self.names.lines()
        self.opamps = OpAmpCheck(build.design.hardware)

    def run(self) -> float:
        """Compare; the largest coefficient error, as a share of its output's largest one."""
        nl = self.blocks.netlist
        inputs = [nl.number.get(name, -1) for name in self.names.inputs()]
        self.found.add(
            [self._say(text) for text in front_differences(self.build, nl, self.layer, self.model)]
        )
        rows, r_f = self._rows(inputs)
        lines, gains = self._lines()
        g = self._conductances(rows, lines)
        hardware = self.build.design.hardware
        if not hardware.wired:
            self._no_feet(lines)
            self._compare_conductances(g, self.stage.g, EXACT)
            return self._compare_coefficients(g, r_f, gains)
        cells = self.stage.g
        if hardware.segments:
            cells = self._cells_behind_wires(rows, lines)
            self._compare_conductances(cells, self.stage.g, EXACT)
        # Wires move every conductance a little: the deck is compared with the cells behind wires,
        # and the cells with the coefficients. Reduced ones are read with the wires they stand for.
        wanted, between = wired(self.stage.g, hardware)
        self._compare_conductances(g, wanted, WIRED)
        self._compare_feet(lines, between)
        return self._compare_coefficients(cells, r_f, gains)

    def _say(self, text: str) -> str:
        return f"layer {self.layer}: {text}"

    def _rows(self, inputs: list[int]) -> tuple[dict[int, int], np.ndarray]:
        """Row index by net, and the feedback (I, D) in ohms, found from the diodes on."""
        n_in, _, n_dev = self.stage.shape
        rows: dict[int, int] = {}
        left_out = self._left_out()
        r_f = np.where(left_out, self.stage.r_f, np.nan)
        said = []
        for i, (net, name) in enumerate(zip(inputs, self.names.inputs(), strict=True)):
            diodes = list(self.blocks.diodes.get(net, ()))
            for d, curve in enumerate(self.stage.curves):
                if left_out[i, d]:
                    continue
                kind = f"diode_{curve.name.lower()}"
                mine = [t for t in diodes if t.subcircuit == kind]
                if len(mine) != 1:
                    what = "is missing" if not mine else f"is there {len(mine)} times"
                    said.append(self._say(f"input {i} ({name}): diode {curve.name} {what}"))
                    continue
                diodes.remove(mine[0])
                amp = self.blocks.amplifiers.get(mine[0].nets[1])
                if amp is None:
                    continue
                rows[amp.out] = i * n_dev + d
                what = f"row amplifier of input {i}, {curve.name}"
                said += self._opamp(amp.opamp, self.stage.gbw[0], "row amplifier", what)
                r_f[i, d] = amp.feedback[0] if len(amp.feedback) == 1 else np.nan
                if not same(r_f[i, d], self.stage.r_f[i, d]):
                    said.append(
                        self._say(
                            f"row amplifier of input {i}, diode {curve.name}: feedback "
                            f"{amp.feedback} ohm, not {float(self.stage.r_f[i, d])!r}"
                        )
                    )
                if amp.capacitors != [self.stage.c_f[d]]:
                    said.append(
                        self._say(
                            f"row amplifier of input {i}, diode {curve.name}: capacitors "
                            f"{amp.capacitors} F, not {float(self.stage.c_f[d])!r}"
                        )
                    )
            said += [self._say(f"input {i} ({name}) also feeds {t.name}") for t in diodes]
        bias_volts = -self.build.design.hardware.v_fs
        for b, name in enumerate(self.names.rows()[n_in * n_dev :]):
            net = self.blocks.netlist.number.get(name, -1)
            volts = self.blocks.constants.get(net)
            rows[net] = n_in * n_dev + b
            if volts != bias_volts:
                said.append(self._say(f"bias row {name} is at {volts} V, not {bias_volts} V"))
        self.found.add(said)
        return rows, r_f

    def _lines(self) -> tuple[dict[int, int], np.ndarray]:
        """Line index by summing net, and each line's transfer (2 O,): volts out an ampere in."""
        by_out = {amp.out: amp for amp in self.blocks.amplifiers.values()}
        lines: dict[int, int] = {}
        gains = np.full(2 * self.stage.shape[1], np.nan)
        said: list[str] = []
        gbw, legs, blocks = self.stage.line_gbw, self._legs, ["line amplifier"] * 2
        if not self.stage.readout.differences:
            legs, blocks[0] = self._summing_legs, "summing amplifier"
        for o, name in enumerate(self.names.outputs()):
            for side, (net, gain) in enumerate(legs(o, name, said)):
                line = 2 * o + side
                label = self.labels[line]
                amp = by_out.get(net)
                if amp is None:
                    said.append(self._say(f"no line amplifier drives the input {label} of {name}"))
                    continue
                lines[amp.total] = line
                said += self._opamp(amp.opamp, gbw[line], blocks[side], f"line amplifier {label}")
                if amp.capacitors:
                    said.append(self._say(f"line amplifier {label} has a capacitor"))
                feedback = amp.feedback[0] if len(amp.feedback) == 1 else np.nan
                gains[line] = gain * feedback
                if not same(feedback, self.stage.r_c[line]):
                    said.append(
                        self._say(
                            f"line amplifier {label}: feedback {amp.feedback} ohm, "
                            f"not {float(self.stage.r_c[line])!r}"
                        )
                    )
        self.found.add(said)
        return lines, gains

    def _legs(self, o: int, name: str, said: list[str]) -> list[tuple[int, float]]:
        """Of the lines p and n of output ``o``: the nets that its difference amplifier reads, and
        volts out a volt there."""
        diff = self.blocks.differences.get(self.blocks.netlist.number.get(name, -1))
        if diff is None:
            said.append(self._say(f"no difference amplifier drives {name}"))
            return []
        what = f"difference amplifier {name}"
        said += self._opamp(diff.opamp, self.stage.gbw[2], "difference", what)
        r_diff = self.build.design.hardware.r_diff
        said += [
            self._say(f"difference amplifier {name}: input resistor of {r!r} ohm, not {r_diff!r}")
            for r in {diff.r1, diff.r3}
            if not same(r, r_diff)
        ]
        legs = [(diff.p, diff.gain_p), (diff.n, diff.gain_n)]
        said += [
            self._say(
                f"difference amplifier {name}: gain {gain!r} from {label}, "
                f"not {float(self.stage.gain[o])!r}"
            )
            for label, (_, gain) in zip(self.labels[2 * o :], legs, strict=False)
            if not same(gain, self.stage.gain[o])
        ]
        return legs

    def _summing_legs(self, o: int, name: str, said: list[str]) -> list[tuple[int, float]]:
        """The same of an output that its positive line's amplifier is: its own net, and what drives
        its summing node through a resistor."""
        net = self.blocks.netlist.number.get(name, -1)
        amp = next((a for a in self.blocks.amplifiers.values() if a.out == net), None)
        if amp is None:
            said.append(self._say(f"no summing amplifier drives {name}"))
            return []
        if len(amp.coupled) != 1:
            found = f"{len(amp.coupled)} line amplifiers, not one"
            said.append(self._say(f"summing amplifier {name} adds the outputs of {found}"))
            return [(net, 1.0)]
        ((negative, ohms),) = amp.coupled
        if not same(ohms, self.stage.r_x[o]):
            said.append(
                self._say(
                    f"summing amplifier {name}: {ohms!r} ohm from the negative line, "
                    f"not {float(self.stage.r_x[o])!r}"
                )
            )
        feedback = amp.feedback[0] if len(amp.feedback) == 1 else np.nan
        return [(net, 1.0), (negative, feedback / ohms)]

    def _opamp(self, opamp: Controlled, gbw: float, block: str, what: str) -> list[str]:
        """Whether an op-amp is that of a ``block``, and has ``gbw`` hertz if it is told them."""
        found = self.opamps.difference(opamp, float(gbw), block)
        return [self._say(f"{what}: {found}")] if found else []

    def _conductances(self, rows: dict[int, int], lines: dict[int, int]) -> np.ndarray:
        """The crossbar (R, 2 O), siemens, from the resistors between these rows and lines."""
        nl, blocks = self.blocks.netlist, self.blocks
        row_of = _lookup(len(nl.nets), rows)
        line_of = _lookup(len(nl.nets), lines)
        r, c = row_of[blocks.cell_row], line_of[blocks.cell_sum]
        here = (r >= 0) & (c >= 0)
        shape, size = self.stage.g.shape, self.stage.g.size
        place = np.ravel_multi_index((r[here], c[here]), shape)
        g = np.bincount(place, blocks.cell_g[here], size).reshape(shape)
        hits = np.bincount(place, minlength=size).reshape(shape)
        said = [
            self._say(f"{self._cell_name(int(k))} joins a row and a line of different layers")
            for k in np.flatnonzero((r >= 0) ^ (c >= 0))
        ]
        absent = self._absent()
        if self.build.design.hardware.segments:
            hits = np.minimum(hits, 1)  # tiles that share a row through its driver
        ports, feet = self.names.row_ports(), self.names.line_ports()
        for what, where in (("no cell", (hits == 0) & ~absent), ("several cells", hits > 1)):
            for line in np.flatnonzero(where.any(axis=0)):
                at = np.flatnonzero(where[:, line])
                said.append(
                    self._say(
                        f"line {feet[line]} has {what} at {at.size} of its rows, "
                        f"the first {ports[at[0]]}"
                    )
                )
        self.found.add(said)
        return g

    def _absent(self) -> np.ndarray:
        """Where (R, 2 O) no cell may be: the model's coefficient is zero, and wires are ideal or
        its whole row is left out."""
        theta, absent = self.model.theta, np.zeros(self.stage.g.shape, bool)
        zero = (theta == 0) & theta.any()
        if self.build.design.hardware.wired:
            zero &= self._left_out()[:, None, :]
        rows = zero.transpose(0, 2, 1).reshape(-1, theta.shape[1])
        absent[: len(rows)] = np.repeat(rows, 2, axis=1)
        return absent

    def _left_out(self) -> np.ndarray:
        """(I, D) which rows may not be there: the model has coefficients, but none of theirs."""
        theta = self.model.theta
        return np.logical_and(~theta.any(axis=1), theta.any())

    def _cells_behind_wires(self, rows: dict[int, int], lines: dict[int, int]) -> np.ndarray:
        """The cells alone (R, 2 O), siemens, found by where the wires at their ends lead."""
        row, total, siemens = self.blocks.behind
        count = len(self.blocks.netlist.nets)
        r, c = _lookup(count, rows)[row], _lookup(count, lines)[total]
        here = (row >= 0) & (total >= 0) & (r >= 0) & (c >= 0)
        g = np.zeros(self.stage.g.shape)
        np.add.at(g, (r[here], c[here]), siemens[here])
        return g

    def _cell_name(self, k: int) -> str:
        """What cell ``k`` of the blocks is called."""
        index = int(self.blocks.cells[k])
        return self.blocks.netlist.r_name[index] if index >= 0 else "a wire"

    def _no_feet(self, lines: dict[int, int]) -> None:
        """Without wires nothing joins two summing nodes."""
        a, b, _ = self.blocks.feet
        self.found.add(
            [
                self._say(f"a resistor joins {self.blocks.name(x)} and {self.blocks.name(y)}")
                for x, y in zip(a.tolist(), b.tolist(), strict=True)
                if x in lines or y in lines
            ]
        )

    def _compare_feet(self, lines: dict[int, int], wanted: np.ndarray) -> None:
        """What wires make between the summing nodes, against (2 O, 2 O) siemens."""
        a, b, siemens = self.blocks.feet
        line_of = _lookup(len(self.blocks.netlist.nets), lines)
        have = np.zeros(wanted.shape)
        here = (line_of[a] >= 0) & (line_of[b] >= 0)
        np.add.at(have, (line_of[a[here]], line_of[b[here]]), siemens[here])
        have += have.T
        # Far feet hardly see each other; what counts is the error's share of the largest.
        wrong = ~np.isclose(have, wanted, rtol=WIRED, atol=WIRED * wanted.max())
        feet = self.names.line_ports()
        self.found.add(
            [
                self._say(
                    f"between the feet of {feet[p]} and {feet[n]} there are {have[p, n]:.9g} S, "
                    f"the wires make {wanted[p, n]:.9g} S"
                )
                for p, n in np.argwhere(np.triu(wrong, 1))
            ]
        )

    def _compare_conductances(self, g: np.ndarray, wanted: np.ndarray, exact: float) -> None:
        """Each resistor against ``wanted`` (R, 2 O); places without one are told elsewhere."""
        wrong = ~np.isclose(g, wanted, rtol=exact, atol=0) & (g != 0)
        if not wrong.any():
            return
        ports, feet = self.names.row_ports(), self.names.line_ports()
        said = self._exchanged(g, wanted, wrong, axis=1, labels=feet, what="lines")
        said += self._exchanged(g, wanted, wrong, axis=0, labels=ports, what="rows")
        for row, line in _worst_first(g, wanted, wrong) if exact > EXACT else np.argwhere(wrong):
            ohms = float(1 / wanted[row, line]) if wanted[row, line] else None
            asks = "is zero and has none" if ohms is None else f"asks for {ohms!r}"
            said.append(
                self._say(
                    f"resistor {ports[row]} to {feet[line]} is {float(1 / g[row, line])!r} ohm; "
                    f"its coefficient {asks}"
                )
            )
        self.found.add(said)

    def _exchanged(
        self,
        g: np.ndarray,
        wanted: np.ndarray,
        wrong: np.ndarray,
        *,
        axis: int,
        labels: list[str],
        what: str,
    ) -> list[str]:
        """Sentences on rows or lines that hold another one's conductances."""
        have, want = (g.T, wanted.T) if axis else (g, wanted)
        suspects = np.flatnonzero((wrong.T if axis else wrong).sum(axis=1) > 1)
        said = []
        for k in suspects[:64]:
            twin = [int(j) for j in suspects if j != k and np.allclose(have[k], want[j], EXACT, 0)]
            if twin and (twin[0] > k or not np.allclose(have[twin[0]], want[k], EXACT, 0)):
                said.append(self._say(f"{what} {labels[k]} and {labels[twin[0]]} are exchanged"))
        return said

    def _rounding(self, made: np.ndarray) -> np.ndarray:
        """The most (R, O) that cells, each of which makes so much of a coefficient (R, O), can be
        off because they have few states."""
        hw = self.build.design.hardware
        if isinstance(hw.levels, str):
            return coarseness(hw.levels) * made
        half = 0.5 / (hw.levels - 1) if hw.levels else 0.0
        return np.broadcast_to(half * self.stage.alpha * (hw.g_max - hw.g_min), made.shape)

    def _compare_coefficients(self, g: np.ndarray, r_f: np.ndarray, gains: np.ndarray) -> float:
        """The deck's electrical transfer against the model's theta and bias."""
        layer = self.model
        n_in, n_out, n_dev = self.stage.shape
        last = self.layer == len(self.build.design.stages) - 1
        unit = self.build.design.v_per_logit if last else self.stage.unit
        row_volts = np.full(len(g), self.build.design.hardware.v_fs)
        peaks = np.array([curve.i_peak for curve in layer.curves])
        row_volts[: n_in * n_dev] = (r_f * peaks).ravel()
        transfer = (row_volts[:, None] * g * gains).reshape(len(g), n_out, 2)
        signed = (transfer[..., 0] - transfer[..., 1]) / unit
        theta = signed[: n_in * n_dev].reshape(n_in, n_dev, n_out).transpose(0, 2, 1)
        bias = signed[n_in * n_dev :].sum(axis=0)
        scale = np.maximum(np.abs(layer.theta).max(axis=(0, 2)), np.abs(layer.bias))
        scale[scale == 0] = 1.0
        # Cells are rounded one by one; of a bias only the one that is partly filled is.
        rounded = (1 + SAME) * self._rounding(np.abs(transfer).max(axis=2) / unit)
        cells = rounded[: n_in * n_dev].reshape(n_in, n_dev, n_out).transpose(0, 2, 1)
        limit = SAME * scale + rounded[n_in * n_dev :].max(axis=0, initial=0.0)
        error = np.abs(theta - layer.theta)
        said = [
            self._say(
                f"theta[{i}, {o}, {d}] is {layer.theta[i, o, d]:.9g} in the model, "
                f"{theta[i, o, d]:.9g} in the deck"
            )
            for i, o, d in np.argwhere(~(error <= SAME * scale[None, :, None] + cells))
        ]
        bias_error = np.abs(bias - layer.bias)
        said += [
            self._say(f"bias[{o}] is {layer.bias[o]:.9g} in the model, {bias[o]:.9g} in the deck")
            for o in np.flatnonzero(~(bias_error <= limit))
        ]
        self.found.add(said)
        return float(max((error / scale[None, :, None]).max(), (bias_error / scale).max()))


def _lookup(count: int, indices: dict[int, int]) -> np.ndarray:
    """An array (count,) from net number to index, -1 elsewhere."""
    table = np.full(count, -1)
    known = [(net, k) for net, k in indices.items() if net >= 0]
    if known:
        nets, ks = zip(*known, strict=True)
        table[list(nets)] = ks
    return table


def _worst_first(g: np.ndarray, wanted: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Places (k, 2) of what is ``wrong``: one bad wire moves a whole tile, most of all its own."""
    at = np.argwhere(wrong)
    off = np.abs(np.log(g[wrong] / wanted[wrong]))
    return at[np.argsort(-off, kind="stable")]
