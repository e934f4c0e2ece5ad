# pyright: strict
"""Variation: what differs from chip to chip, with the settings of every imperfection there is."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

from ..errors import SettingsError
from ..settings import check_fields, setting, unknown_setting
from .base import Imperfection, Setting

INTRODUCTION = "How far one chip differs from its design. Every sigma is a standard deviation."
EXAMPLE = """
Examples
--------
>>> ak.Variation(sigma_g=0.05)
Variation(sigma_g=0.05)
"""


class Variation:
    # Its documentation, fields and signature follow from the imperfections: see ``declare``.
    declared: ClassVar[tuple[Imperfection, ...]] = ()
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]] = {}

    def __init__(self, **settings: float | str) -> None:
        known = type(self).__dataclass_fields__
        for name in settings:
            if name not in known:
                raise SettingsError(f"variation: {unknown_setting(name, known)}")
        kept = {s.name: s.kept for one in self.declared for s in one.settings if s.name in settings}
        vars(self).update({name: kept[name](value) for name, value in settings.items()})
        check_fields(self)
        # Only what is on is kept: a setting that comes later changes no Variation made before.
        for name, field in known.items():
            if getattr(self, name) == field.default:
                vars(self).pop(name, None)
        for imperfection in self.on():
            imperfection.check(self)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"Variation has no setting {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(frozenset(vars(self).items()))

    def __repr__(self) -> str:
        return f"Variation({', '.join(f'{name}={value!r}' for name, value in self._told())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (dict(self._told()),)

    @property
    def off(self) -> bool:
        """Whether a chip is its design: nothing is drawn and nothing trimmed."""
        return not vars(self)

    @property
    def drawn(self) -> bool:
        """Whether anything differs that is not done about the rest."""
        return any(not imperfection.adjusts for imperfection in self.on())

    def on(self) -> list[Imperfection]:
        """The imperfections of which a setting is not at its default.

        Raises
        ------
        SettingsError
            If a setting is of an imperfection that is not registered any more.
        """
        known = self.__dataclass_fields__
        for name in vars(self):
            if name not in known:
                raise SettingsError(f"variation: {unknown_setting(name, known)}")
        return [i for i in self.declared if any(s.name in vars(self) for s in i.settings)]

    def document(self) -> dict[str, Any]:
        """Every setting that came with the package from the start, and of others those that are
        on.

        So what a study is does not depend on what else is registered, or came later.
        """
        return {
            name: getattr(self, name)
            for name, field in self.__dataclass_fields__.items()
            if name in vars(self) or field.metadata["always"]
        }

    def _told(self) -> list[tuple[str, Any]]:
        """Names and values of what is not at its default, in the order of the settings."""
        on = vars(self)
        return [(name, on[name]) for name in self.__dataclass_fields__ if name in on]


def _made(settings: dict[str, Any]) -> Variation:
    """What is unpickled: refused where a setting is of no imperfection in this process."""
    return Variation(**settings)


def declare(imperfections: Sequence[Imperfection], built_in: int) -> None:
    """Give ``Variation`` the settings of ``imperfections``; the first ``built_in`` are ours."""
    fields: list[tuple[str, str, dataclasses.Field[Any]]] = []
    for k, imperfection in enumerate(imperfections):
        for s in imperfection.settings:
            told = setting(s.default, s.unit, s.limit, s.fits)
            told.metadata = {**told.metadata, "always": k < built_in and not s.later,
                             "shapes": s.shapes}  # fmt: skip
            fields.append((s.name, type(s.default).__name__, told))
    for name in {*Variation.__dataclass_fields__} - {name for name, *_ in fields}:
        delattr(Variation, name)
    made: Any = dataclasses.make_dataclass("Variation", fields, frozen=True, kw_only=True)
    for name, _, field in fields:
        setattr(Variation, name, field.default)
    Variation.declared = tuple(imperfections)
    Variation.__dataclass_fields__ = made.__dataclass_fields__
    Variation.__doc__ = _documentation([s for i in imperfections for s in i.settings])
    Variation.__signature__ = inspect.signature(made)  # type: ignore[attr-defined]


def _documentation(settings: Sequence[Setting]) -> str:
    entries = ["", "Attributes", "----------"]
    for about, group in itertools.groupby(settings, key=lambda s: s.about):
        entries += [", ".join(s.name for s in group), f"    {about}"]
    return INTRODUCTION + "\n" + textwrap.indent("\n".join([*entries, EXAMPLE]), "    ")
