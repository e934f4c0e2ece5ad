"""``paper functions``: rows of software, circuit and chips, kept and gone on with."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner

from analogkan.cli import main

from .test_cli_errors import refused


@pytest.mark.slow
def test_a_quick_row_has_every_figure_and_is_kept(ngspice, tmp_path):
    out = tmp_path / "out"
    words = ["paper", "functions", "--quick", "--seeds", "1", "--out", str(out)]
    words += ["--only", "square", "--only", "ring"]
    told = CliRunner().invoke(main, [*words, "--json"], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    row, classes = json.loads(told.stdout)["rows"]
    assert row["circuit_ideal"] < 1e-5 < row["circuit_nominal"] < 1e-3
    assert (
        row["parameters_mlp"] <= row["parameters"] and row["parameters_spline"] <= row["parameters"]
    )
    assert row["tdkan"] < row["line"]
    with (out / "functions-quick.csv").open(encoding="utf-8", newline="") as stream:
        assert [r["task"] for r in csv.DictReader(stream)] == ["regression", "classification"]
    assert classes["circuit_ideal"] == classes["circuit_nominal"] == 1.0
    assert max(classes["line"], 0.8) < classes["tdkan"] <= 1.0
    assert max(classes["parameters"], row["parameters"]) <= 300
    text = (out / "functions-quick.md").read_text(encoding="utf-8")
    assert text.index("RMSE, per cent of span") < text.index("Accuracy, per cent")
    assert (out / "functions-quick.png").is_file()
    before = (out / "functions-quick" / "square.json").read_bytes()
    CliRunner().invoke(main, words, catch_exceptions=False)
    assert (out / "functions-quick" / "square.json").read_bytes() == before


def test_a_function_that_is_none_is_refused(tmp_path):
    kind, text = refused("paper", "functions", "--only", "sine", "--out", tmp_path / "o")
    assert kind == "SettingsError"
    assert text.startswith("--only sine: there is no such function")
    assert list(tmp_path.iterdir()) == []
