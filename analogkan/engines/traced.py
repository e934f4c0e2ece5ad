"""Arrays whose derivatives are known: numpy's functions, on torch's tensors.

What makes a chip is written for numpy's arrays. It gets these in their place, and calls numpy as
ever; that hands its calls over. What decides, a comparison or an order, is an array of numpy's, as
it is at the chip at hand.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from ..errors import DerivativeError

on_tensors: Any = importlib.import_module("torch._numpy")
"""numpy's functions, as torch has them for its compiler."""
DECIDES = {
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isfinite", "isnan",
    "isinf", "isclose", "allclose", "array_equal", "signbit", "sign", "all", "argsort", "argmax",
    "argmin", "nonzero", "flatnonzero", "count_nonzero", "searchsorted", "zeros_like", "ones_like",
    "full_like", "shape", "ndim", "size",
}  # fmt: skip
"""numpy's functions of which what they find does not grow with what they are given."""
ROUNDS = {"rint", "floor", "ceil", "trunc", "fix", "round", "around"}
"""Those that find steps: derivatives go through as if they did nothing."""
WANTED = "write it with numpy's functions of whole arrays, or leave it out"


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of float64 with a derivative.

    Parameters
    ----------
    tensor
        Its values.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    @property
    def value(self) -> np.ndarray:
        """As it is, without a derivative; not to be written into."""
        return self.tensor.detach().numpy()

    @property
    def shape(self) -> tuple[int, ...]:
        """As numpy's arrays have it."""
        return tuple(self.tensor.shape)

    @property
    def ndim(self) -> int:
        """As numpy's arrays have it."""
        return self.tensor.ndim

    @property
    def size(self) -> int:
        """As numpy's arrays have it."""
        return self.tensor.numel()

    @property
    def dtype(self) -> np.dtype[Any]:
        """As numpy's arrays have it."""
        return np.dtype(float)

    @property
    def T(self) -> Traced:
        """As numpy's arrays have it."""
        return Traced(self.tensor.permute(*reversed(range(self.ndim))))

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *given: Any, out: Any = None, **how: Any
    ) -> Any:
        # ``a += b`` makes another array: what is returned is what a is from then on.
        if method == "accumulate" and ufunc is np.maximum:
            return _highest(*given, **how)
        if method != "__call__" or (out is not None and out[0] is not given[0]):
            raise DerivativeError(f"numpy.{ufunc.__name__}.{method} has no derivative: {WANTED}")
        return _called(ufunc, ufunc.__name__, given, how)

    def __array_function__(self, func: Any, types: Any, given: Any, how: Any) -> Any:
        return _called(func, func.__name__, given, how)

    def __array__(self, *how: Any, **more: Any) -> Any:
        raise DerivativeError(
            f"an array that has derivatives becomes one that has none, or is written into one: "
            f"{WANTED}"
        )

    def __getitem__(self, at: Any) -> Traced:
        parts = at if isinstance(at, tuple) else (at,)
        if all(p is None or p is ... or isinstance(p, int) or _forward(p) for p in parts):
            return Traced(self.tensor[at])
        where = np.arange(self.size).reshape(self.shape)[at]
        return Traced(self.tensor.reshape(-1)[torch.from_numpy(np.array(where))])

    def __setitem__(self, at: Any, value: Any) -> None:
        raise DerivativeError(f"it writes into a part of an array: {WANTED}")

    def __len__(self) -> int:
        return len(self.tensor)

    def __iter__(self) -> Iterator[Traced]:
        return iter([self[k] for k in range(len(self))])

    def __bool__(self) -> bool:
        raise DerivativeError(f"it decides by whether a number is 0: {WANTED}")

    def __float__(self) -> float:
        raise DerivativeError(f"it makes a number without a derivative of one that has: {WANTED}")

    def __format__(self, how: str) -> str:
        return format(self.value.item(), how)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(name)
        of = getattr(np, name, None)
        if of is None:
            raise DerivativeError(f"ndarray.{name} has no derivative: {WANTED}")
        return lambda *given, **how: of(self, *given, **how)

    def copy(self, *how: Any) -> Traced:
        """As numpy's arrays have it."""
        return self

    def astype(self, *how: Any, **more: Any) -> Traced:
        """As numpy's arrays have it: numbers are of 64 bits."""
        return self

    def flatten(self) -> Traced:
        """As numpy's arrays have it."""
        return Traced(self.tensor.reshape(-1))

    def reshape(self, *shape: Any, **how: Any) -> Any:
        """As numpy's arrays have it."""
        wanted = shape if isinstance(shape[0], (int, np.integer)) else shape[0]
        return np.reshape(self, wanted, **how)

    def transpose(self, *axes: Any) -> Any:
        """As numpy's arrays have it."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)


def values(x: Any) -> Any:
    """``x``, arrays or lists of them, as they are at the chip at hand."""
    if isinstance(x, (list, tuple)):
        return type(x)(values(one) for one in x)
    return x.value if isinstance(x, Traced) else x


def tensor_of(x: np.ndarray | Traced) -> torch.Tensor:
    """An array as a tensor, with its derivative if it has one."""
    return x.tensor if isinstance(x, Traced) else torch.from_numpy(x)


def _called(func: Any, name: str, given: Any, how: Any) -> Any:
    """What numpy's ``func`` called ``name`` makes of arrays of which some are traced."""
    if name in DECIDES:
        return func(*values(given), **{key: values(x) for key, x in how.items()})
    if name in ROUNDS:
        (x, *rest) = given
        steps = func(values(x), *rest, **how)
        return Traced(x.tensor + torch.from_numpy(steps - x.value))
    space = on_tensors.linalg if func.__module__ == "numpy.linalg" else on_tensors
    known: Callable[..., Any] | None = OWN.get(name) or getattr(space, name, None)
    if known is None:
        raise DerivativeError(f"numpy.{name} has no derivative: {WANTED}")
    if name in OWN:
        return known(*given, **how)
    try:
        found = known(*_handed(given), **{key: _handed(x) for key, x in how.items()})
    except (TypeError, NotImplementedError, AttributeError) as error:
        raise DerivativeError(f"numpy.{name}, as it is called, has no derivative: {WANTED}") from (
            error
        )
    return _handed_back(found)


def _handed(x: Any) -> Any:
    if isinstance(x, np.generic):
        return x.item()
    if isinstance(x, (list, tuple)):
        return type(x)(_handed(one) for one in x)
    if isinstance(x, Traced):
        return on_tensors.ndarray(x.tensor)
    return on_tensors.ndarray(torch.from_numpy(np.array(x))) if isinstance(x, np.ndarray) else x


def _handed_back(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)(_handed_back(one) for one in x)
    tensor = x.tensor
    return Traced(tensor) if tensor.is_floating_point() else tensor.numpy()


def _forward(part: Any) -> bool:
    return isinstance(part, slice) and (part.step is None or part.step > 0)


# ---- what torch calls otherwise, or has not


def _any(x: Traced, axis: Any = None, **how: Any) -> Any:
    # What is 0 here is not 0 at the next chip: that decides whether it is there at all.
    return True if axis is None else np.any(x.value, axis=axis, **how)


def _highest(x: Any, axis: int = 0) -> Any:
    """numpy.maximum.accumulate."""
    highest, own = np.maximum.accumulate(x.value, axis), np.arange(x.shape[axis])
    shape = [1] * x.ndim
    shape[axis] = -1
    at = np.maximum.accumulate(np.where(x.value == highest, own.reshape(shape), 0), axis)
    return np.take_along_axis(x, at, axis)


def _interp(x: Any, xp: Any, fp: Any, *how: Any, **more: Any) -> Any:
    """numpy.interp; where two pieces meet, the mean of their derivatives."""
    if how or more:
        raise DerivativeError(
            f"numpy.interp with more than three arrays has no derivative: {WANTED}"
        )
    xp, fp = (of if isinstance(of, Traced) else np.asarray(of) for of in (xp, fp))
    at, nodes = np.asarray(values(x)), values(xp)
    found = 0.0
    for side in ("left", "right"):
        k = np.searchsorted(nodes, at, side=side)
        inside = (k > 0) & (k < len(nodes))
        low, high = np.clip(k - 1, 0, None), np.clip(k, None, len(nodes) - 1)
        width = xp[high] - xp[low]
        share = np.where(inside, (x - xp[low]) / np.where(inside, width, 1.0), 0.0)
        found = found + 0.5 * (fp[low] + share * (fp[high] - fp[low]))
    return found


def _pad(x: Any, width: Any, mode: Any = "constant", constant_values: float = 0.0) -> Any:
    pairs = np.broadcast_to(np.asarray(width), (x.ndim, 2))
    for axis, pair in enumerate(pairs):
        if pair.any():
            own = np.arange(x.shape[axis])
            at = np.pad(own, pair, "edge" if mode == "constant" else mode)
            x = np.moveaxis(np.moveaxis(x, axis, 0)[at], 0, axis)
    if mode != "constant":
        return x
    inside = np.pad(np.ones([n - a - b for n, (a, b) in zip(x.shape, pairs, strict=True)], bool),
                    pairs)  # fmt: skip
    return np.where(inside, x, constant_values)


OWN: dict[str, Callable[..., Any]] = {"any": _any, "interp": _interp, "pad": _pad}
