"""Which servers form the first cluster: one list, agreed on by all of them, or none.

1. The server with the lowest id of all it hears, once it hears as many as are
   expected, proposes a *plan*: the list, under an id of its own.
2. Each in it that has promised nothing keeps the plan on disk and *promises* it.
3. When the proposer has heard the promise of every one, it keeps that they have
   *agreed*, and says so; the others hear it from whoever has agreed.

Only who has agreed starts its etcd. Two lists of which some server is in both
can never both be agreed on, for it promises one only. Only the proposer can
conclude that all have promised; so it may drop a plan it has not concluded, and
whoever promised to it is free as soon as it says that it has another or none.
Should it be lost with its disk, the server in its place says so by a new id; a
member is then free unless one of the others has agreed.

Rule: pure; what is decided is kept (`keep`) before anybody hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec import structs

from fairlead.agent.etcd.peers import AGREED, GATHERING, PROMISED, RUNNING, Plan, View

__all__ = ["Agreement", "Keep"]

Keep = Callable[[str, Plan | None], None]


class Agreement:
    """One server's part. `view` is what it says; `stage` and `plan` in it change here alone."""

    def __init__(self, view: View, keep: Keep) -> None:
        self.view = view
        self._keep = keep
        self._heard: dict[str, tuple[str, int]] = {}

    @property
    def is_agreed(self) -> bool:
        return self.view.stage == AGREED

    def hear(self, other: View) -> None:
        """What another server says of itself; it fits, and comes from who knows the secret."""
        run, seq = self._heard.get(other.peer.id, ("", 0))
        if other.run == run and other.seq <= seq:
            # Overtaken on its way.
            return
        self._heard[other.peer.id] = (other.run, other.seq)
        own, plan = self.view, self.view.plan
        if own.stage == PROMISED and plan is not None:
            is_same = other.plan is not None and other.plan.id == plan.id
            if is_same and other.stage in (AGREED, RUNNING):
                self._settle(AGREED, plan)
            elif plan.proposer == other.peer.id and not is_same:
                self._settle(GATHERING, None)
        if self.view.stage == GATHERING and self._is_to_be_promised(other):
            self._settle(PROMISED, other.plan)

    def _is_to_be_promised(self, other: View) -> bool:
        plan = other.plan
        return (
            plan is not None
            and other.stage == PROMISED
            and plan.proposer == other.peer.id
            and self.view.peer in plan.members
            and len(plan.members) == self.view.expect
        )

    def turn(self, others: Collection[View], new_id: Callable[[], str]) -> None:
        """After a round in which every known server was told this view and asked for its own.

        `others` are the answers, those that fit; who did not answer is not in it.
        """
        own = self.view
        if own.stage == PROMISED and own.plan is not None:
            if own.plan.proposer == own.peer.id:
                self._conclude_or_drop(own.plan, others)
            elif _is_lost(own.plan, own, others):
                self._settle(GATHERING, None)
        elif own.stage == GATHERING:
            self._propose(others, new_id)

    def _conclude_or_drop(self, plan: Plan, others: Collection[View]) -> None:
        own = self.view.peer
        views = {view.peer.id: view for view in others}
        found = [views.get(peer.id) for peer in plan.members if peer != own]
        if own in plan.members and all(view and _has_promised(view, plan) for view in found):
            self._settle(AGREED, plan)
        elif not all(view and view.peer in plan.members for view in found) or self._yields(others):
            # Whoever is missing may be lost.
            self._settle(GATHERING, None)

    def _propose(self, others: Collection[View], new_id: Callable[[], str]) -> None:
        own = self.view.peer
        if self._yields(others):
            return
        free = [view.peer for view in others if view.stage == GATHERING]
        members = {own.name.lower(): own}
        for peer in sorted(free, key=lambda peer: peer.id):
            members.setdefault(peer.name.lower(), peer)
        chosen = list(members.values())[: self.view.expect]
        if len(chosen) == self.view.expect:
            self._settle(PROMISED, Plan(new_id(), own.id, chosen))

    def _yields(self, others: Collection[View]) -> bool:
        """Whether another is to propose, or a cluster is there to be joined."""
        own = self.view.peer.id
        return any(view.stage in (AGREED, RUNNING) or view.peer.id < own for view in others)

    def _settle(self, stage: str, plan: Plan | None) -> None:
        self._keep(stage, plan)
        self.view = structs.replace(self.view, stage=stage, plan=plan)


def _has_promised(view: View, plan: Plan) -> bool:
    is_same = view.plan is not None and view.plan.id == plan.id
    return is_same and view.stage == PROMISED and view.peer in plan.members


def _is_lost(plan: Plan, own: View, others: Collection[View]) -> bool:
    """Whether the proposer's disk is lost, and no other member has agreed."""
    views = {view.peer.address: view for view in others}
    for peer in plan.members:
        view = views.get(peer.address)
        if peer.id == own.peer.id:
            continue
        if view is None or (view.plan is not None and view.stage in (AGREED, RUNNING)):
            return False
        if peer.id == plan.proposer and view.peer.id == peer.id:
            return False
    return True
