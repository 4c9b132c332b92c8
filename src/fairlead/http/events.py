"""/v1/event: fire a user event, and list those this agent has seen.

Source: Consul's events page; the size and the texts as observed on 1.8.7.
"""

from __future__ import annotations

from fairlead.agent.agent import Agent
from fairlead.core import events
from fairlead.core.commands import EventFire
from fairlead.core.keys import node_prefix
from fairlead.core.patterns import compile_pattern
from fairlead.core.rows import EventRow
from fairlead.errors import InvalidError
from fairlead.http.api import Found
from fairlead.http.messages import Request, Response, json_response

__all__ = ["fire", "list_all"]

_LIMIT_BYTES = 512
# What Consul's encoding of an event takes beside its texts.
_FRAME_BYTES = 96
_FILTER_BYTES = 4


async def fire(agent: Agent, request: Request) -> Response:
    name = request.path[len("/v1/event/fire/") :]
    if not name:
        raise InvalidError("Missing name")
    query = request.query
    event = EventRow(
        id=agent.clock.new_id(),
        name=name,
        payload=request.body or None,
        node_filter=query.get("node"),
        service_filter=query.get("service"),
        tag_filter=query.get("tag"),
    )
    _check(event)
    await agent.store.submit(EventFire(event))
    return json_response(event)


def _check(event: EventRow) -> None:
    """Raises: InvalidError, in Consul's words."""
    if event.tag_filter and not event.service_filter:
        raise InvalidError("Cannot provide tag filter without service filter")
    filters = {
        "node": event.node_filter,
        "service": event.service_filter,
        "tag": event.tag_filter,
    }
    for name, pattern in filters.items():
        try:
            compile_pattern(pattern)
        except InvalidError as error:
            raise InvalidError(f"Invalid {name} filter: {error}") from error
    size = _FRAME_BYTES + 2 * len(event.name.encode()) + len(event.payload or b"")
    size += sum(len(text.encode()) + _FILTER_BYTES for text in filters.values() if text)
    if size > _LIMIT_BYTES:
        raise InvalidError(
            '1 error occurred:\n\t* error broadcasting event to segment "": encoded user event '
            f"exceeds configured limit of {_LIMIT_BYTES} bytes after encoding\n\n"
        )


def list_all(agent: Agent, request: Request) -> Found:
    """The events whose filters match this agent; `?name=` picks some."""
    read = events.read_events(agent.store.state, request.query.get("name"))
    node = request.source or agent.node.node
    rows = [event for event in read.value if _is_meant(agent, node, event)]
    index = events.event_index(rows[-1].id) if rows else 1
    read = type(read)(rows, index, read.watches)
    return Found(read, json_response, is_ordered=False)


def _is_meant(agent: Agent, node: str, event: EventRow) -> bool:
    """Whether the agent of that node is; filters that came by a restore may be none."""
    try:
        return _fits(agent, node, event)
    except InvalidError:
        return False


def _fits(agent: Agent, node: str, event: EventRow) -> bool:
    if event.node_filter and not compile_pattern(event.node_filter)(node):
        return False
    if not event.service_filter:
        return True
    is_wanted = compile_pattern(event.service_filter)
    services = [
        row.service
        for row in agent.store.state.services.scan(node_prefix(node))
        if is_wanted(row.service.service)
    ]
    if not event.tag_filter:
        return bool(services)
    is_tag = compile_pattern(event.tag_filter)
    return any(is_tag(text) for service in services for text in service.tags or ())
