"""The verdict on ngspice: what it delivered, against the closed form of the very same circuit.

Axes: n images (or points of a circuit that is held), O outputs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..compiler.closed_form import why_no_verdict
from ..compiler.design import Design
from ..compiler.hardware import Hardware
from ..compiler.spice_cells import TEMPERATURE_C
from ..errors import DisagreementError, SimulationError
from .arithmetic import BLOCK
from .designed import designed_volts, is_designed

TOLERANCE = 1e-6
"""Largest difference allowed between twin and ngspice, as a share of full scale. Both solve the
same equations; ngspice's Newton iteration stops well below this at the tolerances of our decks, so
an excess is a bug, or no result."""
LOST = 1e-14
"""Of full scale, per open-loop gain of the op-amps, without KLU: what the other solver loses to
cancellation is 2e-15 (random networks 20-12-5, gains 1e7 to 1e12, seeds 0 to 4, n = 20 images)."""
LEAST_SHARE = 0.1
"""Of what a line may reach: full scale is no less, so that few images, or a dead output, are not
held to the digits that a difference of two lines has lost. Assumed."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The largest of a run's differences.

    Attributes
    ----------
    image, layer, column
        Where: the image's position in its data set, the layer, its output.
    what
        ``logit``, ``held value`` or ``hidden volts``: what the two values are.
    twin, ngspice
        The two values; the second is that of the simulator.
    full_scale
        The layer's largest absolute value in the twin, or ``LEAST_SHARE`` of what it may reach.
    tolerance
        The share of it that is allowed.
    """

    image: int
    layer: int
    column: int
    what: str
    twin: float
    ngspice: float
    full_scale: float
    tolerance: float

    @property
    def share(self) -> float:
        """Of full scale."""
        return abs(self.twin - self.ngspice) / self.full_scale


def allowed(hardware: Hardware, klu: bool) -> float:
    """Share of full scale by which ngspice, with ``klu`` or not, may differ from the twin."""
    return TOLERANCE if klu else max(TOLERANCE, LOST * hardware.opamp_gain_used)


class Reference:
    """What a circuit gives by its closed form, and the verdict on what ngspice says that it gives.

    The twin is asked once, when the first values come. Calls may come from several threads.

    Parameters
    ----------
    design
        The circuit.
    klu
        Whether ngspice has it.
    volts
        (n, I) at its inputs.
    index
        (n,) positions for read noise, see ``base.ChipEngine``.
    images
        (n,) what a sentence calls each; by default ``index``.
    temp_c
        Degrees Celsius.
    hidden
        The hidden stages' outputs, volts, are delivered too: after the logits.
    layer, column
        Numbers of its first stage and of its first output in its network.
    logits
        Its outputs are logits, not values that are held.
    why_not
        Why the twin is not that very circuit, so that a difference is no verdict; by default what
        ``closed_form.why_no_verdict`` says.
    by
        What the simulator is called.
    """

    def __init__(
        self,
        design: Design,
        klu: bool,
        volts: np.ndarray,
        index: np.ndarray,
        *,
        images: np.ndarray | None = None,
        temp_c: float = TEMPERATURE_C,
        hidden: bool = False,
        layer: int = 0,
        column: int = 0,
        logits: bool = True,
        why_not: str = "",
        by: str = "ngspice",
    ) -> None:
        self._design, self._volts, self._index, self._temp_c = design, volts, index, temp_c
        self._klu = klu
        self._images = index if images is None else images
        last = len(design.stages) - 1
        self._stages = [last, *range(last)] if hidden else [last]
        self._first, self._column, self._logits = layer, column, logits
        self._lock = threading.Lock()
        self._wanted: list[np.ndarray] = []
        self.why_not, self._by = why_not or why_no_verdict(design.hardware), by

    def check(self, start: int, values: np.ndarray) -> Difference | None:
        """Compare ``values`` (m, outputs), of images ``start`` and on; the largest difference.

        None if there is no closed form, as ``why_not`` then says.

        Raises
        ------
        DisagreementError
            If it is more than ``allowed`` and the twin is that very circuit.
        """
        with self._lock:
            if not self._wanted and not self._ask():
                return None
        found = self._largest(start, values)
        if not self.why_not and not found.share <= found.tolerance:
            raise DisagreementError(_sentence(found, self._by))
        return found

    def _ask(self) -> bool:
        """Whether the twin has an answer."""
        try:
            volts = self._answers()
        except SimulationError as error:
            self.why_not = self.why_not or f"the twin has no closed form of it: {error}"
            return False
        volts[-1] = volts[-1] / self._design.v_per_logit
        self._wanted = volts
        return True

    def _answers(self) -> list[np.ndarray]:
        """Outputs (n, O) of every stage, volts."""
        if is_designed(self._design):
            return designed_volts(self._design, self._volts, self._temp_c)
        from .twin import Twin, one_torch_thread
        from .twin_inputs import prepared

        with one_torch_thread:
            twin = Twin([self._design], self._temp_c)
            return twin.stage_volts(prepared(self._volts), self._index, BLOCK)

    def _largest(self, start: int, values: np.ndarray) -> Difference:
        found, taken = [], 0
        tolerance = allowed(self._design.hardware, self._klu)
        for k in self._stages:
            wanted, own = self._wanted[k], k == self._stages[0]
            given = values[:, taken : taken + wanted.shape[1]]
            taken += wanted.shape[1]
            apart = np.abs(given - wanted[start : start + len(values)])
            i, o = (int(at) for at in np.unravel_index(apart.argmax(), apart.shape))
            found.append(
                Difference(
                    image=int(self._images[start + i]),
                    layer=self._first + k,
                    column=o + self._column * own,
                    what=("logit" if self._logits else "held value") if own else "hidden volts",
                    twin=float(wanted[start + i, o]),
                    ngspice=float(given[i, o]),
                    full_scale=self._full_scale(k),
                    tolerance=tolerance,
                )
            )
        return max(found, key=lambda one: one.share)

    def _full_scale(self, k: int) -> float:
        stage, hardware = self._design.stages[k], self._design.hardware
        reach = float(stage.gain.max()) * hardware.headroom * hardware.v_rail
        unit = self._design.v_per_logit if k == self._stages[0] else 1.0
        return max(float(np.abs(self._wanted[k]).max()), LEAST_SHARE * reach / unit)


def _sentence(found: Difference, by: str) -> str:
    at = f"layer {found.layer}, output {found.column}"
    if found.what == "logit":
        at = f"class {found.column}"
    return (
        f"{by} does not give what the circuit's closed form gives: image "
        f"{found.image}, {at}: {found.what} {found.ngspice:.9g} in {by}, {found.twin:.9g} in "
        f"the twin, {found.share:.1e} of full scale apart where {found.tolerance:g} is allowed"
    )


def farthest(found: Iterable[Difference | None]) -> Difference | None:
    """The one that is farthest from the twin; None if nothing was compared."""
    known = (one for one in found if one is not None)
    return max(known, key=lambda one: one.share, default=None)


def tell(
    found: Iterable[Difference | None], reasons: Iterable[str], **facts: Any
) -> dict[str, Any]:
    """The verdict as result.json has it: passed, or None and ``why_not``.

    Parameters
    ----------
    found
        What ``Reference.check`` said, of all parts.
    reasons
        Every part's ``why_not``; empty ones are left out.
    facts
        What else it says, such as how many images.
    """
    worst = farthest(found)
    why_not = next(filter(None, reasons), "")
    return {
        "passed": None if why_not or worst is None else True,
        "why_not": why_not,
        **facts,
        "max_abs_difference": None if worst is None else abs(worst.twin - worst.ngspice),
        "share_of_full_scale": None if worst is None else worst.share,
        "full_scale": None if worst is None else worst.full_scale,
        "tolerance": None if worst is None else worst.tolerance,
        "worst": None if worst is None else asdict(worst),
    }
