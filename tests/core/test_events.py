"""`fairlead.core.events`, `.members` and `.coordinates`."""

from __future__ import annotations

from fairlead.core.commands import (
    CatalogDeregister,
    CoordinatesUpdate,
    EventFire,
    MemberRemove,
    MemberSet,
)
from fairlead.core.coordinates import read_node_coordinate
from fairlead.core.events import KEPT, event_index, read_events
from fairlead.core.members import ALIVE, FAILED, read_members
from fairlead.core.rows import CoordinateRow, EventRow, MemberRow, Position
from fairlead.core.state import State
from tests.core.deciding import node_rows, run

ID = "00000000-0000-4000-8000-{:012d}"


def test_the_last_256_events_are_kept_in_order() -> None:
    state = State()
    for number in range(KEPT + 10):
        run(state, EventFire(EventRow(ID.format(number), f"e{number}", None)))
    names = [row.name for row in read_events(state, "").value]
    assert names == [f"e{number}" for number in range(10, KEPT + 10)]
    times = [row.l_time for row in read_events(state, "").value]
    assert times == sorted(set(times))


def test_the_index_of_events_is_that_of_the_last_one_shown() -> None:
    state = State()
    assert read_events(state, "").index == 1
    run(state, EventFire(EventRow(ID.format(1), "a", b"x")))
    run(state, EventFire(EventRow(ID.format(2), "b", None)))
    assert read_events(state, "").index == event_index(ID.format(2))
    assert read_events(state, "a").index == event_index(ID.format(1))


def test_an_event_index_is_made_of_the_id_as_consul_makes_it() -> None:
    assert event_index("ece5908c-60b7-795e-8c2a-47ee6911b39b") == (
        0xECE5908C60B7795E ^ 0x8C2A47EE6911B39B
    )


def test_a_member_is_noted_changed_and_forgotten() -> None:
    state = State()
    member = MemberRow("N1", "10.0.0.1", 8301, {"role": "node"}, ALIVE)
    run(state, MemberSet(member))
    index = state.index
    run(state, MemberSet(member))
    assert state.index == index, "noting the same again changes nothing"
    run(state, MemberSet(MemberRow("n1", "10.0.0.1", 8301, {}, FAILED)))
    assert [row.status for row in read_members(state).value] == [FAILED]
    assert run(state, MemberRemove("N1")) is True
    assert run(state, MemberRemove("N1")) is False
    assert read_members(state).value == []


def test_coordinates_are_those_of_nodes_that_are_there_and_go_with_them() -> None:
    state = State()
    run(state, node_rows("n1"))
    coord = Position([0.1] * 8, 1.0, 0.0, 0.001)
    taken = run(state, CoordinatesUpdate([CoordinateRow(name, "", coord) for name in ("n1", "n2")]))
    assert taken == 1
    assert len(read_node_coordinate(state, "N1").value) == 1
    run(state, CatalogDeregister("n1"))
    assert read_node_coordinate(state, "n1").value == []
