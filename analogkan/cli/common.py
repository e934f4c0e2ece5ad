"""What every command shares: error and exit conventions, consoles, progress, common options."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..api.progress import rich_bar
from ..errors import AnalogKanError, SettingsError, SimulationError
from ..files import brief
from ..kinds import CALLED, mistaken
from ..numerals import read_number, read_quantity, why_not
from ..results import Result
from ..studies import registry
from ..text import nearest
from .process import PLUGINS, exit_code, exit_if_printing

if TYPE_CHECKING:
    from ..network.spec import NetworkSpec

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_THRESHOLD = 3
MOST_ROWS = 200
"""Of a table that is printed."""
RESUMABLE = ("train", "simulate", "demo", "paper")
"""Commands, beside studies, that keep what they have finished."""

out = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False)
"""Without markup: names of files have brackets."""

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else."
)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Folder of the data sets, laid out as torchvision does (MNIST/raw/..., and so on).",
)
download_option = click.option(
    "--download", is_flag=True, help="Let torchvision fetch a data set that is missing."
)


class Place(click.Path):
    """A path of a file, or of a ``folder``, of one of the kinds of ``kinds``."""

    def __init__(self, wanted: str = "", *, folder: bool = False) -> None:
        super().__init__(path_type=Path, file_okay=not folder, dir_okay=folder)
        self.wanted, self.folder = wanted, folder

    def convert(self, value, param, ctx):
        path = Path(value)
        if not str(value):
            self.fail("it is empty", param, ctx)
        if path.is_file() if self.folder else path.is_dir():
            wanted = self.wanted or ("folder" if self.folder else "file")
            found = "file" if self.folder else "folder"
            told = mistaken(path, wanted) if self.wanted else ""
            plain = f"{path} is {CALLED[found]}, and {CALLED[wanted]} is wanted"
            self.fail(told or plain, param, ctx)
        return super().convert(value, param, ctx)


FILE, FOLDER = Place(), Place(folder=True)
MODEL, BUILD = Place("model"), Place("BUILD", folder=True)


class ModelOrBuild(click.ParamType):
    """A BUILD, or a model that becomes one."""

    name = "path"

    def convert(self, value, param, ctx):
        kind = BUILD if Path(value).is_dir() else MODEL
        return kind.convert(value, param, ctx)


class Number(click.FloatRange):
    """A number in a range, as people type it; a ``share`` of 1 also in per cent."""

    share = False

    def convert(self, value, param, ctx):
        return super().convert(typed_number(self, value, param, ctx, self.share), param, ctx)


class Share(Number):
    """A share of 1."""

    share = True

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value, param, ctx):
        number = typed_number(self, value, param, ctx, True)
        if 1 < number <= 100:
            meant = f"give {number:g}% or {number / 100:g}"
            self.fail(f"{number} is not in the range 0<=x<=1: {meant}", param, ctx)
        return super().convert(value, param, ctx)


class Limit(Share):
    """A share of 1, or a number with its unit, which is left as it is."""

    def convert(self, value, param, ctx):
        with contextlib.suppress(TypeError, ValueError, AttributeError):
            if read_quantity(value)[1] not in ("", "%"):
                return value
        return super().convert(value, param, ctx)


class AnyNumber(click.ParamType):
    """A number, as people type it."""

    name = "float"

    def convert(self, value, param, ctx):
        return typed_number(self, value, param, ctx)


def typed_number(kind: click.ParamType, value, param, ctx, share: bool = False) -> float:
    """The number that was typed; click's error if it is none."""
    try:
        number = read_number(value, share=share) if isinstance(value, str) else float(value)
    except ValueError:
        kind.fail(f"{value!r} is not a number{why_not(value)}", param, ctx)
    if math.isnan(number):
        kind.fail(f"{value!r} is not a number", param, ctx)
    return number


class Pair(click.ParamType):
    """Two numbers with a sign between them; ``wanted`` says what they are, with an example."""

    def __init__(self, name: str, sign: str, wanted: str) -> None:
        self.name, self._sign, self._wanted = name, sign, wanted

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            first, second = (read_number(word) for word in value.split(self._sign))
        except ValueError:
            self.fail(f"{value!r} is not {self._wanted}", param, ctx)
        return first, second


class Whole(click.IntRange):
    """A whole number in a range."""

    def convert(self, value, param, ctx):
        try:
            int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number, such as 1000", param, ctx)
        return super().convert(value, param, ctx)


def include_option(models: str) -> Callable[[Any], Any]:
    """``--include`` of a command that takes an op-amp's netlist; ``models`` begins its help."""
    return click.option(
        "--include",
        multiple=True,
        metavar="LIB:SECTION",
        help=f"{models}: FILE, FILE:SECTION, or gf180mcu:typical.  [default: the file's]",
    )


def draws_option(help: str) -> Callable[[Any], Any]:
    """``--draws``, how many such op-amps are drawn."""
    return click.option("--draws", type=Whole(0, 100_000), default=0, show_default=True, help=help)


class Choice(click.Choice):
    """One of some words."""

    def get_invalid_choice_message(self, value, ctx) -> str:
        return super().get_invalid_choice_message(value, ctx)[:-1] + nearest(value, self.choices)


def guarded(command: Callable) -> Callable:
    """Turn this package's errors, a full disk and signals into one sentence and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        as_json = bool(kwargs.get("as_json"))
        try:
            return command(*args, **kwargs)
        except AnalogKanError as error:
            fail(error, as_json)
        except OSError as error:
            exit_if_printing(error)
            where = f" {error.filename}" if error.filename else ""
            fail(AnalogKanError(f"cannot read or write{where}: {error.strerror or error}"), as_json)
        except KeyboardInterrupt as interrupt:
            resumes = click.get_current_context().info_name in (*RESUMABLE, *registry.names())
            resumes = resumes and not kwargs.get("prune")
            how = ": the same command goes on with what is left" if resumes else ""
            err.print(f"interrupted{how}", style="yellow")
            raise SystemExit(exit_code(interrupt)) from None
        return None

    return run


def fail(error: AnalogKanError, as_json: bool) -> None:
    """Print the error, on stdout too as JSON if asked for, and exit: 2 for settings, else 1."""
    if as_json:
        print_json({"error": {"type": type(error).__name__, "message": str(error)}})
    err.print("error: ", style="bold red", end="")
    err.print(str(error))
    if isinstance(error, SimulationError) and error.stderr_tail:
        err.print(error.stderr_tail, style="dim")
    raise SystemExit(EXIT_USAGE if isinstance(error, SettingsError) else EXIT_FAILURE)


def print_json(document: Any) -> None:
    """One JSON document on stdout; numbers that JSON does not have become null."""
    click.echo(json.dumps(plain(document), indent=2))


def plain(value: Any) -> Any:
    """``value`` in terms of JSON: paths as text, arrays as lists, NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def command_line() -> str:
    """The command as it was given, but for --resume, which wants what is there already."""
    return "analogkan " + shlex.join(word for word in sys.argv[1:] if word != "--resume")


def print_next(command: str) -> None:
    """The command that comes next, with the plugins that this one was given."""
    given = click.get_current_context().meta.get(PLUGINS, ())
    plugins = dict.fromkeys(f" --plugin {shlex.quote(str(path))}" for path in given)
    out.print(f"next: {command}{''.join(plugins)}")


def print_notes(notes: list[str]) -> None:
    """A line a note."""
    for note in notes:
        out.print(f"note: {note}", style="yellow")


def require_classes(spec: NetworkSpec) -> None:
    """UsageError where ``--fail-under`` is given of a network that has no accuracy."""
    if spec.targets is not None:
        raise click.UsageError(
            "--fail-under is of accuracies, and a regression has none: look at rmse_circuit or "
            "rmse_mean of --json"
        )


def require_least(figure: float, least: float, said: str) -> None:
    """Exit where a figure is below ``--fail-under``."""
    if figure < least:
        err.print(f"{said} {figure:.4f} is below --fail-under {least:g}", style="red")
        raise SystemExit(EXIT_THRESHOLD)


def keep_picture(draw: Callable[[], Any], path: Path) -> bool:
    """Whether what ``draw`` draws is kept beside results in their folder.

    If that fails there is a note, and no more than that: the results are there.
    """
    try:
        from ..report.figures import save
        from ..studies.folder import hold

        figure = draw()
        if figure is not None:
            with hold(path.parent):
                save(figure, path)
        return figure is not None
    except Exception as error:  # whatever matplotlib, its fonts or the disk have against it
        why = getattr(error, "strerror", None) or brief(error)
        err.print(
            f"note: no picture {path} ({why}): the results are kept, and the same command draws it "
            "again",
            style="yellow",
        )
        return False


def print_result(result: Result) -> None:
    """A result's figures, and what goes with them."""
    listing = result.facts()
    shown = table(result.title(), *listing.columns)
    for k, row in enumerate(listing.rows[:MOST_ROWS]):
        shown.add_row(*row, style="bright_black" if k in listing.grey else None)
    out.print(shown)
    if len(listing.rows) > MOST_ROWS:
        whole = "result.json" if result.summary.get("run") else "--json"
        out.print(f"the first {MOST_ROWS} of {len(listing.rows):,} rows; all are in {whole}")
    for sentence in result.sentences():
        out.print(sentence)
    print_notes(result.notes())
    for sentence in result.closing():
        out.print(sentence)
    if result.summary.get("run"):
        out.print(f"kept in {result.summary['run']}")


def table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are figures."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for k, column in enumerate(columns):
        made.add_column(column, justify="left" if k == 0 else "right", overflow="fold")
    return made


def progress(as_json: bool) -> Progress:
    """Progress on stderr: a bar if that is a terminal, else a line a minute; none in JSON mode."""
    return rich_bar(err, disable=as_json)


@contextlib.contextmanager
def circuit_progress(as_json: bool, what: str) -> Iterator[Callable[[str, int, int], None]]:
    """What held circuits report to: a bar from the first one on."""
    with progress(as_json) as bar:
        task = None

        def on_circuit(name: str, done: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task(what, total=total)
            bar.update(task, completed=done, description=f"{what}: {name}")

        yield on_circuit
