"""Data sets: reading them, and choosing subsets."""

from .images import ImageSet
from .sources import load_bundled, load_dataset, load_for, load_npz
from .subset import by_class, choose, parse_subset, stratified

__all__ = [
    "ImageSet",
    "by_class",
    "choose",
    "load_bundled",
    "load_dataset",
    "load_for",
    "load_npz",
    "parse_subset",
    "stratified",
]
