"""Every error Fairlead raises on purpose, in one tree.

An error knows the HTTP status and the exit code it deserves; only the edges
(`http/app.py`, `cli/main.py`, later `dns/server.py`) and the agent's task
wrapper turn it into one. `str(error)` is one line for a person.

Rule: a lost compare-and-swap is an answer (`False`), never an error; an engine
that cannot be reached is an error, never `False`, for nobody knows the outcome.
"""

from __future__ import annotations

__all__ = [
    "ConflictError",
    "DeniedError",
    "DeposedError",
    "FairleadError",
    "InvalidError",
    "NotFoundError",
    "SettingsError",
    "TooLargeError",
    "UnavailableError",
]


class FairleadError(Exception):
    """The root: a fault somebody can name."""

    status = 500
    exit_code = 1
    hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class InvalidError(FairleadError):
    """The request itself is wrong; asking again unchanged cannot help."""

    status = 400


class DeniedError(FairleadError):
    """The caller may not do this."""

    status = 403


class NotFoundError(FairleadError):
    """The thing named does not exist."""

    status = 404


class ConflictError(FairleadError):
    """The state forbids it now."""

    status = 409


class TooLargeError(FairleadError):
    """The body is over its limit; the rest of it is not read."""

    status = 413


class UnavailableError(FairleadError):
    """The engine cannot answer: the outcome of the write is unknown.

    The status is 500 as Consul's, because its clients retry on that one only.
    """

    status = 500


class DeposedError(UnavailableError):
    """Another server leads, or may: nothing was written."""


class SettingsError(FairleadError):
    """The agent cannot start as it was told to."""
