"""`fairlead.settings.sources`: files as Consul's users write them, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead.errors import SettingsError
from fairlead.settings import sources

HCL = """
# comment
// another
/* and a third */
datacenter = "east-aws"
"node_name" = "foobar"
server = true
bootstrap_expect = 1
ports { http = 8501, dns = -1 }
ports = { https = 8502 }
addresses = {
  http = "127.0.0.1 unix:///tmp/x.sock"
}
retry_join = ["a", "b",]
default_query_time = "30s"
node_meta { rack = "r1" size = 3 }
service {
  name = "web"
  check { id = "x" args = ["a", "b"] interval = "10s" }
}
acl { tokens { agent = <<EOF
secret
EOF
} }
"""


def test_hcl_as_consul_s_users_write_it() -> None:
    raw = sources.read_text(HCL, "agent.hcl", "hcl")
    assert raw["datacenter"] == "east-aws"
    assert raw["node_name"] == "foobar"
    assert raw["ports"] == {"http": 8501, "dns": -1, "https": 8502}
    assert raw["addresses"] == {"http": "127.0.0.1 unix:///tmp/x.sock"}
    assert raw["retry_join"] == ["a", "b"]
    assert raw["default_query_time"] == 30_000_000_000
    assert raw["node_meta"] == {"rack": "r1", "size": "3"}
    (service,) = raw["service"]
    assert service["check"][0]["interval"] == 10_000_000_000


def test_json_says_the_same() -> None:
    text = '{"server": true, "ports": {"http": 8501}, "default_query_time": 1000, "ui": null}'
    raw = sources.read_text(text, "agent.json", "json")
    assert raw == {"server": True, "ports": {"http": 8501}, "default_query_time": 1000}


def test_later_sources_win_lists_grow_and_maps_merge(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"log_level": "warn", "retry_join": ["y"]}')
    (tmp_path / "a.hcl").write_text('log_level = "info" retry_join = ["x"] ports { http = 1 }')
    (tmp_path / "c.hcl").write_text("ports { https = 2 }")
    (tmp_path / "notes.txt").write_text("not read")
    (tmp_path / "folder.json").mkdir()
    raw = sources.read_all([str(tmp_path)])
    assert raw == {"log_level": "warn", "retry_join": ["x", "y"], "ports": {"http": 1, "https": 2}}


def test_every_unknown_key_is_named_with_the_nearest_one() -> None:
    text = '{"sever": true, "ports": {"htp": 1, "x": 2}, "bogus": {}}'
    with pytest.raises(SettingsError) as caught:
        sources.read_text(text, "agent.json", "json")
    assert str(caught.value).splitlines() == [
        "failed to parse agent.json: 4 errors occurred:",
        '\t* invalid config key sever (did you mean "server"?)',
        '\t* invalid config key ports.htp (did you mean "http"?)',
        "\t* invalid config key ports.x",
        "\t* invalid config key bogus",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"server": "yes"}', "'server' expected type 'bool', got unconvertible type 'string'"),
        ('{"ports": {"http": "x"}}', "'ports.http' expected type 'int', got unconvertible type"),
        ('{"ports": 5}', "'ports' expected a map, got unconvertible type 'number'"),
        ('{"datacenter": 5}', "'datacenter' expected type 'string'"),
        ('{"retry_join": [1]}', "'retry_join' expected type 'list of strings'"),
        ('{"node_meta": []}', "'node_meta' expected type 'map of strings'"),
        ('{"default_query_time": "10"}', 'default_query_time: time: missing unit in duration "10"'),
        ('{"default_query_time": true}', "'default_query_time' expected type 'duration'"),
        ('{"bootstrap_expect": 1.5}', "'bootstrap_expect' expected type 'int'"),
    ],
)
def test_wrong_types_are_named(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        sources.read_text(text, "agent.json", "json")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"ports": {"http": 9223372036854775808}}', "ports.http: 9223372036854775808 is beyond"),
        ('{"tombstone_ttl": -1e19}', "tombstone_ttl: -1e+19 is beyond 64 bits"),
        ('{"tombstone_ttl": 1e999}', "tombstone_ttl: the number is too large"),
        ('{"limits": {"rpc_rate": 1e999}}', "limits.rpc_rate: the number is too large"),
        ('{"tombstone_ttl": Infinity}', "failed to parse agent.json: Infinity is not JSON"),
        ('{"tombstone_ttl": "\\ud800s"}', "'\\ud800s' is not UTF-8 text without NUL"),
        ('{"data_dir": "/\\u0000"}', "data_dir: '/\\x00' is not UTF-8 text without NUL"),
        ('{"retry_join": ["\\ud800"]}', "retry_join: '\\ud800' is not UTF-8 text"),
        ('{"node_meta": {"\\ud800": "x"}}', "node_meta: '\\ud800' is not UTF-8 text"),
        ('{"\\ud800": 1}', "invalid config key '\\ud800'"),
    ],
)
def test_what_go_could_not_hold_is_refused_in_words_that_can_be_printed(
    text: str, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        sources.read_text(text, "agent.json", "json")
    assert message in str(caught.value)
    assert str(caught.value).encode()


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        ("{", "json"),
        ("[]x", "json"),
        ("5", "json"),
        ('a = "x', "hcl"),
        ("ports {", "hcl"),
        ("= 3", "hcl"),
        ("\0", "hcl"),
        ("[" * 100_000, "json"),
    ],
)
def test_what_has_no_such_syntax_is_refused_by_name(text: str, format_: str) -> None:
    with pytest.raises(SettingsError, match=r"failed to parse agent\.x"):
        sources.read_text(text, "agent.x", format_)


def test_an_empty_file_says_nothing() -> None:
    assert sources.read_text("", "agent.hcl", "hcl") == {}
    assert sources.read_text("{}", "agent.json", "json") == {}
    assert sources.read_text("null", "agent.json", "json") == {}


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read .*none\.json: No such file"):
        sources.read_all([str(tmp_path / "none.json")])
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"bad\.json: it is not UTF-8 text"):
        sources.read_all([str(tmp_path)])


def test_a_file_without_a_known_ending_needs_a_format(tmp_path: Path) -> None:
    path = tmp_path / "agent.conf"
    path.write_text("server = true")
    with pytest.raises(SettingsError, match="has unknown extension"):
        sources.read_all([str(path)])
    assert sources.read_all([str(path)], "hcl") == {"server": True}


def test_known_keys_without_effect_are_listed() -> None:
    raw = {"server": True, "ui": True, "ports": {"http": 1, "grpc": 2}, "segments": []}
    assert list(sources.unused_keys(raw)) == ["ui", "ports.grpc", "segments"]
