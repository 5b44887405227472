"""Graph's clock goes ahead of ours at once: subscriptions have ended long before ours says so."""

from __future__ import annotations

from tests.integration.subscriptions.stage import Stage
from tests.integration.waiting import wait_until

DAYS = 8  # longer than any subscription lives


async def test_what_ended_when_graphs_clock_jumped_is_there_again(stage: Stage) -> None:
    alex, christie = stage.sandbox.ready.personas["alex"], stage.sandbox.ready.personas["christie"]
    await stage.add_owner(alex.address)
    stage.start_keeper()
    await stage.wait_until_ready()
    before = {one["id"] for one in await stage.list_subscriptions()}
    await stage.asking.control("/clock", {"advance_s": DAYS * 86_400})

    async def is_there_again() -> bool:
        held = [one["id"] for one in await stage.list_subscriptions()]
        return len(held) == 2 and before.isdisjoint(held)

    await wait_until(is_there_again)
    await stage.invite({"token": alex.token}, [christie.address])
    await stage.wait_for_update("attendee.added", christie.address.lower())
