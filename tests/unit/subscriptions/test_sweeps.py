"""Reading: baselines, sweeps, full rounds, crashes in the middle, silence."""

from __future__ import annotations

from service.entries import IntakeEntry, Kind, Origin
from service.errors import AccessError, UnavailableError
from service.ports import Book
from service.reconcile.instant import instant_of
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.desk import file_request
from service.subscriptions.reading import ReadingLimits
from service.subscriptions.records import Request, RequestKind
from service.subscriptions.silence import SilenceLimits
from tests.unit.subscriptions.play import (
    ADELE_INBOX,
    event,
    id_of,
    message,
    walkthrough,
    watching,
)

# --- sweeps ---


async def test_what_no_notification_announced_is_found_by_a_sweep() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.put_item("inbox/id-adele", message("lost"))
    play.tenant.put_item("calendar/id-alex", event("moved"))
    await play.run(keeper)
    assert play.intake.entries == []
    play.clock.advance(900)
    await play.run(keeper)
    assert [one.item for one in play.intake.entries] == ["lost", "moved"]
    assert {one.origin for one in play.intake.entries} == {Origin.SWEEP}


async def test_a_service_that_was_away_sweeps_at_once_inboxes_before_calendars() -> None:
    play = await watching()
    play.tenant.put_item("calendar/id-alex", event("answered"))
    play.tenant.put_item("inbox/id-adele", message("answer"))
    await play.run(play.build_keeper("keeper-2"), seconds=6)
    assert [one.item for one in play.intake.entries] == ["answer", "answered"]


async def test_what_changed_while_a_mailbox_could_not_be_read_does_not_count_as_not_announced() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.failing["inbox/id-adele"] = AccessError("denied", status=403)
    play.clock.advance(900)
    await play.run(keeper)
    play.tenant.put_item("inbox/id-adele", message("meanwhile"))
    del play.tenant.failing["inbox/id-adele"]
    play.clock.advance(900)
    await play.run(keeper)
    play.tenant.put_item("inbox/id-adele", message("later"))
    play.clock.advance(900)
    await play.run(keeper)
    found = [(one.item, one.origin) for one in play.intake.take()]
    assert found == [("meanwhile", Origin.CATCH_UP), ("later", Origin.SWEEP)]


async def test_what_changed_before_a_service_that_was_away_came_back_does_not_count_as_not_announced() -> (
    None
):
    play = await watching()
    play.tenant.put_item("inbox/id-adele", message("meanwhile"))
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.put_item("inbox/id-adele", message("later"))
    play.clock.advance(900)
    await play.run(keeper)
    found = [(one.item, one.origin) for one in play.intake.take()]
    assert found == [("meanwhile", Origin.CATCH_UP), ("later", Origin.SWEEP)]


async def test_what_changed_while_web_was_away_does_not_count_as_not_announced() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.put_item("inbox/id-adele", message("meanwhile"))
    at = instant_of(play.clock.now()).text
    await file_request(play.records, Request(kind=RequestKind.WEB_RETURNED, at=at))
    await play.run(keeper)
    assert [(one.item, one.origin) for one in play.intake.take()] == [("meanwhile", Origin.CATCH_UP)]


async def test_a_sweep_never_feeds_a_calendar_before_the_answers_that_are_in_it() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper, seconds=6)
    for number in range(6):
        play.intake.take()
        play.tenant.put_item("inbox/id-adele", message(f"answer-{number}"))
        play.tenant.put_item("calendar/id-alex", event(f"answered-{number}"))
        for _ in range(100):
            play.clock.advance(9)
            await play.run(keeper, seconds=0.5)
        assert [one.item for one in play.intake.entries] == [f"answer-{number}", f"answered-{number}"]


async def test_a_calendar_waits_for_no_inbox_that_cannot_be_read() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper, seconds=6)
    play.tenant.failing["inbox/id-adele"] = UnavailableError("away", status=503)
    play.tenant.put_item("calendar/id-alex", event("answered"))
    play.clock.advance(900)
    await play.run(keeper, seconds=3)
    assert [one.item for one in play.intake.entries] == ["answered"]


async def test_a_standby_that_takes_over_does_not_sweep_everything() -> None:
    play = await watching()
    leader, standby = play.build_keeper("keeper-2"), play.build_keeper("keeper-3")
    await play.run(leader, seconds=6)
    await standby.tick()
    play.tenant.rounds.clear()
    play.clock.advance(6)
    await play.run(standby)
    assert {resource for resource, _ in play.tenant.rounds} <= {"inbox/id-adele", "calendar/id-alex"}


async def test_an_expired_delta_token_makes_a_full_round() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.put_item("inbox/id-adele", message("m-9"))
    play.tenant.expire_deltas = 2
    play.tenant.rounds.clear()
    play.clock.advance(900)
    await play.run(keeper)
    assert sorted(play.tenant.rounds) == [("calendar/id-alex", True), ("inbox/id-adele", True)]
    assert [(one.item, one.origin) for one in play.intake.take()] == [("m-9", Origin.SWEEP)]


async def test_a_full_round_comes_once_a_day() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    for _ in range(48):
        play.clock.advance(1800)
        await play.run(keeper, seconds=2)
    full = [resource for resource, is_full in play.tenant.rounds if is_full]
    assert (full.count("inbox/id-adele"), full.count("calendar/id-alex")) == (2, 2)


async def test_a_crash_in_the_middle_of_a_round_goes_on_where_it_was() -> None:
    play = walkthrough()
    for number in range(9):
        play.tenant.put_item("inbox/id-adele", message(f"m-{number}", f"2026-11-01T10:0{number}:00Z"))
    await play.add_owner("alex@contoso.com")
    play.options = KeeperOptions(pages_per_turn=2)
    play.tenant.pages_left = 3
    await play.run(play.build_keeper())
    assert '"pages":3' in play.records.books[Book.MAILBOXES]["inbox/id-adele"]
    play.tenant.pages_left = None
    play.tenant.rounds.clear()
    play.clock.advance(10)
    await play.run(play.build_keeper("keeper-2"), seconds=6)
    assert [one.item for one in play.intake.entries] == [f"m-{number}" for number in range(9)]
    assert ("inbox/id-adele", True) not in play.tenant.rounds


async def test_an_intake_that_is_full_loses_nothing() -> None:
    play = walkthrough()
    play.tenant.put_item("inbox/id-adele", message("m-1"))
    play.tenant.put_item("calendar/id-alex", event("e-1"))
    play.intake.fails_left = 3
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper(), seconds=6)
    assert [one.item for one in play.intake.entries] == ["m-1", "e-1"]
    assert (await play.read_status()).is_ready


async def test_silence_is_noticed_and_the_subscription_replaced() -> None:
    options = KeeperOptions(
        reading=ReadingLimits(sweep_interval_s=60, silence=SilenceLimits(after_s=100, slack_s=5))
    )
    play = await watching(options)
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    old = id_of(play, ADELE_INBOX)
    await play.records.write(Book.NOTIFIED, {"of another mailbox": "2026-11-02T08:00:00Z"})
    for number in range(3):
        play.tenant.put_item("inbox/id-adele", message(f"m-{number}"))
        await play.run(keeper, seconds=62)
    assert id_of(play, ADELE_INBOX) != old
    assert [one.is_silent for one in (await play.read_status()).resources] == [False, True]

    play.tenant.put_item("inbox/id-adele", message("m-4"))
    heard = IntakeEntry(
        kind=Kind.MESSAGE,
        origin=Origin.NOTIFICATION,
        mailbox="id-adele",
        subscription=id_of(play, ADELE_INBOX),
        arrived_at=instant_of(play.clock.now()).text,
    )
    await play.heard.note(heard)
    await play.run(keeper, seconds=62)
    assert [one.is_silent for one in (await play.read_status()).resources] == [False, False]


async def test_where_nobody_notes_notifications_silence_means_nothing() -> None:
    options = KeeperOptions(reading=ReadingLimits(sweep_interval_s=60, silence=SilenceLimits(after_s=100)))
    play = await watching(options)
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    before = play.tenant.living()
    for number in range(6):
        play.tenant.put_item("inbox/id-adele", message(f"m-{number}"))
        await play.run(keeper, seconds=62)
    assert play.tenant.living() == before


async def test_a_mailbox_that_is_heard_of_keeps_its_subscription() -> None:
    options = KeeperOptions(reading=ReadingLimits(sweep_interval_s=60, silence=SilenceLimits(after_s=100)))
    play = await watching(options)
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    old = id_of(play, ADELE_INBOX)
    for number in range(6):
        play.tenant.put_item("inbox/id-adele", message(f"m-{number}"))
        entry = IntakeEntry(
            kind=Kind.MESSAGE,
            origin=Origin.NOTIFICATION,
            mailbox="id-adele",
            subscription=old,
            arrived_at=instant_of(play.clock.now()).text,
        )
        await play.heard.note(entry)
        await play.run(keeper, seconds=62)
    assert id_of(play, ADELE_INBOX) == old
