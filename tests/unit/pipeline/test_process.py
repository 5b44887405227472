"""One entry from start to end, with mailboxes and state in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.errors import LookedTooSoonError
from service.pipeline.outcomes import Ending
from service.reconcile.model import Address, OwnerKey
from tests.unit.pipeline.world import ADELE, ALEX, World, message
from tests.unit.reconcile.build import at, event, response, row


async def test_an_answer_whose_meeting_is_not_held_brings_the_meeting_along() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    world.put_message("m1", response("ann", "accepted", 10))
    assert await world.message("m1") is Ending.PUBLISHED
    assert world.states.said() == ["attendee.added ann", "response.changed ann"]


async def test_an_entry_that_was_requeued_is_read_as_if_something_had_been_repaired() -> None:
    world = World()
    await world.message("m1")
    assert world.replays == []
    await world.message("m1", origin=Origin.REPLAY)
    assert world.replays == ["replay"]


async def test_an_answer_to_a_held_meeting_reads_the_message_alone() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    world.put_message("m1", response("ann", "accepted", 10))
    await world.event("e1")
    world.reader.calls.clear()
    assert await world.message("m1") is Ending.PUBLISHED
    assert world.reader.calls == ["message m1"]


def announcement(item: str) -> IntakeEntry:
    return IntakeEntry(kind=Kind.EVENT, origin=Origin.NOTIFICATION, mailbox="owner", item=item)


async def test_an_answer_to_a_meeting_of_nobody_in_the_roster_leaves_nothing_behind() -> None:
    world = World()
    world.put_message("m1", response("ann", "accepted", 10))
    assert await world.message("m1") is Ending.NOT_OURS
    assert world.states.meetings == {}


async def test_an_answer_received_for_an_owner_waits_for_the_meeting() -> None:
    world = World()
    world.put_message("m1", response("ann", "accepted", 10), represented="alex@x")
    assert await world.message("m1") is Ending.JOINED
    world.put_event("e1", event(1, row("ann")))
    assert await world.event("e1") is Ending.PUBLISHED
    assert world.states.said() == ["attendee.added ann", "response.changed ann"]


async def test_a_meeting_that_the_owner_only_attends_is_not_the_owners() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")), is_organizer=False)
    world.put_message("m1", response("ann", "accepted", 10))
    assert await world.event("e1") is Ending.NOT_ORGANIZER
    assert await world.message("m1") is Ending.NOT_OURS
    assert world.states.meetings == {}


@pytest.mark.parametrize("first", ["event", "message"])
async def test_a_meeting_in_a_calendar_without_tally_leaves_nothing_behind(first: str) -> None:
    world = World()
    world.reader.untallied.add("e1")
    world.put_event("e1", event(1, row("ann")))
    world.put_message("m1", response("ann", "accepted", 10), represented="alex@x")
    steps = {"event": lambda: world.event("e1"), "message": lambda: world.message("m1")}
    for step in sorted(steps, key=lambda name: name != first):
        assert await steps[step]() is Ending.NOT_TALLIED
    assert world.states.meetings == {}
    assert world.states.published == []


async def test_an_exception_of_a_series_in_a_calendar_without_tally_leaves_nothing_behind() -> None:
    world = World()
    world.reader.untallied.add("o1")
    world.put_event("o1", event(1, row("ann"), instance="2026-12-01"))
    assert await world.event("o1") is Ending.NOT_TALLIED
    assert world.states.meetings == {}


async def test_in_which_calendar_a_meeting_lies_is_asked_once() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    world.put_message("m1", response("ann", "accepted", 10))
    await world.event("e1")
    world.reader.untallied.add("e1")
    world.put_event("e1", event(2, row("ann", "accepted", 10)))
    assert [await world.message("m1"), await world.event("e1")] == [Ending.PUBLISHED] * 2
    assert world.reader.asked_for_calendar == ["e1"]


@pytest.mark.parametrize("origin", [Origin.BASELINE, Origin.SWEEP, Origin.CATCH_UP])
async def test_of_what_the_primary_calendar_lists_it_is_not_asked_in_which_calendar_it_lies(
    origin: Origin,
) -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    assert await world.event("e1", origin=origin) is Ending.PUBLISHED
    assert world.reader.asked_for_calendar == []


async def test_an_event_that_another_worker_did_not_find_before_it_was_held_is_looked_for_again() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    read_ahead = asyncio.ensure_future(world.processor.fetch(announcement("e1")))
    await read_ahead
    del world.reader.events["owner", "e1"]
    assert await world.event("e1") is Ending.NEVER_KNOWN
    assert (await world.processor.process(announcement("e1"), read_ahead)).ending is Ending.PUBLISHED
    (again,) = world.intake.appended
    assert await world.take(again) is Ending.PUBLISHED
    assert world.states.said() == ["attendee.added ann", "event.deleted"]


async def test_an_event_that_was_not_found_for_a_moment_is_looked_for_once_more_and_stays() -> None:
    world = World()
    assert await world.event("e1") is Ending.NEVER_KNOWN
    world.put_event("e1", event(1, row("ann")))
    assert await world.event("e1") is Ending.PUBLISHED
    (again,) = world.intake.appended
    assert await world.take(again) is Ending.JOINED
    world.put_event("e1", event(2, row("ann", "accepted", 2)))
    assert await world.event("e1") is Ending.PUBLISHED
    assert world.intake.appended == [again]
    assert world.states.said() == ["attendee.added ann", "response.changed ann"]


async def test_an_answer_that_a_later_one_overtook_is_told_as_skipped() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    world.put_message("m1", response("ann", "declined", 20))
    world.put_message("m2", response("ann", "accepted", 10))
    await world.message("m1")
    entry = IntakeEntry(kind=Kind.MESSAGE, origin=Origin.NOTIFICATION, mailbox=ADELE, item="m2")
    processed = await world.processor.process(entry, world.processor.fetch(entry))
    assert (processed.ending, processed.skipped) == (Ending.JOINED, ("superseded",))
    assert (await world.processor.process(entry, world.processor.fetch(entry))).skipped == ()


async def test_of_two_owners_whom_one_inbox_serves_the_organizer_gets_the_answer() -> None:
    other = replace(ALEX, key=OwnerKey("aaron"), aliases=(Address("aaron@x"),))
    world = World(other, ALEX)
    world.put_event("e1", event(1, row("ann")))
    world.put_message("m1", response("ann", "accepted", 10))
    assert await world.message("m1") is Ending.PUBLISHED
    assert {owner for owner, _ in world.states.meetings} == {"owner"}


async def test_ordinary_mail_and_mail_of_strangers_leave_nothing_behind() -> None:
    world = World()
    world.reader.messages[ADELE, "m1"] = None
    assert await world.message("m1") is Ending.NOT_A_RESPONSE
    assert await world.message("m1", mailbox="stranger") is Ending.NOT_WATCHED
    assert await world.event("e1", mailbox="stranger") is Ending.NOT_WATCHED
    assert world.states.meetings == {}


async def test_a_message_that_was_deleted_before_it_was_read_is_no_fault() -> None:
    assert await World().message("m1") is Ending.MESSAGE_GONE


async def test_an_answer_of_nobody_or_to_nothing_is_unmatched() -> None:
    world = World()
    answer = message(response("ann", "accepted", 10))
    world.reader.messages[ADELE, "m1"] = replace(answer, attendee=None)
    world.reader.messages[ADELE, "m2"] = replace(answer, meeting=None)
    assert [await world.message("m1"), await world.message("m2")] == [Ending.UNMATCHED] * 2


async def test_the_smtp_address_behind_a_legacy_one_is_the_attendee() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    legacy = replace(message(response("/o=ex/cn=ann", "accepted", 10)), attendee_smtp=Address("ann"))
    world.reader.messages[ADELE, "m1"] = legacy
    await world.message("m1")
    assert world.states.said()[-1] == "response.changed ann"


async def test_the_organizers_own_account_is_no_attendee() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    world.put_message("m1", response("alex@x", "accepted", 10))
    assert await world.message("m1") is Ending.BY_ORGANIZER


async def test_what_the_baseline_sees_first_is_told_as_snapshot() -> None:
    world = World()
    world.put_event("e1", event(20, row("ann", "accepted", 10)))
    await world.event("e1", origin=Origin.BASELINE)
    assert world.states.said() == ["response.snapshot ann"]


async def test_an_event_that_no_look_finds_is_deleted() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    await world.event("e1")
    world.reader.events.clear()
    assert await world.event("e1") is Ending.PUBLISHED
    assert world.states.said()[-1] == "event.deleted"


async def test_a_missing_id_proves_nothing_while_the_meeting_is_found() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    await world.event("e1")
    world.reader.events.clear()
    world.put_event("e2", event(1, row("ann")))
    assert await world.event("e1") is Ending.JOINED
    assert "event.deleted" not in world.states.said()


async def test_not_found_in_the_second_of_the_last_sight_is_looked_at_again() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann"), seen=1000))
    await world.event("e1")
    world.reader.events.clear()
    with pytest.raises(LookedTooSoonError):
        await world.event("e1")
    world.reader.at = at(1001)
    assert await world.event("e1") is Ending.PUBLISHED


async def test_an_event_never_seen_before_leaves_without_a_trace() -> None:
    assert await World().event("e1") is Ending.NEVER_KNOWN


DAY2 = "2026-03-03"


async def test_an_answer_to_one_occurrence_reads_that_occurrence() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(1, row("ann"), instance=DAY2, place=24))
    world.put_message("m1", response("ann", "declined", 10, instance=DAY2, place=24))
    assert await world.message("m1") is Ending.PUBLISHED
    assert world.states.said() == ["attendee.added ann", "response.changed ann"]
    assert world.states.published[-1]["source"].endswith(f"/instances/{DAY2}")


async def test_an_occurrence_brings_its_series_along() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(5, row("ann", "declined", 4), instance=DAY2, place=24))
    await world.event("day2")
    assert world.states.said() == ["attendee.added ann", "response.changed ann"]


async def test_a_cancelled_occurrence_is_looked_for_in_its_series() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(5, row("ann", "declined", 4), instance=DAY2, place=24))
    await world.event("day2")
    del world.reader.events["owner", "day2"]
    await world.event("day2")
    assert world.states.said()[-1] == "event.deleted"
    assert world.states.published[-1]["source"].endswith(f"/instances/{DAY2}")


async def test_with_the_whole_series_gone_the_series_is_deleted() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(5, row("ann", "declined", 4), instance=DAY2, place=24))
    await world.event("day2")
    world.reader.events.clear()
    await world.event("day2")
    assert world.states.said()[-1] == "event.deleted"
    assert "/instances/" not in world.states.published[-1]["source"]


async def test_a_moved_series_is_read_together_with_its_held_occurrences() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(5, row("ann", "declined", 4), instance=DAY2, place=24))
    await world.event("day2")
    world.put_event("series", event(50, row("ann"), is_series=True, place=1))
    world.put_event("day2", event(50, row("ann"), instance=DAY2, place=25, seen=51))
    await world.event("series")
    assert world.states.said()[2:] == ["event.rescheduled"]


async def test_an_occurrence_that_went_with_the_move_is_looked_for_by_its_date() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(5, row("ann", "declined", 4), instance=DAY2, place=26))
    await world.event("day2")
    del world.reader.events["owner", "day2"]
    world.put_event("series", event(50, row("ann"), is_series=True, place=1))
    world.put_event("day2-again", event(50, row("ann"), instance=DAY2, place=25, seen=51))
    world.reader.calls.clear()
    await world.event("series")
    assert world.reader.calls[:3] == ["event series", "event day2", f"instance {DAY2}"]
    assert world.states.said()[-1] == "event.rescheduled"
    assert "/instances/" not in world.states.published[-1]["source"]


async def test_someone_taken_off_the_series_is_not_added_back_at_an_occurrence() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), row("bob"), is_series=True))
    world.put_event("day2", event(1, row("ann"), row("bob"), instance=DAY2, place=24))
    await world.event("day2")
    world.put_event("series", event(50, row("ann"), is_series=True))
    world.put_event("day2", event(50, row("ann"), instance=DAY2, place=24))
    await world.event("series")
    assert world.states.said() == ["attendee.added ann", "attendee.added bob", "attendee.removed bob"]


async def test_an_occurrence_read_before_its_answered_series_is_not_taken_for_an_exception() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    await world.event("series")
    world.put_event("series", event(10, row("ann", "accepted", 9), is_series=True))
    world.put_event("day2", event(10, row("ann", "accepted", 9), instance=DAY2, place=24))
    await world.event("day2")
    await world.event("series")
    assert [fields["source"] for fields in world.states.published if "/instances/" in fields["source"]] == []


async def test_an_answer_of_someone_not_listed_at_the_occurrence_reads_it_again() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(1, row("ann"), instance=DAY2, place=24))
    await world.event("day2")
    world.put_event("day2", event(20, row("ann"), row("eve"), instance=DAY2, place=24))
    world.put_message("m1", response("eve", "accepted", 30, instance=DAY2, place=24))
    await world.message("m1")
    assert world.states.said()[1:] == ["attendee.added eve", "response.changed eve"]


async def test_a_timer_acts_only_while_its_pair_stands() -> None:
    world = World()
    world.put_event("e1", event(20, row("ann", "accepted", 5)))
    world.put_message("m1", response("ann", "declined", 30))
    await world.message("m1")
    timer = world.states.commits[-1].timers[0]
    due = IntakeEntry(
        kind=Kind.DUE,
        origin=Origin.TIMER,
        owner="owner",
        meeting="meeting",
        attendee=timer.attendee,
        pair=timer.pair,
    )
    assert await world.take(due) is Ending.PUBLISHED
    assert world.states.said()[-1] == "response.conflicting ann"
    assert await world.take(due) is Ending.TIMER_STALE
    assert await world.take(replace(due, pair="{")) is Ending.TIMER_STALE


async def test_a_lost_race_is_joined_again() -> None:
    world = World()
    world.states.races = 3
    world.put_event("e1", event(1, row("ann")))
    assert await world.event("e1") is Ending.PUBLISHED
    assert world.states.said() == ["attendee.added ann"]


async def test_an_answer_costs_two_readings_of_the_state_and_one_more_for_each_lost_race() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    await world.event("e1")
    world.put_message("m1", response("ann", "accepted", 5))
    world.states.races, before = 2, world.states.reads
    assert await world.message("m1") is Ending.PUBLISHED
    assert world.states.reads - before == 2 + 2


async def test_lifecycle_notifications_go_to_the_desk() -> None:
    world = World()
    entry = IntakeEntry(kind=Kind.LIFECYCLE, origin=Origin.NOTIFICATION, lifecycle="missed")
    assert await world.take(entry) is Ending.LIFECYCLE
    assert world.desk.entries == [entry]
