"""KANalogue state dictionaries: the same function afterwards; what is no such file is refused."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.interpolate import splev, splrep

import analogkan as ak
from analogkan.api.making import convert_model
from analogkan.cli import main
from analogkan.cli.convert import convert_theirs as command
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.devices import IVCurve, get, library, resolve
from analogkan.devices.fit import fitted_polynomial, smooth_table, univariate_spline
from analogkan.errors import CheckpointError, DeviceError, SettingsError
from analogkan.network import checkpoint
from analogkan.network.convert import (
    BASIS_FITS,
    BASIS_UNITS,
    SMOOTHING,
    convert,
    make_basis,
    negative_current,
)
from analogkan.network.squash import NORMS, Squash, parse_squash
from analogkan.studies.simulate import simulate

from .kanalogue import SQUASHES, Net, line, pwl, random_net
from .networks import circuit, random_images, random_inputs
from .test_cli_errors import refused, snapshot

PAIR = resolve("Z21,Z15")
SIZES = (12, 7, 6, 4)


def save_state(net: Net, path: Path) -> Path:
    torch.save(net.state_dict(), path)
    return path


def answers(net: Net, x: np.ndarray, lo: float = 0.0, hi: float = 1.0) -> np.ndarray:
    """What the original says to 8-bit inputs ``x``, scaled to [lo, hi]."""
    with torch.no_grad():
        return net(torch.tensor(lo + (hi - lo) * x / 255)).numpy()


def distance(spec: Any, theirs: np.ndarray, x: np.ndarray) -> float:
    """Largest difference of the converted model from the original, as a share of full scale."""
    return float(np.abs(spec.logits(x) - theirs).max() / np.abs(theirs).max())


# ---- the same function


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("squash", SQUASHES)
def test_the_converted_model_is_the_original(tmp_path, squash, norm):
    net = random_net(SIZES, [pwl(c) for c in PAIR], squash=squash, norm=norm)
    lo, hi = (-1.0, 1.0) if squash == "tanh" else (0.0, 1.0)
    report = ak.convert(
        save_state(net, tmp_path / "theirs.pth"),
        tmp_path / "ours.pt",
        devices="Z21,Z15",
        basis_fit="pwl",
        squash=squash,
        norm=norm,
        input_scale=(lo, hi),
        beyond_measured=squash == "tanh",
    )
    spec, x = checkpoint.load_spec(tmp_path / "ours.pt"), random_inputs(1, 200, 12)
    theirs = answers(net, x, lo, hi)
    assert np.ptp(theirs, axis=0).min() > 0.01  # inputs matter
    assert distance(spec, theirs, x) <= 1e-12
    assert (report["sizes"], report["norm"]) == (SIZES, norm)
    assert report["parameters"] == sum(p.numel() for p in net.parameters())
    assert report["norm_eps"] == (None if norm == "none" else 1e-5)


def converted(net: Net, folder: Path, devices: str) -> Any:
    ak.convert(
        save_state(net, folder / "theirs.pth"), folder / "ours.pt", devices=devices,
        basis_fit="pwl", squash="none", norm="batch",
    )  # fmt: skip
    return checkpoint.load_spec(folder / "ours.pt")


@pytest.mark.parametrize("devices", ["A21,Z21", "Z15,ZAZ21", "Z21,Z15"])
def test_of_the_same_table_their_line_fit_is_ours_but_for_its_rule(tmp_path, devices):
    """It lowers a slope by 2e-11 of itself where knots are 50 mV apart."""
    basis = [line(curve.v, 1e6 * curve.i) for curve in resolve(devices)]
    net = random_net((196, 64, 10), basis, squash="none", norm="batch")
    x = random_inputs(1, 200, 196)
    apart = distance(converted(net, tmp_path, devices), answers(net, x), x)
    print(f"{devices}: the rule alone {apart:.1e} of full scale")
    assert 1e-13 < apart < 3e-10


@pytest.mark.parametrize("devices", ["A21,Z21", "Z15,ZAZ21", "Z21,Z15"])
def test_shipped_names_are_their_tables_to_six_digits(shared_data, tmp_path, devices):
    """The public sweeps have seven to nine; what that costs is what the report states."""
    sweeps, files = [], []
    for name in devices.split(","):
        path = shared_data / "devices" / f"{name}.csv"
        sweeps.append(np.loadtxt(path, delimiter=",", skiprows=1, unpack=True))
        v, i_ua = sweeps[-1]
        stated, peak = make_basis((get(name),), fit="pwl").source_errors[0], get(name).i_peak
        assert stated == pytest.approx(np.abs(get(name).i - 1e-6 * i_ua).max() / peak, rel=0.03)
        public, at = IVCurve(name, v, 1e-6 * i_ua), np.linspace(v[0], v[-1], 5001)
        for fit in BASIS_FITS:
            one, two = (make_basis((c,), fit=fit).curves[0] for c in (public, get(name)))
            assert np.abs(one.current(at) - two.current(at)).max() < 2e-5 * peak
        library.save(public, tmp_path / f"{name}.toml")
        files.append(str(tmp_path / f"{name}.toml"))
    net = random_net((196, 64, 10), [line(*s) for s in sweeps], squash="none", norm="batch")
    x = random_inputs(1, 200, 196)
    theirs = answers(net, x)
    exact = distance(converted(net, tmp_path, ",".join(files)), theirs, x)
    named = distance(converted(net, tmp_path, devices), theirs, x)
    print(f"{devices}: all digits {exact:.1e}, shipped names {named:.1e} of full scale")
    assert exact < 3e-10
    assert 1e-7 < named < 1e-4


@pytest.mark.parametrize("unit", BASIS_UNITS)
@pytest.mark.parametrize("fit", ["pwl", "univariate"])
def test_the_unit_of_the_coefficients_is_undone(unit, fit):
    amperes = [BASIS_UNITS[unit] or curve.i_peak for curve in PAIR]
    smoothing = 0.01
    functions = [
        (lambda v, c=c, a=a: np.interp(v, c.v, c.i) / a)
        if fit == "pwl"
        else (lambda v, c=c, a=a: univariate_spline(c, smoothing, unit=a)(v) / a)
        for c, a in zip(PAIR, amperes, strict=True)
    ]
    net = random_net((5, 3), functions, squash="none", norm="none")
    basis = make_basis(PAIR, fit=fit, unit=unit, smoothing=smoothing)
    model, _ = convert(net.state_dict(), basis, squash=Squash())
    v = torch.rand((100, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        apart, coeffs = (model(v) - net(v)).abs(), net.state_dict()["net.0.coeffs"]
        allowed = (coeffs.abs() * torch.tensor(basis.scale * basis.errors)).sum(dim=(0, 2))
        assert (apart <= allowed + 1e-12 * net(v).abs().max()).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_single_precision_is_widened_exactly(dtype):
    state = random_net(SIZES, [pwl(c) for c in PAIR], squash="none", norm="batch").state_dict()
    narrow = {k: t.to(dtype) if t.is_floating_point() else t for k, t in state.items()}
    wide = {k: t.double() if t.is_floating_point() else t for k, t in narrow.items()}
    one, two = (convert(s, make_basis(PAIR, fit="pwl"), squash=Squash())[0] for s in (narrow, wide))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_a_training_checkpoint_is_read_too(tmp_path):
    net = random_net(SIZES, [pwl(c) for c in PAIR], squash="none", norm="layer")
    optimizer = torch.optim.Adam(net.parameters())
    loss = net(torch.rand(4, 12)).square().sum()
    loss.backward()
    entry = {"epoch": 3, "model_state": net.state_dict(), "optimizer_state": {}, "loss": loss}
    torch.save(entry | {"optimizer_state": optimizer.state_dict()}, tmp_path / "checkpoint.pth")
    options = {"devices": "Z21,Z15", "basis_fit": "pwl", "squash": "none"}
    ak.convert(tmp_path / "checkpoint.pth", tmp_path / "a.pt", **options)
    ak.convert(save_state(net, tmp_path / "best.pth"), tmp_path / "b.pt", **options)
    specs = [checkpoint.load_spec(tmp_path / f"{name}.pt") for name in "ab"]
    x = random_inputs(0, 9, 12)
    np.testing.assert_array_equal(specs[0].logits(x), specs[1].logits(x))


# ---- smooth fits


def smooth(fit: str, curve: IVCurve) -> Callable[[np.ndarray], np.ndarray]:
    """KANalogue's fit of a device in uA: smoothing 0.1 (uA)^2, or order 15."""
    if fit == "univariate":
        return lambda v: 1e6 * univariate_spline(curve, 0.1)(v)
    return lambda v: 1e6 * fitted_polynomial(curve, 15)(v)


@pytest.mark.parametrize("fit", ["univariate", "poly"])
@pytest.mark.parametrize("devices", ["Z21,Z15", "A21,ZAZ21"])
def test_smooth_fits_stay_within_the_stated_error(fit, devices):
    """A layer's outputs move by at most sum |theta| times the error of the table."""
    curves = resolve(devices)
    net = random_net((12, 5), [smooth(fit, c) for c in curves], squash="none", norm="none")
    model, report = convert(net.state_dict(), make_basis(curves, fit=fit), squash=Squash())
    errors = np.array([d["table_error"] for d in report["devices"]])
    assert (errors <= 1e-3).all()
    bound = (np.abs(model.layers[0].theta.detach().numpy()) * errors).sum(axis=(0, 2))
    v = torch.rand((4000, 12), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        apart = (model(1.6 * v) - net(1.6 * v)).abs().numpy().max(axis=0)
    assert (apart <= bound).all()
    assert (apart > 0.02 * bound).all()


@pytest.mark.parametrize("fit", ["univariate", "poly"])
def test_with_our_tables_in_their_place_smooth_fits_are_exact(tmp_path, fit):
    tables = make_basis(PAIR, fit=fit).curves
    net = random_net(SIZES, [pwl(c) for c in tables], squash="clamp:0:1.25", norm="batch")
    ak.convert(
        save_state(net, tmp_path / "theirs.pth"),
        tmp_path / "ours.pt",
        devices=["Z21", "Z15"],
        basis_fit=fit,
        squash="clamp:0:1.25",
    )
    spec, x = checkpoint.load_spec(tmp_path / "ours.pt"), random_inputs(1, 200, 12)
    assert spec.layers[1].curves == tables
    assert distance(spec, answers(net, x), x) <= 1e-12


def test_a_smooth_table_has_the_ends_a_fine_grid_and_a_true_error():
    curve = get("ZAZ21")
    function = univariate_spline(curve, 0.1)
    fit = smooth_table(curve, function)
    assert (fit.v[0], fit.v[-1]) == (curve.v[0], curve.v[-1])
    assert np.diff(fit.v).max() <= 0.005 * (1 + 1e-9)
    np.testing.assert_array_equal(fit.i, function(fit.v))
    v = np.linspace(curve.v[0], curve.v[-1], 99_991)
    found = np.abs(np.interp(v, fit.v, fit.i) - function(v)).max() / fit.i.max()
    assert fit.max_residual == pytest.approx(found, rel=1e-3)
    rough = smooth_table(curve, fitted_polynomial(curve, 15))  # steep at its ends: closer knots
    assert np.diff(rough.v).max() < 0.003
    assert rough.max_residual <= 1e-3


def test_fits_hold_their_end_values_outside_and_no_smoothing_interpolates():
    curve = get("Z21")
    for function in (univariate_spline(curve, 0.1), fitted_polynomial(curve, 9)):
        np.testing.assert_array_equal(function(np.array([-1.0, 9.0])), function(curve.v[[0, -1]]))
    through = univariate_spline(curve, 0.0)
    np.testing.assert_allclose(through(curve.v), curve.i, rtol=0, atol=1e-12 * curve.i_peak)


@pytest.mark.parametrize("fit", BASIS_FITS)
@pytest.mark.parametrize("name", ["A21", "Z21", "Z15", "ZAZ21"])
def test_the_six_digits_of_the_shipped_tables_cost_no_more_than_2e_5(shared_data, name, fit):
    path = shared_data / "devices" / f"{name}.csv"
    v, i_ua = np.loadtxt(path, delimiter=",", skiprows=1, unpack=True)
    public, ours = (make_basis([c], fit=fit) for c in (IVCurve(name, v, 1e-6 * i_ua), get(name)))
    volts = np.linspace(-0.1, 1.6, 20_001)
    apart = public.curves[0].current(volts) - ours.curves[0].current(volts)
    assert np.abs(apart).max() <= 2e-5 * ours.curves[0].i_peak


def test_fitted_tables_are_named_and_sourced_after_their_device():
    for fit, name in (("univariate", "Z21_univ"), ("poly", "Z21_poly7")):
        table = make_basis([get("Z21")], fit=fit, order=7).curves[0]
        assert table.name == name
        assert table.source.startswith(get("Z21").source)
    assert table.source.endswith("; least-squares polynomial of order 7 of the 26 points of Z21")


@pytest.mark.parametrize(
    ("curve", "settings", "sentence"),
    [
        (
            IVCurve("few", np.arange(3.0), np.ones(3)),
            {"fit": "univariate"},
            "device few has 3 points: a cubic spline needs at least 4",
        ),
        (
            get("Z21"),
            {"fit": "poly", "order": 26},
            "device Z21: its 26 points do not determine a polynomial of order 26: give a lower "
            "--order",
        ),
        (
            IVCurve("sink", np.arange(5.0), np.array([-9.0, -9.0, 1.0, -9.0, -9.0])),
            {"fit": "poly", "order": 1},
            "device sink: its fit has no positive current: choose another fit",
        ),
    ],
)
def test_a_table_without_such_a_fit_is_refused(curve, settings, sentence):
    with pytest.raises(DeviceError) as error:
        make_basis([curve], **settings)
    assert str(error.value) == sentence


def test_negative_currents_are_found_with_their_voltages():
    v = np.array([-0.2, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    curve = IVCurve("dip", v, np.array([-3.0, 0.0, -0.5, 2.0, -0.1, -0.2, 1.0]))
    assert negative_current(curve) == {
        "share": -0.25,
        "volts": 0.1,
        "ranges": [[0.1, 0.1], [0.3, 0.4]],
    }
    assert negative_current(get("Z21")) is None


def test_negative_currents_of_fits_are_reported():
    net = random_net((5, 3), [pwl(c) for c in PAIR], squash="none", norm="none")
    _, report = convert(net.state_dict(), make_basis(PAIR, fit="univariate"), squash=Squash())
    z21 = report["devices"][0]["negative_current"]
    assert z21["share"] == pytest.approx(-0.091, abs=1e-3)
    assert report["notes"][1] == (
        "Z21_univ carries negative current at 1.06 to 1.22 V, as no passive device does: down to "
        "-9.1 % of its peak at 1.145 V"
    )


@pytest.mark.parametrize("name", ["A21", "Z21", "Z15", "ZAZ21"])
def test_a_spline_that_hangs_on_scipys_version_says_so(name):
    """FITPACK in one go, as from SciPy 1.18 on, is splrep in every version."""
    curve = get(name)
    found = univariate_spline(curve, SMOOTHING)
    whole = splrep(curve.v, curve.i / 1e-6, k=3, s=SMOOTHING)
    v = np.linspace(curve.v[0], curve.v[-1], 2001)
    apart = np.abs(found(v) - 1e-6 * splev(v, whole)).max() / curve.i_peak
    whole_in_one_go = tuple(map(int, version("scipy").split(".")[:2])) >= (1, 18)
    stated = 0.0 if whole_in_one_go else {"Z15": 0.027, "ZAZ21": 0.070}.get(name, 0.0)
    assert apart == pytest.approx(stated, abs=5e-4 if stated else 1e-12)
    said = name != "Z21"  # of A21 the same knots come out all the same
    assert found.of_version == said
    basis = make_basis([curve], fit="univariate")
    assert (f"by SciPy {version('scipy')}" in basis.curves[0].source) == said
    assert list(basis.notes) == said * [
        f"device {name}: SciPy 1.18 and later may draw another smoothing spline of its points than "
        f"1.17 and before, and this one is of {version('scipy')}: convert with the SciPy that "
        "the network was trained with"
    ]


# ---- the checkpoint it makes


@pytest.fixture
def theirs(tmp_path) -> Path:
    net = random_net(SIZES, [pwl(c) for c in PAIR], squash="clamp:0:1.25", norm="batch")
    return save_state(net, tmp_path / "theirs.pth")


def test_the_checkpoint_carries_encoding_calibration_and_origin(theirs, tmp_path):
    x = random_inputs(3, 300, 12)
    np.savez(tmp_path / "x.npz", x=x.reshape(-1, 3, 4))
    out = tmp_path / "ours.pt"
    report = convert_model(
        theirs,
        out,
        devices="Z21,Z15",
        basis_fit="pwl",
        squash="clamp:0:1.25",
        input_scale=(-0.4, 2.8),
        input_values=(0, 255),
        input_shape=(3, 4),
        calibrate=tmp_path / "x.npz",
        dataset="mnist",
        command="by hand",
    )
    spec = checkpoint.load_spec(out)
    assert (spec.name, spec.dataset) == ("ours", "mnist")
    assert spec.encoding.document() == {
        **{"x_lo": 0, "x_hi": 255, "v_lo": -0.4, "v_hi": 2.8},
        "shape": [3, 4],
    }
    assert spec.calibration is not None
    np.testing.assert_array_equal(spec.calibration, x[:256])
    assert report["calibration_inputs"] == 256
    assert report["out_of_range"] == spec.out_of_range(spec.dac_volts(x[:256])) == 0.0
    origin = checkpoint.read(out)["training"]
    assert (origin["command"], origin["source"]) == ("by hand", "theirs.pth")
    assert (origin["basis_fit"], origin["basis_unit"]) == ("pwl", "uA")
    assert report["notes"] == []


@pytest.mark.parametrize(
    ("width", "shape"), [(196, (14, 14)), (784, (28, 28)), (3072, (3, 32, 32)), (12, (12,))]
)
def test_the_input_shape_is_that_of_their_data_sets(tmp_path, width, shape):
    net = random_net((width, 2), [pwl(PAIR[0])], squash="none", norm="none")
    report = ak.convert(
        save_state(net, tmp_path / "a.pth"),
        tmp_path / "a.pt",
        devices="Z21",
        basis_fit="pwl",
        squash="none",
        norm="batch",  # of no consequence without a hidden layer
        input_scale=(-1, 1),
    )
    assert report["encoding"]["shape"] == shape
    assert report["notes"] == [
        "inputs of -1 to 1 V leave the table of Z21 (0 to 1.25 V): the curve's end value "
        "is held there",
        "no calibration inputs: the compiler will size gains for the worst case (give training "
        "inputs with --calibrate)",
    ]


@pytest.mark.parametrize(
    ("fit", "squash", "norm"),
    [
        ("pwl", "clamp:0:1.25", "batch"),
        ("univariate", "none", "none"),
        ("poly", "none", "batch"),
        ("pwl", "sigmoid", "layer"),
        ("univariate", "sigmoid", "none"),
        ("pwl", "none", "layer"),
    ],
)
def test_it_compiles_and_the_circuit_is_the_software(ngspice, tmp_path, fit, squash, norm):
    tables = make_basis(PAIR, fit=fit).curves
    net = random_net((5, 4, 3), [pwl(c) for c in tables], squash=squash, norm=norm)
    x = random_inputs(3, 32, 5)
    np.savez(tmp_path / "x.npz", x=x)
    ak.convert(
        save_state(net, tmp_path / "theirs.pth"),
        tmp_path / "ours.pt",
        devices="Z21,Z15",
        basis_fit=fit,
        squash=squash,
        calibrate=tmp_path / "x.npz",
    )
    spec = checkpoint.load_spec(tmp_path / "ours.pt")
    ideal = Hardware(opamp="ideal", npn_bf=1e6, npn_vaf=1e6)
    build = write_build(spec, ideal, tmp_path / "ours.build")
    assert ak.verify(build).ok
    images = random_images(2, 10, 5)
    result = simulate(build, images)
    theirs = answers(net, images.x)
    limit = 1e-6 if ngspice.klu else 1e-5  # Sparse loses digits to the ideal amplifiers' gain
    assert np.abs(circuit(result) - theirs).max() <= limit * np.abs(theirs).max()


# ---- the command


def words(theirs: Path, *more: str, squash: str = "clamp:0:1.25") -> list[str]:
    out = str(theirs.with_name("ours.pt"))
    args = ["models", "convert", str(theirs), "--devices", "Z21,Z15", "--basis-fit", "pwl"]
    return [*args, "--squash", squash, "--out", out, *more]


def test_the_command_says_what_it_made(theirs):
    result = CliRunner().invoke(main, words(theirs), catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == (
        f"{theirs.with_name('ours.pt')}: 12-7-6-4, 343 parameters, norm batch (eps 1e-05), squash "
        "clamp 0 to 1.25 V, inputs 0 to 255 as 0 to 1 V"
    )
    assert lines[2].split() == ["Z21", "26", "1.00459e-06", "1.00459", "5.0e-06"]
    assert lines[3].split() == ["Z15", "29", "3.07049e-06", "3.07049", "1.6e-06"]
    assert lines[4].startswith("table error: at most so far, in shares of the peak, from the sweep")
    assert lines[-1] == f"next: analogkan compile {theirs.with_name('ours.pt')}"


def test_a_table_says_how_far_it_is_from_its_source_if_its_file_does(tmp_path):
    made = IVCurve(
        "m", PAIR[0].v, PAIR[0].i, notes="2 sweeps; residual rms 2.1e-02, max 4.9e-02 of"
    )
    basis = make_basis((*PAIR, replace(PAIR[0], notes="mine"), made), fit="pwl")
    assert basis.source_errors == (5e-6, 1.6e-6, None, 0.049)
    assert basis.errors == (0.0,) * 4
    library.save(replace(PAIR[0], notes="mine"), tmp_path / "own.toml")
    net = random_net((3, 2), [pwl(PAIR[0])], squash="none", norm="none")
    given = words(save_state(net, tmp_path / "theirs.pth"), squash="none")
    given[given.index("Z21,Z15")] = str(tmp_path / "own.toml")
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.stdout.splitlines()[2].endswith("not stated")


def test_one_output_converts_with_a_note(tmp_path):
    net = random_net((5, 4, 1), [pwl(c) for c in PAIR], squash="none", norm="batch")
    result = CliRunner().invoke(
        main, words(save_state(net, tmp_path / "theirs.pth"), squash="none"), catch_exceptions=False
    )
    assert result.exit_code == 0
    assert (
        "note: the network has one output: accuracy, agreement and yield compare outputs, so "
        "simulate and studies refuse it; compile, verify and simulate --trace take it\n"
    ) in result.stdout


def test_the_command_says_the_same_in_json_and_replaces_a_checkpoint(theirs):
    first = CliRunner().invoke(main, words(theirs, "--json"), catch_exceptions=False)
    again = CliRunner().invoke(main, words(theirs, "--json"), catch_exceptions=False)
    report = json.loads(first.stdout)
    assert json.loads(again.stdout) == report
    assert report["sizes"] == list(SIZES)
    assert [d["scale"] for d in report["devices"]] == [1.00459, 3.07049]


def test_the_choices_of_the_command_are_those_of_the_library():
    choices = {p.name: list(p.type.choices) for p in command.params if hasattr(p.type, "choices")}  # type: ignore[attr-defined]
    assert choices["basis_fit"] == list(BASIS_FITS)
    assert choices["basis_unit"] == list(BASIS_UNITS)
    assert sorted(choices["norm"]) == sorted(NORMS)


@pytest.mark.parametrize(
    ("text", "squash"),
    [
        ("none", Squash()),
        ("clamp:-1:1", Squash(kind="clamp", v_lo=-1, v_hi=1)),
        ("sigmoid", Squash(kind="sigmoid", v_lo=0, v_hi=1)),
        ("sigmoid:0.1:1.2:2.5", Squash(kind="sigmoid", v_lo=0.1, v_hi=1.2, slope=2.5)),
        ("tanh", Squash(kind="tanh", v_lo=-1, v_hi=1)),
        ("tanh:0:1.2", Squash(kind="tanh", v_lo=0, v_hi=1.2)),
    ],
)
def test_a_squash_is_read(text, squash):
    assert parse_squash(text) == squash


FORMS = "none, clamp:LO:HI, sigmoid[:LO:HI[:SLOPE]], tanh[:LO:HI[:SLOPE]]"


@pytest.mark.parametrize(
    ("more", "squash", "sentence"),
    [
        ((), "relu", f"squash 'relu' is unknown: one of {FORMS}"),
        ((), "clamp", "squash 'clamp' is not clamp:LO:HI with numbers"),
        ((), "none:0:1", "squash 'none:0:1' is not none with numbers"),
        ((), "tanh:1", "squash 'tanh:1' is not tanh[:LO:HI[:SLOPE]] with numbers"),
        ((), "clamp:a:b", "squash 'clamp:a:b' is not clamp:LO:HI with numbers"),
        (
            (),
            "clamp:1:0",
            "squash 'clamp:1:0': clamp range [1.0, 0.0] V is empty: give the lower end first",
        ),
        ((), "clamp:0:nan", "squash 'clamp:0:nan': squash clamp [0.0, nan, 1.0] must have finite"),
        ((), "sigmoid:0:1:-2", "squash 'sigmoid:0:1:-2': sigmoid slope -2 per volt is out of ran"),
        (
            (),
            "clamp:0:1.4",
            "the clamp range 0 to 1.4 V leaves the table of Z21 (0 to 1.25 V): "
            "--beyond-measured accepts that and holds the curve's end value there, as KANalogue "
            "does",
        ),
        ((), "tanh", "the tanh range -1 to 1 V leaves the table of Z21 (0 to 1.25 V): --b"),
        (
            ("--norm", "layer"),
            "none",
            "norm layer was asked for, but the state's keys are those of norm batch",
        ),
        (("--input-scale", "1:0"), "none", "--input-scale '1:0' is not a range LO:HI, such as 0:1"),
        (("--input-values", "255"), "none", "--input-values '255' is not a range LO:HI, such as "),
        (("--input-scale", "0:inf"), "none", "--input-scale '0:inf' is not a range LO:HI, such as"),
        (("--input-shape", "3 by 4"), "none", "--input-shape '3 by 4' is not like 14x14 or 3x32x3"),
        (
            ("--input-shape", "3x5"),
            "none",
            "input shape 3x5 has 15 values, but the network takes 12: give an --input-shape of "
            "as many",
        ),
    ],
)
def test_a_setting_that_is_none_is_refused(theirs, more, squash, sentence):
    before = snapshot(theirs.parent)
    kind, found = refused(*words(theirs, *more, squash=squash))
    assert kind == "SettingsError"
    assert found[: len(sentence)] == sentence
    assert snapshot(theirs.parent) == before


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"fit": "cubic"}, "basis fit = 'cubic' is out of range: pwl, univariate, poly"),
        ({"fit": "pwl", "unit": "pA"}, "basis unit = 'pA' is out of range: uA, nA, mA, A, peak"),
        ({"fit": "univariate", "smoothing": -1}, "smoothing = -1 is out of range: at least 0"),
        ({"fit": "poly", "order": 0}, "order = 0 is out of range: 1 to 100"),
    ],
)
def test_a_basis_that_is_none_is_refused(settings, sentence):
    with pytest.raises(SettingsError) as error:
        make_basis(PAIR, **settings)
    assert str(error.value) == sentence


def test_a_range_beyond_the_measured_is_accepted_on_request_and_said(theirs):
    args = words(theirs, "--beyond-measured", squash="clamp:0:1.4")
    result = CliRunner().invoke(main, args, catch_exceptions=False)
    assert result.exit_code == 0
    assert (
        "note: the clamp range 0 to 1.4 V leaves the table of Z21 (0 to 1.25 V): the "
        "curve's end value is held there\n" in result.stdout
    )


# ---- files that are no such state


def refusal(theirs: Path, entry: object) -> str:
    """The sentence that ``entry`` is refused with, without the file's name; nothing is written."""
    torch.save(entry, theirs)
    before = snapshot(theirs.parent)
    kind, sentence = refused(*words(theirs))
    assert kind == "CheckpointError"
    assert snapshot(theirs.parent) == before
    assert sentence.startswith(str(theirs))
    return sentence.removeprefix(str(theirs))


SEEN = "by its keys it has 3 layers and BatchNorm between them"


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("net.0.coeffs", f": the state lacks net.0.coeffs (I, O, D): {SEEN}"),
        ("net.4.coeffs", f": the state lacks net.4.coeffs (I, O, D): {SEEN}"),
        ("net.2.bias", f": the state lacks net.2.bias (O,): {SEEN}"),
        ("net.1.weight", f": the state lacks net.1.weight (O,): {SEEN}"),
        ("net.3.running_var", f": the state lacks net.3.running_var (O,): {SEEN}"),
    ],
)
def test_a_missing_key_is_named(theirs, gone, sentence):
    state = torch.load(theirs, weights_only=True)
    del state[gone]
    assert refusal(theirs, state) == sentence


def test_a_missing_last_layer_is_named(theirs):
    state = {k: t for k, t in torch.load(theirs, weights_only=True).items() if "net.4" not in k}
    assert refusal(theirs, state) == f": the state lacks net.4.coeffs (I, O, D): {SEEN}"


@pytest.mark.parametrize("extra", ["net.0.scale", "net.1.coeffs", "head.weight", "net.00.bias"])
def test_an_extra_key_is_named(theirs, extra):
    state = torch.load(theirs, weights_only=True) | {extra: torch.ones(3)}
    assert refusal(theirs, state) == f": the state has {extra} too many: {SEEN}"


def test_the_counter_of_batches_may_be_absent(theirs):
    state = torch.load(theirs, weights_only=True)
    counters = [key for key in state if key.endswith("num_batches_tracked")]
    assert len(counters) == 2
    for key in counters:
        del state[key]
    convert(state, make_basis(PAIR, fit="pwl"), squash=Squash())


NAN = torch.full((7,), float("nan"), dtype=torch.float64)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("net.0.coeffs", [1.0], "net.0.coeffs holds a list, not a tensor"),
        ("net.0.bias", torch.ones(7).long(), "net.0.bias holds torch.int64, not real numbers"),
        ("net.0.bias", torch.ones(7) + 1j, "net.0.bias holds torch.complex64, not real numbers"),
        ("net.0.bias", NAN, "net.0.bias holds 7 NaN or infinity"),
        ("net.1.running_var", -torch.ones(7), "net.1.running_var holds -1: a variance is not neg"),
        ("net.0.bias", torch.ones(6), "net.0.bias has shape (6,); it must be (7,)"),
        ("net.1.weight", torch.ones(7, 1), "net.1.weight has shape (7, 1); it must be (7,)"),
        (
            "net.2.coeffs",
            torch.ones(6, 6, 2),
            "net.2.coeffs has shape (6, 6, 2); it must be (I, O, D) with I = 7, D = 2 for the dev",
        ),
        (
            "net.0.coeffs",
            torch.ones(12, 7, 3),
            "net.0.coeffs has shape (12, 7, 3); it must be (I, O, D) with D = 2 for the devices n",
        ),
        ("net.0.coeffs", torch.ones(()), "net.0.coeffs has shape (); it must be (I, O, D) with "),
        ("net.0.coeffs", torch.ones(0, 7, 2), "net.0.coeffs has shape (0, 7, 2); it must be (I, "),
    ],
)
def test_a_tensor_that_cannot_be_used_is_named(theirs, key, value, sentence):
    state = torch.load(theirs, weights_only=True) | {key: value}
    assert refusal(theirs, state)[2:][: len(sentence)] == sentence


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ([1, 2], " holds a list, not a state dictionary: save the model's state_dict()"),
        (
            {"model_state": 3},
            ": no key of the state is like net.0.coeffs (the first is 'model_state'): it is not "
            "that of a flat KANalogue network",
        ),
        ({"format": checkpoint.FORMAT}, " is an analogkan checkpoint already: compile it as it is"),
        (
            {},
            ": no key of the state is like net.0.coeffs (it is empty): it is not that of a flat "
            "KANalogue network",
        ),
        (
            {"fc.weight": torch.ones(2)},
            ": no key of the state is like net.0.coeffs (the first is 'fc.weight'): it is not that "
            "of a flat KANalogue network",
        ),
        (
            {"model.backbone.0.conv.weight": torch.ones(2), "model.head.coeffs": torch.ones(2)},
            ": the state has model.backbone.0.conv.weight: it is a CNN-KAN, and only flat networks "
            "convert (net.0.coeffs, ...)",
        ),
    ],
)
def test_something_else_is_refused(theirs, entry, sentence):
    assert refusal(theirs, entry) == sentence


def test_a_pickled_module_is_refused_unread_with_the_line_to_resave_it(theirs, tmp_path):
    sentence = " is refused: it is no plain dictionary of tensors and reading it could run code"
    do = (
        '. Re-save its weights where it can be loaded: torch.save(model.state_dict(), "theirs.pth")'
    )
    what = " (torch.nn.modules.linear.Linear)"
    assert refusal(theirs, torch.nn.Linear(2, 2)) == f"{sentence}{what}{do}"

    class Harm:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harm",)

    theirs.write_bytes(pickle.dumps({"net.0.coeffs": Harm()}))
    assert refused(*words(theirs)) == ("CheckpointError", f"{theirs}{sentence}{do}")
    assert not (tmp_path / "harm").exists()


def test_a_file_that_is_missing_or_damaged_is_refused(theirs, tmp_path):
    sentence = f"{tmp_path / 'no.pth'} does not exist: give the .pth file that KANalogue wrote"
    assert refused(*words(tmp_path / "no.pth")) == ("CheckpointError", sentence)
    theirs.write_bytes(theirs.read_bytes()[:500])
    sentence = f"{theirs} is not a torch file, or is damaged: File is not a zip file"
    assert refused(*words(theirs)) == ("CheckpointError", sentence)
    assert [p.name for p in tmp_path.iterdir()] == ["theirs.pth"]


def test_what_is_no_checkpoint_is_not_replaced(theirs, tmp_path):
    mine = tmp_path / "ours.pt"
    mine.write_text("thesis")
    sentence = (
        f"{mine} exists and is no analogkan checkpoint, so it is not replaced: give another --out, "
        "or remove it"
    )
    assert refused(*words(theirs)) == ("CheckpointError", sentence)
    assert mine.read_text() == "thesis"
    with pytest.raises(CheckpointError, match=r"ours.pth must end in .pt$"):
        ak.convert(theirs, tmp_path / "ours.pth", devices="Z21", basis_fit="pwl", squash="none")


@pytest.mark.parametrize(
    ("x", "kind", "sentence"),
    [
        (random_inputs(0, 9, 11), "DataError", "images have shape (9, 11); this network takes (n"),
        (np.eye(12) / 2, "DataError", "input values span 0 to 0.5; this network was trained on "),
    ],
)
def test_calibration_inputs_that_do_not_fit_are_refused(theirs, tmp_path, x, kind, sentence):
    np.savez(tmp_path / "x.npz", x=x)
    before = snapshot(tmp_path)
    found = refused(*words(theirs, "--calibrate", str(tmp_path / "x.npz")))
    assert found[0] == kind
    assert found[1][: len(sentence)] == sentence
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.array(3.0), "shape () and type float64"),
        (np.ones((0, 12)), "shape (0, 12) and type float64"),
        (np.full((9, 12), "a"), "shape (9, 12) and type <U1"),
    ],
)
def test_calibration_inputs_that_are_none_are_refused(theirs, tmp_path, x, said):
    path = tmp_path / "x.npz"
    np.savez(path, x=x)
    sentence = f"{path}: x has {said}; it must be numbers (n, ...)"
    assert refused(*words(theirs, "--calibrate", str(path))) == ("CheckpointError", sentence)


def test_what_could_not_be_read_again_is_not_written(theirs, tmp_path):
    sentence = (
        f"{tmp_path / 'ours.pt'} is not written: encoding.v_hi: a voltage of 1e+06 V cannot be; "
        "possible are -1000 to 1000 V (source meters end at 1.1 kV)"
    )
    found = refused(*words(theirs, "--input-scale", "0:1e6"))
    assert found == ("CheckpointError", sentence)
    assert not (tmp_path / "ours.pt").exists()


def test_a_device_file_of_ones_own_converts(theirs, tmp_path):
    for name in ("Z21", "Z15"):
        library.save(get(name), tmp_path / f"{name}.toml")
    own = f"{tmp_path / 'Z21.toml'},{tmp_path / 'Z15.toml'}"
    args = words(theirs)
    args[args.index("Z21,Z15")] = own
    assert CliRunner().invoke(main, args, catch_exceptions=False).exit_code == 0
    assert checkpoint.load_spec(tmp_path / "ours.pt").layers[0].curves == PAIR
