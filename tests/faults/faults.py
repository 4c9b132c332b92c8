"""What goes wrong in a run: the kinds of fault, and when which of them strikes whom.

To add a kind write a class with `strike` and `heal`, and a row in `KINDS`.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.faults.places import Cables
from tests.faults.servers import Server, Whom

__all__ = ["KINDS", "Fault", "Storm", "possible"]

_GAP_S = (0.5, 4.0)
_AT_ONCE = 2


@dataclass
class Fault:
    """One that strikes `victim`; `other` is another server, `clients` whether they are cut too."""

    victim: Server
    other: Server
    cables: Cables | None
    clients: bool

    seconds = (2.0, 12.0)

    def strike(self) -> None:
        raise NotImplementedError

    def heal(self) -> None:
        raise NotImplementedError


class Kill(Fault):
    """kill -9 of the server's process; what it has started may live on. Started again later."""

    seconds = (0.1, 5.0)
    all_of_it = False

    def strike(self) -> None:
        self.victim.kill(all_of_it=self.all_of_it)

    def heal(self) -> None:
        self.victim.start()


class Crash(Kill):
    """kill -9 of all there is on its machine."""

    all_of_it = True


class Pause(Fault):
    """SIGSTOP of the server's process: it goes on later as if no time had passed."""

    seconds = (1.0, 10.0)
    whom = Whom.SERVER

    def strike(self) -> None:
        self.victim.signal(signal.SIGSTOP, self.whom)

    def heal(self) -> None:
        self.victim.signal(signal.SIGCONT, self.whom)


class Freeze(Pause):
    """SIGSTOP of all there is on its machine."""

    whom = Whom.ALL


class Stall(Pause):
    """SIGSTOP of its etcd: what was sent to it is carried out later."""

    whom = Whom.ETCD


class Orphan(Fault):
    """kill -9 of its etcd, which whoever runs it starts again."""

    seconds = (1.0, 5.0)

    def strike(self) -> None:
        self.victim.signal(signal.SIGKILL, Whom.ETCD)

    def heal(self) -> None:
        pass


class Partition(Fault):
    """Packets vanish between pairs, in the directions that `pairs` says."""

    _cut: Sequence[tuple[int, int]] = ()

    def pairs(self) -> list[tuple[int, int]]:
        raise NotImplementedError

    def strike(self) -> None:
        assert self.cables is not None
        self._cut = self.pairs()
        for sender, receiver in self._cut:
            self.cables.cut(sender, receiver)

    def heal(self) -> None:
        assert self.cables is not None
        for sender, receiver in self._cut:
            self.cables.mend(sender, receiver)

    def _others(self) -> list[int]:
        assert self.cables is not None
        count = self.cables.clients + (1 if self.clients else 0)
        return [number for number in range(count) if number != self.victim.number]


class Cut(Partition):
    """One server and all others do not hear each other; at times clients neither."""

    def pairs(self) -> list[tuple[int, int]]:
        own = self.victim.number
        return [pair for other in self._others() for pair in ((own, other), (other, own))]


class Half(Partition):
    """Two servers do not hear each other; the third hears both."""

    def pairs(self) -> list[tuple[int, int]]:
        one, two = self.victim.number, self.other.number
        return [(one, two), (two, one)]


class OneWay(Partition):
    """One server is not heard, or does not hear; the other direction works."""

    def pairs(self) -> list[tuple[int, int]]:
        own = self.victim.number
        if self.other.number % 2:
            return [(own, other) for other in self._others()]
        return [(other, own) for other in self._others()]


class Slow(Fault):
    """Its cable is a bad one."""

    def strike(self) -> None:
        assert self.cables is not None
        self.cables.slow(self.victim.number)

    def heal(self) -> None:
        assert self.cables is not None
        self.cables.fast(self.victim.number)


class Disk(Fault):
    """Not a byte is free where it keeps its data."""

    seconds = (3.0, 10.0)

    def strike(self) -> None:
        self.victim.disk.fill()

    def heal(self) -> None:
        self.victim.disk.free()


KINDS: dict[str, type[Fault]] = {
    "kill": Kill,
    "crash": Crash,
    "pause": Pause,
    "freeze": Freeze,
    "stall": Stall,
    "orphan": Orphan,
    "cut": Cut,
    "half": Half,
    "one-way": OneWay,
    "slow": Slow,
    "disk": Disk,
}


def possible(servers: Sequence[Server], cables: Cables | None) -> dict[str, str]:
    """For each kind why it cannot be had here; empty when it can."""
    reasons = dict.fromkeys(KINDS, "")
    for name in ("cut", "half", "one-way", "slow"):
        if cables is None:
            reasons[name] = "needs network namespaces"
        elif len(servers) < 2:
            reasons[name] = "needs several servers"
    if not all(server.has_etcd for server in servers):
        reasons["stall"] = reasons["orphan"] = "these servers have no etcd"
    disk = next((server.disk.why_not for server in servers if server.disk.why_not), "")
    reasons["disk"] = disk
    return reasons


class Storm:
    """Faults one after the other, now and then two at once, each on another server."""

    def __init__(
        self,
        servers: Sequence[Server],
        cables: Cables | None,
        kinds: Sequence[str],
        seed: str,
        leader: Callable[[], str],
    ) -> None:
        self.struck: Counter[str] = Counter()
        self.diary: list[str] = []
        self._servers = list(servers)
        self._cables = cables
        self._kinds = list(kinds)
        self._bag: list[str] = []
        self._chance = random.Random(f"{seed} faults")
        self._leader = leader
        self._active: list[tuple[float, str, Fault]] = []

    def rage(self, seconds: float, now: Callable[[], float]) -> None:
        """Strike and heal for so long, then heal all."""
        until = time.monotonic() + seconds
        next_strike = time.monotonic() + self._chance.uniform(*_GAP_S)
        while time.monotonic() < until:
            moment = time.monotonic()
            for entry in [one for one in self._active if one[0] <= moment]:
                self._heal(entry, now())
            if moment >= next_strike and self._kinds and len(self._active) < _AT_ONCE:
                self._strike(until, now())
                # One that strikes on top of another comes soon, or a good while after it.
                both = self._chance.random() < 0.3
                wait = self._chance.uniform(*_GAP_S)
                ends = max((one[0] for one in self._active), default=moment)
                next_strike = moment + wait if both else max(ends, moment) + wait
            for server in self._servers:
                server.watch()
            time.sleep(0.05)
        for entry in list(self._active):
            self._heal(entry, now())

    def _strike(self, until: float, now: float) -> None:
        busy = {fault.victim.name for _, _, fault in self._active}
        free = [server for server in self._servers if server.name not in busy and server.wanted]
        if not free:
            return
        if not self._bag:
            self._bag = self._chance.sample(self._kinds, len(self._kinds))
        name = self._bag.pop()
        leads = self._leader()
        aimed = [server for server in free if server.http.split(":")[0] == leads.split(":")[0]]
        victim = self._chance.choice(aimed if aimed and self._chance.random() < 0.6 else free)
        others = [server for server in self._servers if server is not victim]
        other = self._chance.choice(others or [victim])
        clients = self._chance.random() < 0.3
        fault = KINDS[name](victim, other, self._cables, clients)
        fault.strike()
        self.struck[name] += 1
        # Short ones are more frequent: leases and elections take seconds, and what heals while
        # they are under way finds most.
        shortest, longest = fault.seconds
        seconds = shortest + (longest - shortest) * self._chance.random() ** 2
        ends = min(time.monotonic() + seconds, until)
        self._active.append((ends, name, fault))
        role = "leader" if victim in aimed else "follower"
        self.diary.append(f"{now:9.4f} {name} {victim.name} ({role}) other={other.name}")

    def _heal(self, entry: tuple[float, str, Fault], now: float) -> None:
        self._active.remove(entry)
        _, name, fault = entry
        fault.heal()
        self.diary.append(f"{now:9.4f} {name} {fault.victim.name} healed")
