"""What people type by mistake: each slip with the whole sentence it ends in, and its exit code."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from analogkan.cli import main

from .networks import random_checkpoint, random_npz

DEVICE = 'name = "mine"\nv = [0, 1]\ni = [0, 1e-6]\n'
PRESET = "[hardware]\nlevels = 8\n"
RECIPE = 'devices = ["A21"]\nhidden = [4]\nepochs = 1\nlearning_rate = 0.01\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """One of everything: a model, its BUILD, a RUN, data, a device, presets, a recipe."""
    folder = tmp_path_factory.mktemp("slips")
    random_checkpoint(folder / "model.pt")
    random_npz(folder / "data.npz")
    for name, text in {"mine": DEVICE, "own": PRESET, "my own": PRESET, "train": RECIPE}.items():
        (folder / f"{name}.toml").write_text(text)
    (folder / "d.csv").write_text("V,I\n0,0\n")
    (folder / "sim.run").mkdir()
    (folder / "old").mkdir()
    (folder / "sim.run" / "result.json").write_text(json.dumps({"build": "model.build"}))
    words = ["compile", str(folder / "model.pt"), "-o", str(folder / "model.build")]
    assert CliRunner().invoke(main, words).exit_code == 0
    return folder


IS_MODEL = "is a model (.pt), and a BUILD is wanted: `analogkan compile model.pt` makes its BUILD"
PRESETS = (
    "Known: ai301a, as-made, board, cmo-hfox, hermes, ideal, nominal, pcm, rram, rram-absolute, "
    "rram-milo, rram-wan, sonos, or the path of a .toml file"
)
DATA = "Known: mnist, fashion-mnist, cifar10, functions such as thermistor, or the path of an .npz "
DATA += "or .csv file"
DEVICES = "Known: A21, AI301A, E2N7002, RTD, Z15, Z21, ZAZ21, or the path of a .toml file"
SHOWN = "`analogkan devices show mine.toml` shows it, and it goes behind --devices"
TEMPS = (
    "are neither LO:HI:STEP with LO <= HI and STEP above 0, such as -40:125:15, nor a list such "
    "as -40,26.85,125"
)
MUST = "what has blanks in it needs quotes, and an option its name before it"
SLIPS = {
    # ---- another thing than is wanted
    "simulate model.pt": (2, f"Invalid value for 'BUILD': model.pt {IS_MODEL}"),
    "montecarlo model.pt": (2, f"Invalid value for 'BUILD': model.pt {IS_MODEL}"),
    "simulate mnist-d2": (
        1,
        "mnist-d2 is a shipped model, and a BUILD is wanted: `analogkan compile mnist-d2` makes "
        "its BUILD, mnist-d2.build",
    ),
    "compile model.build": (
        2,
        "Invalid value for 'MODEL': model.build is a BUILD, and a model (.pt) is wanted: it is "
        "compiled already, and `analogkan simulate model.build` runs it; to train it on give the "
        "model that it was compiled from, or what ak.save(ak.load_build('model.build').spec, "
        "'mine.pt') writes",
    ),
    "compile sim.run": (
        2,
        "Invalid value for 'MODEL': sim.run is a RUN, and a model (.pt) is wanted: `analogkan "
        "report sim.run` shows it",
    ),
    "simulate sim.run": (
        1,
        "sim.run is a RUN, and a BUILD is wanted: it is of the BUILD model.build",
    ),
    "report model.build": (
        1,
        "model.build is a BUILD, and a RUN is wanted: `analogkan simulate model.build` makes one, "
        "and says where",
    ),
    "report model.pt": (
        1,
        "model.pt is a model (.pt), and a RUN is wanted: `analogkan compile model.pt` makes its "
        "BUILD",
    ),
    "simulate model.build/network.cir": (
        2,
        "Invalid value for 'BUILD': model.build/network.cir is a deck, and a BUILD is wanted: it "
        "is of the BUILD model.build, which is given as a whole",
    ),
    "compile model.build/network.cir": (
        1,
        "model.build/network.cir is a deck, and a model (.pt) is wanted: it is of the BUILD "
        "model.build, which is given as a whole",
    ),
    "compile model.pt --preset mine.toml": (
        2,
        f"mine.toml is a device file, and a preset is wanted: {SHOWN}",
    ),
    "compile model.pt --preset train.toml": (
        2,
        "train.toml is a recipe, and a preset is wanted: it goes behind --recipe",
    ),
    "train --dataset data.npz --recipe mine.toml --out x.pt": (
        2,
        f"mine.toml is a device file, and a recipe is wanted: {SHOWN}",
    ),
    "devices show own.toml": (
        1,
        "own.toml is a preset, and a device file is wanted: it goes behind --preset, in `analogkan "
        "train` behind --variation",
    ),
    "devices import mine.toml -o new.toml": (
        1,
        f"mine.toml is a device file, and a CSV file is wanted: {SHOWN}",
    ),
    "simulate model.build --dataset model.pt": (
        2,
        "model.pt is a model (.pt), and a data set is wanted: `analogkan compile model.pt` makes "
        "its BUILD",
    ),
    "compile data.npz": (
        1,
        "data.npz is an npz file, and a model (.pt) is wanted: it goes behind --dataset",
    ),
    "compile old": (2, "Invalid value for 'MODEL': old is a folder, and a model (.pt) is wanted"),
    "compile model.pt -o model.pt": (
        2,
        "Invalid value for '-o' / '--out': model.pt is a file, and a folder is wanted",
    ),
    # ---- misspelt
    "simlate model.build": (2, "No such command 'simlate', did you mean simulate?"),
    "COMPILE model.pt": (2, "No such command 'COMPILE', did you mean compile?"),
    "device list": (2, "No such command 'device', did you mean devices?"),
    "devices A21": (
        2,
        "No such command 'A21'. Known: characterise, fit, import, list, plot, show, tabulate",
    ),
    "help compile": (
        2,
        "No such command 'help': `analogkan --help`, and `analogkan COMMAND --help`",
    ),
    "compile modl.pt": (1, "modl.pt does not exist, did you mean model.pt?"),
    "compile mnist_d2": (1, "mnist_d2 does not exist, did you mean mnist-d2?"),
    "compile 'model.pt '": (1, "model.pt  does not exist, did you mean model.pt?"),
    "compile nowhere/model.pt": (
        1,
        "nowhere/model.pt does not exist, as there is no folder nowhere",
    ),
    "compile '~/model.pt'": (
        1,
        "~/model.pt does not exist: a shell expands ~ only where it is not quoted",
    ),
    "compile C:\\models\\model.pt": (
        1,
        "C:modelsmodel.pt does not exist: a path with backslashes needs quotes",
    ),
    "simulate model.biuld": (1, "model.biuld does not exist, did you mean model.build?"),
    "report sim.rnu": (
        1,
        "sim.rnu holds no result.json: there is no such folder; did you mean sim.run?",
    ),
    "compile model.pt --preset Nominal": (
        2,
        f"unknown preset 'Nominal', did you mean nominal? {PRESETS}",
    ),
    "compile model.pt --preset own": (2, f"unknown preset 'own', did you mean own.toml? {PRESETS}"),
    "simulate model.build --dataset MNIST": (
        2,
        f"unknown data set 'MNIST', did you mean mnist? {DATA}",
    ),
    "simulate model.build --dataset data": (
        2,
        f"unknown data set 'data', did you mean data.npz? {DATA}",
    ),
    "simulate model.build --dataset dat.npz": (
        1,
        "dat.npz is not a readable npz file: No such file or directory, did you mean data.npz?",
    ),
    "devices show A12": (1, f"unknown device 'A12', did you mean A21? {DEVICES}"),
    "train --dataset data.npz --recipe plain-d2 --devices 'A21;Z21' --out x.pt": (
        1,
        "devices 'A21;Z21' need commas between them: A21,Z21",
    ),
    "simulate model.build --engine ngspise": (
        2,
        "Invalid value for '--engine': 'ngspise' is not one of 'ngspice', 'vacask', 'neospice', "
        "'software', did you mean ngspice?",
    ),
    # ---- numbers
    "compile model.pt --set g_max=25uS": (
        2,
        "preset nominal with --set: g_max = '25uS' is not a number: leave its unit out, 25u",
    ),
    "compile model.pt --set gbw=10M": (
        2,
        "preset nominal with --set: gbw = '10M' is not a number: M is milli in SPICE and mega "
        "elsewhere: write 10m or 10meg",
    ),
    "compile model.pt --set gbw=5%": (
        2,
        "preset nominal with --set: gbw = '5%' is not a number: per cent are of shares of 1 alone",
    ),
    "montecarlo model.build --set sigma_g=0,05 --dataset data.npz": (
        2,
        "preset rram with --set: sigma_g = '0,05' is not a number: decimals have a point, 0.05",
    ),
    "sweep model.build --set sigma_g=0,05 --dataset data.npz": (
        2,
        "--set 'sigma_g=0,05' has the values 0 and 05: decimals have a point, sigma_g=0.05",
    ),
    "compile model.pt --set g_max=25u,50u": (
        2,
        "preset nominal with --set: g_max = '25u,50u' is not a number: one value is wanted; "
        "`analogkan sweep` takes several",
    ),
    "montecarlo model.build --samples 1e3": (
        2,
        "Invalid value for '--samples': '1e3' is not a whole number, such as 1000",
    ),
    "montecarlo model.build --yield-at 97": (
        2,
        "Invalid value for '--yield-at': 97.0 is not in the range 0<=x<=1: give 97% or 0.97",
    ),
    "montecarlo model.build --temp 25C": (
        2,
        "Invalid value for '--temp': '25C' is not a number: leave its unit out, 25",
    ),
    "thermal model.build --temps -40..125": (2, f"temperatures '-40..125' {TEMPS}"),
    "thermal model.build --temps 25C": (
        2,
        f"temperatures '25C' {TEMPS}: leave its unit out, 25",
    ),
    "simulate model.build --jobs 0": (
        2,
        "Invalid value for '--jobs': 0 is not in the range 1<=x<=256.",
    ),
    "simulate model.build --dataset data.npz --subset 0": (
        1,
        "a subset of 0 images is not possible: there are 40",
    ),
    "simulate model.build --dataset data.npz --subset 10:5": (
        1,
        "subset 10:5 is empty or leaves the data set: it has 40 images",
    ),
    "simulate model.build --dataset data.npz --trace 50": (
        1,
        "image 50 is none of data.npz test, all 40: there are 0, 1, 2, 3, 4 and 35 more, to 39",
    ),
    # ---- words too many, in the wrong place or in none
    "compile model.pt --preset rram --preset ideal": (2, "--preset is given twice: leave one out"),
    "compile model.pt --preset my own.toml": (
        2,
        "Got unexpected extra argument (own.toml): give it as --preset own.toml",
    ),
    "simulate model.build --out my run": (2, f"Got unexpected extra argument (run): {MUST}"),
    "montecarlo model.build --set sigma_g 0.05": (
        2,
        "Got unexpected extra argument (0.05): a setting is one word, --set sigma_g=0.05",
    ),
    "compile model.pt --set g_max=25u levels=8": (
        2,
        "Got unexpected extra argument (levels=8): each setting has a --set before it, --set "
        "levels=8",
    ),
    "compile model.pt --set 'g_max=25u;levels=8'": (
        2,
        "preset nominal with --set: g_max = '25u;levels=8' is not a number: each setting has a "
        "--set of its own",
    ),
    "simulate model.build data.npz": (
        2,
        "Got unexpected extra argument (data.npz): give it as --dataset data.npz",
    ),
    "compile model.pt model.build": (
        2,
        "Got unexpected extra argument (model.build): give it as --out model.build",
    ),
    "compile model.pt --set sigma_g=0.05": (
        2,
        "--set sigma_g is of chips, not of their design: give it to `analogkan montecarlo`, "
        "thermal or sweep",
    ),
    "compile model.pt --set G_MAX=25u": (2, "--set: unknown setting 'G_MAX', did you mean g_max?"),
    "compile ''": (2, "Invalid value for 'MODEL': it is empty"),
    "compile model.pt --preset ''": (2, f"unknown preset ''. {PRESETS}"),
    "compile model.pt --set wires=explict": (
        2,
        "wires = 'explict' is out of range: reduced or explicit, did you mean explicit?",
    ),
    "simulate model.build --dataset mnist --data data.npz": (
        1,
        "--data data.npz is a file, and the folder of the data sets is wanted: data of your own go "
        "behind --dataset",
    ),
    "models convert model.pt --devices A21 --basis-fit pwl --squash sigmiod --out x.pt": (
        2,
        "squash 'sigmiod' is unknown, did you mean sigmoid? One of none, clamp:LO:HI, "
        "sigmoid[:LO:HI[:SLOPE]], tanh[:LO:HI[:SLOPE]]",
    ),
    "simulate --dataset data.npz": (2, "Missing argument 'BUILD'."),
    "train --dataset data.npz --recipe plain-d2": (2, "Missing option '--out'."),
    "train --recipe plain-d2 --out x.pt": (2, "Missing option '--dataset'."),
}


@pytest.mark.parametrize("typed", SLIPS)
def test_a_slip_ends_in_its_sentence(home, monkeypatch, typed):
    monkeypatch.chdir(home)
    code, sentence = SLIPS[typed]
    before = sorted(home.rglob("*"))
    words = shlex.split(typed)
    plain = CliRunner().invoke(main, words, catch_exceptions=False)
    assert plain.exit_code == code
    assert plain.stderr.splitlines()[-1].partition("rror: ")[2] == sentence
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize("typed", ["simulate model.pt", "simlate model.build", "compile modl.pt"])
def test_a_slip_is_json_where_that_is_asked_for(home, monkeypatch, typed):
    monkeypatch.chdir(home)
    code, sentence = SLIPS[typed]
    told = CliRunner().invoke(main, [*shlex.split(typed), "--json"], catch_exceptions=False)
    assert (told.exit_code, json.loads(told.stdout)["error"]["message"]) == (code, sentence)


def test_a_shipped_model_is_known_by_its_name_and_a_file_of_that_name_wins(
    home, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ["compile", "mnist-d2", "--no-verify", "--json"]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert json.loads(done.stdout)["sizes"] == [196, 64, 10]
    assert Path("mnist-d2.build").is_dir()
    Path("mnist-d2").write_bytes((home / "model.pt").read_bytes())
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert json.loads(done.stdout)["sizes"] == [5, 4, 3]
    words = ["train", "--dataset", str(home / "data.npz"), "--from", "mnist-d3", "--out", "x.pt"]
    refused = CliRunner().invoke(main, words, catch_exceptions=False)
    assert "data.npz has no train images" in refused.stderr


@pytest.mark.parametrize("value", ["97.5%", "0.975", "975m"])
def test_shares_are_also_taken_in_per_cent(home, tmp_path, value):
    args = [
        "simulate",
        home / "model.build",
        "--dataset",
        home / "data.npz",
        "--engine",
        "software",
    ]
    result = CliRunner().invoke(main, [*map(str, args), "--fail-under", value])
    assert result.exit_code == 3
    assert result.stderr.endswith("is below --fail-under 0.975\n")
