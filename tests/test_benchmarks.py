"""What benchmarks hand over: ratios of rounds taken by turns, and never a figure without a run."""

from __future__ import annotations

import pytest

from benchmarks import measure


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
