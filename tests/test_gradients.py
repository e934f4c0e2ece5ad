"""Derivatives of a chip's answers in its coordinates: against differences of chips as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.coordinates import Given, Listing
from analogkan.engines.chip_engines import TwinEngine
from analogkan.engines.gradients import Middle, gradient, linearise
from analogkan.engines.traced import Traced
from analogkan.errors import DerivativeError, SettingsError
from analogkan.imperfections import Conditions, Imperfection, Variation, register, unregister, upto
from analogkan.imperfections.registry import BUILT_IN
from analogkan.streams import Place
from analogkan.studies.bench import Bench
from analogkan.studies.points import Point

from .chips import EVERYTHING, FRONTS, LATER
from .networks import random_images, random_spec

OLD = Conditions(age_s=1e5, temp_c=60.0)
SMOOTH = {"stuck_min": 0.0, "stuck_max": 0.0, "read_noise": 0.02}
"""``EVERYTHING`` without what happens or does not."""
PARTS = {"dac_bits": 8, "c_dac": 1e-12, "c_adc": 1e-12, "c_hold": 1e-12, "t_position": 2e-6}
"""What errors of converters need."""
SMALL = {"V": 1e-3, "V/K": 1e-5, "um": 100.0, "um^2": 100.0, "A": 1e-12, "C": 1e-15, "C/V": 1e-15,
         "1/V^2": 0.3, "LSB": 0.5}  # fmt: skip
"""Of what is in neither list, by its unit; others are 0.01."""
STEP = 3e-4


def every_spec():
    """With a front of every kind before its diodes."""
    return random_spec(4, (5, 4, 3), squash="tanh", norm="layer")


def bench_of(folder: Any, spec: Any, most: int | None = None, n: int = 4, **hardware: Any) -> Bench:
    cut = {} if most is None else {"most": most}
    build = write_build(spec, Hardware(**hardware), folder / "net.build", **cut)
    return Bench(build, random_images(3, n, spec.sizes[0], spec.sizes[-1]), TwinEngine())


@pytest.fixture(autouse=True)
def exact(monkeypatch) -> None:
    """A trim leaves less than what differences are divided by."""
    monkeypatch.setattr("analogkan.imperfections.trim.EXACT_VOLTS", 1e-13)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Bench:
    return bench_of(tmp_path_factory.mktemp("plain"), random_spec(1, (5, 4, 3)))


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> Bench:
    """Three circuits, with held values between and converters at the ends."""
    return bench_of(tmp_path_factory.mktemp("held"), every_spec(), most=60, **PARTS)


def point_of(bench: Bench, conditions: Conditions = OLD, **settings: Any) -> Point:
    return Point(
        hardware=bench.build.hardware, variation=Variation(**settings), conditions=conditions,
        sample=0,
    )  # fmt: skip


def smooth(**more: Any) -> dict[str, Any]:
    return dict(vars(EVERYTHING)) | SMOOTH | more


def a_chip(bench: Bench, point: Point, sample: int = 3) -> dict[Any, np.ndarray]:
    """The coordinates of a chip by its number, written down."""
    listed = Listing({}, {})
    bench.read(replace(point, source=listed))
    return {
        key: Place(seed=0, sample=sample, layer=key.layer, share=key.share).normal(
            key.stream, shape, key.block
        )
        for key, shape in listed.shapes.items()
    }


def check_gradient(bench: Bench, point: Point, rest: Any = None) -> dict[Any, np.ndarray]:
    """The gradient at a chip, held against differences along a direction of each key."""
    rest, rng = rest or Listing({}, {}), np.random.default_rng(0)
    at = a_chip(bench, point)
    weights = rng.standard_normal((len(bench.labels), bench.spec.sizes[-1]))

    def figure(key: Any, by: np.ndarray) -> float:
        moved = Given(at | {key: at[key] + by}, rest)
        return float((weights * bench.read(replace(point, source=moved))).sum())

    found = gradient(
        bench, point, at, lambda logits: (torch.from_numpy(weights) * logits).sum(), rest=rest
    )
    assert found.value == pytest.approx(figure(next(iter(at)), 0.0), rel=1e-12)
    assert set(found.slopes) <= set(at)
    for key, slope in found.slopes.items():
        along = rng.standard_normal(slope.shape)
        wanted = (figure(key, STEP * along) - figure(key, -STEP * along)) / (2 * STEP)
        left = abs(float((slope * along).sum()) - wanted)
        assert left <= 1e-6 * np.linalg.norm(slope) + 1e-9, (key, left, np.linalg.norm(slope))
    return found.slopes


# ---- through everything that is drawn


@pytest.mark.parametrize("trim", ["none", "dark"])
def test_everything_that_is_smooth_at_once(plain, trim):
    point = point_of(plain, **smooth(trim=trim))
    slopes = check_gradient(plain, point)
    assert set(slopes) == set(a_chip(plain, point))


@pytest.mark.parametrize("one", BUILT_IN, ids=lambda one: one.name)
def test_each_imperfection_is_differentiated_or_refused_by_name(held, one):
    """One that comes later is tested by existing."""
    early = {
        s.name: getattr(EVERYTHING, s.name) or FRONTS.get(s.name) or SMALL.get(s.unit, 0.01)
        for s in one.settings
    }
    given = {"cells that bend": {"cell_b3": 0.3, "r_access": 100.0}, **LATER}.get(one.name, early)
    settings = {"sigma_g": 0.05} | given
    if one.name == "adcs":  # whose codes, here without steps, are held against theirs below
        settings |= {"adc_dnl_sigma": 0.0, "adc_inl_sigma": 0.0}
    point = point_of(held, **settings)
    refused = {
        "write-verify": "^write-verify, which programs cells again until they are near: what ch",
    }
    if one.name in refused:
        with pytest.raises(DerivativeError, match=refused[one.name]):
            linearise(held, point)
    else:
        check_gradient(held, point)


@pytest.mark.parametrize(
    "settings",
    [
        {"cell_length": 100.0, "sigma_g": 0.05, "diode_length": 50.0, "diode_sigma_shift": 2e-3,
         "diode_sigma_current": 0.05, "offset_length": 1e6, "offset_sigma": 1e-3, "trim": "dark"},
        {"cell_pelgrom": 0.01, "cell_area": 1.0, "cell_slope": 0.01, "diode_pelgrom_current": 0.02,
         "diode_area": 1.0, "diode_slope_voltage": 0.01, "offset_slope": 1e-3},
        {"cell_v0": 0.5, "sigma_g": 0.05, "offset_sigma": 1e-3, "trim": "dark"},
        {"cell_v0": 0.5, "r_access": 1e3, "access_sigma": 0.1, "access_v_ov": 1.0, "sigma_g": 0.05,
         "offset_sigma": 1e-3, "read_noise": 0.02, "trim": "dark"},
        {"cells": "pcm", "trim": "dark"},
        {"cells": "sonos", "cell_range": "scaled"},
        {"cells": "mine::1e-07 2e-09;4e-05 1e-06", "cell_range": "extrapolated",
         "cell_ages": "extrapolated", "drift_nu_sigma": 0.01},
    ],
    ids=["fields", "areas and slopes", "bent", "access devices", "pcm", "sonos", "a table"],
)  # fmt: skip
def test_what_a_setting_alone_does_not_reach(plain, settings):
    check_gradient(plain, point_of(plain, **settings))


@pytest.mark.parametrize(
    ("hardware", "settings"),
    [
        ({"readout": "summing", "opamp": "rails"}, {"trim": "dark"}),
        ({"r_wire": 20.0, "r_driver": 50.0, "tile_rows": 4, "tile_cols": 4}, {"trim": "dark"}),
        ({"r_driver": 50.0}, {"trim": "dark"}),
        ({"adc_bits": 0}, {"adc_gain_sigma": 0.01, "adc_offset_sigma": 1e-3}),
    ],
    ids=["a summing read-out at its rails", "wires", "drivers", "adcs"],
)
def test_other_circuits(tmp_path, hardware, settings):
    bench = bench_of(tmp_path, random_spec(2, (5, 4, 3)), **hardware)
    check_gradient(bench, point_of(bench, **smooth(diff_gain_sigma=0.0, **settings)))


# ---- linearised in the middle


def differences(bench: Bench, point: Point, found: Any, rest: Any) -> None:
    """Hold slopes against differences around the chip in the middle."""
    rng, n = np.random.default_rng(1), np.arange(len(bench.labels))
    others = found.logits.copy()
    others[n, bench.labels] = -np.inf

    def margins(key: Any, by: np.ndarray) -> np.ndarray:
        logits = bench.read(replace(point, source=Given({key: by}, rest)))
        return logits[n, bench.labels] - logits[n, others.argmax(axis=1)]

    for key, slope in found.slopes.items():
        along = rng.standard_normal(slope.shape[1:])
        wanted = (margins(key, STEP * along) - margins(key, -STEP * along)) / (2 * STEP)
        flat = slope.reshape(len(slope), -1).astype(float)
        left = np.abs(flat @ along.ravel() - wanted).max()
        assert left <= 1e-6 * np.linalg.norm(flat, axis=1).max() + 1e-9, key


def test_margins_are_linear_in_all_coordinates(plain):
    point = point_of(plain, **smooth(trim="none"))
    found = linearise(plain, point)
    assert set(found.slopes) == set(a_chip(plain, point))
    assert found.notes == ()
    differences(plain, point, found, Listing({}, {}))
    few = linearise(plain, point, [2, 0])
    assert np.allclose(few.values, found.values[[2, 0]], rtol=0, atol=1e-12)
    for key, slope in few.slopes.items():
        assert np.allclose(slope, found.slopes[key][[2, 0]], rtol=1e-5, atol=1e-12)


def test_noise_at_reads_may_be_frozen(plain):
    point = point_of(plain, **smooth(trim="none"))
    drawn, frozen = linearise(plain, point), linearise(plain, point, frozen=True)
    assert {key.stream for key in drawn.slopes} - {key.stream for key in frozen.slopes} == {23}
    assert np.abs(drawn.values - frozen.values).max() > 0
    differences(plain, point, frozen, Middle({}, {}))


def test_margins_spread_as_they_are_said_to(plain):
    """Of 200 chips with small errors, standard deviations within 5 of their own."""
    point = point_of(
        plain, Conditions(), sigma_g=0.01, diode_sigma_current=0.01, offset_sigma=1e-4, trim="dark"
    )
    found, n = linearise(plain, point), np.arange(len(plain.labels))
    others = found.logits.copy()
    others[n, plain.labels] = -np.inf
    chips = [plain.read(replace(point, sample=k)) for k in range(200)]
    drawn = np.array([z[n, plain.labels] - z[n, others.argmax(axis=1)] for z in chips])
    ratio = drawn.std(axis=0, ddof=1) / np.sqrt(np.diag(found.covariance()))
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(2 * 199)


def test_a_regression_has_an_error_of_each_output(tmp_path):
    from analogkan.network.targets import Targets

    spec = random_spec(5, (3, 4, 2))
    targets = Targets(low=(0.0, -1.0), high=(100.0, 3.0), names=("a", "b"), units=("degC", ""))
    build = write_build(replace(spec, targets=targets), Hardware(), tmp_path / "net.build")
    images = random_images(3, 3, 3, 2)
    y = np.random.default_rng(0).uniform(0, 1, (3, 2))
    images = replace(images, y=y, targets=(("a", "degC"), ("b", "")))
    bench = Bench(build, images, TwinEngine())
    point = point_of(bench, sigma_g=0.05)
    found = linearise(bench, point)
    row = bench.evaluate(replace(point, source=Listing({}, {})))
    assert found.values.shape == (6,)
    assert np.sqrt((found.values**2).mean()) == pytest.approx(row["rmse"], rel=1e-9)
    assert all(slope.shape[0] == 6 for slope in found.slopes.values())


# ---- what is said, and what is refused


def test_what_slopes_are_without_is_said(plain, tmp_path):
    trim = linearise(plain, point_of(plain, sigma_g=0.05, trim="dark-real"))
    assert trim.notes == (
        "trim = dark-real is taken for dark, which it is in the mean: slopes are without the "
        "errors of the trim itself",
    )
    faults = point_of(plain, sigma_g=0.05, stuck_min=0.01, dead_diodes=0.01)
    assert linearise(plain, faults).notes == (
        "slopes are without stuck cells, dead diodes, which happen or do not",
    )
    coarse = bench_of(tmp_path, random_spec(1, (5, 4, 3)), adc_bits=8, adc_range=2.0)
    found = linearise(coarse, point_of(coarse, sigma_g=0.05))
    assert found.notes == ("adc_bits = 8: slopes are those of ADCs without steps",)


def test_codes_have_no_steps_and_lie_between_those_that_have(tmp_path):
    bench = bench_of(tmp_path, random_spec(1, (5, 4, 3)), adc_bits=8, adc_range=1.0)
    point = point_of(bench, sigma_g=0.05, adc_dnl_sigma=0.3, adc_inl_sigma=1.0, adc_gain_sigma=0.01)
    at, rng = a_chip(bench, point), np.random.default_rng(0)
    weights = torch.from_numpy(rng.standard_normal((4, 3)))

    def of(logits: Any) -> Any:
        made.append(logits.detach().numpy())
        return (weights * logits).sum()

    made: list[np.ndarray] = []
    found = gradient(bench, point, at, of)
    read = bench.read(replace(point, source=Given(at, Listing({}, {}))))
    code = 1.0 / 128 / bench.build.design.v_per_logit
    assert np.abs(made[0] - read).max() < 1.5 * code
    assert np.unique(np.round(read / code, 6) % 1).tolist() == [0.0]
    for key, slope in found.slopes.items():
        along = rng.standard_normal(slope.shape)
        up, down = (
            gradient(bench, point, at | {key: at[key] + sign * STEP * along}, of).value
            for sign in (1, -1)
        )
        left = abs((up - down) / (2 * STEP) - (slope * along).sum())
        assert left <= 1e-6 * np.linalg.norm(slope) + 1e-9, key


def test_calibration_is_refused(plain):
    bench = Bench(plain.build, plain.images, TwinEngine(), calibrate="columns")
    with pytest.raises(DerivativeError, match=r"^calibrate = 'columns': what chips answer cannot"):
        linearise(bench, point_of(plain, sigma_g=0.05))


def test_too_many_slopes_are_refused(plain, monkeypatch):
    monkeypatch.setattr("analogkan.engines.gradients.MOST_NUMBERS", 100)
    sentence = "^slopes of 4 figures in 182 coordinates are 728 numbers, at most 100: take fewer"
    with pytest.raises(SettingsError, match=sentence):
        linearise(plain, point_of(plain, sigma_g=0.05))


def whole(stage, draw):
    n = draw.normal("own", stage.g.shape, draw.settings.theft)
    return replace(stage, g=np.where(stage.g > 0, stage.g * np.exp(np.tanh(n)), 0.0))


def in_place(stage, draw):
    g, n = stage.g.copy(), draw.normal("own", stage.g.shape, draw.settings.theft)
    g[0] = g[0] * np.exp(n[0])
    return replace(stage, g=g)


def unknown(stage, draw):
    n = draw.normal("own", stage.g.shape, draw.settings.theft)
    return replace(stage, g=stage.g * (2 + np.unwrap(n)))


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (whole, None),
        (in_place, "an array that has derivatives becomes one that has none, or is written into"),
        (
            unknown,
            "numpy.unwrap has no derivative: write it with numpy's functions of whole arrays",
        ),
    ],
)
def test_one_of_a_users_own(plain, draw, sentence):
    own = Imperfection(
        name="own", settings=(upto(1.0, "theft", "A share."),), streams=("own",), draw=draw
    )
    register(own)
    try:
        point = point_of(plain, theft=0.05)
        if sentence is None:
            assert check_gradient(plain, point)
            return
        sentence = f"^imperfection 'own', layer 0, cannot be differentiated: {sentence}"
        with pytest.raises(DerivativeError, match=sentence):
            linearise(plain, point)
    finally:
        unregister(own)


# ---- arrays that have derivatives


@pytest.mark.parametrize(
    "make",
    [
        lambda x: np.pad(x, ((1, 2), (0, 1)), mode="edge"),
        lambda x: np.pad(x, ((1, 0), (0, 1))),
        lambda x: np.interp(x, [-1.0, 0.0, 0.5], [0.0, 1.0, 5.0]),
        lambda x: np.maximum.accumulate(x, axis=1),
        lambda x: np.take_along_axis(x, np.argsort(x, axis=1, kind="stable"), axis=1),
        lambda x: np.concatenate([x[::-1], x[[2, 0]], x[:, [1]] * np.ones((1, 4))]),
        lambda x: x[x > 0] ** 2,
        lambda x: np.polynomial.polynomial.polyval(x, [1.0, 2.0, 3.0]),
        lambda x: np.stack([*x]).T @ np.arange(3.0),
        lambda x: np.clip(x, -0.5, 0.5).cumsum(axis=1).reshape(-1).mean(),
        lambda x: np.hypot(x, np.float64(2.0)) + np.repeat(x[:1], 3, axis=0) - x.std(),
        lambda x: np.where(np.isfinite(x), np.log1p(np.abs(x)), 0.0).transpose(),
    ],
)
def test_functions_are_numpys_and_have_their_derivatives(make):
    rng = np.random.default_rng(0)
    x, along = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    found = make(Traced(leaf))
    assert found.shape == np.shape(make(x))
    assert np.allclose(found.value, make(x), rtol=1e-14, atol=1e-14)
    weights = rng.standard_normal(found.shape)
    (slope,) = torch.autograd.grad((found.tensor * torch.from_numpy(weights)).sum(), leaf)
    wanted = ((make(x + 1e-6 * along) - make(x - 1e-6 * along)) / 2e-6 * weights).sum()
    assert float((slope.numpy() * along).sum()) == pytest.approx(wanted, rel=1e-6, abs=1e-8)


def test_a_step_is_passed_through_and_a_number_is_not_made():
    leaf = torch.tensor([0.4, 1.6], dtype=torch.float64, requires_grad=True)
    found = np.rint(3 * Traced(leaf))
    assert found.value.tolist() == [1.0, 5.0]
    (slope,) = torch.autograd.grad(found.tensor.sum(), leaf)
    assert slope.tolist() == [3.0, 3.0]
    for use in (float, bool, np.asarray):
        with pytest.raises(DerivativeError, match="write it with numpy's functions of whole array"):
            use(Traced(leaf)[0])
