"""When notifications are ready, how long they are tried, and what the outbox refuses."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from service.sandbox.endpoint_health import ENDPOINTS_MAX, PENALTY, WINDOW, Endpoint, EndpointHealth, Pace
from service.sandbox.outbox import GIVE_UP_AFTER, Outbox, OutboxLimits, Outgoing
from service.sandbox.wire import SandboxClock
from tests.unit.sandbox.turning import NOON, standing_clock

URL = "https://localhost:1/graph"


def outgoing(number: int, url: str = URL) -> Outgoing:
    return Outgoing(
        subscription_id="s1",
        url=url,
        item={"n": number},
        recipient=None,
        is_lifecycle=False,
        made_at=NOON,
    )


def build_outbox(clock: SandboxClock, **limits: int) -> Outbox:
    return Outbox(clock=clock, random=Random(1), limits=OutboxLimits(**limits))


def drain(outbox: Outbox, url: str = URL) -> list[int]:
    outbox.release_due()
    found: list[int] = []
    while batch := outbox.take(url):
        found += [one.item["n"] for one in batch]
    return found


def test_items_come_out_in_order_and_no_more_than_a_batch_at_once() -> None:
    clock = standing_clock()
    outbox = build_outbox(clock, batch_max=4)
    for number in range(20):
        assert outbox.put(outgoing(number))
    assert list(outbox.release_due()) == [URL]
    sizes = set()
    found: list[int] = []
    while batch := outbox.take(URL):
        sizes.add(len(batch))
        found += [one.item["n"] for one in batch]
    assert found == list(range(20))
    assert max(sizes) <= 4
    assert len(outbox) == 0


def test_a_delay_is_waited_for_by_the_clock() -> None:
    clock = standing_clock()
    outbox = build_outbox(clock)
    outbox.put(outgoing(1), delay_s=30)
    assert outbox.next_due() == NOON + timedelta(seconds=30)
    clock.advance(29)
    assert drain(outbox) == []
    clock.advance(1)
    assert drain(outbox) == [1]
    assert outbox.next_due() is None


def test_urls_do_not_wait_for_one_another() -> None:
    clock = standing_clock()
    outbox = build_outbox(clock)
    outbox.put(outgoing(1))
    outbox.put(outgoing(2, url="https://localhost:2/graph"))
    assert set(outbox.release_due()) == {URL, "https://localhost:2/graph"}
    assert drain(outbox, "https://localhost:2/graph") == [2]


def test_a_full_outbox_refuses_and_takes_again_when_there_is_room() -> None:
    outbox = build_outbox(standing_clock(), items_max=2)
    assert [outbox.put(outgoing(number)) for number in range(3)] == [True, True, False]
    assert drain(outbox) == [0, 1]
    assert outbox.put(outgoing(3))


def test_waits_double_up_to_the_longest_and_end_after_four_hours() -> None:
    clock = standing_clock()
    outbox = build_outbox(clock)
    item = outgoing(1)
    waits: list[float] = []
    while outbox.put_back(item):
        due = outbox.next_due()
        assert due is not None
        waits.append((due - clock.now()).total_seconds())
        clock.advance(waits[-1])
        outbox.release_due()
        assert outbox.take(URL) == [item]
    for attempt, wait_s in enumerate(waits):
        assert 0.8 <= wait_s / min(2.0**attempt, 600.0) <= 1.2
    assert GIVE_UP_AFTER - timedelta(minutes=15) < clock.now() - NOON <= GIVE_UP_AFTER


# --- the health of endpoints ---


def test_a_few_slow_answers_are_not_judged() -> None:
    endpoint = Endpoint()
    for _ in range(99):
        endpoint.record(60.0, NOON)
    assert endpoint.judge(NOON) is Pace.WELL


def test_more_than_a_tenth_over_three_seconds_is_slow_and_more_than_15_percent_over_ten_is_dropped() -> None:
    for seconds, count, pace in [
        (3.0, 10, Pace.WELL),
        (3.0, 11, Pace.SLOW),
        (10.0, 15, Pace.SLOW),
        (10.0, 16, Pace.DROP),
    ]:
        endpoint = Endpoint()
        for number in range(100):
            endpoint.record(seconds if number < count else 0.1, NOON)
        assert endpoint.judge(NOON) is pace


def test_a_penalty_lasts_ten_minutes_and_old_answers_are_forgotten() -> None:
    endpoint = Endpoint()
    for _ in range(100):
        endpoint.record(11.0, NOON)
    assert endpoint.judge(NOON) is Pace.DROP
    for _ in range(1000):
        endpoint.record(0.1, NOON)
    assert endpoint.judge(NOON + PENALTY - timedelta(seconds=1)) is Pace.DROP
    assert endpoint.judge(NOON + PENALTY) is Pace.WELL
    endpoint.record(11.0, NOON + WINDOW)
    assert endpoint.judge(NOON + 3 * WINDOW) is Pace.WELL


def test_the_endpoint_that_was_silent_longest_is_forgotten_when_there_are_too_many() -> None:
    health = EndpointHealth()
    for _ in range(100):
        health.record("https://slow.test/hook", 11.0, NOON)
        health.record("https://kept.test/hook", 11.0, NOON)
    for number in range(ENDPOINTS_MAX - 1):
        health.record(f"https://h{number}.test/hook", 0.1, NOON)
        health.record("https://kept.test/hook", 11.0, NOON)
    assert health.judge("https://slow.test/hook", NOON) is Pace.WELL
    assert health.judge("https://kept.test/hook", NOON) is Pace.DROP
