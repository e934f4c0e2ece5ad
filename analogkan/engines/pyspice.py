"""A Design as a PySpice circuit, for those who go on with it there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit
from PySpice.Spice.NgSpice.Shared import NgSpiceShared

from ..compiler import spice, spice_cells
from ..compiler.design import Design
from ..errors import NetlistError
from .library import find_library


class DeckCircuit(Circuit):
    """A PySpice ``Circuit`` whose ``simulator()`` is set up as a deck is.

    That is, ngspice as a library, the one ``find_library`` finds, at the decks' temperature.
    """

    def simulator(self, *args: Any, **kwargs: Any) -> Any:
        """As in PySpice, with other defaults."""
        if not NgSpiceShared._instances:
            NgSpiceShared.LIBRARY_PATH = find_library()
        defaults = {
            "simulator": "ngspice-shared",
            "temperature": spice_cells.TEMPERATURE_C,
            "nominal_temperature": spice_cells.TEMPERATURE_C,
        }
        return super().simulator(*args, **defaults | kwargs)


def to_pyspice(
    design: Design,
    volts: np.ndarray | None = None,
    temp_c: float = spice_cells.TEMPERATURE_C,
) -> DeckCircuit:
    """The whole circuit as PySpice elements, electrically the deck.

    Tiles are ``SubCircuit`` objects of resistors; diodes, amplifiers and tiles are instances (X);
    inputs are voltage sources named after their nets, so that ``circuit["V_l0_v000"].dc_value =
    0.3`` sets one; read-outs are E sources to the nets ``logit_0``, ... The cells and the diodes'
    tables come as SPICE text in ``raw_spice``, with the decks' solver options.

    PySpice makes an object of every element: some 40 us and 1.5 kB each, so 75,000 resistors
    cost seconds before anything is simulated, and a batch of images is quicker with ``simulate``.

    Parameters
    ----------
    design
        The circuit.
    volts
        (I,) volts of the input sources; 0 if not given.
    temp_c
        Degrees Celsius: at other ones a chip's diodes and offsets, and most reduced wires, are not
        what the circuit has.

    Raises
    ------
    NetlistError
        If ``volts`` are not I finite numbers.

    Examples
    --------
    >>> circuit = ak.to_pyspice(ak.load_build("mnist-d2.build").design)
    >>> float(circuit["V_l0_v000"].dc_value)
    0.0
    """
    n_in = design.stages[0].shape[0]
    volts = np.zeros(n_in) if volts is None else np.asarray(volts)
    if volts.shape != (n_in,):
        raise NetlistError(f"volts has shape {volts.shape}; this network takes ({n_in},)")
    if not np.isfinite(volts).all():
        bad = int(np.argmin(np.isfinite(volts)))
        raise NetlistError(f"volts[{bad}] = {volts[bad]:g} is not finite")
    title = spice_cells.format_comment(f"analogkan: {design.name}").splitlines()[0]
    circuit = DeckCircuit(title.lstrip("* "))
    if design.hardware.loaded:
        raise NetlistError(
            f"{design.name} has compiled models, which are files beside a deck, and a circuit of "
            "PySpice has none: run the BUILD's own deck"
        )
    own = [library.text for library in design.hardware.libraries.values()]
    circuit.raw_spice = "\n".join(
        [
            *own,
            spice_cells.write_cells(design, temp_c=temp_c),
            *spice.format_options(design, temp_c),
            "",
        ]
    )
    texts = [spice.write_layer(design, k, temp_c) for k in range(len(design.stages))]
    texts += [spice.write_stimulus(design, volts), "\n".join(spice.format_read_out(design))]
    for text in texts:
        _add(circuit, text)
    return circuit


def _add(circuit: Any, text: str) -> None:
    """Make elements of the lines that ``compiler.spice`` writes; it writes no others."""
    into = circuit
    for name, *words in _lines(text):
        if name == ".subckt":
            into = SubCircuit(*words)
        elif name == ".ends":
            circuit.subcircuit(into)
            into = circuit
        elif name[0] == "r":
            model = {"raw_spice": words[3]} if len(words) > 3 else {}
            into.R(name[1:], *words[:2], float(words[2]), **model)
        elif name[0] == "v":
            into.V(name[1:], *words[:2], float(words[3]))  # v_net net 0 dc value
        elif name[0] == "e":
            into.VCVS(name[1:], *words[:4], voltage_gain=float(words[4]))
        elif name[0] == "x":
            settings = dict(word.split("=") for word in words if "=" in word)
            *nodes, cell = (word for word in words if "=" not in word)
            into.X(name[1:], cell, *nodes, **settings)
        else:
            raise NetlistError(f"{name} is no element that to_pyspice knows")


def _lines(text: str) -> Iterator[list[str]]:
    """Words of each logical line, comments left out."""
    for line in text.replace("\n+", "").splitlines():
        if line and not line.startswith("*"):
            yield line.split()
