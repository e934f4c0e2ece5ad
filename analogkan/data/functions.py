# pyright: strict
"""Functions to approximate, as data sets that need no file: 2,500 points each, 500 for test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .images import CLASSIFICATION, REGRESSION, ImageSet, Names, checked

POINTS, TEST, SEED = 2500, 500, 0
KELVIN = 273.15
R_25, BETA = 10e3, 3950.0
"""Ohms at 25 degC and kelvins of a common thermistor."""
TYPE_K = (
    0.0, 2.508355e1, 7.860106e-2, -2.503131e-1, 8.315270e-2, -1.228034e-2, 9.804036e-4,
    -4.413030e-5, 1.057734e-6, -1.052755e-8,
)  # fmt: skip
"""degC from millivolts, 0 to 500 degC: ITS-90 inverse polynomial of type K (NIST Monograph 175)."""
SPIRAL_TURNS = 1.75
"""Of the two arms; assumed."""


def _bessel(x: np.ndarray) -> np.ndarray:
    from scipy.special import j0  # with which every data set would wait

    return j0(x)


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of I inputs.

    Attributes
    ----------
    what
        What it is, for help.
    low, high
        (I,) the range that its inputs are drawn from, evenly.
    of
        From inputs (n, I) to targets (n,), or to classes.
    inputs, target
        Names and units.
    source
        Where it is a test, or where its constants are from.
    """

    what: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    of: Callable[[np.ndarray], np.ndarray]
    inputs: Names = (("x", ""),)
    target: tuple[str, str] = ("y", "")
    source: str = ""


def _ratio_to_celsius(x: np.ndarray) -> np.ndarray:
    """Of a divider: the thermistor below a resistor of ``R_25``, whose ratio is x."""
    ohms = R_25 * x[:, 0] / (1 - x[:, 0])
    return 1 / (1 / (25 + KELVIN) + np.log(ohms / R_25) / BETA) - KELVIN


def _divider(celsius: float) -> float:
    ohms = R_25 * np.exp(BETA * (1 / (celsius + KELVIN) - 1 / (25 + KELVIN)))
    return float(ohms / (ohms + R_25))


def _gaussians(x: np.ndarray) -> np.ndarray:
    """Inside or outside the ring between two Gaussians of one centre, at equal density."""
    return (np.hypot(x[:, 0], x[:, 1]) > 0.6).astype(np.int64)


def _spirals(x: np.ndarray) -> np.ndarray:
    """Which of two arms a point is nearer to."""
    radius, angle = np.hypot(x[:, 0], x[:, 1]), np.arctan2(x[:, 1], x[:, 0])
    phase = angle - 2 * np.pi * SPIRAL_TURNS * radius
    return (np.sin(phase) > 0).astype(np.int64)


TWO = (("x1", ""), ("x2", ""))
PYKAN, FLEXIBLE = "pykan's examples (arXiv 2404.19756)", "arXiv 2502.01489"
FUNCTIONS: dict[str, Function] = {
    "exp-sin": Function(
        what="exp(sin(pi x1) + x2^2)", low=(-1, -1), high=(1, 1), inputs=TWO, source=PYKAN,
        of=lambda x: np.exp(np.sin(np.pi * x[:, 0]) + x[:, 1] ** 2),
    ),
    "product": Function(
        what="x1 x2", low=(-1, -1), high=(1, 1), inputs=TWO, source=PYKAN,
        of=lambda x: x[:, 0] * x[:, 1],
    ),
    "quotient": Function(
        what="x1 / x2", low=(0.5, 0.5), high=(1.5, 1.5), inputs=TWO, source=PYKAN,
        of=lambda x: x[:, 0] / x[:, 1],
    ),
    "bessel": Function(
        what="J0(20 x)", low=(0,), high=(1,), source=PYKAN, of=lambda x: _bessel(20 * x[:, 0])
    ),
    "sqrt": Function(
        what="sqrt(x)", low=(0,), high=(1,), source=FLEXIBLE, of=lambda x: np.sqrt(x[:, 0])
    ),
    "log10": Function(
        what="log10(x)", low=(0.1,), high=(1,), source=FLEXIBLE, of=lambda x: np.log10(x[:, 0])
    ),
    "square": Function(
        what="x^2", low=(-1,), high=(1,), source=FLEXIBLE, of=lambda x: x[:, 0] ** 2
    ),
    "tanh": Function(
        what="tanh(3 x)", low=(-1,), high=(1,), source=FLEXIBLE, of=lambda x: np.tanh(3 * x[:, 0])
    ),
    "reciprocal": Function(
        what="1 / (1 + x)", low=(0,), high=(1,), source=FLEXIBLE, of=lambda x: 1 / (1 + x[:, 0])
    ),
    "thermistor": Function(
        what="a thermistor's divider (10 kohm, B = 3950) to 0 to 100 degC",
        low=(_divider(100),), high=(_divider(0),), of=_ratio_to_celsius,
        inputs=(("ratio", "V/V"),), target=("temperature", "degC"),
    ),
    "thermocouple": Function(
        what="a type K thermocouple's voltage to 0 to 500 degC", low=(0,), high=(20.644,),
        of=lambda x: np.polynomial.polynomial.polyval(x[:, 0], TYPE_K),
        inputs=(("voltage", "mV"),), target=("temperature", "degC"),
        source="NIST Monograph 175",
    ),
    "ring": Function(
        what="two classes, inside a ring and outside", low=(-1, -1), high=(1, 1), inputs=TWO,
        of=_gaussians,
    ),
    "spirals": Function(
        what="two classes, the arms of a spiral", low=(-1, -1), high=(1, 1), inputs=TWO,
        of=_spirals,
    ),
}  # fmt: skip
"""By the name that ``load_dataset`` knows them by."""


def load_function(name: str, split: str) -> ImageSet:
    """The training or the test points of a function: drawn evenly from its range with seed 0.

    Examples
    --------
    >>> ak.load_dataset("thermistor", "test")
    ImageSet thermistor test, all 500: 500 of 1 float64, temperature (degC)
    """
    function = FUNCTIONS[name]
    rng = np.random.default_rng(SEED)
    low, high = np.array(function.low), np.array(function.high)
    x = low + (high - low) * rng.random((POINTS, len(low)))
    x[0], x[1] = low, high  # so that the ends are learned
    chosen = slice(None, POINTS - TEST) if split == "train" else slice(POINTS - TEST, None)
    y = function.of(x)
    task = REGRESSION if y.dtype.kind == "f" else CLASSIFICATION
    return checked(
        name, x[chosen], y[chosen], name, task=task, inputs=function.inputs,
        targets=(function.target,) if task == REGRESSION else (),
    )  # fmt: skip
