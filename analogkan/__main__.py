"""``python -m analogkan``."""

from .cli import main

main()
