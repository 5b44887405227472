"""Meetings as the page shows them: found by words, each with its attendees and every story. Only reads.

What REDACT hides from the stream is hidden here too; what was hidden can still be found by the whole of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from service.cloud_events import Redacted, Redactor, build_source
from service.errors import CommandError
from service.ports import Book, Records, StateStore
from service.reconcile.explain import explain
from service.reconcile.matching import normalize_address, parse_ical_uid
from service.reconcile.model import WHOLE, EventId, MeetingKey, OwnerKey
from service.reconcile.state import decode_state
from service.roster import WatchedOwner, decode_watched_owner
from service.streams.keys import KeyNames
from service.subscriptions.ledger import decode_book
from service.views.attendance import describe_attendance
from service.views.published import UpdateReader, search_published, select_story
from service.views.story import describe_story

Shown = dict[str, Any]
_Answer = TypeVar("_Answer")
_TOGETHER: Final = 16
_ID_CHARACTERS_MIN: Final = 20
"""Words shorter than this, or with a space, are no id."""
_ADDRESSES: Final = frozenset(
    {"address", "name", "alias", "person", "owner", "ownerName", "mailbox", "internetMessageId"}
)
_SUBJECTS: Final = frozenset({"subject"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingLimits:
    """What a page may cost.

    Attributes:
        rows_max: meetings listed.
        looked_at_max: meetings that one search looks at.
        search_s: for one search.
        updates_max: updates in which a story looks for its own.
    """

    rows_max: int = 500
    looked_at_max: int = 2_000
    search_s: float = 5.0
    updates_max: int = 100_000


class Meetings:
    """Finds and describes meetings. Every method raises `StreamError`."""

    def __init__(
        self,
        *,
        states: StateStore,
        records: Records,
        updates: UpdateReader,
        keys: KeyNames,
        redactor: Redactor,
        tolerance_ns: int,
        limits: MeetingLimits,
    ) -> None:
        self._states = states
        self._records = records
        self._updates = updates
        self._keys = keys
        self._redactor = redactor
        self._tolerance_ns = tolerance_ns
        self._limits = limits

    async def search(self, words: str) -> Shown:
        """Give the meetings that hold all these words, the latest start first; all of them without words.

        Looked at are key, subject, owner and attendees; a search that takes too long gives what it found.
        """
        rows: list[Shown] = []
        looked_at, total = 0, 0
        is_whole = True
        words = words.strip()
        try:
            async with asyncio.timeout(self._limits.search_s):
                known, is_named = await self._list_known(words)
                total = len(known)
                taken = known[: self._limits.looked_at_max]
                for start in range(0, len(taken), _TOGETHER):
                    part = taken[start : start + _TOGETHER]
                    found = await asyncio.gather(
                        *(self._look_at(*one, "" if is_named else words) for one in part)
                    )
                    looked_at += len(part)
                    rows += [row for each in found for row in each]
        except TimeoutError:
            is_whole = False
        rows.sort(key=lambda row: row["start"] or "", reverse=True)
        return {
            "meetings": rows[: self._limits.rows_max],
            "found": len(rows),
            "lookedAt": looked_at,
            "total": total,
            "complete": is_whole and looked_at == total,
        }

    async def describe(self, owner_key: str, meeting_key: str) -> Shown:
        """Give a meeting with its attendees in each instance, and the story of every answer.

        Raises:
            CommandError: nothing is held of it.
        """
        owner = (await self._read_owners()).get(OwnerKey(owner_key))
        if owner is None:
            raise CommandError("No such owner is watched.")
        meeting = MeetingKey(meeting_key)
        stored = await self._states.read(owner.key, meeting)
        if not stored.fields:
            raise CommandError("Nothing is held of that meeting: it may have been forgotten.")
        state = decode_state(stored.fields)
        search = await search_published(
            self._updates,
            self._keys.updates(self._keys.partition_of(owner.key)),
            source=build_source(owner.key, meeting, WHOLE),
            epoch=stored.epoch,
            entries_max=self._limits.updates_max,
        )
        shown = {
            "ownerKey": owner.key,
            "owner": owner.address,
            "ownerName": owner.name,
            "meeting": meeting,
            "epoch": stored.epoch,
            "instances": describe_attendance(state.facts, tolerance_ns=self._tolerance_ns),
            "stories": [
                describe_story(
                    story,
                    select_story(search.found, self._redactor.apply(Redacted.ADDRESSES, story.person)),
                )
                for story in explain(state, tolerance_ns=self._tolerance_ns)
            ],
        }
        redacted: Shown = self._redact(shown)
        return redacted

    async def _read_owners(self) -> Mapping[OwnerKey, WatchedOwner]:
        owners = decode_book(await self._records.read_all(Book.OWNERS), decode_watched_owner)
        return {OwnerKey(key): owner for key, owner in owners.items()}

    async def _list_known(self, words: str) -> tuple[Sequence[tuple[WatchedOwner, MeetingKey]], bool]:
        """Give every meeting held; where the words are an id, those that it names alone, and True."""
        owners = list((await self._read_owners()).values())
        lists = await _ask_each(owners, lambda owner: self._states.list_meetings(owner.key))
        known = [(owner, meeting) for owner, held in zip(owners, lists, strict=True) for meeting in held]
        if len(words) < _ID_CHARACTERS_MIN or " " in words:
            return known, False
        uid = parse_ical_uid(words).meeting.casefold()
        named = [(owner, meeting) for owner, meeting in known if meeting.casefold() == uid]
        if not named:
            events = await _ask_each(owners, lambda owner: self._states.find_event(owner.key, EventId(words)))
            found = zip(owners, events, strict=True)
            named = [(owner, event[0]) for owner, event in found if event is not None]
        return (named, True) if named else (known, False)

    async def _look_at(self, owner: WatchedOwner, meeting: MeetingKey, words: str) -> list[Shown]:
        """Give the row of a meeting that holds all these words; no words, no condition."""
        stored = await self._states.read(owner.key, meeting)
        wanted = words.casefold().split()
        around = f"{meeting} {owner.address} {owner.name} private"
        if not self._redactor.what and not _may_hold(stored.fields, around, wanted):
            return []
        instances = describe_attendance(decode_state(stored.fields).facts, tolerance_ns=self._tolerance_ns)
        if not instances:
            return []
        shown = [self._redact({**one, "owner": owner.address, "ownerName": owner.name}) for one in instances]
        text = " ".join(_list_texts(meeting, shown)).casefold()
        is_found = all(word in text for word in wanted) or self._is_hidden_in(text, words)
        return _summarize(owner, meeting, shown) if is_found else []

    def _is_hidden_in(self, text: str, words: str) -> bool:
        """Tell whether what was searched for stands there as its digest."""
        if not words.strip() or not self._redactor.what:
            return False
        digests = (
            self._redactor.apply(Redacted.ADDRESSES, normalize_address(words)),
            self._redactor.apply(Redacted.SUBJECT, words.strip()),
        )
        return any(digest and digest.casefold() in text for digest in digests)

    def _redact(self, node: Any, name: str = "") -> Any:
        """Replace what REDACT names, wherever it stands."""
        if not self._redactor.what:
            return node
        if isinstance(node, dict):
            return {key: self._redact(value, key) for key, value in node.items()}
        if isinstance(node, list):
            return [self._redact(each, name) for each in node]
        if isinstance(node, str) and name in _ADDRESSES:
            return self._redactor.apply(Redacted.ADDRESSES, node)
        if isinstance(node, str) and name in _SUBJECTS:
            return self._redactor.apply(Redacted.SUBJECT, node)
        return node


def _may_hold(fields: Mapping[str, str], around: str, wanted: Sequence[str]) -> bool:
    """Tell, without reading a state, whether it may hold these words: most states need not be read then.

    A word that JSON writes otherwise is taken to be there.
    """
    text = " ".join((around, *fields, *fields.values())).casefold()
    return all(word in text or '"' in word or "\\" in word for word in wanted)


async def _ask_each(
    owners: Sequence[WatchedOwner], ask: Callable[[WatchedOwner], Awaitable[_Answer]]
) -> list[_Answer]:
    """Ask something of every owner, a few at a time; gives the answers in their order."""
    found: list[_Answer] = []
    for start in range(0, len(owners), _TOGETHER):
        found += await asyncio.gather(*(ask(owner) for owner in owners[start : start + _TOGETHER]))
    return found


def _list_texts(meeting: MeetingKey, shown: Sequence[Shown]) -> list[str]:
    texts: list[str] = [meeting]
    for one in shown:
        texts += [one["owner"], one["ownerName"], one["subject"] or "private", one["start"]["dateTime"]]
        texts += [text for each in one["attendees"] for text in (each["address"], each["name"])]
    return [text for text in texts if text]


def _summarize(owner: WatchedOwner, meeting: MeetingKey, shown: Sequence[Shown]) -> list[Shown]:
    """Give one row per meeting: that of the whole; of the first occurrence where the series was not read."""
    one = shown[0]
    standings = [each["standing"] for every in shown for each in every["attendees"]]
    return [
        {
            "ownerKey": owner.key,
            "owner": one["owner"],
            "ownerName": one["ownerName"],
            "meeting": meeting,
            "subject": one["subject"],
            "start": one["start"]["dateTime"],
            "timeZone": one["start"]["timeZone"],
            "ending": one["ending"],
            "tally": one["tally"],
            "instances": len(shown),
            "conflicting": standings.count("conflicting"),
            "overdue": sum(each["overdue"] for every in shown for each in every["attendees"]),
        }
    ]
