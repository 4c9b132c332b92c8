"""Output that may be endless: what is kept of it, and how fast it is taken.

The end of an output is kept, as in Consul, for that is where the error is.

>>> capture = Capture(4)
>>> capture.add(b"abc")
>>> capture.add(b"defg")
>>> capture.text(), capture.cut_text()
('defg', 'Captured 4 of 7 bytes\\n...\\ndefg')
"""

from __future__ import annotations

__all__ = ["PACE_BYTES", "PACE_S", "Capture"]

PACE_BYTES = 256 * 1024
"""After so much of one output, its reader rests."""
PACE_S = 0.005
"""For so long: 50 MB/s, while a flood costs a percent or two of a core."""


class Capture:
    """The last `limit` bytes of what is added."""

    __slots__ = ("_kept", "_limit", "total")

    def __init__(self, limit: int) -> None:
        self.total = 0
        self._limit = limit
        self._kept = bytearray()

    def add(self, data: bytes) -> None:
        self.total += len(data)
        if len(data) >= self._limit:
            self._kept[:] = data[len(data) - self._limit :]
            return
        self._kept += data
        if len(self._kept) > self._limit:
            del self._kept[: len(self._kept) - self._limit]

    def clear(self) -> None:
        self.total = 0
        self._kept.clear()

    def text(self) -> str:
        """What was kept; what is not UTF-8 is replaced."""
        return self._kept.decode("utf-8", "replace")

    def cut_text(self) -> str:
        """The same, and a word if that is not all."""
        if self.total <= self._limit:
            return self.text()
        return f"Captured {len(self._kept)} of {self.total} bytes\n...\n{self.text()}"
