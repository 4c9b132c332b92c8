"""HTTP/2 ping: passing when a PING frame comes back, over TLS unless told otherwise."""

from __future__ import annotations

import asyncio

from fairlead.agent.checks.contract import Means, Outcome, Probe, failing, passing, timeout_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.dial import DialError
from fairlead.agent.checks.http2 import Http2Error, TLSError, connect

__all__ = ["make"]


class _H2Ping:
    def __init__(self, check: CheckDefinition, means: Means) -> None:
        self._check = check
        self._means = means
        self._timeout_s = timeout_s(check.timeout_ns)

    async def run(self) -> Outcome:
        check = self._check
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            http2 = await connect(
                check.h2ping, check, self._means, deadline, use_tls=check.h2ping_use_tls
            )
        except (DialError, TLSError) as error:
            return failing(f"Failed to dial to {check.h2ping}: {error}")
        except TimeoutError:
            return failing(f"Failed to dial to {check.h2ping}: context deadline exceeded")
        try:
            async with asyncio.timeout_at(deadline):
                await http2.ping()
        except Http2Error as error:
            return failing(f"HTTP2 ping failed: {error}")
        except TimeoutError:
            return failing("HTTP2 ping failed: context deadline exceeded")
        finally:
            http2.close()
        return passing("HTTP2 ping was successful")


def make(check: CheckDefinition, means: Means) -> Probe:
    return _H2Ping(check, means)
