"""`make bench-scale`: a thousand agents with ten thousand services against one server.

The agents are in this process (`bench/crowd.py`), the server is one of its own,
durable. Printed is how long each phase took until it was seen through, and what
it cost the server; then how soon an instance that fails leaves DNS.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench import leaving, peers, seen
from bench.crowd import Member, all_of, crowd, service_name
from bench.disturbance import Disturbance
from bench.errors import BenchError
from bench.machine import describe
from bench.peers import Mode
from bench.report import header, lined_up
from bench.rounds import say
from bench.server import Server

__all__ = ["main"]

_POLL_S = 0.1
_PATIENCE_S = 120.0
_REST_S = 10.0
_AT_ONCE = 20
_TITLES = ("phase", "done after", "server's CPU", "its memory", "agents' CPU", "")


class _Plan(NamedTuple):
    agents: int
    services: int
    instances: int
    rest_s: float


class _Phase(NamedTuple):
    """One line: how long it took, and shares of a core meanwhile."""

    title: str
    seconds: float
    server_share: float
    server_mb: float
    own_share: float
    remark: str


class _Scale:
    """The phases, one after the other."""

    def __init__(self, server: Server, plan: _Plan) -> None:
        self._server = server
        self._plan = plan
        address = f"127.0.0.1:{server.link_port}"
        self._members = crowd(plan.agents, plan.services, plan.instances, address)
        # Not neighbours, so that most services keep instances elsewhere.
        self._killed, self._silent = self._members[::10], self._members[5::10]
        self.phases: list[_Phase] = []

    async def run(self) -> None:
        """Raises: BenchError, for whatever is not seen in time."""
        plan = self._plan
        many = _spaced(plan.services * plan.instances)
        await self._phase(f"{_spaced(plan.agents)} agents join", self._join)
        await self._phase("at rest, heartbeats only", self._rest)
        await self._phase(f"registration storm: {many} instances at once", self._storm)
        await self._phase("at rest with them", self._rest)
        await self._phase(f"rolling restart, {_AT_ONCE} agents at a time", self._roll)
        await self._phase("10 % killed (kill -9)", lambda: self._lose(self._killed, Member.kill))
        await self._phase("they come back", lambda: self._return(self._killed))
        await self._phase(
            "10 % silent (power lost)", lambda: self._lose(self._silent, Member.fall_silent)
        )
        for member in self._silent:
            await member.kill()
        await self._phase("they come back", lambda: self._return(self._silent))
        await self._phase("the server restarts", self._restart_server)

    async def close(self) -> None:
        await all_of(self._members, Member.kill)

    async def _phase(self, title: str, work: Callable[[], Awaitable[str]]) -> None:
        say(f"{title} ...")
        server = self._server
        before, own, begun = server.cpu_s(), time.process_time(), time.perf_counter()
        remark = await work()
        seconds = time.perf_counter() - begun
        used = server.cpu_s()
        # A new process counts from zero.
        used -= before if used >= before else 0
        own = time.process_time() - own
        self.phases.append(
            _Phase(title, seconds, used / seconds, server.rss_mb(), own / seconds, remark)
        )

    # ---------------------------------------------------------------- the phases

    async def _join(self) -> str:
        took = await all_of(self._members, Member.start)
        await self._until_well()
        return f"one agent: {_median(took):.1f} s"

    async def _rest(self) -> str:
        await asyncio.sleep(self._plan.rest_s)
        return ""

    async def _storm(self) -> str:
        begun = time.perf_counter()
        await all_of(self._members, Member.register)
        rate = self._plan.services * self._plan.instances / (time.perf_counter() - begun)
        await self._until_whole()
        return f"{_spaced(round(rate))} registrations/s"

    async def _roll(self) -> str:
        took = await all_of(self._members, Member.restart, _AT_ONCE)
        await self._until_well()
        await self._until_whole()
        return f"one was gone for {_median(took):.2f} s, at most {took[-1]:.2f} s"

    async def _lose(
        self, members: Sequence[Member], how: Callable[[Member], Awaitable[None]]
    ) -> str:
        """Until nothing shows them any more: their nodes, their services, DNS."""
        begun = time.perf_counter()
        for member in members:
            await how(member)
        names = {member.node.node for member in members}
        await self._until("the failures", lambda: seen.failed(self._server) >= names)
        noticed_s = time.perf_counter() - begun
        services = {service_name(number) for member in members for number in member.services}
        found = await asyncio.to_thread(self._still_shown, members, services)
        if found:
            raise BenchError(f"instances of failed agents are still shown: {found[:3]}")
        asked = _spaced(len(services))
        return f"all critical after {noticed_s:.1f} s, then in no answer for {asked} services"

    def _still_shown(self, members: Sequence[Member], services: set[str]) -> list[str]:
        """The services that health or DNS still answers with one of these agents."""
        names = {member.node.node for member in members}
        places = {member.node.address for member in members}
        return [
            service
            for service in sorted(services)
            if seen.passing(self._server, service) & names
            or seen.addresses(self._server, service) & places
        ]

    async def _return(self, members: Sequence[Member]) -> str:
        await all_of(members, Member.come_back)
        await self._until_well()
        await self._until_whole()
        return ""

    async def _restart_server(self) -> str:
        begun = time.perf_counter()
        await asyncio.to_thread(self._server.stop)
        await asyncio.to_thread(self._server.start)
        started_s = time.perf_counter() - begun
        await self._until("the links", lambda: all(member.link.is_up for member in self._members))
        await self._until_well()
        await self._until_whole()
        return f"it answers after {started_s:.1f} s"

    # ---------------------------------------------------------------- seeing them through

    async def _until_well(self) -> None:
        await self._until("the agents", lambda: seen.well(self._server) == self._plan.agents)

    async def _until_whole(self) -> None:
        expected = self._plan.services * self._plan.instances
        await self._until("the services", lambda: seen.instances(self._server) == expected)

    async def _until(self, what: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not await asyncio.to_thread(is_so):
            if time.monotonic() > deadline:
                raise BenchError(f"{what} are not all seen after {_PATIENCE_S:.0f} s")
            await asyncio.sleep(_POLL_S)


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _median(sorted_values: Sequence[float]) -> float:
    return sorted_values[len(sorted_values) // 2]


def _cells(phase: _Phase) -> tuple[str, ...]:
    return (
        phase.title,
        f"{phase.seconds:.1f} s",
        f"{phase.server_share:.0%}",
        f"{phase.server_mb:.0f} MB",
        f"{phase.own_share:.0%}",
        phase.remark,
    )


async def _measure(server: Server, plan: _Plan) -> list[_Phase]:
    scale = _Scale(server, plan)
    try:
        await scale.run()
    finally:
        await scale.close()
    return scale.phases


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    add = parser.add_argument
    add("--agents", type=int, default=1000)
    add("--services", type=int, default=10_000)
    add("--instances", type=int, default=3, help="of each service")
    add("--rest", type=float, default=_REST_S, metavar="SECONDS", help="time without work")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # What the agents say of links that break is what is to happen.
    logging.disable(logging.WARNING)
    plan = _Plan(options.agents, options.services, options.instances, options.rest)
    disturbance = Disturbance()
    try:
        with tempfile.TemporaryDirectory(prefix="fairlead-scale-") as name:
            folder = Path(name)
            facts = describe(folder)
            fairlead = peers.fairlead()
            with fairlead.server(Mode.DURABLE, folder / "server", with_dns=True) as server:
                phases = uvloop.run(_measure(server, plan))
            with fairlead.server(Mode.MEMORY, folder / "leaving", with_dns=True) as server:
                departures = uvloop.run(leaving.measure(server))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    facts["used by others meanwhile"] = f"{disturbance.share():.0%} of the processors"
    print(header(facts), end="\n\n")
    for rows in ([_TITLES, *map(_cells, phases)], departures.rows()):
        print(lined_up(rows, markdown=options.markdown), end="\n\n")
    return 0 if departures.are_in_time else 1


if __name__ == "__main__":
    sys.exit(main())
