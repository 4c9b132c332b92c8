"""`fairlead.dns.names`: what a name asks for."""

from __future__ import annotations

import pytest

from fairlead.dns.names import Kind, Lookup, Zones, address_of_reverse, is_inside, understand

ZONES = Zones("consul", "alt.example")


@pytest.mark.parametrize(
    ("name", "lookup"),
    [
        ("n1.node.consul", Lookup(Kind.NODE, "n1")),
        ("n1.node.dc2.consul", Lookup(Kind.NODE, "n1", "", "dc2")),
        ("a.b.node.alt.example", Lookup(Kind.NODE, "a.b")),
        ("web.service.consul", Lookup(Kind.SERVICE, "web")),
        ("v1.2.web.service.dc1.consul", Lookup(Kind.SERVICE, "web", "v1.2", "dc1")),
        ("_web._tcp.service.consul", Lookup(Kind.SERVICE, "web")),
        ("_web._v2.service.dc1.consul", Lookup(Kind.SERVICE, "web", "v2", "dc1")),
        ("_web._udp.service.consul", Lookup(Kind.SERVICE, "web", "udp")),
        ("_web.service.consul", Lookup(Kind.SERVICE, "_web")),
        ("service.service.consul", Lookup(Kind.SERVICE, "service")),
        ("x.web.connect.consul", Lookup(Kind.CONNECT, "web")),
        ("web.ingress.consul", Lookup(Kind.INGRESS, "web")),
        ("find.me.query.consul", Lookup(Kind.QUERY, "find.me")),
        ("0a000001.addr.consul", Lookup(Kind.ADDRESS, "0a000001")),
        ("0a000001.addr.what.ever.consul", Lookup(Kind.ADDRESS, "0a000001")),
        ("0a00001.addr.consul", Lookup(Kind.ADDRESS)),
        ("zz000001.addr.consul", Lookup(Kind.NOTHING)),
        ("0a0000011.addr.consul", Lookup(Kind.NOTHING)),
        ("1.0a000001.addr.consul", Lookup(Kind.NOTHING)),
        ("consul", Lookup(Kind.NOTHING)),
        ("service.consul", Lookup(Kind.NOTHING)),
        ("web.service.dc1.more.consul", Lookup(Kind.NOTHING)),
        ("nonsense.consul", Lookup(Kind.NOTHING)),
        ("_web._tcp.consul", Lookup(Kind.NOTHING)),
        ("1.0.0.10.in-addr.arpa", Lookup(Kind.REVERSE, "1.0.0.10.in-addr.arpa")),
        ("example.org", Lookup(Kind.OUTSIDE)),
        ("xconsul", Lookup(Kind.OUTSIDE)),
        ("", Lookup(Kind.OUTSIDE)),
    ],
)
def test_a_name_is_understood(name: str, lookup: Lookup) -> None:
    assert understand(name, ZONES, is_srv=False) == lookup


def test_srv_questions_may_leave_the_word_service_out() -> None:
    assert understand("_web._tcp.consul", ZONES, is_srv=True) == Lookup(Kind.SERVICE, "web")
    wanted = Lookup(Kind.SERVICE, "web", "v2", "dc1")
    assert understand("_web._v2.dc1.consul", ZONES, is_srv=True) == wanted


def test_the_longer_domain_that_fits_counts() -> None:
    zones = Zones("consul", "eu.consul")
    assert understand("n1.node.eu.consul", zones, is_srv=False) == Lookup(Kind.NODE, "n1")


def test_the_root_can_be_our_domain() -> None:
    assert understand("n1.node", Zones(""), is_srv=False) == Lookup(Kind.NODE, "n1")
    assert understand("n1.node.dc1", Zones(""), is_srv=False).datacenter == "dc1"


def test_our_names_are_inside() -> None:
    assert is_inside("n1.node.consul", ZONES)
    assert not is_inside("n1.node.consul.example", ZONES)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("1.0.0.10.in-addr.arpa", "10.0.0.1"),
        ("1." + "0." * 29 + "d.f.ip6.arpa", "fd00::1"),
        ("0.0.10.in-addr.arpa", None),
        ("x.0.0.10.in-addr.arpa", None),
        ("g." + "0." * 29 + "d.f.ip6.arpa", None),
        ("00." + "0." * 29 + "d.f.ip6.arpa", None),
        ("in-addr.arpa", None),
    ],
)
def test_a_reverse_name_stands_for_an_address(name: str, address: str | None) -> None:
    assert address_of_reverse(name) == address
