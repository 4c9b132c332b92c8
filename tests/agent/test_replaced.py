"""Which lost server goes for another one to come in its place."""

from __future__ import annotations

from fairlead.agent.peers import Peer
from fairlead.agent.replaced import replaced, voteless
from fairlead.agent.servers import Server


def peer(name: str, status: str = "alive", *, voter: bool = True, there: bool = True) -> Peer:
    return Peer(Server(f"id-{name}", name, f"{name}:8300", status, False), voter, name, there)


WELL = [peer("s1"), peer("s2"), peer("s4")]
LOST = peer("s3", "failed", there=False)


def test_the_lost_one_goes_and_nobody_when_all_are_well() -> None:
    assert replaced([*WELL, LOST], 0) == LOST
    assert replaced([*WELL, peer("s3", "left", there=False)], 0) is not None
    assert replaced(WELL, 0) is None


def test_one_that_can_still_be_reached_or_is_not_known_stays() -> None:
    assert replaced([*WELL, peer("s3", "failed")], 0) is None
    assert replaced([*WELL, peer("s3", "none", there=False)], 0) is None
    assert replaced([*WELL, peer("s3", "failed", voter=False, there=False)], 0) is None


def test_a_majority_has_to_be_well() -> None:
    assert replaced([peer("s1"), peer("s2"), LOST], 0) == LOST
    assert replaced([peer("s1"), LOST, peer("s2", "failed", there=False)], 0) is None


def test_no_fewer_servers_stay_than_operators_want() -> None:
    assert replaced([peer("s1"), peer("s2"), LOST], 3) == LOST
    assert replaced([peer("s1"), peer("s2"), LOST], 4) is None


def test_those_that_failed_and_have_no_vote_are_forgotten() -> None:
    known = [each.server for each in [*WELL, LOST]]
    assert voteless(known, WELL) == [LOST.server]
    assert voteless(known, [*WELL, LOST]) == []
    # etcd could not be asked.
    assert voteless(known, [Peer(each.server) for each in WELL]) == []
