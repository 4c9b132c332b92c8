"""What stands between an engine and its etcd, and can lose or hold up what they say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.etcd import Etcd
from tests.processes import free_port


class Proxy:
    """Between an engine and its etcd; it can lose the next answer, or everything, or hold it up."""

    def __init__(self, port: int) -> None:
        self._etcd = port
        self.port = free_port()
        self.loses_next = False
        self.is_cut = False
        self.asks = asyncio.Event()
        """Cleared, nothing that the engine sends arrives until it is set."""
        self.answers = asyncio.Event()
        """Cleared, nothing that etcd sends arrives until it is set."""
        self.asks.set()
        self.answers.set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.close()
            return
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._etcd)
        self._writers |= {writer, there}
        await asyncio.gather(
            self._pump(reader, there, answers=False), self._pump(there_reader, writer, answers=True)
        )
        self._writers -= {writer, there}

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if answers and self.loses_next:
                    self.loses_next = False
                    self.close_all()
                    return
                await (self.answers if answers else self.asks).wait()
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass
        writer.close()

    def close_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def cut(self) -> None:
        self.is_cut = True
        self.close_all()


@asynccontextmanager
async def proxy(etcd: Etcd) -> AsyncIterator[Proxy]:
    between = Proxy(etcd.port)
    server = await asyncio.start_server(between._accept, "127.0.0.1", between.port)
    yield between
    between.cut()
    server.close()
