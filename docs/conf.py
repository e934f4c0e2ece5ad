"""Sphinx: ``make docs`` builds the pages of this folder into docs/_build/html."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "analogkan"
author = "the analogkan authors"
release = version = importlib.metadata.version("analogkan")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "clickhelp",
    "gallery",
    "mathml",
    "signatures",
]
exclude_patterns = ["_build", "_ext", "_templates", "gallery/drawn", "gallery/kept"]

myst_enable_extensions = ["dollarmath", "amsmath", "attrs_block"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
suppress_warnings = ["config.cache"]

autosummary_generate = True
autosummary_imported_members = False
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
python_maximum_signature_line_length = 88
add_module_names = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
toc_object_entries = False

# Other projects' objects are not linked: their inventories would have to be fetched.
nitpick_ignore_regex = [("py:.*", r"(?!analogkan\b).*")]

templates_path = ["_templates", "gallery/drawn", "gallery/kept"]
html_theme = "furo"
html_title = f"analogkan {release}"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
