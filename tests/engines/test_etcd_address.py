"""`fairlead.engines.etcd.address`: what can be written after `etcd:`."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead.engines import open_engine
from fairlead.engines.etcd.address import read_address, with_options
from fairlead.errors import SettingsError


def test_hosts_ports_and_sockets() -> None:
    address = read_address("a,b:1,[::1]:2,[::1], unix:/run/x.sock:1")
    assert address.endpoints == ("a:2379", "b:1", "[::1]:2", "[::1]:2379", "unix:/run/x.sock:1")
    assert (address.prefix, address.tls, address.user) == ("/fairlead/dc1/", None, "")


def test_the_prefix_is_the_datacenters_unless_it_is_given() -> None:
    assert read_address("a?datacenter=dc2").prefix == "/fairlead/dc2/"
    assert read_address("a?datacenter=dc2&prefix=x/y").prefix == "/x/y/"
    assert read_address("a?prefix=/").prefix == "/"


def test_options_are_filled_in_where_none_are_given() -> None:
    text = with_options("a?prefix=/p q/", datacenter="dc2", cluster_file="/d&/x", prefix="no")
    address = read_address(text)
    assert (address.prefix, address.datacenter) == ("/p q/", "dc2")
    assert address.cluster_file == "/d&/x"


def test_the_password_is_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("a b \n")
    address = read_address(f"a?user=me&password_file={tmp_path / 'password'}")
    assert (address.user, address.password) == ("me", "a b ")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is no address"),
        ("a,,b", "is no address"),
        ("http://a:1", "is no address"),
        ("::1", "is no address"),
        ("a:x", "is no port"),
        ("a:0", "is no port"),
        ("a:65536", "is no port"),
        ("unix:x.sock", "named by its whole path"),
        ("a?color=red", 'option "color" is not known'),
        ("a?user=me", "user needs a password_file"),
        ("a?user=me&password_file=/nowhere", "No such file"),
        ("a?cert_file=x", "go together"),
        ("a?tls=yes", "true"),
        ("a?ca_file=/nowhere", "No such file"),
        ("a?ca_file=/etc/hostname", "no certificates"),
        ("a?max_txn_ops=1", "is no number from 16 on"),
        ("a?max_request_bytes=x", "is no number from 65536 on"),
    ],
)
def test_an_address_that_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        open_engine(f"etcd:{text}")
