"""The shared secret of a cluster (`encrypt`): proved by both ends of a link, never sent.

Each end answers the other's challenge with an HMAC over both challenges. It
keeps strangers out; what then goes over the link is not encrypted.
"""

from __future__ import annotations

import hashlib
import hmac

from fairlead.b64 import decode_base64

__all__ = ["CLIENT", "SERVER", "is_proof", "proof", "read_key"]

CLIENT = b"client"
SERVER = b"server"


def read_key(text: str) -> bytes:
    """The bytes of an `encrypt` key, which was checked with the settings; empty for none."""
    return decode_base64(text.encode())


def proof(key: bytes, who: bytes, challenge: bytes, own: bytes) -> bytes:
    """That `who` knows the key; nothing where no key is set."""
    if not key:
        return b""
    return hmac.new(key, b"\0".join((who, challenge, own)), hashlib.sha256).digest()


def is_proof(given: bytes, key: bytes, who: bytes, challenge: bytes, own: bytes) -> bool:
    """Whether it is that proof; compared in constant time."""
    return hmac.compare_digest(given, proof(key, who, challenge, own))
