"""The URL of an HTTP check and the bytes that ask for it; Go's words for what is wrong with it.

>>> target = parse_target("http://u:pw@example.com:81/a b?c#d")
>>> target.host, target.port, target.authority, target.path, target.shown
('example.com', 81, 'example.com:81', '/a%20b?c', 'http://u:***@example.com:81/a b?c#d')
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from fairlead.errors import InvalidError

__all__ = ["Target", "parse_target", "request_bytes", "request_fault"]

_USER_AGENT = "Consul Health Check"
_ACCEPT = "text/plain, text/*, */*"
_MAX_PORT = 65535
_PORTS = {"http": 80, "https": 443}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")
_BAD_IN_HOST = re.compile(r"[ <>\"\\^`{|}]")
_HOST_PORT = re.compile(r"(\[(?P<address>[^\]]*)\]|(?P<name>[^:\[\]]*))(:(?P<port>[0-9]*))?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Methods that have a body as a rule: Go names its length even when there is none.
_WITH_BODY = {"POST", "PUT", "PATCH"}
_OURS = {"host", "content-length", "connection", "transfer-encoding"}
_SAFE = "/%:@!$&'()*+,;=-._~?[]"


class Target(NamedTuple):
    """Where a request goes; `shown` is the URL without its password."""

    shown: str
    scheme: str
    host: str
    port: int
    authority: str
    path: str
    credentials: str


def parse_target(url: str) -> Target:
    """Raises: InvalidError in the words of Go's url.Parse; scheme and host are not looked at."""

    def fault(why: str) -> InvalidError:
        return InvalidError(f"parse {_quoted(url)}: {why}")

    if _CONTROL.search(url):
        raise fault("net/url: invalid control character in URL")
    if not _SCHEME.match(url):
        if url.startswith(":"):
            raise fault("missing protocol scheme")
        if ":" in url.partition("/")[0]:
            raise fault("first path segment in URL cannot contain colon")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise fault(str(error)) from error
    for text in (parts.path, parts.netloc):
        if bad := _BAD_ESCAPE.search(text):
            raise fault(f'invalid URL escape "{bad[0]}"')
    user_info, at, authority = parts.netloc.rpartition("@")
    if bad := _BAD_IN_HOST.search(authority):
        raise fault(f'invalid character "{bad[0]}" in host name')
    match = _HOST_PORT.fullmatch(authority)
    if match is None:
        raise fault(f'invalid port "{authority[authority.rfind(":") :]}" after host')
    host, port = match["address"] or match["name"] or "", match["port"] or ""
    user, colon, password = user_info.partition(":")
    shown = url.replace(f"{user_info}@", f"{user}:***@", 1) if at and colon else url
    credentials = f"{unquote(user)}:{unquote(password)}" if at else ""
    path = quote(parts.path, safe=_SAFE) or "/"
    if parts.query:
        # As Go sends it: what would break the request line apart is all that is escaped.
        path += "?" + quote(parts.query, safe=_SAFE + '#"<>\\^`{|}')
    number = int(port) if port else _PORTS.get(parts.scheme, 0)
    return Target(shown, parts.scheme, host, number, authority, path, credentials)


def _quoted(text: str) -> str:
    """As Go's %q prints it."""
    return '"' + text.encode("unicode_escape").decode() + '"'


def request_fault(target: Target, header: Mapping[str, Sequence[str]]) -> str:
    """Why this cannot be asked, in the words of Go's HTTP client; empty when it can."""
    for name, values in header.items():
        if not _TOKEN.fullmatch(name):
            return f"net/http: invalid header field name {_quoted(name)}"
        for value in values:
            if _BAD_VALUE.search(value):
                return f"net/http: invalid header field value {_quoted(value)} for key {name}"
    if target.scheme not in _PORTS:
        return f'unsupported protocol scheme "{target.scheme}"'
    if not target.host:
        return "http: no Host in request URL"
    if target.port > _MAX_PORT:
        return f"dial tcp: address {target.port}: invalid port"
    return ""


def request_bytes(
    method: str, target: Target, header: Mapping[str, Sequence[str]], body: bytes
) -> bytes:
    """The request, on a connection of its own."""
    given = {name.lower(): values for name, values in header.items() if values and any(values)}
    lines = [f"{method} {target.path} HTTP/1.1"]
    lines.append(f"Host: {given.pop('host', [target.authority])[0]}")
    if "user-agent" not in given:
        lines.append(f"User-Agent: {_USER_AGENT}")
    if "accept" not in given:
        lines.append(f"Accept: {_ACCEPT}")
    if target.credentials and "authorization" not in given:
        words = b64encode(target.credentials.encode()).decode()
        lines.append(f"Authorization: Basic {words}")
    if body or method in _WITH_BODY:
        lines.append(f"Content-Length: {len(body)}")
    for name, values in header.items():
        if name.lower() in given and name.lower() not in _OURS:
            lines += [f"{name}: {value}" for value in values]
    lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace") + body
