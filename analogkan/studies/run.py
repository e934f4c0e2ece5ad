"""The RUN folder of a simulation: settings, finished chunks, the result. Resumable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..engines.batch import Chunk
from ..errors import StudyError
from ..files import read_npz, sha256, write_npz, write_text
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
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        super().__init__(path, SETTINGS)
        self.settings = json.loads(json.dumps(settings))

    def _open(self) -> None:
        stored = self.path / SETTINGS
        if not stored.is_file():
            write_text(stored, json.dumps(self.settings, indent=2) + "\n")
            return
        try:
            before = dict(json.loads(stored.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise StudyError(f"{stored} is damaged: give another --out") from error
        refuse_changed(self.path, before, self.settings)

    def chunk(self, chunk: Chunk, width: int) -> np.ndarray | None:
        """A finished chunk's voltages (n, ``width``), or None."""
        path = self._chunk_path(chunk)
        try:
            volts = read_npz(path)["volts"]
        except (ValueError, KeyError):
            return None  # not there, or cut short by a crash of the machine: simulated again
        whole = volts.shape == (chunk.stop - chunk.start, width) and np.isfinite(volts).all()
        return volts if whole else None

    def add_chunk(self, chunk: Chunk, volts: np.ndarray, seconds: float) -> None:
        """Keep a chunk's voltages (n, probes)."""
        write_npz(self._chunk_path(chunk), {"volts": volts, "seconds": np.array(seconds)})

    def finish(self, result: dict[str, Any], **arrays: np.ndarray) -> dict[str, Any]:
        """Write the result, and return it; chunks stay, so that a run is never paid for twice."""
        write_npz(self.path / ARRAYS, arrays)
        kept = result | {"files": {ARRAYS: sha256(self.path / ARRAYS)}}
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
        try:
            return float((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0.0

    def _chunk_path(self, chunk: Chunk) -> Path:
        return self.path / "chunks" / f"{chunk.start:06d}-{chunk.stop:06d}.npz"
