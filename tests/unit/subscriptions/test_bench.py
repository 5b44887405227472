"""The benchmark of the keeper: it must measure what it says, on a roster small enough for every day."""

from __future__ import annotations

from datetime import timedelta

from bench.keeper import FIXED_DUE, count_busiest, measure_ticks, settle
from tests.unit.subscriptions.fakes import START


async def test_its_ticks_have_about_as_much_due_as_was_asked_for() -> None:
    play, keeper, _ = await settle(150)
    ticked = await measure_ticks(play, keeper, 150, FIXED_DUE)
    assert FIXED_DUE / 3 < ticked.due < FIXED_DUE * 3


def test_it_counts_the_busiest_window_that_graph_would() -> None:
    moments = [START + timedelta(seconds=second) for second in (50, 0, 19.9, 20, 25, 70)]
    assert count_busiest(moments) == 3
