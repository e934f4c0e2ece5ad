"""Data sets: reading them, and choosing subsets."""

from .sources import ImageSet, load_bundled, load_dataset, load_npz
from .subset import parse_subset, stratified

__all__ = ["ImageSet", "load_bundled", "load_dataset", "load_npz", "parse_subset", "stratified"]
