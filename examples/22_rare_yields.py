"""How rarely chips fail: plain chips, subset simulation and a surrogate by gradients.

    python examples/22_rare_yields.py [FOLDER]

Of mnist-d2's chips that have less than 98 % of 100 bundled images right; about two minutes on two
shared cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

import analogkan as ak

LIMIT = 0.98


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build = ak.compile("mnist-d2", folder / "mnist-d2.build")
    images = ak.by_class(ak.load_bundled(), 100)
    kept = []
    for method, samples in (("plain", 500), ("subset", 1000), ("control", 1000)):
        found = ak.montecarlo(
            build, images, method=method, samples=samples, yield_at=LIMIT,
            judge="1x20", out=folder / method,
        )  # fmt: skip
        low, high = found.p_fail_ci95
        print(f"{method:8} {found.p_fail:.2g} ({low:.2g} to {high:.2g}), {found.simulated} chips")
        found.plot().savefig(folder / f"{method}.png")
        kept.append(found)
    ak.write_report(kept, folder / "rare.html")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "rare"))
