"""Reading raw files, finding ngspice, planning chunks, and judging what ngspice printed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogkan.dialects.rawfile import read_raw
from analogkan.engines.chunked import MAX_CHUNK, plan_chunks
from analogkan.engines.ngspice import ENVIRONMENT, Ngspice, Runner, find_ngspice, peak_megabytes
from analogkan.errors import ConvergenceError, SimulationError

NAMES = ["v(index)", "V(Logit_0)", "v(logit_1)"]
VALUES = np.array([[0.0, 0.1, -1e-300], [1.0, np.nextafter(0.1, 1), 2.5e14]])


def raw_bytes(names=NAMES, values=VALUES, *, flags="real", points=None) -> bytes:
    """A raw file as ngspice writes it."""
    head = [
        "Title: * a deck",
        "Date: some day",
        "Plotname: DC transfer characteristic",
        f"Flags: {flags}",
        f"No. Variables: {len(names)}",
        f"No. Points: {len(values) if points is None else points}       ",
        "Variables:",
        *(f"\t{k}\t{name}\tvoltage" for k, name in enumerate(names)),
        "Binary:",
    ]
    return ("\n".join(head) + "\n").encode() + values.astype("<f8").tobytes()


@pytest.fixture
def raw(tmp_path) -> Path:
    return tmp_path / "x.raw"


def test_a_raw_file_reads_back_to_the_last_bit_by_lower_case_name(raw):
    raw.write_bytes(raw_bytes())
    found = read_raw(raw, points=2)
    assert list(found) == ["v(index)", "v(logit_0)", "v(logit_1)"]
    for column, values in zip(VALUES.T, found.values(), strict=True):
        assert values.tobytes() == column.tobytes()


def test_binary_data_that_looks_like_the_marker_is_data(raw):
    values = np.frombuffer(b"Binary:\n" * 2, "<f8").reshape(2, 1)
    raw.write_bytes(raw_bytes(["v(a)"], values))
    assert read_raw(raw, points=2)["v(a)"].tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "ngspice's result file is empty (0 bytes)"),
        (raw_bytes().split(b"Binary:")[0], "ngspice's result file has no data section ("),
        (raw_bytes()[:-1], "ngspice's result file is cut short: 47 of 48 bytes"),
        (
            raw_bytes() + raw_bytes(),
            f"ngspice's result file holds more than one plot: {96 + len(raw_bytes()) - 48} of 48",
        ),
        (
            raw_bytes(flags="complex"),
            "ngspice's result file is cut short: 48 of 96 bytes",
        ),
        (
            raw_bytes(flags="padded"),
            "ngspice's result file has a damaged header: flags are padded",
        ),
        (raw_bytes().replace(b"Flags: real\n", b""), "has a damaged header: 'Flags'"),
        (raw_bytes().replace(b"Points: 2", b"Points: x"), "has a damaged header: invalid literal"),
        (
            raw_bytes(points=1),
            "ngspice delivered 1 of 2 points: the sweep stopped on the way",
        ),
        (
            raw_bytes(values=np.array([[0, 1, 2], [1, np.nan, 3]])),
            "ngspice delivered v(logit_0) = NaN or infinity at 1",
        ),
        (
            raw_bytes(values=np.array([[0, 1, -np.inf], [1, 2, 3]])),
            "ngspice delivered v(logit_1) = NaN or infinity at 0",
        ),
        (
            raw_bytes(values=np.array([[0, 1, 2], [1, 2, -1e300]])),
            "ngspice delivered v(logit_1) = -1e+300, which no circuit has (at most 1e+15), at 1",
        ),
        (
            raw_bytes(["v(a)", "v(b)", "V(A)"]),
            "ngspice's result file names no vectors, or one of them twice",
        ),
        (
            raw_bytes([], np.empty((2, 0))),
            "ngspice's result file names no vectors, or one of them twice",
        ),
    ],
)
def test_a_raw_file_with_anything_missing_is_refused(raw, content, sentence):
    raw.write_bytes(content)
    with pytest.raises(SimulationError, match=re.escape(sentence)):
        read_raw(raw, points=2)


def test_a_raw_file_that_is_not_there_is_no_result(raw):
    with pytest.raises(SimulationError, match=r"^ngspice wrote no result file$"):
        read_raw(raw, points=2)


# ---- finding ngspice


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!{sys.executable} -SE\n{body}\n")
    path.chmod(0o755)
    return path


def test_without_ngspice_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    sentence = (
        "ngspice is not installed: install it (Debian, Ubuntu: `apt install ngspice`; "
        "macOS: `brew install ngspice`), or name the program in ANALOGKAN_NGSPICE"
    )
    with pytest.raises(SimulationError, match=f"^{re.escape(sentence)}$"):
        find_ngspice()


def test_a_variable_that_names_nothing_is_quoted(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "/nonexistent/ngspice")
    sentence = "^ANALOGKAN_NGSPICE names /nonexistent/ngspice, which is no program: install it"
    with pytest.raises(SimulationError, match=sentence):
        find_ngspice()


def test_another_program_is_not_taken_for_ngspice(tmp_path, monkeypatch):
    other = script(tmp_path / "other", "print('spectre 21')")
    monkeypatch.setenv(ENVIRONMENT, str(other))
    with pytest.raises(
        SimulationError,
        match=f"^{other} does not say which ngspice it is, but 'spectre 21': install",
    ):
        find_ngspice()


def test_a_file_that_cannot_be_run_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.write_bytes(b"\x7fELF not really")
    other.chmod(0o755)
    monkeypatch.setenv(ENVIRONMENT, str(other))
    with pytest.raises(SimulationError, match=f"^{other} does not answer -v .*: install it"):
        find_ngspice()


@pytest.mark.parametrize(("more", "klu"), [("", False), ("** Compiled with KLU Direct", True)])
def test_version_and_klu_come_from_the_programs_own_answer(tmp_path, monkeypatch, more, klu):
    script(tmp_path / "spice", f"print('** ngspice-45.2 : Circuit\\n{more}')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ENVIRONMENT, "./spice")  # decks run in other folders: must be absolute
    assert find_ngspice() == Ngspice(tmp_path / "spice", "45.2", klu)


# ---- chunks


@given(n=st.integers(1, 20_000), size=st.sampled_from([0, 1, 2, 7, 500, 30_000]))
def test_chunks_cover_every_image_exactly_once(n, size):
    chunks = plan_chunks(n, size)
    assert [c.number for c in chunks] == list(range(len(chunks)))
    assert [c.start for c in chunks] == [0, *(c.stop for c in chunks[:-1])]
    assert chunks[-1].stop == n
    assert all(0 < c.stop - c.start <= (size or MAX_CHUNK) for c in chunks)


@pytest.mark.parametrize(("n", "size"), [(1, 50), (200, 50), (300, 75), (1000, 250), (9999, 500)])
def test_the_chunk_size_follows_from_the_number_of_images(n, size):
    assert plan_chunks(n)[0].stop == min(n, size)


# ---- judging a run

DIVIDER = "v1 a 0 1\nr1 a b 1k\nr2 b 0 1k\n.save v(b)\n.dc v1 0 4 1\n"


@pytest.fixture
def run(ngspice, tmp_path):
    def run(body: str, title: str = "* t", timeout: float = 20):
        deck, raw = tmp_path / "t.cir", tmp_path / "t.raw"
        deck.write_text(f"{title}\n{body}.end\n")
        Runner(ngspice).run(deck, raw, timeout=timeout)
        return read_raw(raw, points=5)

    return run


def test_a_good_run_is_believed_whatever_the_deck_is_called(run):
    found = run(DIVIDER, title="* error: singular matrix, aborted")
    np.testing.assert_allclose(found["v(b)"], [0, 0.5, 1, 1.5, 2], rtol=1e-12)


def test_a_loop_of_sources_is_a_convergence_error_with_its_evidence(run, tmp_path):
    with pytest.raises(
        ConvergenceError, match=r"^ngspice found no solution: Warning: singular matrix"
    ) as caught:
        run("v2 a 0 2\n" + DIVIDER)
    assert caught.value.deck == tmp_path / "t.cir"
    assert caught.value.exit_code == 1
    assert caught.value.stderr_tail.startswith("Warning: singular matrix:  check node v2#branch\n")
    for statistics in ("Total", "DRAM", "pages", "Stack", "program size", "No. of Data"):
        assert statistics not in caught.value.stderr_tail


def test_a_floating_node_is_a_convergence_error_although_ngspice_exits_with_0(run):
    with pytest.raises(ConvergenceError, match="singular matrix:  check node c") as caught:
        run("c1 b c 1n\n" + DIVIDER)
    assert caught.value.exit_code == 0


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("x1 a 0 nosuch\n", "ngspice printed: Error: unknown subckt: x1 a 0 nosuch"),
        ("d1 b 0 nosuch\n", "ngspice printed: warning, can't find model 'nosuch'"),
        (".include nosuch.cir\n", "ngspice printed: Error: Could not find include file"),
    ],
)
def test_what_ngspice_complains_of_is_quoted(run, line, sentence):
    with pytest.raises(SimulationError, match=f"^{re.escape(sentence)}"):
        run(line + DIVIDER)


def test_a_deck_without_an_analysis_has_no_result_although_ngspice_exits_with_0(run):
    with pytest.raises(SimulationError, match=r"^ngspice wrote no result file$"):
        run(DIVIDER.replace(".dc v1 0 4 1\n", ""))


def test_an_earlier_result_file_is_not_taken_for_this_runs(tmp_path, raw):
    raw.write_bytes(raw_bytes())
    idle = Ngspice(script(tmp_path / "idle", "pass"), "46", True)
    Runner(idle).run(tmp_path / "t.cir", raw, timeout=20)
    assert not raw.exists()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_the_largest_process_s_memory_is_known(tmp_path):
    body = "import sys, time; x = b'x' * (int(sys.argv[-1][1:-4]) * 10**6); time.sleep(0.5)"
    runner = Runner(Ngspice(script(tmp_path / "hungry", body), "46", True))
    for size in (150, 20):
        deck = tmp_path / f"t{size}.cir"
        runner.run(deck, deck.with_suffix(".raw"), timeout=20)
    assert 150 < runner.peak_megabytes < 200
    assert peak_megabytes(2**31 - 1) == 0  # there is no such process


def test_a_stopped_runner_starts_nothing(ngspice, tmp_path):
    runner = Runner(ngspice)
    runner.stop()
    (tmp_path / "t.cir").write_text("* t\n" + DIVIDER + ".end\n")
    with pytest.raises(SimulationError, match=r"^stopped$"):
        runner.run(tmp_path / "t.cir", tmp_path / "t.raw", timeout=20)
    assert not (tmp_path / "t.raw").exists()
