"""Who belongs to the cluster and who is alive, decided by the server that keeps the state.

An agent that was heard of in time is alive; one that was not has failed: its
`serfHealth` turns critical, which ends its sessions and takes its services out
of the answers. One that leaves is out of the catalog at once. Those that failed
or left are forgotten after a while.

Rule: a heartbeat writes nothing; only what it changes about a member does.
"""

from __future__ import annotations

import asyncio
import logging

from msgspec import structs

from fairlead.clock import Clock
from fairlead.core import heartbeats
from fairlead.core.commands import (
    CatalogDeregister,
    CatalogRegister,
    Command,
    MemberRemove,
    MemberSet,
)
from fairlead.core.keys import check_key, node_key
from fairlead.core.members import ALIVE, FAILED, LEFT
from fairlead.core.rows import CheckRow, MemberRow, NodeRow
from fairlead.core.state import State
from fairlead.durations import SECOND_NS
from fairlead.errors import FairleadError, InvalidError
from fairlead.store import Store

__all__ = ["Membership", "health", "is_whole"]

log = logging.getLogger("agent.cluster")

_SERF_HEALTH = "serfHealth"
_PASSING = "passing"
_TICK_S = 0.25
# After its link broke, an agent that lives has this long to come back.
BROKEN_S = 3.0
# After the server's start, for agents wait up to 5 s between two tries.
START_S = 15.0
# As Serf's tombstones: one that left is remembered for a day.
_LEFT_NS = 24 * 3600 * SECOND_NS
# The loop came this late: it is the server that was not listening.
_LATE_S = 1.0


class Membership:
    """The members that this server hears of; itself is none of them."""

    def __init__(
        self, store: Store, clock: Clock, own_name: str, reconnect_timeout_ns: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._own_key = node_key(own_name)
        self._reconnect_timeout_ns = reconnect_timeout_ns
        # until when each living one must be heard of, and since when the others are not alive
        self._deadlines: dict[str, int] = {}
        self._gone: dict[str, int] = {}

    def load(self) -> None:
        """Begin with the members there are; each gets the time to find this server again.

        So does a node that once was an agent's and has no member: a snapshot may hold some.
        """
        self._deadlines.clear()
        self._gone.clear()
        now = self._clock.monotonic_ns()
        soon = now + int(START_S * SECOND_NS)
        state = self._store.state
        for key, member in state.members.rows.items():
            if key == self._own_key:
                # Other servers keep a row of this one; it need not hear of itself.
                continue
            if member.status == ALIVE:
                self._deadlines[key] = soon
            else:
                self._gone[key] = now
        for key in state.nodes.rows:
            is_agent = check_key(key, _SERF_HEALTH) in state.checks.rows
            if is_agent and key not in state.members.rows and key != self._own_key:
                self._deadlines[key] = soon

    @property
    def alive(self) -> int:
        return len(self._deadlines)

    @property
    def interval_s(self) -> float:
        """How often agents are to be heard of now."""
        return heartbeats.interval_s(self.alive)

    # ---------------------------------------------------------------- what links report

    async def join(self, node: NodeRow, member: MemberRow) -> None:
        """An agent is there, for the first time or again.

        Raises:
            FairleadError: the catalog does not take its node.
        """
        await self._write(CatalogRegister(node, [health(alive=True)], now_ns=self._clock.now_ns()))
        key = node_key(member.name)
        old = self._store.state.members.rows.get(key)
        await self._write(MemberSet(member))
        self._gone.pop(key, None)
        self.beat(key)
        if old is None or old.status != ALIVE:
            log.info("member joined: node=%s address=%s", member.name, member.addr)

    def beat(self, key: str) -> None:
        """It was heard of."""
        silence = heartbeats.silence_s(self.interval_s)
        self._deadlines[key] = self._clock.monotonic_ns() + int(silence * SECOND_NS)

    def is_whole(self, key: str) -> bool:
        """Whether the tables say that this member lives: somebody may have removed it."""
        return is_whole(self._store.state, key)

    def broke(self, key: str) -> None:
        """Its link broke: it comes back soon, or not at all."""
        deadline = self._deadlines.get(key)
        if deadline is not None:
            soon = self._clock.monotonic_ns() + int(BROKEN_S * SECOND_NS)
            self._deadlines[key] = min(deadline, soon)

    async def leave(self, name: str) -> None:
        """It says that it goes: it is out of the catalog at once."""
        key = node_key(name)
        self._deadlines.pop(key, None)
        self._gone[key] = self._clock.monotonic_ns()
        await self._write(*self._departure(key, name))
        log.info("member left: node=%s", name)

    # ---------------------------------------------------------------- what people ask for

    async def force_leave(self, name: str, *, prune: bool) -> None:
        """Count a member as left, or forget it. One that lives comes back with its next beat.

        Raises:
            InvalidError: there is none of that name.
        """
        key = node_key(name)
        member = self._store.state.members.rows.get(key)
        if member is None:
            raise InvalidError(f"agent: No node found with name '{name}'")
        await self.leave(member.name)
        if prune:
            self._gone.pop(key, None)
            await self._write(MemberRemove(member.name))

    # ---------------------------------------------------------------- the passing of time

    async def tick(self) -> None:
        """Mark those that were not heard of in time, and forget those gone for long."""
        now = self._clock.monotonic_ns()
        failed = [key for key, deadline in self._deadlines.items() if deadline <= now]
        for key in failed:
            del self._deadlines[key]
            self._gone[key] = now
        commands: list[Command] = [command for key in failed for command in self._failure(key)]
        for key in [key for key, since in self._gone.items() if self._is_past(key, now - since)]:
            del self._gone[key]
            commands += self._reaping(key)
        if not commands:
            return
        try:
            await self._write(*commands)
        except FairleadError:
            # It is as it was: the next tick sees to it.
            for key in failed:
                self._gone.pop(key, None)
                self._deadlines.setdefault(key, now)
            raise

    async def run(self) -> None:
        """Tick; time in which this process did not run is nobody's silence."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK_S
            await asyncio.sleep(_TICK_S)
            late_s = loop.time() - due
            if late_s > _LATE_S:
                log.warning("this agent was not running for a while: seconds=%.1f", late_s)
                self.excuse(late_s)
            await self.tick()

    def excuse(self, seconds: float) -> None:
        """Give everybody that much longer."""
        for key in self._deadlines:
            self._deadlines[key] += int(seconds * SECOND_NS)

    # ---------------------------------------------------------------- commands

    def _failure(self, key: str) -> list[Command]:
        state = self._store.state
        now_ns = self._clock.now_ns()
        member, node = state.members.rows.get(key), state.nodes.rows.get(key)
        if member is None:
            return [] if node is None else [CatalogDeregister(node.node, now_ns=now_ns)]
        commands: list[Command] = []
        if member.status == ALIVE:
            log.warning("member failed: node=%s address=%s", member.name, member.addr)
            commands.append(MemberSet(structs.replace(member, status=FAILED)))
        if node is not None:
            checks = [health(alive=False)]
            commands.append(CatalogRegister(node, checks, skip_node_update=True, now_ns=now_ns))
        return commands

    def _departure(self, key: str, name: str) -> list[Command]:
        member = self._store.state.members.rows.get(key)
        commands: list[Command] = [CatalogDeregister(name, now_ns=self._clock.now_ns())]
        if member is not None:
            commands.append(MemberSet(structs.replace(member, status=LEFT)))
        return commands

    def _is_past(self, key: str, age_ns: int) -> bool:
        member = self._store.state.members.rows.get(key)
        if member is None:
            return True
        limit_ns = self._reconnect_timeout_ns if member.status == FAILED else _LEFT_NS
        return age_ns >= limit_ns

    def _reaping(self, key: str) -> list[Command]:
        member = self._store.state.members.rows.get(key)
        if member is None:
            return []
        log.info("member forgotten: node=%s", member.name)
        now_ns = self._clock.now_ns()
        commands: list[Command] = [MemberRemove(member.name)]
        if member.status == FAILED:
            commands.append(CatalogDeregister(member.name, now_ns=now_ns))
        return commands

    async def _write(self, *commands: Command) -> None:
        """All are under way before the first is waited for: they make one batch."""
        pending = [self._store.submit(command) for command in commands]
        answers = await asyncio.gather(*pending, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, FairleadError):
                raise answer


def is_whole(state: State, key: str) -> bool:
    """Whether the tables say that this member lives."""
    member = state.members.rows.get(key)
    check = state.checks.rows.get(check_key(key, _SERF_HEALTH))
    return (
        member is not None
        and member.status == ALIVE
        and check is not None
        and check.status == _PASSING
    )


def health(*, alive: bool) -> CheckRow:
    """`serfHealth`, in Serf's words."""
    return CheckRow(
        node="",
        check_id=_SERF_HEALTH,
        name="Serf Health Status",
        status=_PASSING if alive else "critical",
        output="Agent alive and reachable" if alive else "Agent not live or unreachable",
    )
