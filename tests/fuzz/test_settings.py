"""Configuration that is none: settings or a `SettingsError` that says why, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.agent.describe import debug_config
from fairlead.core.codec import encode_json
from fairlead.errors import SettingsError
from fairlead.settings.schema import SCHEMA
from fairlead.settings.settings import DEV_DEFAULTS, Settings, build, warnings
from fairlead.settings.sources import merge, read_text, unused_keys
from tests.fuzz.limits import examples, within

_LIMIT_S = 5.0
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\r\n\0]*")
_INT64 = range(-(2**63), 2**63)

_HCL = """
# a comment
node_name = "n1"   // another
datacenter = "dc2"
server = true
bootstrap_expect = 1
data_dir = "/tmp/nowhere"
ports { http = 8501 https = -1 }
http_config {
  response_headers { "Access-Control-Allow-Origin" = "*" }
  allow_write_http_from = ["127.0.0.0/8", "::1/128"]
}
limits = { kv_max_value_size = 0x1000, http_max_conns_per_client = 1e3 }
/* several
   lines */
session_ttl_min = "1.5s"
retry_join = ["a", "b",]
service { name = "web" port = 80 check { tcp = "x:1" interval = "10s" } }
service { name = "db" port = 5432 }
telemetry { metrics_prefix = <<EOT
fairlead
EOT
}
"""
_JSON = json.dumps(
    {
        "node_name": "n1",
        "server": True,
        "ports": {"http": 8501},
        "limits": [{"kv_max_value_size": 1000}, {"txn_max_req_len": 2000}],
        "node_meta": {"a": "b", "c": 1},
        "tombstone_ttl": "15m",
        "retry_join": ["a", "b"],
        "services": [{"name": "web", "port": 80}],
        "log_level": "debug",
    }
)


def _paths(known: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, kind in known.items():
        yield (*path, key)
        if isinstance(kind, dict):
            yield from _paths(kind, (*path, key))


_KEYS = list(_paths(SCHEMA))
_WRONG: list[Any] = [
    *(None, True, False, 0, -1, 1, 1.5, 1e300, float("inf"), float("nan"), 2**63, -(10**40)),
    *("", "x", "-1", "10s", "1e400s", "\0", "\ud800", "é", "a\nb", "9" * 5000 + "s", "٣s", "²"),
    *("::1", "127.0.0.1", "unix://", "unix:///\0", "memory:", "sqlite:", "tls13", "DEBUG", "/"),
    *([], [[]], ["x"], [1], [None], [{}], [{"x": 1}, {"x": 2}], ["\ud800", "\0"]),
    *({}, {"x": None}, {"x": {"x": []}}, {"": ""}, {"x": "a\r\nb"}, {"a\r\nb": "x"}),
]


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def check(text: str, format_: str) -> Settings | None:
    """The settings, whole and usable, or None when they were refused in words."""
    words = ""
    try:
        with within(_LIMIT_S):
            raw = merge(DEV_DEFAULTS, read_text(text, "fuzz", format_))
            settings = build(raw)
    except SettingsError as error:
        words = str(error)
    else:
        check_usable(settings)
        for said in (*warnings(settings), *unused_keys(raw)):
            said.encode()
        return settings
    assert words.strip(), "an error without a word"
    return None


def check_usable(settings: Settings) -> None:
    """Every field is of its type, and what it holds can be written down."""
    for field in fields(Settings):
        value = getattr(settings, field.name)
        kinds = [kind.partition("[")[0] for kind in str(field.type).split(" | ")]
        assert type(value).__name__ in kinds, field.name
        assert not isinstance(value, int) or value in _INT64, field.name
    assert b"\\u0000" not in encode_json(debug_config(settings)), "text that can be no path"
    for header in settings.http_config_response_headers.items():
        assert _HEADER.fullmatch(": ".join(header)), header


def test_the_valid_configurations_are_valid() -> None:
    by_hcl, by_json = check(_HCL, "hcl"), check(_JSON, "json")
    assert by_hcl is not None
    assert by_hcl.telemetry_metrics_prefix.strip() == "fairlead"
    assert by_json is not None
    assert by_json.limits_txn_max_req_len == 2000


@pytest.mark.parametrize("value", _WRONG, ids=lambda value: ascii(value)[:20])
def test_any_value_at_any_key_is_taken_or_refused_in_words(value: Any) -> None:
    for path in _KEYS:
        raw = nested(path, value)
        check(json.dumps(raw), "json")
        check(json.dumps(merge({"ports": {"https": 8501}}, raw)), "json")


_damage = st.lists(
    st.tuples(
        st.integers(0, 1000),
        st.integers(0, 30),
        st.one_of(
            st.text(max_size=5),
            st.sampled_from(
                [*'{ } [ ] " = , \\ # // /* */ << <<EOT EOT ${ } "${ -', "\n", "<<-X\n", "\x00"]
            ),
            st.sampled_from([".".join(path) for path in _KEYS]),
        ),
    ),
    min_size=1,
    max_size=6,
)


def damage(text: str, changes: list[tuple[int, int, str]]) -> str:
    """`text` with some stretches of it replaced."""
    for at, length, instead in changes:
        at %= len(text) + 1
        text = text[:at] + instead + text[at + length :]
    return text


@examples(0.03)
@given(changes=_damage)
def test_a_damaged_hcl_text_is_taken_or_refused_in_words(
    changes: list[tuple[int, int, str]],
) -> None:
    check(damage(_HCL, changes), "hcl")


@examples(0.25)
@given(changes=_damage)
def test_a_damaged_json_text_is_taken_or_refused_in_words(
    changes: list[tuple[int, int, str]],
) -> None:
    check(damage(_JSON, changes), "json")


_TOKENS = [
    *'{ } [ ] ( ) = == : , . - + "" "a" "a\\n" "\\x" "${a}" "${" \' "'.split(),
    *"1 1.5 -1 0x 0x1F 1e5 1e 1e999".split(),
    *"true false null server ports http limits # // /* */ <<EOT <<-EOT EOT << \\ @ $ %".split(),
    *"node_name retry_join service é \ud800 \0".split(" "),
    "\n",
    "\t",
]


@examples(0.045)
@given(text=st.lists(st.sampled_from(_TOKENS), max_size=25).map(" ".join) | st.text(max_size=40))
@example(text='a = "${')
@example(text="a = <<EOT")
@example(text="/*")
@example(text='node_name = "\\ud800"')
@example(text="[" * 2000)
@example(text="ports {" * 2000)
@example(text="a = [" * 2000)
@example(text="tombstone_ttl = " + "9" * 5000)
@example(text="tombstone_ttl = 1e999")
@example(text='x = "' + "\\" * 5000)
@example(text="node_name = " + '"a" ' * 2000)
@example(text="#" * 50_000)
@example(text="server = true\n" * 2000)
def test_any_text_is_taken_or_refused_in_words(text: str) -> None:
    for format_ in ("hcl", "json"):
        check(text, format_)
