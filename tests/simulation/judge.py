"""What must hold when all has calmed down. Takes nothing from the service but its stream and its keys.

What people did comes from their own account, what stands in calendars from the sandbox's world, and what
must be derived from the facts that were committed from the slow reference.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from service.entries import IntakeEntry, Kind, Origin
from service.intake.client_state import ResourceKind
from service.reconcile.model import WHOLE, Address, InstanceKey, OwnerKey
from service.reconcile.state import decode_state
from service.reconcile.zones import find_zone
from service.sandbox.extended import MeetingUid
from service.sandbox.items import Event, Message
from service.streams.keys import KEYS, Lifetime
from service.streams.link import to_ms
from tests.reference.consumer import Entry, Fold, fold_stream, parse_entry
from tests.reference.derivation import derive
from tests.reference.promises import (
    assert_consecutive_values_differ,
    assert_fold_is_derived,
    assert_no_message_replaces_a_later_answer,
)
from tests.schema import check_entries
from tests.simulation.allowances import is_in_a_view, list_revived
from tests.simulation.deeds import READ_BACK, Deeds, Given, Meeting
from tests.simulation.operator import Operator
from tests.simulation.people import People
from tests.simulation.processes import TOLERANCE_S, Surroundings

REREADING_S: Final = 120.0
ANSWERS: Final = frozenset({"accepted", "tentativelyAccepted", "declined"})


class Judge:
    """Judges one history."""

    def __init__(
        self,
        around: Surroundings,
        people: People,
        deeds: Deeds,
        operator: Operator,
        *,
        last_epochs: Mapping[str, int],
        born_again_from: Sequence[int],
    ) -> None:
        """Take everything in.

        Args:
            last_epochs: of each source, before Redis last lost something; empty where it did not.
            born_again_from: how many updates stood on each partition's stream when the state was begun after
                that; empty where it was not.
        """
        self._around = around
        self._last_epochs = last_epochs
        self._born_again_from = born_again_from
        self._server = around.server
        self._tenant = around.tenant
        self._people = people
        self._deeds = deeds
        self._operator = operator
        self._held: set[str] = set()
        self._lives: set[tuple[str, str, str]] = set()
        self._reads_all = around.messages is ResourceKind.MAILBOX_MESSAGES

    # --- everything that can be read, once more ---

    async def read_all_again(self) -> None:
        """Announce every message and every event anew: what was not missed changes nothing."""
        self._held = {
            one.ical_uid
            for one in self._deeds.meetings
            if self._has_state(one) and not self._is_out_of_sight(one)
        }
        before = {(one["source"], one["id"]) for one in self._server.read_updates()}
        entries = [*self._list_messages(), *self._list_events()]
        intake = self._around.keys.intake
        self._server.ask_all([("XADD", intake, "*", *_flatten(entry)) for entry in entries])
        self._server.grew.set()
        await asyncio.sleep(REREADING_S)
        await self._server.wait_until_idle()
        told = [
            f"{fields['type']} {fields['source'][-60:]} {fields.get('subject')}"
            for fields in self._server.read_updates()
            if (fields["source"], fields["id"]) not in before
        ]
        assert not told, f"a second reading of everything told something new: {told}"

    def _list_messages(self) -> Iterator[IntakeEntry]:
        for user in self._find_readers():
            box = self._tenant.world.mailbox(user)
            inbox = box.folder_messages(box.find_folder("inbox"))
            for message in box.all_messages() if self._reads_all else inbox:
                if self._is_read(message):
                    yield _announce(Kind.MESSAGE, user, message.id)

    def _list_events(self) -> Iterator[IntakeEntry]:
        for owner in self._operator.watched:
            box = self._tenant.world.mailbox(owner.id)
            for event in tuple(box.events.values()):
                is_known = event.uid.ical_uid(None) in self._held
                is_seen = not self._is_long_past(event) and (is_known or is_in_a_view(box, event))
                if self._is_held(event.uid) and is_seen:
                    yield _announce(Kind.EVENT, owner.id, event.id)

    def _is_read(self, message: Message) -> bool:
        """Tell whether the service would read a message: after an absence old ones are left alone."""
        is_old = message.received_at < self._tenant.clock.now() - READ_BACK
        if self._deeds.was_away and is_old:
            return False
        return message.meeting is None or (self._is_held(message.meeting.uid) and not self._may_be_found_late)

    @property
    def _may_be_found_late(self) -> bool:
        """Tell whether answers may have been read before anything said for which meetings they are.

        A meeting without iCalUId is looked for where it was when it was answered, and may have moved since;
        somebody who comes onto the roster has the answers of their people read before their calendar.
        """
        return self._tenant.world.beliefs.null_ical_uid and bool(self._operator.returned)

    def _is_long_past(self, event: Event) -> bool:
        """Tell whether an event was over before the service came back, so that no view shows it."""
        earliest = self._tenant.clock.now() - READ_BACK + timedelta(days=1)
        return self._deeds.was_away and event.recurrence is None and event.slot.end < earliest

    def _is_held(self, uid: MeetingUid) -> bool:
        """Tell whether the service would read a meeting: one that was forgotten would begin anew."""
        return not self._deeds.was_away or uid.ical_uid(None) in self._held

    def _has_state(self, meeting: Meeting) -> bool:
        name = self._around.keys.meeting(OwnerKey(meeting.owner.id), meeting.key)
        return bool(self._server.ask("EXISTS", name))

    def _find_readers(self) -> list[str]:
        """Give who must be read for the owners, by the delivery option of each."""
        readers: dict[str, None] = {}
        for owner in self._operator.watched:
            helpers = [user.id for user in self._tenant.world.delegates_of(owner)]
            readers |= dict.fromkeys(helpers)
            if not helpers or owner.delivery != "sendToDelegateOnly" or self._reads_all:
                readers[owner.id] = None
        return list(readers)

    # --- the end ---

    def judge(self) -> int:
        """Judge everything; gives how many updates there were.

        Raises:
            AssertionError: with the first thing that is wrong.
        """
        raw = self._server.read_updates()
        check_entries(raw)
        assert not self._server.breaches, f"taken and must not have been: {self._server.breaches}"
        assert len({(one["source"], one["id"]) for one in raw}) == len(raw), "an id came twice"
        fresh = self._server.read_updates(self._born_again_from)
        late = [
            one["source"] for one in fresh if int(one["epoch"]) <= self._last_epochs.get(one["source"], 0)
        ]
        assert not late, f"epochs did not rise after the loss: {late}"
        self._judge_what_waits()
        self._judge_timers()
        self._judge_keys()
        self._judge_subscriptions()
        entries = [parse_entry(fields, _find_zone) for fields in raw]
        folds = fold_stream(entries)
        self._lives = {
            (entry.owner, entry.meeting, one["epoch"]) for entry, one in zip(entries, raw, strict=True)
        }
        self._judge_derivation(folds)
        for meeting in self._deeds.meetings:
            self._judge_meeting(meeting, folds, entries)
        return len(raw)

    def list_told(self) -> str:
        """Give the stream without epochs and ids, which hold Redis' own time."""
        names = ("source", "sequence", "type", "subject", "time", "data")
        return "\n".join(
            " ".join(fields.get(name, "-") for name in names) for fields in self._server.read_updates()
        )

    def _judge_what_waits(self) -> None:
        keys = self._around.keys
        assert self._server.ask("XLEN", keys.intake) == 0, "entries are left on the intake stream"
        for partition in range(keys.partitions):
            waiting = self._server.ask("ZRANGE", keys.due(partition), 0, -1, "WITHSCORES", withscores=True)
            now_ms = to_ms(self._tenant.clock.now())
            late = [name for name, at_ms in waiting if not name.startswith("look:") or at_ms < now_ms]
            assert not late, f"entries wait in the due list: {late}"
        dead = [fields for _, fields in self._server.read_stream(keys.dead)]
        assert not dead, f"dead letters: {dead}"

    def _judge_timers(self) -> None:
        """All pairs that are left open have been told of by now: no timer was lost."""
        for owner, meeting in self._around.facts.meetings():
            name = self._around.keys.meeting(OwnerKey(owner), meeting)
            state = decode_state(self._server.ask("HGETALL", name))
            assert not state.timers, f"{self._name(owner, meeting)}: nothing came of {sorted(state.timers)}"

    def _judge_keys(self) -> None:
        keys = self._around.keys
        names = self._server.list_keys()
        types = self._server.ask_all([("TYPE", name) for name in names])
        lifetimes_ms = self._server.ask_all([("PTTL", name) for name in names])
        for name, held, lifetime_ms in zip(names, types, lifetimes_ms, strict=True):
            kinds = [key for key in KEYS if key.matches(name, keys.stream, keys.partitions)]
            assert len(kinds) == 1, f"{name} is none of the documented keys"
            assert held == kinds[0].type, name
            must_end = kinds[0].lifetime in (Lifetime.MEETING, Lifetime.LEASE)
            assert (lifetime_ms > 0) == must_end, f"lifetime of {name}"
            named = [owner for owner in self._operator.removed if owner in name]
            assert not named, f"{name} names somebody who is off the roster"

    def _judge_subscriptions(self) -> None:
        wanted = [("message", user) for user in self._find_readers()]
        wanted += [("event", owner.id) for owner in self._operator.watched]
        self._tenant.book.drop_expired(self._tenant.clock.now())
        held = [(one.watch.kind, one.watch.user_id) for one in self._tenant.book.list_all()]
        assert sorted(held) == sorted(wanted), f"subscriptions {sorted(held)}, wanted {sorted(wanted)}"

    def _judge_derivation(self, folds: Mapping[tuple[str, str], Fold]) -> None:
        """Promises (a), (b) and (d), against the slow reference.

        Consumers hold on to a former life of a meeting as long as there is nothing to tell of the next.
        """
        facts = self._around.facts
        for owner, key in facts.meetings():
            derived = derive(facts.of((owner, key)), tolerance_s=TOLERANCE_S)
            fold = folds.get((owner, key), Fold())
            is_told = (owner, key, facts.epoch_of((owner, key))) in self._lives
            try:
                assert_fold_is_derived(fold if is_told else Fold(), derived)
                assert_consecutive_values_differ(fold.told)
                revived = list_revived(facts.of((owner, key)))
                told = [said for said in fold.told if (said.instance, said.attendee) not in revived]
                assert_no_message_replaces_a_later_answer(told, TOLERANCE_S)
            except AssertionError as error:
                raise AssertionError(f"{self._name(owner, key)}: {error}") from error

    def _name(self, owner: str, key: str) -> str:
        names = [one.name for one in self._deeds.meetings if one.owner.id == owner and one.key == key]
        return names[0] if names else f"{owner} {key}"

    # --- against the calendar, and against what people did ---

    def _was_unwatched(self, meeting: Meeting) -> bool:
        return self._deeds.was_away or meeting.owner.id in self._operator.returned

    def _is_of_a_former_life(self, meeting: Meeting) -> bool:
        """Tell whether consumers hold what was said before the state was forgotten, and nothing since."""
        owner = OwnerKey(meeting.owner.id)
        life = (owner, meeting.key, self._around.facts.epoch_of((owner, meeting.key)))
        is_held = meeting.ical_uid in self._held and life in self._lives
        return self._was_unwatched(meeting) and not is_held

    def _is_out_of_sight(self, meeting: Meeting) -> bool:
        """Tell whether nobody can see any more what became of a meeting.

        Its owner is not watched; or was not for a while, and looks into the calendar show it no more: it is
        past, or a series of which no occurrence is left.
        """
        if meeting.owner.id in self._operator.removed:
            return True
        box = self._tenant.world.mailbox(meeting.owner.id)
        event = box.events.get(meeting.id)
        if event is not None and self._was_unwatched(meeting) and not is_in_a_view(box, event):
            return True
        is_past = meeting.ends_at < self._tenant.clock.now() - READ_BACK + timedelta(days=1)
        return is_past and self._was_unwatched(meeting)

    def _judge_meeting(
        self, meeting: Meeting, folds: Mapping[tuple[str, str], Fold], entries: list[Entry]
    ) -> None:
        if self._is_out_of_sight(meeting):
            return
        fold = folds.get((meeting.owner.id, meeting.key), Fold())
        event = self._tenant.world.mailbox(meeting.owner.id).events.get(meeting.id)
        if event is None or event.is_cancelled:
            assert self._is_of_a_former_life(meeting) or not fold.people(WHOLE), (
                f"{meeting.name} is over, but people are there"
            )
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
                and entry.meeting == meeting.key
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
        is_reborn = bool(self._last_epochs) or meeting.owner.id in self._operator.returned
        if meeting.moved_at is not None or (is_reborn and meeting.is_series) or self._deeds.was_away:
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
