"""Watches of configuration files: what they mean, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.durations import SECOND_NS
from fairlead.errors import SettingsError
from fairlead.settings.settings import DEV_DEFAULTS, Settings, build
from fairlead.settings.sources import merge, read_text
from fairlead.settings.watches import HttpHandling, watch_definitions


def settings_of(text: str, format_: str = "hcl") -> Settings:
    return build(merge(DEV_DEFAULTS, read_text(text, "watches", format_)))


def test_files_say_what_is_watched_and_what_handles_it() -> None:
    settings = settings_of("""
        watches = [
          { type = "key", key = "web/a", args = ["./on-change", "now"], token = "t" },
          { type = "service", service = "web", tag = "blue", passingonly = true, handler = "cat" },
          {
            type = "checks"
            handler_type = "http"
            http_handler_config {
              path = "https://example.com/hook", method = "PUT", timeout = "3s"
              header { X-Token = ["a"] }
              tls_skip_verify = true
            }
          },
        ]""")
    key, service, checks = watch_definitions(settings.watches)
    assert (key.plan.path, key.args, key.token) == ("/v1/kv/web/a", ["./on-change", "now"], "t")
    assert (service.plan.params["tag"], service.line) == (["blue"], "cat")
    assert checks.http == HttpHandling(
        "https://example.com/hook", "PUT", {"X-Token": ["a"]}, 3 * SECOND_NS, True
    )


def test_a_single_watch_stands_for_a_list_of_one() -> None:
    settings = settings_of('{"watches": {"type": "nodes", "args": "cat"}}', "json")
    (watch,) = watch_definitions(settings.watches)
    assert watch.args == ["cat"]


@pytest.mark.parametrize(
    ("watch", "fault"),
    [
        ({}, "Watch type must be specified"),
        ({"type": "bogus"}, "Unsupported watch type: bogus"),
        ({"type": "connect_roots", "args": ["x"]}, "Watch type connect_roots is not allowed in"),
        ({"type": "key"}, "Must specify a single key to watch"),
        ({"type": "nodes", "key": "a", "args": ["x"]}, "Invalid parameters: [key]"),
        ({"type": "nodes"}, "Must define a watch handler"),
        ({"type": "nodes", "handler_type": "script"}, "Must define a watch handler"),
        ({"type": "nodes", "handler_type": "bogus"}, "Handler type 'bogus' not recognized"),
        ({"type": "nodes", "args": ["x"], "handler": "y"}, "Only one watch handler allowed"),
        (
            {"type": "nodes", "handler_type": "http"},
            "Handler type 'http' requires 'http_handler_config' to be set",
        ),
        (
            {"type": "nodes", "handler_type": "http", "http_handler_config": {}},
            "Failed to parse 'http_handler_config': Requires 'path' to be set",
        ),
    ],
)
def test_what_is_wrong_is_said_in_consuls_words(watch: dict[str, Any], fault: str) -> None:
    good = {"type": "nodes", "args": ["cat"]}
    with pytest.raises(SettingsError) as error:
        build({**DEV_DEFAULTS, "watches": [good, watch]})
    assert str(error.value).startswith(f"watches[1]: {fault}")


def test_a_key_nobody_knows_is_named_with_its_watch() -> None:
    with pytest.raises(SettingsError) as error:
        settings_of('{"watches": [{"type": "nodes", "arg": ["cat"]}]}', "json")
    assert "invalid config key watches[0].arg" in str(error.value)
