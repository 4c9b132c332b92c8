"""Prepared queries: what is stored of them. What they find is `core/lookup.py`."""

from __future__ import annotations

from msgspec import structs

from fairlead.core.commands import QueryDelete, QuerySet
from fairlead.core.draft import Draft
from fairlead.core.reads import Read, Watch
from fairlead.core.state import State
from fairlead.errors import InvalidError

__all__ = ["delete_query", "read_queries", "read_query", "set_query"]


def set_query(draft: Draft, command: QuerySet) -> str:
    """The id of the query."""
    query = command.query
    old = draft.queries.get(query.id)
    if old is None and not command.is_new:
        raise InvalidError(f"Cannot modify non-existent prepared query: '{query.id}'")
    if query.session and draft.sessions.get(query.session) is None:
        raise InvalidError(f'invalid session "{query.session}"')
    if query.name:
        others = [key for key in draft.queries.group(query.name.lower()) if key != query.id]
        if others:
            raise InvalidError(f"name '{query.name}' aliases an existing query name")
    index = draft.next_index
    created = old.create_index if old is not None else index
    draft.queries.put(query.id, structs.replace(query, create_index=created, modify_index=index))
    return query.id


def delete_query(draft: Draft, command: QueryDelete) -> None:
    """One that is not there is gone already."""
    if draft.queries.get(command.id) is not None:
        draft.queries.delete(command.id)


def read_queries(state: State) -> Read:
    """Every query, by id."""
    return Read(state.queries.scan(""), state.floor(state.queries.index), (Watch("queries"),))


def read_query(state: State, query_id: str) -> Read:
    """A list of one query, or of none."""
    row = state.queries.rows.get(query_id)
    watches = (Watch("queries", query_id, False),)
    return Read([] if row is None else [row], state.floor(state.queries.index), watches)
