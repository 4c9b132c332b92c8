"""What a prepared query finds: the instances it names that are well enough.

Critical instances never count; warning ones only unless `OnlyPassing`. Checks
in `IgnoreCheckIDs` do not count either, though they are shown.
Source: Consul's page "Prepared Query HTTP Endpoint" and 1.8.7 as observed.
"""

from __future__ import annotations

from fairlead.core.coordinates import sort_by_distance
from fairlead.core.health import CRITICAL, PASSING, Instance, health_instances
from fairlead.core.rows import QueryRow, QueryService
from fairlead.core.state import State
from fairlead.core.templates import find_query, rendered

__all__ = ["execute", "find_rendered"]


def find_rendered(state: State, name_or_id: str) -> QueryRow | None:
    """The query a name means, with its template filled in."""
    query = find_query(state, name_or_id)
    return None if query is None else rendered(query, name_or_id)


def execute(state: State, query: QueryRow, near: str, *, connect: bool = False) -> list[Instance]:
    """The instances, nearest first where `near` or the query says so; else by node and id.

    `near` is a node; it goes before the query's own, which may be `_agent` no more.
    """
    wanted = query.service
    if connect or wanted.connect:
        return []
    tags = [tag for tag in wanted.tags or () if not tag.startswith("!")]
    found = health_instances(state, wanted.service, tags, wanted.node_meta or {})
    found = [instance for instance in found if _fits(instance, wanted)]
    nearest = near or wanted.near
    return sort_by_distance(state, nearest, found, _node_of) if nearest else found


def _node_of(instance: Instance) -> str:
    return instance.node.node


def _fits(instance: Instance, wanted: QueryService) -> bool:
    tags = {tag.lower() for tag in instance.service.tags or ()}
    if any(tag.startswith("!") and tag[1:].lower() in tags for tag in wanted.tags or ()):
        return False
    meta = instance.service.meta or {}
    if any(meta.get(name) != value for name, value in (wanted.service_meta or {}).items()):
        return False
    ignored = set(wanted.ignore_check_ids or ())
    statuses = [check.status for check in instance.checks if check.check_id not in ignored]
    if wanted.only_passing:
        return all(status == PASSING for status in statuses)
    return CRITICAL not in statuses
