"""What can be pointed at in a report: logits, images, chips. Bokeh, inline, no network."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.embed import components
from bokeh.layouts import column, row
from bokeh.model import Model
from bokeh.models import ColumnDataSource, CustomJS, Div, HoverTool, Select, Slider, Span
from bokeh.plotting import figure
from bokeh.resources import Resources
from bokeh.transform import dodge
from PIL import Image

from .figures import CIRCUIT, CYCLE, SOFTWARE, accuracy_bins

INK = "#7b8087"
"""Of texts and axes: readable on white and on black."""
MOST_POINTS = 4000
"""Logits of a scatter; drawn with seed 0 if there are more."""
CHOICE = (
    "select.bk-input:not([size]) { color: inherit; background-color: transparent; "
    "background-image: linear-gradient(45deg, transparent 50%, currentColor 50%), "
    "linear-gradient(135deg, currentColor 50%, transparent 50%); "
    "background-position: right calc(0.5em + 5px) center, right 0.5em center; "
    "background-size: 5px 5px; } "
    "select.bk-input option { color: #111; background: #fff; }"
)
"""How a list looks: the page's own colours, light or dark, its arrow too."""
PICTURE = 210
"""Pixels across an image."""


def embedded(models: dict[str, Model]) -> tuple[str, dict[str, str]]:
    """One script, and an element a name, for ``models``; the library is part of the script."""
    if not models:
        return "", {}
    script, divs = components(models)
    library = Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).render()
    return library + script, dict(divs)


def logit_scatter(
    labels: np.ndarray,
    index: np.ndarray,
    software: np.ndarray,
    circuit: np.ndarray,
    share: float = 1.0,
) -> Model:
    """Error over software's logit; pointing at one names its image, class and both values."""
    most = round(share * MOST_POINTS)
    chosen = np.random.default_rng(0).permutation(software.size)[:most]
    image, output = np.unravel_index(chosen, software.shape)
    source = ColumnDataSource(
        {
            "software": software.ravel()[chosen],
            "circuit": circuit.ravel()[chosen],
            "error": (circuit - software).ravel()[chosen],
            "image": index[image],
            "label": labels[image],
            "output": output,
        }
    )
    box = _box(height=340, tools="pan,box_zoom,wheel_zoom,reset")
    dots = box.scatter("software", "error", source=source, size=4, color=CIRCUIT, alpha=0.5)
    tips = [
        ("image", "@image, class @label"),
        ("logit", "@output"),
        ("software", "@software{0.0000}"),
        ("circuit", "@circuit{0.0000}"),
        ("error", "@error{0.00e+0}"),
    ]
    box.add_tools(HoverTool(renderers=[dots], tooltips=tips))
    box.add_layout(Span(location=0, dimension="width", line_color=INK))
    _inked(box, "software logit", "circuit − software")
    return box


def chip_histogram(rows: Sequence[dict[str, Any]], summary: dict[str, Any]) -> Model:
    """Chips by accuracy; pointing at a bar names them."""
    good = [r for r in rows if r["status"] == "ok"]
    accuracy = 100 * np.array([r["accuracy"] for r in good])
    edges = accuracy_bins(accuracy, summary["n"])
    place = np.clip(np.searchsorted(edges, accuracy, side="right") - 1, 0, len(edges) - 2)
    named = [[good[j]["sample"] for j in np.flatnonzero(place == k)] for k in range(len(edges) - 1)]
    source = ColumnDataSource(
        {
            "left": edges[:-1],
            "right": edges[1:],
            "count": [len(chips) for chips in named],
            "chips": [", ".join(map(str, c[:12])) + (" ..." if len(c) > 12 else "") for c in named],
        }
    )
    lines = (
        (100 * summary["software_accuracy"], SOFTWARE, "solid"),
        (100 * summary["accuracy_mean"], CIRCUIT, "solid"),
        (100 * summary["yield_at"], CYCLE[3], "dashed"),
    )
    ends = [*edges[[0, -1]], *(at for at, _, _ in lines)]
    room = 0.04 * (max(ends) - min(ends))
    seen = (min(ends) - room, max(ends) + room)
    box = _box(height=320, tools="pan,xwheel_zoom,reset", x_range=seen)
    bars = box.quad(
        left="left", right="right", top="count", bottom=0, source=source,
        fill_color=CIRCUIT, fill_alpha=0.55, line_color=INK, line_width=0.5,
    )  # fmt: skip
    tips = [("accuracy", "@left{0.00} to @right{0.00} %"), ("chips", "@count: @chips")]
    box.add_tools(HoverTool(renderers=[bars], tooltips=tips))
    for at, color, dash in lines:
        line = Span(location=at, dimension="height", line_color=color, line_width=2, line_dash=dash)
        box.add_layout(line)
    _inked(box, "accuracy (%)", "chips")
    return box


def image_browser(
    pictures: np.ndarray,
    index: np.ndarray,
    labels: np.ndarray,
    software: np.ndarray,
    circuit: np.ndarray,
    chips: Mapping[str, np.ndarray] | None = None,
) -> Model:
    """One image at a time with the logits of software, circuit and a chip; a slider, or the arrow
    keys, choose the image, and a list the chip.

    Parameters
    ----------
    pictures
        (m, h, w) grey or (m, h, w, 3), 0 to 1.
    index, labels
        (m,) positions in the data set, and classes.
    software, circuit
        (m, O) logits.
    chips
        (m, O) logits of chips, by their names.
    """
    chips = dict(chips or {})
    shown = [
        _shown(int(i), int(y), int(s), int(c), picture)
        for i, y, s, c, picture in zip(
            index, labels, software.argmax(axis=1), circuit.argmax(axis=1), pictures, strict=True
        )
    ]
    classes, names = software.shape[1], list(chips)
    first = next(iter(chips.values()), np.full_like(circuit, np.nan))
    bars = ColumnDataSource(
        {
            "place": np.arange(classes),
            "software": software[0], "circuit": circuit[0], "chip": first[0],
        }
    )  # fmt: skip
    every = ColumnDataSource({"software": list(software), "circuit": list(circuit), "html": shown})
    drawn = ColumnDataSource({f"chip{j}": list(chips[name]) for j, name in enumerate(names)})
    text = _with_chip(shown[0], names[0], int(first[0].argmax())) if names else shown[0]
    left = Div(text=text, width=PICTURE + 20, styles={"color": "inherit", "font-size": "15px"})
    right = _logit_bars(bars, classes, with_chip=bool(names))
    slider = Slider(start=1, end=max(2, len(shown)), value=1, step=1, title="image",
                    sizing_mode="stretch_width", visible=len(shown) > 1)  # fmt: skip
    choice = Select(
        title="chip", value="0", options=[(str(j), name) for j, name in enumerate(names)],
        visible=bool(names), sizing_mode="stretch_width", max_width=420, stylesheets=[CHOICE],
    )  # fmt: skip
    change = CustomJS(
        args={
            "every": every, "drawn": drawn, "bars": bars, "shown": left, "slider": slider,
            "choice": choice, "names": [html.escape(name) for name in names],
        },
        code="""
            const k = slider.value - 1, all = every.data;
            const column = {...bars.data, software: all.software[k], circuit: all.circuit[k]};
            let text = all.html[k];
            if (names.length) {
                const chip = Array.from(drawn.data["chip" + choice.value][k]);
                column.chip = chip;
                text = text.replace("<!--chip-->", () => "; " + names[Number(choice.value)]
                    + ": <b>" + chip.indexOf(Math.max(...chip)) + "</b>");
            }
            bars.data = column;
            shown.text = text;
        """,
    )  # fmt: skip
    slider.js_on_change("value", change)
    choice.js_on_change("value", change)
    pair = row(left, right, sizing_mode="stretch_width", styles={"flex-wrap": "wrap"})
    return column(slider, choice, pair, sizing_mode="stretch_width")


def _logit_bars(bars: ColumnDataSource, classes: int, *, with_chip: bool) -> Any:
    """Logits by class: software's, the circuit's, and a chip's if there are chips."""
    box = _box(height=260, min_width=260, tools="", toolbar_location=None)
    series = [("software", SOFTWARE, -0.26), ("circuit", CIRCUIT, 0.0), ("chip", CYCLE[2], 0.26)]
    width = 0.25
    if not with_chip:
        series, width = [("software", SOFTWARE, -0.19), ("circuit", CIRCUIT, 0.19)], 0.36
    for name, color, side in series:
        box.vbar(
            x=dodge("place", side), top=name, width=width,
            source=bars, color=color, legend_label=name,
        )  # fmt: skip
    box.xaxis.ticker = list(range(classes))
    box.legend.orientation = "horizontal"
    box.legend.background_fill_alpha = 0.0
    box.legend.border_line_alpha = 0.0
    box.legend.label_text_color = INK
    box.add_layout(box.legend[0], "above")
    _inked(box, "class", "logit")
    return box


def _shown(image: int, label: int, software: int, circuit: int, picture: np.ndarray) -> str:
    """What is said of an image, and the image: (h, w) grey or (h, w, 3), 0 to 1."""
    kind = "flipped" if software != circuit else "wrong in both" if circuit != label else "right"
    buffer = io.BytesIO()
    Image.fromarray(np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)).save(buffer, "png")
    code = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f"<b>image {image}</b>, class {label}: software says {software}, circuit {circuit} "
        f"({kind})<!--chip-->"
        f'<br><img alt="image {image}" src="data:image/png;base64,{code}" width="{PICTURE}" '
        'style="image-rendering: pixelated; margin-top: 8px">'
    )


def _with_chip(text: str, name: str, answer: int) -> str:
    """What ``_shown`` says, and what a chip of that ``name`` answers."""
    return text.replace("<!--chip-->", f"; {html.escape(name)}: <b>{answer}</b>")


def _box(**form: Any) -> Any:
    """A figure through which the page is seen, as wide as there is room unless told otherwise."""
    form = {"sizing_mode": "stretch_width", "toolbar_location": "above"} | form
    box = figure(background_fill_alpha=0.0, border_fill_alpha=0.0, outline_line_color=None, **form)
    box.toolbar.logo = None
    return box


def _inked(box: Any, x: str, y: str) -> None:
    box.xaxis.axis_label, box.yaxis.axis_label = x, y
    for axis in (*box.xaxis, *box.yaxis):
        axis.axis_label_text_color = axis.major_label_text_color = INK
        axis.axis_line_color = axis.major_tick_line_color = INK
        axis.minor_tick_line_color = None
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = "13px"
        axis.major_label_text_font_size = "12px"
    box.grid.grid_line_color = INK
    box.grid.grid_line_alpha = 0.2
