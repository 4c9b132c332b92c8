"""One gRPC channel for each address of an etcd cluster, and which of them is used.

A call goes to one of them. When that cannot be reached, the next is used from
there on; the call itself is sent again only where that cannot do it twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import grpc
from aetcd import rpc

from fairlead.engines.etcd.address import Address
from fairlead.engines.etcd.failures import TokenError, UnsentError, failure
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["TIMEOUT_S", "Channels"]

TIMEOUT_S = 5.0
"""How long one call may take: etcd itself gives up after 5 s plus twice its election timeout."""

_OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A proxy for the web is none for etcd.
    ("grpc.enable_http_proxy", 0),
    # Each client has connections of its own, so that closing one client is felt by no other.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A host that vanished ends the watches; etcd forbids asking more often than every 5 s.
    ("grpc.keepalive_time_ms", 6000),
    ("grpc.keepalive_timeout_ms", 3000),
    ("grpc.http2.max_pings_without_data", 0),
]

_SERVICES = {
    "KV": rpc.KVStub,
    "Watch": rpc.WatchStub,
    "Lease": rpc.LeaseStub,
    "Cluster": rpc.ClusterStub,
    "Maintenance": rpc.MaintenanceStub,
    "Auth": rpc.AuthStub,
}

Metadata = Sequence[tuple[str, str]]


class _Endpoint:
    """One address: its channel and the stubs over it."""

    def __init__(self, place: str, address: Address) -> None:
        self.place = place
        options = list(_OPTIONS)
        if place.startswith("unix:"):
            options.append(("grpc.default_authority", "localhost"))
        if address.tls is None:
            self.channel = grpc.aio.insecure_channel(place, options=options)
        else:
            tls = address.tls
            credentials = grpc.ssl_channel_credentials(tls.ca, tls.key, tls.cert)
            self.channel = grpc.aio.secure_channel(place, credentials, options=options)
        self.stubs = {name: stub(self.channel) for name, stub in _SERVICES.items()}


class Channels:
    """The channels to one etcd cluster. They connect when they are first used."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._endpoints: list[_Endpoint] = []
        self._at = 0
        self._token = ""
        self._login = asyncio.Lock()

    @property
    def place(self) -> str:
        """The address in use, for people."""
        return self._address.endpoints[self._at]

    async def call(
        self, service: str, method: str, request: Any, *, timeout: float, safe: bool
    ) -> Any:
        """Ask once; on the other addresses too as long as that cannot do it twice.

        `safe` says that it may be done twice.

        Raises:
            FairleadError: see `failures`; the last one, when no address answers.
        """
        renewed = False
        left = len(self._address.endpoints)
        while True:
            endpoint = self._endpoint()
            try:
                token = await self._metadata(endpoint)
                stub = getattr(endpoint.stubs[service], method)
                return await stub(request, timeout=timeout, metadata=token)
            except grpc.aio.AioRpcError as error:
                cause = failure(error, endpoint.place)
                if isinstance(cause, TokenError) and not renewed:
                    renewed, self._token = True, ""
                    continue
                left -= 1
                again = isinstance(cause, UnsentError) or (safe and _is_unreachable(cause))
                self.move_on(endpoint.place, cause)
                if not (again and left):
                    raise cause from error

    async def stream(
        self, service: str, method: str, request: Any = None, *, metadata: Metadata = ()
    ) -> tuple[Any, str]:
        """An open stream on the address in use, and that address."""
        endpoint = self._endpoint()
        try:
            token = [*await self._metadata(endpoint), *metadata]
        except grpc.aio.AioRpcError as error:
            cause = failure(error, endpoint.place)
            self.move_on(endpoint.place, cause)
            raise cause from error
        stub = getattr(endpoint.stubs[service], method)
        if request is None:
            return stub(metadata=token), endpoint.place
        return stub(request, metadata=token), endpoint.place

    def move_on(self, place: str, cause: FairleadError) -> None:
        """Use the next address, if `place` is in use and cannot be reached; forget a bad token."""
        if isinstance(cause, TokenError):
            self._token = ""
        elif place == self.place and _is_unreachable(cause):
            self._at = (self._at + 1) % len(self._address.endpoints)

    async def close(self) -> None:
        for endpoint in self._endpoints:
            # A loop that is ending may have ended the channel already.
            with contextlib.suppress(grpc.aio.UsageError):
                await endpoint.channel.close()
        self._endpoints.clear()

    def _endpoint(self) -> _Endpoint:
        if not self._endpoints:
            # Not in __init__: a channel belongs to the loop that is running.
            places = self._address.endpoints
            self._endpoints = [_Endpoint(place, self._address) for place in places]
        return self._endpoints[self._at]

    async def _metadata(self, endpoint: _Endpoint) -> list[tuple[str, str]]:
        if not self._address.user:
            return []
        async with self._login:
            if not self._token:
                address = self._address
                request = rpc.AuthenticateRequest(name=address.user, password=address.password)
                stub = endpoint.stubs["Auth"]
                answer = await stub.Authenticate(request, timeout=TIMEOUT_S)
                self._token = answer.token
        return [("token", self._token)]


def _is_unreachable(cause: FairleadError) -> bool:
    return type(cause) in (UnavailableError, UnsentError)
