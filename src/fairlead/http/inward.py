"""Reads that the agent asks of itself, without a socket; on a client they go to its server."""

from __future__ import annotations

import asyncio

from fairlead.agent.watch_loops import Answer
from fairlead.http.contracts import Handler
from fairlead.http.forwarding import FORWARDED
from fairlead.http.messages import Request, Response
from fairlead.http.params import EMPTY, Query
from fairlead.http.urls import decode_path

__all__ = ["Inward"]

_INDEX = b"X-Consul-Index: "


class Inward:
    """The app, as loops of the agent reach it."""

    def __init__(self, app: Handler) -> None:
        self._app = app

    async def get(self, target: str, token: str) -> Answer:
        """One read, answered now or when it has waited; who cancels it frees what it waits with."""
        raw = target.encode()
        raw_path, _, raw_query = raw.partition(b"?")
        path = decode_path(raw_path)
        assert path is not None, "paths are made by us"
        headers = {b"x-consul-token": token.encode()} if token else {}
        query = Query(raw_query) if raw_query else EMPTY
        request = Request("GET", raw, path, query, headers)
        self._app.prepare(request)
        outcome = self._app.handle(request, FORWARDED)
        if isinstance(outcome, Response):
            return _answer(outcome)
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def reply(response: Response) -> None:
            if not answered.done():
                answered.set_result(response)

        outcome.start(reply)
        try:
            return _answer(await answered)
        except asyncio.CancelledError:
            outcome.cancel()
            raise


def _answer(response: Response) -> Answer:
    return Answer(response.status, response.index or _index_of(response.headers), response.body)


def _index_of(headers: bytes) -> int:
    """The index where it is a header already: of events, and of what a server answered."""
    for line in headers.split(b"\r\n"):
        if line.lower().startswith(_INDEX.lower()):
            text = line[len(_INDEX) :].strip()
            return int(text) if text.isdigit() else 0
    return 0
