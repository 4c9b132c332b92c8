"""`fairlead.agent.local`: the truth about this agent's services and checks."""

from __future__ import annotations

import pytest

from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.definitions import API, CONFIGURATION, ServiceDefinition
from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError, NotFoundError
from tests.agent.locals import TTL, Told, told_by, web

HTTP = CheckDefinition(http="http://127.0.0.1:1/", interval_ns=10 * SECOND_NS)


@pytest.fixture
def told() -> Told:
    return told_by()


def test_a_service_is_told_with_its_checks(told: Told) -> None:
    web(told.local, TTL, HTTP)
    assert told.services == ["web"]
    assert told.checks == ["service:web:1", "service:web:2"]
    assert list(told.runner.running) == ["service:web:2"]
    assert told.status("service:web:1") == ("critical", "")


def test_the_same_again_is_no_change(told: Told) -> None:
    web(told.local, TTL, HTTP)
    told.clear()
    web(told.local, TTL, HTTP)
    assert (told.services, told.checks) == ([], [])


def test_a_check_keeps_its_status_when_its_service_is_registered_again(told: Told) -> None:
    web(told.local, TTL)
    told.local.refresh("service:web", "passing", "fine")
    web(told.local, CheckDefinition(ttl_ns=99 * SECOND_NS, status="critical"), port=80)
    assert told.status("service:web") == ("passing", "fine")


def test_checks_stay_unless_they_are_to_be_replaced(told: Told) -> None:
    web(told.local, TTL, TTL)
    web(told.local)
    assert len(told.local.checks) == 2
    told.local.set_service_maintenance("web", enable=True, reason="")
    told.local.add_service(ServiceDefinition(name="web", check=TTL), API, replace_checks=True)
    assert sorted(told.local.checks) == ["_service_maintenance:web", "service:web"]


def test_a_service_goes_with_its_checks(told: Told) -> None:
    web(told.local, TTL, HTTP)
    told.clear()
    assert told.local.remove_service("web") == ["service:web:1", "service:web:2"]
    assert told.services == ["web"]
    assert told.checks == ["service:web:1", "service:web:2"]
    assert (told.local.services, told.local.checks, told.runner.running) == ({}, {}, {})
    assert told.local.remove_service("web") == []


def test_nothing_of_a_faulty_registration_is_left(told: Told) -> None:
    for check in (CheckDefinition(name="of no kind"), CheckDefinition(args=["x"], interval_ns=1)):
        with pytest.raises(InvalidError):
            web(told.local, TTL, check)
    assert (told.local.services, told.local.checks, told.services) == ({}, {}, [])


def test_a_status_is_told_at_once_and_an_output_alone_later(told: Told) -> None:
    web(told.local, TTL)
    told.local.refresh("service:web", "passing", "1")
    told.clear()
    told.local.refresh("service:web", "passing", "2")
    told.local.refresh("service:web", "passing", "3")
    assert told.status("service:web") == ("passing", "3")
    told.local.push_deferred()
    assert told.checks == []
    told.clock.advance(151)
    told.local.push_deferred()
    told.local.push_deferred()
    assert told.checks == ["service:web"]
    told.clear()
    told.local.refresh("service:web", "passing", "4")
    told.local.refresh("service:web", "warning", "5")
    assert told.checks == ["service:web"]
    told.clock.advance(1000)
    told.local.push_deferred()
    assert told.checks == ["service:web"]


def test_the_first_output_is_told_at_once(told: Told) -> None:
    web(told.local, TTL)
    told.clear()
    told.local.refresh("service:web", "critical", "why")
    assert told.checks == ["service:web"]
    told.clear()
    told.local.refresh("service:web", "critical", "why else")
    assert told.checks == []


def test_outputs_are_told_at_once_without_an_interval() -> None:
    told = told_by(check_update_interval=0)
    web(told.local, TTL)
    told.local.refresh("service:web", "passing", "1")
    told.clear()
    told.local.refresh("service:web", "passing", "2")
    assert told.checks == ["service:web"]


def test_outputs_may_be_discarded() -> None:
    told = told_by(discard_check_output=True)
    web(told.local, TTL)
    told.local.refresh("service:web", "passing", "secret")
    assert told.status("service:web") == ("passing", "")


def test_a_long_output_is_cut_at_whole_characters() -> None:
    told = told_by(check_output_max_size=5)
    web(told.local, TTL)
    told.local.refresh("service:web", "passing", "éééé")
    assert told.status("service:web")[1] == "éé ... (captured 5 of 8 bytes)"
    told.local.refresh("service:web", "passing", "12345")
    assert told.status("service:web")[1] == "12345"


def test_a_ttl_that_is_over_is_critical(told: Told) -> None:
    web(told.local, TTL)
    told.local.refresh("service:web", "passing", "fine")
    told.clock.advance(11)
    assert told.local.expire() == ["service:web"]
    output = "TTL expired (last output before timeout follows): fine"
    assert told.status("service:web") == ("critical", output)


def test_only_ttl_checks_can_be_told_how_they_are(told: Told) -> None:
    web(told.local, HTTP)
    for check_id in ("service:web", "nope"):
        with pytest.raises(InvalidError, match="does not have associated TTL"):
            told.local.refresh(check_id, "passing", "")


def test_a_report_of_a_check_that_is_gone_is_ignored(told: Told) -> None:
    told.local.report("nope", "passing", "")
    assert told.local.checks == {}


def test_a_polled_check_that_is_registered_again_goes_on_running(told: Told) -> None:
    web(told.local, HTTP)
    running = told.runner.running["service:web"]
    web(told.local, CheckDefinition(http=HTTP.http, interval_ns=HTTP.interval_ns))
    assert told.runner.running["service:web"] is running
    web(told.local, CheckDefinition(http="http://127.0.0.1:2/", interval_ns=HTTP.interval_ns))
    assert told.runner.running["service:web"] is not running


def test_a_check_is_run_every_second_at_most_and_its_output_has_a_limit(told: Told) -> None:
    often = CheckDefinition(http=HTTP.http, interval_ns=1, output_max_size=10)
    large = CheckDefinition(http=HTTP.http, interval_ns=SECOND_NS, output_max_size=10**9)
    web(told.local, often, large)
    running = [*told.runner.running.values()]
    assert [check.interval_ns for check in running] == [SECOND_NS, SECOND_NS]
    assert [check.output_max_size for check in running] == [10, 4096]


def test_scripts_run_for_those_who_may(told: Told) -> None:
    script = ServiceDefinition(name="s", check=CheckDefinition(args=["x"], interval_ns=1))
    with pytest.raises(InvalidError, match="from remote calls"):
        told.local.add_service(script, API)
    with pytest.raises(InvalidError, match="or 'enable_local_script_checks' to true"):
        told.local.add_service(script, CONFIGURATION)
    told = told_by(enable_local_script_checks=True)
    told.local.add_service(script, CONFIGURATION)
    with pytest.raises(InvalidError, match="from remote calls"):
        told.local.add_service(script, API)
    told_by(enable_script_checks=True).local.add_service(script, API)


def test_the_first_reason_of_a_maintenance_stays(told: Told) -> None:
    web(told.local)
    for reason in ("first", "second"):
        told.local.set_service_maintenance("web", enable=True, reason=reason)
        told.local.set_node_maintenance(enable=True, reason=reason)
    assert {check.row.notes for check in told.local.checks.values()} == {"first"}
    assert told.local.health_of("web")[0] == "maintenance"
    told.local.set_service_maintenance("web", enable=False, reason="")
    told.local.set_node_maintenance(enable=False, reason="")
    assert told.local.checks == {}
    with pytest.raises(NotFoundError, match='No service registered with ID "nope"'):
        told.local.set_service_maintenance("nope", enable=True, reason="")


def test_the_worst_of_own_and_node_checks_is_a_service_s_health(told: Told) -> None:
    web(told.local, TTL)
    told.local.add_service(ServiceDefinition(name="other", check=TTL), API)
    told.local.refresh("service:web", "passing", "")
    assert told.local.health_of("web")[0] == "passing"
    told.local.add_check(CheckDefinition(name="disk", ttl_ns=1, status="warning"), API)
    assert told.local.health_of("web")[0] == "warning"
    assert [row.check_id for row in told.local.health_of("web")[1]] == ["service:web", "disk"]


def test_a_service_that_stays_critical_is_found_after_its_time(told: Told) -> None:
    after = CheckDefinition(ttl_ns=10**15, deregister_critical_service_after_ns=90 * SECOND_NS)
    soon = CheckDefinition(ttl_ns=10**15, deregister_critical_service_after_ns=1)
    web(told.local, after)
    told.local.add_service(ServiceDefinition(name="soon", check=soon), API)
    told.local.add_service(ServiceDefinition(name="never", check=TTL), API)
    told.clock.advance(59)
    assert told.local.critical_too_long() == []
    told.clock.advance(2)
    # A minute at least, whatever was asked for.
    assert told.local.critical_too_long() == ["soon"]
    told.local.refresh("service:soon", "warning", "")
    web(told.local, after, port=1)
    told.clock.advance(30)
    assert told.local.critical_too_long() == ["web"]
    told.local.refresh("service:web", "passing", "")
    told.local.refresh("service:web", "critical", "")
    assert told.local.critical_too_long() == []


async def test_whoever_waits_for_a_service_is_told(told: Told) -> None:
    web(told.local)
    changed, other = told.local.changed("web"), told.local.changed("other")
    web(told.local)
    assert not changed.done()
    web(told.local, port=1)
    assert changed.done()
    assert not other.done()
    other.cancel()
