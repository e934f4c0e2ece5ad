"""Convolutions of TD-KANs: what positions see, and that torch and arrays agree."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from analogkan.data import ImageSet
from analogkan.devices import resolve
from analogkan.errors import CheckpointError, DataError, SettingsError
from analogkan.network import checkpoint
from analogkan.network.baselines import parameter_count as count_torch
from analogkan.network.model import TDKANConfig, TDKANLayer
from analogkan.network.patches import Patches
from analogkan.network.spec import load_spec
from analogkan.training.card import parameter_count
from analogkan.training.fit import train
from analogkan.training.noise import Noise
from analogkan.training.recipe import Recipe, load_recipe

from .convolutions import (
    ENCODING,
    SHAPE,
    convolutional_checkpoint,
    convolutional_images,
    convolutional_model,
    convolutional_spec,
)
from .networks import random_inputs

GEOMETRIES = [
    Patches(height=6, width=5, channels=2, kernel=3),
    Patches(height=6, width=5, channels=2, kernel=3, stride=2, padding=1),
    Patches(height=7, width=7, channels=1, kernel=4, stride=3, padding=2),
    Patches(height=1, width=4, channels=3, kernel=1),
    Patches(height=3, width=3, channels=2, kernel=5, stride=1, padding=2),
]


@pytest.mark.parametrize("p", GEOMETRIES, ids=str)
def test_positions_see_what_torch_s_unfold_sees(p):
    v = np.random.default_rng(0).normal(size=(3, p.values))
    image = torch.from_numpy(v).view(3, p.height, p.width, p.channels).permute(0, 3, 1, 2)
    seen = functional.unfold(image, p.kernel, padding=p.padding, stride=p.stride)
    wanted = seen.view(3, p.channels, p.kernel**2, -1).permute(0, 3, 2, 1).reshape(3, -1, p.size)
    np.testing.assert_array_equal(p.gather(v), wanted.numpy())
    assert p.gather(v).shape == (3, p.count, p.size)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kernel": 9}, "a kernel of 9 does not fit a map of 6 by 5 with 0 around it"),
        ({"padding": 3}, "padding 3 is not below the kernel 3"),
        ({"stride": 0}, "stride are whole numbers of 1 or more"),
        ({"channels": 1.5}, "whole numbers"),
    ],
)
def test_patches_that_cannot_be(changed, said):
    with pytest.raises(CheckpointError, match=said):
        Patches(**{"height": 6, "width": 5, "channels": 2, "kernel": 3} | changed)


@pytest.mark.parametrize("p", GEOMETRIES, ids=str)
def test_a_layer_is_the_dense_layer_at_every_position(p):
    curves = resolve("A21,Z21,Z15")
    layer, dense = TDKANLayer(p.size, 4, curves, p).double(), TDKANLayer(p.size, 4, curves).double()
    with torch.no_grad():
        layer.weight.normal_(generator=torch.Generator().manual_seed(1))
        layer.bias.normal_(generator=torch.Generator().manual_seed(2))
        dense.load_state_dict(layer.state_dict())
        v = torch.rand(3, p.values, generator=torch.Generator().manual_seed(3)).double() * 1.6 - 0.2
        points = torch.from_numpy(p.gather(v.numpy()).reshape(-1, p.size))
        np.testing.assert_allclose(layer(v), dense(points).reshape(3, -1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_arrays_torch_and_folded_arrays_are_one_function(norm, tmp_path):
    model, spec = convolutional_model(3, norm), convolutional_spec(3, norm)
    x = random_inputs(9, 7, 60)
    wanted = model(torch.from_numpy(x / 255 * 0.7)).detach().numpy()
    np.testing.assert_allclose(spec.logits(x), wanted, rtol=0, atol=1e-12)
    folded = spec.folded()
    assert all(layer.norm is None for layer in folded.layers)
    np.testing.assert_allclose(folded.logits(x), wanted, rtol=0, atol=1e-12)
    assert spec.sizes == (60, 36, 12, 4, 3)
    spec.save(tmp_path / "n.npz")
    again = load_spec(tmp_path / "n.npz")
    np.testing.assert_array_equal(again.logits(x), spec.logits(x))
    assert again.fingerprint() == spec.fingerprint()


def test_a_position_moved_is_another_network():
    spec = convolutional_spec()
    first = spec.layers[0]
    assert first.patches is not None
    moved = replace(first, patches=replace(first.patches, stride=1, padding=0))
    assert moved.n_out == 4 * 3 * 4
    with pytest.raises(CheckpointError, match="layer 1 has 36 inputs, what feeds it has 48"):
        replace(spec, layers=(moved, *spec.layers[1:]))


def test_a_batchnorm_that_differs_between_positions_cannot_be_folded():
    spec = convolutional_spec()
    norm = spec.layers[1].norm
    assert norm is not None
    scale = norm.scale.copy()
    scale[5] *= 1.1
    odd = replace(spec.layers[1], norm=replace(norm, scale=scale))
    with pytest.raises(CheckpointError, match="differs between its positions"):
        replace(spec, layers=(spec.layers[0], odd, *spec.layers[2:])).folded()


def test_parameters_are_those_of_one_position_and_two_a_channel():
    model, spec = convolutional_model(), convolutional_spec()
    by_hand = (18 * 4 * 2 + 4) + (16 * 3 * 2 + 3) + (12 * 4 * 2 + 4) + (4 * 3 * 2 + 3)
    by_hand += 2 * (4 + 3 + 4)
    assert count_torch(model) == parameter_count(spec) == by_hand


def test_a_checkpoint_keeps_convolutions(tmp_path):
    convolutional_checkpoint(tmp_path / "c.pt", 4)
    model, spec = checkpoint.load(tmp_path / "c.pt")
    x = random_inputs(1, 5, 60)
    np.testing.assert_array_equal(spec.logits(x), convolutional_spec(4).logits(x))
    assert model.config.patches == convolutional_model(4).config.patches


def test_a_checkpoint_whose_convolutions_do_not_fit_is_refused(tmp_path):
    convolutional_checkpoint(tmp_path / "c.pt")
    entry = torch.load(tmp_path / "c.pt", weights_only=True)
    entry["convolutions"][0]["stride"] = 1
    del entry["sha256"]
    torch.save(entry, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match="convolution 0 takes 60 values to 30 positions"):
        checkpoint.load(tmp_path / "bad.pt")


@pytest.mark.parametrize("given", [{"norm": "layer"}, {"squash": "sigmoid"}])
def test_fronts_that_a_convolution_cannot_have(given):
    from analogkan.network.squash import Squash

    wanted = {"norm": "batch"} | given
    if "squash" in wanted:
        wanted["squash"] = Squash(kind="sigmoid", v_lo=0.0, v_hi=1.0)  # type: ignore[assignment]
    patches = (Patches(height=6, width=5, channels=2, kernel=3),)
    with pytest.raises(CheckpointError, match="their inputs are held voltages"):
        TDKANConfig(sizes=(60, 48, 3), curves=resolve("A21"), patches=patches, **wanted)  # type: ignore


# ---- training


def striped(n: int) -> ImageSet:
    """Images of 8x8: class 1 has rows, class 0 columns, at a random place."""
    rng = np.random.default_rng(0)
    x = np.zeros((n, 8, 8), np.uint8)
    y = np.arange(n) % 2
    for image, label in zip(x, y, strict=True):
        start = rng.integers(0, 2)
        if label:
            image[start::2] = 255
        else:
            image[:, start::2] = 255
    return ImageSet(name="stripes", x=x, y=y, index=np.arange(n))


STRIPES = Recipe(
    devices=("A21", "Z21"), convolutions=((3, 2, 1, 0), (2, 3, 2, 1)), hidden=(), epochs=6,
    learning_rate=2e-2, batch=16,
)  # fmt: skip


def test_a_convolutional_network_learns_and_its_norms_are_exact():
    images = striped(64)
    done = train(images, STRIPES)
    spec = done.model.to_spec(done.encoding, name="s")
    assert (spec.logits(images.flat((8, 8))).argmax(1) == images.y).mean() >= 0.95
    # Each norm's statistics are those of its channel over images and positions.
    volts = spec.dac_volts(images.flat((8, 8)))
    z = spec.layers[0].respond(volts).reshape(-1, 3)
    norm = done.model.norms[0]
    assert isinstance(norm, torch.nn.BatchNorm1d)
    assert norm.running_mean is not None and norm.running_var is not None
    np.testing.assert_allclose(norm.running_mean, z.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(norm.running_var, z.var(0), rtol=1e-4)


def test_the_same_seed_trains_the_same_network():
    specs = [train(striped(32), replace(STRIPES, epochs=2), seed=3).model for _ in range(2)]
    for one, other in itertools.pairwise(specs):
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(a, b)


def test_recipes_that_cannot_be():
    with pytest.raises(SettingsError, match="lists of channels, kernel, stride"):
        replace(STRIPES, convolutions=((3, 2, 1),))
    with pytest.raises(SettingsError, match="lists of channels, kernel"):
        replace(STRIPES, convolutions=((10**8, 3, 1, 0),))
    with pytest.raises(SettingsError, match="convolution 0 of the recipe: a kernel of 9 does not"):
        train(striped(8), replace(STRIPES, convolutions=((3, 9, 1, 0),)))
    flat = ImageSet(name="f", x=np.zeros((8, 5), np.uint8), y=np.arange(8) % 2, index=np.arange(8))
    with pytest.raises(DataError, match=r"inputs of shape \(5,\) are no images"):
        train(flat, STRIPES)


def test_training_for_hardware_refuses_convolutions():
    with pytest.raises(SettingsError, match="takes networks without convolutions"):
        train(striped(8), STRIPES, disturbance=Noise(kind="multiplicative", sigma=0.1))


def test_convolutions_in_a_recipe_file(tmp_path: Path):
    text = (
        'devices = ["A21"]\nhidden = []\nepochs = 1\nlearning_rate = 1e-2\n'
        "convolutions = [[4, 3, 1, 1]]\n"
    )
    path = tmp_path / "r.toml"
    path.write_text(text)
    assert load_recipe(str(path)).convolutions == ((4, 3, 1, 1),)
    path.write_text(text.replace("[[4, 3, 1, 1]]", "[4, 3, 1, 1]"))
    with pytest.raises(SettingsError, match="is not a list of lists of whole numbers"):
        load_recipe(str(path))


def test_the_shapes_that_tests_use():
    assert convolutional_images(0, 4).x.shape == (4, *SHAPE)
    assert ENCODING.width == 60


def test_widths_name_the_kernels():
    assert convolutional_spec().widths == "60-(3x3) 36-(2x2) 12-4-3"
