"""Writes that only the leader can make, each once, even where answers are lost.

Every transaction compares the leader key, and one key that it changes itself
(its guard). So one whose answer was lost can be sent again: if the first did
arrive, the second finds the guard moved, and nobody else can have moved it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.failures import FullError, RefusedError
from fairlead.engines.etcd.layout import Layout, Operation, compare, get
from fairlead.engines.etcd.lead import Lead
from fairlead.errors import DeposedError, FairleadError, SettingsError, UnavailableError

__all__ = ["Fence", "Guard"]

_PAUSE_S = 0.05
# Its own limit, or a lease that lives while etcd answers no write would hold the writer for ever.
_GIVE_UP_S = 10.0


class Guard(Struct, frozen=True):
    """A key that the transaction changes, and its `what` before: `mod_revision` or `version`."""

    key: bytes
    what: str
    number: int


class Fence:
    """Makes the leader's transactions."""

    def __init__(self, client: Client, layout: Layout, lead: Lead) -> None:
        self._client = client
        self._layout = layout
        self._lead = lead

    async def write(
        self,
        lead: int,
        operations: Iterable[Operation],
        guard: Guard,
        *,
        only_while: Guard | None = None,
    ) -> int:
        """Make one transaction in the lead of that revision; the revision it was made at.

        `only_while` is compared too: without it, one that was delayed could be made when its
        guard is as it was before, because the guard's key is gone.

        Raises:
            DeposedError: another server leads; nothing was written.
            FullError, RefusedError, SettingsError: nothing was written, and the lead is kept.
            UnavailableError: nobody knows; the lead is given up.
        """
        compares = [
            compare(self._layout.leader, "create_revision", lead),
            compare(guard.key, guard.what, guard.number),
        ]
        if only_while is not None:
            compares.append(compare(only_while.key, only_while.what, only_while.number))
        try:
            return await self._write(lead, compares, list(operations), guard)
        except (FullError, RefusedError, SettingsError):
            raise
        except BaseException:
            # Also when it is cancelled: it may be made later, but not in another lead.
            self._lead.give_up(lead)
            raise

    async def _write(
        self, lead: int, compares: list[Any], success: list[Operation], guard: Guard
    ) -> int:
        failure = [get(self._layout.leader), get(guard.key)]
        give_up_at = time.monotonic() + _GIVE_UP_S
        is_first = True
        while True:
            try:
                answer = await self._client.txn(compares, success, failure)
                break
            except (FullError, RefusedError, SettingsError) as error:
                # One that filled etcd was made, and so may be one whose answer was lost.
                if is_first and not isinstance(error, FullError):
                    raise
                if revision := await self._look(lead, guard):
                    return revision
                if is_first:
                    raise
                raise _unknown(error) from error
            except FairleadError as error:
                if self._lead.revision != lead or time.monotonic() > give_up_at:
                    raise _unknown(error) from error
                is_first = False
                await asyncio.sleep(_PAUSE_S)
        if answer.succeeded:
            return int(answer.header.revision)
        return self._found(lead, guard, answer.responses, is_first=is_first)

    async def _look(self, lead: int, guard: Guard) -> int:
        """At which revision the guard was moved; 0: it was not."""
        operations = [get(self._layout.leader), get(guard.key)]
        try:
            answer = await self._client.txn([], operations, safe=True)
        except FairleadError as error:
            raise _unknown(error) from error
        if _number(answer.responses[1].response_range, guard.what) == guard.number:
            return 0
        return self._found(lead, guard, answer.responses, is_first=False)

    def _found(self, lead: int, guard: Guard, responses: Any, *, is_first: bool) -> int:
        """What an earlier attempt did, when the comparisons did not hold."""
        leads, guarded = (response.response_range for response in responses)
        is_unmoved = _number(guarded, guard.what) == guard.number
        is_leading = _number(leads, "create_revision") == lead
        if is_leading and is_first:
            raise DeposedError("somebody else has written this cluster's index in etcd")
        if is_leading and not is_unmoved:
            # One that is gone tells no revision, and nobody asks for it.
            return int(guarded.kvs[0].mod_revision) if guarded.kvs else lead
        if is_first or is_unmoved:
            raise DeposedError("another server leads: nothing was written")
        raise UnavailableError("another server leads; whether the write was made is not known")


def _unknown(cause: FairleadError) -> UnavailableError:
    return UnavailableError(f"{cause}; whether the write was made is not known")


def _number(found: Any, what: str) -> int:
    """A number of a key, 0 when it is not there."""
    return int(getattr(found.kvs[0], what)) if found.kvs else 0
