"""Cells: what they are called, what they do, what network they make."""
