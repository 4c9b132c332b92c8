"""What changes the catalog: registering and deregistering nodes, services and checks.

A registration is all or nothing, and what is there already and equal stays
untouched, so that it moves no index and wakes nobody. A check that turns
critical, or vanishes, ends the sessions that rest on it.
Source: `agent/consul/catalog_endpoint.go` and `state/catalog.go` of Consul 1.8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct, structs

from fairlead.core import sessions
from fairlead.core.commands import CatalogDeregister, CatalogRegister
from fairlead.core.draft import Draft
from fairlead.core.keys import check_key, node_key, node_prefix, service_key
from fairlead.core.rows import CheckRow, NodeRow, Service, ServiceRow
from fairlead.core.service_indexes import raise_index, raise_node, settle_name
from fairlead.errors import InvalidError

__all__ = [
    "CRITICAL",
    "delete_check",
    "delete_node",
    "delete_service",
    "deregister",
    "put_check",
    "put_node",
    "put_service",
    "register",
]

CRITICAL = "critical"
_SERF_HEALTH = "serfHealth"
R = TypeVar("R", bound=Struct)


def register(draft: Draft, command: CatalogRegister) -> bool:
    """Always true.

    Raises:
        InvalidError: something is missing or contradicts the catalog, in Consul's words.
    """
    node = command.node
    if not node.node:
        raise InvalidError("Must provide node")
    if not node.address and not command.skip_node_update:
        raise InvalidError("Must provide address if SkipNodeUpdate is not set")
    for check in command.checks:
        if check.node and check.node != node.node:
            raise InvalidError(f'check node "{check.node}" does not match node "{node.node}"')
    if draft.nodes.get(node_key(node.node)) is None or not command.skip_node_update:
        _naming("node", put_node, draft, node, command.now_ns)
    if command.service is not None:
        if command.service.id and not command.service.service:
            raise InvalidError("Must provide service name with ID")
        _naming("service", put_service, draft, node.node, command.service)
    for check in command.checks:
        _put_registered_check(draft, structs.replace(check, node=node.node), command.now_ns)
    return True


def _naming(what: str, put: Callable[..., None], *arguments: Any) -> None:
    """Put a row; an error says what kind of row it is about."""
    try:
        put(*arguments)
    except InvalidError as error:
        raise InvalidError(f"failed inserting {what}: {error}") from error


def _put_registered_check(draft: Draft, check: CheckRow, now_ns: int) -> None:
    try:
        put_check(draft, check, now_ns)
    except InvalidError as error:
        raise InvalidError(f'failed inserting check: {error} on node "{check.node}"') from error


def deregister(draft: Draft, command: CatalogDeregister) -> bool:
    """Always true: what is not there is gone already. A service goes before a check."""
    if not command.node:
        raise InvalidError("Must provide node")
    if command.service_id:
        delete_service(draft, command.node, command.service_id, command.now_ns)
    elif command.check_id:
        delete_check(draft, check_key(command.node, command.check_id), command.now_ns)
    else:
        delete_node(draft, command.node, command.now_ns)
    return True


# ---------------------------------------------------------------- nodes


def put_node(draft: Draft, node: NodeRow, now_ns: int) -> None:
    """Put a node; the one that had its id until now is renamed."""
    key = node_key(node.node)
    renamed = _check_id(draft, node) if node.id else None
    old = draft.nodes.get(key)
    row = _indexed(draft, node, old or renamed)
    if row == old:
        return
    if renamed is not None:
        delete_node(draft, renamed.node, now_ns)
    draft.nodes.put(key, row)
    if old is not None:
        raise_node(draft, node.node)


def _check_id(draft: Draft, node: NodeRow) -> NodeRow | None:
    """The node that had this id under another name until now.

    Raises:
        InvalidError: a living node of another id has the name.
    """
    key = node_key(node.node)
    others = [other for other in draft.nodes.group(node.id.lower()) if other != key]
    holder = draft.nodes.get(key)
    if holder is not None and holder.id and holder.id.lower() != node.id.lower():
        health = draft.checks.get(check_key(holder.node, _SERF_HEALTH))
        if health is not None and health.status != CRITICAL:
            raise InvalidError(
                f'Error while renaming Node ID: "{node.id}": Node name '
                f"{node.node} is reserved by node {holder.id} with name {holder.node} "
                f"({holder.address})"
            )
    return draft.nodes.get(others[0]) if others else None


def delete_node(draft: Draft, name: str, now_ns: int) -> None:
    """Delete a node with all that is on it, if it is there."""
    key = node_key(name)
    if draft.nodes.get(key) is None:
        return
    for row in draft.services.scan(node_prefix(name)):
        delete_service(draft, name, row.service.id, now_ns)
    for check in list(draft.checks.keys_under(node_prefix(name))):
        delete_check(draft, check, now_ns)
    for session_id in draft.sessions.group(key):
        sessions.end_session(draft, session_id, now_ns)
    draft.nodes.delete(key)
    if draft.coordinates.get(key) is not None:
        draft.coordinates.delete(key)


# ---------------------------------------------------------------- services


def put_service(draft: Draft, node: str, service: Service) -> None:
    """Put an instance of a service; without an id it has its name for one."""
    service = structs.replace(service, id=service.id or service.service)
    if not service.service:
        raise InvalidError("failed inserting service: object missing primary index")
    if draft.nodes.get(node_key(node)) is None:
        raise InvalidError("Missing node registration")
    key = service_key(node, service.id)
    old = draft.services.get(key)
    row = _indexed(draft, service, old.service if old is not None else None)
    if old is not None and row == old.service:
        return
    draft.services.put(key, ServiceRow(node, row))
    raise_index(draft, row.service)
    if old is not None and old.service.service.lower() != row.service.lower():
        settle_name(draft, old.service.service)


def delete_service(draft: Draft, node: str, service_id: str, now_ns: int) -> None:
    """Delete an instance with its checks, if it is there."""
    key = service_key(node, service_id)
    row = draft.services.get(key)
    if row is None:
        return
    for check in draft.checks.group(key):
        delete_check(draft, check, now_ns)
    draft.services.delete(key)
    settle_name(draft, row.service.service)


# ---------------------------------------------------------------- checks


def put_check(draft: Draft, check: CheckRow, now_ns: int) -> None:
    """Put a check; sessions that rest on it end when it is critical."""
    check = structs.replace(
        check, check_id=check.check_id or check.name, status=check.status or CRITICAL
    )
    if not check.check_id:
        raise InvalidError("failed inserting check: object missing primary index")
    if draft.nodes.get(node_key(check.node)) is None:
        raise InvalidError("Missing node registration")
    if check.service_id:
        service = draft.services.get(service_key(check.node, check.service_id))
        if service is None:
            raise InvalidError("Missing service registration")
        check = structs.replace(
            check,
            service_name=service.service.service,
            service_tags=service.service.tags or [],
        )
    key = check_key(check.node, check.check_id)
    old = draft.checks.get(key)
    row = _indexed(draft, check, old)
    if row == old:
        return
    draft.checks.put(key, row)
    _raise_checked(draft, row)
    if old is not None and old.service_id.lower() != row.service_id.lower():
        _raise_checked(draft, old)
    if row.status == CRITICAL:
        sessions.end_for_check(draft, row.node, row.check_id, now_ns)


def delete_check(draft: Draft, key: str, now_ns: int) -> None:
    """Delete a check by its key, if it is there; sessions that rest on it end."""
    row = draft.checks.get(key)
    if row is None:
        return
    draft.checks.delete(key)
    _raise_checked(draft, row)
    sessions.end_for_check(draft, row.node, row.check_id, now_ns)


def _raise_checked(draft: Draft, check: CheckRow) -> None:
    """By the name its service has now: the check may remember an older one."""
    if not check.service_id:
        raise_node(draft, check.node)
        return
    row = draft.services.get(service_key(check.node, check.service_id))
    if row is not None:
        raise_index(draft, row.service.service)


def _indexed(draft: Draft, row: R, old: R | None) -> R:
    """`row` with its indexes; `old` itself when it would say the same."""
    index = draft.next_index
    if old is None:
        return structs.replace(row, create_index=index, modify_index=index)
    created = old.create_index  # type: ignore[attr-defined]
    same = structs.replace(row, create_index=created, modify_index=old.modify_index)  # type: ignore[attr-defined]
    return old if same == old else structs.replace(row, create_index=created, modify_index=index)
