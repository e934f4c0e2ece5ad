"""The Python of the package: names, what each takes and refuses, results, and its examples."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import os
import pkgutil
import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from re import escape
from typing import Any

import click
import numpy as np
import pytest
from matplotlib.figure import Figure as MplFigure

import analogkan as ak
from analogkan.api import progress
from analogkan.cli import COMMANDS, main
from analogkan.compiler.build import Build, load_build
from analogkan.engines.chunked import BatchOptions
from analogkan.errors import AnalogKanError, DataError, SettingsError, StudyError
from analogkan.imperfections import load_settings
from analogkan.objects import MOST_LINES, Described
from analogkan.studies.options import StudyOptions
from analogkan.tables import table_of

NAMES = sorted(set(dir(ak)) - {"__version__", "cells", "devices", "imperfections"})
DEVICES = sorted(set(ak.devices.__all__) - {"get"})
PUBLIC = {name: getattr(ak, name) for name in NAMES} | {
    f"devices.{name}": getattr(ak.devices, name) for name in DEVICES
}


@pytest.fixture(scope="module")
def home(ngspice, tmp_path_factory) -> Path:
    """A folder with the BUILD that examples use."""
    folder = tmp_path_factory.mktemp("python")
    ak.compile("mnist-d2", folder / "mnist-d2.build")
    return folder


@pytest.fixture
def here(home) -> Iterator[Path]:
    """That folder, as the current one."""
    before = Path.cwd()
    os.chdir(home)
    yield home
    os.chdir(before)


@pytest.fixture(scope="module")
def images() -> ak.ImageSet:
    return ak.load_bundled()


@pytest.fixture(scope="module")
def results(home, images) -> dict[str, Any]:
    """A small one of each kind."""
    build = ak.load_build(home / "mnist-d2.build")
    few, given = images[:20], {"judge": "none"}
    return {
        "simulate": ak.simulate(build, few),
        "software": ak.simulate(build, few, engine="software"),
        "trace": ak.trace(build, images[7]),
        "montecarlo": ak.montecarlo(build, few, samples=3, variation={"sigma_g": 0.1}, **given),
        "thermal": ak.thermal(build, few, temps=[-40, 85], **given),
        "datasheet": ak.datasheet(build, few, **given),
        "plan": ak.plan(build, few, tries=3, samples=2, loss=20, **given),
        "corners": ak.corners(build, few, worst=1, **given),
        "sweep": ak.sweep(build, few, axes={"sigma_g": [0, 0.1]}, samples=2, **given),
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_of_each_public_name_runs(here, own_plugins, name):
    found = doctest.DocTestFinder(recurse=False).find(
        PUBLIC[name], name, globs={"ak": ak, "np": np}
    )
    # Python 3.13 takes a docstring's indentation away.
    assert "\nExamples\n--------\n" in (inspect.getdoc(PUBLIC[name]) or "")
    assert [len(one.examples) > 0 for one in found] == [True]
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(found[0], out=said.append).failed == 0, "".join(said)


def test_no_submodule_takes_a_public_name():
    for module in pkgutil.walk_packages(ak.__path__, "analogkan."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in NAMES:
        assert getattr(ak, name) is PUBLIC[name]
        assert importlib.util.find_spec(f"analogkan.{name}") is None
    for name in DEVICES:
        assert getattr(ak.devices, name) is PUBLIC[f"devices.{name}"]
        assert importlib.util.find_spec(f"analogkan.devices.{name}") is None
    with pytest.raises(AttributeError, match="module 'analogkan' has no attribute 'report_page'"):
        ak.report_page  # noqa: B018


VERBS = {
    "models convert": ak.convert,
    "models explain": ak.explain,
    "compile": ak.compile,
    "verify": ak.verify,
    "simulate": ak.simulate,
    "montecarlo": ak.montecarlo,
    "thermal": ak.thermal,
    "datasheet": ak.datasheet,
    "plan": ak.plan,
    "corners": ak.corners,
    "sensitivity": ak.sensitivity,
    "sweep": ak.sweep,
    "train": ak.train,
    "board": ak.write_board,
    "report": ak.write_report,
    "paper": ak.reproduce,
}
"""Commands and the functions that do the same."""
IMAGES = {"dataset", "data", "download", "subset"}
ELSEWHERE = {
    "json": "what is returned",
    "fail_under": "an exit code",
    "fail_outside": "an exit code",
    "plot": "plot()",
    "set": "hardware, variation, conditions and axes",
    "yes": "nobody is asked",
    "no_verify": "verify",
    "from": "start: `from` is a word of Python's",
    "variation": "preset",
    "trace": "a function of its own",
    "analysis": "a function of its own",
    "image": "an image set's part",
    "plugin": "load_plugin",
    "output": "out",
    "markdown": "the ending of out",
}


@pytest.mark.parametrize("command", VERBS)
def test_an_option_of_the_command_line_is_a_keyword_of_that_name(command):
    takes = set(inspect.signature(VERBS[command]).parameters)
    if command == "board":
        takes |= set(inspect.signature(ak.compare).parameters)
    known: click.Command | None = main
    for word in command.split():
        assert isinstance(known, click.Group)
        known = known.get_command(click.Context(known), word)
    assert known is not None
    for option in known.params:
        if isinstance(option, click.Option):
            names = {word.lstrip("-").replace("-", "_") for word in option.opts}
            missing = names.isdisjoint(takes | set(ELSEWHERE))
            assert not missing or ("images" in takes and names <= IMAGES), option.opts


def test_the_commands_without_a_function_are_these():
    assert set(COMMANDS) - set(VERBS) == {"doctor", "demo", "devices", "models"}


def test_internal_keywords_are_in_no_public_signature():
    for name, public in PUBLIC.items():
        if inspect.isfunction(public) and public.__module__.startswith("analogkan.api"):
            takes = inspect.signature(public).parameters
            inner = {"command", "on_circuit", "on_progress", "settings", "options"}
            assert inner.isdisjoint(takes), name


def test_images_are_chosen_as_from_an_array(images):
    assert images[:200].said == "bundled, images 0 to 199 of 1,000"
    assert images[:].said == images.said
    mask = images.y == 7
    np.testing.assert_array_equal(images[mask].index, images.index[mask])
    assert images[7].facts() == images.take([7]).facts()
    assert images[-1].index == images.index[-1:]
    assert images[[3, 1]].index.tolist() == [3, 1]
    assert [one.y[0] for one in images[:3]] == images.y[:3].tolist()
    assert len(images[5:5]) == 0
    with pytest.raises(
        DataError,
        match=r"^1000 chooses none of 1,000 images \(index 1000 is out of bounds for axis 0 with "
        r"size 1000\): give a position from 0 to 999, a slice, positions, or a mask$",
    ):
        images[1000]


def test_tables_have_columns_of_one_length(results):
    heights = {name: result.table().height for name, result in results.items()}
    assert heights == {
        "simulate": 20, "software": 20, "trace": 8, "montecarlo": 3, "thermal": 2, "sweep": 3,
        "datasheet": 1, "plan": 30, "corners": 22,
    }  # fmt: skip
    for result in results.values():
        assert {column.shape for column in result.table().values()} == {(result.table().height,)}
    table = results["simulate"].table()
    assert (table["circuit"] == table["label"]).mean() == results["simulate"].summary[
        "circuit_accuracy"
    ]
    np.testing.assert_array_equal(results["thermal"].table()["temp_c"], [-40, 85])


def test_rows_of_a_sweep_have_their_axes_values(results, home, images):
    table = results["sweep"].table()
    assert next(iter(table)) == "sigma_g"
    np.testing.assert_array_equal(table["sigma_g"], [0, 0.1, 0.1])
    np.testing.assert_array_equal(table["sample"], [np.nan, 0, 1])
    faults = ak.sweep(home / "mnist-d2.build", images[:5], grid="faults", samples=1, judge="none")
    table = faults.table()
    assert set(table["fault"]) > {"none", "stuck_min", "open_lines"}
    assert table["rate"].max() == 0.1


def test_a_table_becomes_a_frame_where_there_is_pandas(results, monkeypatch):
    table = results["sweep"].table()
    monkeypatch.setitem(sys.modules, "pandas", None)
    wanted = (
        r"^pandas cannot be imported \(.*\): `pip install pandas`, or take table\(\), a dictionary "
        r"of arrays$"
    )
    with pytest.raises(AnalogKanError, match=wanted):
        results["sweep"].to_frame()
    pandas = types.ModuleType("pandas")
    pandas.DataFrame = lambda columns: ("frame", columns)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    kind, columns = results["sweep"].to_frame()
    assert kind == "frame"
    assert list(columns) == list(table)


def test_a_column_of_numbers_is_one_of_numbers():
    table = table_of([{"a": 1, "b": 2.5, "c": "x"}, {"a": 2, "b": None, "d": None}])
    assert table["a"].dtype.kind == "i"
    np.testing.assert_array_equal(table["b"], [2.5, np.nan])
    assert table["c"].tolist() == ["x", ""]
    assert np.isnan(table["d"]).all()
    assert repr(table).splitlines()[-1] == "2 rows, 4 columns"


def test_what_is_shown_has_at_most_ten_lines(results, home, images):
    build = ak.load_build(home / "mnist-d2.build")
    shown = [*results.values(), *(result.table() for result in results.values())]
    shown += [build, build.spec, build.design, images, ak.devices.load("A21"), ak.verify(build)]
    for one in shown:
        assert len(repr(one).splitlines()) <= MOST_LINES
        assert max(map(len, repr(one).splitlines())) < 200
        assert "<table>" in one._repr_html_()
    assert repr(results["simulate"]).splitlines()[0] == (
        "Simulation of mnist-d2 on bundled, images 0 to 19 of 1,000"
    )
    assert "\n  software       100.00 %\n" in repr(results["montecarlo"])


def test_a_figure_of_the_paper_has_its_rows_and_its_picture(tmp_path):
    found = ak.reproduce("fig4", tmp_path / "paper.run")
    assert found.table().height == len(found.summary["rows"]) > 0
    assert found.plot().axes
    assert repr(found).startswith("Reproduced fig4: ")


def test_html_does_not_believe_a_name():
    class Odd(Described):
        def _described(self):
            return "<b>", [("a<", "b>")]

    assert "&lt;b&gt;" in Odd()._repr_html_()
    assert "a&lt;" in Odd()._repr_html_()


def test_a_result_draws_its_picture(results):
    for name in ("simulate", "montecarlo", "thermal", "sweep"):
        assert results[name].plot().axes
    with pytest.raises(
        StudyError,
        match=r"^a simulation with engine = software has no circuit to plot: simulate with engine "
        "ngspice$",
    ):
        results["software"].plot()
    with pytest.raises(StudyError, match=r"^a trace has no picture: table\(\) has its rows$"):
        results["trace"].plot()


def test_a_picture_of_one_axes_is_drawn_in_somebodys(results):
    figure = MplFigure()
    left, right = figure.subplots(1, 2)
    assert results["montecarlo"].plot(ax=left) is results["sweep"].plot(right) is figure
    assert figure.axes == [left, right] and not figure.legends
    assert left.patches and left.get_legend() and right.lines
    for name in ("simulate", "thermal"):
        with pytest.raises(
            StudyError,
            match=r"^picture '[a-z]+' has several axes, and ax is one: plot\(\) without ax makes a "
            "figure$",
        ):
            results[name].plot(ax=left)
    sentence = "ax = 3 is of type int: give a matplotlib Axes, as plt.subplots() gives"
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        results["montecarlo"].plot(ax=3)
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        ak.plot_devices("A21", ax=3)
    other = MplFigure().subplots()
    assert ak.plot_devices("A21,Z21", ax=other) is other.figure and len(other.lines) == 2


def test_a_report_takes_results_and_folders(results, tmp_path):
    chips, software = results["montecarlo"], results["software"]
    both = ak.write_report([chips, results["simulate"].run], tmp_path / "both.html")
    one = ak.write_report(chips.run, tmp_path / "one.html")
    assert set(one["sections"]) < set(both["sections"])
    with pytest.raises(
        StudyError,
        match=r"^a simulation with engine = software keeps no RUN: simulate with engine ngspice$",
    ):
        ak.write_report(software, tmp_path / "none.html")


def test_settings_are_the_same_however_they_are_given(home, images):
    build = home / "mnist-d2.build"
    rram = ak.load_preset("rram")
    made = rram._replace(variation=ak.Variation(sigma_g=0.07))

    def settings(**given: Any) -> dict[str, Any]:
        found = ak.montecarlo(build, images[:3], samples=1, judge="none", **given)
        return found.summary["settings"]

    assert settings() == settings(preset="rram") == settings(preset=rram)
    assert settings(preset=made) == settings(preset="rram", variation=made.variation)
    own = settings(variation=ak.Variation(sigma_g=0.07), hardware={"levels": np.int64(16)})
    assert own["hardware"] == settings(preset="nominal", hardware={"levels": 16})["hardware"]
    assert own["variation"]["sigma_g"] == 0.07
    assert own["variation"]["diode_sigma_current"] == 0
    hot = settings(variation={"sigma_g": "7%"}, conditions=ak.Conditions(temp_c=85))
    assert (hot["variation"]["sigma_g"], hot["conditions"]["temp_c"]) == (0.07, 85)
    assert settings(variation="rram")["variation"] == settings()["variation"]


def test_a_grid_starts_from_a_preset_by_name_or_object(home, images):
    given = {"axes": {"levels": [4, 8]}, "samples": 2, "judge": "none"}
    build, few = home / "mnist-d2.build", images[:5]
    named = ak.sweep(build, few, preset="rram", **given)
    made = ak.sweep(build, few, preset=ak.load_preset("rram"), **given)
    table = made.table()
    np.testing.assert_array_equal(table["levels"], [4, 4, 8, 8])
    np.testing.assert_array_equal(table["rms_logit_error"], named.table()["rms_logit_error"])
    with pytest.raises(SettingsError, match=r"^--set levels is given twice: "):
        ak.sweep(build, few, hardware={"levels": 16}, **given)


def test_a_network_in_memory_compiles_as_its_checkpoint_does(home, tmp_path, images):
    from analogkan import resources
    from analogkan.network import checkpoint

    stored = ak.load_build(home / "mnist-d2.build")
    model, spec = checkpoint.load(resources.path("models/mnist-d2.pt"))
    build = ak.compile(spec, tmp_path / "spec.build")
    assert build.spec.fingerprint() == stored.spec.fingerprint()
    assert (build.folder / "layer0.cir").read_bytes() == (stored.folder / "layer0.cir").read_bytes()
    built = ak.compile(model, tmp_path / "net.build", encoding=spec.encoding, calibrate=images[:50])
    assert (built.spec.name, built.spec.sizes) == ("net", spec.sizes)
    assert built.verification is not None and built.verification.ok
    with pytest.raises(AnalogKanError, match=r"^a TDKAN in memory has no name: say where its "):
        ak.compile(model, encoding=spec.encoding)
    with pytest.raises(SettingsError, match=r"^encoding = None is of type NoneType: give an Enc"):
        ak.compile(model, tmp_path / "other.build")


def test_without_a_folder_it_is_said_which(ngspice, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert ak.compile("mnist-d2", verify=False).folder == Path("mnist-d2.build")
    assert capsys.readouterr().out == "compiled into mnist-d2.build\n"
    ak.compile("mnist-d2", verify=False, progress=False)
    assert capsys.readouterr().out == ""


BUILD = "mnist-d2.build"
WRONG = {
    "no build": (
        lambda i: ak.simulate(3, i),  # type: ignore[arg-type]
        "build = 3 is of type int: give a BUILD's folder, or what compile returns",
    ),
    "no images": (
        lambda i: ak.simulate(BUILD, i.x),  # type: ignore[arg-type]
        "is of type ndarray: give an ImageSet, such as load_bundled() or load_dataset('own.npz', "
        "'test')",
    ),
    "no count": (
        lambda i: ak.montecarlo(BUILD, i, samples="50"),  # type: ignore[arg-type]
        "samples = '50' is of type str: give a whole number",
    ),
    "a truth value": (
        lambda i: ak.montecarlo(BUILD, i, samples=True),
        "samples = True is of type bool: give a whole number",
    ),
    "no number": (
        lambda i: ak.montecarlo(BUILD, i, samples=1, temp="hot"),  # type: ignore[arg-type]
        "temp = 'hot' is of type str: give a number",
    ),
    "no engine": (
        lambda i: ak.simulate(BUILD, i, engine="spice"),
        "engine = 'spice' is none of ngspice, vacask, neospice, software",
    ),
    "no path": (
        lambda i: ak.simulate(BUILD, i, out=3),  # type: ignore[arg-type]
        "out = 3 is of type int: give a path",
    ),
    "no variation": (
        lambda i: ak.montecarlo(BUILD, i, samples=1, variation=0.1),  # type: ignore[arg-type]
        "variation = 0.1 is of type float: give a Variation, a preset's name, or its entries, "
        "{'name': value}",
    ),
    "another table": (
        lambda i: ak.montecarlo(BUILD, i, samples=1, hardware={"sigma_g": 0.1}),
        "hardware has no sigma_g, variation has: variation={'sigma_g': ...}",
    ),
    "no setting": (
        lambda i: ak.montecarlo(BUILD, i, samples=1, hardware={"level": 8}),
        "hardware: unknown setting 'level', did you mean levels?",
    ),
    "no limit": (
        lambda i: ak.montecarlo(BUILD, i, samples=1, yield_at=[0.5]),  # type: ignore[arg-type]
        "yield_at = [0.5] is of type list: give a number, or a text with a unit",
    ),
    "no value": (
        lambda i: ak.montecarlo(BUILD, i, samples=1, hardware={"levels": 8.5}),
        "hardware: levels = 8.5 is not a whole number",
    ),
    "out of range": (
        lambda i: ak.montecarlo(BUILD, i, samples=1, variation={"sigma_g": 2}),
        "sigma_g = 2.0 is out of range: 0 to 1",
    ),
    "no preset": (
        lambda i: ak.montecarlo(BUILD, i, samples=1, preset=7),  # type: ignore[arg-type]
        "preset = 7 is of type int: give a preset's name, the path of a TOML file, or a Preset",
    ),
    "no axes": (
        lambda i: ak.sweep(BUILD, i, axes=["sigma_g"]),  # type: ignore[arg-type]
        "axes = ['sigma_g'] is of type list: give settings and their values, {'sigma_g': [0, "
        "0.05]}",
    ),
    "a short axis": (
        lambda i: ak.sweep(BUILD, i, axes={"sigma_g": [0.1]}),
        "axes['sigma_g'] has 1 values: an axis has two or more; what holds everywhere goes into "
        "hardware=, variation= or conditions=",
    ),
    "no axis": (
        lambda i: ak.sweep(BUILD, i, axes={"sigma": [0, 0.1]}),
        "axes: unknown setting 'sigma'",
    ),
    "no temperatures": (
        lambda i: ak.thermal(BUILD, i, temps=85),  # type: ignore[arg-type]
        "temps = 85 is of type int: give degrees Celsius, [-40, 85], or LO:HI:STEP",
    ),
    "no chip": (
        lambda i: ak.train("mnist", "a.pt", recipe="mnist-d2", chip="b.build:7"),  # type: ignore[arg-type]
        "chip = 'b.build:7' is of type str: give a BUILD and a number, ('mnist.build', 7)",
    ),
    "no recipe": (
        lambda i: ak.train("mnist", "a.pt"),
        "recipe is missing: how to train, such as recipe='mnist-d2-short'",
    ),
    "no device": (
        lambda i: ak.devices.load(3),  # type: ignore[arg-type]
        "device = 3 is of type int: give a device's name, a .toml file, or an IVCurve",
    ),
    "no sweeps": (
        lambda i: ak.devices.measure(3),  # type: ignore[arg-type]
        "files = 3 is of type int: give CSV files, ['d1.csv', 'd2.csv']",
    ),
    "no experiment": (
        lambda i: ak.reproduce("table2"),
        "name = 'table2' is unknown, did you mean table1? Known: ",
    ),
    "an option without meaning": (
        lambda i: ak.reproduce("fig3", seeds=2),
        "seeds has no meaning for fig3: nothing is trained",
    ),
    "circuits of a seed": (
        lambda i: ak.reproduce("circuits", seeds=2),
        "seeds = 2: circuits are of seed 0 alone",
    ),
    "no runs": (
        lambda i: ak.write_report(3, "a.html"),
        "runs = 3 is of type int: give results, or the folders of RUNs",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_type_is_refused_with_a_sentence(here, images, case):
    call, sentence = WRONG[case]
    with pytest.raises(SettingsError, match=escape(sentence)):
        call(images[:5])


def test_a_trace_is_of_one_image(home, images):
    with pytest.raises(
        DataError, match=r"^a trace is of one image, and here are 2: give images\[0\], say$"
    ):
        ak.trace(home / "mnist-d2.build", images[:2])


OLD = {
    "BatchOptions": BatchOptions,
    "HeldBuild": Build,
    "StudyOptions": StudyOptions,
    "compile_model": importlib.import_module("analogkan.api.making").compile_model,
    "convert_model": importlib.import_module("analogkan.api.making").convert_model,
    "load_circuit": load_build,
    "load_settings": load_settings,
    "verify_build": importlib.import_module("analogkan.compiler.verify").verify_build,
    "verify_circuit": importlib.import_module("analogkan.compiler.verify").verify_build,
}


@pytest.mark.parametrize("name", OLD)
def test_an_old_name_warns_and_is_what_it_was(name):
    sentence = f"^analogkan.{name} is an old name, which the next version will not have: "
    with pytest.warns(DeprecationWarning, match=sentence) as said:
        assert getattr(ak, name) is OLD[name]
    assert said[0].filename == __file__


def test_old_keywords_warn_and_give_the_same(home, images, tmp_path):
    build, few = ak.load_build(home / "mnist-d2.build"), images[:5]
    shutil.copytree(build.folder, tmp_path / "a.build")
    build = ak.load_build(tmp_path / "a.build")
    new = ak.simulate(build, few, jobs=2)
    old = warned(ak.simulate, build, few, options=BatchOptions(jobs=2))
    np.testing.assert_array_equal(old.circuit, new.circuit)
    assert type(old) is type(new)

    given = {"options": StudyOptions(judge="none")}
    new = ak.montecarlo(build, few, samples=2, variation={"sigma_g": 0.1}, judge="none")
    old = warned(ak.montecarlo, build, few, samples=2, settings=["sigma_g=0.1"], **given)
    assert (old.rows, old.run) == (new.rows, new.run)
    new = ak.thermal(build, few, temps=[0], judge="none")
    assert warned(ak.thermal, build, few, temps_c=[0], **given).rows == new.rows
    new = ak.sweep(build, few, axes={"levels": [4, 8]}, judge="none")
    old = warned(ak.sweep, build, few, settings=["levels=4,8"], **given)
    assert (old.summary["cells"], old.run) == (new.summary["cells"], new.run)


def warned(study: Any, *args: Any, **old: Any) -> Any:
    """What ``study`` gives, having warned of each old keyword, and told what is new."""
    with pytest.warns(DeprecationWarning) as said:
        found = study(*args, **old)
    new = {"options": "jobs=2", "settings": "variation=", "temps_c": "temps="}
    told = [str(one.message) for one in said]
    for name in set(old) & set(new):
        (sentence,) = (text for text in told if text.startswith(f"{study.__name__}({name}=...) "))
        assert f"({name}=...) is an old name, which the next version will not have: " in sentence
        assert new[name] in sentence
    assert {one.filename for one in said} == {__file__}
    return found


def test_progress_in_a_notebook_is_a_bar_that_goes(monkeypatch):
    shown: list[Any] = []

    class Handle:
        def update(self, data, raw):
            shown.append(data["text/plain"])

    def display(data, raw, display_id):
        shown.append(data["text/html"])
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(progress, "notebook", object)
    with progress.shown_progress(True) as on_progress:
        for done in range(3):
            on_progress("twin: <chips>", done, 2)
    assert shown == [
        '<progress value="0" max="2"></progress> twin: &lt;chips&gt;: 0 of 2',
        "twin: <chips>: 2 of 2",
        "",
    ]
    with progress.shown_progress(False) as on_progress:
        on_progress("chips", 1, 2)
    assert len(shown) == 3


def test_progress_on_a_terminal_is_a_bar(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    for wanted in (True, False):
        with progress.shown_progress(wanted) as on_progress:
            on_progress("twin: chips", 2, 2)
        assert ("twin: chips" in capsys.readouterr().err) is wanted


FLAGS = {
    "montecarlo": ("calibrate", "two_point", "resume", "progress"),
    "thermal": ("resume", "progress"),
    "sweep": ("resume", "progress"),
    "datasheet": ("resume", "progress"),
    "plan": ("resume", "progress"),
    "corners": ("resume", "progress"),
    "sensitivity": ("resume", "progress"),
    "simulate": ("descending", "session", "alone", "allow_edited", "progress"),
    "analyse": ("allow_edited",),
    "compile": ("odd", "symbol", "refer", "verify", "force", "progress"),
    "convert": ("beyond_measured", "distil"),
    "train": ("download", "progress"),
    "reproduce": ("download", "quick", "progress"),
    "load_dataset": ("download",),
    "verify": ("progress",),
    "trace": ("allow_edited",),
    "devices.measure": ("negate", "force", "static"),
    "write_board": ("progress",),
    "compare": ("progress",),
    "characterise": ("progress",),
    "tabulate": ("force",),
}


def test_every_flag_is_among_those_below():
    for name, function in PUBLIC.items():
        if inspect.isfunction(function):
            found = inspect.signature(function).parameters.values()
            flags = {one.name for one in found if str(one.annotation).strip("'") == "bool"}
            assert flags == set(FLAGS.get(name, ())), name


@pytest.mark.parametrize(("name", "flag"), [(n, f) for n, flags in FLAGS.items() for f in flags])
def test_a_flag_is_true_or_false(here, images, name, flag):
    """A text is true, whatever it says."""
    np.savez("flags.npz", x=np.arange(40).reshape(20, 2), y=np.arange(20) % 2)
    given: dict[str, Any] = {
        "montecarlo": {"build": "mnist-d2.build", "images": images[:2], "samples": 1},
        "analyse": {"build": "mnist-d2.build", "image": images[0], "name": "trace"},
        "trace": {"build": "mnist-d2.build", "image": images[0]},
        "verify": {"build": "mnist-d2.build"},
        "write_board": {"build": "mnist-d2.build"},
        "compare": {"build": "mnist-d2.build", "measured": "m.csv"},
        "devices.measure": {"files": "d1.csv"},
        "characterise": {"opamp": "two_stage_level1"},
        "tabulate": {"model": "esaki"},
        "compile": {"model": "mnist-d2", "out": "flags.build"},
        "convert": {
            "source": "x", "out": "y.pt", "devices": "A21", "basis_fit": "pwl", "squash": "none",
        },
        "train": {"dataset": "flags.npz", "out": "flags.pt", "recipe": "plain-d2"},
        "reproduce": {"name": "fig3"},
        "load_dataset": {"name": "mnist", "split": "test"},
    }.get(name, {"build": "mnist-d2.build", "images": images[:2]})  # fmt: skip
    with pytest.raises(SettingsError, match=f"{flag} = 'no' is of type str: give True or False"):
        PUBLIC[name](**given, **{flag: "no"})
    assert not Path("flags.build").exists() and not Path("flags.pt").exists()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda i: ak.Variation(sigma_g="x"), "sigma_g = 'x' is of type str: give a number"),
        (lambda i: ak.Hardware(levels=2.5), "levels = 2.5 is of type float: give a whole number"),
        (lambda i: ak.Hardware(opamp=5), "opamp = 5 is of type int: give a text"),
        (lambda i: ak.Conditions(temp_c=True), "temp_c = True is of type bool: give a number"),
        (lambda i: ak.imperfections.register(5), "imperfection = 5 is of type int: give an Imp"),
        (lambda i: ak.cells.register(5), "kind = 5 is of type int: give a CellKind"),
        (lambda i: ak.by_class(5, 5), "images = 5 is of type int: give an ImageSet"),
        (lambda i: ak.by_class(i, "5"), "n = '5' is of type str: give a whole number"),
        (lambda i: ak.by_class(i, 5, seed=-1), "seed = -1 is out of range: 0 or more"),
        (lambda i: ak.load_dataset("mnist", "tst"), "split = 'tst' is out of range: train or test"),
    ],
)
def test_what_is_not_of_its_type_is_no_setting_and_no_choice(images, make, why):
    with pytest.raises(SettingsError, match=escape(why)):
        make(images)


def test_numbers_of_numpy_are_settings():
    assert ak.Hardware(levels=np.int64(4)).levels == 4
    assert ak.Variation(sigma_g=np.float32(0.5)) == ak.Variation(sigma_g=0.5)


def test_what_is_refused_is_told_in_one_line(here):
    build = ak.load_build("mnist-d2.build")
    with pytest.raises(SettingsError, match=r"^model = Build .* is of type Build: give .*$"):
        ak.compile(build)


def test_an_axis_more_chooses_no_images(images):
    with pytest.raises(DataError, match=escape("None chooses none of 1,000 images (2 axes)")):
        images[None]


def test_chips_of_no_preset_say_so(here, images):
    chips = ak.montecarlo(
        "mnist-d2.build", images[:2], samples=1, variation=ak.Variation(sigma_g=0.05), judge="none"
    )
    assert "1 chip (no preset) on" in repr(chips)
