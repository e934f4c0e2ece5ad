"""What a RUN keeps: SQLite in its folder, a row a chip and the voltages of a chunk of images,
committed as they are finished; and the result."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from sys import intern
from types import TracebackType
from typing import Any, Self

import numpy as np

from .. import __version__
from ..compiler.build import Build
from ..engines.chunked import Chunk, ChunkResult
from ..errors import AnalogKanError, StudyError
from ..files import atomic_file, brief, sealed, sha256, write_text
from ..schema import Rule
from .entries import FIGURES, KEPT, check_row
from .folder import LOCK, LOG, LockedFolder, refuse_changed
from .made import made
from .points import Point, keys_of
from .result import Row, flat

STORE, RESULT, ARRAYS, FAILED = "study.sqlite", "result.json", "result.npz", "failed"
OF_FILES = "run.json"
"""By which a simulation is known that an earlier version kept, a file a chunk."""
FORMAT = "analogkan-study-2"
TOGETHER = 500
"""Keys that one query asks for."""
TIMES = ("seconds", "draw_seconds")
"""Of a row: what it took, which no other time would be equal to; its line in the store has one."""
LONG_PATH = 500
"""Bytes of a path up to which SQLite opens a database, by its own limit of 512 with a journal."""
SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, sha256 TEXT NOT NULL)",
    "CREATE TABLE circuits (circuit TEXT PRIMARY KEY, settings TEXT NOT NULL)",
    "CREATE TABLE points (key TEXT PRIMARY KEY, circuit TEXT NOT NULL, temp_c REAL NOT NULL, "
    "sample INTEGER, status TEXT NOT NULL, seconds REAL NOT NULL, row TEXT NOT NULL, "
    "sha256 TEXT NOT NULL)",
    "CREATE TABLE chunks (start INTEGER NOT NULL, stop INTEGER NOT NULL, seconds REAL NOT NULL, "
    "volts BLOB NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (start, stop))",
)
"""Every row and every value beside the rows is kept with a hash of all that it says, which vouches
for it: what was changed is not believed. ``circuits`` is for who reads the file by hand."""


class StudyStore(LockedFolder):
    """What is finished of a study or a simulation, for one set of settings. A context manager.

    Whatever kills the process, what was kept stays: a chunk, or the rows that were finished
    together, are a transaction. Rows come out in the order of the points, whatever order they were
    finished in. A row that was changed is
    refused; a chunk, which can be had again, is counted as damaged, and is none.

    Parameters
    ----------
    path
        The RUN folder; made if missing.
    settings
        What identifies the study, one level of nesting at most. A RUN with others is refused.
    columns
        What the row of a point that could be evaluated has, beside what all have.

    Attributes
    ----------
    damaged
        Chunks that were there and are not what was kept.
    """

    def __init__(
        self, path: Path, settings: dict[str, Any], columns: Mapping[str, Rule] = FIGURES
    ) -> None:
        super().__init__(path, STORE)
        self._columns = columns
        self.settings = json.loads(json.dumps(settings))
        self.damaged = 0
        self._key = hashlib.sha256()  # with the settings in it once they are those of the file
        self._begun = False
        self._circuits: set[str] = set()  # those that are told of in the file
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        if (self.path / OF_FILES).is_file():
            raise StudyError(
                f"{self.path} is a RUN of an earlier version, which kept {OF_FILES} and a file a "
                "chunk: give another --out, or remove the folder"
            )
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """A RUN that is refused before anything is kept in it is none: others may begin there."""
        if self._begun and isinstance(error, AnalogKanError) and self._keeps_nothing():
            self._close()
            self.file.unlink()
        super().__exit__(kind, error, traceback)

    def _keeps_nothing(self) -> bool:
        beside = {path.name for path in self.path.iterdir()} - {LOCK, LOG, STORE}
        kept = "SELECT 1 FROM points UNION SELECT 1 FROM chunks"
        return not beside and not self._query(kept)

    @property
    def file(self) -> Path:
        """The database."""
        return self.path / STORE

    def _open(self) -> None:
        self._connect()
        with self._reading():
            if not self._query("SELECT name FROM sqlite_master"):
                if self.file.stat().st_size:  # of a few bytes SQLite says nothing
                    raise ValueError("it has no tables")
                self._begin()
                return
            # The quick check passes over indices, by which a damaged one would hide what is kept.
            if self._query("PRAGMA integrity_check") != [("ok",)]:
                raise ValueError("integrity_check")
            if self.get("format") != FORMAT:
                raise ValueError(f"format {self.get('format')!r}")
            before = self.get("settings")
            if before is None:
                raise ValueError("it lacks its settings")
        refuse_changed(self.path, flat(before), flat(self.settings))
        self._key.update(json.dumps(before, sort_keys=True).encode())

    def _connect(self) -> None:
        self.file.touch()  # SQLite would not leave its mode to the umask alone
        try:
            self._db = sqlite3.connect(self.file, isolation_level=None)
        except sqlite3.OperationalError as error:
            length = len(os.fsencode(self.file.absolute()))
            long = f", whose path has {length} bytes: give a shorter --out"
            raise StudyError(
                f"SQLite cannot open {self.file} ({error})" + (long if length > LONG_PATH else "")
            ) from error

    def _begin(self) -> None:
        self._begun = True
        with self._writing() as db:
            for statement in SCHEMA:
                db.execute(statement)
            self._put(db, "format", FORMAT)
            self._put(db, "settings", self.settings)
            self._key.update(json.dumps(self.settings, sort_keys=True).encode())
            self._put(db, "seconds", 0.0)

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def add(self, found: Iterable[tuple[Point, Row]], spent: float) -> None:
        """Keep the rows of points that were finished together, in one transaction: the disk makes
        one wait as long as the next. ``spent`` is the wall time since those before, seconds."""
        told: set[str] = set()
        with self._writing() as db:
            for point, row in found:
                kept = {name: value for name, value in row.items() if name not in TIMES}
                circuit, text = row["key"].partition("/")[0], json.dumps(kept, allow_nan=False)
                values = (row["key"], circuit, row["temp_c"], row["sample"], row["status"])
                values = (*values, float(row.get("seconds", 0.0)), text)
                if circuit not in self._circuits | told:
                    settings = json.dumps(point.document())
                    db.execute("INSERT OR IGNORE INTO circuits VALUES (?, ?)", (circuit, settings))
                    told.add(circuit)
                db.execute(
                    "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*values, self._hash(*values)),
                )
            self._put(db, "seconds", self.spent() + spent)
        self._circuits |= told

    def add_chunk(self, found: ChunkResult, spent: float, megabytes: float) -> None:
        """Keep a chunk's voltages, if it has any; ``spent`` as for ``add``, with ``megabytes`` of
        the largest ngspice process so far."""
        with self._writing() as db:
            self._put(db, "seconds", self.spent() + spent)
            self._put(db, "megabytes", max(megabytes, self.peak()))
            if found.values is not None:
                volts = np.ascontiguousarray(found.values, "<f8").tobytes()
                values = (found.chunk.start, found.chunk.stop, found.seconds, volts)
                db.execute(
                    "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)",
                    (*values, self._hash(*values)),
                )

    def chunk(self, chunk: Chunk, width: int) -> np.ndarray | None:
        """A finished chunk's voltages (n, ``width``), or None if there are none.

        What is there and is not what was kept is counted as damaged, and is none.
        """
        asked = "SELECT * FROM chunks WHERE start = ? AND stop = ?"
        with self._reading():
            found = self._query(asked, chunk.start, chunk.stop)
            if not found:
                return None
            (*values, told), shape = found[0], (chunk.stop - chunk.start, width)
            if self._hash(*values) == told and len(values[3]) == 8 * shape[0] * shape[1]:
                return np.frombuffer(values[3], "<f8").reshape(shape)
        self.damaged += 1
        return None

    def rows(self, points: Sequence[Point] | None = None) -> list[Row]:
        """Rows of ``points`` that are there, or all; in order of settings, temperature, chip."""
        with self._reading():
            rows = [self._row(key, status, text) for key, status, text in self._lines(points)]
        rows.sort(key=_order)
        return rows

    def finished(self, points: Sequence[Point] | None = None) -> set[str]:
        """Keys of the points, or all, that did not fail."""
        with self._reading():
            return {key for key, status, _ in self._lines(points) if status == "ok"}

    def _lines(self, points: Sequence[Point] | None) -> Iterator[tuple[str, str, str]]:
        """Key, status and row of every point, one after the other; ValueError if one is not what
        was kept."""
        asked = "SELECT key, circuit, temp_c, sample, status, seconds, row, sha256 FROM points"
        for *values, told in self._asked(asked, points):
            if self._hash(*values) != told:
                raise ValueError(f"the row of {values[0]} is not what was kept")
            yield values[0], values[4], values[6]

    def _asked(self, asked: str, points: Sequence[Point] | None) -> Iterator[tuple]:
        """What a query says of ``points``, or of all."""
        assert self._db is not None, "use the store as a context manager"
        if points is None:
            # Not `yield from`: a generator that is left would close the cursor after the database.
            for line in self._db.execute(asked):  # noqa: UP028
                yield line
            return
        keys = keys_of(points)
        while some := tuple(islice(keys, TOGETHER)):
            yield from self._query(f"{asked} WHERE key IN ({','.join('?' * len(some))})", *some)

    def _row(self, key: str, status: str, text: str) -> Row:
        """A row as it was kept; ValueError if it is none."""
        row = json.loads(text)
        try:
            check_row(row, key, status, self._columns)
        except ValueError as error:
            raise ValueError(f"the row of {key}: {error}") from error
        return {intern(name): value for name, value in row.items()}  # a name is there once

    def spent(self) -> float:
        """Wall seconds that went into the rows, over all sessions."""
        seconds = self.get("seconds")
        with self._reading():
            if seconds is None:
                raise ValueError("it lacks its seconds")
            return float(seconds)

    def peak(self) -> float:
        """Megabytes of the largest ngspice process in all sessions of this RUN; 0 if not known."""
        return self.get("megabytes") or 0.0

    def get(self, key: str) -> Any:
        """What was kept beside the rows, or None."""
        with self._reading():
            found = self._query("SELECT value, sha256 FROM meta WHERE key = ?", key)
            if not found:
                return None
            (text, told) = found[0]
            if self._hash(key, text) != told:
                raise ValueError(f"its {key} is not what was kept")
            found = json.loads(text)
            KEPT[key].check(found, key)
            return found

    def put(self, key: str, value: Any) -> None:
        """Keep something beside the rows."""
        with self._writing() as db:
            self._put(db, key, value)

    def _put(self, db: sqlite3.Connection, key: str, value: Any) -> None:
        text = json.dumps(value)
        db.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, text, self._hash(key, text))
        )

    def _hash(self, *values: Any) -> str:
        """Of what one row of a table says, and of the RUN's settings."""
        digest = self._key.copy()
        digest.update(json.dumps(values, default=_hash_of_bytes).encode())
        return digest.hexdigest()

    def _query(self, statement: str, *values: Any) -> list[tuple]:
        assert self._db is not None, "use the store as a context manager"
        return self._db.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError, IndexError, RecursionError) as error:
            raise StudyError(
                f"{self.file} is damaged: give another --out ({brief(error)})"
            ) from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is kept, or nothing."""
        assert self._db is not None, "use the store as a context manager"
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as error:
            raise StudyError(
                f"cannot write {self.file} ({error}): finished points are kept, and the same "
                "command goes on once that is mended"
            ) from error


def _hash_of_bytes(value: bytes) -> dict[str, str]:
    return {"sha256": hashlib.sha256(value).hexdigest()}


def _order(row: Row) -> tuple[str, float, bool, int]:
    """By which rows are sorted: circuit, temperature and number, the nominal circuit first."""
    circuit, sample = row["key"].partition("/")[0], row["sample"]
    return circuit, row["temp_c"], sample is not None, sample or 0


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, lists and tables spread over columns; equal rows, equal bytes."""
    columns = list(dict.fromkeys(key for row in rows for key in flat(row)))
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(flat, rows))


def identity(
    study: str, dataset: str, index: np.ndarray, volts: np.ndarray, labels: np.ndarray
) -> dict[str, Any]:
    """Settings of every RUN: what is done, by which version, with which images."""
    return {
        "study": study,
        "analogkan": __version__,
        "dataset": dataset,
        "indices": array_hash(index),
        "inputs": array_hash(volts),
        "labels": array_hash(labels),
    }


def write_result(path: Path, result: dict[str, Any], kept: str) -> dict[str, Any]:
    """Write a result with when and where it was ``made``, the hash of the file ``kept`` beside it
    and its own, and return it."""
    told = sealed(result | {"made": made(), "files": {kept: sha256(path.with_name(kept))}})
    write_text(path, json.dumps(told, indent=2) + "\n")
    return told


def require_as_written(path: Path, result: dict[str, Any], kept: str) -> None:
    """Raise StudyError unless ``write_result`` wrote ``result``, which ``path`` holds, for the file
    ``kept`` that is beside it."""
    if sealed(result) != result:
        raise StudyError(
            f"{path} is not what its command wrote: given again, the command writes it anew"
        )
    if sha256(path.with_name(kept)) != result["files"][kept]:
        raise StudyError(
            f"{path.with_name(kept)} is not the one that {path.name} beside it is about: its "
            "command, run again, writes both"
        )


def array_hash(array: np.ndarray) -> str:
    """A short hash of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def default_run(build: Build, settings: dict[str, Any]) -> Path:
    """``<build>.run/<hash>`` beside the build: one folder for each set of settings."""
    key = hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:8]
    folder = build.folder.resolve()
    return folder.with_name(f"{folder.name.removesuffix('.build')}.run") / key
