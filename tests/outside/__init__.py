"""Cells as a user would declare them."""
