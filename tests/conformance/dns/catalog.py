"""The catalog the DNS questions are asked of: bodies of `/v1/catalog/register`."""

from __future__ import annotations

from typing import Any

__all__ = ["FAR", "QUERIES", "REGISTRATIONS", "Body"]

Body = dict[str, Any]


def _node(name: str, address: str, **more: Any) -> Body:
    return {"Node": name, "Address": address, **more}


def _service(service: str, port: int = 80, **more: Any) -> Body:
    return {"ID": more.pop("ID", service), "Service": service, "Port": port, **more}


def _check(check_id: str, status: str, service_id: str = "") -> Body:
    return {"CheckID": check_id, "Name": check_id, "Status": status, "ServiceID": service_id}


def _on(number: int, service: Body, *checks: Body, **more: Any) -> Body:
    """A registration on one of the external nodes."""
    body = {**_node(f"ext{number}", f"10.0.0.{number}"), "SkipNodeUpdate": True, **more}
    body["Service"] = service
    return {**body, "Checks": list(checks)} if checks else body


def _crowd() -> list[Body]:
    """A service with a hundred instances, one with twenty that have addresses of their own."""
    found = []
    for number in range(100, 200):
        found.append({**_node(f"crowd-{number}", f"10.1.0.{number}"), "Service": _service("crowd")})
    for number in range(100, 120):
        own = _service("own-crowd", 8080, Address=f"10.2.0.{number}")
        found.append({**_node(f"crowd-{number}", f"10.1.0.{number}"), "Service": own})
    for number in range(100, 140):
        six = _service("six-crowd", 8080, Address=f"fd00::{number}")
        found.append({**_node(f"crowd-{number}", f"10.1.0.{number}"), "Service": six})
    for number in range(100, 130):
        name = _service("name-crowd", 8080, Address=f"host-{number}.example.org")
        found.append({**_node(f"crowd-{number}", f"10.1.0.{number}"), "Service": name})
    return found


_META = {"rack": "r1", "rfc1035-owner": "the owner", "a=b": "c=d", " padded ": "x`y", "empty": ""}

_CASES: list[Body] = [
    _node("ext1", "10.0.0.1", NodeMeta=_META),
    _node("ext2", "10.0.0.2"),
    _node("ext3", "10.0.0.3"),
    _node("ext4", "10.0.0.4"),
    _node("Upper", "10.0.0.20", NodeMeta={"Zone": "B"}),
    _node("dotted.name", "10.0.0.21"),
    _node("six", "fd00::6"),
    _node("named", "host.example.org"),
    _node("inside", "ext1.node.consul"),
    _node("loops", "loops.node.consul"),
    _node("to-service", "web.service.consul"),
    _node("under_score", "10.0.0.22"),
    _node(
        "both",
        "10.0.0.23",
        TaggedAddresses={"lan_ipv4": "10.0.0.23", "lan_ipv6": "fd00::23", "wan": "203.0.113.1"},
    ),
    _node("twin-a", "10.0.0.30"),
    _node("twin-b", "10.0.0.30"),
    _node("ided", "10.0.0.31", ID="6f4ae0e5-0a0a-4c6b-b7d4-52f4a0f4f0aa"),
    # the plain case: two instances, one with its own address, tags and weights
    _on(1, _service("web", 8080, Tags=["Primary", "v1.2", "rack-1"])),
    _on(
        2,
        _service(
            "web", 8081, Address="10.9.0.2", Tags=["v2"], Weights={"Passing": 7, "Warning": 3}
        ),
    ),
    # health
    _on(1, _service("half", 1), _check("half-1", "passing", "half")),
    _on(2, _service("half", 2), _check("half-2", "critical", "half")),
    _on(
        3,
        _service("half", 3, Weights={"Passing": 9, "Warning": 4}),
        _check("half-3", "warning", "half"),
    ),
    _on(1, _service("down", 1), _check("down-1", "critical", "down")),
    _on(2, _service("maint", 1), _check("_service_maintenance:maint", "critical", "maint")),
    {
        **_node("sick", "10.0.0.40"),
        "Service": _service("ill"),
        "Checks": [_check("node-sick", "critical")],
    },
    {
        **_node("weak", "10.0.0.41"),
        "Service": _service("frail", 5, Weights={"Passing": 10, "Warning": 2}),
        "Checks": [_check("node-weak", "warning")],
    },
    # addresses
    _on(1, _service("v6", 90, Address="fd00::1")),
    _on(2, _service("v6", 90, Address="10.9.0.9")),
    _on(1, _service("only6", 90, Address="fd00::2")),
    _on(1, _service("alias", 90, Address="www.example.org")),
    _on(2, _service("mixed", 90, Address="www.example.org")),
    _on(3, _service("mixed", 91, Address="10.9.0.10")),
    _on(1, _service("far", 92, Address="far.node.example.org")),
    _node("far-node", "far.node.example.org"),
    {**_node("far-node", "far.node.example.org"), "Service": _service("on-far", 93)},
    _on(1, _service("aliases", 90, Address="a.example.org")),
    _on(2, _service("aliases", 91, Address="a.example.org")),
    _on(1, _service("to-node", 90, Address="ext2.node.consul")),
    _on(1, _service("to-node-dot", 90, Address="ext2.node.consul.")),
    _on(1, _service("to-web", 90, Address="web.service.consul")),
    _on(1, _service("to-self", 90, Address="to-self.service.consul")),
    {**_node("six", "fd00::6"), "Service": _service("on-six", 70)},
    {**_node("named", "host.example.org"), "Service": _service("on-named", 70)},
    {**_node("inside", "ext1.node.consul"), "Service": _service("on-inside", 70)},
    {
        **_node("both", "10.0.0.23"),
        "SkipNodeUpdate": True,
        "Service": _service(
            "two-faced",
            71,
            Address="10.0.0.23",
            TaggedAddresses={
                "lan_ipv4": {"Address": "10.0.0.24", "Port": 7104},
                "lan_ipv6": {"Address": "fd00::24", "Port": 7106},
                "wan": {"Address": "203.0.113.2", "Port": 7199},
            },
        ),
    },
    {**_node("both", "10.0.0.23"), "SkipNodeUpdate": True, "Service": _service("plain-both", 72)},
    # doubles
    _on(1, _service("twice", 1, ID="twice-1")),
    _on(1, _service("twice", 1, ID="twice-2")),
    _on(1, _service("twice", 2, ID="twice-3")),
    _on(1, _service("shared", 1, Address="10.9.0.50")),
    _on(2, _service("shared", 1, Address="10.9.0.50")),
    _on(3, _service("shared", 2, Address="10.9.0.50")),
    {**_node("twin-a", "10.0.0.30"), "Service": _service("twins")},
    {**_node("twin-b", "10.0.0.30"), "Service": _service("twins")},
    # names
    _on(1, _service("Shouting", 10)),
    _on(1, _service("under_score", 11)),
    _on(1, _service("dot.ted", 12)),
    _on(1, _service("tcp", 13, Tags=["tcp", "udp"])),
    _on(1, _service("service", 14)),
    _on(1, _service("node", 15)),
    _on(1, _service("zero", 0)),
    _on(1, _service("heavy", 16, Weights={"Passing": 65535, "Warning": 1})),
    {**_node("Upper", "10.0.0.20"), "SkipNodeUpdate": True, "Service": _service("on-upper", 17)},
    {**_node("dotted.name", "10.0.0.21"), "Service": _service("on-dotted", 18)},
    # connect
    {
        **_node("ext1", "10.0.0.1"),
        "SkipNodeUpdate": True,
        "Service": _service(
            "web-proxy",
            20000,
            Kind="connect-proxy",
            Proxy={"DestinationServiceName": "web", "DestinationServiceID": "web"},
        ),
    },
    _on(3, _service("native", 21, Connect={"Native": True})),
]

REGISTRATIONS: list[Body] = [*_CASES, *_crowd()]
"""In order. What both agents hold besides is their own node `n1` with the service `consul`."""

FAR: list[Body] = [_node("far", "192.0.2.1", NodeMeta={"far": "away"})]
"""What the recursor of the tests knows, in the domain `example.org`."""

QUERIES: list[Body] = [
    {"Name": "find-web", "Service": {"Service": "web"}},
    {"Name": "find.dotted", "Service": {"Service": "web", "Tags": ["v2"]}, "DNS": {"TTL": "7s"}},
    {"Name": "find-down", "Service": {"Service": "down"}},
    {"Name": "find-half", "Service": {"Service": "half"}},
    {"Name": "find-passing", "Service": {"Service": "half", "OnlyPassing": True}},
    {"Name": "find-crowd", "Service": {"Service": "crowd"}},
    {"Name": "find-alias", "Service": {"Service": "alias"}, "DNS": {"TTL": "1m"}},
    {"Name": "find-none", "Service": {"Service": "not-there"}},
    {"Name": "Upper-query", "Service": {"Service": "web"}},
    {
        "Name": "any-",
        "Template": {"Type": "name_prefix_match"},
        "Service": {"Service": "${name.suffix}"},
    },
]
"""Bodies of `POST /v1/query`."""
