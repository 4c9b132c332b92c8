"""TCP: passing when a connection can be had, and with TLS, when the handshake succeeds."""

from __future__ import annotations

import asyncio

from fairlead.agent.checks.contract import Means, Outcome, Probe, failing, passing, timeout_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.dial import (
    DialError,
    HandshakeError,
    Secured,
    dial,
    split_host_port,
)
from fairlead.errors import InvalidError

__all__ = ["make"]


class _TCP:
    def __init__(self, check: CheckDefinition, means: Means) -> None:
        self._check = check
        self._means = means
        self._timeout_s = timeout_s(check.timeout_ns)

    async def run(self) -> Outcome:
        check = self._check
        try:
            await self._connect()
        except (DialError, HandshakeError, InvalidError) as error:
            return failing(str(error))
        return passing(f"TCP connect {check.tcp}: Success")

    async def _connect(self) -> None:
        check = self._check
        endpoint = split_host_port(check.tcp)
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        tls = None
        if check.tcp_use_tls:
            context = self._means.contexts.context(verify=not check.tls_skip_verify)
            tls = Secured(context, check.tls_server_name or endpoint.host)
        resolver = self._means.resolver
        transport, _ = await dial(asyncio.Protocol, endpoint, resolver, deadline, tls)
        transport.abort()


def make(check: CheckDefinition, means: Means) -> Probe:
    return _TCP(check, means)
