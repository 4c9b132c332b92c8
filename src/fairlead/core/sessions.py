"""Sessions and the locks they hold.

A session dies by its TTL, by its node or by a failed check; what it held is
then released or deleted, as it chose when it was made, and the keys may not be
locked again until its lock-delay is over.
Source: Consul's sessions page and `agent/consul/session_endpoint.go` of 1.8.

Rule: nothing here reads a clock; a command carries the time it was made.
"""

from __future__ import annotations

from msgspec import UNSET, structs

from fairlead.core import kv
from fairlead.core.commands import LockDelaysDrop, LockDelaysRestart, SessionCreate, SessionDestroy
from fairlead.core.draft import Draft
from fairlead.core.keys import check_key
from fairlead.core.reads import Read, Watch
from fairlead.core.rows import LockDelayRow, SessionRow
from fairlead.core.state import State
from fairlead.durations import SECOND_NS, format_duration, parse_duration
from fairlead.errors import InvalidError

__all__ = [
    "create_session",
    "destroy_session",
    "drop_past_delays",
    "end_for_check",
    "end_session",
    "parse_ttl",
    "read_node_sessions",
    "read_session",
    "read_sessions",
    "restart_delays",
]

_TTL_MAX_NS = 24 * 3600 * SECOND_NS
_LOCK_DELAY_MAX_NS = 60 * SECOND_NS
_BEHAVIORS = ("release", "delete")
_WATCHES = (Watch("sessions"),)


def parse_ttl(text: str, minimum_ns: int) -> int:
    """The TTL in nanoseconds, 0 for none.

    Raises:
        InvalidError: it is no duration, or outside `minimum_ns` to 24 hours.
    """
    if not text:
        return 0
    try:
        ttl_ns = parse_duration(text)
    except InvalidError as error:
        raise InvalidError(f"Session TTL '{text}' invalid: {error}") from error
    if ttl_ns and not minimum_ns <= ttl_ns <= _TTL_MAX_NS:
        bounds = f"{format_duration(minimum_ns)}={format_duration(_TTL_MAX_NS)}"
        raise InvalidError(f"Invalid Session TTL '{ttl_ns}', must be between [{bounds}]")
    return ttl_ns


def create_session(draft: Draft, command: SessionCreate) -> str:
    """The id of the new session."""
    session = command.session
    if not session.node:
        raise InvalidError("Must provide Node")
    if session.behavior not in _BEHAVIORS:
        raise InvalidError(f"Invalid Behavior setting '{session.behavior}'")
    if draft.nodes.get(session.node.lower()) is None:
        raise InvalidError("Missing node registration")
    for check_id in _check_ids(session):
        check = draft.checks.get(check_key(session.node, check_id))
        if check is None:
            raise InvalidError(f"Missing check '{check_id}' registration")
        if check.status == "critical":
            raise InvalidError(f"Check '{check_id}' is in {check.status} state")
    index = draft.next_index
    draft.sessions.put(session.id, structs.replace(session, create_index=index, modify_index=index))
    return session.id


def _check_ids(session: SessionRow) -> list[str]:
    """Every check the session depends on, once."""
    ids = list(session.node_checks or ())
    ids += [check.id for check in session.service_checks or ()]
    ids += session.checks or ()
    return list(dict.fromkeys(ids))


def destroy_session(draft: Draft, command: SessionDestroy) -> bool:
    """Always true: a session that is not there is gone already."""
    end_session(draft, command.id, command.now_ns)
    return True


def end_for_check(draft: Draft, node: str, check_id: str, now_ns: int) -> None:
    """End the sessions of a node that rest on a check which failed or is gone."""
    for session_id in draft.sessions.group(node.lower()):
        session = draft.sessions.get(session_id)
        if session is not None and check_id in _check_ids(session):
            end_session(draft, session_id, now_ns)


def end_session(draft: Draft, session_id: str, now_ns: int) -> None:
    """Let go of, or delete, what it holds, and delete the queries bound to it."""
    session = draft.sessions.get(session_id)
    if session is None:
        return
    draft.sessions.delete(session.id)
    delay_ns = min(session.lock_delay, _LOCK_DELAY_MAX_NS)
    for key in draft.kv.group(session.id):
        row = draft.kv.get(key)
        if row is None:
            continue
        if session.behavior == "delete":
            kv.delete_row(draft, key)
        else:
            kv.write_row(draft, row, key, row.value, row.flags, row.lock_index, UNSET)
        if delay_ns > 0:
            draft.lock_delays.put(key, LockDelayRow(key, now_ns + delay_ns, delay_ns))
    for key in [row.id for row in draft.queries.scan("") if row.session == session.id]:
        draft.queries.delete(key)
    _drop_past_delays(draft, now_ns)


def restart_delays(draft: Draft, command: LockDelaysRestart) -> None:
    """Every lock-delay runs once more in full: how much of it has passed, nobody knows."""
    for row in draft.lock_delays.scan(""):
        until_ns = command.now_ns + row.delay_ns
        draft.lock_delays.put(row.key, LockDelayRow(row.key, until_ns, row.delay_ns))


def drop_past_delays(draft: Draft, command: LockDelaysDrop) -> None:
    _drop_past_delays(draft, command.now_ns)


def _drop_past_delays(draft: Draft, now_ns: int) -> None:
    """Forget lock-delays that are over; the table holds few rows."""
    past = [row.key for row in draft.lock_delays.base.rows.values() if row.until_ns <= now_ns]
    for key in past:
        delay = draft.lock_delays.get(key)
        if delay is not None and delay.until_ns <= now_ns:
            draft.lock_delays.delete(key)


def read_session(state: State, session_id: str) -> Read:
    """A list of one session, or of none."""
    row = state.sessions.rows.get(session_id)
    return _read(state, [] if row is None else [row])


def read_sessions(state: State) -> Read:
    """Every session, in order of ids."""
    return _read(state, state.sessions.scan(""))


def read_node_sessions(state: State, node: str) -> Read:
    """The sessions of one node, in order of ids."""
    keys = sorted(state.sessions.groups.get(node.lower(), ()))
    return _read(state, [state.sessions.rows[key] for key in keys])


def _read(state: State, rows: list[SessionRow]) -> Read:
    return Read(rows, state.floor(state.sessions.index), _WATCHES)
