"""Training through the twin: forwards it is the chip, backwards its slope, and it recovers."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import analogkan as ak
from analogkan.cli import main
from analogkan.compiler.build import write_build
from analogkan.compiler.design import map_design
from analogkan.compiler.hardware import Hardware
from analogkan.data import ImageSet, load_npz
from analogkan.devices import IVCurve
from analogkan.engines.chip_engines import TwinEngine
from analogkan.errors import CheckpointError, DataError, SettingsError
from analogkan.imperfections import Conditions, Variation
from analogkan.imperfections.make import perturb
from analogkan.network import checkpoint
from analogkan.network.encoding import Encoding
from analogkan.network.model import TDKAN, TDKANConfig
from analogkan.network.spec import NetworkSpec
from analogkan.network.squash import Squash
from analogkan.studies.montecarlo import montecarlo, yield_limit
from analogkan.studies.options import StudyOptions
from analogkan.training.fit import train
from analogkan.training.noise import Noise
from analogkan.training.own_chips import chips_of, format_chips, on_chips, worse
from analogkan.training.recipe import load_recipe
from analogkan.training.run import TrainingRequest, disturbance_of, run_training
from analogkan.training.through_chips import HOLD, ThroughChips

from .chips import EVERYTHING, FRONTS, OLD
from .networks import Stopped, random_curve, random_images, random_spec, stopping_after
from .test_cli_errors import refused
from .test_noise import data

ENCODING = Encoding(x_lo=0, x_hi=255, v_lo=0.0, v_hi=0.7, shape=(12,))
CALIBRATION = np.random.default_rng(9).integers(0, 256, (16, 12))
KINDS = [("none", "batch"), ("clamp", "none"), ("sigmoid", "layer"), ("tanh", "batch")]


def network(squash: str = "none", norm: str = "batch", seed: int = 0) -> TDKAN:
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    config = TDKANConfig(
        sizes=(12, 7, 5, 3),
        curves=(random_curve(rng, "T0"), random_curve(rng, "T1")),
        squash=Squash(kind=squash, v_lo=0.05, v_hi=0.9) if squash != "none" else Squash(),
        norm=norm,
    )
    model = TDKAN(config).double()
    model.initialise([0.3], generator, gamma=0.3, beta=0.4)
    with torch.no_grad():
        for layer in model.layers:
            layer.bias.normal_(0.0, 0.3, generator=generator)
        for module in model.norms:
            if isinstance(module, torch.nn.BatchNorm1d):
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.normal_(0.0, 0.2, generator=generator)
                module.running_var.uniform_(0.5, 2.0, generator=generator)
    return model.eval()


def volts(n: int = 20) -> torch.Tensor:
    return (
        torch.rand((n, 12), generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 0.7
    )


def through(
    hardware: Hardware = Hardware(),
    variation: Variation = EVERYTHING,
    conditions: Conditions = OLD,
    chip: tuple[int, int] | None = (3, 5),
) -> ThroughChips:
    made = ThroughChips(hardware, variation, conditions, chip)
    made.prepare(ENCODING, CALIBRATION)
    return made


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


QUIET = replace(EVERYTHING, read_noise=0.0)
"""Without noise, rails and cells that bend a chip is looked up and multiplied, see ``followed``."""


@pytest.mark.parametrize(
    "wires",
    [
        {},
        {"r_wire": 20.0, "r_driver": 30.0, "tile_rows": 8},
        {"readout": "summing"},
        {"r_wire": 20.0, "readout": "summing"},
        {"opamp": "rails"},
    ],
)
@pytest.mark.parametrize("variation", [EVERYTHING, QUIET])
@pytest.mark.parametrize(("squash", "norm"), KINDS)
def test_a_batch_is_answered_as_the_chip_answers(squash, norm, variation, wires):
    hardware = Hardware(levels=16, **wires)
    conditions = replace(OLD, temp_c=85.0)
    model, v = network(squash, norm), volts()
    made = through(hardware, variation, conditions)
    found, hidden = made.forward(model, v, generator())
    spec = model.to_spec(ENCODING, name="n", calibration=CALIBRATION)
    chip, _ = perturb(
        map_design(spec, hardware), variation, conditions, spec=spec, seed=3, sample=5
    )
    dac = spec.layers[0].squash(v.numpy())
    wanted = TwinEngine().logits(chip, dac, np.arange(len(v)), 85.0)
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=0, atol=1e-9)
    assert [tuple(z.shape) for z in hidden] == [(20, 7), (20, 5)]


@pytest.mark.parametrize(("squash", "norm"), [("sigmoid", "layer"), ("tanh", "batch")])
def test_cells_before_the_diodes_have_their_errors_and_scales_their_slopes(squash, norm):
    there = {name: v for name, v in FRONTS.items() if norm == "layer" or "norm" not in name}
    on = replace(EVERYTHING, **there)
    model, v = network(squash, norm), volts()
    found, _ = through(variation=on).forward(model, v, generator())
    without, _ = through().forward(model, v, generator())
    spec = model.to_spec(ENCODING, name="n", calibration=CALIBRATION)
    chip, _ = perturb(map_design(spec, Hardware()), on, OLD, spec=spec, seed=3, sample=5)
    dac = spec.layers[0].squash(v.numpy())
    wanted = TwinEngine().logits(chip, dac, np.arange(len(v)), OLD.temp_c)
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=0, atol=1e-9)
    assert (found - without).abs().max() > 1e-3
    found.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_without_imperfections_it_is_the_network(norm):
    model, v = network(norm=norm), volts()
    ideal = through(Hardware(opamp="ideal"), Variation(), Conditions())
    for training in (False, True):
        model.train(training)
        logits, hidden = ideal.forward(model, v, generator())
        wanted, wanted_hidden = model.forward_with_hidden(v)
        torch.testing.assert_close(logits, wanted, rtol=0, atol=1e-6)
        for z, wanted_z in zip(hidden, wanted_hidden, strict=True):
            torch.testing.assert_close(z, wanted_z, rtol=0, atol=1e-6)


DRAWN = Variation(
    sigma_g=0.1, diode_sigma_current=0.05, diode_sigma_voltage=0.01, offset_sigma=1e-3,
    line_sigma=0.02, stuck_min=0.03, trim="dark",
)  # fmt: skip


@pytest.mark.parametrize(("wires", "allowed"), [({}, 1e-2), ({"r_wire": 20.0}, 3e-2)])
@pytest.mark.parametrize(("squash", "norm"), [("none", "batch"), ("sigmoid", "layer")])
def test_the_gradient_is_the_slope_of_the_chip_s_answer(squash, norm, wires, allowed):
    """Against central differences of chips mapped and drawn anew: wires may change with cells."""
    model, v = network(squash, norm), volts()
    aim = torch.randn((20, 3), generator=generator(), dtype=torch.float64)

    def loss() -> torch.Tensor:
        made = through(Hardware(**wires), DRAWN, Conditions())
        return (made.forward(model, v, generator())[0] * aim).sum()

    model.zero_grad()
    loss().backward()
    rng = np.random.default_rng(0)
    found, wanted = [], []
    for parameter in model.parameters():
        flat = parameter.data.view(-1)
        assert parameter.grad is not None
        for k in rng.choice(len(flat), min(12, len(flat)), replace=False):
            if abs(float(flat[k])) in (0.0, float(flat.abs().max())):
                continue  # the largest coefficient may set the scale
            step, kept = 1e-5, float(flat[k])
            ends = []
            for sign in (1, -1):
                flat[k] = kept + sign * step
                ends.append(float(loss().detach()))
            flat[k] = kept
            found.append(float(parameter.grad.view(-1)[k]))
            wanted.append((ends[0] - ends[1]) / (2 * step))
    off = np.abs(np.array(found) - wanted)
    assert len(off) > 30
    # Almost all: a step may cross a kink of a diode, or move the gain that calibration chose.
    assert np.quantile(off, 0.9) < allowed * np.abs(wanted).max()


def test_stuck_cells_get_no_gradient():
    model = network()
    stuck = Variation(stuck_min=0.6, stuck_max=0.4)
    through(variation=stuck).forward(model, volts(), generator())[0].sum().backward()
    for layer in model.layers:
        assert layer.weight.grad is not None and layer.bias.grad is not None
        assert float(layer.weight.grad.abs().max()) == 0.0
        assert float(layer.bias.grad.abs().max()) > 0.0


def test_a_drawing_is_held_and_follows_the_coefficients():
    model, v = network(), volts()
    drawn = Variation(sigma_g=0.1, diode_sigma_current=0.05, trim="dark")
    made, source = through(variation=drawn, chip=None), generator()
    first = made.forward(model, v, source)[0].detach()
    with torch.no_grad():
        model.layers[-1].bias.add_(0.5)
        model.layers[0].weight.mul_(0.9)
    later = [made.forward(model, v, source)[0].detach() for _ in range(HOLD)]
    torch.testing.assert_close(later[0], later[HOLD - 2], rtol=0, atol=0)
    assert 0.05 < float((later[0] - first).abs().max()) < 2
    assert float((later[-1] - later[0]).abs().max()) > 1e-3  # another chip
    again = through(variation=drawn, chip=None)
    drawn_anew = again.forward(model, v, generator())[0].detach()
    torch.testing.assert_close(drawn_anew, later[0], rtol=0, atol=0.05)


def trained(images: ImageSet) -> tuple[TDKAN, NetworkSpec]:
    done = train(images, load_recipe("plain-d2", epochs=8), seed=1)
    return done.model, done.model.to_spec(done.encoding, name="before")


def test_training_for_one_chip_recovers_it_and_can_be_resumed_bit_for_bit(tmp_path):
    images = data(600)
    start = trained(images)
    broken = Variation(stuck_max=0.02, sigma_g=0.2)
    chip = ThroughChips(Hardware(), broken, Conditions(), chip=(0, 4))
    recipe = load_recipe("finetune", epochs=4)
    recipe = replace(recipe, learning_rate=5e-3)
    before = chip.reached(start[1], images)
    done = train(images, recipe, seed=3, disturbance=chip, start=start)
    after = chip.reached(done.model.to_spec(done.encoding, name="after"), images)
    assert before < 0.8
    assert after > 0.9
    for mine, theirs in zip(done.model.norms, start[0].norms, strict=True):
        assert torch.equal(mine.running_mean, theirs.running_mean)  # pyright: ignore

    state = tmp_path / "state"
    with pytest.raises(Stopped):
        train(
            images,
            recipe,
            seed=3,
            disturbance=chip,
            start=start,
            state=state,
            on_epoch=stopping_after(2),
        )
    other = (start[0].__class__(start[0].config), start[1])
    with pytest.raises(CheckpointError, match="is an unfinished training with another recipe"):
        train(images, recipe, seed=3, disturbance=chip, start=other, state=state)
    resumed = train(images, recipe, seed=3, disturbance=chip, start=start, state=state)
    for key, value in done.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[key]), key


def test_training_from_scratch_through_chips_learns():
    images = data(600)
    chips = ThroughChips(Hardware(levels=4), Variation(sigma_g=0.1), Conditions())
    done = train(images, load_recipe("plain-d2", epochs=10), seed=1, disturbance=chips)
    spec = done.model.to_spec(done.encoding, name="n", calibration=done.calibration)
    one = ThroughChips(chips.hardware, chips.variation, chips.conditions, chip=(0, 0))
    assert one.reached(spec, images) > 0.9


def test_start_must_suit_the_images():
    start = trained(data())
    wide = replace(data(), y=np.arange(300) % 11)
    with pytest.raises(DataError, match="label"):
        train(wide, load_recipe("finetune"), start=start)


def test_what_is_asked_for_must_mean_something():
    with pytest.raises(SettingsError, match=r"^noise twin of nominal chips disturbs nothing"):
        ThroughChips(Hardware(), Variation(), Conditions())
    with pytest.raises(SettingsError, match=r"^noise twin needs what differs in a chip: --var"):
        disturbance_of("twin", None)
    for text in ("net.build", "net.build:", ":3", "net.build:x", "net.build:-1"):
        with pytest.raises(SettingsError, match=r"is not BUILD:m, such as mnist.build:7$"):
            disturbance_of("twin", None, chip=text)
    assert disturbance_of(None, None) is None
    for kind, variation, chip, seed, sentence in (
        ("additive", None, None, None, r"^noise additive needs what differs in a chip: --var"),
        ("additive", "rram", None, None, r"^--noise additive takes sigma_g_abs, but rram has "
         r"sigma_g = 0\.05: give --noise multiplicative, or --noise twin$"),
        ("multiplicative", None, "m.build:1", None, r"^--chip is trained for through the twin"),
        (None, "rram", None, 3, r"^--chip-seed 3 is of no use without --chip"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=sentence):
            disturbance_of(kind, variation, (), chip, seed)


def test_two_trainings_of_one_model_do_not_mix(home):
    request = TrainingRequest(
        dataset=str(home / "d.npz"), recipe="plain-d2", out=home / "new" / "t.pt", epochs=2
    )

    def another(epoch) -> None:
        kind, text = refused("train", "--dataset", home / "d.npz", "--recipe", "plain-d2",
                             "--out", home / "new" / "t.pt")  # fmt: skip
        assert kind == "CheckpointError"
        assert text.startswith(f"{home / 'new' / 't.pt'} is being trained by another process")

    run_training(request, on_epoch=another)
    assert sorted(p.name for p in (home / "new").iterdir()) == ["t.log.txt", "t.md", "t.pt"]


@pytest.fixture
def home(tmp_path):
    images = data()
    np.savez(tmp_path / "d.npz", x=images.x, y=images.y)
    done = train(images, load_recipe("plain-d2", epochs=3), seed=1)
    checkpoint.save(
        done.model, tmp_path / "m.pt", name="m", encoding=done.encoding, dataset="made",
        calibration=done.calibration,
    )  # fmt: skip
    spec = checkpoint.load_spec(tmp_path / "m.pt")
    write_build(spec, Hardware(levels=8), tmp_path / "m.build")
    return tmp_path


def test_a_chip_of_another_network_a_temperature_and_settings_of_no_use_are_refused(home):
    base = ("train", "--dataset", home / "d.npz", "--out", home / "t.pt")
    from_m = (*base, "--from", home / "m.pt", "--epochs", 1)
    write_build(random_spec(1), Hardware(), home / "other.build")
    kind, text = refused(*from_m, "--chip", f"{home / 'other.build'}:7")
    assert kind == "SettingsError"
    assert text.startswith("the chip is one of a network [5, 4, 3] of T0, T1, but what is trained")
    kind, text = refused(*from_m, "--noise", "twin", "--set", "temp_c=1000")
    assert kind == "SettingsError" and "diode_law = linear holds from" in text
    kind, text = refused(*from_m, "--set", "sigma_g=0.1", "--set", "levels=4")
    assert kind == "SettingsError"
    assert text.startswith(
        "--noise multiplicative takes nothing from --set levels: it disturbs by "
    )
    deck = home / "m.build" / "network.cir"
    deck.write_text(deck.read_text(encoding="utf-8") + "* mine\n", encoding="utf-8")
    kind, text = refused(*from_m, "--chip", f"{home / 'm.build'}:7")
    assert kind == "NetlistError" and "network.cir was edited after it was compiled" in text


def test_a_chip_is_trained_for_from_the_command_line(home):
    words = ["train", "--dataset", home / "d.npz", "--from", home / "m.pt", "--epochs", 2]
    words += ["--chip", f"{home / 'm.build'}:7", "--set", "sigma_g=0.3", "--out", home / "t.pt"]
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "the chip, in the twin: " in result.stdout and ", before " in result.stdout
    assert f"next: analogkan compile {home / 't.pt'} --set=levels=32" in result.stdout
    card = (home / "t.md").read_text(encoding="utf-8")
    assert "| trained on from | m.pt, sha256 `" in card
    assert "| disturbed by | kind twin, chip (0, 7), levels 32, sigma_g 0.3" in card
    assert "| its chip | chip_accuracy " in card


def trained_for_chips(home, *words) -> dict:
    given = ["train", "--dataset", home / "d.npz", "--epochs", 1, "--json", *words]
    result = CliRunner().invoke(main, [str(word) for word in given], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("noise", "settings"),
    [("twin", ("levels=4",)), ("multiplicative", ("sigma_g=0.3", "die_sigma_current=0.1"))],
)
def test_a_training_for_hardware_ends_with_its_own_chips(home, noise, settings):
    """Those are chips 0 to 9 of ``montecarlo``, of the model it wrote."""
    out = home / "t.pt"
    chosen = [word for text in settings for word in ("--set", text)]
    found = trained_for_chips(home, "--recipe", "plain-d2", "--noise", noise, *chosen, "--out", out)
    told = found["own_chips"]
    assert (told["samples"], told["seed"], told["n"]) == (10, 0, found["n"])
    build = write_build(checkpoint.load_spec(out), Hardware(), home / "t.build")
    test = load_npz(home / "d.npz", "test")
    study = montecarlo(
        build, test, samples=10, preset="nominal", settings=settings,
        options=StudyOptions(judge="none"),
    ).summary  # fmt: skip
    assert told["accuracy_mean"] == pytest.approx(study["accuracy_mean"], abs=1e-12)
    assert told["accuracy_mean"] != found["accuracy"]
    kept = checkpoint.load_origin(out)[1]
    assert kept["own_chips"] == told | {
        "accuracy_mean_ci95": kept["own_chips"]["accuracy_mean_ci95"]
    }
    assert kept["card"] == {
        "accuracy": found["accuracy"], "n": found["n"], "images": "d.npz test, all 60",
        "dataset": "d",
    }  # fmt: skip
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    said = f"{100 * told['accuracy_mean']:.2f} %"
    assert re.search(
        rf"its own chips \| {re.escape(said)}.*mean of chips 0 to 9, seed 0, in ", card
    )


def test_what_its_own_chips_reach_is_printed(home):
    words = ["train", "--dataset", home / "d.npz", "--recipe", "plain-d2", "--epochs", 1]
    words += ["--noise", "twin", "--set", "levels=4", "--out", home / "t.pt"]
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    lines = result.stdout.splitlines()
    assert re.match(r".*t.pt: \d+\.\d\d % on d.npz test, all 60 \(", lines[0])
    where = r"mean of chips 0 to 9, seed 0, in the twin$"
    (line,) = [line for line in lines if line.startswith("on its own chips: ")]
    assert re.match(rf"on its own chips: \d+\.\d\d %.*, {where}", line)


def test_what_the_chips_of_a_start_reached_is_printed_and_a_loss_noted(home):
    """The same chips and images; a step that ruins the network is said to have."""
    ruin = home / "ruin.toml"
    ruin.write_text("epochs = 1\nlearning_rate = 5.0\n", encoding="utf-8")
    words = ["train", "--dataset", home / "d.npz", "--recipe", ruin, "--from", home / "m.pt"]
    words += ["--noise", "twin", "--set", "levels=64", "--out", home / "t.pt"]
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    printed = " ".join(result.stdout.split())
    assert re.search(r"on its own chips: \d+\.\d\d %.*, before \d+\.\d\d %.*, mean of", printed)
    assert "note: the model of --from is better on these chips: keep it, or train" in printed
    told = checkpoint.load_origin(home / "t.pt")[1]["own_chips"]
    build = write_build(checkpoint.load_spec(home / "m.pt"), Hardware(), home / "n.build")
    test = load_npz(home / "d.npz", "test")
    study = montecarlo(
        build, test, samples=10, preset="nominal", settings=("levels=64",),
        options=StudyOptions(judge="none"),
    ).summary  # fmt: skip
    assert told["accuracy_mean_before"] == pytest.approx(study["accuracy_mean"], abs=1e-12)
    assert worse({"rmse_mean": 2.0, "rmse_mean_before": 1.0}) and not worse(
        told | {"accuracy_mean": 1}
    )


def test_a_network_that_is_no_circuit_is_trained_all_the_same():
    """Noise on coefficients needs no hardware; the reason stands where the accuracy would."""
    steep = IVCurve("steep", np.array([0.0, 0.1, 0.2, 1.0]), np.array([0.0, 0.1, 0.01, 0.2]))
    chips = chips_of(Noise(kind="multiplicative", sigma=0.1))
    assert chips is not None
    spec = random_spec(1, curves=(steep,))
    told = on_chips(chips, spec, random_images(0, 9, 5), None)["own_chips"]
    assert told["accuracy_mean"] is None
    assert re.match(r"not measured, layer 0: r_out = 50 ohm times the diodes'", format_chips(told))


def test_the_yield_limit_of_a_model_is_its_parent_s(home):
    """Also of a grandchild, and not on another data set; each time said in full."""
    first = trained_for_chips(home, "--recipe", "plain-d2", "--out", home / "a.pt")
    hard = ("--noise", "twin", "--set", "levels=3", "--recipe", "plain-d2")
    second = trained_for_chips(home, "--from", home / "a.pt", *hard, "--out", home / "b.pt")
    third = trained_for_chips(home, "--from", home / "b.pt", *hard, "--out", home / "c.pt")
    parent = {"accuracy": first["accuracy"], "n": 60, "images": "d.npz test, all 60"}
    assert second["parent"] == third["parent"] == parent | {"dataset": "d"}
    assert "| its parent | " in (home / "c.md").read_text(encoding="utf-8")
    build = ak.compile(home / "c.pt", home / "c.build", verify=False)
    test = load_npz(home / "d.npz", "test")
    options = StudyOptions(judge="none", run=home / "run")
    s = montecarlo(build, test, samples=2, settings=["levels=3"], options=options).summary
    limit = round(first["accuracy"] - 0.01, 12)
    assert s["yield_at"] == limit
    assert s["yield_rule"] == (
        f"at least {100 * limit:.2f} %: 1 point below {100 * first['accuracy']:.2f} % of the model "
        "it was trained from (d.npz test, all 60)"
    )
    software = s["software_accuracy"]
    other = yield_limit(build, replace(test, name="other"))
    assert other == (
        round(software - 0.01, 12),
        f"1 point below software's {100 * software:.2f} % on these images",
    )
    assert yield_limit(build, test, 0.5) == (0.5, "as was asked for")


def test_a_parent_is_not_measured_on_images_that_it_may_have_been_trained_on(home):
    first = trained_for_chips(home, "--recipe", "plain-d2", "--out", home / "p.pt")
    found = trained_for_chips(
        home,
        "--from",
        home / "p.pt",
        "--recipe",
        "plain-d2",
        "--holdout",
        12,
        "--out",
        home / "q.pt",
    )
    assert found["evaluated_on"] == "held-out training"
    assert found["parent"]["accuracy"] == first["accuracy"]
    assert found["parent"]["images"] == "d.npz test, all 60"


def test_refusals(home):
    base = ("train", "--dataset", home / "d.npz", "--out", home / "t.pt")
    kind, text = refused(*base)
    assert (kind, text) == (
        "SettingsError", "--recipe is missing: how to train, such as --recipe mnist-d2-short",
    )  # fmt: skip
    kind, text = refused(*base, "--from", home / "m.pt", "--devices", "A21")
    assert (kind, text) == (
        "SettingsError",
        "--devices with --from: the model's devices are part of it, so leave --devices out",
    )
    kind, text = refused(*base[:-1], home / "m.pt", "--from", home / "m.pt")
    assert kind == "CheckpointError" and text.endswith("is the model of --from: give another --out")
    kind, text = refused(*base, "--from", home / "none.pt")
    assert kind == "CheckpointError" and "does not exist" in text
    kind, text = refused(*base, "--from", home / "m.pt", "--chip", f"{home / 'no.build'}:1")
    assert kind == "NetlistError"
    kind, text = refused(*base, "--recipe", "finetune")
    assert kind == "SettingsError"
    assert text.startswith("recipe finetune names no devices, it trains a model on: give it with")


def test_training_through_access_devices_is_refused():
    with pytest.raises(SettingsError, match=r"^r_access = 1000 ohm: how cells behind"):
        ThroughChips(Hardware(), Variation(r_access=1e3), Conditions())
