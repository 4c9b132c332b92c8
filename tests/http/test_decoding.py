"""`fairlead.http.decoding`: JSON bodies into structs, strictly."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct

from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError
from fairlead.http.decoding import Names, decode_struct


class Part(Struct, frozen=True):
    size: int = 0


class Body(Struct, frozen=True):
    own_id: str = ""
    wait_ns: int = 0
    is_on: bool = False
    share: float = 0.0
    names: list[str] = []
    lists: dict[str, list[str]] = {}
    part: Part | None = None
    parts: list[Part] = []
    named: dict[str, Part] = {}
    anything: Any = None


NAMES: Names = {Body: {"other_id": "own_id", "hidden": "", "anything": ""}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Body()),
        ("null", Body()),
        ('{"OwnID": "a"}', Body("a")),
        ('{"ownid": "a", "OWNID": "b"}', Body("b")),
        ('{"other_id": "a"}', Body("a")),
        ('{"other_id": "a", "OwnID": "b"}', Body("b")),
        ('{"OwnID": "", "other_id": "a"}', Body("a")),
        ('{"Wait": "1.5s"}', Body(wait_ns=SECOND_NS * 3 // 2)),
        ('{"Wait": 10}', Body(wait_ns=10)),
        ('{"Wait": 1e3}', Body(wait_ns=1000)),
        ('{"Wait": 1e300}', Body(wait_ns=2**63 - 1)),
        ('{"Share": 1}', Body(share=1.0)),
        ('{"Names": ["a", null]}', Body(names=["a", ""])),
        ('{"Names": null, "Part": null}', Body()),
        ('{"Lists": {"a": ["b"], "c": null}}', Body(lists={"a": ["b"], "c": []})),
        ('{"Part": {"SIZE": 3}}', Body(part=Part(3))),
        ('{"Parts": [{}, {"Size": 3}, null]}', Body(parts=[Part(), Part(3), Part()])),
        ('{"Named": {"A": {"Size": 3}}}', Body(named={"A": Part(3)})),
    ],
)
def test_what_is_right_is_taken(text: str, expected: Body) -> None:
    assert decode_struct(text.encode(), Body, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"Foo": 1}', 'json: unknown field "Foo"'),
        ('{"own_id": "a"}', 'json: unknown field "own_id"'),
        ('{"Hidden": 1}', 'json: unknown field "Hidden"'),
        ('{"Anything": 1}', 'json: unknown field "Anything"'),
        ('{"Part": {"Foo": null}}', 'json: unknown field "Foo"'),
        (
            '{"OwnID": 1}',
            "json: cannot unmarshal number into Go struct field .OwnID of type string",
        ),
        (
            '{"Part": {"Size": 1.5}}',
            "json: cannot unmarshal number 1.5 into Go struct field .Size of type int",
        ),
        (
            '{"Part": {"Size": true}}',
            "json: cannot unmarshal bool into Go struct field .Size of type int",
        ),
        (
            '{"Part": {"Size": 9223372036854775808}}',
            "json: cannot unmarshal number 9223372036854775808 into Go struct field .Size "
            "of type int",
        ),
        ('{"IsOn": 1}', "json: cannot unmarshal number into Go struct field .IsOn of type bool"),
        (
            '{"Names": "a"}',
            "json: cannot unmarshal string into Go struct field .Names of type []string",
        ),
        (
            '{"Lists": {"a": "b"}}',
            "json: cannot unmarshal string into Go struct field .Lists of type []string",
        ),
        ('{"Wait": "soon"}', 'time: invalid duration "soon"'),
        ('{"Wait": []}', "json: cannot unmarshal array into Go struct field .Wait of type "),
        ("[]", "json: cannot unmarshal array into Go value of type struct"),
        ("", "EOF"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidError) as raised:
        decode_struct(text.encode(), Body, NAMES)
    assert str(raised.value).startswith(f"Request decode failed: {words}")


def test_a_struct_may_let_unknown_fields_pass() -> None:
    assert decode_struct(b'{"Size": 1, "More": 2}', Part, {Part: {"*": ""}}) == Part(1)
