"""What every study has by being declared, and what is wrong with a declaration is said."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan.cli import main
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.errors import SettingsError, StudyError
from analogkan.objects import MOST_LINES
from analogkan.report.runs import read_runs
from analogkan.schema import Number
from analogkan.studies import registry
from analogkan.studies.bench import Bench
from analogkan.studies.options import StudyOptions
from analogkan.studies.result import CHIPS
from analogkan.studies.study import Option, Plan, Study

from .networks import random_images, random_npz, random_spec
from .outside.levels import STUDY, Levels

NAMES = (*registry.BUILT_IN, STUDY.name)
OF_CIRCUITS = [name for name in NAMES if name not in ("plan", "sensitivity")]
"""Those whose rows are circuits' answers: a candidate of a plan has chips of its own, and of chips
by which causes are told apart scores are kept."""
SMALL: dict[str, list[str]] = {
    "montecarlo": ["--samples", "3"],
    "thermal": ["--temps", "0,60"],
    "sweep": ["--set", "sigma_g=0,0.1", "--samples", "2"],
    "datasheet": ["--temps", "0,60"],
    "corners": ["--worst", "1", "--set", "trim=none"],
}
"""Options by which a study has few points; others have few as they are."""


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The study from outside is known."""
    registry.register(STUDY)
    yield
    registry.unregister(STUDY)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("declared")
    write_build(random_spec(1), Hardware(), folder / "net.build")
    random_npz(folder / "data.npz")
    return folder


def words(name: str, home, *more: object) -> list[str]:
    given = [name, home / "net.build", "--dataset", home / "data.npz", "--judge", "none"]
    return [str(word) for word in (*given, *SMALL.get(name, []), *more)]


def cli(given: list[str]) -> str:
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("name", NAMES)
def test_help_names_every_option_and_has_an_example(name):
    text = cli([name, "--help"])
    study = registry.study(name)
    for option in study.options:
        assert f"--{option.public.replace('_', '-')}" in text
    assert f"analogkan {name} " in text
    assert re.search(rf"^  {name} +{re.escape(study.short[:30])}", cli(["--help"]), re.MULTILINE)


@pytest.mark.parametrize("name", OF_CIRCUITS)
def test_a_run_is_interrupted_resumed_read_back_and_reported(name, home, tmp_path, monkeypatch):
    run, whole, evaluate = tmp_path / "run", tmp_path / "whole", Bench.evaluate
    left, picture = [1], registry.study(name).picture or f"{name}.png"

    def once(bench: Bench, point: Any) -> Any:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return evaluate(bench, point)

    monkeypatch.setattr(Bench, "evaluate", once)
    result = CliRunner().invoke(main, words(name, home, "--out", run, "--jobs", 1))
    assert "interrupted: the same command goes on with what is left" in result.output
    seen: list[Any] = []
    monkeypatch.setattr(Bench, "evaluate", lambda b, p: seen.append(p) or evaluate(b, p))
    printed = cli(words(name, home, "--out", run, "--resume"))
    told = json.loads(cli(words(name, home, "--out", whole, "--json")))
    assert told == json.loads((whole / "result.json").read_text())
    lines = [(at / CHIPS).read_text().splitlines() for at in (run, whole)]
    cut = [[line.rpartition(",")[0] for line in one] for one in lines]
    assert cut[0] == cut[1] and len(seen) == 2 * len(lines[0]) - 3
    assert f"kept in {run}" in printed and (run / picture).is_file()
    (found,) = read_runs([run])
    again = found.result
    assert again.to_document() == json.loads((run / "result.json").read_text())
    listing = again.facts()
    assert {len(row) for row in listing.rows} == {len(listing.columns)}
    for row in listing.rows:
        assert row[-1].strip() in printed
    page = ak.write_report(run, tmp_path / "r.html", build=home / "net.build")
    assert page["sections"][-1] == again.heading
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert all(f'id="figure-{figure.name}"' in text for figure in again.figures())


@pytest.mark.parametrize("name", OF_CIRCUITS)
def test_python_has_the_study_with_the_options_of_its_declaration(name, home, tmp_path):
    study, function = registry.study(name), getattr(ak, name)
    taken = inspect.signature(function).parameters
    for option in study.options:
        if option.name == "preset":
            continue
        default = taken[option.public].default
        assert default is inspect.Parameter.empty or study_default(option, default), option.name
    given = {"montecarlo": {"samples": 3}, "thermal": {"temps": [0, 60]},
             "sweep": {"axes": {"sigma_g": [0, 0.1]}, "samples": 2},
             "corners": {"worst": 0}}  # fmt: skip
    images = ak.load_dataset(str(home / "data.npz"), "test")[:6]
    found = function(
        home / "net.build", images, **given.get(name, {}), out=tmp_path / "run", judge="none"
    )
    assert isinstance(found, study.result or ())
    assert len(repr(found).splitlines()) <= MOST_LINES and "software" in repr(found)
    assert "<table>" in found._repr_html_()
    frame = found.table()
    assert frame.height == len(found.rows) and "accuracy" in frame
    assert found.plot().axes
    with pytest.raises(SettingsError, match=r"^engine = 'spectre' is out of range: twin or ng"):
        function(home / "net.build", images, **given.get(name, {}), engine="spectre")


def study_default(option: Option, default: Any) -> bool:
    """Whether Python's default is that of the declaration."""
    return option.value(default) == option.value(option.default)


def test_a_new_study_refuses_what_its_options_cannot_be(home):
    result = CliRunner().invoke(main, words("levels", home, "--loss", "high"))
    assert result.exit_code == 2 and "Invalid value for '--loss': 'high' is not a" in result.stderr
    with pytest.raises(SettingsError, match=r"^most = 'x' is of type str: give a whole number$"):
        ak.levels(home / "net.build", random_images(2, 4, 5), most="x")
    with pytest.raises(TypeError, match=r"^levels takes most, loss, preset, not least$"):
        STUDY(load_build(home / "net.build"), random_images(2, 4, 5), least=1)


def test_a_whole_variation_is_all_that_chips_over_temperature_differ_in(home, tmp_path):
    images = ak.load_dataset(str(home / "data.npz"), "test")[:4]
    made = ak.Variation(sigma_g=0.07)
    given: dict[str, Any] = {"samples": 1, "out": tmp_path / "run", "judge": "none"}
    found = ak.thermal(home / "net.build", images, temps=[20], variation=made, **given)
    assert ak.Variation(**found.summary["settings"]["variation"]) == made
    assert found.preset is None


def test_the_fewest_levels_are_found(home, tmp_path):
    options = StudyOptions(run=tmp_path / "run", judge="none")
    found = STUDY(load_build(home / "net.build"), random_images(2, 20, 5), options=options)
    assert isinstance(found, Levels)
    enough = [e["levels"] for e in found.levels if e["accuracy"] >= found.software_accuracy - 0.01]
    assert found.fewest == min(enough)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"short": ""}, "study 'levels' lacks short"),
        ({"plan": None, "result": None}, "study 'levels' lacks plan, result"),
        ({"result": dict}, "study 'levels': its result, dict, is no subclass of StudyResult"),
        ({"options": STUDY.options[:2]}, "study 'levels' lacks an option preset"),
        ({"name": "Two words"}, "study 'Two words': its name must be 2 to 30 letters, a to z"),
        (
            {"options": STUDY.options[1:]},
            "study 'levels': most is in its options or in its plan, and must be in both",
        ),
        (
            {"options": (*STUDY.options, STUDY.options[0])},
            "study 'levels' has two options of one name",
        ),
        (
            {"options": (replace(STUDY.options[0], kind="bits"), *STUDY.options[1:])},
            "study 'levels': option most is of kind 'bits', none of whole, number, share, limit, "
            "text, truth",
        ),
    ],
)
def test_a_declaration_that_misses_a_part_is_refused(changed, sentence):
    with pytest.raises(StudyError, match=f"^{re.escape(sentence)}$"):
        replace(STUDY, **changed)


@pytest.mark.parametrize("name", ["levels", "montecarlo", "simulate", "compile"])
def test_two_of_one_name_are_refused(name):
    sentence = f"study {name!r}: another has this name: choose another"
    with pytest.raises(StudyError, match=f"^{re.escape(sentence)}$"):
        registry.register(replace(STUDY, name=name))


def squared(bench: Bench, point: Any) -> dict[str, Any]:
    """A row in the unit of a target: the rms error of the logits, nothing of classes."""
    error = bench.logits(point) - bench.software
    return {"key": point.key, "sample": point.sample, "temp_c": point.conditions.temp_c,
            "status": "ok", "reason": "", "n": len(error),
            "rmse": float((error**2).mean() ** 0.5)}  # fmt: skip


def test_a_study_has_columns_and_an_evaluation_of_its_own(home, tmp_path):
    def plan(job, *, most: int, loss: float) -> Plan:
        """See ``levels``."""
        made = STUDY.plan
        assert made is not None
        return replace(
            made(job, most=most, loss=loss),
            evaluate=squared,
            summarise=lambda rows, bench: {
                "levels": [{"levels": 0, "accuracy": 1 - row["rmse"]} for row in rows],
                "fewest": None,
            },
        )

    study: Study = replace(STUDY, plan=plan, columns={"rmse": Number(low=0.0)})
    options = StudyOptions(run=tmp_path / "run")
    build, images = load_build(home / "net.build"), random_images(2, 6, 5)
    found = study(build, images, most=2, options=options)
    assert [set(row) >= {"rmse"} for row in found.rows] == [True, True]
    assert "accuracy" not in found.rows[0] and found.judge is None
    assert study(build, images, most=2, options=options).rows == found.rows
