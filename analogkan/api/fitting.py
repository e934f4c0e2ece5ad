# pyright: strict
"""Hardware for the cells that a user brings."""

from __future__ import annotations

from collections.abc import Collection

from ..compiler.hardware import Hardware
from ..network.spec import NetworkSpec
from .own import Fitted, with_npn, with_opamp
from .own_diodes import with_diodes
from .replacing import NPN, OwnCells


def fitted(
    own: OwnCells,
    spec: NetworkSpec,
    hardware: Hardware,
    chosen: Collection[str],
    most: int | None = None,
) -> Fitted:
    """Measure the cells in ngspice, and choose hardware for them; ``chosen`` are settings that stay
    as they are, ``most`` is that of ``write_build``.

    Raises
    ------
    SettingsError
        If another of the kind is chosen too, what is given is out of its range, or the network has
        no place for it.
    NetlistError
        If a file is no such cell's.
    SimulationError
        As for ``characterise`` and ``measure_transistor``.
    CompileError
        If the op-amp cannot do what the network asks.
    """
    found = Fitted(hardware=hardware, beside={}, told={})
    if own.opamps:
        found = with_opamp(own, spec, hardware, chosen, most)
    if NPN in own.files:
        found = with_npn(own, spec, found, chosen)
    return with_diodes(own, spec, found) if own.diodes else found
