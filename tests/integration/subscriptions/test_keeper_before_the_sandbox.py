"""The keeper with a real Graph before it and a real Redis behind it."""

from __future__ import annotations

from tests.integration.subscriptions.stage import Stage


async def test_the_walkthroughs_owner_is_subscribed_to_and_an_answer_is_published(stage: Stage) -> None:
    personas = stage.sandbox.ready.personas
    await stage.add_owner(personas["alex"].address)
    stage.start_keeper()
    await stage.wait_until_ready()

    resources = sorted(one["resource"] for one in await stage.list_subscriptions())
    assert resources == sorted(
        [f"users/{personas['adele'].id}/mailFolders('inbox')/messages", f"users/{personas['alex'].id}/events"]
    )

    owner = {"token": personas["alex"].token}
    christie = {"token": personas["christie"].token}
    address = personas["christie"].address
    await stage.invite(owner, [address])
    await stage.wait_for_update("attendee.added", address.lower())
    await stage.answer(christie, "Plan")
    await stage.wait_for_update("response.changed", address.lower())
