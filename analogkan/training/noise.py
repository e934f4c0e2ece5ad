"""Training for hardware: the network disturbed anew for every batch.

Axes: B batch, I inputs, O outputs, D diodes per input.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..compiler.closed_form import shifted
from ..errors import SettingsError
from ..imperfections.variation import Variation
from ..network.encoding import Encoding
from ..network.model import TDKAN, TDKANLayer
from ..settings import require

KINDS = ("additive", "multiplicative")


class Disturbance(Protocol):
    """What stands between a network and its loss while it is trained."""

    def document(self) -> dict[str, Any]:
        """Everything that its answers depend on, beside network, images and seed."""
        ...

    def prepare(self, encoding: Encoding, calibration: np.ndarray) -> None:
        """Called once before training; ``calibration`` (N, I) in input units."""
        ...

    def forward(
        self, model: TDKAN, volts: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, O), and hidden voltages before the squash, for ``volts`` (B, I).

        Draws come from ``generator`` alone, so that an epoch can be run again by itself.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise on coefficients, by the paper's formulas (arXiv 2510.23638), and on diodes.

    A batch is one chip: all its images see one draw. BatchNorm's statistics are those of the
    disturbed batch.

    Attributes
    ----------
    kind
        ``additive``: Theta + eps (Eq. 3), eps of ``sigma`` times the layer's largest ``|Theta|``;
        ``multiplicative``: Theta (1 + delta) (Eq. 6), delta of ``sigma``.
    sigma
        Standard deviation, a share of 1.
    diode_current, diode_voltage, diode_shift
        Of kI, kV (shares of 1) and dV (volts) in I = kI f(kV V + dV), each diode its own.
    die_current, die_voltage, die_shift
        The same, common to all diodes of one type in all layers.
    """

    kind: str
    sigma: float
    diode_current: float = 0.0
    diode_voltage: float = 0.0
    diode_shift: float = 0.0
    die_current: float = 0.0
    die_voltage: float = 0.0
    die_shift: float = 0.0

    def __post_init__(self) -> None:
        require(self.kind in KINDS, "noise", self.kind, " or ".join(KINDS))
        for name, value in asdict(self).items():
            if name != "kind":
                require(0 <= value <= 1, name, value, "0 to 1")

        if not any(value for name, value in asdict(self).items() if name != "kind"):
            raise SettingsError(
                f"noise {self.kind} with every sigma 0 disturbs nothing: give a variation that has "
                "sigma_g (multiplicative), sigma_g_abs (additive) or spreads of diodes"
            )

    def document(self) -> dict[str, Any]:
        """Its settings."""
        return asdict(self)

    def variation(self) -> Variation:
        """What differs in a chip of this noise."""
        sigma = "sigma_g" if self.kind == "multiplicative" else "sigma_g_abs"
        settings: dict[str, Any] = {sigma: self.sigma}
        for of in ("diode", "die"):
            for part in ("current", "voltage", "shift"):
                settings[f"{of}_sigma_{part}"] = getattr(self, f"{of}_{part}")
        return Variation(**settings)

    def prepare(self, encoding: Encoding, calibration: np.ndarray) -> None:
        """Nothing is needed."""

    def forward(
        self, model: TDKAN, volts: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, list[Tensor]]:
        """As ``TDKAN.forward_with_hidden``, with one draw of everything."""
        die = self._factors(
            (1, len(model.config.curves)),
            (self.die_current, self.die_voltage, self.die_shift),
            generator,
        )
        own = (self.diode_current, self.diode_voltage, self.diode_shift)
        hidden: list[Tensor] = []
        v = volts
        for k, layer in enumerate(model.layers):
            if k:
                v = model.normed(k, v)
                hidden.append(v)
            n_in, _, n_dev = layer.shape
            drawn = self._factors((n_in, n_dev), own, generator)
            factors = _joined(die, drawn)
            phi = _phi(layer, model.squashed(v), factors)
            weight = self.disturbed(layer.clipped(model.clip_sigma), generator)
            v = torch.nn.functional.linear(phi, weight, layer.bias)
        return v, hidden

    def disturbed(self, weight: Tensor, generator: torch.Generator) -> Tensor:
        """``weight`` (O, I D) with a draw of the noise; itself if ``sigma`` is 0."""
        if not self.sigma:
            return weight
        draw = self.sigma * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        draw = draw.to(weight.device)
        if self.kind == "multiplicative":
            return weight * (1 + draw)
        cells = weight.detach() != 0  # a coefficient of zero has none
        return weight + draw * cells * weight.detach().abs().max()

    def _factors(
        self, shape: tuple[int, int], sigmas: tuple[float, ...], generator: torch.Generator
    ) -> tuple[Tensor, ...] | None:
        """kI, kV, dV of ``shape``; None if nothing is drawn."""
        if not any(sigmas):
            return None
        current, voltage, shift = (
            sigma * torch.randn(shape, generator=generator) for sigma in sigmas
        )
        return 1 + current, 1 + voltage, shift


def _joined(
    die: tuple[Tensor, ...] | None, own: tuple[Tensor, ...] | None
) -> tuple[Tensor, ...] | None:
    if die is None or own is None:
        return own if die is None else die
    return die[0] * own[0], die[1] * own[1], die[2] + own[2]


def _phi(layer: TDKANLayer, v: Tensor, factors: tuple[Tensor, ...] | None) -> Tensor:
    """Basis values (B, I D) at diode voltages ``v`` (B, I); CPU's ``factors`` (I or 1, D)."""
    if factors is None:
        return layer.basis(v)
    k_i, k_v, d_v = (factor.to(v.device) for factor in factors)
    at = v[..., None]
    at = shifted(at, k_v, d_v) if bool(factors[2].any()) else k_v * at
    return (k_i * layer.basis.each(at)).flatten(1)
