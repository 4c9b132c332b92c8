"""URLs as Go's net/http and net/url treat them: which path is meant, and how it is written."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

__all__ = ["BROKEN_ESCAPE", "clean_path", "decode_path", "encode_path", "origin_form"]

BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_AUTHORITY = re.compile(rb"https?://[^/?]*", re.IGNORECASE)


def origin_form(target: bytes) -> bytes:
    """Path and query of a request's target (RFC 9112, 3.2); empty when it has none.

    >>> origin_form(b"http://localhost:8500/v1/kv/a?raw")
    b'/v1/kv/a?raw'
    """
    if target.startswith(b"/"):
        return target
    found = _AUTHORITY.match(target)
    if found is None:
        return b""
    rest = target[found.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest


def decode_path(raw: bytes) -> str | None:
    """The path as text; None when an escape is broken (Go answers 400 to that).

    A path that is not UTF-8 comes as surrogates, for the app to refuse.

    >>> decode_path(b"/v1/kv/%C3%A9t%C3%A9+")
    '/v1/kv/été+'
    """
    if b"%" in raw:
        if BROKEN_ESCAPE.search(raw):
            return None
        raw = unquote_to_bytes(raw)
    return raw.decode("utf-8", "surrogateescape")


def encode_path(path: str) -> str:
    """The path as it is written in a Location header."""
    return quote(path, safe="/:@!$&'()*+,;=-._~")


def clean_path(path: str) -> str:
    """The path Go's http.ServeMux would redirect to.

    >>> clean_path("/v1/kv//a/./b/../c/")
    '/v1/kv/a/c/'
    """
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    clean = "/" + "/".join(parts)
    return clean + "/" if path.endswith("/") and clean != "/" else clean
