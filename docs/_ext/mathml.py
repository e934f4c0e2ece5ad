"""Equations as MathML, which browsers draw by themselves: no script, no font, no network.

The converter is docutils' own.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


def converted(node: nodes.math | nodes.math_block, *, as_block: bool) -> str:
    """The equation as MathML; what docutils does not know becomes a warning and stays LaTeX."""
    try:
        return latex2mathml.tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        logger.warning("equation: %s", error, location=node)
        return f"<code>{node.astext()}</code>"


def visit_inline(self: Any, node: nodes.math) -> None:
    """Write an inline equation."""
    self.body.append(converted(node, as_block=False))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """Write a displayed equation."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(converted(node, as_block=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Offer ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
