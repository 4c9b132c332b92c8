"""From addresses back to names: an index, made anew when nodes or services have changed."""

from __future__ import annotations

from fairlead.core.state import State
from fairlead.dns.names import address_of_reverse
from fairlead.dns.records import packed

__all__ = ["Reverse"]


class Reverse:
    """The first node, else the first service, that has an address."""

    def __init__(self) -> None:
        self._made_of: tuple[State, int, int] | None = None
        self._names: dict[bytes, tuple[str, str]] = {}

    def find(self, state: State, name: str) -> tuple[str, str] | None:
        """Kind and name (`node`, `n1`) of who has the address that a name under `arpa` means."""
        address = address_of_reverse(name)
        raw = packed(address) if address is not None else None
        if raw is None:
            return None
        made_of = (state, state.nodes.index, state.services.index)
        if made_of != self._made_of:
            self._names = _names(state)
            self._made_of = made_of
        return self._names.get(raw)


def _names(state: State) -> dict[bytes, tuple[str, str]]:
    names: dict[bytes, tuple[str, str]] = {}
    for node in state.nodes.scan(""):
        raw = packed(node.address)
        if raw is not None:
            names.setdefault(raw, ("node", node.node))
    for row in state.services.scan(""):
        raw = packed(row.service.address)
        if raw is not None:
            names.setdefault(raw, ("service", row.service.service))
    return names
