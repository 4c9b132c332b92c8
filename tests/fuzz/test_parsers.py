"""Small texts from outside: a value or an `InvalidError`, and never a value Go would not read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.client import Address
from fairlead.core.sessions import parse_ttl
from fairlead.durations import format_duration, parse_duration
from fairlead.errors import InvalidError
from fairlead.http.bodies import decode_json, decode_object
from fairlead.http.params import Query, ReadOptions, parse_bool, parse_uint
from fairlead.http.urls import clean_path, decode_path, encode_path, origin_form
from tests.fuzz.limits import examples, within
from tests.fuzz.nonsense import bodies, targets

_LIMIT_S = 2.0
_DURATION = re.compile(r"[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)")
_UINT = re.compile(r"[0-9]+")
_MIN, _MAX = -(2**63), 2**63 - 1

_durations = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="0123456789.-+nuµμmsh٣² ", max_size=12),
    st.lists(
        st.sampled_from("1 0 . 99 1.5 .5 s m h ms us µs ns - + 9999999999".split()), max_size=6
    ).map("".join),
)


def value_or_refusal(parse: Callable[[], Any]) -> Any:
    """What `parse` returns, or None when it refuses in words; nothing else may happen."""
    words = ""
    try:
        with within(_LIMIT_S):
            return parse()
    except InvalidError as error:
        words = str(error)
    assert words.strip(), "an error without a word"
    return None


@examples(0.25)
@given(text=_durations)
@example(text="9" * 5000 + "s")
@example(text="0." + "9" * 5000 + "s")
@example(text="0" * 5000 + "1s")
@example(text="1s" * 50_000)
@example(text="s" * 50_000)
@example(text="1" + "x" * 50_000)
@example(text="٣s")
@example(text="9223372036854775808ns")
def test_a_duration_is_what_go_reads(text: str) -> None:
    duration_ns = value_or_refusal(lambda: parse_duration(text))
    if duration_ns is not None:
        assert _DURATION.fullmatch(text)
        assert _MIN <= duration_ns <= _MAX
    value_or_refusal(lambda: parse_ttl(text, 10))


@examples(0.25)
@given(duration_ns=st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_duration_that_was_printed_is_read_back(duration_ns: int) -> None:
    assert parse_duration(format_duration(duration_ns)) == duration_ns


@examples(0.25)
@given(text=st.text(max_size=12) | st.text(alphabet="0123456789+- ٣²", max_size=22))
@example(text="9" * 5000)
@example(text="0" * 5000)
def test_a_number_is_what_go_reads(text: str) -> None:
    number = value_or_refusal(lambda: parse_uint(text))
    if number is not None:
        assert _UINT.fullmatch(text)
        assert 0 <= number < 2**64
    assert parse_bool(text) in (None, True, False)


_raw_queries = st.one_of(
    st.binary(max_size=40),
    st.lists(
        st.sampled_from(
            [*b"index=,wait=,stale,consistent,cached,ns=,&,;,=,+,%,%41,%zz,%ff,1,9,s,-".split(b",")]
        ),
        max_size=10,
    ).map(b"".join),
)


@examples(0.5)
@given(raw=_raw_queries)
@example(raw=b"wait=" + b"9" * 5000 + b"s")
@example(raw=b"index=" + b"9" * 5000)
@example(raw=b"&" * 100_000)
@example(raw=b"a=%41" * 50_000)
def test_a_query_is_read_whatever_it_is(raw: bytes) -> None:
    with within(_LIMIT_S):
        query = Query(raw)
    options = value_or_refusal(query.read_options)
    assert options is None or isinstance(options, ReadOptions)
    for name in ("index", "wait", "stale", "flags", ""):
        assert query.get(name) == ([*query.all(name), ""])[0]
        value_or_refusal(lambda name=name: query.uint(name))  # type: ignore[misc]


@examples(0.25)
@given(
    pairs=st.lists(
        st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=5)).filter(
            lambda pair: all(part.encode("utf-8", "replace").decode() == part for part in pair)
        ),
        max_size=5,
    )
)
def test_a_query_that_was_written_is_read_back(pairs: list[tuple[str, str]]) -> None:
    raw = urlencode(pairs)
    query = Query(raw.encode())
    assert not query.is_broken
    for name, values in parse_qs(raw, keep_blank_values=True).items():
        assert query.all(name) == values
        assert name in query


@examples(0.5)
@given(raw=targets | st.binary(max_size=30))
def test_a_path_is_text_and_clean_only_once(raw: bytes) -> None:
    target = origin_form(raw)
    assert target[:1] in (b"", b"/")
    path = decode_path(target.partition(b"?")[0])
    if not path:
        return
    assert path.encode("utf-8", "surrogateescape")
    clean = clean_path(path)
    assert clean_path(clean) == clean
    assert "//" not in clean
    if path.isprintable():
        assert decode_path(encode_path(path).encode()) == path


@examples(0.25)
@given(
    text=st.one_of(
        st.text(max_size=30),
        st.lists(
            st.sampled_from(
                "http https unix :// : / [ ] ::1 localhost 8500 ٣ ² -1 99999 @ ?".split()
            ),
            max_size=7,
        ).map("".join),
    )
)
@example(text="localhost:²")
@example(text="localhost:" + "9" * 5000)
@example(text="localhost:99999")
def test_an_address_is_one_or_is_refused(text: str) -> None:
    address = value_or_refusal(lambda: Address.parse(text))
    if address is None or address.socket:
        return
    assert address.scheme in ("http", "https")
    assert 0 <= address.port <= 65535
    assert address.host


@examples(0.5)
@given(body=bodies)
@example(body=b"[" * 100_000)
@example(body=b'{"a":' * 100_000)
@example(body=b"9" * 100_000)
@example(body=b'"\\ud800"')
def test_a_json_body_is_read_or_refused(body: bytes) -> None:
    value_or_refusal(lambda: decode_json(body, "fuzz"))
    fields = value_or_refusal(lambda: decode_object(body, "fuzz"))
    assert fields is None or isinstance(fields, dict)


@examples(0.1)
@given(key=st.text(min_size=1, max_size=10).filter(str.isprintable))
def test_a_key_goes_through_a_url_unchanged(key: str) -> None:
    assert decode_path(b"/v1/kv/" + quote(key, safe="/").encode()) == f"/v1/kv/{key}"
