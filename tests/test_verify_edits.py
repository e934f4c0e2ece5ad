"""No edit that verify accepts, file hashes refreshed, moves a logit or is read otherwise."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from analogkan.compiler import names, spice
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build
from analogkan.dialects.ngspice import SOLVER_OPTIONS
from analogkan.engines.ngspice import find_ngspice
from analogkan.errors import NetlistError
from analogkan.files import sha256

from .edits import Edit, draw
from .networks import random_inputs, random_spec
from .test_verify import THERMAL

TIGHT = "reltol=1e-10 vntol=1e-13 abstol=1e-19"
"""Newton far below what is compared."""
SAME = 1e-9
"""Of full scale: what an accepted edit may move a logit by."""
WIRES = {"r_wire": 3.0, "tile_rows": 4, "tile_cols": 4}
DESIGNS: dict[str, tuple[dict, dict]] = {
    "plain": ({}, {}),
    "clamp": ({"squash": "clamp", "norm": "batch"}, {"opamp": "rails"}),
    "sigmoid": ({"squash": "sigmoid"}, {}),
    "tanh": ({"squash": "tanh"}, {"opamp": "ideal"}),
    "layernorm": ({"norm": "layer"}, {}),
    "reduced": ({}, WIRES | {"wire_tc1": 1e-3, "cell_tc1": 1e-3}),
    "explicit": ({}, WIRES | {"wires": "explicit", "r_driver": 50.0}),
    "levels": ({}, {"levels": 6}),
    "tables": ({"curves": (THERMAL,)}, {"diode_law": "tables"}),
}


class Bench:
    """A BUILD that is edited, verified, and where that is silent run in ngspice."""

    def __init__(self, name: str, folder: Path) -> None:
        network, hardware = DESIGNS[name]
        spec = random_spec(31, (4, 3, 2), **network)
        self.build = write_build(spec, Hardware(**hardware), folder)
        self.folder = folder
        self.deck = {f: (folder / f).read_text() for f in self.build.one_deck().deck_files()}
        self.volts = spec.dac_volts(random_inputs(9, 3, 4))
        self.full_scale = float(np.abs(spec.forward_volts(self.volts)).max())
        self.program = find_ngspice().path
        self.wanted = self.read()

    def accepts(self, edit: Edit) -> bool:
        """Whether verify is silent about an edit whose author refreshed the hashes."""
        self.write(edit.file, edit.text)
        try:
            return verify_build(load_build(self.folder)).ok
        except NetlistError:
            return False

    def write(self, file: str, text: str) -> None:
        """A file of the BUILD, and its hash."""
        (self.folder / file).write_bytes(text.encode())
        summary = json.loads((self.folder / "design.json").read_text())
        summary["files"][file] = sha256(self.folder / file)
        (self.folder / "design.json").write_text(json.dumps(summary))

    def read(self) -> dict[str, np.ndarray]:
        """Logits as ngspice has them: of the deck by itself, and of sweeps at two temperatures."""
        top = (self.folder / "network.cir").read_bytes().decode()
        top = re.sub(r"^\.option reltol=\S+ vntol=\S+ abstol=\S+", f".option {TIGHT}", top,
                     flags=re.MULTILINE)  # fmt: skip
        top = top.replace("\n.control\n", "\n.control\nset numdgt=16\n")
        found = {"alone": self._run("alone.cir", top)}
        for temp_c in (26.85, 85.0):
            text = spice.write_batch(
                self.build.design, self.volts, names.logits(self.build.design), temp_c=temp_c
            )
            text = text.replace(SOLVER_OPTIONS, TIGHT).replace(".end\n", "")
            text = re.sub(r"^\.save.*\n(\+.*\n)*", "", text, flags=re.MULTILINE)
            sweep = re.search(r"^\.(dc .*)\n", text, re.MULTILINE)
            assert sweep
            prints = "".join(f"print v({net})\n" for net in names.logits(self.build.design))
            control = f".control\nset numdgt=16\n{sweep[1]}\n{prints}quit\n.endc\n.end\n"
            found[f"{temp_c:g}"] = self._run("sweep.cir", text.replace(sweep[0], "") + control)
        return found

    def _run(self, file: str, text: str) -> np.ndarray:
        (self.folder / file).write_bytes(text.encode())
        done = subprocess.run(
            [self.program, "-n", "-b", file],
            cwd=self.folder, capture_output=True, text=True, errors="replace", timeout=60,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        (self.folder / file).unlink()
        rows = re.findall(r"^(?:v\(logit_\d+\) = |\d+\s+\S+\s+)(\S+)", done.stdout, re.MULTILINE)
        warned = re.findall(r"^.*(?:warning|error).*$", done.stderr + done.stdout, re.I | re.M)
        assert rows and not warned, (done.stdout + done.stderr)[-2000:]
        return np.array([float(value) for value in rows])

    def moved(self) -> float:
        """How far a logit is from the unedited deck's, as a share of full scale."""
        now = self.read()
        return max(
            float(np.abs(now[key] - self.wanted[key]).max()) / self.full_scale
            if now[key].shape == self.wanted[key].shape
            else np.inf
            for key in self.wanted
        )


def campaign(name: str, folder: Path, count: int, seed: int) -> tuple[Counter, list[str]]:
    """Kinds of accepted edits, and what was wrong with any of them."""
    bench, rng = Bench(name, folder), np.random.default_rng([seed, *name.encode()])
    accepted, wrong = Counter(), []
    for k in range(count):
        edit = draw(rng, bench.deck)
        if bench.accepts(edit):
            accepted[edit.kind] += 1
            try:
                moved = bench.moved()
                if moved > SAME:
                    wrong.append(f"{k}: {edit.kind} of {edit.file} moves a logit by {moved:.2g}")
            except AssertionError as error:
                wrong.append(f"{k}: {edit.kind} of {edit.file}: ngspice: {error}")
            if wrong and wrong[-1].startswith(f"{k}: "):
                before = bench.deck[edit.file].split("\n")
                after = [line for line in edit.text.split("\n") if line not in before]
                wrong[-1] += f"\n  now: {after[:3]}"
        bench.write(edit.file, bench.deck[edit.file])
    return accepted, wrong


@pytest.mark.parametrize("name", DESIGNS)
def test_no_accepted_edit_moves_a_logit(name, tmp_path):
    _, wrong = campaign(name, tmp_path / "net.build", 60, seed=0)
    assert not wrong, "\n".join(wrong)


@pytest.mark.campaign
@pytest.mark.parametrize("name", DESIGNS)
def test_no_accepted_edit_of_thousands_moves_a_logit(name, tmp_path):
    """2,300 edits a design: over 20,000. Accepted are comments, order, names, last digits."""
    count = int(os.environ.get("ANALOGKAN_EDITS", "2300"))
    accepted, wrong = campaign(name, tmp_path / "net.build", count, seed=1)
    print(f"\n{name}: {sum(accepted.values())} of {count} accepted: {dict(accepted)}")
    assert not wrong, "\n".join(wrong)
