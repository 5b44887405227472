"""Who is coming, by the library's fold: what the slow reference holds after every commit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.consuming.roll import Roll
from service.consuming.seen import Seen
from service.consuming.update import WHOLE, parse_update
from service.reconcile.model import InstanceKey
from tests.reference.builders import MEETING, OWNER
from tests.reference.consumer import Fold, parse_entry
from tests.reference.histories import History, arrivals, commits, histories
from tests.unit.reconcile.published import Stream
from tests.unit.reconcile.test_promises import LAW


def people_of(roll: Roll, instance: str) -> dict[str, tuple[str, str, bool]]:
    return {
        address: (held.value, held.firm, held.proposal is not None)
        for address, held in roll.attendees(OWNER, MEETING, instance).items()
    }


def people_of_reference(fold: Fold, instance: InstanceKey) -> dict[str, tuple[str, str, bool]]:
    return {
        str(address): (str(held.value), str(held.said or ""), held.proposal is not None)
        for address, held in fold.people(instance).items()
    }


@LAW
@given(data=st.data(), history=histories(), is_baseline=st.booleans())
def test_it_holds_what_the_reference_holds_after_every_commit(
    data: st.DataObject, history: History, is_baseline: bool
) -> None:
    in_order = data.draw(st.booleans())
    batches = data.draw(commits(history.facts) if in_order else arrivals(history.facts, drops=True))
    stream, fold, roll = Stream(), Fold(), Roll()
    for number, batch in enumerate(batches):
        known = len(stream.entries)
        stream.commit(batch, is_baseline=is_baseline and number == 0)
        for fields in stream.entries[known:]:
            fold.tell(parse_entry(fields).said)
            roll.take(parse_update("responses", f"{number}-0", fields))
        for instance in (InstanceKey(WHOLE), *fold.instances()):
            assert people_of(roll, instance) == people_of_reference(fold, instance)


@LAW
@given(data=st.data(), history=histories())
def test_a_snapshot_alone_tells_a_newcomer_what_whoever_read_everything_holds(
    data: st.DataObject, history: History
) -> None:
    batches = data.draw(arrivals(history.facts, drops=True))
    stream, old, newcomer = Stream(), Roll(), Roll()
    for batch in batches:
        stream.commit(batch)
    known = len(stream.entries)
    stream.commit((), with_snapshot=True)
    for number, fields in enumerate(stream.entries):
        update = parse_update("responses", f"{number}-0", fields)
        old.take(update)
        if number >= known:
            newcomer.take(update)
    assert stream.commit(()).said == (), "a snapshot leaves nothing to say"
    for instance in (WHOLE, *old.occurrences(OWNER, MEETING)):
        assert people_of(newcomer, instance) == people_of(old, instance)
        assert newcomer.ending(OWNER, MEETING, instance) == old.ending(OWNER, MEETING, instance)


@LAW
@given(data=st.data(), history=histories())
async def test_one_snapshot_heals_whoever_lost_updates_of_a_meeting_and_its_occurrences(
    data: st.DataObject, history: History
) -> None:
    stream, old, seen, roll = Stream(), Roll(), Seen(), Roll()
    for batch in data.draw(arrivals(history.facts, drops=True)):
        stream.commit(batch)
    lost_from, known = data.draw(st.integers(0, len(stream.entries))), len(stream.entries)
    stream.commit((), with_snapshot=True)
    for number, fields in enumerate(stream.entries):
        update = parse_update("responses", f"{number}-0", fields)
        old.take(update)
        if lost_from <= number < known:
            continue
        if gap := seen.find_gap(update):
            await roll.miss(gap)
        seen.note(update)
        roll.take(update)
    is_named = stream.entries[known:] or lost_from == known
    for instance in (WHOLE, *old.occurrences(OWNER, MEETING)) if is_named else ():
        assert people_of(roll, instance) == people_of(old, instance)
