"""Starting and ending: what is announced, what is written, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from service.sandbox.command import Sandbox, run_sandbox
from service.sandbox.keys import KeyRing
from service.sandbox.options import ReadyLine, SandboxOptions
from service.sandbox.tls import CertificateAuthority
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.sandbox.hook import serve_hook
from tests.integration.waiting import PATIENCE_S, wait_until

HANGING_S = 60


def is_certificate(path: str) -> bool:
    return Path(path).read_text().startswith("-----BEGIN CERTIFICATE-----")


async def test_it_announces_itself_once_writes_its_files_and_leaves_nothing_behind(
    keys: KeyRing, tmp_path: Path
) -> None:
    options = SandboxOptions(
        keys=keys,
        ready_file=tmp_path / "deep" / "ready.json",
        env_file=tmp_path / "sandbox.env",
        webhook_certificate_folder=tmp_path / "hook",
    )
    stop, announced = asyncio.Event(), asyncio.Queue[ReadyLine]()
    running = asyncio.create_task(run_sandbox(options, stop, announced.put_nowait))
    ready = await asyncio.wait_for(announced.get(), PATIENCE_S)
    line = ready.to_json()
    assert "\n" not in line
    told: dict[str, Any] = json.loads(line)
    assert set(told) == {
        *("graph_url", "authority_url", "ca_bundle", "tenant_id", "client_id", "client_secret"),
        *("personas", "control_url"),
    }
    assert set(told["personas"]) == {"adele", "alex", "christie", "megan"}
    assert set(told["personas"]["adele"]) == {"id", "name", "address", "token"}
    assert json.loads((tmp_path / "deep" / "ready.json").read_text()) == told
    assert stat.S_IMODE((tmp_path / "deep" / "ready.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "hook" / "key.pem").stat().st_mode) == 0o600
    assert (tmp_path / "sandbox.env").read_text().splitlines() == [
        f"RESPONSE_SYNC_TENANT_ID={ready.tenant_id}",
        f"RESPONSE_SYNC_CLIENT_ID={ready.client_id}",
        f"RESPONSE_SYNC_CLIENT_SECRET={ready.client_secret}",
        f"RESPONSE_SYNC_GRAPH_URL={ready.graph_url}",
        f"RESPONSE_SYNC_AUTHORITY_URL={ready.authority_url}",
        f"RESPONSE_SYNC_CA_BUNDLE={ready.ca_bundle}",
    ]
    assert is_certificate(ready.ca_bundle)
    stop.set()
    await asyncio.wait_for(running, PATIENCE_S)
    assert not Path(ready.ca_bundle).parent.exists()
    assert not (tmp_path / "deep" / "ready.json").exists()
    assert announced.empty()


async def test_it_ends_promptly_while_clients_and_webhooks_hang(keys: KeyRing) -> None:
    async def hang(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(HANGING_S)
        return web.Response()

    async with serve_hook(None) as hook:
        stack = Sandbox.start(SandboxOptions(keys=keys))
        sandbox = await stack.__aenter__()
        async with aiohttp.ClientSession(connector=trust(sandbox)) as session:
            asking = await Asking.prepare(sandbox, session)
            await asking.subscribe(hook.url)
            hook.shake = hang
            creating = asyncio.create_task(asking.subscribe(f"{hook.url}/other", changeType="deleted"))
            await wait_until(lambda: len(hook.handshakes) == 2)
            await asyncio.wait_for(stack.__aexit__(None, None, None), HANGING_S / 2)
            with pytest.raises(aiohttp.ClientError):
                await creating


async def test_the_certificate_is_good_for_every_local_name_and_those_added(keys: KeyRing) -> None:
    options = SandboxOptions(keys=keys, more_names=("sandbox.internal",))
    async with Sandbox.start(options) as sandbox:
        port = int(sandbox.ready.graph_url.split(":")[2].split("/")[0])
        context = ssl.create_default_context(cafile=sandbox.ready.ca_bundle)
        for name in ("localhost", "127.0.0.1", "::1", "sandbox.internal"):
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
            writer.close()
            await writer.wait_closed()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="elsewhere")


async def test_a_port_that_is_taken_is_an_error_and_nothing_stays_behind(keys: KeyRing) -> None:
    async with Sandbox.start(SandboxOptions(keys=keys)) as first:
        port = int(first.ready.graph_url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            await run_sandbox(SandboxOptions(keys=keys, port=port), asyncio.Event(), lambda _: None)


async def test_a_fixed_port_authority_and_identity_survive_a_restart(keys: KeyRing, tmp_path: Path) -> None:
    options = SandboxOptions(
        keys=keys,
        ca_file=tmp_path / "ca.pem",
        tenant_id="11111111-2222-3333-4444-555555555555",
        client_id="66666666-7777-8888-9999-000000000000",
        client_secret="a secret",
    )
    async with Sandbox.start(options) as sandbox:
        assert sandbox.ready.ca_bundle == str(tmp_path / "ca.pem")
        assert sandbox.ready.authority_url.endswith("/11111111-2222-3333-4444-555555555555")
    assert (tmp_path / "ca.pem").is_file(), "a path that was named is the caller's"


async def test_a_trust_file_that_is_not_there_is_named(keys: KeyRing, tmp_path: Path) -> None:
    options = SandboxOptions(keys=keys, trust_file=tmp_path / "nobody.pem")
    with pytest.raises(FileNotFoundError, match=r"nobody\.pem"):
        async with Sandbox.start(options):
            pass


async def test_a_webhook_of_another_authority_is_called_when_it_is_trusted(
    keys: KeyRing, tmp_path: Path
) -> None:
    other = CertificateAuthority()
    trusted = other.write_certificate(tmp_path / "other.pem")
    async with (
        Sandbox.start(SandboxOptions(keys=keys, trust_file=trusted)) as sandbox,
        aiohttp.ClientSession(connector=trust(sandbox)) as session,
        serve_hook(other.issue_leaf(tmp_path / "leaf")) as hook,
    ):
        asking = await Asking.prepare(sandbox, session)
        assert (await asking.subscribe(hook.url)).status == 201


async def test_a_fifth_request_to_one_mailbox_at_one_time_is_throttled(keys: KeyRing) -> None:
    async with (
        Sandbox.start(SandboxOptions(keys=keys, latency_s=0.5)) as sandbox,
        aiohttp.ClientSession(connector=trust(sandbox)) as session,
    ):
        asking = await Asking.prepare(sandbox, session)
        # Connected beforehand: who is still shaking hands asks when the first has its answer already.
        await asyncio.gather(*(asking.graph("GET", "/subscriptions") for _ in range(6)))
        path = f"/users/{asking.id_of('adele')}/messages"
        answers = await asyncio.gather(*(asking.graph("GET", path) for _ in range(6)))
        assert sorted(answer.status for answer in answers) == [200, 200, 200, 200, 429, 429]
        refused = next(answer for answer in answers if answer.status == 429)
        assert (refused.code, refused.headers["Retry-After"]) == ("ApplicationThrottled", "1")
        assert (await asking.graph("GET", path)).status == 200
