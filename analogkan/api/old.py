# pyright: strict
"""Keywords of the version before: they work, and say what is new."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
OLD = {
    "options": "its entries are keywords, such as jobs=2",
    "on_progress": "progress=False turns the bar off",
}
"""Keywords that every study had."""


def warn_of_old(what: str, instead: str, *, level: int) -> None:
    """The warning that ``what`` goes, ``level`` calls above."""
    warnings.warn(
        f"{what} is an old name, which the next version will not have: {instead}",
        DeprecationWarning,
        stacklevel=level + 1,
    )


def with_old_keywords(
    run: Callable[..., R], instead: Mapping[str, str]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have a function take the keywords of ``instead``, which maps them to what is new, as before.

    A call that has one goes to ``run`` with all its keywords.
    """

    def decorate(public: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(public)
        def call(*args: P.args, **given: P.kwargs) -> R:
            old = [name for name in given if name in instead]
            if not old:
                return public(*args, **given)
            for name in old:
                warn_of_old(f"{public.__name__}({name}=...)", instead[name], level=2)
            return run(*args, **given)

        return call

    return decorate
