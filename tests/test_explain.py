"""explain: edges by importance, what ablation says of them, and what is printed and drawn."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import analogkan as ak
from analogkan.cli import main
from analogkan.data import ImageSet
from analogkan.errors import CheckpointError, DataError, SettingsError
from analogkan.network.edges import ranked, weigh
from analogkan.network.encoding import Encoding
from analogkan.network.spec import NetworkSpec
from analogkan.network.targets import Targets
from analogkan.studies.explain import edge_curve, explain

from .convolutions import convolutional_checkpoint
from .networks import random_checkpoint, random_images, random_npz, random_spec

TAPS = ((0.0, 0.7), (0.7, 0.0), (0.1, 0.3))


def tapped() -> NetworkSpec:
    """A regression of two inputs with three DACs each, one of which is not there."""
    spec = random_spec(3, (5, 4, 1))
    encoding = Encoding(
        x_lo=-1, x_hi=1, v_lo=0.0, v_hi=0.7, shape=(2,), taps=TAPS, used=(0, 1, 2, 3, 5)
    )
    x = np.random.default_rng(0).uniform(-1, 1, (64, 2))
    targets = Targets(low=(0.0,), high=(8.0,), names=("force",), units=("N",))
    return replace(spec, encoding=encoding, calibration=x, targets=targets)


def test_ablating_an_edge_of_the_last_layer_changes_the_output_by_its_importance():
    """In the last layer both are the rms of the edge about its mean; before it they are alike."""
    found = explain(random_spec(1, (6, 5, 3), n_calibration=200), top=0, ablate=45).summary
    last = [edge for edge in found["top"] if edge["layer"] == 1]
    assert len(last) == 15
    for edge in last:
        assert edge["output_rms"] == pytest.approx(edge["importance"], rel=1e-9)
    assert found["ablation"]["rank_correlation"] > 0.8


def test_an_edge_of_several_dacs_is_their_sum_and_knows_each():
    spec = tapped()
    assert spec.calibration is not None
    whole, each = weigh(spec, spec.calibration), weigh(spec, spec.calibration, each_dac=True)
    assert [rows.tolist() for rows in whole[0].rows] == [[0, 1, 2], [3, 4]]
    assert whole[0].rms.shape == (2, 4) and each[0].rms.shape == (5, 4)
    assert (whole[0].by_row == each[0].rms).all()
    phi = spec.layers[0].phi(spec.dac_volts(spec.calibration))
    given = np.einsum("brd,rd->b", phi[:, 3:], spec.layers[0].theta[3:, 2])
    assert whole[0].rms[1, 2] == pytest.approx(given.std())


def test_importance_is_in_the_unit_of_the_target():
    spec = tapped()
    found = explain(spec).summary
    assert (found["task"], found["unit"]) == ("regression", "N")
    last = next(edge for edge in found["top"] if edge["layer"] == 1)
    assert last["importance"] == pytest.approx(4.0 * last["rms"])  # -1 to 1 is 0 to 8 N
    assert last["to"] == "force" and last["from"].startswith("l0_y")


def test_zero_edges_are_counted_and_not_ranked():
    spec = random_spec(2, (4, 3, 2))
    theta = spec.layers[0].theta.copy()
    theta[1, 2] = 0.0
    spec = replace(spec, layers=(replace(spec.layers[0], theta=theta), spec.layers[1]))
    found = explain(spec, top=100)
    assert (found.summary["edges"], found.summary["zero"]) == (18, 1)
    assert (0, 1, 2) not in found.order and len(found.order) == 17


def test_shares_of_diodes_are_those_of_their_contributions():
    spec = random_spec(2, (4, 3), n_dev=2)
    theta = spec.layers[0].theta.copy()
    theta[:, :, 1] = 0.0
    found = explain(replace(spec, layers=(replace(spec.layers[0], theta=theta),))).summary
    assert found["diodes"] == {"T0": pytest.approx(1.0), "T1": 0.0}


def test_a_curve_is_the_edge_over_what_its_source_shows():
    found = explain(tapped())
    at = next(at for at in found.order if at[0] == 0)
    over, parts, used, _ = edge_curve(found, at)
    assert used.min() == over[0] and over[-1] == used.max()
    x = np.zeros((1, 2))
    x[0, found.layers[0].sources[at[1]]] = over[10]
    v, layer = found.spec.dac_volts(x), found.spec.layers[0]
    rows = found.layers[0].rows[at[1]]
    wanted = np.einsum("rd,rd->", layer.phi(v)[0, rows], layer.theta[rows, at[2]])
    assert parts[:, 10].sum() == pytest.approx(wanted)


def test_the_loss_of_an_ablation_is_measured_on_the_images_given():
    images = random_images(5, 60, 5)
    found = explain(random_spec(0), images=images, ablate=3).summary
    logits = random_spec(0).logits(images.x)
    assert found["ablation"]["before"] == pytest.approx(100 * (logits.argmax(1) != images.y).mean())
    assert all("loss" in edge for edge in found["top"][:3])


@pytest.mark.parametrize(
    ("units", "shown", "columns"),
    [
        (("bar", "V"), "% of span", ["importance (% of span)", "loss (% of span)"]),
        (("bar",), "bar", ["importance (bar)", "loss (bar)"]),
        (("",), "", ["importance", "loss"]),
    ],
)
def test_an_explanation_has_one_unit_in_table_and_picture(units, shown, columns):
    """Of several targets everything is in per cent of their spans."""
    k = len(units)
    targets = Targets(low=(0.0,) * k, high=(4.0,) * k, names=("p", "q")[:k], units=units)
    spec = replace(random_spec(1, (3, 4, k)), targets=targets)
    x = np.random.default_rng(0).uniform(0, 255, (30, 3))
    images = ImageSet(
        name="f", x=x, y=targets.values(spec.logits(x)) + 0.2, index=np.arange(30),
        targets=tuple(zip(targets.names, units, strict=True)),
    )  # fmt: skip
    found = ak.explain(spec, images, top=2, ablate=2)
    listing, first = found.facts(), found.summary["top"][0]
    assert [
        word for word in listing.columns if word.split(" ")[0] in ("importance", "loss")
    ] == columns
    scale = 100 if shown == "% of span" else 1
    assert listing.rows[0][1] == f"{scale * first['importance']:.3g}"
    assert listing.rows[0][-1] == f"{scale * first['loss']:+.3g}"
    said = f"{scale * first['importance']:.3g} {shown}".strip()
    assert found.figures()[0].draw().axes[0].get_title().splitlines()[1] == said
    assert found.headline()[1].note == said


def test_what_cannot_be_explained_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"net0 has no calibration inputs to weigh its edges on"):
        ak.explain(random_spec(0, n_calibration=0))
    assert ak.explain(random_spec(0, n_calibration=0), random_images(5, 60, 5)).summary["n"] == 60
    sentence = (
        r"^ablate = 0, and random is what the loss of an ablation is measured on: say how many "
        r"edges \(--ablate 10\), or leave it out$"
    )
    with pytest.raises(SettingsError, match=sentence):
        ak.explain(random_spec(0), random_images(5, 60, 5))
    convolutional_checkpoint(tmp_path / "maps.pt")
    with pytest.raises(CheckpointError, match=r"maps has convolutions, whose kernels stand for"):
        ak.explain(tmp_path / "maps.pt")


def test_the_command_prints_draws_and_writes_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random_checkpoint(tmp_path / "net.pt")
    random_npz(tmp_path / "flat.npz")
    build = ak.compile("net.pt", "net.build", progress=False)

    def run(*words: str):
        return CliRunner().invoke(main, ["models", "explain", *words])

    said = run("net.pt", "--top", "4", "--ablate", "3", "--dataset", "flat.npz")
    assert said.exit_code == 0 and "net: 32 edges, 0 of them zero, on 16 inputs" in said.output
    assert "3 edges were each replaced by their mean" in said.output
    found = json.loads(run("net.build", "--top", "4", "--plot", "edges.png", "--json").output)
    assert [edge["importance"] for edge in found["top"]] == pytest.approx(
        [edge["importance"] for edge in ak.explain(build, top=4).summary["top"]]
    )
    with Image.open("edges.png") as picture:
        assert picture.width > 800
    (tmp_path / "mine.png").write_bytes(b"mine")
    assert run("net.pt", "--plot", "mine.png").exit_code == 1
    assert run("net.pt", "--subset", "3").exit_code == 2


def test_python_shows_the_first_edges():
    found = ak.explain(random_spec(1), top=3)
    assert "35 edges" not in repr(found) and "edges" in repr(found)
    assert found.table().height == 3
    assert len(found.plot().axes) > 12
    assert ranked(found.found.layers) == found.found.order


def test_dacs_that_are_not_used_are_left_out_everywhere(tmp_path):
    spec = tapped()
    whole = replace(spec.encoding, used=())
    x = np.array([[0.5, -0.25]])
    assert (spec.encoding.volts(x) == whole.volts(x)[:, [0, 1, 2, 3, 5]]).all()
    assert spec.encoding.input_of_dacs.tolist() == [0, 0, 0, 1, 1]
    spec.save(tmp_path / "net.npz")
    from analogkan.network.spec import load_spec

    assert load_spec(tmp_path / "net.npz").encoding == spec.encoding
    with pytest.raises(CheckpointError, match=r"used of the input encoding must be rising numbers"):
        replace(whole, used=(1, 0))
