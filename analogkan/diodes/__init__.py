"""Diodes as models of a circuit simulator: read, swept, made tables of."""
