"""Templates of prepared queries: which query a name means, and what its fields become.

A template answers for every name that begins with its own; the longest wins,
and a query of exactly that name goes before all. Its texts may hold
`${name.full}`, `${name.prefix}`, `${name.suffix}`, `${match(N)}` and
`${agent.segment}`.
Source: Consul's page "Prepared Query HTTP Endpoint", section "Templates".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct, structs

from fairlead.core.patterns import Search, compile_pattern
from fairlead.core.rows import QueryRow
from fairlead.core.state import State
from fairlead.errors import InvalidError

__all__ = ["PREFIX_MATCH", "check_template", "find_query", "rendered"]

PREFIX_MATCH = "name_prefix_match"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PLACE = re.compile(r"\$\{\s*([^}]*?)\s*\}")
_MATCH = re.compile(r"match\(\s*(\d{1,4})\s*\)")


def check_template(query: QueryRow) -> None:
    """Raises: InvalidError for a template that could not be rendered."""
    template = query.template
    if not template.type:
        if template.regexp:
            raise InvalidError("failed compiling template: Bad Template.Type ''")
        return
    if template.type != PREFIX_MATCH:
        raise InvalidError(f"failed compiling template: Bad Template.Type '{template.type}'")
    _compiled(template.regexp)
    for place in _places(query.service):
        if _value(place, "", "", []) is None:
            raise InvalidError(f"failed compiling template: Bad format '${{{place}}}'")


def _compiled(regexp: str) -> Search | None:
    if not regexp:
        return None
    try:
        return compile_pattern(regexp)
    except InvalidError as error:
        raise InvalidError(f"failed compiling template: Bad Regexp: {error}") from error


def find_query(state: State, name_or_id: str) -> QueryRow | None:
    """The query that has this id or name, or the template that fits it best; in any case."""
    queries = state.queries
    if _UUID.fullmatch(name_or_id):
        row = queries.rows.get(name_or_id.lower())
        if row is not None:
            return row
    if name_or_id:
        for key in queries.groups.get(name_or_id.lower(), ()):
            return queries.rows[key]
    fitting = [
        row
        for row in queries.rows.values()
        if row.template.type and name_or_id.lower().startswith(row.name.lower())
    ]
    return max(fitting, key=lambda row: len(row.name), default=None)


def rendered(query: QueryRow, name: str) -> QueryRow:
    """The query with the places of its template filled in for `name`."""
    template = query.template
    if not template.type:
        return query
    search = _compiled(template.regexp)
    found = search(name) if search is not None else None
    groups = [found[0], *(group or "" for group in found.groups())] if found else []

    def fill(text: str) -> str:
        return _PLACE.sub(lambda place: _value(place[1], query.name, name, groups) or "", text)

    service = _filled(query.service, fill)
    if template.remove_empty_tags and service.tags:
        service = structs.replace(service, tags=[tag for tag in service.tags if tag])
    return structs.replace(query, service=service)


def _value(place: str, prefix: str, name: str, groups: list[str]) -> str | None:
    """What a place stands for; None for one nobody knows."""
    fixed = {
        "name.full": name,
        "name.prefix": prefix,
        "name.suffix": name.removeprefix(prefix),
        "agent.segment": "",
    }
    if place in fixed:
        return fixed[place]
    found = _MATCH.fullmatch(place)
    if found is None:
        return None
    number = int(found[1])
    return groups[number] if number < len(groups) else ""


def _places(value: Any) -> list[str]:
    """Every place in the texts of a value."""
    places: list[str] = []

    def note(text: str) -> str:
        places.extend(found[1] for found in _PLACE.finditer(text))
        return text

    _filled(value, note)
    return places


def _filled(value: Any, fill: Callable[[str], str]) -> Any:
    """The same value with every text in it passed through `fill`."""
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, list):
        return [_filled(item, fill) for item in value]
    if isinstance(value, dict):
        return {name: _filled(item, fill) for name, item in value.items()}
    if isinstance(value, Struct):
        parts = {name: _filled(getattr(value, name), fill) for name in value.__struct_fields__}
        return structs.replace(value, **parts)
    return value
