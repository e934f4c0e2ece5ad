"""A chip as a point among standard normal coordinates: what sources give in place of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.coordinates import Given, Key, Linear, Listing, Mix
from analogkan.errors import SettingsError
from analogkan.imperfections import Conditions
from analogkan.imperfections.make import perturb_chain
from analogkan.streams import DIE, Place

from .chips import EVERYTHING
from .networks import random_spec
from .test_frozen_chips import digest

HERE = Place(seed=0, sample=3, layer=0)
ALL = replace(EVERYTHING, stuck_min=0.05)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coordinates")
    return write_build(random_spec(1), Hardware(levels=16), folder / "net.build").circuit()


def made(chain, sample=0, source=None):
    chip, counts = perturb_chain(
        chain, ALL, Conditions(age_s=1e4), seed=4, sample=sample, source=source
    )
    return digest((link.design for link in chip.links), counts)


def test_a_numbered_chip_is_itself_among_its_coordinates(chain):
    seventh = made(chain, 7)
    assert made(chain, 0, Mix(((7, 1.0),))) == seventh != made(chain, 7, Mix(((8, 1.0),)))
    assert made(chain, 3, Given({}, Mix(((7, 1.0),)))) == seventh


def test_all_coordinates_written_down_are_the_chip(chain):
    listed = Listing({}, {})
    made(chain, 0, listed)
    assert {key.layer for key in listed.shapes} == {DIE, 0, 1} and listed.uniforms
    place = {key: replace(HERE, seed=4, sample=7, layer=key.layer) for key in listed.shapes}
    arrays = {
        key: place[key].normal(key.stream, shape, key.block) for key, shape in listed.shapes.items()
    }
    assert made(chain, 0, Given(arrays, Mix(((7, 1.0),)))) == made(chain, 7)
    key = max(arrays, key=lambda key: arrays[key].size)
    other = Given(arrays | {key: arrays[key] + 1e-3}, Mix(((7, 1.0),)))
    assert made(chain, 0, other) != made(chain, 7)
    assert other.document() != Given(arrays, Mix(((7, 1.0),))).document()


def test_a_mix_is_as_probable_as_any_chip():
    mix = Mix(((1, 0.6), (2, 0.8))).moved(9, 0.3)
    assert sum(weight**2 for _, weight in mix.parts) == pytest.approx(1)
    assert mix.parts[-1][0] == 9
    drawn = mix.normal(HERE, 0, (20_000,), 0)
    assert stats.kstest(drawn, "norm").pvalue > 0.01
    alone = [HERE.of(k).normal(0, (20_000,)) for k in (1, 2, 9)]
    assert np.allclose(drawn, 0.18 * alone[0] + 0.24 * alone[1] + np.sqrt(0.91) * alone[2])


def test_uniform_draws_move_through_quantiles():
    alone = HERE.of(1).uniform(5, (5000,))
    assert np.array_equal(Mix(((1, 1.0),)).uniform(HERE, 5, (5000,)), alone)
    near = Mix(((1, 1.0),)).moved(2, 0.999).uniform(HERE, 5, (5000,))
    far = Mix(((1, 1.0),)).moved(2, 0.0).uniform(HERE, 5, (5000,))
    assert 0.98 < np.corrcoef(alone, near)[0, 1] < 1 and abs(np.corrcoef(alone, far)[0, 1]) < 0.05
    for drawn in (near, far):
        assert stats.kstest(drawn, "uniform").pvalue > 0.01


@pytest.mark.parametrize("frozen", [True, False])
def test_noise_at_reads_is_frozen_or_among_the_coordinates(frozen):
    index = np.array([3, 1500])
    drawn = [
        replace(HERE, source=Mix(((k, 1.0),), frozen)).normal_of_images(2, index, 4) for k in (5, 6)
    ]
    assert np.array_equal(*drawn) is frozen
    which = 0 if frozen else 5
    assert np.array_equal(drawn[0], HERE.of(which).normal_of_images(2, index, 4))


def test_linear_figures_are_those_of_their_slopes():
    rng = np.random.default_rng(0)
    keys = (Key(0, 0, 1, 0), Key(DIE, 0, 2, 0))
    linear = Linear(np.array([1.0, -2.0]), {keys[0]: rng.normal(size=(2, 3, 4)),
                                           keys[1]: rng.normal(size=(2, 5))})  # fmt: skip
    drawn = HERE.normal(1, (3, 4)), replace(HERE, layer=DIE).normal(2, (5,))
    wanted = linear.values + sum(
        slope.reshape(2, -1) @ z.ravel()
        for slope, z in zip(linear.slopes.values(), drawn, strict=True)
    )
    assert np.allclose(linear.at(HERE), wanted)
    parts = [linear.covariance([key]) for key in keys]
    assert np.allclose(linear.covariance(), parts[0] + parts[1])
    chips = np.array([linear.at(HERE.of(k)) for k in range(4000)])
    assert np.allclose(np.cov(chips.T), linear.covariance(), rtol=0.1, atol=0.6)


def test_numbers_that_no_source_gives_are_refused_where_there_is_one():
    assert HERE.generator(7).random() != HERE.generator(8).random()
    with pytest.raises(
        SettingsError, match=r"^numbers that a draw takes from place\.generator are"
    ):
        replace(HERE, source=Mix(((3, 1.0),))).generator(7)


def test_a_moved_chip_has_as_many_numbers_as_it_draws_whatever_its_parent_drew():
    parent = Mix(((3, 1.0),)).moved(4, 0.8)
    child = parent.moved(5, 0.6)
    assert parent.normal(HERE, 7, (1,), 0).shape == (1,)
    found = child.normal(HERE, 7, (3,), 0)
    weights = {3: 0.8 * 0.6, 4: 0.6 * 0.6, 5: 0.8}
    each = [w * HERE.of(k).normal(7, (3,)) for k, w in weights.items()]
    np.testing.assert_allclose(found, np.sum(each, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(child.normal(HERE, 7, (2,), 0), found[:2])
