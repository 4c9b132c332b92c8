"""The listeners: TCP, TLS and unix sockets; how many connections, and how long they may dawdle."""

from __future__ import annotations

import asyncio
import grp
import logging
import os
import pwd
import ssl
import stat
from collections import Counter
from pathlib import Path

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.errors import SettingsError
from fairlead.http.app import App
from fairlead.http.forwarding import ForwardedEdge
from fairlead.http.wire import Connection
from fairlead.settings.settings import Settings

__all__ = ["HttpServer"]

log = logging.getLogger("agent.http")

# How long the rest of a request may take once it has begun.
_HALF_SENT_S = 60.0
_SWEEP_S = 5.0
_BACKLOG = 4096
_TOO_MANY = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"Your IP is issuing too many concurrent connections, please rate limit your calls\n"
)


class HttpServer:
    """Serves the app on every address of the settings."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.app = App(agent)
        if isinstance(agent.cluster, ServerCluster):
            agent.cluster.links.edge = ForwardedEdge(self.app)
            agent.cluster.wan.links.serve(agent.cluster.links.edge)
        self.listening: list[str] = []
        self._servers: list[asyncio.Server] = []
        self._sockets: list[Path] = []
        self._connections: set[Connection] = set()
        self._half: dict[Connection, float] = {}
        self._by_client: Counter[str] = Counter()
        self._limit = agent.settings.limits_http_max_conns_per_client
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: an address cannot be listened on.
        """
        settings = self.agent.settings
        if settings.ports_http > 0:
            for address in settings.http_addresses:
                await self._listen(address, settings.ports_http, None)
        if settings.ports_https > 0:
            context = _tls_context(settings)
            for address in settings.https_addresses:
                await self._listen(address, settings.ports_https, context)
        self._sweeper = asyncio.create_task(self._sweep(), name="http-sweeper")

    async def stop(self) -> None:
        """Close the listeners and every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.shut()
        for path in self._sockets:
            path.unlink(missing_ok=True)
        await asyncio.sleep(0)

    def reload(self) -> None:
        """Take over the settings that may change while it runs."""
        self._limit = self.agent.settings.limits_http_max_conns_per_client
        self.app.configure()

    # ---------------------------------------------------------------- listening

    async def _listen(self, address: str, port: int, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            if address.startswith("unix://"):
                await self._listen_unix(address.removeprefix("unix://"), context)
                return
            server = await loop.create_server(
                self._connection, address, port, ssl=context, backlog=_BACKLOG
            )
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {address}:{port}: {_why(error)}",
                hint="is another agent running? Choose another port with -http-port",
            ) from error
        scheme = "https" if context else "http"
        self._servers.append(server)
        self.listening.append(f"{scheme}://{address}:{port}")

    async def _listen_unix(self, name: str, context: ssl.SSLContext | None) -> None:
        path = Path(name)
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(
            self._connection, name, ssl=context, backlog=_BACKLOG
        )
        self._sockets.append(path)
        self._servers.append(server)
        self.listening.append(f"unix://{name}")
        _set_owner(path, self.agent.settings)

    def _connection(self) -> Connection:
        return Connection(self.app, self)

    # ---------------------------------------------------------------- called by connections

    def admit(self, connection: Connection) -> bool:
        """Whether one more connection of this client is served."""
        client = connection.client
        if isinstance(client, tuple):
            if self._by_client[client[0]] >= self._limit:
                connection.turn_away(_TOO_MANY)
                return False
            self._by_client[client[0]] += 1
        self._connections.add(connection)
        return True

    def half_sent(self, connection: Connection) -> None:
        """Part of a request came; the rest has some time."""
        if connection not in self._half:
            self._half[connection] = asyncio.get_running_loop().time() + _HALF_SENT_S

    def whole(self, connection: Connection) -> None:
        """The request is complete."""
        self._half.pop(connection, None)

    def gone(self, connection: Connection) -> None:
        """The connection is closed."""
        self._half.pop(connection, None)
        if connection in self._connections:
            self._connections.discard(connection)
            client = connection.client
            if isinstance(client, tuple):
                self._by_client[client[0]] -= 1
                if not self._by_client[client[0]]:
                    del self._by_client[client[0]]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            self.expire_before(asyncio.get_running_loop().time())

    def expire_before(self, now: float) -> None:
        """End the connections whose half-sent request had its time."""
        for connection in [late for late, deadline in self._half.items() if deadline < now]:
            connection.expire()


def _why(error: OSError) -> str:
    text = os.strerror(error.errno) if error.errno else str(error)
    return text[:1].lower() + text[1:]


def _set_owner(path: Path, settings: Settings) -> None:
    """Apply `unix_sockets`."""
    try:
        if settings.unix_sockets_mode:
            path.chmod(int(settings.unix_sockets_mode, 8))
        user, group = settings.unix_sockets_user, settings.unix_sockets_group
        uid = -1 if not user else int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
        gid = -1 if not group else int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
        if uid >= 0 or gid >= 0:
            os.chown(path, uid, gid)
    except (OSError, KeyError, ValueError) as error:
        raise SettingsError(
            f"unix_sockets: cannot set the owner or mode of {path}: {error}"
        ) from error


def _tls_context(settings: Settings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    versions = {"tls12": ssl.TLSVersion.TLSv1_2, "tls13": ssl.TLSVersion.TLSv1_3}
    context.minimum_version = versions[settings.tls_min_version]
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file)
        if settings.ca_file:
            context.load_verify_locations(settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"cannot use cert_file, key_file or ca_file: {error}") from error
    if settings.verify_incoming or settings.verify_incoming_https:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
