"""Several addresses of one person: what each showed or was told is the person's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.reconcile.facts import Alias, MeetingFacts, join_all
from service.reconcile.model import WHOLE, Address, AliasFact, Fact
from service.reconcile.persons import (
    PersonFacts,
    find_persons,
    find_published,
    gather_persons,
    list_standing,
)
from tests.unit.reconcile.build import MEETING, OWNER, at, due, event, response, row

DAY2 = "2026-03-03"
LEGACY = "/o=ex/cn=ann"


def known_as(alias: str, person: str, *, is_by_name: bool = False) -> AliasFact:
    return AliasFact(
        owner=OWNER, meeting=MEETING, alias=Address(alias), person=Address(person), is_by_name=is_by_name
    )


def gather(*facts: Fact) -> dict[str, PersonFacts]:
    meeting = join_all(MeetingFacts(), facts)
    return {str(person): each for person, each in gather_persons(meeting, meeting.instance(WHOLE)).items()}


def find(*pairs: tuple[str, str]) -> dict[str, str]:
    aliases = [Alias(alias=Address(one), person=Address(other), is_by_name=False) for one, other in pairs]
    return {str(one): str(other) for one, other in find_persons(aliases).items()}


def test_a_person_is_published_under_the_address_that_is_nobodys_alias() -> None:
    assert find(("a", "z")) == {"a": "z", "z": "z"}
    assert find(("a", "b"), ("b", "c")) == {"a": "c", "b": "c", "c": "c"}
    assert find(("b", "c"), ("a", "b")) == {"a": "c", "b": "c", "c": "c"}
    assert find(("a", "y"), ("b", "y"), ("k", "l")) == {"a": "y", "b": "y", "y": "y", "k": "l", "l": "l"}
    assert find(("a", "y"), ("a", "z")) == {"a": "y", "y": "y", "z": "y"}
    assert find(("a", "b"), ("b", "a")) == {"a": "a", "b": "a"}


def test_the_latest_status_of_any_address_and_the_first_sight_of_any_are_the_persons() -> None:
    person = gather(
        known_as("a.nn", "ann"),
        event(30, row("ann", "accepted", 25), row("bob"), seen=31),
        event(40, row("a.nn", "declined", 35), seen=41),
    )["ann"]
    assert person.answered_ns == at(35).ns
    assert person.row_times_ns == {at(25).ns, at(35).ns}
    assert person.listed_ns == at(31).ns
    other = gather(
        known_as("a.nn", "ann"), event(40, row("ann", "accepted", 35)), event(30, row("a.nn", "declined", 25))
    )["ann"]
    assert (other.answered_ns, other.listed_ns) == (at(35).ns, at(30).ns)


def test_of_two_rows_the_one_with_an_answer_speaks_then_the_later() -> None:
    alias = known_as("a.nn", "ann")
    assert gather(alias, event(30, row("ann", "none", 29), row("a.nn", "declined", 1)))["ann"].row == row(
        "a.nn", "declined", 1
    )
    assert gather(alias, event(30, row("ann", "accepted", 2), row("a.nn", "declined", 1)))["ann"].row == row(
        "ann", "accepted", 2
    )


@pytest.mark.parametrize(("one", "other"), [("ann", "a.nn"), ("a.nn", "ann")])
def test_of_two_addresses_answers_to_one_slot_the_later_stands_with_the_greatest_version(
    one: str, other: str
) -> None:
    person = gather(
        known_as("a.nn", "ann"),
        response(one, "accepted", 10, sequence=3),
        response(other, "declined", 20, sequence=None),
        response(one, "accepted", 5, place=1),
    )["ann"]
    assert {(answer.value, answer.at.ns, answer.sequence) for answer in person.answers} == {
        ("declined", at(20).ns, 3),
        ("accepted", at(5).ns, 0),
    }


def test_the_greatest_version_counts_whichever_address_told_it() -> None:
    for versions in ((3, 1), (1, 3)):
        (answer,) = gather(
            known_as("a.nn", "ann"),
            response("ann", "accepted", 10, sequence=versions[0]),
            response("a.nn", "declined", 20, sequence=versions[1]),
        )["ann"].answers
        assert answer.sequence == 3


def test_a_timer_that_ran_out_for_any_address_ran_out_for_the_person() -> None:
    one = due("a.nn", ("accepted", 10))
    assert gather(known_as("a.nn", "ann"), one)["ann"].due == {one.pair}


REFUTED = [
    # is by name, alias, events, is refuted
    (True, "a.nn", [event(1, row("ann"), row("a.nn"))], True),
    (False, "a.nn", [event(1, row("ann"), row("a.nn"))], False),
    (True, "a.nn", [event(1, row("ann"))], False),
    (True, "a.nn", [event(1, row("a.nn"))], False),
    (True, "a.nn", [event(1, row("ann")), response("a.nn", "accepted", 5)], False),
    (True, "a.nn", [event(1, row("a.nn")), response("ann", "accepted", 5)], False),
    (True, LEGACY, [event(1, row("ann"), row(LEGACY))], False),
    (
        True,
        "a.nn",
        [
            event(1, row("ann"), is_series=True),
            event(2, row("ann"), row("a.nn"), instance=DAY2, place=24),
        ],
        True,
    ),
]


@pytest.mark.parametrize(("is_by_name", "alias", "facts", "is_refuted"), REFUTED)
def test_an_alias_by_name_is_refuted_where_the_calendar_lists_both(
    is_by_name: bool, alias: str, facts: list[Fact], is_refuted: bool
) -> None:
    meeting = join_all(MeetingFacts(), [known_as(alias, "ann", is_by_name=is_by_name), *facts])
    assert find_published(meeting) == ({} if is_refuted else {alias: "ann", "ann": "ann"})


def test_a_refuted_alias_leaves_two_people() -> None:
    people = gather(known_as("a.nn", "ann", is_by_name=True), event(1, row("ann"), row("a.nn")))
    assert list(people) == ["a.nn", "ann"]
    named = replace(known_as("a.nn", "ann"), is_by_name=False)
    assert list(gather(named, event(1, row("ann"), row("a.nn")))) == ["ann"]


def test_an_alias_that_the_directory_denies_does_not_stand_and_takes_no_other_along() -> None:
    guess = Alias(alias=Address("a.nn"), person=Address("ann"), is_by_name=True)
    other = Alias(alias=Address("b.ob"), person=Address("bob"), is_by_name=True)
    assert list_standing(MeetingFacts(aliases=(guess, other))) == [guess, other]
    denied = replace(guess, is_denied=True)
    assert list_standing(MeetingFacts(aliases=(guess, denied, other))) == [other]
