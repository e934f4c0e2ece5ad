"""Sessions: libngspice in a worker process answers as the program does, or not at all."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import analogkan as ak
from analogkan import load_bundled, resources
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.chunked import BatchOptions
from analogkan.engines.ngspice import ENVIRONMENT, Runner
from analogkan.engines.session import Session, SessionRunner, library_info
from analogkan.errors import ConvergenceError, SimulationError
from analogkan.studies.simulate import simulate

from .networks import circuit, random_images, random_spec

GOOD = "* good\nv1 a 0 1\nr1 a b 1k\nr2 b 0 3k\n.save v(b) i(v1)\n.dc v1 0 4 1\n.end\n"
# Most of a minute and 0.1 GB: ngspice refuses at once what the memory cannot hold.
LONG = "c1 b 0 1n\nr2 a b 1\n.save v(b)\n.tran 1n 4m 0 1n"
BAD = {
    "unknown subcircuit": (
        "x1 a 0 nosuch\n.op",
        SimulationError,
        "ngspice printed: Error: unknown subckt: x1 a 0 nosuch",
    ),
    "missing include": (
        ".include nosuch.cir\n.op",
        SimulationError,
        "ngspice printed: Error: Could not find include file nosuch.cir",
    ),
    "loop of sources": (
        "v2 a 0 2\n.op",
        ConvergenceError,
        "ngspice found no solution: Warning: singular matrix:  check node v1#branch",
    ),
    "floating node": (
        "c1 a c 1n\n.op",
        ConvergenceError,
        "ngspice found no solution: Warning: singular matrix:  check node c",
    ),
    "no analysis": (
        "",
        SimulationError,
        "ngspice made no result: the deck has no analysis (.op, .dc, .ac, .tran)",
    ),
    "two analyses": (
        ".op\n.dc v1 0 1 1",
        SimulationError,
        "the deck makes 2 results (op1, dc1): ask for one",
    ),
    "commands": (
        ".control\nop\n.endc",
        SimulationError,
        "the deck has a .control section, whose commands a session does not run: take it out and "
        "give the analysis as a line, such as .op",
    ),
}


def deck(lines: str) -> str:
    return f"* t\nv1 a 0 1\nr1 a 0 1k\n{lines}\n.end\n"


def good(session: Session) -> None:
    np.testing.assert_allclose(session.run(GOOD)["v(b)"], np.arange(5) * 0.75, rtol=1e-12)


# ---- equality with the program


@pytest.mark.parametrize(
    ("squash", "norm"), [("none", "none"), ("clamp", "batch"), ("sigmoid", "layer")]
)
def test_a_session_gives_the_programs_numbers_to_the_last_digit(ngspice, tmp_path, squash, norm):
    spec = random_spec(6, (5, 6, 4, 3), squash=squash, norm=norm)
    build = write_build(spec, Hardware(), tmp_path / "net.build")
    assert_equal(build, random_images(2, 10, 5))


def test_a_session_gives_the_programs_numbers_on_the_shipped_model(ngspice, tmp_path):
    build = ak.compile(resources.path("models/mnist-d2.pt"), tmp_path / "d2.build")
    assert_equal(build, load_bundled().take(np.arange(20)))


def assert_equal(build, images) -> None:
    program = simulate(build, images)
    session = simulate(build, images, options=BatchOptions(session=True))
    assert np.array_equal(circuit(session), circuit(program))
    for result, said in ((program, False), (session, True)):
        assert (result.summary["engine"], result.summary["session"]) == ("ngspice", said)
    assert session.summary["ngspice_version"] == program.summary["ngspice_version"]
    assert session.summary["run"] != program.summary["run"]


@pytest.mark.parametrize("analysis", [".op", ".dc v1 0 1 0.25", ".tran 1u 20u", ".dc r1 1 3 1"])
def test_vectors_are_those_of_the_programs_raw_file(ngspice, session, tmp_path, analysis):
    path = tmp_path / "t.cir"
    path.write_text(
        "* T\nV1 A 0 dc 1 pulse(0 1 1u 1n 1n 1)\nR1 A Out 1k\nC1 Out 0 1n\nx1 out q cell\n"
        f"r2 q 0 1k\n.subckt cell a b\nr1 a m 1\nr2 m b 1\n.ends\n{analysis}\n.end\n"
    )
    found = session.run(path)
    Runner(ngspice).run(path, tmp_path / "t.raw", timeout=20)
    wanted = read_raw(tmp_path / "t.raw", points=found["v(out)"].size)
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        assert np.array_equal(found[name], values), name


def test_the_first_line_is_the_title_even_if_empty_and_the_end_may_be_loud(session):
    found = session.run("\nv1 a 0 1\nr1 a b 1k\nr2 b 0 1k\n  .END \n\n", ".op")
    assert found["v(a)"] == [1.0]
    np.testing.assert_allclose(found["v(b)"], 0.5, rtol=1e-12)


def test_ac_gives_complex_vectors(session):
    text = "* t\nv1 a 0 ac 1\nr1 a b 1k\nc1 b 0 159.1549431n\n.ac lin 1 1k 1k\n.end\n"
    assert session.run(text)["v(b)"][0] == pytest.approx(0.5 - 0.5j, rel=1e-6)


def test_sessions_at_once_change_nothing(ngspice, tmp_path):
    build = write_build(random_spec(1), Hardware(), tmp_path / "net.build")
    images = random_images(2, 30, 5)
    one, four = (
        simulate(
            build,
            images,
            options=BatchOptions(chunk=3, jobs=jobs, session=True),
            run=tmp_path / str(jobs),
        )
        for jobs in (1, 4)
    )
    assert circuit(one).tobytes() == circuit(four).tobytes()


# ---- nothing of an earlier deck, and nothing from a broken one


@pytest.mark.parametrize(("lines", "kind", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_deck_is_an_error_and_never_the_decks_before(session, lines, kind, sentence):
    good(session)
    with pytest.raises(SimulationError, match=f"^{re.escape(sentence)}") as caught:
        session.run(deck(lines))
    assert type(caught.value) is kind
    good(session)


def test_nothing_stays_of_what_a_deck_saved_or_set(session):
    session.run("* t\n.param p=2\nv1 a 0 {p}\nr1 a zz 1\nr2 zz 0 1\n.save v(zz)\n.op\n.end\n")
    found = session.run("* t\nv1 a 0 1\nr1 a b 1\nr2 b 0 1\n.option temp=26.85\n.op\n.end\n")
    assert set(found) == {"v(a)", "v(b)", "i(v1)"}
    with pytest.raises(SimulationError):
        session.run("* t\nv1 a 0 {p}\nr1 a 0 1\n.op\n.end\n")


def test_quit_in_an_included_file_ends_only_the_worker(session, tmp_path):
    (tmp_path / "more.cir").write_text(".control\nquit\n.endc\n")
    path = tmp_path / "t.cir"
    path.write_text(deck(".include more.cir\n.op"))
    with pytest.raises(SimulationError) as caught:
        session.run(path)
    assert caught.value.deck == path
    good(session)


def test_a_hidden_command_is_refused_and_changes_no_later_deck(session):
    power = "* p\nv1 a 0 -2\nb1 c 0 v=v(a)^3\nr1 a 0 1\nr2 c 0 1\n.op\n.end\n"
    (before,) = session.run(power)["v(c)"]
    sentence = r"^'\*#set ngbehavior=lt' is a command to ngspice, not a comment: take it out$"
    with pytest.raises(SimulationError, match=sentence):
        session.run(power.replace(".op", "*#set ngbehavior=lt\n.op"))
    assert session.run(power)["v(c)"] == [before]


def test_an_element_that_ngspice_ignores_is_an_error(session):
    with pytest.raises(SimulationError, match=r"r1.*(ignored|resistance to low)"):
        session.run("* t\nv1 a 0 1\nr1 a\nr2 a 0 1\n.op\n.end\n")
    good(session)


@pytest.mark.parametrize(
    ("deck", "options", "sentence"),
    [
        (Path("nope.cir"), {}, "cannot read the deck nope.cir: "),
        ("", {}, "the deck is empty"),
        (GOOD, {"timeout": float("nan")}, "timeout = nan is out of range: above 0 s"),
        (GOOD, {"timeout": 0}, "timeout = 0 is out of range: above 0 s"),
    ],
)
def test_what_is_no_deck_is_refused(session, deck, options, sentence):
    with pytest.raises(SimulationError, match=sentence):
        session.run(deck, **options)


def test_commands_in_an_included_file_give_no_result(session, tmp_path, monkeypatch):
    (tmp_path / "more.cir").write_text(".control\nop\n.endc\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SimulationError, match=r"^the deck has a .control section, whose commands"):
        session.run(deck(".include more.cir\n.op"))
    good(session)


def test_a_run_that_takes_too_long_is_stopped(session):
    with pytest.raises(
        SimulationError, match=r"^ngspice took longer than 0.5 s and was stopped$"
    ) as caught:
        session.run(deck(LONG), timeout=0.5)
    assert caught.value.exit_code is None
    good(session)


def test_a_worker_that_is_killed_is_replaced(session):
    good(session)
    worker = session._worker.process
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(SimulationError, match=r"^ngspice was killed by signal 9$"):
        good(session)
    good(session)
    assert session._worker.process.pid != worker.pid


def test_a_session_is_stopped_from_another_thread(ngspice):
    with Session() as session:
        threading.Timer(0.5, session.stop).start()
        with pytest.raises(SimulationError):
            session.run(deck(LONG), timeout=60)
        with pytest.raises(SimulationError, match=r"^stopped$"):
            session.run(GOOD)


def test_start_up_files_are_not_read(ngspice, tmp_path, monkeypatch):
    (tmp_path / ".spiceinit").write_text(f"shell touch {tmp_path}/read\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with Session() as session:
        good(session)
    assert not (tmp_path / "read").exists()


def test_amperes_that_pyspice_writes_as_atto_are_refused(session):
    from .benches import bench, solve

    circuit = bench()
    circuit.PulseCurrentSource("1", 0, "a", 0, 2e-6, 1e-9, 1e-9)
    circuit.R("1", "a", 0, 1)
    with pytest.raises(
        SimulationError, match=r"^PySpice writes 2e-06A, which ngspice reads as atto or femto: give"
    ):
        solve(session, circuit, "a")


# ---- the batch engine's runner


def test_a_chunk_that_fails_in_a_session_keeps_its_deck_and_log(ngspice, tmp_path):
    build = write_build(random_spec(3), Hardware(), tmp_path / "net.build")
    layer = build.folder / "layer1.cir"
    layer.write_text(layer.read_text() + "x_more l1_y0 0 nosuch\n")
    with pytest.raises(
        SimulationError, match="First reason: ngspice printed: Error: unknown subckt"
    ):
        simulate(
            build,
            random_images(3, 5, 5),
            options=BatchOptions(session=True),
            run=tmp_path / "run",
            allow_edited=True,
        )
    kept = tmp_path / "run" / "failed" / "chunk00000"
    assert "unknown subckt" in (kept / "chunk00000_2.log").read_text()
    assert (kept / "chunk00000_2.cir").is_file()


def test_a_stopped_session_runner_starts_nothing(tmp_path):
    runner = SessionRunner()
    runner.stop()
    with pytest.raises(SimulationError, match=r"^stopped$"):
        runner.run(tmp_path / "t.cir", tmp_path / "t.raw", timeout=1)


# ---- the library and the program


def test_a_library_of_another_version_is_refused(tmp_path, monkeypatch):
    program = tmp_path / "ngspice"
    program.write_text(f"#!{sys.executable} -SE\nprint('** ngspice-45.2 : Circuit')\n")
    program.chmod(0o755)
    monkeypatch.setenv(ENVIRONMENT, str(program))
    library = library_info()
    build = f"{library.version} {'with' if library.klu else 'without'} KLU"
    sentence = (
        f"libngspice is {build} ({library.path}), the ngspice program is 45.2 without KLU "
        f"({program}): install the two from one source, name the program's own library in "
        "ANALOGKAN_LIBNGSPICE, or open the session with match=False"
    )
    with pytest.raises(SimulationError, match=f"^{re.escape(sentence)}$"), Session():
        pass
    with Session(match=False) as session:
        good(session)


def test_a_file_that_is_no_library_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "lib {0} ngspice.so"
    path.write_text("nothing")
    monkeypatch.setenv("ANALOGKAN_LIBNGSPICE", str(path))
    with pytest.raises(SimulationError, match=f"^{re.escape(str(path))} cannot be used: OSError: "):
        library_info()


def test_without_a_program_the_library_serves_alone(session, monkeypatch, tmp_path):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with Session() as alone:
        good(alone)


def test_a_script_without_a_main_guard_is_told_so(ngspice, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import analogkan as ak\nwith ak.Session() as s:\n    print(s.info)\n")
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(
        r"SimulationError: the process for \S+ ended with exit code 1 as it started: a script that "
        r'opens a session does so under `if __name__ == "__main__":`\n$',
        done.stderr,
    )
