"""What benchmarks hand over: ratios of rounds taken by turns, and never a figure without a run."""

from __future__ import annotations

import importlib
import json
import re
import sys
import types
from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks import kept, measure, page
from benchmarks.measure import Row

DOCS = Path(__file__).parents[1] / "docs"


class Clock:
    """Seconds that every call takes, in place of time; and the calls, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **took: list[float]) -> None:
        self.left, self.calls = took, []
        monkeypatch.setattr(measure, "seconds", lambda call: call())

    def __getitem__(self, name: str):
        def call() -> float:
            self.calls.append(name)
            return self.left[name].pop(0)

        return call


def test_a_ratio_is_the_median_of_rounds_that_take_turns(monkeypatch):
    """Three fifths of the rounds agree; a disturbed one moves neither ratio nor time."""
    clock = Clock(monkeypatch, a=[1, 1, 9, 1, 2], b=[2, 2, 2, 4, 4])
    row = measure.beside("a", "b", clock["a"], clock["b"], warm=False)
    assert clock.calls == list("abbaabbaab")
    assert (row["ratio"], row["n"]) == (0.5, 5)
    assert (row.get("low"), row.get("high"), row.get("seconds")) == (0.25, 4.5, 1)


def test_ratios_are_of_a_unit_of_work(monkeypatch):
    clock = Clock(monkeypatch, a=[10], b=[6])
    row = measure.beside(
        "a", "b", clock["a"], clock["b"], per=(100, 3), warm=False, quick=True, note="n"
    )
    assert row["ratio"] == pytest.approx(0.05)
    assert (row["n"], row["note"]) == (1, "n")


def test_growth_is_the_slope_of_logarithms(monkeypatch):
    """Seconds that go with the square of the size, and in one round with its cube."""
    small = [0, 1.0, 2.0, 1.0, 1.0, 1.0]
    large = [0, 16.0, 32.0, 64.0, 16.0, 16.0]
    clock = Clock(monkeypatch, small=small, large=large)
    row = measure.growth("time", (100, 400), (clock["small"], clock["large"]))
    assert row["ratio"] == pytest.approx(2) and row.get("high") == pytest.approx(3)
    assert (row["against"], row.get("exponent")) == ("100 to 400", True)


def test_what_was_not_run_has_no_figure():
    row = measure.not_run("a", "b", "pip install b")
    assert (row["ratio"], row["n"], row["note"]) == (None, 0, "not run: pip install b")


DOCUMENT = {
    "machine": {"processor": "p", "cores": "2"},
    "benchmarks": {
        "wires": {
            "rows": [
                Row(what="a", against="b", ratio=0.0213, n=5, low=0.02, high=0.0299, note="x | y"),
                Row(what="a", against="c", ratio=2345.6, n=5, low=2000, high=3000, note=""),
                Row(what="a", against="d", ratio=0.5, n=5, note="", of="memory"),
                Row(what="a", against="d", ratio=0.5, n=5, note="", of="share of time"),
                measure.not_run("a", "e", "pip install e"),
                Row(what="t", against="1 to 8", ratio=1.0349, n=5, note="", exponent=True),
            ],
            "seconds": 1.0,
            "load": [0.1, 2.0],
        }
    },
}
TABLES = """\
Machine: processor p; cores 2.

### wires

`python -m benchmarks wires`, load 0.1 to 2:

| what | against | ratio | range | | rounds | |
|---|---|---|---|---|---|---|
| a | b | 0.0213 | 0.02 to 0.0299 | 46.9 times as fast | 5 | x \\| y |
| a | c | 2,350 | 2,000 to 3,000 |  | 5 |  |
| a | d | 0.5 (memory) |  | 2 times as small | 5 |  |
| a | d | 0.5 (share of time) |  |  | 5 |  |
| a | e |  |  |  |  | not run: pip install e |

| what | sizes | exponent | range | rounds | |
|---|---|---|---|---|---|
| t | 1 to 8 | 1.03 |  | 5 |  |
"""


def test_the_tables_are_of_what_is_kept():
    assert page.tables(DOCUMENT) == TABLES


def test_a_page_keeps_what_is_around_its_tables(tmp_path):
    path = tmp_path / "page.md"
    mark = "<!-- measured: made by python -m benchmarks -->\n"
    path.write_text(f"# before\n{mark}old<!-- /measured -->\nafter\n", encoding="utf-8")
    page.write_page(path, DOCUMENT)
    told = f"# before\n{mark}{TABLES}<!-- /measured -->\nafter\n"
    assert path.read_text(encoding="utf-8") == told
    path.write_text("# before\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="has no marks for what is measured, or several"):
        page.write_page(path, DOCUMENT)


def test_the_page_is_what_was_measured():
    """No figure of it is typed: python -m benchmarks.page gives the same bytes."""
    found = json.loads((DOCS / "performance.json").read_text(encoding="utf-8"))
    text = (DOCS / "performance.md").read_text(encoding="utf-8")
    made = page.MARKS.sub(lambda marks: marks[1] + page.tables(found) + marks[2], text)
    assert made == text


class Runs:
    """Benchmarks a and b, of which b fails as long as it is told to; and how often each ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.ran, self.fails, self.monkeypatch = [], False, monkeypatch
        self.file, self.part = folder / "kept.json", folder / "kept.json.part"
        monkeypatch.setattr(runner, "NAMES", ("a", "b", "said"))
        monkeypatch.setattr(kept, "conditions", lambda quick: {"processor": "p"})
        for name in "ab":
            module = types.ModuleType(name)
            module.measured = lambda quick, name=name: self.measured(name)  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, f"benchmarks.{name}", module)
        said = types.ModuleType("said")
        said.main = lambda: print("said")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "benchmarks.said", said)

    def measured(self, name: str) -> list[Row]:
        self.ran.append(name)
        if name == "b" and self.fails:
            raise ValueError("b is broken")
        return [Row(what=name, against="x", ratio=float(len(self.ran)), n=1, note="")]

    def __call__(self, *words: str) -> None:
        self.monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
        self.monkeypatch.setenv("OMP_NUM_THREADS", "1")
        runner.main()

    def kept(self, path: Path) -> dict[str, float]:
        of = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
        return {name: one["rows"][0]["ratio"] for name, one in of.items()}


@pytest.fixture
def runs(monkeypatch, tmp_path) -> Runs:
    return Runs(monkeypatch, tmp_path)


def test_an_interrupted_run_goes_on_with_what_is_left(runs, capsys):
    """And takes the place of an older one when it is whole."""
    runs.fails = True
    with pytest.raises(SystemExit, match="1"):
        runs("--json", str(runs.file))
    said = capsys.readouterr()
    assert "failed: b; the others are in" in said.out and "b is broken" in said.err
    assert runs.kept(runs.part) == {"a": 1} and not runs.file.exists()
    runs.fails = False
    runs("--json", str(runs.file))
    assert "kept in" in capsys.readouterr().out
    assert runs.kept(runs.file) == {"a": 1, "b": 3} and not runs.part.exists()
    runs("--json", str(runs.file))
    assert runs.kept(runs.file) == {"a": 4, "b": 5}


def test_one_benchmark_is_measured_into_a_file_that_is_there(runs):
    runs("--json", str(runs.file))
    runs("a", "--json", str(runs.file))
    assert runs.kept(runs.file) == {"a": 3, "b": 2}


def test_without_names_only_benchmarks_of_speed_run(runs, capsys):
    runs()
    assert runs.ran == ["a", "b"] and "said" not in capsys.readouterr().out
    runs("said", "a")
    assert runs.ran == ["a", "b", "a"]
    assert "\n## said\nsaid\n\n## a\na : x; 3\n" in capsys.readouterr().out


def test_figures_of_another_machine_are_not_mixed(runs, monkeypatch):
    runs("--json", str(runs.file))
    monkeypatch.setattr(kept, "conditions", lambda quick: {"processor": "q"})
    told = r"was not measured here as it is now \(processor p, processor q\): measure into another"
    with pytest.raises(SystemExit, match=told):
        runs("a", "--json", str(runs.file))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("c",), "unknown benchmark 'c': a, b, said"),
        (("--page", "p.md"), "--page FILE needs --json FILE, which it is made of"),
        (("--page", "p.md", "--json", "j"), "p.md is not there"),
        (("said", "--json", "j"), "said measures no speed: run it without --json"),
    ],
)
def test_words_that_mean_nothing_are_refused(runs, capsys, words, told):
    with pytest.raises(SystemExit, match="2"):
        runs(*words)
    assert told in capsys.readouterr().err


SMOKE = ("batch", "twin", "wires")
"""Those that are quick enough for every run of the suite, and need no peer."""
OTHERS = [
    name
    for name in runner.NAMES
    if name not in SMOKE
    and "def measured(" in (DOCS.parent / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
]


@pytest.mark.parametrize(
    "name", [*SMOKE, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
@pytest.mark.filterwarnings("default")
def test_each_benchmark_runs(ngspice, name):
    """Once, on little: a figure for what ran, a reason for what did not."""
    rows = importlib.import_module(f"benchmarks.{name}").measured(quick=True)
    assert rows
    for row in rows:
        assert all(row[key].strip() for key in ("what", "against"))
        if row["ratio"] is None:
            assert row["note"].startswith("not run: ") and row["n"] == 0
        else:
            assert row["ratio"] > 0 or row.get("exponent")
            assert row["n"] == 1
    page.tables({"machine": {}, "benchmarks": {name: {"rows": rows, "load": []}}})


def test_every_benchmark_is_one_that_the_command_knows():
    """What is not measured and prints nothing by itself is a part of others."""
    files = (DOCS.parent / "benchmarks").glob("*.py")
    found = {
        path.stem
        for path in files
        if {"def measured(", "def main("} & set(re.findall(r"^def \w+\(", path.read_text(), re.M))
    }
    assert found - {"__main__"} == set(runner.NAMES)
