"""`fairlead.agent.declared`: services and checks of configuration files."""

from __future__ import annotations

import pytest

from fairlead.agent.declared import Declared, declared
from fairlead.agent.definitions import ProxyDefinition, WeightsDefinition
from fairlead.durations import SECOND_NS
from fairlead.errors import SettingsError
from fairlead.settings import sources
from fairlead.settings.settings import build

BASE = {"engine": "memory:", "bind_addr": "10.0.0.1"}


def read(text: str, format_: str = "hcl") -> Declared:
    raw = sources.read_text(text, f"a.{format_}", format_)
    return declared(build(sources.merge(BASE, raw)))


def test_hcl_says_all_there_is_to_say() -> None:
    found = read(
        """
        service {
          name = "web" id = "w1" port = 80 tags = ["a", "b"] enable_tag_override = true
          meta { x = "y" }
          weights { passing = 5 }
          tagged_addresses { lan { address = "1.2.3.4" port = 5 } }
          check { ttl = "30s" status = "passing" }
          checks = [
            { http = "http://x" interval = "10s" header { a = ["b", "c"] } },
            { id = "own" tcp = "x:1" interval = "1m" deregister_critical_service_after = "2m" },
          ]
        }
        check { name = "disk" ttl = "1h" service_id = "w1" }
        """
    )
    (service,) = found.services
    assert (service.own_id, service.port, service.tags) == ("w1", 80, ["a", "b"])
    assert service.enable_tag_override
    assert service.weights == WeightsDefinition(5, 1)
    assert service.tagged_addresses["lan"].port == 5
    ttl, http, tcp = service.checks
    assert (ttl.ttl_ns, ttl.status) == (30 * SECOND_NS, "passing")
    assert (http.interval_ns, http.header) == (10 * SECOND_NS, {"a": ["b", "c"]})
    assert (tcp.check_id, tcp.deregister_critical_service_after_ns) == ("own", 120 * SECOND_NS)
    (disk,) = found.checks
    assert (disk.check_id, disk.service_id) == ("disk", "w1")


def test_json_and_files_add_up() -> None:
    one = sources.read_text('service { name = "a" } services { name = "b" }', "a.hcl", "hcl")
    text = '{"service": {"name": "c"}, "services": [{"name": "d"}, {"name": "e"}]}'
    two = sources.read_text(text, "b.json", "json")
    raw = sources.merge(sources.merge(BASE, one), two)
    assert [service.name for service in declared(build(raw)).services] == list("acbde")


def test_blocks_may_stand_more_than_once() -> None:
    found = read(
        """
        service { name = "a" check { ttl = "1s" } check { ttl = "2s" } }
        service { name = "b" }
        check { name = "c" ttl = "1s" }
        check { name = "d" ttl = "1s" }
        """
    )
    assert [len(service.checks) for service in found.services] == [2, 0]
    assert [check.name for check in found.checks] == ["c", "d"]
    assert [check.ttl_ns for check in found.checks] == [SECOND_NS, SECOND_NS]


def test_sections_that_stand_more_than_once_are_one() -> None:
    text = 'ports { http = 1 } ports { https = 2 } node_meta { a = "1" } node_meta { b = "2" }'
    raw = sources.read_text(text, "a.hcl", "hcl")
    assert raw == {"ports": {"http": 1, "https": 2}, "node_meta": {"a": "1", "b": "2"}}


def test_a_proxy_says_for_whom_it_stands() -> None:
    (service,) = read(
        'service { name = "p" kind = "connect-proxy" port = 1 '
        'proxy { destination_service_name = "web" } connect { native = false } }'
    ).services
    assert service.proxy == ProxyDefinition("web")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('service { nam = "x" }', 'invalid config key service.nam (did you mean "name"?)'),
        (
            'service { name = "x" check { intervall = "1s" } }',
            'invalid config key service.check.intervall (did you mean "interval"?)',
        ),
        (
            'services = [{name = "x"}, {name = "y" checks = [{ttl = "1s"}, {bogus = 1}]}]',
            "invalid config key services[1].checks[1].bogus",
        ),
        ('service { name = "x" port = "80" }', "'service.port' expected type 'int'"),
        ('service { name = "x" check { ttl = "soon" } }', "service.check.ttl: time: invalid"),
        ('services = ["web"]', "'services[0]' expected a map, got"),
        ("service { port = 80 }", 'Failed to register service "": Missing service name'),
        (
            'service { name = "x" check { notes = "n" } }',
            'Failed to register service "x": Invalid check: TTL must be > 0 for TTL checks',
        ),
        (
            'service { name = "x" check { args = ["true"] interval = "1s" } }',
            "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or",
        ),
        ('service { name = "x" } service { name = "x" }', 'service "x" is defined 2 times'),
        ('check { ttl = "1s" }', 'Failed to register check "": Missing check name'),
        (
            'check { name = "c" ttl = "1s" status = "fine" }',
            'Failed to register check "c": Bad check status',
        ),
        (
            'check { name = "c" ttl = "1s" service_id = "x" }',
            'Failed to register check "c": ServiceID "x" does not exist',
        ),
        (
            'check { name = "c" interval = "1s" }',
            'Failed to register check "c": TTL must be > 0 for TTL checks',
        ),
    ],
)
def test_what_cannot_be_is_named(text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(text)
    assert fault in str(raised.value)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        read('service { port = 1 } service { name = "x" address = "::" } check { ttl = "1s" }')
    assert len(str(raised.value).splitlines()) == 3
