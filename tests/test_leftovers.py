"""Full disks, killed processes, odd terminals: a sentence, and nothing half written or left."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from analogkan.cli import main, process
from analogkan.engines import scratch
from analogkan.engines.ngspice import ENVIRONMENT
from analogkan.engines.scratch import clear_scratch
from analogkan.errors import AnalogKanError, StudyError
from analogkan.files import atomic_file, atomic_folder, remove_partials, write_text
from analogkan.report import figures
from analogkan.studies.store import StudyStore

from .networks import random_checkpoint, random_npz

ROOT = Path(__file__).parents[1]
SLEEPER = f"""#!{sys.executable}
import os, pathlib, sys, time
if sys.argv[1] == "-v":
    os.execv({{program!r}}, [{{program!r}}, "-v"])
pathlib.Path({{pid!r}}).write_text(str(os.getpid()))
time.sleep(60)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home [a]")
    random_npz(folder / "d.npz")
    random_checkpoint(folder / "m.pt")
    args = ["compile", str(folder / "m.pt"), "-o", str(folder / "m [b].build")]
    assert CliRunner().invoke(main, args).exit_code == 0
    return folder


@pytest.fixture
def words(home, tmp_path) -> list[str]:
    data = ["--dataset", str(home / "d.npz"), "--out", str(tmp_path / "run")]
    return ["simulate", str(home / "m [b].build"), *data]


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """A TMPDIR of the test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def cli(*words: str, **around: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "analogkan", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | around,
        capture_output=True,
        check=False,
    )


def no_space(*args: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# ---- signals


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_signal_leaves_nothing_behind_or_the_next_run_removes_it(
    ngspice, words, temporary, tmp_path, name
):
    pid, fake, run = tmp_path / "pid", tmp_path / "ngspice", tmp_path / "run"
    fake.write_text(SLEEPER.format(program=str(ngspice.path), pid=str(pid)))
    fake.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-m", "analogkan", *words, "--jobs", "1"],
        env=os.environ | {ENVIRONMENT: str(fake), "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        for _ in range(300):
            if pid.exists() and pid.read_text():
                break
            time.sleep(0.1)
        command.send_signal(getattr(signal, name))
        _, stderr = command.communicate(timeout=60)
    simulator = Path(f"/proc/{pid.read_text()}")
    if name == "SIGKILL":
        assert simulator.exists()
        assert [p.name[:5] for p in temporary.iterdir()] == ["akan-"]
        (run / ".result.npz.0123abcd.partial").touch()
        assert CliRunner().invoke(main, words).exit_code == 0
    else:
        assert command.returncode == 128 + getattr(signal, name)
        assert stderr == "interrupted: the same command goes on with what is left\n"
    assert not simulator.exists() or "\nState:\tZ" in (simulator / "status").read_text()
    assert list(temporary.iterdir()) == list(run.glob("*.partial")) == []


def test_the_first_signal_interrupts_its_echo_does_nothing_and_a_later_one_ends(monkeypatch):
    ended = []
    monkeypatch.setattr(process.os, "_exit", ended.append)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(process.Ended) as interrupt, process.ended_by_signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            assert ended == []
            monkeypatch.setattr(process, "AGAIN_S", 0.0)
            signal.raise_signal(signal.SIGHUP)
    assert ended == [128 + signal.SIGHUP]
    assert process.exit_code(interrupt.value) == 143
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with process.ended_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


# ---- what killed processes leave


def test_only_folders_whose_owner_is_gone_are_removed(temporary):
    with scratch.scratch() as used:
        (temporary / "akan-other").mkdir()  # has no lock: not known to be ours
        (temporary / "akan-link").symlink_to(used)
        dead = temporary / "akan-dead"
        dead.mkdir()
        (dead / scratch.LOCK).touch()
        (dead / scratch.MARK).write_bytes(scratch.SAID)
        (dead / "layer0.cir").touch()
        clear_scratch()
        assert {p.name for p in temporary.iterdir()} == {"akan-other", "akan-link", used.name}
        assert used.stat().st_mode & 0o777 == 0o700
    assert not used.exists()


def test_what_an_interrupt_kept_from_being_removed_is_removed_at_the_end(temporary, monkeypatch):
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(shutil, "rmtree", interrupted)
        with scratch.scratch():
            pass
    assert len(list(temporary.iterdir())) == 1
    scratch._remove_used()
    assert list(temporary.iterdir()) == []


def test_partial_files_are_removed_by_name_and_others_stay(tmp_path):
    for name in (".a.0123abcd.partial", ".ab.0123abcd.partial", ".a.partial", "a"):
        (tmp_path / name).touch()
    remove_partials(tmp_path / "a")
    assert {p.name for p in tmp_path.iterdir()} == {".ab.0123abcd.partial", ".a.partial", "a"}
    remove_partials(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"a"}


def test_a_folder_half_replaced_is_put_back_and_one_being_written_is_left_alone(tmp_path):
    target = tmp_path / "net.build"
    for key, stage in (("00000000", "partial"), ("11111111", "before")):
        (tmp_path / f".net.build.{key}.{stage}").mkdir()
        (tmp_path / f".net.build.{key}.{stage}" / stage).touch()
        (tmp_path / f".net.build.{key}.lock").touch()
    live = tmp_path / ".net.build.22222222.partial"
    live.mkdir()
    with FileLock(live.with_suffix(".lock")):
        with pytest.raises(KeyError), atomic_folder(target):
            raise KeyError
        assert {p.name for p in tmp_path.iterdir()} == {
            "net.build", live.name, live.with_suffix(".lock").name
        }  # fmt: skip
    assert [p.name for p in target.iterdir()] == ["before"]


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_what_is_written_obeys_the_umask(home, words, tmp_path, mask):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "text", "")
        with atomic_folder(tmp_path / "folder") as partial:
            write_text(partial / "text", "")
        with StudyStore(tmp_path / "study", {}):
            pass
        assert CliRunner().invoke(main, words).exit_code == 0
    finally:
        os.umask(before)
    for path in tmp_path.rglob("*"):
        if path.name != ".lock":
            whole = 0o777 if path.is_dir() else 0o666
            assert path.stat().st_mode & 0o777 == whole & ~mask, path


# ---- no room


def test_a_full_tmpdir_is_named_and_not_the_build(words, temporary, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", no_space)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: no room for temporary files in {temporary} (No space left on device): free some, "
        "or name another folder in TMPDIR; what is finished is kept, and the same command goes on\n"
    )
    assert list(temporary.iterdir()) == []


def test_a_simulator_that_fails_in_a_full_tmpdir_is_not_blamed(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    with pytest.raises(StudyError, match=r"^raw file cut$"), scratch.room_in(tmp_path):
        raise StudyError("raw file cut")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))
    sentence = rf"^no room for temporary files in {tmp_path.parent} \(raw file cut\): free some, or"
    with pytest.raises(AnalogKanError, match=sentence), scratch.room_in(tmp_path):
        raise StudyError("raw file cut")


@pytest.mark.parametrize("limit", [200, 5000])
def test_a_file_that_may_not_grow_ends_in_a_sentence_and_nothing_half_written(
    home, tmp_path, limit
):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        words = ["compile", str(home / "m.pt"), "-o", str(tmp_path / "m.build")]
        result = CliRunner().invoke(main, words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert result.exit_code == 1
    said = f"cannot read or write {tmp_path}/m.build/cells.cir: File too large"
    assert result.stderr == f"error: {said}\n"
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_names_no_file_is_of_the_file_being_written(tmp_path):
    with pytest.raises(OSError, match=rf"No space left on device: '{tmp_path}/x'$"):  # noqa: SIM117
        with atomic_file(tmp_path / "x") as partial:
            partial.write_text("half")
            no_space()
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_drawn_is_a_note(words, tmp_path, monkeypatch):
    words = ["montecarlo", *words[1:], "--samples", "2", "--judge", "none"]
    monkeypatch.setattr(figures, "save", no_space)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    # The first lines say what the preset replaces, and what so many chips can say.
    _, _, told = result.stderr.split("\n", 2)
    assert told == (
        f"note: no picture {tmp_path}/run/histogram.png (No space left on device): the results are "
        "kept, and the same command draws it again\n"
    )
    assert (tmp_path / "run" / "result.json").is_file()
    monkeypatch.undo()
    with FileLock(tmp_path / "run" / ".lock"):
        assert "is in use by another process" in CliRunner().invoke(main, words).stderr
    assert CliRunner().invoke(main, words).exit_code == 0
    assert (tmp_path / "run" / "histogram.png").is_file()


def test_pictures_are_drawn_whatever_the_backend_is_called(tmp_path):
    out = tmp_path / "a.png"
    done = cli("devices", "plot", "A21", "--out", str(out), MPLBACKEND="nonsense")
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, f"{out}\n", b"")
    assert out.is_file()


def test_a_path_too_long_for_sqlite_is_not_damaged(tmp_path):
    run = tmp_path.joinpath(*(["x" * 100] * 5))
    sentence = (
        rf"^SQLite cannot open {run}/study.sqlite \(unable to open database file\), whose path has "
        rf"{len(str(run)) + 13} bytes: give a shorter --out$"
    )
    with pytest.raises(StudyError, match=sentence):
        StudyStore(run, {}).__enter__()


# ---- terminals


@pytest.mark.parametrize(
    "words", [("--help",), ("devices", "list"), ("devices", "list", "--json")], ids=" ".join
)
def test_a_full_device_or_a_reader_that_left_is_an_exit_code(words):
    command = [sys.executable, "-m", "analogkan", *words]
    around = os.environ | {"PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, env=around, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"error: cannot print: No space left on device\n"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(command, env=around, stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_terminal_without_our_signs_shows_question_marks(home, tmp_path):
    words = ["compile", str(home / "m.pt"), "-o", str(tmp_path / "m.build")]
    plain = CliRunner().invoke(main, words).stdout
    result = CliRunner(charset="ascii").invoke(main, words)
    assert "–" in plain
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes == plain.encode("ascii", "replace")
    name = os.fsdecode(b"\xe9.build")
    result = CliRunner().invoke(main, ["verify", name])
    assert result.stderr_bytes.startswith(b"error: \xe9.build does not exist: run")


def test_brackets_in_names_are_printed(home, words, tmp_path):
    run = tmp_path / "run [/]"
    words = [*words[:-1], str(run), "--subset", "3"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert f"kept in {run}\n" in result.stdout
    out = tmp_path / "[red]x[/red].build"
    result = CliRunner().invoke(main, ["compile", str(home / "m.pt"), "-o", str(out)])
    assert result.stdout.startswith(f"{out}: ")
    result = CliRunner().invoke(main, ["verify", str(tmp_path / "[/]")])
    assert result.stderr.startswith(f"error: {tmp_path}/[/] does not exist")


def test_a_folder_of_somebody_elses_with_our_prefix_and_a_lock_stays(temporary):
    foreign = temporary / "akan-thesis"
    foreign.mkdir()
    (foreign / scratch.LOCK).touch()
    (foreign / "thesis.tex").write_text("mine", encoding="utf-8")
    scratch.clear_scratch()
    assert (foreign / "thesis.tex").read_text(encoding="utf-8") == "mine"
    (foreign / scratch.MARK).write_bytes(scratch.SAID)
    scratch.clear_scratch()
    assert not foreign.exists()
