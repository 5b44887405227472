"""Committing to the state of a meeting: epochs, sequences, lifetimes, refusals; on a real server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from service.entries import IntakeEntry, Kind, Origin, parse_entry
from service.errors import ConflictingVersionError, GenerationMissingError, StreamError
from service.ports import OutgoingUpdate, TimerChange
from service.reconcile.model import WHOLE, Address, EventId, InstanceKey, MeetingKey, OwnerKey
from service.streams.state import RedisStateStore
from tests.integration.streams.conftest import (
    MEETING,
    NEXT_MONTH,
    OWNER,
    Streams,
    build_commit,
    list_names,
)
from tests.integration.waiting import wait_until

CHRISTIE = Address("christiec@contoso.com")
TUESDAY = InstanceKey("2026-12-01")


def say(text: str, instance: InstanceKey = WHOLE) -> OutgoingUpdate:
    return OutgoingUpdate(instance=instance, fields={"type": text, "data": "{}"})


def timer(due_at: datetime | None, pair: str = "p") -> TimerChange:
    return TimerChange(instance=WHOLE, attendee=CHRISTIE, due_at=due_at, pair=pair)


async def dump(streams: Streams) -> dict[str, object]:
    """Give every key with its serialized value, so that any change shows."""
    return {name: await _read(streams, name) for name in await list_names(streams)}


async def _read(streams: Streams, name: str) -> object:
    match await streams.link.call("TYPE", name):
        case "hash":
            return await streams.link.call("HGETALL", name)
        case "zset":
            return await streams.link.call("ZRANGE", name, 0, -1, "WITHSCORES")
        case "stream":
            return await streams.link.call("XRANGE", name, "-", "+")
        case _:
            return await streams.link.call("GET", name)


async def test_nothing_is_held_of_a_meeting_before_its_first_commit(streams: Streams) -> None:
    stored = await streams.states.read(OWNER, MEETING)
    assert (stored.fields, stored.version, stored.epoch) == ({}, 0, None)


async def test_what_was_committed_is_read_back(streams: Streams) -> None:
    first = await streams.states.commit(build_commit(set_fields={"a": "1", "b": "", "é": "✓\n"}))
    second = await streams.states.commit(
        build_commit(first.version, set_fields={"a": "2"}, drop_fields=["b", "never there"])
    )
    stored = await streams.states.read(OWNER, MEETING)
    assert stored.fields == {"a": "2", "é": "✓\n"}
    assert (stored.version, stored.epoch) == (second.version, second.epoch)
    assert (second.epoch, second.version > first.version) == (first.epoch, True)


async def test_updates_carry_epoch_sequence_and_id_beside_their_own_fields(streams: Streams) -> None:
    first = await streams.states.commit(build_commit(updates=[say("one"), say("two")]))
    second = await streams.states.commit(build_commit(first.version, updates=[say("three")]))
    assert await streams.published() == [
        {
            "type": text,
            "data": "{}",
            "epoch": str(first.epoch),
            "sequence": f"{number:020}",
            "id": f"{first.epoch}-{number}",
        }
        for number, text in enumerate(["one", "two", "three"], start=1)
    ]
    listed = await streams.updates.list_oldest(streams.keys.updates(0), count=10)
    assert tuple(update.id for update in listed) == first.stream_ids + second.stream_ids


async def test_epoch_is_the_servers_time_in_milliseconds(streams: Streams) -> None:
    seconds, micros = await streams.link.call("TIME")
    before_ms = seconds * 1000 + micros // 1000
    committed = await streams.states.commit(build_commit())
    assert before_ms <= committed.epoch < before_ms + 10_000


async def test_each_source_counts_for_itself(streams: Streams) -> None:
    mixed = [say("a"), say("b", TUESDAY), say("c", TUESDAY), say("d")]
    committed = await streams.states.commit(build_commit(updates=mixed))
    await streams.states.commit(build_commit(committed.version, updates=[say("e", TUESDAY)]))
    numbers = {update["type"]: int(update["sequence"]) for update in await streams.published()}
    assert numbers == {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3}


async def test_sequence_goes_on_beyond_what_a_float_would_shorten(streams: Streams) -> None:
    committed = await streams.states.commit(build_commit(updates=[say("a")]))
    key = streams.keys.meeting(OWNER, MEETING)
    await streams.link.call("HSET", key, "@sequence:", str(10**15))
    await streams.states.commit(build_commit(committed.version, updates=[say("b")]))
    assert (await streams.published())[-1]["sequence"] == "00001000000000000001"


async def test_epochs_rise_even_within_one_millisecond_and_when_the_clock_goes_back(streams: Streams) -> None:
    meetings = [MeetingKey(f"m{number}") for number in range(50)]
    commits = [streams.states.commit(build_commit(meeting=meeting)) for meeting in meetings]
    epochs = [committed.epoch for committed in await asyncio.gather(*commits)]
    assert len(set(epochs)) == len(epochs)
    future = max(epochs) + 10**9
    await streams.link.call("SET", streams.keys.newest(0), str(future))
    assert (await streams.states.commit(build_commit(meeting="late"))).epoch == future + 1


async def test_meeting_born_again_has_a_higher_epoch_and_no_version_of_its_former_life(
    streams: Streams,
) -> None:
    versions = [(first := await streams.states.commit(build_commit(updates=[say("a")]))).version]
    for _ in range(5):
        versions.append((await streams.states.commit(build_commit(versions[-1]))).version)
    ahead = max(versions) + 10**6  # as after more commits than milliseconds
    await streams.link.call("HSET", streams.keys.meeting(OWNER, MEETING), "@version", str(ahead))
    versions.append((await streams.states.commit(build_commit(ahead))).version)
    await streams.states.forget_owner(OWNER, fence=1)
    await streams.states.admit_owner(OWNER, fence=1)
    again = await streams.states.commit(build_commit(updates=[say("a")]))
    assert again.epoch > max(versions) > first.epoch
    assert (await streams.published())[-1]["id"] == f"{again.epoch}-1"


async def test_of_many_concurrent_commits_one_wins_and_the_others_are_told(streams: Streams) -> None:
    born = await streams.states.commit(build_commit())
    results = await asyncio.gather(
        *(
            streams.states.commit(build_commit(born.version, set_fields={"n": str(n)}, updates=[say(str(n))]))
            for n in range(20)
        ),
        return_exceptions=True,
    )
    lost = [result for result in results if isinstance(result, ConflictingVersionError)]
    [winner] = [number for number, result in enumerate(results) if not isinstance(result, BaseException)]
    assert len(lost) == 19
    assert [update["type"] for update in await streams.published()] == [str(winner)]
    assert (await streams.states.read(OWNER, MEETING)).fields == {"n": str(winner)}


async def test_writers_that_join_again_leave_no_gap_and_lose_nothing(streams: Streams) -> None:
    async def add(number: int) -> None:
        while True:
            stored = await streams.states.read(OWNER, MEETING)
            try:
                await streams.states.commit(
                    build_commit(stored.version, set_fields={f"f{number}": "1"}, updates=[say(str(number))])
                )
            except ConflictingVersionError:
                continue
            return

    await asyncio.gather(*(add(number) for number in range(12)))
    published = await streams.published()
    assert [int(update["sequence"]) for update in published] == list(range(1, 13))
    assert {update["type"] for update in published} == {str(number) for number in range(12)}
    assert len((await streams.states.read(OWNER, MEETING)).fields) == 12


async def test_commit_whose_reply_was_lost_is_told_by_the_version_and_not_done_twice(
    streams: Streams,
) -> None:
    commit = build_commit(set_fields={"a": "1"}, updates=[say("once")])
    committed = await streams.states.commit(commit)
    with pytest.raises(ConflictingVersionError):
        await streams.states.commit(commit)
    assert len(await streams.published()) == 1
    assert (await streams.states.read(OWNER, MEETING)).version == committed.version


@pytest.mark.parametrize("is_known", [False, True])
async def test_without_the_generation_nothing_is_written(streams: Streams, is_known: bool) -> None:
    version = (await streams.states.commit(build_commit())).version if is_known else 0
    await streams.link.call("DEL", streams.keys.generation(0))
    before = await dump(streams)
    with pytest.raises(GenerationMissingError):
        await streams.states.commit(
            build_commit(
                version,
                set_fields={"a": "1"},
                updates=[say("a")],
                timers=[timer(NEXT_MONTH)],
                event_ids={EventId("e"): WHOLE},
            )
        )
    assert await dump(streams) == before


@pytest.mark.parametrize("wrong", ["meeting", "updates", "meetings", "due", "due_entries", "newest"])
async def test_foreign_value_under_one_of_our_names_stops_the_commit_before_it_writes(
    streams: Streams, wrong: str
) -> None:
    key = {
        "meeting": streams.keys.meeting(OWNER, MEETING),
        "updates": streams.keys.updates(0),
        "meetings": streams.keys.meetings(OWNER),
        "due": streams.keys.due(0),
        "due_entries": streams.keys.due_entries(0),
        "newest": streams.keys.newest(0),
    }[wrong]
    await streams.link.call("RPUSH", key, "foreign")
    names = await list_names(streams)
    with pytest.raises(StreamError, match=r"WRONGTYPE .* is a list"):
        await streams.states.commit(
            build_commit(set_fields={"a": "1"}, updates=[say("a")], timers=[timer(NEXT_MONTH)])
        )
    assert await list_names(streams) == names
    await streams.link.call("DEL", key)


async def test_meeting_with_500_attendees_and_many_updates_is_one_commit(streams: Streams) -> None:
    fields = {f"row:person{number}@contoso.com": "x" * 200 for number in range(5_000)}
    updates = [say(f"person{number}") for number in range(1_000)]
    timers = [
        TimerChange(instance=WHOLE, attendee=Address(f"p{n}@x"), due_at=NEXT_MONTH, pair="p")
        for n in range(500)
    ]
    events = {EventId(f"event{number}"): InstanceKey(f"i{number}") for number in range(300)}
    committed = await streams.states.commit(
        build_commit(set_fields=fields, updates=updates, timers=timers, event_ids=events)
    )
    assert len(committed.stream_ids) == 1_000
    assert (await streams.states.read(OWNER, MEETING)).fields == fields
    assert await streams.due_list.count() == 500
    gone = await streams.states.commit(build_commit(committed.version, drop_fields=list(fields)))
    stored = await streams.states.read(OWNER, MEETING)
    assert (stored.fields, stored.version) == ({}, gone.version)


@pytest.mark.parametrize("text", ["{a}:b", "}", "a:b", "%7B", "é\n\t\x00", "*", "x" * 5_000, '"\\'])
async def test_odd_texts_are_kept_as_they_are(streams: Streams, text: str) -> None:
    owner, meeting, instance = OwnerKey(f"o{text}"), MeetingKey(f"m{text}"), InstanceKey(text)
    update = OutgoingUpdate(instance=instance, fields={"source": text})
    await streams.states.commit(
        build_commit(
            owner=owner,
            meeting=meeting,
            set_fields={f"f{text}": text},
            updates=[update, update],
            timers=[TimerChange(instance=instance, attendee=Address(text), due_at=NEXT_MONTH, pair=text)],
            event_ids={EventId(text): instance},
        )
    )
    assert (await streams.states.read(owner, meeting)).fields == {f"f{text}": text}
    assert await streams.states.find_event(owner, EventId(text)) == (meeting, instance)
    assert await streams.states.list_meetings(owner) == (meeting,)
    assert [update["source"] for update in await streams.published()] == [text, text]
    assert await streams.intake.release_due(NEXT_MONTH, count=10) == 1
    [due] = await streams.intake.read("c", count=10, block_s=0)
    assert due.fields["attendee"] == due.fields["pair"] == text
    await streams.intake.acknowledge([due.id])
    assert await streams.states.forget_owner(owner, fence=1) == 1


async def test_update_stream_is_bounded_and_the_state_is_not(streams: Streams) -> None:
    states = RedisStateStore(streams.link, streams.keys, stream_entries_max=100)
    version = 0
    for _ in range(6):
        committed = await states.commit(build_commit(version, updates=[say("x" * 50)] * 100))
        version = committed.version
    published = await streams.published()
    assert 100 <= len(published) < 400
    assert int(published[-1]["sequence"]) == 600


async def test_deletion_of_what_was_never_read_is_remembered_for_a_while_and_names_nobody(
    streams: Streams,
) -> None:
    states = RedisStateStore(streams.link, streams.keys, gone_kept_s=60)
    await states.note_gone(OWNER, EventId("e1"))
    assert await states.was_gone(OWNER, EventId("e1"))
    assert not await states.was_gone(OWNER, EventId("e2"))
    assert not await states.was_gone(OwnerKey("other"), EventId("e1"))
    [mark] = [name for name in await list_names(streams) if ":gone:" in name]
    assert OWNER not in mark
    assert 0 < await streams.link.call("PTTL", mark) <= 60_000


# --- Lifetimes ---


async def expiries_ms(streams: Streams) -> dict[str, int]:
    """Give when each key that belongs to the meeting expires, by kind; -1 for never."""
    names = [name for name in await list_names(streams) if f":{OWNER}" in name]
    return {name.split(":")[1]: await streams.link.call("PEXPIRETIME", name) for name in names}


async def test_state_event_ids_and_list_live_as_long_as_the_meeting_is_kept(streams: Streams) -> None:
    await streams.states.commit(build_commit(event_ids={EventId("e"): WHOLE}))
    at = int(NEXT_MONTH.timestamp()) * 1000
    assert await expiries_ms(streams) == {"meeting": at, "event": at, "meetings": at}


async def test_every_event_id_follows_the_lifetime_of_its_meeting(streams: Streams) -> None:
    first = await streams.states.commit(
        build_commit(event_ids={EventId("e1"): WHOLE, EventId("e2"): TUESDAY})
    )
    later = NEXT_MONTH + timedelta(days=7)
    second = await streams.states.commit(
        build_commit(first.version, expires_at=later, event_ids={EventId("e3"): TUESDAY})
    )
    for event in ("e1", "e2", "e3"):
        key = streams.keys.event(OWNER, EventId(event))
        assert await streams.link.call("PEXPIRETIME", key) == int(later.timestamp()) * 1000
    assert await streams.states.find_event(OWNER, EventId("e2")) == (MEETING, TUESDAY)
    third = await streams.states.commit(build_commit(second.version, expires_at=None))
    assert set((await expiries_ms(streams)).values()) == {-1}
    await streams.states.commit(build_commit(third.version, expires_at=later))
    assert set((await expiries_ms(streams)).values()) == {int(later.timestamp()) * 1000}


async def test_list_of_meetings_lives_as_long_as_its_longest(streams: Streams) -> None:
    sooner = NEXT_MONTH - timedelta(days=7)
    await streams.states.commit(build_commit(meeting="a"))
    await streams.states.commit(build_commit(meeting="b", expires_at=sooner))
    at = int(NEXT_MONTH.timestamp()) * 1000
    assert (await expiries_ms(streams))["meetings"] == at
    endless = await streams.states.commit(build_commit(meeting="c", expires_at=None))
    assert (await expiries_ms(streams))["meetings"] == -1
    await streams.states.commit(build_commit(endless.version, meeting="c", expires_at=sooner))
    assert (await expiries_ms(streams))["meetings"] == at


async def test_state_outlives_the_commit_that_wrote_it_however_old_the_meeting_is(streams: Streams) -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)
    committed = await streams.states.commit(build_commit(expires_at=old, event_ids={EventId("e"): WHOLE}))
    day_ms = 86_400_000
    for expires in (await expiries_ms(streams)).values():
        assert committed.epoch + day_ms <= expires < committed.epoch + day_ms + 10_000
    await streams.states.commit(build_commit(committed.version, expires_at=old))
    assert await streams.states.list_meetings(OWNER) == (MEETING,)


async def test_meeting_that_was_forgotten_is_listed_no_more(streams: Streams) -> None:
    states = RedisStateStore(streams.link, streams.keys, state_lifetime_min_s=0.05)
    await states.commit(build_commit(meeting="kept"))
    await states.commit(build_commit(meeting="gone", expires_at=datetime(2020, 1, 1, tzinfo=UTC)))

    async def is_gone() -> bool:
        return await states.list_meetings(OWNER) == ("kept",)

    await wait_until(is_gone)
    assert (await states.read(OWNER, MeetingKey("gone"))).version == 0


# --- Timers, events, names ---


async def test_timer_is_set_replaced_and_ended(streams: Streams) -> None:
    at = NEXT_MONTH
    first = await streams.states.commit(build_commit(timers=[timer(at, "old")]))
    second = await streams.states.commit(build_commit(first.version, timers=[timer(at, "new")]))
    assert await streams.due_list.count() == 1
    assert await streams.intake.release_due(at - timedelta(milliseconds=1), count=10) == 0
    assert await streams.intake.release_due(at, count=10) == 1
    [delivered] = await streams.intake.read("c", count=10, block_s=0)
    assert (
        delivered.fields
        == IntakeEntry(
            kind=Kind.DUE,
            origin=Origin.TIMER,
            arrived_at=at.isoformat().replace("+00:00", "Z"),
            owner=OWNER,
            meeting=MEETING,
            attendee=CHRISTIE,
            pair="new",
        ).to_fields()
    )
    await streams.intake.acknowledge([delivered.id])
    third = await streams.states.commit(build_commit(second.version, timers=[timer(at)]))
    await streams.states.commit(build_commit(third.version, timers=[timer(None)]))
    assert await streams.due_list.count() == 0


async def test_a_look_comes_due_once_as_an_entry_about_the_event_and_is_forgotten_with_the_owner(
    streams: Streams,
) -> None:
    event, at = EventId("AAMk/é="), NEXT_MONTH
    first = await streams.states.commit(build_commit(looks={event: at}))
    second = await streams.states.commit(build_commit(first.version, looks={event: at}))
    assert await streams.intake.release_due(at - timedelta(milliseconds=1), count=10) == 0
    assert await streams.intake.release_due(at, count=10) == 1
    [delivered] = await streams.intake.read("c", count=10, block_s=0)
    assert parse_entry(delivered.fields) == IntakeEntry(
        kind=Kind.EVENT,
        origin=Origin.TIMER,
        arrived_at=at.isoformat().replace("+00:00", "Z"),
        mailbox=OWNER,
        item=event,
    )
    await streams.intake.acknowledge([delivered.id])
    await streams.states.commit(build_commit(second.version, looks={event: at}))
    await streams.states.forget_owner(OWNER, fence=1)
    assert await streams.due_list.count() == 0


async def test_event_that_was_never_committed_is_not_found(streams: Streams) -> None:
    await streams.states.commit(build_commit(event_ids={EventId("AAMk="): WHOLE}))
    assert await streams.states.find_event(OWNER, EventId("aamk=")) is None
    assert await streams.states.find_event(OwnerKey("other"), EventId("AAMk=")) is None
    assert await streams.states.find_event(OWNER, EventId("AAMk=")) == (MEETING, WHOLE)


async def test_names_that_are_ours_to_give_are_refused_before_anything_is_sent(streams: Streams) -> None:
    for commit in (
        build_commit(set_fields={"@version": "9"}),
        build_commit(drop_fields=["@epoch"]),
        build_commit(updates=[OutgoingUpdate(instance=WHOLE, fields={"sequence": "1"})]),
    ):
        with pytest.raises(ValueError, match=r"@|sequence"):
            await streams.states.commit(commit)
    assert await streams.states.list_meetings(OWNER) == ()
