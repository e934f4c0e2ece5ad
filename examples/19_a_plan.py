"""A plan: what a regression costs as it is, and the least that keeps its error.

    python examples/19_a_plan.py [FOLDER]

A short search; then the circuit that was chosen, compiled and measured by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

import analogkan as ak


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build = ak.compile("mnist-d2", folder / "mnist-d2.build")
    images = ak.load_bundled()[:100]
    planned = ak.plan(
        build, images, loss=1, tries=12, samples=4, judge="none", out=folder / "plan"
    )  # fmt: skip
    print(planned)
    planned.plot().savefig(folder / "plan.png")
    preset = folder / "plan" / "planned.toml"
    chosen = ak.compile("mnist-d2", folder / "planned.build", hardware=str(preset))
    sheet = ak.datasheet(chosen, images[:20], preset=str(preset), judge="none")
    print(sheet)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "plan"))
