"""/v1/agent: the process itself: its log, its configuration, its host, its version.

Source: Consul's agent page; statuses and texts as observed on 1.8.7, `version` on 1.20.
"""

from __future__ import annotations

from fairlead.agent import host as host_
from fairlead.agent.agent import Agent
from fairlead.agent.log_tap import LogTap
from fairlead.agent.logs import level_of
from fairlead.errors import InvalidError
from fairlead.http.messages import TEXT, Request, Response, empty, json_response
from fairlead.version import API_VERSION, __version__

__all__ = ["host", "monitor", "reload", "version"]


def monitor(agent: Agent, request: Request) -> Response:
    """The log from now on, until the client has enough."""
    name = request.query.get("loglevel") or "INFO"
    level = level_of(name)
    if level is None:
        raise InvalidError(f"Bad request: Unknown log level: {name}")
    tap = LogTap(level, as_json="logjson" in request.query)
    return Response(content_type=TEXT, live=tap.lines())


def reload(agent: Agent, request: Request) -> Response:
    agent.reload()
    return empty()


def host(agent: Agent, request: Request) -> Response:
    return json_response(host_.describe(agent.clock.now_ns()))


def version(agent: Agent, request: Request) -> Response:
    return json_response(
        {
            "SHA": f"fairlead-{__version__}",
            "BuildDate": "",
            "HumanVersion": API_VERSION,
            "FIPS": "",
        }
    )
