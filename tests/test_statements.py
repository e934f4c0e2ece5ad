"""What is said in several places is one thing: figures, names, options, defaults."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from analogkan import limits, resources
from analogkan.cli import main
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.data.sources import DATASETS
from analogkan.devices import falling, get, knots, library, reading, table
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.imperfections.make import perturb
from analogkan.network import checkpoint
from analogkan.physics import Assumptions
from analogkan.report.page import MOST_BYTES
from analogkan.studies import vectors
from analogkan.studies.cost import MANY

from .pages import blocks
from .stored import made_result

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "models").glob("*.md")),
]
FIGURES = tomllib.loads((DOCS / "figures.toml").read_text(encoding="utf-8"))
SHIPPED = sorted(path.stem for path in (ROOT / "models").glob("*.pt"))
RECIPES = sorted(path.stem for path in resources.path("training/recipes").glob("*.toml"))
PRESETS = sorted(path.stem for path in resources.path("presets").glob("*.toml"))
KANALOGUES = {"--td_basis_types", "--fit_mode", "--acti", "--norm_layer", "--neg_input"}
SETTINGS = {
    field.name for kind in (Hardware, Variation, Conditions, Assumptions) for field in fields(kind)
}


def flowing(page: Path) -> str:
    """The page as one line, blanks evened out."""
    return " ".join(page.read_text(encoding="utf-8").split())


def places() -> Iterator[Any]:
    """(figure, page, words around it), one of each place where a figure is said."""
    for name, figure in FIGURES.items():
        for page, said in figure["in"].items():
            for words in [said] if isinstance(said, str) else said:
                yield pytest.param(name, page, words, id=f"{name}-{Path(page).stem}")


# ---- figures


@pytest.mark.parametrize(("name", "page", "words"), list(places()))
def test_a_figure_is_the_same_wherever_it_is_said(name, page, words):
    before, shape, after = re.fullmatch(r"(.*)(\{.*?\})(.*)", words).groups()  # type: ignore[union-attr]
    pattern = rf"{re.escape(before)}(-?[\d,.]*\d){re.escape(after)}"
    found = re.findall(pattern, flowing(ROOT / page))
    assert set(found) == {shape.format(FIGURES[name]["value"])}, words


def test_every_figure_says_what_gives_it_and_is_said_twice():
    for name, figure in FIGURES.items():
        assert {"value", "unit", "command", "n", "in"} <= set(figure), name
        assert len(figure["in"]) > 1, name


@pytest.mark.parametrize("model", SHIPPED)
def test_a_models_facts_are_those_of_its_checkpoint(model):
    network, spec = checkpoint.load(ROOT / "models" / f"{model}.pt")
    origin = checkpoint.load_origin(ROOT / "models" / f"{model}.pt")[1]
    card = flowing(ROOT / "models" / f"{model}.md")
    count = f"{sum(p.numel() for p in network.parameters()):,}"
    assert f"| parameters | {count} |" in card
    assert f"**{100 * origin['card']['accuracy']:.2f} %** on {origin['card']['n']:,} images" in card
    line = re.search(rf"^\| `{model}\.pt` \|.*$", (ROOT / "models" / "README.md").read_text(), re.M)
    assert line and count in line[0]
    devices = ", ".join(curve.name for curve in spec.layers[0].curves)
    assert line[0].endswith(f"| {devices} |") and f"devices {devices} |" in card
    name = f"{model.replace('-', '_')}_accuracy"
    if name in FIGURES:
        assert f"{100 * origin['card']['accuracy']:.2f}" == f"{FIGURES[name]['value']:.2f}"


def test_the_trim_sets_as_many_bias_cells_as_is_said():
    spec = checkpoint.load_spec(ROOT / "models" / "mnist-d2.pt")
    hardware, variation, conditions = load_settings("rram")
    design = build_design(spec, hardware)
    step = (hardware.g_max - hardware.g_min) / (hardware.levels - 1)

    def bias_cells(trim: str, chip: int) -> np.ndarray:
        how = replace(variation, trim=trim)
        drawn, _ = perturb(design, how, conditions, spec=spec, seed=0, sample=chip)
        return np.concatenate([s.g[s.shape[0] * s.shape[2] :].ravel() for s in drawn.stages])

    again, off = [], []
    for chip in range(5):
        cells = bias_cells("dark", chip)
        set_again = cells[cells != bias_cells("none", chip)]
        levels = (set_again - hardware.g_min) / step
        again.append(set_again.size)
        off.append(int((np.abs(levels - levels.round()) > 1e-6).sum()))
    said = f"{min(again)} to {max(again)} of its {cells.size:,} bias cells again, without error, "
    said += f"{min(off)} to {max(off)} of them off the levels (chips 0 to 4, seed 0;"
    assert said in flowing(DOCS / "not-modelled.md")


def test_the_page_on_physics_says_the_shipped_tables_ends():
    said = flowing(DOCS / "physics.md")
    for name in ("A21", "Z21", "Z15", "ZAZ21"):
        v = get(name).v
        assert v[0] == 0 and np.allclose(np.diff(v), 0.05)
        assert f"{v[-1]:g} V ({name})" in said


def test_only_the_measured_shipped_curve_is_called_measured():
    origins = {name: library.origin(name) for name in library.names()}
    assert {name for name in origins if origins[name] == "measured"} == {"AI301A"}
    assert set(origins.values()) == {"computed", "formula", "measured"}
    for page in PAGES:
        text = flowing(page)
        assert not re.search(r"functions are measured|devices?'s measured (range|curve)", text), (
            page
        )


# ---- names and options


def commands(group: Any = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands())
GROUPS = ("devices", "models")


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_json_and_an_example(name):
    command = COMMANDS[name]
    assert any("--json" in param.opts for param in command.params)
    assert re.search(rf"Examples?:\s.*analogkan {name}", command.help or "", re.DOTALL)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_default_in_words_is_the_default(name):
    for param in COMMANDS[name].params:
        if isinstance(param, click.Option) and param.help and isinstance(param.default, (int, str)):
            said = re.search(r"[Dd]efault:? (?:is )?([\w.]+)", param.help)
            if said and re.fullmatch(r"[\d.]+", said[1]):
                assert float(said[1]) == float(param.default), param.name


def test_help_names_all_that_ships():
    words = set(re.findall(r"[\w-]+", COMMANDS["train"].help or ""))
    assert set(RECIPES) | set(DATASETS) <= words
    completed = flowing(DOCS / "completion.md")
    data = ", ".join(f"`{name}`" for name in (*DATASETS, "*.npz", "*.csv"))
    assert f"| `--dataset` | {data} |" in completed
    for name in PRESETS:
        assert f"`{name}`" in flowing(DOCS / "virtual-chips.md"), name
    for name in RECIPES:
        assert f"recipes/{name}.toml" not in flowing(ROOT / "README.md")  # named, never by path


def typed(page: Path) -> Iterator[list[str]]:
    """The words of every analogkan command in a page's code, and in its text."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = "\n".join(code for _, code in blocks(page, "sh")).replace("\\\n", " ")
    lines = re.findall(r"^(analogkan [a-z].*)$", fenced, re.M)
    lines += re.findall(r"^    (analogkan [a-z].*)$", text, re.M)
    for code in re.findall(r"`(analogkan [a-z][^`]*)`", text):
        lines += code.split("&& ")
    for line in lines:
        words = shlex.split(re.sub(r"(^|\s)[<>].*$", "", line), comments=True)
        yield words[1:] if "..." not in words else words[1 : words.index("...")]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_commands_in_pages_have_these_options_and_names(page):
    own = re.findall(r'upto\([\d.]+, "(\w+)"', page.read_text(encoding="utf-8"))
    for words in typed(page):
        name = words[0] if words[0] in COMMANDS or words[0] not in GROUPS else " ".join(words[:2])
        if name == "COMMAND" or name not in COMMANDS:
            assert words[0] in GROUPS and len(words) == 1, words
            continue
        command, rest = COMMANDS[name], words[len(name.split()) :]
        given, _, _ = command.make_parser(click.Context(command)).parse_args(list(rest))
        for assignment in given.get("assignments") or []:
            assert assignment.partition("=")[0] in {*SETTINGS, *own}, words
        for kind, known in (("preset", PRESETS), ("recipe", RECIPES), ("dataset", DATASETS)):
            value = given.get(kind)
            ends = (".toml", ".npz", ".csv")
            assert value is None or value in known or value.endswith(ends), words


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_options_named_in_text_exist(page):
    known = {opt for command in COMMANDS.values() for p in command.params for opt in p.opts}
    known |= {"--help", "--version"}
    codes = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
    named = {word for code in codes for word in re.findall(r"^--[a-z_-]+", code)}
    assert named - known - KANALOGUES == set()


def test_the_page_on_virtual_chips_has_every_setting():
    page = flowing(DOCS / "virtual-chips.md")
    table = page.partition("## Settings")[2].partition("Presets:")[0]
    said = set(re.findall(r"`([a-z_0-9]+)`", table))
    first: str | None = None
    for cell in re.findall(r"\| ((?:`\w+`(?:, )?)+) \|", table):
        for word in re.findall(r"`(\w+)`", cell):
            first = first if word.startswith("_") else word
            said.add(f"{first.rsplit('_', 1)[0]}{word}" if word.startswith("_") and first else word)
    wanted = {field.name for kind in (Variation, Conditions) for field in fields(kind)}
    assert wanted - said == set()


def test_the_presets_are_what_is_said_of_them():
    hardware, v, _ = load_settings("rram")
    pairs = 2 * hardware.levels - 1  # one of a pair is at g_min
    said = (
        f"({np.ceil(np.log2(pairs)):.0f}-bit pairs, {100 * v.sigma_g:g} % of each cell's own "
        f"conductance, diodes {100 * v.diode_sigma_current:g} % in current and "
        f"{100 * v.diode_sigma_voltage:g} % in voltage, {1e3 * v.offset_sigma:g} mV offsets, "
        f"{100 * v.line_sigma:g} % line mismatch, {v.trim} trim)"
    )
    assert said in flowing(DOCS / "virtual-chips.md")


NOMINAL, IDEAL = load_settings("nominal")[0], load_settings("ideal")[0]
OPTIONS = {f"{name} {p.opts[0]}": p for name, c in COMMANDS.items() for p in c.params}
FROM_CODE = [
    ("docs/results.md", "`nominal` op-amps have gain {}, `ideal` ones {}",
     [f"{hw.opamp_gain_used:.0e}".replace("+0", "") for hw in (NOMINAL, IDEAL)]),
    ("docs/physics.md", "`headroom` ({})", (NOMINAL.headroom,)),
    ("docs/squash-and-norm.md", "(`r_out`, {:g} ohm assumed)", (NOMINAL.r_out,)),
    ("docs/squash-and-norm.md", "| BF {:g}, VAF {:g} (default) | gain {} (default) |",
     (NOMINAL.npn_bf, NOMINAL.npn_vaf, "1e5")),
    ("docs/wires.md", "(copper, {})", (f"{NOMINAL.wire_tc1:.1e}".replace("e-0", "e-"),)),
    ("docs/wires.md", "inside a {0} x {0} tile", (NOMINAL.tile_rows,)),
    ("docs/virtual-chips.md", "of everything alike; {} by default", (Conditions().temp_c,)),
    ("docs/virtual-chips.md", "`--judge {}`", (OPTIONS["montecarlo --judge"].default,)),
    ("docs/own-devices.md", "within `--tolerance` ({}) of the peak", (knots.TOLERANCE,)),
    ("docs/own-devices.md", "Sweeps of the same, at most {} voltages", (knots.FEW,)),
    ("docs/own-devices.md", "`--g-d-sigma` ({}, relative, assumed)", (falling.SIGMA,)),
    ("docs/own-devices.md", "of at most {:.0f} MB and {:,} lines",
     (reading.MAX_BYTES / 1e6, table.MAX_LINES)),
    ("docs/own-devices.md", "is above {:g} A or below {:g} pA or a voltage above {:g} V",
     (limits.USUAL_PEAK[1], 1e12 * limits.USUAL_PEAK[0], limits.USUAL_VOLTS)),
    ("docs/own-devices.md", "Of the {} shipped ones four were computed",
     ({7: "seven"}[len(library.names())],)),
    ("docs/calibration.md", "(up to {} training images", (vectors.CALIBRATION_IMAGES,)),
    ("docs/virtual-chips.md", "at most {} of the BUILD's calibration images",
     (vectors.CALIBRATION_IMAGES,)),
    ("docs/sweeps.md", "Above {:,} circuits the command", (MANY,)),
    ("docs/report.md", "({:.0f} at most)", (MOST_BYTES / 1e6,)),
]  # fmt: skip


@pytest.mark.parametrize(("page", "words", "values"), FROM_CODE)
def test_a_default_or_limit_in_a_page_is_the_codes(page, words, values):
    assert words.format(*values) in flowing(ROOT / page)


def test_the_table_of_results_keys_is_of_keys_that_results_have(ngspice, tmp_path):
    found = json.loads(made_result("simulate", tmp_path).read_text(encoding="utf-8"))
    page = (DOCS / "main-path.md").read_text(encoding="utf-8")
    keys = page.partition("`RUN/result.json`")[2].partition("`RUN/result.npz`")[0]
    rows = [line.split("|")[1] for line in keys.splitlines() if line.startswith("| `")]
    said = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert said <= set(found)


def test_code_lines_are_neither_docstrings_nor_comments():
    from scripts.count_lines import code_lines

    text = '"""Said."""\n\nx = """a\nb"""  # why\n# so\n\n\ndef f():\n    """Twice\n    said."""\n'
    text += "    return (\n        x\n    )\n"
    assert code_lines(text) == 6
