"""Variation: what chance, temperature and age do to a circuit; a Design becomes one chip's."""

from .spec import Conditions, Variation, load_settings

__all__ = ["Conditions", "Variation", "load_settings"]
