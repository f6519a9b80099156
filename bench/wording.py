"""Figures in words."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, such as ``1 call`` or ``2.5 units``."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
