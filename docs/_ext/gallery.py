"""The gallery's pages: examples with what they print and draw, and the notebook.

``{example} NN_name`` shows examples/NN_name.py, what it printed and what it drew, which
``scripts/make_gallery.py`` kept in docs/gallery/kept and the suite's slow tests compare with what
the examples print now. Its body has a line a figure, ``FILE.png: what it shows``. A page with the
line ``<!-- notebook: PATH -->`` becomes that notebook's cells, as they are stored in it.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from keeping import KEPT, ROOT, figures, kept_name
from sphinx.util.docutils import SphinxDirective

DRAWN = ROOT / "docs" / "gallery" / "drawn"
NOTEBOOK = re.compile(r"^<!-- notebook: (\S+) -->$", re.M)


class Example(SphinxDirective):
    """The directive."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """What it draws, the program, what it prints."""
        name = self.arguments[0]
        program = ROOT / "examples" / f"{name}.py"
        printed = KEPT / f"{name}.txt"
        made: list[nodes.Node] = []
        for figure, words in figures(list(self.content)):
            image = nodes.image(uri=f"/gallery/kept/{kept_name(name, figure)}", alt=words)
            made.append(nodes.figure("", image, nodes.caption("", words)))
        if printed.exists():
            self.env.note_dependency(str(printed))
            made += [nodes.rubric("", "It prints"), block(printed, "none")]
        self.env.note_dependency(str(program))
        where = nodes.rubric("", "", nodes.literal("", f"examples/{program.name}"))
        return [*made, where, block(program, "python")]


def block(path: Path, language: str) -> nodes.literal_block:
    """A file as a literal block."""
    text = path.read_text(encoding="utf-8").rstrip()
    return nodes.literal_block(text, text, language=language)


def expand(app: Any, docname: str, source: list[str]) -> None:
    """Put a notebook's cells in the place of the line that names it."""
    match = NOTEBOOK.search(source[0])
    if match:
        path = ROOT / match[1]
        app.env.note_dependency(str(path), docname=docname)
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        source[0] = NOTEBOOK.sub(lambda _: "\n\n".join(map(cell, cells)), source[0])


def cell(found: dict[str, Any]) -> str:
    """A cell as Markdown, its links as seen from docs/gallery."""
    text = "".join(found["source"])
    if found["cell_type"] == "markdown":
        return text.replace("](../docs/", "](../")
    parts = [f"```python\n{text}\n```"]
    for output in found["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            name = f"{found['id']}.png"
            DRAWN.mkdir(exist_ok=True)
            (DRAWN / name).write_bytes(base64.b64decode(data["image/png"]))
            parts.append(f"![What the cell above draws](drawn/{name})")
        else:
            said = "".join(output.get("text") or data.get("text/plain", "")).strip()
            parts += [f"```text\n{said}\n```"] if said else []
    return "\n\n".join(parts)


def setup(app: Any) -> dict[str, bool]:
    """Offer both."""
    app.add_directive("example", Example)
    app.connect("source-read", expand)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
