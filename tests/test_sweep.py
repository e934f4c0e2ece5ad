"""Measured sweeps: what is read, and the sentence with which anything else is refused."""

from __future__ import annotations

from pathlib import Path
from re import escape

import numpy as np
import pytest

from analogkan.devices.columns import ColumnChoice
from analogkan.devices.sweep import Sweep, read_sweep
from analogkan.errors import DeviceError

V = [0.0, 0.1, 0.2, 0.3]
I = [0.0, 2e-6, 1e-6, 3e-6]  # noqa: E741


def read(folder: Path, content: str | bytes, branch: str | None = None, **said: str) -> Sweep:
    path = folder / "s.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_sweep(path, choice=ColumnChoice(**said), branch=branch)


def refused(folder: Path, content: str | bytes, branch: str | None = None, **said: str) -> str:
    """What follows the file's name in the sentence of the error."""
    with pytest.raises(DeviceError) as caught:
        read(folder, content, branch, **said)
    start = f"{folder / 's.csv'}"
    assert str(caught.value).startswith(start)
    return str(caught.value)[len(start) :]


FORMS = {
    "commas": "voltage_V,current_uA\n0,0\n0.1,2\n.2,1.\n+0.3,3e0\n",
    "quoted": '"Voltage (V)","Current (uA)"\r\n"0","0"\r\n"0.1","2"\r\n0.2,1\r\n0.3,3\r\n',
    "semicolons": "V [V]; I [uA]\n0;0\n0.1;2\n0.2;1\n0.3;3\n",
    "decimal commas": "V (mV);I (nA)\n0;0\n1e2;2000\n200,0;1,0E3\n300;3000,0\n",
    "quoted decimal commas": 'V/V,I/uA\n"0,0","0,0"\n"0,1","2,0"\n"0,2","1,0"\n"0,3","3,0"\n',
    "tabs": "bias_mV\tcurrent_A\n0\t0\n100\t2e-6\n200\t1e-6\n300\t3e-6\n",
    "blanks": "  V (mV)   I (nA)\n0 0\n 100   2000\n200 1000\n300 3000",
    "current first": "I_nA,V_mV\n0,0\n2000,100\n1000,200\n3000,300\n",
    "units alone": "mV,nA\n0,0\n100,2000\n200,1000\n300,3000\n",
    "micro": "V (V),I (µA)\n0,0\n0.1,2\n0.2,1\n0.3,3\n",
    "Greek mu": "V (V),I (\u03bcA)\n0,0\n0.1,2\n0.2,1\n0.3,3\n",
    "comments": "# made by hand\n\n# V_V,I_uA\n0,0\n# a pause\n0.1,2\n\n0.2,1\n0.3,3\n#",
    "more columns": "t (s),Vd (V),Id (uA),note\n1,0,0,a\n2,.1,2,\n3,.2,1,b\n4,.3,3,c\n",
    "trailing commas": "V_V,I_uA\n0,0,\n0.1,2,\n0.2,1,\n0.3,3,\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_sweep_is_the_same_in_any_form(tmp_path, form):
    sweep = read(tmp_path, FORMS[form])
    np.testing.assert_allclose(sweep.v, V, rtol=1e-15)
    np.testing.assert_allclose(sweep.i, I, rtol=1e-15)
    assert (sweep.branch, sweep.hysteresis, sweep.file) == ("up", None, "s.csv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_sweep_is_the_same_in_any_encoding(tmp_path, encoding):
    sweep = read(tmp_path, FORMS["micro"].encode(encoding))
    np.testing.assert_allclose(sweep.i, I, rtol=1e-15)
    assert sweep.columns == "V (V) and I (uA)"


@pytest.mark.parametrize(("v_unit", "v_scale"), [("V", 1.0), ("mV", 1e-3)], ids=str)
@pytest.mark.parametrize(
    ("i_unit", "i_scale"),
    [("A", 1.0), ("mA", 1e-3), ("uA", 1e-6), ("µA", 1e-6), ("nA", 1e-9), ("pA", 1e-12)],
)
def test_units_are_those_of_the_header_or_of_the_user(tmp_path, v_unit, v_scale, i_unit, i_scale):
    numbers = "0,0\n1,3\n2,2\n"
    by_header = read(tmp_path, f"V ({v_unit}),I ({i_unit})\n{numbers}")
    by_user = read(tmp_path, numbers, v_unit=v_unit, i_unit=i_unit)
    for sweep in (by_header, by_user):
        np.testing.assert_array_equal(sweep.v, np.array([0.0, 1.0, 2.0]) * v_scale)
        np.testing.assert_array_equal(sweep.i, np.array([0.0, 3.0, 2.0]) * i_scale)


@pytest.mark.parametrize("said", [{"v_col": "Vb", "i_col": "Ib"}, {"v_col": "4", "i_col": "3"}])
def test_columns_are_chosen_by_name_or_number(tmp_path, said):
    text = "Va (V),Ia (uA),Ib (uA),Vb (V)\n9,9,0,0\n9,9,2,0.1\n9,9,1,0.2\n"
    sweep = read(tmp_path, text, **said)
    np.testing.assert_allclose(sweep.v, V[:3])
    np.testing.assert_allclose(sweep.i, I[:3])
    assert sweep.columns == "Vb (V) and Ib (uA)"


# ---- branches

LOOP = "V_V,I_uA\n0,0\n.1,2\n.2,1\n.3,3\n.2,1.02\n.1,1.98\n0,0\n"
WIDE = LOOP.replace("1.02", "1.3")


def test_a_sweep_that_only_goes_down_is_turned_round(tmp_path):
    sweep = read(tmp_path, "V_V,I_uA\n.3,3\n.2,1\n.1,2\n0,0\n")
    np.testing.assert_allclose(sweep.v, V)
    np.testing.assert_allclose(sweep.i, I)
    assert (sweep.branch, sweep.hysteresis) == ("down", None)


def test_a_loop_is_averaged_if_both_ways_agree(tmp_path):
    sweep = read(tmp_path, LOOP)
    np.testing.assert_allclose(sweep.v, V)
    np.testing.assert_allclose(sweep.i, [0, 1.99e-6, 1.01e-6, 3e-6])
    assert sweep.branch == "mean"
    assert sweep.hysteresis == pytest.approx(0.02 / 3)


def test_a_loop_with_hysteresis_waits_for_a_choice(tmp_path):
    assert refused(tmp_path, WIDE) == (
        " has hysteresis: up and down differ by up to 10.0 % of the peak. "
        "Choose with --sweep up, --sweep down or --sweep mean"
    )
    for branch, i in (("up", 1.0), ("down", 1.3), ("mean", 1.15)):
        sweep = read(tmp_path, WIDE, branch)
        assert sweep.branch == branch
        assert sweep.i[2] == pytest.approx(i * 1e-6)


@pytest.mark.parametrize("turn", [".3,3\n", ".3,3\n.3,3\n"], ids=["once", "twice"])
def test_the_turning_point_may_be_measured_once_or_twice(tmp_path, turn):
    sweep = read(tmp_path, LOOP.replace(".3,3\n", turn), "down")
    np.testing.assert_allclose(sweep.v, V)


def test_a_loop_may_start_at_the_top(tmp_path):
    header, *points = LOOP.split()
    other_way = "\n".join([header, *points[3:], *points[1:4]])  # down, then up
    up, down = (read(tmp_path, other_way, branch) for branch in ("up", "down"))
    np.testing.assert_allclose(up.i, I)
    np.testing.assert_allclose(down.i, [0, 1.98e-6, 1.02e-6, 3e-6])


# ---- refusals

TABLE = [
    (
        "text",
        "V_V,I_uA\n0,0\n0.1,n/a\n0.2,1\n",
        ", line 3: 'n/a' in column 2 is not a number: remove the line, or start it with # to make "
        "it a comment",
    ),
    (
        "a unit in a cell",
        "V_V,I_uA\n0,0\n100 mV,1\n",
        ", line 3: '100 mV' in column 1 is not a number: remove the line, or start it with # to "
        "make it a comment",
    ),
    (
        "an empty cell",
        "V_V,I_uA\n0,0\n,1\n",
        ", line 3: '' in column 1 is not a number: remove the line, or start it with # to make it "
        "a comment",
    ),
    ("one point", "V_V,I_uA\n0.1,2\n", " has 1 point(s): a sweep needs at least 2"),
    ("no point", "V_V,I_uA\n", " has 0 point(s): a sweep needs at least 2"),
    (
        "nothing",
        "",
        " has 0 column(s): a sweep needs one of volts and one of amperes, separated by commas, "
        "semicolons, tabs or blanks",
    ),
    (
        "one column",
        "V_V\n0\n1\n",
        " has 1 column(s): a sweep needs one of volts and one of amperes, separated by commas, "
        "semicolons, tabs or blanks",
    ),
    (
        "a repeated voltage",
        "V_V,I_uA\n0,0\n0.1,2\n0.1,2.1\n0.2,1\n",
        ", line 4: 0.1 V again, as in line 3: average the repeated readings, or keep one",
    ),
    (
        "a voltage repeated at once",
        "V_V,I_uA\n0,0\n0,0\n0.1,2\n",
        ", line 3: 0 V again, as in line 2: average the repeated readings, or keep one",
    ),
    (
        "a voltage repeated at the end",
        "V_V,I_uA\n0,0\n0.1,2\n0.1,2\n",
        ", line 4: 0.1 V again, as in line 3: average the repeated readings, or keep one",
    ),
    (
        "a voltage repeated on the way back",
        "V_V,I_uA\n0,0\n0.1,2\n0.2,3\n0.1,2\n0.1,2\n0,0\n",
        ", line 6: 0.1 V again, as in line 5: average the repeated readings, or keep one",
    ),
    (
        "a voltage that decreases",
        "V_V,I_uA\n0,0\n0.1,2\n0.05,1\n0.2,1\n",
        ", line 5: 0.2 V after 0.05 V turns the sweep a second time. It may go up, down, or there "
        "and back once: split the file, or use the set voltage in place of the measured one",
    ),
    (
        "a last voltage that decreases",
        "V_V,I_uA\n0,0\n0.1,2\n0.2,1\n0.3,1\n0.25,1\n",
        " goes up from 0 to 0.3 V but down from 0.3 to 0.25 V: choose with --sweep up or "
        "--sweep down, or remove the stray points",
    ),
    (
        "NaN",
        "V_V,I_uA\n0,0\n0.1,NaN\n",
        ", line 3: 'NaN' in column 2 is not finite: remove the point",
    ),
    (
        "infinity",
        "V_V,I_uA\n0,0\n1e999,1\n",
        ", line 3: '1e999' in column 1 is not finite: remove the point",
    ),
    (
        "mixed units",
        "voltage_uA,current_V\n0,0\n1,1\n",
        ": column 'voltage_uA' is in uA, which is no unit of voltage: correct the header, or "
        "choose another column with --v-col",
    ),
    (
        "decimal commas and points",
        "V_V;I_uA\n0,0;0\n0,1;2.5\n",
        " has decimal commas and decimal points: use one of them",
    ),
    (
        "a missing column",
        "V_V,I_uA\n0,0\n0.1\n0.2,1",
        ", line 3: 1 columns, but the first line has 2: remove the line, or start it with # to "
        "make it a comment",
    ),
    (
        "a column too many",
        "V_V,I_uA\n0,0\n0.1,2,5\n",
        ", line 3: 3 columns, but the first line has 2: remove the line, or start it with # to "
        "make it a comment",
    ),
    (
        "no unit of the voltage",
        "V,I_uA\n0,0\n1,1\n",
        " does not say the unit of column 'V': give --v-unit, one of V, mV",
    ),
    (
        "an unknown unit",
        "V_V,J (A/cm2)\n0,0\n1,1\n",
        " does not say the unit of column 'J (A/cm2)': give --i-unit, one of A, mA, uA, nA, pA",
    ),
    (
        "no header",
        "0,0\n1,1\n",
        " does not say the unit of its voltages: give --v-unit, one of V, mV",
    ),
    (
        "two voltages",
        "Va (V),Vb (V),I (A)\n0,0,0\n1,1,1\n",
        ": which of its 3 columns is the voltage cannot be told: Va (V), Vb (V), I (A). "
        "Say it with --v-col NAME or NUMBER",
    ),
    (
        "three columns without names",
        "0,0,0\n1,1,1\n",
        ": which of its 3 columns is the voltage cannot be told without names. "
        "Say it with --v-col NAME or NUMBER",
    ),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0", " is not a text file: export the sweep as CSV"),
]


@pytest.mark.parametrize(("content", "sentence"), [t[1:] for t in TABLE], ids=[t[0] for t in TABLE])
def test_what_is_no_sweep_is_refused(tmp_path, content, sentence):
    assert refused(tmp_path, content) == sentence


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            {"i_unit": "nA"},
            ": column 'I_uA' is in uA, --i-unit says nA: leave the option out, or correct the "
            "header",
        ),
        ({"v_col": "Vx"}, " has no column 'Vx' (--v-col). It has 2: V_V, I_uA"),
        ({"i_col": "3"}, " has no column '3' (--i-col). It has 2: V_V, I_uA"),
        (
            {"v_col": "2"},
            ": column 'I_uA' is in uA, which is no unit of voltage: correct the header, or choose "
            "another column with --v-col",
        ),
        ({"branch": "down"}, " sweeps up only, so it has no --sweep down: leave it out"),
        ({"branch": "mean"}, " sweeps up only, so it has no --sweep mean: leave it out"),
    ],
)
def test_an_option_that_contradicts_the_file_is_refused(tmp_path, said, sentence):
    assert refused(tmp_path, "V_V,I_uA\n0,0\n0.1,2\n", **said) == sentence


def test_one_column_cannot_be_both(tmp_path):
    said = {"v_col": "1", "i_col": "1", "v_unit": "V", "i_unit": "A"}
    assert refused(tmp_path, "0,0\n0.1,2\n", **said) == (
        ": column 1 would be both voltage and current: choose with --v-col and --i-col"
    )


def test_a_unit_that_is_none_is_refused(tmp_path):
    with pytest.raises(DeviceError, match=r"^--v-unit kV is no unit of voltage: one of V, mV$"):
        read(tmp_path, "0,0\n1,1\n", v_unit="kV", i_unit="A")


def test_a_branch_that_is_none_is_refused(tmp_path):
    with pytest.raises(
        DeviceError, match=r"^sweep branch 'both' is unknown: one of up, down, mean$"
    ):
        read(tmp_path, LOOP, "both")


def test_commas_that_may_separate_thousands_are_refused(tmp_path):
    said = refused(tmp_path, "V (mV);I (nA)\n950;989\n960;1,004\n970;1,019\n")
    assert said == (
        ", line 3: '1,004' may be a decimal comma or a thousand, since other numbers of its column "
        "have no comma: write it without"
    )
    sweep = read(tmp_path, "V (V);I (uA)\n0;0\n0,05;0,5\n0,1;1,25\n")
    np.testing.assert_allclose(sweep.i, [0, 0.5e-6, 1.25e-6])


def test_a_missing_file_is_refused(tmp_path):
    sentence = f"cannot read sweep {tmp_path / 'none.csv'}: No such file or directory"
    with pytest.raises(DeviceError, match=f"^{escape(sentence)}$"):
        read_sweep(tmp_path / "none.csv")


def test_random_bytes_are_refused_or_read_and_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    signs = np.frombuffer(b"0123456789.,;-+eE\t \n#VA()\"'_\xb5\x00\xff", np.uint8)
    for _ in range(300):
        content = rng.choice(signs, int(rng.integers(0, 80))).tobytes()
        try:
            sweep = read(tmp_path, content, v_unit="V", i_unit="A")
        except DeviceError:
            continue
        assert (np.diff(sweep.v) > 0).all()
        assert np.isfinite(sweep.i).all()
