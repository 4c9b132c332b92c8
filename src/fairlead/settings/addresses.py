"""Address templates: the forms of go-sockaddr that configuration files use.

`{{ GetPrivateIP }}`, `{{ GetPublicIP }}` and `{{ GetInterfaceIP "eth0" }}` stand for
an IPv4 address of this machine. Source: the package `hashicorp/go-sockaddr/template`.
"""

from __future__ import annotations

import fcntl
import ipaddress
import re
import socket
import struct

from fairlead.errors import SettingsError

__all__ = ["expand", "own_address"]

_TEMPLATE = re.compile(r"\{\{\s*(\w+)\s*(?:\"([^\"]*)\")?\s*\}\}")
_SIOCGIFADDR = 0x8915
_KNOWN = 'GetPrivateIP, GetPublicIP, GetInterfaceIP "NAME"'


def expand(text: str) -> str:
    """`text` with its templates replaced by addresses.

    Raises:
        SettingsError: a template nobody knows, or no such address.
    """
    if "{{" not in text:
        return text
    expanded = _TEMPLATE.sub(lambda found: _address(found[0], found[1], found[2]), text)
    if "{{" in expanded:
        raise SettingsError(f"cannot read the address template {text}", hint=f"known: {_KNOWN}")
    return expanded


def _address(template: str, name: str, argument: str | None) -> str:
    addresses = _interfaces()
    if name == "GetInterfaceIP":
        found = [addresses[argument]] if argument in addresses else []
    elif name in ("GetPrivateIP", "GetPublicIP"):
        wanted = name == "GetPrivateIP"
        found = [
            address
            for address in addresses.values()
            if not ipaddress.ip_address(address).is_loopback
            and ipaddress.ip_address(address).is_private == wanted
        ]
    else:
        raise SettingsError(f"cannot read the address template {template}", hint=f"known: {_KNOWN}")
    if not found:
        have = ", ".join(f"{interface} {address}" for interface, address in addresses.items())
        raise SettingsError(f"{template} stands for no address", hint=f"this machine has: {have}")
    return found[0]


def _interfaces() -> dict[str, str]:
    """The IPv4 address of each interface that has one (Linux; elsewhere none are found)."""
    addresses = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue
            addresses[name] = socket.inet_ntoa(answer[20:24])
    return addresses


def own_address() -> str:
    """The address this machine would use towards others; nothing is sent.

    Without a way to everywhere it is that of the first interface but the loopback.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address: str = probe.getsockname()[0]
        except OSError:
            others = (one for one in _interfaces().values() if not one.startswith("127."))
            return next(others, "127.0.0.1")
    return address
