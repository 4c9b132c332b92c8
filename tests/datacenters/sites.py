"""Datacenters of one server each, as processes on one machine."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dns.message
import dns.query
import dns.rcode

from tests.cluster.agents import ALIVE, FAILED, LEFT, ask, until
from tests.processes import FAIRLEAD, AgentProcess, fairlead_agent, free_port

__all__ = ["ALIVE", "FAILED", "LEFT", "Reply", "Site", "Sites", "ask", "sites_in", "until"]


class Reply(NamedTuple):
    """One answer."""

    status: int
    text: str
    at_index: int

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Site:
    """A datacenter and its server."""

    def __init__(self, folder: Path, name: str, flags: tuple[str, ...]) -> None:
        folder.mkdir()
        self.name = name
        self.wan, self.dns, self.lan = free_port(), free_port(), free_port()
        own = [f"-node=s-{name}", f"-datacenter={name}", f"-serf-wan-port={self.wan}"]
        own += [f"-dns-port={self.dns}", f"-serf-lan-port={self.lan}"]
        self.server = fairlead_agent(folder, *own, *flags)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.wan}"

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Reply:
        return request(self.server, path, method, body)

    def statuses(self) -> dict[str, int]:
        """How every server of every datacenter is."""
        members = self.ask("/v1/agent/members?wan=1").json
        return {member["Name"]: member["Status"] for member in members}

    def datacenters(self) -> list[str]:
        found: list[str] = self.ask("/v1/catalog/datacenters").json
        return found

    def dig(self, name: str, type_: str = "A") -> tuple[str, list[str]]:
        """The rcode, and the answers as text."""
        question = dns.message.make_query(name, type_)
        answer = dns.query.udp(question, "127.0.0.1", timeout=10, port=self.dns)
        records = [item.to_text() for rrset in answer.answer for item in rrset]
        return dns.rcode.to_text(answer.rcode()), sorted(records)


def request(agent: AgentProcess, path: str, method: str = "GET", body: Any = None) -> Reply:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    question = urllib.request.Request(agent.url + path, data, method=method)
    try:
        with urllib.request.urlopen(question, timeout=30) as reply:
            index = int(reply.headers.get("X-Consul-Index", 0))
            return Reply(reply.status, reply.read().decode(), index)
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.read().decode(), 0)


class Sites:
    """All of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[AgentProcess] = []

    def site(self, name: str, *flags: str) -> Site:
        site = Site(self.folder / name, name, flags)
        self.started.append(site.server)
        site.server.start()
        return site

    def client(self, site: Site, name: str) -> AgentProcess:
        """A client agent of that datacenter."""
        folder, port = self.folder / f"{site.name}-{name}", free_port()
        folder.mkdir()
        command = [*FAIRLEAD, "agent", "-bind=127.0.0.1", f"-node={name}", "-dns-port=-1"]
        command += [f"-datacenter={site.name}", f"-http-port={port}"]
        command += [f"-join=127.0.0.1:{site.lan}", f"-data-dir={folder / 'data'}"]
        agent = AgentProcess(command, port, folder, "/v1/agent/self")
        self.started.append(agent)
        return agent.start()

    def pair(self, *flags: str) -> tuple[Site, Site]:
        """Two that know one another."""
        one, two = self.site("dc1"), self.site("dc2", *flags)
        assert two.ask(f"/v1/agent/join/{one.address}?wan=1", "PUT").status == 200
        return one, two

    def stop(self) -> None:
        for agent in reversed(self.started):
            agent.stop()


def sites_in(folder: Path) -> Iterator[Sites]:
    sites = Sites(folder)
    try:
        yield sites
    finally:
        sites.stop()


def seconds_of(work: Any) -> float:
    """How long it took."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun
