"""``paper nodes``: what equal accuracy takes, and rows of networks as circuits."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from analogkan.cli import main
from analogkan.compiler.build import load_build
from analogkan.errors import SettingsError, StudyError
from analogkan.paper import nodes
from analogkan.paper.efficiency import HEAD, NEEDS, compared, needed, tables
from analogkan.paper.families import Family, NodesPlan, Task, load_nodes
from analogkan.paper.nodes import NodesRequest, run_nodes

from .test_cli_errors import refused

LABELS = {"tdkan": "TD-KAN", "mlp-a21": "MLP, A21"}
SMALL = NodesPlan(
    tasks=(
        Task(dataset="ring", recipe="plain-d2", epochs=1, rates=(1e-2, 2e-2), holdout=50,
             levels=(0.9,)),
    ),
    families=tuple(
        Family(dataset="ring", name=name, label=LABELS[name], devices=devices, hidden=(2, 4),
               rated_at=4)
        for name, devices in (("tdkan", ("A21", "Z21")), ("mlp-a21", ("A21",)))
    ),
)  # fmt: skip


def test_what_is_needed_is_on_the_line_between_two_sizes_on_logarithmic_scales():
    law = [(x, 3 / x) for x in (8, 32, 64)]  # an error that falls as 1 / x
    assert needed(law, 3 / 16) == pytest.approx(16)
    assert needed(law, 3 / 50) == pytest.approx(50)
    assert needed(law, 3 / 64) == pytest.approx(64)
    assert needed([(8, 0.4), (16, 0.5), (32, 0.1)], 0.2) == pytest.approx(
        16 * 2 ** (math.log(2.5) / math.log(5))
    )  # what is worse than a smaller one is passed over


@pytest.mark.parametrize("error", [1.0, 3 / 8, 3 / 65])
def test_what_no_two_sizes_enclose_is_not_told(error):
    assert needed([(x, 3 / x) for x in (8, 32, 64)], error) is None


def test_networks_that_never_err_have_no_line():
    assert needed([(8, 0.1), (16, 0.0)], 0.05) is None


def rows_of(laws: dict[str, list[float]], task: str = "regression") -> list[dict]:
    """Rows whose error is law / hidden, by family and seed; a crosspoint is a tenth of a node."""
    found = []
    for family, seeds in laws.items():
        for seed, law in enumerate(seeds):
            for hidden in (4, 16, 64):
                error = law / hidden
                row = {"dataset": "d", "task": task, "family": family, "label": LABELS[family]}
                row |= {"hidden": hidden, "seed": seed, "crosspoints": 10 * hidden, "op_amps": 9}
                row |= {"op_amps_bare": 9, "energy_j": 1e-9 * hidden**2, "parameters": 7}
                row |= {"tiles": 1, "dacs": 2, "power_w": 1e-3, "settling_s": 1e-6}
                right = error if task == "regression" else 1 - error
                found.append(row | {"software": right, "circuit": right})
    return found


def test_families_are_compared_seed_by_seed():
    laws = {"tdkan": [0.1, 0.11, 0.12], "mlp-a21": [0.2, 0.24, 0.25]}
    for task, level in (("regression", 0.01), ("classification", 0.99)):
        found = compared(rows_of(laws, task), {"d": [level]})
        assert [entry["needs"] for entry in found[::2]] == list(NEEDS)
        one, other = (e for e in found if e["needs"] == "hidden")
        ratios = np.log(np.array(laws["mlp-a21"]) / laws["tdkan"])
        mean = np.exp(ratios.mean())
        assert one["amount"] == pytest.approx(100 * stats.gmean(laws["tdkan"]))
        assert one["times"] == 1.0 and one["times_ci95"] is None
        assert (other["times"], other["seeds"]) == (pytest.approx(mean), 3)
        ends = stats.ttest_1samp(ratios, 0.0).confidence_interval()
        assert other["times_ci95"] == pytest.approx((math.exp(ends.low), math.exp(ends.high)))
        energy = next(e for e in found if (e["needs"], e["family"]) == ("energy_j", "mlp-a21"))
        assert energy["times"] == pytest.approx(mean**2)


def test_a_level_that_one_seed_does_not_reach_has_no_times():
    found = compared(rows_of({"tdkan": [0.1, 0.1], "mlp-a21": [0.2, 0.9]}), {"d": [0.01]})
    entry = next(e for e in found if (e["needs"], e["family"]) == ("hidden", "mlp-a21"))
    assert entry["amount"] is entry["times"] is entry["times_ci95"] is None
    (_, _, sizes), (what, head, cells) = tables(rows_of({"tdkan": [0.1], "mlp-a21": [0.9]}), found)
    assert what == "d, what networks need, seed by seed"
    assert head == ["at equal RMSE, of span", "TD-KAN", "MLP, A21", "times (95 %)"]
    assert cells[0] == ["1 %: hidden nodes", "10.0", "–", "–"]
    assert sizes[0] == [
        "TD-KAN", "4", "7", "40", "9", "1", "2", "2.500 %", "2.500 %", "2.500 to 2.500", "1 mW",
        "1 us", "16 nJ",
    ]  # fmt: skip
    assert len(HEAD) == len(sizes[0])


def test_the_plan_stands_tdkans_first_and_trains_all_alike():
    plan = load_nodes()
    for task in plan.tasks:
        mine = [f for f in plan.families if f.dataset == task.dataset]
        assert [f.name for f in mine] == ["tdkan", "mlp-a21", "mlp-z21"]
        assert {d for f in mine[1:] for d in f.devices} == {*mine[0].devices}
        for family in mine:
            recipe = task.plan(quick=False)
            own = family.recipe(recipe, 5)
            assert own.hidden == (5,) and own.devices == family.devices
            same = ("epochs", "batch", "rotate_deg", "norm", "range_penalty", "finish", "task")
            assert all(getattr(own, name) == getattr(recipe, name) for name in same)
            volts = (0.0, 1.0, ()) if family.name != "tdkan" else (0.0, 0.7, recipe.taps)
            assert (own.v_lo, own.v_hi, own.taps) == volts


@pytest.mark.parametrize(("changes", "told"), [
    ({"name": "kan"}, r"^name = 'kan'.*tdkan or mlp, or begins so with a -"),
    ({"hidden": (4, 2)}, r"^hidden = \(4, 2\).*two widths or more, rising"),
    ({"rated_at": 3}, r"^rated_at = 3.*one of \(2, 4\)"),
])  # fmt: skip
def test_a_family_that_cannot_be_is_refused(changes, told):
    given = {"dataset": "mnist", "name": "tdkan", "label": "TD-KAN", "devices": ("A21",)}
    with pytest.raises(SettingsError, match=told):
        Family(**given | {"hidden": (2, 4), "rated_at": 2} | changes)


@pytest.mark.parametrize(("only", "told"), [
    ((), ["mnist-tdkan 8 16", "mnist-mlp-a21 16 32", "mnist-mlp-z21 16 32"]),
    (("mlp-a21",), ["mnist-mlp-a21 16 32", "exp-sin-mlp-a21 16 32"]),
])  # fmt: skip
def test_a_quick_run_has_the_first_data_set_and_two_sizes(only, told, tmp_path):
    request = NodesRequest(out=tmp_path, quick=True, only=only)
    found = request.families(load_nodes())
    sizes = [" ".join(map(str, request.sizes(family))) for family in found]
    assert [f"{f.dataset}-{f.name} {s}" for f, s in zip(found, sizes, strict=True)] == told


def test_rows_are_what_circuits_are_made_of_and_kept(ngspice, tmp_path, one_thread, monkeypatch):
    monkeypatch.setattr(nodes, "load_nodes", lambda: SMALL)
    monkeypatch.setattr(nodes, "JUDGE", "1x2")
    words = ["paper", "nodes", "--seeds", "1", "--out", str(tmp_path)]
    told = CliRunner().invoke(main, words, catch_exceptions=False)
    assert told.exit_code == 0, told.output
    assert "nodes: ring, accuracy, means and range of 1 seed" in told.output
    kept = {path.name for path in tmp_path.iterdir()}
    assert {f"nodes{end}" for end in (".csv", ".md", ".png", "-compared.csv")} <= kept

    def never(*given, **more):
        raise AssertionError("trained again")

    monkeypatch.setattr(nodes, "train", never)
    request = NodesRequest(out=tmp_path, seeds=1)
    rows = {(row["family"], row["hidden"]): row for row in run_nodes(request)["rows"]}
    assert list(rows) == [("tdkan", 2), ("tdkan", 4), ("mlp-a21", 2), ("mlp-a21", 4)]
    for (family, hidden), row in rows.items():
        build = load_build(tmp_path / "nodes" / f"ring-{family}-{hidden}-seed0.build")
        elements = build.summary["elements"]
        assert row["crosspoints"] == elements["crossbar_resistors"]
        assert row["op_amps"] == elements["op_amps"] and row["dacs"] == 2
        assert row["op_amps"] - row["op_amps_bare"] == (0 if family == "tdkan" else 2)
        assert row["energy_j"] == pytest.approx(row["power_w"] * row["settling_s"], rel=0.3)
        assert row["circuit"] == pytest.approx(row["software"], abs=0.02)
        devices = 2 if family == "tdkan" else 1
        weights = devices * (2 * hidden + hidden * 2)
        assert row["parameters"] == weights + hidden + 2 + 2 * hidden
    rates = json.loads((tmp_path / "nodes" / "ring-tdkan-rates.json").read_text(encoding="utf-8"))
    best = rates["errors"].index(min(rates["errors"]))
    assert rates["rate"] == SMALL.tasks[0].rates[best] == rows["tdkan", 2]["learning_rate"]
    with (tmp_path / "nodes.csv").open(encoding="utf-8", newline="") as stream:
        assert [int(row["hidden"]) for row in csv.DictReader(stream)] == [2, 4, 2, 4]

    monkeypatch.setattr(nodes, "JUDGE", "1x3")
    with pytest.raises(StudyError, match=r"seed0.json was made with judge = 1x2, now it is 1x3"):
        run_nodes(request)


def test_a_family_that_is_none_is_refused(tmp_path):
    kind, text = refused("paper", "nodes", "--only", "mlp-z15", "--out", tmp_path / "o")
    assert kind == "SettingsError"
    assert text == (
        "--only 'mlp-z15' is no data set or family of nodes: exp-sin, mlp-a21, mlp-z21, mnist, "
        "tdkan"
    )
    assert list(tmp_path.iterdir()) == []
