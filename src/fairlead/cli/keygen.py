"""`fairlead keygen`."""

from __future__ import annotations

import os
from base64 import b64encode

from fairlead.cli.verbs import verb

__all__ = ["command"]

_KEY_BYTES = 32


@verb("keygen", examples="fairlead agent -encrypt=$(fairlead keygen) -dev")
def command() -> None:
    """Print a new key of 32 bytes in base64, for `encrypt` of every agent of a cluster."""
    print(b64encode(os.urandom(_KEY_BYTES)).decode())
