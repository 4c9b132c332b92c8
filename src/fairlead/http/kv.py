"""/v1/kv: one key, a prefix, or the keys below it; write, delete, lock.

Source: Consul's KV page; statuses and texts as observed on 1.8.7.
"""

from __future__ import annotations

from urllib.parse import quote_plus
from weakref import WeakKeyDictionary

from fairlead.agent.agent import Agent
from fairlead.core import kv
from fairlead.core.codec import encode_json
from fairlead.core.commands import Command, KVDelete, KVDeleteTree, KVLock, KVSet, KVUnlock
from fairlead.core.reads import Read
from fairlead.core.rows import KVRow
from fairlead.errors import InvalidError
from fairlead.http.api import Found
from fairlead.http.contracts import BodyLimit
from fairlead.http.memo import KeysMemo
from fairlead.http.messages import JSON, Request, Response, empty, json_response
from fairlead.http.params import Query

__all__ = ["body_limit", "delete", "get", "put"]

_PREFIX = len("/v1/kv/")
_MEMOS: WeakKeyDictionary[Agent, KeysMemo] = WeakKeyDictionary()
_RAW_HEADERS = b"X-Content-Type-Options: nosniff\r\nContent-Security-Policy: sandbox\r\n"
_MORE = " See https://www.consul.io/docs/agent/options.html#kv_max_value_size."


def body_limit(agent: Agent) -> BodyLimit:
    return BodyLimit(agent.settings.limits_kv_max_value_size, _MORE)


def get(agent: Agent, request: Request) -> Found:
    key = request.path[_PREFIX:]
    query = request.query
    state = agent.store.state
    if not query:
        return Found(kv.read_key(state, _named(key)), _row)
    if "keys" in query:
        separator = query.get("separator") or query.get("seperator")
        return _found_keys(kv.read_keys(state, key, separator), key)
    if "recurse" in query:
        return _recursed(agent, request, key)
    read = kv.read_key(state, _named(key))
    return Found(read, _raw if "raw" in query else _row)


def _recursed(agent: Agent, request: Request, prefix: str) -> Found:
    """Everything below a prefix, encoded once while no key changes."""
    state = agent.store.state
    memo = _MEMOS.setdefault(agent, KeysMemo())
    found = memo.find(state, request.target)
    if found is None:
        read = kv.read_prefix(state, prefix)
        if not read.value:
            return Found(read, _rows)
        found = Found(Read(encode_json(read.value), read.index, read.watches), _encoded)
        memo.keep(state, request.target, found)
    return found


async def put(agent: Agent, request: Request) -> Response:
    key = _named(request.path[_PREFIX:])
    value = request.body or None
    return _answer(await agent.store.submit(_put_command(agent, request.query, key, value)))


def _put_command(agent: Agent, query: Query, key: str, value: bytes | None) -> Command:
    if not query:
        return KVSet(key, value)
    flags = query.uint("flags") or 0
    chosen = [name for name in ("acquire", "cas", "release") if name in query]
    if len(chosen) > 1:
        raise InvalidError(_conflict(query, chosen))
    if "acquire" in query:
        session = _session_id(query.get("acquire"))
        return KVLock(key, value, flags, session, agent.clock.now_ns())
    if "release" in query:
        return KVUnlock(key, value, flags, query.get("release"))
    return KVSet(key, value, flags, query.uint("cas"))


async def delete(agent: Agent, request: Request) -> Response:
    key = request.path[_PREFIX:]
    query = request.query
    command: Command
    if "recurse" in query:
        if "cas" in query:
            raise InvalidError(_conflict(query, ["cas", "recurse"]))
        command = KVDeleteTree(key)
    else:
        command = KVDelete(_named(key), query.uint("cas"))
    return _answer(await agent.store.submit(command))


def _named(key: str) -> str:
    if not key:
        raise InvalidError("Missing key name")
    return key


def _session_id(text: str) -> str:
    """Raises: InvalidError for what cannot be the id of a session."""
    if text and len(text) != 36:
        raise InvalidError("failed session lookup: index error: UUID must be 36 characters")
    return text


def _conflict(query: Query, names: list[str]) -> str:
    pairs = "&".join(f"{name}={quote_plus(query.get(name))}" for name in sorted(names))
    return f"Conflicting flags: {pairs}"


# ---------------------------------------------------------------- answers


def _answer(done: bool) -> Response:
    return Response(200, b"true" if done else b"false", JSON)


def _row(row: KVRow | None) -> Response:
    if row is None:
        return empty(404)
    return Response(200, b"[%b]" % encode_json(row), JSON)


def _encoded(body: bytes) -> Response:
    return Response(200, body, JSON)


def _rows(rows: list[KVRow]) -> Response:
    return json_response(rows) if rows else empty(404)


def _raw(row: KVRow | None) -> Response:
    if row is None:
        return empty(404)
    return Response(200, row.value or b"", b"text/plain", headers=_RAW_HEADERS)


def _found_keys(read: Read, prefix: str) -> Found:
    return Found(read, json_response if not prefix else _keys)


def _keys(keys: list[str]) -> Response:
    return json_response(keys) if keys else empty(404)
