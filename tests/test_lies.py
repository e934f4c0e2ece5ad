"""A simulator that lies in ways that look right: each ends in a failure, or in equal numbers.

What the real ngspice wrote is doctored: by a program around it, or, which is quicker, where runs
and sessions hand the file over.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analogkan.compiler import spice
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import write_verified
from analogkan.engines import verdict
from analogkan.engines.chunked import BatchOptions
from analogkan.engines.ngspice import ENVIRONMENT, Runner
from analogkan.engines.session import SessionRunner
from analogkan.errors import DisagreementError, SimulationError, StudyError
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.simulate import simulate

from .convolutions import convolutional_images, convolutional_spec
from .networks import circuit, random_images, random_spec

DOCTOR = """
import os, pathlib, struct

def doctor(lie, raw, home):
    "Change the file that ngspice wrote as a lie says, which sees names, rows and the file."
    head, body = raw.read_bytes().split(b"Binary:\\n", 1)
    lines = head.decode().splitlines()
    start = lines.index("Variables:") + 1
    names, width = [line.split()[1] for line in lines[start:]], len(lines) - start
    flat = struct.unpack(f"<{len(body) // 8}d", body)
    rows = [list(flat[k : k + width]) for k in range(0, len(flat), width)]
    kept = home / f"{len(rows)}-{len(names)}.kept"  # of a file that looks like this one
    values = [row[2:] for row in rows]
    told = {"names": names, "rows": rows, "values": values, "raw": raw, "kept": kept,
            "os": os, "whole": raw.read_bytes(), "struct": struct}
    exec(lie, told)
    if told.get("done"):
        return
    rows = [[*row[:2], *given] for row, given in zip(told["rows"], told["values"])]
    listed = [f"\\t{k}\\t{name}\\tvoltage" for k, name in enumerate(told["names"])]
    body = b"".join(struct.pack(f"<{width}d", *row) for row in rows)
    raw.write_bytes("\\n".join([*lines[:start], *listed, "Binary:\\n"]).encode() + body)
"""
FAKE = """#!{python} -SE
import os, pathlib, subprocess, sys, time
if "-v" in sys.argv:
    os.execv({real!r}, sys.argv)
{doctor}
raw, home = pathlib.Path(sys.argv[4]), pathlib.Path({home!r})
subprocess.run([{real!r}, *sys.argv[1:]], check=True)
doctor({lie!r}, raw, home)
"""
NOT_OURS = "ngspice does not give what the circuit's closed form gives: image "
LIES = {
    "permutes its columns": ("values[:] = [v[1:] + v[:1] for v in values]", NOT_OURS),
    "swaps two names": ("names[2], names[-1] = names[-1], names[2]", NOT_OURS),
    "gives zeros": ("values[:] = [[0.0] * len(v) for v in values]", NOT_OURS),
    "gives one number": ("values[:] = [[0.3] * len(v) for v in values]", NOT_OURS),
    "rolls the images": ("values[:] = values[1:] + values[:1]", NOT_OURS),
    "gives them backwards": ("values.reverse()", NOT_OURS),
    "gives one image for all": ("values[:] = [values[0]] * len(values)", NOT_OURS),
    "gives an image's neighbour": ("values[len(values) // 2] = values[0]", NOT_OURS),
    "is off by a thousandth": ("values[:] = [[1.001 * x for x in v] for v in values]", NOT_OURS),
    "flips the sign": ("values[:] = [[-x for x in v] for v in values]", NOT_OURS),
    "has an offset": ("values[:] = [[x + 1e-4 for x in v] for v in values]", NOT_OURS),
    "has one value off": ("values[1][0] += 1e-3", NOT_OURS),
    "has one hidden value off": ("values[1][-1] += 1e-3 * (len(names) > 5)", NOT_OURS),
    "gives hidden nodes for logits": ("values[:] = [v[::-1] for v in values]", NOT_OURS),
    "gives its first answer for ever": (
        "way = 1 if rows[0][1] == 0 else -1; kept.exists() or kept.write_text(repr(values[::way]))"
        "; values[:] = eval(kept.read_text())[::way]",
        NOT_OURS,
    ),
    "gives the nearest volt": ("values[:] = [[round(x, 0) for x in v] for v in values]", NOT_OURS),
    "gives denormals": ("values[:] = [[5e-324] * len(v) for v in values]", NOT_OURS),
    "gives 1e300": ("values[2][0] = 1e300", "1e+300, which no circuit has (at most 1e+15), at "),
    "gives NaN": ("values[2][0] = float('nan')", "NaN or infinity at "),
    "gives infinity": ("values[2][0] = -float('inf')", "NaN or infinity at "),
    "numbers other images": ("rows[1][1] = 7.0", "swept other points than it was asked for"),
    "renames a vector": ("names[2] = 'v(other)'", "ngspice delivered no v("),
    "cuts its file short": ("raw.write_bytes(whole[:-8]); done = 1", "is cut short: "),
    "writes two plots": ("raw.write_bytes(whole + whole); done = 1", "holds more than one plot: "),
    "writes a pipe": ("raw.unlink(); os.mkfifo(raw); done = 1", "is a link, a pipe or a device"),
    "writes a folder": ("raw.unlink(); raw.mkdir(); done = 1", "is a link, a pipe or a device"),
    "links to /dev/zero": (
        "raw.unlink(); raw.symlink_to('/dev/zero'); done = 1",
        "is a link, a pipe or a device",
    ),
    "links to another file": (
        "kept.write_bytes(whole); raw.unlink(); raw.symlink_to(kept); done = 1",
        "is a link, a pipe or a device",
    ),
    "says that it set something": (
        "print('Warning: Value of resistor r1 is too small, set to 1.000000e-12')",
        "ngspice printed: Warning: Value of resistor r1 is too small, set to 1.000000e-12",
    ),
    "prints without end": (
        "print('x' * 5_000_000)",
        "ngspice printed more than 4 MB: no run of ours says so much",
    ),
    "rounds to seven digits": (
        "values[:] = [[struct.unpack('f', struct.pack('f', x))[0] for x in v] for v in values]",
        "",
    ),
    "reorders names and columns alike": (
        "names[2:] = names[:1:-1]; values[:] = [v[::-1] for v in values]",
        "",
    ),
}
"""What it does, and what the refusal says; nothing where the numbers are equal."""
PRINTED = ("says that it set something", "prints without end")
"""What a program does whose run is judged before its file is handed over."""
HANDED_OVER = [lie for lie in LIES if lie not in PRINTED]
SOME = ("permutes its columns", "gives its first answer for ever")


@pytest.fixture
def lying(ngspice, tmp_path, monkeypatch) -> Callable[[str], None]:
    """Install an ngspice that lies: a program."""

    def install(lie: str) -> None:
        program = tmp_path / "ngspice-lying"
        given = {"python": sys.executable, "real": str(ngspice.path), "home": str(tmp_path)}
        program.write_text(FAKE.format(lie=lie, doctor=DOCTOR, **given))
        program.chmod(0o755)
        monkeypatch.setenv(ENVIRONMENT, str(program))

    return install


@pytest.fixture
def doctoring(tmp_path, monkeypatch) -> Callable[[type, str], None]:
    """Doctor what a kind of runner hands over."""

    def install(runner: type, lie: str) -> None:
        honest, found = runner.run, {}
        exec(DOCTOR, found)

        def run(self, deck, raw, *, timeout):
            text = honest(self, deck, raw, timeout=timeout)
            found["doctor"](lie, raw, tmp_path)
            return text

        monkeypatch.setattr(runner, "run", run)

    return install


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Build:
    folder = tmp_path_factory.mktemp("lies") / "net.build"
    return write_build(random_spec(3), Hardware(opamp="ideal"), folder)


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> Build:
    folder = tmp_path_factory.mktemp("lies") / "conv.build"
    return write_verified(convolutional_spec(), Hardware(opamp="ideal"), folder, most=100)


def assert_refused_or_equal(build: Build, images, run: Path, sentence: str, **options):
    """Simulate in two chunks."""
    chunk = 40 if build.deck is None else len(images) // 2  # points
    given = {"options": BatchOptions(chunk=chunk, **options), "run": run}
    if not sentence:
        found = simulate(build, images, **given)
        np.testing.assert_allclose(circuit(found), found.software, rtol=0, atol=2e-6)
        return
    started = time.monotonic()
    with pytest.raises(SimulationError, match=re.escape(sentence)) as refused:
        simulate(build, images, **given)
    assert time.monotonic() - started < 20
    assert (type(refused.value) is DisagreementError) == (sentence == NOT_OURS)
    assert refused.value.deck is not None and refused.value.deck.is_file()
    assert not list(run.glob("**/result.*"))


@pytest.mark.parametrize("lie", HANDED_OVER)
def test_a_simulator_that(ngspice, doctoring, build, tmp_path, lie):
    doctoring(Runner, LIES[lie][0])
    assert_refused_or_equal(build, random_images(3, 10, 5), tmp_path / "run", LIES[lie][1])


@pytest.mark.parametrize("lie", [*PRINTED, *SOME])
def test_a_program_that(lying, build, tmp_path, lie):
    lying(LIES[lie][0])
    assert_refused_or_equal(build, random_images(3, 10, 5), tmp_path / "run", LIES[lie][1])


@pytest.mark.campaign
@pytest.mark.parametrize("lie", LIES)
def test_any_program_that(lying, build, tmp_path, lie):
    lying(LIES[lie][0])
    assert_refused_or_equal(build, random_images(3, 10, 5), tmp_path / "run", LIES[lie][1])


def lie_in_a_session(doctoring, build, tmp_path, lie):
    doctoring(SessionRunner, LIES[lie][0])
    images = random_images(3, 10, 5)
    assert_refused_or_equal(build, images, tmp_path / "run", LIES[lie][1], session=True)


@pytest.mark.parametrize("lie", SOME)
def test_a_session_that(ngspice, doctoring, build, tmp_path, lie):
    lie_in_a_session(doctoring, build, tmp_path, lie)


@pytest.mark.campaign
@pytest.mark.parametrize("lie", HANDED_OVER)
def test_any_session_that(ngspice, doctoring, build, tmp_path, lie):
    lie_in_a_session(doctoring, build, tmp_path, lie)


def lie_to_a_convolution(lying, held, tmp_path, lie):
    lying(LIES[lie][0])
    images = convolutional_images(3, 8)
    assert_refused_or_equal(held, images, tmp_path / "run", LIES[lie][1])


@pytest.mark.parametrize("lie", SOME[:1])
def test_a_convolution_in_a_simulator_that(lying, held, tmp_path, lie):
    lie_to_a_convolution(lying, held, tmp_path, lie)


@pytest.mark.campaign
@pytest.mark.parametrize("lie", LIES)
def test_any_convolution_in_a_simulator_that(lying, held, tmp_path, lie):
    if lie == "has one hidden value off":
        pytest.skip("each of these circuits is one layer")
    lie_to_a_convolution(lying, held, tmp_path, lie)


def lie_to_chips(lying, build, images, tmp_path, engine, lie):
    """Chips with read noise, of whose images a block is a run; or the twin's judge."""
    body, sentence = LIES[lie]
    options = StudyOptions(engine=engine, judge="2x6", run=tmp_path / "run")
    study: dict[str, Any] = {"samples": 2, "settings": ["read_noise=0.02"], "options": options}
    if sentence:
        lying(body)
        with pytest.raises((SimulationError, StudyError)) as refused:
            montecarlo(build, images, **study)
        twin = engine == "twin" and sentence == NOT_OURS
        assert ("the twin is not what ngspice simulates" if twin else sentence) in str(
            refused.value
        )
        kept = re.findall(r"deck is kept: ([^)\s]+)", str(refused.value))
        assert not kept or Path(kept[0].rstrip(".")).is_file()
        return
    plain: dict[str, Any] = study | {"options": StudyOptions(engine=engine)}
    honest = montecarlo(build, images, **plain)
    lying(body)
    found = montecarlo(build, images, **study)
    assert [r["correct"] for r in found.rows] == [r["correct"] for r in honest.rows]
    assert found.summary["judge"]["passed"]
    assert found.summary["judge"]["share_of_full_scale"] < 1e-6


@pytest.mark.parametrize("engine", ["ngspice", "twin"])
@pytest.mark.parametrize("lie", SOME)
def test_chips_in_a_simulator_that(lying, build, tmp_path, engine, lie):
    lie_to_chips(lying, build, random_images(3, 10, 5), tmp_path, engine, lie)


@pytest.mark.campaign
@pytest.mark.parametrize("engine", ["ngspice", "twin"])
@pytest.mark.parametrize("lie", LIES)
def test_any_chips_in_a_simulator_that(lying, build, held, tmp_path, engine, lie):
    if lie == "has one hidden value off":
        pytest.skip("a study asks for no hidden value")
    lie_to_chips(lying, build, random_images(3, 10, 5), tmp_path, engine, lie)


@pytest.mark.campaign
@pytest.mark.parametrize("engine", ["ngspice", "twin"])
@pytest.mark.parametrize("lie", LIES)
def test_any_chips_of_a_convolution_in_a_simulator_that(lying, held, tmp_path, engine, lie):
    if lie == "has one hidden value off":
        pytest.skip("a study asks for no hidden value")
    lie_to_chips(lying, held, convolutional_images(3, 8), tmp_path, engine, lie)


def test_one_lie_is_tried_again(lying, build, tmp_path):
    lying("values[:] = values if kept.exists() else values[::-1]; kept.touch()")
    found = simulate(build, random_images(3, 10, 5), run=tmp_path / "run")
    assert found.summary["retried_chunks"] == 1
    assert found.summary["judge"]["passed"]
    np.testing.assert_allclose(circuit(found), found.software, rtol=0, atol=2e-6)


def test_the_sentence_names_image_class_values_and_deck(lying, build, tmp_path):
    images = random_images(3, 10, 5)
    honest = simulate(build, images, run=tmp_path / "honest")
    lying("values[rows.index(min(rows))][1] += 0.5")
    with pytest.raises(DisagreementError) as refused:
        simulate(build, images, run=tmp_path / "run")
    found = re.search(
        r"First reason: ngspice does not give what the circuit's closed form gives: image 100, "
        r"class 1: logit (\S+) in ngspice, (\S+) in the twin, (\S+) of full scale apart where "
        r"1e-06 is allowed\. Its deck is kept: (\S+)\. The same command",
        str(refused.value),
    )
    assert found, str(refused.value)
    assert float(found[2]) == pytest.approx(circuit(honest)[0, 1], abs=1e-6)
    assert float(found[1]) - float(found[2]) == pytest.approx(0.5, abs=1e-6)
    assert Path(found[4]).is_file()


def test_an_edited_deck_is_compared_and_not_judged(ngspice, tmp_path):
    build = write_build(random_spec(3), Hardware(), tmp_path / "net.build")
    images = random_images(3, 10, 5)
    found = simulate(build, images, run=tmp_path / "run").summary["judge"]
    assert found["passed"] and found["images"] == 10 and found["why_not"] == ""
    assert 0 < found["share_of_full_scale"] < 1e-9
    path = build.folder / "layer0.cir"
    path.write_text(
        re.sub(r"(r_i0_d0_o0_p i0_d0 o0_p )\S+", r"\g<1>4321.0", path.read_text(), count=1)
    )
    edited = simulate(build, images, allow_edited=True, run=tmp_path / "edited").summary["judge"]
    assert edited["passed"] is None
    assert edited["why_not"] == "edited after it was compiled: layer0.cir"
    assert edited["share_of_full_scale"] > 1e-4
    assert edited["worst"]["image"] in images.index


def test_a_circuit_without_a_closed_form_is_not_judged(ngspice, build, tmp_path, monkeypatch):
    def none(*args):
        raise SimulationError("a row has several operating points")

    monkeypatch.setattr("analogkan.engines.verdict.designed_volts", none)
    found = simulate(build, random_images(3, 4, 5), run=tmp_path / "run").summary["judge"]
    assert (found["passed"], found["worst"]) == (None, None)
    assert found["why_not"] == (
        "the twin has no closed form of it: a row has several operating points"
    )


# ---- an honest simulator passes


KINDS = [
    *[
        ({"squash": squash, "norm": norm}, {"opamp": opamp})
        for squash in ("none", "clamp", "sigmoid", "tanh")
        for norm in ("none", "batch", "layer")
        for opamp in ("linear", "ideal", "rails")
    ],
    ({}, {"r_wire": 10.0}),
    ({}, {"r_wire": 10.0, "r_driver": 100.0, "wires": "explicit"}),
    ({}, {"levels": 4}),
    ({}, {"diode_law": "smear"}),
    ({}, {"opamp_gain": 30.0}),
    ({}, {"opamp": "rails", "v_rail": 0.3}),
    ({"squash": "sigmoid"}, {"npn_vaf": 1.5, "npn_bf": 5.0}),
    ({"squash": "tanh"}, {"i_tail": 1e-9}),
]


@pytest.mark.campaign
@pytest.mark.parametrize(("network", "hardware"), KINDS)
def test_an_honest_simulator_is_well_within_what_is_allowed(ngspice, tmp_path, network, hardware):
    pairs_behind_a_norm = (
        network.get("squash") in ("sigmoid", "tanh") and network.get("norm") == "layer"
    )
    for seed in range(3):
        build = write_build(
            random_spec(seed, **network), Hardware(**hardware), tmp_path / f"{seed}"
        )
        images = random_images(2, 30, 5)
        found = simulate(build, images, run=tmp_path / f"{seed}.run").summary["judge"]
        assert found["share_of_full_scale"] < (3e-7 if pairs_behind_a_norm else 2e-9)


@pytest.mark.campaign
@pytest.mark.parametrize("gain", [1e7, 1e8, 1e9, 1e10, 1e11, 1e12])
def test_without_klu_it_is_within_what_cancellation_loses(ngspice, tmp_path, monkeypatch, gain):
    """The other solver, of an ngspice that has both."""
    options = spice.format_options
    monkeypatch.setattr(
        spice,
        "format_options",
        lambda *given, **more: [x for x in options(*given, **more) if "klu" not in x],
    )
    monkeypatch.setattr(verdict, "TOLERANCE", 1.0)
    hardware = Hardware(opamp_gain=gain)
    for seed in range(5):
        for squash, norm in (("none", "none"), ("clamp", "layer")):
            spec = random_spec(seed, (20, 12, 5), squash=squash, norm=norm)
            build = write_build(spec, hardware, tmp_path / f"{seed}{squash}")
            found = simulate(build, random_images(2, 20, 20), run=tmp_path / f"{seed}{squash}.run")
            share = found.summary["judge"]["share_of_full_scale"]
            assert share < max(1e-6, verdict.LOST * gain)
