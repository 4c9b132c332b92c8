"""`fairlead.dns.answers`: what the conformance questions do not show."""

from __future__ import annotations

from dataclasses import replace

import dns.flags
import pytest

from fairlead.core.commands import CatalogDeregister, CatalogRegister
from fairlead.core.health import health_instances
from fairlead.core.rows import Service
from fairlead.core.state import State
from fairlead.dns import wire
from fairlead.dns.records import AAAA, A, Record
from fairlead.dns.results import Answer, Found
from fairlead.dns.wire import Question
from tests.dns.catalogs import RULES, ask, full, node, question, registration, shown, write

NXDOMAIN = 3
WEB = Service("web", "web", port=80)


def web(count: int) -> State:
    return full(
        *(registration(f"m{number}", f"10.0.0.{number}", WEB) for number in range(1, count + 1))
    )


def data(answer: Answer) -> list[object]:
    return [record.data for record in answer.message.answers]


def test_the_order_is_the_shuffler_s() -> None:
    forward = ask(web(3), "web.service.consul")
    back = ask(web(3), "web.service.consul", shuffle=list.reverse)
    assert data(forward) == data(back)[::-1]
    assert forward.is_shuffled
    assert not ask(web(1), "web.service.consul").is_shuffled


def is_true(answer: Answer) -> bool:
    """Whether what the answer rests on is unchanged."""
    return all(rows.get(name) is row for rows, name, row in answer.rows) and all(
        table.index == index for table, index in answer.tables
    )


def test_an_answer_is_true_until_the_service_changes() -> None:
    state = web(2)
    answer = ask(state, "web.service.consul", "SRV")
    write(state, registration("m9", "10.0.0.9", Service("db", "db")))
    assert is_true(answer)
    for change in (
        registration("m1", "10.0.0.1", WEB, check="critical"),
        registration("m1", "10.9.9.9"),
        registration("m3", "10.0.0.3", WEB),
        CatalogDeregister("m2"),
    ):
        answer = ask(state, "web.service.consul", "SRV")
        write(state, change)
        assert not is_true(answer), change


def test_an_answer_that_there_is_nothing_is_true_until_there_is_something() -> None:
    state = full()
    none = [ask(state, name) for name in ("web.service.consul", "m1.node.consul")]
    none.append(ask(state, "1.0.0.10.in-addr.arpa", "PTR"))
    none.append(ask(state, "web.connect.consul"))
    assert all(map(is_true, none))
    write(state, registration("m1", "10.0.0.1", WEB))
    assert not any(map(is_true, none))


def test_an_answer_about_a_node_is_true_until_the_node_changes() -> None:
    state = web(2)
    answer = ask(state, "m1.node.consul")
    write(state, registration("m2", "10.0.0.99"))
    assert is_true(answer)
    write(state, registration("m1", "10.0.0.99"))
    assert not is_true(answer)


def test_only_what_holds_the_time_is_dated() -> None:
    state = web(1)
    assert not ask(state, "web.service.consul").is_dated
    for name, type_ in (
        ("consul", "SOA"),
        ("no.service.consul", "A"),
        ("web.service.consul", "MX"),
    ):
        assert ask(state, name, type_).is_dated


def test_prepared_queries_are_found_by_who_can() -> None:
    state = web(2)
    asked = []

    def find(state: State, name: str, source: str) -> Found | None:
        asked.append((name, source))
        if name != "find.web":
            return None
        return Found("web", health_instances(state, "web", [], {}), 7)

    answer = ask(state, "Find.Web.query.consul", "SRV", find_query=find)
    assert asked == [("find.web", "127.0.0.9")]
    assert [record.ttl for record in answer.message.answers] == [7, 7]
    assert not answer.is_lasting
    assert not answer.message.is_global
    assert ask(state, "other.query.consul", find_query=find).message.rcode == NXDOMAIN
    assert ask(state, "find.web.query.consul").message.rcode == NXDOMAIN


def test_what_a_query_finds_without_a_ttl_has_the_service_s() -> None:
    rules = replace(RULES, service_ttls=(("web", 5),))

    def find(state: State, name: str, source: str) -> Found | None:
        return Found("web", health_instances(state, "web", [], {}))

    answer = ask(web(1), "q.query.consul", rules=rules, find_query=find)
    assert [record.ttl for record in answer.message.answers] == [5]


def test_aliases_of_others_are_wanted_only_with_recursors() -> None:
    state = full(registration("m1", "10.0.0.1", Service("far", "far", address="www.example.org")))
    assert ask(state, "far.service.consul").wanted == set()
    rules = replace(RULES, recursion=True)
    first = ask(state, "far.service.consul", rules=rules)
    assert first.wanted == {"www.example.org"}
    assert not first.is_lasting
    known = {"www.example.org": [Record("www.example.org", A, 300, b"\x01\x02\x03\x04")]}
    second = ask(state, "far.service.consul", rules=rules, resolved=known)
    assert second.wanted == set()
    assert [(record.ttl, record.type) for record in second.message.answers] == [(0, 5), (0, A)]


def test_without_edns_five_records_of_an_alias_are_enough() -> None:
    state = full(registration("m1", "10.0.0.1", Service("far", "far", address="www.example.org")))
    rules = replace(RULES, recursion=True, udp_answer_limit=8)
    known = {
        "www.example.org": [
            Record("www.example.org", AAAA, 300, bytes(16)),
            *(Record("www.example.org", A, 300, bytes((1, 2, 3, end))) for end in range(9)),
        ]
    }
    few = ask(state, "far.service.consul", rules=rules, resolved=known)
    many = ask(state, "far.service.consul", rules=rules, resolved=known, size=4096)
    assert len(few.message.answers) == 1 + 5
    assert len(many.message.answers) == 1 + 10


@pytest.mark.parametrize("name", ["a..b", "x" * 64, "a b", "ünïcode", "a." * 130 + "a"])
@pytest.mark.parametrize("type_", ["A", "SRV"])
def test_names_dns_cannot_carry_are_left_out(name: str, type_: str) -> None:
    service = Service("web", "web", port=80)
    alias = Service("alias", "web", address=name, port=81)
    state = full(
        registration(name, "10.0.0.1", service),
        CatalogRegister(node("m2", "10.0.0.2"), [], alias),
        registration("m3", "10.0.0.3", service),
    )
    asked = question("web.service.consul", type_)
    message = shown(asked, ask(state, "web.service.consul", type_))
    assert message.rcode() == 0
    assert message.answer


def test_long_text_is_cut_into_strings() -> None:
    state = full(CatalogRegister(node("m1", "10.0.0.1", {"long": "x" * 512}), []))
    asked = question("m1.node.consul", "TXT", is_tcp=True)
    message = shown(asked, ask(state, "m1.node.consul", "TXT", is_tcp=True))
    (text,) = message.answer[0]
    assert b"".join(text.strings) == b"long=" + b"x" * 512


def sized(asked: Question, answer: Answer) -> int:
    assert shown(asked, answer)
    return 2 + len(wire.write(asked, answer.message))


@pytest.mark.parametrize("size", [-1, 512, 1232, 4096])
@pytest.mark.parametrize("type_", ["A", "TXT", "ANY"])
def test_metadata_never_makes_an_answer_longer_than_its_asker_can_take(
    size: int, type_: str
) -> None:
    meta = {f"key-{number}": "v" * 500 for number in range(64)}
    state = full(CatalogRegister(node("m1", "10.0.0.1", meta), []))
    asked = question("m1.node.consul", type_, size=size)
    answer = ask(state, "m1.node.consul", type_, size=size)
    assert sized(asked, answer) <= max(512, size) + 11
    flags = shown(asked, answer).flags
    assert bool(flags & dns.flags.TC) == (type_ != "A")
    assert len(ask(state, "m1.node.consul", "TXT", is_tcp=True).message.answers) == 64


def test_an_answer_over_tcp_ends_at_64_kib() -> None:
    state = full(
        *(
            registration(f"m{number}", f"10.0.{number // 250}.{number % 250}", WEB)
            for number in range(2000)
        )
    )
    asked = question("web.service.consul", "SRV", is_tcp=True)
    answer = ask(state, "web.service.consul", "SRV", is_tcp=True)
    message = answer.message
    assert 900 < len(message.answers) == len(message.additional) <= 1024
    assert sized(asked, answer) <= 65535


def test_the_mesh_is_found_by_the_name_of_what_it_serves() -> None:
    proxy = Service("p", "web-proxy", kind="connect-proxy", proxy={"DestinationServiceName": "Web"})
    native = Service("n", "native", connect={"Native": True})
    state = full(registration("m1", "10.0.0.1", proxy), registration("m2", "10.0.0.2", native))
    assert data(ask(state, "web.connect.consul")) == [bytes((10, 0, 0, 1))]
    assert data(ask(state, "native.connect.consul")) == [bytes((10, 0, 0, 2))]
    assert ask(state, "web-proxy.connect.consul").message.rcode == NXDOMAIN


def test_the_agent_itself_is_the_name_server_while_no_server_is_registered() -> None:
    answer = ask(full(), "consul", "NS")
    assert data(answer) == ["n1.node.dc1.consul"]
    assert [record.data for record in answer.message.additional] == [bytes((127, 0, 0, 1))]


def test_the_other_domain_works_alike() -> None:
    ours, theirs = ask(web(2), "web.service.consul"), ask(web(2), "WEB.service.ALT.example")
    assert data(ours) == data(theirs)


def test_what_is_not_ours_is_refused_or_left_to_the_recursors() -> None:
    refused = ask(full(), "example.org")
    assert (refused.message.rcode, refused.is_foreign) == (5, False)
    assert ask(full(), "example.org", rules=replace(RULES, recursion=True)).is_foreign
