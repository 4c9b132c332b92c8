"""Asking a server the same thing every 10 ms, and noting when it gave no good answer."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from bench.server import Server

__all__ = ["Probe", "Seen", "dns_probe", "stale_probe"]

_EVERY_S = 0.01
# An answer that takes longer is none.
_PATIENCE_S = 1.0
_DNS_BYTES = 4096


class Seen(NamedTuple):
    """What became of the questions; `gap_ms` is the longest time between two good answers."""

    asked: int
    failed: int
    gap_ms: float


class Probe:
    """A thread that asks as long as this is entered."""

    def __init__(self, ask: Callable[[], bool], close: Callable[[], None]) -> None:
        """`ask` says whether the answer was good, and ends in time; `close` ends it all."""
        self._ask, self._close = ask, close
        self._asked = self._failed = 0
        self._gap_s = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._close()

    def seen(self) -> Seen:
        """Of the whole time; to be called when it is over."""
        return Seen(self._asked, self._failed, self._gap_s * 1000)

    def _run(self) -> None:
        last = due = time.perf_counter()
        while not self._is_over.is_set():
            is_good = self._ask()
            answered = time.perf_counter()
            self._asked += 1
            if is_good:
                self._gap_s = max(self._gap_s, answered - last)
                last = answered
            else:
                self._failed += 1
            # Questions that should have been asked meanwhile are left out.
            due = max(due + _EVERY_S, answered)
            self._is_over.wait(due - answered)
        self._gap_s = max(self._gap_s, time.perf_counter() - last)


def stale_probe(server: Server, key: str) -> Probe:
    """Does it give the key, by a ?stale read over one connection, opened anew if it breaks?"""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=_PATIENCE_S)

    def ask() -> bool:
        try:
            connection.request("GET", f"/v1/kv/{key}?stale&raw")
            answer = connection.getresponse()
            return bool(answer.read()) and answer.status == 200
        except (OSError, http.client.HTTPException):
            connection.close()
            return False

    return Probe(ask, connection.close)


def dns_probe(server: Server, service: str) -> Probe:
    """Does it give an address of the service, over UDP?"""
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.settimeout(_PATIENCE_S)
    asking.connect((server.host, server.dns_port))

    def ask() -> bool:
        question = dns.message.make_query(f"{service}.service.consul", dns.rdatatype.A)
        try:
            asking.send(question.to_wire())
            answer = dns.message.from_wire(asking.recv(_DNS_BYTES))
        except (OSError, dns.exception.DNSException):
            return False
        return question.is_response(answer) and bool(answer.answer)

    return Probe(ask, asking.close)
