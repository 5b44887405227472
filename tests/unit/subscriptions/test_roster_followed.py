"""The roster: owners who come, go and change; faults of one mailbox."""

from __future__ import annotations

import asyncio

import pytest

from service.entries import Origin
from service.errors import AccessError, GoneError, UnavailableError
from service.ports import Book, DeliveryOption, DirectoryPerson
from service.subscriptions.records import RequestKind
from tests.unit.subscriptions.fakes import Tenant, VirtualClock
from tests.unit.subscriptions.play import (
    ADELE_INBOX,
    ALEX_EVENTS,
    Play,
    event,
    id_of,
    message,
    walkthrough,
    watching,
)

# --- the roster ---


async def add_bert(play: Play) -> None:
    """Add an owner whose delegate is watched already, and has something for them from before."""
    play.tenant.add_person("bert@contoso.com", delegates=["adele@contoso.com"])
    play.tenant.put_item("inbox/id-adele", message("old"))
    await play.add_owner("bert@contoso.com")


async def test_an_owner_added_later_is_followed_within_seconds() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    await add_bert(play)
    await play.run(keeper, seconds=4)
    assert "users/id-bert/events" in play.resources()
    assert play.owners()["bert@contoso.com"].is_baselined
    assert [one.item for one in play.intake.entries] == ["old"], "the shared inbox is read anew for Bert"


@pytest.mark.parametrize("is_succeeded", [False, True])
async def test_an_inbox_that_fails_when_an_owner_is_added_is_read_anew_for_them_all_the_same(
    is_succeeded: bool,
) -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.failing["inbox/id-adele"] = UnavailableError("away", status=503)
    await add_bert(play)
    await play.run(keeper, seconds=4)
    assert not play.owners()["bert@contoso.com"].is_baselined
    play.tenant.failing.clear()
    if is_succeeded:
        keeper = play.build_keeper("keeper-3")
    await play.run(keeper, seconds=20)
    assert play.owners()["bert@contoso.com"].is_baselined
    assert [one.item for one in play.intake.entries] == ["old"]


async def test_a_keeper_that_dies_with_an_owner_just_added_leaves_their_reading_to_the_next() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    await add_bert(play)
    while "bert@contoso.com" not in play.owners():
        await keeper.tick()
        await asyncio.sleep(0)
        play.clock.advance(0.5)
    await play.run(play.build_keeper("keeper-3"), seconds=30)
    assert play.owners()["bert@contoso.com"].is_baselined
    assert [one.item for one in play.intake.entries] == ["old"]


async def test_whoever_reads_about_an_inbox_is_told_whose_it_is() -> None:
    play = await watching()
    (alex,) = play.owners().values()
    assert (alex.inboxes, alex.inbox_addresses) == (("id-adele",), ("Adele@contoso.com",))
    shown = {one.name: one.mailbox for one in (await play.read_status()).resources}
    assert shown == {"calendar/id-alex": "Alex@contoso.com", "inbox/id-adele": "Adele@contoso.com"}


class SlowTenant(Tenant):
    """Answers who a person is only when it is let.

    Attributes:
        is_open: clear while nobody gets an answer.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock=clock)
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def find_person(self, address: str) -> DirectoryPerson:
        await self.is_open.wait()
        return await super().find_person(address)


async def test_a_baseline_that_ends_while_its_owner_is_looked_up_again_has_ended() -> None:
    play = walkthrough()
    slow = SlowTenant(play.clock)
    slow.people, slow.delegates = play.tenant.people, play.tenant.delegates
    play.tenant = slow
    await play.add_owner("alex@contoso.com")
    keeper = play.build_keeper()
    while not any(entry.lifecycle == RequestKind.BASELINED for entry in play.intake.entries):
        await keeper.tick()
        await keeper.settle()
        play.clock.advance(0.5)
    play.clock.advance(3600)
    slow.is_open.clear()
    await keeper.tick()  # begins to look the owner up again
    await asyncio.sleep(0)
    await play.work()
    await keeper.tick()  # hears that the baseline has been worked off
    assert play.owners()["alex@contoso.com"].is_baselined
    slow.is_open.set()
    await keeper.settle()
    assert play.owners()["alex@contoso.com"].is_baselined


async def test_a_removed_owner_leaves_nothing_behind() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=10)
    assert play.tenant.living() == []
    assert set(play.states.forgotten) == play.intake.forgotten == {"id-alex"}
    assert [book for book, records in play.records.books.items() if records] in ([], [Book.OUTAGES])


async def test_a_removal_is_done_only_when_the_subscriptions_have_ended() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    stuck = id_of(play, ADELE_INBOX)
    play.tenant.failing[stuck] = UnavailableError("away", status=503)
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=20)
    assert "owner/alex@contoso.com" in play.records.books[Book.MAILBOXES]
    play.tenant.failing.clear()
    await play.run(keeper, seconds=40)
    assert [book for book, records in play.records.books.items() if records] in ([], [Book.OUTAGES])


async def test_a_subscription_that_may_not_be_ended_holds_a_removal_up_only_until_its_time_is_over() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.failing[id_of(play, ADELE_INBOX)] = AccessError("nobody is signed in", status=403)
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=20)
    assert "owner/alex@contoso.com" in play.records.books[Book.MAILBOXES]
    play.clock.advance(8 * 86_400)
    await play.run(keeper, seconds=40)
    assert [book for book, records in play.records.books.items() if records] in ([], [Book.OUTAGES])


async def test_an_inbox_that_serves_another_owner_stays() -> None:
    play = await watching()
    play.tenant.add_person("bert@contoso.com", delegates=["adele@contoso.com"])
    await play.add_owner("bert@contoso.com")
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=10)
    assert play.resources() == ["users/id-adele/mailFolders('inbox')/messages", "users/id-bert/events"]


async def test_an_owner_removed_and_added_again_is_read_anew() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.put_item("calendar/id-alex", event("e-1"))
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=1)
    assert play.states.refused == {"id-alex"}
    await play.add_owner("alex@contoso.com")
    await play.run(keeper, seconds=10)
    assert play.states.refused == set()
    assert [(one.item, one.origin) for one in play.intake.entries] == [("e-1", Origin.BASELINE)]
    assert (await play.read_status()).is_ready


async def test_a_delegate_who_loses_the_role_is_no_longer_read() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.add_person("megan@contoso.com")
    play.tenant.delegates["id-alex"] = ("megan@contoso.com",)  # type: ignore[index, assignment]
    play.clock.advance(900)
    await play.run(keeper)
    assert play.resources() == [ALEX_EVENTS, "users/id-megan/mailFolders('inbox')/messages"]
    assert play.owners()["alex@contoso.com"].inboxes == ("id-megan",)
    assert not any("adele" in name for book in play.records.books.values() for name in book)


@pytest.mark.parametrize(
    ("option", "inboxes"),
    [
        (DeliveryOption.DELEGATE_ONLY, ("id-adele",)),
        (DeliveryOption.DELEGATE_AND_INFORMATION, ("id-adele", "id-alex")),
        (DeliveryOption.DELEGATE_AND_PRINCIPAL, ("id-adele", "id-alex")),
    ],
)
async def test_the_delivery_option_decides_whose_inboxes_are_read(
    option: DeliveryOption, inboxes: tuple[str, ...]
) -> None:
    play = walkthrough()
    play.tenant.options["id-alex"] = option  # type: ignore[index]
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert play.owners()["alex@contoso.com"].inboxes == inboxes
    assert (await play.read_status()).is_ready


async def test_delegates_named_in_the_roster_are_not_asked_for() -> None:
    play = walkthrough()
    play.tenant.add_person("megan@contoso.com")
    await play.add_owner("alex@contoso.com", delegates=["Megan@contoso.com", "ghost@contoso.com"])
    await play.run(play.build_keeper())
    assert play.owners()["alex@contoso.com"].inboxes == ("id-megan",)


async def test_an_owner_is_followed_through_a_new_address() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.rename(play.tenant.people["alex@contoso.com"].key, "alexander@contoso.com")
    play.clock.advance(900)
    await play.run(keeper)
    owner = play.owners()["alex@contoso.com"]
    assert (owner.key, owner.address, owner.is_baselined) == ("id-alex", "alexander@contoso.com", True)
    assert play.states.forgotten == []


async def test_without_the_directory_addresses_are_the_keys() -> None:
    play = walkthrough()
    play.tenant.is_directory_closed = True
    await play.add_owner("alex@contoso.com", delegates=["adele@contoso.com"])
    await play.run(play.build_keeper())
    owner = play.owners()["alex@contoso.com"]
    assert (owner.key, owner.inboxes) == ("alex@contoso.com", ("adele@contoso.com",))
    assert play.resources() == [
        "users/adele@contoso.com/mailFolders('inbox')/messages",
        "users/alex@contoso.com/events",
    ]


async def test_two_entries_that_mean_one_person_are_watched_once() -> None:
    play = await watching()
    play.tenant.people["al@contoso.com"] = play.tenant.people["id-alex"]
    await play.add_owner("al@contoso.com")
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    assert "same person" in play.owners()["al@contoso.com"].fault
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    status = await play.read_status()
    assert status.is_ready


# --- faults of one mailbox ---


async def test_an_unknown_address_is_said_in_words_and_holds_nobody_up() -> None:
    play = walkthrough()
    await play.add_owner("alex@contoso.com")
    await play.add_owner("nobody@contoso.com")
    await play.run(play.build_keeper())
    status = await play.read_status()
    assert status.is_ready
    faults = {str(one.roster_address): one.fault for one in status.owners}
    assert "No mailbox" in faults["nobody@contoso.com"]
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AccessError("Access to OData is disabled.", status=403, code="ErrorAccessDenied"), "Access denied"),
        (AccessError("quota limit of 1000 reached", status=403), "full number of subscriptions"),
        (GoneError("no", status=404, code="MailboxNotEnabledForRESTAPI"), "on premises"),
    ],
)
async def test_a_mailbox_that_cannot_be_watched_is_marked_and_tried_ever_more_slowly(
    error: AccessError | GoneError, words: str
) -> None:
    play = walkthrough()
    play.tenant.add_person("bert@contoso.com")
    play.tenant.failing["id-bert"] = error
    await play.add_owner("alex@contoso.com")
    await play.add_owner("bert@contoso.com", delegates=[])
    keeper = play.build_keeper()
    await play.run(keeper, seconds=6)
    status = await play.read_status()
    assert status.is_ready
    faults = " ".join(word for one in status.resources for word in one.faults)
    faults += " ".join(one.fault for one in status.owners)
    assert words in faults
    tries = len(play.calls("create"))
    play.clock.advance(300)
    for _ in range(12):
        play.clock.advance(300)
        await play.run(keeper, seconds=1)
    assert len(play.calls("create")) - tries <= 14

    play.tenant.failing.clear()
    play.clock.advance(3600)
    await play.run(keeper, seconds=6)
    play.clock.advance(3600)
    await play.run(keeper, seconds=6)
    assert len(play.resources()) == 4
    status = await play.read_status()
    assert status.is_ready
    assert all(owner.is_baselined for owner in play.owners().values())


async def test_a_key_that_fits_into_no_client_state_is_a_fault_of_that_mailbox_alone() -> None:
    play = walkthrough()
    play.tenant.is_directory_closed = True
    long = "x" * 90 + "@contoso.com"
    await play.add_owner("alex@contoso.com", delegates=["adele@contoso.com"])
    await play.add_owner(long, delegates=["adele@contoso.com"])
    await play.run(play.build_keeper(), seconds=6)
    status = await play.read_status()
    assert status.is_ready
    faults = {one.name: " ".join(one.faults) for one in status.resources}
    assert "by its object id" in faults[f"calendar/{long}"]
    assert len(play.tenant.living()) == 2


async def test_graph_being_away_only_delays() -> None:
    play = walkthrough()
    away = UnavailableError("away", status=503)
    play.tenant.failing |= {"id-alex": away, "alex@contoso.com": away, "list": away}
    await play.add_owner("alex@contoso.com")
    keeper = play.build_keeper()
    await play.run(keeper, seconds=10)
    (lack,) = (await play.read_status()).waits_for
    assert lack.startswith("alex@contoso.com: not looked up yet (")
    assert "(503)" in lack
    play.tenant.failing.clear()
    await play.run(keeper, seconds=60)
    assert (await play.read_status()).is_ready


async def test_graph_being_away_never_ends_the_watching_of_somebody() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    play.tenant.failing |= {"id-alex": UnavailableError("away", status=503)}
    await play.run(keeper, seconds=60)
    assert play.states.forgotten == []
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
