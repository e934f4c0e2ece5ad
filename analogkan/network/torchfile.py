"""Torch files: read without running code, from regular files alone, and with their checksums.

What is plain is read without torch, which takes a second to be loaded; anything else is torch's.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CheckpointError
from ..files import brief, near, open_regular, open_zip
from ..kinds import mistaken
from ..resources import find_model, models
from .foreign import recognise
from .plain import Unplain, read_plain

HEAD = 512
"""Bytes at a file's start that other formats are told by."""
GLOBAL = re.compile(r"(?:GLOBAL (?=\S+ was not)|Unsupported class )(\S+)")
"""Where torch's refusal names what it will not call."""


@dataclass(frozen=True)
class TorchFile:
    """What a torch file holds, and whether its checksums vouch for it.

    Attributes
    ----------
    content
        Tensors, numbers, texts, containers, and ``Unread``.
    summed
        False for the format before torch 1.6, which has no checksums.
    """

    content: Any
    summed: bool


@dataclass(frozen=True)
class Source:
    """An open torch file: its bytes, and the members of the archive that it is, if it is one."""

    stream: BinaryIO
    members: list[tuple[str, bytes]]

    def checked(self) -> BinaryIO:
        """The file as torch may read it: of an archive, members whose checksums were compared.

        torch compares none, and its reader makes something else of a damaged directory.
        """
        if not self.members:
            self.stream.seek(0)
            return self.stream
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w") as clean:
            for name, content in self.members:
                clean.writestr(name, content)
        copy.seek(0)
        return copy


def read_stored(path: Path, *, missing: str, unsafe: str, kind: str) -> TorchFile:
    """``read_torch`` with a ``Tensor`` for each tensor, and without torch where all is plain.

    Raises
    ------
    CheckpointError
        As ``read_torch``.
    """
    return _opened(path, _stored, missing=missing, unsafe=unsafe, kind=kind)


def read_torch(
    path: Path, *, missing: str, unsafe: str, kind: str, numpy_unread: bool = False
) -> TorchFile:
    """Read ``path`` if it is plain: tensors, numbers, texts, containers.

    Parameters
    ----------
    missing, unsafe
        The next steps that the errors give.
    kind
        What was expected.
    numpy_unread
        Put ``Unread`` where NumPy values are, instead of refusing the file.

    Raises
    ------
    CheckpointError
        If there is no such file, it is damaged or of another kind, or reading it would run code.
    """
    from .torchload import load

    def read(source: Source) -> Any:
        return load(source.checked(), numpy_unread=numpy_unread)

    return _opened(path, read, missing=missing, unsafe=unsafe, kind=kind)


def _opened(
    path: Path, read: Callable[[Source], Any], *, missing: str, unsafe: str, kind: str
) -> TorchFile:
    path = find_model(path)
    wrong = mistaken(path, "model")
    if wrong:
        raise CheckpointError(wrong)
    if not path.exists():
        hint = near(path, models())
        raise CheckpointError(f"{path} does not exist{hint or f': {missing}'}")
    try:
        with open_regular(path) as stream:
            source = _source(stream, path)
            return TorchFile(read(source), bool(source.members))
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        named = GLOBAL.search(str(error))
        what = f" ({named[1]})" if named else ""
        raise CheckpointError(
            f"{path} is refused: it is no plain dictionary of tensors and reading it could run "
            f"code{what}. {unsafe}"
        ) from error
    except Exception as error:  # a damaged file makes torch's readers raise a dozen kinds
        told = isinstance(error, (ValueError, zipfile.BadZipFile))
        why = f": {brief(error)}" if told else ""
        raise CheckpointError(f"{path} is not {kind}, or is damaged{why}") from error


def _source(stream: BinaryIO, path: Path) -> Source:
    head = stream.read(HEAD)
    members: list[tuple[str, bytes]] = []
    if head.startswith(b"PK"):
        with open_zip(stream) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    other = recognise(head, [name for name, _ in members])
    if other:
        raise CheckpointError(f"{path} is {other}")
    return Source(stream, members)


def _stored(source: Source) -> Any:
    members = dict(source.members)
    try:
        if len(members) < len(source.members):
            raise Unplain("a member is in it twice")
        return read_plain(members)
    except Unplain:
        from .torchload import as_stored, load

        return as_stored(load(source.checked()))


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """``value`` and all that is in its dictionaries and lists, each once, with where it is."""
    waiting, seen = [("", value)], set()
    while waiting:
        at, inner = waiting.pop()
        yield at, inner
        if not isinstance(inner, (dict, list, tuple)) or id(inner) in seen:
            continue
        seen.add(id(inner))  # a container may hold itself
        named = inner.items() if isinstance(inner, dict) else enumerate(inner)
        waiting += [(f"{at}.{key}" if at else str(key), entry) for key, entry in named]
