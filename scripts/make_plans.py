"""Makes the tables of docs/plan.md anew.

    .venv/bin/python scripts/make_plans.py [--data DIR] [--out DIR] [--only NAME]

Plans each network, all that is reported judged by ngspice, compiles what was chosen, asks for both
datasheets, and writes the tables between their marks. RUNs are kept, so that an interrupted one
goes on.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from make_datasheets import cells_of, model_of, reached
from make_results import PAGE, replaced

import analogkan as ak
from analogkan.compiler.build import Build
from analogkan.data import ImageSet, choose, load_for
from analogkan.intervals import student
from analogkan.studies.plan_result import Planned
from analogkan.text import engineering, markdown_table

ROOT = Path(__file__).parents[1]
PLANS: dict[str, dict[str, Any]] = {
    "mnist-d2": {},
    "mnist-d2, margin": {"criterion": "margin"},
    "thermistor": {},
    "mnist-conv": {"tries": 120, "few": 1, "samples": 8, "judge": "none"},
}
"""What each is asked for beside ``loss``; a convolution in ngspice takes minutes a circuit."""
PICTURED = "mnist-d2, margin"
LOSS, SUBSET = 0.2, {"mnist-d2": 2000, "mnist-conv": 500}
"""Points, or per cent of span; images, where not all."""
TRIM = {"trim": "dark"}
"""With which plans were made."""
CHIPS = 100
"""Of each circuit on all 10,000 images, the same chips of both."""
SUMMARY = (
    *("plan", "as it is", "chosen", "times less", "lost", "bits", "settled", "floor", "op-amps"),
    *("quiescent", "output stages", "bias rows", "in ngspice"),
)
SHEETS = (
    *("network", "supply power", "dissipated", "settled", "class final", "energy", "noise"),
    *("class flips", "area", "reached"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "plans.run")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="of MNIST")
    parser.add_argument("--only", action="append", choices=PLANS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    found = {name: plan_of(name, given) for name in given.only or PLANS}
    parts = [markdown_table(SUMMARY, [summary_of(name, one) for name, one in found.items()])]
    for name, one in found.items():
        listing = one.facts()
        told = f"{one.samples} chips, {one.summary['images']['said']}, {one.candidates} candidates"
        parts.append(f"{name} ({told}):\n\n{markdown_table(listing.columns, listing.rows)}")
        parts += [f"{sentence[0].upper()}{sentence[1:]}.\n" for sentence in one.sentences()]
        parts.append(f"{one.judged()[0].upper()}{one.judged()[1:]}.\n")
    measured = [name for name in found if "," not in name and PLANS[name].get("judge") != "none"]
    rows = [row for name in measured for row in sheets_of(name, given)]
    parts.append(f"Their datasheets, before and after:\n\n{markdown_table(SHEETS, rows)}")
    parts.append(
        "The planned BUILD has the preset's 32 states a cell, the other continuous ones, and "
        "neither is trimmed: accuracy is compared by chips, which are (`--set trim=dark`).\n"
    )
    parts.append(lost_on_all(given))
    if PICTURED in found:
        for figure, name in zip(found[PICTURED].figures(), ("plan", "plan-levers"), strict=True):
            figure.draw().savefig(ROOT / "docs" / "images" / f"{name}.png", dpi=110)
        parts.append(
            f"{PICTURED}: every candidate, the best for several losses, and the levers.\n\n"
            "![Energy an inference against points lost](images/plan.png)\n\n"
            "![Energy after each lever](images/plan-levers.png)\n"
        )
    if rows:
        text = replaced(PAGE.read_text(encoding="utf-8"), "planned", in_brief(rows))
        PAGE.write_text(text, encoding="utf-8", newline="\n")
    page = ROOT / "docs" / "plan.md"
    text = replaced(page.read_text(encoding="utf-8"), "plans", "\n".join(parts))
    page.write_text(text, encoding="utf-8", newline="\n")


def images_of(build: Build, name: str, given: argparse.Namespace) -> ImageSet:
    """The test set, or some of it."""
    if name == "thermistor":
        return ak.load_dataset("thermistor", "test")
    return choose(load_for(build.spec, "mnist", given.data, download=False), str(SUBSET[name]))


def plan_of(plan: str, given: argparse.Namespace) -> Planned:
    """A plan, kept in a folder of its own."""
    name = plan.partition(",")[0]
    build = ak.compile(model_of(name, given.out), given.out / f"{name}.build")
    started = time.perf_counter()
    found = ak.plan(
        build, images_of(build, name, given), loss=LOSS, variation=TRIM,
        out=given.out / folder_of(plan), **({"judge": "1x10"} | PLANS[plan]),
    )  # fmt: skip
    print(f"{plan}: {time.perf_counter() - started:.0f} s")
    return found


def summary_of(name: str, one: Planned) -> list[str]:
    """The row of one plan."""
    before, after = one.as_it_is, one.chosen
    return [
        name,
        engineering(before["energy_j"], "J"),
        engineering(after["energy_j"], "J"),
        f"{before['energy_j'] / after['energy_j']:.3g}",
        one.lost(after),
        f"{one.bits}",
        engineering(after["settling_s"], "s"),
        engineering(after["floor_j"], "J"),
        f"{before['op_amps']:,.0f} to {after['op_amps']:,.0f}",
        *(
            f"{engineering(before[part], 'W')} to {engineering(after[part], 'W')}"
            for part in ("quiescent_w", "class_b_w", "bias_rows_w")
        ),
        f"{sum(row.get('judge_op') is not None for row in one.rows)}",
    ]


def sheets_of(name: str, given: argparse.Namespace) -> list[list[str]]:
    """Both datasheets of a network."""
    preset = str(given.out / name / "planned.toml")
    chosen = ak.compile(
        model_of(name, given.out), given.out / f"{name}-planned.build", hardware=preset
    )
    images = images_of(chosen, name, given)[:1000]
    found = []
    for label, build, more in (
        (name, given.out / f"{name}.build", {}), (f"{name}, planned", chosen, {"preset": preset}),
    ):  # fmt: skip
        sheet = ak.datasheet(
            build, images, judge="1x10", out=given.out / f"{folder_of(label)}-sheet", **more
        )
        area = f"{sheet.summary['area_um2']['total'] / 1e6:.3g} mm^2"
        found.append([label, *cells_of(sheet), area, reached(sheet)])
    return found


def in_brief(rows: list[list[str]]) -> str:
    """mnist-d2's datasheets, before and after, in a line."""
    told = [
        f"{label}: {power}, {settled}, {energy} an inference, noise {noise}, {reached}"
        for label, power, _, settled, _, energy, noise, _, _, reached in rows
        if label.startswith("mnist-d2")
    ]
    return f"Datasheets of {'; '.join(told)} ([a plan](plan.md) of what costs least).\n"


def lost_on_all(given: argparse.Namespace) -> str:
    """What mnist-d2's chips lose on all images, a sentence for each of its plans."""
    told = []
    build = ak.load_build(given.out / "mnist-d2.build")
    images = load_for(build.spec, "mnist", given.data, download=False)
    before = _accuracies(build, images, given.out / "chips-as-it-is", preset="rram")
    for plan in PLANS:
        run = given.out / folder_of(plan)
        if plan.startswith("mnist-d2") and (run / "planned.toml").is_file():
            preset = str(run / "planned.toml")
            after = _accuracies(build, images, run.with_suffix(".chips"), preset=preset)
            lost = 100 * (before - after)
            low, high = student(lost) or (math.nan, math.nan)
            told.append(
                f"{plan}: {CHIPS} chips on all {len(images):,} test images lose {lost.mean():.3f} "
                f"points (95 % over chips {low:.3f} to {high:.3f}), from {100 * before.mean():.2f} "
                f"to {100 * after.mean():.2f} %.\n"
            )
    return "\n".join(told)


def _accuracies(build: Build, images: ImageSet, out: Path, *, preset: str) -> np.ndarray:
    found = ak.montecarlo(build, images, samples=CHIPS, preset=preset, variation=TRIM, out=out)
    return np.array([row["accuracy"] for row in found.rows])


def folder_of(plan: str) -> str:
    """The name of a plan's RUN."""
    return plan.replace(", ", "-").replace(" ", "-")


if __name__ == "__main__":
    main()
