"""TTL checks: one that is not refreshed in time turns critical.

Source: `CheckTTL` in `agent/checks/check.go` of Consul 1.8.
"""

from __future__ import annotations

import heapq

from fairlead.clock import Clock

__all__ = ["TTLTimers", "expired_output"]


def expired_output(last: str) -> str:
    """What an expired check says; `last` is what it was told with its last status."""
    if not last:
        return "TTL expired"
    return f"TTL expired (last output before timeout follows): {last}"


class TTLTimers:
    """When each TTL check expires, and what it was told last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ttls: dict[str, int] = {}
        self._deadlines: dict[str, int] = {}
        self._outputs: dict[str, str] = {}
        # One entry a check; one that was refreshed is put back when it comes up.
        self._heap: list[tuple[int, str]] = []
        self._queued: dict[str, int] = {}

    def __contains__(self, check_id: str) -> bool:
        return check_id in self._ttls

    def __len__(self) -> int:
        return len(self._ttls)

    def start(self, check_id: str, ttl_ns: int) -> None:
        """Expect a status within its TTL."""
        self._ttls[check_id] = ttl_ns
        self._outputs.pop(check_id, None)
        self._expect(check_id, ttl_ns)

    def resume(self, check_id: str, left_ns: int, output: str) -> None:
        """Go on where a check stood before a restart."""
        self._outputs[check_id] = output
        self._expect(check_id, left_ns)

    def stop(self, check_id: str) -> None:
        for known in (self._ttls, self._deadlines, self._outputs):
            known.pop(check_id, None)

    def refresh(self, check_id: str, output: str) -> int:
        """Give a check its full time again; how long that is."""
        ttl_ns = self._ttls[check_id]
        self._outputs[check_id] = output
        self._expect(check_id, ttl_ns)
        return ttl_ns

    def expired(self) -> list[tuple[str, str]]:
        """The checks whose time is over, with their output; each is given once."""
        now = self._clock.monotonic_ns()
        found = []
        while self._heap and self._heap[0][0] <= now:
            entry, check_id = heapq.heappop(self._heap)
            if self._queued.get(check_id) != entry:
                continue
            del self._queued[check_id]
            deadline = self._deadlines.get(check_id)
            if deadline is None:
                continue
            if deadline > now:
                self._queue(check_id, deadline)
                continue
            del self._deadlines[check_id]
            found.append((check_id, expired_output(self._outputs.get(check_id, ""))))
        return found

    def _expect(self, check_id: str, time_ns: int) -> None:
        deadline = self._clock.monotonic_ns() + time_ns
        self._deadlines[check_id] = deadline
        queued = self._queued.get(check_id)
        if queued is None or queued > deadline:
            self._queue(check_id, deadline)

    def _queue(self, check_id: str, deadline: int) -> None:
        self._queued[check_id] = deadline
        heapq.heappush(self._heap, (deadline, check_id))
