"""What a consumer holds of an attendee: an occurrence's own entry, else the series'."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.reconcile.model import WHOLE, Address, InstanceKey, ResponseValue
from service.reconcile.told import ToldAttendee, ToldInstance, ToldMeeting

ANN, BOB = Address("ann"), Address("bob")
DAY = InstanceKey("2026-03-03")
OF_SERIES = ToldAttendee(is_present=True, value=ResponseValue.ACCEPTED, standing="confirmed", proposal=(1, 2))


def told(occurrence: ToldInstance) -> ToldMeeting:
    """Give a series of which Ann was told, with an occurrence."""
    return ToldMeeting(instances={WHOLE: ToldInstance(attendees={ANN: OF_SERIES}), DAY: occurrence})


def test_an_occurrence_has_what_was_told_of_its_series() -> None:
    assert told(ToldInstance()).held(DAY, ANN) == OF_SERIES
    assert told(ToldInstance()).held(DAY, BOB) is None
    assert told(ToldInstance()).held(WHOLE, BOB) is None


def test_its_own_entry_goes_first() -> None:
    own = replace(OF_SERIES, value=ResponseValue.DECLINED)
    assert told(ToldInstance(attendees={ANN: own}, is_moved=True)).held(DAY, ANN) == own


def test_a_moved_occurrence_has_the_values_of_its_series_and_neither_standings_nor_proposals() -> None:
    moved = told(ToldInstance(is_moved=True))
    assert moved.held(DAY, ANN) == replace(OF_SERIES, standing="", proposal=None)
    assert moved.held(DAY, BOB) is None


@pytest.mark.parametrize("ended", [ToldInstance(ending="deleted"), ToldInstance(is_detached=True)])
def test_an_occurrence_that_ended_or_came_back_has_nothing_of_its_series(ended: ToldInstance) -> None:
    assert told(ended).held(DAY, ANN) is None
