"""Makes the figures of docs/sensitivity.md anew.

    .venv/bin/python scripts/make_sensitivity.py [--out DIR]

Asks of mnist-d2 what makes its chips differ on 200 of the bundled images, and writes the answer
between its marks. The RUN is kept, so that an interrupted one goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from make_results import replaced

import analogkan as ak
from analogkan.text import markdown_table

ROOT = Path(__file__).parents[1]
IMAGES, SAMPLES = 200, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "sensitivity.run")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    build = ak.compile("mnist-d2", given.out / "mnist-d2.build")
    found = ak.sensitivity(
        build, ak.load_bundled()[:IMAGES], samples=SAMPLES, seed=0, out=given.out / "mnist-d2"
    )
    listing = found.facts()
    told = [*found.sentences(), *found.summary["slopes_without"], found.judged()]
    parts = [f"{found.title()}, seed 0:\n", markdown_table(listing.columns, listing.rows)]
    parts += [f"- {sentence}" for sentence in told]
    page = ROOT / "docs" / "sensitivity.md"
    text = replaced(page.read_text(encoding="utf-8"), "sensitivity", "\n".join(parts) + "\n")
    page.write_text(text, encoding="utf-8", newline="\n")
    for figure in found.figures():
        figure.draw().savefig(ROOT / "docs" / "images" / f"{figure.name}.png", dpi=110)


if __name__ == "__main__":
    main()
