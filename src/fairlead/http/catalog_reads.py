"""What reads of the catalog and of health share: parameters, headers, kept answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from fairlead.agent.agent import Agent
from fairlead.core.codec import encode_json
from fairlead.core.coordinates import sort_by_distance
from fairlead.core.directory import Meta
from fairlead.core.filters import compile_filter
from fairlead.core.reads import Read
from fairlead.errors import InvalidError
from fairlead.http.api import Found
from fairlead.http.memo import Memo
from fairlead.http.messages import JSON, Request, Response
from fairlead.http.params import Query

__all__ = ["found", "last_part", "memo_of", "nearest", "node_meta", "remembered", "wanted"]

_CONSISTENCY = {
    word: b"X-Consul-Effective-Consistency: %b\r\n" % word for word in (b"leader", b"stale")
} | {b"consistent": b"X-Consul-Effective-Consistency: consistent\r\n"}
_CHANGING = ("near", "cached", "index")
"""Parameters whose answers are not kept: others decide them, or they are not asked again."""
_MEMOS: WeakKeyDictionary[Agent, Memo] = WeakKeyDictionary()
T = TypeVar("T")


def memo_of(agent: Agent) -> Memo:
    """The answers this agent keeps."""
    memo = _MEMOS.get(agent)
    if memo is None:
        memo = _MEMOS[agent] = Memo()
    return memo


def last_part(request: Request, missing: str) -> str:
    """What stands at the end of `/v1/<noun>/<verb>/<here>`.

    Raises:
        InvalidError: nothing does; `missing` says what.
    """
    name = request.path.split("/", 4)[4]
    if not name:
        raise InvalidError(missing)
    return name


def node_meta(query: Query) -> Meta:
    """The pairs of `?node-meta=key:value`; without a colon the value is empty."""
    meta = {}
    for text in query.all("node-meta"):
        name, _, value = text.partition(":")
        meta[name] = value
    return meta


def wanted(query: Query, root: str, rows: list[T]) -> list[T]:
    """The rows that `?filter=` lets through.

    Raises:
        InvalidError: it is no filter of such rows.
    """
    expression = query.get("filter")
    if not expression:
        return rows
    return list(filter(compile_filter(expression, root), rows))


def nearest(agent: Agent, query: Query, rows: list[T], node_of: Callable[[T], str]) -> list[T]:
    """The rows, from the nearest to `?near=` on."""
    near = query.get("near")
    if not near:
        return rows
    near = agent.node.node if near == "_agent" else near
    return sort_by_distance(agent.store.state, near, rows, node_of)


# ---------------------------------------------------------------- answers


def found(agent: Agent, request: Request, read: Read, *, cached: bool = False) -> Found:
    """A read answered as JSON; `cached` says whether this endpoint heeds `?cached`."""
    headers = _headers(agent, request, cached=cached)
    return Found(read, partial(_encoded, headers=headers))


def remembered(agent: Agent, request: Request, name: str, read: Read) -> Found:
    """The same for a read about one service, encoded once while the service's index stands."""
    query = request.query
    body = encode_json(read.value)
    answer = Found(
        Read(body, read.index, read.watches),
        partial(_ready, headers=_headers(agent, request, cached=True)),
    )
    if not any(name in query for name in _CHANGING):
        memo_of(agent).keep(agent.store.state, request.target, name.lower(), answer)
    return answer


def _headers(agent: Agent, request: Request, *, cached: bool) -> bytes:
    query = request.query
    if not query:
        return _CONSISTENCY[b"leader"]
    word = b"stale" if "stale" in query else b"consistent" if "consistent" in query else b"leader"
    headers = _CONSISTENCY[word]
    if cached and "cached" in query:
        hit = memo_of(agent).asked_before(request.target)
        headers = (b"Age: 0\r\nX-Cache: HIT\r\n" if hit else b"X-Cache: MISS\r\n") + headers
    return headers


def _encoded(value: Any, *, headers: bytes) -> Response:
    return Response(200, encode_json(value), JSON, headers=headers)


def _ready(body: bytes, *, headers: bytes) -> Response:
    return Response(200, body, JSON, headers=headers)
