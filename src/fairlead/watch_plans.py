"""What can be watched: how each type of watch asks, and what a handler is given.

The command line and the agent share these plans, so that a handler sees the same
JSON whoever runs it. The fields and their order are those of Consul's Go client,
and so are the words of the faults (its package `api/watch`).

Rule: nothing here sends a request; parameters come in, paths and values go out.

>>> plan_of({"type": "service", "service": "web", "passingonly": True}).path
'/v1/health/service/web'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fairlead.errors import InvalidError

__all__ = ["REFUSED", "TYPES", "Follower", "Plan", "plan_of"]

REFUSED = ("connect_roots", "connect_leaf", "agent_service")
"""Consul's own agents use these for the mesh; nobody may watch them from outside."""

_DEFINITION = {
    "Interval": "0s",
    "Timeout": "0s",
    "DeregisterCriticalServiceAfter": "0s",
    "HTTP": "",
    "Header": None,
    "Method": "",
    "Body": "",
    "TLSSkipVerify": False,
    "TCP": "",
}
_PAIR = ("Key", "CreateIndex", "ModifyIndex", "LockIndex", "Flags", "Value")
_SERVICE = (
    *("Kind", "ID", "Service", "Tags", "Meta", "Port", "Address", "TaggedAddresses"),
    *("Weights", "EnableTagOverride", "CreateIndex", "ModifyIndex"),
)


class Plan(NamedTuple):
    """One watch: what to ask, and what to make of an answer; `value(None)` is that of a 404."""

    kind: str
    path: str
    params: dict[str, Any]
    value: Callable[[Any], Any]


class Follower:
    """Which index to ask for next, and whether an answer is news."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._index = 0
        self._seen: list[Any] = []
        self._last_event = ""

    @property
    def params(self) -> dict[str, Any]:
        """What to ask with."""
        return {**self._plan.params, "index": self._index or None}

    def take(self, index: int, answer: Any) -> tuple[bool, Any]:
        """Whether a decoded answer is news, and the value handlers are given."""
        value = self._plan.value(answer)
        if self._plan.kind == "event":
            value = self._new_events(value)
            self._index = index
        else:
            # An index that goes back means that the state was replaced: ask anew.
            self._index = index if index >= self._index else 0
        is_news = self._seen != [value]
        self._seen = [value]
        return is_news, value

    def forget_index(self) -> None:
        """After a failure: ask at once."""
        self._index = 0

    def _new_events(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ids = [event["ID"] for event in events]
        last, self._last_event = self._last_event, ids[-1] if ids else self._last_event
        return events[ids.index(last) + 1 :] if last in ids else events


def plan_of(params: dict[str, Any]) -> Plan:
    """The plan that parameters ask for.

    Raises:
        InvalidError: a parameter is missing, too many or of a wrong type.
    """
    left = dict(params)
    options: dict[str, Any] = {"dc": _text(left, "datacenter") or None}
    if _flag(left, "stale"):
        options["stale"] = ""
    kind = _text(left, "type")
    if not kind:
        raise InvalidError("Watch type must be specified")
    if kind not in _MAKERS:
        raise InvalidError(f"Unsupported watch type: {kind}")
    path, own, value = _MAKERS[kind](left)
    if left:
        raise InvalidError(f"Invalid parameters: [{' '.join(sorted(left))}]")
    return Plan(kind, path, {**options, **own}, value)


# ---------------------------------------------------------------- parameters


def _text(params: dict[str, Any], name: str) -> str:
    value = params.pop(name, "")
    if not isinstance(value, str):
        raise InvalidError(f"Expecting {name} to be a string")
    return value


def _flag(params: dict[str, Any], name: str) -> bool:
    value = params.pop(name, False)
    if not isinstance(value, bool):
        raise InvalidError(f"Expecting {name} to be a boolean")
    return value


def _texts(params: dict[str, Any], name: str) -> list[str]:
    value = params.pop(name, [])
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple):
        raise InvalidError(f"Expecting {name} to be a string or []string")
    for position, item in enumerate(values):
        if not isinstance(item, str):
            raise InvalidError(f"Index {position} of {name} expected to be string")
    return list(values)


# ---------------------------------------------------------------- types

_Parts = tuple[str, dict[str, Any], Callable[[Any], Any]]


def _key(params: dict[str, Any]) -> _Parts:
    key = _text(params, "key")
    if not key:
        raise InvalidError("Must specify a single key to watch")
    return f"/v1/kv/{key.removeprefix('/')}", {}, lambda rows: _pair(rows[0]) if rows else None


def _keyprefix(params: dict[str, Any]) -> _Parts:
    prefix = _text(params, "prefix")
    if not prefix:
        raise InvalidError("Must specify a single prefix to watch")
    path = f"/v1/kv/{prefix.removeprefix('/')}"
    return path, {"recurse": ""}, lambda rows: [_pair(row) for row in rows or ()] or None


def _services(params: dict[str, Any]) -> _Parts:
    return "/v1/catalog/services", {}, lambda found: dict(sorted((found or {}).items()))


def _nodes(params: dict[str, Any]) -> _Parts:
    return "/v1/catalog/nodes", {}, lambda found: [_with_sorted(row) for row in found or ()]


def _service(params: dict[str, Any]) -> _Parts:
    service, tags = _text(params, "service"), _texts(params, "tag")
    if not service:
        raise InvalidError("Must specify a single service to watch")
    passing = "1" if _flag(params, "passingonly") else None
    own = {"tag": tags or None, "passing": passing}
    return f"/v1/health/service/{service}", own, lambda found: [_entry(row) for row in found or ()]


def _checks(params: dict[str, Any]) -> _Parts:
    service, state = _text(params, "service"), _text(params, "state")
    if service and state:
        raise InvalidError("Cannot specify service and state")
    path = f"/v1/health/checks/{service}" if service else f"/v1/health/state/{state or 'any'}"
    return path, {}, lambda found: [_check(row) for row in found or ()]


def _event(params: dict[str, Any]) -> _Parts:
    return "/v1/event/list", {"name": _text(params, "name") or None}, lambda found: found or []


_MAKERS: dict[str, Callable[[dict[str, Any]], _Parts]] = {
    "key": _key,
    "keyprefix": _keyprefix,
    "services": _services,
    "nodes": _nodes,
    "service": _service,
    "checks": _checks,
    "event": _event,
}
TYPES = tuple(_MAKERS)
"""Everything that can be watched."""


# ---------------------------------------------------------------- values


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    return {**{name: row.get(name) for name in _PAIR}, "Session": row.get("Session", "")}


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    checks = [_check(check) for check in row.get("Checks") or ()]
    return {
        "Node": _with_sorted(row["Node"]),
        "Service": _ordered(_with_sorted(row["Service"])),
        "Checks": checks,
    }


def _with_sorted(row: dict[str, Any]) -> dict[str, Any]:
    """Its maps as Go prints them, whose order would be news otherwise."""
    maps = ((name, row[name]) for name in ("TaggedAddresses", "Meta") if row.get(name))
    return {**row, **{name: dict(sorted(value.items())) for name, value in maps}}


def _ordered(service: dict[str, Any]) -> dict[str, Any]:
    first = {name: service[name] for name in _SERVICE if name in service}
    return {**first, **service}


def _check(row: dict[str, Any]) -> dict[str, Any]:
    """A check with its whole definition, where the API leaves out what is not set."""
    return {**row, "Definition": {**_DEFINITION, **(row.get("Definition") or {})}}
