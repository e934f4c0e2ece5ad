"""Sweeps as instruments and spreadsheets export them: what is found in a file, what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from re import escape

import numpy as np
import pytest

from analogkan.devices import reading, table
from analogkan.devices.columns import ColumnChoice
from analogkan.devices.sweep import Sweep, read_sweep
from analogkan.errors import DeviceError

V = np.round(np.arange(51) * 0.02, 3)
I = 1e-6 * (7 * V * np.exp(1 - V / 0.3) / 3 + 1.2 * V**4)  # noqa: E741
CASES = Path(__file__).parents[2] / "shared"


def rows(sep: str = ",", v: np.ndarray = V, i: np.ndarray = I, tail: str = "") -> str:
    """One line a point."""
    return "".join(f"{a:.3f}{sep}{b:.6e}{tail}\n" for a, b in zip(v, i, strict=True))


def numbered(sep: str = ",") -> str:
    """A wide table of an instrument: a row's number, volts, V, amperes, A, status."""
    points = enumerate(zip(V, I, strict=True))
    return "".join(
        sep.join((f"{k}", f"{a:.3f}", "V", f"{b:.6e}", "A", "0\n")) for k, (a, b) in points
    )


def comma(text: str) -> str:
    return text.replace(".", ",")


MICRO = "".join(f"{a:.3f};{1e6 * b:.5f}\n" for a, b in zip(V, I, strict=True))
"""Volts and microamperes."""
BOTH = ColumnChoice(v_unit="V", i_unit="A")
SHIFT_JIS = b"\x93d\x88\xb3(V),\x93d\x97\xac(A)\n"
PREAMBLE = "Model,SMU\nSerial,none\nCount,51\nDelay,0.1\n\n"

READ: dict[str, tuple[str | bytes, ColumnChoice, str]] = {
    "plain": ("V (V),I (A)\n" + rows(), ColumnChoice(), ""),
    "lines of commas": (
        "time/s,voltage/V,current/A,,\r\n"
        + "".join(f"{k},{line},,\r\n" for k, line in enumerate(rows().splitlines()))
        + ",,,,\r\n" * 9,
        ColumnChoice(),
        "",
    ),
    "preamble and columns of units": (
        PREAMBLE + "Index,Source value,Unit,Reading,Unit,Status\n" + numbered(),
        ColumnChoice(),
        "line(s) 1 to 4 skipped, being above the table, units from column(s) 3, 5",
    ),
    "preamble skipped as told": (
        PREAMBLE + "V (V),I (A)\n" + rows(),
        ColumnChoice(skip=5),
        "first 5 line(s) skipped as told",
    ),
    "unit row": ("Voltage,Current\nV,A\n" + rows(), ColumnChoice(), "units from line 2"),
    "unit row in brackets, below a preamble": (
        "Date,2024-11-05\nVd\tId\n(V)\t[A]\n" + rows("\t"),
        ColumnChoice(),
        "tabs, line(s) 1 skipped, being above the table, units from line 3",
    ),
    "unit row, then a row of remarks": (
        "Bias,Meas\nV,A\nsweep,diode one\n" + rows(),
        ColumnChoice(),
        "line(s) 3 skipped, being above the table, units from line 2",
    ),
    "names and units as comments": ("# Vd Id\n# V A\n" + rows(" "), ColumnChoice(), "blanks, "
                                    "units from line 2"),
    "parameter analyser": (
        "SetupTitle, diode\nTestParameter, Channel.Unit, SMU1, SMU2\nDimension1, 51, 51\n"
        "DataName, V1, I1\n" + "".join(f"DataValue, {x}\n" for x in rows(", ").splitlines()),
        BOTH,
        "line(s) 1 to 3 skipped, being above the table",
    ),
    "UTF-16 without a mark": (
        ("Spannung (V);Strom (µA)\n" + comma(MICRO)).encode("utf-16-le"),
        ColumnChoice(),
        "UTF-16 without a mark, low bytes first, semicolons, decimal commas",
    ),
    "UTF-16 without a mark, high bytes first": (
        ("Spannung (V);Strom (μA)\n" + comma(MICRO)).encode("utf-16-be"),
        ColumnChoice(),
        "UTF-16 without a mark, high bytes first, semicolons, decimal commas",
    ),
    "UTF-16": (
        ("V (V);I (uA)\n" + MICRO).encode("utf-16"), ColumnChoice(), "UTF-16, semicolons"
    ),
    "a mark": (("V (V),I (A)\n" + rows()).encode("utf-8-sig"), ColumnChoice(), ""),
    "Windows-1252": (
        ("Spannung für Diode (V);Strom (µA)\n" + MICRO).encode("cp1252"),
        ColumnChoice(),
        "Windows-1252, semicolons",
    ),
    "another code page": (
        SHIFT_JIS + rows().encode(),
        ColumnChoice(),
        "an unknown code page, names in it left out",
    ),
    "a spreadsheet's hint": (
        "sep=;\nV (V);I (A)\n" + rows(";"),
        ColumnChoice(),
        "semicolons, line(s) 1 skipped, being above the table",
    ),
    "decimal commas between blanks": (comma(rows(" ")), BOTH, "blanks, decimal commas"),
    "quoted": (
        '"V (V)","I (A)"\n' + "".join('"{}","{}"\n'.format(*x.split(",")) for x in rows().split()),
        ColumnChoice(),
        "",
    ),
    "comments, blank lines, columns swapped": (
        "! made by hand\n% twice\n\nI (A),V (V)\n"
        + "".join("{1},{0}\n\n".format(*x.split(",")) for x in rows().split()),
        ColumnChoice(),
        "",
    ),
    "a line of remarks below the names": (
        "I (A),V (V)\nmeasured,set\n"
        + "".join("{1},{0}\n".format(*x.split(",")) for x in rows().split()),
        ColumnChoice(),
        "line(s) 2 skipped, being above the table",
    ),
    "time and status": (
        "time (s),V (V),I (A),status\n"
        + "".join(f"{k}.5,{x},ok\n" for k, x in enumerate(rows().split())),
        ColumnChoice(),
        "",
    ),
    "a status that is sometimes empty": (
        "V (V),I (A),status\n" + rows(tail=",").replace("0.400,", "0.400,", 1),
        ColumnChoice(),
        "",
    ),
    "words for units": ("Volts,Amps\n" + rows(), ColumnChoice(), ""),
    "segments": (
        "v0,v1,i0,i1\n"
        + "".join(
            f"{V[k]:.3f},{V[k + 1]:.3f},{I[k]:.6e},{I[k + 1]:.6e}\n" for k in range(V.size - 1)
        ),
        BOTH,
        "segments v0, v1, i0, i1 joined",
    ),
    "the other way round": (
        "V (V),I (A)\n" + rows(v=-V[::-1], i=-I[::-1]),
        ColumnChoice(negate=True),
        "both signs turned",
    ),
}  # fmt: skip


def read(folder: Path, content: str | bytes, choice: ColumnChoice = ColumnChoice()) -> Sweep:
    path = folder / "sweep.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_sweep(path, choice=choice)


@pytest.mark.parametrize("case", READ)
def test_an_export_is_read_whole_and_what_was_found_is_said(tmp_path, case):
    content, choice, remarks = READ[case]
    sweep = read(tmp_path, content, choice)
    np.testing.assert_allclose(sweep.v, V, rtol=0, atol=1e-12)
    np.testing.assert_allclose(sweep.i, I, rtol=0, atol=1e-11)
    assert sweep.remarks == remarks


def test_names_in_another_code_page_are_left_out(tmp_path):
    assert read(tmp_path, SHIFT_JIS + rows().encode()).columns == "column 1 (V) and column 2 (A)"
    micro = "Größe (V);Strom (µA)\n" + MICRO
    assert read(tmp_path, micro.encode("cp1252")).columns == "Größe (V) and Strom (uA)"


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("mA", 1e-3), ("uA", 1e-6), ("µA", 1e-6), ("μA", 1e-6), ("nA", 1e-9), ("pA", 1e-12)],
)
@pytest.mark.parametrize("header", ["V_mV,I_{}", "Voltage (mV),Current ({})", "Bias,Meas\nmV,{}"])
def test_units_are_taken_with_their_prefix(tmp_path, header, unit, factor):
    sweep = read(tmp_path, header.format(unit) + "\n0,0\n100,3\n200,1\n")
    np.testing.assert_allclose(sweep.v, [0, 0.1, 0.2], rtol=1e-12)
    np.testing.assert_allclose(sweep.i, [0, 3 * factor, factor], rtol=1e-12)


HEAD = "V (V),I (A)\n0,0\n0.1,2e-6\n"
POSSIBLE = "possible are -1000 to 1000"
REFUSED = {
    "overload": (
        HEAD + "0.2,9.900000e+37\n",
        "line 4: '9.900000e+37' in column 2 is no reading, but SCPI's code for infinity or "
        "overload: remove the point",
    ),
    "negative overload": (
        HEAD + "0.2,-9.91E37\n",
        "line 4: '-9.91E37' in column 2 is no reading, but SCPI's code for 'not a number': remove "
        "the point",
    ),
    "overload in nA": (
        "V (V),I (nA)\n0,0\n0.2,9.9e37\n",
        "line 3: '9.9e37' in column 2 is no reading, but SCPI's code for infinity or overload: "
        "remove the point",
    ),
    "abort": (
        HEAD + "0.2,1.999990e+101\n",
        "line 4: '1.999990e+101' in column 2 is no reading, but the code of parameter analysers "
        "after an abort or at compliance: remove the point",
    ),
    "amperes that cannot be": (
        HEAD + "0.2,1e12\n",
        f"line 4: '1e12' in column 2 is no reading: a current of 1e+12 A cannot be; {POSSIBLE} A "
        "(curve tracers end at 1.5 kA). Remove the point, or say the unit with --i-unit",
    ),
    "volts that cannot be": (
        HEAD + "2e3,1e-6\n",
        f"line 4: '2e3' in column 1 is no reading: a voltage of 2000 V cannot be; {POSSIBLE} V "
        "(source meters end at 1.1 kV). Remove the point, or say the unit with --v-unit",
    ),
    **{
        word: (
            HEAD + f"0.2,{word}\n",
            f"line 4: '{word}' in column 2 says that there is no reading: remove the point",
        )
        for word in ("Overflow", "OL", "O.L", "OVLD", "OVERLOAD", "----", "1.#INF", "#NUM!", "n/a")
    },
    "infinity": (
        HEAD + "0.2,-inf\n",
        "line 4: '-inf' in column 2 is not finite: remove the point",
    ),
    "nothing": (
        HEAD + "0.2,\n0.3,1e-6\n",
        "line 4: '' in column 2 is not a number: remove the line, or start it with # to make it a "
        "comment",
    ),
    "thousands": (
        "V (V);I (nA)\n0;989.5\n0.1;1,004.2\n",
        "line 3: '1,004.2' in column 2 separates thousands: write it without",
    ),
    "thousands with points": (
        "V (V);I (nA)\n0;989,5\n1;1.004,2\n",
        "line 3: '1.004,2' in column 2 separates thousands: write it without",
    ),
    "the header again": (
        HEAD + "V (V),I (A)\n0,0\n",
        "line 4: the header again, so the file holds several sweeps: split it there, a file for "
        "each",
    ),
    "two tables": (
        HEAD + "Vd (V),Id (A)\n0,0\n0.1,1e-6\n0.2,1e-6\n",
        "line 2: numbers above line 4, which has none: mend or remove that line if it is a point; "
        "if the table begins below it, leave out what is above with --skip 3",
    ),
    "an overload at the top": (
        "V (V),I (A)\n0,OL\n0.1,2e-6\n0.2,1e-6\n",
        "line 2: 'OL' in column 2 says that there is no reading: remove the point",
    ),
    "a preamble without a header": (
        "Delay,0.1\n0,0\n0.1,1e-6\n0.2,1e-6\n",
        "line 1: 'Delay' in column 1 is not a number: remove the line, or start it with # to make "
        "it a comment",
    ),
    "two units": (
        "V (V),I,Unit\n0,1,mA\n0.1,2,mA\n0.2,900,uA\n",
        "line 4: column 3 says 'uA', but line 2 'mA': write all points in one unit",
    ),
    "segments with a gap": (
        "v0,v1,i0,i1\n0,1,0,2\n1.5,2,2,1\n",
        "line 3: the segment from '1.5' V does not begin where the one before ends, at '1' V: "
        "write points, two columns v and i",
    ),
    "too many columns": (
        HEAD + "0.2,1e-6,0.3\n",
        "line 4: 3 columns, but the header has 2: remove the line, start it with # to make it a "
        "comment, or, above the table, leave it out with --skip",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_reading_is_refused_by_its_line(tmp_path, case):
    content, sentence = REFUSED[case]
    with pytest.raises(DeviceError) as caught:
        read(tmp_path, content, BOTH if content.startswith(("v0", "Delay")) else ColumnChoice())
    assert str(caught.value) == f"{tmp_path / 'sweep.csv'}, {sentence}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("v0,v1,i0,i1\n0,1,0,2\n1,2,2,1\n", "does not say the unit of column 'v0': give --v-unit, "
         "one of V, mV, uV"),
        ("V (mV),I\nV,A\n0,0\n1,1\n", ": column 'V (mV)' is in mV, but line 2 says V: correct one "
         "of them"),
        ("V (V),I,Unit\n0,0,kA\n1,1,kA\n", ": column 'I (kA)' is in kA, which is no unit known "
         "here: correct the header to one of A, mA, uA, nA, pA"),
        ("V (V),I (\ufffdA)\n0,0\n1,1\n", ": column 'I (\ufffdA)' is in \ufffdA, which is no unit "
         "known here: correct the header to one of A, mA, uA, nA, pA"),
        ("", " has no line with two numbers: a sweep needs a column of volts and one of amperes, "
         "separated by commas, semicolons, tabs or blanks"),
        ("V (V)\n1\n2\n", " has no line with two numbers: a sweep needs a column of volts and one "
         "of amperes, separated by commas, semicolons, tabs or blanks"),
        (b"PK\x03\x04\0\0\0\0", " is not a text file: export the sweep as CSV"),
        (b"\xff\xfe0", " is not a text file: export the sweep as CSV"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_sweep_is_refused(tmp_path, content, sentence):
    with pytest.raises(DeviceError, match=f"{escape(sentence)}$"):
        read(tmp_path, content)


# ---- files that are none


@pytest.mark.parametrize("reader", [read_sweep, table.read_table], ids=["sweep", "table"])
def test_only_regular_files_of_bounded_size_are_read(tmp_path, monkeypatch, reader):
    os.mkfifo(tmp_path / "fifo.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "large.csv").write_text("0,0\n" * 500)
    monkeypatch.setattr(reading, "MAX_BYTES", 1_999)
    for name, sentence in {
        "fifo.csv": "is a pipe: a sweep is read from a regular file",
        "zero.csv": "is a device of the system: a sweep is read from a regular file",
        "folder.csv": "is a folder: a sweep is read from a regular file",
        "large.csv": "has more than 1,999 bytes, the limit of a sweep: is it the right file? Thin "
        "its points out",
    }.items():
        with pytest.raises(DeviceError, match=f"{escape(name)} {escape(sentence)}$"):
            reader(tmp_path / name)


def test_a_file_of_too_many_lines_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "MAX_LINES", 50)
    with pytest.raises(
        DeviceError, match="has 52 lines of data, more than 50: thin its points out"
    ):
        read(tmp_path, "V (V),I (A)\n" + rows())


# ---- files of others


@pytest.mark.skipif(not (CASES / "cases/iv").is_dir(), reason="cases/iv is not there")
@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("comma-lines.csv", {}),
        ("preamble.csv", {}),
        ("unit-row.csv", {}),
        ("unit-row-tabs.txt", {}),
        ("decimal-comma-utf16.csv", {}),
        ("shift-jis.csv", {}),
        ("all-negative.csv", {"negate": True}),
        ("compliance.csv", {}),
        ("segments.csv", {"v_unit": "V", "i_unit": "A"}),
    ],
)
def test_a_users_file_is_read_whole(name, choice):
    sweep = read_sweep(CASES / "cases/iv" / name, choice=ColumnChoice(**choice))
    np.testing.assert_allclose(sweep.v, V, rtol=0, atol=1e-12)


@pytest.mark.skipif(not (CASES / "cases/iv").is_dir(), reason="cases/iv is not there")
@pytest.mark.parametrize("name", ["overload.csv", "overload-negative.csv", "abort.csv"])
def test_a_users_file_with_codes_is_refused(name):
    with pytest.raises(DeviceError, match=r"line \d+: .* is no reading, but "):
        read_sweep(CASES / "cases/iv" / name)
