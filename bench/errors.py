"""What may go wrong in a measurement."""

from __future__ import annotations

__all__ = ["BenchError"]


class BenchError(Exception):
    """A figure that cannot be had; str(error) is one line for a person."""
