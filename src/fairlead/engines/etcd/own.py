"""What this server has committed itself, which is no news, and where the index stands."""

from __future__ import annotations

import asyncio

from fairlead.engines.etcd.layout import IndexMark

__all__ = ["OwnCommits"]


class OwnCommits:
    """The last index that is known, at which revision it was written, and which were our own."""

    def __init__(self) -> None:
        self.position = IndexMark(0)
        self.revision = 0
        self._revisions: set[int] = set()
        self._loads = 0
        self._under_way: asyncio.Future[None] | None = None

    def seen(self, mark: IndexMark, revision: int) -> None:
        """The index was read or watched; one's own commits are known before they are seen."""
        if revision >= self.revision:
            self.position, self.revision = mark, revision

    def reset(self, mark: IndexMark, revision: int) -> None:
        """All rows were read again: etcd may have been set back."""
        self.position, self.revision = mark, revision
        self._revisions.clear()
        self._loads += 1

    def begin(self) -> int:
        """A commit is sent, and may be watched before its answer comes; its number for `done`."""
        self._under_way = asyncio.get_running_loop().create_future()
        return self._loads

    def done(self, number: int, mark: IndexMark, revision: int) -> None:
        """It was made. What was loaded meanwhile may lack it, and then it is news."""
        if number == self._loads:
            self._revisions.add(revision)
            self.seen(mark, revision)

    def end(self) -> None:
        """Its outcome is known, as far as it will ever be."""
        if self._under_way is not None:
            self._under_way.set_result(None)
            self._under_way = None

    async def is_own(self, revision: int, value: bytes) -> bool:
        """Whether the batch that was committed at this revision was ours; asked once for each."""
        if self._under_way is not None and revision > self.revision:
            await asyncio.wait([self._under_way])
        if revision in self._revisions:
            self._revisions.remove(revision)
            return True
        return False
