"""Equations as MathML, which browsers draw by themselves: no script, no font, no network.

docutils has the converter. It knows no ``&``-``\\\\`` outside an environment, so Sphinx's wrapping
in ``split`` is kept.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.util.math import get_node_equation_number, wrap_displaymath


def visit_inline(self: Any, node: nodes.math) -> None:
    """Write an inline equation."""
    self.body.append(latex2mathml.tex2mathml(node.astext()))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """Write a displayed equation, with its number if it has one."""
    text = node.astext()
    if r"\\" in text and r"\begin" not in text:
        text = wrap_displaymath(text, "", False)
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node.get("number"):
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(latex2mathml.tex2mathml(text, as_block=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Offer ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
