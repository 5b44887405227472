"""Limits of Graph that are kept before Graph has to: who waits, who goes apart, what a budget allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import HeldBackError, ThrottledError, UnavailableError
from service.graph.answer import Answer
from service.graph.dispatch import Dispatcher, DispatchLimits
from service.graph.requests import GraphRequest, RequestKind, build_event_request
from service.graph.throttling import Budget, Throttling, ThrottlingLimits
from service.reconcile.model import EventId, OwnerKey
from tests.unit.graph.held_clock import HeldClock, settle
from tests.unit.graph.replies import RecordingObserver, refusal, reply

WINDOW_S = 0.25
THROTTLED = {"status": 429, "headers": {"Retry-After": "30"}, "body": {"error": {"code": "TooManyRequests"}}}


class Mailboxes:
    """Stands in for Graph.

    Attributes:
        throttled: mailboxes that refuse for now.
        spoils: mailboxes because of which a batch is refused as a whole.
        sent: the mailboxes that each HTTP request named, in order.
        gate: closed, it holds back every answer to `held`.
    """

    def __init__(self) -> None:
        self.throttled: set[str] = set()
        self.spoils: dict[str, Answer | Exception] = {}
        self.sent: list[list[str]] = []
        self.held: set[str] = set()
        self.gate = asyncio.Event()

    async def exchange(self, request: GraphRequest) -> Answer:
        is_batch = request.kind is RequestKind.BATCH
        parts = request.body["requests"] if is_batch and request.body else []
        names = [part["url"].split("/")[2] for part in parts] or [request.mailbox]
        self.sent.append(names)
        if self.held & set(names):
            await self.gate.wait()
        for name in names:
            if isinstance(spoilt := self.spoils.get(name), Exception):
                raise spoilt
            if spoilt is not None:
                return spoilt
        if not is_batch:
            is_throttled = names[0] in self.throttled
            headers = {"Retry-After": "30"}
            return refusal(429, "TooManyRequests", headers=headers) if is_throttled else reply({})
        answers = [THROTTLED if name in self.throttled else {"status": 200, "body": {}} for name in names]
        return reply({"responses": [{"id": str(at), **one} for at, one in enumerate(answers, start=1)]})


Build = Callable[..., Dispatcher]


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@pytest.fixture
def graph() -> Mailboxes:
    return Mailboxes()


@pytest.fixture
async def build(graph: Mailboxes, clock: HeldClock, observer: RecordingObserver) -> AsyncIterator[Build]:
    built: list[Dispatcher] = []

    def build_one(**throttling: Any) -> Dispatcher:
        limits = DispatchLimits(window_s=WINDOW_S, throttling=ThrottlingLimits(**throttling))
        built.append(Dispatcher(graph, clock=clock, observer=observer, limits=limits))
        return built[-1]

    yield build_one
    for one in built:
        await one.close()


def event(owner: str, number: int = 1) -> GraphRequest:
    return build_event_request(OwnerKey(owner), EventId(f"e-{number}"))


async def ask(
    dispatcher: Dispatcher, clock: HeldClock, *requests: GraphRequest
) -> list[asyncio.Task[Answer]]:
    """Ask at one time, and let the window pass."""
    tasks = [asyncio.create_task(dispatcher.send(request)) for request in requests]
    await settle()
    await clock.advance(WINDOW_S)
    return tasks


async def test_a_throttled_mailbox_is_left_alone_until_its_time_while_others_are_read(
    build: Build, clock: HeldClock, graph: Mailboxes, observer: RecordingObserver
) -> None:
    dispatcher = build()
    graph.throttled.add("alex")
    alex, megan = await ask(dispatcher, clock, event("alex"), event("megan"))
    assert isinstance(alex.exception(), ThrottledError)
    assert megan.result().status == 200

    graph.sent.clear()
    alex, megan = await ask(dispatcher, clock, event("alex", 2), event("megan", 2))
    error = alex.exception()
    assert isinstance(error, HeldBackError)
    assert error.retry_after_s is not None
    assert 29 < error.retry_after_s <= 30
    assert megan.result().status == 200
    assert graph.sent == [["megan"]]
    assert observer.held_back == [("event", "mailboxThrottled")]

    graph.throttled.clear()
    await clock.advance(30)
    [alex] = await ask(dispatcher, clock, event("alex", 2))
    assert alex.result().status == 200


async def test_a_mailbox_that_was_throttled_shares_no_batch_until_it_answers(
    build: Build, clock: HeldClock, graph: Mailboxes
) -> None:
    dispatcher = build()
    graph.throttled.add("alex")
    await ask(dispatcher, clock, event("alex"), event("megan"))
    graph.throttled.clear()
    await clock.advance(30)
    graph.sent.clear()
    for number in (2, 3):
        requests = [event(name, number) for name in ("alex", "megan", "adele")]
        asked = await ask(dispatcher, clock, *requests)
        assert [one.result().status for one in asked] == [200] * 3
    assert graph.sent == [["alex"], ["megan", "adele"], ["alex", "megan", "adele"]]


@pytest.mark.parametrize(
    "failure",
    [
        refusal(429, "TooManyRequests", headers={"Retry-After": "5"}),
        refusal(503, "x", headers={"Retry-After": "5"}),
    ],
)
async def test_a_batch_throttled_as_a_whole_closes_no_mailbox_that_may_be_innocent(
    build: Build, clock: HeldClock, graph: Mailboxes, failure: Answer
) -> None:
    dispatcher = build()
    graph.spoils["alex"] = failure
    alex, megan = await ask(dispatcher, clock, event("alex"), event("megan"))
    assert isinstance(megan.exception(), ThrottledError)
    alex, megan = await ask(dispatcher, clock, event("alex"), event("megan"))
    assert isinstance(alex.exception(), ThrottledError)
    assert megan.result().status == 200
    assert graph.sent == [["alex", "megan"], ["alex"], ["megan"]]


async def test_a_mailbox_that_hangs_goes_apart_from_the_next_time_on(
    build: Build, clock: HeldClock, graph: Mailboxes
) -> None:
    dispatcher = build(slow_s=5)
    graph.held.add("alex")
    await ask(dispatcher, clock, event("alex"), event("megan"))
    await clock.advance(6)
    graph.gate.set()
    await settle()
    graph.gate.clear()
    asked = await ask(dispatcher, clock, event("alex", 2), event("megan", 2), event("adele"))
    assert [one.done() for one in asked] == [False, True, True]
    assert graph.sent[1:] == [["alex"], ["megan"], ["adele"]]
    asked = await ask(dispatcher, clock, event("megan", 3), event("adele", 3))
    assert graph.sent[-1] == ["megan", "adele"]


async def test_a_batch_that_broke_off_at_once_is_nobodys_fault(
    build: Build, clock: HeldClock, graph: Mailboxes
) -> None:
    dispatcher = build()
    graph.spoils["alex"] = UnavailableError("no answer", code="unreachable")
    await ask(dispatcher, clock, event("alex"), event("megan"))
    graph.spoils.clear()
    await ask(dispatcher, clock, event("alex"), event("megan"))
    assert graph.sent == [["alex", "megan"]] * 2


async def test_a_mailbox_whose_budget_is_spent_waits_and_no_other_does(
    build: Build, clock: HeldClock, graph: Mailboxes, observer: RecordingObserver
) -> None:
    dispatcher = build(mailbox_requests_max=3)
    asked = await ask(dispatcher, clock, *(event("alex", at) for at in range(4)), event("megan"))
    assert [one.exception() for one in asked[:3]] == [None] * 3
    error = asked[3].exception()
    assert isinstance(error, HeldBackError)
    assert error.retry_after_s is not None
    assert 590 < error.retry_after_s <= 610
    assert asked[4].result().status == 200
    assert observer.held_back == [("event", "mailboxBudget")]
    await clock.advance(error.retry_after_s)
    [again] = await ask(dispatcher, clock, event("alex"))
    assert again.result().status == 200


async def test_the_budget_of_the_application_holds_for_all(
    build: Build, clock: HeldClock, observer: RecordingObserver
) -> None:
    dispatcher = build(application_requests_max=2)
    asked = await ask(dispatcher, clock, *(event(f"owner-{at}") for at in range(3)))
    assert isinstance(asked[2].exception(), HeldBackError)
    assert observer.held_back == [("event", "applicationBudget")]
    with pytest.raises(HeldBackError):
        await dispatcher.alone.send(event("megan"))
    await clock.advance(11)
    assert (await dispatcher.alone.send(event("megan"))).status == 200


@given(
    gaps=st.lists(st.floats(min_value=0, max_value=40), min_size=1, max_size=80),
    requests_max=st.integers(min_value=1, max_value=6),
)
def test_no_span_of_time_holds_more_than_the_budget(gaps: list[float], requests_max: int) -> None:
    budget, now, went = Budget(requests_max=requests_max, span_s=60), 0.0, []
    for gap in gaps:
        now += gap
        wait_s = budget.wait_s(now)
        assert 0 <= wait_s <= 61
        if not wait_s:
            budget.spend(now)
            went.append(now)
    for start in went:
        assert sum(start <= moment < start + 60 for moment in went) <= requests_max


async def test_former_mailboxes_are_forgotten(clock: HeldClock) -> None:
    throttling = Throttling(clock, ThrottlingLimits())
    for at in range(30):
        throttling.admit(f"owner-{at}")
    await clock.advance(1300)
    throttling.admit("alex")
    assert len(throttling) == 1
