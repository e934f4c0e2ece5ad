"""Names of nets, built from indices: what a deck, a probe list and a trace call things.

``l`` layer, ``i`` input, ``d`` diode, ``o`` output, ``p`` and ``n`` a pair's lines, ``b`` bias.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import compress

from .. import cells
from .design import CrossbarStage, Design

SYMBOL_FOLDER, SYMBOL_TOP = "symbol", "top.cir"
"""Where in a BUILD the network is one subcircuit, and the deck that shows it."""


class StageNames:
    """Nets of one stage; every method returns a list in the order of the arrays' axes."""

    def __init__(self, design: Design, layer: int) -> None:
        self.layer = layer
        self.prefix = f"l{layer}_"
        self.stage: CrossbarStage = design.stages[layer]
        self.n_in, self.n_out, self.n_dev = self.stage.shape

    def sources(self) -> list[str]:
        """What the front starts from, I nets: the outputs of the stage before, or the DACs'."""
        if self.layer:
            return [f"l{self.layer - 1}_y{i}" for i in padded(self.n_in)]
        letter = "v" if self.stage.front.kind == "none" else "x"
        return [self.prefix + f"{letter}{i}" for i in padded(self.n_in)]

    def normed(self) -> list[str]:
        """After the LayerNorm, I nets: before a squash cell or at the diodes; else the sources."""
        front = self.stage.front
        if front.norm is None:
            return self.sources()
        letter = "v" if front.squash.kind == "none" else "n"
        return [self.prefix + f"{letter}{i}" for i in padded(self.n_in)]

    def inputs(self) -> list[str]:
        """Diode voltages, I nets: a cell's, or what the front starts from."""
        if self.stage.front.kind != "none":
            return [self.prefix + f"v{i}" for i in padded(self.n_in)]
        return self.sources()

    def driven(self, of: Iterable[str]) -> list[str]:
        """Those of I nets that lead to a diode."""
        return list(compress(of, self.stage.driven))

    def there(self, of: Iterable[str]) -> list[str]:
        """Those of R row nets that the circuit has."""
        return list(compress(of, self.stage.there))

    def shared(self) -> list[str]:
        """A LayerNorm's shared nets: the mean, the variance, the reciprocal spread."""
        return [self.prefix + name for name in ("mean", "square", "rms")]

    def row_ports(self) -> list[str]:
        """Rows as a tile calls them, R: ``i012_d1`` with d fastest, then ``b05``."""
        signal = [f"i{i}_d{d}" for i in padded(self.n_in) for d in padded(self.n_dev)]
        return signal + [f"b{b}" for b in padded(self.stage.n_bias)]

    def line_ports(self) -> list[str]:
        """Lines as a tile calls them, 2 O: ``o03_p``, ``o03_n``, ..."""
        return [f"o{o}_{sign}" for o in padded(self.n_out) for sign in "pn"]

    def rows(self) -> list[str]:
        """Row nets, R."""
        return [self.prefix + port for port in self.row_ports()]

    def sums(self) -> list[str]:
        """Summing nodes of the line amplifiers, 2 O."""
        return [self.prefix + port + "_sum" for port in self.line_ports()]

    def lines(self) -> list[str]:
        """Outputs of the line amplifiers, 2 O; of a summing read-out the positive are its own."""
        lines = [self.prefix + port for port in self.line_ports()]
        if not self.stage.readout.differences:
            lines[0::2] = self.outputs()
        return lines

    def line_amps(self) -> list[str]:
        """Instances of the line amplifiers, 2 O."""
        names = [f"x_{line}_tia" for line in self.lines()]
        if not self.stage.readout.differences:
            names[0::2] = [f"x_{y}_add" for y in self.outputs()]
        return names

    def outputs(self) -> list[str]:
        """Outputs of the stage, O."""
        return [self.prefix + f"y{o}" for o in padded(self.n_out)]

    def difference_amps(self) -> list[str]:
        """Instances of the difference amplifiers, O; none of a summing read-out."""
        return [f"x_{y}_diff" for y in self.outputs() if self.stage.readout.differences]


def dacs_of(design: Design) -> list[bool]:
    """Whether an input has its DAC, I: where it drives a diode, and before a LayerNorm."""
    first = design.stages[0]
    return [first.front.norm is not None or driven for driven in first.driven.tolist()]


def padded(n: int) -> list[str]:
    """``["00", "01", ...]``: the numbers below n, all of one width."""
    width = len(str(max(n - 1, 0)))
    return [f"{k:0{width}d}" for k in range(n)]


def logits(design: Design) -> list[str]:
    """The read-out nets, one a class."""
    return [f"logit_{o}" for o in padded(design.stages[-1].shape[1])]


def symbol_name(design: Design) -> str:
    """The network's name where it is one subcircuit: what a simulator, a file and a symbol may be
    called, and no cell of the circuit is."""
    text = re.sub(r"[^a-z0-9_]", "_", design.name.lower())
    inside = {cells.OPAMP, *cells.OPAMPS.values(), *(kind.name for kind in cells.known())}
    taken = text in inside or re.match(r"diode_|l\d+_tile_", text)
    return text if text[:1].isalpha() and not taken else f"net_{text}"


def symbol_pins(design: Design) -> dict[str, str]:
    """The subcircuit's pins in their order, inputs, outputs, then the supplies that its op-amps
    need, and the deck's net of each."""
    outputs = StageNames(design, len(design.stages) - 1).outputs()
    sides = {"v": StageNames(design, 0).sources(), "y": outputs}
    pins = {f"{letter}{k}": net for letter, nets in sides.items() for k, net in enumerate(nets)}
    return pins | {net: net for net in design.hardware.supplies}
