"""`fairlead.settings.settings`, `schema` and `flags`."""

from __future__ import annotations

from dataclasses import fields

import pytest

from fairlead.errors import SettingsError
from fairlead.settings import flags, schema
from fairlead.settings.settings import DEV_DEFAULTS, RELOADABLE, Settings, build, warnings

BASE = {"engine": "memory:", "bind_addr": "127.0.0.1"}


def test_defaults_are_consul_s() -> None:
    settings = build(DEV_DEFAULTS)
    assert settings.datacenter == "dc1"
    assert settings.ports_http == 8500
    assert settings.http_addresses == ["127.0.0.1"]
    assert settings.limits_kv_max_value_size == 524288
    assert settings.limits_http_max_conns_per_client == 200
    assert settings.default_query_time == 300 * 10**9
    assert settings.max_query_time == 600 * 10**9


def test_a_data_directory_means_sqlite() -> None:
    assert build({"data_dir": "/d", "bind_addr": "10.0.0.1"}).engine == "sqlite:/d/fairlead.db"


def test_the_advertised_address_is_the_bound_one_unless_that_is_any() -> None:
    assert build(BASE).advertise_addr == "127.0.0.1"
    assert build({**BASE, "advertise_addr": "10.0.0.9"}).advertise_addr == "10.0.0.9"
    assert build({"engine": "memory:"}).advertise_addr not in ("0.0.0.0", "")


def test_datacenters_are_lower_case() -> None:
    assert build({**BASE, "datacenter": "DC-East_1"}).datacenter == "dc-east_1"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"engine": ""}, "data_dir cannot be empty"),
        ({"datacenter": "bad dc"}, 'datacenter cannot be "bad dc". Please use only [a-z0-9-_]'),
        ({"bootstrap": True}, "'bootstrap = true' requires 'server = true'"),
        (
            {"bootstrap": True, "server": True, "bootstrap_expect": 1},
            "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive",
        ),
        ({"bootstrap_expect": 3, "server": True}, "only one server can use it; leave engine out"),
        (
            {"bootstrap_expect": 3, "server": True, "engine": "etcd:", "data_dir": ""},
            "data_dir cannot be empty when there are several servers",
        ),
        (
            {
                "bootstrap_expect": 3,
                "server": True,
                "engine": "",
                "data_dir": "/tmp/x",
                "ports": {"server": -1, "serf_lan": -1, "etcd": -1},
            },
            "ports.etcd must be set when there are several servers",
        ),
        ({"bootstrap_expect": 3}, "'bootstrap_expect > 0' requires 'server = true'"),
        ({"log_level": "loud"}, 'log_level cannot be "LOUD"'),
        ({"ports": {"http": 70000}}, "ports.http cannot be 70000"),
        ({"limits": {"kv_max_value_size": 0}}, "limits.kv_max_value_size cannot be 0"),
        ({"session_ttl_min": -5}, "session_ttl_min cannot be -5"),
        ({"bind_addr": "nonsense"}, 'bind_addr: "nonsense" is not an IP address'),
        ({"client_addr": "example.org"}, 'client_addr: "example.org" is neither'),
        ({"client_addr": "unix://"}, 'client_addr: "unix://" is neither'),
        ({"addresses": {"https": "example.org"}}, 'addresses.https: "example.org" is neither'),
        ({"http_config": {"response_headers": {"": "x"}}}, "'' is not a header's name"),
        ({"http_config": {"response_headers": {"a b": "x"}}}, "'a b' is not a header's name"),
        (
            {"http_config": {"response_headers": {"X": "a\r\nb"}}},
            "'a\\r\\nb' holds a control character",
        ),
        ({"http_config": {"allow_write_http_from": ["x"]}}, '"x" is not a CIDR'),
        ({"retry_max_wan": -1}, "retry_max_wan cannot be -1"),
        ({"advertise_addr_wan": "here"}, 'advertise_addr_wan: "here" is not an IP address'),
        ({"retry_join_wan": [" "]}, "retry_join_wan: an address is empty"),
        ({"start_join_wan": ["a"]}, "start_join_wan: Must be a server to join WAN cluster"),
        (
            {"ports": {"serf_wan": -1}, "retry_join_wan": ["a"]},
            "ports.serf_wan must be set to join other datacenters",
        ),
        ({"kv_replication": [{"prefix": "a/"}]}, "kv_replication[0]: datacenter must be set"),
        ({"kv_replication": [{"datacenter": "dc2"}]}, "kv_replication[0]: prefix must be set"),
        (
            {"kv_replication": [{"datacenter": "dc1", "prefix": "a"}]},
            'kv_replication[0]: "dc1" is the datacenter of this agent',
        ),
        (
            {
                "kv_replication": [
                    {"datacenter": "dc2", "prefix": "a/"},
                    {"datacenter": "dc3", "prefix": "a/b"},
                ]
            },
            'kv_replication[1]: prefix "a/b" overlaps with another one',
        ),
        ({"ports": {"https": 8501}}, "cert_file must be set when ports.https is"),
        ({"ports": {"https": 8501}, "cert_file": "/no"}, 'cert_file: "/no" cannot be read'),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(raw: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        build({**BASE, **raw})
    assert message in str(caught.value)


def test_a_fault_is_told_once_though_two_listeners_meet_it() -> None:
    with pytest.raises(SettingsError) as caught:
        build({**BASE, "client_addr": "nowhere nowhere"})
    assert len(str(caught.value).splitlines()) == 1


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        build({"engine": "", "datacenter": "x y", "bind_addr": "z", "log_level": "q"})
    assert len(str(caught.value).splitlines()) >= 4


def test_a_node_name_that_dns_cannot_carry_is_a_warning() -> None:
    assert warnings(build({**BASE, "node_name": "web-1"})) == []
    (warning,) = warnings(build({**BASE, "node_name": "web_1"}))
    assert "will not be discoverable via DNS" in warning


def test_every_key_in_use_exists_and_has_a_field() -> None:
    names = {field.name for field in fields(Settings)}
    for key in schema.USED:
        flags.kind_of(key)
        asks_for_nothing = key.startswith("disable_") and "filter" not in key
        assert key.replace(".", "_") in names or asks_for_nothing


def test_every_field_is_a_key_in_use() -> None:
    used = {key.replace(".", "_") for key in schema.USED}
    assert {field.name for field in fields(Settings)} <= used
    assert {field.name for field in fields(Settings)} >= RELOADABLE


def test_every_flag_stands_for_a_known_key_and_says_what_it_does_if_it_does_anything() -> None:
    for flag, (key, about) in flags.FLAGS.items():
        assert flags.kind_of(key), flag
        assert bool(about) == (key in schema.USED), flag


def test_flags_become_a_source() -> None:
    given = {
        "-http-port": 8501,
        "-server": True,
        "-retry-join": ("a,b", "c"),
        "-node-meta": ("rack:r1", "zone:a:b"),
    }
    assert flags.as_source(given) == {
        "ports": {"http": 8501},
        "server": True,
        "retry_join": ["a", "b", "c"],
        "node_meta": {"rack": "r1", "zone": "a:b"},
    }
    with pytest.raises(SettingsError, match='-node-meta: "rack" is not KEY:VALUE'):
        flags.as_source({"-node-meta": ("rack",)})
