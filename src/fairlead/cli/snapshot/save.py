"""`fairlead snapshot save`."""

from __future__ import annotations

import contextlib
import os

from fairlead.agent import archive
from fairlead.cli.api import api_flags
from fairlead.cli.data import open_fault
from fairlead.cli.output import explained
from fairlead.cli.snapshot.files import file_argument
from fairlead.cli.verbs import verb
from fairlead.client import Client
from fairlead.errors import InvalidError

__all__ = ["command"]


@verb("save", examples="fairlead snapshot save backup.snap")
@file_argument
@api_flags
def command(client: Client, file: str) -> None:
    """Save the whole state into FILE, which appears only when it is whole and verified."""
    with explained("Error saving snapshot"):
        reply = client.get("/v1/snapshot")
    with explained("Error verifying snapshot file"):
        meta = archive.inspect(reply.body)
    _write(file, reply.body)
    print(f"Saved and verified snapshot to index {meta.index}")


def _write(file: str, data: bytes) -> None:
    """Write a draft beside the file, then put it in its place: whoever reads sees old or new."""
    draft = f"{file}.{os.getpid()}"
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, file)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise InvalidError(f"Error writing snapshot file: {open_fault(file, error)}") from error
