"""What operators ask the keeper for: carried out once, to the end, with an outcome that says what failed."""

from __future__ import annotations

import asyncio

import pytest

from service.entries import Origin
from service.errors import AccessError, UnavailableError
from service.ports import Book
from service.subscriptions.answering import AnsweringLimits
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.desk import build_operator_request, file_request
from service.subscriptions.keeper import Keeper
from service.subscriptions.reading import ReadingLimits
from service.subscriptions.records import Request, RequestKind, decode_request, decode_subscription
from tests.integration.waiting import PATIENCE_S
from tests.unit.subscriptions.play import (
    ADELE_INBOX,
    ALEX_EVENTS,
    Play,
    build_destination,
    id_of,
    message,
    watching,
)


async def ask(
    play: Play, kind: RequestKind, *, resource: str = "", owner: str = "", subscription: str = ""
) -> str:
    """File a request as a command does; gives its name."""
    request = build_operator_request(
        kind, now=play.clock.now(), resource=resource, owner=owner, subscription=subscription
    )
    await file_request(play.records, request)
    return request.name


async def reach(play: Play, verb: str, *, times: int = 1) -> None:
    """Let duties go on until Graph was called so often."""
    async with asyncio.timeout(PATIENCE_S):
        while len(play.calls(verb)) < times:  # noqa: ASYNC110 - the condition is the tenant's own state
            await asyncio.sleep(0)


def read(play: Play, name: str) -> Request:
    return decode_request(play.records.books[Book.REQUESTS][name])


def outcome(play: Play, name: str) -> tuple[int, int, bool]:
    """Give how many resources were meant, how many failed, and whether all has ended."""
    request = read(play, name)
    return request.count, request.failed_count, request.ended_at is not None


async def at_work(options: KeeperOptions | None = None) -> tuple[Play, Keeper]:
    """Alex is watched, and a second keeper has just taken over."""
    play = await watching(options)
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.intake.take()
    play.tenant.calls.clear()
    play.tenant.rounds.clear()
    return play, keeper


@pytest.mark.parametrize(
    ("kind", "verb", "count"),
    [(RequestKind.RENEW, "renew", 2), (RequestKind.RECREATE, "create", 2 * 2)],
)
async def test_everything_is_renewed_or_recreated(kind: RequestKind, verb: str, count: int) -> None:
    play, keeper = await at_work()
    name = await ask(play, kind)
    await play.run(keeper)
    assert len(play.calls(verb)) == count, "a replacement is tried first, and meets the one that stands"
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert outcome(play, name) == (2, 0, True)


async def test_what_an_operator_asks_for_is_begun_as_if_something_had_been_repaired() -> None:
    play, keeper = await at_work()
    await play.run(keeper)
    assert play.asked == [], "the keeper's own work is no such sign"
    await ask(play, RequestKind.RESYNC)
    await play.run(keeper)
    assert play.asked == ["operator"]


async def test_one_resource_is_renewed_and_no_other() -> None:
    play, keeper = await at_work()
    inbox = id_of(play, ADELE_INBOX)
    name = await ask(play, RequestKind.RENEW, resource="inbox/id-adele")
    await play.run(keeper)
    assert play.calls("renew") == [inbox]
    assert outcome(play, name) == (1, 0, True)


async def test_a_resync_reads_everything_of_one_owner_again() -> None:
    play, keeper = await at_work()
    play.tenant.add_person("bert@contoso.com")
    await play.add_owner("bert@contoso.com")
    await play.run(keeper)
    play.tenant.rounds.clear()
    name = await ask(play, RequestKind.RESYNC, owner="id-alex")
    await play.run(keeper)
    assert play.tenant.rounds == [("inbox/id-adele", True), ("calendar/id-alex", True)]
    assert outcome(play, name) == (2, 0, True)


async def test_a_resync_goes_on_where_a_keeper_died_in_the_middle() -> None:
    play, keeper = await at_work(KeeperOptions(pages_per_turn=1))
    for count in range(7):
        play.tenant.put_item("inbox/id-adele", message(f"m-{count}"))
    name = await ask(play, RequestKind.RESYNC, owner="id-alex")
    play.tenant.pages_left = 2
    await play.run(keeper, seconds=2)
    assert outcome(play, name) == (2, 0, False)
    assert (await play.read_status()).resources[1].pages == 2

    play.tenant.pages_left = None
    play.tenant.rounds.clear()
    play.lease.flush()
    await play.run(play.build_keeper("keeper-3"), seconds=40)
    begun_again = [one for one in play.tenant.rounds if one == ("inbox/id-adele", True)]
    assert begun_again == [], "the round that was under way is carried on"
    assert [one.item for one in play.intake.take()] == [f"m-{count}" for count in range(7)]
    assert outcome(play, name) == (2, 0, True)


async def test_what_a_dead_keeper_had_done_is_not_done_again() -> None:
    play, keeper = await at_work()
    play.tenant.failing["calendar/id-alex"] = UnavailableError("away", status=503)
    name = await ask(play, RequestKind.RESYNC)
    await play.run(keeper)
    assert outcome(play, name) == (2, 0, False)

    play.tenant.failing.clear()
    play.tenant.rounds.clear()
    play.lease.flush()
    await play.run(play.build_keeper("keeper-3"), seconds=40)
    full = [resource for resource, is_full in play.tenant.rounds if is_full]
    assert full == ["calendar/id-alex"]
    assert outcome(play, name) == (2, 0, True)


async def test_what_does_not_go_away_by_itself_is_told_and_the_rest_is_done() -> None:
    play, keeper = await at_work()
    play.tenant.failing["inbox/id-adele"] = AccessError("no", status=403, code="ErrorAccessDenied")
    name = await ask(play, RequestKind.RESYNC)
    await play.run(keeper)
    assert outcome(play, name) == (2, 1, True)
    (said,) = read(play, name).failed.items()
    assert said[0] == "inbox/id-adele"
    assert "Access denied" in said[1]
    assert ("calendar/id-alex", True) in play.tenant.rounds


async def test_what_goes_away_by_itself_is_waited_for() -> None:
    play, keeper = await at_work()
    play.tenant.handshakes_fail = 5
    name = await ask(play, RequestKind.RENEW, resource="inbox/id-adele")
    await play.run(keeper, seconds=2)
    assert outcome(play, name) == (1, 0, False)
    await play.run(keeper, seconds=120)
    assert outcome(play, name) == (1, 0, True)


async def test_where_there_is_nothing_to_do_the_request_ends_at_once() -> None:
    play, keeper = await at_work()
    name = await ask(play, RequestKind.RENEW, owner="id-nobody")
    await play.run(keeper, seconds=1)
    assert outcome(play, name) == (0, 0, True)


async def test_an_outcome_that_nobody_read_goes_away_with_a_later_request() -> None:
    play, keeper = await at_work(KeeperOptions(answering=AnsweringLimits(outcome_kept_s=60)))
    first = await ask(play, RequestKind.RENEW)
    await play.run(keeper)
    play.clock.advance(61)
    second = await ask(play, RequestKind.RENEW)
    await play.run(keeper)
    assert first not in play.records.books[Book.REQUESTS]
    assert outcome(play, second) == (2, 0, True)


async def test_only_the_first_failures_are_kept_in_words_and_all_are_counted() -> None:
    play, keeper = await at_work(KeeperOptions(answering=AnsweringLimits(failures_max=1)))
    for resource in ("inbox/id-adele", "calendar/id-alex"):
        play.tenant.failing[resource] = AccessError("no", status=403)
    name = await ask(play, RequestKind.RESYNC)
    await play.run(keeper)
    assert outcome(play, name) == (2, 2, True)
    assert len(read(play, name).failed) == 1


async def test_a_removed_owner_is_named_in_no_outcome() -> None:
    play, keeper = await at_work()
    await ask(play, RequestKind.RESYNC, owner="id-alex")
    await play.run(keeper)
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=20)
    assert "alex" not in str(play.records.books)


@pytest.mark.parametrize(
    ("kind", "living"), [(RequestKind.DELETE, []), (RequestKind.RECREATE, [ADELE_INBOX])]
)
async def test_what_is_asked_while_a_renewal_is_under_way_is_done_right_after_it(
    kind: RequestKind, living: list[str]
) -> None:
    play, keeper = await at_work()
    before = id_of(play, ADELE_INBOX)
    play.tenant.gate = asyncio.Event()
    await ask(play, RequestKind.RENEW, resource="inbox/id-adele")
    await keeper.tick()
    await reach(play, "renew")
    name = await ask(play, kind, resource="inbox/id-adele")
    await keeper.tick()
    play.tenant.gate.set()
    await play.run(keeper)
    assert outcome(play, name) == (1, 0, True)
    assert play.resources() == [*living, ALEX_EVENTS]
    assert before not in [one.id for one in play.tenant.living()]


# --- delete ---


async def test_a_deleted_subscription_stays_away_through_comparisons_and_restarts() -> None:
    play, keeper = await at_work()
    name = await ask(play, RequestKind.DELETE, resource="inbox/id-adele")
    await play.run(keeper, seconds=2000, step_s=10)
    assert outcome(play, name) == (1, 0, True)
    assert play.resources() == [ALEX_EVENTS]
    play.lease.flush()
    await play.run(play.build_keeper("keeper-3"), seconds=2000, step_s=10)
    assert play.resources() == [ALEX_EVENTS]
    assert play.calls("create") == []


async def test_a_mailbox_without_its_subscription_is_swept_counts_as_ready_and_is_not_called_silent() -> None:
    play, keeper = await at_work(KeeperOptions(reading=ReadingLimits(sweep_interval_s=60)))
    await play.records.write(Book.NOTIFIED, {"of-another": "2026-11-02T08:00:00Z"})
    await ask(play, RequestKind.DELETE, resource="inbox/id-adele")
    await play.run(keeper)
    for count in range(20):
        play.tenant.put_item("inbox/id-adele", message(f"m-{count}"))
        await play.run(keeper, seconds=60, step_s=5)
    status = await play.read_status()
    inbox = next(one for one in status.resources if one.name == "inbox/id-adele")
    assert (status.is_ready, inbox.is_silent, inbox.deleted_at is not None) == (True, False, True)
    found = [(one.item, one.origin) for one in play.intake.take()]
    assert found[:2] == [("m-0", Origin.CATCH_UP), ("m-1", Origin.CATCH_UP)]
    assert play.resources() == [ALEX_EVENTS]


@pytest.mark.parametrize("kind", [RequestKind.RENEW, RequestKind.RECREATE])
async def test_only_recreate_brings_a_deleted_subscription_back(kind: RequestKind) -> None:
    play, keeper = await at_work()
    await ask(play, RequestKind.DELETE, owner="id-alex")
    await play.run(keeper)
    assert play.resources() == []
    name = await ask(play, kind, owner="id-alex")
    await play.run(keeper)
    assert play.resources() == ([ADELE_INBOX, ALEX_EVENTS] if kind is RequestKind.RECREATE else [])
    assert outcome(play, name) == (2, 0, True)
    records = [decode_subscription(text) for text in play.records.books[Book.SUBSCRIPTIONS].values()]
    assert all((one.deleted_at is None) == (kind is RequestKind.RECREATE) for one in records)


async def test_an_owner_removed_and_added_again_has_subscriptions_again() -> None:
    play, keeper = await at_work()
    await ask(play, RequestKind.DELETE)
    await play.run(keeper)
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=20)
    await play.add_owner("alex@contoso.com")
    await play.run(keeper, seconds=20)
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


async def test_an_owner_put_back_while_a_deletion_was_still_to_come_has_subscriptions_again() -> None:
    play, keeper = await at_work()
    play.tenant.gate = asyncio.Event()
    await ask(play, RequestKind.RENEW)
    await keeper.tick()
    await reach(play, "renew", times=2)
    await ask(play, RequestKind.DELETE)
    await keeper.tick()
    await play.remove_owner("alex@contoso.com")
    await keeper.tick()
    play.tenant.gate.set()
    await play.run(keeper, seconds=20)
    assert play.resources() == []
    await play.add_owner("alex@contoso.com")
    await play.run(keeper, seconds=20)
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


async def test_deleting_all_ends_leftovers_too_and_nobody_elses() -> None:
    play, keeper = await at_work()
    ours = build_destination().describe(keeper._watch.resources["calendar/id-alex"])
    foreign = build_destination(deployment="test")
    left_over = build_destination().build_spec(ours, play.clock.now())
    expires_at = max(one.expires_at for one in play.tenant.living())
    play.tenant.put(left_over, expires_at)
    other = play.tenant.put(foreign.build_spec(foreign.describe(ours.resource), expires_at), expires_at)
    name = await ask(play, RequestKind.DELETE)
    await play.run(keeper)
    assert [one.id for one in play.tenant.living()] == [other.id]
    assert outcome(play, name) == (2, 0, True)


async def test_what_is_asked_while_a_comparison_is_under_way_has_the_next_one_at_once() -> None:
    play, keeper = await at_work()
    play.clock.advance(1000)
    play.tenant.gate = asyncio.Event()
    await keeper.tick()
    await reach(play, "list")
    name = await ask(play, RequestKind.DELETE)
    await keeper.tick()
    play.tenant.gate.set()
    await play.run(keeper)
    assert outcome(play, name) == (2, 0, True)


async def test_a_leftover_is_ended_by_its_id_and_a_foreign_one_is_refused() -> None:
    play, keeper = await at_work()
    foreign = build_destination(deployment="test")
    resource = keeper._watch.resources["calendar/id-alex"]
    expires_at = max(one.expires_at for one in play.tenant.living())
    other = play.tenant.put(foreign.build_spec(foreign.describe(resource), expires_at), expires_at)
    spec = build_destination().build_spec(build_destination().describe(resource), expires_at)
    left_over = play.tenant.put(spec, expires_at)
    ended = await ask(play, RequestKind.DELETE, subscription=left_over.id)
    refused = await ask(play, RequestKind.DELETE, subscription=other.id)
    await play.run(keeper)
    living = {one.id for one in play.tenant.living()}
    assert (left_over.id in living, other.id in living) == (False, True)
    assert outcome(play, ended) == (1, 0, True)
    assert outcome(play, refused) == (1, 1, True)
    assert "no subscription of this deployment" in read(play, refused).failed[other.id]


async def test_the_id_of_a_held_subscription_means_its_resource() -> None:
    play, keeper = await at_work()
    await ask(play, RequestKind.DELETE, subscription=id_of(play, ADELE_INBOX))
    await play.run(keeper, seconds=200, step_s=5)
    assert play.resources() == [ALEX_EVENTS]
