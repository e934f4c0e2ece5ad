"""The identity limit: with every imperfection off, ngspice and software compute the same."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.readout import READOUTS
from analogkan.data import ImageSet
from analogkan.engines.chunked import BatchOptions
from analogkan.engines.ngspice import Ngspice
from analogkan.network.squash import NORMS, squash_names
from analogkan.studies.simulate import simulate

from .networks import random_inputs, random_spec

IDEAL = Hardware(opamp="ideal", tile_rows=8, tile_cols=8, npn_bf=1e6, npn_vaf=1e6)
SAME = 1e-6
"""Of full scale: what software and an ideal circuit may differ by, with KLU."""


def limit(ngspice: Ngspice, share: float = SAME) -> float:
    """``share`` of full scale, and ten times that for Sparse.

    Sparse loses digits to the ideal amplifiers' gain of 1e9: 3e-6 was the worst of 60 random nets.
    """
    return share if ngspice.klu else 10 * share


def as_images(x: np.ndarray) -> ImageSet:
    return ImageSet(name="random", x=x, y=np.zeros(len(x), np.int64), index=np.arange(len(x)))


def run(spec, tmp_path, x, tag="", hardware=IDEAL, **options):
    build = write_build(spec, hardware, tmp_path / f"net{tag}.build")
    return simulate(
        build, as_images(x), options=BatchOptions(**options), run=tmp_path / f"run{tag}"
    )


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.integers(1, 8), min_size=2, max_size=4).filter(lambda s: s[-1] > 1),
    n_dev=st.integers(1, 4),
    squash=st.sampled_from(squash_names()),
    norm=st.sampled_from(NORMS),
    readout=st.sampled_from(sorted(READOUTS)),
)
def test_random_networks_agree(
    ngspice, tmp_path_factory, seed, sizes, n_dev, squash, norm, readout
):
    """Random networks amplify the amplifiers' own 1e-9 more than trained ones: 5e-6 is allowed."""
    spec = random_spec(seed, tuple(sizes), n_dev=n_dev, squash=squash, norm=norm)
    folder, x = tmp_path_factory.mktemp("net"), random_inputs(seed, 12, sizes[0])
    result = run(spec, folder, x, hardware=replace(IDEAL, readout=readout))
    assert result.summary["max_abs_logit_error"] <= (
        limit(ngspice, 5e-6) * result.summary["logit_full_scale"]
    )


@pytest.mark.parametrize(("squash", "norm"), [("none", "none"), ("tanh", "layer")])
def test_order_direction_and_chunks_do_not_matter(ngspice, tmp_path, squash, norm):
    """An NDR circuit can have several solutions; a stiffly driven one has not."""
    spec = random_spec(5, (6, 5, 4), n_dev=3, squash=squash, norm=norm)
    x = random_inputs(5, 40, 6)
    straight = run(spec, tmp_path, x, "a")
    scale = straight.summary["logit_full_scale"]
    order = np.random.default_rng(0).permutation(len(x))
    permuted = run(spec, tmp_path, x[order], "e").circuit
    assert permuted is not None
    others = {
        "down": run(spec, tmp_path, x, "b", descending=True).circuit,
        "chunks": run(spec, tmp_path, x, "c", chunk=7).circuit,
        "cold": run(spec, tmp_path, x, "d", chunk=2).circuit,
        "permuted": permuted[np.argsort(order)],
    }
    for how, circuit in others.items():
        assert np.abs(circuit - straight.circuit).max() <= limit(ngspice) * scale, how


@pytest.mark.parametrize("squash", ["sigmoid", "tanh"])
@pytest.mark.parametrize("slope", [0.05, 30.0, 1000.0])
def test_steep_and_flat_squashes_agree(ngspice, tmp_path, squash, slope):
    """Also where a pair is driven far beyond its range; a steep one amplifies what comes before."""
    spec = random_spec(13, (5, 4, 3), squash=squash)
    layers = [replace(layer, squash=replace(layer.squash, slope=slope)) for layer in spec.layers]
    result = run(replace(spec, layers=tuple(layers)), tmp_path, random_inputs(13, 20, 5))
    s = result.summary
    assert (
        s["max_abs_logit_error"] <= limit(ngspice, max(1.0, slope) * SAME) * s["logit_full_scale"]
    )


def test_less_gain_means_more_error_in_proportion(ngspice, tmp_path):
    """Exact as gain grows: ten times the gain, a tenth of the error."""
    spec, x = random_spec(8, (6, 5, 3)), random_inputs(8, 10, 6)
    errors = []
    for gain in (1e4, 1e5, 1e6):
        build = write_build(spec, Hardware(opamp_gain=gain), tmp_path / f"{gain:g}.build")
        result = simulate(build, as_images(x), run=tmp_path / f"{gain:g}")
        errors.append(result.summary["max_abs_logit_error"])
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 10, rtol=0.02)


def test_plain_ngspice_prints_the_logits_of_image_0(ngspice, tmp_path):
    spec = random_spec(9, (7, 6, 4))
    build = write_build(spec, IDEAL, tmp_path / "net.build")
    done = subprocess.run(
        [ngspice.path, "-b", build.folder / "network.cir"],
        capture_output=True,
        text=True,
        check=True,
    )
    printed = [float(v) for v in re.findall(r"v\(logit_\d+\) = (\S+)", done.stdout)]
    assert spec.calibration is not None
    expected = spec.logits(spec.calibration[:1])[0]
    np.testing.assert_allclose(printed, expected, rtol=2e-5)
    top = (build.folder / "network.cir").read_text()
    assert all(f"logit_{k}={v:.6g}" in top for k, v in enumerate(expected))


def test_a_circuit_without_calibration_images_still_agrees(ngspice, tmp_path):
    spec, x = random_spec(10, (6, 5, 3), n_calibration=0), random_inputs(10, 10, 6)
    result = run(spec, tmp_path, x)
    s = result.summary
    assert s["max_abs_logit_error"] <= limit(ngspice) * s["logit_full_scale"]


@pytest.mark.campaign
def test_the_shipped_models_agree_on_the_bundled_images(ngspice, tmp_path):
    import analogkan as ak
    from analogkan import load_bundled, resources

    for name in ("mnist-d2", "mnist-d3"):
        for descending in (False, True):
            build = ak.compile(
                resources.path(f"models/{name}.pt"), tmp_path / f"{name}.build", preset="ideal"
            )
            result = simulate(
                build,
                load_bundled(),
                options=BatchOptions(jobs=2, descending=descending),
                run=tmp_path / f"{name}{descending}",
            )
            s = result.summary
            assert s["max_abs_logit_error"] <= limit(ngspice) * s["logit_full_scale"]
            assert s["agreement"] == 1.0
