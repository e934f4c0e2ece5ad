"""Augmentation of 8-bit images: affine maps, crops, mirror images, colours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..settings import require

BLOCK = 10_000
"""Images transformed at once, to bound memory."""
CACHED = 100
"""Images whose places are worked out at once, to stay in a processor's cache."""
GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far each image is changed, by its own draw; nothing by default. Part of what says how a
    network is trained.

    Attributes
    ----------
    rotate_deg, scale, shear, shift_px
        Affine maps at full size, uniform in plus and minus these; of grey images.
    crop_px
        Pixels of black that are put around before a crop of the old size is taken anywhere.
    flip
        Whether half of the images are mirrored, left to right.
    jitter
        Brightness, contrast and saturation are multiplied by 1 plus and minus up to this.
    """

    rotate_deg: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift_px: float = 0.0
    crop_px: int = 0
    flip: bool = False
    jitter: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rotate_deg", "scale", "shear", "shift_px", "crop_px"):
            value = getattr(self, name)
            require(value >= 0 and math.isfinite(value), name, value, "0 or more")
        require(0 <= self.jitter <= 1, "jitter", self.jitter, "0 to 1")

    @property
    def augments(self) -> bool:
        """Whether any augmentation is on."""
        return self.affine or any((self.crop_px, self.flip, self.jitter))

    @property
    def affine(self) -> bool:
        """Whether images are turned, scaled, sheared or shifted."""
        return any((self.rotate_deg, self.scale, self.shear, self.shift_px))


def augmented(
    images: Tensor, shape: tuple[int, ...], how: Augmentation, generator: torch.Generator
) -> Tensor:
    """Each image changed by its own draw, then resized.

    Parameters
    ----------
    images
        (n, H, W) or (n, H, W, C), uint8; where they are, they are changed.
    shape
        (h, w), or (H, W, C) as they are, of the result.

    Returns
    -------
    Tensor
        (n, I) float32, same units.
    """
    out = torch.empty(len(images), math.prod(shape), device=images.device)
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK].float()
        block = block[:, None] if block.ndim == 3 else block.permute(0, 3, 1, 2)
        if how.affine:
            block = _moved(block, how, generator)
        if how.crop_px:
            block = _cropped(block, how.crop_px, generator)
        if how.flip:
            mirrored = (torch.rand(len(block), generator=generator) < 0.5).to(block.device)
            block = torch.where(mirrored[:, None, None, None], block.flip(3), block)
        if how.jitter:
            block = _coloured(block, how.jitter, generator)
        if block.shape[-2:] != shape[:2]:
            block = functional.interpolate(block, list(shape), mode="bilinear", antialias=True)
        out[start : start + BLOCK] = block.permute(0, 2, 3, 1).flatten(1)
    return out.clamp_(0.0, 255.0)


def _moved(block: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    maps = _draw(len(block), block.shape[-2:], how, generator).to(block.device)
    parts = zip(block.split(CACHED), maps.split(CACHED), strict=True)
    return torch.cat(
        [
            functional.grid_sample(some, _places(of, some.shape[-2:]), align_corners=False)
            for some, of in parts
        ]
    )


def _places(maps: Tensor, size: torch.Size) -> Tensor:
    """Where the pixels of images of ``size`` are taken from, (n, H, W, 2): ``affine_grid`` of
    ``maps`` (n, 2, 3), whose products of three columns take longer than all the rest."""
    by_x, by_y, shift = maps[:, :, None, None].unbind(-1)
    y, x = (torch.linspace(-1, 1, n, device=maps.device) * (n - 1) / n for n in size)
    return (by_x * x + by_y * y[:, None]).add_(shift).permute(0, 2, 3, 1)


def _draw(n: int, size: torch.Size, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Affine maps (n, 2, 3) in the coordinates of ``affine_grid``: both sides are 2 long."""
    height, width = size

    def uniform(limit: float) -> Tensor:
        return (torch.rand(n, generator=generator) * 2 - 1) * limit

    angle = uniform(math.radians(how.rotate_deg))
    zoom = 1 + uniform(how.scale)
    shear = uniform(how.shear)
    shift_x, shift_y = uniform(2 * how.shift_px / width), uniform(2 * how.shift_px / height)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    tall = height / width
    rows = [cos, (cos * shear - sin) * tall, shift_x, sin / tall, sin * shear + cos, shift_y]
    return torch.stack(rows, dim=1).view(n, 2, 3)


def _cropped(block: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Each image (n, C, H, W) moved by up to ``pixels`` both ways, black where nothing was."""
    n, channels, height, width = block.shape
    padded = functional.pad(block, [pixels] * 4)
    corner = torch.randint(2 * pixels + 1, (2, n, 1), generator=generator)
    rows = (corner[0] + torch.arange(height))[:, None, :, None]
    columns = (corner[1] + torch.arange(width))[:, None, None, :]
    which = torch.arange(n)[:, None, None, None]
    return padded[which, torch.arange(channels)[:, None, None], rows, columns]


def _coloured(block: Tensor, jitter: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation of each image (n, C, H, W) by factors of its own."""
    factors = 1 + jitter * (2 * torch.rand(3, len(block), 1, 1, 1, generator=generator) - 1)
    factors = factors.to(block.device)
    block = (block * factors[0]).clamp(0.0, 255.0)
    weights = block.new_tensor(GREY if block.shape[1] == 3 else [1.0]).view(1, -1, 1, 1)
    middle = (block * weights).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    block = (middle + (block - middle) * factors[1]).clamp(0.0, 255.0)
    grey = (block * weights).sum(1, keepdim=True)
    return (grey + (block - grey) * factors[2]).clamp(0.0, 255.0)
