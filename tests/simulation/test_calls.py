"""What an answer costs in requests to Graph; `make bench-calls` measures the same on real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.stage import open_stage
from tests.simulation.steady_load import Load, play
from tests.simulation.wire import Wire

PROMISE = 1.1
PROMISE_RICH = 0.05


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with open_stage() as stage:
        yield stage.wire


def test_answers_among_ten_times_as_much_ordinary_mail_cost_no_more_than_promised(
    wire: Wire,
) -> None:
    asked, changed = play(wire, Load(owners=20, answers=20, pace=4))
    assert changed == 20
    assert asked.total() <= PROMISE * changed, asked


def test_an_answer_its_event_and_ten_mails_that_come_with_it_are_one_request(wire: Wire) -> None:
    asked, changed = play(wire, Load(owners=5, answers=10, pace=1, is_burst=True))
    assert changed == 10
    assert asked == {"batch": 10}


def test_a_window_is_what_makes_it_so(wire: Wire) -> None:
    asked, changed = play(wire, Load(owners=3, answers=3, pace=1, is_burst=True, window_s=0))
    assert changed == 3
    assert asked == {"single": 36}


@pytest.mark.parametrize("pace", [1, 4])
def test_answers_to_series_and_their_occurrences_cost_no_more(wire: Wire, pace: float) -> None:
    asked, changed = play(wire, Load(owners=20, answers=30, pace=pace, is_series=True, is_burst=pace == 1))
    assert changed >= 30
    assert asked.total() <= PROMISE * 30, asked


@pytest.mark.parametrize("is_series", [False, True])
def test_what_comes_along_with_notifications_is_not_asked_for(wire: Wire, *, is_series: bool) -> None:
    asked, changed = play(wire, Load(owners=20, answers=30, pace=1, is_series=is_series, is_rich=True))
    assert changed >= 30
    assert asked.total() <= PROMISE_RICH * 30, asked
