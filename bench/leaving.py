"""How soon an instance that fails leaves DNS: real checks over HTTP, real questions.

Every instance is a service of its own on one agent, with a check of its own. It
begins to answer 500 at some moment within its interval, and DNS is asked for it
until it is not there any more.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import NamedTuple

import dns.asyncquery
import dns.message
import dns.rcode
import dns.rdatatype

from bench.errors import BenchError
from bench.rounds import say
from bench.server import Server

__all__ = ["Departures", "measure"]

_INTERVALS_S = (1, 2)
_INSTANCES = 20
# Beyond the interval, as the specification has it.
_GRACE_S = 1.0
_ASK_EVERY_S = 0.01
_PATIENCE_S = 20.0
_TITLES = ("a failed instance leaves DNS", "median", "longest", "bound", "")


class Departures(NamedTuple):
    """The seconds each took, by interval, the shortest first."""

    took: dict[int, list[float]]

    @property
    def are_in_time(self) -> bool:
        return all(times[-1] <= interval + _GRACE_S for interval, times in self.took.items())

    def rows(self) -> list[tuple[str, ...]]:
        """The table of them."""
        rows: list[tuple[str, ...]] = [_TITLES]
        for interval, times in self.took.items():
            title = f"HTTP check every {interval} s, {len(times)} failures"
            bound = interval + _GRACE_S
            middle, longest = times[len(times) // 2], times[-1]
            mark = "✓" if longest <= bound else "✗"
            rows.append((title, f"{middle:.2f} s", f"{longest:.2f} s", f"≤ {bound:.0f} s", mark))
        return rows


class _Checked:
    """The server that is checked: a path fails once it is told to."""

    def __init__(self) -> None:
        self.failing: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            status = HTTPStatus(500 if path in self.failing else 200)
            line = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            writer.write(f"{line}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def measure(server: Server) -> Departures:
    """Raises: BenchError, for an instance that does not come, or does not go."""
    checked = _Checked()
    listening = await asyncio.start_server(checked.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    took = {}
    async with listening:
        for interval in _INTERVALS_S:
            say(f"failing instances, checked every {interval} s ...")
            turns = [_one(server, checked, port, interval, each) for each in range(_INSTANCES)]
            took[interval] = sorted(await asyncio.gather(*turns))
    return Departures(took)


async def _one(server: Server, checked: _Checked, port: int, interval: int, number: int) -> float:
    """The seconds from its first failure to the first answer of DNS without it."""
    name = f"leaving-{interval}-{number}"
    path = f"/health/{name}"
    check = {"HTTP": f"http://127.0.0.1:{port}{path}", "Interval": f"{interval}s"}
    body = json.dumps({"Name": name, "Port": 8000, "Check": check}).encode()
    answer = await asyncio.to_thread(server.ask, "PUT", "/v1/agent/service/register", body)
    if answer.status != HTTPStatus.OK:
        raise BenchError(f"{server.name} refused a service: {answer.body!r}")
    await _until(server, name, is_there=True)
    await asyncio.sleep(interval * number / _INSTANCES)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    checked.failing.add(path)
    await _until(server, name, is_there=False)
    return loop.time() - begun


async def _until(server: Server, name: str, *, is_there: bool) -> None:
    question = dns.message.make_query(f"{name}.service.consul", dns.rdatatype.SRV)
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            answer = await dns.asyncquery.udp(
                question, "127.0.0.1", timeout=_PATIENCE_S, port=server.dns_port
            )
            if bool(answer.answer) == is_there:
                return
            await asyncio.sleep(_ASK_EVERY_S)
