"""`fairlead.core.vivaldi`."""

from __future__ import annotations

import random

import pytest

from fairlead.core.coordinates import DIMENSIONS, distance_s
from fairlead.core.rows import Position
from fairlead.core.vivaldi import ORIGIN, Vivaldi, is_valid

NAN = float("nan")


def direction(chance: random.Random) -> list[float]:
    return [chance.uniform(-1, 1) for _ in range(DIMENSIONS)]


def settled(rtts: dict[tuple[int, int], float], nodes: int, rounds: int) -> list[Vivaldi]:
    """Nodes that measured each other that often."""
    chance = random.Random(1)
    found = [Vivaldi() for _ in range(nodes)]
    pairs = list(rtts)
    for _ in range(rounds):
        a, b = chance.choice(pairs)
        here, there = (a, b) if chance.random() < 0.5 else (b, a)
        found[here].update(str(there), found[there].position, rtts[a, b], direction(chance))
    return found


def test_distances_come_to_estimate_the_round_trips_of_a_line() -> None:
    rtts = {(a, b): 0.01 * (b - a) for a in range(6) for b in range(a + 1, 6)}
    found = settled(rtts, 6, 20_000)
    for (a, b), rtt in rtts.items():
        estimate = distance_s(found[a].position, found[b].position)
        assert abs(estimate - rtt) < 0.3 * rtt


def test_agents_that_measure_one_server_only_learn_how_far_it_is() -> None:
    rtts = {(0, number): 0.001 * number for number in range(1, 10)}
    found = settled(rtts, 10, 20_000)
    far = [distance_s(found[0].position, agent.position) for agent in found[1:]]
    assert far == sorted(far)
    assert all(abs(far[n - 1] - 0.001 * n) < 0.0006 * n for n in range(1, 10))


def test_one_slow_answer_moves_little() -> None:
    chance = random.Random(1)
    server = Position([0.0] * DIMENSIONS, 0.1, 0.0, 0.0001)
    steady = Vivaldi()
    for _ in range(200):
        steady.update("s", server, 0.010, direction(chance))
    before = distance_s(steady.position, server)
    steady.update("s", server, 1.0, direction(chance))
    assert abs(distance_s(steady.position, server) - before) < 0.001


@pytest.mark.parametrize(
    ("other", "rtt"),
    [
        (Position([NAN] * DIMENSIONS, 1.0, 0.0, 0.1), 0.01),
        (Position([0.0] * 3, 1.0, 0.0, 0.1), 0.01),
        (Position([0.0] * DIMENSIONS, float("inf"), 0.0, 0.1), 0.01),
        (ORIGIN, -1.0),
        (ORIGIN, 11.0),
        (ORIGIN, NAN),
    ],
)
def test_nonsense_moves_nothing(other: Position, rtt: float) -> None:
    node = Vivaldi()
    node.update("s", other, rtt, [1.0] * DIMENSIONS)
    assert node.position == ORIGIN


@pytest.mark.parametrize("rtt", [0.0, 1e-12, 1e-6, 9.99])
def test_extreme_round_trips_leave_a_valid_position(rtt: float) -> None:
    node = Vivaldi()
    for _ in range(1000):
        node.update("s", ORIGIN, rtt, [0.0] * DIMENSIONS)
        assert is_valid(node.position)
        assert node.position.height > 0
