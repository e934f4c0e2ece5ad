# pyright: strict
"""Plugins: files of a user's own that register imperfections and cells."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from . import cells, outside
from .errors import AnalogKanError, SettingsError
from .files import brief, near
from .imperfections import Variation, unregister
from .imperfections.registry import BUILT_IN
from .objects import as_path
from .outside import CELL, IMPERFECTION, Part, Plugin

if TYPE_CHECKING:  # TAB loads plugins, and need not wait for these
    from .compiler.build import Build
    from .studies.points import Point

Sent = Sequence[tuple[str, dict[str, bytes]]]
"""Plugins for another process: their names, and their files."""


def load_plugin(path: str | os.PathLike[str]) -> None:
    """Run a file that registers imperfections or cells: they are then as good as the built-in ones.

    All of it is registered or, if anything is wrong with it, nothing. A file that is loaded already
    is not loaded again.

    Parameters
    ----------
    path
        A Python file that calls ``ak.imperfections.register`` or ``ak.cells.register``.

    Raises
    ------
    SettingsError
        If there is no such file, it is not Python, raises, registers nothing or what cannot be
        used, or is not any more what was loaded.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("fade.py").write_text('''
    ... from dataclasses import replace
    ... import analogkan as ak
    ... ak.imperfections.register(ak.imperfections.Imperfection(
    ...     name="fading",
    ...     settings=(ak.imperfections.upto(0.9, "fade", "Share of every conductance lost."),),
    ...     draw=lambda stage, draw: replace(stage, g=stage.g * (1 - draw.settings.fade)),
    ... ))
    ... ''')
    >>> ak.load_plugin("fade.py")
    >>> ak.Variation(fade=0.1)
    Variation(fade=0.1)
    """
    given = as_path(path, "path", "the path of a Python file")
    whole = given.resolve()
    try:
        content = whole.read_bytes()
    except OSError as error:
        why = f"there is no such file{near(given) or '.'}" if not whole.exists() else error.strerror
        raise SettingsError(f"plugin {given}: {why}") from error
    if _loaded_already(whole, content):
        return
    before = set(parts())
    try:
        _run(given, whole, content)
        if set(parts()) == before:
            raise SettingsError(
                f"plugin {given} registers nothing: it has to call ak.imperfections.register or "
                "ak.cells.register"
            )
    except BaseException:
        take_back(part for part in parts() if part not in before)
        raise


def _loaded_already(path: Path, content: bytes) -> bool:
    """Whether this very file, or a copy of it and its cells' files, is; SettingsError if it was
    changed since."""
    for plugin in outside.loaded():
        if plugin.path == path and plugin.changed():
            raise SettingsError(
                f"plugin {path.name}: {plugin.changed()} is not what was loaded any more: start "
                "again, so that it is loaded as it is now"
            )
        if plugin.name == path.name and plugin.files.get(path.name) == content:
            copy = Plugin(path, plugin.files)
            return plugin.path == path or not copy.changed()
    return False


def _run(given: Path, path: Path, content: bytes) -> None:
    """Run the file as a module; SettingsError, with the line, if that raises."""
    module = ModuleType(f"analogkan_plugin_{path.stem}")
    module.__file__ = str(path)
    try:
        code = compile(content, str(path), "exec")
    except (SyntaxError, ValueError) as error:
        line, said = getattr(error, "lineno", None) or 1, getattr(error, "msg", str(error))
        raise SettingsError(f"plugin {given}, line {line}: it is not Python: {said}") from error
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(code, vars(module))
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)
        said = "" if isinstance(error, AnalogKanError) else f"{type(error).__name__}: "
        at = "" if line is None else f", line {line}"
        raise SettingsError(f"plugin {given}{at}: {said}{brief(error)}") from error


def parts() -> list[Part]:
    """All that is registered from outside."""
    return [part for plugin in outside.loaded() for part in plugin.parts()]


def take_back(parts: Iterable[Part]) -> None:
    """Unregister ``parts``."""
    for kind, name in list(parts):
        if kind == CELL:
            cells.unregister(name)
        else:
            unregister(next(one for one in Variation.declared if one.name == name))


def used(
    build: Build, points: Sequence[Point], draw: Callable[[Point], object]
) -> dict[Plugin, list[str]]:
    """The plugins that a study of ``points`` uses, see ``outside.used``.

    A chip with each imperfection of theirs is drawn, so that what is wrong with one is said before
    there is a RUN.
    """
    from .compiler.deck import cells_of

    hardware = {point.hardware for point in points}
    first: dict[Variation, Point] = {}
    for point in points if outside.loaded() else ():
        if point.sample is not None:
            first.setdefault(point.variation, point)
    pairs = [(one, point) for variation, point in first.items() for one in variation.on()]
    drawn = {one: point for one, point in reversed(pairs) if one not in BUILT_IN}
    for point in drawn.values():
        draw(point)
    parts = {part for one in hardware for part in cells_of(build.spec, one)}
    return outside.used(parts | {(IMPERFECTION, one.name) for one in drawn})


def packed(plugins: Iterable[Plugin]) -> Sent:
    """``plugins`` for another process.

    Raises
    ------
    SettingsError
        If what one registered is in no file of its own.
    """
    found: list[tuple[str, dict[str, bytes]]] = []
    for plugin in plugins:
        if not plugin.alone:
            what = " ".join(plugin.parts()[0])
            raise SettingsError(
                f"{what} was registered in {plugin.name if plugin.files else 'no file'}, which "
                "workers elsewhere do not run: put it in a file of its own, and load that with "
                "--plugin, in Python ak.load_plugin"
            )
        found.append((plugin.name, plugin.files))
    return found


def unpack(sent: Sent) -> None:
    """Load what another process ``packed``; what was loaded of other content is taken back."""
    for name, files in sent:
        have = next((one for one in outside.loaded() if one.name == name), None)
        if have is not None and have.files == files:
            continue
        if have is not None:
            take_back(have.parts())
        folder = Path(tempfile.mkdtemp(prefix="analogkan-plugin-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for file, content in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        load_plugin(folder / name)
