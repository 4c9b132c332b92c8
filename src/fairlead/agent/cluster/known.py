"""The servers a client knows, kept in its data directory: it finds them again after a restart.

Not after it left: then it joins whom its configuration names, unless
`rejoin_after_leave` says otherwise, as in Consul.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path

__all__ = ["KnownServers"]

log = logging.getLogger("agent.cluster")

_FILE = "servers.json"


class KnownServers:
    """The file `servers.json`; without a data directory nothing is kept."""

    def __init__(self, data_dir: str) -> None:
        self._path = Path(data_dir) / _FILE if data_dir else None
        self._servers: list[str] = []

    def load(self, *, after_leave: bool) -> list[str]:
        """Those that were known at last."""
        if self._path is None:
            return []
        try:
            kept = json.loads(self._path.read_text())
            servers = [str(server) for server in kept["servers"]]
            left = bool(kept["left"])
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the servers known before cannot be read: file=%s why=%s", _FILE, error)
            return []
        self._servers = servers
        return [] if left and not after_leave else servers

    def keep(self, servers: list[str]) -> None:
        """These are the servers now."""
        self._servers = servers
        self._write(left=False)

    def left(self) -> None:
        """This agent has left the cluster."""
        self._write(left=True)

    def _write(self, *, left: bool) -> None:
        if self._path is None:
            return
        draft = self._path.with_suffix(".new")
        try:
            draft.write_text(json.dumps({"servers": self._servers, "left": left}) + "\n")
            os.replace(draft, self._path)
        except OSError as error:
            log.warning("the servers cannot be kept: file=%s why=%s", self._path, error)
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
