"""Files that people hand in: regular ones of bounded size, and the text of an export."""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import DeviceError
from ..files import near

MAX_BYTES = 10_000_000
"""Of a sweep or a device file; 100,000 points take 2 to 4 MB."""
KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16 without a mark, low bytes first",
    "utf-16-be": "UTF-16 without a mark, high bytes first",
    "cp1252": "Windows-1252",
    "latin-1": "an unknown code page",
}
ZEROS = 0.7
"""Share of zeros among every other byte from which on it is UTF-16 without a mark; assumed."""


def read_regular(path: Path, what: str) -> bytes:
    """The bytes of a regular file; DeviceError if it is none, cannot be read or is too large."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
        if kind != stat.S_IFREG:
            named = KINDS.get(kind, "a device of the system")
            raise DeviceError(f"{path} is {named}: a {what} is read from a regular file")
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        hint = near(path) if isinstance(error, FileNotFoundError) else ""
        raise DeviceError(f"cannot read {what} {path}: {reason}{hint}") from error
    if len(raw) > MAX_BYTES:
        raise DeviceError(
            f"{path} has more than {MAX_BYTES:,} bytes, the limit of a {what}: is it the right "
            "file? Thin its points out"
        )
    return raw


def read_text(path: Path, what: str) -> tuple[str, str]:
    """A file's text and the name of its encoding, by its mark, its zeros, or what decodes."""
    raw = read_regular(path, what)
    for encoding in _encodings(raw):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, ENCODINGS[encoding]
    raise DeviceError(f"{path} is not a text file: export the {what} as CSV")


def _encodings(raw: bytes) -> tuple[str, ...]:
    for mark, encoding in MARKS.items():
        if raw.startswith(mark):
            return (encoding,)
    half = max(len(raw) // 2, 1)
    zeros = [raw[k::2].count(0) / half for k in (0, 1)]
    if max(zeros) > ZEROS:
        return ("utf-16-le" if zeros[1] > zeros[0] else "utf-16-be",)
    return ("utf-8", "cp1252", "latin-1")


def decoded(name: str, encoding: str) -> bool:
    """Whether ``name``, of a text of this encoding, is what its writer saw.

    Of an unmarked 8-bit code page that is believed for a few accented letters among plain ones.
    """
    if encoding not in (ENCODINGS["cp1252"], ENCODINGS["latin-1"]):
        return True
    odd = [c for c in name if not c.isascii()]
    letters = sum(c.isascii() and c.isalpha() for c in name)
    return len(odd) <= letters and all(c.isalpha() and "\u00c0" <= c <= "\u00ff" for c in odd)
