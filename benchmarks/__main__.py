"""``python -m benchmarks``: what takes how long, side by side, as ratios that travel.

Absolute figures belong to the machine they were taken on; ratios are of things run in one go. All
benchmarks of speed, or one by its name; others tell something else, and are run by name alone. One
thread for every library, unless OMP_NUM_THREADS is set.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

NAMES = (
    "cli",
    "emit",
    "batch",
    "ngspice_floor",
    "session",
    "twin",
    "draw",
    "layers",
    "training",
    "wires",
    "growth",
    "explicit",
    "cluster",
    "many",
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
    parser = _parser()
    given = parser.parse_args()
    for name in given.names:
        if name not in NAMES:
            parser.error(f"unknown benchmark {name!r}: {', '.join(NAMES)}")
    if given.page and not given.json:
        parser.error("--page FILE needs --json FILE, which it is made of")
    if given.page and not given.page.is_file():
        parser.error(f"{given.page} is not there, so that it has no marks to write between")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads a BLAS
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in given.names or NAMES}
    if not given.names:
        modules = {name: of for name, of in modules.items() if hasattr(of, "measured")}
    if given.json is None and given.names:
        for name, module in modules.items():
            print(f"\n## {name}")
            _tell(module, given.quick)
        return
    for name, module in modules.items():
        if not hasattr(module, "measured"):
            parser.error(f"{name} measures no speed: run it without --json")
    if not _measure(modules, given):
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"Names: {', '.join(NAMES)}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="as little as shows that it runs")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="keep the rows there; an interrupted run goes on with what FILE.part lacks, and NAMEs "
        "are measured into a FILE that is there",
    )
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write the tables between its marks"
    )
    return parser


def _tell(module: ModuleType, quick: bool) -> None:
    """What a benchmark prints by itself, or its rows."""
    if hasattr(module, "main") and not quick:
        module.main()
        return
    from .measure import show

    show(module.measured(quick))


def _measure(modules: dict[str, ModuleType], given: argparse.Namespace) -> bool:
    """Run those that are not kept yet; whether all of them ran."""
    from .kept import Kept
    from .measure import show

    kept = Kept.opened(given.json, whole=not given.names, quick=given.quick)
    print(", ".join(map(" ".join, kept.document["machine"].items())))
    failed: list[str] = []
    for name, module in modules.items():
        print(f"\n## {name}", flush=True)
        if kept.has(name):
            print(f"kept in {kept.path}: delete it to measure all anew")
        else:
            try:
                kept.run(name, module.measured, given.quick)
            except Exception:
                traceback.print_exc()
                failed.append(name)
                continue
        show(kept.rows(name))
    if failed:
        print(f"\nfailed: {', '.join(failed)}; the others are in {kept.path or 'no file'}")
        return False
    kept.finish()
    if given.page:
        from .page import write_page

        write_page(given.page, kept.document)
    return True


if __name__ == "__main__":
    main()
