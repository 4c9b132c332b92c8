"""What the benchmarks send is what they say they send."""

from __future__ import annotations

from collections import Counter

import pytest
from bench.crowd import crowd
from bench.leaving import Departures
from bench.report import lined_up
from bench.services import registration

from fairlead.http.catalog_bodies import decode_registration


def test_every_service_of_a_crowd_has_its_instances_on_different_agents() -> None:
    members = crowd(10, 40, 3, "127.0.0.1:8300")
    assert {len(member.services) for member in members} == {12}
    assert {len(set(member.services)) for member in members} == {12}
    assert Counter(number for member in members for number in member.services) == dict.fromkeys(
        range(40), 3
    )


def test_the_agents_of_a_crowd_are_different_ones() -> None:
    nodes = [member.node for member in crowd(1000, 1, 1, "127.0.0.1:8300")]
    assert len({node.id for node in nodes}) == 1000
    assert len({node.address for node in nodes}) == 1000


def test_a_registration_is_of_an_instance_with_its_check() -> None:
    body = decode_registration(registration("web", 2, "critical"))
    assert body.service is not None
    assert body.check is not None
    assert (body.service.service, body.service.id) == ("web", "web-2")
    assert (body.check.status, body.check.service_id) == ("critical", "web-2")


@pytest.mark.parametrize(("longest", "in_time"), [(2.0, True), (2.01, False)])
def test_an_instance_may_stay_for_its_interval_and_a_second(longest: float, in_time: bool) -> None:
    departures = Departures({1: [0.4, longest]})
    assert departures.are_in_time is in_time
    assert departures.rows()[1][-1] == ("✓" if in_time else "✗")


def test_figures_stand_to_the_right_and_words_to_the_left() -> None:
    rows = [("phase", "s", "remark"), ("a", "10", "x"), ("longer", "1", "")]
    assert lined_up(rows) == "phase    s  remark\na       10  x\nlonger   1"
    assert lined_up(rows, markdown=True).splitlines()[1] == "| --- | ---: | --- |"
