"""The files of a server's etcd, and the socket it is reached at."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from fairlead.data_dir import take_lock
from fairlead.errors import SettingsError

__all__ = ["SOCKET_URL", "Folder"]

# etcd wants a host and a port also of a socket; it is named by both, from where etcd runs.
_SOCKET = "etcd.sock:1"
SOCKET_URL = f"unix://{_SOCKET}"
# The system takes 107; and what has a meaning in addresses cannot be in one.
_LONGEST_BYTES = 100
_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


class Folder:
    """`etcd/` in the data directory, locked; `close` lets go of it."""

    def __init__(self, data_dir: str) -> None:
        """Raises: SettingsError, it is in use or cannot be written, or holds something else."""
        root = Path(os.path.abspath(data_dir))
        self.root = root / "etcd"
        self.data = self.root / "data"
        self.tls = self.root / "tls"
        if (root / "fairlead.db").exists() and not (self.root / "cluster.json").exists():
            raise SettingsError(
                f'data directory "{root}" holds the state of a single server (fairlead.db)',
                hint="bring it into a cluster with `fairlead operator migrate`, or give an empty "
                "directory with -data-dir",
            )
        self._lock = take_lock(root)
        try:
            self.root.mkdir(mode=0o700, exist_ok=True)
            self.root.chmod(0o700)
            self.run = self._place_to_run()
        except OSError as error:
            os.close(self._lock)
            raise SettingsError(f"cannot write {self.root}: {error.strerror}") from error

    def _place_to_run(self) -> Path:
        path = str(self.root / _SOCKET.partition(":")[0])
        if len(os.fsencode(path)) <= _LONGEST_BYTES and _PLAIN.fullmatch(path):
            return self.root
        return Path(tempfile.mkdtemp(prefix="fairlead-"))

    @property
    def socket(self) -> Path:
        return self.run / _SOCKET

    @property
    def has_data(self) -> bool:
        """Whether etcd has been a member here."""
        return (self.data / "member" / "wal").exists()

    def clear_socket(self) -> None:
        """A socket that a killed etcd left behind would keep the next from listening."""
        self.socket.unlink(missing_ok=True)

    def close(self) -> None:
        self.clear_socket()
        if self.run != self.root:
            shutil.rmtree(self.run, ignore_errors=True)
        os.close(self._lock)
