"""KANalogue's state dictionaries: read without running code, and checked key by key.

Its flat networks are ``net``, a sequence of KAN layers with a norm after each but the last:

    net.0.coeffs (I, O, D), net.0.bias (O,)             a KAN layer
    net.1.weight, net.1.bias (each (O,))                LayerNorm; BatchNorm has running_mean,
                                                        running_var (each (O,)) and a counter too
    net.2.coeffs, ...

Without norms the KAN layers are net.0, net.1, ... (repository tangjr23/KANalogue, model.py).
Wrappers (data parallel, compiled, Lightning) put one prefix before every key, training scripts the
whole state under an entry of their own; both are taken off, and said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..schema import MOST_NUMBER
from .checkpoint import FORMAT, NORM_TENSORS
from .foreign import RESAVE
from .torchfile import read_torch, walk
from .torchload import Unread

WRAPPED = re.compile(r"(.*?)net\.[0-9]+\.(coeffs|bias|weight|running_mean|running_var)")
"""A key with whatever is before it."""
KEY = re.compile(r"net\.(0|[1-9][0-9]{0,3})\.([a-z_]+)")
AVERAGED = "n_averaged"
"""What torch's AveragedModel counts beside the state; nothing that is computed depends on it."""
COUNTER = "num_batches_tracked"
"""BatchNorm's count of training batches; nothing that is computed depends on it."""
SHAPES = {"coeffs": "(I, O, D)"}
OTHERS = (
    (r"spline_weight|spline_scaler", "a B-spline KAN (efficient-kan)"),
    (r"act_fun\.[0-9]+\.coef|symbolic_fun\..*|.*\.scale_sp", "a B-spline KAN (pykan)"),
    (r"spline_linear\.weight|rbf\.grid", "a KAN of radial basis functions (FastKAN)"),
    (r"cheby_coeffs", "a KAN of Chebyshev polynomials"),
    (r"fouriercoeffs", "a KAN of Fourier series"),
)
"""What ends the keys of other networks, and what they are."""


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
    dtype
        The least precise type that one of them had.
    """

    norm: str
    coeffs: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    norms: tuple[dict[str, Tensor], ...]
    dtype: torch.dtype

    @property
    def significant_bits(self) -> int:
        """Of the numbers of type ``dtype``, the leading one among them."""
        return round(1 - math.log2(torch.finfo(self.dtype).eps))


@dataclass(frozen=True, eq=False, kw_only=True)
class StateFile:
    """A state dictionary and how it was found in its file.

    Attributes
    ----------
    state
        Keys as those of a flat network alone, and what they hold.
    entry, prefix
        Where it was in the file, empty if the file is the state, and what stood before every key.
    notes
        Sentences that say so.
    """

    state: dict[str, Any]
    entry: str
    prefix: str
    notes: list[str]


def read_state(path: Path) -> StateFile:
    """The state dictionary in ``path``: bare, or wherever in the file the only one is.

    Raises
    ------
    CheckpointError
        If there is no such file, it holds none or several, or reading it would run code.
    """
    file = read_torch(
        path,
        missing="give the .pth file that KANalogue wrote",
        unsafe=f"Re-save its weights where it can be loaded: {RESAVE}",
        kind="a torch file",
        numpy_unread=True,
    )
    content = file.content
    if isinstance(content, dict) and content.get("format") == FORMAT:
        raise CheckpointError(f"{path} is an analogkan checkpoint already: compile it as it is")
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}, not a state dictionary: save the model's "
            "state_dict()"
        )
    try:
        entry, state = _found(content)
        prefix = _prefix(state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    notes = [f"the state was under {entry!r} in the file"] if entry else []
    if prefix:
        notes.append(f"{prefix!r} was taken off every key")
    unread = [at for at, value in walk(content) if isinstance(value, Unread)]
    if unread:
        more = f" and {len(unread) - 3:,} more" if len(unread) > 3 else ""
        notes.append(f"{', '.join(unread[:3])}{more} held NumPy values, which were not read")
    if not file.summed:
        notes.append(
            "the file is in torch's format before 1.6, which has no checksums: damage to a number "
            "would not be seen"
        )
    bare = {str(key).removeprefix(prefix): v for key, v in state.items() if key != AVERAGED}
    return StateFile(state=bare, entry=entry, prefix=prefix, notes=notes)


def _found(content: dict[Any, Any]) -> tuple[str, dict[Any, Any]]:
    """Where in ``content`` the only state of KAN layers is, and it; ``content`` if none is."""
    found = [
        (path, inner)
        for path, inner in walk(content)
        if isinstance(inner, dict) and any(WRAPPED.fullmatch(str(key)) for key in inner)
    ]
    if len(found) > 1:
        names = " and ".join(sorted(repr(name) for name, _ in found))
        raise CheckpointError(
            f"it holds several states, {names}: save the one that is meant by itself with "
            "torch.save"
        )
    if found:
        return found[0]
    nested = [(str(k), v) for k, v in content.items() if isinstance(v, dict) and _tensors(v)]
    return ("", content) if _tensors(content) or not nested else nested[0]


def _tensors(state: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {str(key): value for key, value in state.items() if isinstance(value, Tensor)}


def _prefix(state: Mapping[Any, Any]) -> str:
    """What stands before every key of ``state``, if all have the same."""
    matches = [WRAPPED.fullmatch(str(key)) for key in state]
    prefixes = {match[1] for match in matches if match}
    if not prefixes:
        _refuse_other(state)
        return ""
    if prefixes == {""} or any("conv" in str(key).split(".") for key in state):
        return ""
    prefix = max(prefixes, key=len)
    for key in state:
        if not str(key).startswith(prefix) and key != AVERAGED:
            raise CheckpointError(
                f"the state has {key} beside keys that begin with {prefix}: save the KAN's own "
                "state_dict()"
            )
    return prefix


def _refuse_other(state: Mapping[Any, Any]) -> None:
    """Raise CheckpointError with what network ``state`` is of, if its keys tell."""
    tensors = _tensors(state)
    for pattern, what in OTHERS:
        for key in tensors:
            if re.fullmatch(rf"(.*\.)?({pattern})", key):
                _refuse_network(what, key)
    weights = [key for key in tensors if re.fullmatch(r"(.*\.)?weight", key)]
    if any("conv" in key.split(".") for key in tensors):
        return
    for axes, what in ((4, "a convolutional network"), (2, "an MLP")):
        for key in weights:
            if tensors[key].ndim == axes:
                _refuse_network(what, key)


def _refuse_network(what: str, key: str) -> None:
    fitted = "; --distil fits one to this" if "B-spline" in what else ""
    raise CheckpointError(
        f"it is the state of {what}, by its key {key}: the circuit's basis functions are the I-V "
        "curves of tunnel diodes, so only a KAN that was trained with them converts (`analogkan "
        f"train`, or KANalogue){fitted}"
    )


def parse_state(state: Mapping[str, Any], n_dev: int) -> State:
    """The layers and norms of ``state``, trained on ``n_dev`` devices.

    Raises
    ------
    CheckpointError
        If a key is missing or too many, or a tensor has another shape, no real numbers, NaN or
        infinity.
    """
    if not any(str(key).endswith("coeffs") for key in state):
        _refuse_other(state)
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
    biases = [_vector(state, f"net.{step * k}.bias", n) for k, n in enumerate(widths)]
    norms = [
        {name: _vector(state, f"net.{k}.{name}", n) for name in NORM_TENSORS[norm]}
        for k, n in zip(normed, widths[: len(normed)], strict=True)
    ]
    return State(
        norm=norm,
        coeffs=tuple(coeffs),
        biases=tuple(biases),
        norms=tuple(norms),
        dtype=max({state[key].dtype for key in expected}, key=lambda d: torch.finfo(d).eps),
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
    if isinstance(value, Unread):
        raise CheckpointError(f"{key} holds NumPy values, which are not read: save tensors")
    if not isinstance(value, Tensor):
        raise CheckpointError(f"{key} holds a {type(value).__name__}, not a tensor")
    if not value.is_floating_point() or value.layout != torch.strided or value.is_meta:
        raise CheckpointError(f"{key} holds {value.dtype}, not real numbers")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise CheckpointError(
            f"{key} has shape {tuple(value.shape)}, but the file has fewer numbers of it"
        )
    value = value.detach().to(torch.float64)
    bad = int((~torch.isfinite(value)).sum())
    if bad:
        raise CheckpointError(f"{key} holds {bad} NaN or infinity")
    if value.numel() and float(value.abs().max()) > MOST_NUMBER:
        raise CheckpointError(
            f"{key} holds {float(value.abs().max()):g}: above {MOST_NUMBER:g} it is no coefficient"
        )
    if key.endswith("running_var") and value.numel() and float(value.min()) < 0:
        raise CheckpointError(f"{key} holds {float(value.min()):g}: a variance is not negative")
    return value


def _vector(state: Mapping[str, Any], key: str, n: int) -> Tensor:
    value = _tensor(state, key)
    if tuple(value.shape) != (n,):
        raise CheckpointError(f"{key} has shape {tuple(value.shape)}; it must be ({n},)")
    return value
