"""The store: what is finished stays, other settings and second writers are refused."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from analogkan.compiler.hardware import Hardware
from analogkan.errors import StudyError
from analogkan.imperfections import Conditions, Variation
from analogkan.studies.executor import LocalExecutor
from analogkan.studies.points import Point, Points, montecarlo_points, thermal_points
from analogkan.studies.running import keep_points
from analogkan.studies.store import STORE, StudyStore, write_csv

SETTINGS = {"seed": 3, "variation": {"sigma_g": 0.05}, "inputs": "abc"}
ROWS = Path(__file__).parents[1]


def points(samples: int = 4) -> Points:
    return montecarlo_points(Hardware(), Variation(sigma_g=0.05), Conditions(), samples)


def row(point: Point, status: str = "ok") -> dict:
    """A row such as ``evaluate`` gives, made of the point alone; its seconds are not."""
    sample = -1 if point.sample is None else point.sample
    found = {"key": point.key, "sample": point.sample, "temp_c": point.conditions.temp_c}
    found |= {"status": status, "reason": "" if status == "ok" else "no luck", "n": 1000}
    if status == "ok":
        found |= {"correct": 900 + sample, "accuracy": 0.9 + sample / 1e4, "agreement": 1.0}
        found |= {"max_abs_logit_error": 0.1, "rms_logit_error": 0.01}
        found |= {"gain_mean": 2 / 3, "offset_mean": None}
        found |= {"gain": [1.0, 1 / 3], "offset": [0.0, None]}
    return found | {"seconds": time.perf_counter()}


def test_a_key_is_the_same_in_every_process():
    program = (
        "from tests.test_store import points; print(*[point.key for point in points()], sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROWS,
        env=os.environ | {"PYTHONPATH": str(ROWS), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [point.key for point in points()]


def test_every_setting_changes_the_key():
    first = points(1)[0]
    others = [
        replace(first, sample=1),
        replace(first, sample=None),
        replace(first, hardware=Hardware(levels=32)),
        replace(first, variation=Variation(sigma_g=0.06)),
        replace(first, conditions=Conditions(temp_c=27)),
        replace(first, conditions=Conditions(age_s=1e6)),
    ]
    assert len({point.key for point in (first, *others)}) == 7


def test_rows_come_out_in_the_order_of_the_points_however_they_were_finished(tmp_path):
    study = thermal_points(Hardware(), Variation(sigma_g=0.1), Conditions(), [85.0, -40.0], 1)
    expected = [(-40.0, None), (-40.0, 0), (85.0, None), (85.0, 0)]
    texts = set()
    for k, order in enumerate(permutations(study)):
        with StudyStore(tmp_path / str(k), SETTINGS) as store:
            for point in order:
                store.add([(point, row(point))], 0.1)
            rows = store.rows()
            write_csv(tmp_path / "rows.csv", store.rows())
        assert [(r["temp_c"], r["sample"]) for r in rows] == expected
        assert "seconds" not in rows[0]
        texts.add((tmp_path / "rows.csv").read_bytes())
    assert len(texts) == 1
    assert texts.pop().splitlines()[0] == (
        b"key,sample,temp_c,status,reason,n,correct,accuracy,agreement,max_abs_logit_error,"
        b"rms_logit_error,gain_mean,offset_mean,gain_0,gain_1,offset_0,offset_1"
    )


def run_points(asked: list[Point], evaluate: Any, store: StudyStore, *how: Any) -> list[dict]:
    """Evaluate what ``store`` lacks; the rows of all."""
    keep_points(asked, evaluate, store, *how)
    return store.rows(asked)


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_the_number_of_jobs_changes_nothing(tmp_path, jobs):
    with StudyStore(tmp_path / "run", SETTINGS) as store:
        rows = run_points(points(20), row, store, LocalExecutor(jobs))
    assert rows == [{k: v for k, v in row(p).items() if k != "seconds"} for p in points(20)]


def test_finished_points_are_not_run_again_and_failed_ones_are(tmp_path):
    run = tmp_path / "run"
    with StudyStore(run, SETTINGS) as store:
        rows = run_points(
            points(), lambda p: row(p, "failed" if p.sample == 2 else "ok"), store, LocalExecutor(1)
        )
    assert [r["status"] for r in rows] == ["ok", "ok", "failed", "ok"]
    seen, progress = [], []

    def evaluate(point: Point) -> dict:
        seen.append(point.sample)
        return row(point)

    with StudyStore(run, SETTINGS) as store:
        rows = run_points(
            points(6), evaluate, store, LocalExecutor(1), lambda k, n: progress.append((k, n))
        )
        assert len(run_points(points(2), evaluate, store, LocalExecutor(1))) == 2
        assert len(store.rows()) == 6
    assert seen == [2, 4, 5]
    assert progress[0] == (3, 6) and progress[-1] == (6, 6)  # told together, if finished together
    assert progress == sorted(set(progress))
    assert [r["status"] for r in rows] == ["ok"] * 6


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_abandoned_study_stops_its_engine_and_keeps_what_is_finished(tmp_path, error):
    stopped, told = [], []

    def interrupt(done: int, total: int) -> None:
        told.append(done)
        if done >= 2:
            raise error

    with StudyStore(tmp_path / "run", SETTINGS) as store:
        executor = LocalExecutor(2, lambda: stopped.append(1))
        with pytest.raises(error):
            run_points(points(50), row, store, executor, interrupt)
        assert 2 <= len(store.rows()) == told[-1] < 50
    assert stopped == [1]


def test_time_spent_adds_up_over_sessions(tmp_path):
    for k, point in enumerate(points(3)):
        with StudyStore(tmp_path / "run", SETTINGS) as store:
            assert store.spent() == 0.25 * k
            store.add([(point, row(point))], 0.25)


KILLED = """
import sys, time
from pathlib import Path
from analogkan.studies.store import StudyStore
from analogkan.studies.running import keep_points
from analogkan.studies.executor import LocalExecutor
from tests.test_store import SETTINGS, points, row

def evaluate(point):
    time.sleep(0.002)
    return row(point)

with StudyStore(Path(sys.argv[1]), SETTINGS) as store:
    keep_points(points(600), evaluate, store, LocalExecutor(2), lambda k, n: print(k, flush=True))
"""


def begin(run: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(run)],
        cwd=ROWS,
        env=os.environ | {"PYTHONPATH": str(ROWS)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_sigkill_loses_nothing_that_was_finished_and_frees_the_lock(tmp_path):
    run, told = tmp_path / "run", 0
    for _ in range(3):
        with begin(run) as process:
            assert process.stdout is not None
            first = int(process.stdout.readline())
            assert first >= told
            for _ in range(5):
                told = int(process.stdout.readline())
            with pytest.raises(StudyError, match=r"in use by another process: wait for it$"):
                StudyStore(run, SETTINGS).__enter__()
            process.send_signal(signal.SIGKILL)
        with StudyStore(run, SETTINGS) as store:
            assert len(store.finished()) >= told
    with begin(run) as process:
        process.communicate()
    assert process.returncode == 0
    with StudyStore(run, SETTINGS) as killed, StudyStore(tmp_path / "whole", SETTINGS) as whole:
        assert killed.rows() == run_points(points(600), row, whole, LocalExecutor(1))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seed": 4}, "seed (3 there, 4 here)"),
        ({"variation": {"sigma_g": 0.1}}, "sigma_g (0.05 there, 0.1 here)"),
        ({"inputs": "x", "seed": 4}, "seed (3 there, 4 here), inputs ('abc' there, 'x' here)"),
        ({"versions": {"precision": "mixed"}}, "precision ('float64' there, 'mixed' here)"),
        ({"fresh": 1}, "fresh (none there, 1 here)"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path, changed, told):
    run = tmp_path / "run"
    with StudyStore(run, SETTINGS) as store:
        store.add([(points()[0], row(points()[0]))], 0.1)
    before = (run / STORE).read_bytes()
    with pytest.raises(StudyError) as refused:
        StudyStore(run, SETTINGS | changed).__enter__()
    assert str(refused.value) == (
        f"{run} was started with another {told}: give another --out, or remove the folder"
    )
    assert (run / STORE).read_bytes() == before
    with StudyStore(run, SETTINGS) as store:  # the refusal let go of the lock
        assert len(store.rows()) == 1


def test_a_folder_in_use_or_of_somebody_else_is_refused(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with (
        FileLock(run / ".lock"),
        pytest.raises(StudyError, match=f"^{run} is in use by another process: wait for it$"),
    ):
        StudyStore(run, SETTINGS).__enter__()
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StudyError, match=f"holds files but no {STORE}: give another --out$"):
        StudyStore(tmp_path, SETTINGS).__enter__()
    with pytest.raises(StudyError, match=r"thesis.tex is a file: give another folder with --out$"):
        StudyStore(tmp_path / "thesis.tex", SETTINGS).__enter__()


@pytest.mark.parametrize("damage", ["text", "cut", "middle", "foreign", "format", "row"])
def test_a_damaged_store_is_refused_in_a_sentence(tmp_path, damage):
    run = tmp_path / "run"
    path = run / STORE
    with StudyStore(run, SETTINGS) as store:
        store.add([(point, row(point)) for point in points(300)], 0.1)
    whole = path.read_bytes()
    if damage == "text":
        path.write_text("no database at all, but as long as one has to be" * 100)
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "middle":
        path.write_bytes(whole[:4096] + bytes(len(whole) - 8192) + whole[-4096:])
    else:
        statement = {
            "foreign": "DROP TABLE meta",
            "format": "UPDATE meta SET value = '\"analogkan-study-9\"' WHERE key = 'format'",
            "row": "UPDATE points SET row = '{' WHERE sample = 7",
        }[damage]
        db = sqlite3.connect(path)
        with db:
            db.execute(statement)
        db.close()
    with pytest.raises(StudyError) as refused, StudyStore(run, SETTINGS) as store:
        store.rows()
    assert str(refused.value).startswith(f"{path} is damaged: give another --out (")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE points SET row = replace(row, '0.9002', '0.9502') WHERE sample = 2", "row"),
        ("UPDATE points SET status = 'ok' WHERE sample = 3", "row"),
        ("UPDATE points SET status = 'failed' WHERE sample = 2", "row"),
        ("UPDATE points SET temp_c = 85.0 WHERE sample = 2", "row"),
        ("UPDATE points SET row = (SELECT row FROM points WHERE sample = 1), sha256 = "
         "(SELECT sha256 FROM points WHERE sample = 1) WHERE sample = 2", "row"),
        ("UPDATE meta SET value = '{\"passed\": true}' WHERE key = 'judge'", "judge"),
        ("UPDATE meta SET value = '0.0' WHERE key = 'seconds'", "seconds"),
        ("UPDATE meta SET value = '{}' WHERE key = 'settings'", "settings"),
    ],
)  # fmt: skip
def test_a_row_or_a_verdict_that_was_changed_is_refused(tmp_path, change, what):
    run = tmp_path / "run"
    with StudyStore(run, SETTINGS) as store:
        for point in points():
            store.add([(point, row(point, "failed" if point.sample == 3 else "ok"))], 0.1)
        store.put("judge", {"passed": False})
    db = sqlite3.connect(run / STORE)
    with db:
        assert db.execute(change).rowcount == 1
    db.close()
    for ask in (StudyStore.rows, StudyStore.finished) if what == "row" else (_asked(what),):
        with pytest.raises(StudyError) as refused, StudyStore(run, SETTINGS) as store:
            ask(store)
        assert str(refused.value).startswith(f"{run / STORE} is damaged: give another --out (")
        assert str(refused.value).endswith(" is not what was kept)")


def _asked(key: str):
    return lambda store: store.get(key)


def test_a_row_of_another_study_is_refused(tmp_path):
    for name, settings in (("a", SETTINGS), ("b", SETTINGS | {"seed": 4})):
        with StudyStore(tmp_path / name, settings) as store:
            store.add([(points()[0], row(points()[0]))], 0.1)
    db = sqlite3.connect(tmp_path / "a" / STORE)
    with db:
        db.execute("ATTACH ? AS b", (str(tmp_path / "b" / STORE),))
    with db:
        db.execute("REPLACE INTO points SELECT * FROM b.points")
    db.close()
    with StudyStore(tmp_path / "a", SETTINGS) as store, pytest.raises(StudyError, match="the row"):
        store.rows()


def test_a_store_killed_before_its_first_transaction_begins_anew(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / STORE).touch()
    with StudyStore(run, SETTINGS) as store:
        assert store.rows() == []


def test_a_store_that_cannot_be_written_is_a_sentence(tmp_path):
    with StudyStore(tmp_path / "run", SETTINGS) as store:
        assert store._db is not None
        store._db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StudyError, match=r"^cannot write .*study.sqlite \(database or disk is"):
            for point in points(100):
                store.add([(point, row(point))], 0.1)
        kept = len(store.rows())
    with StudyStore(tmp_path / "run", SETTINGS) as store:
        assert len(store.rows()) == kept
