"""Training on what is no processor: all arrays come to be there; a GPU trains the same network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import analogkan as ak
from analogkan import resources
from analogkan.errors import CheckpointError, SettingsError
from analogkan.imperfections import load_settings
from analogkan.network import checkpoint
from analogkan.training import fit, unfinished
from analogkan.training.adam import adam, constant
from analogkan.training.augment import Augmentation, augmented
from analogkan.training.fit import disturbed_forward, generator_of, step, train
from analogkan.training.folded import folded_layers
from analogkan.training.followed import FollowedChip
from analogkan.training.goals import goal_of
from analogkan.training.noise import Noise
from analogkan.training.recipe import load_recipe
from analogkan.training.run import TrainingRequest
from analogkan.training.through_chips import ThroughChips

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here: not run")
NOISES = {
    "plain": None,
    "multiplicative": Noise(kind="multiplicative", sigma=0.05, die_voltage=0.01, diode_shift=0.01),
    "additive": Noise(kind="additive", sigma=0.05, diode_current=0.02),
}
CHIPS = {
    "plain": ("mnist-d2", ()),
    "wires": ("mnist-d2", ("r_wire=1",)),
    "summing": ("mnist-d2", ("readout=summing",)),
    "read noise": ("mnist-d2", ("read_noise=0.01",)),
    "rails": ("mnist-d2", ("opamp=rails",)),
    "fronts": ("paper-mnist-d2", ()),
}
RECIPE = replace(load_recipe("finetune"), epochs=2, clip_sigma=3.0, range_penalty=100.0)


def shipped(model):
    return checkpoint.load(resources.path(f"models/{model}.pt"))


@pytest.fixture(scope="module")
def images():
    return ak.load_bundled()[:64]


@pytest.fixture(scope="module")
def volts(images):
    _, spec = shipped("mnist-d2")
    return torch.from_numpy(spec.dac_volts(images.flat(spec.encoding.shape)).astype(np.float32))


def is_there(tensors):
    return {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("name", ["mnist-d2", "paper-mnist-d2"])
def test_a_step_leaves_nothing_where_it_was(noise, name, images, volts):
    """On torch's ``meta`` device, where shapes alone are worked out: an operation on arrays of two
    devices raises there too. Random numbers are a CPU generator's all the same."""
    model, goal = shipped(name)[0].to("meta"), goal_of(images)
    model.clip_sigma = RECIPE.clip_sigma
    optimiser = adam(model, constant(1e-3))
    forward = disturbed_forward(model, NOISES[noise], seed=0, epoch=1)
    wanted = goal.wanted.to("meta")
    loss, given = step(model.train(), optimiser, volts.to("meta"), goal, wanted, RECIPE, forward)
    assert given.shape == (len(images), 10)
    assert loss.shape == ()
    trained = list(model.parameters())
    assert is_there([loss, given, *trained, *(p.grad for p in trained if p.grad is not None)])
    assert is_there(v for v in optimiser.state_dict().values() if isinstance(v, torch.Tensor))


@pytest.mark.parametrize("kind", CHIPS)
def test_a_followed_chip_leaves_nothing_where_it_was(kind, volts):
    name, settings = CHIPS[kind]
    model, spec = shipped(name)
    chips = ThroughChips(*load_settings("rram", settings))
    design, chip = chips._made(spec, (3, 1))
    layers = folded_layers(model, volts)
    followed = FollowedChip(design, chip, 85.0, layers, torch.float32, "meta")
    there, at = model.to("meta"), volts.to("meta")
    logits, hidden = followed.run(folded_layers(there, at), there.squashed(at))
    assert logits.shape == (len(volts), 10)
    assert [h.shape for h in hidden] == [(len(volts), 64)]
    logits.square().mean().backward()
    assert is_there([logits, *hidden, *(layer.weight.grad for layer in there.layers)])
    assert all(layer.weight.device.type == "cpu" for layer in layers)


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ((28, 28), Augmentation(rotate_deg=10, scale=0.1, shear=0.1, shift_px=2)),
        ((32, 32, 3), Augmentation(crop_px=4, flip=True, jitter=0.2)),
    ],
)
def test_images_are_augmented_where_they_are(shape, how):
    some = torch.zeros((6, *shape), dtype=torch.uint8)
    for device in ("cpu", "meta"):
        made = augmented(some.to(device), shape, how, generator_of(0, 1))
        assert made.device.type == device
        assert made.shape == (6, np.prod(shape))


def test_maps_of_amplifiers_are_the_same_in_torch_and_numpy(volts):
    """What a GPU uses in the place of NumPy, on the CPU."""
    model, spec = shipped("mnist-d2")
    for kind in ("plain", "summing"):
        chips = ThroughChips(*load_settings("rram", CHIPS[kind][1]))
        design, chip = chips._made(spec, (3, 1))
        layers = folded_layers(model, volts)
        made = [FollowedChip(design, chip, 85.0, layers, torch.float64) for _ in range(2)]
        for stage in made[1]._stages:
            stage.bring("cpu")
        before, after = (one.run(layers, volts.double())[0].detach() for one in made)
        assert float((before - after).abs().max()) < 1e-12 * float(before.abs().max())


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(tmp_path):
    said = r"^device = 'cuda:99': torch \S+ sees \d+ such devices here; leave it at cpu"
    with pytest.raises(SettingsError, match=said):
        ak.train("nowhere.npz", tmp_path / "a.pt", recipe="plain-d2", device="cuda:99")
    assert not list(tmp_path.iterdir())


def test_an_unfinished_training_goes_on_where_it_was_alone(tmp_path, images, monkeypatch):
    """The key of a state names the device unless it is the CPU, whose states of before go on."""
    keys = []
    monkeypatch.setattr(fit, "resume", lambda state, key, parts: keys.append(key) or RECIPE.epochs)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, device: self)
    for device in ("cpu", "meta"):
        start = shipped("mnist-d2")
        train(images, replace(RECIPE, finish=0), start=start, device=device)
    assert keys[1] != keys[0]
    state = tmp_path / "a.training"
    unfinished.save_state(state, keys[0], 1, {})
    with pytest.raises(CheckpointError, match="with another recipe, seed, device or data set"):
        unfinished.resume(state, keys[1], {})


def trained(images, device, noise=None, **more):
    start = shipped("mnist-d2")
    return train(images, RECIPE, seed=0, start=start, disturbance=noise, device=device, **more)


@on_gpu
@pytest.mark.parametrize("kind", ["none", *list(NOISES)[1:], *list(CHIPS)[:5]])
def test_a_gpu_trains_the_same_network(kind, images):
    """As near as float32 leaves it, sums being in another order."""
    made = []
    for device in ("cpu", "cuda"):
        noise = NOISES.get(kind)
        if kind in CHIPS:
            noise = ThroughChips(*load_settings("rram", CHIPS[kind][1]))
        made.append(trained(images, device, noise).model)
    for here, there in zip(*(model.layers for model in made), strict=True):
        assert there.weight.device.type == "cpu"
        assert float((here.weight - there.weight).abs().max()) < 1e-3


@on_gpu
def test_a_gpu_trains_from_nothing_and_goes_on_bit_for_bit(images, tmp_path):
    recipe = replace(load_recipe("mnist-d2-short"), epochs=2)
    whole = train(images, recipe, device="cuda").model
    state = tmp_path / "a.training"

    def stop(epoch):
        if epoch.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(images, recipe, device="cuda", state=state, on_epoch=stop)
    stored = torch.load(state, weights_only=True)
    assert stored["model"]["layers.0.weight"].device.type == "cpu"
    again = train(images, recipe, device="cuda", state=state).model
    for one, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@on_gpu
def test_a_card_names_the_gpu(images, tmp_path):
    np.savez(tmp_path / "own.npz", x=images.x.reshape(-1, 14, 14), y=images.y)
    made = ak.train(
        tmp_path / "own.npz", tmp_path / "own.pt", recipe="mnist-d2-short", epochs=1, device="cuda"
    )
    origin = checkpoint.read(made.model)["training"]
    assert origin["device"] == "cuda"
    assert origin["gpu"] in made.card.read_text()
    assert TrainingRequest(dataset="a", recipe="b", out=made.model, device="cuda").device == "cuda"
