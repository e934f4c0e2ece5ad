"""Many machines: a study's points on the workers of a Dask cluster. The only user of Dask.

The bench (network, design, images, settings) goes out once; points go out, rows come back; nothing
is shared by files, and only the client writes the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from importlib import metadata
from typing import Any, TypeVar

from .. import __version__
from ..engines.others import SIMULATORS, find_simulator
from ..errors import SimulationError, StudyError
from ..files import source_hash
from ..plugins import Sent, unpack

T = TypeVar("T")
R = TypeVar("R")
PATIENCE_S = 10.0
"""How long a scheduler may take to answer, and the first worker to be there, seconds."""
MOST_ATTEMPTS = 4
"""How often work is given out that was lost with the workers that had it."""
IN_FLIGHT = 3
"""Tasks that are out for each of the workers' threads: one runs, the others wait beside it."""
BATCH = 16
"""Most points a task, where there are many: the scheduler's time is for tasks."""
INSTALL = "pip install 'analogkan[cluster]'"


class DaskExecutor:
    """Runs points on a cluster; the interface of ``executor.Executor``.

    Parameters
    ----------
    address
        The scheduler's, such as ``tcp://127.0.0.1:8786``.
    engine
        Name of the study's engine: what workers must have.
    plugins
        What they load first.

    Raises
    ------
    StudyError
        If Dask is missing, the scheduler does not answer, there is no worker, or a worker has
        other versions than this process.
    """

    _client: Any

    def __init__(self, address: str, engine: str, plugins: Sent = ()) -> None:
        try:
            import distributed
        except ImportError as error:
            raise StudyError(f"--executor dask needs Dask: {INSTALL}") from error
        self.address, self.engine, self._plugins = address, engine, plugins
        self.facts: dict[str, Any] | None = {}
        self._moved = {"bytes_scattered": 0, "bytes_per_point": 0, "bytes_per_row": 0}
        self._distributed = distributed
        try:
            with _quiet():
                asyncio.run(_knock(address))
                self._client = distributed.Client(address, timeout=PATIENCE_S, set_as_default=False)
        except TypeError as error:  # TLS without certificates
            raise StudyError(
                f"{address} is behind TLS, and Dask's configuration names no certificates: set "
                "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ...__CLIENT__CERT and ...__CLIENT__KEY"
            ) from error
        except (OSError, TimeoutError, ValueError) as error:
            raise StudyError(
                f"no Dask scheduler answers at {address} within {PATIENCE_S:g} s ({error}): start "
                "one with `dask scheduler`, and give the address that it prints"
            ) from error
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the cluster as it is."""
        with _quiet():
            self._client.close()

    def run(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R]]:
        """Every item with its result, as they are finished; at most a few a thread are out.

        What a lost worker had is given out again, the bench too if it was the last to have it.
        """
        self.facts = self._cluster | self._moved
        body = pickle.dumps((self._plugins, pickle.dumps(function)))
        self._moved["bytes_scattered"] = len(body)
        left = dict(enumerate(items))
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                for number, result in self._pass(body, dict(left)):
                    yield left.pop(number), result
                return
            except CancelledError as error:
                if attempt == MOST_ATTEMPTS or not self._has_workers():
                    raise StudyError(
                        f"all workers of {self.address} were lost at once, and with them what they "
                        "were to evaluate; what is finished is kept, and the same command goes on "
                        "once there are workers again"
                    ) from error

    def _pass(self, body: bytes, items: dict[int, T]) -> Iterator[tuple[int, Any]]:
        """Numbers of ``items`` with their results; CancelledError if what they need was lost."""
        if not items:
            return
        wanted = versions(self.engine)
        scattered = self._client.scatter(body, broadcast=True, hash=False)
        threads = max(1, sum(self._client.nthreads().values()))
        size = max(1, min(BATCH, len(items) // (4 * IN_FLIGHT * threads)))
        numbers = list(items)
        waiting = iter([numbers[k : k + size] for k in range(0, len(numbers), size)])
        going: dict[Any, Sequence[int]] = {}

        def submit() -> Any:
            for some in waiting:
                points = [items[number] for number in some]
                self._moved["bytes_per_point"] = len(pickle.dumps(points[0]))
                future = self._client.submit(
                    _task, scattered, pickle.dumps(points), wanted, pure=False, retries=2
                )
                going[future] = some
                return future
            return None

        try:
            first = [f for f in (submit() for _ in range(IN_FLIGHT * threads)) if f is not None]
            with self._client.as_current():
                done = self._distributed.as_completed(first)
            for future in done:
                try:
                    results = future.result()
                except (self._distributed.KilledWorker, OSError) as error:
                    raise StudyError(
                        f"a chip ended its worker again and again ({error}); what is finished is "
                        "kept, and the same command goes on"
                    ) from error
                self._moved["bytes_per_row"] = len(pickle.dumps(results[0]))
                self.facts = self._cluster | self._moved
                yield from zip(going.pop(future), results, strict=True)
                future.release()
                more = submit()
                if more is not None:
                    done.add(more)
        except BaseException:  # Ctrl-C, an error, or whoever asked has had enough
            with _quiet():
                self._client.cancel(list(going))
            raise

    def _has_workers(self) -> bool:
        """Whether a worker is there, or comes soon."""
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE_S)
        except TimeoutError:
            return False
        return True

    def _check(self) -> None:
        """Refuse a cluster without workers, or with one that is not as this process."""
        if not self._has_workers():
            raise StudyError(
                f"the scheduler at {self.address} has no worker after {PATIENCE_S:g} s: start some "
                f"with `dask worker {self.address}`"
            )
        wanted, engine = versions(self.engine), self.engine
        try:
            found = self._client.run(versions, engine)
        except Exception as error:  # whatever a worker raises while it looks for the package
            raise StudyError(
                f"a worker of {self.address} cannot import analogkan ({error}): install "
                f"analogkan {__version__} there, and start it again"
            ) from error
        for worker, have in found.items():
            _compare(have, wanted, str(worker))
        threads = sum(self._client.nthreads().values())
        self._cluster = {"workers": len(found), "threads": threads}


async def _knock(address: str) -> None:
    """Raise OSError unless something answers: a client that fails is still noisy at exit."""
    from distributed import Security
    from distributed.comm.core import connect

    certificates = Security().get_connection_args("client")  # of Dask's configuration
    comm = await connect(address, timeout=PATIENCE_S, **certificates)
    await comm.close()


def versions(engine: str) -> dict[str, str]:
    """What rows depend on in this process: packages, processor, simulator if one is the engine."""
    found = {"analogkan": f"{__version__} ({source_hash()})"}
    for name in ("numpy", "scipy", *(("torch",) if engine == "twin" else ())):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not at all"
    found["machine"] = platform.machine()
    if engine != "twin":
        try:
            program = find_simulator(engine)
            found[engine] = f"{program.version}, KLU {'yes' if program.klu else 'no'}"
        except SimulationError as error:
            found[engine] = f"none ({error})"
    return found


def _compare(have: dict[str, str], wanted: dict[str, str], where: str) -> None:
    for name, version in wanted.items():
        if have.get(name) != version:
            raise StudyError(
                f"worker {where} has {name} {have.get(name)}, this process has "
                f"{version}: rows would not be the same; install the same there"
            )


_READY: dict[int, Any] = {}
"""In a worker: the study's function, unpickled once."""


_BECOMING_READY = threading.Lock()


def _task(body: bytes, items: bytes, wanted: dict[str, str]) -> list[Any]:
    """In a worker: check it and load plugins once, then unpickle and evaluate ``items``."""
    key = hash(body)
    with _BECOMING_READY:
        if key not in _READY:
            engine = next((name for name in SIMULATORS if name in wanted), "twin")
            _compare(versions(engine), wanted, platform.node())
            _READY.clear()
            sent, function = pickle.loads(body)
            unpack(sent)
            _READY[key] = pickle.loads(function)
        ready = _READY[key]
    return [ready(item) for item in pickle.loads(items)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Dask's own log lines on what the sentence says."""
    import logging

    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
