"""Training for hardware: what a batch is disturbed by, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from analogkan.cli import main
from analogkan.compiler.chip import RAMP_VOLTS
from analogkan.data import ImageSet
from analogkan.devices import get
from analogkan.errors import SettingsError
from analogkan.network.model import TDKAN, TDKANConfig
from analogkan.training.fit import train
from analogkan.training.noise import Noise
from analogkan.training.recipe import load_recipe

from .networks import Stopped, stopping_after
from .test_cli_errors import refused


def network() -> TDKAN:
    model = TDKAN(TDKANConfig(sizes=(30, 20, 10), curves=(get("A21"), get("Z21"))))
    model.initialise([0.3], torch.Generator().manual_seed(0), gamma=0.3, beta=0.4)
    return model.eval()


def data(n: int = 300) -> ImageSet:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    x = rng.normal(120, 30, (n, 12)) + 50 * (np.arange(12)[None] % 3 == y[:, None])
    return ImageSet(name="made", x=x.clip(0, 255).astype(np.uint8), y=y, index=np.arange(n))


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_coefficients_are_disturbed_by_the_formula(kind):
    weight = torch.linspace(-2, 4, 6000).reshape(60, 100)
    noise = Noise(kind=kind, sigma=0.1)
    found = noise.disturbed(weight, torch.Generator().manual_seed(1)) - weight
    scaled = found / (weight if kind == "multiplicative" else 4.0)
    z = (scaled / 0.1).flatten()[weight.flatten().abs() > 1e-3]
    assert abs(float(z.mean())) < 4 / np.sqrt(len(z))
    assert abs(float(z.std()) - 1) < 4 / np.sqrt(2 * len(z))


def test_diodes_are_disturbed_as_chips_are():
    noise = Noise(kind="additive", sigma=0.0, diode_current=0.05, diode_voltage=0.01,
                  diode_shift=0.002)  # fmt: skip
    model = network()
    v = torch.full((1, 30), 0.3)
    factors = noise._factors((30, 2), (0.05, 0.01, 0.002), torch.Generator().manual_seed(2))
    assert factors is not None
    from analogkan.training.noise import _phi

    found = _phi(model.layers[0], v, factors).reshape(30, 2)
    for i in (0, 7, 29):
        for d, curve in enumerate((get("A21"), get("Z21"))):
            k_i, k_v, d_v = (float(f[i, d]) for f in factors)
            u = k_v * 0.3 + d_v * min(0.3 / RAMP_VOLTS, 1.0)
            assert float(found[i, d]) == pytest.approx(
                k_i * float(curve.phi(np.array(u))), rel=1e-5
            )


def test_a_batch_is_one_chip_and_batches_differ():
    noise = Noise(kind="multiplicative", sigma=0.1, die_current=0.02)
    model, generator = network(), torch.Generator().manual_seed(3)
    v = torch.full((4, 30), 0.4)
    first, _ = noise.forward(model, v, generator)
    second, _ = noise.forward(model, v, generator)
    torch.testing.assert_close(first[0], first[3])
    assert float((first - second).abs().max().detach()) > 1e-3


def test_noise_changes_training_and_can_be_resumed_bit_for_bit(tmp_path):
    recipe = load_recipe("plain-d2", epochs=3)
    noise = Noise(kind="multiplicative", sigma=0.1)
    images = data()
    whole = train(images, recipe, seed=5, disturbance=noise).model.state_dict()
    plain = train(images, recipe, seed=5).model.state_dict()
    assert any(not torch.equal(whole[key], plain[key]) for key in whole)

    state = tmp_path / "state"
    with pytest.raises(Stopped):
        train(images, recipe, seed=5, disturbance=noise, state=state, on_epoch=stopping_after(2))
    resumed = train(images, recipe, seed=5, disturbance=noise, state=state).model.state_dict()
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key


def test_noise_that_is_none_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"^noise additive with every sigma 0 disturbs nothing"):
        Noise(kind="additive", sigma=0.0)
    with pytest.raises(SettingsError, match=r"^sigma = 2 is out of range: 0 to 1$"):
        Noise(kind="additive", sigma=2)
    words = ("--dataset", "mnist", "--recipe", "plain-d2", "--out", tmp_path / "a.pt")
    kind, text = refused("train", *words, "--variation", "ideal")
    assert kind == "SettingsError"
    assert text.startswith("noise multiplicative with every sigma 0 disturbs nothing")


def test_a_card_says_what_a_model_was_trained_for(tmp_path):
    images = data()
    np.savez(tmp_path / "d.npz", x=images.x, y=images.y)
    words = ["train", "--dataset", tmp_path / "d.npz", "--recipe", "plain-d2", "--epochs", 1]
    words += ["--variation", "rram", "--out", tmp_path / "a.pt"]
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "| disturbed by | kind multiplicative, sigma 0.05" in (tmp_path / "a.md").read_text(
        encoding="utf-8"
    )
