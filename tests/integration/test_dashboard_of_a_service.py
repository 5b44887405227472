"""The dashboard of one process shows the whole system, whose roles run as processes of their own."""

from __future__ import annotations

import signal
from typing import Any

import aiohttp

from tests.integration.sandbox.asking import Asking, trust
from tests.integration.surroundings import Surroundings, wait_for
from tests.integration.test_metrics_of_a_service import answer_first, invite
from tests.ports import choose_ports


async def ask_dashboard(port: int, path: str) -> Any:
    """Ask a process' admin listener; None while it does not answer."""
    async with aiohttp.ClientSession(trust_env=False) as session:
        try:
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                return await answer.json()
        except aiohttp.ClientError:
            return None


async def test_any_process_shows_all_and_says_when_one_of_them_dies(surroundings: Surroundings) -> None:
    ports = choose_ports("web", "worker", "keeper")
    quick = {"RESPONSE_SYNC_PULSE_INTERVAL_S": "0.3"}

    def settings(role: str) -> dict[str, str]:
        return {**quick, "RESPONSE_SYNC_ADMIN_PORT": str(ports[role])}

    async def look() -> Any:
        return await ask_dashboard(ports["web"], "/api/now") or {"troubles": None, "minutes": []}

    async with (
        surroundings.running("web", **settings("web")),
        surroundings.running("keeper", **settings("keeper")),
        aiohttp.ClientSession(connector=trust(surroundings.sandbox), trust_env=False) as session,
    ):
        worker = await surroundings.start("worker", **settings("worker"))

        async def is_well() -> bool:
            seen = await look()
            return bool(seen["troubles"] == [] and seen["ownersReady"] == 1)

        await wait_for(is_well)
        asking = await Asking.prepare(surroundings.sandbox, session)
        await invite(asking)
        await answer_first(asking, "accept")

        async def has_counted_everywhere() -> bool:
            minutes = (await look())["minutes"]
            return all(sum(one[name] for one in minutes) for name in ("stored", "published", "graph"))

        await wait_for(has_counted_everywhere)
        seen = await look()
        assert sorted(role for one in seen["processes"] for role in one["roles"]) == [
            "keeper",
            "web",
            "worker",
        ]
        assert {one["state"] for one in seen["mailboxes"]} == {"watched"}

        async def shows_the_answer() -> bool:
            found = await ask_dashboard(ports["keeper"], "/api/meetings?q=Plan")
            return bool(found["meetings"]) and found["meetings"][0]["tally"]["accepted"] == 1

        await wait_for(shows_the_answer)

        worker.send_signal(signal.SIGKILL)
        await worker.communicate()

        async def says_so() -> bool:
            return "ResponseSyncNoWorker" in {one["runbook"] for one in (await look())["troubles"]}

        await wait_for(says_so)
