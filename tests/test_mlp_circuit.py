"""MLPs with a device's curve as activation, as networks and as circuits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import load_hardware
from analogkan.compiler.verify import verify_build, write_verified
from analogkan.data import ImageSet
from analogkan.devices import resolve
from analogkan.errors import CheckpointError, SettingsError
from analogkan.network.baselines import MLP
from analogkan.network.mlp import DEVICES, RESISTOR, DeviceMLP, mlp_spec
from analogkan.network.model import TDKANConfig
from analogkan.network.spec import load_spec
from analogkan.studies.simulate import simulate
from analogkan.training.fit import train
from analogkan.training.recipe import load_recipe

SHAPE, COLOUR = (4, 4), (2, 2, 3)


def made(activation: str, shape=SHAPE, sizes=(16, 7, 3), colours: int = 1):
    """An MLP, its inputs (n, I) in 8 bit, and its network."""
    torch.manual_seed(0)
    model = MLP(sizes, activation)
    if activation == "mosfet":
        with torch.no_grad():
            model.layers[0].bias.add_(1.5)  # pyright: ignore
    x = np.random.default_rng(0).integers(0, 256, (40, sizes[0])).astype(np.uint8)
    mean, std = (0.4, 0.5, 0.45)[:colours], (0.2, 0.3, 0.25)[:colours]
    spec = mlp_spec(model, activation, x, shape=shape, mean=mean, std=std, name="mlp")
    return model, x, spec, mean, std


@pytest.mark.parametrize("activation", DEVICES)
@pytest.mark.parametrize(("shape", "sizes", "colours"),
                         [(SHAPE, (16, 7, 3), 1), (COLOUR, (12, 6, 5, 3), 3)])  # fmt: skip
def test_the_network_is_the_mlp(activation, shape, sizes, colours, one_thread):
    model, x, spec, mean, std = made(activation, shape, sizes, colours)
    inputs = (torch.from_numpy(x).double() / 255).view(40, -1, colours) - torch.tensor(mean)
    inputs = (inputs / torch.tensor(std)).flatten(1)
    with torch.no_grad():
        wanted = model.double()(inputs).numpy()
    found = spec.logits(x)
    # A formula is a table, to 1e-4 of its peak a layer; a table is itself.
    exact = 2e-6 if activation == "cmtd" else 5e-3
    np.testing.assert_allclose(found, wanted, atol=exact * np.abs(wanted).max())
    assert spec.layers[0].curves == (RESISTOR,)
    assert [len(layer.curves) for layer in spec.layers] == [1] * (len(sizes) - 1)


@pytest.mark.parametrize("activation", DEVICES)
def test_its_circuit_is_verified_and_ngspice_agrees(activation, ngspice, tmp_path, one_thread):
    _, x, spec, *_ = made(activation)
    spec.save(tmp_path / "mlp.npz")
    again = load_spec(tmp_path / "mlp.npz")
    assert again.fingerprint() == spec.fingerprint()
    build = write_build(again, load_hardware("ideal", ["r_out=5"]), tmp_path / "mlp.build")
    found = verify_build(build)
    assert found.ok, found.sentence()
    y = spec.logits(x).argmax(axis=1)
    images = ImageSet(name="m", x=x.reshape(-1, *SHAPE), y=y, index=np.arange(len(y)))
    s = simulate(build, images, run=tmp_path / "run").summary
    assert s["agreement"] == 1.0
    assert s["max_abs_logit_error"] < 1e-6 * s["logit_full_scale"]


def test_an_activation_that_is_no_device_is_refused():
    with pytest.raises(SettingsError, match=r"^activation 'relu' is no device: cmtd, rtd, mosfet"):
        mlp_spec(MLP((4, 2), "relu"), "relu", np.zeros((1, 4)), shape=(2, 2), mean=(0.0,),
                 std=(1.0,), name="m")  # fmt: skip


@pytest.mark.parametrize("activation", DEVICES)
def test_its_layers_are_cut_like_others(activation, ngspice, tmp_path, one_thread):
    """As the CIFAR-10 ones, which are larger than one deck."""
    _, x, spec, *_ = made(activation, COLOUR, (12, 6, 5, 3), 3)
    build = write_verified(
        spec, load_hardware("ideal", ["r_out=5"]), tmp_path / "mlp.build", most=80
    )
    assert build.verification is not None and build.verification.findings == []
    n = np.arange(8)
    images = ImageSet(name="own", x=x[:8].reshape(8, *COLOUR), y=n % 3, index=n)
    s = simulate(build, images).summary
    assert [section["circuits"] for section in s["held"]] == [2, 1, 1]
    assert s["agreement"] == 1.0
    assert s["max_abs_logit_error"] <= 1e-5 * s["logit_full_scale"]


def config(devices: str) -> TDKANConfig:
    return TDKANConfig(sizes=(16, 7, 3), curves=resolve(devices))


def test_an_mlp_with_two_devices_a_node_is_refused():
    told = "^an MLP has one device a hidden node and no convolutions, here 2 and 0$"
    with pytest.raises(SettingsError, match=told):
        DeviceMLP(config("A21,Z21"))


@pytest.mark.parametrize("device", ["A21", "Z21"])
def test_an_mlp_trained_as_tdkans_are_is_linear_then_a_device(device, one_thread):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (120, *SHAPE)).astype(np.uint8)
    images = ImageSet(name="m", x=x, y=np.arange(120) % 3, index=np.arange(120))
    recipe = replace(load_recipe("plain-d2", epochs=2), devices=(device,), hidden=(7,), v_hi=1.0)
    done = train(images, recipe, network=DeviceMLP)
    spec = done.model.to_spec(done.encoding, name="mlp").folded()
    assert [layer.curves[0].name for layer in spec.layers] == [RESISTOR.name, device]
    first, last = spec.layers
    hidden = x.reshape(120, -1) / 255 @ first.theta[:, :, 0] + first.bias
    wanted = last.curves[0].phi(hidden) @ last.theta[:, :, 0] + last.bias
    np.testing.assert_allclose(spec.logits(x.reshape(120, -1)), wanted, atol=1e-12)


def test_a_tdkan_does_not_go_on_with_an_mlps_training(tmp_path, one_thread):
    x = np.random.default_rng(0).integers(0, 256, (40, *SHAPE)).astype(np.uint8)
    images = ImageSet(name="m", x=x, y=np.arange(40) % 3, index=np.arange(40))
    recipe = replace(load_recipe("plain-d2", epochs=2), devices=("A21",), hidden=(7,), v_hi=1.0)
    train(images, recipe, network=DeviceMLP, state=tmp_path / "s")
    with pytest.raises(CheckpointError, match="is an unfinished training with another recipe"):
        train(images, recipe, state=tmp_path / "s")
