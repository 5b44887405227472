"""The promises of the design, section 3, as assertions over what was said. Must not look into the service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from service.reconcile.instant import NS_PER_S
from service.reconcile.model import WHOLE, Address, InstanceKey, ResponseValue
from tests.reference.consumer import PREFIX, Entry, Fold, Said, Told, parse_entry
from tests.reference.derived import Derived, Standing, State
from tests.reference.places import same_slot

MEETING_LEVEL = frozenset({Told.RESCHEDULED, Told.CANCELLED, Told.DELETED})
NEW_START = frozenset({Told.ADDED, Told.SNAPSHOT, Told.REMOVED})


def assert_stream_is_sound(stream: Iterable[Mapping[str, str]]) -> list[Entry]:
    """Check what holds of any stream: the fixed fields, sequences without gaps, ids that are unique.

    Args:
        stream: flat fields of every entry since the stream began, in its order.
    """
    last: dict[tuple[str, int], int] = defaultdict(int)
    entries = []
    for fields in stream:
        entry = parse_entry(fields)
        _assert_fixed_fields(fields, entry)
        key = (entry.source, entry.epoch)
        assert entry.sequence == last[key] + 1, f"{key}: {entry.sequence} follows {last[key]}"
        last[key] = entry.sequence
        newer = [epoch for source, epoch in last if source == entry.source and epoch > entry.epoch]
        assert not newer, f"{entry.source}: epoch {entry.epoch} after {newer}"
        entries.append(entry)
    return entries


def _assert_fixed_fields(fields: Mapping[str, str], entry: Entry) -> None:
    assert fields["specversion"] == "1.0"
    assert fields["datacontenttype"] == "application/json"
    assert fields["dataschema"] == "urn:responsesync:update:1"
    assert fields["type"].startswith(PREFIX)
    assert fields["sequence"] == f"{entry.sequence:020d}"
    assert fields["id"] == f"{entry.epoch}-{entry.sequence}"
    assert not fields.get("time", "").startswith("0001-")
    is_of_meeting = entry.said.type in MEETING_LEVEL
    assert is_of_meeting == ("subject" not in fields)
    if is_of_meeting:
        assert [entry.data[name] for name in ("attendee", "response", "standing")] == [None, None, None]


def assert_fold_is_derived(fold: Fold, derived: Derived) -> None:
    """Promise (a): after every commit the fold of the stream is the derived state."""
    for instance in {WHOLE, *fold.instances(), *derived.at}:
        state = derived.at.get(instance)
        if state is None:
            assert fold.people(instance) == {} or instance != WHOLE, f"people, but no state of {instance!r}"
            continue
        _assert_people_are_derived(instance, fold, state)
        if state.ending is None:
            _assert_slot_is_derived(instance, fold, state)


def _assert_people_are_derived(instance: InstanceKey, fold: Fold, state: State) -> None:
    held = fold.people(instance)
    values = {attendee: one.value for attendee, one in held.items()}
    assert values == {attendee: answer.value for attendee, answer in state.people.items()}, instance
    for attendee, answer in state.people.items():
        if answer.standing in (Standing.CONFIRMED, Standing.CONFLICTING):
            assert held[attendee].said == answer.standing, (instance, attendee)


def _assert_slot_is_derived(instance: InstanceKey, fold: Fold, state: State) -> None:
    slot = fold.slot(instance) or state.place
    is_spoken_of = slot is not None and not fold.is_over(instance)
    assert is_spoken_of or not state.people, instance
    if is_spoken_of and slot is not None and state.slot is not None:
        assert same_slot(slot, state.slot), instance


def assert_consecutive_values_differ(told: Sequence[Said]) -> None:
    """Promise (b): one attendee's values at one source differ from the value told before.

    The start is the last added, snapshot, ending (its own or the series') or rescheduled of its series.
    """
    last: dict[tuple[InstanceKey, Address], ResponseValue | None] = {}
    for said in told:
        if said.type.is_ending or said.type is Told.RESCHEDULED:
            dropped = [key for key in last if _drops(said, key[0])]
            for key in dropped:
                del last[key]
        elif said.attendee is not None:
            key = (said.instance, said.attendee)
            if said.type in (Told.CHANGED, Told.RESET):
                assert last.get(key) != said.value, f"{key}: {said.value} twice"
                last[key] = said.value
            elif said.type in NEW_START:
                last[key] = said.value


def _drops(said: Said, instance: InstanceKey) -> bool:
    if said.type is Told.RESCHEDULED:
        return said.instance == WHOLE and instance != WHOLE
    return said.instance in (WHOLE, instance)


def published(told: Iterable[Said], instance: InstanceKey, attendee: Address) -> list[ResponseValue]:
    """List the answers told of one attendee at one source; resets are no answers."""
    return [
        said.value
        for said in told
        if said.instance == instance
        and said.attendee == attendee
        and said.type in (Told.CHANGED, Told.SNAPSHOT)
        and said.value is not None
        and said.value.is_answer
    ]


def assert_is_told_subsequence(given: Sequence[ResponseValue], told: Sequence[ResponseValue]) -> None:
    """Promise (c): the values told are a subsequence of those given, the last one always in it.

    Args:
        given: what one attendee answered to one slot that does not come back, in the order of answering;
            more than the tolerance apart.
        told: what was published of it.
    """
    rest = iter(given)
    assert all(any(value == one for one in rest) for value in told), f"{told} is no part of {given}"
    assert list(told[-1:]) == list(given[-1:]), f"{told} does not end as {given}"


def assert_no_message_replaces_a_later_answer(told: Iterable[Said], tolerance_s: float) -> None:
    """Promise (d): a value taken from a message was given after every answer told before it.

    Anew after an added, a snapshot, an ending, or a move: answers to another slot are other answers.
    """
    latest: dict[tuple[InstanceKey, Address], int] = {}
    for said in told:
        if said.attendee is None:
            for key in [key for key in latest if said.instance in (WHOLE, key[0])]:
                del latest[key]
            continue
        key = (said.instance, said.attendee)
        if said.type in NEW_START:
            latest.pop(key, None)
        if said.at_ns is None:
            continue
        if said.type is Told.CHANGED and said.standing is Standing.REPORTED:
            limit = latest.get(key, 0) - round(tolerance_s * NS_PER_S)
            assert said.at_ns >= limit, f"{key}: {said.value} of {said.at_ns} replaces one of {latest[key]}"
        latest[key] = max(said.at_ns, latest.get(key, 0))
