"""What the tests of several servers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.etcd import Etcd
from tests.servers.trio import Trio


@pytest.fixture(scope="module")
def etcd() -> Iterator[Etcd]:
    one = Etcd().start()
    yield one
    one.remove()


@pytest.fixture
def trio(tmp_path: Path, etcd: Etcd) -> Iterator[Trio]:
    three = Trio(tmp_path, etcd)
    try:
        yield three.start()
    finally:
        three.stop()
