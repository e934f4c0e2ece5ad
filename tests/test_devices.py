"""Devices: the shipped curves, the tables that are refused, device files."""

from __future__ import annotations

import os
from re import escape

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analogkan.devices import IVCurve, get, names, resolve
from analogkan.devices.library import load, save
from analogkan.errors import DeviceError

SHIPPED = ["A21", "AI301A", "E2N7002", "RTD", "Z15", "Z21", "ZAZ21"]
ZIGZAG = IVCurve("Z", np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 3e-6, 1e-6, 2e-6]))


def test_seven_devices_ship():
    assert names() == SHIPPED


@pytest.mark.parametrize(
    ("name", "v_peak", "i_ua"),
    [
        ("A21", 0.35, 2.79),
        ("Z21", 0.70, 1.00),
        ("Z15", 0.85, 2.53),
        ("Z15", 1.30, 3.07),
        ("ZAZ21", 1.00, 1.61),
    ],
)
def test_the_computed_devices_peak_where_the_paper_says(name, v_peak, i_ua):
    peaks = {v: round(1e6 * i, 2) for kind, v, i in get(name).extrema() if kind == "peak"}
    assert peaks[v_peak] == i_ua


def test_a21_has_its_valley_at_1_05_volts_and_its_largest_current_at_the_end():
    a21 = get("A21")
    assert [(kind, v) for kind, v, _ in a21.extrema()] == [("peak", 0.35), ("valley", 1.05)]
    assert (a21.v_peak, round(1e6 * a21.i_peak, 2)) == (1.30, 3.11)


@pytest.mark.parametrize(("name", "v"), [("Z21", 1.05), ("ZAZ21", 1.15)])
def test_a_resonance_is_followed_by_almost_nothing(name, v):
    curve = get(name)
    assert curve.i[curve.v >= v].max() < 0.003 * curve.i_peak


@pytest.mark.parametrize("name", SHIPPED)
def test_a_curve_is_flat_outside_its_table(name):
    curve = get(name)
    outside = np.array([curve.v[0] - 9.0, curve.v[-1] + 1e-9, curve.v[-1] + 9.0])
    assert curve.current(outside).tolist() == [curve.i[0], curve.i[-1], curve.i[-1]]


def test_between_two_points_a_curve_is_straight_and_phi_is_its_share_of_the_peak():
    v = np.array([[0.25], [3.0]])
    np.testing.assert_allclose(ZIGZAG.current(v), [[0.75e-6], [1.5e-6]], rtol=1e-15)
    np.testing.assert_allclose(ZIGZAG.phi(v), [[0.25], [0.5]], rtol=1e-15)


def test_falling_segments_and_inner_extrema_are_found():
    np.testing.assert_allclose(ZIGZAG.negative_slopes(), [-2e-6], rtol=1e-15)
    assert ZIGZAG.extrema() == [("peak", 1.0, 3e-6), ("valley", 2.0, 1e-6)]


@pytest.mark.parametrize(
    ("name", "v", "i", "sentence"),
    [
        (
            "2N",
            [0, 1],
            [0, 1],
            "device name '2N' is not usable in a netlist: "
            "letters, digits and underscores, a letter first, at most 32",
        ),
        ("A\nB", [0, 1], [0, 1], "device name 'A\\nB' is not usable in a netlist: "),
        ("x" * 33, [0, 1], [0, 1], "is not usable in a netlist"),
        ("A", [0], [1], "device A: v has shape (1,) and i (1,); both must be (N,) with N at least"),
        ("A", [0, 1, 2], [0, 1], "device A: v has shape (3,) and i (2,); both must be (N,)"),
        ("A", [[0, 1]], [[0, 1]], "device A: v has shape (1, 2) and i (1, 2); both must be (N,)"),
        ("A", [0, 1], [0, np.nan], "device A: its table holds NaN or infinity"),
        ("A", [0, np.inf], [0, 1], "device A: its table holds NaN or infinity"),
        (
            "A",
            [0, 0.5, 0.5],
            [0, 1, 2],
            "device A: voltages must increase, but point 2 (0.5 V) follows 0.5 V",
        ),
        ("A", [0, 1e-13], [0, 1], "device A: voltages must increase, but point 1 (1e-13 V) foll"),
        (
            "A",
            [0, 1],
            [0, 1e-16],
            "device A: a peak current of 1e-16 A cannot be; possible are 1e-15 to 1000 A "
            "(electrometers resolve about 1 fA)",
        ),
        (
            "A",
            [0, 1],
            [0, 0],
            "device A: no positive current, so it has no peak: check the signs",
        ),
    ],
)
def test_a_bad_table_is_refused_by_name(name, v, i, sentence):
    with pytest.raises(DeviceError, match=escape(sentence)):
        IVCurve(name, v, i)


def test_a_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        get("A21").i[0] = 1.0


def test_curves_are_equal_by_name_and_table_alone():
    same = IVCurve("Z", ZIGZAG.v, ZIGZAG.i, "elsewhere")
    assert same == ZIGZAG
    assert hash(same) == hash(ZIGZAG)
    assert IVCurve("Z", ZIGZAG.v, np.nextafter(ZIGZAG.i, 1)) != ZIGZAG


# ---- temperatures

HOT = np.array([0.0, 2e-6, 1.5e-6, 2.5e-6])
WARM = IVCurve("W", ZIGZAG.v, ZIGZAG.i, temperatures=((85.0, HOT), (25, ZIGZAG.i)))


def test_tables_at_other_temperatures_are_kept_in_order_and_not_read_by_the_curve():
    assert WARM.temps_c == (25.0, 85.0)
    np.testing.assert_array_equal(WARM.i_at, [ZIGZAG.i, HOT])
    v = np.linspace(-1, 5, 99)
    np.testing.assert_array_equal(WARM.current(v), ZIGZAG.current(v))
    assert (ZIGZAG.temps_c, ZIGZAG.i_at.shape) == ((), (0, 4))
    with pytest.raises(ValueError, match="read-only"):
        WARM.temperatures[1][1][0] = 1.0


def test_curves_with_other_temperatures_or_tables_there_differ():
    same = IVCurve("W", ZIGZAG.v, ZIGZAG.i, temperatures=((25.0, ZIGZAG.i), (85.0, HOT)))
    assert (same, hash(same)) == (WARM, hash(WARM))
    others = [
        (),
        ((25.0, ZIGZAG.i),),
        ((25.0, ZIGZAG.i), (86.0, HOT)),
        ((25.0, ZIGZAG.i), (85.0, np.nextafter(HOT, 1))),
    ]
    for temperatures in others:
        assert IVCurve("W", ZIGZAG.v, ZIGZAG.i, temperatures=temperatures) != WARM


@pytest.mark.parametrize(
    ("temperatures", "sentence"),
    [
        (((-300, HOT),), "device W at -300 degC: temperatures lie above -273.15 degC"),
        (((np.nan, HOT),), "device W at nan degC: temperatures lie above -273.15 degC"),
        (((85, HOT[1:]),), "device W at 85 degC: its currents have shape (3,); the voltages (4,)"),
        (((85, HOT * np.nan),), "device W at 85 degC: its table holds NaN or infinity"),
        (
            ((85, HOT * 0),),
            "device W at 85 degC: no positive current, so it has no peak: check the signs",
        ),
        (((85, HOT), (85.0, HOT)), "device W has two tables at 85 degC"),
        (
            ((-40, ZIGZAG.i), (85, HOT), (0, HOT)),
            "device W: i is not its table at 0 degC, the temperature measured that is nearest to "
            "26.85",
        ),
    ],
)
def test_tables_at_temperatures_that_do_not_fit_are_refused(temperatures, sentence):
    with pytest.raises(DeviceError, match=f"^{escape(sentence)}$"):
        IVCurve("W", ZIGZAG.v, ZIGZAG.i, temperatures=temperatures)


def test_a_device_file_keeps_temperatures_to_the_last_bit(tmp_path):
    v, i = np.array([0, 1 / 3]), np.array([0, 1e-6 / 3])
    odd = IVCurve("W", v, i, temperatures=((1 / 3, i),))
    for curve in (WARM, odd):
        save(curve, tmp_path / "w.toml")
        back = load(tmp_path / "w.toml")
        assert back == curve
        assert back.i_at.tobytes() == curve.i_at.tobytes()


def test_an_unknown_device_is_refused_with_the_nearest_name():
    sentence = f"unknown device 'A12', did you mean A21? Known: {', '.join(SHIPPED)}, "
    with pytest.raises(DeviceError, match=escape(sentence)):
        get("A12")
    with pytest.raises(DeviceError, match=escape("unknown device 'xyzzy'. Known: A21, AI301A")):
        get("xyzzy")


def test_device_lists_ignore_case_and_blanks():
    assert resolve("a21, Z21") == resolve(["A21", "z21"]) == (get("A21"), get("Z21"))


def test_a_device_named_twice_is_refused():
    with pytest.raises(DeviceError, match=r"^device 'a21' is named twice \(names ignore case\)$"):
        resolve("A21,Z21,a21")


def test_no_device_is_refused():
    with pytest.raises(DeviceError, match="no device named: a layer needs at least one"):
        resolve(" , ")


@settings(max_examples=50, deadline=None)
@given(
    v=st.lists(st.integers(-(10**12), 10**12), min_size=2, max_size=8, unique=True),
    i=st.lists(st.floats(1e-15, 1e3), min_size=8, max_size=8),
    text=st.text(st.characters(codec="utf-8")),
)
def test_a_device_file_reads_back_equal_to_the_last_bit(tmp_path_factory, v, i, text):
    path = tmp_path_factory.mktemp("device") / "own.toml"
    table = np.sort(v) / 1e9, np.array(i[: len(v)])
    curve = IVCurve("own", *table, text, 'a "quoted" \\ note\r\n\tof two lines\x7f')
    save(curve, path)
    back = get(str(path))
    assert (back.v.tobytes(), back.i.tobytes()) == (curve.v.tobytes(), curve.i.tobytes())
    assert (back.name, back.source, back.notes) == (curve.name, curve.source, curve.notes)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name = ", "is not a TOML device file"),
        (b"\xff\xfe", "is not a TOML device file"),
        (b'name = "A"', "lacks v, i: a device file has name, v and i"),
        (
            b'name = "A"\nv = [0, 1]\ni = [0, 1]\nreconstructed = [0, 0.5, 1]',
            "reconstructed has 3 numbers: give the volts it begins and ends at",
        ),
        (
            b'name = "A"\nv = [0, 1]\ni = [0, 1]\nreconstructed = [0.5, 2]',
            "device A: reconstructed from 0.5 to 2 V, but its table goes from 0 to 1 V, the lower "
            "first",
        ),
        (
            b'name = "A"\nv = [0, "x"]\ni = [0, 1]',
            "v must be a list of numbers, but value 2 is 'x'",
        ),
        (
            b'name = "A"\nv = [0, 1]\ni = [true, 1]',
            "i must be a list of numbers, but value 1 is True",
        ),
        (b'name = "A"\nv = 1\ni = [0, 1]', "v must be a list of numbers, not 1"),
        (b"name = 7\nv = [0, 1]\ni = [0, 1]", "name = 7 is not a text in quotes"),
        (
            b'name = "A"\nv = [0, 1]\ni = [0, 1]\nsources = "x"',
            "unknown entry 'sources', did you mean source\\? A device file has name, v, i, source, "
            "notes, temps_c, i_at",
        ),
        (b'name = "A"\nv = [0, 1]\ni = [0, nan]', "device A: its table holds NaN or infinity"),
        (
            b'name = "A"\nv = [0, 1, 0.5]\ni = [0, 1, 2]',
            r"device A: voltages must increase, but point 2 \(0.5 V\) follows 1 V",
        ),
        (
            b'name = "A"\nv = [0, 1]\ni = [0, 9.9e37]',
            "device A: a current of 9.9e\\+37 A cannot be: it is SCPI's code for infinity or "
            r"overload; possible are -1000 to 1000 A \(curve tracers end at 1.5 kA\) \(value 2",
        ),
        (
            b'name = "A"\nv = [0, 1]\ni = [0, 1]\ntemps_c = [2000]\ni_at = [[0, 1]]',
            "device A: a temperature of 2000 degC cannot be; possible are -273.15 to 1000 degC",
        ),
        (
            b'name = "A"\nv = [0, 1' + b"0" * 400 + b"]\ni = [0, 1]",
            "v holds a whole number beyond 1e308",
        ),
        (
            b'name = "A"\nv = [0, 1' + b"0" * 5000 + b"]\ni = [0, 1]",
            "is not a TOML device file: Exceeds the limit",
        ),
        (b"v = " + b"[" * 100_000, "is not a TOML device file: "),
        (
            b'name = "A"\nv = [' + b"0, " * 100_001 + b"]\ni = [" + b"0, " * 100_001 + b"]",
            "device A has 100,001 points, more than 100,000: thin them out",
        ),
        (
            b'name = "A"\nv = [0, 1]\ni = [0, 1]\ntemps_c = [25]',
            "1 temps_c but 0 tables in i_at; one each",
        ),
        (
            b'name = "A"\nv = [0, 1]\ni = [0, 1]\ntemps_c = ["x"]\ni_at = [[0, 1]]',
            "temps_c must be a list of numbers, but value 1 is 'x'",
        ),
        (
            b'name = "A\\n.control"\nv = [0, 1]\ni = [0, 1]',
            "is not usable in a netlist: letters, digits and underscores",
        ),
    ],
)
def test_a_bad_device_file_is_refused(tmp_path, content, sentence):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(DeviceError, match=sentence):
        load(path)


def test_only_a_regular_file_is_a_device_file(tmp_path):
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    for name, kind in (("fifo.toml", "a pipe"), ("zero.toml", "a device of the system")):
        sentence = f"{tmp_path / name} is {kind}: a device file is read from a regular file"
        with pytest.raises(DeviceError, match=f"^{escape(sentence)}$"):
            get(str(tmp_path / name))


def test_a_missing_device_file_is_refused(tmp_path):
    with pytest.raises(DeviceError, match=r"cannot read device file .*none.toml: No such file"):
        get(str(tmp_path / "none.toml"))
