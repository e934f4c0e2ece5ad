"""``python -m benchmarks [NAME ...]``: timings side by side, as ratios that travel.

Absolute figures belong to the machine they were taken on; ratios are of things run in one go.
"""

from __future__ import annotations

import importlib
import platform
import sys

NAMES = (
    "emit",
    "batch",
    "session",
    "twin",
    "wires",
    "explicit",
    "cluster",
    "hard_cases",
    "hardware_training",
    "gains",
    "coverage",
    "board",
    "noise",
    "settling",
    "plan",
    "steps",
    "cells",
    "technologies",
    "as_made",
    "die",
    "rare",
    "gradients",
)


def main() -> None:
    wanted = sys.argv[1:] or NAMES
    if wanted[0] in ("-h", "--help"):
        raise SystemExit(f"{__doc__}\nNames: {', '.join(NAMES)}; without one, all of them.")
    for name in wanted:
        if name not in NAMES:
            raise SystemExit(f"unknown benchmark {name!r}: {', '.join(NAMES)}")
    print(f"# {platform.system()}, {platform.machine()}, Python {platform.python_version()}")
    for name in wanted:
        print(f"\n## {name}")
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
