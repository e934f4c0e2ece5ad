"""The network: arrays (spec) and, imported only where torch is wanted, the torch module."""
