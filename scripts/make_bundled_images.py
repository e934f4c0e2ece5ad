"""Writes the bundled images: python scripts/make_bundled_images.py DATA_FOLDER

DATA_FOLDER holds MNIST as torchvision lays it out. Takes the first 100 test images of each class.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from analogkan.data import load_dataset
from analogkan.data.sources import BUNDLED
from analogkan.files import atomic_file


def main(root: Path) -> None:
    images = load_dataset("mnist", "test", root)
    chosen = np.sort(np.concatenate([np.flatnonzero(images.y == c)[:100] for c in range(10)]))
    taken = images.take(chosen)
    target = Path(__file__).parents[1] / "analogkan" / BUNDLED
    with atomic_file(target) as partial, partial.open("wb") as stream:
        np.savez_compressed(
            stream,
            x=taken.flat((14, 14)),
            y=taken.y.astype(np.uint8),
            index=taken.index.astype(np.int32),
        )
    print(f"{target}: {len(taken)} images, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
