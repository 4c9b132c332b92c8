"""HTTP: 2xx is passing, 429 a warning, all else critical; redirects are followed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urljoin

from fairlead.agent.checks.capture import Capture
from fairlead.agent.checks.contract import Means, Outcome, Probe, failing, timeout_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.dial import DialError, Endpoint, HandshakeError, Secured, dial
from fairlead.agent.checks.exchange import Answer, Exchange, ExchangeError
from fairlead.agent.checks.target import Target, parse_target, request_bytes, request_fault
from fairlead.core.health import CRITICAL, PASSING, WARNING
from fairlead.errors import InvalidError

__all__ = ["make"]

_REDIRECTS = 10
_REDIRECT_STATUSES = {301, 302, 303, 307, 308}
_KEEP_METHOD = {307, 308}
_TOO_MANY_REQUESTS = 429
_LATE = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
# What is for the first host only.
_SECRETS = {"authorization", "cookie", "cookie2", "www-authenticate"}


class _FailedError(Exception):
    """No answer: the whole output."""


class _Question(NamedTuple):
    """One request of a check: the first, or one after a redirect."""

    method: str
    target: Target
    header: Mapping[str, Sequence[str]]
    body: bytes
    request: bytes


def _question(method: str, url: str, header: Mapping[str, Sequence[str]], body: bytes) -> _Question:
    """Raises: InvalidError for what cannot be asked, as Go puts it."""
    if not method.isascii() or not method.replace("-", "").replace("_", "").isalnum():
        raise InvalidError(f'net/http: invalid method "{method}"')
    target = parse_target(url)
    if why := request_fault(target, header):
        raise InvalidError(_named(method, target.shown, why))
    return _Question(method, target, header, body, request_bytes(method, target, header, body))


def _named(method: str, shown: str, why: str) -> str:
    """An error of a request, as Go's client puts it."""
    return f'{method[:1].upper()}{method[1:].lower()} "{shown}": {why}'


class _HTTP:
    def __init__(self, check: CheckDefinition, means: Means) -> None:
        self._check = check
        self._means = means
        self._method = check.method or "GET"
        self._timeout_s = timeout_s(check.timeout_ns)
        body = check.body.encode("utf-8", "replace")
        self._fault = ""
        try:
            self._question = _question(self._method, check.http, check.header, body)
        except InvalidError as error:
            self._fault = str(error)

    async def run(self) -> Outcome:
        if self._fault:
            return failing(self._fault)
        capture = Capture(self._means.output_limit)
        try:
            answer = await self._follow(capture)
        except _FailedError as error:
            return failing(str(error))
        if 200 <= answer.status <= 299:
            status = PASSING
        else:
            status = WARNING if answer.status == _TOO_MANY_REQUESTS else CRITICAL
        asked = f"HTTP {self._method} {self._check.http}: {answer.status_text}"
        return Outcome(status, f"{asked} Output: {capture.text()}")

    async def _follow(self, capture: Capture) -> Answer:
        """The last answer of a chain of redirects."""
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        question = self._question
        for _ in range(_REDIRECTS):
            # The body of a redirect is of no interest.
            answer = await self._ask(question, capture, deadline)
            if answer.status not in _REDIRECT_STATUSES or self._check.disable_redirects:
                return answer
            location = answer.location
            if location is None:
                why = f"{answer.status} response missing Location header"
                raise _FailedError(_named(question.method, question.target.shown, why))
            capture.clear()
            question = _redirected(question, answer.status, location)
        raise _FailedError(_named(question.method, location or "", "stopped after 10 redirects"))

    async def _ask(self, question: _Question, capture: Capture, deadline: float) -> Answer:
        try:
            return await self._exchange(question, capture, deadline)
        except DialError as error:
            late = " (Client.Timeout exceeded while awaiting headers)" if error.timed_out else ""
            why = f"{error}{late}"
        except TimeoutError:
            why = _LATE
        except HandshakeError as error:
            why = _LATE if error.timed_out else str(error)
        except (ExchangeError, InvalidError) as error:
            why = str(error)
        raise _FailedError(_named(question.method, question.target.shown, why))

    async def _exchange(self, question: _Question, capture: Capture, deadline: float) -> Answer:
        check, target = self._check, question.target
        has_body = question.method != "HEAD"
        tls = None
        if target.scheme == "https":
            context = self._means.contexts.context(verify=not check.tls_skip_verify)
            tls = Secured(context, check.tls_server_name or target.host)
        transport, exchange = await dial(
            lambda: Exchange(capture, has_body=has_body),
            Endpoint(target.host, target.port),
            self._means.resolver,
            deadline,
            tls,
        )
        try:
            exchange.start(transport, question.request)
            async with asyncio.timeout_at(deadline):
                return await exchange.answer
        except TimeoutError:
            if (answer := exchange.partial()) is None:
                raise
            return answer
        finally:
            exchange.close()
            transport.abort()


def _redirected(before: _Question, status: int, location: str) -> _Question:
    """The request that a redirect asks for, as Go's client makes it."""
    keep = status in _KEEP_METHOD or before.method == "HEAD"
    method = before.method if keep else "GET"
    was = before.target
    url = urljoin(f"{was.scheme}://{was.authority}{was.path}", location)
    header = {name: values for name, values in before.header.items() if name.lower() != "host"}
    try:
        if parse_target(url).host != was.host:
            header = {name: row for name, row in header.items() if name.lower() not in _SECRETS}
        return _question(method, url, header, before.body if keep else b"")
    except InvalidError as error:
        text = str(error)
        if text.startswith("parse "):
            why = f'failed to parse Location header "{location}": {text}'
            text = _named(before.method, was.shown, why)
        raise _FailedError(text) from error


def make(check: CheckDefinition, means: Means) -> Probe:
    return _HTTP(check, means)
