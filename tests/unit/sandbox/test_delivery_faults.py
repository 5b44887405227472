"""Faults on purpose: read with care, drawn from one seed."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

from service.sandbox.faults import FaultBoard, Faults, Mishaps, read_faults
from service.sandbox.wire import Caller, GraphFault, GraphRequest

ALL = {
    "drop": 0.1,
    "duplicate": 0.2,
    "reorder": 0.3,
    "throttle": 0.4,
    "unavailable": 0.5,
    "unauthorized": 0.6,
    "handshake": 0.7,
    "delay_s": 8,
    "expire_delta": 9,
    "remove_subscriptions": 10,
    "missed": 11,
    "lifetime_s": 12.5,
}


def ask(*segments: str, is_part: bool = False) -> GraphRequest:
    return GraphRequest(
        method="GET",
        segments=segments,
        query=(),
        headers={},
        body=None,
        caller=Caller(user_id=None, app_id="app", permissions=frozenset()),
        base_url="https://localhost:1/v1.0",
        url="https://localhost:1/v1.0/x",
        is_part=is_part,
    )


def status_of(board: FaultBoard, request: GraphRequest) -> int:
    try:
        board.disturb_request(request)
    except GraphFault as fault:
        return fault.status
    return 200


def test_every_name_of_the_contract_is_known() -> None:
    faults, mishaps = read_faults(ALL)
    assert faults == Faults(
        drop=0.1,
        duplicate=0.2,
        reorder=0.3,
        throttle=0.4,
        unavailable=0.5,
        unauthorized=0.6,
        handshake=0.7,
        delay_s=8,
        lifetime_s=12.5,
    )
    assert mishaps == Mishaps(expire_delta=9, remove_subscriptions=10, missed=11)
    assert read_faults({}) == (Faults(), Mishaps())


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "1", True, [], {}])
def test_what_is_no_number_of_its_kind_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        read_faults({name: value})


def test_the_same_seed_draws_the_same_faults() -> None:
    def draw(seed: int) -> list[tuple[float, ...]]:
        board = FaultBoard(Random(seed))
        board.active = Faults(drop=0.3, duplicate=0.3, reorder=0.3, delay_s=1)
        return [board.plan_delivery() for _ in range(200)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert {len(plan) for plan in draw(1)} == {0, 1, 2}
    assert all(1 <= delay <= 3 for plan in draw(1) for delay in plan)


def test_without_faults_everything_passes_at_once() -> None:
    board = FaultBoard(Random(1))
    assert board.plan_delivery() == (0.0,)
    assert not board.fails_handshake()
    assert status_of(board, ask("me")) == 200


def test_a_batch_is_not_throttled_and_a_part_is_not_unauthorized() -> None:
    board = FaultBoard(Random(1))
    board.active = Faults(throttle=1)
    assert status_of(board, ask("$batch")) == 200
    assert status_of(board, ask("me", is_part=True)) == 429
    board.active = Faults(unauthorized=1)
    assert status_of(board, ask("$batch")) == 401
    assert status_of(board, ask("me", is_part=True)) == 200
    board.active = Faults(unavailable=1)
    assert status_of(board, ask("$batch")) == 503
    assert status_of(board, ask("me", is_part=True)) == 503


def test_half_a_probability_strikes_about_half_of_the_time() -> None:
    board = FaultBoard(Random(3))
    board.active = Faults(throttle=0.5, handshake=0.5)
    struck = sum(status_of(board, ask("me")) == 429 for _ in range(1000))
    failed = sum(board.fails_handshake() for _ in range(1000))
    assert 430 < struck < 570
    assert 430 < failed < 570
