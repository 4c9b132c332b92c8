"""/v1/agent/service: this agent's services, registering them, their maintenance.

Source: Consul's agent/service page; statuses and texts as observed on 1.8.7.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from fairlead.agent.agent import Agent
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.definitions import ConnectDefinition, ProxyDefinition, ServiceDefinition
from fairlead.core.codec import encode_json
from fairlead.core.filters import SERVICES
from fairlead.core.rows import Service
from fairlead.durations import parse_duration
from fairlead.errors import InvalidError
from fairlead.http.blocking import wait_seconds
from fairlead.http.catalog_reads import wanted
from fairlead.http.decoding import decode_struct
from fairlead.http.messages import (
    JSON,
    Deferred,
    Request,
    Response,
    empty,
    json_response,
    text_response,
)
from fairlead.http.params import parse_bool

__all__ = [
    "CHECK_NAMES",
    "deregister",
    "list_all",
    "maintenance",
    "node_maintenance",
    "one",
    "register",
    "view",
    "wanted_maintenance",
]

CHECK_NAMES = {
    "deregister_critical_service_after": "deregister_critical_service_after",
    "docker_container_id": "docker_container_id",
    "script_args": "args",
    "scriptargs": "args",
    "service_id": "service_id",
    "tls_skip_verify": "tls_skip_verify",
}
"""The spellings of a check's fields beside their own."""

_NAMES = {
    CheckDefinition: CHECK_NAMES,
    ServiceDefinition: {
        "enable_tag_override": "enable_tag_override",
        "tagged_addresses": "tagged_addresses",
    },
    ConnectDefinition: {"sidecar_service": "sidecar_service", "*": ""},
    ProxyDefinition: {
        name: name
        for name in (
            "destination_service_id",
            "destination_service_name",
            "local_service_address",
            "local_service_port",
        )
    },
}
_ONE, _MAINTENANCE = "/v1/agent/service/", "/v1/agent/service/maintenance/"
_DEREGISTER = "/v1/agent/service/deregister/"


def view(service: Service) -> dict[str, Any]:
    """A service as the agent shows its own."""
    shown: dict[str, Any] = {}
    if service.kind is not UNSET:
        shown["Kind"] = service.kind
    shown |= {
        "ID": service.id,
        "Service": service.service,
        "Tags": service.tags or [],
        "Meta": service.meta or {},
        "Port": service.port,
        "Address": service.address,
    }
    if service.tagged_addresses is not UNSET:
        shown["TaggedAddresses"] = service.tagged_addresses
    shown["Weights"] = service.weights
    shown["EnableTagOverride"] = service.enable_tag_override
    if service.kind is not UNSET and (service.kind == "connect-proxy" or "gateway" in service.kind):
        shown["Proxy"] = service.proxy
    if service.connect:
        shown["Connect"] = service.connect
    return shown


def list_all(agent: Agent, request: Request) -> Response:
    services = agent.registrations.local.services
    rows = [services[service_id].service for service_id in sorted(services)]
    return json_response({row.id: view(row) for row in wanted(request.query, SERVICES, rows)})


def one(agent: Agent, request: Request) -> Response | Deferred:
    """One service; with the hash of what the client knows, once that has changed."""
    service_id = request.path[len(_ONE) :]
    response = _one(agent, service_id)
    known = request.query.get("hash")
    if not known or response.status != 200 or _hash_header(known) != response.headers:
        return response
    try:
        wait_ns = max(parse_duration(request.query.get("wait") or "0s"), 0)
    except InvalidError as error:
        raise InvalidError("Invalid wait time") from error
    return _Blocked(agent, service_id, response, wait_seconds(agent, wait_ns))


def _one(agent: Agent, service_id: str) -> Response:
    local = agent.registrations.local.services.get(service_id)
    if local is None:
        return text_response(f"unknown service ID: {service_id}", 404)
    shown = view(local.service)
    digest = hashlib.blake2b(encode_json(shown), digest_size=8).hexdigest()
    shown["ContentHash"] = digest
    return Response(200, encode_json(shown), JSON, headers=_hash_header(digest))


def _hash_header(digest: str) -> bytes:
    return b"X-Consul-Contenthash: %b\r\n" % digest.encode("latin-1", "replace")


class _Blocked:
    """An answer that comes when a service is another than the client knows, or time is over."""

    __slots__ = ("_agent", "_changed", "_known", "_reply", "_service_id", "_timer")

    def __init__(self, agent: Agent, service_id: str, known: Response, wait_s: float) -> None:
        self._agent = agent
        self._service_id = service_id
        self._known = known
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._answer)
        self._changed: asyncio.Future[None] | None = None

    def start(self, reply: Callable[[Response], None]) -> None:
        self._reply = reply
        self._wait()

    def cancel(self) -> None:
        self._timer.cancel()
        if self._changed is not None:
            self._changed.cancel()
            self._changed = None

    def _wait(self) -> None:
        self._changed = self._agent.registrations.local.changed(self._service_id)
        self._changed.add_done_callback(self._look)

    def _look(self, changed: asyncio.Future[None]) -> None:
        if self._changed is not changed or changed.cancelled():
            return
        if _one(self._agent, self._service_id).headers == self._known.headers:
            self._wait()
        else:
            self._answer()

    def _answer(self) -> None:
        self.cancel()
        self._reply(_one(self._agent, self._service_id))


async def register(agent: Agent, request: Request) -> Response:
    definition = decode_struct(request.body, ServiceDefinition, _NAMES)
    replace = "replace-existing-checks" in request.query
    await agent.registrations.register_service(definition, replace_checks=replace)
    return empty()


async def deregister(agent: Agent, request: Request) -> Response:
    service_id = request.path[len(_DEREGISTER) :]
    if not service_id:
        raise InvalidError("ServiceID missing")
    await agent.registrations.deregister_service(service_id)
    return empty()


# ---------------------------------------------------------------- maintenance


def wanted_maintenance(request: Request) -> tuple[bool, str]:
    """Whether maintenance is to begin, and why.

    Raises:
        InvalidError: the request does not say.
    """
    if "enable" not in request.query:
        raise InvalidError("Missing value for enable")
    text = request.query.get("enable")
    enable = parse_bool(text)
    if enable is None:
        raise InvalidError(f"Invalid value for enable: {json.dumps(text, ensure_ascii=False)}")
    return enable, request.query.get("reason")


async def maintenance(agent: Agent, request: Request) -> Response:
    service_id = request.path[len(_MAINTENANCE) :]
    if not service_id:
        raise InvalidError("Missing service ID")
    enable, reason = wanted_maintenance(request)
    await agent.registrations.set_service_maintenance(service_id, enable=enable, reason=reason)
    return empty()


async def node_maintenance(agent: Agent, request: Request) -> Response:
    enable, reason = wanted_maintenance(request)
    await agent.registrations.set_node_maintenance(enable=enable, reason=reason)
    return empty()
