"""The state of meetings in Redis: one hash each, replaced only by who has seen its last version.

The fields are the caller's; those that begin with `@` are ours: version, epoch, sequences, event ids.
Must never write a part of a commit without the rest: all of it happens in `scripts/commit.lua`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from service.entries import IntakeEntry, Kind, Origin
from service.errors import ConflictingVersionError
from service.ports import Commit, Committed, OutgoingUpdate, StoredMeeting, TimerChange
from service.reconcile.model import EventId, InstanceKey, MeetingKey, OwnerKey
from service.streams.forgetting import purge_owner
from service.streams.keys import KeyNames, name_look, name_timer
from service.streams.link import Argument, RedisLink, load_script, to_duration_ms, to_ms

_COMMIT: Final = load_script("commit")
_MARK_OWNER: Final = load_script("mark_owner")
_LIST_MEETINGS: Final = load_script("list_meetings")
_OURS: Final = "@"
_EVENT: Final = "@event:"
_GIVEN_BY_COMMIT: Final = frozenset({"id", "epoch", "sequence"})


class RedisStateStore:
    """Reads and commits the state of meetings; the Redis side of `StateStore`.

    The time in which a commit can be told: when its reply is lost, the version has moved, so a second try
    is refused with `ConflictingVersionError`, and what is read then is what the first one wrote.
    """

    def __init__(
        self,
        link: RedisLink,
        keys: KeyNames,
        *,
        stream_entries_max: int = 1_000_000,
        state_lifetime_min_s: float = 86_400,
        forgotten_kept_s: float = 3600,
        gone_kept_s: float = 14_400,
        seen: Callable[[int], int] = lambda _: 0,
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            stream_entries_max: setting `STREAM_MAXLEN`; older updates are dropped, approximately.
            state_lifetime_min_s: a state lives at least so long by Redis' clock, whatever `expires_at` says,
                so that an entry that is delivered again meets the state which it made.
            forgotten_kept_s: work that was begun before an owner was forgotten is refused for so long.
            gone_kept_s: that an event was not found is remembered for so long.
            seen: gives the highest watermark seen of a partition; nothing is committed to an older state.
        """
        self._link = link
        self._keys = keys
        self._stream_entries_max = stream_entries_max
        self._seen = seen
        self._state_lifetime_min_ms = to_duration_ms(state_lifetime_min_s)
        self._forgotten_kept_ms = to_duration_ms(forgotten_kept_s)
        self._gone_kept_ms = to_duration_ms(gone_kept_s)

    async def read(self, owner: OwnerKey, meeting: MeetingKey) -> StoredMeeting:
        """Give the state.

        Raises:
            StreamError: Redis refused or is away.
        """
        held = await self._read_all(owner, meeting)
        return StoredMeeting(
            fields={name: text for name, text in held.items() if not name.startswith(_OURS)},
            version=int(held.get("@version", 0)),
            epoch=int(held["@epoch"]) if "@epoch" in held else None,
        )

    async def commit(self, commit: Commit) -> Committed:
        """Write state, timers and updates in one atomic step.

        Raises:
            ConflictingVersionError: somebody committed first, or the reply to this very commit was lost.
            GenerationMissingError: the state was lost, or is an older one.
            OwnerForgottenError: the owner was forgotten, and not admitted again.
            StreamError: Redis refused or is away; nothing was written unless the reply was lost.
            ValueError: a field has a name that is ours to give.
        """
        _check_names(commit)
        reply = await self._run_commit(commit, commit.event_ids)
        if reply == ["EVENTS"]:
            reply = await self._run_commit(commit, await self._list_events(commit))
        if reply == ["EVENTS"]:
            raise ConflictingVersionError("event ids were added while the commit was prepared")
        version, epoch, *stream_ids = reply
        return Committed(version=int(version), epoch=int(epoch), stream_ids=tuple(stream_ids))

    async def find_event(self, owner: OwnerKey, event: EventId) -> tuple[MeetingKey, InstanceKey] | None:
        """Tell to which meeting and instance an event id belonged; None where it was never committed.

        Raises:
            StreamError: Redis refused or is away.
        """
        text = await self._link.call("GET", self._keys.event(owner, event))
        if text is None:
            return None
        meeting, instance = msgspec.json.decode(text, type=tuple[str, str])
        return MeetingKey(meeting), InstanceKey(instance)

    async def note_gone(self, owner: OwnerKey, event: EventId) -> None:
        """Remember for a while that an event was not found.

        Raises:
            StreamError: Redis refused or is away.
        """
        await self._link.call("SET", self._keys.gone(owner, event), "1", "PX", self._gone_kept_ms)

    async def was_gone(self, owner: OwnerKey, event: EventId) -> bool:
        """Tell whether `note_gone` was told of the event a while ago.

        Raises:
            StreamError: Redis refused or is away.
        """
        return bool(await self._link.call("EXISTS", self._keys.gone(owner, event)))

    async def list_meetings(self, owner: OwnerKey) -> tuple[MeetingKey, ...]:
        """Give every meeting of the owner that has state, in order.

        Raises:
            StreamError: Redis refused or is away.
        """
        names = await self._link.run(_LIST_MEETINGS, [self._keys.meetings(owner)], [])
        return tuple(sorted(map(MeetingKey, names)))

    async def forget_owner(self, owner: OwnerKey, *, fence: int) -> int:
        """Delete every key of state that names the owner, and the owner's timers and retries.

        From then on commits for this owner are refused, so that work which has begun brings nothing back.
        Intake entries are not touched: worked off, they meet an owner whom nobody watches.

        Args:
            fence: the fencing number under which the caller leads.

        Returns:
            How many meetings there were.

        Raises:
            FencedError: a later leader admitted the owner again, before this began or while it was done.
            StreamError: Redis refused or is away; calling again finishes it.
        """
        await self._mark(owner, "forgotten", fence)
        return await purge_owner(self._link, self._keys, owner)

    async def admit_owner(self, owner: OwnerKey, *, fence: int) -> None:
        """Let commits for an owner be taken again.

        Args:
            fence: the fencing number under which the caller leads.

        Raises:
            FencedError: a later leader has forgotten the owner.
            StreamError: Redis refused or is away.
        """
        await self._mark(owner, "admitted", fence)

    async def _mark(self, owner: OwnerKey, word: str, fence: int) -> None:
        mark = self._keys.forgotten(owner)
        await self._link.run(_MARK_OWNER, [mark], [word, fence, self._forgotten_kept_ms])

    async def _read_all(self, owner: OwnerKey, meeting: MeetingKey) -> dict[str, str]:
        held: dict[str, str] = await self._link.call("HGETALL", self._keys.meeting(owner, meeting))
        return held

    async def _list_events(self, commit: Commit) -> dict[EventId, InstanceKey]:
        """Give the event ids that the state holds, and those of the commit."""
        held = await self._read_all(commit.owner, commit.meeting)
        known = {
            EventId(name.removeprefix(_EVENT)): InstanceKey(instance)
            for name, instance in held.items()
            if name.startswith(_EVENT)
        }
        return {**known, **commit.event_ids}

    async def _run_commit(self, commit: Commit, events: Mapping[EventId, InstanceKey]) -> list[str]:
        names, partition = self._keys, self._keys.partition_of(commit.owner)
        keys = [
            names.generation(partition),
            names.meeting(commit.owner, commit.meeting),
            names.updates(partition),
            names.meetings(commit.owner),
            names.due(partition),
            names.due_entries(partition),
            names.newest(partition),
            names.watermark(partition),
            names.forgotten(commit.owner),
            *(names.event(commit.owner, event) for event in events),
        ]
        arguments: list[Argument] = [
            commit.expected_version,
            self._stream_entries_max,
            "" if commit.expires_at is None else to_ms(commit.expires_at),
            self._state_lifetime_min_ms,
            commit.owner,
            commit.meeting,
            self._seen(partition),
            *_list_changes(commit, events),
        ]
        reply: list[str] = await self._link.run(_COMMIT, keys, arguments)
        return reply


def _check_names(commit: Commit) -> None:
    for name in (*commit.set_fields, *commit.drop_fields):
        if name.startswith(_OURS):
            raise ValueError(f"a field of the state must not begin with {_OURS}: {name}")
    for update in commit.updates:
        if taken := _GIVEN_BY_COMMIT & update.fields.keys():
            raise ValueError(f"the commit gives these fields itself: {sorted(taken)}")


def _list_changes(commit: Commit, events: Mapping[EventId, InstanceKey]) -> Iterator[Argument]:
    """Give the five lists of `commit.lua`, each headed by its length."""
    yield len(commit.set_fields)
    yield from _flatten(commit.set_fields)
    yield len(commit.drop_fields)
    yield from commit.drop_fields
    yield len(commit.updates)
    for update in commit.updates:
        yield from _list_update(update)
    yield len(commit.timers) + len(commit.looks)
    for timer in commit.timers:
        yield from _list_timer(commit, timer)
    for event, due_at in commit.looks.items():
        yield from _list_look(commit, event, due_at)
    yield len(events)
    for event, instance in events.items():
        yield from (event, instance, _to_json((commit.meeting, instance)))


def _list_update(update: OutgoingUpdate) -> Iterator[Argument]:
    yield update.instance
    yield 2 * len(update.fields)
    yield from _flatten(update.fields)


def _list_timer(commit: Commit, timer: TimerChange) -> Iterator[Argument]:
    yield name_timer(commit.owner, commit.meeting, timer.instance, timer.attendee)
    if timer.due_at is None:
        yield from ("", "")
        return
    entry = IntakeEntry(
        kind=Kind.DUE,
        origin=Origin.TIMER,
        arrived_at=_spell(timer.due_at),
        owner=commit.owner,
        meeting=commit.meeting,
        instance=timer.instance,
        attendee=timer.attendee,
        pair=timer.pair,
    )
    yield from (to_ms(timer.due_at), _to_json(entry.to_fields()))


def _list_look(commit: Commit, event: EventId, due_at: datetime) -> Iterator[Argument]:
    entry = IntakeEntry(
        kind=Kind.EVENT, origin=Origin.TIMER, arrived_at=_spell(due_at), mailbox=commit.owner, item=event
    )
    yield from (name_look(commit.owner, event), to_ms(due_at), _to_json(entry.to_fields()))


def _spell(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _flatten(fields: Mapping[str, str]) -> Iterable[str]:
    return (text for item in fields.items() for text in item)


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
