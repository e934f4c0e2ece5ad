"""Training: what it reaches, that it can be repeated and resumed, and what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from re import escape

import numpy as np
import pytest
import torch

from analogkan import __version__
from analogkan.data import ImageSet, load_bundled, load_npz
from analogkan.devices import IVCurve, get, resolve
from analogkan.devices.library import save
from analogkan.errors import CheckpointError, DataError, DeviceError
from analogkan.files import sha256
from analogkan.network import checkpoint
from analogkan.network.model import TDKAN, TDKANConfig
from analogkan.training import fit, run, unfinished
from analogkan.training.augment import augmented
from analogkan.training.card import evaluate
from analogkan.training.fit import Trained, train
from analogkan.training.recipe import Recipe, load_recipe
from analogkan.training.run import TrainingRequest, run_training

from .networks import Stopped, stopping_after

AUGMENTED = load_recipe("mnist-d2-short", epochs=3)


@pytest.fixture(scope="module")
def npz(tmp_path_factory) -> Path:
    """The bundled images as a user's own file, without marks of train and test."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    bundled = load_bundled()
    np.savez(path, x=bundled.x, y=bundled.y)
    return path


@pytest.fixture(scope="module")
def images() -> ImageSet:
    """200 of the bundled images as squares."""
    few = load_bundled().take(np.arange(200))
    return replace(few, x=few.x.reshape(-1, 14, 14))


def coefficients(done: Trained) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in done.model.state_dict().items()}


def assert_equal(first: Trained, second: Trained) -> None:
    for key, value in coefficients(first).items():
        np.testing.assert_array_equal(value, coefficients(second)[key], err_msg=key)


def test_a_few_epochs_on_bundled_images_reach_more_than_80_percent(npz):
    done = train(load_npz(npz, "train"), load_recipe("plain-d2", epochs=5))
    found = evaluate(done.model.to_spec(done.encoding, name="n"), load_npz(npz, "test"), "test")
    assert found.n == 200
    assert found.accuracy > 0.8
    assert found.ci95[0] < found.accuracy < found.ci95[1]


def test_the_same_seed_gives_the_same_coefficients_and_another_seed_others(images):
    first, again, other = (train(images, AUGMENTED, seed=seed) for seed in (3, 3, 4))
    assert_equal(first, again)
    assert (coefficients(first)["layers.0.weight"] != coefficients(other)["layers.0.weight"]).any()


def test_every_epoch_draws_its_own_augmentation(images, monkeypatch):
    seen = []

    def recorded(*arguments):
        seen.append(augmented(*arguments))
        return seen[-1]

    monkeypatch.setattr(fit, "augmented", recorded)
    train(images, AUGMENTED)
    first, second, third = seen
    for a, b in ((first, second), (first, third), (second, third)):
        assert ((a - b).abs().amax(1) > 1).float().mean() > 0.9


@pytest.mark.parametrize("last", [1, 2])
def test_a_training_stopped_after_an_epoch_and_resumed_equals_an_uninterrupted_one(
    images, tmp_path, last
):
    state, seen = tmp_path / "state", []

    with pytest.raises(Stopped):
        train(images, AUGMENTED, state=state, on_epoch=stopping_after(last))
    resumed = train(images, AUGMENTED, state=state, on_epoch=seen.append)
    assert [epoch.number for epoch in seen] == list(range(last + 1, 4))
    assert_equal(resumed, train(images, AUGMENTED))


@pytest.mark.parametrize("change", ["recipe", "seed", "device", "image"])
def test_the_state_of_another_training_is_refused(images, tmp_path, change):
    state, own = tmp_path / "state", tmp_path / "own.toml"
    a21 = get("A21")
    save(a21, own)
    recipe = replace(AUGMENTED, devices=(str(own), "Z21"))
    train(images, recipe, state=state)
    if change == "recipe":
        recipe = replace(recipe, learning_rate=1e-2)
    if change == "device":  # another table behind the same name
        save(replace(a21, i=np.nextafter(a21.i, 1.0)), own)
    if change == "image":
        images = replace(images, x=images.x.copy())
        images.x[-1, 7, 7] ^= 1
    sentence = (
        f"{state} is an unfinished training with another recipe, seed, device or data set: "
        "remove it to start anew, or give another --out"
    )
    with pytest.raises(CheckpointError, match=f"^{escape(sentence)}$"):
        train(images, recipe, seed=int(change == "seed"), state=state)


def test_a_damaged_state_is_refused(images, tmp_path):
    (tmp_path / "state").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match=r"state cannot be read: remove it to start anew$"):
        train(images, AUGMENTED, state=tmp_path / "state")


def test_a_state_with_a_flipped_bit_is_refused(images, tmp_path):
    state = tmp_path / "state"
    with pytest.raises(Stopped):
        train(images, AUGMENTED, state=state, on_epoch=stopping_after(1))
    whole = bytearray(state.read_bytes())
    whole[len(whole) // 2] ^= 1  # of a coefficient
    state.write_bytes(whole)
    with pytest.raises(CheckpointError, match=r"state cannot be read: remove it to start anew$"):
        train(images, AUGMENTED, state=state)


def test_the_norms_hold_the_statistics_of_the_whole_clean_training_set(images):
    done = train(images, replace(AUGMENTED, hidden=(9, 8)))
    spec = done.model.to_spec(done.encoding, name="n")
    outputs = spec.layer_outputs(spec.dac_volts(images.flat((14, 14))))
    for norm, z in zip(done.model.norms, outputs[:-1], strict=True):
        assert isinstance(norm, torch.nn.BatchNorm1d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        np.testing.assert_allclose(norm.running_mean, z.mean(axis=0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(norm.running_var, z.var(axis=0), rtol=1e-4, atol=1e-5)


def test_baking_stores_the_clipped_coefficients_that_training_used():
    model = TDKAN(TDKANConfig(sizes=(50, 20, 10), curves=resolve("A21,Z21"))).eval()
    model.initialise((0.05, 0.3), torch.Generator().manual_seed(0), gamma=0.2, beta=0.5)
    limits = [3 * float(layer.weight.detach().std()) for layer in model.layers]
    assert all(
        layer.weight.abs().max() > limit for layer, limit in zip(model.layers, limits, strict=True)
    ), "no coefficient is beyond three sigma, so the test shows nothing"
    v = torch.rand(5, 50, generator=torch.Generator().manual_seed(1))
    model.clip_sigma = 3.0
    with torch.no_grad():
        before = model(v)
        model.bake_clipping()
        assert model.clip_sigma == 0.0
        assert torch.equal(model(v), before)
    for layer, limit in zip(model.layers, limits, strict=True):
        assert float(layer.theta.detach().abs().max()) == np.float32(limit)


def test_one_coefficient_is_not_clipped():
    """Of one hidden node and one device there is no standard deviation: no warning, no NaN."""
    model = TDKAN(TDKANConfig(sizes=(2, 1, 1), curves=resolve("A21")))
    model.initialise((0.05, 0.3), torch.Generator().manual_seed(0), gamma=0.2, beta=0.5)
    model.clip_sigma = 3.0
    assert torch.equal(model.layers[1].clipped(3.0), model.layers[1].weight)
    assert torch.isfinite(model(torch.rand(5, 2))).all()
    model.bake_clipping()
    assert torch.isfinite(model.layers[1].weight).all()


def test_training_ends_with_clipped_coefficients(images):
    done = train(images, replace(AUGMENTED, clip_sigma=1.0))
    for layer in done.model.layers:
        size = layer.theta.detach().abs()
        # Clipping at one sigma leaves many coefficients exactly at the limit.
        assert (size == size.max()).float().mean() > 0.1


def test_calibration_images_are_a_stratified_choice_of_the_training_set(images):
    calibration = train(images, AUGMENTED).calibration
    np.testing.assert_array_equal(calibration, images.x.reshape(200, 196))  # fewer than 256: all


@pytest.mark.parametrize(
    ("x", "changes", "sentence"),
    [
        (np.ones((9, 4)), {}, "every input value of own is 1: nothing to learn"),
        (
            np.random.default_rng(0).normal(size=(9, 4, 4)),
            {"shift_px": 1.0},
            "the recipe augments 8-bit images (n, H, W), or (n, H, W, 3) if it leaves out "
            "rotate_deg, scale, shear and shift_px, but x is float64 of shape (9, 4, 4): use a ",
        ),
        (
            np.zeros((9, 16), np.uint8),
            {"resize": (2, 2)},
            "images of own have shape (16,); the network takes (2, 2)",
        ),
        (
            np.linspace(0, 2e30, 36).reshape(9, 4),
            {},
            "input values reach 2e+30, above 1e+30: rescale them",
        ),
        (np.zeros((1, 4), np.uint8), {}, "own has one training image: at least two are needed"),
        (
            np.random.default_rng(0).normal(size=(9, 4)),
            {"range_penalty": 1e300},
            "training diverged in epoch 1 (loss nan): lower learning_rate from 0.01",
        ),
    ],
)
def test_images_that_do_not_suit_the_recipe_are_refused(x, changes, sentence):
    n = np.arange(len(x))
    own = ImageSet(name="own", x=x, y=n % 2, index=n)
    recipe = Recipe(devices=("A21",), hidden=(3,), epochs=2, learning_rate=0.01)
    with pytest.raises(DataError, match=f"^{escape(sentence)}"):
        train(own, replace(recipe, **changes))


def test_a_training_run_leaves_a_checkpoint_and_a_card_that_say_the_same(npz, tmp_path):
    out = tmp_path / "net.pt"
    request = TrainingRequest(
        dataset=str(npz), recipe="plain-d2", out=out, epochs=2, command="analogkan train ..."
    )
    found = run_training(request)
    spec = checkpoint.load_spec(out)
    again = evaluate(spec, load_npz(npz, "test"), "test")
    assert (found["n"], found["accuracy"], found["ci95"]) == (200, again.accuracy, again.ci95)
    assert (found["evaluated_on"], found["parameters"]) == ("test", 26_570)
    assert spec.calibration is not None
    assert spec.calibration.shape == (256, 196)
    card = (tmp_path / "net.md").read_text()
    low, high = (f"{100 * bound:.2f}" for bound in again.ci95)
    for text in (
        "| command | `analogkan train ...` |",
        "| parameters | 26,570 |",
        f"| accuracy | **{100 * again.accuracy:.2f} %** on 200 images (digits.npz test, read "
        f"once), 95 % interval {low} to {high} (Wilson) |",
        "% outside a device's range, on digits.npz test, read once |",
        "| recipe, seed | plain-d2, 0; 2 epochs on 800 images of digits.npz |",
        f"| made with | analogkan {__version__}, torch {torch.__version__}, ",
        f"| sha256 | `{sha256(out)}` |",
    ):
        assert text in card
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.log.txt", "net.md", "net.pt"]
    lines = [
        line.split("  ", 1)[-1] for line in (tmp_path / "net.log.txt").read_text().splitlines()
    ]
    assert lines[:2] == [
        "# analogkan: what was run here, and how it ended",
        "begin: analogkan train ...",
    ]
    assert lines[3:5] == ["epochs: 1 of 2", "epochs: 2 of 2"]
    assert lines[-1].startswith("end: after ")


def test_the_devices_asked_for_take_the_place_of_the_recipes(npz, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = IVCurve("own", np.array([0.0, 0.6, 1.2]), np.array([0.0, 2e-6, 1e-6]))
    save(own, tmp_path / "mine.toml")
    request = TrainingRequest(dataset=str(npz), recipe="plain-d2", out=tmp_path / "n.pt", epochs=1)
    run_training(replace(request, devices="A21, ./mine.toml"))
    assert checkpoint.load_spec(tmp_path / "n.pt").layers[1].curves == (get("A21"), own)
    assert "devices A21, own |" in (tmp_path / "n.md").read_text()
    recipe = tmp_path / "r.toml"
    recipe.write_text('devices = ["mine.toml"]\nhidden = [4]\nepochs = 1\nlearning_rate = 0.01\n')
    run_training(replace(request, recipe=str(recipe)))
    assert checkpoint.load_spec(tmp_path / "n.pt").layers[0].curves == (own,)


@pytest.mark.parametrize(
    ("devices", "sentence"),
    [
        (" , ", "no device named: a layer needs at least one, such as A21"),
        ("A21,none.toml", "cannot read device file none.toml: No such file or directory"),
    ],
)
def test_devices_that_are_none_are_refused_before_the_data_are_read(tmp_path, devices, sentence):
    request = TrainingRequest(dataset="none.npz", recipe="plain-d2", out=tmp_path / "n.pt")
    with pytest.raises(DeviceError, match=f"^{escape(sentence)}$"):
        run_training(replace(request, devices=devices))
    assert not list(tmp_path.iterdir())


def test_a_holdout_is_reported_on_and_the_test_set_is_not_read(npz, tmp_path, monkeypatch):
    def train_only(name, split, *rest, **options):
        assert split == "train", "the test set was read"
        return load_npz(Path(name), split)

    monkeypatch.setattr(run, "load_dataset", train_only)
    request = TrainingRequest(dataset=str(npz), recipe="plain-d2", out=tmp_path / "n.pt", epochs=1)
    found = run_training(replace(request, holdout=100))
    assert (found["evaluated_on"], found["n"]) == ("held-out training", 100)
    assert "1 epochs on 700 images" in (tmp_path / "n.md").read_text()
    with pytest.raises(AssertionError, match="the test set was read"):
        run_training(request)


def test_a_test_set_that_cannot_be_used_is_refused_before_training(tmp_path):
    path = tmp_path / "own.npz"
    marks = np.array(["train"] * 8 + ["test"] * 2)
    np.savez(path, x=np.zeros((10, 4), np.uint8), y=np.array([0, 1] * 4 + [0, 2]), split=marks)
    request = TrainingRequest(dataset=str(path), recipe="plain-d2", out=tmp_path / "n.pt")
    sentence = (
        "label 2 of image 9 in own is of the test images alone (1 of them): no training image has "
        "it, so no network can learn it; mark some as training images"
    )
    with pytest.raises(DataError, match=f"^{escape(sentence)}$"):
        run_training(request, on_epoch=lambda epoch: pytest.fail("it trained"))


def test_a_test_set_in_another_unit_is_refused_before_training(tmp_path):
    path, x = tmp_path / "own.npz", np.random.default_rng(0).random((10, 4))
    x[8:] *= 255
    marks = np.array(["train"] * 8 + ["test"] * 2)
    np.savez(path, x=x, y=np.array([0, 1] * 5), split=marks)
    request = TrainingRequest(dataset=str(path), recipe="plain-d2", out=tmp_path / "n.pt")
    with pytest.raises(DataError, match=r"this network was trained on .*: rescale them"):
        run_training(request, on_epoch=lambda epoch: pytest.fail("it trained"))


@pytest.mark.parametrize("holdout", [800, 900])
def test_a_holdout_that_leaves_nothing_is_refused(npz, tmp_path, holdout):
    request = TrainingRequest(
        dataset=str(npz), recipe="plain-d2", out=tmp_path / "n.pt", holdout=holdout
    )
    with pytest.raises(DataError, match=f"holding out {holdout} of 800 training images leaves"):
        run_training(request)


def test_an_unfinished_training_that_is_damaged_is_refused(tmp_path):
    state, model = tmp_path / "net.pt.training", torch.nn.Linear(3, 2)
    unfinished.save_state(state, "key", 4, {"model": model})
    assert unfinished.resume(state, "key", {"model": model}) == 4
    sentence = f"^{state} cannot be read: remove it to start anew$"
    with pytest.raises(CheckpointError, match=sentence):
        unfinished.resume(state, "key", {"optimiser": model})
    with pytest.raises(CheckpointError, match=sentence):
        unfinished.resume(state, "key", {"model": torch.nn.Linear(4, 2)})
    whole = state.read_bytes()
    at = whole.index(model.weight.detach().numpy().tobytes())
    state.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(CheckpointError, match=sentence):
        unfinished.resume(state, "key", {"model": model})
