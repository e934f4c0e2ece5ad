"""montecarlo and thermal from the command line: what they print, keep and exit with."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from analogkan.cli import main
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.engines.ngspice import ENVIRONMENT

from .networks import random_npz, random_spec
from .test_cli_errors import refused, snapshot

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    write_build(random_spec(1, squash="clamp"), Hardware(), folder / "net.build")
    random_npz(folder / "data.npz")
    return folder


@pytest.fixture
def study(home, tmp_path):
    """Calls a study's command on a build and data of its own."""
    shutil.copytree(home / "net.build", tmp_path / "net.build")
    shutil.copyfile(home / "data.npz", tmp_path / "data.npz")

    def words(command: str, *args: object) -> list[str]:
        given = [command, tmp_path / "net.build", "--dataset", tmp_path / "data.npz", *args]
        return [str(word) for word in given]

    return words


def cli(words: list[str]) -> Result:
    return CliRunner().invoke(main, words, catch_exceptions=False)


def test_montecarlo_prints_its_figures_and_keeps_a_run(ngspice, study, tmp_path):
    result = cli(study("montecarlo", "--samples", 5, "--judge", "2x10"))
    assert result.exit_code == 0, result.output
    text = result.stdout
    assert "net1: 5 chips (rram) on data.npz test, all 40, 26.85 degC" in text
    for what in ("software", "mean", "standard deviation", "median", "yield (at least"):
        assert re.search(rf"^{re.escape(what)}.*( %| points)", text, re.MULTILINE), what
    for what, n in (("standard deviation", 10), ("5 %", 59), ("median", 6), ("95 %", 59)):
        assert re.search(rf"^{what} .* – needs {n} chips *$", text, re.MULTILINE), what
    assert "intervals are over chips, the images are fixed" in text
    note = "preset rram replaces settings of the BUILD, levels 0 -> 32: --set levels=0 keeps it"
    assert result.stderr.startswith(f"note: {note}\n")
    assert f"note: {note}\n" in text and "compiled again" not in text
    assert re.search(
        r"judged by ngspice \d+: 2 chips x 10 images, largest logit difference \S+e-1\d, \S+ of "
        r"full scale \(1e-06 is allowed\)",
        text,
    )
    run = Path(text.splitlines()[-1].removeprefix("kept in "))
    kept = {p.name for p in run.iterdir()} - {".lock"}
    assert kept == {"study.sqlite", "chips.csv", "result.json", "histogram.png", "log.txt"}
    with Image.open(run / "histogram.png") as picture:
        assert picture.size[0] > 800
    assert len((run / "chips.csv").read_text().splitlines()) == 6

    again = json.loads(cli(study("montecarlo", "--samples", 5, "--judge", "2x10", "--json")).stdout)
    assert again == json.loads((run / "result.json").read_text())
    assert Path(again["run"]) == run
    assert {
        *("accuracy_mean", "accuracy_mean_ci95", "accuracy_std", "accuracy_percentiles"),
        *("yield_at", "yield", "yield_ci95", "software_accuracy", "samples", "failed", "n"),
        *("agreement_mean", "max_abs_logit_error", "worst_chip", "engine", "seed", "preset"),
        *("settings", "run", "seconds", "judge"),
    } <= set(again)


def test_what_a_setting_changes_is_no_presets(study):
    result = cli(study("montecarlo", "--samples", 1, "--judge", "none", "--set", "levels=16"))
    assert "compiled again with levels = 16\n" in result.stdout
    assert "replaces settings" not in result.output


def test_one_chip_is_that_chip_of_the_study(study, tmp_path):
    def chips(run: str, *args: object) -> list[str]:
        words = study("montecarlo", "--judge", "none", "--out", tmp_path / run, *args)
        assert cli(words).exit_code == 0
        lines = (tmp_path / run / "chips.csv").read_text().splitlines()
        return [line.rpartition(",")[0] for line in lines[1:]]

    every = chips("all", "--samples", 4)
    assert chips("one", "--samples", 1, "--first", 2) == every[2:3]


def test_thermal_takes_a_leading_minus_and_keeps_a_run(ngspice, study):
    result = cli(study("thermal", "--temps", "-40:125:55", "--samples", 2, "--compensate", "each"))
    assert result.exit_code == 0, result.output
    for temp_c in ("-40", "15", "70", "125"):
        assert re.search(rf"^{temp_c} +\d+\.\d\d", result.stdout, re.MULTILINE)
    assert max(map(len, result.stdout.split("software ")[0].splitlines())) <= 80
    run = Path(result.stdout.splitlines()[-1].removeprefix("kept in "))
    with Image.open(run / "thermal.png") as picture:
        assert picture.size[0] > 800
    assert len((run / "chips.csv").read_text().splitlines()) == 13
    result = cli(study("thermal", "--temps", "-40", "--compensate", "-40", "--judge", "none"))
    assert result.exit_code == 0, result.output
    assert "as measured at -40 degC" in result.stdout
    assert "not judged: no chip of this study was simulated in ngspice" in result.stdout


def test_fail_under_exits_with_3(study):
    words = study("montecarlo", "--samples", 2, "--judge", "none", "--fail-under", "0.99")
    result = cli(words)
    assert result.exit_code == 3
    assert re.search(r"mean accuracy 0\.\d{4} is below --fail-under 0.99\n$", result.stderr)
    assert cli([*words[:-1], "0"]).exit_code == 0


def test_ngspice_as_the_engine_is_its_own_judge(ngspice, study):
    result = cli(study("montecarlo", "--samples", 2, "--subset", 6, "--engine", "ngspice"))
    assert result.exit_code == 0, result.output
    said = (
        f"in ngspice {ngspice.version}: every chip and image judged by the circuit's closed form: "
    )
    assert said + "largest difference " in result.stdout


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            ("montecarlo", "--set", "sigma_g=-1"),
            "sigma_g = -1.0 is out of range: 0 to 1",
        ),
        (
            ("montecarlo", "--set", "sigma_g=inf"),
            "sigma_g = inf is out of range: 0 to 1",
        ),
        (
            ("montecarlo", "--set", "sigma_v=1"),
            "--set: unknown setting 'sigma_v', did you mean sigma_g?",
        ),
        (
            ("montecarlo", "--temp", "151"),
            "temp_c = 151.0 is out of range: diode_law = linear holds from -55 to 150 degC: choose "
            "temperatures in there",
        ),
        (
            ("montecarlo", "--judge", "all"),
            "judge 'all' is neither CHIPSxIMAGES such as 3x50 nor none, which trusts the twin",
        ),
        (
            ("thermal", "--temps", "hot"),
            "temperatures 'hot' are neither LO:HI:STEP with LO <= HI and STEP above 0, such as "
            "-40:125:15, nor a list such as -40,26.85,125",
        ),
        (
            ("thermal", "--compensate", "always"),
            "compensate 'always' is neither none nor each nor a temperature such as 26.85",
        ),
    ],
)
def test_settings_that_are_none_exit_with_2_and_write_nothing(study, tmp_path, args, sentence):
    before = snapshot(tmp_path)
    assert refused(*study(*args)) == ("SettingsError", sentence)
    assert snapshot(tmp_path) == before


def test_a_resumed_run_whose_settings_differ_is_refused(study, tmp_path):
    words = study("montecarlo", "--samples", 2, "--judge", "none", "--out", tmp_path / "run")
    assert cli(words).exit_code == 0
    before = (tmp_path / "run" / "study.sqlite").read_bytes()
    assert refused(*words, "--resume", "--set", "sigma_g=0.1") == (
        "StudyError",
        f"{tmp_path}/run was started with another sigma_g (0.05 there, 0.1 here): give another "
        "--out, or remove the folder",
    )
    assert (tmp_path / "run" / "study.sqlite").read_bytes() == before
    assert refused(*words[:-1], tmp_path / "new", "--resume") == (
        "StudyError",
        f"{tmp_path}/new holds no study.sqlite to resume: leave --resume out to begin a study",
    )
    assert not (tmp_path / "new").exists()


def test_sigterm_and_two_processes_on_one_run(ngspice, study, tmp_path):
    """An interrupted study ends ngspice, says how to go on, and goes on; meanwhile it is alone."""
    pid, fake, run = tmp_path / "pid", tmp_path / "ngspice", tmp_path / "run"
    fake.write_text(
        f'#!/bin/sh\n[ "$1" = -v ] && exec {ngspice.path} -v\necho $$ > {pid}\nexec sleep 60\n'
    )
    fake.chmod(0o755)
    words = study("montecarlo", "--samples", 2, "--engine", "ngspice", "--jobs", 1, "--out", run)
    with subprocess.Popen(
        [sys.executable, "-m", "analogkan", *words],
        cwd=ROOT,
        env=os.environ | {ENVIRONMENT: str(fake), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for _ in range(300):
            if pid.exists() and pid.read_text().strip():
                break
            time.sleep(0.1)
        assert refused(*words) == (
            "StudyError",
            f"{run} is in use by another process: wait for it",
        )
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143
    assert stderr.endswith("interrupted: the same command goes on with what is left\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert cli([*words, "--resume"]).exit_code == 0
