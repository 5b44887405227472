"""Settings with which nothing, or not all, can work: each has its clear error, and what can goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.conftest import WITHOUT_MAILBOX
from tests.endtoend.processes import Running, run_to_end
from tests.endtoend.stage import Stage
from tests.endtoend.test_strangers import build_item
from tests.integration.waiting import wait_until
from tests.ports import choose_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEEDED = ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "PUBLIC_URL", "SECRET_KEY", "REDIS_URL")


@pytest.mark.parametrize("command", ["serve", "keeper", "check"])
async def test_without_settings_all_that_are_missing_are_named(tmp_path: Path, command: str) -> None:
    ended = await run_to_end([command], settings={}, directory=tmp_path)

    assert ended.code == 2
    said = ended.output + ended.errors
    assert [name for name in NEEDED if name not in said] == []
    assert "Traceback" not in said


@asynccontextmanager
async def other_service(stage: Stage, **changes: str) -> AsyncIterator[Running]:
    """Run a second `serve` with other settings; it must end well when asked."""
    changes = {"PORT": str(stage.ports["other-public"]), "RESPONSE_SYNC_STREAM": "other", **changes}
    running = await stage.start("serve", name="other", **changes)
    try:
        yield running
        code, _ = await running.terminate()
        assert code == 0, running.read_log()[-2000:]
    finally:
        await running.kill()


async def wait_for_reason(stage: Stage, words: str) -> dict[str, Any]:
    """Wait until the second service says why it is not ready; gives the probes."""
    probes: dict[str, Any] = {}

    async def is_said() -> bool:
        nonlocal probes
        status, text = await stage.ask_admin("other")
        probes = json.loads(text)["probes"] if text else {}
        return status == 503 and words in text

    try:
        await wait_until(is_said, poll_s=0.1)
    except TimeoutError:
        log = stage.running["other"].read_log()[-3000:]
        raise AssertionError(f"never said {words!r}: {probes}\n{log}") from None
    return probes


async def test_a_wrong_secret_is_said_with_its_remedy_and_web_goes_on(serving: Stage) -> None:
    secret = "s~wrong-secret"
    async with other_service(
        serving, RESPONSE_SYNC_CLIENT_SECRET=secret, RESPONSE_SYNC_DEPLOYMENT="wrong"
    ) as running:
        probes = await wait_for_reason(serving, "AADSTS7000215")
        assert probes["web"]["ready"]
        assert (await serving.ask_admin("other", "/healthz"))[0] == 200
        url = f"http://127.0.0.1:{serving.ports['other-public']}/graph/notifications"
        async with serving.session.post(f"{url}?validationToken=x") as answer:
            assert (answer.status, await answer.text()) == (200, "x")
        assert secret not in running.read_log()


async def test_redis_that_cannot_be_reached_is_said_and_graph_is_asked_to_come_again(serving: Stage) -> None:
    nowhere = choose_port()
    async with other_service(serving, REDIS_URL=f"redis://:hush@127.0.0.1:{nowhere}/0") as running:
        probes = await wait_for_reason(serving, "Redis is away")
        assert not any(probe["ready"] for probe in probes.values())
        assert (await serving.ask_admin("other", "/healthz"))[0] == 200
        url = f"http://127.0.0.1:{serving.ports['other-public']}/graph/notifications"
        body = {"value": [await build_item(serving)]}
        async with serving.session.post(url, json=body) as answer:
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert "hush" not in running.read_log()
        assert "Traceback" not in running.read_log()


async def test_an_owner_without_mailbox_is_named_and_holds_nobody_back(serving: Stage) -> None:
    status, text = await serving.ask_admin("serve")
    assert (status, json.loads(text)["ready"]) == (200, True)

    rows = {row["address"]: row for row in await serving.run_json("owners", "list")}

    assert rows["alexw@contoso.onmicrosoft.com"]["state"] == "watched"
    assert rows[WITHOUT_MAILBOX]["state"] == "faulty"
    assert "mailbox" in rows[WITHOUT_MAILBOX]["fault"].lower()
    assert "Traceback" not in serving.running["serve"].read_log()
