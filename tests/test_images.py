"""Which images a result is of, and what its reader is told about them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan import resources
from analogkan.cli import main
from analogkan.compiler.build import Build, load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.data import ImageSet, by_class, choose, load_bundled, load_npz
from analogkan.data.images import check_labels, count_classes
from analogkan.engines.chip_engines import TwinEngine
from analogkan.errors import CheckpointError, DataError
from analogkan.network.record import Reached, read_reached
from analogkan.studies.bench import Bench
from analogkan.studies.compare import compare
from analogkan.studies.montecarlo import montecarlo, yield_limit
from analogkan.studies.notes import far_below, image_notes, label_notes
from analogkan.studies.options import StudyOptions
from analogkan.studies.simulate import simulate
from analogkan.studies.sweep import sweep
from analogkan.studies.thermal import thermal
from analogkan.training.card import evaluate

from .networks import random_images, random_npz, random_spec
from .test_cli_errors import refused, snapshot

UNJUDGED = StudyOptions(judge="none")
ONE = "net1 has one output, and accuracy, agreement and yield compare outputs: they would be 100 % "
ONE += "whatever the circuit gives. Train it as a regression (its targets are numbers with "
ONE += "fractions, or --task regression); compile, verify and simulate --trace take it as it is"


def cli(*args: object) -> str:
    result = CliRunner().invoke(main, [str(a) for a in args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


# ---- which images


def mnist(n: int = 10_000) -> ImageSet:
    x, y = np.zeros((n, 2), np.uint8), np.arange(n) % 10
    return ImageSet(name="mnist", x=x, y=y, index=np.arange(n), source="mnist test")


@pytest.mark.parametrize(
    ("subset", "said"),
    [
        (None, "mnist test, all 10,000"),
        ("10000", "mnist test, all 10,000"),
        ("1000", "mnist test, 1,000 of 10,000, by class, seed 0"),
        ("0:200", "mnist test, images 0 to 199 of 10,000"),
        ("7:8", "mnist test, image 7 of 10,000"),
        (":", "mnist test, all 10,000"),
    ],
)
def test_a_subset_says_how_it_was_chosen(subset, said):
    assert choose(mnist(), subset).said == said


def test_the_bundled_images_say_that_they_are(monkeypatch):
    bundled = load_bundled()
    assert bundled.said == choose(bundled, "1000").said == "bundled 1,000 of mnist test"
    assert choose(bundled, "200").said == "bundled, 200 of 1,000, by class, seed 0"
    # Their numbers are MNIST's, so a range is one of places.
    assert choose(bundled, "900:950").said == "bundled, places 900 to 949 of 1,000"


def test_an_own_set_says_its_file_and_its_split(tmp_path):
    n = np.arange(250)
    np.savez(tmp_path / "own.npz", x=np.zeros((250, 3)), y=n % 5)
    assert load_npz(tmp_path / "own.npz", "train").said == "own.npz train, all 200"
    test = load_npz(tmp_path / "own.npz", "test")
    assert choose(test, "20").said == "own.npz test, 20 of 50, by class, seed 0"
    marks = np.where(n < 50, "test", "train")
    np.savez(tmp_path / "own.npz", x=np.zeros((250, 3)), y=n % 5, split=marks)
    assert choose(load_npz(tmp_path / "own.npz", "test"), "5:9").said == (
        "own.npz test, images 5 to 8 of 50"
    )


def test_what_python_takes_is_said_too():
    images = mnist(100)
    assert images.take([5, 3, 90]).said == "mnist test, 3 chosen of 100"
    assert images.take(range(20)).said == "mnist test, images 0 to 19 of 100"
    assert images.take(images.y == 3).said == "mnist test, 10 chosen of 100"
    twice = by_class(images, 50, seed=4).take(np.arange(10))
    assert twice.said == "mnist test, 50 of 100, by class, seed 4, then places 0 to 9 of 50"
    assert random_images(0, 5, 3).said == "random, all 5"  # made in Python: its name


def test_the_hash_is_that_of_values_labels_and_numbers():
    images = random_images(0, 5, 3)
    facts = images.facts()
    assert facts == images.take(np.arange(5)).facts()
    assert (facts["said"], facts["n"], len(facts["sha256"])) == ("random, all 5", 5, 64)
    changed = (
        replace(images, x=images.x ^ 1), replace(images, y=images.y + 1),
        replace(images, index=images.index + 1), images.take([0, 1, 2, 4, 3]),
        replace(images, x=images.x.reshape(5, 3, 1)),
    )  # fmt: skip
    assert facts["sha256"] not in {other.facts()["sha256"] for other in changed}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_build(random_spec(1), Hardware(), folder / "net.build")
    random_npz(folder / "data.npz")
    return folder


def test_every_result_carries_its_images(ngspice, home, tmp_path):
    given = (home / "net.build", "--dataset", home / "data.npz")
    some, said = (*given, "--subset", 20), "data.npz test, 20 of 40, by class, seed 0"
    facts = choose(load_npz(home / "data.npz", "test"), "20").facts()
    study, each = ("--judge", "none", "--samples", 2), f"2 chips a point, on {said}"
    titles = {
        ("simulate", *some): f"net1 on {said}",
        ("montecarlo", *some, *study): f"net1: 2 chips (rram) on {said}, 26.85 degC",
        ("thermal", *some, *study, "--temps", 0): f"net1, settings rram, 2 chips, on {said}",
        (
            "sweep",
            *some,
            *study,
            "--set",
            "sigma_g=0,0.1",
        ): f"net1: axes of nominal, {each}",
        ("sweep", *some, *study, "--grid", "budget"): f"net1: budget of rram, {each}",
    }
    for k, (words, title) in enumerate(titles.items()):
        assert cli(*words, "--out", tmp_path / str(k)).splitlines()[0] == title
        found = json.loads((tmp_path / str(k) / "result.json").read_text())
        assert found["images"] == facts
        assert (found["dataset"], found["n"]) == ("data", 20)
        assert found["notes"][-1] == "the network was trained on random"
    text = cli("thermal", *given, "--subset", "3:4", "--temps", 0, "--judge", "none")
    assert text.splitlines()[2].split()[3:] == ["–", "–"]
    assert "no gain or offset: they need images whose logits in software differ" in text
    text = cli("simulate", *given, "--trace", 3, "--out", tmp_path)
    assert text.startswith("image 3 of data.npz test, all 40, class 0: volts\n")
    trace = json.loads((tmp_path / "trace-3" / "trace.json").read_text())
    assert trace["images"]["said"] == "data.npz test, all 40"


# ---- what is no accuracy


@pytest.fixture(scope="module")
def one_output(tmp_path_factory) -> Build:
    spec = random_spec(1, (5, 4, 1))
    return write_build(spec, Hardware(), tmp_path_factory.mktemp("one") / "one.build")


def test_one_output_has_no_accuracy_in_python(one_output, monkeypatch):
    images = random_images(2, 9, 5, classes=1)
    calls = (
        lambda: simulate(one_output, images),
        lambda: simulate(one_output, images, engine="software"),
        lambda: montecarlo(one_output, images, samples=2),
        lambda: montecarlo(one_output, images, samples=2, yield_at=0.5),
        lambda: montecarlo(one_output, images, samples=2, calibrate=True),
        lambda: thermal(one_output, images, temps_c=[0]),
        lambda: sweep(one_output, images, settings=["sigma_g=0,0.1"]),
        lambda: yield_limit(one_output, images),
        lambda: Bench(one_output, images, TwinEngine()),
        lambda: evaluate(one_output.spec, images, "test"),
        lambda: check_labels(images, 1, "net1"),
    )
    before = snapshot(one_output.folder.parent)
    for call in calls:
        with pytest.raises(DataError, match=f"^{re.escape(ONE)}$"):
            call()
    logits = np.zeros((9, 1))
    with pytest.raises(DataError, match=r"^the network has one output, and accuracy, agreement"):
        compare(images.y, images.index, logits, logits)
    assert snapshot(one_output.folder.parent) == before


@pytest.mark.parametrize(
    "words",
    [
        ("simulate",), ("simulate", "--fail-under", "0.5", "--jobs", "1"),
        ("montecarlo",), ("montecarlo", "--calibrate", "--yield-at", "0.9"),
        ("montecarlo", "--engine", "ngspice", "--fail-under", "0.9"),
        ("thermal", "--compensate", "each"), ("sweep", "--grid", "budget"),
    ],
)  # fmt: skip
def test_one_output_has_no_accuracy_in_any_command(ngspice, one_output, tmp_path, words):
    np.savez(tmp_path / "d.npz", x=random_images(0, 9, 5).x, y=np.zeros(9, int))
    command, *rest = words
    given = (command, one_output.folder, "--dataset", tmp_path / "d.npz", "--out", tmp_path / "r")
    assert refused(*given, *rest) == ("DataError", ONE)
    assert not (tmp_path / "r").exists()


def test_one_output_is_compiled_verified_and_traced(ngspice, one_output, tmp_path):
    random_npz(tmp_path / "d.npz")
    cli("verify", one_output.folder)
    text = cli("simulate", one_output.folder, "--dataset", tmp_path / "d.npz", "--trace", 0)
    assert "largest divergence" in text


def test_labels_that_are_all_0_train_nothing(tmp_path):
    np.savez(tmp_path / "d.npz", x=random_images(0, 20, 5).x, y=np.zeros(20, int))
    sentence = "every label of d is 0: a network for it would have one output, and accuracy "
    sentence += "compares outputs; classes are 0, 1, 2, ..."
    words = ("train", "--dataset", tmp_path / "d.npz", "--recipe", "plain-d2")
    assert refused(*words, "--out", tmp_path / "o.pt") == ("DataError", sentence)
    assert [p.name for p in tmp_path.iterdir()] == ["d.npz"]
    assert count_classes(random_images(0, 9, 5)) == 3


# ---- what its reader is told


@pytest.mark.parametrize(
    ("labels", "notes"),
    [
        ([0, 1, 2, 3, 3], []),
        ([1, 2, 3, 3], ["class 0 is absent: labels may start at 1"]),
        ([0, 1, 2], ["class 3 is absent: accuracy says nothing of it"]),
        ([0, 3], ["classes 1, 2 are absent: accuracy says nothing of them"]),
        ([1, 2], ["classes 0, 3 are absent: labels may start at 1"]),
        ([2, 3], ["classes 0, 1 are absent: accuracy says nothing of them"]),
        ([2, 2], ["every image is of class 2: accuracy says nothing of the others"]),
        ([0], ["every image is of class 0: accuracy says nothing of the others"]),
    ],
)
def test_labels_that_use_part_of_the_outputs_are_noted(labels, notes):
    assert label_notes(np.array(labels), 4) == notes


def test_many_absent_classes_are_counted():
    (note,) = label_notes(np.array([0, 1]), 1000)
    assert note.startswith("classes 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 988 more are absent: ")


CARD = Reached(accuracy=0.9879, n=10_000, images="mnist test, all 10,000", dataset="mnist")


def test_far_below_is_what_chance_hardly_does():
    """At most once in 2,000 draws of images that are as easy as the card's, at any n."""
    rng = np.random.default_rng(0)
    for n in (20, 200, 1000):
        least = next(k for k in range(n, -1, -1) if far_below(k, n, CARD))
        drawn = rng.binomial(n, 0.9879, 100_000)
        assert (drawn <= least).mean() < 0.001
    assert not far_below(98, 100, CARD)
    assert not far_below(0, 1, CARD)  # one image says nothing
    assert far_below(90, 100, CARD) and far_below(9_700, 10_000, CARD)


@pytest.fixture(scope="module")
def mnist_d2(tmp_path_factory) -> Build:
    folder = tmp_path_factory.mktemp("d2") / "d2.build"
    built = ak.compile(resources.path("models/mnist-d2.pt"), folder, verify=False)
    assert isinstance(built, Build)
    return built


@pytest.mark.parametrize(
    ("change", "low"),
    [
        (lambda x: x, False),
        (lambda x: x.reshape(-1, 14, 14).transpose(0, 2, 1).reshape(-1, 196), True),
        (lambda x: 255 - x, True),
        (lambda x: x / 25.5, True),  # another unit: 0 to 10 V of a converter, say
    ],
    ids=["as they are", "transposed", "inverted", "another unit"],
)
def test_an_accuracy_far_below_the_card_s_is_noted_with_both_figures(mnist_d2, change, low):
    bundled = load_bundled()
    images = by_class(replace(bundled, x=change(bundled.x)), 200)
    s = simulate(mnist_d2, images, engine="software").summary
    study = montecarlo(mnist_d2, images, samples=1, options=UNJUDGED).summary
    _, *others = study["notes"]  # the first is of the preset
    assert others == s["notes"]
    if not low:
        assert s["notes"] == []
        return
    assert s["notes"] == [
        f"software is right on {100 * s['software_accuracy']:.2f} % of these 200 images, on "
        "98.79 % of the 10,000 of its card (mnist test, all 10,000): more than chance (99.9 %). "
        "Inputs of another unit, transposed or inverted images, or labels in another order do that"
    ]


def test_a_build_that_knows_no_card_notes_nothing_of_it(home):
    build = load_build(home / "net.build")
    assert image_notes(build, random_images(2, 300, 5), np.eye(3)[np.ones(300, int)]) == []


@pytest.mark.parametrize(
    "entry",
    [[], "x", {}, CARD.document() | {"accuracy": 1.5}, CARD.document() | {"n": 0},
     CARD.document() | {"n": 1.5}, CARD.document() | {"images": 1}, CARD.document() | {"more": 1},
     CARD.document() | {"accuracy": float("nan")}, CARD.document() | {"accuracy": "0.5"}],
)  # fmt: skip
def test_a_card_that_is_none_is_refused(entry):
    with pytest.raises(CheckpointError, match=r"^card in m.pt is damaged: .* is no accuracy \(a"):
        read_reached(entry, "card in m.pt")
    assert read_reached(CARD.document(), "m") == CARD
    assert read_reached(None, "m") is None
