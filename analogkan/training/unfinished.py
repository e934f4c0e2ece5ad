"""The file of an unfinished training: written after every epoch, from the CPU, and gone on from."""

from __future__ import annotations

from pathlib import Path

from ..engines.arithmetic import CPU
from ..engines.devices import moved
from ..errors import CheckpointError
from ..network.torchfile import read_torch
from ..network.torchload import unsealed, write_sealed


def resume(state: Path | None, key: str, parts: dict) -> int:
    """Load ``state`` into ``parts`` if it is there; the number of epochs that are done."""
    if state is None or not state.exists():
        return 0
    anew = "remove it to start anew"
    try:
        stored = read_torch(state, missing=anew, unsafe=anew, kind="a training").content
        stored = unsealed(stored, state.stat().st_size)
        stored_key = stored["key"]
    except Exception as error:  # what is no dictionary raises several kinds
        raise CheckpointError(f"{state} cannot be read: {anew}") from error
    if stored_key != key:
        raise CheckpointError(
            f"{state} is an unfinished training with another recipe, seed, device or data set: "
            "remove it to start anew, or give another --out"
        )
    try:
        for name, part in parts.items():
            part.load_state_dict(stored[name])
        return int(stored["epoch"])
    except Exception as error:  # torch's parts raise several kinds for what is not theirs
        raise CheckpointError(f"{state} cannot be read: {anew}") from error


def save_state(state: Path, key: str, epoch: int, parts: dict) -> None:
    """Write how far a training is, with the hash that vouches for it."""
    entry = {name: moved(part.state_dict(), CPU) for name, part in parts.items()}
    entry = {"key": key, "epoch": epoch, **entry}
    write_sealed(entry, state)
