"""Hostile bytes on raw sockets, to the real service: a mute 4xx or the end, and nothing stored."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.endtoend.stage import Stage
from tests.endtoend.stored import notifications_stored
from tests.endtoend.test_strangers import build_item
from tests.endtoend.wire import build_chunked, build_request, exchange

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARK = "<script>mark-of-the-attacker</script>"
POST = b"POST /graph/notifications HTTP/1.1\r\nHost: x\r\n"
JSON = b"Content-Type: application/json\r\n"


@dataclass(frozen=True, kw_only=True)
class Target:
    """The public listener of a running service."""

    stage: Stage

    @property
    def port(self) -> int:
        return self.stage.ports["public"]


@pytest_asyncio.fixture(loop_scope="session")
async def target(serving: Stage) -> AsyncIterator[Target]:
    """The service; afterwards it still answers honest requests, and no log has the attacker's words."""
    target = Target(stage=serving)
    yield target
    assert (await exchange(target.port, build_request())).status == 202
    log = serving.running["serve"].read_log()
    assert "mark-of-the-attacker" not in log
    assert "Traceback" not in log


BROKEN = {
    "no method": MARK.encode() + b"\r\n\r\n",
    "no such version": f"POST {MARK} HTTP/9.9\r\n\r\n".encode(),
    "TLS where there is none": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK.encode(),
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "nothing but zeros": b"\0" * 1000 + b"\r\n\r\n",
    "request line without end": b"POST /" + b"a" * 20_000,
    "huge header": POST + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "huge header name": POST + b"a" * 100_000 + b": x\r\n\r\n",
    "too many headers": POST + b"A: 1\r\n" * 5000 + b"\r\n",
    "blank in a name": POST + b"Bad Name: " + MARK.encode() + b"\r\n\r\n",
    "folded header": POST + b"X: a\r\n " + MARK.encode() + b"\r\n\r\n",
    "zero in a value": POST + b"X: a\0b\r\n\r\n",
    "bare line feeds": b"POST /graph/notifications HTTP/1.1\nHost: x\nContent-Length: 0\n\n\n",
    "negative length": POST + JSON + b"Content-Length: -5\r\n\r\n",
    "length that is no number": POST + JSON + b"Content-Length: 0x10\r\n\r\n",
    "length beyond all numbers": POST + JSON + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "two lengths": POST + JSON + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "length and chunks": POST + JSON + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": POST + JSON + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunks not last": POST + JSON + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
async def test_a_request_that_cannot_be_read_gets_a_mute_4xx_and_the_end(target: Target, kind: str) -> None:
    smuggled = build_request(json.dumps({"value": [await build_item(target.stage)]}).encode())

    async with notifications_stored(target.stage) as stored:
        answers = await exchange(target.port, BROKEN[kind] + smuggled)

    assert len(answers.statuses) <= 1
    assert all(400 <= status < 500 for status in answers.statuses)
    assert b"mark-of-the-attacker" not in answers.raw
    assert b"aiohttp" not in answers.raw.lower()
    assert b"python" not in answers.raw.lower()
    assert stored == []


CHUNKS = {
    "size that is no number": b"zz\r\n" + MARK.encode() + b"\r\n0\r\n\r\n",
    "more than the size": b"5\r\nabcdefgh\r\n0\r\n\r\n",
    "negative size": b"-1\r\n\r\n",
    "size beyond all numbers": b"f" * 40 + b"\r\n",
    "size with blanks": b" 5 \r\nabcde\r\n0\r\n\r\n",
    "flood of extensions": (b"1;" + b"x" * 100_000 + b"\r\na\r\n") * 5 + b"0\r\n\r\n",
    "flood of trailers": b"0\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
    "flood of bytes": b"10000\r\n" + b"x" * 0x10000 + b"\r\n",
    "flood of tiny chunks": b"1\r\n \r\n" * 100_000,
}


@pytest.mark.parametrize("kind", sorted(CHUNKS))
async def test_floods_and_tricks_of_chunks_end_with_a_refusal(target: Target, kind: str) -> None:
    repeats = 70 if "bytes" in kind else 45 if "tiny" in kind else 1

    async with notifications_stored(target.stage) as stored:
        answers = await exchange(target.port, build_chunked(), *[CHUNKS[kind]] * repeats)

    assert all(400 <= status < 500 for status in answers.statuses), answers.statuses
    assert b"mark-of-the-attacker" not in answers.raw
    assert stored == []


BOMB = b'{"value": [' + b" " * 50_000_000 + b"]}"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(BOMB, 1)),
        ("deflate", zlib.compress(BOMB, 1)),
        ("br", b"x" * 1000),
        ("zstd", b"x" * 1000),
        ("gzip, gzip", gzip.compress(gzip.compress(BOMB, 1))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_compressed_bomb_is_refused_unread(target: Target, coding: str, body: bytes) -> None:
    answers = await exchange(target.port, build_request(body, headers=[f"Content-Encoding: {coding}"]))
    assert answers.status == 415


@pytest.mark.parametrize("coding", ["gzip, chunked", "deflate, chunked"])
async def test_a_compressed_transfer_is_never_inflated(target: Target, coding: str) -> None:
    head = build_chunked().replace(b"chunked", coding.encode())
    bomb = gzip.compress(BOMB, 1)
    answers = await exchange(target.port, head, b"%x\r\n" % len(bomb) + bomb + b"\r\n0\r\n\r\n")
    assert 400 <= answers.status < 500


PATHS = (
    "/graph/../graph/notifications",
    "/graph/./notifications",
    "//graph/notifications",
    "/graph//notifications",
    "/graph/notifications/",
    "/graph/notifications;x",
    "/graph/notifications%00",
    "/graph/notifications%2f",
    "/graph%2fnotifications",
    "/%67raph/notifications",
    "/graph/Notifications",
    "/graph/notifications/../../healthz",
    "/../../../../etc/passwd",
    "/..%2f..%2f..%2fetc/passwd",
    "/graph/notifications#x",
    "/graph\\notifications",
    "http://evil.example/healthz",
    "http://evil.example/metrics",
    "*",
    "/metrics",
    "/healthz",
    "/api/owners",
)


@pytest.mark.parametrize("path", PATHS)
async def test_no_trick_with_a_path_leads_anywhere(target: Target, path: str) -> None:
    answers = await exchange(target.port, build_request(line=f"POST {path} HTTP/1.1"))
    assert answers.status in (400, 404), path
    assert answers.raw.partition(b"\r\n\r\n")[2] == b""


JSON_TRICKS = {
    "deep lists": b'{"value": ' + b"[" * 100_000,
    "deep objects": b'{"value":[' + b'{"a":' * 100_000,
    "deep and closed": b'{"value":[' + b"[" * 50_000 + b"]" * 50_000 + b"]}",
    "deep in an unknown member": b'{"x":' + b"[" * 500 + b"]" * 500 + b',"value":[]}',
    "invalid UTF-8": b'{"value": [], "x": "\xff"}',
    "overlong UTF-8": b'{"value": [], "x": "\xc0\xaf"}',
    "half of a surrogate pair in UTF-8": b'{"value": [], "x": "\xed\xa0\x80"}',
    "UTF-16": '{"value": []}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + b'{"value": []}',
    "not a number": b'{"value": [NaN]}',
    "two texts": b'{"value": []}{"value": []}',
    "commas alone": b'{"value":[' + b"1," * 1_900_000 + b"1]}",
    "too many items": b'{"value":[' + b"{}," * 2000 + b"{}]}",
    "too many members": b'{"value":[{' + b'"a":1,' * 500_000 + b'"b":1}]}',
}


@pytest.mark.parametrize("kind", sorted(JSON_TRICKS))
async def test_a_body_made_to_cost_much_is_refused_at_once(target: Target, kind: str) -> None:
    async with notifications_stored(target.stage) as stored:
        answers = await exchange(target.port, build_request(JSON_TRICKS[kind]))
    assert answers.status in (400, 413)
    assert stored == []


async def test_of_a_member_given_twice_the_last_one_counts_for_check_and_store_alike(target: Target) -> None:
    """What is checked and what is stored cannot be two different values."""
    good = await build_item(target.stage)
    rest = json.dumps({name: value for name, value in good.items() if name != "clientState"})[1:]
    state = json.dumps(good["clientState"])
    forged_last = f'{{"value":[{{"clientState":{state},"clientState":"forged",{rest}]}}'
    hidden_value = json.dumps({"value": [good]})[:-1] + ',"value":[]}'

    async with notifications_stored(target.stage) as stored:
        for body in (forged_last, hidden_value):
            assert (await exchange(target.port, build_request(body.encode()))).status == 202

    assert stored == []


@pytest.mark.parametrize(
    "token",
    [
        "<script>alert(1)</script>",
        "<svg/onload=alert(1)>",
        '"><img src=x onerror=alert(1)>',
        "javascript:alert(1)",
        "{{7*7}}${7*7}<%= 7*7 %>",
        "\u202e\u2066",
        "a\r\nSet-Cookie: x=1\r\n\r\n<html>",
        "a\x00b",
        "\x1b[2J",
        "%0d%0aX-Injected: 1",
    ],
)
async def test_markup_in_a_validation_token_comes_back_as_plain_text_or_not_at_all(
    target: Target, token: str
) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in token.encode())
    line = f"POST /graph/notifications?validationToken={quoted} HTTP/1.1"
    answers = await exchange(target.port, build_request(b"", line=line))
    head, _, body = answers.raw.partition(b"\r\n\r\n")
    names = {row.partition(b":")[0].strip().lower() for row in head.split(b"\r\n")[1:]}
    assert not names & {b"set-cookie", b"x-injected"}
    if answers.status == 200:
        assert body.decode() == token
        assert b"content-type: text/plain; charset=utf-8" in head.lower()
        assert b"x-content-type-options: nosniff" in head.lower()
        assert b"default-src 'none'" in head.lower()
    else:
        assert (answers.status, body) == (400, b"")
