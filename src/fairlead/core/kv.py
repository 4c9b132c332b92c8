"""Keys: set, delete, compare-and-swap, lock and unlock; read one key or a prefix.

Indexes, as Consul documents them: a key reports its own ModifyIndex; a prefix
the newest below it, deletions included; a key or prefix that is not there the
index of the last change to any key.
Source: Consul's KV page and `agent/consul/state/kvs.go` of 1.8.

Rule: time comes in commands. Bodies, base64 and URLs are the edges' business.
"""

from __future__ import annotations

from operator import attrgetter

from msgspec import UNSET, UnsetType

from fairlead.core import tombstones
from fairlead.core.commands import KVDelete, KVDeleteTree, KVLock, KVSet, KVUnlock
from fairlead.core.draft import Draft
from fairlead.core.reads import Read, Watch
from fairlead.core.rows import KVRow
from fairlead.core.state import State
from fairlead.errors import InvalidError

__all__ = [
    "check_key",
    "delete_key",
    "delete_row",
    "delete_tree",
    "is_delayed",
    "lock_key",
    "read_key",
    "read_keys",
    "read_prefix",
    "set_key",
    "stands_at",
    "unlock_key",
    "write_row",
]

_modify_index = attrgetter("modify_index")


# ---------------------------------------------------------------- writes


def set_key(draft: Draft, command: KVSet) -> bool:
    """False when the compare-and-swap is lost. A holder keeps its lock, its count starts anew."""
    check_key(command.key)
    old = draft.kv.get(command.key)
    if command.cas is not None and not stands_at(old, command.cas):
        return False
    session = old.session if old is not None else UNSET
    write_row(draft, old, command.key, command.value, command.flags, 0, session)
    return True


def lock_key(draft: Draft, command: KVLock) -> bool:
    """False while another session holds the key, or its lock-delay runs."""
    check_key(command.key)
    if is_delayed(draft, command.key, command.now_ns):
        return False
    if not command.session:
        raise InvalidError("missing session")
    if draft.sessions.get(command.session) is None:
        raise InvalidError(f'invalid session "{command.session}"')
    old = draft.kv.get(command.key)
    lock_index = old.lock_index if old is not None else 0
    if old is None or not old.session:
        lock_index += 1
    elif old.session != command.session:
        return False
    write_row(draft, old, command.key, command.value, command.flags, lock_index, command.session)
    return True


def unlock_key(draft: Draft, command: KVUnlock) -> bool:
    """False unless this very session holds the key."""
    check_key(command.key)
    if not command.session:
        raise InvalidError("missing session")
    old = draft.kv.get(command.key)
    if old is None or old.session != command.session:
        return False
    write_row(draft, old, command.key, command.value, command.flags, old.lock_index, UNSET)
    return True


def delete_key(draft: Draft, command: KVDelete) -> bool:
    """False when the compare-and-swap is lost; a key that is not there is gone already."""
    check_key(command.key)
    old = draft.kv.get(command.key)
    if old is None:
        return True
    if command.cas is not None and command.cas != old.modify_index:
        return False
    delete_row(draft, command.key)
    return True


def delete_tree(draft: Draft, command: KVDeleteTree) -> bool:
    """Always true; lock holders do not matter."""
    if draft.kv.delete_prefix(command.prefix):
        tombstones.bury_tree(draft, command.prefix)
    return True


def check_key(key: str) -> None:
    """Raises: InvalidError for a key nobody may write."""
    if not key:
        raise InvalidError("Must provide key")
    if "\0" in key:
        raise InvalidError("invalid key: it holds a NUL character")


def stands_at(row: KVRow | None, index: int) -> bool:
    """Whether a compare-and-swap on `index` may go on; 0 means the key must be absent."""
    if row is None:
        return index == 0
    return index != 0 and row.modify_index == index


def is_delayed(draft: Draft, key: str, now_ns: int) -> bool:
    """Whether the lock-delay of `key` still runs."""
    delay = draft.lock_delays.get(key)
    return delay is not None and delay.until_ns > now_ns


def write_row(
    draft: Draft,
    old: KVRow | None,
    key: str,
    value: bytes | None,
    flags: int,
    lock_index: int,
    session: str | UnsetType,
) -> KVRow:
    """The row as it stands afterwards; writing what is there already changes nothing."""
    if old is None:
        index = draft.index + 1
        row = KVRow(lock_index, key, flags, value, session, index, index)
    elif (
        old.value == value
        and old.flags == flags
        and old.lock_index == lock_index
        and old.session == session
    ):
        return old
    else:
        row = KVRow(lock_index, key, flags, value, session, old.create_index, draft.index + 1)
    draft.kv.put(key, row)
    return row


def delete_row(draft: Draft, key: str) -> None:
    """Delete a key that is there, and remember that it was."""
    draft.kv.delete(key)
    tombstones.bury(draft, key)


# ---------------------------------------------------------------- reads


def read_key(state: State, key: str) -> Read:
    """The row, or None."""
    row = state.kv.rows.get(key)
    index = row.modify_index if row is not None else state.kv.index
    return Read(row, state.floor(index), (Watch("kv", key, False),))


def read_prefix(state: State, prefix: str) -> Read:
    """The rows whose keys begin with `prefix`, in key order."""
    rows = state.kv.scan(prefix)
    return Read(rows, _prefix_index(state, prefix, rows), (Watch("kv", prefix),))


def read_keys(state: State, prefix: str, separator: str) -> Read:
    """The keys below `prefix`, each cut after the first `separator` that follows the prefix."""
    found = read_prefix(state, prefix)
    if not separator:
        return Read([row.key for row in found.value], found.index, found.watches)
    keys: dict[str, None] = {}
    for row in found.value:
        cut = row.key.find(separator, len(prefix))
        keys[row.key if cut < 0 else row.key[: cut + len(separator)]] = None
    return Read(list(keys), found.index, found.watches)


def _prefix_index(state: State, prefix: str, rows: list[KVRow]) -> int:
    if not prefix:
        return state.floor(state.kv.index)
    newest = max(map(_modify_index, rows), default=0)
    newest = max(newest, tombstones.newest_under(state, prefix))
    return state.floor(newest or state.kv.index)
