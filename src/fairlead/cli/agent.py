"""`fairlead agent`: the composition root, where engine, store, loops and edges meet."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import uvloop

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.agent.declared import declared
from fairlead.agent.logs import configure_logs
from fairlead.agent.watch_loops import WatchLoops
from fairlead.cli.verbs import HELP, INT, Verb, option, parameter_name, switch
from fairlead.clock import SystemClock
from fairlead.data_dir import locked
from fairlead.dns.queries import query_finder
from fairlead.dns.server import DnsServer
from fairlead.engines import open_engine, open_shared_engine
from fairlead.engines.awaited import AwaitedEngine
from fairlead.engines.etcd.address import with_options
from fairlead.errors import SettingsError
from fairlead.http.inward import Inward
from fairlead.http.server import HttpServer
from fairlead.settings import flags, schema, sources
from fairlead.settings.cluster import SUPERVISED
from fairlead.settings.settings import DEV_DEFAULTS, RELOADABLE, Settings, build, warnings
from fairlead.settings.watches import watch_definitions
from fairlead.version import API_VERSION, __version__

if TYPE_CHECKING:
    from fairlead.agent.etcd.supervisor import Supervisor

__all__ = ["command"]

log = logging.getLogger("agent")

_EXAMPLES = """\b
Examples:
  fairlead agent -dev
      keeps nothing; HTTP on 127.0.0.1:8500
  fairlead agent -server -bootstrap-expect=1 -data-dir=/var/lib/fairlead
      one server that keeps everything in that directory
  fairlead agent -config-dir=/etc/consul.d -client=0.0.0.0
      with Consul's own configuration files, reachable from outside
Signals: SIGHUP reads the configuration again, SIGTERM and SIGINT stop."""


def _with_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add one click option a row of the table of flags."""
    for flag, (key, about) in sorted(flags.FLAGS.items(), reverse=True):
        kind = flags.kind_of(key)
        section = "Options" if about else "Taken from Consul, without effect yet"
        about = about or f"Key {key}."
        if kind == schema.BOOL:
            decorate = switch(flag, help=about, default=None, section=section)
        else:
            multiple = kind in (schema.LIST, schema.MAP)
            metavar = "KEY:VALUE" if kind == schema.MAP else _METAVARS.get(kind, "TEXT")
            value_type = INT if kind == schema.INT else click.STRING
            decorate = option(
                flag,
                help=about,
                multiple=multiple,
                metavar=metavar,
                type=value_type,
                section=section,
            )
        function = decorate(function)
    return function


_METAVARS = {schema.INT: "N", schema.DURATION: "DURATION", schema.LIST: "TEXT"}


@click.command(
    "agent",
    cls=Verb,
    context_settings={**HELP, "allow_interspersed_args": False},
    epilog=_EXAMPLES,
)
@switch("-dev", help="Keep nothing, listen on 127.0.0.1: to try things.")
@option("-config-file", help="Configuration file, JSON or HCL.", multiple=True, metavar="FILE")
@option("-config-dir", help="Directory of such files.", multiple=True, metavar="DIR")
@option("-config-format", help="json or hcl, when the name does not say.", default="")
@option("-hcl", help="Configuration as HCL text.", multiple=True, metavar="TEXT")
@_with_flags
def command(
    dev: bool,
    config_file: tuple[str, ...],
    config_dir: tuple[str, ...],
    config_format: str,
    hcl: tuple[str, ...],
    **given: Any,
) -> int:
    """Run an agent until it is told to stop."""
    by_name = {parameter_name(flag): flag for flag in flags.FLAGS}
    named = {by_name[name]: value for name, value in given.items() if value not in (None, ())}

    def read() -> dict[str, Any]:
        raw: dict[str, Any] = dict(DEV_DEFAULTS) if dev else {}
        raw = sources.merge(raw, sources.read_all((*config_file, *config_dir), config_format))
        for text in hcl:
            raw = sources.merge(raw, sources.read_text(text, "-hcl", "hcl"))
        faults: list[str] = []
        checked = sources.check(flags.as_source(named), schema.SCHEMA, "", faults)
        if faults:
            raise SettingsError("\n".join(faults))
        return sources.merge(raw, checked)

    try:
        return _run(read)
    except SettingsError as error:
        print(f"==> {error}", file=sys.stderr)
        if error.hint:
            print(f"    {error.hint}", file=sys.stderr)
        return 1


def _run(read: Callable[[], dict[str, Any]]) -> int:
    raw = read()
    settings = build(raw)
    declared(settings)
    if not settings.server and not settings.data_dir:
        raise SettingsError("data_dir cannot be empty", hint="a client keeps its id there")
    configure_logs(settings)
    for key in sources.unused_keys(raw):
        log.warning("configuration key has no effect yet: key=%s", key)
    for text in warnings(settings):
        log.warning("%s", text)
    _raise_file_limit()
    exit_code = _run_by(settings, read)
    log.info("agent stopped")
    return exit_code


def _run_by(settings: Settings, read: Callable[[], dict[str, Any]]) -> int:
    """Run with the engine of the settings, if it is a server."""
    if settings.server and settings.engine == SUPERVISED:
        return uvloop.run(_serve_with_etcd(settings, read))
    with contextlib.ExitStack() as held:
        is_kept_here = settings.server and not settings.engine.startswith("etcd:")
        if settings.data_dir and not is_kept_here:
            held.enter_context(locked(Path(settings.data_dir)))
        engine = open_engine(_engine_address(settings)) if settings.server else None
        # Only who has the lock may write it, and take it away.
        held.enter_context(_pid_file(settings.pid_file))
        return uvloop.run(_serve(settings, engine, read))


def _engine_address(settings: Settings) -> str:
    """With what an engine that others share must know of this server."""
    kind, _, rest = settings.engine.partition(":")
    if kind != "etcd":
        return settings.engine
    options = {"datacenter": settings.datacenter}
    if settings.data_dir:
        options["cluster_file"] = str(Path(settings.data_dir) / "cluster-id")
    return f"etcd:{with_options(rest, **options)}"


async def _serve_with_etcd(settings: Settings, read: Callable[[], dict[str, Any]]) -> int:
    """As one of several servers, which answers from the start and waits for the others."""
    # Not imported by agents that need none: it brings gRPC, 100 ms and 25 MB.
    prepared = import_module("fairlead.agent.etcd.supervisor").prepared
    supervisor: Supervisor = await prepared(settings, SystemClock())
    try:
        with _pid_file(settings.pid_file):
            return await _serve(settings, AwaitedEngine(), read, supervisor)
    finally:
        await supervisor.stop()


async def _join_others(agent: Agent, supervisor: Supervisor) -> None:
    """Return once this server is one of several, or the agent is to end.

    Raises:
        SettingsError: it cannot become one.
    """

    async def join() -> None:
        await supervisor.start()
        await agent.open_store(open_shared_engine(supervisor.engine_address))
        agent.look_after(supervisor)

    joining, ending = asyncio.create_task(join()), asyncio.create_task(agent.ended.wait())
    await asyncio.wait([joining, ending], return_when=asyncio.FIRST_COMPLETED)
    if joining.done():
        ending.cancel()
        await joining
        return
    joining.cancel()
    await asyncio.wait([joining])
    log.info("agent stopped before it was one of several servers")


async def _serve(
    settings: Settings,
    engine: Any,
    read: Callable[[], dict[str, Any]],
    supervisor: Supervisor | None = None,
) -> int:
    loop = asyncio.get_running_loop()
    # Rows are not the collector's business, and requests make few cycles.
    gc.set_threshold(50_000, 20, 20)
    try:
        agent = Agent(settings, engine, SystemClock())
        ending = _Ending(agent)
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, ending.caught, name)
        await agent.start()
    except BaseException:
        if engine is not None:
            await engine.close()
        raise
    server = HttpServer(agent)
    names = DnsServer(agent, query_finder(agent))
    watches = WatchLoops(Inward(server.app).get, agent.clock)
    agent.reload = functools.partial(_reload, agent, (server, names), watches, read)
    if isinstance(agent.cluster, ServerCluster):
        agent.cluster.links.names = agent.cluster.wan.links.names = names.answer
    try:
        await server.start()
        await names.start()
        loop.add_signal_handler(signal.SIGHUP, _reload_on_signal, agent)
        if supervisor is None:
            await agent.listen()
        _print_banner(agent, [*server.listening, *names.listening])
        if supervisor is not None:
            await _join_others(agent, supervisor)
            if not agent.ended.is_set():
                await agent.listen()
        if not agent.ended.is_set():
            watches.take_over(watch_definitions(settings.watches))
            _log_started(agent)
        await agent.ended.wait()
    finally:
        await watches.stop()
        await names.stop()
        await server.stop()
        await agent.stop()
    return agent.exit_code


class _Ending:
    """What signals do: an agent that is to leave does so first; a second signal ends it at once."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._leaving: asyncio.Task[None] | None = None

    def caught(self, name: signal.Signals) -> None:
        log.info("caught signal: signal=%s", name.name)
        settings = self._agent.settings
        by_settings = {
            signal.SIGINT: not settings.skip_leave_on_interrupt,
            signal.SIGTERM: bool(settings.leave_on_terminate),
        }
        if by_settings[name] and self._leaving is None:
            log.info("leaving the cluster")
            self._leaving = asyncio.create_task(self._agent.leave())
        else:
            self._agent.ended.set()


def _reload_on_signal(agent: Agent) -> None:
    try:
        agent.reload()
    except SettingsError as error:
        log.error("configuration was not reloaded: error=%s", error)


def _reload(
    agent: Agent,
    edges: tuple[HttpServer, DnsServer],
    watches: WatchLoops,
    read: Callable[[], dict[str, Any]],
) -> None:
    """Take over what may change while the agent runs.

    Raises:
        SettingsError: the configuration is faulty; nothing was changed.
    """
    fresh = build(read())
    definitions = declared(fresh)
    changes = {name: getattr(fresh, name) for name in RELOADABLE}
    agent.settings = dataclasses.replace(agent.settings, **changes)
    configure_logs(agent.settings)
    for edge in edges:
        edge.reload()
    agent.take_over(definitions)
    watches.take_over(watch_definitions(fresh.watches))
    log.info("configuration reloaded")
    for field in dataclasses.fields(Settings):
        if field.name not in RELOADABLE and getattr(fresh, field.name) != getattr(
            agent.settings, field.name
        ):
            log.warning("this change needs a restart: key=%s", field.name)


def _print_banner(agent: Agent, listening: list[str]) -> None:
    settings = agent.settings
    print("==> Starting Fairlead agent...")
    rows = [
        ("Version", f"{__version__} (HTTP API of Consul {API_VERSION})"),
        ("Node ID", f"'{agent.node.id}'"),
        ("Node name", f"'{agent.node.node}'"),
        ("Datacenter", f"'{settings.datacenter}'"),
        ("Server", f"true (engine: {agent.store.engine.name})" if settings.server else "false"),
        ("Client Addr", ", ".join(listening)),
        ("Cluster Addr", settings.advertise_addr),
    ]
    for name, value in rows:
        print(f"{name:>15}: {value}")
    print("\n==> Log data will now stream in as it occurs:\n", flush=True)


def _log_started(agent: Agent) -> None:
    if agent.settings.server:
        state = agent.store.state
        log.info("agent started: index=%d keys=%d", state.index, len(state.kv))
    else:
        log.info("agent started")


@contextlib.contextmanager
def _pid_file(name: str) -> Iterator[None]:
    if not name:
        yield
        return
    path = Path(name)
    try:
        path.write_text(f"{os.getpid()}\n")
    except OSError as error:
        raise SettingsError(f"cannot write pid_file {name}: {error.strerror}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _raise_file_limit() -> None:
    """Every connection is a file: take as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
