"""`fairlead kv`: what is not compared with Consul's own program in `tests/conformance`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairlead.client import Client
from tests.cli.conftest import Fairlead


def entry(key: str, value: str = "aGk=", **more: object) -> dict[str, object]:
    return {"key": key, "flags": 0, "value": value, **more}


def test_a_new_key_is_written_only_if_it_is_new(fairlead: Fairlead) -> None:
    put = ("kv", "put", "-cas", "-modify-index=0", "new/a")
    assert fairlead(*put, "first") == (0, "Success! Data written to: new/a\n", "")
    assert fairlead(*put, "second") == (1, "", "Error! Did not write to new/a: CAS failed\n")
    assert fairlead("kv", "get", "new/a").stdout == "first\n"


def test_bad_base64_writes_nothing(fairlead: Fairlead) -> None:
    done = fairlead("kv", "put", "-base64", "b64/a", "aGVs!")
    fault = "Error! Cannot base 64 decode data: illegal base64 data at input byte 4\n"
    assert done == (1, "", fault)
    assert fairlead("kv", "get", "b64/a").code == 1


def test_a_value_is_printed_as_it_is(fairlead: Fairlead, client: Client) -> None:
    value = b"tab\tand\r\nline\n\n"
    client.put("/v1/kv/as/it/is", value)
    assert fairlead("kv", "get", "as/it/is").stdout.encode() == value + b"\n"
    assert (
        fairlead("kv", "get", "-detailed", "as/it/is")
        .stdout.encode()
        .endswith(b"Value            " + value + b"\n")
    )


def test_a_large_value_goes_in_and_out_whole(fairlead: Fairlead) -> None:
    value = b"x" * 524_288
    assert fairlead("kv", "put", "large", "-", stdin=value).code == 0
    assert fairlead("kv", "get", "large").stdout.encode() == value + b"\n"
    done = fairlead("kv", "put", "large", "-", stdin=value + b"x")
    assert done.code == 1
    assert "Unexpected response code: 413" in done.stderr


def test_import_checks_everything_before_it_writes(fairlead: Fairlead) -> None:
    entries = [
        entry("check/good"),
        entry("check/value", "!!!"),
        entry("/check/slash"),
        entry("check//twice"),
        entry("check/flags", flags=-1),
        entry("check/type", value=5),  # type: ignore[arg-type]
        entry(""),
        "no object",
    ]
    done = fairlead("kv", "import", json.dumps(entries))
    assert done.code == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "Error base 64 decoding value for key check/value: illegal base64 data at input byte 0",
        "Error! Failed writing data for key /check/slash: "
        "Invalid key. Key must not begin with a '/': /check/slash",
        "Error! Failed writing data for key check//twice: "
        "Invalid key. Key must not hold '//', and no part of it be '.' or '..': check//twice",
        "Cannot unmarshal data: the flags of entry 5 are no uint64",
        "Cannot unmarshal data: the value of entry 6 is no string",
        "Cannot unmarshal data: entry 7 has no key",
        "Cannot unmarshal data: entry 8 is no object",
    ]
    assert fairlead("kv", "get", "-recurse", "check/").stdout == ""


def test_import_puts_a_prefix_before_every_key(fairlead: Fairlead, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps([entry("a", flags=7), entry("b/c")]))
    done = fairlead("kv", "import", "-prefix=copy/", f"@{file}")
    assert done == (0, "Imported: copy/a\nImported: copy/b/c\n", "")
    assert fairlead("kv", "get", "-recurse", "copy/").stdout == "copy/a:hi\ncopy/b/c:hi\n"


@pytest.mark.parametrize("text", [b"[" * 100_000, b"\xff\xfe", b"[NaN", b"1" * 5000, b""])
def test_what_is_no_json_is_refused(text: bytes, fairlead: Fairlead) -> None:
    done = fairlead("kv", "import", "-", stdin=text)
    assert done.code == 1
    assert done.stderr.startswith("Error: Cannot unmarshal data: ")


def test_what_was_exported_comes_back(fairlead: Fairlead, client: Client) -> None:
    for key, value in {"back/a": b"\x00\xff", "back/<ü>": b"", "back/b/c": b"x"}.items():
        client.put(f"/v1/kv/{key}", value, flags=len(value))
    before = fairlead("kv", "get", "-recurse", "-base64", "back/").stdout
    exported = fairlead("kv", "export", "back/").stdout
    client.delete("/v1/kv/back/", recurse="")
    assert fairlead("kv", "import", "-", stdin=exported.encode()).code == 0
    assert fairlead("kv", "get", "-recurse", "-base64", "back/").stdout == before
