"""KANalogue's state dictionaries: read without running code, and checked key by key.

Its flat networks are ``net``, a sequence of KAN layers with a norm after each but the last:

    net.0.coeffs (I, O, D), net.0.bias (O,)             a KAN layer
    net.1.weight, net.1.bias (each (O,))                LayerNorm; BatchNorm has running_mean,
                                                        running_var (each (O,)) and a counter too
    net.2.coeffs, ...

Without norms the KAN layers are net.0, net.1, ... (repository tangjr23/KANalogue, model.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError
from .checkpoint import FORMAT, NORM_TENSORS, load_plain

KEY = re.compile(r"net\.(0|[1-9][0-9]{0,3})\.([a-z_]+)")
COUNTER = "num_batches_tracked"
"""BatchNorm's count of training batches; nothing that is computed depends on it."""
SHAPES = {"coeffs": "(I, O, D)"}
RESAVE = 'torch.save(model.state_dict(), "theirs.pth")'


@dataclass(frozen=True, eq=False, kw_only=True)
class State:
    """The tensors of a flat network, float64.

    Attributes
    ----------
    norm
        ``batch``, ``layer`` or ``none``, as the keys say.
    coeffs, biases
        Of each layer: (I, O, D) in 1 / unit of the basis, and (O,).
    norms
        Of each hidden layer: the tensors of ``NORM_TENSORS``, each (O,).
    """

    norm: str
    coeffs: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    norms: tuple[dict[str, Tensor], ...]


def read_state(path: Path) -> dict[str, Any]:
    """The state dictionary in ``path``, bare or the ``model_state`` of a training checkpoint.

    Raises
    ------
    CheckpointError
        If there is no such file, it holds something else, or reading it would run code.
    """
    entry = load_plain(
        path,
        missing="give the .pth file that KANalogue wrote",
        unsafe=f"Re-save its weights where it can be loaded: {RESAVE}",
        kind="a torch file",
    )
    if not isinstance(entry, dict):
        raise CheckpointError(
            f"{path} holds a {type(entry).__name__}, not a state dictionary: save the model's "
            "state_dict()"
        )
    if entry.get("format") == FORMAT:
        raise CheckpointError(f"{path} is an analogkan checkpoint already: compile it as it is")
    state = entry.get("model_state", entry)
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: model_state holds a {type(state).__name__}, not a state")
    return dict(state)


def parse_state(state: Mapping[str, Any], n_dev: int) -> State:
    """The layers and norms of ``state``, trained on ``n_dev`` devices.

    Raises
    ------
    CheckpointError
        If a key is missing or too many, or a tensor has another shape, no real numbers, NaN or
        infinity.
    """
    norm, n_layers = _structure(state)
    step = 1 if norm == "none" else 2
    expected = [f"net.{step * k}.{name}" for k in range(n_layers) for name in ("coeffs", "bias")]
    normed = range(1, 2 * n_layers - 1, 2) if step == 2 else ()
    expected += [f"net.{k}.{name}" for k in normed for name in NORM_TENSORS[norm]]
    counters = {f"net.{k}.{COUNTER}" for k in normed if norm == "batch"}
    for key in sorted(expected, key=lambda key: int(key.split(".")[1])):
        if key not in state:
            shape = SHAPES.get(key.rpartition(".")[2], "(O,)")
            raise CheckpointError(f"the state lacks {key} {shape}: {_described(norm, n_layers)}")
    extra = sorted(set(state) - set(expected) - counters, key=_order)
    if extra:
        raise CheckpointError(f"the state has {extra[0]} too many: {_described(norm, n_layers)}")
    coeffs = [_tensor(state, f"net.{step * k}.coeffs") for k in range(n_layers)]
    for k, tensor in enumerate(coeffs):
        shape = tuple(tensor.shape)
        before = coeffs[k - 1].shape[1] if k else shape[0] if shape else 0
        if len(shape) != 3 or 0 in shape or shape[0] != before or shape[2] != n_dev:
            raise CheckpointError(
                f"net.{step * k}.coeffs has shape {shape}; it must be (I, O, D) with "
                f"{f'I = {before}, ' if k else ''}D = {n_dev} for the devices named"
            )
    widths = [tensor.shape[1] for tensor in coeffs]
    return State(
        norm=norm,
        coeffs=tuple(coeffs),
        biases=tuple(_vector(state, f"net.{step * k}.bias", n) for k, n in enumerate(widths)),
        norms=tuple(
            {name: _vector(state, f"net.{k}.{name}", n) for name in NORM_TENSORS[norm]}
            for k, n in zip(normed, widths[:-1], strict=True)
        )
        if normed
        else (),
    )


def _structure(state: Mapping[str, Any]) -> tuple[str, int]:
    """Kind of norm and number of KAN layers, from the keys alone."""
    for key in state:
        if "conv" in str(key).split("."):
            raise CheckpointError(
                f"the state has {key}: it is a CNN-KAN, and only flat networks convert "
                "(net.0.coeffs, ...)"
            )
    found = [KEY.fullmatch(str(key)) for key in state]
    if not state or not any(found):
        first = f"the first is {next(iter(state))!r}" if state else "it is empty"
        raise CheckpointError(
            f"no key of the state is like net.0.coeffs ({first}): "
            "it is not that of a flat KANalogue network"
        )
    names = {match[2] for match in found if match}
    if names & {"running_mean", "running_var", COUNTER}:
        norm = "batch"
    else:
        norm = "layer" if "weight" in names else "none"
    last = max(int(match[1]) for match in found if match)
    return norm, last + 1 if norm == "none" else (last + 1) // 2 + 1


def _described(norm: str, n_layers: int) -> str:
    what = {"batch": "BatchNorm", "layer": "LayerNorm", "none": "no norm"}[norm]
    return f"by its keys it has {n_layers} layers and {what} between them"


def _order(key: object) -> tuple[int, str]:
    match = KEY.fullmatch(str(key))
    return (int(match[1]) if match else -1, str(key))


def _tensor(state: Mapping[str, Any], key: str) -> Tensor:
    value = state[key]
    if not isinstance(value, Tensor):
        raise CheckpointError(f"{key} holds a {type(value).__name__}, not a tensor")
    if not value.is_floating_point() or value.layout != torch.strided or value.is_meta:
        raise CheckpointError(f"{key} holds {value.dtype}, not real numbers")
    value = value.detach().to(torch.float64)
    bad = int((~torch.isfinite(value)).sum())
    if bad:
        raise CheckpointError(f"{key} holds {bad} NaN or infinity")
    if key.endswith("running_var") and value.numel() and float(value.min()) < 0:
        raise CheckpointError(f"{key} holds {float(value.min()):g}: a variance is not negative")
    return value


def _vector(state: Mapping[str, Any], key: str, n: int) -> Tensor:
    value = _tensor(state, key)
    if tuple(value.shape) != (n,):
        raise CheckpointError(f"{key} has shape {tuple(value.shape)}; it must be ({n},)")
    return value
