"""Makes the tables of docs/results.md anew.

    .venv/bin/python scripts/make_results.py [--data DIR] [--jobs N]

Compiles the shipped models, runs all MNIST test images (DIR/MNIST, ./data if not given) and the
bundled ones through ngspice and virtual chips, and writes the two tables between their marks. Some
ten minutes to half an hour; RUNs are kept in results.run, so that an interrupted one goes on with
what is left.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import analogkan as ak
from analogkan import resources
from analogkan.data import ImageSet, choose

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results.md"
CIRCUITS = {
    # label: model, preset, images, both directions of the sweep
    "mnist-d2, nominal": ("mnist-d2", "nominal", "mnist", False),
    "mnist-d3, nominal": ("mnist-d3", "nominal", "mnist", False),
    "mnist-d2, ideal, up and down": ("mnist-d2", "ideal", "1000", True),
    "mnist-d3, ideal, up and down": ("mnist-d3", "ideal", "1000", True),
    "paper-mnist-d2 (sigmoid, LayerNorm), nominal": ("paper-mnist-d2", "nominal", "500", False),
}
STUDIES: dict[str, tuple[str, int, dict[str, Any]]] = {
    # label: model, chips, what differs
    "mnist-d2": ("mnist-d2", 1000, {}),
    "mnist-d2, wires of 1 ohm a segment": ("mnist-d2", 1000, {"hardware": {"r_wire": 1}}),
    "mnist-d2, no trim": ("mnist-d2", 200, {"variation": {"trim": "none"}}),
    "mnist-d2, 1 % line mismatch": ("mnist-d2", 200, {"variation": {"line_sigma": 0.01}}),
    "mnist-d3": ("mnist-d3", 200, {}),
    "paper-mnist-d2": ("paper-mnist-d2", 200, {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "results.run")
    given = parser.parse_args()
    mnist = ak.load_dataset("mnist", "test", given.data)
    tables = {
        "circuit": _table(
            (
                "what",
                "images",
                "software",
                "circuit",
                "same class",
                "largest logit error",
                "command",
            ),
            [_circuit_row(label, given, mnist) for label in CIRCUITS],
        ),
        "chips": _table(
            ("what", "chips", "software", "mean of chips", "spread", "5 % of chips below"),
            [_study_row(label, given, mnist) for label in STUDIES],
        ),
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables.items():
        text = replaced(text, name, table)
    PAGE.write_text(text, encoding="utf-8", newline="\n")


def replaced(text: str, name: str, table: str) -> str:
    """``text`` with ``table`` between the marks ``<!-- NAME: ... -->`` and ``<!-- /NAME -->``."""
    marks = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if len(marks.findall(text)) != 1:
        raise SystemExit(f"the page has no marks for the table {name!r}")
    return marks.sub(lambda found: found[1] + table + found[2], text)


def _table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(line)} |\n" for line in [list(columns), *rows]]
    return "".join([lines[0], "|---" * len(columns) + "|\n", *lines[1:]])


def _build(model: str, preset: str, out: Path) -> Any:
    path = resources.path(f"models/{model}.pt")
    return ak.compile(path, out / f"{model}-{preset}.build", preset=preset)


def _circuit_row(label: str, given: argparse.Namespace, mnist: ImageSet) -> list[str]:
    model, preset, which, both = CIRCUITS[label]
    build = _build(model, preset, given.out)
    bundled = ak.load_bundled()
    images = mnist if which == "mnist" else choose(bundled, which)
    found = []
    for descending in (False, True)[: 1 + both]:
        print(f"{label}{', descending' if descending else ''} ...", flush=True)
        run = given.out / f"{model}-{preset}-{which}{'-down' if descending else ''}"
        found.append(
            ak.simulate(build, images, out=run, jobs=given.jobs, descending=descending).summary
        )
    s = found[0]
    software = _share(s["software_accuracy"], s["software_ci95"])
    circuits = {_share(f["circuit_accuracy"], f["circuit_ci95"]) for f in found}
    circuit = " and ".join(sorted(circuits))
    error = max(f["max_abs_logit_error"] / f["logit_full_scale"] for f in found)
    agreement = min(f["agreement"] for f in found)
    command = "2" if both else "1" if which == "mnist" else "3"
    return [
        label,
        s["images"]["said"],
        software,
        "the same" if circuits == {software} and which != "mnist" else circuit,
        f"{100 * agreement:.2f}".rstrip("0").rstrip(".") + " %",
        f"{error:.1e} of full scale".replace("e-0", "e-"),
        command,
    ]


def _study_row(label: str, given: argparse.Namespace, mnist: ImageSet) -> list[str]:
    model, chips, settings = STUDIES[label]
    print(f"{label}: {chips} chips ...", flush=True)
    run = given.out / re.sub(r"[^a-z0-9]+", "-", f"chips-{label}".lower())
    s = ak.montecarlo(
        _build(model, "nominal", given.out),
        mnist,
        samples=chips,
        jobs=given.jobs,
        out=run,
        **settings,
    ).summary
    print(f"  {s['seconds']:.0f} s; ngspice within {s['judge']['share_of_full_scale']:.1e}")
    return [
        label,
        f"{chips:,}",
        f"{100 * s['software_accuracy']:.2f} %",
        _share(s["accuracy_mean"], s["accuracy_mean_ci95"]),
        f"{100 * s['accuracy_std']:.2f} points",
        f"{100 * s['accuracy_percentiles']['5']:.2f} %",
    ]


def _share(value: float, pair: tuple[float, float]) -> str:
    return f"{100 * value:.2f} % ({100 * pair[0]:.2f} to {100 * pair[1]:.2f})"


if __name__ == "__main__":
    main()
