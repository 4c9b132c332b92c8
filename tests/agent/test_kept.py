"""`fairlead.agent.kept`: files that outlive the agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.kept import Kept, KeptCheck, KeptService, KeptState
from fairlead.core.rows import Address, CheckRow, Service
from fairlead.errors import UnavailableError

SERVICE = Service("w1", "web", ["a"], "10.0.0.1", {"lan": Address("10.0.0.2", 3)}, {"x": "y"}, 80)
CHECK = CheckRow("n1", "c/1", "c", "critical", service_id="w1", type="http")
DEFINITION = CheckDefinition(check_id="c/1", http="http://x", interval_ns=5, header={"a": ["b"]})


async def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    kept = Kept(str(tmp_path))
    await kept.save_service(SERVICE, "token")
    await kept.save_check(KeptCheck(CHECK, DEFINITION))
    maintenance = CheckRow("n1", "_node_maintenance", "m", "critical")
    await kept.save_check(KeptCheck(maintenance, None))
    await kept.save_state(KeptState("c/1", "passing", "fine", 5))
    await kept.close()
    again = Kept(str(tmp_path))
    assert again.services() == [KeptService("token", SERVICE)]
    checks = {check.check.check_id: check for check in again.checks()}
    assert checks["c/1"] == KeptCheck(CHECK, DEFINITION)
    assert checks["_node_maintenance"].definition is None
    assert again.states() == [KeptState("c/1", "passing", "fine", 5)]
    await again.forget_service("w1")
    await again.forget_check("c/1")
    await again.forget_check("nope")
    assert again.services() == []
    assert [check.check.check_id for check in again.checks()] == ["_node_maintenance"]
    assert again.states() == []
    await again.close()


async def test_a_file_that_cannot_be_read_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(str(tmp_path))
    await kept.save_service(SERVICE, "")
    broken = tmp_path / "services" / "broken"
    broken.write_text('{"Token":""')
    (tmp_path / "services" / "half.tmp").write_text("")
    assert kept.services() == [KeptService("", SERVICE)]
    assert str(broken) in caplog.text
    assert broken.exists()
    await kept.close()


async def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "services").write_text("no folder")
    kept = Kept(str(tmp_path))
    with pytest.raises(UnavailableError, match="cannot keep services in the data directory"):
        await kept.save_service(SERVICE, "")
    await kept.close()


async def test_without_a_directory_nothing_is_kept() -> None:
    kept = Kept("")
    await kept.save_service(SERVICE, "")
    assert (kept.services(), kept.checks(), kept.states()) == ([], [], [])
    await kept.close()
