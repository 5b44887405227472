"""The service behind the nginx of `deploy/nginx`: Graph comes through, bursts pass, strangers do not."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.endtoend.deeds import Play
from tests.endtoend.front import NGINX, open_front
from tests.endtoend.settling import judge_calendars, settle
from tests.endtoend.stage import Stage, open_stage
from tests.ports import choose_ports

pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx on this machine")
BURST = 600
PATH = "/graph/notifications"


class Outsider:
    """Speaks to nginx over TLS."""

    def __init__(self, stage: Stage, port: int) -> None:
        self._stage = stage
        self._url = f"https://localhost:{port}"
        self.trust = ssl.create_default_context(cafile=stage.settings["RESPONSE_SYNC_CA_BUNDLE"])

    async def ask(self, method: str, path: str, **options: Any) -> int:
        options = {"json": {"value": []}, **options}
        async with self._stage.session.request(method, self._url + path, ssl=self.trust, **options) as answer:
            await answer.read()
            return answer.status


@asynccontextmanager
async def behind_nginx(
    directory: Path, stage: Stage, port: int, plain_port: int, **changes: str
) -> AsyncIterator[Outsider]:
    async with open_front(
        directory / f"nginx-{port}",
        port=port,
        plain_port=plain_port,
        web_port=stage.ports["public"],
        certificate=directory / "cert.pem",
        key=directory / "key.pem",
        changes=changes,
    ):
        yield Outsider(stage, port)


async def test_graph_comes_through_a_burst_passes_and_strangers_get_nowhere(tmp_path: Path) -> None:
    ports = choose_ports("tls", "plain", "strict", "strict-plain")
    url = f"https://localhost:{ports['tls']}"
    async with (
        open_stage(tmp_path, RESPONSE_SYNC_PUBLIC_URL=url) as stage,
        behind_nginx(tmp_path, stage, ports["tls"], ports["plain"]) as outsider,
    ):
        await stage.start_ready("serve")  # so the handshakes came through
        await judge_a_meeting(stage)
        await judge_strangers(outsider)
        assert await send_burst(outsider, BURST) == {202: BURST}
        await judge_other_names(outsider, ports["tls"], ports["plain"])
        rate = {"rate=500r/s": "rate=1r/s", "burst=2000": "burst=5"}
        async with behind_nginx(tmp_path, stage, ports["strict"], ports["strict-plain"], **rate) as strict:
            statuses = await send_burst(strict, 60)
            assert statuses.keys() == {202, 429}
            assert statuses[202] >= 6
        log = (tmp_path / f"nginx-{ports['tls']}" / "response-sync.log").read_text()
        assert PATH in log
        assert "validationToken" not in log
        await stage.end_all()
        assert await outsider.ask("POST", PATH) == 502


async def judge_a_meeting(stage: Stage) -> None:
    """Let people answer: what the sandbox tells of it comes through nginx alone."""
    play = Play(stage.tenant, 20261124)
    await play.add_guests(3)
    await play.make_meeting(stage.tenant.people["alex"], stage.tenant.people["adele"], size=2)
    while play.list_due():
        await play.play_round()
        await settle(stage, play.meetings)
    await judge_calendars(stage, play.meetings)


async def judge_strangers(outsider: Outsider) -> None:
    for path in ("/", "/graph", PATH + "/", "/graph//lifecycle", "/metrics", "/healthz", "/api/now"):
        assert await outsider.ask("POST", path) == 404, path
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert await outsider.ask(method, PATH) == 405, method
    assert await outsider.ask("POST", PATH, json=None, data=io.BytesIO(b"x" * 4_000_001)) == 413
    assert await outsider.ask("POST", PATH, headers={"X-Long": "x" * 9000}) == 400
    assert await outsider.ask("POST", f"{PATH}?validationToken={'t' * 9000}") == 414
    assert await outsider.ask("POST", PATH, json=None, data=io.BytesIO(b"{}")) in (400, 415)


async def send_burst(outsider: Outsider, count: int) -> Counter[int]:
    """Send so many at once, over at most as many connections as the client opens."""
    statuses = await asyncio.gather(*(outsider.ask("POST", PATH) for _ in range(count)))
    return Counter(statuses)


async def judge_other_names(outsider: Outsider, port: int, plain_port: int) -> None:
    """Who comes by another name sees no certificate; who comes without TLS gets nothing."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(
            "127.0.0.1", port, ssl=outsider.trust, server_hostname="elsewhere.example"
        )
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"http://127.0.0.1:{plain_port}{PATH}", json={"value": []}) as answer,
    ):
        assert answer.status == 404
