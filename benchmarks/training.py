"""A step of training: a TD-KAN layer beside others of its shape, and a network through chips.

A step is a batch of 128 forwards, backwards and through Adam, in float32, on one thread. Layers are
196 to 64; the einsum layer has the same basis functions and sums over three axes, the B-spline one
is a KAN's (order 3 on 5 intervals, silu beside it; Cox and de Boor's recursion). Through chips is
`train` with recipe finetune and preset rram, its drawings in it: 12 of them in 48 steps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from analogkan.devices import resolve
from analogkan.engines.twin import one_torch_thread
from analogkan.network.baselines import SplineLayer
from analogkan.network.model import TDKAN, TDKANConfig, TDKANLayer
from analogkan.training.adam import adam, constant
from analogkan.training.fit import train
from analogkan.training.noise import Disturbance
from analogkan.training.recipe import load_recipe
from analogkan.training.run import disturbance_of

from .measure import Row, Way, among, beside
from .subjects import subject

SHAPE, BATCH, STEPS = (196, 64), 128, 48
DEVICES = "A21,Z21"


class EinsumLayer(TDKANLayer):
    """Its product as it is written: over inputs and diodes, with theta as documented."""

    def forward(self, v: Tensor, *, clip_sigma: float = 0.0) -> Tensor:
        """As ``TDKANLayer``."""
        return torch.einsum("bid,iod->bo", self.basis.values(v), self.theta) + self.bias


def measured(quick: bool = False) -> list[Row]:
    """Steps of layers over each other, and of trainings over a plain one."""
    with one_torch_thread:
        return [*_layers(quick), *_trainings(quick)]


def _layers(quick: bool) -> list[Row]:
    n_in, n_out = (16, 8) if quick else SHAPE
    curves = resolve(DEVICES)
    ours = _steps(TDKANLayer(n_in, n_out, curves), n_in)
    others = {
        "an einsum layer of the same basis functions": EinsumLayer(n_in, n_out, curves),
        "a layer of B-splines": SplineLayer(n_in, n_out, grid=5, order=3, scaler=False),
        "a linear layer, without basis functions": nn.Linear(n_in, n_out),
    }
    return among(
        Way(f"a step of a TD-KAN layer {n_in} to {n_out}, two diodes", ours),
        [Way(name, _steps(layer, n_in)) for name, layer in others.items()],
        quick=quick,
    )


def _steps(layer: nn.Module, n_in: int) -> Callable[[], None]:
    """Some steps on random volts and targets; all layers pass a gradient on to their inputs."""
    generator = torch.Generator().manual_seed(0)
    volts = torch.rand(BATCH, n_in, generator=generator).requires_grad_()
    optimiser = adam(layer, constant(1e-3))

    def steps() -> None:
        for _ in range(STEPS):
            optimiser.zero_grad()
            layer(volts).square().mean().backward()
            optimiser.step()

    return steps


def _trainings(quick: bool) -> list[Row]:
    with subject(1000, quick=quick) as of:
        spec, images = of.build.spec, of.images
        config = TDKANConfig(sizes=spec.sizes, curves=spec.layers[0].curves, norm="none")
        model = TDKAN(config)
        with torch.no_grad():
            for mine, layer in zip(model.layers, spec.folded().layers, strict=True):
                mine.theta.copy_(torch.from_numpy(layer.theta))
                mine.bias.copy_(torch.from_numpy(layer.bias))
        recipe = replace(load_recipe("finetune", epochs=1 if quick else 6), batch=BATCH)

        def trained(disturbance: Disturbance | None) -> None:
            train(images, recipe, start=(copy.deepcopy(model), spec), disturbance=disturbance)

        plain = partial(trained, None)
        ways = {
            "with noise on coefficients and diodes": disturbance_of("multiplicative", "rram"),
            "through chips, rram": disturbance_of("twin", "rram"),
            "through chips, rram, wires of 20 ohm": disturbance_of("twin", "rram", ["r_wire=20"]),
        }
        against = "a training without hardware"
        return [
            beside(f"a training {name}", against, partial(trained, way), plain, quick=quick)
            for name, way in ways.items()
        ]
