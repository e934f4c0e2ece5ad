# pyright: strict
"""Results as one page, and devices as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..devices import IVCurve, load
from ..errors import StudyError
from ..objects import PATHS, as_path, require_type, show_figures
from ..studies.result import Found
from . import given
from .given import AnyPath

if TYPE_CHECKING:
    from ..report.figures import Figure


def write_report(
    runs: Any,
    out: AnyPath = "report.html",
    *,
    build: AnyPath | None = None,
    title: str = "",
    figures: AnyPath | None = None,
) -> dict[str, Any]:
    """Write what RUNs of one network found into one self-contained page.

    Parameters
    ----------
    runs
        Results, or RUN folders, one or several of them, of any kinds.
    out
        The page, ``.html``; or ``.md``, a summary in Markdown without pictures.
    build
        The BUILD, if it is no longer where the RUNs say.
    title
        Instead of the network's name.
    figures
        A folder for every figure as PNG.

    Returns
    -------
    dict
        What was written: ``report``, ``bytes``, ``sections``, ``figures``, and what is ``missing``;
        of a summary ``report``, ``lines``, ``missing``, and the text, ``markdown``.

    Raises
    ------
    StudyError, NetlistError, AnalogKanError
        If a RUN or the BUILD cannot be read, they are of several networks, ``figures`` are asked of
        a summary, or what is in the way is none of ours; nothing is written then.

    Examples
    --------
    >>> images = ak.load_bundled()[:20]
    >>> chips = ak.montecarlo("mnist-d2.build", images, samples=2, judge="none")
    >>> ak.write_report(chips, "chips.html")["sections"][-1]
    'Virtual chips'
    """
    from ..report import page

    require_type(title, str, "title", "a text")
    every: Iterable[Any] = [runs] if isinstance(runs, (Found, *PATHS)) else _several(runs)
    folders = [
        one.run if isinstance(one, Found) else as_path(one, "runs", _WANTED) for one in every
    ]
    path, of = as_path(out, "out"), given.optional_path(build, "build")
    if path.suffix == page.MARKDOWN:
        if figures is not None:
            raise StudyError("figures go with a page: a summary in Markdown has none")
        return page.write_summary(folders, path, build=of, title=title)
    return page.write_report(
        folders,
        path,
        build=of,
        title=title,
        figures=given.optional_path(figures, "figures"),
    )


_WANTED = "results, or the folders of RUNs"


def _several(runs: Any) -> Iterable[Any]:
    require_type(runs, Iterable, "runs", _WANTED)
    return runs


def plot_devices(devices: Any, out: AnyPath | None = None, *, ax: Any = None) -> Figure:
    """The I-V curves of devices, as a matplotlib Figure.

    Parameters
    ----------
    devices
        Names or device files, ``"A21,Z21"`` or a list; or ``IVCurve`` objects.
    out
        A PNG, SVG or PDF file to write as well.
    ax
        A matplotlib Axes to draw in, whose figure is returned; by default a new figure.

    Raises
    ------
    SettingsError
        If ``ax`` is no Axes.
    DeviceError
        If there is no such device.
    AnalogKanError
        If what is in the way of ``out`` is no picture of ours.

    Examples
    --------
    >>> figure = ak.plot_devices(["A21", "Z21"], "curves.png")
    >>> len(figure.axes)
    1
    """
    from ..ours import require_marked
    from ..report.figures import iv_figure, save

    wanted = "devices, or names of theirs"
    require_type(devices, (IVCurve, *PATHS, Iterable), "devices", wanted)
    named: Any = devices.split(",") if isinstance(devices, str) else devices
    listed: Any = [named] if isinstance(named, (IVCurve, *PATHS)) else named
    figure = iv_figure([load(one) for one in listed], ax=ax)
    if out is not None:
        path: Path = as_path(out, "out")
        require_marked(path, give="out")
        save(figure, path)
    if ax is None:
        show_figures()
    return figure
