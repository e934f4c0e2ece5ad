"""The page on the checkpoint and its reader say the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import analogkan as ak
from analogkan.network import checkpoint
from analogkan.network.entries import ENTRIES
from analogkan.schema import Record, Several

PAGE = (Path(__file__).parents[1] / "docs" / "checkpoint.md").read_text(encoding="utf-8")


def keys(rule: object, at: str = "") -> set[str]:
    """Every entry that ``rule`` allows, lists as ``name[]``."""
    if isinstance(rule, Several):
        return keys(rule.of, f"{at}[]")
    if not isinstance(rule, Record):
        return set()
    found = set()
    for key, inner in {**rule.required, **rule.optional}.items():
        name = f"{at}.{key}" if at else key
        below = keys(inner, name)
        found |= below | ({name} if isinstance(inner, Several) or not below else set())
    named = at and (rule.more is not None or at in ENTRIES.optional)
    return found | ({at} if named else set())


def test_the_page_has_every_entry_that_is_read_and_no_other():
    table = PAGE.partition("## Entries")[2].partition("## What is checked")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == keys(ENTRIES)


def test_the_page_says_which_entries_may_be_absent():
    table = PAGE.partition("## Entries")[2].partition("## What is checked")[0]
    said = {
        re.findall(r"`([^`]+)`", line.split("|")[1])[0]
        for line in table.splitlines()
        if "may be absent" in line
    }
    assert {name for name in said if not re.search(r"[.\[]", name)} == set(ENTRIES.optional)


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    program = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert program
    exec(program[1], {})
    return tmp_path / "tiny.pt"


def test_the_pages_example_is_read_and_compiles(tiny):
    spec = checkpoint.load_spec(tiny)
    assert (spec.name, spec.sizes) == ("tiny", (4, 3, 2))
    assert ak.compile(tiny, tiny.with_name("tiny.build")).verification.ok


def test_the_pages_formulas_are_what_a_checkpoint_computes(tiny):
    entry = checkpoint.read(tiny)
    x = np.random.default_rng(0).integers(0, 256, (9, 4))
    e, s = entry["encoding"], entry["squash"]
    device = entry["devices"][0]
    v, i = device["v"].array(), device["i"].array()

    def layer(k: int, u: np.ndarray) -> np.ndarray:
        theta, bias = (entry["layers"][k][name].array() for name in ("theta", "bias"))
        return np.interp(u, v, i / i.max()) @ theta[:, :, 0] + bias

    u = e["v_lo"] + (e["v_hi"] - e["v_lo"]) * (x - e["x_lo"]) / (e["x_hi"] - e["x_lo"])
    y = layer(0, np.clip(u, s["v_lo"], s["v_hi"]))
    y = (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + entry["norms"][0]["eps"])
    logits = layer(1, np.clip(y, s["v_lo"], s["v_hi"]))
    spec = checkpoint.load_spec(tiny)
    np.testing.assert_allclose(spec.logits(x.astype(np.uint8)), logits, rtol=0, atol=1e-12)
