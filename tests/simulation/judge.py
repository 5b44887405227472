"""What must hold when all has calmed down. Takes nothing from the service but its stream and its keys.

What people did comes from their own account, what stands in calendars from the sandbox's world, and what
must be derived from the facts that were committed from the slow reference.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final

from service.entries import IntakeEntry, Kind, Origin
from service.reconcile.model import WHOLE, Address, InstanceKey
from service.reconcile.zones import find_zone
from service.sandbox.items import Event
from service.streams.keys import KEYS, Lifetime
from tests.reference.consumer import Entry, Fold, fold_stream, parse_entry
from tests.reference.derivation import derive
from tests.reference.promises import (
    assert_consecutive_values_differ,
    assert_fold_is_derived,
    assert_no_message_replaces_a_later_answer,
)
from tests.schema import check_entries
from tests.simulation.deeds import Deeds, Given, Meeting
from tests.simulation.people import People
from tests.simulation.processes import TOLERANCE_S, Surroundings

REREADING_S: Final = 120.0
ANSWERS: Final = frozenset({"accepted", "tentativelyAccepted", "declined"})


class Judge:
    """Judges one history."""

    def __init__(
        self, around: Surroundings, people: People, deeds: Deeds, *, last_epochs: Mapping[str, int]
    ) -> None:
        """Take everything in.

        Args:
            last_epochs: of each source, before Redis last lost everything; empty where it did not.
        """
        self._around = around
        self._last_epochs = last_epochs
        self._server = around.server
        self._tenant = around.tenant
        self._people = people
        self._deeds = deeds

    # --- everything that can be read, once more ---

    async def read_all_again(self) -> None:
        """Announce every message and every event anew: what was not missed changes nothing."""
        before = len(self._server.read_stream(self._around.keys.updates(0)))
        entries = [*self._list_messages(), *self._list_events()]
        for entry in entries:
            self._server.ask("XADD", self._around.keys.intake, "*", *_flatten(entry))
        self._server.grew.set()
        await asyncio.sleep(REREADING_S)
        after = self._server.read_stream(self._around.keys.updates(0))
        told = [
            f"{fields['type']} {fields['source'][-60:]} {fields.get('subject')}"
            for _, fields in after[before:]
        ]
        assert not told, f"a second reading of everything told something new: {told}"

    def _list_messages(self) -> Iterator[IntakeEntry]:
        for user in self._find_readers():
            box = self._tenant.world.mailbox(user)
            for message in box.folder_messages(box.find_folder("inbox")):
                yield _announce(Kind.MESSAGE, user, message.id)

    def _list_events(self) -> Iterator[IntakeEntry]:
        for owner in self._people.owners:
            for event in self._tenant.world.mailbox(owner.id).events.values():
                yield _announce(Kind.EVENT, owner.id, event.id)

    def _find_readers(self) -> list[str]:
        """Give who must be read for the owners, by the delivery option of each."""
        readers: dict[str, None] = {}
        for owner in self._people.owners:
            helpers = [user.id for user in self._tenant.world.delegates_of(owner)]
            readers |= dict.fromkeys(helpers)
            if not helpers or owner.delivery != "sendToDelegateOnly":
                readers[owner.id] = None
        return list(readers)

    # --- the end ---

    def judge(self) -> int:
        """Judge everything; gives how many updates there were.

        Raises:
            AssertionError: with the first thing that is wrong.
        """
        raw = [fields for _, fields in self._server.read_stream(self._around.keys.updates(0))]
        check_entries(raw)
        assert len({(one["source"], one["id"]) for one in raw}) == len(raw), "an id came twice"
        late = [one["source"] for one in raw if int(one["epoch"]) <= self._last_epochs.get(one["source"], 0)]
        assert not late, f"epochs did not rise after the loss: {late}"
        self._judge_what_waits()
        self._judge_keys()
        self._judge_subscriptions()
        entries = [parse_entry(fields, _find_zone) for fields in raw]
        folds = fold_stream(entries)
        self._judge_derivation(folds, entries)
        for meeting in self._deeds.meetings:
            self._judge_meeting(meeting, folds, entries)
        return len(raw)

    def list_told(self) -> str:
        """Give the stream without epochs and ids, which hold Redis' own time."""
        entries = self._server.read_stream(self._around.keys.updates(0))
        names = ("source", "sequence", "type", "subject", "time", "data")
        return "\n".join(" ".join(fields.get(name, "-") for name in names) for _, fields in entries)

    def _judge_what_waits(self) -> None:
        keys = self._around.keys
        assert self._server.ask("XLEN", keys.intake) == 0, "entries are left on the intake stream"
        due = self._server.ask("ZRANGE", keys.due(0), 0, -1)
        assert not due, f"entries wait in the due list: {due}"
        dead = [fields for _, fields in self._server.read_stream(keys.dead)]
        assert not dead, f"dead letters: {dead}"

    def _judge_keys(self) -> None:
        keys = self._around.keys
        for name in self._server.list_keys():
            kinds = [key for key in KEYS if key.matches(name, keys.stream, keys.partitions)]
            assert len(kinds) == 1, f"{name} is none of the documented keys"
            assert self._server.ask("TYPE", name) == kinds[0].type, name
            must_end = kinds[0].lifetime in (Lifetime.MEETING, Lifetime.LEASE)
            assert (self._server.ask("PTTL", name) > 0) == must_end, f"lifetime of {name}"

    def _judge_subscriptions(self) -> None:
        wanted = [("message", user) for user in self._find_readers()]
        wanted += [("event", owner.id) for owner in self._people.owners]
        self._tenant.book.drop_expired(self._tenant.clock.now())
        held = [(one.watch.kind, one.watch.user_id) for one in self._tenant.book.list_all()]
        assert sorted(held) == sorted(wanted), f"subscriptions {sorted(held)}, wanted {sorted(wanted)}"

    def _judge_derivation(self, folds: Mapping[tuple[str, str], Fold], entries: list[Entry]) -> None:
        """Promises (a), (b) and (d), against the slow reference."""
        for owner, key in self._around.facts.meetings():
            facts = self._around.facts.of((owner, key))
            derived = derive(facts, tolerance_s=TOLERANCE_S)
            fold = folds.get((owner, key), Fold())
            try:
                assert_fold_is_derived(fold, derived)
                assert_consecutive_values_differ(fold.told)
                assert_no_message_replaces_a_later_answer(fold.told, TOLERANCE_S)
            except AssertionError as error:
                raise AssertionError(f"{self._name(owner, key)}: {error}") from error

    def _name(self, owner: str, key: str) -> str:
        names = [one.name for one in self._deeds.meetings if one.owner.id == owner and key_of(one) == key]
        return names[0] if names else f"{owner} {key}"

    # --- against the calendar, and against what people did ---

    def _judge_meeting(
        self, meeting: Meeting, folds: Mapping[tuple[str, str], Fold], entries: list[Entry]
    ) -> None:
        fold = folds.get((meeting.owner.id, key_of(meeting)), Fold())
        event = self._tenant.world.mailbox(meeting.owner.id).events.get(meeting.id)
        if event is None or event.is_cancelled:
            assert not fold.people(WHOLE), f"{meeting.name} is over, but people are there"
            return
        rows = {_normal(row.person.address): row for row in event.attendees}
        beliefs = self._tenant.world.beliefs
        if beliefs.legacy_dn:
            return
        assert set(fold.people(WHOLE)) == set(rows), f"{meeting.name}: {sorted(fold.people(WHOLE))}"
        self._judge_witnesses(meeting, event, entries)
        for given in _last_given(meeting):
            self._judge_given(meeting, event, given, fold)

    def _judge_witnesses(self, meeting: Meeting, event: Event, entries: list[Entry]) -> None:
        """The calendar that the last entry of everybody shows is the calendar."""
        if meeting.moved_at is not None and not self._tenant.world.beliefs.reset_on_reschedule:
            return
        for row in event.attendees:
            address = _normal(row.person.address)
            said = [
                entry
                for entry in entries
                if entry.owner == meeting.owner.id
                and entry.meeting == key_of(meeting)
                and entry.said.instance == WHOLE
                and entry.said.attendee == address
            ]
            assert said, f"{meeting.name}: {address} was never spoken of"
            if row.status.response not in ANSWERS:
                continue
            shown = said[-1].data["witnesses"]["event"]
            assert shown is not None, f"{meeting.name}: {address}: the event was not seen"
            assert shown["response"] == row.status.response, (
                f"{meeting.name}: {address}: told {shown['response']}, calendar {row.status.response}"
            )

    def _judge_given(self, meeting: Meeting, event: Event, given: Given, fold: Fold) -> None:
        """The last answer of everybody is what is held of them, where nothing came between."""
        world = self._tenant.world
        is_outside = world.directory.is_external(given.who.address) and world.beliefs.external_not_tallied
        if (is_outside and self._deeds.has_lost_messages) or given.who.id in meeting.unlisted:
            return
        if world.beliefs.clock_skew_s or _is_crowded(meeting, given):
            return
        if meeting.moved_at is not None or (self._last_epochs and meeting.is_series):
            return
        day = InstanceKey(WHOLE if given.day is None else str(given.day))
        if fold.is_over(day):
            return
        held = fold.people(day).get(_normal(given.who.address))
        value = None if held is None else str(held.value)
        assert value == given.value, (
            f"{meeting.name} {day}: {given.who.name} said {given.value}, held {value}"
        )


def _last_given(meeting: Meeting) -> list[Given]:
    last = {(given.who.id, given.day): given for given in meeting.given}
    return list(last.values())


def _is_crowded(meeting: Meeting, given: Given) -> bool:
    """Tell whether another answer of the same person lies within the tolerance."""
    others = [one for one in meeting.given if one.who is given.who and one is not given]
    return any(abs((one.at - given.at).total_seconds()) <= TOLERANCE_S + 1 for one in others)


def key_of(meeting: Meeting) -> str:
    """Give the cleaned global object id in hex."""
    raw = bytearray(bytes.fromhex(meeting.ical_uid))
    raw[16:20] = bytes(4)
    return raw.hex().upper()


def _normal(address: str) -> Address:
    return Address(address.casefold())


def _announce(kind: Kind, mailbox: str, item: str) -> IntakeEntry:
    return IntakeEntry(kind=kind, origin=Origin.SWEEP, mailbox=mailbox, item=item)


def _flatten(entry: IntakeEntry) -> list[str]:
    return [text for pair in entry.to_fields().items() for text in pair]


def _find_zone(name: str) -> Any:
    zone = find_zone(name)
    assert zone is not None, name
    return zone
