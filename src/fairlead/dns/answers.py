"""From a question and the catalog to the records of the answer, as Consul gives them.

An answer also says what it rests on (rows, or whole tables), so that it can be
kept until one of them changes, and which names of others it wanted to know:
they are resolved outside and the question is put again.
Source: `agent/dns.go` of Consul 1.8.

Rule: pure but for `shuffle`, which is handed in; the time is handed in too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fairlead.core.directory import find_node
from fairlead.core.health import CRITICAL, PASSING, Instance, health_instances
from fairlead.core.keys import node_key
from fairlead.core.rows import NodeRow
from fairlead.core.state import State
from fairlead.core.table import Table
from fairlead.dns import hosts, trimming
from fairlead.dns.connect import connect_instances
from fairlead.dns.hosts import IP_TYPES
from fairlead.dns.names import Kind, Lookup, is_inside, understand
from fairlead.dns.records import (
    ANY,
    AXFR,
    CNAME,
    NS,
    PTR,
    SOA,
    SRV,
    TXT,
    Record,
    Service,
    Start,
    fits,
    packed,
)
from fairlead.dns.results import NOTHING_THERE, Answer, Part, QueryFinder, no_query
from fairlead.dns.reverse import Reverse
from fairlead.dns.rules import Rules
from fairlead.dns.wire import NOTIMP, REFUSED, SERVFAIL, Message, Question

__all__ = ["Search"]

_SERVERS = "consul"
_MOST_SERVERS = 3
# How often a name of ours may lead to another one of ours.
_DEPTH = 3
# Without EDNS, so many records of others' names are enough (Consul's constant).
_MOST_RESOLVED = 5


class Search:
    """One question put to the catalog; `resolved` are others' names as far as known."""

    def __init__(
        self,
        state: State,
        rules: Rules,
        question: Question,
        *,
        now_s: int,
        shuffle: Callable[[list[Any]], None],
        resolved: Mapping[str, list[Record]],
        reverse: Reverse,
        find_query: QueryFinder = no_query,
        source: str = "",
    ) -> None:
        self.state = state
        self.rules = rules
        self.question = question
        self.now_s = now_s
        self.shuffle = shuffle
        self.resolved = resolved
        self.reverse = reverse
        self.find_query = find_query
        self.source = source
        self.datacenter = rules.datacenter  # of what is found
        self.answer = Answer(Message(can_recurse=rules.recursion))

    def run(self) -> Answer:
        """The answer."""
        type_ = self.question.type
        lookup = self._understand(self.question.text, type_)
        if lookup.kind is Kind.OUTSIDE:
            self._foreign(REFUSED, has_edns=False)
        elif lookup.kind is Kind.REVERSE:
            self._backwards(lookup.name)
        elif type_ == SOA:
            servers, glue = self._servers()
            self._say(answers=[self._soa()], authority=servers, additional=glue)
        elif type_ == NS:
            servers, glue = self._servers()
            self._say(answers=servers, additional=glue)
        elif type_ == AXFR:
            self._say(rcode=NOTIMP)
        else:
            part = self._dispatch(lookup, None, self.question.text, type_, _DEPTH)
            self._say(
                rcode=part.rcode,
                answers=part.answers,
                authority=[self._soa()] if part.needs_soa else [],
                additional=part.additional,
                is_truncated=part.is_truncated,
                is_global=lookup.kind is not Kind.QUERY,
            )
        return self.answer

    def _say(self, **parts: Any) -> None:
        self.answer.message = self.answer.message._replace(**parts)

    def _understand(self, text: str, type_: int) -> Lookup:
        return understand(text.lower(), self.rules.zones, is_srv=type_ == SRV)

    # ---------------------------------------------------------------- look-ups

    def _dispatch(
        self, lookup: Lookup, owner: str | None, text: str, type_: int, depth: int
    ) -> Part:
        """What a name of ours has; `text` is that name, `owner` how it is written."""
        if lookup.kind is Kind.NOTHING:
            return NOTHING_THERE
        if lookup.kind is Kind.ADDRESS:
            return self._address(lookup, text)
        if lookup.kind is Kind.NODE and type_ not in IP_TYPES:
            return Part()
        if lookup.datacenter not in ("", self.rules.datacenter):
            self.answer.datacenter = lookup.datacenter
            self.answer.is_lasting = False
            return NOTHING_THERE  # unless it is known, and says something else
        if lookup.kind is Kind.NODE:
            return self._node(lookup, owner, type_, depth)
        if lookup.kind is Kind.QUERY:
            return self._query(lookup, owner, text, type_, depth)
        if lookup.kind is Kind.SERVICE:
            instances = self._instances(lookup.name, lookup.tag)
        elif lookup.kind is Kind.CONNECT:
            instances = connect_instances(self.state, lookup.name)
            self._rests_on(self.state.services, self.state.checks, self.state.nodes)
        else:
            instances = []
        instances = self._healthy(instances)
        self._shuffle(instances)
        ttl = self.rules.service_ttl(lookup.name)
        return self._found(instances, ttl, owner, text, type_, depth)

    def _found(
        self,
        instances: list[Instance],
        ttl: int,
        owner: str | None,
        text: str,
        type_: int,
        depth: int,
    ) -> Part:
        if not instances:
            return NOTHING_THERE
        if type_ == SRV:
            answers, additional = self._targets(instances, ttl, owner, text, depth)
        else:
            answers = self._addresses(instances, ttl, owner, text, type_, depth)
            additional = []
        question = self.question if owner is None else None
        cut = trimming.trim(answers, additional, question, self.rules)
        return Part(
            0,
            cut.answers,
            cut.additional,
            needs_soa=not cut.answers and not cut.is_truncated,
            is_truncated=cut.is_truncated,
        )

    def _query(self, lookup: Lookup, owner: str | None, text: str, type_: int, depth: int) -> Part:
        self.answer.is_lasting = False
        found = self.find_query(self.state, lookup.name, self.source)
        if found is None:
            return NOTHING_THERE
        self.answer.query = found.query
        self.datacenter = found.datacenter or self.rules.datacenter
        ttl = self.rules.service_ttl(found.service.lower()) if found.ttl is None else found.ttl
        return self._found(found.instances, ttl, owner, text, type_, depth)

    def _node(self, lookup: Lookup, owner: str | None, type_: int, depth: int) -> Part:
        node = find_node(self.state, lookup.name)
        rows = self.state.nodes.rows
        if node is not None and node.node.lower() == lookup.name:
            self.answer.rows.append((rows, lookup.name, node))
        else:
            self._rests_on(self.state.nodes)
        if node is None:
            return NOTHING_THERE
        ttl = self.rules.node_ttl
        answers = self._of_node(node, owner, type_, ttl, depth) if type_ != TXT else []
        if type_ in (ANY, TXT):
            answers += hosts.meta(node, owner, ttl)
            additional = []
        else:
            additional = hosts.meta(node, owner, ttl) if self.rules.adds_meta else []
        if owner is None:
            answers, additional, cut = trimming.fit(answers, additional, self.question, self.rules)
            return Part(0, answers, additional, is_truncated=cut)
        return Part(0, answers, additional)

    def _address(self, lookup: Lookup, text: str) -> Part:
        """Consul gives it in its own domain and in lower case, whatever was asked."""
        if not lookup.name:
            return Part()
        address = bytes.fromhex(lookup.name)
        owner = self.rules.below(self.rules.zones.prefix(text.lower()) or "")
        type_ = hosts.type_of(address)
        return Part(0, [Record(owner, type_, self.rules.node_ttl, address)])

    # ---------------------------------------------------------------- instances

    def _instances(self, name: str, tag: str) -> list[Instance]:
        key = name.lower()
        rows = self.state.service_indexes.rows
        self.answer.rows.append((rows, key, rows.get(key)))
        return health_instances(self.state, key, [tag] if tag else [], {})

    def _healthy(self, instances: list[Instance]) -> list[Instance]:
        only_passing = self.rules.only_passing
        return [
            instance
            for instance in instances
            if all(
                check.status == PASSING or (check.status != CRITICAL and not only_passing)
                for check in instance.checks
            )
        ]

    def _shuffle(self, instances: list[Instance]) -> None:
        if len(instances) > 1:
            self.answer.is_shuffled = True
            self.shuffle(instances)

    def _addresses(
        self,
        instances: list[Instance],
        ttl: int,
        owner: str | None,
        text: str,
        type_: int,
        depth: int,
    ) -> list[Record]:
        """One record per distinct address; an alias only where there is no address at all."""
        found: list[Record] = []
        alias: list[Record] = []
        seen = set()
        limit = self.rules.a_record_limit
        for instance in instances:
            host = hosts.host_of(instance, type_, text)
            if host.address is not None:
                record = hosts.address_record(owner, host.address, type_, ttl)
                if record is None or record.data in seen:
                    continue
                seen.add(record.data)
                found.append(record)
                if len(found) == limit:
                    break
            elif host.name and not alias and fits(host.name):
                alias = [Record(owner, CNAME, ttl, host.name)]
                alias += self._resolve(host.name, depth, ttl)
        return found or alias

    def _targets(
        self, instances: list[Instance], ttl: int, owner: str | None, text: str, depth: int
    ) -> tuple[list[Record], list[Record]]:
        """One record per node, address and port, with what is known of each target."""
        answers: list[Record] = []
        additional: list[Record] = []
        seen = set()
        for instance in instances:
            host = hosts.host_of(instance, SRV, text)
            port = instance.service.port
            key = (instance.node.node, host.own, port)
            if key in seen:
                continue
            seen.add(key)
            node_name = self._node_name(instance.node)
            target, more = host.name, []
            if host.address is not None:
                target = node_name if host.is_node else self._address_name(host.address)
                more = [Record(target, hosts.type_of(host.address), ttl, host.address)]
            elif target and fits(target):
                more = self._resolve(target, depth, ttl)
            if not target or not fits(target):
                continue
            answers.append(Record(owner, SRV, ttl, Service(hosts.weight(instance), port, target)))
            additional += more
            if self.rules.adds_meta and fits(node_name):
                additional += hosts.meta(instance.node, node_name, ttl)
        return answers, additional

    def _of_node(
        self, node: NodeRow, owner: str | None, type_: int, ttl: int, depth: int
    ) -> list[Record]:
        address = hosts.node_address(node, type_)
        raw = packed(address)
        if raw is not None:
            record = hosts.address_record(owner, raw, type_, ttl)
            return [record] if record is not None else []
        name = node.address.rstrip(".")
        if not name or not fits(name):
            return []
        return [Record(owner, CNAME, ttl, name), *self._resolve(name, depth)]

    def _node_name(self, node: NodeRow) -> str:
        return self.rules.below(f"{node.node}.node.{self.datacenter}")

    def _address_name(self, address: bytes) -> str:
        return self.rules.below(f"{address.hex()}.addr.{self.datacenter}")

    # ---------------------------------------------------------------- other names

    def _resolve(self, name: str, depth: int, ttl: int | None = None) -> list[Record]:
        """What an alias leads to: addresses and aliases, with our TTL where one is given."""
        if is_inside(name.lower(), self.rules.zones):
            found = self._resolve_ours(name, depth)
        elif self.rules.recursion:
            self.answer.is_lasting = False
            if name not in self.resolved:
                self.answer.wanted.add(name)
            found = self.resolved.get(name, [])
        else:
            return []
        if ttl is None:
            return found
        found = [record._replace(ttl=ttl) for record in found if record.type in hosts.HOST_TYPES]
        return found if self.question.has_edns else found[:_MOST_RESOLVED]

    def _resolve_ours(self, name: str, depth: int) -> list[Record]:
        if depth < 1:
            return []
        lookup = self._understand(name, ANY)
        return list(self._dispatch(lookup, name, name, ANY, depth - 1).answers)

    # ---------------------------------------------------------------- the zone

    def _soa(self) -> Record:
        self.answer.is_dated = True
        refresh, retry, expire, min_ttl = self.rules.soa
        numbers = (self.now_s & 0xFFFFFFFF, refresh, retry, expire, min_ttl)
        start = Start(self.rules.below("ns"), self.rules.below("hostmaster"), numbers)
        return Record(self.rules.domain, SOA, min_ttl, start)

    def _servers(self) -> tuple[list[Record], list[Record]]:
        """The name servers of the zone, and their addresses."""
        instances = self._healthy(self._instances(_SERVERS, ""))
        self._shuffle(instances)
        nodes = [instance.node for instance in instances]
        if not nodes:
            key = node_key(self.rules.node)
            own = self.state.nodes.rows.get(key)
            self.answer.rows.append((self.state.nodes.rows, key, own))
            nodes = [own] if own is not None else []
        ttl = self.rules.node_ttl
        servers: list[Record] = []
        glue: list[Record] = []
        for node in nodes:
            if not hosts.is_host_name(node.node):
                continue
            name = self._node_name(node).lower()
            servers.append(Record(self.rules.domain, NS, ttl, name))
            glue += self._of_node(node, name, ANY, ttl, _DEPTH)
            if len(servers) == _MOST_SERVERS:
                break
        return servers, glue

    # ---------------------------------------------------------------- backwards, and outside

    def _backwards(self, name: str) -> None:
        found = self.reverse.find(self.state, name)
        self._rests_on(self.state.nodes, self.state.services)
        target = ""
        if found is not None:
            kind, named = found
            target = self.rules.below(f"{named}.{kind}.{self.rules.datacenter}")
        if not target or not fits(target):
            self._foreign(SERVFAIL, has_edns=True)
            return
        authority = [self._soa()] if self.question.type == SOA else []
        self._say(answers=[Record(None, PTR, 0, target)], authority=authority)

    def _foreign(self, rcode: int, *, has_edns: bool) -> None:
        """For the recursors; where there are none, `rcode` says so."""
        self.answer.is_foreign = self.rules.recursion
        self.answer.is_lasting = not self.rules.recursion
        self._say(
            rcode=rcode,
            is_authoritative=False,
            has_edns=has_edns,
            can_recurse=rcode == SERVFAIL or self.rules.recursion,
        )

    def _rests_on(self, *tables: Table[Any]) -> None:
        self.answer.tables += [(table, table.index) for table in tables]
