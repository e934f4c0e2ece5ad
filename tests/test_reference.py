"""What was so before stays so: rows of chips, sentences and shapes of JSON, kept.

``--update-golden`` writes tests/reference/ anew. Counts are compared exactly; other figures to
1e-9 of themselves: another machine's sums end in other digits, another law does not.
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from analogkan.cli import main

from .convolutions import convolutional_checkpoint
from .networks import random_checkpoint, random_npz

KEPT = Path(__file__).parent / "reference"
MOMENTARY = ("key", "seconds", "judge_difference", "judge_share")
"""Columns of chips.csv that are of a run, not of chips."""
FAULTS = "--set stuck_min=0.02 --set stuck_max=0.02 --set dead_diodes=0.05 --set open_lines=0.02"
DARK = "--set trim=dark"
STUDIES = {
    "rram": f"montecarlo dense.build --samples 3 {DARK}",
    "rram with wires, 16 levels": "montecarlo dense.build --samples 2 --set r_wire=5 "
    f"--set levels=16 {DARK}",
    "no trim": "montecarlo dense.build --samples 2 --set trim=none",
    "aged, noisy": "montecarlo dense.build --samples 2 --set drift_nu=0.01 --set age_s=1e6 "
    f"--set drift_nu_sigma=0.005 --set read_noise=0.02 {DARK}",
    "dies": "montecarlo dense.build --samples 2 --set die_sigma_current=0.05 "
    f"--set die_sigma_voltage=0.01 --set die_sigma_shift=0.001 --seed 4 {DARK}",
    "faults": f"montecarlo dense.build --samples 3 {FAULTS} --set dead_amplifiers=0.01 {DARK}",
    "calibrated": f"montecarlo dense.build --samples 2 --set levels=4 --calibrate {DARK}",
    "rails": f"montecarlo rails.build --samples 2 {DARK}",
    "sigmoid": f"montecarlo sigmoid.build --samples 2 {DARK}",
    "held": f"montecarlo held.build --samples 2 {DARK}",
    "convolution": f"montecarlo convolution.build --samples 2 {DARK}",
    "temperatures": f"thermal dense.build --temps -40,27,125 --samples 2 --compensate each {DARK}",
    "axes": "sweep dense.build --samples 2 --set sigma_g=0,0.1 --set levels=0,8",
    "budget": f"sweep dense.build --samples 1 --grid budget {DARK}",
    "fault rates": "sweep dense.build --samples 1 --grid faults",
    "real trim": "montecarlo dense.build --samples 3",
    "real trim, held": "montecarlo held.build --samples 2 --set r_wire=5",
    "fronts": "montecarlo sigmoid.build --samples 2 --set pair_sigma=2m --set load_sigma=1% "
    "--set squash_drift_sigma=1u --set norm_gain_sigma=1% --set norm_offset_sigma=1m --temp 60",
}
"""Studies in the twin, as they are typed."""
DATA = {"convolution.build": "maps.npz"}
EDITS = {
    "a resistor": ("layer0.cir", r"(r_\w+ \w+ \w+ )([\d.]+)( cell)", r"\g<1>123456.0\3"),
    "a table": ("cells.cir", r"pwl\(", "pwl(2*"),
    "a feedback": ("layer1.cir", r"rf=[\d.e+-]+", "rf=1000.0"),
    "a gain": ("layer1.cir", r"gain=[\d.e+-]+", "gain=2.5"),
    "an op-amp": ("cells.cir", r"opamp_gain gain=[\d.]+", "opamp_gain gain=7.0"),
    "a model": ("cells.cir", r"\.model cell r\(tc1=[\d.]+", ".model cell r(tc1=0.5"),
    "a clamp": ("layer1.cir", r"hi=[\d.]+", "hi=9.0"),
    "an input": ("stimulus.cir", r"dc [\d.]+", "dc 0.3333"),
    "a temperature": ("network.cir", r"temp=26.85", "temp=30"),
    "a read-out": ("network.cir", r"(e_\w+ \w+ 0 \w+ 0 )[\d.]+", r"\g<1>1.5"),
    "a bias row": ("layer0.cir", r"(v_\w+ \w+ 0 dc )-[\d.]+", r"\g<1>-0.4"),
    "a line less": ("layer0.cir", r"x_\w+_tia .*\n", ""),
}
"""Edits of a BUILD: a file, what is found in it first, and what takes its place."""


def invoke(line: str, *, code: int | None = 0) -> Result:
    """Run a command line; its exit code must be ``code``, unless that is None."""
    result = CliRunner().invoke(main, line.split())
    assert code is None or result.exit_code == code, result.output
    return result


def keep(name: str, found: Any, request: pytest.FixtureRequest) -> Any:
    """What is kept under ``name``, which ``found`` becomes with ``--update-golden``."""
    path = KEPT / name
    if request.config.getoption("--update-golden"):
        text = found if isinstance(found, str) else json.dumps(found, indent=1) + "\n"
        path.write_text(text, encoding="utf-8", newline="\n")
    text = path.read_text(encoding="utf-8")
    return text if isinstance(found, str) else json.loads(text)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with compiled circuits and data."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        random_checkpoint(Path("net.pt"), seed=3)
        convolutional_checkpoint(Path("maps.pt"))
        random_npz(Path("flat.npz"))
        random_npz(Path("maps.npz"), 12, (6, 5, 2))
        invoke("compile net.pt -o dense.build")
        invoke("compile net.pt --set opamp=rails -o rails.build")
        invoke("compile net.pt --held 50 -o held.build")
        invoke("compile maps.pt -o convolution.build")
        invoke("compile paper-mnist-d2 -o sigmoid.build --no-verify")
    return folder


@pytest.fixture
def inside(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``work``, as the current folder."""
    monkeypatch.chdir(work)
    monkeypatch.setenv("COLUMNS", "100")
    return work


def study(line: str, run: Path) -> str:
    """A study's command line on this module's data, into ``run``."""
    build = line.split()[1]
    data = DATA.get(build, "flat.npz")
    images = "--subset 20" if build == "sigmoid.build" else f"--dataset {data}"
    return f"{line} {images} --judge none --jobs 1 --out {run} --json"


@pytest.mark.parametrize("name", STUDIES)
def test_rows_of_chips_are_those_of_before(name, inside, tmp_path, request):
    run = tmp_path / "run"
    invoke(study(STUDIES[name], run))
    with (run / "chips.csv").open(encoding="utf-8", newline="") as stream:
        found = [{k: v for k, v in row.items() if k not in MOMENTARY}
                 for row in csv.DictReader(stream)]  # fmt: skip
    kept = keep(f"rows {name}.json".replace(" ", "-").replace(",", ""), found, request)
    assert len(found) == len(kept)
    for row, before in zip(found, kept, strict=True):
        assert row.keys() == before.keys()
        wrong = {key: (row[key], before[key]) for key in row if not same(row[key], before[key])}
        assert wrong == {}


def same(a: str, b: str) -> bool:
    """Whether two entries of a CSV are: whole numbers and words exactly, others to 1e-9."""
    if a == b or not re.fullmatch(r"-?[\d.e+-]+", a) or not re.fullmatch(r"-?[\d.e+-]+", b):
        return a == b
    return not (a.isdecimal() or b.isdecimal()) and math.isclose(
        float(a), float(b), rel_tol=1e-9, abs_tol=1e-15
    )


@pytest.mark.parametrize("name", EDITS)
def test_verify_says_of_an_edit_what_it_said(name, inside, tmp_path, request):
    file, pattern, put = EDITS[name]
    edited = tmp_path / "edited.build"
    shutil.copytree(inside / "dense.build", edited)
    text = (edited / file).read_text(encoding="utf-8")
    changed, count = re.subn(pattern, put, text, count=1)
    assert count == 1
    (edited / file).write_text(changed, encoding="utf-8", newline="\n")
    told = json.loads(invoke(f"verify {edited} --json", code=1).stdout)
    said = told.get("findings", told.get("error"))
    said = json.loads(json.dumps(said).replace(str(edited), "BUILD"))
    assert said == keep(f"edit {name}.json".replace(" ", "-"), said, request)


DOCUMENTS = {
    "compile": "compile net.pt -o again.build --json",
    "compile held": "compile net.pt --held 50 -o again-held.build --json",
    "verify": "verify dense.build --json",
    "simulate": "simulate dense.build --dataset flat.npz --jobs 1 --out {run} --json",
    "simulate held": "simulate held.build --dataset flat.npz --jobs 1 --out {run} --json",
    "software": "simulate dense.build --dataset flat.npz --engine software --json",
    "trace": "simulate dense.build --dataset flat.npz --trace 7 --out {run} --json",
    "montecarlo": study("montecarlo dense.build --samples 2", Path("{run}")).replace(
        "--judge none", "--judge 1x3"
    ),
    "thermal": study(STUDIES["temperatures"], Path("{run}")),
    "sweep": study(STUDIES["axes"], Path("{run}")),
    "budget": study(STUDIES["budget"].removesuffix(DARK), Path("{run}")),
    "devices": "devices show A21 --json",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_have_the_keys_of_before(name, inside, tmp_path, request):
    run = tmp_path / "run"
    told = json.loads(invoke(DOCUMENTS[name].format(run=run)).stdout)
    found = {"printed": sorted(keys_of(told))}
    for path in sorted(run.rglob("*.json")):
        found[path.name] = sorted(keys_of(json.loads(path.read_text(encoding="utf-8"))))
    assert found == keep(f"keys {name}.json".replace(" ", "-"), found, request)


def keys_of(document: Any, at: str = "") -> set[str]:
    """Every key of a document with where it is; members of lists are alike."""
    if isinstance(document, dict) and document:
        return set().union(*(keys_of(value, f"{at}.{key}") for key, value in document.items()))
    if isinstance(document, list) and document:
        return set().union(*(keys_of(value, f"{at}[]") for value in document))
    return {at}
