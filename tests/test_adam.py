"""Adam is torch's, bit for bit, and goes on where it was."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from analogkan.training import adam as module
from analogkan.training.adam import adam, constant, cosine

SHAPES = ((7, 33), (7,), (3, 14), (3,))


def networks(n: int, dtype: torch.dtype = torch.float32) -> list[torch.nn.ParameterList]:
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(shape, generator=generator, dtype=dtype) for shape in SHAPES]
    return [torch.nn.ParameterList([part.clone() for part in drawn]) for _ in range(n)]


def descend(model, optimiser, steps: int, seed: int = 1) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimiser.zero_grad()
        for p in model:
            p.grad = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        optimiser.step()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rate", [constant(0.02), cosine(0.02, 40)])
def test_it_is_torch_s_to_the_bit(rate, dtype):
    mine, theirs = networks(2, dtype)
    reference = torch.optim.Adam(theirs.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.LambdaLR(reference, lambda k: rate(k) / 0.02)
    descend(mine, adam(mine, rate), 40)
    generator = torch.Generator().manual_seed(1)
    for _ in range(40):
        for p in theirs:
            p.grad = torch.randn(p.shape, generator=generator, dtype=dtype)
        reference.step()
        schedule.step()
    for ours, wanted in zip(mine, theirs, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-15)
        assert dtype == torch.float64 or torch.equal(ours, wanted)


def test_a_cosine_ends_at_zero():
    rate = cosine(0.3, 8)
    assert (rate(0), rate(4), rate(8)) == (0.3, pytest.approx(0.15), 0.0)


@pytest.mark.parametrize("fused_from", [1, 1_000_000])
def test_it_goes_on_bit_for_bit(fused_from, monkeypatch):
    monkeypatch.setattr(module, "FUSED_FROM", fused_from)
    whole, half, rest = networks(3)
    rate = cosine(0.02, 20)
    one = adam(whole, rate)
    descend(whole, one, 5)
    descend(whole, one, 5, seed=2)
    first, second = adam(half, rate), adam(rest, rate)
    descend(half, first, 5)
    rest.load_state_dict(half.state_dict())
    second.load_state_dict(first.state_dict())
    descend(rest, second, 5, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(whole, rest, strict=True))


def test_what_gets_no_gradient_stays():
    (model,) = networks(1)
    before = model[1].clone()
    optimiser = adam(model, constant(0.1))
    model[0].grad = torch.ones_like(model[0])
    optimiser.step()
    assert torch.equal(model[1], before) and not torch.equal(model[0], networks(1)[0][0])


def test_it_loads_no_compiler():
    code = (
        "import sys, torch; from analogkan.training.adam import adam, constant;"
        "adam(torch.nn.Linear(3, 2), constant(0.1)); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
