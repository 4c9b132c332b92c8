"""What a filter expression is made of, once it is parsed."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

__all__ = [
    "CONTAINS",
    "EQUAL",
    "IS_EMPTY",
    "IS_NOT_EMPTY",
    "MATCHES",
    "NOT_CONTAINS",
    "NOT_EQUAL",
    "NOT_MATCHES",
    "And",
    "Expression",
    "Match",
    "Not",
    "Or",
]

EQUAL = "Equal"
NOT_EQUAL = "Not Equal"
CONTAINS = "In"
NOT_CONTAINS = "Not In"
IS_EMPTY = "Is Empty"
IS_NOT_EMPTY = "Is Not Empty"
MATCHES = "Matches"
NOT_MATCHES = "Not Matches"
"""The operators, by the names Consul's errors give them."""


class Match(Struct, frozen=True):
    """One comparison; operators that take no value have None."""

    selector: tuple[str, ...]
    operator: str
    value: str | None


class Not(Struct, frozen=True):
    operand: Expression


class And(Struct, frozen=True):
    operands: tuple[Expression, ...]


class Or(Struct, frozen=True):
    operands: tuple[Expression, ...]


Expression: TypeAlias = Match | Not | And | Or
