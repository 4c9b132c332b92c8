"""Fixtures named after the thing they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.etcd import LIMIT_FLAGS, Etcd
from tests.processes import consul_binary


@pytest.fixture(scope="session")
def consul_path() -> str:
    """The real Consul's binary; tests that need it say so when it cannot be had."""
    path = consul_binary()
    if path is None:
        pytest.skip("no real Consul: apt cannot be reached, and none is on PATH")
    return path


@pytest.fixture(scope="session")
def etcd() -> Iterator[Etcd]:
    """One etcd for all tests that leave it running; each takes a prefix of its own."""
    started = Etcd(*LIMIT_FLAGS).start()
    yield started
    started.remove()
