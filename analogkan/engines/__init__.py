"""Engines: what answers for a circuit. ngspice is the judge of all others."""
