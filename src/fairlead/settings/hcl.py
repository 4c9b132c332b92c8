"""Reading HCL with pyhcl, but for blocks that stand more than once.

pyhcl takes two blocks of one name for one, or for as many as they have keys in
common; here each stays what it is, in a list.
"""

from __future__ import annotations

import json
from typing import Any

from hcl.api import isHcl
from hcl.parser import HclParser

__all__ = ["loads"]


class _Parser(HclParser):  # type: ignore[misc]
    """pyhcl's, which gathers the items of an object here."""

    def objectlist_flat(self, items: list[tuple[str, Any]], replace: bool) -> dict[str, Any]:
        gathered: dict[str, Any] = {}
        for key, value in items:
            if key not in gathered or (replace and not isinstance(value, dict)):
                gathered[key] = value
            elif isinstance(gathered[key], list):
                gathered[key] = [*gathered[key], value]
            else:
                gathered[key] = [gathered[key], value]
        return gathered


def loads(text: str) -> Any:
    """What a text says; one that begins with a brace is JSON.

    Raises:
        ValueError: it is neither.
    """
    return _Parser().parse(text) if isHcl(text) else json.loads(text)
