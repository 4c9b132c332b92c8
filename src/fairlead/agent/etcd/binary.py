"""The program `etcd`: where it is, and whether it is fit."""

from __future__ import annotations

import asyncio
import re
import shutil
from typing import NamedTuple

from fairlead.errors import SettingsError

__all__ = ["Binary", "find_binary"]

_TIMEOUT_S = 10.0
_INSTALL = (
    "install etcd 3.4.23 or later of 3.4, or 3.5.16 or later, e.g. `apt-get install etcd-server`, "
    "or name it with etcd_binary"
)


class Binary(NamedTuple):
    """A program and its version, such as (3, 4, 23)."""

    path: str
    version: tuple[int, int, int]


def is_fit(version: tuple[int, int, int]) -> bool:
    """3.4 before 3.4.23 and 3.5 before 3.5.16 lose events of watches, or worse.

    >>> is_fit((3, 4, 23)), is_fit((3, 5, 15)), is_fit((3, 5, 16)), is_fit((3, 3, 25))
    (True, False, True, False)
    """
    return (3, 4, 23) <= version < (3, 5, 0) or version >= (3, 5, 16)


async def find_binary(name: str) -> Binary:
    """The etcd of that name or path.

    Raises:
        SettingsError: there is none, or it is not fit; one line that says what to install.
    """
    path = shutil.which(name)
    if path is None:
        raise SettingsError(f"several servers need etcd, and there is no `{name}`: {_INSTALL}")
    try:
        process = await asyncio.create_subprocess_exec(
            path, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        raise SettingsError(f"{path} cannot be run: {error.strerror}: {_INSTALL}") from error
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise SettingsError(f"{path} --version does not end: {_INSTALL}") from error
    found = re.search(rb"etcd Version: (\d+)\.(\d+)\.(\d+)", output)
    if found is None:
        raise SettingsError(f"{path} is no etcd, by what --version says: {_INSTALL}")
    version = (int(found[1]), int(found[2]), int(found[3]))
    if not is_fit(version):
        text = ".".join(str(number) for number in version)
        raise SettingsError(f"{path} is etcd {text}, which is not fit: {_INSTALL}")
    return Binary(path, version)
