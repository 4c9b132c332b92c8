"""The settings of the DNS edge: TTLs by service, recursors, and what is wrong with them."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from fairlead.durations import SECOND_NS, parse_duration
from fairlead.errors import InvalidError

if TYPE_CHECKING:
    from fairlead.settings.settings import Settings

__all__ = ["dns_faults", "find_recursor", "service_ttls"]

_DOMAIN = re.compile(r"\.?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?|\.")
_LONGEST_DOMAIN = 200
_PORT = 53
_MOST_U32 = 2**32 - 1
_MOST_I64 = 2**63 - 1
_STRATEGIES = ("sequential", "random")


def service_ttls(texts: dict[str, str], faults: list[str]) -> dict[str, int]:
    """The durations of `dns_config.service_ttl`; those that are none go to `faults`."""
    ttls = {}
    for service, text in texts.items():
        try:
            ttls[service] = parse_duration(text)
        except InvalidError as error:
            faults.append(f'dns_config.service_ttl["{service}"]: invalid duration: {error}')
    return ttls


def find_recursor(text: str) -> tuple[str, int] | None:
    """Address and port of a recursor; None when the text is neither `IP` nor `IP:PORT`.

    >>> find_recursor("8.8.8.8"), find_recursor("[::1]:5353"), find_recursor("::1")
    (('8.8.8.8', 53), ('::1', 5353), ('::1', 53))
    >>> find_recursor("dns.example.org") is None
    True
    """
    host, port = text, str(_PORT)
    if text.startswith("[") or text.count(":") == 1:
        host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, ":", port)
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not colon:
            return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65535):
        return None
    return str(address), int(port)


def dns_faults(settings: Settings) -> list[str]:
    """Everything that is wrong, in Consul's words where it has them."""
    faults = []
    for key in ("domain", "alt_domain"):
        domain = getattr(settings, key)
        is_good = len(domain) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(domain)
        if not is_good and (domain or key == "domain"):
            faults.append(f'{key}: "{domain}" is not a domain')
    for text in settings.recursors:
        faults += _recursor_faults(text)
    for name in ("udp_answer_limit", "a_record_limit"):
        limit = getattr(settings, f"dns_config_{name}")
        if limit < 0:
            words = "Must be greater than or equal to zero"
            faults.append(f"dns_config.{name} cannot be {limit}. {words}")
        elif limit > _MOST_U32:
            faults.append(f"dns_config.{name} cannot be {limit}. Must be at most {_MOST_U32}")
    if settings.dns_config_recursor_strategy not in _STRATEGIES:
        faults.append(
            f'dns_config.recursor_strategy cannot be "{settings.dns_config_recursor_strategy}": '
            "use sequential or random"
        )
    if settings.dns_config_recursor_timeout <= 0:
        faults.append("dns_config.recursor_timeout must be positive")
    if any(address.startswith("unix://") for address in settings.addresses_dns.split()):
        faults.append("DNS address cannot be a unix socket")
    return faults + _number_faults(settings)


def _recursor_faults(text: str) -> list[str]:
    recursor = find_recursor(text)
    if recursor is None:
        return [f'recursors: "{text}" is neither an IP address nor IP:PORT']
    if ipaddress.ip_address(recursor[0]).is_unspecified:
        return ["DNS recursor address cannot be 0.0.0.0, :: or [::]"]
    return []


def _number_faults(settings: Settings) -> list[str]:
    """What a record's 32 bits cannot hold."""
    numbers = {f"soa.{name}": number for name, number in settings.dns_config_soa.items()}
    ttls = {"node_ttl": settings.dns_config_node_ttl}
    ttls |= {
        f'service_ttl["{service}"]': ttl for service, ttl in settings.dns_config_service_ttl.items()
    }
    numbers |= {name: ttl_ns // SECOND_NS for name, ttl_ns in ttls.items()}
    faults = [
        f"dns_config.{name} must be from 0 to {_MOST_U32} seconds"
        for name, number in numbers.items()
        if not 0 <= number <= _MOST_U32
    ]
    durations = {
        name: getattr(settings, f"dns_config_{name}")
        for name in ("cache_max_age", "max_stale", "recursor_timeout")
    }
    return faults + [
        f"dns_config.{name} must be from 0 to {_MOST_I64} nanoseconds"
        for name, number in durations.items()
        if not 0 <= number <= _MOST_I64
    ]
