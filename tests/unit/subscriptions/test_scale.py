"""What a tick costs: in proportion to what is due, not to the roster."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from service.ports import Book
from service.subscriptions.keeper import Keeper
from service.subscriptions.slices import SLICE, in_slices
from tests.unit.subscriptions.play import Play, event


async def settled(owners: int) -> tuple[Play, Keeper]:
    """Give a tenant of so many owners, each with a delegate, whose keeper is done with all of them."""
    play = Play()
    for number in range(owners):
        play.tenant.add_person(f"d{number}@c.com")
        play.tenant.add_person(f"p{number}@c.com", delegates=[f"d{number}@c.com"])
        await play.add_owner(f"p{number}@c.com")
    keeper = play.build_keeper()
    await play.run(keeper, seconds=4)
    assert (await play.read_status()).is_ready
    return play, keeper


def count_calls(play: Play, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count from now on what is asked of Redis' side."""
    calls: Counter[str] = Counter()
    for port in (play.records, play.lease, play.generation, play.states, play.intake):
        for name in (name for name in dir(port) if not name.startswith("_")):
            if callable(method := getattr(port, name)):
                monkeypatch.setattr(port, name, counted(calls, name, method))
    return calls


def counted(calls: Counter[str], name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **more: Any) -> Any:
        calls[name] += 1
        return method(*args, **more)

    return call


@pytest.mark.parametrize("owners", [2, 200])
async def test_a_tick_in_which_nothing_is_due_asks_four_small_questions(
    owners: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    play, keeper = await settled(owners)
    calls = count_calls(play, monkeypatch)
    asked_of_graph = len(play.tenant.calls) + len(play.tenant.rounds)
    await keeper.tick()
    await keeper.settle()
    assert calls == {"acquire": 1, "exists": 1, "read_counter": 2}
    assert len(play.tenant.calls) + len(play.tenant.rounds) == asked_of_graph


async def test_a_change_of_one_owner_concerns_that_owner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    play, keeper = await settled(200)
    play.tenant.add_person("new@c.com", delegates=["d0@c.com"])
    await play.add_owner("new@c.com")
    done = len(play.metrics.outcomes)
    calls = count_calls(play, monkeypatch)
    await play.run(keeper, seconds=5)
    kinds = Counter(kind for kind, _ in play.metrics.outcomes[done:])
    assert kinds == {"resolve": 1, "subscribe": 1, "read_messages": 1, "read_events": 1}
    assert calls["write"] < 15


async def test_after_an_interval_every_mailbox_is_swept_once_and_not_all_at_one_moment() -> None:
    play, keeper = await settled(100)
    play.tenant.rounds.clear()
    at_once = []
    for _ in range(90):
        before = len(play.tenant.rounds)
        play.clock.advance(9)
        await play.run(keeper, seconds=0.5)
        at_once.append(len(play.tenant.rounds) - before)
    times = Counter(name for name, _ in play.tenant.rounds)
    assert {count for name, count in times.items() if name.startswith("calendar")} <= {1, 2}
    assert max(times.values()) <= 20  # inboxes of delegates who serve a dozen owners each
    assert max(at_once) < 60


async def test_going_through_much_lets_others_have_their_turn_between_slices() -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(take_turns())
    things = range(3 * SLICE + 1)
    assert [thing async for thing in in_slices(things)] == list(things)
    assert turns == 3
    other.cancel()


async def test_silence_is_judged_by_the_note_about_each_mailbox_not_by_the_whole_book(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play, keeper = await settled(20)
    await play.records.write(Book.NOTIFIED, {"somebody": "2026-11-02T07:59:00Z"})
    read_all, whole = play.records.read_all, []

    async def note(book: Book) -> dict[str, str]:
        whole.append(book)
        return await read_all(book)

    monkeypatch.setattr(play.records, "read_all", note)
    for sweep in range(2):
        for number in range(20):
            play.tenant.put_item(f"calendar/id-p{number}", event(f"e-{sweep}"))
        play.clock.advance(900)
        await play.run(keeper, seconds=5)
    assert whole.count(Book.NOTIFIED) == whole.count(Book.OWNERS) == 2, "once a term"
