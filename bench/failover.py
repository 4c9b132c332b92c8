"""The leader is killed: how long no write succeeds, and what else is not answered meanwhile.

Killed is the process and whatever it started. Then every survivor is sent one
write after the other; the first that succeeds ends the clock. From before the
kill until after that, each survivor is asked for a key, ?stale, and for a service
by DNS, every 10 ms. The killed server starts again on its data, and once the
cluster is whole, the next leader is killed.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.figures import Figure, Rounds, at_most, at_most_times
from bench.peers import Peer
from bench.probes import Seen, dns_probe, stale_probe
from bench.rounds import say
from bench.server import Server
from bench.spread import KEY, SERVICE, seed
from bench.suite import Results
from bench.three import FAILURES, Cluster

__all__ = ["NAME", "measure"]

NAME = "fail-over"
# A new cluster after this many kills, so that the peers come in turn.
_KILLS_IN_A_TURN = 5
_PATIENCE_S = 60.0
_RETRY_S = 0.01
# Asked before the kill, and after the first write.
_BEFORE_S, _AFTER_S = 0.2, 0.3
_QUICK: Mapping[str, object] = {"performance": {"raft_multiplier": 1}}
_QUICK_NAME = "raft_multiplier 1"


class _Kill(NamedTuple):
    """What one kill did."""

    seconds: float
    stale: list[Seen]
    dns: list[Seen]


def measure(peers: Sequence[Peer], kills: int, folder: Path, results: Results) -> None:
    """As many kills of each peer, and some of Consul as its makers advise for production.

    A cluster that does not come back is noted, and the next one started.
    """
    variants: list[tuple[str, Peer, Mapping[str, object]]] = [
        (peer.name, peer, {}) for peer in peers
    ]
    variants += [(_QUICK_NAME, peer, _QUICK) for peer in peers if peer.name == "Consul"]
    seen: dict[str, list[_Kill]] = {name: [] for name, _, _ in variants}
    for turn, first in enumerate(range(1, kills + 1, _KILLS_IN_A_TURN)):
        last = min(first + _KILLS_IN_A_TURN - 1, kills)
        # Consul's other setting is there to compare with: one turn of it will do.
        for name, peer, settings in reversed(variants[: len(peers)]) if turn % 2 else variants:
            try:
                with Cluster(peer, folder / f"{name}-{turn}", settings) as cluster:
                    seed(cluster)
                    for number in range(first, last + 1):
                        say(f"{NAME}: {name}, kill {number} of {kills}")
                        seen[name].append(_kill(cluster))
            except FAILURES as error:
                results.failures.append(f"{NAME}, {name}, kills {first} to {last}: {error}")
    if all(seen[peer.name] for peer in peers):
        results.figures += _figures(seen)


def _kill(cluster: Cluster) -> _Kill:
    """Kill the leader, and have it back in the end."""
    leader = cluster.leader()
    survivors = [server for server in cluster.servers if server is not leader]
    stale = [stale_probe(server, KEY) for server in survivors]
    by_dns = [dns_probe(server, SERVICE) for server in survivors]
    with ExitStack() as stack:
        for probe in (*stale, *by_dns):
            stack.enter_context(probe)
        time.sleep(_BEFORE_S)
        killed = time.perf_counter()
        leader.kill()
        seconds = _first_write(survivors) - killed
        time.sleep(_AFTER_S)
    kill = _Kill(seconds, [each.seen() for each in stale], [each.seen() for each in by_dns])
    _say(kill)
    leader.start()
    cluster.wait_until_whole()
    return kill


def _first_write(survivors: Sequence[Server]) -> float:
    """When the first write succeeded, each survivor being sent one after the other.

    Raises:
        BenchError: none did for a minute.
    """
    succeeded: list[float] = []
    is_over = threading.Event()

    def write(server: Server) -> None:
        while not is_over.is_set():
            try:
                answer = server.ask("PUT", "/v1/kv/bench/again", server.host.encode())
            except (OSError, http.client.HTTPException):
                pass
            else:
                if answer.status == 200 and answer.body.strip() == b"true":
                    succeeded.append(time.perf_counter())
                    is_over.set()
            is_over.wait(_RETRY_S)

    for each in survivors:
        threading.Thread(target=write, args=(each,), daemon=True).start()
    # A write that another survivor still holds ends by itself.
    if not is_over.wait(_PATIENCE_S):
        is_over.set()
        raise BenchError(f"{survivors[0].name} took no write for {_PATIENCE_S:.0f} s")
    return succeeded[0]


# ---------------------------------------------------------------- the table


def _figures(seen: dict[str, list[_Kill]]) -> list[Figure]:
    quick = seen.pop(_QUICK_NAME, [])
    times = {name: [kill.seconds for kill in kills] for name, kills in seen.items()}
    title = "leader killed: until a write succeeds"
    figures = [Figure(NAME, f"{title}, median", " s", times, at_most_times(1.0))]
    figures += [Figure(f"{NAME}-longest", f"{title}, longest", " s", _worst(times))]
    if quick:
        beside = {**times, "Consul": [kill.seconds for kill in quick]}
        title = f"the same, Consul with {_QUICK_NAME}"
        figures += [
            Figure(f"{NAME}-quick", f"{title}, median", " s", beside),
            Figure(f"{NAME}-quick-longest", f"{title}, longest", " s", _worst(beside)),
        ]
    for kind, what in (("stale", "?stale reads"), ("dns", "DNS questions")):
        found = {
            name: [each for kill in kills for each in getattr(kill, kind)]
            for name, kills in seen.items()
        }
        failed = {name: [float(sum(each.failed for each in all_))] for name, all_ in found.items()}
        gaps = {name: [each.gap_ms for each in all_] for name, all_ in found.items()}
        meanwhile = f"{what} at the survivors meanwhile"
        figures += [
            Figure(f"{NAME}-{kind}-failed", f"{meanwhile}: failed", "", failed, at_most(0)),
            Figure(f"{NAME}-{kind}-gap", f"{meanwhile}: longest gap", " ms", _worst(gaps)),
        ]
    return figures


def _say(kill: _Kill) -> None:
    seen = [*kill.stale, *kill.dns]
    asked, failed = sum(each.asked for each in seen), sum(each.failed for each in seen)
    gap_ms = max(each.gap_ms for each in seen)
    say(
        f"  a write after {kill.seconds:.2f} s; {asked} questions meanwhile, {failed} failed, "
        f"longest gap {gap_ms:.0f} ms"
    )


def _worst(rounds: Rounds) -> Rounds:
    return {name: [max(values)] for name, values in rounds.items()}
