"""The reference against the words of the design, section 3: what an occurrence inherits and what is own."""

from __future__ import annotations

from service.reconcile.model import (
    WHOLE,
    Fact,
)
from tests.reference.builders import (
    ACCEPTED,
    DECLINED,
    NONE,
    SERIES_X,
    address,
    answer,
    event,
    gone,
    row,
    slot,
)
from tests.reference.derived import Ending
from tests.reference.stories import (
    I2,
    I3,
    MEGAN,
    MOVED_2,
    MOVED_SERIES,
    NEW_PLACE_2,
    PLACE_2,
    SERIES,
    derived,
    exception,
    megan,
    verdict,
)

# Instances.


def test_an_instance_without_event_inherits() -> None:
    state = derived(SERIES, answer("megan", DECLINED, 5, slot=PLACE_2, instance=I2)).at[I2]
    assert (state.people[MEGAN].value, state.people[MEGAN].own) == (ACCEPTED, False)


def test_an_occurrence_whose_row_is_the_series_own_inherits() -> None:
    occurrence = exception(5, row("megan", ACCEPTED, -9.0))
    later = event(20, row("megan", DECLINED, 15), slot=SERIES_X)
    assert not megan(SERIES, occurrence, instance=I2).own
    assert megan(SERIES, occurrence, later, instance=I2).value == DECLINED


def test_rule_one_an_answer_to_the_occurrence_that_counts_makes_it_own() -> None:
    declined = answer("megan", DECLINED, 6, slot=PLACE_2, instance=I2)
    facts: list[Fact] = [SERIES, exception(5, row("megan", ACCEPTED, -10)), declined]
    assert verdict(megan(*facts, instance=I2)) == (DECLINED, 6, "reported", False)
    assert megan(*facts, instance=WHOLE).value == ACCEPTED
    elsewhere = answer("megan", DECLINED, 6, slot=MOVED_2, instance=I2)
    assert not megan(*facts[:2], elsewhere, instance=I2).own


def test_rule_two_a_row_with_a_time_that_the_series_never_had_is_own() -> None:
    assert megan(SERIES, exception(5, row("megan", DECLINED, 4)), instance=I2).own
    assert not megan(SERIES, exception(5, row("megan", NONE)), instance=I2).own
    assert not megan(SERIES, exception(5, row("megan", DECLINED, -8.0)), instance=I2).own
    assert megan(SERIES, exception(5, row("megan", DECLINED, -7.9)), instance=I2).own


def test_rule_two_remembers_every_time_that_the_series_ever_had() -> None:
    later = event(20, row("megan", DECLINED, 15), slot=SERIES_X)
    copied = exception(5, row("megan", ACCEPTED, -10))
    assert not megan(later, SERIES, copied, instance=I2).own
    assert megan(later, copied, instance=I2).own


def test_rule_three_at_another_place_than_the_series_everything_is_own() -> None:
    moved = exception(5, row("megan", NONE), slot=MOVED_2)
    assert verdict(megan(SERIES, moved, instance=I2)) == (NONE, None, "none", False)


def test_the_place_of_a_date_keeps_the_wall_clock_of_the_series_zone() -> None:
    """The clocks go forward between the second and the third date: 10:00 UTC becomes 09:00."""
    state = derived(SERIES, answer("megan", DECLINED, 5, instance=I3)).at[I3]
    expected = slot("2026-03-30T09:00:00Z")
    assert state.place is not None
    assert (state.place.start, state.place.end) == (expected.start, expected.end)
    inherits = event(5, row("megan", NONE), slot=expected, instance=I3)
    assert not megan(SERIES, inherits, instance=I3).own


def test_rule_four_who_is_only_in_the_occurrence_is_its_own() -> None:
    guest = exception(5, row("megan", ACCEPTED, -10), row("guest"))
    people = derived(SERIES, guest).at[I2].people
    assert people[address("guest")].own
    assert not people[MEGAN].own


def test_rule_four_who_is_missing_in_an_occurrence_seen_later_is_not_there() -> None:
    assert MEGAN not in derived(SERIES, exception(0, row("christie"), seen=2)).at[I2].people
    assert MEGAN not in derived(SERIES, exception(0, row("christie"), seen=1)).at[I2].people
    assert MEGAN in derived(SERIES, exception(0, row("christie"), seen=0)).at[I2].people


def test_after_a_move_of_the_series_an_occurrence_counts_only_if_seen_since() -> None:
    facts: list[Fact] = [SERIES, exception(5, row("megan", DECLINED, 4)), MOVED_SERIES]
    assert not megan(*facts, instance=I2).own
    assert not megan(*facts, exception(5, row("megan", DECLINED, 4), seen=100.5), instance=I2).own
    assert megan(*facts, exception(5, row("megan", DECLINED, 4), seen=101), instance=I2).own


def test_after_a_move_of_the_series_an_end_of_an_occurrence_counts_only_if_seen_since() -> None:
    facts: list[Fact] = [SERIES, exception(5, row("megan")), gone(50, I2)]
    assert derived(*facts).at[I2].ending is Ending.GONE
    assert derived(*facts, MOVED_SERIES).at[I2].ending is None
    assert derived(*facts, MOVED_SERIES, gone(101, I2)).at[I2].ending is Ending.GONE


def test_after_a_move_of_the_series_an_answer_to_an_occurrence_counts_only_if_given_since() -> None:
    kept = exception(101, row("megan"), slot=NEW_PLACE_2)
    before, since = (answer("megan", DECLINED, at, slot=NEW_PLACE_2, instance=I2) for at in (99, 100))
    assert not megan(SERIES, MOVED_SERIES, kept, before, instance=I2).own
    assert megan(SERIES, MOVED_SERIES, kept, since, instance=I2).value == DECLINED


def test_a_series_that_never_moved_asks_nothing_of_its_occurrences() -> None:
    read_first = exception(-20, row("megan", DECLINED, -21), seen=-15)
    assert megan(SERIES, read_first, instance=I2).value == DECLINED
