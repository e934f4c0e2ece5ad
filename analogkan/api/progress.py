# pyright: strict
"""Progress: a bar on a terminal or in a notebook, a line a minute elsewhere."""

from __future__ import annotations

import contextlib
import html
import importlib
import time
from collections.abc import Callable, Generator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from ..objects import check_flags, notebook
from ..pace import Pace

Follow = Callable[[str, int, int], None]
"""Called with what is done, how many are, and how many there are."""
SECONDS = 0.1
"""Between two pictures of a notebook's bar; assumed."""


def rich_bar(console: Console, *, disable: bool) -> Progress:
    """A bar if ``console`` is a terminal, else a line a minute."""
    if not disable and not console.is_terminal:
        return _Lines(console)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=disable,
    )


class _Lines(Progress):
    """In the place of a bar where nobody would see one, as under nohup: a line a minute."""

    def __init__(self, console: Console) -> None:
        super().__init__(console=console, disable=True)
        self._pace = Pace(ends=False)

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Take the change, and print where all is if a minute has passed."""
        super().update(task_id, **changes)
        task = self._tasks[task_id]
        line = self._pace.line(task.description, task.completed, task.total, key=task_id)
        if line is not None:
            self.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def follow(bar: Progress, named: Callable[[str], str] = str) -> Follow:
    """What a study reports to: a line of ``bar`` for each thing it does, ``named`` so."""
    tasks: dict[str, Any] = {}

    def on_progress(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(named(what), total=total)
        bar.update(tasks[what], completed=done, total=total)

    return on_progress


@contextlib.contextmanager
def shown_progress(progress: bool) -> Generator[Follow]:
    """What a study reports to, if ``progress`` is wanted: a bar in a notebook or on a terminal, a
    line a minute elsewhere."""
    check_flags(progress=progress)
    if progress and notebook() is not None:
        with _notebook_bar() as on_progress:
            yield on_progress
        return
    with rich_bar(Console(stderr=True), disable=not progress) as bar:
        yield follow(bar)


@contextlib.contextmanager
def _notebook_bar() -> Generator[Follow]:
    """A bar that is updated in its cell, and gone when all is done."""
    display = importlib.import_module("IPython.display").display
    handle: Any = None
    last = 0.0

    def show(what: str, done: int, total: int) -> None:
        nonlocal handle, last
        if handle is not None and time.monotonic() - last < SECONDS and done < total:
            return
        last = time.monotonic()
        said = f"{what}: {done:,} of {total:,}"
        bar = f'<progress value="{done}" max="{total}"></progress> {html.escape(said)}'
        data = {"text/plain": said, "text/html": bar}
        if handle is None:
            handle = display(data, raw=True, display_id=True)
        else:
            handle.update(data, raw=True)

    try:
        yield show
    finally:
        if handle is not None:
            handle.update({"text/plain": ""}, raw=True)


def tell(sentence: str, progress: bool) -> None:
    """Print what a person who watches should know, if ``progress`` is wanted."""
    if progress:
        print(sentence)
