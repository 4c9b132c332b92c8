"""From an expression and what can be selected to a predicate over rows.

A field that is absent counts as empty, zero or false. Where a name of an object
is not there, nothing is equal to it or in it, and every other comparison holds
(as in Consul, `matches` among them).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from msgspec import structs

import fairlead.core.filters.syntax as syntax
from fairlead.core.directory import ServiceNode
from fairlead.core.filters.grammar import parse
from fairlead.core.filters.literals import quote
from fairlead.core.filters.operators import Test, has_operator, test_of
from fairlead.core.filters.selectors import ROOTS, Each, Field, Lookup, Record
from fairlead.core.filters.syntax import And, Expression, Match, Not, Or
from fairlead.core.health import Instance
from fairlead.core.rows import Address, CheckRow, NodeRow, Service, Weights
from fairlead.errors import InvalidError

__all__ = ["Predicate", "compile_filter"]

Predicate: TypeAlias = Callable[[Any], bool]

_KEPT = 256
"""Predicates kept, for clients ask the same many times."""
_ABSENT_IS_FALSE = frozenset({syntax.EQUAL, syntax.IS_EMPTY, syntax.CONTAINS})
_ROWS = (Address, CheckRow, Instance, NodeRow, Service, ServiceNode, Weights)
_ATTRIBUTES = {field.encode_name: field.name for row in _ROWS for field in structs.fields(row)}
"""From the names of the API to those of the rows: a name stands for the same in all of them."""


def compile_filter(expression: str, root: str) -> Predicate:
    """What tells whether a row is one that was asked for; `root` says what is filtered.

    Raises:
        InvalidError: the expression is none, or does not fit these rows.
    """
    try:
        return _compiled(expression, root)
    except InvalidError as error:
        raise InvalidError(f"Failed to create boolean expression evaluator: {error}") from error


@lru_cache(_KEPT)
def _compiled(expression: str, root: str) -> Predicate:
    return _predicate(parse(expression), ROOTS[root])


def _predicate(expression: Expression, selectors: Record) -> Predicate:
    match expression:
        case Match():
            return _comparison(expression, selectors)
        case Not(operand):
            inner = _predicate(operand, selectors)
            return lambda row: not inner(row)
        case And(operands):
            every = [_predicate(operand, selectors) for operand in operands]
            return lambda row: all(test(row) for test in every)
        case Or(operands):
            some = [_predicate(operand, selectors) for operand in operands]
            return lambda row: any(test(row) for test in some)


def _comparison(match: Match, selectors: Record) -> Predicate:
    path, operator = match.selector, match.operator
    field = _field(path, selectors)
    selector = ".".join(path)
    if not has_operator(field, operator):
        raise InvalidError(
            f"Invalid match operator {quote(operator)} for selector {quote(selector)}"
        )
    test = test_of(field, operator, match.value, selector)
    return _reach(path, selectors, test, absent=operator not in _ABSENT_IS_FALSE)


def _field(path: tuple[str, ...], selectors: Record) -> Field:
    """The field a path leads to."""
    field: Field = selectors
    for count, name in enumerate(path, 1):
        if isinstance(field, Each):
            field = field.record
        if isinstance(field, Lookup):
            field = field.value
        elif isinstance(field, Record) and name in field.fields:
            field = field.fields[name]
        else:
            raise InvalidError(f"Selector {quote('.'.join(path[:count]))} is not valid")
    return field


def _reach(path: tuple[str, ...], field: Field, test: Test, *, absent: bool) -> Predicate:
    """Take the value at a path and test it there; `absent` is true of what is not there."""
    if not path:
        return test
    name, rest = path[0], path[1:]
    if isinstance(field, Each):
        of_one = _reach(path, field.record, test, absent=absent)
        return lambda value: any(of_one(item) for item in value or ())
    if isinstance(field, Lookup):
        inner = _reach(rest, field.value, test, absent=absent)
        return lambda value: inner(value[name]) if value and name in value else absent
    assert isinstance(field, Record), "the path was followed before"
    inner = _reach(rest, field.fields[name], test, absent=absent)
    if field.row:
        attribute = _ATTRIBUTES[name]
        return lambda value: inner(getattr(value, attribute))
    return lambda value: inner(value.get(name) if value else None)
