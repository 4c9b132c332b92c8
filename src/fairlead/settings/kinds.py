"""The kinds of value a configuration key can have."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ANY",
    "BOOL",
    "DURATION",
    "FLOAT",
    "INT",
    "LIST",
    "LISTS",
    "MAP",
    "STR",
    "Objects",
]

STR = "string"
INT = "int"
FLOAT = "number"
BOOL = "bool"
DURATION = "duration"
LIST = "list of strings"
MAP = "map of strings"
LISTS = "map of lists of strings"
ANY = "any"


class Objects:
    """A list of objects with these keys; one object alone stands for a list of one.

    With `named` it is a map of such objects instead.
    """

    def __init__(self, keys: dict[str, Any], *, named: bool = False) -> None:
        self.keys = keys
        self.named = named
