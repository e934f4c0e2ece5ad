"""What a stranger sees first: the README's words and pictures; its quick starts from a wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .pages import ROOT, commands

README = (ROOT / "README.md").read_text(encoding="utf-8")
OURS = ("twin", "judge", "dark trim", "BUILD", "full scale", "RUN")
"""Words that mean something here alone: the README does without."""
SVG = "{http://www.w3.org/2000/svg}"


def section(title: str, language: str) -> str:
    """The first block of a section in a language."""
    found = re.search(rf"^## {title}\n.*?^```{language}\n(.*?)^```$", README, re.M | re.S)
    assert found is not None
    return found[1]


def test_no_word_of_ours_is_unexplained():
    assert [word for word in OURS if re.search(rf"\b{word}s?\b", README)] == []


def test_the_pictures_are_there_and_told_in_words():
    (first,) = re.findall(r'<img alt="(.*?)" src="(.*?)">', README)
    pictures = [first, *re.findall(r"!\[(.*?)\]\((.*?)\)", README)]
    assert [Path(path).name for _, path in pictures] == ["front.png", "demo.svg"]
    (tall,) = re.findall(r'<source media="\(max-width: 600px\)" srcset="(.*?)">', README)
    pictures.append((first[0], tall))
    for words, path in pictures:
        assert len(words) > 20
        assert 10_000 < (ROOT / path).stat().st_size < 200_000


def test_the_recording_plays_every_frame_of_it():
    text = (ROOT / "docs" / "images" / "demo.svg").read_text(encoding="utf-8")
    picture = ElementTree.fromstring(text)
    (style,) = picture.findall(f"{SVG}style")
    moved = re.findall(r"([\d.]+)%\{transform:translate\((-?[\d.]+)px\)\}", style.text or "")
    times, places = ([float(x) for x in of] for of in zip(*moved, strict=True))
    (strip,) = (g for g in picture.iter(f"{SVG}g") if g.get("id") == "f")
    frames = [float(re.findall(r"[\d.]+", g.get("transform", ""))[0]) for g in strip]
    assert len(frames) > 20 and times == sorted(times)
    assert frames == [-place for place in places[:-1]] and places[-1] == places[-2]
    assert "prefers-reduced-motion" in (style.text or "")
    seconds, ahead = map(float, re.findall(r"play ([\d.]+)s -([\d.]+)s", style.text or "")[0])
    assert ahead == pytest.approx(seconds * times[-2] / 100, abs=0.01)  # it begins at its end
    drawn = {use.get("href") for use in picture.iter(f"{SVG}use")}
    assert drawn == {f"#{g.get('id')}" for g in picture.iterfind(f"{SVG}defs/*")}
    said = "".join(picture.itertext())
    assert "verified" in said and "judged by ngspice" in said and "the report" in said


def test_each_quick_start_has_five_lines():
    spice, torch = section("If you know SPICE", "sh"), section("If you know torch", "python")
    assert len(commands(spice)) == 5
    assert len([line for line in torch.splitlines() if line and "import" not in line]) == 5


@pytest.fixture(scope="module")
def apart(tmp_path_factory) -> dict[str, str]:
    """The environment of a Python that has the wheel, and what it depends on from here."""
    folder = tmp_path_factory.mktemp("apart")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    python = folder / "env" / "bin" / "python"
    words = ["--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    (packages,) = (folder / "env").glob("lib/*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PATH": path}


@pytest.mark.slow
def test_the_quick_start_in_spice_runs_from_a_wheel(ngspice, apart, tmp_path):
    printed = []
    for command in commands(section("If you know SPICE", "sh")):
        done = subprocess.run(
            ["sh", "-ec", command], cwd=tmp_path, env=apart, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        printed.append(done.stdout)
    compiled, by_hand, simulated, chips, _ = printed
    assert "verified: the netlist is the network" in compiled
    assert len(re.findall(r"^v\(logit_\d\) = ", by_hand, re.M)) == 10
    assert re.search(r"same class\s+100\.00 %", simulated)
    assert "mnist-d2: 50 chips" in chips
    assert (tmp_path / "mnist-d2.html").stat().st_size > 100_000


@pytest.mark.slow
def test_the_quick_start_in_torch_runs_from_a_wheel(ngspice, apart, tmp_path):
    program = section("If you know torch", "python") + "print(ak.__file__)\n"
    done = subprocess.run(
        ["python", "-W", "error", "-c", program], cwd=tmp_path, env=apart, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *printed, place = done.stdout.splitlines()
    assert printed == section("If you know torch", "text").splitlines()
    assert not Path(place).is_relative_to(ROOT)
