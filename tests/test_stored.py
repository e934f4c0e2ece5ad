"""What RUNs keep, edited by people or replaced by what is no file: one sentence, at once."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from analogkan.compiler.verify import verify_build
from analogkan.errors import CheckpointError, NetlistError, StudyError
from analogkan.report.runs import read_runs
from analogkan.studies.result import CHIPS
from analogkan.studies.simulate import simulate
from analogkan.training import unfinished

from . import stored
from .networks import random_images


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "it lacks the entry 'key': a study writes it"),
        (7, "it is 7; it must be a dictionary"),
        ([], "it is a list; it must be a dictionary"),
        ({"accuracy": None}, "accuracy is None; it must be a finite number"),
        ({"accuracy": 1.5}, "accuracy is 1.5; it must be from 0 to 1"),
        ({"sample": "a"}, "sample is 'a'; it must be a whole number from 0 to 2,147,483,648"),
        ({"gain": [1, "x"]}, "gain[1] is 'x'; it must be a finite number"),
        ({"status": "failed"}, "it is of {key}, failed"),
        ({"key": "other"}, "it is of other, ok"),
    ],
)
def test_a_row_that_is_none_is_refused_though_its_hash_is_right(tmp_path, row, why):
    path = stored.made_store(tmp_path)
    parts = stored.store_parts(path)
    whole = parts["points"][0]["row"]
    parts["points"][0]["row"] = whole | row if row and isinstance(row, dict) else row
    stored.store_join(parts, path)
    told = f"the row of {whole['key']}: {why.format(key=whole['key'])}"
    sentence = f"^{re.escape(f'{path} is damaged: give another --out ({told})')}$"
    with pytest.raises(StudyError, match=sentence):
        stored.read_store(path)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("seconds", None, "seconds is None; it must be a finite number"),
        ("seconds", -1, "seconds is -1; it must be from 0 to 1e+30"),
        ("megabytes", float("nan"), "megabytes is nan; it must be a finite number"),
        ("judge", 7, "judge is 7; it must be a dictionary"),
        ("judge", {"passed": True}, "it lacks the entry 'tag' of judge: a study writes it"),
        ("settings", [], "settings is a list; it must be a dictionary"),
        ("format", {}, "format is a dict; it must be a text of at most 100,000 characters"),
    ],
)
def test_what_is_beside_the_rows_is_what_it_may_be(tmp_path, key, value, why):
    path = stored.made_store(tmp_path)
    parts = stored.store_parts(path)
    parts["meta"][key] = value
    stored.store_join(parts, path)
    with pytest.raises(StudyError, match=f"^{re.escape(f'{path} is damaged')}.*{re.escape(why)}"):
        stored.read_store(path)


@pytest.mark.parametrize(("key", "told"), [("settings", "settings"), ("seconds", "its seconds")])
def test_a_store_that_lacks_something_is_refused(tmp_path, key, told):
    path = stored.made_store(tmp_path)
    parts = stored.store_parts(path)
    del parts["meta"][key]
    stored.store_join(parts, path)
    with pytest.raises(StudyError, match=rf"is damaged: give another --out \(.*lacks .*{told}\)$"):
        stored.read_store(path)


def test_a_path_too_long_for_sqlite_is_not_called_damaged(tmp_path):
    deep = tmp_path / "/".join(["a" * 100] * 6)
    deep.mkdir(parents=True)
    with pytest.raises(
        StudyError, match=r"^SQLite cannot open .* whose path has \d+ bytes: give a shorter --out$"
    ):
        stored.made_store(deep)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("build", [1], "build is a list; it must be a text of at most 100,000 characters"),
        ("n", "6", "n is '6'; it must be a whole number from 1 to 1,099,511,627,776"),
        ("notes", None, "notes is None; it must be a list"),
        ("software_accuracy", 2, "software_accuracy is 2; it must be from 0 to 1"),
        ("images", {"said": "x"}, "it lacks the entry 'n' of images: a study writes it"),
    ],
)
def test_a_result_of_other_kinds_is_refused(tmp_path, key, value, why):
    path = stored.made_result("montecarlo", tmp_path)
    stored.result_join(stored.result_parts(path) | {key: value}, path)
    sentence = (
        f"{path.parent} is damaged, or was made by an earlier version ({why}): run its command "
        "again with another --out"
    )
    with pytest.raises(StudyError, match=f"^{re.escape(sentence)}$"):
        read_runs([path.parent])


def test_an_accuracy_that_is_none_is_refused_by_its_line(tmp_path):
    path = stored.made_chips(tmp_path)
    parts = stored.chips_parts(path)
    parts[2][parts[0].index("accuracy")] = "high"
    stored.chips_join(parts, path)
    with pytest.raises(StudyError, match=r"\(chips.csv, line 3: accuracy is 'high'; it must be a "):
        read_runs([path.parent])
    parts[2][parts[0].index("accuracy")] = "9"
    stored.chips_join(parts, path)
    with pytest.raises(
        StudyError, match=r"\(chips.csv, line 3: accuracy is 9; it must be from 0 to 1"
    ):
        read_runs([path.parent])


def test_a_training_that_names_gigabytes_is_refused(tmp_path):
    import torch

    path = stored.made_training(tmp_path)
    parts = torch.load(path, weights_only=True)
    parts["model"]["weight"] = torch.zeros(1).expand(10**9)
    torch.save(parts, path)
    with pytest.raises(CheckpointError, match=r"cannot be read: remove it to start anew$"):
        unfinished.resume(path, "key", stored._training())


@pytest.fixture(params=["pipe", "zero", "folder"])
def no_file(request, tmp_path):
    """What is put in a file's place: nothing that could be read to its end."""

    def replace(path: Path) -> None:
        path.unlink()
        if request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "zero":
            path.symlink_to("/dev/zero")
        else:
            path.mkdir()

    return replace


def test_a_deck_that_is_no_file_is_refused(tmp_path, no_file):
    build = stored.small_build(tmp_path)
    path = build.folder / "layer0.cir"
    no_file(path)
    sentence = f"^cannot read {re.escape(str(path))}: (it is no regular file|Is a directory)$"
    with pytest.raises(NetlistError, match=sentence):
        simulate(build, random_images(2, 6, 5), run=tmp_path / "run", allow_edited=True)
    with pytest.raises(NetlistError, match=sentence):
        verify_build(build)


@pytest.mark.parametrize("kept", ["result.json", CHIPS])
def test_a_result_that_is_no_file_is_refused(tmp_path, no_file, kept):
    path = stored.made_result("montecarlo", tmp_path)
    no_file(path.with_name(kept))
    with pytest.raises(StudyError, match=r"holds no result.json|no regular file|Is a directory"):
        read_runs([path.parent])


@pytest.mark.parametrize("made", [stored.made_store, stored.made_run])
def test_a_store_that_is_no_file_is_refused(tmp_path, no_file, made):
    path = made(tmp_path)
    no_file(path)
    read = stored.read_store if made is stored.made_store else stored.read_run
    with pytest.raises(StudyError, match=rf"holds files but no {path.name}: give another --out$"):
        read(path)
