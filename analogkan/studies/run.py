"""The RUN folder of a simulation: settings, finished chunks, the result. Resumable."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..engines.batch import Chunk
from ..errors import StudyError
from ..files import brief, read_json, read_npz, read_text, sealed, sha256, write_npz, write_text
from .folder import LockedFolder, refuse_changed

SETTINGS, RESULT, ARRAYS = "run.json", "result.json", "result.npz"


class RunFolder(LockedFolder):
    """A folder that remembers what has been simulated, for one set of settings.

    Use as a context manager, see ``LockedFolder``.

    Parameters
    ----------
    path
        The folder; made if missing.
    settings
        What identifies the run. A folder with others is refused.

    Attributes
    ----------
    damaged
        Chunks that were there and are not what was kept.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        super().__init__(path, SETTINGS)
        self.settings = json.loads(json.dumps(settings))
        self.damaged = 0
        self._key = hashlib.sha256(json.dumps(self.settings).encode())

    def _open(self) -> None:
        stored = self.path / SETTINGS
        if not stored.is_file():
            write_text(stored, json.dumps(self.settings, indent=2) + "\n")
            return
        try:
            before = read_json(stored)
        except ValueError as error:
            raise StudyError(f"{stored} is damaged: give another --out") from error
        refuse_changed(self.path, before, self.settings)

    def chunk(self, chunk: Chunk, width: int) -> np.ndarray | None:
        """A finished chunk's voltages (n, ``width``), or None if there are none.

        What is there and is not what was kept is counted as damaged, and is none.
        """
        path = self._chunk_path(chunk)
        if not path.exists():
            return None
        with contextlib.suppress(ValueError, KeyError):
            kept = read_npz(path)
            volts = kept["volts"]
            whole = volts.shape == (chunk.stop - chunk.start, width)
            if whole and str(kept["sha256"]) == self._hash(chunk, volts, kept["seconds"]):
                return volts
        self.damaged += 1
        return None

    def add_chunk(self, chunk: Chunk, volts: np.ndarray, seconds: float) -> None:
        """Keep a chunk's voltages (n, probes), and the hash that vouches for them."""
        spent = np.array(seconds)
        told = np.array(self._hash(chunk, volts, spent))
        write_npz(self._chunk_path(chunk), {"volts": volts, "seconds": spent, "sha256": told})

    def _hash(self, chunk: Chunk, volts: np.ndarray, seconds: np.ndarray) -> str:
        """Of a chunk's content, its place, and the run's settings."""
        digest = self._key.copy()
        digest.update(f"{chunk.start} {chunk.stop} {volts.dtype} {volts.shape}".encode())
        digest.update(np.ascontiguousarray(volts).tobytes() + seconds.tobytes())
        return digest.hexdigest()

    def finish(self, result: dict[str, Any], **arrays: np.ndarray) -> dict[str, Any]:
        """Write the result, and return it; chunks stay, so that a run is never paid for twice."""
        write_npz(self.path / ARRAYS, arrays)
        kept = sealed(result | {"files": {ARRAYS: sha256(self.path / ARRAYS)}})
        write_text(self.path / RESULT, json.dumps(kept, indent=2) + "\n")
        return kept

    def spent(self) -> float:
        """Wall seconds that earlier sessions of this run took."""
        return self._number("seconds")

    def add_spent(self, seconds: float) -> None:
        """Add wall seconds; before the chunk they went into, so that no chunk is free."""
        write_text(self.path / "seconds", repr(self.spent() + seconds))

    def peak(self) -> float:
        """Megabytes of the largest ngspice process in all sessions of this run; 0 if not known."""
        return self._number("megabytes")

    def add_peak(self, megabytes: float) -> None:
        """Keep the largest."""
        if megabytes > self.peak():
            write_text(self.path / "megabytes", repr(megabytes))

    def _number(self, name: str) -> float:
        path = self.path / name
        if not path.exists():
            return 0.0
        try:
            found = float(read_text(path))
            if not 0 <= found < math.inf:
                raise ValueError(f"{found:g} is no such number")
        except ValueError as error:
            raise StudyError(
                f"{path} is damaged ({brief(error)}): remove it, which counts its {name} anew"
            ) from error
        return found

    def _chunk_path(self, chunk: Chunk) -> Path:
        return self.path / "chunks" / f"{chunk.start:06d}-{chunk.stop:06d}.npz"
