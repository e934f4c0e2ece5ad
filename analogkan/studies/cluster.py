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
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from importlib import metadata
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from .. import __version__
from ..engines.others import SIMULATORS, find_simulator
from ..errors import SimulationError, StudyError
from ..files import source_hash
from ..plugins import Sent, unpack
from ..threads import one_blas_thread
from .cost import MOST_TOGETHER, task_size

T = TypeVar("T")
R = TypeVar("R")
PATIENCE_S = 10.0
"""How long a scheduler may take to answer, and the first worker to be there, seconds."""
LOST_S = 60.0
"""How long a study waits for a worker once all are lost, seconds."""
IN_FLIGHT = 3
"""Tasks that are out for each of the workers' threads: one runs, the others wait beside it."""
AHEAD_S = 10.0
"""Seconds of work that are out for each thread, and for one that is not there yet: twice what
Dask's adaptive clusters want each worker to have."""
ASK_S = 1.0
"""Seconds after which the scheduler is asked again who its workers are."""
INSTALL = "pip install 'analogkan[cluster]'"


class DaskExecutor:
    """Runs points on a cluster; the interface of ``executor.Executor``.

    Parameters
    ----------
    address
        The scheduler's, such as ``tcp://127.0.0.1:8786``.
    engine
        Name of the study's engine: what workers must have.
    packages
        What else they must have, in the same versions.
    plugins
        What they load first.

    Raises
    ------
    StudyError
        If Dask is missing, the scheduler does not answer, there is no worker, or a worker has
        other versions than this process.
    """

    _client: Any

    def __init__(
        self, address: str, engine: str, plugins: Sent = (), packages: tuple[str, ...] = ()
    ) -> None:
        try:
            import distributed
        except ImportError as error:
            raise StudyError(f"--executor dask needs Dask: {INSTALL}") from error
        self.address, self.engine, self._plugins = address, engine, plugins
        self._packages = packages
        moved = ("bytes_scattered", "bytes_per_point", "bytes_per_row")
        self._told: dict[str, Any] = dict.fromkeys(("workers", "threads", "tasks", *moved), 0)
        self.facts: dict[str, Any] | None = self._told
        self._threads, self._asked, self._seen = 0, -ASK_S, 0.0
        self._tried, self._busy_s = 0, 0.0
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

    @property
    def threads(self) -> int:
        """Of all workers that are there: asked for once in a while, since they come and go."""
        now = time.monotonic()
        if now > self._asked + ASK_S:
            with contextlib.suppress(OSError, TimeoutError):
                each = self._client.nthreads()
                self._threads, self._asked = sum(each.values()), now
                most = {"workers": len(each), "threads": self._threads}
                self._told |= {name: max(n, self._told[name]) for name, n in most.items()}
        return self._threads

    def run(
        self, function: Callable[[T], R], items: Iterable[T], count: int
    ) -> Iterator[list[tuple[T, R]]]:
        """See ``Executor.run``. What a lost worker had is given to another.

        The function is a task too: the scheduler has it, and makes it again where it was lost.
        """
        if not count:
            return
        body = pickle.dumps((self._plugins, pickle.dumps(function)))
        wanted = versions(self.engine, self._packages)
        self._told["bytes_scattered"] = len(body)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is large, once
            held = self._client.submit(_held, body, pure=False)
        waiting, left = iter(items), count
        going: dict[Any, list[T]] = {}
        finished: SimpleQueue[Any] = SimpleQueue()
        self._seen = time.monotonic()
        try:
            while left or going:
                while left and len(going) < self._most_out():
                    some = list(islice(waiting, task_size(left, self.threads, self._each_s())))
                    left -= len(some)
                    self._told["bytes_per_point"] = len(pickle.dumps(some[0]))
                    self._told["tasks"] += 1
                    points = pickle.dumps(some)
                    future = self._client.submit(_task, held, points, wanted, pure=False, retries=2)
                    going[future] = some
                    future.add_done_callback(finished.put)
                self._require_workers()
                yield from self._whole(_next_of(finished), going, finished)
        except BaseException:  # Ctrl-C, an error, or whoever asked has had enough
            with _quiet():
                self._client.cancel([held, *going])
            raise

    def _require_workers(self) -> None:
        """Raise StudyError if there has been no worker for long."""
        now = time.monotonic()
        if self.threads:
            self._seen = now
        elif now > self._seen + LOST_S:
            raise StudyError(
                f"all workers of {self.address} were lost, and none came within {LOST_S:g} s; what "
                "is finished is kept, and the same command goes on once there are workers again"
            )

    def _whole(
        self, batch: list[Any], going: dict[Any, list[T]], finished: SimpleQueue[Any]
    ) -> Iterator[list[tuple[T, Any]]]:
        """Items with their results, which are ``going`` no more; what kept one from it is raised
        behind the others. A result that was lost with its worker since will be ``finished`` anew.
        """
        found: list[tuple[T, Any]] = []
        wrong: BaseException | None = None
        for future in batch:
            try:
                seconds, results = future.result(timeout=ASK_S)
            except (Exception, CancelledError) as error:
                if isinstance(error, TimeoutError) and future.status != "error":
                    finished.put(future)
                else:
                    wrong = error
                continue
            found += zip(going.pop(future), results, strict=True)
            self._busy_s, self._tried = self._busy_s + seconds, self._tried + len(results)
        if found:
            self._told["bytes_per_row"] = len(pickle.dumps(found[0][1]))
            yield found
        kept = "what is finished is kept, and the same command goes on"
        if isinstance(wrong, CancelledError):
            raise StudyError(f"{self.address} gave up its tasks ({wrong}); {kept}") from wrong
        if isinstance(wrong, (self._distributed.KilledWorker, OSError)):
            raise StudyError(
                f"a chip ended its worker again and again ({wrong}); {kept}"
            ) from wrong
        if wrong is not None:
            raise wrong

    def _most_out(self) -> int:
        """How many tasks are out at a time: so many that no thread waits for its next, and that a
        cluster which grows with its work sees more than its workers have."""
        least, each = IN_FLIGHT * max(self.threads, 1), self._each_s()
        if not each:
            return least
        task = each * task_size(4 * MOST_TOGETHER * self.threads, self.threads, each)
        return max(least, int(AHEAD_S * (1 + self.threads) / task))

    def _each_s(self) -> float:
        """Seconds that a worker takes for an item; 0 if that is not known yet."""
        return self._busy_s / max(self._tried, 1)

    def _has_workers(self) -> bool:
        """Whether a worker is there, or comes soon."""
        waking = self._client.submit(platform.node, pure=False)  # a cluster that grows with work
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE_S)
        except TimeoutError:
            return False
        finally:
            waking.release()
        return True

    def _check(self) -> None:
        """Refuse a cluster without workers, or with one that is not as this process."""
        if not self._has_workers():
            raise StudyError(
                f"the scheduler at {self.address} has no worker after {PATIENCE_S:g} s: start some "
                f"with `dask worker {self.address}`"
            )
        wanted = versions(self.engine, self._packages)
        try:
            found = self._client.run(versions, self.engine, self._packages, on_error="return")
            left = [where for where, have in found.items() if isinstance(have, OSError)]
            for where in left:  # it was on its way out: a cluster that shrinks
                del found[where]
            for have in found.values():
                if isinstance(have, Exception):
                    raise have
        except Exception as error:  # whatever a worker raises while it looks for the package
            raise StudyError(
                f"a worker of {self.address} cannot import analogkan ({error}): install "
                f"analogkan {__version__} there, and start it again"
            ) from error
        for worker, have in found.items():
            _compare(have, wanted, str(worker))


def _next_of(finished: SimpleQueue[Any]) -> list[Any]:
    """All that is in the queue, for which it may wait a while."""
    try:
        first = finished.get(timeout=ASK_S)
    except Empty:
        return []
    return [first, *(finished.get() for _ in range(finished.qsize()))]


async def _knock(address: str) -> None:
    """Raise OSError unless something answers: a client that fails is still noisy at exit."""
    from distributed import Security
    from distributed.comm.core import connect

    certificates = Security().get_connection_args("client")  # of Dask's configuration
    comm = await connect(address, timeout=PATIENCE_S, **certificates)
    await comm.close()


def versions(engine: str, packages: Iterable[str] = ()) -> dict[str, str]:
    """What rows depend on in this process: packages, processor, simulator if one is the engine."""
    found = {"analogkan": f"{__version__} ({source_hash()})"}
    for name in ("numpy", "scipy", *(("torch",) if engine == "twin" else ()), *packages):
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


def _held(body: bytes) -> bytes:
    """What tasks need, as a task."""
    return body


_READY: dict[int, Any] = {}
"""In a worker: the study's function, unpickled once."""


_BECOMING_READY = threading.Lock()


def _task(body: bytes, items: bytes, wanted: dict[str, str]) -> tuple[float, list[Any]]:
    """In a worker: check it and load plugins once, then unpickle and evaluate ``items``. Seconds
    that these took, and results."""
    key = hash(body)
    with _BECOMING_READY:
        if key not in _READY:
            engine = next((name for name in SIMULATORS if name in wanted), "twin")
            also = [name for name in ("numba",) if name in wanted]
            _compare(versions(engine, also), wanted, platform.node())
            _READY.clear()
            sent, function = pickle.loads(body)
            unpack(sent)
            _READY[key] = pickle.loads(function)
        ready = _READY[key]
    started = time.perf_counter()
    with one_blas_thread:  # what holds it sees to that once, not for every item
        results = [ready(item) for item in pickle.loads(items)]
    return time.perf_counter() - started, results


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
