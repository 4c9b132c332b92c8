"""The client itself: requests, and what is made of the answers."""

from __future__ import annotations

import http.client
import json
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import quote, urlencode

from fairlead.client.address import Address, environment, environment_switch
from fairlead.client.connection import Connection, reason
from fairlead.client.tls import TLSOptions, tls_context
from fairlead.errors import FairleadError, InvalidError, UnavailableError

__all__ = ["APIError", "Client", "Reply"]

# What every row of a key has.
_COLUMNS = {"Key", "Value", "Flags", "CreateIndex", "ModifyIndex", "LockIndex"}
_NO_AGENT = (
    "Is an agent running there? Start one with 'fairlead agent -dev', "
    "or name another with -http-addr or CONSUL_HTTP_ADDR."
)
_NOT_AN_AGENT = "Is this the HTTP address of an agent?"
_OTHER_SCHEME = "Begin the address with https:// if the agent speaks HTTPS, with http:// if not."


class APIError(FairleadError):
    """The agent answered with a status that is no success."""

    def __init__(self, status: int, body: str, *, hint: str = "") -> None:
        super().__init__(f"Unexpected response code: {status} ({body.rstrip()})", hint=hint)
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `index` is its X-Consul-Index, 0 when it has none."""

    status: int
    headers: Message
    body: bytes

    @property
    def index(self) -> int:
        text = self.headers.get("X-Consul-Index", "")
        return int(text) if text.isascii() and text.isdigit() else 0

    def next_index(self, asked: int) -> int:
        """What to block on after this answer to a read that blocked on `asked`.

        An index that goes backwards means that the agent's state was replaced: start over.
        """
        return self.index if self.index >= asked else 0

    def json(self) -> Any:
        """Raises: UnavailableError when it is not JSON: nobody knows what was done."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise UnavailableError("the answer is not JSON", hint=_NOT_AN_AGENT) from error

    def field(self, name: str) -> Any:
        """A field of the object that the answer is."""
        value = self.json()
        if not isinstance(value, dict) or name not in value:
            raise UnavailableError(f"the answer has no {name}", hint=_NOT_AN_AGENT)
        return value[name]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of keys; none when what was asked for does not exist."""
        rows = self.json() if self.status != 404 else []
        if not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise UnavailableError("the answer is no list of keys", hint=_NOT_AN_AGENT)
        return rows

    def objects(self) -> list[dict[str, Any]]:
        """A list of objects; none when there is nothing."""
        found = self.json() if self.status != 404 else []
        if not isinstance(found, list | None) or not all(isinstance(o, dict) for o in found or ()):
            raise UnavailableError("the answer is no list of objects", hint=_NOT_AN_AGENT)
        return found or []

    def object(self) -> dict[str, Any]:
        """An object; an empty one when there is nothing."""
        found = self.json() if self.status != 404 else {}
        if not isinstance(found, dict):
            raise UnavailableError("the answer is no object", hint=_NOT_AN_AGENT)
        return found

    def names(self) -> list[str]:
        """The names of keys; none when there are none."""
        names = self.json() if self.status != 404 else []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UnavailableError("the answer is no list of names", hint=_NOT_AN_AGENT)
        return names


class Client:
    """Talks to one agent over one connection, which is opened anew when it was lost."""

    def __init__(
        self,
        address: str = "",
        *,
        token: str = "",
        datacenter: str = "",
        namespace: str = "",
        stale: bool = False,
        tls: TLSOptions | None = None,
        limit_s: float | None = None,
    ) -> None:
        text = address or environment("HTTP_ADDR", "127.0.0.1:8500")
        self.address = Address.parse(text, tls=environment_switch("HTTP_SSL", False))
        self._token = token or environment("HTTP_TOKEN")
        self._headers = _headers(self._token, environment("HTTP_AUTH"))
        self._always = {
            "dc": datacenter or None,
            "ns": namespace or environment("NAMESPACE") or None,
            "stale": "" if stale else None,
        }
        self._tls = tls or TLSOptions()
        needed = self.address.scheme == "https" or self._tls[:4] != TLSOptions()[:4]
        self._context = tls_context(self._tls) if needed else None
        self._limit_s = limit_s
        self._connection: Connection | None = None

    def clone(self, limit_s: float | None = None) -> Client:
        """The same with a connection of its own, as another thread needs.

        With a `limit_s`, a request that takes longer fails.
        """
        other = Client(self.address.url, token=self._token, tls=self._tls, limit_s=limit_s)
        other._always = self._always
        return other

    def get(self, path: str, **params: Any) -> Reply:
        """Reads; a path that the agent spells otherwise (`//`) is followed to where it points."""
        reply = self.exchange("GET", path, params)
        location = reply.headers.get("Location", "")
        if reply.status == 301 and location.startswith("/"):
            reply = self._send("GET", location, b"")
        return _checked(reply)

    def put(self, path: str, body: bytes = b"", **params: Any) -> Reply:
        return self.request("PUT", path, params, body)

    def delete(self, path: str, **params: Any) -> Reply:
        return self.request("DELETE", path, params)

    def request(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, body: bytes = b""
    ) -> Reply:
        """One request; `params` that are None are left out.

        Raises:
            APIError: the status is no success; 404 is returned, for it is often an answer.
            UnavailableError: there is no agent, or the connection broke.
        """
        return _checked(self.exchange(method, path, params, body))

    def exchange(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, body: bytes = b""
    ) -> Reply:
        """One request and its answer, whatever the status."""
        return self._send(method, _target(path, {**self._always, **(params or {})}), body)

    def _send(self, method: str, target: str, body: bytes) -> Reply:
        kept = self._connection is not None
        try:
            return self._exchange(method, target, body)
        except UnavailableError:
            # The agent may have closed a kept connection just now; reading twice is harmless.
            if not kept or method != "GET":
                raise
        return self._exchange(method, target, body)

    def _exchange(self, method: str, target: str, body: bytes) -> Reply:
        what = f'{method.capitalize()} "{self.address.url}{target}"'
        if self._connection is not None and self._connection.has_ended():
            self.close()
        if self._connection is None:
            self._connection = self._connect(what)
        connection = self._connection
        try:
            connection.request(method, target, body=body or None, headers=self._headers)
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read())
            # Left to its finalizer, closing would swallow what a signal's handler raises.
            response.close()
        except (http.client.HTTPException, OSError) as error:
            self.close()
            hint = _OTHER_SCHEME if isinstance(error, http.client.BadStatusLine) else ""
            raise UnavailableError(f"{what}: {reason(error)}", hint=hint) from error
        except ValueError as error:
            self.close()
            raise InvalidError(f"{what}: {error}") from error
        except BaseException:
            # Interrupted half-way: what is left of the answer must not be read as the next one.
            self.close()
            raise
        if response.will_close:
            self.close()
        return reply

    def _connect(self, what: str) -> Connection:
        address = self.address
        where = f"unix {address.socket}" if address.socket else f"tcp {address.authority}"
        try:
            connection = Connection(address, self._context, self._tls.server_name, self._limit_s)
            connection.connect()
        except ssl.SSLError as error:
            raise UnavailableError(f"{what}: {reason(error)}", hint=_OTHER_SCHEME) from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            refused = isinstance(error, OSError) and (error.errno or 0) > 0
            why = f"connect: {reason(error)}" if refused else reason(error)
            raise UnavailableError(f"{what}: dial {where}: {why}", hint=_NO_AGENT) from error
        return connection

    def lines(self, path: str, **params: Any) -> Iterator[bytes]:
        """What an endless answer says, line by line, until the agent or its reader has enough.

        Raises:
            FairleadError: see `request`; of what comes after the first line nothing.
        """
        target = _target(path, {**self._always, **params})
        what = f'Get "{self.address.url}{target}"'
        connection = self._connect(what)
        try:
            connection.request("GET", target, headers=self._headers)
            response = connection.getresponse()
            if not 200 <= response.status < 300:
                body = response.read().decode("utf-8", "replace")
                raise APIError(response.status, body)
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            raise UnavailableError(f"{what}: {reason(error)}") from error
        except BaseException:
            connection.close()
            raise
        return _lines(connection, response)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _lines(connection: Connection, response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while line := response.readline():
            yield line
    except (http.client.HTTPException, OSError):
        return  # the agent has ended
    finally:
        response.close()
        connection.close()


def _is_row(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() >= _COLUMNS


def _checked(reply: Reply) -> Reply:
    if reply.status == 404 or 200 <= reply.status < 300:
        return reply
    if "html" in reply.headers.get("Content-Type", ""):
        raise APIError(reply.status, "an HTML page", hint=_NOT_AN_AGENT)
    raise APIError(reply.status, reply.body.decode("utf-8", "replace"))


def _headers(token: str, auth: str) -> dict[str, str]:
    headers = {}
    if token:
        headers["X-Consul-Token"] = token
    if auth:
        headers["Authorization"] = "Basic " + b64encode(auth.encode()).decode()
    return headers


def _target(path: str, params: Mapping[str, Any]) -> str:
    """Path and query; what is not UTF-8 goes as it is, for the agent to refuse."""
    given = {name: value for name, value in params.items() if value is not None}
    target = quote(path, safe="/:@!$&'()*,;=-._~", errors="surrogateescape")
    return f"{target}?{urlencode(given, doseq=True, errors='surrogateescape')}" if given else target
