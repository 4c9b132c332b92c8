"""User events: fired once, seen by every agent whose filters match, the last 256 kept."""

from __future__ import annotations

from msgspec import structs

from fairlead.core.commands import EventFire
from fairlead.core.draft import Draft
from fairlead.core.reads import Read, Watch
from fairlead.core.rows import EventRow
from fairlead.core.state import State

__all__ = ["KEPT", "event_index", "fire", "read_events"]

KEPT = 256


def fire(draft: Draft, command: EventFire) -> EventRow:
    """The event with its time; the oldest one beyond those kept is forgotten."""
    keys = list(draft.events.keys_under(""))
    event = structs.replace(command.event, l_time=int(keys[-1]) + 1 if keys else 2)
    draft.events.put(_key(event), event)
    for key in keys[: max(len(keys) + 1 - KEPT, 0)]:
        draft.events.delete(key)
    return event


def _key(event: EventRow) -> str:
    """Ordered by time, and legible."""
    return f"{event.l_time:020d}"


def event_index(event_id: str) -> int:
    """An event's index for blocking reads: made of its id, as Consul's, so of 64 bits.

    Source: `agent/event_endpoint.go`, "uuidToUint64".
    """
    parts = event_id.split("-")
    lower = int(parts[0] + parts[1] + parts[2], 16)
    upper = int(parts[3] + parts[4], 16)
    return lower ^ upper


def read_events(state: State, name: str) -> Read:
    """The events kept, the oldest first; those of one name if it is given."""
    rows = state.events.scan("")
    if name:
        rows = [row for row in rows if row.name == name]
    index = event_index(rows[-1].id) if rows else 1
    return Read(rows, index, (Watch("events"),))
