"""Networks that a TD-KAN of a function stands beside: MLPs and KANs of B-splines."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from ..data import ImageSet
from ..network.baselines import SplineKAN, parameter_count, parameters_of
from .adam import adam, cosine
from .fit import generator_of, least, threads_for
from .goals import Goal
from .recipe import Recipe

GRID, ORDER = 5, 3
"""Of the B-spline KANs, pykan's own."""


def rivals(inputs: int, outputs: int, most: int) -> dict[str, Callable[[], nn.Module]]:
    """An MLP with tanh and a B-spline KAN, of one hidden layer and at most so many parameters."""

    def mlp(width: int) -> nn.Module:
        return nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, outputs))

    def spline(width: int) -> nn.Module:
        return SplineKAN((inputs, width, outputs), grid=GRID, order=ORDER)

    def widest(make: Callable[[int], nn.Module]) -> Callable[[], nn.Module]:
        fitting = (w for w in itertools.count(2) if parameters_of(partial(make, w)) > most)
        return partial(make, next(fitting) - 1)

    return {"mlp": widest(mlp), "spline": widest(spline)}


def fit_rival(
    make: Callable[[], nn.Module],
    known: ImageSet,
    test: ImageSet,
    goal: Goal,
    recipe: Recipe,
    seed: int,
) -> tuple[np.ndarray, int]:
    """Outputs (n, K) of a rival for the test points, trained as a TD-KAN by ``recipe``: Adam, then
    L-BFGS if it says so, inputs -1 to 1; and how many parameters it has.

    Axes: n points, K outputs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make()
    low, high = known.x.min(axis=0), known.x.max(axis=0)
    x, at = (torch.from_numpy(2 * (i.x - low) / (high - low) - 1) for i in (known, test))
    wanted = goal.wanted
    model.double()
    steps = -(-len(x) // recipe.batch) * recipe.epochs
    optimiser = adam(model, cosine(recipe.learning_rate, steps))
    with threads_for(model):
        for epoch in range(recipe.epochs):
            order = torch.randperm(len(x), generator=generator_of(seed, epoch + 1))
            for index in order.split(recipe.batch):
                loss = goal.loss(model(x[index]), wanted[index])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    if recipe.finish:
        least(model, lambda: goal.loss(model(x), wanted), recipe.finish)
    with torch.no_grad():
        return model(at).numpy(), parameter_count(model)
