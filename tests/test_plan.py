"""The planner: levers, limits, the search, what is kept of it, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan.cli import main
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.hardware import Hardware, load_hardware
from analogkan.errors import CompileError, SettingsError, SimulationError, StudyError
from analogkan.imperfections.presets import load_own
from analogkan.physics import Assumptions
from analogkan.physics.blocks import AMPLIFIERS
from analogkan.physics.supply import least_quiescent
from analogkan.planner.floor import charge, floor_energy
from analogkan.planner.levers import LEVERS, Space, changed, choose_levers
from analogkan.planner.limits import LOSS, Limit, misses, parse_budgets
from analogkan.planner.search import Goal, Tried, best_of, explore, front, goals_of, survivors
from analogkan.studies.plan_result import FIGURES
from analogkan.studies.trial import saturated

from .convolutions import convolutional_images, convolutional_spec
from .networks import random_npz, random_spec

BASE = Hardware(), Assumptions()
FIXED = {"v_rail": 2.4,
    "max_bias_rows": 31, "headroom": 0.79, "v_fs": 0.45, "gain_split": 0.1,
    "gbw_by_stage": 0.1, "r_diff": 20e3, "readout": "differences",
}  # fmt: skip
"""So that few levers are left, each of which ngspice judges."""
ALLOWED = Limit(name=LOSS, label="loss", unit="points", value=0.002, scale=0.002)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    write_build(random_spec(1), Hardware(), folder / "net.build")
    random_npz(folder / "data.npz")
    return folder


@pytest.fixture(scope="module")
def images(home):
    return ak.load_dataset(str(home / "data.npz"), "test")[:12]


def cli(home, *more: object) -> str:
    words = ["plan", home / "net.build", "--dataset", home / "data.npz", *more]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code != 0
    return result.output


# ---- levers


@pytest.mark.parametrize(
    "lever", [one for one in LEVERS if not one.choices], ids=lambda lever: lever.name
)
def test_every_lever_reaches_both_its_ends(lever):
    low, high = lever.range_of(BASE)
    for share in (0.0, 0.31, 1.0):
        value = lever.at(share, BASE)
        assert low <= value <= high
        hardware, assumed = changed(BASE, {lever.name: value})
        assert value in (getattr(hardware, lever.name, None), getattr(assumed, lever.name, None))


def test_the_range_of_cells_keeps_its_ratio():
    hardware, _ = changed(BASE, {"g_max": 1e-6})
    assert hardware.g_max / hardware.g_min == pytest.approx(100, rel=1e-12)


def test_what_is_fixed_is_not_moved_and_what_is_freed_is():
    levers = {one.name: one for one in choose_levers(BASE, {"gbw"}, "gm_id=15:22, v_fs=0.3:0.4")}
    assert "gbw" not in levers
    assert levers["gm_id"].range_of(BASE) == (15, 22)
    assert levers["v_fs"].range_of(BASE) == (0.3, 0.4)


@pytest.mark.parametrize(
    ("free", "said"),
    [
        ("gm_di=1:2", r"^free 'gm_di=1:2': 'gm_di' is no number among the settings, did you mean"),
        ("gm_id=22:15", r"^free 'gm_id=22:15' is no NAME=LO:HI with LO below HI, such as gm_id=15"),
        ("gm_id=15", r"^free 'gm_id=15' is no NAME=LO:HI"),
        (
            "gbw=1:2",
            r"^free gbw=1:2: gbw is fixed by --set or the preset: leave out one of the two",
        ),
        (
            "bits=4:12",
            r"^free 'bits=4:12': bits are what candidates settle to, no lever: --criterion decides",
        ),
        (
            "gm_id=15:90",
            r"^lever gm_id would be moved to 90, which it may not be: gm_id = 90\.0 is out of",
        ),
    ],
)
def test_a_lever_that_cannot_be_moved_so_is_refused(free, said):
    with pytest.raises(SettingsError, match=said):
        choose_levers(BASE, {"gbw"}, free)


def test_bits_are_moved_where_their_conversions_cost_energy():
    costly = replace(Hardware(), adc_range=1.0), Assumptions(dac_fom=1e-14, adc_fom=1e-14)
    added = {one.name for one in choose_levers(costly, set(), "")}
    assert added - {one.name for one in choose_levers(BASE, set(), "")} == {"dac_bits", "adc_bits"}
    twelve = replace(costly[0], dac_bits=12), costly[1]
    space = Space(base=twelve, levers=choose_levers(twelve, set(), ""))
    dacs = next(one for one in space.levers if one.name == "dac_bits")
    assert dacs.choices == (*range(2, 11), 12)
    assert space.values([0.5] * len(space.numbers), space.own_words())["dac_bits"] == 12


def test_nothing_left_to_plan_is_refused():
    with pytest.raises(SettingsError, match=r"^every lever is fixed: nothing is left to plan$"):
        choose_levers(BASE, {lever.name for lever in LEVERS}, "")


# ---- limits


def test_budgets_are_read_with_suffixes():
    limits = {one.name: one.value for one in parse_budgets("settling_s=2u, op_amps=500")}
    assert limits == {"settling_s": pytest.approx(2e-6), "op_amps": 500}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("settling=2u", r"^budget 'settling=2u': 'settling' is no figure that can have one, did"),
        ("power_w=-1", r"^budget 'power_w=-1' is no NAME=VALUE with a value above 0"),
        ("power_w", r"^budget 'power_w' is no NAME=VALUE"),
        (
            "power_w=1m,power_w=2m",
            r"^budgets contradict each other: power_w is to be at most 0\.001 and at most 0\.002: ",
        ),
    ],
)
def test_a_budget_that_is_none_is_refused(text, said):
    with pytest.raises(SettingsError, match=said):
        parse_budgets(text)


def test_a_miss_is_a_ratio_or_a_share_of_its_scale_and_nothing_when_kept():
    time = Limit(name="settling_s", label="settling time", unit="s", value=1e-6)
    assert time.miss({"settling_s": 2e-6}) == pytest.approx(math.log(2))
    assert ALLOWED.miss({LOSS: 0.006}) == pytest.approx(2)
    assert misses((time, ALLOWED), {"settling_s": 1e-6, LOSS: -0.01}) == {}
    assert misses((time,), {"settling_s": None}) == {"settling_s": math.inf}
    good = Limit(name="yield", label="yield", unit="%", value=0.9, least=True, scale=0.05)
    assert good.miss({"yield": 0.85}) == pytest.approx(1)


# ---- search


def bowl(values, base=BASE):
    """A made-up circuit: energy has its least inside, loss grows towards small conductances."""
    hardware, _ = changed(base, values)
    a = math.log(hardware.g_max / 25e-6)
    energy = math.exp(0.5 * (a + 4) ** 2 + (math.log(hardware.v_rail / 1.5)) ** 2)
    return {"energy_j": energy, LOSS: 0.001 * max(0.0, -a - 2)}


def run(asking, answer):
    try:
        batch = next(asking)
        while True:
            batch = asking.send([Tried(candidate=one, figures=answer(one)) for one in batch])
    except StopIteration as end:
        return end.value


def space():
    return Space(base=BASE, levers=choose_levers(BASE, set(), ""))


def test_the_search_finds_the_least_within_its_limit():
    goal = Goal(objective="energy_j", limits=(ALLOWED,))
    tried = run(explore(space(), goal, 400, 0), lambda one: bowl(one.values))
    (best, *_) = best_of(tried, goal)
    found = bowl(best.values)
    # The bowl's least is at a = -4, where 0.002 is just lost.
    assert found[LOSS] <= 0.002 and found["energy_j"] < 1.05


def test_the_same_figures_lead_to_the_same_candidates():
    goal = Goal(objective="energy_j", limits=(ALLOWED,))
    first, again = (
        run(explore(space(), goal, 60, 3), lambda one: bowl(one.values)) for _ in range(2)
    )
    assert [one.candidate.key for one in first] == [one.candidate.key for one in again]
    other = run(explore(space(), goal, 60, 4), lambda one: bowl(one.values))
    assert [one.candidate.key for one in first] != [one.candidate.key for one in other]


def test_where_nothing_is_better_the_circuit_as_it_is_is_best():
    goal = Goal(objective="energy_j", limits=(ALLOWED,))
    whole = space()
    tried = run(
        explore(whole, goal, 20, 0),
        lambda one: {"energy_j": 1.0 if one.values["gbw"] == BASE[0].gbw else 2.0, LOSS: 0.0},
    )
    best = best_of(tried, goal)[0]
    assert changed(BASE, best.values) == BASE
    assert [
        lever.at(share, BASE) for lever, share in zip(whole.numbers, best.place, strict=True)
    ] == [
        min(max(best.values[lever.name], lever.range_of(BASE)[0]), lever.range_of(BASE)[1])
        for lever in whole.numbers
    ]


@pytest.mark.parametrize("names", [("gbw",), ("v_rail", "gbw"), ("readout", "gbw")])
def test_a_search_ends_quietly_where_what_is_best_is_at_an_end(names):
    """The optimiser would divide by its spread, of which nothing is left there."""
    few = Space(base=BASE, levers=tuple(lever for lever in LEVERS if lever.name in names))
    goal = Goal(objective="energy_j", limits=(ALLOWED,))
    tried = run(
        explore(few, goal, 300, 0), lambda one: {"energy_j": float(one.values["gbw"]), LOSS: 0.0}
    )
    assert min(one.values["gbw"] for one in (each.candidate for each in tried)) < 1.1e6


def test_words_alone_are_tried_in_every_combination():
    levers = choose_levers(BASE, set(), "")
    words = Space(base=BASE, levers=tuple(lever for lever in levers if lever.choices))
    tried = run(
        explore(words, Goal(objective="energy_j", limits=()), 5, 0), lambda _: {"energy_j": 1.0}
    )
    assert len({one.candidate.key for one in tried}) == len(tried) == 4


def test_what_fails_in_full_gives_way_to_the_next_best():
    goal = Goal(objective="energy_j", limits=(ALLOWED,))
    tried = run(explore(space(), goal, 60, 0), lambda one: bowl(one.values))
    first = {one.key for one in best_of(tried, goal)[:4]}
    full = run(
        survivors(tried, goal),
        lambda one: bowl(one.values) | ({LOSS: 0.5} if one.key in first else {LOSS: 0.0}),
    )
    assert len(full) == len(goals_of(goal))
    assert goal.kept(full[0][0].figures) and full[0][0].candidate.key not in first


def test_the_front_has_none_that_another_beats_in_both():
    goal = Goal(objective="energy_j", limits=(ALLOWED,))
    tried = run(explore(space(), goal, 100, 0), lambda one: bowl(one.values))
    ends = front(tried, "energy_j")
    pairs = np.array([[one.figures[LOSS], one.figures["energy_j"]] for one in ends])
    assert (np.diff(pairs[:, 0]) >= 0).all() and (np.diff(pairs[:, 1]) < 0).all()
    for one in tried:
        beats = (pairs[:, 0] < one.figures[LOSS]) & (pairs[:, 1] < one.figures["energy_j"])
        dominated = beats.any() or one in ends
        equal = (pairs[:, 1] <= one.figures["energy_j"]).any()
        assert dominated or equal


# ---- the floor


@pytest.mark.parametrize(
    "assumed", [Assumptions(), Assumptions(c_load_rows=2e-13, c_load_lines=5e-14)]
)
def test_the_floor_is_below_what_any_bandwidth_gives(home, assumed):
    """By another way: op-amps alone, with one time constant each, at many bandwidths."""
    circuit = load_build(home / "net.build").circuit()
    floor = floor_energy(circuit, assumed)
    rng, stages = np.random.default_rng(0), [link.design.stages for link in circuit.links]
    decays = math.log(2 ** (assumed.bits + 1))
    for _ in range(50):
        amperes, slowest = 0.0, 0.0
        for stage in (one for each in stages for one in each):
            counts = stage.r_f.size, stage.r_c.size, stage.gain.size
            gains = 1.0, float(1 + (stage.r_c * stage.g.sum(axis=0)).mean()), 1 + stage.gain.mean()
            for count, gain, block in zip(counts, gains, AMPLIFIERS, strict=False):
                gbw = 10 ** rng.uniform(6, 8)
                amperes += count * least_quiescent(gbw, assumed, block)
                slowest = max(slowest, gain / (2 * math.pi * gbw))
        assert floor < amperes * 2 * circuit.hardware.v_rail * decays * slowest
    of_row = least_quiescent(1 / (2 * math.pi), assumed, "rows")
    assert charge(stages[0][0], assumed) > stages[0][0].r_f.size * of_row


# ---- whole plans


@pytest.fixture(scope="module")
def planned(home, images):
    return ak.plan(
        home / "net.build", images[:6], loss=50, tries=24, samples=2, judge="1x2",
        few=2, hardware=FIXED, out=home / "run",
    )  # fmt: skip


def test_a_plan_takes_less_and_ngspice_says_the_same(planned):
    assert planned.chosen["energy_j"] < planned.as_it_is["energy_j"]
    reported = [planned.as_it_is, planned.chosen, *planned.steps, *planned.front]
    for one in reported:
        assert one["judge_op"] < 1e-6 and one["judge_power"] < 1e-6
        assert one["judge_settling"] < 2e-3 and one["judge_noise"] < 0.02
    assert "judged by ngspice's op, .tran, .noise" in planned.judged()


def test_the_factors_of_the_levers_make_up_the_whole(planned):
    listing = planned.facts()
    factors = [float(row[3]) for row in listing.rows if row[3]]
    assert math.prod(factors[:-1]) == pytest.approx(factors[-1], rel=0.1)
    energies = [planned.as_it_is["energy_j"], *(step["energy_j"] for step in planned.steps)]
    assert energies[-1] == planned.chosen["energy_j"]


def test_its_preset_compiles_to_what_was_chosen(planned, home, images, tmp_path):
    preset = str(planned.run / "planned.toml")
    hardware = load_hardware(preset)
    for name, value in planned.values.items():
        if hasattr(hardware, name):
            assert getattr(hardware, name) == value
    assumed, _ = load_own(Assumptions, "assumptions", preset, [])
    assert assumed.bits == planned.bits
    build = write_build(random_spec(1), hardware, tmp_path / "planned.build")
    sheet = ak.datasheet(build, images[:6], preset=preset, judge="none", out=tmp_path / "sheet")
    assert sheet.figures_of["power_w"]["typical"] == pytest.approx(
        planned.chosen["power_w"], rel=1e-9
    )


@pytest.fixture
def quick(home, images, monkeypatch):
    """Plans of made-up figures: what is asked of a candidate goes to ``energy_of`` a point."""

    def plan(energy_of, name, **more):
        def figures(bench, point, trial):
            energy = energy_of(point)
            return dict.fromkeys(FIGURES, 0.0) | {
                "energy_j": energy, "settling_s": energy, "power_w": 1.0, "area_um2": 1.0,
                "op_amps": 1, "accuracy_mean": 0.9, "rmse_mean": None,
            }  # fmt: skip

        monkeypatch.setattr("analogkan.studies.trial._figures", figures)
        asked = {"judge": "none", "jobs": 1, "out": home / name, **more}
        return ak.plan(home / "net.build", images[:3], **asked)

    return plan


def energy_of(point):
    """Least inside the ranges, and above 0."""
    return math.log(point.hardware.gbw / 8e6) ** 2 + point.hardware.v_rail


def test_a_plan_that_was_cut_short_goes_on_and_ends_alike(quick):
    seen: list[object] = []

    def once(point):
        seen.append(point)
        if len(seen) == 40:
            raise KeyboardInterrupt
        return energy_of(point)

    whole = quick(energy_of, "whole", tries=60)
    with pytest.raises(KeyboardInterrupt):
        quick(once, "cut", tries=60)
    again = quick(once, "cut", tries=60, resume=True)
    assert (again.values, again.chosen) == (whole.values, whole.chosen)
    assert len(seen) == len(again.rows) + 1


def test_nothing_that_meets_the_limits_names_the_nearest_and_what_binds(quick):
    with pytest.raises(
        StudyError,
        match=r"^nothing of \d+ candidates keeps to loss at most 0\.2 points.*settling time at "
        r"most 1 ps\. The nearest has settling time .*, which is what binds, at .*: allow",
    ):
        quick(energy_of, "none", tries=3, budget={"settling_s": 1e-12})


def test_what_keeps_to_all_on_a_share_alone_is_not_the_nearest(quick):
    few: set[int] = set()

    def slower_on_more(point):
        few.add(point.own.few)
        return 1.0 if point.own.few == min(few) else 9.0

    with pytest.raises(StudyError, match=r"The nearest has settling time 9 s, which is what binds"):
        quick(slower_on_more, "share", tries=3, budget={"settling_s": 5.0})


def test_settings_that_contradict_each_other_fail_alone(quick):
    """An odd number of columns is refused: the plan goes on without such candidates."""
    found = quick(lambda p: 1 / p.hardware.tile_cols, "odd", tries=24, free={"tile_cols": (6, 98)})
    assert found.values["tile_cols"] % 2 == 0
    failed = found.candidates - len(found.tried)
    assert failed > 0
    assert f"looked at, {failed} of which could not be made or" in " ".join(found.sentences())


def test_a_plan_of_words_keeps_what_is_where_no_other_is_better(quick):
    fixed = {
        one.name: getattr(BASE[0], one.name)
        for one in LEVERS
        if not one.choices and hasattr(BASE[0], one.name)
    }
    found = quick(
        lambda p: 1.0 if p.hardware.readout == "differences" else 2.0, "words",
        hardware=fixed, assumptions={"zeta": 0.7}, objective="latency",
    )  # fmt: skip
    assert (found.values, found.steps) == ({"readout": "differences"}, [])
    assert found.facts().rows[-1][3] == "1.00"
    assert "takes less time than the circuit as it is: look at more" in " ".join(found.sentences())
    assert [figure.draw() for figure in found.figures()]
    given = found.plot().add_subplot()
    assert found.plot(ax=given) is given.figure and given.lines
    assert (found.run / "planned.toml").is_file()


def test_where_no_candidate_can_be_simulated_the_reason_is_told(quick):
    def refused(point):
        if point.hardware.rails:
            raise SimulationError("no rest")
        return 1.0

    with pytest.raises(
        StudyError,
        match=r"^none of \d+ candidates could be made or simulated\. Of the last: no rest$",
    ):
        quick(refused, "refused", tries=1)


def test_an_image_saturates_where_any_circuit_at_any_position_does(tmp_path):
    spec = convolutional_spec()
    circuit = write_build(spec, Hardware(), tmp_path / "conv.build", most=10_000).circuit()
    volts = spec.dac_volts(convolutional_images(1, 4).flat(spec.encoding.shape))
    assert not saturated(circuit, volts).any()
    *others, last = circuit.links
    low = replace(last.design, hardware=replace(last.design.hardware, v_rail=1e-3))
    assert saturated(replace(circuit, links=(*others, replace(last, design=low))), volts).all()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"free": {"gm_id": 5}}, r"^free gm_id = 5 is no range: give the least and the most, \(15"),
        ({"free": {"gm_id": (1, "b")}}, r"^free gm_id = 'b' is of type str: give a number$"),
        ({"budget": {"power_w": None}}, r"^budget power_w = None is of type NoneType: give a num"),
        ({"loss": None}, r"^loss = None is out of range: leave it out, which is 0\.2$"),
        ({"tries": 0}, r"^tries = 0 is out of range: 1 to 100000$"),
        ({"few": 101}, r"^few = 101 is out of range: 1 to 100$"),
        ({"objective": "enregy"}, r"^objective = 'enregy' is out of range: energy or area or lat"),
        ({"objective": 3}, r"^objective = 3 is of type int: give a text$"),
        ({"flips": None}, r"^flips = None is out of range: leave it out, which is 0\.001$"),
    ],
)
def test_python_refuses_what_the_command_line_does(home, images, more, said):
    with pytest.raises(SettingsError, match=said):
        ak.plan(home / "net.build", images, **{"judge": "none", "out": home / "no", **more})
    assert not (home / "no").exists()


def test_what_python_names_is_fixed_though_it_is_so_already(home, images):
    for named in (
        {"hardware": {"gbw": BASE[0].gbw}, "free": {"gbw": (1e6, 1e7)}},
        {"assumptions": {"zeta": 0.7}, "free": {"zeta": (0.4, 1)}},
        {"assumptions": Assumptions(zeta=0.6), "free": {"zeta": (0.4, 1)}},
    ):
        with pytest.raises(SettingsError, match=r"is fixed by --set or the preset: leave out one"):
            ak.plan(home / "net.build", images, judge="none", **named)
    with pytest.raises(SettingsError, match=r"^lever gm_id would be moved to 90"):
        ak.plan(
            home / "net.build", images, judge="none", assumptions=Assumptions(zeta=0.6),
            free={"gm_id": (15, 90)},
        )  # fmt: skip


def test_numbers_of_numpy_are_numbers(home, images):
    with pytest.raises(SettingsError, match=r"^lever gm_id would be moved to 90"):
        ak.plan(
            home / "net.build", images, judge="none", free={"gm_id": np.array([15, 90])},
            budget={"settling_s": np.float64(2e-6), "op_amps": np.int64(5)},
        )  # fmt: skip


def test_a_forecast_comes_before_the_plan(home):
    words = [
        *("plan", home / "net.build", "--dataset", home / "data.npz", "--out", home / "told"),
        *("--tries", 3, "--samples", 2, "--loss", 50, "--subset", 6, "--judge", "none"),
        *("--few", 1),
    ]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert "3 candidates of about" in result.stderr
    assert (home / "told" / "planned.toml").is_file() and (home / "told" / "plan.png").is_file()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--loss", "-1"), "loss = -1.0 is out of range: 0 to below 100 points"),
        (("--flips", "0"), "flips = 0.0 is out of range: above 0, to 1"),
        (("--set", "gbw=1e15"), "gbw"),
        (("--set", "e_nn=1"), "unknown setting 'e_nn', did you mean e_n?"),
        (("--free", "zeta=0.4:1", "--set", "zeta=0.7"), "zeta is fixed by --set or the preset"),
        (("--free", "gbw=1:2", "--set", "gbw=1meg"), "gbw is fixed by --set or the preset"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_a_sentence(home, more, said):
    assert said in cli(home, *more)


def test_a_model_is_compiled_once_and_another_build_in_its_place_is_refused(tmp_path, monkeypatch):
    from analogkan.api.making import build_of

    monkeypatch.chdir(tmp_path)
    folder, new = build_of("mnist-d2")
    assert new and build_of("mnist-d2") == (folder, False)
    ak.compile("mnist-d2", tmp_path / "mnist-d2.build", hardware={"gbw": 20e6})
    with pytest.raises(CompileError, match=r"^mnist-d2\.build is there, and is not .*: give a"):
        build_of("mnist-d2")
