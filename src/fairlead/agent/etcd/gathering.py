"""Looking for the other servers until a plan is agreed on, or a cluster takes this one in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from msgspec import structs

from fairlead.agent.cluster.addresses import JoinError, split_address
from fairlead.agent.etcd.agreement import Agreement, Keep
from fairlead.agent.etcd.peers import (
    AGREED,
    GATHERING,
    JOINING,
    PROMISED,
    RUNNING,
    Plan,
    View,
    mismatch,
)
from fairlead.agent.etcd.progress import Progress
from fairlead.agent.etcd.questions import ask
from fairlead.clock import Clock

__all__ = ["Gathering"]

log = logging.getLogger("agent.etcd")

_ROUND_S = 1.0


class Gathering:
    """One server's search. Others that ask are given `heard`'s answer meanwhile."""

    def __init__(
        self, view: View, keep: Keep, key: bytes, joined: Iterable[str], port: int, clock: Clock
    ) -> None:
        self._agreement = Agreement(view, keep)
        self._keep = keep
        self._key = key
        self._joined = list(joined)
        self._port = port
        self._clock = clock
        self._seq = 0
        self._known: set[str] = set()
        self._own = {view.peer.address}
        self._progress = Progress()

    @property
    def _view(self) -> View:
        return self._agreement.view

    def said(self) -> View:
        """What this server says of itself."""
        self._seq += 1
        return structs.replace(self._view, seq=self._seq, known=sorted(self._known))

    def heard(self, other: View) -> View:
        """Another server says how it sees things; what to answer."""
        if other.run != self._view.run and self._fits(other):
            # Nobody but who asks may name this server, and it may be the one to propose.
            self._known |= {other.peer.address, *other.known} - self._own
            self._agreement.hear(other)
        return self.said()

    async def run(self) -> Plan:
        """The plan by which to start etcd; it is kept.

        Raises:
            SettingsError: the disk does not take it.
        """
        while self._view.stage in (GATHERING, PROMISED):
            before = self._view
            others = [view for view in await self._round() if self._fits(view)]
            for view in others:
                self._agreement.hear(view)
            if self._view.stage == GATHERING:
                for view in others:
                    if view.stage == RUNNING and await self._is_taken_in(view):
                        break
            if self._view.stage in (GATHERING, PROMISED):
                self._agreement.turn(others, self._clock.new_id)
                self._tell(others)
            if self._view is before:
                await asyncio.sleep(_ROUND_S / 2 + self._clock.jitter(_ROUND_S / 2))
        assert self._view.plan is not None, "it is agreed on"
        if self._view.stage == AGREED:
            names = ", ".join(peer.name for peer in self._view.plan.members)
            log.info("all servers are found: members=%s", names)
            # Who waits for it need not wait for its next round.
            await self._round()
        return self._view.plan

    # ---------------------------------------------------------------- one round

    async def _round(self) -> list[View]:
        """Tell everybody at once; the answers of others, one of each server."""
        plan = self._view.plan
        members = [peer.address for peer in plan.members] if plan is not None else []
        addresses = {*self._joined, *self._known, *members} - self._own
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(address)) for address in sorted(addresses)]
        answers = {}
        for view in (task.result() for task in tasks):
            if view is None:
                continue
            if view.run == self._view.run:
                continue
            self._known |= {view.peer.address, *view.known} - self._own
            answers[view.run] = view
        return list(answers.values())

    async def _ask(self, address: str) -> View | None:
        host, port = split_address(address, self._port)
        try:
            view = await ask(host, port, self.said(), self._key)
        except JoinError as error:
            if "refuses" in str(error) or "encrypt" in str(error):
                self._progress.error(
                    f"{self._view.peer.name} cannot gather with {address}: {error}"
                )
            else:
                log.debug("no answer: address=%s why=%s", address, error)
            return None
        if view.run == self._view.run:
            # One of the names of this server itself: it need not be asked again.
            self._own.add(address)
        return view

    def _fits(self, other: View) -> bool:
        why = mismatch(self._view, other)
        if why:
            self._progress.error(f"this server and {other.peer.name} cannot form a cluster: {why}")
        return not why

    async def _is_taken_in(self, member: View) -> bool:
        """Ask a server of a cluster that runs; it says who the members are, with this one,
        or what has to happen first.
        """
        host, port = split_address(member.peer.address, self._port)
        wish = structs.replace(self.said(), wants_in=True)
        try:
            answer = await ask(host, port, wish, self._key)
        except JoinError as error:
            self._progress.info(f"waiting to be taken in: {error}")
            return False
        plan = answer.plan
        if answer.note or plan is None:
            self._progress.info(f"waiting to be taken in by {answer.peer.name}: {answer.note}")
            return False
        self._keep(JOINING, plan)
        self._agreement.view = structs.replace(self._view, stage=JOINING, plan=plan)
        log.info("joining the cluster: through=%s members=%d", answer.peer.name, len(plan.members))
        return True

    def _tell(self, others: list[View]) -> None:
        """Where it stands, for whoever waits for it."""
        expect, plan = self._view.expect, self._view.plan
        views = {view.peer.id: view for view in others}
        if self._view.stage == PROMISED and plan is not None:
            silent = [peer.name for peer in plan.members if peer.id not in views]
            silent = [name for name in silent if name != self._view.peer.name]
            if silent:
                self._progress.info(
                    f"waiting for {', '.join(silent)}: promised to form a cluster with "
                    f"{', '.join(peer.name for peer in plan.members)}"
                )
            return
        found = len(views) + 1
        if found < expect:
            answered = {view.peer.address for view in others}
            hosts = {split_address(address, 0)[0] for address in answered}
            missing = [
                address
                for address in self._joined
                if address not in self._own and split_address(address, 0)[0] not in hosts
            ]
            tail = f" (missing {', '.join(missing)})" if missing else ""
            self._progress.info(f"waiting for servers: {found} of {expect} found{tail}")
