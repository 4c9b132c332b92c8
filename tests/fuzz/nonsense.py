"""What clients might send: requests that are whole in form and nonsense in content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes

from hypothesis import strategies as st

from fairlead.http.routes import ROUTES
from tests.fuzz.answers import Asked

__all__ = [
    "FRAMING",
    "GOODBYE",
    "Sent",
    "bodies",
    "chunked",
    "damaged",
    "joined",
    "pieces",
    "requests",
    "targets",
]

GOODBYE = b"GET /v1/status/leader HTTP/1.1\r\nConnection: close\r\n\r\n"
"""Sent last: once it is answered, the connection is closed."""

FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Sent(NamedTuple):
    """One whole request; `reads` says that it changes nothing and is answered alike each time."""

    data: bytes
    asked: Asked
    reads: bool


# ---------------------------------------------------------------- targets

_SESSION = b"9d1b0c4e-8f5a-4f0e-9a7c-0123456789ab"
# What ends the agent, what asks the world for names, and what never ends.
_LEFT_OUT = {"/v1/agent/leave", "/v1/agent/join/", "/v1/agent/monitor"}
_PATHS = sorted(route.path.encode() for route in ROUTES if route.path not in _LEFT_OUT)
_STEADY = (b"/v1/kv/", b"/v1/status/", b"/v1/catalog/", b"/v1/nothing/")
_SEGMENTS = (
    b"a b/web/key1/.././..//%2e%2e/%2F/%00/%ff/%/%z1/%C3%28/%ED%A0%80/%F4%90%80%80/%E2%80%AE/;/"
    b"@:!$&'()*+,=/*/" + _SESSION + b"/" + b"x" * 300
).split(b"/")
_VISIBLE = [byte for byte in range(0x21, 0x7F) if byte not in b"?#"]

_segments = st.one_of(
    st.sampled_from([segment.replace(b" ", b"%20") for segment in _SEGMENTS]),
    st.text(max_size=8)
    .map(lambda text: quote_from_bytes(text.encode("utf-8", "replace")))
    .map(str.encode),
    st.binary(max_size=6).map(quote_from_bytes).map(str.encode),
    st.lists(st.sampled_from(_VISIBLE), max_size=8).map(bytes),
    st.binary(max_size=4).map(lambda raw: bytes(byte | 0x80 for byte in raw)),
)
_paths = st.builds(
    lambda path, segments: path + b"/".join(segments),
    st.one_of(
        st.sampled_from(_PATHS),
        st.just(b"/v1/kv/"),
        st.sampled_from([b"/", b"/v1", b"//v1/kv/", b"/v1/session/", b"*", b"", b"http://h"]),
    ),
    st.lists(_segments, max_size=3),
)

_PARAMETERS = (
    "acquire cached cas consistent dc default-meta expand filter flags format index keys length "
    "near node-meta ns offset pretty query raw recurse release seperator separator stale tag token "
    "wait"
).split()
_VALUES = [
    *"0 1 -1 +5 1e3 0x10 007 1.5 NaN Infinity true false null dc1 dc2 / %2F %00".split(),
    *"% %zz + ; = a;b 1s -1s 10m 1h1h 1.5.5s . .s 1. s 99999999h 1µs 1us 0.1ns".split(),
    *"9223372036854775807ns 9223372036854775808 18446744073709551615".split(),
    *"18446744073709551616 ٣ ٣s ² ²s １s prometheus".split(),
    "",
    "9" * 400,
    "9" * 5000,
    "9" * 5000 + "s",
    "0." + "1" * 5000 + "s",
    "1s" * 2000,
    _SESSION.decode(),
]
_values = st.one_of(
    st.sampled_from(_VALUES).map(lambda text: quote_from_bytes(text.encode(), safe="%;=+/")),
    st.integers(-5, 300).map(str),
    st.binary(max_size=8).map(quote_from_bytes),
).map(str.encode)
_pairs = st.one_of(
    st.builds(
        lambda name, value: name.encode() + b"=" + value, st.sampled_from(_PARAMETERS), _values
    ),
    st.sampled_from(_PARAMETERS).map(str.encode),
    st.sampled_from([b"", b"&&", b"=", b"%=%", b"a;b", b"\xff\xfe=\x80", b"?"]),
)
_queries = st.lists(_pairs, max_size=4).map(lambda pairs: b"?" + b"&".join(pairs) if pairs else b"")

targets = st.builds(lambda path, query: path + query, _paths, _queries)
"""Paths below every route there is, and beside them; nonsense in every parameter."""


# ---------------------------------------------------------------- headers and bodies

_HEADER_NAMES = (
    "Accept Accept-Encoding Authorization Connection Content-Type Cookie Expect Forwarded Host "
    "HTTP2-Settings If-None-Match Keep-Alive Range TE Trailer Upgrade User-Agent Via "
    "X-Consul-Index X-Consul-Token X-Forwarded-For x_y X"
).split()
_HEADER_VALUES = [
    *"close keep-alive upgrade Upgrade,HTTP2-Settings h2c websocket 100-continue".split(),
    *"0 -1 , ; * gzip gzip;q=0 identity br,gzip localhost:8500 bytes=0-1 trailers".split(),
    "",
    "close, upgrade",
    "x" * 5000,
    "\tpadded\t",
    "caf\xe9",
]
_JAVA = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
_header_lines = st.one_of(
    st.builds(
        lambda name, value: f"{name}: {value}".encode("latin-1"),
        st.sampled_from(_HEADER_NAMES),
        st.sampled_from(_HEADER_VALUES),
    ),
    st.sampled_from([_JAVA, b"Connection: close, upgrade\r\nUpgrade: websocket"]),
)

_FIELDS = [
    *"KV Verb Key Value Flags Index Session Node Service Check ID Name TTL LockDelay".split(),
    *"Behavior NodeChecks ServiceChecks Checks Namespace kv verb KEY nodechecks x".split(),
    "",
]
_LEAVES: list[Any] = [
    *"set cas get get-tree delete delete-tree lock unlock check-index check-session".split(),
    *"a web/key1 YQ== !! release delete 10s 1ms -5s 99999h serfHealth vm".split(),
    *(None, True, False, 0, 1, -1, 999, 1000, 1.5, -0.0, 1e19, 1e300, -1e300),
    *(2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**40),
    "",
    "\0",
    "\ud800",
    "9" * 5000 + "s",
    _SESSION.decode(),
]
_json = st.recursive(
    st.sampled_from(_LEAVES) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=5)
    ),
    max_leaves=12,
)
_operations = st.lists(
    st.dictionaries(st.sampled_from(_FIELDS[:7]), st.sampled_from(_LEAVES), max_size=6).map(
        lambda fields: {"KV": fields}
    ),
    max_size=4,
)
_sessions = st.dictionaries(st.sampled_from(_FIELDS[10:19]), _json, max_size=5)
_ODD_BODIES = [
    b"",
    b" ",
    b"null",
    b"[" * 5000,
    b'{"a":' * 5000,
    b'{"LockDelay": 1e400}',
    b'{"LockDelay": ' + b"9" * 5000 + b"}",
    b'[{"KV":{"Verb":"set","Key":"\\ud800"}}]',
    b'[{"KV":null},null]' + b" " * 3000,
    b"\xef\xbb\xbf{}",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
]


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """What `whole` gives, cut, repeated, or with some bytes replaced."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                del data[at:]
            case 1:
                data[at:at] = draw(st.binary(max_size=3))
            case 2:
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case _:
                data[at:at] = data[at : at + draw(st.integers(0, 40))]
    return bytes(data)


_texts = st.one_of(_operations, _sessions, _json).map(lambda value: json.dumps(value).encode())
bodies = st.one_of(st.binary(max_size=40), st.sampled_from(_ODD_BODIES), _texts, damaged(_texts))
"""Garbage, JSON that means nothing here, and JSON that nearly does."""


def chunked(body: bytes, sizes: Sequence[int], extension: bytes, trailer: bytes) -> bytes:
    """`body` in chunks of `sizes`, the last size repeated."""
    parts = []
    position = 0
    for size in [*sizes, len(body)]:
        chunk = body[position : position + size]
        position += size
        if chunk:
            parts.append(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk))
    return b"".join(parts) + b"0\r\n" + trailer + b"\r\n"


# ---------------------------------------------------------------- requests

_METHODS = [b"GET", b"PUT", b"POST", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT"]
_methods = st.sampled_from([b"GET"] * 6 + [b"PUT"] * 6 + [b"DELETE"] * 2 + _METHODS + [b"PROPFIND"])


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """One request with a well-formed frame: it must be answered."""
    method = draw(_methods)
    target = draw(targets) or b"/"
    version = draw(st.sampled_from([b"1.1"] * 7 + [b"1.0"]))
    lines = draw(st.lists(_header_lines, max_size=3))
    framed = b""
    frame = draw(st.integers(0, 3)) if method != b"GET" else draw(st.integers(0, 8))
    if frame in (1, 2):
        framed = draw(bodies)
        lines.insert(draw(st.integers(0, len(lines))), b"Content-Length: %d" % len(framed))
    elif frame == 3 and version == b"1.1":
        sizes = draw(st.lists(st.integers(1, 20), max_size=4))
        extension = draw(st.sampled_from([b"", b"", b";x=y", b';a="b c"']))
        trailer = draw(st.sampled_from([b"", b"", b"X: y\r\n", b"Connection: close\r\n"]))
        framed = chunked(draw(bodies), sizes, extension, trailer)
        lines.append(b"Transfer-Encoding: chunked")
    head = b"%b %b HTTP/%b\r\n" % (method, target, version)
    data = head + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + framed
    reads = method not in (b"PUT", b"DELETE") and target.startswith(_STEADY)
    return Sent(data, Asked(method, version), reads)


def joined(sent: Sequence[Sent]) -> bytes:
    """The bytes of several requests, one behind the other."""
    return b"".join(one.data for one in sent)


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """`data` cut at these positions, taken modulo its length."""
    positions = sorted({cut % (len(data) + 1) for cut in cuts})
    bounds = [0, *positions, len(data)]
    return [data[start:end] for start, end in pairwise(bounds) if end > start]
