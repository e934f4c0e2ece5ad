"""An MLP with a device's curve as activation, as the arrays that a circuit is compiled from.

It is a network whose first layer has one resistor an input instead of diodes (a resistor is a
two-point table), and whose hidden nodes each drive one device: crossbar, device, crossbar.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..devices import IVCurve, get
from ..devices.fit import tabulate
from ..devices.formulas import mosfet_2n7002, resonant_tunnel_diode
from ..errors import SettingsError
from .baselines import MLP, PEAK_AMPERES
from .config import TDKANConfig
from .encoding import Encoding
from .model import TDKAN, TDKANLayer, as_array
from .spec import LayerSpec, NetworkSpec

TOLERANCE = 1e-4
"""Of a tabulated formula, a share of its peak."""
MARGIN = 0.1
"""By which a formula's table goes on beyond what the calibration inputs use, a share of that."""
RESISTOR = IVCurve("R1M", np.array([0.0, 1.0]), np.array([0.0, 1e-6]), source="1 megohm")
FORMULAS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "rtd": (resonant_tunnel_diode, PEAK_AMPERES),
    "mosfet": (mosfet_2n7002, 1e-3),
}
"""Activations that are formulas: amperes of volts, and the current that makes 1."""
DEVICES = ("cmtd", *FORMULAS)


class DeviceMLP(TDKAN):
    """An MLP whose hidden nodes each drive one device, trained as a TD-KAN is: norms, range penalty
    and clipping with it. Its inputs drive resistors, and so are 0 to 1 V.

    Parameters: sum (I + 1) O + 2 per normed hidden node.
    """

    def __init__(self, config: TDKANConfig) -> None:
        if len(config.curves) != 1 or config.patches:
            raise SettingsError(
                f"an MLP has one device a hidden node and no convolutions, here "
                f"{len(config.curves)} and {len(config.patches)}"
            )
        super().__init__(config)
        self.layers[0] = TDKANLayer(*config.sizes[:2], (RESISTOR,))  # type: ignore


def mlp_spec(
    model: MLP,
    activation: str,
    x: np.ndarray,
    *,
    shape: tuple[int, ...],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    name: str,
    dataset: str = "",
) -> NetworkSpec:
    """``model`` as a network: its DACs put 0 to 1 V for 8-bit values, norms are folded.

    Parameters
    ----------
    activation
        ``cmtd``, ``rtd`` or ``mosfet``. Formulas become tables on what ``x`` uses and a tenth
        more, to 1e-4 of their peak, flat outside.
    x
        (N, I) 8-bit calibration inputs, which also size the circuit's gains.
    shape
        Of one input.
    mean, std
        What the model's inputs, 0 to 1, are normalised by: one number, or one a colour.

    Raises
    ------
    SettingsError
        If the activation is no device.
    """
    if activation not in DEVICES:
        raise SettingsError(f"activation {activation!r} is no device: {', '.join(DEVICES)}")
    weights = [as_array(layer.weight) for layer in model.layers]
    biases = [as_array(layer.bias) for layer in model.layers]
    repeat = weights[0].shape[1] // len(mean)
    centre, spread = np.tile(mean, repeat), np.tile(std, repeat)
    biases[0] = biases[0] - weights[0] @ (centre / spread)
    weights[0] = weights[0] / spread
    z, scale, curve = x / 255.0, 1.0, RESISTOR
    layers = []
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if k:
            curve, scale = _device(activation, k, z)
            z = curve.phi(z)
        theta = scale * weight.T[:, :, None]
        layers.append(LayerSpec(theta=theta, bias=bias, curves=(curve,)))
        z = z @ theta[:, :, 0] + bias
    encoding = Encoding(x_lo=0.0, x_hi=255.0, v_lo=0.0, v_hi=1.0, shape=shape)
    return NetworkSpec(
        name=name, layers=tuple(layers), encoding=encoding, dataset=dataset, calibration=x
    )


def _device(activation: str, layer: int, z: np.ndarray) -> tuple[IVCurve, float]:
    """The curve behind layer ``layer`` - 1's outputs ``z`` (N, O), volts; the activation at 1."""
    if activation == "cmtd":
        return get("A21"), 1.0
    formula, unit = FORMULAS[activation]
    room = MARGIN * float(np.ptp(z))
    fit = tabulate(formula, float(z.min()) - room, float(z.max()) + room, tolerance=TOLERANCE)
    curve = IVCurve(f"{activation.upper()}{layer}", fit.v, fit.i, source=formula.__doc__ or "")
    return curve, curve.i_peak / unit
