# pyright: strict
"""What is asked of settings before a method is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..coordinates import Key
from ..errors import StudyError

SCALED = "scaled"


def check_drawn(method: str, shapes: Mapping[Key, tuple[int, ...]]) -> None:
    """Refuse settings with which every chip is the same; ``shapes`` as of ``Listing``.

    Raises
    ------
    StudyError
        Nothing is drawn.
    """
    if not shapes:
        raise StudyError(
            f"--method {method}: nothing is drawn with these settings, so that every chip is the "
            "same. Set a spread, such as --set sigma_g=0.05."
        )


def check_smooth(method: str, broken: Sequence[tuple[str, str]]) -> None:
    """Refuse ``scaled`` where scores do not follow the spread.

    Parameters
    ----------
    broken
        Settings, such as ``levels=64``, and what each does: ``rounds``, ``cuts off``, ``draws
        uniformly``.

    Raises
    ------
    StudyError
        There are any.
    """
    if method == SCALED and broken:
        told = ", ".join(f"{setting} {does}" for setting, does in broken)
        raise StudyError(
            f"--method scaled needs scores that follow the spread of normal numbers, and {told}. "
            "Leave that out, or take --method subset."
        )
