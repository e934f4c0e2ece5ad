"""``devices import`` and ``devices fit``: what they write and print, and what they refuse."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analogkan.devices import get
from analogkan.devices.library import save
from analogkan.network.spec import load_spec

from .networks import random_npz
from .test_cli import cli, done
from .test_cli_errors import refused, snapshot
from .test_spread import csvs

NAMES = "letters, digits and underscores, a letter first, at most 32"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder: d1.csv, d2.csv and d3.csv are sweeps of devices of one type."""
    monkeypatch.chdir(tmp_path)
    csvs(tmp_path)
    return tmp_path


# ---- import


def test_three_sweeps_become_a_device_and_its_spread(folder):
    text = done("devices", "import", "d1.csv", "d2.csv", "d3.csv", "-o", "mine.toml")
    curve = get("mine.toml")
    assert text.startswith(
        f"mine.toml: device mine, 17 points from 0 to 1.25 V, largest current {curve.i_peak:.4g} A "
        f"at {curve.v_peak:.3f} V\n  d1.csv: 251 points (up); voltage (V) and current (uA)\n"
    )
    assert "mine.variation.toml: spread of 3 devices\n" in text
    assert text.endswith("next: analogkan devices plot mine.toml\n")
    assert curve.source == "d1.csv, d2.csv, d3.csv"
    sigmas = tomllib.loads(Path("mine.variation.toml").read_text())["variation"]
    args = ("devices", "import", "d1.csv", "d2.csv", "d3.csv", "-o", "again.toml", "--json")
    facts = json.loads(done(*args, "--name", "Own", "--source", "bench 3"))
    assert facts["files"] == ["again.toml", "again.variation.toml"]
    assert {key: facts["spread"][key]["sigma"] for key in sigmas} == pytest.approx(sigmas, rel=5e-3)
    assert list(facts["spread"]["factors"]) == ["d1.csv", "d2.csv", "d3.csv"]
    assert [s["hysteresis"] for s in facts["sweeps"]] == [None] * 3
    again = get("again.toml")
    assert (again.name, again.source) == ("Own", "bench 3")
    np.testing.assert_array_equal(again.i, curve.i)


def test_one_sweep_becomes_a_device_alone(folder):
    facts = json.loads(done("devices", "import", "d1.csv", "-o", "new/one.toml", "--json"))
    assert (facts["spread"], facts["temps_c"], facts["name"]) == (None, [], "one")
    assert [p.name for p in (folder / "new").iterdir()] == ["one.toml"]


def test_options_say_what_the_file_does_not(folder):
    Path("odd.txt").write_text("1;0;0\n2;3,5;100\n3;2,5;200\n4;2;150\n5;0,5;100\n6;0,25;0\n")
    args = ("devices", "import", "odd.txt", "-o", "odd.toml", "--v-col", "3", "--i-col", "2")
    done(*args, "--v-unit", "mV", "--i-unit", "µA", "--sweep", "up")
    curve = get("odd.toml")
    np.testing.assert_allclose(curve.v, [0.0, 0.1, 0.2])
    np.testing.assert_allclose(curve.i, [0.0, 3.5e-6, 2.5e-6])


def test_sweeps_at_other_temperatures_are_kept_and_shown(folder):
    args = ("devices", "import", "d1.csv", "--at", "85", "d2.csv", "--at", "-40", "d3.csv")
    facts = json.loads(done(*args, "-o", "warm.toml", "--json"))
    assert facts["temps_c"] == [-40.0, 26.85, 85.0]
    curve = get("warm.toml")
    np.testing.assert_array_equal(curve.i, curve.i_at[1])
    header = next(x for x in done("devices", "show", "warm.toml").splitlines() if "volts" in x)
    assert " ".join(header.split()[2:]) == "at -40 degC at 26.85 degC at 85 degC"
    shown = json.loads(done("devices", "show", "warm.toml", "--json"))
    assert (shown["temps_c"], shown["i_at"]) == (facts["temps_c"], curve.i_at.tolist())
    assert not Path("warm.variation.toml").exists()


def test_what_a_user_should_know_is_said(folder):
    done("devices", "import", "d1.csv", "d2.csv", "-o", "mine.toml")
    rough = np.random.default_rng(0).normal(1e-6, 3e-7, 51)
    Path("rough.csv").write_text(sweep_text(np.linspace(0, 1, 51), rough))
    text = done("devices", "import", "rough.csv", "-o", "mine.toml", "--force")
    assert "of the peak (rms) off the points: noise, spread, or a curve that a smaller" in text
    assert (
        "note: mine.variation.toml is of an earlier import and does not describe this device\n"
        in text
    )
    Path("low.csv").write_text("V_V,I_uA\n0,-0.1\n0.5,1\n1,0.5\n")
    assert "note: the table goes negative, to -10.00 % of the peak: noise or offset; kept\n" in (
        done("devices", "import", "low.csv", "-o", "low.toml")
    )


def sweep_text(v, i) -> str:
    """A sweep in volts and amperes."""
    points = "".join(f"{a:.4f},{b:.6e}\n" for a, b in zip(v, i, strict=True))
    return "V (V),I (A)\n" + points


def test_a_flat_top_is_taken_for_a_compliance_limit_and_said(folder):
    v = np.linspace(0, 1, 51)
    Path("flat.csv").write_text(sweep_text(v, np.minimum(4e-6 * np.sin(3 * v), 2e-6)))
    text = done("devices", "import", "flat.csv", "-o", "flat.toml")
    assert (
        "note: flat.csv: 35 points at one largest current, 2e-06 A, from 0.18 to 0.86 V: a "
        "compliance limit? Then cut them off, or measure with a higher one\n" in text
    )
    assert "compliance" not in done("devices", "import", "d1.csv", "-o", "d1.toml")


def test_a_point_far_from_the_table_is_said_with_its_place(folder):
    v = np.linspace(0, 1, 51)
    i = 1e-6 * np.sin(3 * v)
    i[30] *= 0.7
    Path("stray.csv").write_text(sweep_text(v, i))
    args = ("devices", "import", "stray.csv", "-o", "stray.toml", "--step", "0.05")
    facts = json.loads(done(*args, "--json"))
    assert facts["fits"][0]["v_worst"] == 0.6
    assert facts["notes"][1].endswith(
        "of the peak off a point, at 0.600 V: a jump, a stray reading, or devices that differ there"
    )


@pytest.mark.parametrize(
    ("scale", "note"),
    [
        (
            3.1e6,
            "largest current 3.1 A, above what diodes carry (1e-12 to 0.3 A): is the column in mA "
            "or uA? Give --i-unit, or correct the header if it says otherwise",
        ),
        (
            1e-7,
            "largest current 1e-13 A, below what diodes carry (1e-12 to 0.3 A): is the column in "
            "a larger unit? Give --i-unit, or correct the header if it says otherwise",
        ),
    ],
)
def test_a_current_in_an_odd_unit_is_doubted(folder, scale, note):
    v = np.linspace(0, 1, 5)
    Path("odd.csv").write_text(sweep_text(v, scale * 1e-6 * np.array([0, 0.5, 1, 0.5, 0.7])))
    assert json.loads(done("devices", "import", "odd.csv", "-o", "o.toml", "--json"))["notes"] == [
        note
    ]


def test_volts_in_an_odd_unit_are_doubted(folder):
    Path("odd.csv").write_text("V (V),I (uA)\n0,0\n350,1\n700,0.5\n")
    note = (
        "note: largest voltage 700 V: is the column in mV? Give --v-unit, or correct the header if "
        "it says otherwise\n"
    )
    assert note in done("devices", "import", "odd.csv", "-o", "odd.toml")


def test_a_sweep_of_both_signs_negative_says_so_and_can_be_turned(folder):
    v = np.linspace(-1, 0, 51)
    Path("back.csv").write_text(sweep_text(v, 1e-6 * np.sin(3 * v)))
    args = ("devices", "import", "back.csv", "-o", "back.toml")
    assert refused(*args) == (
        "DeviceError",
        "back.csv: its voltages and its currents are all negative: it was measured the other way "
        "round; --negate turns both signs",
    )
    assert "back.csv: 51 points (down); V (V) and I (A); both signs turned\n" in (
        done(*args, "--negate")
    )
    assert get("back.toml").v_peak == pytest.approx(0.52, abs=0.04)


def test_what_was_found_in_a_file_is_said(folder):
    v = np.linspace(0, 1, 51)
    text = "Model;SMU\n\nBias;Meas\nmV;nA\n" + "".join(
        f"{1e3 * a:.1f};{1e3 * np.sin(3 * a):.4f}\n".replace(".", ",") for a in v
    )
    Path("found.csv").write_bytes(text.encode("utf-16-le"))
    args = ("devices", "import", "found.csv", "--force", "-o", "found.toml")
    found = (
        "UTF-16 without a mark, low bytes first",
        "semicolons",
        "line(s) 1 skipped, being above the table",
        "units from line 4",
        "decimal commas",
    )
    assert f"Bias (mV) and Meas (nA); {', '.join(found)}\n" in done(*args)
    (facts,) = json.loads(done(*args, "--json"))["sweeps"]
    assert facts["found"] == list(found)
    (plain,) = json.loads(done("devices", "import", "d1.csv", "-o", "p.toml", "--json"))["sweeps"]
    assert plain["found"] == ["UTF-8", "commas"]


def test_names_with_brackets_are_printed_as_they_are(folder):
    for k in (1, 2):
        Path(f"d{k}.csv").rename(f"[red]d{k}.csv")
    args = ("[red]d1.csv", "[red]d2.csv", "-o", "[bold]m.toml", "--name", "m")
    text = done("devices", "import", *args)
    assert "[bold]m.variation.toml: spread of 2 devices\n" in text
    assert "  [red]d1.csv: 251 points (up)" in text
    assert "Source: [red]d1.csv, [red]d2.csv\n" in done("devices", "show", "[bold]m.toml")
    assert done("devices", "plot", "[bold]m.toml", "--out", "[i].png") == "[i].png\n"
    assert refused("devices", "show", "[/x].toml") == (
        "DeviceError",
        "cannot read device file [/x].toml: No such file or directory, as there is no folder [",
    )


def test_a_plot_and_where_shipped_curves_come_from_as_json(folder):
    facts = json.loads(done("devices", "plot", "A21", "RTD", "--out", "two.svg", "--json"))
    assert (facts["file"], [d["name"] for d in facts["devices"]]) == ("two.svg", ["A21", "RTD"])
    assert Path("two.svg").is_file()
    origins = {d["name"]: d["origin"] for d in json.loads(done("devices", "list", "--json"))}
    assert origins == dict.fromkeys(("A21", "Z15", "Z21", "ZAZ21"), "computed") | dict.fromkeys(
        ("E2N7002", "RTD"), "formula"
    ) | {"AI301A": "measured"}
    assert "computed: DFT-NEGF. measured in part: devices show says what is reconstructed" in done(
        "devices", "list"
    )
    assert "Origin: computed, not measured\n" in done("devices", "show", "A21")
    done("devices", "import", "d1.csv", "-o", "own.toml")
    assert "Origin" not in done("devices", "show", "own.toml")


BAD = {
    "text": (
        "V_V,I_uA\n0,0\n0.1,high\n",
        "bad.csv, line 3: 'high' in column 2 is not a number: remove the line, or start it with # "
        "to make it a comment",
    ),
    "one point": ("V_V,I_uA\n0.1,1\n", "bad.csv has 1 point(s): a sweep needs at least 2"),
    "repeated": (
        "V_V,I_uA\n0,0\n0.1,1\n0.1,1\n0.2,2\n",
        "bad.csv, line 4: 0.1 V again, as in line 3: average the repeated readings, or keep one",
    ),
    "decreasing": (
        "V_V,I_uA\n0,0\n0.2,1\n0.1,1\n0.3,2\n",
        "bad.csv, line 5: 0.3 V after 0.1 V turns the sweep a second time. It may go up, down, or "
        "there and back once: split the file, or use the set voltage in place of the measured one",
    ),
    "NaN": (
        "V_V,I_uA\n0,0\n0.1,nan\n",
        "bad.csv, line 3: 'nan' in column 2 is not finite: remove the point",
    ),
    "mixed units": (
        "voltage_nA,current_V\n0,0\n1,1\n",
        "bad.csv: column 'voltage_nA' is in nA, which is no unit of voltage: correct the header, "
        "or choose another column with --v-col",
    ),
    "hysteresis": (
        "V_V,I_uA\n0,0\n1,1\n2,2\n1,1.5\n0,0\n",
        "bad.csv has hysteresis: up and down differ by up to 25.0 % of the peak. Choose with "
        "--sweep up, --sweep down or --sweep mean",
    ),
    "no peak": (
        "V_V,I_uA\n0,0\n1,-1\n",
        "bad.csv has no positive current, so it has no peak: check its columns",
    ),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("others", [(), ("d1.csv", "d2.csv")], ids=["alone", "among others"])
def test_a_bad_sweep_is_refused_and_nothing_is_written(folder, case, others):
    content, sentence = BAD[case]
    Path("bad.csv").write_text(content)
    before = snapshot(folder)
    args = ("devices", "import", *others, "bad.csv", "-o", "mine.toml")
    assert refused(*args) == ("DeviceError", sentence)
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--name", "a\nb"), f"device name 'a\\nb' is not usable in a netlist: {NAMES}"),
        (("--name", "x .control"), f"device name 'x .control' is not usable in a netlist: {NAMES}"),
        (("--name", ".control"), f"device name '.control' is not usable in a netlist: {NAMES}"),
        (("--name", ""), f"device name '' is not usable in a netlist: {NAMES}"),
        (("--i-unit", "nA"), "d1.csv: column 'current_uA' is in uA, --i-unit says nA: leave the "
         "option out, or correct the header"),
        (("--step", "0"), "a step of 0 V is out of range: 1e-6 to 10 V"),
        (("--at", "-300", "d2.csv"), "device mine at -300 degC: temperatures lie above -273.15 "
         "degC"),
        (("d1.csv",), "d1.csv is named twice: each file is the sweep of one device"),
        (("--at", "2000", "d2.csv"), "device mine: a temperature of 2000 degC cannot be; possible "
         "are -273.15 to 1000 degC (from absolute zero to where diodes melt)"),
        (("none.csv",), "cannot read sweep none.csv: No such file or directory"),
        (("-o", "mine"), "mine does not end in .toml: that ending tells a device file from a "
         "device's name"),
    ],
)  # fmt: skip
def test_bad_options_are_refused_and_nothing_is_written(folder, args, sentence):
    before = snapshot(folder)
    out = () if "-o" in args else ("-o", "mine.toml")
    command = ("devices", "import", "d1.csv", *out, *args)
    kind = "SettingsError" if sentence.startswith("a step") else "DeviceError"
    assert refused(*command) == (kind, sentence)
    assert snapshot(folder) == before


def test_no_file_is_refused(folder):
    sentence = "no sweep given: name at least one CSV file"
    assert refused("devices", "import", "-o", "mine.toml") == ("SettingsError", sentence)


@pytest.mark.parametrize("args", [("--v-unit", "kV"), ("--sweep", "both"), ("--at", "hot", "a")])
def test_words_that_mean_nothing_are_usage_errors(folder, args):
    assert cli("devices", "import", "d1.csv", "-o", "mine.toml", *args).exit_code == 2


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_what_is_no_device_file_is_never_replaced(folder, force):
    Path("mine.toml").write_text('title = "years of work"')
    Path("d.toml").mkdir()
    Path("other.variation.toml").write_text("[hardware]\n")
    before = snapshot(folder)
    three = ("devices", "import", "d1.csv", "d2.csv", "d3.csv", *force)
    for out, sentence in (
        ("mine.toml", "mine.toml exists and is no device file, so it is not replaced: give "
         "another -o, or remove it"),
        ("d.toml", "d.toml is a folder: give the name of a file with -o"),
        ("other.toml", "other.variation.toml exists and is no variation file, so it is not "
         "replaced: give another -o, or remove it"),
    ):  # fmt: skip
        assert refused(*three, "-o", out) == ("DeviceError", sentence)
    assert refused("devices", "fit", "A21", "--method", "pchip", "-o", "mine.toml", *force) == (
        "DeviceError",
        "mine.toml exists and is no device file, so it is not replaced: give another -o, or "
        "remove it",
    )
    assert snapshot(folder) == before


def test_a_device_file_is_replaced_only_with_force(folder):
    three = ("devices", "import", "d1.csv", "d2.csv", "d3.csv", "-o", "mine.toml")
    done(*three)
    before = snapshot(folder)
    sentence = "mine.toml is there already: --force replaces it"
    assert refused(*three) == ("DeviceError", sentence)
    Path("mine.toml").unlink()
    sentence = "mine.variation.toml is there already: --force replaces it"
    assert refused(*three) == ("DeviceError", sentence)
    done(*three, "--force")
    assert snapshot(folder) == before


def test_a_full_disk_leaves_neither_file(folder, monkeypatch):
    def no_space(self: Path, path: Path) -> Path:
        raise OSError(28, "No space left on device", str(path))

    before = snapshot(folder)
    monkeypatch.setattr(Path, "replace", no_space)
    kind, sentence = refused("devices", "import", "d1.csv", "d2.csv", "-o", "mine.toml")
    assert kind == "AnalogKanError"
    assert sentence.endswith(": No space left on device")
    assert snapshot(folder) == before


# ---- fit


def test_a_fit_is_printed_written_and_drawn(folder):
    args = ("devices", "fit", "A21", "--method", "poly", "--order", "9")
    text = done(*args, "-o", "p.toml", "--plot", "p.png")
    curve = get("p.toml")
    assert text.startswith(f"A21_poly9: {curve.v.size} table points; residual at the 27 points of ")
    assert "rms 1.422 %, max 2.776 % of the peak; table within 0.098 % of the function's" in text
    assert (
        "note: the fit goes negative above 0 V: -0.79 % of the peak at 1.056 V, where A21" in text
    )
    assert text.endswith("\np.toml\np.png\n")
    with Image.open("p.png") as image:
        assert np.unique(np.asarray(image.convert("L"))).size > 50
    facts = json.loads(done(*args, "--json"))
    assert (facts["method"], facts["order"], facts["points"]) == ("poly", 9, curve.v.size)
    assert facts["rms_residual"] == pytest.approx(0.01422, rel=1e-3)
    assert facts["lowest"] < 0
    assert len(facts["notes"]) == 1


def test_a_users_device_is_fitted_at_one_temperature_and_that_is_said(folder):
    done("devices", "import", "d1.csv", "--at", "85", "d2.csv", "-o", "mine.toml")
    text = done("devices", "fit", "./mine.toml", "--method", "pwl", "--order", "8", "-o", "m8.toml")
    assert text.startswith("mine_pwl8: 9 table points; ")
    assert (
        "note: only the table nearest to 26.85 degC is fitted; mine has others at other "
        "temperatures\n" in text
    )
    assert get("m8.toml").temperatures == ()


def test_a_fit_that_cannot_be_leaves_nothing(folder):
    before = snapshot(folder)
    args = ("devices", "fit", "A21", "--method", "poly", "-o", "p.toml", "--plot", "p.png")
    sentence = "poly needs --order, its degree: 1 to 26 for A21"
    assert refused(*args) == ("SettingsError", sentence)
    sentence = "cannot plot into p.foo: its name must end in .png, .svg or .pdf"
    args = ("devices", "fit", "A21", "--method", "pchip", "-o", "p.toml", "--plot", "p.foo")
    assert refused(*args) == ("AnalogKanError", sentence)
    assert snapshot(folder) == before


# ---- train


def test_a_netlist_holds_a_users_device_whatever_its_source_says(folder):
    random_npz(folder / "data.npz")
    Path("r.toml").write_text('devices = ["A21"]\nhidden = [4]\nepochs = 1\nlearning_rate = 0.01\n')
    with np.load("data.npz") as stored:
        np.savez("own.npz", x=stored["x"], y=stored["y"])
    args = ("--at", "85", "d2.csv", "-o", "mine.toml", "--source", "x\n.control\nquit\n.endc")
    done("devices", "import", "d1.csv", *args)
    args = ("--dataset", "own.npz", "--recipe", "r.toml", "--out", "net.pt")
    done("train", *args, "--devices", "./mine.toml,Z21")
    assert "verified: the netlist is the network (" in done("compile", "net.pt")
    cells = Path("net.build/cells.cir").read_text()
    assert ".subckt diode_mine a c\n" in cells
    kept = load_spec(Path("net.build/network.npz")).layers[0].curves[0]
    assert kept == get("mine.toml")
    assert kept.temps_c == (26.85, 85.0)
    assert not [line for line in cells.splitlines() if line.startswith((".control", "quit"))]


def test_an_unknown_device_of_a_training_is_refused(folder):
    random_npz(folder / "data.npz")
    save(get("A21"), folder / "a.toml")
    before = snapshot(folder)
    args = ("train", "--dataset", "data.npz", "--recipe", "plain-d2", "--out", "n.pt", "--devices")
    assert refused(*args, "mine.toml") == (
        "DeviceError",
        "cannot read device file mine.toml: No such file or directory",
    )
    assert refused(*args, "A21,a.toml") == (
        "DeviceError",
        "device 'a21' is named twice (names ignore case)",
    )
    assert snapshot(folder) == before
