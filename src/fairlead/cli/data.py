"""What DATA and FILE arguments stand for: themselves, a file's content, or stdin."""

from __future__ import annotations

import sys

from fairlead.errors import InvalidError

__all__ = ["open_fault", "read_data", "read_file"]


def read_data(argument: str) -> bytes:
    """What an argument stands for: `@file`, `-` for stdin, or itself.

    Raises:
        InvalidError: the file cannot be read.
    """
    if argument == "-":
        # A program started without a stdin (`<&-`) reads nothing.
        return sys.stdin.buffer.read() if sys.stdin is not None else b""
    if not argument.startswith("@"):
        return argument.encode("utf-8", "surrogateescape")
    name = argument[1:]
    try:
        return read_file(name)
    except OSError as error:
        raise InvalidError(f"Error! Failed to read file: {open_fault(name, error)}") from error


def read_file(name: str) -> bytes:
    """The content of a file whose name came as an argument; OSError when it cannot be read."""
    with open(name.encode("utf-8", "surrogateescape"), "rb") as file:
        return file.read()


def open_fault(name: str, error: OSError) -> str:
    """Why a file cannot be opened, as Go says it.

    >>> open_fault("web.json", FileNotFoundError(2, "No such file or directory"))
    'open web.json: no such file or directory'
    """
    return f"open {name}: {(error.strerror or str(error)).lower()}"
