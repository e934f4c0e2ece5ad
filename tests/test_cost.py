"""What a study costs: points that take no room, measured parts, forecasts and tasks."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import islice

import pytest

from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.errors import StudyError
from analogkan.imperfections import Conditions, Variation
from analogkan.studies import cost, running
from analogkan.studies.cost import Cost, Forecast, Meter, foretell, task_size, tasks_of
from analogkan.studies.executor import LocalExecutor
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.points import (
    Points,
    keys_of,
    montecarlo_points,
    representatives,
    thermal_points,
)
from analogkan.studies.running import keep_points
from analogkan.studies.store import StudyStore
from analogkan.text import duration

from .networks import random_images, random_spec
from .test_store import SETTINGS, points, row

# ---- points


def test_points_are_a_list_that_is_made_as_it_is_asked_for():
    at, conditions = Variation(sigma_g=0.1), Conditions()
    study = thermal_points(Hardware(), at, conditions, [85.0, -40.0], 2)
    listed = list(study)
    assert [(p.conditions.temp_c, p.sample) for p in listed] == [
        *((85.0, None), (85.0, 0), (85.0, 1), (-40.0, None), (-40.0, 0), (-40.0, 1))
    ]
    assert [study[k] for k in range(len(study))] == listed
    assert [study[k - 6] for k in range(6)] == listed
    assert study[1:5] == listed[1:5] and study[::-1] == listed[::-1]
    assert list(keys_of(study)) == [p.key for p in listed] == list(keys_of(listed))
    assert representatives(study) == [listed[k] for k in (0, 1, 3, 4)] == representatives(listed)
    assert len(thermal_points(Hardware(), at, conditions, [85.0])) == 1
    assert len(Points([])) == 0 and list(Points([])) == []
    with pytest.raises(IndexError):
        study[6]


def test_a_million_points_take_no_room():
    tracemalloc.start()
    many = points(1_000_000)
    assert len(many) == 1_000_000 and many[-1].sample == 999_999
    assert sum(1 for _ in islice(keys_of(many), 10_000)) == 10_000
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


# ---- what is measured


def test_a_meter_counts_how_long_each_thread_was_there(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(cost.time, "perf_counter", lambda: now[0])
    meter = Meter()
    assert meter.cost() is None and meter.facts() is None

    def finished(count: int, at: float, threads: int) -> Cost:
        now[0] = at
        told = {"seconds": 0.5, "draw_seconds": 0.2}
        meter.add([told] * count, 0.01 * count, threads)
        found = meter.cost()
        assert found is not None
        return found

    assert finished(1, 3.0, 1).thread_s == 3.0  # nothing else is known yet
    assert finished(4, 4.0, 2).thread_s == 0.5  # two threads for a second
    assert finished(4, 8.0, 0).thread_s == 0.25  # none for four: no thread waited for them
    last = finished(8, 10.0, 4)
    assert last.thread_s == (2 + 8) / 16
    assert (last.points, last.busy_s, last.draw_s, last.keep_s) == pytest.approx(
        (17, 0.5, 0.2, 0.01)
    )
    assert last.seconds(1000, 4) == 1000 * last.thread_s / 4
    assert last.seconds(1000, 400) == 1000 * last.keep_s  # who keeps the rows is the slower one
    meter.begin()
    assert finished(5, 100.0, 4).thread_s == last.thread_s  # these got their threads ready


def test_rows_take_the_room_that_is_foretold(tmp_path):
    meter, many = Meter(), montecarlo_points(Hardware(), Variation(sigma_g=0.1), Conditions(), 4000)
    with StudyStore(tmp_path / "run", SETTINGS) as store:
        keep_points(many, row, store, LocalExecutor(4), meter=meter)
        size = store.file.stat().st_size
    found = meter.cost()
    assert found is not None
    assert found.row_bytes * len(many) == pytest.approx(size, rel=0.1)


@pytest.fixture
def brief(monkeypatch):
    """Forecasts after a short trial."""
    monkeypatch.setattr(cost, "TRIAL_S", 0.1)


def test_a_forecast_is_of_points_that_were_tried(brief):
    seen: list[int] = []

    def evaluate(point):
        seen.append(point.sample or 0)
        return row(point) | {"seconds": 0.25, "draw_seconds": 0.125}

    many = montecarlo_points(Hardware(), Variation(sigma_g=0.1), Conditions(), 1_000_000)
    found = foretell(many, 999_000, evaluate, LocalExecutor(2))
    assert (found.count, found.threads, found.tasks) == (999_000, 2, 0)
    assert (found.cost.busy_s, found.cost.draw_s) == (0.25, 0.125)
    assert 8 < found.cost.points <= cost.TRIAL_POINTS and max(seen) < cost.TRIAL_POINTS
    assert found.seconds == found.cost.seconds(999_000, 2)


def test_a_forecast_in_words():
    of = Cost(points=300, thread_s=0.02, busy_s=0.018, draw_s=0.006, keep_s=3e-4, row_bytes=900.0)
    told = Forecast(count=1_000_000, threads=2, tasks=71_500, cost=of).told()
    assert told == (
        "1,000,000 circuits: about 2.8 hours with 2 threads (18 ms each, 6 of them drawing, and "
        "0.3 to keep one, as 300 of them took), 71,500 tasks, 900 MB in the RUN"
    )
    assert [duration(s) for s in (0.04, 59, 119, 121, 7300)] == [
        *("0.04 s", "59 s", "119 s", "2.0 minutes", "2.0 hours")
    ]


# ---- tasks of a cluster


@pytest.mark.parametrize("threads", [1, 2, 64, 1000])
@pytest.mark.parametrize("seconds", [1e-4, 0.01, 3.0])
def test_tasks_hold_every_point_and_get_smaller_at_the_end(threads, seconds):
    left, sizes = 100_000, []
    while left:
        sizes.append(task_size(left, threads, seconds))
        left -= sizes[-1]
    assert left == 0 and tasks_of(100_000, threads, seconds) == len(sizes)
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] == 1
    work = sizes[0] * seconds
    assert work >= seconds  # one point at least, however long it takes
    if 1 < sizes[0] < min(cost.MOST_TOGETHER, 100_000 // (4 * threads)):
        assert work >= cost.TASK_S / 2
        assert threads * cost.SCHEDULER_S / work <= 0.6  # of the scheduler's time


def test_a_task_is_one_point_until_their_seconds_are_known():
    assert task_size(10_000, 2, 0.0) == 1


# ---- asking


@pytest.fixture
def build(tmp_path):
    return write_build(random_spec(1), Hardware(), tmp_path / "net.build")


def test_very_many_points_are_asked_about_before_a_run(build, tmp_path, brief, monkeypatch):
    monkeypatch.setattr(running, "MANY", 5)
    images = random_images(2, 30, 5)
    images = replace(images, y=build.spec.logits(images.x).argmax(axis=1))
    told: list[Forecast] = []

    def run(samples: int, refuse: bool):
        def approve(forecast: Forecast) -> None:
            told.append(forecast)
            if refuse:
                raise StudyError("no")

        options = StudyOptions(judge="none", run=tmp_path / "run", approve=approve)
        return montecarlo(build, images, samples=samples, options=options)

    with pytest.raises(StudyError, match=r"^no$"):
        run(6, refuse=True)
    assert not (tmp_path / "run").exists()
    run(5, refuse=True)  # so few are not asked about
    run(20, refuse=False)
    assert [forecast.count for forecast in told] == [6, 15]  # what is kept is not run again
    assert told[0].cost.draw_s < told[0].cost.busy_s
