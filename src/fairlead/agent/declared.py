"""The services and checks that configuration files define."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, structs

from fairlead.agent.checks.definition import CheckDefinition, validate
from fairlead.agent.definitions import (
    CONFIGURATION,
    STATUSES,
    ProxyDefinition,
    ServiceDefinition,
    check_scripts,
    checks_of,
    service_of,
)
from fairlead.errors import InvalidError, SettingsError
from fairlead.settings import schema
from fairlead.settings.settings import Settings

__all__ = ["Declared", "declared"]

# A key of a file, and the attribute it means.
_SPELLED = {"id": "check_id", "script_args": "args"} | {
    key: f"{key}_ns" for key, kind in schema.CHECK.items() if kind == schema.DURATION
}
_PROXY_NAMES = {info.name: info.encode_name for info in structs.fields(ProxyDefinition)}


class Declared(Struct, frozen=True):
    """What files define, in the order of the files."""

    services: list[ServiceDefinition]
    checks: list[CheckDefinition]


def declared(settings: Settings) -> Declared:
    """What the configuration defines.

    Raises:
        SettingsError: some of it cannot be; all of that is named.
    """
    services = [_service(raw) for raw in (*settings.service, *settings.services)]
    checks = [_check(raw) for raw in (*settings.check, *settings.checks)]
    checks = [structs.replace(check, check_id=check.check_id or check.name) for check in checks]
    faults = [*_service_faults(services, settings), *_check_faults(checks, services, settings)]
    if faults:
        raise SettingsError("\n".join(faults))
    return Declared(services, checks)


def _service(raw: dict[str, Any]) -> ServiceDefinition:
    fields = {name: value for name, value in raw.items() if name not in ("check", "checks")}
    checks = [_check(check) for key in ("check", "checks") for check in raw.get(key, [])]
    weights = fields.get("weights")
    if weights is not None:
        # In files, unlike in the API, what is left out is 1.
        fields["weights"] = {"passing": 1, "warning": 1, **weights}
    proxy = {_PROXY_NAMES.get(key, key): value for key, value in fields.get("proxy", {}).items()}
    return structs.replace(
        msgspec.convert({**fields, "proxy": proxy}, ServiceDefinition), checks=checks
    )


def _check(raw: dict[str, Any]) -> CheckDefinition:
    fields = {_SPELLED.get(key, key): value for key, value in raw.items()}
    return msgspec.convert(fields, CheckDefinition)


# ---------------------------------------------------------------- faults


def _service_faults(services: list[ServiceDefinition], settings: Settings) -> Iterator[str]:
    for service in services:
        try:
            service_of(service)
            for check in checks_of(service):
                check_scripts(check, settings, CONFIGURATION)
        except InvalidError as error:
            yield f'Failed to register service "{service.own_id}": {str(error).strip()}'
    counted = Counter(service.own_id for service in services)
    yield from (
        f'service "{service_id}" is defined {count} times: give each an id of its own'
        for service_id, count in counted.items()
        if count > 1
    )


def _check_faults(
    checks: list[CheckDefinition], services: list[ServiceDefinition], settings: Settings
) -> Iterator[str]:
    known = {service.own_id for service in services}
    for check in checks:
        fault = ""
        try:
            validate(check)
            check_scripts(check, settings, CONFIGURATION)
        except InvalidError as error:
            fault = str(error)
        if not check.name:
            fault = "Missing check name"
        elif check.status and check.status not in STATUSES:
            fault = "Bad check status"
        elif check.service_id and check.service_id not in known:
            fault = f'ServiceID "{check.service_id}" does not exist'
        if fault:
            yield f'Failed to register check "{check.check_id}": {fault}'
