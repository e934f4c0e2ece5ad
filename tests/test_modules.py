"""compile takes a torch module of one's own, if it is what its layers are one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import analogkan as ak
from analogkan.errors import CheckpointError, SettingsError
from analogkan.network.modules import spec_of_module

from .pages import ROOT, blocks

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
            r"own: its forward gives answers of shape \(64, 3\)",
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


def test_the_pages_module_becomes_a_circuit(one_thread, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = blocks(ROOT / "docs" / "explain.md", "python")[0][1]
    made: dict[str, Any] = {}
    exec(program, made)
    found = made["build"]
    assert found.verification.ok and found.spec.targets.names == ("squares",)
    x = np.random.default_rng(1).uniform(-1, 1, (200, 2))
    wanted = (x**2).sum(axis=1)
    given = found.spec.targets.values(found.spec.logits(x))[:, 0]
    assert np.sqrt(((given - wanted) ** 2).mean()) < 0.5 * wanted.std()
