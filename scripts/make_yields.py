"""Makes the measured figures of docs/rare-yields.md anew.

    .venv/bin/python scripts/make_yields.py [--out DIR] [--chips N] [--build BUILD]

Asks every method how rarely chips of mnist-d2 miss three limits on 200 of the bundled images, and
plain chips by the hundred thousand. RUNs are kept, so that an interrupted one goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from make_results import replaced

import analogkan as ak
from analogkan.data import choose
from analogkan.errors import UntrustedError
from analogkan.studies.yields_result import Yield, probabilities
from analogkan.text import markdown_table, percent

ROOT = Path(__file__).parents[1]
IMAGES, TRUTH = "200", 180_000
LIMITS = (0.97, 0.955, 0.945)
PLAIN_AT = 0.965
"""Of the plain chips' scores; their accuracies say what misses any limit."""
SAMPLES = {"control": 2000, "subset": 2000, "scaled": 4000, "sobol": 16_384}
RARER = {"control": 2000, "subset": 2000}
"""The same of limits beyond the first: scaled sigma and Sobol points would need too many."""
SEED = 0
FIRST = 10_000_000
"""Of methods' chips: none is among the plain ones that they are held against."""
HEAD = ("limit", "method", "failing chips", "95 %", "chips", "plain chips that would know as much")


def ask(build: Any, images: Any, out: Path, method: str, limit: float, samples: int) -> Yield:
    found = ak.montecarlo(
        build, images, method=method, samples=samples, yield_at=limit, seed=SEED,
        first=0 if method == "plain" else FIRST, variation={"trim": "dark"}, out=out,
        preset="rram", judge="3x50",
    )  # fmt: skip
    assert isinstance(found, Yield)
    return found


def row(limit: float, found: Yield) -> tuple[str, ...]:
    return (
        percent(limit, 1), found.method, *probabilities(found.p_fail, found.p_fail_ci95),
        f"{found.simulated:,}", found.as_good(),
    )  # fmt: skip


def of_plain(limit: float, found: Yield) -> tuple[str, ...]:
    """What plain chips say of any limit."""
    known = next((one for one in found.curve if one["limit"] >= limit - 1e-9), None)
    assert known is not None
    told = probabilities(known["p"], known["ci95"])
    return (percent(limit, 1), "plain", *told, f"{found.simulated:,}", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "yields.run")
    parser.add_argument("--chips", type=int, default=TRUTH)
    parser.add_argument("--build", type=Path, help="of mnist-d2; default: compiled anew")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    build = given.build or ak.compile("mnist-d2", given.out / "mnist-d2.build")
    images = choose(ak.load_bundled(), IMAGES)
    rows: dict[float, list[tuple[str, ...]]] = {limit: [] for limit in LIMITS}
    refused = []
    for limit in LIMITS[::-1]:
        for method, samples in (SAMPLES if limit == LIMITS[0] else RARER).items():
            out = given.out / f"{method}-{limit:g}"
            try:
                found = ask(build, images, out, method, limit, samples)
            except UntrustedError as error:
                refused.append(f"- {percent(limit, 1)}, {method}, refused: {error}")
                continue
            rows[limit].append(row(limit, found))
            if (method, limit) == ("control", LIMITS[1]):
                found.plot().savefig(ROOT / "docs" / "images" / "rare-yield.png", dpi=110)
    truth = ask(build, images, given.out / "plain", "plain", PLAIN_AT, given.chips)
    lines = [line for limit in LIMITS for line in (of_plain(limit, truth), *rows[limit])]
    told = [f"{truth.title()}, seed {SEED}:\n", markdown_table(HEAD, lines), *refused]
    told += [f"- plain chips {truth.judged()}"]
    page = ROOT / "docs" / "rare-yields.md"
    text = replaced(page.read_text(encoding="utf-8"), "yields", "\n".join(told) + "\n")
    page.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
