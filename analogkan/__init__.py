"""analogkan: tunnel-diode Kolmogorov-Arnold networks as circuits, simulated by ngspice."""

__version__ = "0.1.0"
