"""The watches that configuration files define: what is watched, and what handles it.

Their faults are named in Consul's words. Source: Consul's page "Watches".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError
from fairlead.settings.kinds import BOOL, DURATION, LIST, LISTS, STR
from fairlead.watch_plans import REFUSED, Plan, plan_of

__all__ = ["WATCH", "HttpHandling", "WatchDefinition", "watch_definitions", "watch_faults"]

WATCH: dict[str, Any] = {
    "type": STR,
    "datacenter": STR,
    "token": STR,
    "stale": BOOL,
    "key": STR,
    "prefix": STR,
    "service": STR,
    "service_id": STR,
    "tag": LIST,
    "passingonly": BOOL,
    "state": STR,
    "name": STR,
    "handler_type": STR,
    "args": LIST,
    "handler": STR,
    "http_handler_config": {
        "path": STR,
        "method": STR,
        "header": LISTS,
        "timeout": DURATION,
        "tls_skip_verify": BOOL,
    },
}
"""The keys of a watch in a configuration file."""

_HANDLING = ("token", "handler_type", "args", "handler", "http_handler_config")
_NO_HANDLER = "Must define a watch handler"


@dataclass(frozen=True, slots=True)
class HttpHandling:
    """Where news go, and how."""

    path: str
    method: str = "POST"
    header: dict[str, list[str]] = field(default_factory=dict)
    timeout: int = 10 * SECOND_NS
    tls_skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class WatchDefinition:
    """One watch: it is handled by a command, a line for the shell, or over HTTP."""

    params: dict[str, Any]
    token: str = ""
    args: list[str] = field(default_factory=list)
    line: str = ""
    http: HttpHandling | None = None

    @property
    def plan(self) -> Plan:
        return plan_of(self.params)


def watch_definitions(raw: list[dict[str, Any]]) -> list[WatchDefinition]:
    """What `watches` defines; Raises: InvalidError for the first that cannot be."""
    return [_definition(watch) for watch in raw]


def watch_faults(raw: list[dict[str, Any]]) -> Iterator[str]:
    """Everything that is wrong with `watches`."""
    for position, watch in enumerate(raw):
        try:
            _definition(watch)
        except InvalidError as error:
            yield f"watches[{position}]: {error}"


def _definition(raw: dict[str, Any]) -> WatchDefinition:
    params = {key: value for key, value in raw.items() if key not in _HANDLING}
    kind = params.get("type", "")
    if kind in REFUSED:
        raise InvalidError(f"Watch type {kind} is not allowed in agent config")
    plan_of(params)
    token, args, line = raw.get("token", ""), raw.get("args", []), raw.get("handler", "")
    handler_type = raw.get("handler_type") or "script"
    if handler_type == "http":
        return WatchDefinition(params, token, http=_http(raw.get("http_handler_config")))
    if handler_type != "script":
        raise InvalidError(f"Handler type '{handler_type}' not recognized")
    if args and line:
        raise InvalidError("Only one watch handler allowed")
    if not args and not line:
        raise InvalidError(_NO_HANDLER)
    return WatchDefinition(params, token, args, line)


def _http(raw: dict[str, Any] | None) -> HttpHandling:
    if raw is None:
        raise InvalidError("Handler type 'http' requires 'http_handler_config' to be set")
    if not raw.get("path"):
        raise InvalidError("Failed to parse 'http_handler_config': Requires 'path' to be set")
    given = {key: value for key, value in raw.items() if value not in ("", 0)}
    return HttpHandling(**given)
