"""A crash between any two steps: what a worker was doing is repeated, and nothing is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.errors import ConflictingVersionError
from service.ports import Delivered, OutgoingUpdate, TimerChange
from service.reconcile.model import WHOLE, Address, EventId
from service.streams.link import Argument, RedisLink, Script
from tests.integration.streams.conftest import MEETING, OWNER, Streams, build_commit

NOW = datetime(2026, 11, 24, 5, 16, 48, tzinfo=UTC)
ENTRY = IntakeEntry(kind=Kind.EVENT, origin=Origin.NOTIFICATION, mailbox=OWNER, item="AAMk=")
RETRY = IntakeEntry(kind=Kind.EVENT, origin=Origin.NOTIFICATION, mailbox=OWNER, item="AAMk=", attempt="1")


class CrashError(Exception):
    """The process ends here."""


class CrashingLink(RedisLink):
    """A link whose process ends at its n-th step: before the step, or after it and before the reply."""

    def __init__(self, link: RedisLink, *, steps: int, is_done: bool) -> None:
        super().__init__(link.client)
        self.steps_left = steps
        self._is_done = is_done

    async def call(self, *command: Argument) -> Any:
        return await self._step(lambda: RedisLink.call(self, *command))

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        return await self._step(lambda: RedisLink.run(self, script, keys, arguments))

    async def _step(self, act: Callable[[], Awaitable[Any]]) -> Any:
        if self.steps_left < 0:
            raise AssertionError("a process that has ended does nothing more")
        if self.steps_left == 0:
            self.steps_left -= 1
            if self._is_done:
                await act()
            raise CrashError
        self.steps_left -= 1
        return await act()


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a worker does with an entry, and in how many steps."""

    steps: int
    act: Callable[[Streams, Delivered], Awaitable[object]]


STORIES = {
    "defer": Story(steps=2, act=lambda worker, entry: worker.intake.defer(entry, RETRY, due_at=NOW)),
    "dead letter": Story(
        steps=2, act=lambda worker, entry: worker.intake.dead_letter(entry, reason="r", detail="d", at=NOW)
    ),
    "acknowledge": Story(steps=1, act=lambda worker, entry: worker.intake.acknowledge([entry.id])),
}


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("name", "steps"), [(name, step) for name, story in STORIES.items() for step in range(story.steps)]
)
async def test_entry_is_done_or_found_again_wherever_the_worker_ends(
    streams: Streams, name: str, steps: int, is_done: bool
) -> None:
    await streams.intake.append([ENTRY])
    [delivered] = await streams.intake.read("dying", count=1, block_s=0)
    dying = Streams(link=CrashingLink(streams.link, steps=steps, is_done=is_done), keys=streams.keys)
    with pytest.raises(CrashError):
        await STORIES[name].act(dying, delivered)

    claimed = await streams.intake.claim("next", idle_s=0, count=10)
    is_last_step_done = is_done and steps == STORIES[name].steps - 1
    assert [entry.id for entry in claimed] == ([] if is_last_step_done else [delivered.id])
    for entry in claimed:
        await STORIES[name].act(streams, entry)
    due = await streams.due_list.count()
    letters = await streams.dead_letters.read()
    assert due == (name == "defer")
    assert {letter.fields["dead_entry"] for letter in letters} == (
        {delivered.id} if name == "dead letter" else set()
    )


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("steps", range(3))
async def test_what_is_due_reaches_the_intake_wherever_the_worker_ends(
    streams: Streams, steps: int, is_done: bool
) -> None:
    await streams.due_list.put_off("1-0", RETRY, NOW)
    dying = Streams(link=CrashingLink(streams.link, steps=steps, is_done=is_done), keys=streams.keys)
    with pytest.raises(CrashError):
        await dying.intake.release_due(NOW, count=10)
    later = datetime.fromtimestamp(NOW.timestamp() + 61, UTC)
    await streams.intake.release_due(later, count=10)
    delivered = await streams.intake.read("c", count=10, block_s=0)
    assert [entry.fields for entry in delivered][:1] == [RETRY.to_fields()]
    assert len(delivered) <= 2, "at least once, and not again and again"
    assert await streams.due_list.count() == 0
    await streams.intake.acknowledge([entry.id for entry in delivered])


async def test_what_another_worker_took_is_left_to_it_for_a_while(streams: Streams) -> None:
    await streams.due_list.put_off("1-0", RETRY, NOW)
    dying = Streams(link=CrashingLink(streams.link, steps=1, is_done=False), keys=streams.keys)
    with pytest.raises(CrashError):
        await dying.intake.release_due(NOW, count=10)
    soon = datetime.fromtimestamp(NOW.timestamp() + 59, UTC)
    assert await streams.intake.release_due(soon, count=10) == 0
    assert await streams.due_list.count() == 1


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
async def test_commit_whose_worker_ends_is_whole_or_not_there(streams: Streams, is_done: bool) -> None:
    commit = build_commit(
        set_fields={"a": "1"},
        updates=[OutgoingUpdate(instance=WHOLE, fields={"type": "x"})],
        timers=[TimerChange(instance=WHOLE, attendee=Address("a@b"), due_at=NOW, pair="p")],
        event_ids={EventId("e"): WHOLE},
    )
    dying = Streams(link=CrashingLink(streams.link, steps=0, is_done=is_done), keys=streams.keys)
    with pytest.raises(CrashError):
        await dying.states.commit(commit)
    stored = await streams.states.read(OWNER, MEETING)
    assert (stored.version > 0) == is_done
    if is_done:
        with pytest.raises(ConflictingVersionError):
            await streams.states.commit(commit)
    else:
        await streams.states.commit(commit)
    assert (await streams.states.read(OWNER, MEETING)).fields == {"a": "1"}
    assert [update["sequence"] for update in await streams.published()] == [f"{1:020}"]
    assert await streams.due_list.count() == 1
    assert await streams.states.find_event(OWNER, EventId("e")) == (MEETING, WHOLE)


@pytest.mark.parametrize("steps", range(12))
async def test_forgetting_an_owner_can_be_finished_wherever_it_stopped(streams: Streams, steps: int) -> None:
    for meeting in ("m1", "m2"):
        await streams.states.commit(
            build_commit(
                meeting=meeting,
                event_ids={EventId(meeting): WHOLE},
                timers=[TimerChange(instance=WHOLE, attendee=Address("a@b"), due_at=NOW, pair="p")],
            )
        )
    dying = Streams(link=CrashingLink(streams.link, steps=steps, is_done=True), keys=streams.keys)
    try:
        await dying.states.forget_owner(OWNER, fence=1)
    except CrashError:
        await streams.states.forget_owner(OWNER, fence=1)
    assert await streams.intake.release_due(NOW, count=10) == 0, "no timer is left"
    assert await streams.due_list.count() == 0
    assert await streams.link.call("KEYS", f"*{streams.keys.stream}*:{OWNER}*") == []
