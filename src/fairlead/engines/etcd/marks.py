"""Whose rows these are: the mark of a cluster, in etcd and in a file of each server."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from fairlead.engines.etcd.address import Address
from fairlead.engines.etcd.layout import FORMAT, ClusterMark, Layout, read
from fairlead.errors import SettingsError

__all__ = ["check_mark", "new_mark"]


def check_mark(value: bytes, layout: Layout, address: Address, place: str) -> None:
    """Refuse rows of another cluster; note whose they are, when this server knows of none.

    Raises:
        SettingsError: they are another's, or a newer Fairlead wrote them.
    """
    mark = read(ClusterMark, value, layout)
    where = f"etcd at {place} under {layout.text}"
    if mark.format > FORMAT:
        raise SettingsError(
            f"{where} was written by a newer Fairlead (format {mark.format}, not {FORMAT})",
            hint="install that version here",
        )
    if address.datacenter and mark.datacenter != address.datacenter:
        raise SettingsError(
            f'{where} keeps the rows of datacenter "{mark.datacenter}",'
            f' and this server is of "{address.datacenter}"',
            hint="give each cluster a prefix of its own, as in etcd:…?prefix=/fairlead/dc2/",
        )
    known = _known(address)
    if known and known != mark.id:
        raise SettingsError(
            f"{where} keeps the rows of another cluster ({mark.id}) than this server's ({known})",
            hint="give each cluster a prefix of its own; to make this server one of the other"
            f" cluster's, remove {address.cluster_file}",
        )
    if address.cluster_file and not known:
        _note(Path(address.cluster_file), mark.id)


def new_mark(address: Address) -> ClusterMark:
    """For a prefix that has none: this server's cluster, or a new one."""
    return ClusterMark(FORMAT, address.datacenter, _known(address) or str(uuid4()))


def _known(address: Address) -> str:
    if not address.cluster_file:
        return ""
    try:
        return Path(address.cluster_file).read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {address.cluster_file}: {error}") from error


def _note(path: Path, cluster: str) -> None:
    """In one step, so that nobody finds half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_text(f"{cluster}\n")
        os.replace(new, path)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
