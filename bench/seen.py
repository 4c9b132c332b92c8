"""What a server tells of agents and services: over HTTP, and over DNS."""

from __future__ import annotations

import json

import dns.message
import dns.query
import dns.rdatatype

from bench.errors import BenchError
from bench.server import Server

__all__ = ["addresses", "failed", "instances", "passing", "well"]

_SERF_HEALTH = "serfHealth"
_DNS_S = 5.0


def failed(server: Server) -> set[str]:
    """The nodes whose agent is not alive."""
    return _nodes(server, "critical", _SERF_HEALTH)


def well(server: Server) -> int:
    """How many nodes have an agent that is alive, the server's own apart."""
    return len(_nodes(server, "passing", _SERF_HEALTH)) - 1


def instances(server: Server) -> int:
    """How many checks of services pass: one for each instance."""
    checks = json.loads(server.ask("GET", "/v1/health/state/passing").body)
    return sum(1 for check in checks if check["ServiceID"])


def passing(server: Server, service: str) -> set[str]:
    """The nodes of the passing instances of a service."""
    answer = server.ask("GET", f"/v1/health/service/{service}?passing")
    return {each["Node"]["Node"] for each in json.loads(answer.body)}


def addresses(server: Server, service: str) -> set[str]:
    """The addresses DNS gives for a service."""
    question = dns.message.make_query(f"{service}.service.consul", dns.rdatatype.A)
    answer = dns.query.udp(question, "127.0.0.1", timeout=_DNS_S, port=server.dns_port)
    return {str(record) for found in answer.answer for record in found}


def _nodes(server: Server, state: str, check_id: str) -> set[str]:
    answer = server.ask("GET", f"/v1/health/state/{state}?filter=CheckID=={check_id}")
    if answer.status != 200:
        raise BenchError(f"{server.name} does not say who is {state}: {answer.body!r}")
    return {check["Node"] for check in json.loads(answer.body)}
