"""Recipes that are refused, and the augmentation a recipe asks for."""

from __future__ import annotations

from dataclasses import replace
from re import escape

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from analogkan.data.images import resize
from analogkan.errors import SettingsError
from analogkan.training import augment
from analogkan.training.augment import augmented
from analogkan.training.recipe import Recipe, load_recipe

from .pages import ROOT, blocks

PLAIN = Recipe(devices=("A21",), hidden=(4,), epochs=1, learning_rate=0.01)
BLANK = 'devices = ["A21"]\nhidden = [4]\nepochs = 1\nlearning_rate = 0.01\n'


def moved(images: np.ndarray, shape: tuple[int, int], seed: int = 0, **amounts) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    how = replace(PLAIN, **amounts).augmentation()
    out = augmented(torch.tensor(images), shape, how, generator)
    return out.numpy().reshape(len(images), *shape)


def centroids(images: np.ndarray) -> np.ndarray:
    """(n, 2): row and column of each image's centre of brightness."""
    rows, columns = np.indices(images.shape[1:])
    weight = images.sum((1, 2))
    return np.stack([(images * at).sum((1, 2)) / weight for at in (rows, columns)], axis=1)


def block(n: int, height: int, width: int) -> np.ndarray:
    """n images with a bright square in the middle of nothing."""
    images = np.zeros((n, height, width), np.uint8)
    images[:, height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2] = 200
    return images


@pytest.mark.parametrize("shape", [(14, 14), (28, 28), (10, 20)])
def test_augmentation_by_nothing_is_the_resize_by_pil_to_within_one_grey_level(shape):
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)
    np.testing.assert_allclose(moved(images, shape), resize(images, shape), rtol=0, atol=1.0)


def test_resize_is_pils_own_bilinear_one():
    image = np.random.default_rng(0).integers(0, 256, (28, 20)).astype(np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((5, 7), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resize(image[None], (7, 5)), [expected])


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 40), (40, 20)])
def test_shifts_are_uniform_to_the_stated_pixels_on_both_axes_of_any_image(height, width):
    images = block(1000, height, width)
    shifts = centroids(moved(images, (height, width), shift_px=3.0)) - centroids(images)
    assert (np.abs(shifts) <= 3.0 + 1e-3).all()
    assert (np.abs(shifts).max(axis=0) > 2.95).all()
    # A uniform draw's standard deviation is 3 / sqrt(3); 1,000 draws know it to 2 percent.
    np.testing.assert_allclose(shifts.std(axis=0), 3 / np.sqrt(3), rtol=0.06)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 40)])
def test_a_turn_turns_without_bending_in_an_image_of_any_shape(height, width):
    # Two squares 10 pixels apart stay 10 apart, and their line turns by at most 30 degrees.
    left, right = np.zeros((2, 500, height, width), np.uint8)
    for images, at in ((left, -5), (right, 5)):
        images[:, height // 2 - 1 : height // 2 + 1, width // 2 + at - 1 : width // 2 + at + 1] = (
            200
        )
    ends = [centroids(moved(x, (height, width), rotate_deg=30.0)) for x in (left, right)]
    rows, columns = (ends[1] - ends[0]).T
    np.testing.assert_allclose(np.hypot(rows, columns), 10.0, rtol=0.05)
    angle = np.degrees(np.arctan2(rows, columns))
    assert 28.5 < np.abs(angle).max() < 31.5


@pytest.mark.parametrize(
    "amount", [{"rotate_deg": 10.0}, {"scale": 0.1}, {"shear": 0.1}, {"shift_px": 1.5}]
)
def test_each_amount_moves_every_image_by_its_own_draw(amount):
    images = block(20, 28, 28)
    out = moved(images, (28, 28), **amount)
    distance = np.abs(out[:, None] - np.concatenate([images[:1], out])).max((2, 3))
    assert (distance[:, 0] > 0.1).all()
    assert (distance[:, 1:][~np.eye(20, dtype=bool)] > 0).all()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("epoch = 3", "recipe own: unknown setting 'epoch', did you mean epochs?"),
        ("colour = 3", "recipe own: unknown setting 'colour'. Known: devices, hidden, epochs"),
        ("batch = 1", "batch = 1 is out of range: 2 to 65536"),
        ("batch = 12.5", "recipe own: batch = 12.5 is not a whole number"),
        ("batch = true", "recipe own: batch = True is not a whole number"),
        ("v_hi = -1", "v_hi = -1.0 is out of range: above v_lo = 0.0"),
        ('v_hi = "low"', "recipe own: v_hi = 'low' is not a number"),
        (
            "resize = [14]",
            "resize = (14,) is out of range: height and width, both 1 to 65536, or empty",
        ),
        (
            "resize = [0, 14]",
            "resize = (0, 14) is out of range: height and width, both 1 to 65536, or empty",
        ),
        ("resize = [14.5, 14]", "recipe own: resize = [14.5, 14] is not a list of whole numbers"),
        ("resize = 14", "recipe own: resize = 14 is not a list of whole numbers"),
        ('squash = "relu"', "squash = 'relu' is out of range: none, clamp, sigmoid, tanh"),
        ('norm = "group"', "norm = 'group' is out of range: none, batch, layer"),
        ("clip_sigma = -1", "clip_sigma = -1.0 is out of range: 0 or more"),
        ("norm_gain = nan", "norm_gain = nan is out of range: -1000 to 1000 V"),
        ("v_hi = inf", "v_hi = inf is out of range: -1000 to 1000 V"),
        ("v_hi = 9.9e37", "v_hi = 9.9e+37 is out of range: -1000 to 1000 V"),
        ("init_phi2 = [0.1, inf]", "init_phi2 = (0.1, inf) is out of range: each above 0"),
        (
            "resize = [14, 9007199254740993]",
            "recipe own: resize = [14, 9007199254740993] is not a list of whole numbers",
        ),
        ("shift_px = inf", "shift_px = inf is out of range: 0 or more"),
        ("range_lo = 2", "range_hi = 1.25 is out of range: above range_lo = 2.0"),
        ("init_phi2 = []", "init_phi2 = () is out of range: each above 0"),
    ],
)
def test_a_recipe_with_a_bad_entry_is_refused(tmp_path, line, sentence):
    path = tmp_path / "own.toml"
    path.write_text(BLANK + line + "\n")
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}(, |$)"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("epochs", 0, "1 to 10000"),
        ("learning_rate", 0.0, "above 0, below 10"),
        ("learning_rate", float("nan"), "above 0, below 10"),
        ("hidden", (64, 0), "each 1 to 65536"),
    ],
)
def test_a_recipe_out_of_range_is_refused(name, value, limit):
    with pytest.raises(SettingsError, match=escape(f"{name} = {value!r} is out of range: {limit}")):
        replace(PLAIN, **{name: value})


def test_an_unknown_recipe_is_refused_with_the_nearest_name():
    sentence = (
        "unknown recipe 'mnist-d4', did you mean mnist-d3? "
        "Known: cifar-conv, cifar-d3, fashion-d2, fashion-d3, finetune, function-d2, "
        "function-d3, function-finetune, mnist-conv, mnist-d2, "
        "mnist-d2-short, mnist-d3, mnist-finetune, paper-cifar-d2, paper-cifar-d3, "
        "paper-cifar-d3-unbiased, "
        "paper-cifar-d4-unbiased, paper-fashion-d2, paper-fashion-d3, paper-mnist-d2, "
        "paper-mnist-d3, plain-d2, "
        "or the path of a .toml file"
    )
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        load_recipe("mnist-d4")


def test_a_recipe_that_lacks_an_entry_is_refused(tmp_path):
    (tmp_path / "own.toml").write_text("hidden = [4]\n")
    with pytest.raises(SettingsError, match=r"^recipe own lacks devices, epochs, learning_rate$"):
        load_recipe(str(tmp_path / "own.toml"))


def test_epochs_may_be_given_instead_of_the_recipes():
    assert load_recipe("mnist-d2", epochs=5) == replace(load_recipe("mnist-d2"), epochs=5)
    with pytest.raises(SettingsError, match="epochs = 0 is out of range: 1 to 10000"):
        load_recipe("mnist-d2", epochs=0)


# ---- images in colour


def coloured(n: int = 6) -> np.ndarray:
    """n 8 x 8 images in colour, every pixel its own."""
    return np.random.default_rng(0).integers(20, 200, (n, 8, 8, 3)).astype(np.uint8)


def changed(images: np.ndarray, seed: int = 0, **amounts) -> np.ndarray:
    how = replace(PLAIN, **amounts).augmentation()
    out = augmented(
        torch.tensor(images), images.shape[1:], how, torch.Generator().manual_seed(seed)
    )
    return out.numpy().reshape(images.shape)


def test_images_in_colour_keep_their_layout():
    images = coloured()
    np.testing.assert_array_equal(changed(images), images)


def test_a_mirror_image_is_one_of_two():
    images = coloured(200)
    found = changed(images, flip=True)
    mirrored = (found == images[:, :, ::-1]).all((1, 2, 3))
    assert (mirrored | (found == images).all((1, 2, 3))).all()
    assert 70 < mirrored.sum() < 130


def test_a_crop_is_a_piece_of_the_image_with_black_around():
    images = coloured(300)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    found, corners = changed(images, crop_px=2), set()
    for k, image in enumerate(found):
        at = [
            (r, c) for r in range(5) for c in range(5)
            if (padded[k, r : r + 8, c : c + 8] == image).all()
        ]  # fmt: skip
        assert len(at) == 1
        corners |= {*at}
    assert len(corners) == 25


def test_colours_change_by_their_factors():
    grey = np.full((500, 4, 4, 3), 100, np.uint8)
    found = changed(grey, jitter=0.2)
    assert np.ptp(found, axis=(1, 2, 3)).max() < 1e-3  # one grey has no contrast and no colour
    assert 79.9 < found.min() < 82 and 118 < found.max() < 120.1
    images = coloured()
    assert np.abs(changed(images, jitter=0.2) - images).max() > 5


def test_augmentations_that_are_none_are_refused():
    with pytest.raises(SettingsError, match=r"^jitter = 2 is out of range: 0 to 1"):
        replace(PLAIN, jitter=2)
    with pytest.raises(SettingsError, match=r"^crop_px = -1 is out of range: 0 or more"):
        replace(PLAIN, crop_px=-1)


@pytest.mark.parametrize("size", [(28, 28), (5, 9)])
def test_pixels_are_taken_from_where_torch_s_affine_grid_has_them(size):
    maps = torch.randn(30, 2, 3, generator=torch.Generator().manual_seed(0))
    wanted = functional.affine_grid(maps, [30, 1, *size], align_corners=False)
    places = augment._places(maps, torch.Size(size))
    torch.testing.assert_close(places, wanted, rtol=0, atol=1e-6)


def test_a_recipe_that_trains_on_says_only_how(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("epochs = 2\nlearning_rate = 5e-4\n", encoding="utf-8")
    found = load_recipe(str(file), trains_on=True)
    assert found == replace(load_recipe("finetune"), epochs=2, learning_rate=5e-4)
    with pytest.raises(SettingsError, match=r"^recipe mine lacks devices, hidden$"):
        load_recipe(str(file))
    whole = load_recipe("mnist-finetune", trains_on=True)
    assert whole == load_recipe("mnist-finetune") and whole.task == "classification"


def test_the_page_shows_the_recipe_that_trains_on():
    ((_, shown),) = blocks(ROOT / "docs" / "hardware-aware.md", "toml")
    shipped = ROOT / "analogkan" / "training" / "recipes" / "finetune.toml"
    assert shown == shipped.read_text(encoding="utf-8")
    assert load_recipe("finetune").clip_sigma == 0.0
    for name, unless_said in {"clip_sigma": 3.0, "range_penalty": 100.0, "range_hi": 1.25}.items():
        assert getattr(PLAIN, name) == unless_said
