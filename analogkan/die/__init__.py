"""The die: where parts of a circuit are, and what varies smoothly over it."""
