"""`MESSAGES=mailbox`: sweeps list every folder, for no delta query sees more than one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from service.entries import Origin
from service.intake.client_state import ResourceKind
from service.ports import Book, DeliveryOption
from service.reconcile.instant import instant_of
from service.reconcile.model import MailboxKey
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.resolve import choose_inboxes
from service.subscriptions.silence import SilenceLimits
from tests.unit.subscriptions.play import Play, id_of, message, watching

WHOLE = KeeperOptions(messages=ResourceKind.MAILBOX_MESSAGES)
ADELE = "mailbox-messages/id-adele"


def put(play: Play, name: str, *, ago_s: float = 0) -> None:
    sent = instant_of(play.clock.now() - timedelta(seconds=ago_s)).text
    play.tenant.put_item(ADELE, message(name, sent))


async def test_a_sweep_lists_what_came_since_the_last_one_and_some_time_before() -> None:
    play = await watching(WHOLE)
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.clock.advance(900)
    put(play, "late to show", ago_s=1200)
    put(play, "filed by a rule", ago_s=100)
    put(play, "older than that", ago_s=3000)
    play.intake.take()
    play.tenant.windows.clear()
    await play.run(keeper)
    found = [(one.item, one.origin) for one in play.intake.take() if one.mailbox == "id-adele"]
    assert found == [("late to show", Origin.SWEEP), ("filed by a rule", Origin.SWEEP)]


async def test_pages_of_a_list_are_followed_to_its_end() -> None:
    play = await watching(WHOLE)
    play.tenant.page_size = 2
    for number in range(5):
        put(play, f"m-{number}", ago_s=50 - number)
    await play.run(play.build_keeper("keeper-2"))
    assert [one.item for one in play.intake.take()] == [f"m-{number}" for number in range(5)]


async def test_what_is_listed_again_does_not_make_a_subscription_silent() -> None:
    limits = replace(WHOLE.reading, silence=SilenceLimits(after_s=60))
    play = await watching(replace(WHOLE, reading=limits))
    keeper = play.build_keeper("keeper-2")
    put(play, "announced")
    heard_at = instant_of(play.clock.now()).text
    await play.records.write(Book.NOTIFIED, {id_of(play, "users/id-adele/messages"): heard_at})
    await play.run(keeper)
    for _ in range(3):
        play.clock.advance(300)
        await play.run(keeper)
    assert not any(one.is_silent for one in (await play.read_status()).resources)


def test_the_owners_own_mailbox_is_read_where_exchange_may_keep_a_copy() -> None:
    owner, delegate = MailboxKey("owner"), MailboxKey("delegate")
    option = DeliveryOption.DELEGATE_ONLY
    assert choose_inboxes(owner, [delegate], option) == (delegate,)
    assert choose_inboxes(owner, [delegate], option, reads_whole_mailboxes=True) == (delegate, owner)
