"""Each cell of the library alone in ngspice does what its comment says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from analogkan.engines.ngspice import Runner
from analogkan.engines.rawfile import read_raw

CELLS = Path(__file__).parents[1] / "netlists" / "cells"
ALIAS = ".subckt opamp inp inn out\nx1 inp inn out opamp_gain gain=1e5\n.ends\n"


def solve(ngspice, folder: Path, circuit: str, probes: list[str]) -> list[float]:
    """Voltages of ``probes`` in ``circuit``, with every cell of the library at hand."""
    library = "\n".join(p.read_text(encoding="utf-8") for p in sorted(CELLS.glob("*.lib")))
    saves = " ".join(f"v({p})" for p in probes)
    deck = folder / "bench.cir"
    deck.write_text(
        f"* bench\n{library}\n{ALIAS}{circuit}\n"
        f".option reltol=1e-9 vntol=1e-12 abstol=1e-18\n.save {saves}\n.op\n.end\n"
    )
    Runner(ngspice).run(deck, folder / "bench.raw", timeout=60)
    vectors = read_raw(folder / "bench.raw", points=1)
    return [float(vectors[f"v({p})"][0]) for p in probes]


def test_opamp_linear_amplifies_its_offset_and_draws_its_bias_current(ngspice, tmp_path):
    follower = "x1 in out out opamp_linear gain=1e4 vos=2e-3\nv1 in 0 dc 0.3"
    (out,) = solve(ngspice, tmp_path, follower, ["out"])
    assert out == pytest.approx((0.3 + 2e-3) * 1e4 / (1e4 + 1), rel=1e-9)
    # The current that leaves the inverting node comes through the feedback resistor.
    inverter = "x1 0 n out opamp_linear gain=1e9 ib=1e-6\nr1 n out 100k"
    (out,) = solve(ngspice, tmp_path, inverter, ["out"])
    assert out == pytest.approx(1e-6 * 1e5, rel=1e-6)


@pytest.mark.parametrize(("cell", "gain"), [("opamp_gain gain=1e4", 1e4), ("opamp_ideal", 1e9)])
def test_an_opamp_follows_to_its_gain(ngspice, tmp_path, cell, gain):
    (out,) = solve(ngspice, tmp_path, f"x1 in out out {cell}\nv1 in 0 dc 0.5", ["out"])
    assert out == pytest.approx(0.5 * gain / (1 + gain), rel=1e-9)


def test_tia_turns_current_into_voltage_and_holds_its_input_at_ground(ngspice, tmp_path):
    total, out = solve(ngspice, tmp_path, "i1 0 in dc 2u\nx1 in out tia rf=150k", ["in", "out"])
    assert out == pytest.approx(-0.3 * 1e5 / (1 + 1e5), rel=1e-9)
    assert total == pytest.approx(-out / 1e5, rel=1e-9)


def test_diff_amp_subtracts_with_its_gain(ngspice, tmp_path):
    circuit = "v1 p 0 dc 0.9\nv2 n 0 dc 0.2\nx1 p n out diff_amp gain=1.7"
    (out,) = solve(ngspice, tmp_path, circuit, ["out"])
    loop = 1e5 / (1 + 1.7)
    assert out == pytest.approx(1.7 * 0.7 * loop / (1 + loop), rel=1e-9)


@pytest.mark.parametrize("v", [-1.0, 0.05, 0.4, 0.9, 3.0])
def test_clamp_limits_and_otherwise_passes(ngspice, tmp_path, v):
    (out,) = solve(ngspice, tmp_path, f"v1 a 0 dc {v}\nx1 a b clamp lo=0.1 hi=0.8", ["b"])
    assert out == pytest.approx(float(np.clip(v, 0.1, 0.8)), abs=1e-15)


def test_every_cell_explains_itself_and_is_named_after_its_file():
    for path in CELLS.glob("*.lib"):
        text = path.read_text(encoding="utf-8")
        assert re.search(rf"^\.subckt {path.stem} ", text, re.MULTILINE), path
        assert sum(line.startswith("*") for line in text.splitlines()) >= 5, path
