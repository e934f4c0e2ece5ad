"""Figures as SVG that takes the colour of the text around it, light or dark."""

from __future__ import annotations

import html
import io
import re

import matplotlib as mpl
from matplotlib.figure import Figure

RASTER_DPI, LEAST_DPI = 130, 45
"""Of what is drawn as an image inside an SVG."""
BROAD_INCHES = 6.5
"""From this width on a phone scrolls a figure rather than shrink its text."""
PIXELS_PER_INCH = 108
"""On a page that has room: texts of all figures are then of one size, near the page's own."""


def inline_svg(figure: Figure, name: str, label: str, share: float = 1.0) -> str:
    """``figure`` as an ``<svg>`` element for a page; equal figures give equal text.

    Black becomes the page's colour of text, and the background is the page's. ``name`` keeps its
    identifiers apart from those of other figures; ``label`` is read to whoever cannot see it. What
    is drawn as an image inside has a ``share`` of the usual pixels.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        dpi = max(LEAST_DPI, RASTER_DPI * share**0.5)
        figure.savefig(buffer, format="svg", transparent=True, dpi=dpi, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"#000000\b", "currentColor", text)
    # Identifiers such as axes_1 are in every figure: only those that something refers to stay.
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r'\sid="([^"]*)"', lambda found: found[0] if found[1] in used else "", text)
    head, _, rest = text.partition(">")
    view = re.search(r'viewBox="[^"]*"', head)
    assert view is not None, "matplotlib gives every figure a viewBox"
    width = figure.get_figwidth()
    kind = "plot broad" if width >= BROAD_INCHES else "plot"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{view[0]} role="img" aria-label="{html.escape(label)}" class="{kind}" '
        f'style="max-width: {PIXELS_PER_INCH * width:.0f}px">{rest.strip()}'
    )
