"""Under which attendee an answer speaks, with mailboxes, directory and state in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from service.entries import Origin
from service.errors import AccessError, UnavailableError
from service.pipeline.outcomes import Ending
from service.pipeline.people import KnownPeople, PeopleLimits
from service.reconcile.model import Address, AttendeeRow, MeetingResponse, Person
from tests.unit.pipeline.directory import MemoryDirectory
from tests.unit.pipeline.fakes import StillClock
from tests.unit.pipeline.world import ADELE, World, message
from tests.unit.reconcile.build import event, response, row

LEGACY = "/o=exchangelabs/ou=x/cn=recipients/cn=ann"


def named(name: str, address: str, *answer: object) -> AttendeeRow:
    return replace(row(address, *answer), name=name)  # type: ignore[arg-type]


def answer(address: str, *, name: str = "", smtp: str | None = None, answered: float = 10) -> MeetingResponse:
    given = message(response(address, "accepted", answered))
    return replace(
        given,
        attendee_smtp=None if smtp is None else Address(smtp),
        witness=replace(given.witness, from_=Person(name=name, address=address)),
    )


async def take(world: World, given: MeetingResponse, item: str = "m1") -> Ending:
    world.reader.messages[ADELE, item] = given
    return await world.message(item)


async def test_an_answer_under_an_alias_speaks_for_the_row() -> None:
    world = World()
    world.directory.add("ann", "ann@x", "a.nn@x")
    world.put_event("e1", event(1, row("ann@x")))
    await take(world, answer("a.nn@x"))
    assert world.states.said() == ["attendee.added ann@x", "response.changed ann@x"]


async def test_an_answer_under_a_new_primary_address_speaks_for_the_row_with_the_old_one() -> None:
    world = World()
    world.directory.add("ann", "ann.married@x", "ann@x")
    world.put_event("e1", event(1, row("ann@x")))
    await take(world, answer("ann.married@x"))
    assert world.states.said()[-1] == "response.changed ann@x"


async def test_an_alias_that_is_listed_later_finds_the_answer_that_came_before() -> None:
    world = World()
    world.directory.add("ann", "ann@x", "a.nn@x")
    world.put_event("e1", event(1, row("bob@x")))
    await take(world, answer("a.nn@x"))
    assert world.states.said() == ["attendee.added bob@x"]
    world.put_event("e1", event(20, row("bob@x"), row("ann@x")))
    await world.event("e1")
    assert world.states.said()[1:] == ["attendee.added ann@x", "response.changed ann@x"]


async def test_where_the_directory_is_closed_a_unique_display_name_decides_and_is_marked() -> None:
    world = World()
    world.directory.errors = [AccessError("closed", status=403)]
    world.put_event("e1", event(1, named("Ann  Bee", "ann@x"), named("Bob", "bob@x")))
    await take(world, answer("ann.married@x", name="ann bee"))
    assert "response.changed ann@x" in world.states.said()
    assert '"is_by_name":true' in world.states.meetings["owner", "meeting"].fields["aliases"]


@pytest.mark.parametrize("name", ["", "Ann", "eve@x"])
async def test_no_name_a_name_of_two_and_an_address_for_a_name_find_nobody(name: str) -> None:
    world = World()
    world.put_event("e1", event(1, named("Ann", "ann@x"), named("Ann", "anna@x"), named("eve@x", "e@x")))
    assert await take(world, answer("someone@x", name=name)) is Ending.PUBLISHED
    assert {said.split()[0] for said in world.states.said()} == {"attendee.added"}


async def test_a_namesake_whom_the_directory_knows_as_another_is_not_the_attendee() -> None:
    world = World()
    world.directory.add("ann-1", "ann@x")
    world.directory.add("ann-2", "ann2@x")
    world.put_event("e1", event(1, named("Ann", "ann@x")))
    await take(world, answer("ann2@x", name="Ann"))
    assert world.states.said() == ["attendee.added ann@x"]


async def test_one_found_by_name_whom_the_calendar_then_lists_is_somebody_else() -> None:
    world = World()
    world.put_event("e1", event(1, named("Ann", "ann@x")))
    await take(world, answer("ann2@y", name="Ann"))
    world.put_event("e1", event(20, named("Ann", "ann@x"), named("Ann", "ann2@y", "accepted", 10)))
    await world.event("e1")
    assert world.states.said()[2:] == [
        "attendee.added ann2@y",
        "response.changed ann2@y",
        "response.confirmed ann2@y",
        "response.reset ann@x",
    ]


async def test_a_tag_after_a_plus_makes_nobody_another_person() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann+work@x")))
    await take(world, answer("ann@x"))
    assert world.states.said()[-1] == "response.changed ann+work@x"


async def test_two_tags_of_one_address_or_two_people_of_the_directory_are_not_guessed_about() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann+a@x"), row("ann+b@x")))
    await take(world, answer("ann@x"))
    assert {said.split()[0] for said in world.states.said()} == {"attendee.added"}
    world = World()
    world.directory.add("ann", "ann@x")
    world.directory.add("team", "ann+work@x")
    world.put_event("e1", event(1, row("ann+work@x")))
    await take(world, answer("ann@x"))
    assert world.states.said() == ["attendee.added ann+work@x"]


async def test_the_second_row_that_a_legacy_address_causes_is_the_same_person() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann@x")))
    await world.event("e1")
    await take(world, answer(LEGACY, smtp="ann@x"))
    world.put_event("e1", event(20, row("ann@x"), row(LEGACY, "accepted", 10)))
    await world.event("e1")
    assert world.states.said() == [
        "attendee.added ann@x",
        "response.changed ann@x",
        "response.confirmed ann@x",
    ]


async def test_a_legacy_row_read_before_the_message_is_known_by_its_name() -> None:
    world = World()
    world.put_event("e1", event(20, named("Ann", "ann@x"), named("Ann", LEGACY, "accepted", 10)))
    await world.event("e1")
    await take(world, answer(LEGACY, smtp="ann@x"))
    assert world.states.said() == [
        "attendee.added ann@x",
        "response.changed ann@x",
        "response.confirmed ann@x",
    ]


async def test_a_legacy_sender_without_smtp_is_found_by_the_former_name_in_the_directory() -> None:
    world = World()
    world.directory.add("ann", "ann@x", LEGACY)
    world.put_event("e1", event(1, row("ann@x"), row("bob@x")))
    await take(world, answer(LEGACY))
    assert "response.changed ann@x" in world.states.said()


async def test_a_row_in_legacy_form_alone_is_published_by_smtp_once_that_is_known() -> None:
    world = World()
    world.put_event("e1", event(1, row(LEGACY)))
    await take(world, answer(LEGACY, smtp="ann@x"))
    assert world.states.said() == ["attendee.added ann@x", "response.changed ann@x"]


async def test_the_message_itself_may_name_the_listed_address() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann@x")))
    await take(world, answer("ann.alias@x", smtp="ann@x"))
    assert world.states.said()[-1] == "response.changed ann@x"


async def test_one_who_was_never_invited_waits_until_the_calendar_lists_them() -> None:
    world = World()
    world.directory.add("eve", "eve@x")
    world.put_event("e1", event(1, row("ann@x")))
    await take(world, answer("eve@x", name="Eve"))
    assert world.states.said() == ["attendee.added ann@x"]
    world.put_event("e1", event(20, row("ann@x"), row("eve@x")))
    await world.event("e1")
    assert world.states.said()[1:] == ["attendee.added eve@x", "response.changed eve@x"]


async def test_the_owners_own_other_address_is_neither_answer_nor_row() -> None:
    world = World()
    world.watch.owners["owner"] = replace(  # type: ignore[index]
        world.watch.owners["owner"],  # type: ignore[index]
        aliases=(Address("alex@x"), Address("a@x")),
    )
    world.put_event("e1", event(1, row("ann@x"), row("a@x")))
    assert await take(world, answer("a@x")) is Ending.BY_ORGANIZER
    assert await take(world, answer("/o=ex/cn=alex", smtp="alex@x"), "m2") is Ending.BY_ORGANIZER
    await world.event("e1")
    assert world.states.said() == ["attendee.added ann@x"]


async def test_listed_people_are_never_looked_up() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann@x")))
    await take(world, answer("ann@x"))
    assert world.directory.calls == []


async def test_a_directory_that_is_away_is_asked_again_by_the_retry() -> None:
    world = World()
    world.directory.add("ann", "ann@x", "a.nn@x")
    world.directory.errors = [UnavailableError("away", status=503)]
    world.put_event("e1", event(1, row("ann@x")))
    with pytest.raises(UnavailableError):
        await take(world, answer("a.nn@x"))
    await take(world, answer("a.nn@x"))
    assert world.states.said()[-1] == "response.changed ann@x"


async def test_answers_and_refusals_of_the_directory_are_remembered_for_a_while() -> None:
    directory, clock = MemoryDirectory(), StillClock()
    known = KnownPeople(directory, clock, PeopleLimits(kept_s=60))
    directory.add("ann", "ann@x")
    assert (await known.find(Address("ann@x"))) == await known.find(Address("ann@x"))
    assert await known.find(Address("bob@x")) is await known.find(Address("bob@x")) is None
    assert directory.calls == ["ann@x", "bob@x"]
    directory.errors = [AccessError("closed", status=403)]
    assert [await known.find(Address(one)) for one in ("eve@x", "dan@x")] == [None, None]
    assert directory.calls == ["ann@x", "bob@x", "eve@x"]
    await clock.sleep(61)
    assert await known.find(Address("eve@x")) is None
    assert directory.calls[3:] == ["eve@x"]


async def test_no_more_people_are_remembered_than_set() -> None:
    directory = MemoryDirectory()
    known = KnownPeople(directory, StillClock(), PeopleLimits(kept_max=2))
    for one in ("a", "b", "a", "c", "a", "b"):
        await known.find(Address(one))
    assert directory.calls == ["a", "b", "c", "b"]


async def test_what_was_guessed_by_name_is_withdrawn_once_the_directory_can_be_read() -> None:
    world = World()
    world.directory.errors = [AccessError("closed", status=403)]
    world.put_event("e1", event(1, named("Ann", "ann@x"), named("Bob", "bob@x")))
    await take(world, answer("ann.other@x", name="Ann"))
    assert world.states.said()[1] == "response.changed ann@x"
    world.directory.add("ann-1", "ann@x")
    world.directory.add("ann-2", "ann.other@x")
    world.clock.moment += timedelta(hours=1)
    await world.event("e1")
    assert world.states.said()[-1] == "response.reset ann@x"
    await take(world, answer("ann.other@x", name="Ann", answered=30), "m2")
    assert world.states.said()[-1] == "response.reset ann@x"


async def test_what_was_guessed_by_a_tag_is_withdrawn_too_and_what_the_directory_says_is_not() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann+work@x")))
    await take(world, answer("ann@x"))
    assert world.states.said()[-1] == "response.changed ann+work@x"
    world.directory.add("ann", "ann@x")
    world.directory.add("team", "ann+work@x")
    world.clock.moment += timedelta(hours=1)
    await world.event("e1")
    assert world.states.said()[-1] == "response.reset ann+work@x"
    world = World()
    world.directory.add("ann", "ann@x", "a.nn@x")
    world.put_event("e1", event(1, row("ann@x")))
    await take(world, answer("a.nn@x"))
    world.clock.moment += timedelta(hours=1)
    await world.event("e1")
    assert world.states.said() == ["attendee.added ann@x", "response.changed ann@x"]


async def test_one_person_who_is_listed_under_two_addresses_is_one_attendee() -> None:
    world = World()
    world.directory.add("ann", "ann@x", "a.nn@x")
    world.put_event("e1", event(1, named("Ann", "ann@x"), named("Ann", "a.nn@x")))
    await world.event("e1")
    await take(world, answer("a.nn@x"))
    assert world.states.said() == ["attendee.added ann@x", "response.changed ann@x"]


async def test_a_second_row_under_another_name_is_found_when_its_person_answers() -> None:
    world = World()
    world.directory.add("ann", "ann@x", "a.nn@x")
    world.put_event("e1", event(1, named("Ann", "ann@x"), named("A. Nn", "a.nn@x"), named("Bob", "bob@x")))
    await world.event("e1")
    assert world.directory.calls == []
    await take(world, answer("a.nn@x"))
    assert world.states.said()[3:] == ["attendee.removed a.nn@x", "response.changed ann@x"]


async def test_a_second_row_that_nothing_hints_at_is_found_by_the_sweep_that_reads_the_answer_again() -> None:
    world = World()
    world.directory.add("ann", "ann@x", "meyer@x")
    world.put_event(
        "e1", event(1, named("Ann", "ann@x"), named("A. Meyer", "meyer@x"), named("Bob", "bob@x"))
    )
    await world.event("e1")
    await take(world, answer("meyer@x"))
    assert world.directory.calls == []
    assert world.states.said()[3:] == ["response.changed meyer@x"]
    await world.message("m1", origin=Origin.SWEEP)
    assert world.states.said()[4:] == ["response.changed ann@x", "attendee.removed meyer@x"]


async def test_namesakes_who_are_listed_both_stay_two() -> None:
    world = World()
    world.directory.add("ann-1", "ann@x")
    world.directory.add("ann-2", "a.nn@x")
    world.put_event("e1", event(1, named("Ann", "ann@x"), named("Ann", "a.nn@x")))
    await world.event("e1")
    assert world.states.said() == ["attendee.added a.nn@x", "attendee.added ann@x"]
