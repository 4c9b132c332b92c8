"""What the machine is."""

from __future__ import annotations

import os

from fairlead.agent import host
from fairlead.durations import SECOND_NS


def test_the_machine_is_described_as_far_as_it_says() -> None:
    told = host.describe(1_700_000_000 * SECOND_NS)
    assert told["Errors"] is None
    assert 0 < told["Memory"]["available"] <= told["Memory"]["total"]
    assert len(told["CPU"]) >= 1
    assert told["Host"]["hostname"] == os.uname().nodename
    assert 0 < told["Host"]["bootTime"] < 1_700_000_000
    assert told["Disk"]["path"] == "/"
    assert 0 < told["Disk"]["used"] <= told["Disk"]["total"]
    assert told["CollectionTime"] == 1_700_000_000 * SECOND_NS
