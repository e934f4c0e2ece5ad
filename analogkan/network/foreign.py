"""What files are that are no torch files of plain weights, and what to do with them."""

from __future__ import annotations

import re
from collections.abc import Sequence

RESAVE = 'torch.save(model.state_dict(), "theirs.pth")'
"""Where the network can be loaded: how to save what can be read here."""
STARTS = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file: fetch it with `git lfs pull`"),
    (b"\x89HDF\r\n", "an HDF5 file (Keras): convert its weights to torch, and save {resave}"),
    (b"\x93NUMPY", "a NumPy array: save the state dictionary, {resave}"),
    (b"\x1f\x8b", "compressed with gzip: unpack it"),
    (b"BZh", "compressed with bzip2: unpack it"),
    (b"\xfd7zXZ", "compressed with xz: unpack it"),
    (b"model_checkpoint_path:", "the index of a TensorFlow checkpoint, and only torch's are read"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"%PDF", "a PDF document"),
)
"""First bytes, and what a file with them is."""
TEXT = frozenset(bytes(range(32, 127)) + b"\t\n\r")
PAGE = re.compile(rb"\s*(<!doctype html|<html|<\?xml)", re.IGNORECASE)


def recognise(head: bytes, names: Sequence[str]) -> str:
    """What the file is and what to do, if it is no torch file; empty if it may be one.

    Parameters
    ----------
    head
        Its first bytes.
    names
        Of its members, if it is a zip archive.
    """
    if not head:
        return "empty: copy or download it again"
    for start, what in STARTS:
        if head.startswith(start):
            return what.format(resave=RESAVE)
    if PAGE.match(head):
        return "a web page, not the file: download the file itself (the raw link)"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:
        return (
            "a safetensors file: save what safetensors.torch.load_file gives with "
            'torch.save(state, "theirs.pth")'
        )
    if b"onnx" in head.lower() and not names and head[:1] in b"\x08\x0a":
        return f"an ONNX graph: save the network's weights where it was trained, {RESAVE}"
    if all(byte in TEXT for byte in head):
        return f"a text, not weights: it begins with {head[:20].decode('ascii')!r}"
    return _archive(names) if names else ""


def _archive(names: Sequence[str]) -> str:
    last = [name.rpartition("/")[2] for name in names]
    if "constants.pkl" in last or any("/code/" in name for name in names):
        return f"a TorchScript archive: load it with torch.jit.load and save {RESAVE}"
    if all(name.endswith(".npy") for name in names):
        return f"an npz file of NumPy arrays: save the state dictionary, {RESAVE}"
    if any(name.endswith(".weights.h5") for name in names):
        return STARTS[1][1].format(resave=RESAVE)
    if "data.pkl" not in last:
        return f"a zip archive without data.pkl, which no torch.save wrote ({names[0]} is in it)"
    return ""
