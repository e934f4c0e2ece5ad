"""A chip that follows the coefficients: its tables are the twin's, its precision the network's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from analogkan.compiler.hardware import Hardware
from analogkan.engines.twin import Twin, interpolate
from analogkan.imperfections import Variation
from analogkan.training.folded import folded_layers, spec_of
from analogkan.training.followed import FollowedChip
from analogkan.training.row_tables import RowTables

from .chips import EVERYTHING, chip
from .networks import random_spec
from .test_through_chips import (
    CALIBRATION,
    ENCODING,
    KINDS,
    OLD,
    QUIET,
    network,
    through,
    volts,
)

SHIFTED = Variation(diode_sigma_shift=0.02, diode_sigma_voltage=0.05, offset_sigma=2e-3)
"""Its tables have kinks of their own, close to others."""


def stage_of(variation: Variation):
    return Twin([chip(random_spec(3), variation)]).stages[0]


@pytest.mark.parametrize("variation", [EVERYTHING, SHIFTED])
def test_arithmetic_finds_the_lines_that_a_search_finds(variation):
    stage = stage_of(variation)
    inputs, diodes = stage.x.shape[1:3]
    points = stage.x[0].amin(dim=1).repeat(1, 3)
    odd = torch.tensor([torch.inf, -torch.inf, 1e9, -1e9, 0.0]).double().expand(inputs, -1)
    steps = torch.linspace(-0.5, 2.0, 997, dtype=torch.float64).expand(inputs, -1)
    v = torch.cat([points, odd, steps], dim=1)
    found = RowTables(stage.x[0], stage.r[0], torch.float64)(v)
    at = v[:, None].expand(-1, diodes, -1).contiguous()
    wanted = interpolate(stage.x[0], stage.r[0], at).flatten(0, 1)
    finite = found.isfinite()
    assert int((~finite).sum()) == 2 * inputs * diodes  # 0 times infinity, with both
    assert torch.equal(finite, wanted.isfinite())
    torch.testing.assert_close(found[finite], wanted[finite], rtol=0, atol=1e-14)


def test_points_that_repeat_have_nothing_between_and_a_line_s_slope_is_its_gradient():
    x = torch.tensor([[[0.0, 1.0, 1.0, 3.0, 3.0, 3.0]]], dtype=torch.float64)
    y = torch.tensor([[[0.0, 2.0, 2.0, -1.0, -1.0, -1.0]]], dtype=torch.float64)
    v = torch.tensor([[-1.0, 0.5, 1.0, 2.0, 3.0, 4.0, torch.nan]], dtype=torch.float64)
    v.requires_grad_()
    found = RowTables(x, y, torch.float64)(v)
    assert found[0, :6].tolist() == [0.0, 1.0, 2.0, 0.5, -1.0, -1.0]
    assert bool(found[0, 6].isnan())
    found.sum().backward()
    assert v.grad is not None
    assert v.grad[0, :6].tolist() == [0.0, 2.0, -1.5, -1.5, 0.0, 0.0]


@pytest.mark.parametrize("wires", [{}, {"r_wire": 20.0}])
@pytest.mark.parametrize(("squash", "norm"), KINDS)
def test_a_network_in_single_precision_is_answered_and_differentiated_in_it(squash, norm, wires):
    """Single precision grows from layer to layer by the diodes' slopes, as without a chip."""
    model = network(squash, norm)
    made = through(Hardware(**wires), QUIET, replace(OLD, temp_c=85.0))
    spec = spec_of(model, folded_layers(model, volts()), ENCODING, CALIBRATION)
    design, drawn = made._made(spec, (3, 5))
    answers, slopes = [], []
    for dtype in (torch.float32, torch.float64):
        model, v = model.to(dtype), volts().to(dtype)
        layers = folded_layers(model, v)
        found, hidden = FollowedChip(design, drawn, 85.0, layers, dtype).run(
            layers, model.squashed(v)
        )
        assert found.dtype == dtype and all(z.dtype == dtype for z in hidden)
        model.zero_grad()
        found.square().sum().backward()
        answers.append([x.detach().double().numpy() for x in (*hidden, found)])
        slopes.append([p.grad.double().numpy() for p in model.parameters() if p.grad is not None])
    for single, double, share in zip(*answers, (1e-5, 1e-4, 1e-3), strict=True):
        np.testing.assert_allclose(single, double, rtol=0, atol=share * np.abs(double).max())
    for single, double in zip(*slopes, strict=True):
        np.testing.assert_allclose(single, double, rtol=0, atol=1e-3 * np.abs(double).max())
