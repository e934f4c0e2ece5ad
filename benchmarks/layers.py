"""A chip of mnist-d2 in the twin beside aihwkit's forward of layers of its crossbars' shapes.

The twin's is a chip under rram with all that preset draws: drawn, its diodes, its two layers, the
classes of 10,000 images, in the precision that a study takes by itself. aihwkit's is its two analog
layers alone, 392-64 and 128-10, without diodes (``TorchInferenceRPUConfig``, noise as of PCM cells,
float32); ``program_analog_weights`` is what draws a chip of them. aihwkit comes without what it
asks for and does not need here:

    pip install --no-deps aihwkit        # Python 3.11: aihwkit==1.1.0, the last with a wheel for it

One thread.
"""

from __future__ import annotations

import torch

from analogkan.engines.arithmetic import FLOAT64
from analogkan.engines.twin import one_torch_thread

from .measure import Row, Way, among, not_run
from .subjects import Subject, chips_of, subject
from .twin import MANY

AIHWKIT = (
    "its forward, perfect",
    "its default forward: converters and noise",
    "the same, with a chip programmed",
)


def measured(quick: bool = False) -> list[Row]:
    """A chip of the twin's over a forward of aihwkit's and over the products alone."""
    with subject(MANY, quick=quick) as of, one_torch_thread, torch.no_grad():
        n = len(of.images)
        ours = Way(f"twin, a chip of {n:,} images, drawn and judged", chips_of(of.build, of.images))
        exact = chips_of(of.build, of.images, precision=FLOAT64)
        others = [
            Way("the same chip in float64", exact),
            _products(of, torch.float32),
            _products(of, torch.float64),
        ]
        try:
            others += _aihwkit(of)
            missing = []
        except ImportError as error:
            why = f"pip install --no-deps aihwkit ({error})"
            missing = [not_run(ours.name, f"aihwkit, {way}", why) for way in AIHWKIT]
        return among(ours, others, quick=quick) + missing


def _shapes(of: Subject) -> list[tuple[int, int]]:
    """Diode rows and outputs of each layer."""
    return [(i * d, o) for i, o, d in (layer.theta.shape for layer in of.build.spec.layers)]


def _inputs(of: Subject, dtype: torch.dtype) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.rand(len(of.images), rows, dtype=dtype) for rows, _ in _shapes(of)]


def _products(of: Subject, dtype: torch.dtype) -> Way:
    pairs = [
        (x, torch.randn(shape, dtype=dtype))
        for x, shape in zip(_inputs(of, dtype), _shapes(of), strict=True)
    ]
    shapes = " and ".join(f"{i} x {o}" for i, o in _shapes(of))
    name = f"its matrix products alone, {str(dtype).removeprefix('torch.')}"
    return Way(name, lambda: [x @ w for x, w in pairs], note=shapes)


def _aihwkit(of: Subject) -> list[Way]:
    """Its layers as they are, with converters and noise, and programmed anew each time."""
    from importlib.metadata import version

    from aihwkit.nn import AnalogLinear  # pyright: ignore[reportMissingImports]
    from aihwkit.simulator.configs import (  # pyright: ignore[reportMissingImports]
        TorchInferenceRPUConfig,
    )

    inputs = _inputs(of, torch.float32)

    def layers(perfect: bool) -> list:
        config = TorchInferenceRPUConfig()
        config.forward.is_perfect = perfect
        made = [AnalogLinear(i, o, bias=False, rpu_config=config).eval() for i, o in _shapes(of)]
        for layer in made:
            layer.program_analog_weights()
        return made

    perfect, default = layers(True), layers(False)

    def forward(made: list) -> None:
        for layer, x in zip(made, inputs, strict=True):
            layer(x)

    def programmed() -> None:
        for layer in default:
            layer.program_analog_weights()
        forward(default)

    calls = (lambda: forward(perfect), lambda: forward(default), programmed)
    note = f"aihwkit {version('aihwkit')}, float32"
    return [
        Way(f"aihwkit, {name}", call, note=note) for name, call in zip(AIHWKIT, calls, strict=True)
    ]
