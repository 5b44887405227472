"""What an answer costs in requests to Graph; `make bench-calls` measures the same on real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.stage import open_stage
from tests.simulation.steady_load import play
from tests.simulation.wire import Wire

PROMISE = 1.1


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with open_stage() as stage:
        yield stage.wire


def test_answers_among_ten_times_as_much_ordinary_mail_cost_no_more_than_promised(
    wire: Wire,
) -> None:
    asked, changed = play(wire, owners=20, answers=20, pace=4)
    assert changed == 20
    assert asked.total() <= PROMISE * changed, asked


def test_an_answer_its_event_and_ten_mails_that_come_with_it_are_one_request(wire: Wire) -> None:
    asked, changed = play(wire, owners=5, answers=10, pace=1, is_burst=True)
    assert changed == 10
    assert asked == {"batch": 10}


def test_a_window_is_what_makes_it_so(wire: Wire) -> None:
    asked, changed = play(wire, owners=3, answers=3, pace=1, is_burst=True, window_s=0)
    assert changed == 3
    assert asked == {"single": 36}
