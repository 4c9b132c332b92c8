"""What a check of the catalog is to do: kept and shown, never run.

Only an agent runs checks; whoever registers one here runs it elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead.durations import format_duration, parse_duration
from fairlead.errors import InvalidError
from fairlead.http.bodies import json_type

__all__ = ["kept_definition", "type_of"]

_DECODE = "Request decode failed"
_INT64 = 2**63
_DURATIONS = ("Interval", "Timeout", "DeregisterCriticalServiceAfter")
_DEFINITION = {
    "interval": "Interval",
    "timeout": "Timeout",
    "deregistercriticalserviceafter": "DeregisterCriticalServiceAfter",
    "http": "HTTP",
    "tlsskipverify": "TLSSkipVerify",
    "header": "Header",
    "method": "Method",
    "body": "Body",
    "tcp": "TCP",
    "scriptargs": "ScriptArgs",
    "dockercontainerid": "DockerContainerID",
    "shell": "Shell",
    "grpc": "GRPC",
    "grpcusetls": "GRPCUseTLS",
    "aliasnode": "AliasNode",
    "aliasservice": "AliasService",
    "ttl": "TTL",
}


def kept_definition(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of the known fields; durations as text, but for the TTL's, as in Consul.

    Raises:
        InvalidError: one of them is none.
    """
    lowered = {name.lower(): value for name, value in given.items()}
    found: dict[str, Any] = {}
    for name, usual in _DEFINITION.items():
        value = lowered.get(name)
        if not value:
            continue
        if usual in _DURATIONS or usual == "TTL":
            value = _duration(usual, value)
            if not value:
                continue
        else:
            _check_type(usual, value)
        found[usual] = format_duration(value) if usual in _DURATIONS else value
    return found


_FLAGS = frozenset({"TLSSkipVerify", "GRPCUseTLS"})


def _check_type(name: str, value: Any) -> None:
    if name == "Header":
        fits = isinstance(value, dict) and all(map(_is_texts, value.values()))
    elif name == "ScriptArgs":
        fits = _is_texts(value)
    else:
        fits = isinstance(value, bool if name in _FLAGS else str)
    if not fits:
        raise _wrong_type(name, value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _wrong_type(name: str, value: Any) -> InvalidError:
    return InvalidError(f"{_DECODE}: json: cannot unmarshal {json_type(value)} into field {name}")


def _duration(name: str, value: Any) -> int:
    try:
        if isinstance(value, str):
            return parse_duration(value)
    except InvalidError as error:
        raise InvalidError(f"{_DECODE}: {error}") from error
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(name, value)
    if not -_INT64 <= value < _INT64:
        raise _wrong_type(name, value)
    return int(value)


def type_of(definition: Mapping[str, Any]) -> str:
    """What kind of check it is; empty when it is none that could be run."""
    polled = "Interval" in definition
    kinds = (
        ("grpc", polled and "GRPC" in definition),
        ("http", polled and "HTTP" in definition),
        ("ttl", "TTL" in definition),
        ("tcp", polled and "TCP" in definition),
        ("alias", "AliasNode" in definition or "AliasService" in definition),
        ("docker", polled and "DockerContainerID" in definition and "ScriptArgs" in definition),
        ("script", polled and "ScriptArgs" in definition),
    )
    return next((kind for kind, is_so in kinds if is_so), "")
