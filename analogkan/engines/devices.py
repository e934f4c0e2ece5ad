"""What the twin computes on: finding a GPU, and bringing its arrays there."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from ..errors import SettingsError
from .arithmetic import CPU


def require_device(name: str) -> None:
    """Refuse a device that torch does not have here.

    Raises
    ------
    SettingsError
        If it is none of torch's names, computes in no float64, or is not there.
    """
    if name == CPU:
        return
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SettingsError(
            f"device = {name!r} is no device of torch's: give cpu, cuda or cuda:1"
        ) from error
    if device.type != "cuda":
        raise SettingsError(
            f"device = {name!r}: the twin computes in float64, on cpu or on a GPU that torch calls "
            "cuda, an AMD one too"
        )
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        raise SettingsError(
            f"device = {name!r}: torch {torch.__version__} sees {count} such devices here; leave "
            "it at cpu, or see to it that torch.cuda.is_available()"
        )


def name_of(device: str) -> str:
    """What a GPU calls itself."""
    return torch.cuda.get_device_name(device)


def facts_of(device: str) -> dict[str, str]:
    """A GPU's name here, and what it calls itself; nothing of the CPU."""
    return {} if device == CPU else {"device": device, "gpu": name_of(device)}


def bring(part: Any, device: str) -> None:
    """Put what ``part`` itself keeps on ``device``."""
    for name, value in vars(part).items():
        setattr(part, name, moved(value, device))


def moved(part: Any, device: str) -> Any:
    """``part`` with all its tensors on ``device``: a tensor, or what is made of such."""
    if isinstance(part, torch.Tensor):
        return part.to(device)
    if isinstance(part, dict):
        return {key: moved(value, device) for key, value in part.items()}
    if isinstance(part, tuple):
        return tuple(moved(value, device) for value in part)
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return part
    own = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    there = {name: moved(value, device) for name, value in own.items()}
    changed = {name: value for name, value in there.items() if value is not own[name]}
    return dataclasses.replace(part, **changed) if changed else part
