"""What the settings say about answers, in the shape answers need it."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.dns.names import Zones
from fairlead.durations import SECOND_NS
from fairlead.settings.settings import Settings

__all__ = ["Rules", "rules_of"]

# However large the setting, an answer without EDNS holds no more (Consul's constant).
_MOST_UDP_ANSWERS = 8
_SOA = {"refresh": 3600, "retry": 600, "expire": 86400, "min_ttl": 0}


@dataclass(frozen=True, slots=True)
class Rules:
    """How to answer; TTLs in seconds. `node` is the name of the agent's own."""

    zones: Zones
    datacenter: str = "dc1"
    node: str = ""
    node_ttl: int = 0
    service_ttls: tuple[tuple[str, int], ...] = ()
    soa: tuple[int, int, int, int] = (3600, 600, 86400, 0)
    only_passing: bool = False
    a_record_limit: int = 0
    udp_answer_limit: int = 3
    truncates: bool = False
    compresses: bool = True
    adds_meta: bool = True
    recursion: bool = False

    @property
    def domain(self) -> str:
        """The one in answers, whichever the question names."""
        return self.zones.domain

    def below(self, prefix: str) -> str:
        """A name in our domain."""
        return f"{prefix}.{self.domain}" if self.domain else prefix

    def service_ttl(self, service: str) -> int:
        """The TTL of a service: by its name, else by the longest prefix that is listed."""
        best, found = -1, 0
        for pattern, ttl in self.service_ttls:
            if pattern == service:
                return ttl
            prefix = pattern[:-1]
            if pattern.endswith("*") and len(prefix) > best and service.startswith(prefix):
                best, found = len(prefix), ttl
        return found


def rules_of(settings: Settings, node: str) -> Rules:
    """The rules that follow from the settings."""
    soa = {**_SOA, **settings.dns_config_soa}
    ttls = settings.dns_config_service_ttl.items()
    return Rules(
        zones=Zones(_domain(settings.domain), _domain(settings.alt_domain)),
        datacenter=settings.datacenter,
        node=node,
        node_ttl=settings.dns_config_node_ttl // SECOND_NS,
        service_ttls=tuple((name, ttl_ns // SECOND_NS) for name, ttl_ns in ttls),
        soa=(soa["refresh"], soa["retry"], soa["expire"], soa["min_ttl"]),
        only_passing=settings.dns_config_only_passing,
        a_record_limit=settings.dns_config_a_record_limit,
        udp_answer_limit=min(settings.dns_config_udp_answer_limit, _MOST_UDP_ANSWERS),
        truncates=settings.dns_config_enable_truncate,
        compresses=not settings.dns_config_disable_compression,
        adds_meta=settings.dns_config_enable_additional_node_meta_txt,
        recursion=bool(settings.recursors),
    )


def _domain(text: str) -> str:
    return text.strip(".").lower()
