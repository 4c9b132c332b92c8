"""Agreement on one cluster: whatever is lost, late or restarted, there are never two."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from fairlead.agent.etcd.agreement import Agreement
from fairlead.agent.etcd.peers import (
    AGREED,
    GATHERING,
    PROMISED,
    Peer,
    Plan,
    View,
    initial_cluster,
    mismatch,
)


class Machine:
    """A server with its disk; `others` hears who it can reach."""

    def __init__(self, number: int, expect: int, ids: Callable[[], str]) -> None:
        self.number = number
        self.expect = expect
        self.ids = ids
        self.disk: tuple[str, Plan | None] = (GATHERING, None)
        self.node_id = f"{number}"
        self.agreed: list[Plan] = []
        self.start()

    def start(self) -> None:
        """With what is on its disk."""
        peer = Peer(
            self.node_id, f"s{self.number}", f"10.0.0.{self.number}:8300", f"http://{self.number}"
        )
        stage, plan = self.disk
        self.seq = 0
        view = View(self.ids(), 0, peer, "dc1", self.expect, "none", stage, plan)
        self.part = Agreement(view, self._keep)

    def _keep(self, stage: str, plan: Plan | None) -> None:
        self.disk = (stage, plan)
        if stage == AGREED and plan is not None:
            self.agreed.append(plan)

    def lose_disk(self) -> None:
        self.disk = (GATHERING, None)
        self.node_id = f"{self.number}-{self.ids()}"
        self.start()

    def said(self) -> View:
        self.seq += 1
        return structs.replace(self.part.view, seq=self.seq)

    def round(self, reached: list[Machine]) -> None:
        """Ask everybody who can be reached, as `Gathering` does."""
        if self.part.is_agreed:
            return
        views = []
        for other in reached:
            other.part.hear(self.said())
            views.append(other.said())
        for view in views:
            self.part.hear(view)
        if self.part.view.stage in (GATHERING, PROMISED):
            self.part.turn(views, self.ids)


def machines(count: int, expect: int) -> list[Machine]:
    numbers = itertools.count(1)
    return [Machine(number, expect, lambda: f"id{next(numbers)}") for number in range(1, count + 1)]


def others(all_: list[Machine], one: Machine) -> list[Machine]:
    return [machine for machine in all_ if machine is not one]


def rounds(all_: list[Machine], count: int = 6) -> None:
    for _ in range(count):
        for machine in all_:
            machine.round(others(all_, machine))


def plans(all_: list[Machine]) -> set[str]:
    return {plan.id for machine in all_ for plan in machine.agreed}


def test_three_agree_on_one_plan() -> None:
    three = machines(3, 3)
    rounds(three)
    assert all(machine.part.is_agreed for machine in three)
    assert len(plans(three)) == 1


def test_two_of_three_agree_on_nothing() -> None:
    three = machines(3, 3)
    rounds(three[:2])
    assert plans(three) == set()


def test_of_four_the_three_lowest_form_it() -> None:
    four = machines(4, 3)
    rounds(four)
    assert [machine.part.is_agreed for machine in four] == [True, True, True, False]


def test_a_proposer_that_restarts_half_way_goes_on() -> None:
    one, two, three = machines(3, 3)
    one.round([two, three])
    two.part.hear(one.said())
    one.start()
    assert one.part.view.stage == two.part.view.stage == PROMISED
    rounds([one, two, three])
    assert len(plans([one, two, three])) == 1


def test_a_proposer_that_lost_its_disk_frees_those_who_promised() -> None:
    one, two, three = machines(3, 3)
    one.round([two, three])
    two.part.hear(one.said())
    three.part.hear(one.said())
    one.lose_disk()
    rounds([one, two, three])
    assert len(plans([one, two, three])) == 1
    assert all(machine.part.is_agreed for machine in (one, two, three))


def test_whoever_has_not_heard_the_end_hears_it_from_another_member() -> None:
    one, two, three = machines(3, 3)
    one.round([two, three])
    one.round([two, three])
    assert one.part.is_agreed
    two.part.hear(one.said())
    three.round([two])
    assert three.part.is_agreed


STEPS = st.lists(
    st.tuples(st.sampled_from("rrrrrrrsl"), st.integers(0, 4), st.integers(0, 31)),
    min_size=5,
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(3, 5))
def test_there_are_never_two_clusters(steps: list[tuple[str, int, int]], count: int) -> None:
    """Rounds that reach some, restarts, and one lost disk, in any order."""
    all_ = machines(count, 3)
    is_whole = True
    for kind, number, mask in steps:
        machine = all_[number % count]
        if kind == "r":
            machine.round([m for m in others(all_, machine) if mask >> m.number - 1 & 1])
        elif kind == "s":
            machine.start()
        elif is_whole and not machine.part.is_agreed:
            # The word of who has agreed may be all that is left of a cluster.
            machine.lose_disk()
            is_whole = False
    if is_whole or count < 5:
        assert len(plans(all_)) <= 1
    rounds(all_, 8)
    assert len(plans(all_)) == 1


def view(**more: object) -> View:
    peer = Peer("id", "s1", "10.0.0.1:8300", "https://10.0.0.1:8303")
    return structs.replace(View("run", 1, peer, "dc1", 3, "encrypt", GATHERING), **more)


OTHER = Peer("id2", "s2", "10.0.0.2:8300", "https://10.0.0.2:8303")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, ""),
        ({"datacenter": "dc2"}, 'datacenter is "dc1" here and "dc2" on s2 (10.0.0.2:8300)'),
        ({"expect": 5}, "bootstrap_expect is 3 here and 5 on s2 (10.0.0.2:8300)"),
        ({"expect": 5, "stage": "running"}, ""),
        ({"trust": "none"}, "certificates between the servers: encrypt here, none on s2"),
        ({"peer": structs.replace(OTHER, id="id")}, "the node id id is this server's and that of"),
        ({"peer": structs.replace(OTHER, name="S1")}, 'the name "s1" is this server\'s'),
        (
            {"peer": structs.replace(OTHER, url="https://10.0.0.1:8303"), "stage": "running"},
            "this server and s2 both say they are at 10.0.0.1:8300; give each its own address",
        ),
        (
            {"peer": Peer("id2", "s2", "127.0.0.1:8300", "https://127.0.0.1:8303")},
            "s2 says it is at 127.0.0.1:8300, out of others' reach; give each its own address",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_both_values(more: dict[str, object], why: str) -> None:
    text = mismatch(view(), view(**{"peer": OTHER, **more}))
    assert text.startswith(why)
    assert bool(text) == bool(why)


def test_the_members_of_a_plan_as_etcd_is_given_them() -> None:
    assert initial_cluster([OTHER]) == "s2=https://10.0.0.2:8303"
