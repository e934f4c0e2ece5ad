"""compile takes a torch module of one's own, if it is what its layers are one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import analogkan as ak
from analogkan.errors import AnalogKanError, CheckpointError, SettingsError
from analogkan.network import checkpoint
from analogkan.network.modules import spec_of_module

from .convolutions import convolutional_spec
from .pages import ROOT, blocks, percentages, skeleton

CURVES = ak.devices.resolve("A21,Z21")
PIXELS = ak.Encoding(x_lo=0, x_hi=255, v_lo=0.0, v_hi=0.7, shape=(5,))


class Own(nn.Module):
    """5-4-3, with everything that may be between two layers."""

    def __init__(self, norm: nn.Module, squash: nn.Module) -> None:
        super().__init__()
        self.first = ak.TDKANLayer(5, 4, CURVES)
        self.between = nn.Sequential(norm, nn.Dropout(0.5), squash)
        self.last = ak.TDKANLayer(4, 3, CURVES)
        generator = torch.Generator().manual_seed(0)
        for parameter in (*self.first.parameters(), *self.last.parameters()):
            nn.init.normal_(parameter, 0.0, 0.4, generator=generator)

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        return self.last(self.between(self.first(v)))


class Doubled(Own):
    def forward(self, v: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(v)


@pytest.mark.parametrize(
    ("norm", "squash", "kind"),
    [
        (nn.BatchNorm1d(4), nn.Identity(), "none"),
        (nn.LayerNorm(4), nn.Hardtanh(0.1, 0.9), "clamp"),
        (nn.Identity(), nn.Sigmoid(), "sigmoid"),
        (nn.BatchNorm1d(4), nn.Tanh(), "tanh"),
    ],
)
def test_a_module_is_the_network_of_its_layers(norm, squash, kind):
    module = Own(norm, squash)
    module(torch.rand(64, 5))  # BatchNorm has statistics then
    spec = spec_of_module(module, PIXELS, name="own")
    assert spec.layers[1].squash.kind == kind and module.training
    x = np.random.default_rng(1).integers(0, 256, (20, 5))
    given = module.eval()(torch.tensor(PIXELS.volts(x), dtype=torch.float32))
    np.testing.assert_allclose(spec.logits(x), given.detach(), rtol=0, atol=1e-5)


def test_an_own_module_with_an_own_loop_becomes_a_verified_circuit(one_thread, tmp_path):
    module = nn.Sequential(ak.TDKANLayer(5, 4, CURVES), ak.TDKANLayer(4, 1, CURVES)).double()
    x = np.random.default_rng(0).integers(0, 256, (64, 5))
    volts, wanted = torch.tensor(PIXELS.volts(x)), torch.tensor(x.mean(axis=1) / 255)
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.0, 0.4, generator=generator)
    adam = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(30):
        adam.zero_grad()
        (module(volts)[:, 0] - wanted).square().mean().backward()
        adam.step()
    mean = ak.Targets(low=(0.0,), high=(255.0,), names=("mean",), units=("",))
    build = ak.compile(
        module, tmp_path / "own.build", encoding=PIXELS, targets=mean, calibrate=x, progress=False
    )
    assert build.verification is not None and build.verification.ok
    assert build.spec.task == "regression" and build.spec.name == "own"


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (
            Doubled(nn.Identity(), nn.Identity()),
            r"own: its forward gives answers of shape \(64, 3\).*, such as nn.Sigmoid$",
        ),
        (nn.Sequential(ak.TDKANLayer(5, 3, CURVES), nn.ReLU()), r"1 is ReLU, which has no circuit"),
        (nn.Sequential(ak.TDKANLayer(5, 3, CURVES), nn.Tanh()), r"has no TDKANLayer as its last"),
        (Own(nn.Tanh(), nn.Sigmoid()), r"between.2 is a second squash before one TDKANLayer"),
        (Own(nn.Tanh(), nn.LayerNorm(4)), r"between.2 is a norm in a place that has no circuit"),
        (nn.Sequential(ak.TDKANLayer(6, 3, CURVES)), r"has 6 inputs, what feeds it has 5"),
    ],
)
def test_a_module_that_is_no_circuit_is_refused(module, told):
    if not isinstance(module, Own):
        nn.init.normal_(module[0].weight)
    with pytest.raises(CheckpointError, match=told):
        spec_of_module(module, PIXELS, name="own")


def test_a_module_needs_an_encoding(tmp_path):
    module = nn.Sequential(ak.TDKANLayer(5, 3, CURVES))
    told = r"a network in memory does not know how an input becomes a voltage"
    with pytest.raises(SettingsError, match=told):
        ak.compile(module, tmp_path / "own.build", progress=False)


@pytest.mark.parametrize(
    ("norm", "squash"),
    [(nn.BatchNorm1d(4), nn.Hardtanh(0.0, 0.9)), (nn.LayerNorm(4), nn.Dropout())],
)
@pytest.mark.parametrize("double", [False, True])
def test_a_saved_module_is_the_network_it_was(tmp_path, norm, squash, double):
    kind = torch.float64 if double else torch.float32
    module = Own(norm, squash).to(kind)
    nn.init.normal_(module.first.weight, 0.0, 0.4)  # with the digits of its type
    module(torch.rand(64, 5, dtype=kind))
    path = ak.save(module, tmp_path / "own.pt", encoding=PIXELS, calibrate=255 * np.eye(5))
    model, spec = checkpoint.load(path)
    x = np.random.default_rng(1).integers(0, 256, (20, 5))
    wanted = spec_of_module(module, PIXELS, name="own").logits(x)
    np.testing.assert_allclose(spec.logits(x), wanted, rtol=0, atol=1e-12 if double else 1e-5)
    assert (spec.name, len(spec.calibration)) == ("own", 5)
    assert model.layers[0].weight.dtype == module.first.weight.dtype


def test_a_saved_convolution_and_a_builds_network_are_the_same(tmp_path):
    spec = convolutional_spec()
    ak.save(spec, tmp_path / "conv.pt")
    x = np.random.default_rng(0).integers(0, 256, (5, *spec.encoding.shape)).reshape(5, -1)
    saved = checkpoint.load_spec(tmp_path / "conv.pt")
    np.testing.assert_allclose(saved.logits(x), spec.logits(x), rtol=0, atol=1e-5)


def test_a_network_that_no_checkpoint_can_be_is_refused(tmp_path):
    out = tmp_path / "own.pt"
    with pytest.raises(CheckpointError, match="own has tanh before its hidden diodes alone: a che"):
        ak.save(Own(nn.Identity(), nn.Tanh()), out, encoding=PIXELS)
    other = nn.Sequential(ak.TDKANLayer(5, 4, CURVES), ak.TDKANLayer(4, 3, CURVES[:1]))
    for layer in other:
        nn.init.normal_(layer.weight)
    told = "own is no checkpoint, whose layers all have the same devices, norm and squash: make"
    with pytest.raises(CheckpointError, match=told):
        ak.save(other, out, encoding=PIXELS)
    with pytest.raises(
        SettingsError, match=r"model = 3 is of type int: give a torch.nn.Module, a "
    ):
        ak.save(3, out)
    with pytest.raises(SettingsError, match=r"^model is a pair, of a module and a NetworkSpec: "):
        ak.save(ak.load_network("mnist-d2"), out)
    with pytest.raises(CheckpointError, match=r"own.txt must end in .pt"):
        ak.save(other, tmp_path / "own.txt", encoding=PIXELS)
    assert not out.exists()


def test_what_cannot_be_trained_on_is_told_how_it_can(one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = Own(nn.Identity(), nn.Identity())
    x = np.random.default_rng(0).integers(0, 256, (20, 5))
    np.savez("d.npz", x=x, y=np.arange(20) % 3)
    build = ak.compile(module, "own.build", encoding=PIXELS, calibrate=x, progress=False)
    torch.save(module.state_dict(), "state.pt")
    torch.save({"model": module.state_dict(), "epoch": 3}, "theirs.pt")
    saved = r"ak.save\(ak.load_build\('own.build'\).spec, 'mine.pt'\) writes$"
    no_checkpoint = (
        r"of a module of TDKANLayer ak.save\(module, 'mine.pt', encoding=...\) writes one"
    )
    for start, told in (
        (module, r"is of type Own: give what save\(module, 'mine.pt', encoding=...\) writes of it"),
        (build.spec, r"is of type NetworkSpec: give what save\(spec, 'mine.pt'\) writes of it"),
        (
            build,
            r"the checkpoint it was compiled from, or what save\(build.spec, 'mine.pt'\) writes",
        ),
        ("own.build", rf"to train it on give the model that it was compiled from, or what {saved}"),
        ("own.build/network.npz", rf"is a file, and a model .* of the BUILD own.build; .* {saved}"),
        ("state.pt", no_checkpoint),
        ("theirs.pt", no_checkpoint),
    ):
        with pytest.raises(AnalogKanError, match=told):
            ak.train("d.npz", "on.pt", start=start, epochs=1)
    ak.save(build.spec, "mine.pt")
    made = ak.train("d.npz", "on.pt", start="mine.pt", epochs=1, progress=False)
    assert made.summary["recipe"] == "finetune"
    assert "| made by | a Python program |" in made.card.read_text()
    again, spec = ak.load_network(made)
    volts = torch.tensor(spec.encoding.volts(x), dtype=torch.float32)
    np.testing.assert_allclose(again(volts).detach(), spec.logits(x), rtol=0, atol=1e-5)
    assert not again.training
    assert ak.load_network("mnist-d2")[1].sizes == (196, 64, 10)
    with pytest.raises(CheckpointError, match=r"mine.toml"):
        ak.load_network("mine.toml")


def test_a_training_for_hardware_shows_its_own_chips(one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).integers(0, 256, (20, 5))
    np.savez("d.npz", x=x, y=np.arange(20) % 3)
    module = Own(nn.Identity(), nn.Identity())
    ak.save(module, "mine.pt", encoding=PIXELS, calibrate=x)
    chips = {"noise": "twin", "preset": "rram", "epochs": 1, "progress": False}
    made = ak.train("d.npz", "on.pt", start="mine.pt", **chips)
    assert f"{100 * made.summary['own_chips']['accuracy_mean']:.2f} %" in str(made)
    assert "own chips" in str(made) and ", before " in str(made)


@pytest.mark.slow
def test_the_page_goes_the_whole_way(ngspice, one_thread, tmp_path, monkeypatch, capsys):
    """Its programs, one after another, print what it says, but for what a CPU does to training."""
    monkeypatch.chdir(tmp_path)
    page = blocks(ROOT / "docs" / "from-torch.md", "python", "text")
    made: dict[str, Any] = {}
    said = ""
    for language, text in page:
        if language == "python":
            exec(text, made)
            said = capsys.readouterr().out or said
            continue
        assert skeleton(said) == skeleton(text)
        assert percentages(said) == pytest.approx(percentages(text), abs=4.0)
    assert made["build"].verification.ok and (tmp_path / "own-chips.png").stat().st_size > 1000
    assert made["squares"].names == ("squares",)
    assert sum(language == "text" for language, _ in page) == 4
