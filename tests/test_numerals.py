"""Numbers as people type them: exact, or refused with what to write."""

from __future__ import annotations

import re

import pytest

from analogkan.compiler.hardware import Hardware, load_hardware
from analogkan.errors import SettingsError
from analogkan.imperfections import Conditions, load_settings
from analogkan.numerals import read_number, why_not
from analogkan.studies.points import parse_temps


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("25u", 25e-6), ("25U", 25e-6), ("25µ", 25e-6), ("0.25u", 0.25e-6), ("10meg", 10e6),
        ("10MEG", 10e6), ("10Meg", 10e6), ("1k", 1e3), ("1K", 1e3), ("5m", 5e-3), ("3n", 3e-9),
        ("7p", 7e-12), ("9f", 9e-15), ("1T", 1e12), ("2g", 2e9), ("-40m", -40e-3), ("+.5k", 500.0),
        ("2.5e1u", 25e-6), ("1e-3k", 1.0), ("1.", 1.0), (" 25u ", 25e-6), ("33.3n", 33.3e-9),
        ("25e-6", 25e-6),
    ],
)  # fmt: skip
def test_a_number_with_a_suffix_is_exact(text, number):
    assert read_number(text) == number


@pytest.mark.parametrize("thousandths", range(1, 1000, 7))
def test_no_digit_is_lost_to_a_product(thousandths):
    text = f"{thousandths / 1000:.3f}"
    for suffix, power in {"t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "f": -15}.items():
        assert read_number(text + suffix) == float(f"{text}e{power}")
    assert read_number(f"{text}%", share=True) == float(f"{text}e-2")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10M", ": M is milli in SPICE and mega elsewhere: write 10m or 10meg"),
        ("1e3M", ": M is milli in SPICE and mega elsewhere: write 1e3m or 1e3meg"),
        ("10MHz", ": M is milli in SPICE and mega elsewhere: write 10m or 10meg, without a unit"),
        ("1F", ": F is femto in SPICE and farad elsewhere: write 1f or 1"),
        ("5%", ": per cent are of shares of 1 alone"),
        ("25uS", ": leave its unit out, 25u"),
        ("10megHz", ": leave its unit out, 10meg"),
        ("50 ohm", ": leave its unit out, 50"),
        ("10pF", ": leave its unit out, 10p"),
        ("0,05", ": decimals have a point, 0.05"),
        ("2,5u", ": decimals have a point, 2.5u"),
        ("1u,2u", ": one value is wanted; `analogkan sweep` takes several"),
        ("5mil", ""), ("25micro", ""), ("k", ""), ("u25", ""), ("1kk", ""), ("", ""), ("1e", ""),
    ],
)  # fmt: skip
def test_what_is_no_number_or_not_sure_is_refused(text, hint):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        read_number(text)
    assert why_not(text) == hint


def test_settings_take_them_from_the_command_line_and_from_a_preset(tmp_path):
    found = load_hardware("nominal", ["g_max=50u", "gbw=1meg", "headroom=75%", "r_wire=1k"])
    assert found == Hardware(g_max=50e-6, gbw=1e6, headroom=0.75, r_wire=1e3)
    path = tmp_path / "own.toml"
    path.write_text('[hardware]\ng_max = "50u"\n[variation]\nsigma_g = "5%"\n')
    hardware, variation, _ = load_settings(str(path), ["offset_sigma=1m"])
    assert (hardware.g_max, variation.sigma_g, variation.offset_sigma) == (50e-6, 0.05, 1e-3)
    with pytest.raises(SettingsError, match=r"levels = '1k' is not a whole number or a word$"):
        load_hardware("nominal", ["levels=1k"])
    with pytest.raises(SettingsError, match=r"temp_c = '5%' is not a number: per cent are of shar"):
        load_settings(None, ["temp_c=5%"])
    assert load_settings(None, ["age_s=1meg"])[2] == Conditions(age_s=1e6)


def test_temperatures_take_them_too():
    assert parse_temps("0:1k:500") == [0.0, 500.0, 1000.0]


def test_shares_of_a_length_may_be_in_per_cent_too():
    found = load_settings(None, ["cell_slope=2%", "diode_pelgrom_current=1%", "diode_area=4"])[1]
    assert (found.cell_slope, found.diode_pelgrom_current) == (0.02, 0.01)
    with pytest.raises(SettingsError, match=r"diode_slope_shift = '2%' is not a number: per cent"):
        load_settings(None, ["diode_slope_shift=2%"])
