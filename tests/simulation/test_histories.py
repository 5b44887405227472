"""Histories of the whole service under faults: a fixed set, a few that nobody has played, all that failed.

`make simulate SEEDS=1000` plays more. A seed that fails here is printed with its story; `make simulate
SEED=n` plays it again. It then gets a test of its own below, named for what was wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.simulation.stage import Stage, open_stage

FIXED = range(1, 13)
FRESH_S = 12.0


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_stage() as stage:
        yield stage


@pytest.mark.parametrize("seed", FIXED)
def test_a_history_of_the_fixed_set_comes_right(stage: Stage, seed: int) -> None:
    stage.play(seed)


def test_histories_that_nobody_has_played_come_right(stage: Stage) -> None:
    first = time.time_ns() // 1000
    ends_at = time.monotonic() + FRESH_S
    for seed in range(first, first + 20):
        if time.monotonic() > ends_at:
            break
        stage.play(seed)


def test_a_seed_gives_the_same_history_again(stage: Stage) -> None:
    assert stage.play(3) == stage.play(3)


def test_a_meeting_that_is_cancelled_before_its_calendar_is_first_read_is_told_to_be_over(
    stage: Stage,
) -> None:
    stage.play(29174)


def test_an_answer_to_an_occurrence_of_a_series_that_just_moved_is_told(stage: Stage) -> None:
    stage.play(971670)
