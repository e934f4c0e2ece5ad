"""Settings from TOML and ``key=value`` texts, and files that are whole or not there."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from re import escape

import pytest

from analogkan import resources
from analogkan.compiler.hardware import Hardware, load_hardware
from analogkan.errors import AnalogKanError, SettingsError
from analogkan.files import atomic_file, atomic_folder, read_npz, sha256, write_text
from analogkan.imperfections import Variation, load_settings
from analogkan.imperfections.presets import shipped_with
from analogkan.settings import build, parse_assignments, read_toml
from analogkan.training.through_chips import ThroughChips


@dataclass(frozen=True, kw_only=True)
class Sample:
    ratio: float
    count: int = 1
    name: str = "a"
    on: bool = False
    sizes: tuple[int, ...] = ()


def test_the_presets_differ_in_their_amplifiers_alone():
    assert load_hardware("nominal") == Hardware()
    assert load_hardware("ideal") == replace(Hardware(), opamp="ideal")


def test_assignments_go_over_the_preset():
    found = load_hardware("ideal", ["g_max=1e-4", " tile_rows = 32 ", "opamp=linear"])
    assert found == replace(Hardware(), g_max=1e-4, tile_rows=32)


def test_a_preset_may_be_a_file_of_ones_own(tmp_path):
    (tmp_path / "own.toml").write_text("[hardware]\nlevels = 32\nv_fs = 1\n")
    assert load_hardware(str(tmp_path / "own.toml")) == replace(Hardware(), levels=32, v_fs=1.0)


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("g_mx=1", "--set: unknown setting 'g_mx', did you mean g_max?"),
        (
            "colour=red",
            "--set: unknown setting 'colour'. Known: v_fs, v_rail, headroom, g_min, g_max, levels, "
            "max_bias_rows, tile_rows, tile_cols, opamp, own_opamps, opamp_gain, gbw, "
            "gbw_by_stage, gain_split, c_f, r_diff, readout, drop_rows, r_out, npn, "
            "npn_bf, npn_vaf, i_tail, cell_tc1, cell_tc2, feedback_tc1, feedback_tc2, diode_law, "
            "diode_tc_current, diode_tc_voltage, smear_width, own_diodes, r_wire, wire_tc1, "
            "r_driver, wires, dac_bits, adc_bits, adc_range, c_dac, c_adc, c_hold, t_position",
        ),
        ("g_max", "setting 'g_max' is not key=value, such as g_max=2.5e-5"),
        ("g_max=", "setting 'g_max=' is not key=value, such as g_max=2.5e-5"),
        ("=1", "setting '=1' is not key=value, such as g_max=2.5e-5"),
        ("g_max=wide", "preset nominal with --set: g_max = 'wide' is not a number"),
        ("levels=2.5", "preset nominal with --set: levels = '2.5' is not a whole number or a word"),
        ("levels=1", "levels = 1 is out of range: 0 (continuous), 2 to 65536, e24 or e96"),
        ("g_max=1e-7", "g_max = 1e-07 is out of range: above g_min (2.5e-07), at most 1 S"),
        ("g_max=nan", "g_max = nan is out of range: above g_min (2.5e-07), at most 1 S"),
        ("v_rail=inf", "v_rail = inf is out of range: above 0, at most 100 V"),
        ("tile_cols=7", "tile_cols = 7 is out of range: even: a pair stays together"),
        (
            "opamp=real",
            "opamp = 'real' is out of range: linear or ideal or pole or rails or pole_rails",
        ),
    ],
)
def test_a_bad_assignment_is_refused(assignment, sentence):
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        load_hardware("nominal", [assignment])


def test_an_unknown_preset_is_refused_with_the_nearest_name():
    sentence = (
        "unknown preset 'nominl', did you mean nominal? "
        "Known: ai301a, as-made, board, cmo-hfox, hermes, ideal, nominal, pcm, rram, "
        "rram-absolute, rram-milo, rram-wan, sonos, or the path of a .toml file"
    )
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        load_hardware("nominl")


HUGE = 10**400


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"levels = {HUGE}", f"levels = {str(HUGE)[:100]}... is not a whole number or a word"),
        (f"g_max = {HUGE}", f"g_max = {str(HUGE)[:100]}... is not a number"),
        ("levels = 9007199254740993", "levels = 9007199254740993 is not a whole number or a word"),
        ("levels = [2]", "levels = [2] is not a whole number or a word"),
        (
            "g_max = [1e-5, 2e-5]",
            "g_max = [1e-05, 2e-05] is not a number: several values are what a sweep's axes take",
        ),
        ("g_max = 1979-05-27", "g_max = datetime.date(1979, 5, 27) is not a number"),
        ("wires = {x = 1}", "wires = {'x': 1} is not a text"),
    ],
)
def test_a_bad_entry_of_a_preset_is_refused(tmp_path, text, sentence):
    path = tmp_path / "own.toml"
    path.write_text(f"[hardware]\n{text}\n")
    with pytest.raises(SettingsError, match=f"^{escape(f'preset own: {sentence}')}$"):
        load_hardware(str(path))


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(SettingsError, match=r"^preset 'x{40}'\.\.\. has a name of 3,000 char"):
        load_hardware("x" * 3000)


def test_a_settings_file_that_cannot_be_read_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        path = tmp_path / f"{name}.toml"
        with pytest.raises(SettingsError, match=f"^cannot read preset {path}: it is no regular fi"):
            load_hardware(str(path))
    large = tmp_path / "large.toml"
    with large.open("wb") as stream:
        stream.truncate(65 * 2**20)
    sentence = "it has 68,157,440 bytes; at most 67,108,864 are read"
    with pytest.raises(SettingsError, match=f"^cannot read preset {large}: {sentence}$"):
        load_hardware(str(large))
    deep = tmp_path / "deep.toml"
    deep.write_text("x = " + 5000 * "[" + 5000 * "]")
    with pytest.raises(SettingsError, match=f"^preset {deep} is not TOML: it is nested too deeply"):
        load_hardware(str(deep))
    deep.write_text("x = " + 5000 * "1")
    with pytest.raises(SettingsError, match=f"^preset {deep} is not TOML: Exceeds the limit"):
        load_hardware(str(deep))


def test_an_unknown_table_of_a_preset_is_refused(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("[hardwear]\nlevels = 32\n")
    sentence = f"preset {path}: unknown [hardwear]: it may have [hardware]"
    with pytest.raises(SettingsError, match=escape(sentence)):
        load_hardware(str(path))


def test_a_missing_file_and_one_that_is_no_toml_are_refused(tmp_path):
    path = tmp_path / "own.toml"
    with pytest.raises(SettingsError, match=escape(f"cannot read preset {path}: No such file or")):
        load_hardware(str(path))
    for content in (b"levels 32", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(SettingsError, match=escape(f"preset {path} is not TOML: ")):
            read_toml(path, "preset")


def test_values_become_the_types_of_their_fields():
    texts = parse_assignments(["ratio=1e-3", "count = 7", "name=b=c", "on=True"])
    assert build(Sample, texts, "x") == Sample(ratio=1e-3, count=7, name="b=c", on=True)
    entries = {"ratio": 2, "on": False, "sizes": [3, 4]}
    assert build(Sample, entries, "x") == Sample(ratio=2.0, sizes=(3, 4))


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"ratio": True}, "a number"),
        ({"ratio": [1]}, "a number"),
        ({"count": 7.0}, "a whole number"),
        ({"count": "seven"}, "a whole number"),
        ({"name": 3}, "a text"),
        ({"on": 1}, "true or false"),
        ({"on": "maybe"}, "true or false"),
        ({"sizes": "3,4"}, "a list of whole numbers"),
        ({"sizes": [3, 4.5]}, "a list of whole numbers"),
        ({"sizes": [3, True]}, "a list of whole numbers"),
    ],
)
def test_a_value_of_another_type_is_refused(entry, kind):
    ((name, value),) = entry.items()
    with pytest.raises(SettingsError, match=escape(f"x: {name} = {value!r} is not {kind}") + "$"):
        build(Sample, {"ratio": 1.0} | entry, "x")


def test_a_whole_number_that_no_float_can_be_is_out_of_range():
    with pytest.raises(SettingsError, match=r"^v_rail = inf is out of range: above 0, at most 100"):
        Hardware(v_rail=HUGE)
    with pytest.raises(SettingsError, match=r"^gbw = -inf is out of range: "):
        Hardware(gbw=-HUGE)


def test_a_missing_value_is_refused():
    with pytest.raises(SettingsError, match=r"^x lacks ratio$"):
        build(Sample, {}, "x")


def test_what_ships_is_found_and_what_does_not_is_refused():
    assert resources.path("models/mnist-d2.pt").is_file()
    assert resources.path("presets/nominal.toml").is_file()
    sentence = "models/none.pt does not ship with this installation: reinstall analogkan"
    with pytest.raises(AnalogKanError, match=f"^{sentence}$"):
        resources.path("models/none.pt")


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path):
    path = tmp_path / "deep" / "file"
    write_text(path, "first\n")
    with pytest.raises(KeyError), atomic_file(path) as partial:
        partial.write_text("half")
        raise KeyError
    assert path.read_bytes() == b"first\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_replaced_whole_or_stays_as_it_was(tmp_path):
    path = tmp_path / "folder"
    for name in ("old", "new"):
        with atomic_folder(path) as partial:
            write_text(partial / name, name)
    with pytest.raises(KeyError), atomic_folder(path) as partial:
        raise KeyError
    assert sorted(p.name for p in path.iterdir()) == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_files_hash_is_sha_256(tmp_path):
    write_text(tmp_path / "abc", "abc")  # the example of FIPS 180-4
    assert sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c")


def test_a_lone_array_is_no_npz(tmp_path):
    (tmp_path / "one.npz").write_bytes(b"\x93NUMPY\x01\x00v\x00")
    with pytest.raises(ValueError, match="it is damaged or of another kind"):
        read_npz(tmp_path / "one.npz")


def test_presets_with_commas_are_each_on_top_of_those_before(tmp_path, monkeypatch):
    """A file of diodes' spreads drops nothing else that boards differ in."""
    monkeypatch.chdir(tmp_path)
    own = {"diode_sigma_current": 0.01, "die_sigma_voltage": 0.02}
    lines = "".join(f"{key} = {value}\n" for key, value in own.items())
    for name in ("mine.toml", "odd,name.toml"):
        write_text(tmp_path / name, f"[variation]\n{lines}")
    board, (_, alone, _) = load_settings("board"), load_settings("mine.toml")
    hardware, joined, _ = load_settings("board, mine.toml")
    assert hardware == board[0]
    assert joined.document() == board[1].document() | own
    assert load_settings("mine.toml,board")[1] == board[1]
    assert load_settings("odd,name.toml")[1] == alone != board[1]
    with pytest.raises(SettingsError, match=r"^unknown preset 'bord', did you mean board\? "):
        load_settings("mine.toml,bord")
    write_text(tmp_path / "mine.toml", "[variation]\nnope = 1\n")
    with pytest.raises(SettingsError, match=r"^preset board with mine: unknown "):
        load_settings("board,mine.toml")


def test_a_preset_that_has_the_hardware_is_named_in_place_of_its_settings():
    hardware, variation, conditions = load_settings("board")
    for drawn in (variation, replace(variation, sigma_g=0.01)):
        words = ThroughChips(hardware, drawn, conditions).hardware_words()
        assert words == ["--preset=board"]
    other = ThroughChips(replace(hardware, v_rail=4.0), variation, conditions)
    assert "--set=v_rail=4.0" in other.hardware_words() and len(other.hardware_words()) > 9
    assert shipped_with(Hardware(), variation) == ""
    rram, drawn, _ = load_settings("rram")
    assert shipped_with(rram, drawn) == "rram"
    assert shipped_with(rram, Variation(sigma_g=0.123)) in ("", "rram")
