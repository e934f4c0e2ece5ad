"""A network on a board: real op-amps, resistors of standard values, leads."""
