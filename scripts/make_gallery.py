"""Runs the examples and keeps what they print and draw, for the site's gallery.

    .venv/bin/python scripts/make_gallery.py [NN_name ...]

Without names it runs all, but for the one that needs SLURM. Each works in a folder ``out`` of its
own; its page in docs/gallery says which of its figures are kept. All take some fifteen minutes on
two shared cores. What they print goes into docs/gallery/kept, where the slow tests compare it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from keeping import KEPT, figures, kept_name  # noqa: E402  # pyright: ignore

WIDEST, COLOURS = 1000, 128


def main(names: list[str]) -> None:
    KEPT.mkdir(exist_ok=True)
    for name in names or sorted(p.stem for p in (ROOT / "examples").glob("*.py")):
        if name != "09_slurm":
            run(name)


def run(name: str) -> None:
    """Run one, and keep its output and the figures that its page names."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / f"{name}.py", "out"],
            cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        (KEPT / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
        for figure, _ in figures(asked(name)):
            with Image.open(folder / "out" / figure) as drawn:
                picture = drawn.convert("RGB")
            picture.thumbnail((WIDEST, WIDEST))
            small = picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            small.save(KEPT / kept_name(name, figure), optimize=True)
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


def asked(name: str) -> list[str]:
    """The lines of the figures in the example's page."""
    page = (ROOT / "docs" / "gallery" / f"{name}.md").read_text(encoding="utf-8")
    match = re.search(rf"```{{example}} {name}\n(.*?)```", page, re.S)
    return match[1].splitlines() if match else []


if __name__ == "__main__":
    main(sys.argv[1:])
