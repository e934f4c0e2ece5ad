"""Wheel and sdist: complete, alike, and able to run the demo without the checkout."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from analogkan import __version__, resources

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
hatch_build = SimpleNamespace(**runpy.run_path(str(ROOT / "hatch_build.py")))
ADDRESS = hatch_build.address_of(ROOT)
SHIPPED = (
    *("netlists/cells/tia.lib", "netlists/golden/plain/network.cir", "models/mnist-d2.pt"),
    *("models/mnist-d2.md", "presets/nominal.toml", "training/recipes/mnist-d2.toml"),
    *("devices/library/a21.toml", "data/bundled/mnist14-test-1000.npz", "data/bundled/NOTICE.md"),
    "board/opamps/tl07x.toml",
)
"""One of each kind that the package looks for with ``resources.path``."""

RUN = """
import sys
installed, checkout, *words = sys.argv[1:]
sys.path = [installed, *(p for p in sys.path if p not in ("", checkout))]
"""
DEMO = RUN + "from analogkan.cli import main; main(words)"
WHERE = RUN + (
    "from analogkan import __file__, resources; print(__file__)\n"
    "for name in words: print(resources.path(name).resolve())"
)


def absolute(text: str) -> str:
    """As the wheel has it."""
    return hatch_build.absolute(text, ADDRESS)


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The wheel and the sdist, as anybody's `pip` builds them."""
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    options = ("--quiet", "--no-deps", "--no-index", "--no-compile", "--target", folder)
    run("-m", "pip", "install", *options, built[0], cwd=folder)
    return folder


def in_checkout() -> set[str]:
    """Names in the wheel of every file it must hold."""
    names = set()
    for top, below in (
        ("analogkan", "analogkan"),
        ("netlists", "analogkan/_bundled/netlists"),
        ("models", "analogkan/_bundled/models"),
    ):
        for path in (ROOT / top).rglob("*"):
            scratch = {"__pycache__", "_bundled"} & set(path.parts) or path.suffix == ".training"
            if path.is_file() and not scratch:
                names.add(f"{below}/{path.relative_to(ROOT / top).as_posix()}")
    return names


@pytest.mark.slow
def test_the_wheel_holds_every_file_and_the_licences(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
        (metadata,) = (n for n in names if n.endswith(".dist-info/METADATA"))
        text = wheel.read(metadata).decode()
    assert {n for n in names if ".dist-info/" not in n} == in_checkout()
    info = metadata.removesuffix("METADATA")
    assert names >= {
        f"{info}licenses/LICENSE",
        f"{info}licenses/analogkan/data/bundled/NOTICE.md",
        f"{info}entry_points.txt",
    }
    assert metadata == f"analogkan-{__version__}.dist-info/METADATA"
    assert f"Version: {__version__}\n" in text.replace("\r", "")
    assert "License-Expression: Apache-2.0" in text
    for name, link in hatch_build.urls(ADDRESS).items():
        assert f"Project-URL: {name}, {link}\n" in text.replace("\r", "")
    assert absolute(README) in text.replace("\r", "")
    assert "Requires-Dist: pyspice>=1.5" in text.replace("PySpice", "pyspice")


def test_one_address_is_what_readme_citation_and_links_say():
    assert f"git clone {ADDRESS}.git" in README
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == ADDRESS
    host = re.match(r"https://[^/]+/", ADDRESS)
    assert host is not None
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "Dockerfile"):
        for link in re.findall(
            rf"{re.escape(host[0])}[^\s)>`\"]*", path.read_text(encoding="utf-8")
        ):
            assert link.startswith(ADDRESS), (path, link)


def test_the_readme_leads_somewhere_from_any_page():
    links = re.findall(r"\]\(([^)]*)\)|\bsrc(?:set)?=\"([^\"]*)\"", absolute(README))
    links = [markdown or tag for markdown, tag in links]
    assert len(links) > 20 and any("front-tall" in link for link in links)
    for link in links:
        assert re.match(r"https?://|#", link), link
        ours = re.match(rf"{re.escape(ADDRESS)}/(raw|blob)/main/([^#]*)", link)
        if ours is not None:
            assert (ROOT / ours[2]).exists(), link
            assert (ours[1] == "raw") == (Path(ours[2]).suffix in (".png", ".svg"))
    assert absolute("![a](b.png) [c](d.md#e) [f](#g) [h](https://i)") == (
        f"![a]({ADDRESS}/raw/main/b.png) [c]({ADDRESS}/blob/main/d.md#e) [f](#g) [h](https://i)"
    )


def test_the_site_says_how_to_cite_both_as_the_citation_file_does():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (paper,) = citation["references"]
    page = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for title in (citation["title"], " ".join(paper["title"].split())):
        assert f"title = {{{title}}}" in page
    assert f"url = {{{ADDRESS}}}" in page
    people = [f"{one['family-names']}, {one['given-names']}" for one in paper["authors"]]
    assert f"author = {{{' and '.join(people)}}}" in page
    assert f"author = {{{{{citation['authors'][0]['name']}}}}}" in page
    number = paper["identifiers"][0]["value"].removeprefix("arXiv:")
    assert f"year = {{{paper['year']}}}, eprint = {{{number}}}" in page


def test_classifiers_are_of_the_versions_that_are_allowed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    assert said == ["3.11", "3.12", "3.13"]
    assert project["requires-python"] == f">={said[0]}"
    # With a licence expression, indexes refuse a classifier that says it once more.
    assert not any(line.startswith("License") for line in project["classifiers"])


def test_the_version_is_written_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"] == {"path": "analogkan/__init__.py"}
    for path in (*ROOT.glob("*.toml"), *ROOT.glob("*.cff"), *(ROOT / "analogkan").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        held = (path.name, text.count(f'"{__version__}"')) == ("__init__.py", 1)
        assert held or __version__ not in text, path


def test_the_citation_is_complete_and_says_what_the_project_says():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)  # what the format demands
    assert citation["title"].startswith(project["name"])
    assert citation["abstract"].strip() == project["description"]
    assert citation["license"] == project["license"]
    assert citation["authors"] == [{"name": "The analogkan developers"}]
    (paper,) = citation["references"]
    (number,) = paper["identifiers"]
    assert number["value"] == "arXiv:2510.23638"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert paper["title"] in " ".join(readme.replace("*", "").split())
    assert number["value"].replace(":", " ") in readme
    assert paper["authors"][0] == {"given-names": "Songyuan", "family-names": "Li"}


@pytest.mark.slow
def test_the_sdist_builds_the_same_wheel(built, tmp_path):
    wheel, sdist = built
    with tarfile.open(sdist) as archive:
        safe: dict[str, Any] = (
            {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        )  # from 3.11.4 on
        archive.extractall(tmp_path, **safe)
    (source,) = tmp_path.iterdir()
    for name in (
        "LICENSE",
        "CITATION.cff",
        "tests/test_packaging.py",
        "docs/main-path.md",
        "examples",
    ):
        assert (source / name).exists(), name
    run("-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=source)
    again = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as a, zipfile.ZipFile(again) as b:
        assert {i.filename: i.CRC for i in a.infolist()} == {
            i.filename: i.CRC for i in b.infolist()
        }


@pytest.mark.slow
def test_shipped_files_are_found_in_the_wheel_and_in_the_checkout(installed, tmp_path):
    module, *paths = run("-I", "-c", WHERE, installed, ROOT, *SHIPPED, cwd=tmp_path).splitlines()
    assert Path(module).is_relative_to(installed)
    assert len(paths) == len(SHIPPED)
    for name, path in zip(SHIPPED, paths, strict=True):
        assert Path(path).is_relative_to(installed)
        here = resources.path(name)
        assert here.is_relative_to(ROOT)
        assert Path(path).read_bytes() == here.read_bytes()


@pytest.mark.slow
def test_the_installed_wheel_runs_the_demo_without_the_checkout(ngspice, installed, tmp_path):
    words = ("demo", "--images", "20", "--json")
    found = json.loads(run("-I", "-c", DEMO, installed, ROOT, *words, cwd=tmp_path))
    assert (found["n"], found["agreement"]) == (20, 1.0)
    assert [p.name for p in tmp_path.iterdir()] == ["demo.run"]
    page = (tmp_path / "demo.run" / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure") == len(found["report"]["figures"]) == 10
