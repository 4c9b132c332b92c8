"""`fairlead.settings.addresses`."""

from __future__ import annotations

import ipaddress

import pytest

from fairlead.errors import SettingsError
from fairlead.settings.addresses import expand, own_address
from fairlead.settings.settings import build


def test_text_without_templates_stays_as_it_is() -> None:
    assert expand("127.0.0.1 unix:///x.sock") == "127.0.0.1 unix:///x.sock"


def test_an_interface_is_found_by_its_name() -> None:
    assert expand('{{ GetInterfaceIP "lo" }}') == "127.0.0.1"
    assert expand('{{GetInterfaceIP "lo"}} 10.0.0.1') == "127.0.0.1 10.0.0.1"


def test_settings_take_templates_where_they_take_addresses() -> None:
    settings = build({"engine": "memory:", "bind_addr": '{{ GetInterfaceIP "lo" }}'})
    assert (settings.bind_addr, settings.advertise_addr) == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize("text", ["{{ GetInterfaceIP }}", '{{ GetInterfaceIP "none0" }}'])
def test_an_address_that_is_not_there_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="stands for no address") as caught:
        expand(text)
    assert "lo 127.0.0.1" in caught.value.hint


@pytest.mark.parametrize("text", ["{{ GetAllInterfaces | sort }}", "{{ Bogus }}", "{{"])
def test_a_template_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="cannot read the address template") as caught:
        expand(text)
    assert "GetPrivateIP" in caught.value.hint


def test_this_machine_has_an_address() -> None:
    ipaddress.ip_address(own_address())
