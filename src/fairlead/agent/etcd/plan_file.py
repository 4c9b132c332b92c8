"""`etcd/cluster.json` in the data directory: what this server has promised, or belongs to.

It is on disk before anybody is told of it, so that a server that crashes comes
back with the same word.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from fairlead.agent.etcd.peers import AGREED, GATHERING, JOINING, PROMISED, Plan
from fairlead.errors import SettingsError

__all__ = ["PlanFile"]

_FORMAT = 1
_STAGES = (PROMISED, AGREED, JOINING)


class _Kept(Struct, rename="pascal"):
    format: int
    stage: str
    plan: Plan


class PlanFile:
    """The file, in the folder of the server's etcd."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "cluster.json"

    def load(self) -> tuple[str, Plan | None]:
        """The stage, and the plan it is about; GATHERING and None without a file.

        Raises:
            SettingsError: it cannot be read.
        """
        try:
            kept = msgspec.json.decode(self.path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return GATHERING, None
        except OSError as error:
            raise SettingsError(f"cannot read {self.path}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise SettingsError(
                f"{self.path} is damaged: {error}",
                hint="copy it from another server of the cluster; all have the same",
            ) from error
        if kept.format > _FORMAT or kept.stage not in _STAGES:
            raise SettingsError(
                f"{self.path} was written by a newer version", hint="start that version"
            )
        return kept.stage, kept.plan

    def keep(self, stage: str, plan: Plan | None) -> None:
        """Raises: SettingsError, it cannot be written; nothing has changed then."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if plan is None:
                self.path.unlink(missing_ok=True)
            else:
                self._write(msgspec.json.encode(_Kept(_FORMAT, stage, plan)))
            _flush(self.path.parent)
        except OSError as error:
            raise SettingsError(f"cannot write {self.path}: {error.strerror}") from error

    def _write(self, text: bytes) -> None:
        draft = self.path.with_suffix(".new")
        with open(draft, "wb") as file:
            file.write(msgspec.json.format(text, indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.path)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
