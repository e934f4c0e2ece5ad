"""Affine augmentation of grey images."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .recipe import Recipe

BLOCK = 10_000
"""Images transformed at once, to bound memory."""


def augmented(
    images: Tensor, shape: tuple[int, ...], recipe: Recipe, generator: torch.Generator
) -> Tensor:
    """Each image turned, scaled, sheared and shifted by its own draw, then resized.

    Parameters
    ----------
    images
        (n, H, W) uint8.
    shape
        (h, w) of the result.

    Returns
    -------
    Tensor
        (n, h * w) float32, same units.
    """
    out = torch.empty(len(images), shape[0] * shape[1])
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK, None].float()
        grid = functional.affine_grid(
            _draw(len(block), block.shape[-2:], recipe, generator),
            list(block.shape),
            align_corners=False,
        )
        moved = functional.grid_sample(block, grid, align_corners=False)
        if moved.shape[-2:] != shape:
            moved = functional.interpolate(moved, shape, mode="bilinear", antialias=True)
        out[start : start + BLOCK] = moved.flatten(1)
    return out.clamp_(0.0, 255.0)


def _draw(n: int, size: torch.Size, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Affine maps (n, 2, 3) in the coordinates of ``affine_grid``: both sides are 2 long."""
    height, width = size

    def uniform(limit: float) -> Tensor:
        return (torch.rand(n, generator=generator) * 2 - 1) * limit

    angle = uniform(math.radians(recipe.rotate_deg))
    zoom = 1 + uniform(recipe.scale)
    shear = uniform(recipe.shear)
    shift_x, shift_y = uniform(2 * recipe.shift_px / width), uniform(2 * recipe.shift_px / height)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    tall = height / width
    rows = [cos, (cos * shear - sin) * tall, shift_x, sin / tall, sin * shear + cos, shift_y]
    return torch.stack(rows, dim=1).view(n, 2, 3)
