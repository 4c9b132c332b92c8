"""`fairlead.agent.checks.http`: against real servers; the words are compared with real Consul's
in tests/conformance/test_check_outputs.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fairlead.agent.checks.definition import CheckDefinition
from tests.agent.checks.servers import ANY_TIME_NS, Handler, certificate, run, serving
from tests.processes import free_port


def answering(text: str) -> Handler:
    """Sends this to whoever has asked something."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text.encode())
        await writer.drain()

    return handler


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the request: 200, or what the path says; /to/X redirects to /X."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    path = head.split(" ")[1]
    size = next(
        (int(line[15:]) for line in head.splitlines() if line.startswith("Content-Length")), 0
    )
    body = head + (await reader.readexactly(size)).decode()
    words = path.split("/")
    status = words[2] if words[1] == "status" else "200"
    extra = ""
    if words[1] == "to":
        status, extra = words[2], f"Location: /{'/'.join(words[3:])}\r\n"
    writer.write(f"HTTP/1.1 {status} Word\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode())
    writer.write(body.encode())
    await writer.drain()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def http(port: int, path: str = "/", **fields: object) -> tuple[str, str]:
    values: dict[str, object] = {"http": f"http://127.0.0.1:{port}{path}", **fields}
    return await run(CheckDefinition(**values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "status"),
    [(200, "passing"), (299, "passing"), (429, "warning"), (404, "critical"), (500, "critical")],
)
async def test_the_status_decides(code: int, status: str) -> None:
    async with serving(echo) as port:
        found = await http(port, f"/status/{code}")
    assert found[0] == status
    assert found[1].startswith(
        f"HTTP GET http://127.0.0.1:{port}/status/{code}: {code} Word Output: GET /status/{code} "
    )


async def test_method_headers_and_body_are_sent() -> None:
    async with serving(echo) as port:
        header = {"X-Two": ["1", "2"], "Host": ["web.example"], "User-Agent": ["mine"]}
        _, output = await http(port, "/x?y=z", method="PUT", header=header, body="payload")
    lines = output.partition("Output: ")[2].split("\r\n")
    assert lines[0] == "PUT /x?y=z HTTP/1.1"
    assert {"Host: web.example", "X-Two: 1", "X-Two: 2", "User-Agent: mine"} <= set(lines)
    assert {"Content-Length: 7", "Connection: close"} <= set(lines)
    assert lines[-1] == "payload"


async def test_redirects_are_followed_unless_that_is_off() -> None:
    async with serving(echo) as port:
        followed = await http(port, "/to/302/status/429", method="POST", body="x")
        kept = await http(port, "/to/307/status/200", method="POST", body="x")
        off = await http(port, "/to/302/status/200", disable_redirects=True)
    assert followed[0] == "warning"
    assert "Output: GET /status/429 " in followed[1]
    assert "Output: POST /status/200 " in kept[1]
    assert off[0] == "critical"
    assert ": 302 Word" in off[1]


async def test_a_redirect_in_circles_ends() -> None:
    async with serving(answering("HTTP/1.1 302 F\r\nLocation: /a\r\n\r\n")) as port:
        assert await http(port) == ("critical", 'Get "/a": stopped after 10 redirects')


async def test_secrets_are_not_sent_to_another_host() -> None:
    async with serving(echo) as second:
        target = f"http://localhost:{second}/"
        first_answer = f"HTTP/1.1 302 F\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        async with serving(answering(first_answer)) as first:
            header = {"Authorization": ["secret"], "X-Other": ["kept"]}
            status, output = await http(first, header=header)
    assert status == "passing"
    assert "secret" not in output
    assert "X-Other: kept" in output


async def test_what_never_answers_is_given_up() -> None:
    async with serving(silence) as port:
        status, output = await http(port, timeout_ns=ANY_TIME_NS)
    assert status == "critical"
    assert output.endswith(
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    )


async def test_a_body_that_never_ends_is_judged_by_its_status() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with serving(flood) as port:
        status, output = await http(port, timeout_ns=ANY_TIME_NS)
    assert status == "passing"
    assert output.partition("Output: ")[2] == "x" * 4096


async def test_the_end_of_a_long_body_is_kept() -> None:
    body = "a" * 9000 + "END"
    text = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    async with serving(answering(text)) as port:
        check = CheckDefinition(http=f"http://127.0.0.1:{port}/")
        assert (await run(check, limit=8)).output.endswith("Output: aaaaaEND")


async def test_chunks_and_interim_answers_are_understood() -> None:
    text = (
        "HTTP/1.1 100 Continue\r\n\r\n"
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with serving(answering(text)) as port:
        assert (await http(port))[1].endswith(": 200 OK Output: abcde")


@pytest.mark.parametrize(
    "text", ["", "SSH-2.0\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nX"]
)
async def test_what_is_no_answer_is_critical(text: str) -> None:
    async with serving(answering(text)) as port:
        status, output = await http(port)
    assert status == "critical"
    assert output.startswith(f'Get "http://127.0.0.1:{port}/": ')


async def test_endless_headers_are_not_kept() -> None:
    async with serving(answering("HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 200_000)) as port:
        assert "response headers exceeded" in (await http(port))[1]


async def test_nobody_there_is_critical() -> None:
    port = free_port()
    why = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert await http(port) == ("critical", f'Get "http://127.0.0.1:{port}/": {why}')


@pytest.mark.parametrize(
    "url",
    ["ftp://x/", "http:///", "::", "http://a b/", "http://[::1/", "http://a:x/", "http://x:99999/"],
)
async def test_a_url_of_nonsense_is_critical(url: str) -> None:
    assert (await run(CheckDefinition(http=url))).status == "critical"


async def test_tls_is_verified_unless_that_is_off(tmp_path: Path) -> None:
    context, ca_file = certificate(tmp_path, "web.example", "127.0.0.1")
    async with serving(echo, context) as port:
        check = CheckDefinition(http=f"https://127.0.0.1:{port}/", timeout_ns=10**10)
        url = check.http
        assert (await run(check, ca_file=ca_file)).status == "passing"
        assert await run(check) == (
            "critical",
            f'Get "{url}": x509: certificate signed by unknown authority',
        )
        skipping = CheckDefinition(http=url, tls_skip_verify=True)
        assert (await run(skipping)).status == "passing"
        named = CheckDefinition(http=url, tls_server_name="web.example")
        assert (await run(named, ca_file=ca_file)).status == "passing"
        other = CheckDefinition(http=url, tls_server_name="other.example")
        assert await run(other, ca_file=ca_file) == (
            "critical",
            f'Get "{url}": x509: certificate is not valid for other.example',
        )


async def test_https_where_http_is_spoken_says_so() -> None:
    async with serving(answering("HTTP/1.1 200 OK\r\n\r\n")) as port:
        check = CheckDefinition(http=f"https://127.0.0.1:{port}/", timeout_ns=ANY_TIME_NS)
        assert (await run(check)).status == "critical"
