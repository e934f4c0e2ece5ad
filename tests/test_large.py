"""Large networks: what a deck takes to write and to read grows with a tile, not with the deck."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from analogkan.compiler import spice
from analogkan.compiler.build import write_build
from analogkan.compiler.extract import read_deck
from analogkan.compiler.hardware import Hardware

from .networks import random_spec

ROOT = Path(__file__).parents[1]
CIFAR = (3072, 1024, 256, 10)
"""With three diodes over 20 million resistors: what recipe cifar-d3 trains."""
PROGRAM = f"""
import resource, sys
from pathlib import Path
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import write_verified
from benchmarks.emit import DEVICES, random_network

most = int(sys.argv[2]) or None
spec = random_network({CIFAR}, DEVICES)
build = write_verified(spec, Hardware(), Path(sys.argv[1]), most=most)
assert build.verification.ok
print(build.verification.facts["crossbar_resistors"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_a_layer_is_written_tile_by_tile(tmp_path):
    hardware = Hardware(tile_rows=16, tile_cols=16)
    design = write_build(random_spec(3, (60, 30, 4)), hardware, tmp_path / "b").one_deck().design
    parts = [len(part) for part in spice.format_layer(design, 0)]
    assert "".join(spice.format_layer(design, 0)) == spice.write_layer(design, 0)
    assert max(parts) < 16 * 16 * 60 < sum(parts) / 10


def test_a_resistor_that_was_read_takes_few_bytes(tmp_path):
    """Its nets, ohms, model and place; its name, a sixth of its line as text."""
    write_build(random_spec(3, (60, 40, 4)), Hardware(), tmp_path / "b")
    netlist = read_deck(tmp_path / "b/network.cir")
    columns = (netlist.r_a, netlist.r_b, netlist.r_ohms, netlist.r_model, netlist.r_place)
    assert sum(column.nbytes for column in columns) == 21 * len(netlist.r_name) > 21 * 9600
    names = list(netlist.r_name)
    assert len(names) == len(netlist.r_name)
    assert [names[k] for k in (0, 77, -1)] == [netlist.r_name[k] for k in (0, 77, len(names) - 1)]


@pytest.mark.campaign
@pytest.mark.parametrize(("most", "gigabytes"), [(1_500_000, 1), (0, 4)], ids=["held", "one deck"])
def test_a_network_of_twenty_million_resistors_fits(most, gigabytes, tmp_path):
    """Compiled and verified: as circuits of 1,500,000, and as one deck, which no machine runs."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "net.build"), str(most)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    resistors, peak = map(int, done.stdout.split())
    print(f"\n{resistors:,} crossbar resistors: {peak / 2**30:.2f} GiB")
    assert resistors > 20_000_000
    assert peak < gigabytes * 2**30
