"""Metadata that are made when a wheel is built: links to the project, and the readme for a page
that is not in the repository, where its relative links would lead nowhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


def address_of(root: Path) -> str:
    """Where the repository is, as pyproject.toml says."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return project["tool"]["analogkan"]["address"]


def urls(address: str) -> dict[str, str]:
    """Links of the project by their names."""
    return {
        "Repository": address,
        "Documentation": f"{address}/blob/main/docs/index.md",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


def absolute(text: str, address: str) -> str:
    """A page's Markdown with whole addresses in place of relative ones: pictures as they are,
    others as pages."""
    picture = r"(!\[[^\]]*\]\(|\bsrc(?:set)?=\")(?!https?:|#)"
    text = re.sub(picture, rf"\g<1>{address}/raw/main/", text)
    return re.sub(r"((?<!!)\[[^\]]*\]\()(?!https?:|#)", rf"\g<1>{address}/blob/main/", text)


class Metadata(MetadataHookInterface):
    """The hook."""

    def update(self, metadata: dict) -> None:
        """Add ``urls`` and ``readme``."""
        root = Path(self.root)
        address = address_of(root)
        text = absolute((root / "README.md").read_text(encoding="utf-8"), address)
        metadata["urls"] = urls(address)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
