"""Where an agent is, as it may be written."""

from __future__ import annotations

import pytest

from fairlead.client import Address
from fairlead.errors import InvalidError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("10.0.0.1:8500", "http://10.0.0.1:8500"),
        (":8500", "http://127.0.0.1:8500"),
        ("consul.example", "http://consul.example:80"),
        ("https://consul.example", "https://consul.example:443"),
        ("http://localhost:8500/ui/", "http://localhost:8500"),
        ("[::1]:8500", "http://[::1]:8500"),
        ("[fe80::1%eth0]:8500", "http://[fe80::1%eth0]:8500"),
        ("::1", "http://[::1]:80"),
        ("::ffff:10.0.0.1", "http://[::ffff:10.0.0.1]:80"),
        ("unix:///run/agent.sock", "unix:///run/agent.sock"),
    ],
)
def test_an_address_says_where(text: str, url: str) -> None:
    assert Address.parse(text).url == url


def test_a_variable_can_make_it_https() -> None:
    assert Address.parse("http://localhost:8500", tls=True).scheme == "https"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ftp://localhost", "Unknown protocol scheme: ftp"),
        ("localhost:99999", 'address "localhost:99999": "99999" is not a port'),
        ("localhost:http", 'address "localhost:http": "http" is not a port'),
        ("localhost:8500:1", 'address "localhost:8500:1": too many colons'),
        ("user:pw@localhost:8500", 'address "user:pw@localhost:8500": it may not hold a user'),
    ],
)
def test_what_is_none_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Address.parse(text)
    assert str(caught.value) == why
