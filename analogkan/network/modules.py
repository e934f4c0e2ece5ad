"""A user's own torch module, built of layers of this package, as a NetworkSpec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import CheckpointError
from .config import TDKANConfig
from .encoding import Encoding
from .model import TDKAN, TDKANLayer, as_array, as_norm, filled
from .spec import LayerSpec, NetworkSpec
from .squash import Norm, Squash
from .targets import Targets

SAME = 1e-3
"""Of the largest output: what a module in float32 and its float64 network may differ by."""
POINTS = 64
"""On which that is found out, drawn with seed 0 from the range of the inputs."""
SQUASHES = "nn.Hardtanh (clamp), nn.Sigmoid (0 to 1 V), nn.Tanh (-1 to 1 V)"


def spec_of_module(
    module: nn.Module,
    encoding: Encoding,
    *,
    name: str,
    calibration: np.ndarray | None = None,
    targets: Targets | None = None,
) -> NetworkSpec:
    """The network that ``module`` is.

    Its parts are applied in the order in which they were made: ``TDKANLayer`` each; between two of
    them a norm (``nn.BatchNorm1d`` or ``nn.LayerNorm``), then a squash (``nn.Hardtanh``,
    ``nn.Sigmoid``, ``nn.Tanh``). ``nn.Dropout`` and ``nn.Identity`` do nothing. That this is what
    its ``forward`` does, in evaluation mode, is found out on 64 inputs.

    Raises
    ------
    CheckpointError
        If a part is no circuit, parts are in another order, or ``forward`` does something else.
    """
    layers: list[LayerSpec] = []
    norm: Norm | None = None
    squash: Squash | None = None
    for called, part in _parts(module, ""):
        if isinstance(part, TDKANLayer):
            made = LayerSpec(
                theta=as_array(part.theta), bias=as_array(part.bias), curves=part.basis.curves,
                squash=squash or Squash(), norm=norm, patches=part.patches,
            )  # fmt: skip
            layers.append(made)
            norm = squash = None
        elif isinstance(part, (nn.BatchNorm1d, nn.LayerNorm)):
            if norm is not None or squash is not None or not layers:
                raise CheckpointError(
                    f"{called} is a norm in a place that has no circuit: there is one at most "
                    "behind a TDKANLayer, before the squash"
                )
            norm = as_norm(part)
        elif not isinstance(part, (nn.Dropout, nn.Identity)):
            if squash is not None:
                raise CheckpointError(f"{called} is a second squash before one TDKANLayer")
            squash = _squash(called, part)
    if not layers or norm is not None or squash is not None:
        raise CheckpointError(
            f"{name} has no TDKANLayer as its last part: a circuit's outputs are those of one"
        )
    spec = NetworkSpec(
        name=name, layers=tuple(layers), encoding=encoding, calibration=calibration, targets=targets
    )
    _require_same(module, spec)
    return spec


def model_of(spec: NetworkSpec) -> TDKAN:
    """The torch module of ``spec``, which a checkpoint can hold: all its layers have the same
    devices, norm and squash. Float32, or float64 where coefficients have more digits.

    Raises
    ------
    CheckpointError
        If layers differ, or the squash would change what the first layer sees.
    """
    layers = spec.layers
    squash, curves = layers[-1].squash, layers[0].curves
    norms = [layer.norm for layer in layers[1:]]
    kinds = {"none" if norm is None else norm.kind for norm in norms} or {"none"}
    alike = {layer.squash for layer in layers[1:]} | {squash}
    if len(kinds) > 1 or len(alike) > 1 or any(layer.curves != curves for layer in layers):
        raise CheckpointError(
            f"{spec.name} is no checkpoint, whose layers all have the same devices, norm and "
            "squash: make them so, or give the network to compile as it is"
        )
    lo, hi = spec.dac_range()
    inside = squash.kind == "clamp" and squash.v_lo <= lo and hi <= squash.v_hi
    if layers[0].squash != squash and not inside:
        raise CheckpointError(
            f"{spec.name} has {squash.kind} before its hidden diodes alone: a checkpoint has it "
            f"before the first, of {lo:g} to {hi:g} V, too: put it there, give a clamp of at least "
            "this range, or give the network to compile as it is"
        )
    config = TDKANConfig(
        sizes=spec.sizes, curves=curves, squash=squash, norm=kinds.pop(),
        patches=tuple(layer.patches for layer in layers if layer.patches is not None),
    )  # fmt: skip
    thetas = [layer.theta.transpose(1, 0, 2) for layer in layers]
    weights = [
        {"weight": theta.reshape(len(theta), -1), "bias": layer.bias}
        for theta, layer in zip(thetas, layers, strict=True)
    ]
    arrays = [array for part in weights for array in part.values()]
    double = any((array != array.astype(np.float32)).any() for array in arrays)
    parts = zip(norms, thetas, strict=False)
    normed = [_norm(norm, len(theta)) for norm, theta in parts if norm is not None]
    return filled(config, weights, normed, double=double)


def _norm(norm: Norm, outputs: int) -> dict[str, Any]:
    """What a norm's module has; a convolution's is that of its first position."""
    found: dict[str, Any] = {
        "weight": norm.scale[:outputs], "bias": norm.shift[:outputs], "eps": norm.eps
    }  # fmt: skip
    if norm.kind == "batch":  # its statistics are part of scale and shift
        found |= {"running_mean": np.zeros(outputs), "running_var": np.ones(outputs)}
    return found


def _parts(module: nn.Module, called: str) -> Iterator[tuple[str, nn.Module]]:
    """What ``module`` is made of, in order, with its names."""
    inner = [] if isinstance(module, TDKANLayer) else list(module.named_children())
    if not inner:
        yield called, module
    for name, child in inner:
        yield from _parts(child, f"{called}.{name}".lstrip("."))


def _squash(called: str, part: nn.Module) -> Squash:
    if isinstance(part, nn.Hardtanh):
        return Squash(kind="clamp", v_lo=float(part.min_val), v_hi=float(part.max_val))
    if isinstance(part, nn.Sigmoid):
        return Squash(kind="sigmoid", v_lo=0.0, v_hi=1.0)
    if isinstance(part, nn.Tanh):
        return Squash(kind="tanh", v_lo=-1.0, v_hi=1.0)
    raise CheckpointError(
        f"{called or 'the module'} is {type(part).__name__}, which has no circuit: use TDKANLayer, "
        f"nn.BatchNorm1d, nn.LayerNorm, {SQUASHES}"
    )


@torch.no_grad()
def _require_same(module: nn.Module, spec: NetworkSpec) -> None:
    """Raise CheckpointError unless the module's own answers are those of ``spec``."""
    e = spec.encoding
    lo, hi = sorted((e.v_lo, e.v_hi))
    volts = np.random.default_rng(0).uniform(lo, hi, (POINTS, e.width))
    like: Any = next(module.parameters())
    trained = module.training
    try:
        given = as_array(module.eval()(torch.tensor(volts, dtype=like.dtype, device=like.device)))
    except (RuntimeError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{spec.name} does not take volts (n, {e.width}), of its encoding: {error}"
        ) from error
    finally:
        module.train(trained)
    wanted = spec.forward_volts(spec.layers[0].squash(volts))
    apart = np.abs(given - wanted).max() if given.shape == wanted.shape else np.inf
    if not apart <= SAME * np.abs(wanted).max():
        raise CheckpointError(
            f"{spec.name}: its forward gives answers of shape {given.shape} that are up to "
            f"{apart:.3g} from those of its layers one after another, {wanted.shape}: what else "
            "it does has no circuit; of functions make layers, such as nn.Sigmoid"
        )
