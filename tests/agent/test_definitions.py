"""`fairlead.agent.definitions`: what a registration amounts to."""

from __future__ import annotations

import pytest

from fairlead.agent.checks.definition import CheckDefinition, type_of
from fairlead.agent.definitions import (
    AddressDefinition,
    ConnectDefinition,
    ProxyDefinition,
    ServiceDefinition,
    WeightsDefinition,
    checks_of,
    dns_warning,
    service_of,
)
from fairlead.core.rows import Address, Weights
from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError

TTL = CheckDefinition(ttl_ns=SECOND_NS)


def test_a_name_is_enough() -> None:
    service = service_of(ServiceDefinition(name="web"))
    assert (service.id, service.service, service.weights) == ("web", "web", Weights(1, 1))
    assert service.meta is None


def test_an_ip_address_is_tagged_unless_tags_say_otherwise() -> None:
    given = {"lan_ipv4": AddressDefinition("1.2.3.4", 5)}
    definition = ServiceDefinition(name="web", address="10.0.0.1", port=80, tagged_addresses=given)
    assert service_of(definition).tagged_addresses == {
        "lan_ipv4": Address("1.2.3.4", 5),
        "wan_ipv4": Address("10.0.0.1", 80),
    }


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (ServiceDefinition(id="x"), "Missing service name"),
        (ServiceDefinition(name="x", address="0.0.0.0"), "Invalid service address"),
        (
            ServiceDefinition(name="x", weights=WeightsDefinition(0, 1)),
            "Invalid Weights: Passing must be greater than 0",
        ),
        (
            ServiceDefinition(name="x", meta={f"k{number}": "" for number in range(65)}),
            "Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs",
        ),
        (
            ServiceDefinition(name="x", meta={"k" * 129: ""}),
            f"Invalid Service Meta: Couldn't load metadata pair ('{'k' * 129}', ''): "
            "Key is too long (limit: 128 characters)",
        ),
        (
            ServiceDefinition(name="x", meta={"k": "v" * 513}),
            f"Invalid Service Meta: Couldn't load metadata pair ('k', '{'v' * 513}'): "
            "Value is too long (limit: 512 characters)",
        ),
        (
            ServiceDefinition(
                name="x",
                kind="connect-proxy",
                port=1,
                proxy=ProxyDefinition("web"),
                connect=ConnectDefinition(native=True),
            ),
            "1 error occurred:\n\t* A Proxy cannot also be Connect Native, "
            "only typical services\n\n",
        ),
        (
            ServiceDefinition(name="x", connect=ConnectDefinition(sidecar_service={})),
            "sidecar_service is not supported: register the proxy as a service",
        ),
    ],
)
def test_what_cannot_be_is_said_in_consul_s_words(
    definition: ServiceDefinition, words: str
) -> None:
    with pytest.raises(InvalidError) as raised:
        service_of(definition)
    assert str(raised.value) == words


def test_one_check_has_no_number_and_several_have_their_positions() -> None:
    one = ServiceDefinition(name="web", id="w1", check=TTL)
    assert [check.check_id for check in checks_of(one)] == ["service:w1"]
    several = ServiceDefinition(
        name="web",
        id="w1",
        check=TTL,
        checks=[CheckDefinition(check_id="own", ttl_ns=1), TTL],
    )
    assert [check.check_id for check in checks_of(several)] == [
        "service:w1:1",
        "own",
        "service:w1:3",
    ]
    assert {check.name for check in checks_of(several)} == {"Service 'web' check"}
    assert {check.service_id for check in checks_of(several)} == {"w1"}


def test_an_empty_check_is_none() -> None:
    assert checks_of(ServiceDefinition(name="web")) == []


@pytest.mark.parametrize(
    ("check", "kind"),
    [
        (CheckDefinition(ttl_ns=1), "ttl"),
        (CheckDefinition(http="x", tcp="y", interval_ns=1), "http"),
        (CheckDefinition(tcp="y", interval_ns=1), "tcp"),
        (CheckDefinition(args=["x"], interval_ns=1), "script"),
        (CheckDefinition(args=["x"], docker_container_id="y", interval_ns=1), "docker"),
        (CheckDefinition(grpc="x", interval_ns=1), "grpc"),
        (CheckDefinition(alias_service="x"), "alias"),
        (CheckDefinition(udp="x", interval_ns=1), "udp"),
        (CheckDefinition(), ""),
    ],
)
def test_the_kind_of_a_check_follows_from_its_fields(check: CheckDefinition, kind: str) -> None:
    assert type_of(check) == kind


def test_names_dns_cannot_carry_are_taken_with_a_warning() -> None:
    assert dns_warning("web-1") == ""
    assert dns_warning("web_1").startswith('Service name "web_1" will not be discoverable via DNS')
    assert service_of(ServiceDefinition(name="web_1")).service == "web_1"
