"""The scripts as texts: each says what it takes, runs on the oldest server allowed, and is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SERVICE = Path(__file__).parents[3] / "service"
SCRIPTS = sorted((SERVICE / "streams/scripts").glob("*.lua"))
COMMANDS_OF_7_0 = """
    DEL EXISTS GET HDEL HEXISTS HGET HGETALL HINCRBY HKEYS HLEN HMGET HSET PERSIST PEXPIRE
    PEXPIREAT SET TIME TYPE UNLINK XACK XADD XAUTOCLAIM
    XCLAIM XDEL XGROUP XINFO XPENDING XTRIM ZADD ZRANGE ZRANGEBYSCORE ZREM ZREMRANGEBYSCORE ZREVRANGE ZSCORE
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_opens_with_its_keys_and_arguments(script: Path) -> None:
    first, *lines = script.read_text().splitlines()
    head = "\n".join(line for line in lines[: lines.index("")])
    assert first.startswith("#!lua"), "declared scripts are refused whole where Redis is full"
    assert all(line.startswith("--") for line in head.splitlines())
    text = script.read_text()
    for number in set(re.findall(r"KEYS\[(\d+)\]", text)):
        assert f"-- KEYS[{number}]" in head
    assert ("ARGV" in text.replace(head, "")) == ("-- ARGV" in head or " ARGV" in head)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_calls_only_what_redis_7_0_knows(script: Path) -> None:
    called = set(re.findall(r"redis\.call\(\s*'([A-Z]+)'", script.read_text()))
    called |= set(re.findall(r"call_in_chunks\('([A-Z]+)'", script.read_text()))
    assert called <= set(COMMANDS_OF_7_0.split())


def test_every_script_is_loaded_once() -> None:
    modules = "\n".join(path.read_text() for path in (SERVICE / "streams").glob("*.py"))
    assert sorted(re.findall(r'load_script\("(\w+)"\)', modules)) == [path.stem for path in SCRIPTS]
